/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mistakes and the words they are told in; included by test_config.c, which explains the form. */
#define EMPTY ""

static const struct mistake lines[] = {
    {"key before section", "a = 1\n",
     "0:0+1 there is neither an [inbound NAME] nor an [outbound NAME]\n"
     "1:1+1 the key stands before the first [section]\n"},
    {"unknown section", BASE "[inbuond web2]\nlisten = [::]:9\n",
     "7:2+7 there is no section [inbuond] -> inbound\n"},
    {"unknown section, nothing near", BASE "[zzz]\n", "7:2+3 there is no section [zzz]\n"},
    {"section not closed", BASE "[sidecar\nworkers = 1\n",
     "7:9+1 the section's name is not closed by \"]\"\n"},
    {"section without a name", BASE "[]\n[  ]\n",
     "7:2+1 the section has no name\n"
     "8:4+1 the section has no name\n"},
    {"text behind a section", BASE "[sidecar] x\n",
     "7:11+1 nothing may follow a section's name on its line\n"},
    {"comment behind a section", BASE "[sidecar] ; x\n",
     "7:11+3 nothing may follow a section's name on its line: a comment stands on a line of its own\n"},
    {"blanks within a section", BASE "[ sidecar ]\nworkers = 1\n[rule\t a ]\nexpression = ssl\n", NULL},
    {"section indented", BASE "  [sidecar]\nworkers = 1\n", "7:3+9 a section starts at the first column\n"},
    {"no separator", BASE "[sidecar]\nworkers\n", "8:1+7 expected \"key = value\" or \"[section]\"\n"},
    {"colon for a separator", BASE "[sidecar]\nworkers: 1\n",
     "8:8+1 a key is followed by \"=\", not by \":\" -> =\n"},
    {"colon in a key", BASE "[sidecar]\nwork:ers = 1\n",
     "8:5+1 a key is followed by \"=\", not by \":\" -> =\n"},
    {"no key", BASE "[sidecar]\n= 1\n", "8:1+1 there is no key before the \"=\"\n"},
    {"semicolon in a key", BASE "[sidecar]\nworkers ;x = 1\n", "8:1+10 a key holds no \";\"\n"},
    {"unknown key", BASE "lisen = 0.0.0.0:3\n", "7:1+5 there is no key lisen in [inbound web] -> listen\n"},
    {"unknown key, swapped letters", BASE "[sidecar]\nwokrers = 1\n",
     "8:1+7 there is no key wokrers in [sidecar] -> workers\n"},
    {"unknown key, upper case", BASE "[sidecar]\nWorkers = 1\n",
     "8:1+7 there is no key Workers in [sidecar] -> workers\n"},
    {"unknown key, all upper case", BASE "[sidecar]\nWORKERS = 1\n",
     "8:1+7 there is no key WORKERS in [sidecar] -> workers\n"},
    {"unknown key of another section", BASE "[sidecar]\nmin_version = 1.3\n",
     "8:1+11 there is no key min_version in [sidecar]; it belongs in [tls]\n"},
    {"unknown key, nothing near", BASE "[sidecar]\nzzz = 1\n", "8:1+3 there is no key zzz in [sidecar]\n"},
    {"key twice", BASE "[sidecar]\nworkers = 1\nworkers = 2\n",
     "9:1+7 workers stands twice in [sidecar]; the first is on line 8\n"},
    {"section twice", BASE "[sidecar]\nworkers = 1\n[sidecar]\nlog_level = info\n",
     "9:1+9 [sidecar] stands twice; the first is on line 7\n"},
    {"named section twice", BASE "[list a]\nvalues = x\n[list b]\nvalues = x\n[list a]\nvalues = x\n",
     "11:1+8 [list a] stands twice; the first is on line 7\n"},
    {"same name, other kind", BASE "[list a]\nvalues = x\n[rule a]\nexpression = ssl\n", NULL},
    {"name missing", BASE "[rule]\nexpression = ssl\n",
     "7:1+6 [rule] needs a name of its own: [rule NAME]\n"},
    {"name too many", BASE "[sidecar main]\nworkers = 1\n",
     "7:10+4 [sidecar] stands only once and takes no name\n"},
    {"name with a slash", BASE "[rule a/b]\nexpression = ssl\n",
     "7:8+1 the name of a [rule] holds only letters, digits, \"_\", \".\" and \"-\"\n"},
    {"name of a list",
     BASE
     "[list Revoked]\nvalues = x\n[list .a]\nvalues = x\n[list a.]\nvalues = x\n[list a.b]\nvalues = x\n",
     "7:7+1 the name of a [list] holds only a-z, 0-9, \"_\" and, within, \".\"\n"
     "9:7+1 the name of a [list] holds only a-z, 0-9, \"_\" and, within, \".\"\n"
     "11:8+1 the name of a [list] holds only a-z, 0-9, \"_\" and, within, \".\"\n"},
    {"empty value", BASE "[sidecar]\nworkers =\n", "8:1+7 workers has no value\n"},
    {"value continued that stands on one line", BASE "[sidecar]\nworkers = 1\n  2\n",
     "9:3+1 the value of workers stands on one line; keys start at the first column\n"},
    {"indented key at the end of the file", BASE "[sidecar]\n workers=",
     "8:2+8 keys start at the first column: an indented line continues the value above it\n"
     "8:2+7 workers has no value\n"},
    {"indented line without a key", BASE "[sidecar]\n  workers = 1\n  log_level = info\n",
     "8:3+11 keys start at the first column: an indented line continues the value above it\n"},
    {"key indented behind another", BASE "[sidecar]\nworkers = 1\n  log_level = inf\nlog_format = text\n",
     "9:3+15 keys start at the first column: an indented line continues the value above it\n"
     "9:15+3 log_level is error, warn, info or debug, not \"inf\" -> info\n"},
    {"key indented behind an expression", BASE "[rule a]\nexpression = ssl\n  action = blok\n",
     "9:3+13 keys start at the first column: an indented line continues the value above it\n"
     "9:12+4 action is block, allow, log or skip, not \"blok\" -> block\n"},
    {"comparison behind an expression is no key", BASE "[rule a]\nexpression = ip.src\n  == 10.0.0.1\n",
     NULL},
    {"comments and empty lines", BASE "# a\n; b\n\n  # c\n\t\n[sidecar]\n# d\nworkers = 1\n", NULL},
    {"comment behind a value", BASE "[tls2]\n[sidecar]\nworkers = 1 # two\n",
     "7:2+4 there is no section [tls2] -> tls\n"
     "9:13+5 a comment stands on a line of its own\n"},
    {"lines continue a lost key silently",
     BASE "[rule a]\nexpresion = ssl\n  and ssl\naction: block\n  ssl\nexpression = ssl\n",
     "8:1+9 there is no key expresion in [rule a] -> expression\n"
     "10:7+1 a key is followed by \"=\", not by \":\" -> =\n"},
    {"CR LF", BASE "[sidecar]\r\nworkers = 1\r\nlog_level = loud\r\n",
     "9:13+4 log_level is error, warn, info or debug, not \"loud\"\n"},
    {"no newline at the end", BASE "[sidecar]\nlog_level = loud",
     "8:13+4 log_level is error, warn, info or debug, not \"loud\"\n"},
    {"byte order mark", BOM BASE "[sidecar]\nlog_level = loud\n",
     "8:13+4 log_level is error, warn, info or debug, not \"loud\"\n"},
    {"CR within a line", BASE "[sidecar]\nworkers\r = 1\n", "8:8+1 the line holds a control character\n"},
    {"control character", BASE "[sidecar]\nworkers = \033[1m1\n",
     "8:11+1 the line holds a control character\n"},
    {"not UTF-8", BASE "[rule a]\nexpression = http.host eq \"\377\"\n[sidecar]\nlog_level = \303\n",
     "8:28+1 the line holds a byte that is not UTF-8\n"
     "10:13+1 the line holds a byte that is not UTF-8\n"},
    {"other white space", BASE "[sidecar]\nworkers\013 = 1\n", "8:8+1 the line holds a control character\n"},
};

