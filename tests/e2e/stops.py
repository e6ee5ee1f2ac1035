"""Stops that rest at the exchange, over HTTP against `rebal sim`.

usage: stops.py REBAL

Each coin of a moonshot gets one at its stop, verified and repaired by every pass: placed with the entry, moved, missing,
doubled, foreign; executed between two passes once and booked once; lost answers, refusals, deaths at every call; flatten, the
hard stop, and the setting switched off.
"""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from decimal import Decimal

from harness import Checks, Home, Sim, accepted_once

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that
D = Decimal
COINS = ["ADAUSDT", "XRPUSDT", "DOGEUSDT", "TRXUSDT", "XLMUSDT", "HBARUSDT"]
SLOTS = 4
ALGO, ORDER = "POST /fapi/v1/algoOrder", "POST /fapi/v1/order"
SETTINGS = dict(strategy__kind="moonshot", moonshot__symbols=json.dumps(COINS), moonshot__slots=SLOTS, moonshot__slot_value=20,
                moonshot__exchange_stop="true", risk__max_drawdown=0.9)


class World:
    """A simulated exchange and one installation beside it."""

    def __init__(self, *flags, equity="200", **settings):
        self.sim = Sim(rebal, *flags, equity=equity)
        self.home = Home(rebal, self.sim.url, **{**SETTINGS, **settings})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.home.remove()
        self.sim.stop()

    def go(self, *arguments):
        return self.home.json(*(arguments or ("rebalance",)))

    def next(self, *arguments):
        self.sim.advance()
        return self.go(*arguments)

    def stops(self, symbol=None):
        rows = self.sim.signed("GET", "/fapi/v1/openAlgoOrders")
        return [row for row in rows if symbol in (None, row["symbol"])]

    def held(self):
        return {row["symbol"]: row for row in self.sim.state()["positions"] if D(row["qty"])}

    def tick(self, symbol):
        rows = self.sim.call("GET", "/fapi/v1/exchangeInfo")["symbols"]
        row = next(row for row in rows if row["symbol"] == symbol)
        return D(next(entry for entry in row["filters"] if entry["filterType"] == "PRICE_FILTER")["tickSize"])

    def guarded(self):
        """Whether every held coin has one stop at entry × 0.7, down to its tick, that closes on the mark; and nobody else has."""
        stops = {}
        for row in self.stops():
            if row["clientAlgoId"].startswith("rb1"):
                stops.setdefault(row["symbol"], []).append(row)
        held = self.held()
        wrong = [symbol for symbol, rows in stops.items() if symbol not in held or len(rows) != 1]
        for symbol, position in held.items():
            level = D(str(position["entry_price"])) * D("0.7")
            for row in stops.get(symbol, [None]):
                if row is None or not level - self.tick(symbol) < D(row["triggerPrice"]) <= level or row["orderType"] != "STOP_MARKET" \
                        or row["side"] != "SELL" or row["closePosition"] is not True or row["workingType"] != "MARK_PRICE":
                    wrong.append((symbol, level, row))
        return wrong

    def sales(self, symbol=None):
        return [order for order in self.sim.state()["orders"] if order["side"] == "SELL" and symbol in (None, order["symbol"])]

    def weight(self, path):
        return [request for request in self.sim.state()["requests"] if request["method"] + " " + request["path"] == path]

    def rows(self, sql):
        with sqlite3.connect(os.path.join(self.home.state, "ledger.db")) as db:
            return db.execute(sql).fetchall()

    def booked(self):
        return [row.split(",") for row in self.home.trades()[1:]]


def actions(report):
    return sorted((row["action"], row["symbol"]) for row in report.get("stops", []))


def begun(world):
    """Four slots filled, each with its stop."""
    code, report = world.go()
    return code == 0 and len(world.held()) == SLOTS and not world.guarded(), (code, report, world.guarded())


# ---- placed, verified, moved

