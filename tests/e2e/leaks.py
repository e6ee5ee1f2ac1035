"""Every command against a server that echoes the whole request; then every output and file is searched.

usage: leaks.py REBAL [SCENARIO …]

A middlebox stands before `rebal sim`. It answers one path at a time with the request's own head, query and
body in the error text, under right and wrong statuses, in JSON, HTML and plain text; everything else goes
through, so that a pass gets as far as that path. No output, ledger, trades.csv, plan file or cache may hold
the key, the secret, any eight characters in a row of either, a common encoding of them, or a signature.

A new subcommand is one line in `COMMANDS`, in `ACTING` if it sends orders, or in `CLOSING` if it closes.
"""
import base64
import http.client
import http.server
import json
import os
import random
import re
import socketserver
import stat
import string
import sys
import tempfile
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from harness import BASKET, Checks, Home, Sim

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that
ONLY = set(sys.argv[2:])

LETTERS = string.ascii_letters + string.digits
# Characters that URLs, JSON and base64 all spell differently; a key that no header may hold is no key.
KEY = "K+/" + "".join(random.choices(LETTERS, k=60)) + "=="
SECRET = 'S+/"' + "".join(random.choices(LETTERS, k=60)) + "\\=="


def spellings(text):
    raw = text.encode()
    yield "raw", text
    for at in range(len(text) - 7):
        yield f"eight characters from {at} on", text[at:at + 8]
    yield "URL-encoded", urllib.parse.quote(text, safe="")
    yield "as a form field", urllib.parse.quote_plus(text)
    yield "JSON", json.dumps(text)[1:-1]
    yield "base64", base64.b64encode(raw).decode()
    yield "base64 for URLs", base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield "hexadecimal", raw.hex()
    yield "reversed", text[::-1]


WANTED = [(f"the {name}, {how}", found.encode()) for name, text in (("key", KEY), ("secret", SECRET)) for how, found in spellings(text)]
SIGNATURE = re.compile(rb"signature[\"':= %3Dd]{1,8}[0-9a-fA-F]{64}", re.I)
HEX = re.compile(rb"(?<![0-9a-fA-F])[0-9a-f]{64}(?![0-9a-fA-F])")


def leaks(data, where, signatures):
    found = [f"{what} in {where}" for what, spelling in WANTED if spelling in data]
    if SIGNATURE.search(data):
        found.append(f"a signature in {where}")
    found += [f"the value of a signature in {where}" for value in set(HEX.findall(data)) if value in signatures]
    return found


# Single words of an answer that are kept or shown.
WORDS = {"status", "asset", "marginAsset", "commissionAsset", "quoteAsset", "incomeType", "accountAlias", "type", "info", "contractType"}


def with_words(said, word):
    """The exchange's own answer, with that word for every such word in it."""

    def changed(value):
        if isinstance(value, dict):
            return {name: word if name in WORDS and isinstance(inner, str) else changed(inner) for name, inner in value.items()}
        return [changed(inner) for inner in value] if isinstance(value, list) else value

    return json.dumps(changed(json.loads(said))).encode()


class Server(socketserver.ThreadingTCPServer):
    """Takes a whole wave of connections at once, and asks no name server who it is."""

    daemon_threads = True
    request_queue_size = 128


