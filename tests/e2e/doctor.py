"""`rebal doctor` on whole and on broken everything: each row still prints, nothing is changed, the code is the worst's.

usage: doctor.py REBAL
"""
import csv
import http.server
import io
import json
import os
import shutil
import sys
import threading

from harness import Checks, Home, Sim

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that
STATUSES = {"ok", "warn", "fail", "not_verifiable"}
TOKEN = "123456789:" + "A" * 35
# Written down by hand: a row that goes missing is a defect.
NAMES = """configuration mode strategy armed api_key api_secret telegram_token reachable clock key_reading key_trading
key_withdrawals key_ip_restriction key_other_rights key_expiry account may_trade position_mode asset_mode margin_type leverage
brackets indicators listed smallest_orders bands size universe state_folder disk lock ledger ledger_account halt
unresolved_orders foreign_orders last_pass next_pass telegram outbox heartbeat""".split()


def doctor(home, *arguments, **options):
    """`(exit code, report, rows by name)`; every row is there and says what it found, needs, and what to do."""
    code, report = home.json("doctor", *arguments, **options)
    rows = {row["name"]: row for row in report.get("checks", [])}
    label = " ".join(arguments) or "doctor"
    that(f"{label}: every row, in order", [row["name"] for row in report.get("checks", [])] == NAMES, report)
    that(f"{label}: every row is whole", all(row["status"] in STATUSES and row["found"] and row["needed"]
         and (row["status"] != "fail" or row["fix"]) for row in rows.values()), report)
    that(f"{label}: the exit code is in the report, and is 0 just where nothing failed",
         report.get("exit_code") == code and (code == 0) == (not failed(rows)), (code, failed(rows)))
    return code, report, rows


def of(rows, status):
    return sorted(name for name, row in rows.items() if row["status"] == status)


def failed(rows):
    return of(rows, "fail")


def says(row, *words):
    text = " ".join(row[part] for part in ("found", "needed", "fix"))
    return all(word in text for word in words)


def snapshot(folder):
    """Names, sizes, times and bytes of what is in a folder; the shared memory of SQLite's readers aside."""
    found = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if not name.endswith(("-shm", "-wal")) and not name.startswith("listing-"):
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = (os.stat(file.fileno()).st_mtime_ns, file.read())
    return found


def good():
    with Sim(rebal, clock="real") as sim, Home(rebal, sim.url) as home:
        before = len(sim.state()["requests"])
        code, report, rows = doctor(home)
        that("a good account: nothing failed", code == 0 and not failed(rows), failed(rows))
        that("the report names itself", (report["schema"], report["mode"], report["venue"], report["profile"]) ==
             ("rebal.doctor/1", "testnet", "binance-usdm", "rebal"), report)
        that("no state folder was made", not os.path.exists(home.state))
        that("the clock is right", rows["clock"]["status"] == "ok", rows["clock"])
        that("20 USDT at 5 % cannot buy back at -5 %; 100 would", rows["bands"]["status"] == "warn"
             and says(rows["bands"], "5 % above", "basket.target_value = 1"), rows["bands"])
        code, _, wide = doctor(home, "--set", "basket.target_value=120", "--set", "basket.size=6")
        that("and with 120 it can", wide["bands"]["status"] == "ok", wide["bands"])
        that("but is more than the equity carries", wide["size"]["status"] == "warn" and says(wide["size"], "3.6x"), wide["size"])
        home.run("rebalance")
        os.chmod(home.state, 0o700)
        kept = snapshot(home.state)
        between = len(sim.state()["requests"])
        code, _, rows = doctor(home)
        that("after a pass: nothing failed", code == 0, failed(rows))
        that("the ledger is this account's", says(rows["ledger_account"], "account") and rows["ledger_account"]["status"] == "ok"
             and "not bound" not in rows["ledger_account"]["found"], rows["ledger_account"])
        that("the last pass is told", rows["last_pass"]["status"] == "ok" and "ago" in rows["last_pass"]["found"], rows["last_pass"])
        that("nothing in the state folder was touched", snapshot(home.state) == kept, sorted(snapshot(home.state)))
        sent = sim.state()["requests"]
        that("nothing but GETs was sent", {row["method"] for row in sent[before:before + 12] + sent[between:]
             if row["path"].startswith(("/fapi", "/sapi", "/api"))} == {"GET"}, sent[between:])
        code, report, _ = doctor(home, "-v")
        origins = {row["key"]: row["origin"] for row in report["settings"]}
        that("-v says where each value came from", origins["mode"] == f"{home.config} line 1" and origins["risk.max_drawdown"] == "default", origins)
        environment = {**home.environment(), "REBAL__RISK__MAX_DRAWDOWN": "0.25"}
        code, report, _ = doctor(home, "-v", "--set", "futures.leverage=4", env=environment)
        values = {row["key"]: (row["value"], row["origin"]) for row in report["settings"]}
        that("--set and the environment too", values["futures.leverage"] == ("4", "--set")
             and values["risk.max_drawdown"] == ("0.25", "the environment variable REBAL__RISK__MAX_DRAWDOWN"), values)
        for width in ("80", "120"):
            _, out, err = home.run("doctor", env={**home.environment(), "COLUMNS": width})
            that(f"a table for people {width} wide", "Configuration\n" in out and "What the key may do" in out and not err, err)
        _, out, _ = home.run("doctor", "--format", "csv")
        that("csv: one row per check", [row["name"] for row in csv.DictReader(io.StringIO(out))] == NAMES, out)
        _, out, _ = home.run("doctor", "--format", "markdown")
        that("markdown: one row per check", sum(line.startswith("| ") for line in out.splitlines()) == len(NAMES) + 2, out)
        code, _, err = home.run("doctor", "--format", "html")
        that("html is refused", code == 2 and "does not come as html" in err, err)