with World() as world:
    code, plan = world.go("plan", "--dry-run")
    that("plan shows the stops that come with the entries", code == 0 and actions(plan) == [("place", coin) for coin in sorted(COINS[:SLOTS])]
         and not world.stops(), (code, plan.get("stops")))
    _, text, _ = world.home.run("plan", "--dry-run")
    that("in words too", "Stops at the exchange" in text and "ADA at" in text, text)
    code, report = world.go()
    that("the pass that buys places them, at entry × 0.7 on the tick, closing at the mark", code == 0 and not world.guarded() and len(world.held()) == SLOTS
         and actions(report) == [("place", coin) for coin in sorted(COINS[:SLOTS])], (code, report, world.guarded()))
    before = len(world.weight("GET /fapi/v1/openAlgoOrders"))
    posts = len(world.weight(ALGO))
    code, report = world.next()
    that("the next pass reads them once and changes nothing", code == 0 and not report.get("stops") and not report["orders"]
         and len(world.weight("GET /fapi/v1/openAlgoOrders")) == before + 1 and len(world.weight(ALGO)) == posts, (code, report))
    code, report = world.go("risk-check")
    row = next((row for row in report.get("checks", []) if row["name"] == "exchange_stops_missing"), {})
    that("risk-check counts them", row.get("status") == "ok" and row.get("value") == "0" and "all 4 coins" in row.get("detail", ""), row)

    # Somebody cancels one, and moves another.
    stop = world.stops("ADAUSDT")[0]
    world.sim.signed("DELETE", "/fapi/v1/algoOrder", clientAlgoId=stop["clientAlgoId"])
    code, report = world.go("risk-check")
    row = next((row for row in report.get("checks", []) if row["name"] == "exchange_stops_missing"), {})
    that("a missing one is a breach there", code == 5 and row.get("status") == "breach" and row.get("value") == "1" and "ADAUSDT" in row.get("detail", ""), (code, row))
    code, plan = world.go("plan", "--detailed-exitcode")
    that("and something to do in a plan", code == 20 and actions(plan) == [("place", "ADAUSDT")], (code, plan.get("stops")))
    code, report = world.next()
    that("a missing stop is placed again", code == 0 and actions(report) == [("place", "ADAUSDT")] and not world.guarded(), (code, report.get("stops"), world.guarded()))
    stop = world.stops("XRPUSDT")[0]
    world.sim.signed("DELETE", "/fapi/v1/algoOrder", clientAlgoId=stop["clientAlgoId"])
    low = D(stop["triggerPrice"]) / 2
    tick = world.tick("XRPUSDT")
    world.sim.signed("POST", "/fapi/v1/algoOrder", algoType="CONDITIONAL", symbol="XRPUSDT", side="SELL", type="STOP_MARKET",
                     triggerPrice=low // tick * tick, workingType="MARK_PRICE", closePosition="true", clientAlgoId="by-hand")
    code, report = world.next()
    warned = [row["code"] for row in report.get("plan", {}).get("warnings", [])]
    that("one of the owner's is left alone and named", code == 0 and "foreign_stop" in warned and not world.guarded()
         and {row["clientAlgoId"] for row in world.stops("XRPUSDT")} > {"by-hand"}, (code, warned, world.stops("XRPUSDT")))
    # A hand that buys more moves the entry price.
    world.sim.price("XRPUSDT", "1.3")
    world.sim.call("POST", "/sim/trade", {"symbol": "XRPUSDT", "qty": str(world.held()["XRPUSDT"]["qty"])})
    code, report = world.next()
    that("a moved entry moves its stop", code == 0 and actions(report) == [("move", "XRPUSDT")] and not world.guarded(), (code, report.get("stops"), world.guarded()))
    times = [request for request in world.sim.state()["requests"] if request["path"] == "/fapi/v1/algoOrder" and request["method"] in ("POST", "DELETE")]
    that("the right one came before the wrong one went", [row["method"] for row in times[-2:]] == ["POST", "DELETE"], times[-3:])
    world.sim.price("XRPUSDT", "1.2")
    world.sim.call("POST", "/sim/trade", {"symbol": "XRPUSDT", "qty": "40"})
    world.sim.faults({"match": ALGO, "nth": 1, "times": 1, "do": "reject:-4130"})
    code, report = world.next()
    that("where two are forbidden the old one goes first", code == 0 and actions(report) == [("move", "XRPUSDT")] and not world.guarded(), (code, report.get("stops"), world.guarded()))
    world.sim.call("POST", "/sim/trade", {"symbol": "TRXUSDT", "qty": "-" + str(world.held()["TRXUSDT"]["qty"])})
    code, report = world.next()
    gone = [row for row in actions(report) if row[1] == "TRXUSDT"]
    that("a coin that the owner sold loses its stop", code == 0 and gone == [("remove", "TRXUSDT")] and not world.guarded(), (code, report.get("stops"), world.guarded()))

# ---- executed between two passes

with World() as world:
    ok, seen = begun(world)
    that("begun", ok, seen)
    qty = D(str(world.held()["ADAUSDT"]["qty"]))
    stop = world.stops("ADAUSDT")[0]
    # Between two passes: a sale at the very time of the reading would be taken for a part of it.
    world.sim.advance()
    world.sim.price("ADAUSDT", "0.4")
    that("a gap of -60 % between two passes is sold by the exchange at once", "ADAUSDT" not in world.held() and len(world.sales()) == 1, world.sales())
    code, plan = world.go("plan", "--dry-run")
    that("plan looks at it and sends nothing", code == 0 and not any(leg["symbol"] == "ADAUSDT" for leg in plan["legs"]), (code, plan))
    code, report = world.next()
    settled = [(row["symbol"], row["reason"], row["status"], D(row["filled_qty"])) for row in report.get("settled", [])]
    cooling = [row["symbol"] for row in report.get("plan", {}).get("skipped", []) if row["reason"] == "cooldown"]
    that("the next pass books it as the coin's stop", code == 0 and settled == [("ADAUSDT", "stop_loss", "filled", qty)], (code, report))
    warned = [row["code"] for row in report.get("plan", {}).get("warnings", [])]
    that("not as somebody else's doing", "changed_elsewhere" not in warned and "exchange_stop" in warned, warned)
    that("it cools down and its slot goes to the next coin, with a stop", cooling == ["ADAUSDT"] and [row["symbol"] for row in report["orders"]] == ["XLMUSDT"]
         and not world.guarded(), (report.get("orders"), world.guarded()))
    mine = [row for row in world.booked() if row[2] == "ADAUSDT" and row[3] == "SELL"]
    that("trades.csv has it once, under the stop's id", [(row[4], D(row[5]), row[11]) for row in mine] == [("stop_loss", qty, stop["clientAlgoId"])], mine)
    told = world.rows("SELECT text FROM outbox WHERE kind = 'exchange_stop'")
    that("the owner hears of it once", len(told) == 1 and "ADAUSDT" in told[0][0] and "sold" in told[0][0], told)
    for _ in range(2):
        code, report = world.next()
    that("then there is nothing to do", code == 0 and not report["orders"] and not report.get("settled") and not report.get("stops"), report)
    that("the exchange saw one sale, and every id once", len(world.sales()) == 1 and accepted_once(world.sim.state()), world.sales())
    code, report = world.go("report", "--week")
    coin = next((row for row in report.get("per_coin", []) if row["symbol"] == "ADAUSDT"), {})
    that("the report knows its loss, and nothing is unreconciled", code == 0 and D(coin.get("realized", "0")) < -D("8") and D(report.get("unreconciled", "1")) == 0,
         (code, coin, report.get("unreconciled")))
    # Two at once, in the hours in which no pass ran.
    for coin in ("XRPUSDT", "DOGEUSDT"):
        world.sim.price(coin, "0.4")
    world.sim.advance(20)
    code, report = world.go()
    that("two at once are booked at once", code == 0 and sorted(row["symbol"] for row in report.get("settled", [])) == ["DOGEUSDT", "XRPUSDT"] and not world.guarded(),
         (code, report.get("settled"), world.guarded()))

# ---- the pass' own sale

with World(moonshot__trailing_start="0.5", moonshot__trailing_stop="0.1") as world:
    ok, seen = begun(world)
    that("with a trailing stop the resting one is that under the entry", ok, seen)
    world.sim.price("ADAUSDT", "3")
    code, report = world.next()
    world.sim.price("ADAUSDT", "0.8")
    world.sim.faults({"match": "DELETE /fapi/v1/algoOrder", "nth": 1, "times": 1, "do": "delay:1"})
    code, report = world.next()
    sold = [(row["symbol"], row["reason"], row["status"]) for row in report.get("orders", [])]
    order = [row["method"] + " " + row["path"] for row in world.sim.state()["requests"]]
    last = [row for row in order if row in (ORDER, "DELETE /fapi/v1/algoOrder")][-2:]
    that("a winner sold by the pass loses its resting stop first", code == 0 and sold == [("ADAUSDT", "trailing_stop", "filled")]
         and ("remove", "ADAUSDT") in actions(report) and last == ["DELETE /fapi/v1/algoOrder", ORDER] and not world.guarded(), (code, report, last))
    world.sim.price("XRPUSDT", "3")
    code, report = world.next()
    world.sim.price("XRPUSDT", "0.8")
    world.sim.faults({"match": ORDER, "nth": 1, "times": 1, "do": "reject:-4131"})
    code, report = world.next()
    that("a sale that is refused leaves the coin with its stop", code == 5 and "XRPUSDT" in world.held() and not world.guarded(), (code, report, world.guarded()))
    code, report = world.next()
    that("and the next pass sells it", code == 0 and "XRPUSDT" not in world.held() and not world.guarded(), (code, report, world.guarded()))

# ---- lost answers and refusals

for name, fault in [("an answer is lost", "accept_then_close"), ("the answer never comes", "drop"), ("a 503 comes after it was taken", "reply:503:{}")]:
    with World() as world:
        world.sim.faults({"match": ALGO, "nth": 2, "times": 1, "do": fault})
        code, report = world.go()
        failed = [row["symbol"] for row in report.get("stops", []) if "error" in row]
        that(f"placing: {name}: exit 5, named", code == 5 and len(failed) == 1 and len(world.held()) == SLOTS, (code, report))
        world.sim.advance(2)
        code, report = world.go()
        that(f"placing: {name}: the next pass knows, and there is one each", code == 0 and not world.guarded(), (code, report, world.guarded()))
        code, report = world.next()
        that(f"placing: {name}: then nothing", code == 0 and not report.get("stops"), report.get("stops"))
for code_, words in [(-2021, "at its stop already"), (-4045, "200 conditional orders"), (-1111, "-1111")]:
    with World() as world:
        world.sim.faults({"match": ALGO, "nth": 1, "times": 1, "do": f"reject:{code_}"})
        code, report = world.go()
        errors = [row["error"] for row in report.get("stops", []) if "error" in row]
        alerts = world.rows("SELECT kind, level FROM alert")
        that(f"{code_} leaves the coin, ends with 5, is named and told", code == 5 and len(errors) == 1 and words in errors[0] and ("stop_missing", "critical") in alerts
             and len(world.held()) == SLOTS, (code, errors, alerts))
        code, report = world.next()
        alerts = world.rows("SELECT kind FROM alert")
        that(f"{code_}: the next pass places it and the alert is over", code == 0 and not world.guarded() and ("stop_missing",) not in alerts, (code, report, alerts))
with World() as world:
    ok, seen = begun(world)
    world.sim.call("POST", "/sim/trade", {"symbol": "TRXUSDT", "qty": "-" + str(world.held()["TRXUSDT"]["qty"])})
    world.sim.faults({"match": "DELETE /fapi/v1/algoOrder", "nth": 1, "times": 1, "do": "accept_then_close"})
    code, report = world.next()
    that("cancelling: the answer is lost: exit 5", ok and code == 5, (code, report.get("stops")))
    code, report = world.next()
    that("cancelling: the next pass sees that it is gone", code == 0 and not world.guarded() and not world.rows("SELECT 1 FROM intent WHERE state = 'unknown'"), (code, report))
with World() as world:
    ok, seen = begun(world)
    world.sim.faults({"match": "GET /fapi/v1/openAlgoOrders", "nth": 1, "times": 1, "do": "reply:500:{}"})
    code, report = world.next()
    that("a list of stops that cannot be read ends the pass with 4; the stops stay", code == 4 and not world.guarded(), (code, report))
    code, report = world.next()
    that("and the next one goes on", code == 0 and not report.get("stops"), (code, report))

# ---- deaths: at every request of the pass that buys and places

def killed_at(world, match, nth):
    """Runs a pass that is killed while it waits for an answer."""
    world.sim.faults({"match": match, "nth": nth, "times": 1, "do": "accept_then_stall"})
    process = subprocess.Popen(world.home.command("rebalance", "--json"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=world.home.environment())
    before, deadline = len(world.weight(match)), time.monotonic() + 20
    while len(world.weight(match)) < before + nth and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


for match, nth in [(ORDER, 1), (ORDER, 4), (ALGO, 1), (ALGO, 4), ("GET /fapi/v3/account", 2)]:
    with World() as world:
        killed_at(world, match, nth)
        for _ in range(3):
            world.sim.advance()
            code, report = world.go()
        triggers = [row["clientAlgoId"] for row in world.sim.signed("GET", "/fapi/v1/allAlgoOrders", symbol="ADAUSDT")]
        that(f"killed at {match} no. {nth}: three passes later every coin has one stop", code == 0 and len(world.held()) == SLOTS and not world.guarded()
             and accepted_once(world.sim.state()) and len(triggers) == len(set(triggers)), (code, report, world.guarded()))

# ---- flatten, the hard stop, and switched off

with World() as world:
    ok, seen = begun(world)
    code, report = world.go("flatten", "--yes")
    that("flatten leaves neither position nor stop", ok and code == 0 and not world.held() and not world.stops(), (code, report, world.stops()))
    with open(os.path.join(world.home.state, "HALT")) as file:
        halt = file.read()
    code, report = world.go("risk-check")
    halt_id = report.get("halt_id") or ""
    code, report = world.go("risk-check", "--resume", "--confirm", halt_id)
    code, report = world.next()
    that("after it is lifted the ledger knows that they are gone", code == 0 and not world.guarded() and not any(row["reason"] == "stop_loss" for row in report.get("settled", [])),
         (code, report, halt))
with World() as world:
    ok, seen = begun(world)
    world.sim.price("ADAUSDT", "0.4")
    code, report = world.go("flatten", "--yes")
    booked = [row for row in world.booked() if row[2] == "ADAUSDT" and row[3] == "SELL"]
    that("flatten books a stop that was executed before it, once", ok and code == 0 and not world.held() and len(booked) == 1 and booked[0][4] == "stop_loss", (code, report, booked))
with World(risk__max_drawdown="0.2", futures__leverage="5", moonshot__slot_value="100") as world:
    ok, seen = begun(world)
    for coin in list(world.held()):
        world.sim.price(coin, "0.85")
    code, report = world.next()
    that("the hard stop closes everything and removes every stop", ok and code == 7 and not world.held() and not world.stops(), (ok, seen if not ok else "", code, report, world.stops()))
with World() as world:
    ok, seen = begun(world)
    world.home.values["moonshot__exchange_stop"] = "false"
    code, report = world.next()
    that("switched off, they are removed", ok and code == 0 and not world.stops() and [row[0] for row in actions(report)] == ["remove"] * SLOTS, (code, report.get("stops")))
    code, report = world.next()
    before = len(world.weight("GET /fapi/v1/openAlgoOrders"))
    code, report = world.next()
    that("and after that no pass reads them any more", code == 0 and len(world.weight("GET /fapi/v1/openAlgoOrders")) == before and len(world.held()) == SLOTS, (code, report))
    world.sim.price("ADAUSDT", "0.4")
    code, report = world.next()
    that("then the pass itself sells", code == 0 and [(row["symbol"], row["reason"]) for row in report["orders"]][:1] == [("ADAUSDT", "stop_loss")], report.get("orders"))

# ---- lost ledgers, other machines, spot

with World() as world:
    ok, seen = begun(world)
    copy = world.home.state + ".copy"
    shutil.copytree(world.home.state, copy)
    world.sim.price("ADAUSDT", "0.4")
    shutil.rmtree(world.home.state)
    shutil.move(copy, world.home.state)
    code, report = world.next()
    that("a ledger restored from before still knows its stops", ok and code == 0 and [row["symbol"] for row in report.get("settled", [])] == ["ADAUSDT"] and not world.guarded(), (code, report))
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        path = os.path.join(world.home.state, name)
        if os.path.exists(path):
            os.remove(path)
    stops = {row["clientAlgoId"] for row in world.stops()}
    code, report = world.next()
    that("a deleted ledger: what an earlier one placed stops the pass", code == 9 and {row["clientAlgoId"] for row in world.stops()} == stops, (code, report))
    # A person who knows that it was this very machine makes a halt and lifts it: what was, is accepted.
    with open(os.path.join(world.home.state, "HALT"), "w") as file:
        file.write("by hand\n")
    code, report = world.go("risk-check", "--resume", "--yes", "--confirm", "HALT")
    that("the owner accepts it", code in (0, 5), (code, report))
    code, report = world.next()
    that("and its stops are taken over as they are", code == 0 and {row["clientAlgoId"] for row in world.stops()} >= stops and not world.guarded(), (code, report, world.guarded()))
    world.sim.price("XRPUSDT", "0.4")
    code, report = world.next()
    that("one of those that fires is booked as the coin's stop", code == 0 and [(row["symbol"], row["reason"]) for row in report.get("settled", [])] == [("XRPUSDT", "stop_loss")], (code, report))
with World() as world:
    ok, seen = begun(world)
    with Home(rebal, world.sim.url, **{**SETTINGS, "moonshot__symbols": json.dumps(["HBARUSDT"])}) as other:
        code, report = other.json("rebalance")
        that("another machine's stops stop a pass with 9", ok and code == 9, (code, report))
with Home(rebal, None, **{**SETTINGS, "venue": "binance-spot"}) as home:
    code, report = home.json("plan")
    that("on spot exchange_stop is refused by name", code == 2 and "exchange_stop" in report.get("message", "") and "futures" in report.get("message", ""), (code, report))
with Home(rebal, None, **{**SETTINGS, "paper__prices": "synthetic", "moonshot__stop_loss": "0.02"}) as home:
    fired, codes = 0, set()
    for _ in range(60):
        code, report = home.json("rebalance")
        codes.add(code)
        fired += sum(row["reason"] == "stop_loss" for row in report.get("settled", []))
    rows = [row.split(",") for row in home.trades()[1:]]
    that(f"paper keeps stops too: {fired} fired in 60 passes", codes == {0} and fired > 0 and len({(row[2], row[13]) for row in rows}) == len(rows), (codes, fired, report))

checks.end()
