"""Messages, heartbeat and metrics of the real binary against a fake Telegram.

usage: notify.py REBAL [SCENARIO …]

The metrics file is read with prometheus_client, Prometheus' own parser, where it is installed; without it
that check is skipped, said aloud. Standard library otherwise.
"""
import email
import email.policy
import fcntl
import http.server
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time

from harness import BASKET, Checks, Home, Sim, killed

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that

TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"
BEAT = "5f2c0b9e-secret-address"


def parts(kind, body):
    """What a multipart body holds, read by the standard library's mail parser: name → (file name, bytes)."""
    message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP)
    return {part.get_param("name", header="content-disposition"): (part.get_filename(), part.get_payload(decode=True)) for part in message.iter_parts()}


class Telegram:
    """Keeps what it was sent; answers `ok`, or what `say` holds. Beats go to the same server."""

    def __init__(self):
        self.texts, self.beats, self.paths, self.documents, self.say, self.delay, self.kill = [], [], [], [], None, 0, None
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                fake.beats.append(self.path)
                self.reply(200, b"OK")

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fake.paths.append(self.path)
                if self.headers["Content-Type"].startswith("multipart/"):
                    if not fake.say:
                        fake.documents.append(parts(self.headers["Content-Type"], body))
                        return self.reply(200, b'{"ok":true,"result":{"message_id":1}}')
                    body = b"{}"
                body = json.loads(body)
                time.sleep(fake.delay)
                if fake.kill:
                    fake.texts.append(body)
                    return fake.kill()
                if fake.say:
                    code, description, parameters = fake.say
                    # A server that says everything back.
                    said = {"ok": False, "error_code": code, "description": f"{description} {self.path}", "parameters": parameters}
                    return self.reply(code, json.dumps(said).encode())
                fake.texts.append(body)
                self.reply(200, b'{"ok":true,"result":{"message_id":1}}')

            def reply(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self):
        """What arrived since the last time."""
        texts, self.texts = [body["text"] for body in self.texts], []
        return texts

    def take_beats(self):
        beats, self.beats = self.beats, []
        return [path.removeprefix(f"/{BEAT}") for path in beats]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Owner(Home):
    """A home whose owner reads messages; everything that it prints is kept."""

    def __init__(self, telegram, url=None, symbols=BASKET, **values):
        super().__init__(rebal, url, symbols, telegram__enabled="true", telegram__chat_id="-100123", telegram__api_url=telegram.url,
                         heartbeat__url=f"{telegram.url}/{BEAT}", exchange__exchange_info_max_age="0s", **values)
        self.said = []
        self.metrics_file = os.path.join(self.folder, "rebal.prom")

    def environment(self, *arguments):
        return {**super().environment(*arguments), "REBAL_TELEGRAM_TOKEN": TOKEN}

    def run(self, *arguments, **options):
        done = super().run(*arguments, **options)
        self.said.append((arguments, done))
        return done

    def measured(self, *arguments):
        """A run with a metrics file, and what is in it."""
        code, out, err = self.run(*arguments, "--metrics-file", self.metrics_file)
        return code, out, err, metrics(self.metrics_file)

    def leaks(self):
        """Pieces of the token or of the heartbeat's address in anything printed or written."""
        wanted = [text[at:at + 8] for text in (TOKEN, BEAT) for at in range(len(text) - 7)]
        found = []
        for arguments, (_, out, err) in self.said:
            found += [f"{piece} in the output of {arguments}" for piece in wanted if piece in out + err]
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                found += [f"{piece} in {name}" for piece in wanted if piece.encode() in data]
        return found


LINE = re.compile(r'^([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)*)\} (-?[0-9]+(?:\.[0-9]+)?)$')


def metrics(path):
    """The file by the rules of the format, read by hand and, where it is there, by Prometheus' parser."""
    if not os.path.exists(path):
        return None
    with open(path) as file:
        text = file.read()
    found, helped, typed = {}, set(), set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split()[2])
        elif line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert kind == "gauge" and name in helped and name not in typed, line
            typed.add(name)
        else:
            name, labels, value = LINE.match(line).groups()
            assert name in typed, line
            symbol = re.search(r'symbol="([^"]*)"', labels)
            key = (name, symbol.group(1)) if symbol else name
            assert key not in found, line
            found[key] = float(value)
    assert text.endswith("\n")
    if text_string_to_metric_families:
        families = list(text_string_to_metric_families(text))
        parsed = {}
        for family in families:
            assert family.type == "gauge" and family.documentation, family
            for sample in family.samples:
                symbol = sample.labels.get("symbol")
                parsed[(sample.name, symbol) if symbol else sample.name] = sample.value
        assert parsed == found, (parsed, found)
    return found


