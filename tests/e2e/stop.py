"""The hard stop, its latch, flatten, risk-check, alerts and guards, from the contract.

usage: stop.py REBAL [SCENARIO…]

Runs the real binary against `rebal sim` on loopback. Every scenario that sends orders ends by asking the
simulator what it accepted: no client id twice, no position turned round, nothing opened by a closing order.
"""
import fcntl
import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from harness import BASKET, Checks, Home, Sim, accepted_once, wait_for

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that
ORDER = "POST /fapi/v1/order"
# 6 coins of 66 on 200: about 2x, so that a fall of 15 % of all prices loses 30 %.
TWICE = {"basket__target_value": 66}
LOST = 'reply:503:{"code":-1000,"msg":"Unknown error, please check your request or try again later."}'


# ---- what is read from the simulator -------------------------------------------------------------

def posts(state, since=0):
    return [request for request in state["requests"][since:] if request["method"] != "GET"]


def held(state):
    return {row["symbol"]: Decimal(row["qty"]) for row in state["positions"] if Decimal(row["qty"])}


def gross(state):
    return sum(abs(Decimal(row["qty"])) * Decimal(row["mark_price"]) for row in state["positions"])


def closing(state):
    return [order for order in state["orders"] if re.fullmatch(r"rb1[0-9a-f]{16}f", order["client_order_id"])]


def sound(name, sim, once=True):
    """The invariants: ids accepted once, f orders reduce-only sells, no position below zero."""
    state = sim.state()
    wrong = [order for order in closing(state) if not order["reduce_only"] or order["side"] != "SELL"]
    short = {symbol: qty for symbol, qty in held(state).items() if qty < 0}
    that(name, accepted_once(state) and not wrong and not short, (wrong[:2], short))


def fall(sim, factor, symbols=None):
    for symbol in symbols or list(held(sim.state())):
        answer = sim.price(symbol, f"{factor:.6f}")
        if "error" in answer or "http" in answer:
            raise SystemExit(f"cannot move {symbol}: {answer}")


def lose(sim, loss, equity=None):
    """All prices fall alike until this share of `equity` (now) is lost."""
    state = sim.state()
    equity = Decimal(equity or state["equity"])
    amount = Decimal(str(loss)) * equity - (equity - Decimal(state["equity"]))
    fall(sim, 1 - amount / gross(state))


# ---- what is read from the state folder ------------------------------------------------------------

def ledger_rows(home, query, *values):
    with sqlite3.connect(f"file:{home.state}/ledger.db?mode=ro", uri=True, timeout=10) as ledger:
        return ledger.execute(query, values).fetchall()


def halts(home):
    """Ids of the halts that the ledger has and that nobody lifted."""
    return [row[0] for row in ledger_rows(home, "SELECT id FROM halt WHERE cleared_at IS NULL")]


def outbox(home, kind=None):
    rows = ledger_rows(home, "SELECT at, level, kind, text FROM outbox ORDER BY id")
    return [row for row in rows if kind is None or row[2] == kind]


def latch(home):
    return os.path.join(home.state, "HALT")


def forget(home):
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        if os.path.exists(os.path.join(home.state, name)):
            os.remove(os.path.join(home.state, name))


# ---- how it is run ----------------------------------------------------------------------------------

def spawn(home, *arguments):
    return subprocess.Popen(home.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, env=home.environment(), text=True)


def hurried(sim, home, *arguments):
    """Runs a command whose rounds go on to its deadline; the exchange's clock is moved past that."""
    before = len(sim.state()["orders"])
    seen = lambda: len(sim.state()["requests"])
    process = spawn(home, *arguments)
    end, last, still = time.monotonic() + 100, -1, 0
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.25)
        # Between two rounds, once the first orders are out.
        now = seen()
        still = still + 1 if now == last else 0
        last = now
        if still >= 4:
            sim.advance()
            still = -1000
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def on_terminal(home, *arguments, answers=(), seconds=40):
    """Runs on a pseudo-terminal of 100 columns; each answer is typed when its question is there."""
    pid, terminal = pty.fork()
    if pid == 0:
        command = home.command(*arguments)
        environment = {**home.environment(), "TERM": "xterm", "COLUMNS": "100"}
        os.execve(command[0], command, environment)
    shown, waiting, end = b"", list(answers), time.monotonic() + seconds
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.1)
        if ready:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        if waiting and re.search(waiting[0][0].encode(), shown):
            os.write(terminal, waiting.pop(0)[1].encode())
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode(errors="replace"))
    return os.waitstatus_to_exitcode(status), text


def first_line(text):
    return next((line for line in text.splitlines() if line.strip()), "")


def stopped(equity="200", **values):
    """An exchange and a state folder whose basket has just been bought, at about 2x."""
    sim = Sim(rebal, equity=equity)
    home = Home(rebal, sim.url, **{**TWICE, **values})
    code, report = home.json("rebalance")
    if code != 0 or len(held(sim.state())) != 6:
        raise SystemExit(f"the first allocation failed: {code} {report}")
    sim.advance()
    return sim, home


# ---- a. the hard stop -------------------------------------------------------------------------------

def hard_stop():
    sim, home = stopped()
    with sim, home:
        # An own NAV: units change at transfers, never at profit.
        nav = lambda units: Decimal(sim.state()["equity"]) / units
        units = Decimal(200)
        peak = max(Decimal(1), nav(units))
        sim.call("POST", "/sim/transfer", {"amount": "-70"})
        units -= 70 / (Decimal(sim.state()["equity"]) + 70) * units
        code, report = home.json("rebalance")
        that("a withdrawal of 35 % is no drawdown and stops nothing",
             code == 0 and Decimal(report["plan"]["drawdown"]) < Decimal("0.01") and not closing(sim.state()), (code, report.get("plan", report)))
        peak = max(peak, nav(units))
        sim.call("POST", "/sim/transfer", {"amount": "70"})
        units += 70 / (Decimal(sim.state()["equity"]) - 70) * units
        code, report = home.json("rebalance")
        that("and the money back is no profit", code == 0 and Decimal(report["plan"]["nav"]) < Decimal("1.01"), (code, report["plan"]["nav"]))
        # 29 %, of the peak, by the own calculation.
        peak = max(peak, nav(units))
        wanted = units * peak * (1 - Decimal("0.29"))
        lose(sim, 1 - wanted / Decimal(sim.state()["equity"]))
        mine = 1 - nav(units) / peak
        code, report = home.json("rebalance")
        theirs = Decimal(report["plan"]["drawdown"])
        that("a loss of 29 % does not fire", code == 0 and not closing(sim.state()) and not os.path.exists(latch(home)), (code, report))
        that(f"and the drawdown is the own calculation's ({mine:.5f}, {theirs:.5f})", abs(mine - theirs) < Decimal("0.0005"))
        sim.advance()
        # A deposit does not hide the rest of it.
        sim.call("POST", "/sim/transfer", {"amount": "150"})
        units += 150 / (Decimal(sim.state()["equity"]) - 150) * units
        wanted = units * peak * (1 - Decimal("0.3005"))
        lose(sim, 1 - wanted / Decimal(sim.state()["equity"]))
        mine = 1 - nav(units) / peak
        before = sim.state()
        code, dry, _ = home.run("plan", "--dry-run")
        trace = os.path.join(home.folder, "trace")
        code, out, err = home.run("rebalance", "--json", wrap=("strace", "-f", "-ttt", "-s", "200", "-y", "-e",
                                  "trace=openat,write,pwrite64,sendto,writev,sendmsg,fsync,fdatasync,rename,link", "-o", trace))
        report = json.loads(out)
        after = sim.state()
        that("a deposit does not hide a loss of 30 %: the stop fires, exit 7", code == 7 and report["exit_code"] == 7, (mine, code, report))
        that("everything is closed", not held(after), held(after))
        new = after["orders"][len(before["orders"]):]
        that("by reduce-only orders of kind f, one per coin", len(new) == 6 and new == closing(after), new)
        that("nothing is open that is ours", sim.signed("GET", "/fapi/v1/openOrders") == [])
        sound("none was accepted twice, none opened", sim)
        that("the latch is in the ledger and in HALT", len(halts(home)) == 1 and halts(home)[0] in open(latch(home)).read(), halts(home))
        that("the halt has its alert", any(row[1] == "critical" for row in outbox(home)), outbox(home))
        order_of_events(trace, home)
        that("the stop is told in the report", report.get("outcome") not in (None, "done"), report.get("outcome"))