class Echo:
    """Forwards to the simulator; where one path is asked for, it answers with what it was asked."""

    def __init__(self, sim):
        self.path, self.status, self.shape, self.hits, self.signatures = None, 400, "json", 0, set()
        # After this many echoes it only forwards.
        self.most = 1 << 20
        upstream = sim.url.removeprefix("http://")
        echo = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body leave in one piece: half of an answer would wait for its acknowledgement.
            wbufsize = 1 << 20

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = f"{self.requestline}\r\n{self.headers}{body.decode(errors='replace')}"
                echo.signatures.update(value.encode() for value in re.findall(r"signature=([0-9a-f]{64})", asked))
                strikes = self.path.split("?")[0] == echo.path and echo.hits < echo.most
                if strikes:
                    echo.hits += 1
                    if echo.shape != "words":
                        return self.reply(echo.status, *echo.body(asked, self.headers, self.path, body))
                connection = http.client.HTTPConnection(upstream, timeout=30)
                headers = {name: value for name, value in self.headers.items() if name.lower() in ("x-mbx-apikey", "content-type")}
                connection.request(self.command, self.path, body or None, headers)
                got = connection.getresponse()
                said = got.read()
                if strikes:
                    said = with_words(said, (self.headers.get("X-MBX-APIKEY") or "")[:30])
                self.reply(got.status, said, got.headers.get("Content-Type") or "application/json", {})

            do_GET = do_POST = do_DELETE = do_PUT = answer

            def reply(self, status, body, content, more):
                self.send_response(status)
                for name, value in {"Content-Type": content, "Content-Length": str(len(body)), "Connection": "close", **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def body(self, asked, headers, path, body):
        """What comes back: the body, its type, more headers."""
        key = headers.get("X-MBX-APIKEY") or ""
        query = path.partition("?")[2] or body.decode(errors="replace")
        signature = urllib.parse.parse_qs(query).get("signature", [""])[0]
        shapes = {
            "json": {"code": -1102, "msg": asked},
            "json refusal": {"code": -2015, "msg": f"Invalid key {key} for {query}"},
            "json unknown": {"code": -1000, "msg": f"{key}:{signature}"},
            "json decoded": {"code": -1100, "msg": urllib.parse.unquote(asked)},
            "json key in pieces": {"code": -2014, "msg": f"API-key {key[:24]} … {key[24:44]}|{key[44:]} format invalid"},
            "json key cut short": {"code": -1100, "msg": f"Illegal characters found in '{key[:12]}', see '{key[-9:]}'"},
            "json nested": {"code": -1102, "msg": json.dumps({"url": path, "headers": dict(headers.items())})},
            "json fields": {name: asked for name in ("code", "msg", "status", "clientOrderId", "symbol", "serverTime", "asset")},
        }
        more = {"Retry-After": key, "X-Echo": key, "X-MBX-USED-WEIGHT-1M": key, "Location": f"{path}&key={key}"}
        if self.shape in shapes:
            return json.dumps(shapes[self.shape]).encode(), "application/json", more
        if self.shape == "html":
            return f"<html><pre>{asked}</pre></html>".encode(), "text/html", more
        return asked.encode(), "text/plain", more

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def environment(home):
    return home.environment(KEY, SECRET)


def files_of(home):
    for folder, _, names in os.walk(home.folder):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                yield os.path.relpath(path, home.folder), file.read()


def searched(home, runs, signatures):
    """Everything that came out of these runs and everything that they left behind."""
    found = []
    for arguments, (_, out, err) in runs:
        for stream, text in (("stdout", out), ("stderr", err)):
            found += leaks(text.encode(), f"{stream} of {' '.join(arguments)}", signatures)
    for name, data in files_of(home):
        found += leaks(data, name, signatures)
    return found


# Each of them meets an echo on every path that it reads.
COMMANDS = [
    ("plan",),
    ("plan", "--json"),
    ("plan", "--dry-run", "-v"),
    ("plan", "--format", "csv", "--dry-run"),
    ("rebalance", "--dry-run"),
    ("rebalance", "--json"),
    ("rebalance", "-v"),
    ("rebalance", "--format", "markdown"),
    ("risk-check", "-v"),
    ("risk-check", "--json"),
    ("risk-check", "--resume", "--confirm", "HALT"),
    ("report", "--json"),
    ("report", "-v"),
    ("funding", "--json"),
    ("funding", "-v"),
]
# Each of them meets an echo on every path that only a pass that acts asks for.
ACTING = [
    ("rebalance", "-v"),
    ("rebalance", "--json"),
]
# Each of them meets echoes on the paths that closing asks for, and then an exchange that works: it tries for a minute.
CLOSING = [
    ("flatten", "--yes", "-v"),
    ("flatten", "--yes", "--json"),
    ("flatten", "--yes", "--no-halt", "--symbols", "ADAUSDT,XRPUSDT"),
    ("rebalance", "-v"),
]
# Each of them meets an echo on every path that a scan asks for, of the exchange and of the screener.
SCANNING = [
    ("scan", "-v"),
    ("scan", "--json"),
    ("scan", "--apply", "--rejected", "-v"),
]
PATHS = [
    "/fapi/v1/time", "/fapi/v1/exchangeInfo", "/fapi/v1/premiumIndex", "/fapi/v3/account", "/fapi/v3/balance", "/fapi/v1/leverageBracket",
    "/fapi/v1/allOrders", "/fapi/v1/leverage", "/fapi/v1/order", "/fapi/v1/userTrades", "/fapi/v1/income",
]
CLOSES = ["/fapi/v3/positionRisk", "/fapi/v1/openAlgoOrders", "/fapi/v1/order", "/fapi/v1/userTrades"]
SCANS = [
    "/fapi/v1/time", "/fapi/v1/exchangeInfo", "/fapi/v1/ticker/24hr", "/fapi/v1/fundingInfo", "/fapi/v1/fundingRate", "/crypto/scan", "/coin/scan",
]
ACTS = {"/fapi/v1/leverage", "/fapi/v1/order", "/fapi/v1/userTrades"}
SHAPES = ["json", "json refusal", "json unknown", "json decoded", "json nested", "json fields", "json key in pieces", "json key cut short", "words",
          "html", "text"]
STATUSES = [400, 200, 401, 503, 429, 307, 418, 403, 404]


def echoed(path, shape, status, commands):
    """Runs that end in an echo, and one without: what leaked, how often it echoed, how many runs."""
    with Sim(rebal, "--api-key", KEY, "--api-secret", SECRET, "--symbols", coins) as sim:
        echo = Echo(sim)
        echo.path, echo.shape, echo.status = path, shape, status
        try:
            with Home(rebal, echo.url, exchange__exchange_info_max_age="0s", scan__tradingview_url=echo.url) as home:
                done = []
                if commands[0] in CLOSING:
                    held(home, sim, echo, path, commands[0])
                if "--resume" in commands[0]:
                    latched(home)
                # The second pass settles what the first left; a ban is lifted by hand in between.
                for arguments in commands:
                    done.append((arguments, home.run(*arguments, env=environment(home))))
                    lift_the_ban(home)
                hits = echo.hits
                # And once without the echo, so that what was unknown is asked for and booked.
                echo.path = None
                done.append((("rebalance",), home.run("rebalance", env=environment(home))))
                return [f"{leak} ({status} {shape})" for leak in searched(home, done, echo.signatures)], hits, len(done)
        finally:
            echo.stop()


def held(home, sim, echo, path, command):
    """A basket to be closed; by a pass only where its hard stop fires."""
    echo.path = None
    home.run("rebalance", env=environment(home))
    sim.advance()
    for symbol in BASKET if command[0] == "rebalance" else ():
        sim.price(symbol, "0.4")
    echo.path, echo.most = path, 2


def latched(home):
    os.makedirs(home.state, mode=0o700)
    with open(os.path.join(home.state, "HALT"), "w") as latch:
        latch.write("by hand")


def closing():
    """What closes meets two echoes in a row. A ban it would wait out: those are for `echoes`."""
    check_rows(CLOSES, lambda _path: CLOSING, [status for status in STATUSES if status not in (429, 418)])


def scanning():
    """A scan asks without the key, so nothing of it can come back."""
    check_rows(SCANS, lambda _path: SCANNING, STATUSES)


def echoes():
    check_rows(PATHS, lambda path: ACTING if path in ACTS else COMMANDS, STATUSES)


def check_rows(paths, commands_of, statuses):
    def one(row, path, number, shape):
        commands = commands_of(path)
        first = commands[(number + row) % len(commands)]
        return echoed(path, shape, statuses[(number + row) % len(statuses)], (first, ("rebalance", "--json")))

    # Passes that look for lost orders mostly wait.
    with ThreadPoolExecutor(4) as pool:
        rows = [(path, [pool.submit(one, row, path, number, shape) for number, shape in enumerate(SHAPES)]) for row, path in enumerate(paths)]
        for path, row in rows:
            done = [ended.result() for ended in row]
            found = [leak for leaks_of_one, _, _ in done for leak in leaks_of_one]
            hits, runs = sum(hits for _, hits, _ in done), sum(runs for _, _, runs in done)
            that(f"{path}: {runs} runs, {hits} echoes, nothing leaked", hits >= len(SHAPES) and not found, (hits, found[:4]))


def lift_the_ban(home):
    import sqlite3
    path = os.path.join(home.state, "ledger.db")
    if os.path.exists(path):
        with sqlite3.connect(path) as ledger:
            ledger.execute("DELETE FROM meta WHERE key = 'not_before'") if has_meta(ledger) else None
        ledger.close()


def has_meta(ledger):
    return ledger.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").fetchone()[0]


def whole_passes():
    """Passes that succeed leave no secret behind either."""
    with Sim(rebal, "--api-key", KEY, "--api-secret", SECRET) as sim:
        echo = Echo(sim)
        try:
            with Home(rebal, echo.url) as home:
                plan = os.path.join(home.folder, "plan.json")
                done = [(arguments, home.run(*arguments, env=environment(home))) for arguments in
                        (("plan", "-v", "--out", plan), ("rebalance", "-v", "--plan", plan), ("rebalance", "-v", "--json"), *COMMANDS)]
                done.append((("flatten", "--yes", "-v"), home.run("flatten", "--yes", "-v", env=environment(home))))
                done.append((("risk-check",), home.run("risk-check", env=environment(home))))
                with open(os.path.join(home.state, "HALT")) as latch:
                    halt = latch.readline().split()[1]
                for arguments in (("risk-check", "--resume", "--confirm", halt), ("risk-check", "--json")):
                    done.append((arguments, home.run(*arguments, env=environment(home))))
                codes = [code for _, (code, _, _) in done]
                found = searched(home, done, echo.signatures)
                that(f"{len(done)} good runs with {len(echo.signatures)} signatures leave nothing behind",
                     codes[:2] == [0, 0] and codes[-4:] == [0, 6, 0, 0] and len(echo.signatures) > 20 and not found, (codes, found[:4]))
        finally:
            echo.stop()


def wrong_secrets():
    """What is wrong with a secret is said without it."""
    pem = f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(SECRET.encode()).decode()}\n-----END PRIVATE KEY-----\n"
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        path = os.path.join(home.folder, "secret")
        cases = [("a wrong HMAC secret", KEY, SECRET, ()), ("a broken PEM", KEY, pem, ()),
                 ("a secret on the command line", KEY, SECRET, ("--set", f"credentials.api_secret={SECRET}")),
                 ("a key with a line break", KEY + "\nx", SECRET, ()), ("a file of mode 0644", KEY, SECRET, ("--set", f"credentials.api_secret=file:{path}"))]
        for name, key, secret, more in cases:
            if more and "file:" in more[1]:
                with open(path, "w") as file:
                    file.write(SECRET)
                os.chmod(path, 0o644)
            runs = [(command, home.run(*command, "-v", *more, env=home.environment(key, secret)))
                    for command in (("plan",), ("rebalance",), ("risk-check",), ("flatten", "--yes"))]
            if os.path.exists(path):
                os.remove(path)
            found = searched(home, runs, set())
            codes = [code for _, (code, _, _) in runs]
            # What could not be closed is open, whatever the reason: 8, once the exchange was asked.
            that(f"{name} ends with 2 and is not shown", codes[:3] == [2, 2, 2] and codes[3] in (2, 8) and not found, ([r[1][0] for r in runs], found[:4]))


