# SPDX-License-Identifier: GPL-3.0-or-later
# The little Markdown of config/reference.md as roff: headings, lists, tables of keys, `code`.
function text(s,    out, parts, n, i) {
    gsub(/\\\|/, "|", s)
    gsub(/\\/, "\\e", s)
    gsub(/-/, "\\-", s)
    n = split(s, parts, "`")
    out = parts[1]
    for (i = 2; i <= n; i++)
        out = out (i % 2 ? "\\fR" : "\\fB") parts[i]
    if (n % 2 == 0)
        out = out "\\fR"
    return out
}
function paragraph(s) { return s ~ /^[.']/ ? "\\&" s : s }
/^# / || /^<!--/ || /^\|---/ { next }
/^## / { print ".SH \"" text(substr($0, 4)) "\""; next }
/^### / { print ".SS \"" text(substr($0, 5)) "\""; next }
/^\| (key|type) \|/ { next }
/^\| / {
    line = $0
    gsub(/\\\|/, "\001", line)
    n = split(line, cell, / *\| */)
    for (i in cell)
        gsub(/\001/, "|", cell[i])
    print ".TP"
    print paragraph(text(cell[2]))
    if (n > 4) {
        print paragraph(text(cell[5]))
        print ".br"
        print paragraph("(" text(cell[3]) (cell[4] == "" ? "" : cell[4] == "must be given" ? "; must be given" : "; default " text(cell[4])) ")")
    } else {
        print paragraph(text(cell[3]))
    }
    next
}
/^- / { print ".IP \\(bu 2"; print paragraph(text(substr($0, 3))); next }
/^$/ { if (last != "" && last !~ /^\|/ && last !~ /^#/) print ".PP"; last = ""; next }
{ print paragraph(text($0)) }
{ last = $0 }