def order_of_events(trace, home):
    """HALT and the ledger are synced before the first byte of the first order."""
    lines = [line.split(None, 2) for line in open(trace, errors="replace")]
    calls = [(number, parts[2]) for number, parts in enumerate(lines) if len(parts) == 3]
    order = next((number for number, call in calls if "POST /fapi/v1/order" in call), None)
    synced = [number for number, call in calls if re.match(r"f(data)?sync\(", call) and "HALT" in call]
    folder = [number for number, call in calls if re.match(r"f(data)?sync\(", call) and call.split("<")[-1].startswith(home.state + ">")]
    ledger = [number for number, call in calls if re.match(r"f(data)?sync\(", call) and "ledger.db" in call]
    that("HALT is fsynced before the first order leaves", order is not None and synced and synced[0] < order, (order, synced))
    that("its folder too", order is not None and folder and folder[0] < order, (order, folder))
    written = [number for number, call in calls if re.match(r"p?write(64)?\(", call) and "ledger.db" in call and number < (synced[0] if synced else 0)]
    between = [number for number in ledger if order is not None and number < order]
    that("and the ledger", between and written, (order, ledger[:5]))


def latch_before_the_first_order():
    """Killed while the first closing order is with the exchange: both halves of the latch are there."""
    sim, home = stopped(execution__concurrency=1)
    with sim, home:
        lose(sim, 0.32)
        sim.faults({"match": ORDER, "nth": 1, "times": 1, "do": "accept_then_stall"})
        process = spawn(home, "rebalance", "--json")
        that("the first closing order goes out", wait_for(lambda: closing(sim.state()), 30))
        ids = halts(home)
        that("by then ledger and HALT are halted", len(ids) == 1 and os.path.exists(latch(home)), ids)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        sim.faults()
        sim.advance()
        code, report = home.json("rebalance")
        that("killed in the stop, the next pass ends it: 7 and flat", code == 7 and not held(sim.state()), (code, report))
        sound("no order twice, none turned round", sim)
        code, _ = home.json("rebalance")
        that("and then it refuses", code == 6)


# ---- b. halted --------------------------------------------------------------------------------------

def liquidated():
    """The exchange was faster than the stop: pass, alert and report say so."""
    sim, home = stopped(risk__max_drawdown=0.9)
    with sim, home:
        fall(sim, 0.4)
        sim.advance()
        that("the exchange liquidated", not held(sim.state()) and any(row["type"] == "INSURANCE_CLEAR" for row in sim.state()["income"]), sim.state()["income"][-3:])
        code, out, err = home.run("rebalance")
        that("the pass says that the account was liquidated", code == 7 and "LIQUIDATED: the exchange closed positions by force" in out and "account was closed with 0 orders" not in out, (code, out, err))
        db = sqlite3.connect(os.path.join(home.state, "ledger.db"))
        texts = [text for text, in db.execute("SELECT text FROM outbox ORDER BY id")]
        db.close()
        that("so does the alert", any("hard stop, LIQUIDATED by the exchange" in text and "equity 0.00 USDT" in text and "flat since" in text for text in texts), texts)
        code, out, err = home.run("report", "--week")
        that("so does the report", code == 0 and "LIQUIDATED: the exchange closed positions by force at 20" in out and "INSURANCE_CLEAR (liquidation)" in out, (code, out, err))
        code, page, _ = home.run("report", "--week", "--format", "html")
        that("and the page", code == 0 and "LIQUIDATED" in page, code)
        code, report = home.json("report", "--week")
        that("and the object", report.get("liquidated_at", "").startswith("20") and [row["id"] for row in report["halts"]] == halts(home), report.get("halts"))
        code, _, err = home.run("rebalance")
        that("and every pass after it", code == 6 and "LIQUIDATED" in err, (code, err))


def remembered():
    """A halt that was lifted is in the report of its period."""
    sim, home = stopped()
    with sim, home:
        lose(sim, 0.31)
        code, report = home.json("rebalance")
        ident = halts(home)[0]
        that("the stop fires", code == 7, (code, report))
        sim.advance()
        code, report = home.json("risk-check", "--resume", "--confirm", ident)
        that("and is lifted", code == 0, (code, report))
        sim.advance()
        home.run("rebalance")
        for form in ("table", "markdown", "html"):
            code, out, err = home.run("report", "--week", "--format", form)
            plain = " ".join(out.split())
            that(f"{form}: the week's report says when it fired, why, and that trading goes on",
                 code == 0 and "Halted 20" in plain and ident in plain and "reached its limit of 30.0 %" in plain and "trading was resumed 20" in plain, (code, out[:600], err))
        code, report = home.json("report", "--week")
        row = report["halts"][0]
        that("the object has it with its times", len(report["halts"]) == 1 and row["id"] == ident and row["at"] <= row["flat_at"] <= row["resumed_at"] and not report["halted"], report["halts"])
        code, report = home.json("report", "--since", "2020-01-01", "--until", "2020-02-01")
        that("a period before has none", code == 0 and "halts" not in report, report.get("halts"))


def halted():
    sim, home = stopped()
    with sim, home:
        code, report = home.json("flatten", "--yes")
        that("flatten closes and halts", code == 0 and report["halted"] and not held(sim.state()), (code, report))
        ident = halts(home)[0]
        before = len(sim.state()["requests"])
        code, report = home.json("rebalance")
        that("a halted rebalance ends with 6 without a single request",
             (code, report.get("kind")) == (6, "halted") and len(sim.state()["requests"]) == before, (code, report, sim.state()["requests"][before:]))
        that("names the halt and says how to lift it", ident in json.dumps(report) and "risk-check --resume" in json.dumps(report), report)
        code, out, err = home.run("rebalance")
        that("as text too, with nothing on stdout", code == 6 and out == "" and "HALTED" in err and ident in err, (out, err))
        for arguments, ends in [(["plan", "--dry-run"], 6), (["plan"], 6), (["plan", "--detailed-exitcode"], 6), (["rebalance", "--dry-run"], 6), (["risk-check"], 6)]:
            name = " ".join(arguments)
            code, out, err = home.run(*arguments)
            that(f"{name}: HALTED is the first line, exit {ends}", code == ends and first_line(out).startswith("HALTED") and ident in first_line(out), (code, out[:300], err))
            code, out, err = home.run(*arguments, "--format", "markdown")
            that(f"{name}: in markdown too", code == ends and "HALTED" in first_line(out), (code, out[:300], err))
            code, report = home.json(*arguments)
            shown = report.get("halted", report.get("plan", {}).get("halted") if isinstance(report.get("plan"), dict) else None)
            that(f"{name}: and in JSON", code == ends and shown and ident in json.dumps(report), (code, shown, str(report)[:300]))
        that("nothing was sent by any of them", not posts(sim.state(), before), posts(sim.state(), before))

        # Either half of the latch alone.
        kept = open(latch(home)).read()
        os.remove(latch(home))
        code, report = home.json("rebalance")
        that("without HALT the ledger halts", code == 6 and ident in json.dumps(report), (code, report))
        for name, make in [("its own text", lambda: open(latch(home), "w").write(kept)), ("garbage", lambda: open(latch(home), "wb").write(b"\xff\x00\xfe garbage")),
                           ("an empty file", lambda: open(latch(home), "w").close()), ("a folder", lambda: os.mkdir(latch(home))),
                           ("a link to nowhere", lambda: os.symlink("/nowhere/at/all", latch(home)))]:
            home2 = Home(rebal, sim.url, **TWICE)
            with home2:
                os.makedirs(home2.state)
                saved, home.state = home.state, home2.state
                make()
                home.state = saved
                sim.advance(1)
                before = len(sim.state()["requests"])
                code, report = home2.json("rebalance")
                that(f"HALT as {name}, and no ledger, halts and sends nothing",
                     (code, report.get("kind")) == (6, "halted") and not posts(sim.state(), before), (code, report))
                if name == "its own text":
                    that("a halt that closed everything needs no look", len(sim.state()["requests"]) == before)
        forget(home)
        if not os.path.exists(latch(home)):
            with open(latch(home), "w") as file:
                file.write(kept)
        before = len(sim.state()["requests"])
        code, report = home.json("rebalance")
        that("with HALT and its ledger deleted it halts", code == 6 and not posts(sim.state(), before), (code, report))
        forget(home)
        if os.path.exists(latch(home)):
            os.remove(latch(home))
        for turn in ("first", "second"):
            sim.advance(1)
            before = len(sim.state()["orders"])
            code, report = home.json("rebalance")
            that(f"ledger and HALT deleted: the exchange's own orders halt it ({turn} pass)",
                 code == 6 and len(sim.state()["orders"]) == before, (code, report))
        that("and it stays in both halves", os.path.exists(latch(home)) and len(halts(home)) == 1)
        forget(home)
        os.remove(latch(home))
        code, report = home.json("risk-check")
        that("risk-check says so too on a new machine", code in (6, 9), (code, str(report)[:300]))