def simulator():
    """`rebal sim` says neither its key nor its secret, whatever it is asked."""
    with Sim(rebal, "--api-key", KEY, "--api-secret", SECRET) as sim:
        said = [sim.state(), sim.signed("GET", "/fapi/v3/account", key=KEY, secret=SECRET), sim.signed("GET", "/fapi/v3/account", key=KEY, secret="wrong"),
                sim.signed("GET", "/fapi/v3/account", key="wrong")]
        found = leaks(json.dumps(said).encode(), "the simulator's answers", set())
        sim.stop()
        found += leaks((sim.process.stdout.read() + sim.process.stderr.read()).encode(), "its output", set())
        that("rebal sim shows neither key nor secret", not found, found)
    with Home(rebal) as home:
        for wrong in (("--listen", "0.0.0.0:1"), ("--listen", "nowhere"), ("--equity", "x"), ("--prices", "/no/such/folder"), ("--symbols", "/no/such/file")):
            code, out, err = home.run("sim", "--api-key", KEY, "--api-secret", SECRET, *wrong)
            found += leaks((out + err).encode(), f"sim {wrong}", set()) + ([] if code == 2 else [f"{wrong}: {code}"])
    that("nor does it where an option is wrong", not found, found)


def modes():
    """Nobody else may read what is in the state folder, even where the folder itself lets them."""
    before = os.umask(0o022)
    try:
        with Sim(rebal) as sim, Home(rebal, sim.url) as home:
            os.makedirs(home.state, mode=0o755)
            plan = os.path.join(home.folder, "plan.json")
            codes = [home.run(*arguments)[0] for arguments in (("plan", "--out", plan), ("rebalance",), ("rebalance",))]
            loose = {name: oct(stat.S_IMODE(os.stat(os.path.join(home.state, name)).st_mode)) for name in sorted(os.listdir(home.state))
                     if os.stat(os.path.join(home.state, name)).st_mode & 0o077}
            that("files in a state folder of mode 0755 are their owner's alone", codes == [0, 0, 0] and not loose, (codes, loose))
        with Sim(rebal) as sim, Home(rebal, sim.url) as home:
            home.run("rebalance")
            mode = stat.S_IMODE(os.stat(home.state).st_mode)
            that("a state folder that rebal makes is its owner's alone", mode == 0o700, oct(mode))
    finally:
        os.umask(before)


with tempfile.NamedTemporaryFile("w", prefix="rebal-coins-") as file:
    # A small market: a pass reads all of it.
    file.write("\n".join(BASKET))
    file.flush()
    coins = file.name
    for scenario in (echoes, scanning, closing, whole_passes, wrong_secrets, simulator, modes):
        if not ONLY or scenario.__name__ in ONLY:
            print(f"\n-- {scenario.__name__}", flush=True)
            scenario()
checks.end()
