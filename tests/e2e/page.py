#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
page.py CASE URL FOLDER: looks at the status page of URL in Chromium as CASE says; pictures go to FOLDER. Cases are the
functions below; all but `real` steer tests/e2e/admin_fake.py at URL.
"""
import json, os, sys, time, urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser

ROWS = "return [...document.querySelectorAll('#%s tr.row')].map(tr => [...tr.cells].map(c => c.textContent))"
SHOWN = "return document.querySelectorAll('#%s tr.row').length"


class Page(Browser):
    def __init__(self, url, folder):
        super().__init__(folder, float(os.environ.get("OUTRIDER_PATIENCE", "1")))
        self.url = url
        self.size(1440, 1000)

    def look(self):
        self.open(self.url)
        self.wait("return document.getElementById('state').textContent !== 'asking' && !document.querySelector('#quarantine .empty')?.textContent.startsWith('Asking')")

    def hurry(self):
        self.js("plan.forEach(p => { p.every = 300; })")

    def rows(self, name):
        return self.js(ROWS % name)

    def text(self, css):
        return self.js("return document.querySelector(arguments[0]).textContent", css)

    def fake(self, query=None):
        request = urllib.request.Request(self.url + "fake" + ("?" + query if query else ""), method="POST" if query else "GET")
        with urllib.request.urlopen(request, timeout=10) as r:
            return json.load(r)


def equal(have, want, what=""):
    assert have == want, f"{what}: {have!r}, not {want!r}"


def contents(b):
    """Every part shows what the JSON says; nothing is complained of."""
    b.look()
    equal(b.text("#identity"), "spiffe://cluster.local/ns/shop/sa/orders")
    equal(b.text("#state"), "ready")
    equal(b.js("return document.title"), "spiffe://cluster.local/ns/shop/sa/orders · Outrider")
    facts = dict(b.js("return [...document.querySelectorAll('#facts > div')].map(d => [...d.children].map(c => c.textContent))"))
    equal(facts["Certificate"], "60 d left")
    equal(facts["Version"], "0.1.0")
    assert any("revoked by CRL" in r[0] and r[1] == "refused" for r in b.rows("events")), b.rows("events")
    assert any(r[1] == "config" for r in b.rows("changes"))
    assert not any(r[1] == "config" for r in b.rows("events"))
    equal(len(b.rows("peers")), 12)
    equal([r[:3] for r in b.rows("rules")][2], ["try-no-legacy-tls", 'outrider.tls.version eq "TLSv1.2"', "dry run: block"])
    equal([r[0] for r in b.rows("rules")], ["block-revoked", "admin-only-from-ops", "try-no-legacy-tls", "closed-for-maintenance", "login-first", "per-client"])
    assert "41 entries of /etc/outrider/lists/revoked.txt" in b.text("#rules-sum")
    equal(len(b.rows("quarantine")), 2)
    equal([r[1] for r in b.rows("certs")], ["own", "chain", "CA", "CA", "CRL", "CA partners", "CRL"])
    assert b.rows("certs")[3][2] == "11 d" and b.js("return !!document.querySelectorAll('#certs tr.row')[3].querySelector('.bad')")
    assert "of" in b.text("#n-sessions") or "open" in b.text("#n-sessions")
    # Charts: rates, from the second answer on.
    b.wait("return parseFloat(document.querySelector('[aria-labelledby=h-requests] b').textContent.replace(',', '')) > 1")
    b.wait("return document.querySelectorAll('.plot path.sa').length === 4 && [...document.querySelectorAll('.plot path.sa')].every(p => p.getAttribute('d').includes('L'))")
    # The configuration is fetched when it is looked at.
    assert "/config" not in b.fake()
    b.click("summary")
    b.wait("return document.getElementById('config-text').textContent.includes('listen = 0.0.0.0:8443')")
    equal(b.complaints(), [])


def many(b):
    """A thousand peers: a part of them is drawn; sorting and filtering go over all."""
    b.fake("peers=1000")
    b.look()
    b.hurry()
    b.wait(SHOWN % "peers" + " === 25")
    b.click("#peers .more")
    equal(b.js(SHOWN % "peers"), 1000)
    took = b.js("const t = performance.now(); tables.peers.draw(true); return performance.now() - t")
    print("drawing 1,000 rows again: %.0f ms" % took)
    # By name, then by name backwards; by requests, most first.
    by = lambda n: b.js("document.querySelectorAll('#peers th button')[arguments[0]].click()", n)
    names = lambda: [r[0] for r in b.rows("peers")]
    by(0)
    equal(names(), sorted(names()), "by name")
    equal(b.js("return document.querySelector('#peers th').ariaSort"), "ascending")
    by(0)
    equal(names(), sorted(names(), reverse=True), "by name, backwards")
    by(3)
    equal(names()[0], "/ns/shop/sa/shop")
    equal(b.js("return [...document.querySelectorAll('#peers th[aria-sort]')].map(t => t.textContent + t.ariaSort)"), ["Requestsdescending"])
    # A filter: over all, also by what only the details show. "/" leads there.
    b.keys("/")
    equal(b.js("return document.activeElement.id"), "f-peers")
    b.keys(*"stock-0803")
    b.wait(SHOWN % "peers" + " === 1")
    equal(b.text("#n-peers"), "1 of 1,000")
    serial = b.js("return tables.peers.items.find(p => p.subject.includes('mail-0500')).serial")
    b.js("const f = document.getElementById('f-peers'); f.value = arguments[0].toLowerCase(); f.dispatchEvent(new Event('input'))", serial)
    equal(names(), ["/ns/shop/sa/mail-0500"])
    # By keyboard into the row; it opens, and stays open and focused while figures change.
    b.js("document.getElementById('f-peers').focus()")
    for _ in range(20):
        b.keys("\ue004")
        if b.js("return document.activeElement.className") == "open":
            break
    b.keys("\ue007")
    assert serial in b.text("#peers .detail")
    count = b.fake()["/peers"]
    while b.fake()["/peers"] < count + 1:
        time.sleep(.1)
    assert serial in b.text("#peers .detail")
    equal(b.js("return document.activeElement.getAttribute('aria-expanded')"), "true")
    b.js("const f = document.getElementById('f-peers'); f.value = 'no such'; f.dispatchEvent(new Event('input'))")
    equal(b.js("return [...document.querySelectorAll('#peers .empty')].map(e => e.hidden + e.textContent)"), ["falseNothing matches the filter."])
    equal(b.complaints(), [])


def hostile(b):
    """Names from outside are text, whatever they hold."""
    b.fake("hostile=1")
    b.look()
    b.wait("return document.querySelector('#peers .open').textContent.startsWith('<img src=x')")
    for name in ("peers", "events", "sessions", "certs"):
        b.js("document.querySelectorAll('#%s .open').forEach((o, i) => { if (i < 5) o.click(); })" % name)
    b.click("summary")
    b.wait("return document.getElementById('config-text').textContent.includes('<img')")
    time.sleep(.5)
    equal(b.js("return [window.hurt ?? null, document.images.length, document.scripts.length, document.querySelectorAll('iframe, object, embed').length]"), [None, 0, 1, 0])
    details = b.text("#peers .detail")
    assert "\\u202egnp.exe\\u0007" in details, details
    assert "\u202e" not in b.js("return document.documentElement.outerHTML")
    equal(b.complaints(), [])


def away(b):
    """No answer, trouble with a part, not ready, paused, hidden: each is to be seen, and comes to an end."""
    b.look()
    b.hurry()
    b.fake("down=1")
    b.wait("return document.getElementById('state').textContent === 'no answer'")
    assert "No answer from the sidecar; the figures are of" in b.text("#say")
    assert b.js("return document.title").startswith("!")
    assert b.js("return getComputedStyle(document.querySelector('main')).opacity < 1")
    # It asks ever less often.
    b.wait("return failures >= 2", 15)
    equal(len(b.rows("peers")), 12)  # the last figures stay
    b.fake("down=0")
    b.click("#say button")
    b.wait("return document.getElementById('state').textContent === 'ready' && !document.body.classList.contains('stale')")
    b.complaints()  # of the connections that were closed
    b.fake("fail=rules")
    b.wait("return document.querySelector('#rules .empty').textContent.includes('503 out of memory')")
    b.fake("fail=&ready=0&config_failing=1&expiring=1")
    b.wait("return document.getElementById('state').textContent === 'not ready'")
    equal(b.text("#say"), "Not ready: the certificate expired 12 minutes ago; listener web: address in use. "
          "The configuration on disk is refused; generation 7 stays in service. ")
    b.wait("return document.querySelector('#facts dd').className === 'bad'")
    b.fake("ready=1&state=draining&config_failing=0")
    b.wait("return document.getElementById('state').textContent === 'draining'")
    b.fake("state=serving&empty=1&peers=0&none=1")
    b.wait("return document.querySelector('#peers .empty').textContent === 'Nobody has come yet.' && !document.querySelector('#peers .empty').hidden")
    b.wait("return document.querySelector('#facts dd').textContent === 'none'")
    equal(b.text("#identity"), "Outrider")
    b.wait("return document.querySelector('#events .empty').textContent === 'Nothing was refused lately.'")
    # Nothing is asked for while it is paused, or not to be seen.
    still = lambda: (lambda n: (time.sleep(1.4), n == b.fake()["/status"])[1])((time.sleep(.2), b.fake()["/status"])[1])
    b.keys("p")
    assert still(), "paused"
    b.keys("p")
    b.wait("return document.getElementById('pause').ariaPressed === 'false'")
    assert not still(), "resumed"
    b.js("Object.defineProperty(document, 'hidden', {configurable: true, get: () => true})")
    assert still(), "hidden"
    b.js("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    assert not still(), "seen again"


def real(b):
    """Of a sidecar that three have called: client four times, once where it may not; a stranger; client2, who stays."""
    b.look()
    equal(b.text("#identity"), "spiffe://cluster.local/ns/shop/sa/server")
    equal(b.text("#state"), "ready")
    equal(b.js("return getComputedStyle(document.querySelector('.facts')).display"), "grid")
    b.wait("return document.querySelector('#sessions .open')?.textContent === '/ns/shop/sa/client2'")
    equal([r[:2] for r in b.rows("certs")], [["/ns/shop/sa/server", "own"], ["CN=Test CA", "CA"]])
    equal([[r[0], r[2], r[4]] for r in b.rows("rules")], [["no-admin", "block", "1"], ["plenty", "1,000 per 1 min", "0"]])
    b.click("summary")
    b.wait("return document.getElementById('config-text').textContent.includes('[rule no-admin]')")
    equal(b.text("#quarantine .empty"), "Nobody is in quarantine.")
    # Whom it refused, and why.
    trap = [r for r in b.rows("events") if r[2].startswith("CN=\\<img")]
    assert trap and trap[0][1] == "refused" and "is not in the CA bundle" in trap[0][0], b.rows("events")
    assert any(r[0].endswith(" /admin: rule no-admin") and r[1:3] == ["blocked", "/ns/shop/sa/client"] for r in b.rows("events")), b.rows("events")
    assert any(r[1] == "reload" for r in b.rows("changes")), b.rows("changes")
    # Who called, and how often.
    equal({r[0]: r for r in b.rows("peers")}["/ns/shop/sa/client"][3], "4")
    equal(b.js("return [window.hurt ?? null, document.images.length]"), [None, 0])
    equal(b.complaints(), [])
    b.picture(f"{b.folder}/../page-real.png")


# WCAG 2: of the colours of text on what they stand on.
CONTRAST = """
const style = getComputedStyle(document.documentElement), get = n => {
    const c = document.createElement('canvas').getContext('2d');
    c.fillStyle = style.getPropertyValue('--' + n).trim();
    return [1, 3, 5].map(i => parseInt(c.fillStyle.slice(i, i + 2), 16) / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
};
const light = n => get(n).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0) + .05;
const out = [];
for (const on of ['bg', 'surface', 'sunk']) for (const ink of ['ink', 'soft', 'good', 'warn', 'bad', 'a', 'b', 'c']) {
    const r = [light(on), light(ink)].sort((x, y) => y - x), ratio = r[0] / r[1];
    if (ratio < 4.5) out.push(ink + ' on ' + on + ': ' + ratio.toFixed(2));
}
return out;
"""
NAMED = {"button", "textbox", "searchbox", "img", "image", "table", "region", "columnheader", "heading", "link", "combobox", "disclosureTriangle"}


def looks(b):
    """Light and dark, desk and phone; names for who cannot see it; nothing jumps."""
    b.cdp("Page.addScriptToEvaluateOnNewDocument", source="window.shifts = []; new PerformanceObserver(l => l.getEntries().forEach(e => shifts.push([e.value, "
          "e.sources.map(s => s.node && (s.node.id || s.node.className || s.node.nodeName)).join()]))).observe({type: 'layout-shift', buffered: true})")
    # A small text for the line at the top must not move what is below: nor may what comes in.
    for width, height, phone in ((1440, 1000, False), (820, 1100, False), (390, 844, True), (320, 640, True)):
        b.size(width, height, phone)
        b.look()
        b.wait("return past.length >= 2")
        equal(b.js("return document.documentElement.scrollWidth"), width, "scrolls sideways")
        shifted = b.js("return [shifts.reduce((n, s) => n + s[0], 0), shifts]")
        assert shifted[0] < .02, shifted
        wide = b.js("return [...document.querySelectorAll('section, .body, .facts, header *')].filter(e => e.getBoundingClientRect().right > innerWidth + .5).map(e => e.id || e.className)")
        equal(wide, [], "beyond the edge")
        cut = b.js("return [...document.querySelectorAll('#facts dt, .chart h2, .legend')].filter(e => e.offsetParent && e.scrollWidth > e.clientWidth).map(e => e.textContent)")
        if width > 320:
            equal(cut, [], f"cut off at {width}")
        b.picture(f"{b.folder}/../page-{width}.png")
        # The details, too, where columns are left out.
        b.js("document.querySelector('#peers .open').click()")
        equal(b.js("return document.documentElement.scrollWidth"), width, "scrolls sideways, opened")
        assert b.js("const d = document.querySelector('#peers .detail td').getBoundingClientRect(), t = document.querySelector('#peers table').getBoundingClientRect(); return Math.abs(d.width - t.width) < 2")
    b.size(1440, 1000)
    for scheme, dark in (("light", False), ("dark", True)):
        b.scheme(scheme)
        bright = b.js("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((n, v) => n + +v, 0) / 3")
        assert (bright < 60) == dark, (scheme, bright)
        equal(b.js(CONTRAST), [], scheme)
        b.picture(f"{b.folder}/../page-{scheme}.png")
    b.wait("return past.length >= 3")
    nodes = [n for n in b.cdp("Accessibility.getFullAXTree")["nodes"] if not n.get("ignored") and n["role"]["value"] in NAMED]
    nameless = [n["role"]["value"] for n in nodes if not n.get("name", {}).get("value", "").strip()]
    equal(nameless, [], "without a name")
    names = {(n["role"]["value"], n["name"]["value"]) for n in nodes}
    for want in (("searchbox", "Filter peers"), ("table", "Peers"), ("region", "Who talks to us"), ("button", "Pause"), ("columnheader", "Requests")):
        assert any(n[0] == want[0] and want[1] in n[1] for n in names), (want, sorted(names)[:60])
    assert any("Requests per s, last minutes. Now: ok" in n[1] for n in names), [n for n in names if n[0] in ("img", "image")]
    # Every stop of the keyboard is to be seen.
    b.js("document.body.focus()")
    for _ in range(12):
        b.keys("\ue004")
        assert b.js("const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2"), b.js("return document.activeElement.outerHTML.slice(0, 200)")
    equal(b.complaints(), [])


def main():
    case, url, folder = sys.argv[1:]
    with Page(url, folder) as b:
        try:
            globals()[case](b)
        except BaseException:
            b.picture(os.path.join(folder, "failed.png"))
            print("complaints:", b.complaints())
            raise


if __name__ == "__main__":
    main()