def rebuilt_with_old_positions():
    """A flatten that left something behind, seen by a new machine days later: halted, not fresh."""
    sim, home = stopped()
    with sim, home:
        sim.advance(12 * 24 * 3)
        home.json("rebalance")
        sim.call("POST", "/sim/status", {"symbol": "ADAUSDT", "status": "SETTLING"})
        code, report, _ = hurried(sim, home, "flatten", "--yes", "--json")
        report = json.loads(report)
        that("what cannot be closed ends flatten with 8", code == 8 and [row["symbol"] for row in report["remaining"]] == ["ADAUSDT"], (code, report))
        sim.call("POST", "/sim/status", {"symbol": "ADAUSDT", "status": "TRADING"})
        for days in (0, 5):
            sim.advance(1 + 12 * 24 * days)
            forget(home)
            if os.path.exists(latch(home)):
                os.remove(latch(home))
            before = len(sim.state()["orders"])
            code, report = home.json("rebalance")
            opened = [order for order in sim.state()["orders"][before:] if order["side"] == "BUY"]
            that(f"a new machine {days} days later: halted, opens nothing", code in (6, 7, 8, 9) and not opened, (code, report, opened))
            code, report = home.json("rebalance")
            opened = [order for order in sim.state()["orders"][before:] if order["side"] == "BUY"]
            that("and stays so", code in (6, 7, 8, 9) and not opened, (code, report, opened))
            print(f"      (new machine, {days} days later: exit {code}, {report.get('message')})")


# ---- c. resume --------------------------------------------------------------------------------------

def resume():
    sim, home = stopped()
    with sim, home:
        lose(sim, 0.33)
        code, _ = home.json("rebalance")
        that("the stop fires", code == 7, code)
        ident = halts(home)[0]
        sim.advance()
        peaks = ledger_rows(home, "SELECT peak FROM equity ORDER BY pass_id DESC LIMIT 1")[0][0]
        for name, arguments in [("without a terminal and without --confirm", []), ("with a wrong id", ["--confirm", "h00000000"]), ("with an empty id", ["--confirm", ""]),
                                ("with --yes alone", ["--yes"]), ("with part of the id", ["--confirm", ident[:5]]), ("with a longer id", ["--confirm", ident + "0"])]:
            code, report = home.json("risk-check", "--resume", *arguments)
            that(f"resume {name} ends with 2 and stays halted", code == 2 and halts(home) == [ident] and os.path.exists(latch(home)), (code, report))
        code, report = home.json("risk-check", "--confirm", ident)
        that("--confirm without --resume lifts nothing", code in (2, 6) and halts(home) == [ident], (code, report))
        code, text = on_terminal(home, "risk-check", "--resume", answers=[(r"h[0-9a-f]{8}", "h12345678\n")], seconds=15)
        that(f"on a terminal a wrong id lifts nothing ({code})", code in (2, 6) and halts(home) == [ident], (code, text))
        code, text = on_terminal(home, "risk-check", "--resume", answers=[(ident, ident + "\n")], seconds=15)
        that("on a terminal it asks for the id, and lifts it", code == 0 and not halts(home) and not os.path.exists(latch(home)), (code, text))
        that("it shows the old and the new peak", f"{Decimal(peaks):.4f}" in text, text)
        code, report = home.json("rebalance")
        bought = [order for order in report.get("orders", []) if order["side"] == "BUY"]
        that("the next rebalance buys again", code == 0 and len(bought) == 6 and len(held(sim.state())) == 6, (code, report))
        that("drawdown is counted from the new peak", Decimal(report["plan"]["drawdown"]) < Decimal("0.01"), report["plan"]["drawdown"])
        start = Decimal(report["equity_before"])
        sim.advance()
        lose(sim, 0.29, equity=start)
        code, report = home.json("rebalance")
        that("29 % from the new peak does not fire", code == 0, (code, report))
        sim.advance()
        lose(sim, 0.305, equity=start)
        code, report = home.json("rebalance")
        that("30 % from the new peak fires again", code == 7 and not held(sim.state()), (code, report))
        again = halts(home)
        that("under a new id", len(again) == 1 and again != [ident], again)
        code, report = home.json("risk-check", "--resume", "--confirm", ident)
        that("which the old id does not lift", code == 2 and halts(home) == again, (code, report))
        code, report = home.json("risk-check", "--resume", "--confirm", again[0])
        text = json.dumps(report)
        that("the right id does, without a terminal", code == 0 and not halts(home) and not os.path.exists(latch(home)), (code, report))
        that("with the old and the new peak in JSON", "old_peak" in text or ("peak" in text and "before" in text), report)
        code, report = home.json("risk-check", "--resume", "--confirm", again[0])
        that("a second resume lifts nothing and says so", code in (0, 2) and "not halted" in json.dumps(report).lower(), (code, str(report)[:300]))
        code, report = home.json("risk-check")
        that("risk-check is well again", code == 0 and report["halted"] is False, (code, str(report)[:200]))
        sound("no order twice, none turned round", sim)


# ---- d. flatten -------------------------------------------------------------------------------------

def flatten_asks():
    sim, home = stopped()
    with sim, home:
        before = len(sim.state()["requests"])
        code, out, err = home.run("flatten")
        that("without a terminal and without --yes flatten ends with 2, nothing sent",
             code == 2 and not posts(sim.state(), before) and not os.path.exists(latch(home)) and "--yes" in err, (code, out, err))
        code, text = on_terminal(home, "flatten", answers=[(r"\?|\[y/N\]", "n\n")], seconds=15)
        that(f"on a terminal it asks, and no is no ({code})", code == 2 and not posts(sim.state(), before) and len(held(sim.state())) == 6 and not os.path.exists(latch(home)), (code, text))
        code, text = on_terminal(home, "flatten", answers=[(r"\?|\[y/N\]", "\n")], seconds=15)
        that("nothing typed is no", not posts(sim.state(), before) and len(held(sim.state())) == 6, (code, text))
        for wrong in ("NOSUCHUSDT", "ADA USDT", "", "BTCUSDT"):
            code, report = home.json("flatten", "--yes", "--no-halt", "--symbols", wrong)
            that(f"--symbols {wrong!r} closes nothing", len(held(sim.state())) == 6 and (code == 2 or wrong in ("BTCUSDT", "NOSUCHUSDT")), (code, report))
        code, report = home.json("flatten", "--yes", "--no-halt", "--symbols", "ADAUSDT,XRPUSDT")
        left = held(sim.state())
        that("--symbols leaves the others alone", code == 0 and set(left) == set(BASKET) - {"ADAUSDT", "XRPUSDT"}
             and sorted(row["symbol"] for row in report["closed"]) == ["ADAUSDT", "XRPUSDT"], (code, report, left))
        that("--no-halt leaves trading armed", report["halted"] is False and not os.path.exists(latch(home)), report)
        sim.advance()
        code, report = home.json("rebalance")
        that("and the next pass buys them again", code == 0 and len(held(sim.state())) == 6, (code, report))
        sim.advance()
        sim.price("ADAUSDT", "1.3")
        orders = len(sim.state()["orders"])
        code, text = on_terminal(home, "rebalance", answers=[(r"Send \d+ orders", "n\n")], seconds=20)
        that("rebalance: no is no in the same way, and the plan is not told twice", code == 2 and len(sim.state()["orders"]) == orders
             and "not confirmed" in text and "Dry run" not in text and text.count("ADA ") <= 2, (code, text))
        home.json("rebalance")
        sim.advance()
        code, text = on_terminal(home, "flatten", answers=[(r"\?|\[y/N\]", "y\n")], seconds=20)
        that("on a terminal yes closes all and halts", code == 0 and not held(sim.state()) and os.path.exists(latch(home)), (code, text))
        sound("no order twice, none turned round", sim)
        code, report = home.json("flatten", "--yes")
        that("flatten of a flat account is 0", code == 0 and report["closed"] == [] and report["remaining"] == [], (code, report))


