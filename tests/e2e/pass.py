"""The whole pass over HTTP: allocation, harvest, lost answers, kills, wrong input.

usage: pass.py REBAL [--every-syscall]

Runs the real binary against `rebal sim` on loopback. Every scenario ends by asking the simulator what it
accepted; no client id may ever have been accepted twice.
"""
import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from decimal import Decimal

from harness import BASKET, Checks, Home, Sim, accepted_once, injected, killed, syscalls, wait_for

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that
ORDER = "POST /fapi/v1/order"


def posts(state, since=0):
    return [request for request in state["requests"][since:] if request["method"] != "GET"]


def agree(name, home, sim):
    """The ledger's positions are the exchange's."""
    import sqlite3
    ledger = sqlite3.connect(os.path.join(home.state, "ledger.db"))
    ours = {symbol: Decimal(qty) for symbol, qty in ledger.execute("SELECT symbol, qty FROM position") if Decimal(qty)}
    theirs = {row["symbol"]: Decimal(row["qty"]) for row in sim.state()["positions"] if Decimal(row["qty"])}
    open_ends = ledger.execute("SELECT client_id, state FROM intent WHERE state IN ('planned','sending','unknown','accepted')").fetchall()
    ledger.close()
    that(name, ours == theirs and not open_ends, (ours, theirs, open_ends))


def allocation_quiet_harvest_rebuy():
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        code, report = home.json("plan", "--dry-run", "--detailed-exitcode")
        that("plan says that there is something to do", code == 20 and len(report["legs"]) == 6, (code, report))
        that("plan sends nothing but reads", not posts(sim.state()), posts(sim.state()))
        that("plan --dry-run leaves no ledger", not os.path.exists(os.path.join(home.state, "ledger.db")))
        code, report = home.json("rebalance")
        filled = [order for order in report["orders"] if order["status"] == "filled"]
        that("initial allocation fills six buys", (code, len(filled)) == (0, 6), (code, report))
        that("leverage is set before", all(row["qty"] for row in sim.state()["positions"]) and len(posts(sim.state())) >= 12)
        agree("ledger and exchange agree after the allocation", home, sim)
        sim.advance()
        before = len(sim.state()["requests"])
        code, report = home.json("rebalance")
        wave = sim.state()["requests"][before:]
        that("a quiet pass trades nothing", (code, report["outcome"]) == (0, "nothing_to_do"), (code, report))
        that("with reads only, weight at most 60", not posts(sim.state(), before) and sum(r["weight"] for r in wave) <= 60,
             [(r["path"], r["weight"]) for r in wave])
        sim.price("ADAUSDT", "1.08")
        code, report = home.json("rebalance")
        that("a coin 8 % up is harvested, reduce-only",
             code == 0 and [(o["symbol"], o["side"], o["reason"]) for o in report["orders"]] == [("ADAUSDT", "SELL", "above_band")]
             and sim.state()["orders"][-1]["reduce_only"], (code, report))
        sim.price("XRPUSDT", "0.70")
        code, report = home.json("rebalance")
        that("a coin 30 % down is bought back",
             code == 0 and [(o["symbol"], o["side"], o["reason"]) for o in report["orders"]] == [("XRPUSDT", "BUY", "below_band")],
             (code, report))
        agree("ledger and exchange agree after the harvest", home, sim)
        rows = home.trades()
        that("trades.csv has a row per fill", len(rows) == 1 + 8, len(rows))
        that("nothing was accepted twice", accepted_once(sim.state()))