def digests():
    """49 paper passes are four hours: one digest, with the figures of that pass."""
    with Telegram() as telegram, Owner(telegram, symbols=[], basket__symbols="[]") as home:
        del home.values["basket__symbols"]
        # What `--demo` runs on, which itself talks to nobody.
        home.config = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/demo.toml")
        arrived, codes, equity, ticks = {}, [], {}, set()
        for number in range(1, 99):
            code, out, _ = home.run("rebalance", "--json", "--metrics-file", home.metrics_file)
            codes.append(code)
            equity[number] = json.loads(out)["equity_before"]
            # A market that falls makes any funding more than the profit; that is told beside the digests.
            texts = [text for text in telegram.take() if "funding exceeds profit" not in text]
            if texts:
                arrived[number] = texts
            if number in (1, 49):
                shown = metrics(home.metrics_file)
                ticks.add(shown["rebal_reading_timestamp_seconds"])
            if number in (20, 49):
                # A risk check sees the same clock: it tells nothing twice.
                code, _, _ = home.run("risk-check")
                codes.append(code)
                arrived.setdefault(number, []).extend(telegram.take()) if telegram.texts else None
        that("100 paper runs end with 0", set(codes) == {0}, codes)
        that("digests arrive with the passes at four and at eight hours, each once", sorted(arrived) == [49, 97] and all(len(texts) == 1 for texts in arrived.values()), arrived)
        first, second = (arrived[number][0] for number in (49, 97))
        print("      " + first.replace("\n", "\n      "))
        that("the first says the equity of its pass", first.startswith(f"<b>{float(equity[49]):.2f} USDT</b>"), (first, equity[49]))
        change = float(equity[49]) - float(equity[1])
        that("and by how much it changed since the first", f", {change:+.2f} (" in first.splitlines()[0], (first, change))
        change = float(equity[97]) - float(equity[49])
        that("the second goes on where the first ended", f", {change:+.2f} (" in second.splitlines()[0], (second, change))
        that("profile, mode and paper time are in it", "\nrebal · PAPER · 2026-01-01 04:00:00 UTC\nchanges since 2026-01-01 00:00:00 UTC\n" in first, first)
        named = re.findall(r"^(best|worst) (.+)$", first, re.M)
        that("best and worst coins, funding, drawdown and the last pass too",
             [name for name, _ in named] == ["best", "worst"] and all(line.count(",") == 2 for _, line in named)
             and re.search(r"^funding [+-]?\d+\.\d+$", first, re.M) and re.search(r"^drawdown [\d.]+ %$", first, re.M)
             and "\nlast pass 2026-01-01 04:00:00 UTC: " in first, first)
        beats = telegram.take_beats()
        that("the heart beat after each of 98 passes and after no check", beats == [""] * 98, (len(beats), set(beats)))
        that("two readings are four hours apart in the metrics", max(ticks) - min(ticks) == 4 * 3600, ticks)
        funding = sqlite3.connect(os.path.join(home.state, "ledger.db")).execute("SELECT sum(CAST(amount AS REAL)) FROM income WHERE kind = 'FUNDING_FEE'").fetchone()[0]
        shown = metrics(home.metrics_file)
        that(f"the metrics' funding is the sum of the ledger's rows ({shown['rebal_funding_total']})", abs(shown["rebal_funding_total"] - funding) < 1e-9 and funding != 0, (shown, funding))
        that("and so is the equity of the last pass", shown["rebal_equity"] == float(equity[98]), (shown["rebal_equity"], equity[98]))
        drifts = [value for key, value in shown.items() if key[0] == "rebal_coin_drift_ratio"]
        that("20 coins have a drift, leverage is about two", len(drifts) == 20 and max(map(abs, drifts)) < 0.5 and 1.5 < shown["rebal_leverage_ratio"] < 2.5, shown)
        that("nothing of token or address is printed or kept", not home.leaks(), home.leaks()[:3])