def partly_flattened():
    """Closing one coin must not take the stop away from the others, nor call them flat."""
    sim, home = stopped()
    with sim, home:
        for name in ("ADA", "ada", "ADAUSD"):
            code, out, err = home.run("flatten", "--yes", "--no-halt", "--symbols", name)
            closed = "ADAUSDT" not in held(sim.state())
            that(f"--symbols {name}: closes ADA or is refused, never 'flat' while it is held", closed or code == 2, (code, out, err))
            if closed:
                sim.advance()
                home.json("rebalance")
        code, out, err = home.run("flatten", "--yes", "--symbols", "ADAUSDT")
        that("flatten of one coin of six does not call the account flat", code == 0 and len(held(sim.state())) == 5 and "Flat:" not in out, out)
        sim.advance()
        lose(sim, 0.4)
        codes = [home.json(command)[0] for command in ("rebalance", "risk-check")]
        that(f"a loss of 40 % of what is left after it fires the stop ({codes})", not held(sim.state()) and any(code in (7, 8) for code in codes), (codes, held(sim.state())))
        sound("no id twice, nothing turned round", sim)


def flatten_resting_orders():
    sim, home = stopped()
    with sim, home:
        mark = lambda symbol, factor, digits: str((Decimal(sim.call("GET", f"/fapi/v1/premiumIndex?symbol={symbol}")["markPrice"]) * Decimal(factor)).quantize(Decimal(digits)))
        install = closing_install(home)
        placed = []
        def rest(symbol, price, ident, **more):
            placed.append(sim.signed("POST", "/fapi/v1/order", symbol=symbol, side="BUY", type="LIMIT", timeInForce="GTC", quantity=more.get("quantity", "100"), price=price, newClientOrderId=ident))
        rest("DOGEUSDT", mark("DOGEUSDT", "0.96", "0.00001"), f"rb1{install}0000009900o")
        rest("XLMUSDT", mark("XLMUSDT", "0.96", "0.00001"), f"rb1{install}0000009901o")
        rest("DOGEUSDT", mark("DOGEUSDT", "0.95", "0.00001"), "stranger-1")
        # A contract in which nothing is held.
        rest("GALAUSDT", "0.00850", f"rb1{install}0000009902o", quantity="2000")
        for ident in (f"rb1{install}0000009903r", "stranger-2"):
            placed.append(sim.signed("POST", "/fapi/v1/algoOrder", algoType="CONDITIONAL", symbol="DOGEUSDT", side="SELL", type="STOP_MARKET", quantity="50",
                                     triggerPrice=mark("DOGEUSDT", "0.7", "0.00001"), reduceOnly="true", clientAlgoId=ident))
        that("the resting orders are there", all("http" not in row and "code" not in row for row in placed), placed)
        code, report = home.json("flatten", "--yes")
        left = [row["clientOrderId"] for row in sim.signed("GET", "/fapi/v1/openOrders")]
        algo = [row["clientAlgoId"] for row in sim.signed("GET", "/fapi/v1/openAlgoOrders")]
        that("flatten cancels resting orders with our prefix, a stranger's stay", left == ["stranger-1"], left)
        that("conditional ones too", algo == ["stranger-2"], algo)
        that("and closes everything", code == 0 and not held(sim.state()), (code, report))
    sim, home = stopped()
    with sim, home:
        placed = sim.signed("POST", "/fapi/v1/order", symbol="DOGEUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="200",
                            price=str((Decimal(sim.call("GET", "/fapi/v1/premiumIndex?symbol=DOGEUSDT")["markPrice"]) * Decimal("0.96")).quantize(Decimal("0.00001"))), newClientOrderId=f"rb1{closing_install(home)}0000009900o")
        lose(sim, 0.33)
        code, report = home.json("rebalance")
        print(f"      (a resting order of ours in the hard stop: exit {code}, {report.get('message', report.get('outcome'))})")
        that("a hard stop beside an order that the ledger does not know closes, or ends with 9 and says so; it opens nothing",
             (code in (7, 8) and not held(sim.state())) or (code == 9 and report.get("kind") == "foreign"), (code, report, placed))
        code, report = home.json("flatten", "--yes")
        that("flatten closes there too", code == 0 and not held(sim.state()) and sim.signed("GET", "/fapi/v1/openOrders") == [], (code, report))


def closing_install(home):
    return ledger_rows(home, "SELECT value FROM meta WHERE key = 'install'")[0][0]


def flatten_in_chunks():
    sim, home = stopped(equity="2000000")
    with sim, home:
        info = sim.call("GET", "/fapi/v1/exchangeInfo")
        rules = next(row for row in info["symbols"] if row["symbol"] == "ADAUSDT")
        largest = Decimal(next(row for row in rules["filters"] if row["filterType"] == "MARKET_LOT_SIZE")["maxQty"])
        for _ in range(3):
            answer = sim.call("POST", "/sim/trade", {"symbol": "ADAUSDT", "qty": str(largest)})
        big = held(sim.state())["ADAUSDT"]
        that(f"a position of more than three largest orders ({big} of {largest})", big > 3 * largest, (answer, big, largest))
        before = len(sim.state()["orders"])
        code, report = home.json("flatten", "--yes")
        chunks = [Decimal(order["qty"]) for order in sim.state()["orders"][before:] if order["symbol"] == "ADAUSDT"]
        that("is closed in chunks of at most the largest order", code == 0 and not held(sim.state()) and len(chunks) >= 4 and max(chunks) <= largest and sum(chunks) == big, (code, chunks, report))
        row = next((row for row in report["closed"] if row["symbol"] == "ADAUSDT"), None)
        that("and reported as one coin with its whole quantity", row and Decimal(row["qty"]) == big, report["closed"])
        sound("no order twice, none turned round", sim)