def wrong_key():
    with Sim(rebal, clock="real") as sim, Home(rebal, sim.url) as home:
        code, _, rows = doctor(home, env=home.environment(key="wrong"))
        that("a wrong key: 2, the host answers, the account does not", code == 2 and rows["reachable"]["status"] == "ok"
             and "account" in failed(rows) and rows["position_mode"]["status"] == "not_verifiable", failed(rows))
        bare = {name: value for name, value in home.environment().items() if not name.startswith("REBAL")}
        code, _, rows = doctor(home, env=bare)
        that("no key: 2, and the host still answers", code == 2 and failed(rows) == ["api_key", "api_secret"]
             and rows["clock"]["status"] == "ok" and rows["bands"]["status"] == "not_verifiable", failed(rows))
        secret = os.path.join(home.folder, "secret")
        with open(secret, "w") as file:
            file.write("sim\n")
        os.chmod(secret, 0o644)
        where = ("--set", f"credentials.api_secret=file:{secret}")
        code, _, rows = doctor(home, *where)
        that("a secret that others may read: 2, with the command", code == 2 and says(rows["api_secret"], "0644", f"chmod 600 {secret}"), rows["api_secret"])
        os.chmod(secret, 0o600)
        code, report, rows = doctor(home, *where)
        that("mode and owner are told", code == 0 and says(rows["api_secret"], "mode 0600", f"owner {os.getuid()}"), rows["api_secret"])
        shown = {"ipRestrict": False, "enableWithdrawals": True, "enableMargin": True}
        sim.call("POST", "/sim/restrictions", shown)
        code, _, rows = doctor(home)
        that("withdrawals fail, no IP restriction warns", code == 2 and failed(rows) == ["key_withdrawals"]
             and rows["key_ip_restriction"]["status"] == "warn" and says(rows["key_other_rights"], "margin"), (failed(rows), rows["key_ip_restriction"]))
        sim.call("POST", "/sim/restrictions", {"ipRestrict": True, "enableWithdrawals": False, "enableMargin": False, "enableFutures": False})
        code, _, rows = doctor(home)
        that("a key that only reads: told, and the rest is looked at all the same", code == 2 and failed(rows) == ["key_trading"]
             and rows["account"]["status"] == "ok" and rows["next_pass"]["status"] == "ok", failed(rows))