static const struct mistake values[] = {
    {"number: word", BASE "[sidecar]\nworkers = many\n",
     "8:11+4 workers is auto or a whole number, not \"many\"\n"},
    {"number: near the word", BASE "[sidecar]\nworkers = atuo\n",
     "8:11+4 workers is auto or a whole number, not \"atuo\" -> auto\n"},
    {"number: sign", BASE "[sidecar]\nworkers = -1\n",
     "8:11+2 workers is auto or a whole number, not \"-1\"\n"},
    {"number: too large", BASE "[sidecar]\nworkers = 257\n",
     "8:11+3 workers is auto or 1 to 256, not \"257\"\n"},
    {"number: far too large", BASE "[sidecar]\nmax_handshakes = 99999999999999999999999\n",
     "8:18+23 max_handshakes is 1 to 1000000, not \"99999999999999999999999\"\n"},
    {"number: too small", BASE "[sidecar]\nmax_handshakes = 0\n",
     "8:18+1 max_handshakes is 1 to 1000000, not \"0\"\n"},
    {"number: unit", BASE "[sidecar]\nmax_handshakes = 5k\n",
     "8:18+2 max_handshakes is a whole number, not \"5k\"\n"},
    {"number: hexadecimal", BASE "[sidecar]\nmax_handshakes = 0x10\n",
     "8:18+4 max_handshakes is a whole number, not \"0x10\"\n"},
    {"duration: no unit", BASE "[sidecar]\nstart_timeout = 30\n",
     "8:17+2 start_timeout is off or a duration such as 250ms, 30s, 10m, 1h or 1d, not \"30\" -> 30s\n"},
    {"duration: unknown unit", BASE "[sidecar]\nstart_timeout = 30 sec\n",
     "8:17+6 start_timeout is off or a duration such as 250ms, 30s, 10m, 1h or 1d, not \"30 sec\"\n"},
    {"duration: fraction", BASE "[sidecar]\nstart_timeout = 1.5s\n",
     "8:17+4 start_timeout is off or a duration such as 250ms, 30s, 10m, 1h or 1d, not \"1.5s\"\n"},
    {"duration: too long", BASE "idle_timeout = 31d\n",
     "7:16+3 idle_timeout is off or 1ms to 30d, not \"31d\"\n"},
    {"duration: overflow", BASE "idle_timeout = 18446744073709551615d\n",
     "7:16+21 idle_timeout is off or 1ms to 30d, not \"18446744073709551615d\"\n"},
    {"duration: overflow to a short one", BASE "idle_timeout = 213503982335d\n",
     "7:16+13 idle_timeout is off or 1ms to 30d, not \"213503982335d\"\n"},
    {"number: overflow to a small one", BASE "[sidecar]\nworkers = 36893488147419103240\n",
     "8:11+20 workers is auto or 1 to 256, not \"36893488147419103240\"\n"},
    {"duration: 0 where it cannot be off", BASE "connect_timeout = 0\n",
     "7:19+1 connect_timeout is 1ms to 1h, not \"0\"\n"},
    {"duration: off where it cannot be", BASE "connect_timeout = off\n",
     "7:19+3 connect_timeout is a duration such as 250ms, 30s, 10m, 1h or 1d, not \"off\"\n"},
    {"size: no unit", BASE "[rules]\nexpression_max = 4096\n",
     "8:18+4 expression_max is a size such as 512B, 64KiB, 1MiB or 1GiB, not \"4096\" -> 4096B\n"},
    {"size: K", BASE "[rules]\nexpression_max = 4K\n",
     "8:18+2 expression_max is a size such as 512B, 64KiB, 1MiB or 1GiB, not \"4K\" -> 4KiB\n"},
    {"size: MB", BASE "[rules]\nexpression_max = 4MB\n",
     "8:18+3 expression_max is a size such as 512B, 64KiB, 1MiB or 1GiB, not \"4MB\" -> 4MiB\n"},
    {"size: too large", BASE "[rules]\nexpression_max = 1MiB\n",
     "8:18+4 expression_max is 64B to 64KiB, not \"1MiB\"\n"},
    {"size: nonsense", BASE "[rules]\nexpression_max = large\n",
     "8:18+5 expression_max is a size such as 512B, 64KiB, 1MiB or 1GiB, not \"large\"\n"},
    {"bool", BASE "[sidecar]\nlog_sessions = flase\n",
     "8:16+5 log_sessions is true or false, not \"flase\" -> false\n"},
    {"bool: 1", BASE "[sidecar]\nlog_sessions = 1\n", "8:16+1 log_sessions is true or false, not \"1\"\n"},
    {"enum", BASE "client_auth = requir\n",
     "7:15+6 client_auth is require, request or none, not \"requir\" -> require\n"},
    {"enum: empty words are none",
     BASE "[quarantine q]\nthreshold = 5\nperiod = 10s\nduration = 1h\naction = allow\n",
     "11:10+5 action is block or log, not \"allow\"\n"},
    {"enum: long value",
     BASE "client_auth = xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
     "7:15+70 client_auth is require, request or none, not "
     "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\"\n"},
    {"flags", BASE "[headers]\nforward = cloudflare, xfc, rfc9440\n",
     "8:23+3 forward is cloudflare, xfcc or rfc9440, not \"xfc\" -> xfcc\n"},
    {"flags: separated by blanks", BASE "[headers]\nforward = cloudflare xfcc\n",
     "8:11+15 the items of forward are separated by commas\n"},
    {"flags: an item on two lines", BASE "[headers]\nforward = cloud\n  flare\n",
     "8:11+5 the items of forward are separated by commas\n"},
    {"list: comma at the end", BASE "alpn = h2,\n", "7:10+1 nothing follows this comma\n"},
    {"list: comma at the beginning", BASE "alpn = , h2\n", "7:8+1 nothing stands before this comma\n"},
    {"list: two commas", BASE "alpn = h2, , http/1.1\n", "7:12+1 nothing stands before this comma\n"},
    {"list: only a comma", BASE "alpn = ,\n",
     "7:8+1 nothing stands before this comma\n"
     "7:8+1 nothing follows this comma\n"},
    {"list: comment", BASE "alpn = h2,\n  http/1.1 # both\n",
     "8:12+6 a comment stands on a line of its own\n"},
    {"address: localhost", BASE "[sidecar]\nhealth = localhost:9902\n",
     "8:10+14 health takes an address such as 0.0.0.0:8443, [::]:8443 or unix:/path, not \"localhost:9902\" "
     "-> 127.0.0.1:9902\n"},
    {"address: only a port", BASE "[sidecar]\nhealth = :9902\n",
     "8:10+5 there is no address before the port -> 0.0.0.0:9902\n"},
    {"address: a port alone", BASE "[sidecar]\nhealth = 9902\n",
     "8:10+4 there is no address before the port -> 0.0.0.0:9902\n"},
    {"address: no port", BASE "[sidecar]\nhealth = 127.0.0.1\n", "8:10+9 \"127.0.0.1\" has no port\n"},
    {"address: port 0", BASE "[sidecar]\nhealth = 127.0.0.1:0\n", "8:20+1 a port is 1 to 65535, not \"0\"\n"},
    {"address: port too large", BASE "[sidecar]\nhealth = 127.0.0.1:65536\n",
     "8:20+5 a port is 1 to 65535, not \"65536\"\n"},
    {"address: port in words", BASE "[sidecar]\nhealth = 127.0.0.1:http\n",
     "8:20+4 a port is 1 to 65535, not \"http\"\n"},
    {"address: IPv6 without brackets", BASE "[sidecar]\nhealth = ::1\n",
     "8:10+3 \"::1\" has no port -> [::1]:8443\n"},
    {"address: IPv6 and port without brackets", BASE "[sidecar]\nhealth = fe80::1%eth0:80\n",
     "8:10+15 an IPv6 address stands in brackets before its port: \"fe80::1%eth0:80\"\n"},
    {"address: IPv6 in brackets without port", BASE "[sidecar]\nhealth = [::1]\n",
     "8:10+5 \"[::1]\" has no port\n"},
    {"address: IPv4 in brackets", BASE "[sidecar]\nhealth = [127.0.0.1]:80\n",
     "8:10+14 health takes an address such as 0.0.0.0:8443, [::]:8443 or unix:/path, not "
     "\"[127.0.0.1]:80\"\n"},
    {"address: a name", BASE "[sidecar]\nhealth = example.com:80\n",
     "8:10+14 health takes an address such as 0.0.0.0:8443, [::]:8443 or unix:/path, not "
     "\"example.com:80\"\n"},
    {"address: four numbers that are none", BASE "[sidecar]\nhealth = 127.0.0.256:80\n",
     "8:10+14 health takes an address such as 0.0.0.0:8443, [::]:8443 or unix:/path, not "
     "\"127.0.0.256:80\"\n"},
    {"address: relative UNIX path", BASE "[sidecar]\nadmin = unix:admin.sock\n",
     "8:9+15 a UNIX socket is written unix:/path, with an absolute path\n"},
    {"address: long UNIX path",
     BASE "[sidecar]\nadmin = "
          "unix:/"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaa\n",
     "8:9+113 the path of a UNIX socket has at most 107 bytes, not 108\n"},
    {"target: scheme", "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = http://127.0.0.1:80\n",
     "5:11+19 no scheme stands before an address: \"http://127.0.0.1:80\" -> 127.0.0.1:80\n"},
    {"target: a port alone", "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = 8080\n",
     "5:11+4 there is no address before the port -> 127.0.0.1:8080\n"},
    {"target: bad name", "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = a b:80\n",
     "5:11+3 \"a b\" is neither a DNS name nor an address: a name holds only letters, digits, \"-\", \"_\" "
     "and \".\"\n"},
    {"target: underscore and dots",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = a_b..c:80\n",
     "5:11+6 \"a_b..c\" is neither a DNS name nor an address: a part of the name is empty\n"},
    {"target: looks like an address",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = 10.0.0.300:80\n",
     "5:11+10 \"10.0.0.300\" is neither a DNS name nor an address: this looks like an address, but is "
     "none\n"},
    {"target: dash", "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = -a.b:80\n",
     "5:11+4 \"-a.b\" is neither a DNS name nor an address: a part of a name neither begins nor ends with "
     "\"-\"\n"},
    {"target: long label",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = "
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80\n",
     "5:11+64 \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" is neither a DNS name nor "
     "an address: a part of a name has at most 63 bytes\n"},
    {"networks: host bits", BASE "proxy_protocol = require\nproxy_from = 10.1.2.3/8, fd00::1/8\n",
     "8:14+10 \"10.1.2.3/8\" has bits set behind its prefix -> 10.0.0.0/8\n"
     "8:26+9 \"fd00::1/8\" has bits set behind its prefix -> fd00::/8\n"},
    {"networks: prefix",
     BASE "proxy_protocol = require\nproxy_from = 10.0.0.0/33, ::/129, 10.0.0.0/, 10.0.0.0/08\n",
     "8:23+2 a prefix has 0 to 32 bits, not \"33\"\n"
     "8:30+3 a prefix has 0 to 128 bits, not \"129\"\n"
     "8:44+1 a prefix has 0 to 32 bits, not \"\"\n"
     "8:55+2 a prefix has 0 to 32 bits, not \"08\"\n"},
    {"networks: a name", BASE "proxy_protocol = require\nproxy_from = example.com\n",
     "8:14+11 \"example.com\" is not an address or a network such as 10.0.0.0/8 or fd00::/8\n"},
    {"host names: an address", BASE "[ca a]\nfile = /a\nhostnames = 10.0.0.1\n",
     "9:13+8 hostnames takes a DNS name, not an address\n"},
    {"host names: dot at the end", BASE "[ca a]\nfile = /a\nhostnames = a.example.\n",
     "9:22+1 hostnames takes a name without a dot at its end -> a.example\n"},
    {"host names: star alone", BASE "[ca a]\nfile = /a\nhostnames = *\n",
     "9:13+1 \"*\" is not a DNS name or *.suffix: a name holds only letters, digits, \"-\", \"_\" and "
     "\".\"\n"},
    {"host names: star within", BASE "[ca a]\nfile = /a\nhostnames = a.*.example, x*.example\n",
     "9:15+1 \"a.*.example\" is not a DNS name or *.suffix: a name holds only letters, digits, \"-\", \"_\" "
     "and \".\"\n"
     "9:27+1 \"x*.example\" is not a DNS name or *.suffix: a name holds only letters, digits, \"-\", \"_\" "
     "and \".\"\n"},
    {"host name: wildcard", BASE "[outbound o]\nlisten = unix:/o\nconnect = a.b:1\nserver_name = *.b\n",
     "10:15+3 \"*.b\" is not a DNS name: a name holds only letters, digits, \"-\", \"_\" and \".\"\n"},
    {"quotes", BASE "[sidecar]\nlog_level = \"info\"\n",
     "8:13+6 values are written without quotes -> info\n"},
    {"quotes in text are text", BASE "[rule a]\nexpression = ssl\nbody = \"no # entry\"\n", NULL},
    {"path too long",
     BASE
     "[ca a]\nfile = "
     "/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/"
     "x/x/x/x/x/x/x/x\nhostnames = a\n",
     "8:8+4096 a path has at most 4095 bytes\n"},
    {"header: no name", BASE "[headers]\nrequest. = ip.src\n", "8:9+1 the header's name is missing\n"},
    {"header: bad name", BASE "[headers]\nrequest.A(B = ip.src\n",
     "8:10+1 a header's name does not hold this\n"},
    {"header: twice", BASE "[headers]\nrequest.A-b = ip.src\nrequest.a-B = ip.src\nresponse.a-b = ip.src\n",
     "9:1+11 request.a-B stands twice; the first is on line 8\n"},
    {"header: empty", BASE "[headers]\nrequest.A =\n", "8:1+9 request.A has no value\n"},
};