def flatten_faults():
    fast = {"exchange__timeout_ms": 1000, "execution__concurrency": 1}
    for name, faults, ends in [
        ("partial fills over several rounds", [{"match": ORDER, "nth": 1, "times": 14, "do": "partial:0.5"}], (0, 8)),
        ("-1008 overloaded", [{"match": ORDER, "nth": 2, "times": 3, "do": "reject:-1008"}], (0, 8)),
        ("-4131 no counterparty price", [{"match": ORDER, "nth": 1, "times": 2, "do": "reject:-4131"}], (0, 8)),
        ("-2022 reduce-only refused", [{"match": ORDER, "nth": 2, "times": 1, "do": "reject:-2022"}], (0, 8)),
        ("accepted, answer lost", [{"match": ORDER, "nth": 2, "times": 2, "do": "accept_then_close"}], (0, 8)),
        ("accepted, answer stalls", [{"match": ORDER, "nth": 2, "times": 1, "do": "accept_then_stall"}], (0, 8)),
        ("dropped", [{"match": ORDER, "nth": 2, "times": 2, "do": "drop"}], (0, 8)),
        ("503 unknown", [{"match": ORDER, "nth": 3, "times": 2, "do": LOST}], (0, 8)),
        ("answer cut", [{"match": ORDER, "nth": 1, "times": 2, "do": "truncate:20"}], (0, 8)),
        ("the read-back fails", [{"match": "GET /fapi/v3/positionRisk", "nth": 2, "times": 1, "do": "drop"},
                                 {"match": "GET /fapi/v3/account", "nth": 2, "times": 1, "do": "reply:502:"}], (0, 8)),
        ("every order refused", [{"match": ORDER, "nth": 1, "times": 500, "do": "reject:-1008"}], (8,)),
    ]:
        sim, home = stopped(**fast)
        with sim, home:
            was = held(sim.state())
            sim.faults(*faults)
            began = time.monotonic()
            if name == "every order refused":
                code, report, _ = hurried(sim, home, "flatten", "--yes", "--json")
                report = json.loads(report)
            else:
                code, report = home.json("flatten", "--yes")
            took = time.monotonic() - began
            left = held(sim.state())
            that(f"flatten, {name}: exit {code} in {took:.1f} s", code in ends and (code == 8) == bool(report["remaining"]) and (code != 0 or not left), (code, report, left))
            if name == "every order refused":
                that("it is loud", report["remaining"] and len(left) == 6 and any(row[1] == "critical" for row in outbox(home)), (report, outbox(home)))
            sold = {}
            for order in closing(sim.state()):
                sold[order["symbol"]] = sold.get(order["symbol"], 0) + Decimal(order["filled_qty"])
            that(f"flatten, {name}: never sold more than was held", all(sold.get(symbol, 0) <= qty for symbol, qty in was.items()), (was, sold))
            sim.faults()
            sim.advance()
            code, report = home.json("rebalance")
            expected = (6,) if not left else (7,)
            that(f"flatten, {name}: the next pass ends with {expected[0]}", code in expected and not held(sim.state()), (code, left, report))
            sound(f"flatten, {name}: no id twice, nothing opened or turned round", sim)


def cannot_be_closed():
    for fire in ("flatten", "rebalance"):
        sim, home = stopped()
        with sim, home:
            sim.call("POST", "/sim/status", {"symbol": "XRPUSDT", "status": "SETTLING"})
            if fire == "rebalance":
                lose(sim, 0.33)
            code, out, err = hurried(sim, home, fire, "--yes")
            left = held(sim.state())
            that(f"{fire}: a contract that is settling: exit 8, the others closed", code == 8 and set(left) == {"XRPUSDT"}, (code, left))
            that(f"{fire}: it is named and said loud", "XRP" in out + err and any(word in (out + err).upper() for word in ("NOT FLAT", "POSITIONS ARE LEFT")), (out, err))
            that(f"{fire}: and alerted", any(row[1] == "critical" and "XRP" in row[3] for row in outbox(home)), outbox(home))
            sim.advance()
            before = len(sim.state()["orders"])
            code, out, err = hurried(sim, home, "rebalance", "--json")
            that(f"{fire}: the next rebalance goes on, 8", code == 8, (code, out, err))
            that(f"{fire}: and buys nothing", not [o for o in sim.state()["orders"][before:] if o["side"] == "BUY"])
            sim.call("POST", "/sim/status", {"symbol": "XRPUSDT", "status": "TRADING"})
            sim.advance()
            code, report = home.json("rebalance")
            that(f"{fire}: as soon as it trades again it is closed, 7", code == 7 and not held(sim.state()), (code, report))
            code, report = home.json("rebalance")
            that(f"{fire}: and then 6", code == 6, (code, report))
            sound(f"{fire}: no id twice, nothing turned round", sim)


def killed_in_flatten():
    """SIGKILL after each closing order; SIGTERM in the middle."""
    for count in (1, 3, 6):
        sim, home = stopped(execution__concurrency=1)
        with sim, home:
            was = held(sim.state())
            process = slow(sim, home, "flatten", "--yes", "--json")
            that(f"{count} closing orders go out", wait_for(lambda: len(closing(sim.state())) >= count, 30))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            sim.faults()
            sim.advance()
            left = held(sim.state())
            code, report = home.json("rebalance")
            that(f"killed after {count} of 6: the next pass finishes, 7 (or 6 where it was flat)",
                 code in ((7,) if left else (6, 7)) and not held(sim.state()) and halts(home), (code, left, report))
            sound(f"killed after {count}: no id twice, nothing turned round", sim)
            code, _ = home.json("rebalance")
            that("and stays halted", code == 6, code)
    for ends in (signal.SIGTERM, signal.SIGINT):
        sim, home = stopped(execution__concurrency=1)
        with sim, home:
            process = slow(sim, home, "flatten", "--yes", "--json")
            wait_for(lambda: len(closing(sim.state())) >= 2, 30)
            process.send_signal(ends)
            out, err = process.communicate(timeout=60)
            left = held(sim.state())
            that(f"{ends.name} in flatten ends with 130 and one JSON object", process.returncode == 130 and json.loads(out), (process.returncode, out, err))
            that("something is left and the latch is set", left and halts(home) and os.path.exists(latch(home)), (left,))
            sim.faults()
            sim.advance()
            code, report = home.json("rebalance")
            that("the next pass goes on to the end", code == 7 and not held(sim.state()), (code, report))
            sound(f"{ends.name}: no id twice, nothing turned round", sim)


def slow(sim, home, *arguments):
    """Starts a command whose orders take their time."""
    sim.faults({"match": ORDER, "nth": 1, "times": 100, "do": "delay:250"})
    return spawn(home, *arguments)


# ---- e. flatten with everything else broken -------------------------------------------------------

def flatten_whatever_is_broken():
    for name, breaks in [
        ("a basket of unknown coins", dict(sets=['basket.symbols=["NOSUCHUSDT"]'])),
        ("no basket at all", dict(sets=["basket.symbols=[]"])),
        ("a strategy that is not there yet", dict(sets=["strategy.kind=moonshot"])),
        ("an unknown key in the file", dict(text='[basket]\nsymbols = ["ADAUSDT"]\nfrobnicate = 3\n')),
        ("an impossible value", dict(sets=["risk.max_drawdown=30"])),
        ("no ledger", dict(ledger="none")),
        ("a ledger of garbage", dict(ledger="garbage")),
        ("a ledger that another process locks", dict(ledger="locked")),
        ("a read-only state folder", dict(ledger="readonly")),
        ("exchangeInfo down", dict(faults=["GET /fapi/v1/exchangeInfo"])),
        ("bookTicker down", dict(faults=["GET /fapi/v1/ticker/bookTicker"])),
        ("premiumIndex down", dict(faults=["GET /fapi/v1/premiumIndex"])),
        ("income, fees and trades down", dict(faults=["GET /fapi/v1/income", "GET /fapi/v1/userTrades", "GET /fapi/v1/commissionRate", "GET /fapi/v1/apiTradingStatus", "GET /fapi/v1/leverageBracket"])),
        ("all of the market data down", dict(faults=["GET /fapi/v1/exchangeInfo", "GET /fapi/v1/ticker/bookTicker", "GET /fapi/v1/premiumIndex", "GET /fapi/v1/fundingInfo"])),
    ]:
        sim, home = stopped(exchange__exchange_info_max_age="0s")
        with sim, home:
            sets = [part for value in breaks.get("sets", []) for part in ("--set", value)]
            if "text" in breaks:
                with open(home.config, "w") as file:
                    file.write(f'mode = "testnet"\n[exchange]\nbase_url = "{sim.url}"\n' + breaks["text"])
            if "faults" in breaks:
                sim.faults(*[{"match": match, "nth": 1, "times": 1000, "do": "reply:502:"} for match in breaks["faults"]])
            lock, undo = None, lambda: None
            kind = breaks.get("ledger")
            if kind == "none":
                forget(home)
            if kind == "garbage":
                forget(home)
                with open(os.path.join(home.state, "ledger.db"), "wb") as file:
                    file.write(b"no database at all, just a diary " * 300)
            if kind == "locked":
                lock = sqlite3.connect(os.path.join(home.state, "ledger.db"))
                lock.execute("BEGIN EXCLUSIVE")
            if kind == "readonly":
                undo = read_only(home)
            began = time.monotonic()
            code, report = home.json("flatten", "--yes", *sets)
            took = time.monotonic() - began
            if lock:
                lock.rollback()
                lock.close()
            undo()
            storage = kind in ("garbage", "locked", "readonly")
            that(f"flatten with {name}: everything is closed", not held(sim.state()), (code, report))
            that(f"flatten with {name}: exit {code} in {took:.1f} s", (code not in (0, 1, 2, 101) if storage else code == 0) and took < 60, (code, report))
            sound(f"flatten with {name}: no id twice, nothing turned round", sim)
            sim.faults()
            sim.advance()
            if kind == "garbage":
                forget(home)
            before = len(sim.state()["orders"])
            after, report = home.json("rebalance")
            that(f"flatten with {name}: and nothing is bought after it ({after})", after in (2, 6, 10) and len(sim.state()["orders"]) == before, (after, report))