def account():
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        code, _, rows = doctor(home)
        that("a clock that is off is a warning", code == 0 and rows["clock"]["status"] == "warn" and says(rows["clock"], "NTP"), rows["clock"])
        sim.call("POST", "/sim/modes", {"hedge": True})
        code, _, rows = doctor(home)
        that("hedge mode: 2", code == 2 and "position_mode" in failed(rows) and says(rows["position_mode"], "one-way", "Position Mode"), failed(rows))
        sim.call("POST", "/sim/modes", {"hedge": False, "multi_assets": True})
        code, _, rows = doctor(home)
        that("multi-assets mode: 2", code == 2 and rows["asset_mode"]["status"] != "ok" or "account" in failed(rows), (code, failed(rows)))
        sim.call("POST", "/sim/modes", {"hedge": False, "multi_assets": False})
        code, _, rows = doctor(home, "--set", "basket.symbols=ADAUSDT,NOSUCHUSDT")
        that("a coin that does not exist: 2, by name", code == 2 and failed(rows) == ["listed"] and says(rows["listed"], "NOSUCHUSDT"), failed(rows))
        code, _, rows = doctor(home, "--set", "basket.symbols=[]")
        that("no coins and no scan: 2, with what to run", code == 2 and "strategy" in failed(rows)
             and says(rows["universe"], "rebal scan --apply") and rows["bands"]["status"] == "not_verifiable", failed(rows))
        code, _, rows = doctor(home, "--set", "futures.leverage=125")
        that("leverage that is not allowed warns", rows["brackets"]["status"] == "warn", rows["brackets"])
        sim.signed("POST", "/fapi/v1/order", symbol="DOGEUSDT", side="BUY", type="MARKET", quantity="100", newClientOrderId="rb1ffffff0000000100o")
        code, _, rows = doctor(home)
        that("orders of another rebal: 9", code == 9 and failed(rows) == ["foreign_orders"], (code, failed(rows)))
        url = sim.url
    with Home(rebal, url) as home:
        code, _, rows = doctor(home)
        that("a closed port: 4, and only the exchange's rows are not verifiable", code == 4 and failed(rows) == ["reachable"]
             and rows["state_folder"]["status"] == rows["strategy"]["status"] == rows["api_key"]["status"] == "ok"
             and {rows[name]["status"] for name in ("clock", "key_reading", "account", "bands", "next_pass")} == {"not_verifiable"}, of(rows, "not_verifiable"))


def state():
    with Sim(rebal, clock="real") as sim, Home(rebal, sim.url) as home:
        home.run("rebalance")
        code, out, err = home.run("flatten", "--yes")
        halted = home.json("report")[1].get("halted")
        code, _, rows = doctor(home)
        that("halted: 6, with the way back", code == 6 and failed(rows) == ["halt"] and says(rows["halt"], "risk-check --resume"), (code, failed(rows), out, err, halted))
        good_ledger = os.path.join(home.state, "ledger.db")
        saved = os.path.join(home.folder, "saved")
        shutil.copytree(home.state, saved)
        os.chmod(home.state, 0o755)
        _, _, rows = doctor(home)
        that("a folder that others may read is a warning", rows["state_folder"]["status"] == "warn" and says(rows["state_folder"], "chmod 700"), rows["state_folder"])
        for name, damage in [("garbage", lambda: b"not a database at all, " * 500), ("truncated", lambda: open(good_ledger, "rb").read()[:5000])]:
            broken = os.path.join(home.folder, name)
            shutil.copytree(saved, broken)
            for other in ("-wal", "-shm"):
                if os.path.exists(os.path.join(broken, "ledger.db" + other)):
                    os.remove(os.path.join(broken, "ledger.db" + other))
            bytes_ = damage()
            with open(os.path.join(broken, "ledger.db"), "wb") as file:
                file.write(bytes_)
            code, _, rows = doctor(home, state=broken)
            that(f"a {name} ledger: 10, and the exchange's rows still print", code == 10 and "ledger" in failed(rows)
                 and rows["account"]["status"] == "ok" and rows["foreign_orders"]["status"] == "not_verifiable", (code, failed(rows)))
            that(f"a {name} ledger: the halt is in the file all the same", rows["halt"]["status"] == "fail", rows["halt"])
            with open(os.path.join(broken, "ledger.db"), "rb") as file:
                that(f"a {name} ledger is left as it is", file.read() == bytes_)
        code, _, rows = doctor(home, state=os.path.join(home.config, "below"))
        that("a state folder that cannot be made: 10", code == 10 and "state_folder" in failed(rows), (code, failed(rows)))
        other = os.path.join(home.folder, "other")
        with Sim(rebal, clock="real") as elsewhere, Home(rebal, elsewhere.url) as stranger:
            code, _, rows = doctor(stranger, state=saved)
            that("another account's ledger is told", "ledger_account" in failed(rows) or rows["ledger_account"]["status"] == "ok", (code, failed(rows)))
        that("none of it was made", not os.path.exists(other))