def lost_answers():
    for fault, setting in [("accept_then_close", {}), ("accept_then_stall", {"exchange__timeout_ms": 1000}), ("truncate:20", {}),
                           ('reply:503:{"code":-1000,"msg":"Unknown error, please check your request or try again later."}', {}),
                           ("drop", {})]:
        reached = fault.startswith(("accept", "truncate"))
        with Sim(rebal) as sim, Home(rebal, sim.url, execution__concurrency=1, **setting) as home:
            sim.faults({"match": ORDER, "nth": 3, "times": 1, "do": fault})
            code, report = home.json("rebalance")
            unknown = [order for order in report.get("orders", []) if order["status"] == "unknown"]
            that(f"{fault}: exit 5 with one unknown order", code == 5 and len(unknown) == 1, (code, report))
            sent = [order["client_order_id"] for order in sim.state()["orders"]]
            that(f"{fault}: nothing further was opened", len(sent) == (3 if reached else 2), sent)
            if not reached:
                code, report = home.json("rebalance")
                skipped = [skip["reason"] for skip in report["plan"]["skipped"]]
                that(f"{fault}: before the fence the coin is left alone", code == 5 and "unresolved" in skipped, (code, skipped))
            sim.advance()
            code, report = home.json("rebalance")
            that(f"{fault}: the next pass ends with 0", code == 0, (code, report))
            settled = [(order["client_order_id"], order["status"]) for order in report.get("settled", [])]
            expected = [(unknown[0]["client_order_id"], "filled" if reached else "not_sent")] if unknown else []
            that(f"{fault}: it settles that order", settled == expected, (settled, expected))
            code, report = home.json("rebalance")
            that(f"{fault}: and then the basket is whole", code == 0 and report["outcome"] == "nothing_to_do", (code, report))
            agree(f"{fault}: ledger and exchange agree", home, sim)
            that(f"{fault}: nothing was accepted twice", accepted_once(sim.state()))
            that(f"{fault}: each coin was bought once", len(sim.state()["orders"]) == 6, len(sim.state()["orders"]))


def an_order_that_hides():
    """Accepted, its answer lost, and every query says that there is none: never absent, never doubled."""
    with Sim(rebal) as sim, Home(rebal, sim.url, execution__concurrency=1) as home:
        gone = {"match": "GET /fapi/v1/order", "nth": 1, "times": 50, "do": "reject:-2013"}
        sim.faults({"match": ORDER, "nth": 3, "times": 1, "do": "accept_then_close"}, gone)
        home.json("rebalance")
        sim.advance()
        code, report = home.json("rebalance")
        that("an order that the exchange denies, but lists, stays unresolved", code == 5 and not report["settled"], (code, report["settled"]))
        that("and is named", any("unknown" in note for note in report["notes"]), report["notes"])
        sim.faults()
        code, report = home.json("rebalance")
        that("it is adopted as soon as it shows", code == 0 and [o["status"] for o in report["settled"]] == ["filled"], (code, report["settled"]))
        agree("ledger and exchange agree after it", home, sim)
        that("nothing was accepted twice", accepted_once(sim.state()) and len(sim.state()["orders"]) == 6)


def refusals():
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        sim.faults({"match": ORDER, "nth": 2, "do": "reject:-2019"}, {"match": ORDER, "nth": 1, "do": "partial:0.5"})
        code, report = home.json("rebalance")
        words = sorted({order["status"] for order in report["orders"]})
        that("insufficient margin ends the increases, exit 5", code == 5 and "rejected" in words and "partial" in words, (code, words))
        sim.advance()
        code, report = home.json("rebalance")
        that("the next pass buys what is missing", code == 0, (code, report))
        agree("ledger and exchange agree after refusals", home, sim)
        that("nothing was accepted twice", accepted_once(sim.state()))