def alerts():
    """A stop is told by the pass in which it fires; so is an exchange that is away."""
    with Telegram() as telegram, Sim(rebal) as sim, Owner(telegram, sim.url) as home:
        code, _, err, shown = home.measured("rebalance")
        that("a first pass ends with 0 and beats", (code, telegram.take(), telegram.take_beats()) == (0, [], [""]), err)
        that("its metrics: exit 0, not halted, a good pass", shown["rebal_exit_code"] == 0 and shown["rebal_halted"] == 0 and shown["rebal_last_good_pass_timestamp_seconds"] > 1.7e9, shown)
        good = shown["rebal_last_good_pass_timestamp_seconds"]
        sim.advance()
        code, _, _ = home.run("rebalance", "--dry-run")
        that("a dry run beats nobody", (code, telegram.take(), telegram.take_beats()) == (0, [], []))
        code, _, err = home.run("rebalance", "--dry-run", "--metrics-file", home.metrics_file)
        that("and takes no metrics file", code == 2 and "--metrics-file" in err, err)

        with open(os.path.join(home.state, "lock"), "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = os.stat(home.metrics_file).st_mtime_ns
            code, _, err, _ = home.measured("rebalance")
        that("a locked pass beats nobody and leaves the metrics of the other", (code, telegram.take_beats(), os.stat(home.metrics_file).st_mtime_ns) == (3, [], before), err)

        sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 1, "do": "reply:503:{}"})
        code, _, err, shown = home.measured("rebalance")
        texts = telegram.take()
        that("an exchange that is away is told at once", code == 4 and len(texts) == 1 and texts[0].startswith("<b>warning: exchange unavailable</b>\nrebal · TESTNET · "), (code, texts, err))
        that("and beats /fail", telegram.take_beats() == ["/fail"])
        that("the metrics then say 4, and what was known before", shown["rebal_exit_code"] == 4 and shown["rebal_last_good_pass_timestamp_seconds"] == good and "rebal_equity" in shown, shown)
        code, _, _ = home.run("rebalance")
        texts = telegram.take()
        that("when it is back, that is told once", code == 0 and len(texts) == 1 and texts[0].startswith("<b>over: exchange unavailable</b>\n") and "\nit began at 20" in texts[0] and " UTC and lasted " in texts[0], texts)
        telegram.take_beats()

        for symbol in BASKET:
            sim.price(symbol, "0.1")
        code, _, err, shown = home.measured("rebalance")
        texts = telegram.take()
        that("a stop is told by the pass in which it fires", code == 7 and any(text.startswith("<b>CRITICAL: halted</b>") for text in texts), (code, texts, err))
        that("in one message: what it was at, and that all is closed", sum("CRITICAL: halted" in text for text in texts) == 1
             and any("; equity " in text and "the account is flat since 20" in text and " UTC" in text for text in texts), texts)
        that("and beats /fail", telegram.take_beats() == ["/fail"])
        that("the metrics then say 7 and halted, and nothing of what is gone", shown["rebal_exit_code"] == 7 and shown["rebal_halted"] == 1 and "rebal_leverage_ratio" not in shown, shown)
        code, _, _, shown = home.measured("rebalance")
        that("a halted pass ends with 6 and beats /fail", (code, telegram.take_beats(), shown["rebal_exit_code"]) == (6, ["/fail"], 6), shown)
        code, _, _, shown = home.measured("risk-check")
        that("a check under the halt measures too, and does not beat", (code, telegram.take_beats(), shown["rebal_halted"]) == (6, [], 1) and shown["rebal_leverage_ratio"] == 0, shown)
        that("nothing of token or address is printed or kept", not home.leaks(), home.leaks()[:3])


def flatten():
    with Telegram() as telegram, Sim(rebal) as sim, Owner(telegram, sim.url) as home:
        home.run("rebalance")
        telegram.take_beats()
        sim.advance()
        code, _, err = home.run("flatten", "--yes")
        texts = telegram.take()
        that("flatten tells of its halt at once and does not beat", code == 0 and len(texts) == 1 and "CRITICAL: halted" in texts[0] and not telegram.take_beats(), (code, texts, err))