static const struct mistake environment[] = {
    {"not set", BASE "[sidecar]\nhealth = ${OUTRIDER_NOT_SET}:9902\n",
     "8:10+19 ${OUTRIDER_NOT_SET} is not set in the environment\n"},
    {"lower case", BASE "[sidecar]\nhealth = ${outrider_ip}:9902\n",
     "8:10+14 only a name in upper case, such as ${POD_IP}, stands within ${ }\n"},
    {"empty name", BASE "[sidecar]\nhealth = ${}:9902\n",
     "8:10+3 only a name in upper case, such as ${POD_IP}, stands within ${ }\n"},
    {"not closed", BASE "[sidecar]\nhealth = ${OUTRIDER_IP:9902\n", "8:10+2 \"${\" without \"}\"\n"},
    {"set to nonsense", BASE "[sidecar]\nhealth = 127.0.0.1:${OUTRIDER_WORD}\n",
     "8:20+16 a port is 1 to 65535, not \"abc\"\n"},
    {"set to nothing", BASE "[sidecar]\nlog_level = ${OUTRIDER_EMPTY}\n", "8:13+17 log_level has no value\n"},
    {"control character", BASE "[sidecar]\nlog_level = ${OUTRIDER_CONTROL}\n",
     "8:13+19 ${OUTRIDER_CONTROL} holds a control character\n"},
    {"second of a list", BASE "alpn = h2, ${OUTRIDER_NOT_SET}, ${OUTRIDER_WORD}, ${OUTRIDER_GONE}\n",
     "7:12+19 ${OUTRIDER_NOT_SET} is not set in the environment\n"
     "7:51+16 ${OUTRIDER_GONE} is not set in the environment\n"},
    {"behind an expansion", BASE "proxy_protocol = require\nproxy_from = ${OUTRIDER_IP}, bah\n",
     "8:30+3 \"bah\" is not an address or a network such as 10.0.0.0/8 or fd00::/8\n"},
    {"never in expressions",
     BASE "[rule a]\nexpression = http.host eq \"${OUTRIDER_NOT_SET}\"\n[headers]\nrequest.A = "
          "concat(\"${x\", ip.src)\n",
     NULL},
};