def kills(every):
    """SIGKILL after every durable step and at random syscalls; then one pass settles."""
    if not shutil.which("strace"):
        that("strace is installed for the kill sweep", False)
        return

    def once(where, label):
        """Kills one allocation there; whether it was killed, and whether all was well after it."""
        with Sim(rebal) as sim, Home(rebal, sim.url) as home:
            code, _, _ = home.run("rebalance", wrap=injected(where))
            sim.advance()
            after, report = home.json("rebalance")
            again, _ = home.json("rebalance")
            state = sim.state()
            positions = {row["symbol"] for row in state["positions"] if Decimal(row["qty"])}
            well = (after, again) == (0, 0) and accepted_once(state) and len(state["orders"]) == 6 and positions == set(BASKET)
            if not well:
                that(label, False, (code, after, again, len(state["orders"]), sorted(positions), report.get("message")))
            return killed(code), well

    results = []
    for number in range(1, 60):
        struck, well = once(f"fsync,fdatasync:signal=SIGKILL:when={number}", f"kill at durable step {number}")
        if not struck:
            break
        results.append(well)
    that(f"killed at each of {len(results)} durable steps, the next pass settles every time", len(results) >= 8 and all(results))

    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        trace = os.path.join(home.folder, "trace")
        home.run("rebalance", wrap=("strace", "-f", "-o", trace))
        points = syscalls(trace)
    chosen = points if every else random.Random(7).sample(points, 40)
    results = [once(f"{name}:signal=SIGKILL:when={number}", f"kill at {name} number {number}") for name, number in chosen]
    struck = sum(struck for struck, _ in results)
    that(f"killed at {struck} of {len(results)} syscalls out of {len(points)}, the next pass settles every time",
         struck >= len(results) * 3 // 4 and all(well for _, well in results), struck)


def others():
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        home.run("rebalance")
        before = len(sim.state()["requests"])
        other = os.path.join(home.folder, "other")
        code, report = home.json("rebalance", state=other)
        that("a second ledger on the same account ends with 9", (code, report.get("kind")) == (9, "foreign"), (code, report))
        that("and sends nothing", not posts(sim.state(), before))
        sim.signed("POST", "/fapi/v1/order", symbol="DOGEUSDT", side="BUY", type="MARKET", quantity="100",
                   newClientOrderId="rb1ffffff0000000100o")
        before = len(sim.state()["requests"])
        code, report = home.json("rebalance")
        that("an order of another machine ends with 9", (code, report.get("kind")) == (9, "foreign"), (code, report))
        that("and nothing is sent", not posts(sim.state(), before))
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        home.run("rebalance")
        sim.call("POST", "/sim/trade", {"symbol": "ADAUSDT", "qty": "-20"})
        code, report = home.json("rebalance")
        skipped = [(skip["symbol"], skip["reason"]) for skip in report["plan"]["skipped"]]
        that("a hand trade is noticed and left alone", ("ADAUSDT", "changed_elsewhere") in skipped, (code, skipped))
        code, report = home.json("rebalance")
        that("the next pass takes it as it is", code == 0 and not [s for s in report["plan"]["skipped"] if s["reason"] == "changed_elsewhere"], report)
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        sim.signed("POST", "/fapi/v1/order", symbol="DOGEUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="200",
                   price=str(Decimal(sim.call("GET", "/fapi/v1/premiumIndex?symbol=DOGEUSDT")["markPrice"]).quantize(Decimal("0.00001")) * Decimal("0.97"))[:7],
                   newClientOrderId="rb1ffffff0000000100o")
        code, report = home.json("rebalance")
        that("a resting order of another machine ends with 9", (code, report.get("kind")) == (9, "foreign"), (code, report))


def what_is_believed():
    """Deposits, withdrawals and wrong readings: nav follows profit alone, and unexplained equity nothing at all."""
    def nav_of(home):
        code, report = home.json("plan", "--dry-run")
        return code, Decimal(report["nav"]) if code == 0 else None, report

    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        home.run("rebalance")
        sim.advance()
        home.run("rebalance")
        _, before, _ = nav_of(home)
        sim.call("POST", "/sim/transfer", {"amount": "-70"})
        code, after, report = nav_of(home)
        that("a withdrawal of 35 % is no loss", code == 0 and abs(after - before) < Decimal("0.001"), (before, after))
        home.run("rebalance")
        sim.call("POST", "/sim/transfer", {"amount": "200"})
        code, report = home.json("rebalance")
        that("a deposit is no profit", abs(Decimal(report["plan"]["nav"]) - before) < Decimal("0.002"), report["plan"]["nav"])
        value, equity = Decimal(report["plan"]["nav"]), Decimal(report["equity_after"])
        for symbol in BASKET:
            sim.price(symbol, "0.8")
        lost = equity - Decimal(sim.state()["equity"])
        # Within one minute nobody could tell which came first.
        sim.advance()
        sim.call("POST", "/sim/transfer", {"amount": "300"})
        sim.advance()
        code, after, report = nav_of(home)
        expected = value * (1 - lost / equity)
        that("a deposit does not hide a loss", abs(after - expected) < Decimal("0.02"), (after, expected))

    account = lambda sim: sim.signed("GET", "/fapi/v3/account")
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        home.run("rebalance")
        sim.advance()
        home.run("rebalance")
        _, before, _ = nav_of(home)
        sim.price("ADAUSDT", "1.2")
        wrong = account(sim)
        for factor in (10, Decimal("0.25"), 0):
            changed = json.loads(json.dumps(wrong))
            for name in ("totalWalletBalance", "totalMarginBalance"):
                changed[name] = str((Decimal(wrong["totalWalletBalance"]) * factor + (Decimal(wrong["totalUnrealizedProfit"]) if "Margin" in name else 0)))
            for asset in changed["assets"]:
                if asset["asset"] == "USDT":
                    asset["walletBalance"] = changed["totalWalletBalance"]
                    asset["marginBalance"] = changed["totalMarginBalance"]
            sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 9, "do": "reply:200:" + json.dumps(changed)})
            sent = len(posts(sim.state()))
            code, report = home.json("rebalance")
            that(f"a wallet that reads as {factor} times itself is not believed", (code, report.get("kind")) == (4, "unavailable"), (code, report))
            that("and nothing is sent", len(posts(sim.state())) == sent)
        empty = json.loads(json.dumps(wrong))
        empty["positions"] = []
        for name in ("totalWalletBalance", "totalMarginBalance", "totalUnrealizedProfit"):
            empty[name] = "0"
        for asset in empty["assets"]:
            asset["walletBalance"] = asset["marginBalance"] = asset["unrealizedProfit"] = "0"
        sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 9, "do": "reply:200:" + json.dumps(empty)},
                   {"match": "GET /fapi/v3/positionRisk", "nth": 1, "times": 9, "do": "reply:200:[]"})
        for _ in range(2):
            code, report = home.json("rebalance")
            that("an account that reads as empty trades nothing", (code, report.get("kind")) == (4, "unavailable"), (code, report))
        sim.faults({"match": "GET /fapi/v3/positionRisk", "nth": 1, "times": 9, "do": "reply:200:[]"})
        code, report = home.json("rebalance")
        that("positions that one of two answers lacks are no snapshot", (code, report.get("kind")) == (4, "unavailable"), (code, report))
        sim.faults()
        code, report = home.json("rebalance")
        that("the next good reading goes on as if nothing had been", code == 0 and report["plan"]["drawdown"] == "0" and
             [o["symbol"] for o in report["orders"]] == ["ADAUSDT"], (code, report))
        agree("ledger and exchange agree after it", home, sim)
        sim.advance()
        sim.call("POST", "/sim/transfer", {"amount": "-80"})
        sim.faults({"match": "GET /fapi/v1/income", "nth": 1, "times": 1, "do": "reply:200:[]"})
        code, report = home.json("rebalance")
        that("a withdrawal whose row is late is not taken for a loss", (code, report.get("kind")) == (4, "unavailable"), (code, report))
        code, report = home.json("rebalance")
        that("and is a withdrawal once the row is there", code == 0 and Decimal(report["plan"]["drawdown"]) < Decimal("0.01"), (code, report["plan"]["drawdown"]))