def troubles():
    """A Telegram that fails changes no exit code and loses nothing."""
    for say, words in [
        ((401, "Unauthorized", {}), "@BotFather"),
        ((400, "Bad Request: chat not found", {}), "press Start"),
        ((403, "Forbidden: bot was blocked by the user", {}), "unblock the bot"),
        ((502, "Bad Gateway", {}), "answered 502"),
        ((429, "Too Many Requests", {"retry_after": 2}), "no message for 2 s"),
    ]:
        with Telegram() as telegram, Sim(rebal) as sim, Owner(telegram, sim.url) as home:
            home.run("rebalance")
            sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 1, "do": "reply:503:{}"})
            telegram.say = say
            code, out, err = home.run("rebalance")
            that(f"{say[1]}: the pass ends with 4, and what to do is said", code == 4 and words in err and "none is lost" in err and len(telegram.paths) == 1, (code, err, telegram.paths))
            telegram.say = None
            started = time.monotonic()
            sim.advance()
            code, out, err = home.run("rebalance")
            if say[0] == 429:
                # Other passes take less than two seconds; a slow machine may be past the pause already.
                waited = telegram.take() == [] and "no message for" in err
                that("429: not before its time", waited or time.monotonic() - started > 1.5, (err, telegram.paths))
                time.sleep(2.5)
                sim.advance()
                code, out, err = home.run("rebalance")
            texts = telegram.take()
            that(f"{say[1]}: then both messages arrive, in order", code == 0 and [text[:9] for text in texts][-1:] == ["<b>over: "]
                 and len(texts) == 2 and "wait" not in err, (code, texts, err))
            that(f"{say[1]}: nothing of the token is printed or kept", not home.leaks(), home.leaks()[:3])
    with Telegram() as telegram, Sim(rebal) as sim, Owner(telegram, sim.url) as home:
        home.run("rebalance")
        sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 1, "do": "reply:503:{}"})
        telegram.delay = 8
        started = time.monotonic()
        code, _, err = home.run("rebalance")
        took = time.monotonic() - started
        that(f"a Telegram that stalls costs about three seconds ({took:.1f} s)", code == 4 and 2.9 < took < 6 and "did not answer" in err, (code, err))
        telegram.delay = 0
        code, _, err = home.run("rebalance", "--set", "telegram.token=env:NO_SUCH_VARIABLE")
        that("a token that is not there is a warning", code == 0 and "NO_SUCH_VARIABLE is not set" in err, (code, err))
        home.values["heartbeat__url"] = f"http://127.0.0.1:1/{BEAT}"
        code, _, err = home.run("rebalance")
        that("a heartbeat that fails is a warning", code == 0 and "the heartbeat did not get through: no connection" in err, (code, err))
        that("nothing of token or address is printed or kept", not home.leaks(), home.leaks()[:3])
        for key in ("telegram.api_url", "heartbeat.url"):
            code, _, err = home.run("rebalance", "--set", f"{key}=http://10.0.0.1/{BEAT}")
            that(f"{key} in plain http elsewhere is refused", code == 2 and key in err, (code, err))
        code, _, err = home.run("rebalance", "--metrics-file", "/no/such/folder/rebal.prom")
        that("a metrics file in no folder is refused before anything is sent", code == 2 and "--metrics-file" in err, (code, err))
        full = home.run("rebalance", "--metrics-file", "/dev/full")
        that("one that cannot be written is a warning", full[0] == 0 and "/dev/full" in full[2], full)


def broken():
    """A ledger that cannot be opened, keys that are not there: the heart says so, and the metrics too."""
    with Telegram() as telegram, Sim(rebal) as sim, Owner(telegram, sim.url) as home:
        os.makedirs(home.state, mode=0o700)
        with open(os.path.join(home.state, "ledger.db"), "wb") as file:
            file.write(b"not a ledger" * 400)
        code, _, err, shown = home.measured("rebalance")
        that("an unusable ledger ends with 10, beats /fail and is measured", (code, telegram.take_beats(), shown) == (10, ["/fail"], {"rebal_exit_code": 10.0}), (shown, err))
        os.remove(os.path.join(home.state, "ledger.db"))
        os.remove(home.metrics_file)
        code, _, err, shown = home.measured("rebalance", "--set", "credentials.api_key=env:NO_SUCH_VARIABLE")
        that("a missing key ends with 2, beats /fail and is measured", (code, telegram.take_beats(), shown and shown["rebal_exit_code"]) == (2, ["/fail"], 2), (shown, err))