def broken():
    with Sim(rebal, clock="real") as sim, Home(rebal, sim.url) as home:
        code, _, rows = doctor(home, "--set", "basket.treshold=0.1")
        that("a wrong key elsewhere: 2, and the account is looked at all the same", code == 2 and failed(rows) == ["configuration"]
             and says(rows["configuration"], "basket.threshold") and rows["position_mode"]["status"] == "ok"
             and rows["bands"]["status"] == "not_verifiable", failed(rows))
        with open(home.config, "a") as file:
            file.write("this is no toml\n")
        code, report, rows = doctor(home)
        that("no TOML at all: 2, and the state is looked at all the same", code == 2 and failed(rows) == ["configuration"]
             and says(rows["configuration"], "line") and rows["state_folder"]["status"] == "ok" and report["mode"] == "unknown", failed(rows))
        folder = os.path.join(home.folder, "broken")
        os.mkdir(folder)
        with open(os.path.join(folder, "ledger.db"), "wb") as file:
            file.write(b"\0\1\2" * 4000)
        with open(os.path.join(folder, "HALT"), "w") as file:
            file.write("stop")
        bare = {name: value for name, value in home.environment().items() if not name.startswith("REBAL")}
        code, _, rows = doctor(home, state=folder, env=bare)
        that("everything broken at once: each row, and 2 before all", code == 2 and set(failed(rows)) == {"configuration", "ledger", "halt"}, (code, failed(rows)))
    with Home(rebal) as home:
        missing = os.path.join(home.folder, "nowhere.toml")
        home.config = missing
        code, _, rows = doctor(home)
        that("a configuration file that is not there: 2", code == 2 and failed(rows) == ["configuration"], (code, failed(rows)))


def paper():
    with Home(rebal, **{"paper__prices": "synthetic"}) as home:
        code, _, rows = doctor(home)
        that("paper: 0, and what is simulated is said", code == 0 and says(rows["mode"], "simulated", "synthetic") and says(rows["api_key"], "not needed on paper"), failed(rows))
        that("no state folder was made", not os.path.exists(home.state))
        home.run("rebalance")
        kept = snapshot(home.state)
        code, _, rows = doctor(home)
        that("paper after a pass: 0, and its clock stands", code == 0 and "clock" in rows["last_pass"]["found"] and snapshot(home.state) == kept, failed(rows))
        code, out, err = home.run("doctor", "--demo")
        that("the demo is well", "0 failed" not in out and code in (0, 2), (code, err))


class Telegram:
    """Answers getMe, getChat and sendMessage, and keeps which were asked; takes beats too."""

    def __init__(self):
        self.asked, self.chat = [], True
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                fake.asked.append("beat")
                self.reply(200, {})

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                method = self.path.rsplit("/", 1)[1]
                fake.asked.append(method)
                if method == "getChat" and not fake.chat:
                    return self.reply(400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"})
                self.reply(200, {"ok": True, "result": {"id": 1}})

            def reply(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self):
        asked, self.asked = self.asked, []
        return asked


def messages():
    telegram = Telegram()
    with Home(rebal, paper__prices="synthetic", telegram__enabled="true", telegram__chat_id="-100123",
              telegram__api_url=telegram.url, heartbeat__url=f"{telegram.url}/beat/secret") as home:
        env = {**home.environment(), "REBAL_TELEGRAM_TOKEN": TOKEN}
        code, report, rows = doctor(home, env=env)
        that("bot and chat are asked, nothing is sent", code == 0 and telegram.take() == ["getMe", "getChat"] and rows["telegram"]["status"] == "ok", rows["telegram"])
        that("a heartbeat that was not asked is not verifiable", rows["heartbeat"]["status"] == "not_verifiable", rows["heartbeat"])
        that("neither the token nor the heartbeat's path is shown", TOKEN not in json.dumps(report) and "secret" not in rows["heartbeat"]["found"])
        code, report, rows = doctor(home, "-v", "--send-test", env=env)
        that("--send-test sends one message and one beat", code == 0 and telegram.take() == ["getMe", "getChat", "sendMessage", "beat"]
             and rows["heartbeat"]["status"] == "ok", rows)
        that("-v hides the heartbeat's path", "beat/secret" not in json.dumps(report))
        telegram.chat = False
        code, _, rows = doctor(home, env=env)
        that("a chat that is not there: 2, with what to do", code == 2 and failed(rows) == ["telegram"] and says(rows["telegram"], "chat not found", "press Start"), rows["telegram"])
        code, _, rows = doctor(home)
        that("no token: 2", code == 2 and "telegram_token" in failed(rows), failed(rows))
    telegram.server.shutdown()
    telegram.server.server_close()


for part in (good, wrong_key, account, state, broken, paper, messages):
    part()
checks.end()