def read_only(home):
    """A state folder that cannot be written, for root too: a read-only bind mount, else permissions."""
    if os.geteuid() == 0:
        done = subprocess.run(["mount", "--bind", home.state, home.state], capture_output=True, text=True)
        if done.returncode == 0:
            subprocess.run(["mount", "-o", "remount,ro,bind", home.state], check=True)
            return lambda: subprocess.run(["umount", home.state], check=True)
        done = subprocess.run(["chattr", "-R", "+i", home.state], capture_output=True, text=True)
        if done.returncode == 0:
            return lambda: subprocess.run(["chattr", "-R", "-i", home.state], check=True)
        print("      (no read-only folder to be had here as root: neither mount nor chattr works)")
        return lambda: None
    os.chmod(home.state, 0o500)
    for name in os.listdir(home.state):
        os.chmod(os.path.join(home.state, name), 0o400)
    def undo():
        os.chmod(home.state, 0o700)
        for name in os.listdir(home.state):
            os.chmod(os.path.join(home.state, name), 0o600)
    return undo


def exchange_down():
    sim, home = stopped()
    with home:
        with sim:
            sim.faults({"match": "*", "nth": 1, "times": 100000, "do": "drop"})
            began = time.monotonic()
            code, report = home.json("flatten", "--yes")
            that(f"an exchange that answers nothing: 8 in {time.monotonic() - began:.0f} s, HALT is set",
                 code == 8 and os.path.exists(latch(home)) and halts(home), (code, report))
            sim.faults()
            sim.advance()
            code, report = home.json("rebalance")
            that("and the next pass closes", code == 7 and not held(sim.state()), (code, report))
            sound("no id twice, nothing turned round", sim)
        os.remove(latch(home))
        code, report = home.json("flatten", "--yes")
        that("nobody at the port: 8, HALT is set", code == 8 and os.path.exists(latch(home)), (code, report))


# ---- f. wrong readings and alerts -------------------------------------------------------------------

def zeros(sim):
    """What /fapi/v3/account answers, with nothing in it (as some saw on 2025-10-10)."""
    body = sim.signed("GET", "/fapi/v3/account")
    def empty(value):
        if isinstance(value, dict):
            return {name: ("0" if isinstance(inner, str) and re.fullmatch(r"-?[0-9.]+", inner) and name != "positionAmt" else empty(inner)) for name, inner in value.items()}
        return [empty(inner) for inner in value] if isinstance(value, list) else value
    return "reply:200:" + json.dumps(empty(body))


def zero_balances():
    """The account reads as worth nothing: in the totals alone, and in every field."""
    for name in ("wallet", "every field"):
        sim, home = stopped()
        with sim, home:
            home.json("rebalance")
            baseline = ledger_rows(home, "SELECT equity, units, nav, peak FROM equity ORDER BY pass_id DESC LIMIT 1")
            nothing = zeros(sim)
            if name == "wallet":
                body = sim.signed("GET", "/fapi/v3/account")
                body["totalWalletBalance"], body["totalMarginBalance"] = "0", body["totalUnrealizedProfit"]
                for asset in body["assets"]:
                    if asset["asset"] == "USDT":
                        asset["walletBalance"], asset["marginBalance"] = body["totalWalletBalance"], body["totalMarginBalance"]
                nothing = "reply:200:" + json.dumps(body)
            sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 1000, "do": nothing})
            before = len(posts(sim.state()))
            for turn in range(10):
                code, report = home.json("rebalance")
                if (code, report.get("kind")) != (4, "unavailable"):
                    break
            that(f"zero in {name}: ten passes end with 4", code == 4 and turn == 9, (turn, code, report))
            code, report = home.json("risk-check")
            that("risk-check too", code == 4 and not os.path.exists(latch(home)), (code, report))
            that("nothing was sent, nothing halted", len(posts(sim.state())) == before and not halts(home))
            that("no baseline moved", ledger_rows(home, "SELECT equity, units, nav, peak FROM equity ORDER BY pass_id DESC LIMIT 1") == baseline)
            rows = outbox(home)
            kinds = sorted({row[2] for row in rows})
            that(f"one alert, {kinds}", len(rows) == 1 and kinds[0] in ("equity_unavailable", "exchange_unavailable"), rows)
            sim.advance(12 * 4 + 1)
            home.json("rebalance")
            home.json("rebalance")
            that("and once more after four hours", len(outbox(home)) == 2, outbox(home))
            sim.faults()
            sim.advance()
            fall(sim, Decimal("1.2"), ["ADAUSDT"])
            code, report = home.json("rebalance")
            that("the next good reading trades", code == 0 and any(o["symbol"] == "ADAUSDT" for o in report["orders"]), (code, report))
            rows = outbox(home)
            that("and says that it is over", len(rows) == 3 and rows[-1][1] == "over" and "lasted" in rows[-1][3] and rows[-1][2] == rows[0][2], outbox(home))
            home.json("rebalance")
            that("once", len(outbox(home)) == 3, outbox(home))
            # One bad reading at the moment of a real loss delays the stop by no more than that reading.
            sim.advance()
            lose(sim, 0.36)
            sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 1, "do": nothing})
            first, _ = home.json("rebalance")
            sim.faults()
            second, report = (first, None) if first == 7 else home.json("rebalance")
            that("a real loss beside one wrong reading still stops", first in (4, 7) and second == 7 and not held(sim.state()), (first, second, report))
            sound("no id twice, nothing turned round", sim)


# ---- g. guards that pass.py has not -------------------------------------------------------------------

def book(sim, change):
    rows = sim.call("GET", "/fapi/v1/ticker/bookTicker")
    for row in rows:
        change(row)
    return {"match": "GET /fapi/v1/ticker/bookTicker", "nth": 1, "times": 1000, "do": "reply:200:" + json.dumps(rows)}


def listing(sim, change):
    info = sim.call("GET", "/fapi/v1/exchangeInfo")
    for row in info["symbols"]:
        change(row)
    return {"match": "GET /fapi/v1/exchangeInfo", "nth": 1, "times": 1000, "do": "reply:200:" + json.dumps(info)}