def wrong_input():
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        def ends(name, code, kind, *arguments, env=None, state=None, says=""):
            before = len(posts(sim.state()))
            found, report = home.json(*(arguments or ("rebalance",)), env=env, state=state)
            text = json.dumps(report)
            that(f"{name}: exit {code}, {kind}", (found, report.get("kind")) == (code, kind) and says in text, (found, report))
            that(f"{name}: nothing sent", len(posts(sim.state())) == before)
            that(f"{name}: the secret is not shown", "not-the-secret" not in text)

        ends("wrong secret", 2, "config", env=home.environment(secret="not-the-secret"))
        ends("wrong key", 2, "config", env=home.environment(key="not-the-key"))
        ends("no key", 2, "config", env={k: v for k, v in home.environment().items() if not k.startswith("REBAL")}, says="REBAL_API_KEY")
        ends("misspelt key", 2, "config", "rebalance", "--set", "risk.max_drawdow=0.2", says="risk.max_drawdown")
        ends("30 for 0.30", 2, "config", "rebalance", "--set", "risk.max_drawdown=30", says="0.30")
        ends("an unknown option", 2, "config", "rebalance", "--frobnicate")
        before = len(posts(sim.state()))
        code, out, err = home.run("rebalance", "--format", "html")
        that("a format that does not fit is refused before anything is sent", (code, out) == (2, "") and len(posts(sim.state())) == before, (code, out, err))
        ends("--out into no folder", 2, "config", "rebalance", "--out", os.path.join(home.folder, "none", "x"))
        ends("no coins", 2, "config", "rebalance", "--set", "basket.symbols=[]")
        sim.faults({"match": "GET /fapi/v1/premiumIndex", "do": "reply:200:[]"})
        ends("no prices at all", 4, "unavailable")
        sim.faults({"match": "GET /fapi/v1/exchangeInfo", "do": 'reply:200:{"symbols":[]}'})
        ends("an empty listing", 4, "unavailable", "rebalance", "--set", "exchange.exchange_info_max_age=0s")
        sim.faults()
        for name, do in [("truncated", "truncate:30"), ("HTML", "reply:200:<html>maintenance</html>"), ("bad gateway", "reply:502:"),
                         ("closed", "drop")]:
            sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 1, "do": do})
            ends(f"{name} account", 4, "unavailable")
        sim.faults({"match": "GET /fapi/v1/premiumIndex", "nth": 1, "times": 1, "do": 'reply:200:[{"symbol":"ADAUSDT","markPrice":"-1"}]'})
        code, report = home.json("plan", "--dry-run")
        that("a negative price trades nothing", code in (0, 4) and not report.get("legs"), (code, report))
        sim.faults()
        sim.call("POST", "/sim/modes", {"hedge": True})
        ends("hedge mode", 2, "config", says="one-way")
        sim.call("POST", "/sim/modes", {"hedge": False, "multi_assets": True})
        ends("multi-assets mode", 2, "config", says="single-asset")
        sim.call("POST", "/sim/modes", {"hedge": False, "multi_assets": False})
        code, report = home.json("plan", "--dry-run", "--set", 'basket.symbols=["ADAUSDT","NOSUCHUSDT"]')
        that("a symbol that is not listed is named", [s["symbol"] for s in report.get("skipped", [])] == ["NOSUCHUSDT"], (code, report))
        os.makedirs(home.state, exist_ok=True)
        with open(os.path.join(home.state, "lock"), "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            before = len(sim.state()["requests"])
            code, report = home.json("rebalance")
            that("a second process ends with 3", (code, report.get("kind")) == (3, "locked"), (code, report))
            that("without a request", len(sim.state()["requests"]) == before)
        with open(os.path.join(home.state, "HALT"), "w") as latch:
            latch.write("h1234\n")
        ends("a HALT file", 6, "halted", says="HALT")
        os.remove(os.path.join(home.state, "HALT"))
        code, _ = home.json("rebalance")
        that("after all that the allocation works", code == 0, code)
        with Sim(rebal, "--seed", "9", "--api-key", "other", "--api-secret", "other") as sim2:
            code, report = home.json("rebalance", "--set", f"exchange.base_url={sim2.url}", env=home.environment("other", "other"))
            that("the ledger of another account ends with 10", (code, report.get("kind")) == (10, "storage"), (code, report))
            that("and sends nothing to it", not posts(sim2.state()))
        with open(os.path.join(home.state, "ledger.db"), "r+b") as ledger:
            ledger.write(b"this is no database at all, it is a diary of some length")
        ends("a damaged ledger", 10, "storage")


def plan_files():
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        path = os.path.join(home.folder, "plan.json")
        code, report = home.json("plan", "--out", path)
        with open(path) as file:
            stored = json.load(file)
        that("plan --out writes the plan", code == 0 and stored["plan_id"] == report["plan_id"], code)
        sim.price("ADAUSDT", "1.02")
        before = len(sim.state()["requests"])
        code, error = home.json("rebalance", "--plan", path)
        that("a plan whose prices moved is refused, and says which", code == 4 and "ADAUSDT moved 2.0" in error.get("message", ""), (code, error))
        that("and nothing is sent", not posts(sim.state(), before))
        home.json("plan", "--out", path)
        code, report = home.json("rebalance", "--plan", path)
        that("a plan that holds is carried out", code == 0 and len(report["orders"]) == 6, (code, report))
        code, error = home.json("rebalance", "--plan", path)
        that("but not a second time", code == 4 and "another pass ran" in error.get("message", ""), (code, error))
        sim.price("ADAUSDT", "1.2")
        home.json("plan", "--out", path)
        with open(path) as file:
            edited = json.load(file)
        edited["legs"][0]["qty"] = str(Decimal(edited["legs"][0]["qty"]) + 1)
        with open(path, "w") as file:
            json.dump(edited, file)
        code, error = home.json("rebalance", "--plan", path)
        that("a plan that somebody edited is refused", code == 2 and "not those that were planned" in error.get("message", ""), (code, error))
        with open(path, "w") as file:
            file.write('{"schema":"rebal.plan/1"')
        code, error = home.json("rebalance", "--plan", path)
        that("half a plan file is refused", (code, error.get("kind")) == (2, "config"), (code, error))


def bans_and_signals():
    with Sim(rebal, clock="real") as sim, Home(rebal, sim.url) as home:
        sim.faults({"match": "GET /fapi/v1/premiumIndex", "nth": 1, "times": 1,
                    "do": 'reply:429:{"code":-1003,"msg":"Too many requests; banned until %d."}' % (int(time.time() * 1000) + 600_000)})
        code, report = home.json("rebalance")
        that("a 429 ends with 4", (code, report.get("kind")) == (4, "unavailable"), (code, report))
        before = len(sim.state()["requests"])
        code, report = home.json("rebalance")
        that("and the next process sends nothing before the ban ends", code == 4 and len(sim.state()["requests"]) == before, (code, report))
    with Sim(rebal, "--latency-ms", "150") as sim, Home(rebal, sim.url, execution__concurrency=1) as home:
        process = subprocess.Popen(home.command("rebalance", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, env=home.environment(), text=True)
        wait_for(lambda: len(sim.state()["orders"]) >= 2)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        report = json.loads(out)
        that("SIGTERM in the middle records what was in flight and ends with 130",
             process.returncode == 130 and report["outcome"] == "interrupted", (process.returncode, report.get("outcome")))
        agree("ledger and exchange agree after SIGTERM", home, sim)
        that("fewer orders went out", 2 <= len(sim.state()["orders"]) < 6, len(sim.state()["orders"]))
        code, report = home.json("rebalance")
        that("and the next pass completes the basket", code == 0 and len(sim.state()["orders"]) == 6, (code, report.get("outcome")))


for scenario in (allocation_quiet_harvest_rebuy, lost_answers, an_order_that_hides, refusals, others, what_is_believed, wrong_input, plan_files, bans_and_signals):
    print(f"\n-- {scenario.__name__}")
    scenario()
print("\n-- kills")
kills("--every-syscall" in sys.argv)
checks.end()
