"""The whole mission as a new user walks it, with nothing but the binary: on paper, then against `rebal sim` over HTTP.

usage: walk.py REBAL

init → doctor → scan --apply → plan --dry-run → 300 passes by the very line that init printed for the crontab →
report, a week in every format → funding → a crash → hard stop → halted → resume → flatten; and spot. Every step has
to end with the code that the manual promises, say something, and leave stderr empty where nothing is wrong.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from decimal import Decimal

from harness import Checks, Sim, accepted_once

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that
D = Decimal
FORMATS = {"table": "equity", "json": '"schema"', "csv": ",", "markdown": "|", "html": "<svg"}


class Person:
    """Somebody with a home of their own and rebal on their path."""

    def __init__(self, folder, **environment):
        self.home = folder
        os.makedirs(folder, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REBAL", "XDG"))}
        self.env = {**kept, "HOME": folder, "PATH": f"{os.path.dirname(rebal)}:{os.environ['PATH']}", **environment}

    def shell(self, line):
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=self.env, cwd=self.home, stdin=subprocess.DEVNULL, timeout=180)
        return done.returncode, done.stdout, done.stderr

    def types(self, line, code=0, says="", quiet=True):
        """What somebody types, what it must end with and say; stderr is for what is wrong."""
        found, out, err = self.shell(line)
        ok = found == code and re.search(says, out + err) and not (quiet and code == 0 and err.strip())
        odd = re.search(r"\b(None|NaN|(?<!/)null|Some\(|panicked)", "" if "json" in line else out)
        that(f"$ {line}", ok and not odd, (found, odd, out[-600:], err[-600:]))
        return out, err

    def json(self, line):
        return json.loads(self.shell(f"{line} --json")[1])


def crontab_line(text):
    """The line that init printed: five fields, then the command."""
    line = next(line.strip() for line in text.splitlines() if re.match(r"\s*\S*\*/\d+ ", line) and "rebalance" in line)
    return line.split(None, 5)[5]


def looks_back(person):
    person.types("rebal report", says="equity")
    for form, word in FORMATS.items():
        out, _ = person.types(f"rebal report --week --format {form}", says=re.escape(word))
        if form == "json":
            week = json.loads(out)
            that("  the week adds up to the last digit", D(week["unreconciled"]) == 0, week["unreconciled"])
    person.types("rebal report --week --format html --out week.html >/dev/null")
    that("  and is kept as a page", os.path.getsize(os.path.join(person.home, "week.html")) > 5000)


def the_way_out(person):
    """Flatten, halted, resume: what somebody does in a panic and the day after."""
    person.types("rebal flatten --yes", says="(?i)closed|flat", quiet=False)
    person.types("rebal rebalance", code=6, says="(?i)halted")
    out, err = person.types("rebal risk-check", code=6, says="HALTED")
    halt = re.search(r"\bh[0-9a-f]{8}\b", out + err)[0]
    person.types("rebal risk-check --resume --confirm h00000000", code=2, says="(?i)halt")
    person.types(f"rebal risk-check --resume --confirm {halt}", says="(?i)lifted|resumed", quiet=False)
    person.types("rebal rebalance --yes", says="(?i)traded")


def on_paper(scratch):
    print("# on paper, without key or network")
    me = Person(os.path.join(scratch, "paper"))
    me.types("rebal rebalance", code=2, says="init")
    out, err = me.types("rebal init --non-interactive --yes --set paper.prices=synthetic --set scan.source=exchange", says="crontab|rebalance", quiet=False)
    line = crontab_line(out + err)
    me.types("rebal init --non-interactive --yes", code=2, says="(?i)exists|overwrit")
    me.types("rebal rebalance", code=2, says="scan --apply")
    me.types("rebal scan --apply", says="(?i)universe")
    me.types("rebal doctor", says="(?i)ok")
    me.types("rebal plan --dry-run", says="new position")
    codes = {me.shell(line)[0] for _ in range(300)}
    that(f"300 × {line}", codes == {0}, codes)
    report = me.json("rebal report --since 2000-01-01")
    that("  300 readings, and every order accounted for", len(report["equity_curve"]) >= 300 and D(report["unreconciled"]) == 0, (len(report["equity_curve"]), report["unreconciled"]))
    looks_back(me)
    me.types("rebal funding", says="(?i)funding")
    me.types("rebal risk-check", says="(?i)drawdown")
    the_way_out(me)
    me.types("rebal flatten --yes --no-halt", says="(?i)closed|flat", quiet=False)
    held = [one for one in me.json("rebal report")["positions"] if D(one["qty"])]
    that("  nothing is held in the end", not held, held)


def over_http(scratch):
    print("# against rebal sim over HTTP")
    with Sim(rebal, equity="1000") as sim:
        me = Person(os.path.join(scratch, "http"), REBAL_API_KEY="sim", REBAL_API_SECRET="sim")
        me.types("rebal init --non-interactive --yes --set mode=testnet --set scan.source=exchange --set basket.target_value=100 "
                 f"--set exchange.base_url={sim.url} --set exchange.exchange_info_max_age=0s", says="rebalance", quiet=False)
        me.types("rebal doctor", code=2, says="scan --apply")
        me.types("rebal scan --apply", says="(?i)universe", quiet=False)
        me.types("rebal doctor", says="39 ok|40 ok")
        me.types("rebal plan --dry-run", says="new position")
        me.types("rebal rebalance --yes", says="(?i)traded")
        codes = set()
        for _ in range(40):
            sim.advance(1)
            codes.add(me.shell("rebal rebalance --quiet >/dev/null")[0])
        that("40 passes, five minutes apart", codes == {0}, codes)
        state = sim.state()
        that("  no order was accepted twice", accepted_once(state))
        looks_back(me)
        me.types("rebal funding", says="(?i)funding")
        for position in state["positions"]:
            sim.price(position["symbol"], "0.8")
        me.types("rebal rebalance --yes", code=7, says="(?i)stop")
        that("  the crash left nothing open", not sim.state()["positions"], sim.state()["positions"])
        me.types("rebal rebalance --yes", code=6, says="(?i)halted")
        out, err = me.types("rebal risk-check", code=6, says="HALTED")
        halt = re.search(r"\bh[0-9a-f]{8}\b", out + err)[0]
        me.types(f"rebal risk-check --resume --confirm {halt}", says="(?i)lifted|resumed", quiet=False)
        me.types("rebal rebalance --yes", says="(?i)traded")
        the_way_out(me)
        me.types("rebal flatten --yes", says="(?i)closed|flat", quiet=False)
        that("  nothing is held in the end", not sim.state()["positions"], sim.state()["positions"])
        for path, _, names in os.walk(me.home):
            that(f"  {os.path.relpath(path, me.home)}: nothing there is for others to read", all(os.stat(os.path.join(path, name)).st_mode & 0o077 == 0 for name in names if name != "week.html"), names)


def main():
    with tempfile.TemporaryDirectory(prefix="rebal-e2e-") as scratch:
        on_paper(scratch)
        over_http(scratch)
    checks.end()


main()
