# SPDX-License-Identifier: GPL-3.0-or-later
"""
Headless Chromium, driven over the WebDriver protocol (W3C) that chromedriver speaks, with the standard library alone.

  with Browser(folder) as b:
      b.open(url); b.js("return document.title")

It keeps what the console said: b.complaints() are its warnings and errors, violations of the content security policy
among them.
"""
import base64, json, os, shutil, signal, subprocess, time, urllib.request

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions", "--no-proxy-server", "--hide-scrollbars"]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    def __init__(self, folder, patience=1.0):
        self.folder = os.path.join(folder, "chromium")
        self.patience = patience
        os.makedirs(self.folder, exist_ok=True)
        # Port 0: chromedriver takes a free one and says which.
        self.log = open(os.path.join(folder, "chromedriver.log"), "w+", encoding="utf-8")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                       start_new_session=True, env={**os.environ, "HOME": self.folder})
        self.base = "http://127.0.0.1:%d" % self._port()
        caps = {"browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": FLAGS + ["--user-data-dir=" + self.folder + "/profile"]}}
        self.session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": caps}})["sessionId"]

    def _port(self):
        end = time.monotonic() + 20 * self.patience
        while time.monotonic() < end:
            self.log.seek(0)
            for line in self.log:
                if "started successfully on port" in line:
                    return int(line.rsplit(" ", 1)[1].strip().rstrip("."))
            time.sleep(.05)
        raise RuntimeError("chromedriver does not start")

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60 * self.patience) as r:
                return json.load(r)["value"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(json.load(e)["value"]["message"].split("\n")[0]) from None

    def call(self, method, path, body=None):
        return self._call(method, "/session/" + self.session + path, body)

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def js(self, script, *args):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def cdp(self, cmd, **params):
        return self.call("POST", "/goog/cdp/execute", {"cmd": cmd, "params": params})

    def size(self, width, height, phone=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone)

    def scheme(self, name):
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def find(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.call("POST", "/element/" + self.find(css) + "/click", {})

    def type(self, css, text):
        self.call("POST", "/element/" + self.find(css) + "/value", {"text": text})

    def keys(self, *keys):
        actions = [{"type": t, "value": k} for k in keys for t in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def label(self, css):
        return self.call("GET", "/element/" + self.find(css) + "/computedlabel")

    def picture(self, path, whole=False):
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as f:
            f.write(base64.b64decode(shot["data"]))

    def complaints(self):
        return [e["message"] for e in self.call("POST", "/se/log", {"type": "browser"}) if e["level"] in ("SEVERE", "WARNING")]

    def wait(self, script, seconds=10, *args):
        """Until SCRIPT returns something true; that."""
        end = time.monotonic() + seconds * self.patience
        while True:
            value = self.js(script, *args)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError("waited in vain for: " + script)
            time.sleep(.05)

    def close(self):
        try:
            self.call("DELETE", "")
        except (OSError, RuntimeError):
            pass
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.driver.pid, sig)
                self.driver.wait(5)
                break
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