static const struct mistake combinations[] = {
    {"nothing at all", EMPTY, "0:0+1 there is neither an [inbound NAME] nor an [outbound NAME]\n"},
    {"neither inbound nor outbound", "[tls]\ndirectory = /t\n",
     "0:0+1 there is neither an [inbound NAME] nor an [outbound NAME]\n"},
    {"required keys",
     "[tls]\ndirectory = /t\n[inbound a]\n[outbound b]\n[ca c]\n[rule d]\n[ratelimit e]\n[quarantine f]\n"
     "[expression g]\n[sequence h]\n",
     "3:1+11 [inbound a] has no key listen, which it needs\n"
     "3:1+11 [inbound a] has no key forward, which it needs\n"
     "3:1+11 [ratelimit e] (line 7) cannot hold for what is not HTTP: write protocol = http, or tcp_fallback "
     "= allow to let it pass\n"
     "4:1+12 an outbound needs the keys listen and connect, or destinations\n"
     "5:1+6 [ca c] has no key file, which it needs\n"
     "5:1+6 [ca c] has no key hostnames, which it needs\n"
     "6:1+8 [rule d] has no key expression, which it needs\n"
     "7:1+13 [ratelimit e] has no key expression, which it needs\n"
     "7:1+13 [ratelimit e] has no key characteristics, which it needs\n"
     "7:1+13 [ratelimit e] has no key requests, which it needs\n"
     "7:1+13 [ratelimit e] has no key period, which it needs\n"
     "8:1+14 [quarantine f] has no key threshold, which it needs\n"
     "8:1+14 [quarantine f] has no key period, which it needs\n"
     "8:1+14 [quarantine f] has no key duration, which it needs\n"
     "9:1+14 [expression g] has no key expression, which it needs\n"
     "10:1+12 [sequence h] has no key sequence, which it needs\n"},
    {"no credentials", "[inbound a]\nlisten = [::]:1\nforward = a:1\n",
     "0:0+1 [tls] names no credentials: it needs the key directory, or certificate, key and ca\n"},
    {"certificate without key",
     "[tls]\ncertificate = /c\nca = /ca\n[inbound a]\nlisten = [::]:1\nforward = a:1\n",
     "2:15+2 certificate needs the key \"key\" beside it\n"},
    {"files without a key",
     "[tls]\ndirectory = /t\nlayout = files\ncertificate = c\nca = ca\n[inbound a]\nlisten = [::]:1\nforward "
     "= a:1\n",
     "3:10+5 layout = files needs the keys certificate and key\n"},
    {"certificate in one file",
     "[tls]\ncertificate = /c\nlayout = bundle\nca = /ca\n[inbound a]\nlisten = [::]:1\nforward = a:1\n",
     NULL},
    {"no CA", "[tls]\ncertificate = /c\nkey = /k\n[inbound a]\nlisten = [::]:1\nforward = a:1\n",
     "1:1+5 [tls] names no ca, so that no peer could be verified\n"},
    {"no CA is needed",
     "[tls]\ncertificate = /c\nkey = /k\nclient_auth = none\n[inbound a]\nlisten = [::]:1\nforward = "
     "a:1\n[rules]\ndefault = allow\n",
     NULL},
    {"admin to the world", BASE "[sidecar]\nadmin = 0.0.0.0:9901\n",
     "8:9+12 admin listens only on a loopback address or a UNIX socket\n"},
    {"one of several admins to the world",
     BASE "[sidecar]\nadmin = 127.0.0.1:9901, unix:/a,\n  10.0.0.1:9901\n",
     "9:3+13 admin listens only on a loopback address or a UNIX socket\n"},
    {"admin on an abstract socket", BASE "[sidecar]\nadmin = unix:@a\n",
     "8:9+7 a UNIX socket is written unix:/path, with an absolute path\n"},
    {"two admins on one address", BASE "[sidecar]\nadmin = unix:/a, unix:/a\n",
     "8:9+16 unix:/a is listened on already: admin of [sidecar], line 8\n"},
    {"admin on loopback", BASE "[sidecar]\nadmin = [::1]:9901\n", NULL},
    {"admin on a UNIX socket", BASE "[sidecar]\nadmin = unix:/run/admin\n", NULL},
    {"drain_delay too long", BASE "[sidecar]\ndrain_delay = 25s\n",
     "8:15+3 drain_delay (25000 ms) must be shorter than drain_timeout (25000 ms), of which it is a part\n"},
    {"drain_timeout too short", BASE "[sidecar]\ndrain_timeout = 3s\n",
     "8:17+2 drain_delay (3000 ms) must be shorter than drain_timeout (3000 ms), of which it is a part\n"},
    {"no drain at all", BASE "[sidecar]\ndrain_timeout = 0\ndrain_delay = 0\n", NULL},
    {"two inbounds on one address", BASE "[inbound b]\nlisten = 0.0.0.0:1\nforward = a:1\nprotocol = http\n",
     "8:10+9 0.0.0.0:1 is listened on already: listen of [inbound web], line 4\n"},
    {"health on an inbound's address", BASE "[sidecar]\nhealth = 0.0.0.0:1\n",
     "4:10+9 0.0.0.0:1 is listened on already: health of [sidecar], line 8\n"},
    {"two on one UNIX socket",
     BASE "[outbound a]\nlisten = unix:/s\nconnect = a:1\n[outbound b]\nlisten = unix:/s\nconnect = a:1\n",
     "11:10+7 unix:/s is listened on already: listen of [outbound a], line 8\n"},
    {"same port, other address", BASE "[inbound b]\nlisten = 127.0.0.2:1\nforward = a:1\nprotocol = http\n",
     NULL},
    {"forward to itself", "[tls]\ndirectory = /t\n[inbound a]\nlisten = 0.0.0.0:80\nforward = 127.0.0.1:80\n",
     "5:11+12 forward leads back to this inbound's own listener\n"},
    {"forward to itself, IPv6", "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:80\nforward = [::1]:80\n",
     "5:11+8 forward leads back to this inbound's own listener\n"},
    {"forward to itself, UNIX", "[tls]\ndirectory = /t\n[inbound a]\nlisten = unix:/a\nforward = unix:/a\n",
     "5:11+7 forward leads back to this inbound's own listener\n"},
    {"anybody could answer", BASE "[outbound o]\nlisten = 127.0.0.1:9\nconnect = 10.0.0.1:443\n",
     "9:11+12 with neither server_name nor allow_san, anybody whom the CA knows could answer for "
     "10.0.0.1:443\n"},
    {"anybody could answer, UNIX", BASE "[outbound o]\nlisten = 127.0.0.1:9\nconnect = unix:/x\n",
     "9:11+7 with neither server_name nor allow_san, anybody whom the CA knows could answer for unix:/x\n"},
    {"an address with allow_san",
     BASE "[outbound o]\nlisten = 127.0.0.1:9\nconnect = [::1]:443\nallow_san = a\n", NULL},
    {"an address with server_name",
     BASE "[outbound o]\nlisten = 127.0.0.1:9\nconnect = 10.0.0.1:443\nserver_name = A.b\n", NULL},
    {"outbound to the world", BASE "[outbound o]\nlisten = 0.0.0.0:9\nconnect = a.b:443\n",
     "8:10+9 warning: whoever reaches 0.0.0.0:9 calls with this sidecar's identity: a loopback address or a "
     "UNIX socket is safer\n"},
    {"CA for an unknown inbound", BASE "[ca a]\nfile = /a\nhostnames = a\ninbounds = wbe, zzz\n",
     "10:12+3 there is no [inbound wbe] -> web\n"
     "10:17+3 there is no [inbound zzz]\n"},
    {"CAs with one host name",
     BASE "[ca a]\nfile = /a\nhostnames = a.example, b.example, A.example\n[ca b]\nfile = /b\nhostnames = "
          "c.example, b.example\n",
     "9:35+9 a.example chooses [ca a] already, line 9\n"
     "12:24+9 b.example chooses [ca a] already, line 9\n"},
    {"CAs with one host name for different inbounds",
     BASE "[inbound b]\nlisten = [::]:2\nforward = a:1\n[ca a]\nfile = /a\nhostnames = a.example\ninbounds = "
          "web\n[ca b]\nfile = /b\nhostnames = a.example\ninbounds = b\n",
     NULL},
    {"PROXY header from anybody", BASE "proxy_protocol = require\n",
     "7:18+7 proxy_protocol = require needs proxy_from: the networks whose header is believed\n"},
    {"proxy_from in vain", BASE "proxy_from = 10.0.0.0/8\n",
     "7:14+10 warning: proxy_from has no effect without proxy_protocol = require\n"},
    {"allow_san without certificates", BASE "client_auth = none\nallow_san = a\n[rules]\ndefault = allow\n",
     "8:13+1 allow_san cannot hold with client_auth = none: no caller shows a certificate\n"},
    {"allow_san without certificates, by [tls]",
     "[tls]\ndirectory = /t\nclient_auth = none\n[inbound a]\nlisten = [::]:1\nforward = a:1\nallow_san = "
     "a\n[rules]\ndefault = deny\n",
     "7:13+1 allow_san cannot hold with client_auth = none: no caller shows a certificate\n"},
    {"nobody gets in", BASE "client_auth = none\n",
     "7:15+4 warning: nobody gets in: with client_auth = none no caller is verified, and [rules] default = "
     "auto lets only verified callers pass where no rule allows them\n"},
    {"somebody gets in by a rule", BASE "client_auth = none\n[rule a]\nexpression = ssl\naction = allow\n",
     NULL},
    {"rule for an unknown inbound", BASE "[rule a]\nexpression = ssl\ninbound = weeb\n",
     "9:11+4 there is no [inbound weeb] -> web\n"},
    {"headers where anything may come",
     "[tls]\ndirectory = /t\n[inbound a]\nlisten = [::]:1\nforward = a:1\nprotocol = "
     "auto\n[headers]\nforward = xfcc\n[ratelimit r]\nexpression = ssl\ncharacteristics = ip.src\nrequests = "
     "1\nperiod = 1s\n",
     "6:12+4 [ratelimit r] (line 9) cannot hold for what is not HTTP: write protocol = http, or tcp_fallback "
     "= allow to let it pass\n"},
    {"rate limit at a tcp inbound",
     BASE "[inbound b]\nlisten = [::]:1\nforward = a:1\nprotocol = tcp\n[ratelimit r]\nexpression = "
          "ssl\ncharacteristics = ip.src\nrequests = 1\nperiod = 1s\ninbound = b\n",
     "11:1+13 warning: [ratelimit r] has no effect on [inbound b]: its protocol is tcp\n"},
    {"list of nothing", BASE "[list l]\nkind = ip\n", "7:1+8 [list l] has neither values nor a file\n"},
    {"XFCC from anybody", BASE "[headers]\nforward = xfcc\nxfcc_mode = append_forward\n",
     "9:13+14 this xfcc_mode keeps what callers say of themselves: it needs trusted_proxy_san\n"},
    {"XFCC details in vain", BASE "[headers]\nforward = cloudflare\nxfcc_details = uri\n",
     "9:16+3 warning: xfcc_details has no effect without xfcc among forward\n"},
    {"headers that frame messages",
     BASE "[headers]\nrequest.Content-Length = ip.src\nresponse.CONNECTION = ip.src\n",
     "8:9+14 the header Content-Length cannot be set\n"
     "9:10+10 the header CONNECTION cannot be set\n"},
};