def silent():
    """Who wants no messages gets none, and what was written meanwhile does not arrive all at once later."""
    with Telegram() as telegram, Sim(rebal) as sim, Owner(telegram, sim.url) as home:
        home.values["telegram__enabled"] = "false"
        home.values["report__digest_every"] = "1s"
        home.run("rebalance")
        sim.advance()
        sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 1, "do": "reply:503:{}"})
        code, _, err = home.run("rebalance", env={name: value for name, value in home.environment().items() if "TELEGRAM" not in name})
        kinds = [kind for kind, in sqlite3.connect(os.path.join(home.state, "ledger.db")).execute("SELECT kind FROM outbox")]
        code_of_doctor, report = home.json("doctor")
        row = next(row for row in report["checks"] if row["name"] == "outbox")
        that("and doctor has nothing to warn of", row["status"] == "ok" and "nothing waits" in row["found"], row)
        that("without telegram.enabled nothing is sent, no token is needed and no digest piles up",
             code == 4 and telegram.paths == [] and kinds == ["exchange_unavailable"] and "token" not in err, (code, kinds, err))
        home.values["telegram__enabled"] = "true"
        sim.advance()
        code, _, err = home.run("risk-check")
        texts = telegram.take()
        that("once it is enabled, what was told before stays where it is: what is over now arrives, and the digest",
             len(texts) == 2 and texts[0].startswith("<b>over: exchange unavailable</b>\n") and " USDT</b>, " in texts[1], (code, texts, err))
        sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 1, "do": "reply:503:{}"})
        telegram.say = (500, "Internal Server Error", {})
        home.run("rebalance")
        telegram.say = None
        sim.advance(12 * 25)
        code, _, err = home.run("rebalance")
        texts = telegram.take()
        that("what could not be delivered for a day is no news any more, which is said",
             code == 0 and "1 message is more than a day old" in err and texts and not any("warning: exchange unavailable" in text for text in texts), (code, texts, err))


def documents():
    """The day's report as a document in the chat, on request."""
    with Telegram() as telegram, Sim(rebal) as sim, Owner(telegram, sim.url) as home:
        for _ in range(3):
            home.run("rebalance")
            sim.advance()
        _, page, _ = home.run("report", "--since", "1d", "--format", "html")
        code, out, err = home.run("report", "--since", "1d", "--send")
        sent = telegram.documents.pop() if telegram.documents else {}
        name, held = sent.get("document", ("", b""))
        that("report --send sends the page to the chat, once, and shows the table all the same",
             code == 0 and telegram.documents == [] and sent.get("chat_id", (None, b""))[1] == b"-100123" and "net profit" in out.lower()
             and name.startswith("rebal-") and name.endswith(".html") and b"<svg" in held and len(held) > 0.9 * len(page), (code, err, sent.keys(), name))
        that("the caption names the period and the profit", b"net profit" in sent.get("caption", (None, b""))[1], sent.get("caption"))
        code, out, err = home.run("report", "--since", "1d", "--send", "--json")
        name, held = telegram.documents.pop()["document"]
        that("with --json the document is that object", code == 0 and name.endswith(".json") and json.loads(held)["schema"] == json.loads(out)["schema"] == "rebal.report/1", name)
        telegram.say = (401, "Unauthorized", {})
        code, out, err = home.run("report", "--since", "1d", "--send")
        that("a revoked token is said, after the report was shown", code == 4 and "net profit" in out.lower() and "token" in err, (code, err))
        code, _, err, shown = home.measured("report", "--since", "1d", "--send")
        that("and the metrics tell what it ended with", (code, shown and shown["rebal_exit_code"]) == (4, 4), shown)
        code, _, err = home.run("report", "--send")
        that("--send without a period is refused", code == 2 and "--send needs a period" in err, (code, err))
        code, _, err, shown = home.measured("report", "--since", "1d")
        that("report --metrics-file writes the figures too", code == 0 and shown and shown.get("rebal_exit_code") == 0 and any("rebal_equity" in str(name) for name in shown), shown)
        that("the token is nowhere", not home.leaks(), home.leaks())


def kills():
    """A pass that dies between delivery and its mark: the next one delivers again, in order."""
    with Telegram() as telegram, Sim(rebal) as sim, Owner(telegram, sim.url) as home:
        home.run("rebalance")
        sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 1, "do": "reply:503:{}"})
        process = subprocess.Popen(home.command("rebalance"), env=home.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        telegram.kill = process.kill
        process.wait(60)
        first, telegram.kill = telegram.take(), None
        code, _, err = home.run("rebalance")
        again = telegram.take()
        that("killed while it delivers, the message arrives again, and what came after it", killed(process.returncode) and code == 0
             and len(first) == 1 and again[:1] == first and [text.split("\n")[0] for text in again[1:]] == ["<b>over: exchange unavailable</b>"], (first, again, err))


if text_string_to_metric_families is None:
    print("skipped: prometheus_client is not installed, the metrics are read by hand only")
ONLY = set(sys.argv[2:])
for scenario in (digests, alerts, flatten, broken, silent, troubles, documents, kills):
    if ONLY and scenario.__name__ not in ONLY:
        continue
    print(f"\n-- {scenario.__name__}", flush=True)
    scenario()
checks.end()