def guards():
    fresh = {"exchange__exchange_info_max_age": "0s"}
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        # A ledger, so that a plan asks for no more than it needs.
        home.values = {**TWICE, **fresh}

        def planned(**values):
            """What a first pass would do under these limits."""
            home.values = {**TWICE, **fresh, **values}
            code, report = home.json("plan", "--dry-run")
            legs = {leg["symbol"]: leg for leg in report.get("legs", [])}
            skips = {skip["symbol"]: skip["reason"] for skip in report.get("skipped", [])}
            return code, legs, skips, report

        def fresh_minute():
            """A first look asks for 13 weeks of income: five of them are the weight of a minute."""
            sim.faults()
            sim.advance()

        fresh_minute()
        code, legs, skips, report = planned()
        that("no guard, six orders", code == 0 and len(legs) == 6 and not skips, (code, skips))
        mids = {row["symbol"]: (Decimal(row["bidPrice"]) + Decimal(row["askPrice"])) / 2 for row in sim.call("GET", "/fapi/v1/ticker/bookTicker")}
        bound = [Decimal(leg["limit_price"]) / mids[symbol] - 1 for symbol, leg in legs.items()]
        that("limit prices are above the middle, at most 50 bps", all(0 < over <= Decimal("0.005") for over in bound), bound)
        bound = [Decimal(leg["limit_price"]) / mids[symbol] - 1 for symbol, leg in planned(execution__max_slippage_bps=10)[1].items()]
        that("at most 10 where 10 is set", len(bound) == 6 and all(over <= Decimal("0.001") for over in bound), bound)

        def wide(row):
            if row["symbol"] == "ADAUSDT":
                row["askPrice"] = str(Decimal(row["bidPrice"]) * Decimal("1.005"))[:8]
        sim.faults(book(sim, wide))
        code, legs, skips, _ = planned()
        that("a spread of 50 bps: that coin is not traded", code == 0 and list(skips) == ["ADAUSDT"] and len(legs) == 5 and "spread" in skips["ADAUSDT"], (code, skips))
        fresh_minute()

        def apart(row):
            if row["symbol"] == "XRPUSDT":
                for name in ("bidPrice", "askPrice"):
                    row[name] = str((Decimal(row[name]) * Decimal("1.04")).quantize(Decimal(row[name])))
        sim.faults(book(sim, apart))
        code, legs, skips, _ = planned()
        that("a mark 4 % from the book: that coin is not traded", code == 0 and list(skips) == ["XRPUSDT"] and "mark" in skips["XRPUSDT"], (code, skips))

        def old(row):
            row["time"] = int(row["time"]) - 3_600_000
        fresh_minute()
        sim.faults(book(sim, old))
        code, legs, _, report = planned()
        print(f"      (every book's last change is an hour old: exit {code}, {len(legs)} orders, {len(report.get('skipped', []))} skipped)")
        marks = sim.call("GET", "/fapi/v1/premiumIndex")
        for row in marks:
            row["time"] = int(row["time"]) - 3_600_000
        sim.faults({"match": "GET /fapi/v1/premiumIndex", "nth": 1, "times": 100, "do": "reply:200:" + json.dumps(marks)})
        code, legs, _, report = planned()
        that("marks an hour old trade nothing", not legs and code in (0, 4), (code, report))
        fresh_minute()

        code, legs, skips, _ = planned(execution__max_orders_per_pass=2)
        that("a cap of two orders", len(legs) == 2 and len(skips) == 4, (legs, skips))
        code, legs, skips, report = planned(execution__max_turnover_per_pass=0.5)
        that("a cap on turnover of half the target", len(legs) == 3 and Decimal(report["turnover"]) <= 198, (legs.keys(), skips, report))
        code, legs, skips, report = planned(risk__max_effective_leverage=1)
        that("no increase above the highest leverage", Decimal(report["leverage_after"]) <= 1 and len(legs) == 3, (report["leverage_after"], skips))
        fresh_minute()
        code, legs, skips, report = planned(risk__min_liquidation_distance=0.7)
        that("no increase closer to liquidation than allowed", 0 < len(legs) < 6 and Decimal(report["liquidation_distance_after"]) >= Decimal("0.7"), (len(legs), report["liquidation_distance_after"]))
        code, legs, skips, report = planned(futures__leverage=1, basket__target_value=60, risk__margin_buffer=0.05)
        that("no increase into the margin buffer", 0 < len(legs) < 6 and Decimal(report["turnover"]) <= 190, (len(legs), report["turnover"], skips))

        sim.call("POST", "/sim/status", {"symbol": "TRXUSDT", "status": "PENDING_TRADING"})
        code, legs, skips, _ = planned()
        that("a contract that is not trading is not bought", list(skips) == ["TRXUSDT"] and len(legs) == 5, skips)
        sim.call("POST", "/sim/status", {"symbol": "TRXUSDT", "status": "TRADING"})

        fresh_minute()
        for mode, words in [({"hedge": True}, "one-way"), ({"hedge": False, "multi_assets": True}, "single-asset")]:
            sim.call("POST", "/sim/modes", mode)
            fresh_minute()
            code, _, _, report = planned()
            that(f"{mode} is refused and says what to do", code == 2 and words in json.dumps(report), (code, report))
        sim.call("POST", "/sim/modes", {"hedge": False, "multi_assets": False})

    # An isolated position: the contract is isolated while it is held.
    sim, home = stopped()
    with sim, home:
        answer = sim.call("POST", "/sim/modes", {"isolated": "ADAUSDT"})
        fall(sim, Decimal("1.1"), ["ADAUSDT"])
        before = len(posts(sim.state()))
        code, report = home.json("rebalance")
        text = json.dumps(report).lower()
        that("an isolated position is refused, or left alone, with the fix named", "isolated" in text and "cross" in text and not [o for o in report.get("orders", []) if o["symbol"] == "ADAUSDT"],
             (answer, code, report))

    # A contract that will be delivered soon is closed, and not bought again.
    sim, home = stopped(**fresh)
    with sim, home:
        soon = sim.call("GET", "/fapi/v1/time")["serverTime"] + 6 * 3_600_000
        def leaving(row):
            if row["symbol"] == "HBARUSDT":
                row["deliveryDate"] = soon
        sim.faults(listing(sim, leaving))
        code, report = home.json("rebalance")
        that("a contract with a delivery date is closed", code == 0 and "HBARUSDT" not in held(sim.state()), (code, report.get("plan", {}).get("skipped"), report.get("orders")))
        sim.advance()
        sim.faults(listing(sim, leaving))
        code, report = home.json("rebalance")
        that("and not bought again", "HBARUSDT" not in held(sim.state()), (code, report))

    # A hand trade beside a due order in another coin.
    sim, home = stopped()
    with sim, home:
        sim.call("POST", "/sim/trade", {"symbol": "ADAUSDT", "qty": "60"})
        fall(sim, Decimal("1.1"), ["XRPUSDT"])
        code, report = home.json("rebalance")
        orders = [o["symbol"] for o in report.get("orders", [])]
        that("a hand trade is not fought in the same pass, the others go on", orders == ["XRPUSDT"], (code, orders, report.get("message")))


# ---- h. five faults at once -------------------------------------------------------------------------

def five_faults():
    for seed, faults in enumerate([
        [(1, "accept_then_close"), (3, "drop"), (4, LOST), (5, "partial:0.5"), (6, "truncate:15")],
        [(2, "truncate:0"), (3, "accept_then_close"), (4, "reject:-1008"), (5, LOST), (6, "accept_then_close")],
    ]):
        for firing in (False, True):
            sim, home = stopped(exchange__timeout_ms=1000)
            with sim, home:
                was = held(sim.state())
                if firing:
                    lose(sim, 0.33)
                else:
                    fall(sim, Decimal("0.85"), ["ADAUSDT", "XRPUSDT", "DOGEUSDT"])
                    fall(sim, Decimal("1.15"), ["TRXUSDT", "XLMUSDT", "HBARUSDT"])
                sim.faults(*[{"match": ORDER, "nth": nth, "times": 1, "do": do} for nth, do in faults],
                           {"match": "GET /fapi/v1/userTrades", "nth": 2, "times": 1, "do": "reply:502:"}, {"match": "GET /fapi/v1/order", "nth": 1, "times": 1, "do": "drop"})
                codes = []
                for _ in range(9):
                    codes.append(home.json("rebalance")[0])
                    sim.advance()
                state = sim.state()
                values = {row["symbol"]: Decimal(row["qty"]) * Decimal(row["mark_price"]) for row in state["positions"]}
                if firing:
                    that(f"five faults in the hard stop ({seed}): {codes}, flat", not held(state) and codes[0] in (7, 8) and codes[-1] == 6, (codes, held(state)))
                    sold = {}
                    for order in closing(state):
                        sold[order["symbol"]] = sold.get(order["symbol"], 0) + Decimal(order["filled_qty"])
                    that("sold is what was held", sold == was, (sold, was))
                else:
                    that(f"five faults in a pass ({seed}): {codes}, the basket is whole", codes[-1] == 0 and all(60 <= value <= 72 for value in values.values()), (codes, values))
                    per_coin = {}
                    for order in state["orders"][6:]:
                        per_coin.setdefault(order["symbol"], []).append((order["side"], order["filled_qty"]))
                    moved = {symbol: sum(Decimal(qty) * (1 if side == "BUY" else -1) for side, qty in rows) for symbol, rows in per_coin.items()}
                    that("no order was sent twice: each coin moved by what it lacked, once", all(len({side for side, _ in rows}) == 1 for rows in per_coin.values()), (per_coin, moved))
                sound("no id twice, nothing turned round", sim)


