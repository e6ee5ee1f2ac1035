"""`rebal init` at a pseudo-terminal and without one, and arming an account, against `rebal sim` over HTTP.

usage: init.py REBAL
"""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import termios
import time

from harness import Checks, Sim

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that
DOWN, ENTER, CTRL_C = "\x1b[B", "\r", "\x03"
RAW_SECRET = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"


def posts_of(state):
    """What could change something at the exchange."""
    return [request for request in state["requests"] if request["method"] != "GET"]


class Place:
    """A user's folders, thrown away at the end."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="rebal-init-")
        self.config = os.path.join(self.folder, "config", "rebal", "rebal.toml")
        self.state = os.path.join(self.folder, "data", "rebal")

    def environment(self, key="sim", secret="sim"):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REBAL")}
        return {**kept, "HOME": self.folder, "XDG_CONFIG_HOME": os.path.join(self.folder, "config"),
                "XDG_DATA_HOME": os.path.join(self.folder, "data"), "TERM": "xterm", "LANG": "C.UTF-8",
                "REBAL_API_KEY": key, "REBAL_API_SECRET": secret}

    def run(self, *arguments, env=None, stdin=subprocess.DEVNULL):
        done = subprocess.run([rebal, *arguments], capture_output=True, text=True, stdin=stdin, timeout=120,
                              env=env or self.environment())
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments, **options):
        code, out, err = self.run(*arguments, "--json", **options)
        try:
            return code, json.loads(out)
        except ValueError:
            return code, {"unreadable": out, "stderr": err}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


class Terminal:
    """The binary on a pseudo-terminal of 80 columns; answers are sent once their question is there."""

    def __init__(self, place, *arguments, env=None):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, 80))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            [rebal, *arguments], stdin=slave, stdout=slave, stderr=slave, env=env or place.environment(),
            preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)))
        self.all, self.seen = "", 0

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.all += os.read(self.master, 65536).decode(errors="replace")

    def said(self):
        """What is on the screen, without colours and wherever its lines break."""
        return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.all))

    def until(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text not in self.said()[self.seen:]:
            if time.monotonic() > end or (self.process.poll() is not None and not self.pending()):
                raise AssertionError(f"never saw {text!r} in {self.said()[self.seen:]!r}")
            self.read(0.1)
        self.seen += self.said()[self.seen:].index(text) + len(text)

    def pending(self):
        return bool(select.select([self.master], [], [], 0)[0])

    def answer(self, question, keys):
        self.until(question)
        os.write(self.master, keys.encode())

    def end(self, seconds=60):
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        while self.pending():
            self.read(0)
        return self.process.wait(1)

    def interrupt(self):
        """Ctrl-C until it is over: one that falls between two questions is not taken for an answer."""
        for _ in range(20):
            os.write(self.master, CTRL_C.encode())
            end = time.monotonic() + 1
            while self.process.poll() is None and time.monotonic() < end:
                self.read(0.05)
            if self.process.poll() is not None:
                break
        return self.end()

    def restored(self):
        shown = self.all.rfind("\x1b[?25h") >= self.all.rfind("\x1b[?25l")
        return shown and termios.tcgetattr(self.slave)[3] == self.before[3]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def plain(self):
        """Without colours; a line that was cleared shows what was written over it."""
        lines = [line.split("\x1b[2K")[-1] for line in self.all.replace("\r", "").split("\n")]
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", "\n".join(lines))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def the_dialogue():
    with Sim(rebal) as sim, Place() as place, Terminal(place, "init", "--set", f"exchange.base_url={sim.url}") as term:
        term.answer("Venue:", ENTER)
        term.answer("Mode:", DOWN + ENTER)
        term.answer("Key [env:REBAL_API_KEY]: ", RAW_SECRET + ENTER)
        term.until("must say where the secret is")
        term.answer("Key [env:REBAL_API_KEY]: ", ENTER)
        term.answer("Secret [env:REBAL_API_SECRET]: ", "env:NOT_SET_ANYWHERE" + ENTER)
        term.until("NOT_SET_ANYWHERE is not set")
        term.answer("Keep this place", "n")
        term.answer("Secret [env:REBAL_API_SECRET]: ", ENTER)
        term.until("ok: key: the key works; account ")
        term.until("ok: modes:")
        term.answer("Strategy:", ENTER)
        term.answer("Coins [scan]: ", "ADA, NOSUCH" + ENTER)
        term.until("the exchange lists no NOSUCHUSDT")
        term.answer("Coins [scan]: ", "ada, XRPUSDT doge" + ENTER)
        term.answer("Target per coin [20]: ", "much" + ENTER)
        term.until("Again, please.")
        term.answer("Target per coin [20]: ", "20" + ENTER)
        term.answer("Threshold [0.05]: ", "5" + ENTER)
        term.until("5 is a fraction: write 0.05 for 5 %")
        term.answer("Threshold [0.05]: ", "5 %" + ENTER)
        term.until("a 5 % band on 20.00 USDT cannot buy back before -2")
        term.until("USDT per coin would")
        term.answer("Change these answers?", "y")
        term.answer("Coins [ADA, XRP, DOGE]: ", ENTER)
        term.answer("Target per coin [20]: ", "110" + ENTER)
        term.answer("Threshold [0.05]: ", ENTER)
        term.until("ok: band: a 5 % band on 110.00 USDT buys and sells alike")
        term.answer("Hard stop [0.3]: ", "25%" + ENTER)
        term.answer("Interval [5m]: ", "now" + ENTER)
        term.until("Again, please.")
        term.answer("Interval [5m]: ", "15m" + ENTER)
        term.answer("Telegram", "n")
        term.until("This is the file:")
        that("nothing is written before the last question", not os.path.exists(place.config))
        term.answer("Write it to", "y")
        code = term.end()
        shown = term.plain()
        that("the dialogue ends with 0", code == 0, shown[-600:])
        that("and leaves the terminal as it was", term.restored())
        wide = [line for line in shown.split("This is the file:")[0].split("\n") if len(line) > 80 and RAW_SECRET not in line]
        that("no line of a question is wider than the terminal", not wide, wide)
        with open(place.config) as file:
            text = file.read()
        that("the file is for its owner alone", stat.S_IMODE(os.stat(place.config).st_mode) == 0o600)
        that("the file is the one that was shown", text.strip() in shown, text)
        that("it holds what was answered", all(line in text for line in (
            'mode = "testnet"', 'symbols = ["ADAUSDT", "XRPUSDT", "DOGEUSDT"]', "target_value = 110", "max_drawdown = 0.25",
            'interval = "15m"', 'api_secret = "env:REBAL_API_SECRET"')), text)
        that("and no secret, although one was typed", RAW_SECRET not in text)
        that("init sends no order and changes no setting", not posts_of(sim.state()), posts_of(sim.state()))
        code, out, err = place.run("plan", "--dry-run")
        that("a plan loads the file", code == 0 and "ADA" in out, (code, err))
        line = next(line for line in shown.split("\n") if line.startswith("*/15 * * * *"))
        that("the crontab line is quiet and absolute", line.endswith("rebalance --quiet >/dev/null") and rebal in line and place.config in line, line)
        ran = subprocess.run(["/bin/sh", "-c", line.split("  ", 1)[1]], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                             env={"HOME": place.folder, "REBAL_API_KEY": "sim", "REBAL_API_SECRET": "sim", "PATH": "/nowhere"}, timeout=120)
        that("and runs a pass without PATH", ran.returncode == 0 and len(sim.state()["orders"]) == 3, ran.stderr)
        units(place, shown)
        code, report = place.json("init", "--non-interactive", "--profile", "other", *(f"--set={value}" for value in (
            f"exchange.base_url={sim.url}", "mode=testnet", "interval=15m", "basket.symbols=ADAUSDT,XRPUSDT,DOGEUSDT",
            "basket.size=3", "basket.target_value=110", "risk.max_drawdown=0.25")))
        that("without questions the same file is written", code == 0 and report["config"] == text, report)
        statuses = {check["name"]: check["status"] for check in report["checks"]}
        that("with the same checks", statuses.get("key") == statuses.get("band") == "ok", statuses)


def units(place, shown):
    """systemd reads its units, where it is installed."""
    if not shutil.which("systemd-analyze"):
        print("skipped: no systemd-analyze")
        return
    service = "[Unit]" + shown.split("rebal.service\n\n[Unit]")[1].split("\n   and as")[0]
    timer = "[Unit]" + shown.split("rebal.timer\n\n[Unit]")[1].split("\n   then:")[0]
    service = service.replace("/PATH/OF/secrets.env", "/dev/null")
    for name, unit in (("rebal.service", service), ("rebal.timer", timer)):
        with open(os.path.join(place.folder, name), "w") as file:
            file.write(unit)
    calendar = re.search("OnCalendar=(.*)", timer).group(1)
    done = subprocess.run(["systemd-analyze", "calendar", "--iterations=2", calendar], capture_output=True, text=True)
    that("systemd understands when", done.returncode == 0, done.stderr)
    done = subprocess.run(["systemd-analyze", "verify", "--user", "--man=no", os.path.join(place.folder, "rebal.timer")],
                          capture_output=True, text=True, env={**os.environ, "XDG_RUNTIME_DIR": place.folder})
    ours = [line for line in done.stderr.splitlines() if "rebal." in line]
    that("and finds no fault in the units", not ours, ours)


def bad_input():
    with Place() as place:
        offline = ("--set", "paper.prices=synthetic")
        code, report = place.json("init")
        that("without a terminal: exit 2, and what to type", code == 2 and "--non-interactive" in report["hint"], report)
        done = subprocess.run(["/bin/sh", "-c", f"{rebal} init <&- 2>&1"], capture_output=True, text=True, env=place.environment(), timeout=60)
        that("with a closed stdin too", done.returncode == 2 and "--non-interactive" in done.stdout, done.stdout)
        that("and nothing is written", not os.path.exists(place.config))
        with Terminal(place, "init", *offline) as term:
            term.answer("Venue:", ENTER)
            term.answer("Mode:", ENTER)
            term.answer("Prices [", "/nowhere/klines" + ENTER)
            term.until("/nowhere/klines: No such file or directory")
            term.until("Again, please.")
            term.answer("Prices [", place.folder + ENTER)
            term.until("there is no SYMBOL*.csv")
            term.answer("Prices [", "synthetic" + ENTER)
            term.until("Equity [")
            term.interrupt()
            that("a folder of prices that is not there, or holds none, is asked for again", "?." not in term.said(), term.said()[-600:])
        for name, keys in (("a list", []), ("a line", ["Venue:", "Mode:"]), ("yes or no", ["Venue:", "Mode:", "Prices [", "Equity [", "Strategy:", "Coins [scan]: ", "Coins [20]: ", "Target per coin [20]: ", "Threshold [0.05]: "])):
            with Terminal(place, "init", *offline) as term:
                for question in keys:
                    term.answer(question, ENTER)
                term.until({"a list": "Venue:", "a line": "Prices [", "yes or no": "Change these answers?"}[name])
                code = term.interrupt()
                that(f"Ctrl-C at {name}: 130, the terminal as it was, nothing written",
                     code == 130 and term.restored() and not os.path.exists(place.config), (code, term.plain()[-300:]))
        with Terminal(place, "init", *offline) as term:
            for question in ("Venue:", "Mode:", "Prices [", "Equity [", "Strategy:", "Coins [scan]: ", "Coins [20]: ", "Target per coin [20]: ", "Threshold [0.05]: "):
                term.answer(question, ENTER)
            term.answer("Change these answers?", "n")
            term.answer("Hard stop", ENTER)
            term.answer("Interval", ENTER)
            term.answer("Telegram", ENTER)
            term.answer("Write it to", "n")
            that("a no to the last question writes nothing", term.end() == 2 and not os.path.exists(place.config))
        for key, wrong, why in (("basket.threshold", "5", "0.05"), ("basket.treshold", "0.05", "basket.threshold"), ("credentials.api_key", RAW_SECRET, "env:NAME")):
            code, report = place.json("init", "--non-interactive", "--set", f"{key}={wrong}")
            that(f"--set {key}: exit 2 with the reason", code == 2 and why in report["message"] and RAW_SECRET not in json.dumps(report), report)
        code, report = place.json("--demo", "init", "--non-interactive")
        that("--demo has no file to write", code == 2 and "--demo" in report["message"], report)
        code, out, err = place.run("init", "--non-interactive", "--format", "html")
        that("a format that does not fit is refused first", (code, out) == (2, "") and not os.path.exists(place.config), err)
        blocked = os.path.join(place.folder, "a file")
        with open(blocked, "w") as file:
            file.write("in the way")
        for where in (os.path.join(blocked, "rebal.toml"), "/proc/rebal.toml", place.folder):
            code, report = place.json("init", "--non-interactive", *offline, "--config", where)
            that(f"{where.replace(place.folder, '…')} cannot be written: exit 2", code == 2 and report["kind"] == "config", report)
        code, report = place.json("init", "--non-interactive", "--set", "mode=testnet", "--set", "exchange.base_url=http://127.0.0.1:9")
        offline_status = {check["name"]: check["status"] for check in report.get("checks", [])}
        that("offline is not verifiable and goes on", code == 0 and offline_status == {"exchange": "not_verifiable"}, report)
        with open(place.config) as file:
            kept = file.read()
        for arguments in (("init",), ("init", "--non-interactive", "--yes", *offline)):
            code, report = place.json(*arguments)
            that("an existing file is named and left alone", code == 2 and place.config in report["message"] and "--profile NAME" in report["hint"]
                 and open(place.config).read() == kept, report)
        os.symlink("/nowhere/at/all", os.path.join(place.folder, "link.toml"))
        code, report = place.json("init", "--non-interactive", *offline, "--config", os.path.join(place.folder, "link.toml"))
        that("a link that leads nowhere is an existing file", code == 2 and "exists already" in report["message"], report)
        odd = os.path.join(place.folder, "it's 100% \"mine\"")
        code, out, err = place.run("init", "--non-interactive", *offline, "--config", os.path.join(odd, "r.toml"), "--state-dir", os.path.join(odd, "s"))
        line = next(line for line in out.split("\n") if line.startswith("*/5"))
        that("% is escaped for cron", "100\\%" in line, line)
        ran = subprocess.run(["/bin/sh", "-c", line.split("  ", 1)[1].replace("\\%", "%").replace("rebalance --quiet", "scan --apply --quiet")],
                             capture_output=True, text=True, env={"HOME": "/nowhere"}, stdin=subprocess.DEVNULL, timeout=120)
        that("and the line runs from such a folder", ran.returncode == 0, ran.stderr)


def arming():
    with Sim(rebal) as sim, Place() as place:
        place.run("init", "--non-interactive", *(f"--set={value}" for value in (
            "mode=live", f"exchange.base_url={sim.url}", "basket.symbols=ADAUSDT,XRPUSDT,DOGEUSDT", "basket.size=3")))
        code, report = place.json("rebalance")
        that("live and not armed: exit 2 with what to do", code == 2 and "init --arm-live" in report.get("hint", ""), report)
        that("and nothing is sent", not posts_of(sim.state()))
        rows = {row["name"]: row["status"] for row in place.json("doctor")[1]["checks"]}
        that("doctor says so too", rows["armed"] == "fail", rows)
        for command in (("plan", "--dry-run"), ("rebalance", "--dry-run"), ("report",), ("funding",), ("risk-check",)):
            code, report = place.json(*command)
            that(f"{' '.join(command)} needs no arming", "armed" not in json.dumps(report.get("message", "")) and code in (0, 5), (code, report))
        code, report = place.json("init", "--arm-live")
        phrase = re.search(r"--confirm ([^\s;]+)", report.get("hint", "") + " --confirm none").group(1)
        that("arming names account and host where nobody can type", code == 2 and phrase.endswith("@" + sim.url.split("//")[1]), report)
        code, report = place.json("init", "--arm-live", "--confirm", "yes")
        that("a wrong phrase arms nothing", code == 2 and place.json("rebalance")[0] == 2, report)
        with Terminal(place, "init", "--arm-live") as term:
            term.answer("to go on): ", "y" + ENTER)
            that("nor does a y at the terminal", term.end() == 2 and "REAL MONEY" in term.plain(), term.plain())
        with Terminal(place, "init", "--arm-live") as term:
            term.until("to go on): ")
            that("Ctrl-C arms nothing", term.interrupt() == 130 and term.restored() and place.json("rebalance")[0] == 2, term.plain())
        path = "/sapi/v1/account/apiRestrictions"
        right = sim.signed("GET", path)
        for name, reply in (("may withdraw", {**right, "enableWithdrawals": True}), ("may not trade futures", {**right, "enableFutures": False}),
                            ("nobody can tell of", {"code": -1, "msg": "down"})):
            sim.advance(1)
            sim.faults({"match": f"GET {path}", "nth": 1, "times": 9, "do": "reply:200:" + json.dumps(reply)})
            code, report = place.json("init", "--arm-live", "--confirm", phrase)
            that(f"a key that {name} is not armed", code == 2 and "key_" in report["message"] and place.json("rebalance")[0] == 2, report)
        sim.faults()
        sim.call("POST", "/sim/modes", {"hedge": True})
        code, report = place.json("init", "--arm-live", "--confirm", phrase)
        that("nor an account in hedge mode", code == 2, report)
        sim.call("POST", "/sim/modes", {"hedge": False})
        sim.advance(1)
        code, report = place.json("init", "--arm-live", "--confirm", phrase)
        that("the right phrase arms", code == 0 and report["schema"] == "rebal.arm/1" and not report["was_armed"], report)
        that("still without an order", not posts_of(sim.state()))
        rows = {row["name"]: row["status"] for row in place.json("doctor")[1]["checks"]}
        that("and doctor says so", rows["armed"] == "ok", rows)
        sim.advance(1)
        code, again = place.json("init", "--arm-live")
        that("once per account: a second time nothing is asked", code == 0 and again["was_armed"] and again["armed_at"] == report["armed_at"], again)
        with Sim(rebal, "--seed", "9", "--api-key", "other", "--api-secret", "other") as other:
            code, error = place.json("rebalance", "--set", f"exchange.base_url={other.url}", env=place.environment("other", "other"))
            that("another account is not armed by it", code == 10 and not posts_of(other.state()), error)
        code, report = place.json("rebalance")
        that("armed, a pass trades", code == 0 and len(sim.state()["orders"]) == 3, report)
        for name in os.listdir(place.state):
            if name.startswith("ledger.db") or name == "lock":
                os.remove(os.path.join(place.state, name))
        sim.advance()
        code, report = place.json("rebalance")
        that("a deleted ledger is unarmed again", code == 2 and len(sim.state()["orders"]) == 3, report)
        code, report = place.json("flatten", "--yes")
        that("flatten works all the same", code == 0 and not [p for p in sim.state()["positions"] if float(p["qty"])], report)
    with Place() as place:
        code, report = place.json("init", "--arm-live", "--set", "mode=testnet")
        that("what is no real money is not armed", code == 2 and "testnet" in report["message"], report)


for scenario in (the_dialogue, bad_input, arming):
    print(f"\n-- {scenario.__name__}")
    scenario()
checks.end()