# ---- i. risk-check ------------------------------------------------------------------------------------

def risk_check():
    sim, home = stopped(exchange__exchange_info_max_age="0s")
    with sim, home:
        def figures(*arguments):
            code, report = home.json("risk-check", *arguments)
            return code, {check["name"]: check for check in report.get("checks", [])}, report

        code, well, report = figures()
        wanted = {"equity", "nav", "peak_nav", "drawdown", "max_drawdown", "effective_leverage", "margin_ratio", "halted", "checks"}
        that("risk-check has every figure of the contract, exit 0", code == 0 and wanted <= set(report) and report["halted"] is False, (code, wanted - set(report)))
        that("and each check has value, limit and verdict", well and all({"value", "limit", "status", "detail"} <= set(check) and check["status"] in ("ok", "warn", "breach") for check in well.values()), well)
        state = sim.state()
        that("equity and leverage are the exchange's", abs(Decimal(report["equity"]) - Decimal(state["equity"])) < Decimal("0.01")
             and abs(Decimal(report["effective_leverage"]) - gross(state) / Decimal(state["equity"])) < Decimal("0.001"), report["equity"])
        that("the margin ratio too", abs(Decimal(report["margin_ratio"]) - Decimal(state["maint_margin"]) / Decimal(state["equity"])) < Decimal("0.0001"), (report["margin_ratio"], state["maint_margin"]))
        before = len(posts(sim.state()))
        bad = {}

        def shows(name, codes, *arguments):
            code, found, report = figures(*arguments)
            check = found.get(name, {})
            bad[name] = check.get("status")
            that(f"{name} can be bad: {check.get('status')}, exit {code}", check.get("status") in ("warn", "breach") and code in codes
                 and (code == 5) == any(row["status"] == "breach" for row in found.values()), (code, check, report.get("message")))

        shows("effective_leverage", (5,), "--set", "risk.max_effective_leverage=1.5")
        shows("liquidation_distance", (0, 5), "--set", "risk.min_liquidation_distance=0.6")
        shows("spread_bps", (0, 5), "--set", "execution.max_spread_bps=1")
        shows("mark_gap", (0, 5), "--set", "execution.max_mark_gap=0.00001")
        shows("sector_share", (0,))
        sim.call("POST", "/sim/restrictions", {"enableWithdrawals": True, "permitsUniversalTransfer": True, "enableInternalTransfer": True, "enableMargin": True,
                                               "enableVanillaOptions": True, "enableFutures": False, "ipRestrict": False,
                                               "tradingAuthorityExpirationTime": sim.call("GET", "/fapi/v1/time")["serverTime"] + 3 * 86_400_000})
        for name in ("key_withdrawals", "key_universal_transfer", "key_internal_transfer", "key_margin", "key_options", "key_futures", "key_ip_restriction", "key_expiry"):
            shows(name, (0, 5))
        sim.call("POST", "/sim/restrictions", {"enableWithdrawals": False, "permitsUniversalTransfer": False, "enableInternalTransfer": False, "enableMargin": False,
                                               "enableVanillaOptions": False, "enableFutures": True, "ipRestrict": True, "tradingAuthorityExpirationTime": 0})
        sim.call("POST", "/sim/indicators", [{"scope": "XRPUSDT", "indicator": name, "value": "0.999", "triggerValue": "0.99", "isLocked": False} for name in ("UFR", "IFER", "GCR", "DR")])
        for name in ("indicator_ufr", "indicator_ifer", "indicator_gcr", "indicator_dr"):
            shows(name, (0, 5))
        sim.call("POST", "/sim/indicators", [])
        sim.advance(5)
        shows("last_pass_age_s", (0, 5))
        home.json("rebalance")
        fall(sim, Decimal("2.8"), ["ADAUSDT"])
        shows("coin_share", (0, 5))
        fall(sim, 1 / Decimal("2.8"), ["ADAUSDT"])
        sim.call("POST", "/sim/transfer", {"amount": "-110"})
        home.json("rebalance")
        that("none of them sent anything", not [row for row in posts(sim.state())[before:] if "order" in row["path"].lower()], posts(sim.state())[before:])
        # Near liquidation, with a stop that is far away.
        far = ("--set", "risk.max_drawdown=0.99")
        lose(sim, 0.965)
        shows("margin_ratio", (0, 5), *far)
        shows("coin_liquidation_distance", (0, 5), *far)
        shows("drawdown", (0, 5), *far)
        code, found, _ = figures()
        that("without it risk-check fires the stop: 7, flat", code == 7 and not held(sim.state()), code)
        code, found, report = figures()
        that("and is 6 from then on", code == 6 and report["halted"] is True and report["halt_id"] in open(latch(home)).read(), (code, report))
        left = set(well) - set(bad) - {"unresolved_orders"}
        that("every figure was made bad once", not left, left)
        sound("no id twice, nothing turned round", sim)

    sim, home = stopped(execution__concurrency=1)
    with sim, home:
        fall(sim, Decimal("1.1"), ["ADAUSDT"])
        sim.faults({"match": ORDER, "nth": 1, "times": 1, "do": "accept_then_close"}, {"match": "GET /fapi/v1/order", "nth": 1, "times": 100, "do": "reject:-2013"},
                   {"match": "GET /fapi/v1/userTrades", "nth": 1, "times": 100, "do": "reply:502:"})
        home.json("rebalance")
        code, report = home.json("risk-check")
        check = next((row for row in report.get("checks", []) if row["name"] == "unresolved_orders"), {})
        that("unresolved_orders can be bad, exit 5", code == 5 and check.get("status") in ("warn", "breach") and check.get("value") == "1", (code, check, report.get("message")))
        sim.faults({"match": "*", "nth": 1, "times": 1000, "do": "drop"})
        code, report = home.json("risk-check")
        that("risk-check with the exchange down is 4", (code, report.get("kind")) == (4, "unavailable"), (code, report))
        sim.faults()
        with open(os.path.join(home.state, "lock"), "w") as busy:
            fcntl.flock(busy, fcntl.LOCK_EX)
            code, report = home.json("risk-check")
            that("risk-check beside a pass is 3", (code, report.get("kind")) == (3, "locked"), (code, report))
        sim.call("POST", "/sim/status", {"symbol": "XRPUSDT", "status": "SETTLING"})
        sim.advance()
        lose(sim, 0.35)
        code, out, err = hurried(sim, home, "risk-check", "--json")
        that("a stop that cannot close everything is 8", code == 8 and set(held(sim.state())) == {"XRPUSDT"}, (code, out, err))


SCENARIOS = [liquidated, remembered, hard_stop, latch_before_the_first_order, halted, rebuilt_with_old_positions, resume, flatten_asks, partly_flattened, flatten_resting_orders,
             flatten_in_chunks, flatten_faults, cannot_be_closed, killed_in_flatten, flatten_whatever_is_broken, exchange_down,
             zero_balances, guards, five_faults, risk_check]

def alone(scenario):
    began = time.monotonic()
    print(f"\n-- {scenario.__name__}")
    try:
        scenario()
    except Exception:  # one broken scenario hides no other
        that(f"{scenario.__name__} ran to its end", False, traceback.format_exc())
    print(f"   ({time.monotonic() - began:.1f} s)", flush=True)


def each_in_a_process():
    """Scenarios share nothing and mostly wait: three at a time, shown in their order."""
    def one(scenario):
        return subprocess.run([sys.executable, __file__, rebal, scenario.__name__], capture_output=True, text=True)

    with ThreadPoolExecutor(3) as pool:
        for done in pool.map(one, SCENARIOS):
            *lines, last = done.stdout.rstrip().splitlines() or [""]
            print("\n".join(lines), done.stderr, sep="", flush=True)
            counts = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
            if not counts:
                that("a scenario says how it ended", False, last)
                continue
            checks.passed += int(counts[1])
            checks.failed += int(counts[2])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        for scenario in SCENARIOS:
            if scenario.__name__ in sys.argv[2:]:
                alone(scenario)
    else:
        each_in_a_process()
    checks.end()
