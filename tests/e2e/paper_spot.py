"""Paper passes on spot: the account, the ledger, trades.csv and the same market over HTTP agree.

usage: paper_spot.py REBAL [PASSES]

Runs PASSES (200) of weights, of a basket and of a moonshot beside a `rebal sim` of the same seed, whose prices value the
account independently. Where REBAL_DATA names the recorded market data, weights through the crash of 2025-10-10 too.
"""
import csv
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from decimal import Decimal

from harness import Checks, Sim

rebal, passes = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200
checks = Checks()
that = checks.that
SPOT = {"mode": "paper", "venue": "binance-spot", "paper.prices": "synthetic"}


def run(state, sets, command="rebalance", *flags):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REBAL")}
    flags = [*(f"--set={key}={value}" for key, value in sets.items()), *flags]
    done = subprocess.run([rebal, "--state-dir", state, *flags, command, "--json"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env=environment)
    try:
        return done.returncode, json.loads(done.stdout), done.stderr
    except ValueError:
        return done.returncode, {}, done.stderr


def kept(state):
    """What the simulated account has, as it lies in the ledger."""
    ledger = sqlite3.connect(os.path.join(state, "ledger.db"))
    account = json.loads(ledger.execute("SELECT state FROM paper").fetchone()[0])
    ledger.close()
    return {asset: Decimal(held["free"]) + Decimal(held["locked"]) for asset, held in account["spot"]["balances"].items()}


def books_agree(label, state, equity):
    """Balances from the executions alone, to the last digit; ledger and trades.csv field for field."""
    ledger = sqlite3.connect(os.path.join(state, "ledger.db"))
    ledger.row_factory = sqlite3.Row
    fills = ledger.execute("SELECT fill.* FROM fill JOIN intent USING (client_id) ORDER BY seq").fetchall()
    with open(os.path.join(state, "trades.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    same = all(row[name] == str(fill[name]) for row, fill in zip(rows, fills) for name in ("symbol", "trade_id", "qty", "price", "fee", "fee_asset"))
    that(f"{label}: trades.csv is the ledger, {len(rows)} rows", len(rows) == len(fills) > 0 and same, (len(rows), len(fills)))
    has = defaultdict(Decimal, USDT=Decimal(equity))
    for row in rows:
        coin, sign = row["symbol"].removesuffix("USDT"), 1 if row["side"] == "BUY" else -1
        has[coin] += sign * Decimal(row["qty"])
        has["USDT"] -= sign * Decimal(row["qty"]) * Decimal(row["price"])
        has[row["fee_asset"]] -= Decimal(row["fee"])
    account = kept(state)
    that(f"{label}: every balance follows from the executions, to the last digit",
         {asset: qty for asset, qty in has.items() if qty} == {asset: qty for asset, qty in account.items() if qty}, (dict(has), account))
    ours = {row["symbol"].removesuffix("USDT"): Decimal(row["qty"]) for row in ledger.execute("SELECT symbol, qty FROM position") if Decimal(row["qty"])}
    coins = {asset: qty for asset, qty in account.items() if asset != "USDT" and qty}
    that(f"{label}: and so do the coins in the ledger", ours == coins, (ours, coins))
    states = {row["state"] for row in ledger.execute("SELECT DISTINCT state FROM intent")}
    that(f"{label}: no intent is left open", states <= {"done", "absent", "abandoned"}, states)
    ledger.close()


def beside_http(label, folder, threshold, sets, expected):
    """Every pass valued by prices that another process shows."""
    state, sets = os.path.join(folder, label), {**SPOT, **sets}
    equity = sets["paper.equity"]
    codes, statuses, why, wrong, silent, traded = Counter(), Counter(), Counter(), [], [], 0
    with Sim(rebal, "--seed", "7", equity=str(equity)) as sim:
        for number in range(passes):
            code, report, err = run(state, sets)
            codes[code] += 1
            if code:
                that(f"{label}: pass {number} ends with 0", False, err)
                break
            statuses.update(order["status"] for order in report["orders"])
            why.update(order["reason"] for order in report["orders"])
            traded += len(report["orders"])
            middle = {row["symbol"].removesuffix("USDT"): (Decimal(row["bidPrice"]) + Decimal(row["askPrice"])) / 2
                      for row in sim.call("GET", "/api/v3/ticker/bookTicker")}
            worth = sum(qty * middle.get(asset, 1) for asset, qty in kept(state).items())
            if abs(worth - Decimal(report["equity_after"])) >= Decimal("0.005"):
                wrong.append((number, worth, report["equity_after"]))
            told = {row["symbol"] for part in ("legs", "skipped") for row in report["plan"][part]}
            silent += [(number, row) for row in report["plan"]["coins"]
                       if row["drift"] and abs(Decimal(row["drift"])) > threshold and row["symbol"] not in told]
            sim.advance()
    that(f"{label}: {passes} passes end with 0, {traded} orders {dict(why)}", codes == {0: passes} and expected <= set(why), dict(codes))
    that(f"{label}: no order fails, for want of quote or otherwise", set(statuses) == {"filled"}, dict(statuses))
    that(f"{label}: the value is the simulator's to the cent after every pass", not wrong, wrong[:3])
    that(f"{label}: every coin is within its band or has a reason", not silent, silent[:3])
    books_agree(label, state, equity)
    code, report, err = run(state, sets, "flatten", "--yes")
    left = {asset: qty for asset, qty in kept(state).items() if asset != "USDT" and qty}
    that(f"{label}: flatten sells all that can be sold", code == 0 and all(qty * middle[asset] < 6 for asset, qty in left.items()), (code, report, left))
    books_agree(f"{label}, flat", state, equity)


def crash_day(folder, data):
    """Recorded prices: strength is sold and weakness bought, nothing else, through the crash and after it."""
    state = os.path.join(folder, "crash")
    sets = {**SPOT, "paper.equity": 10_000, "paper.prices": f"{data}/klines_5m_2025-09_2025-12", "paper.start": "2025-10-10T15:00:00Z",
            "strategy.kind": "weights", "weights.weights": "{BTC=0.25,ETH=0.25,SOL=0.2,BNB=0.2}", "weights.threshold": "0.03", "risk.max_drawdown": 0.9}
    codes, wrong, sides, low = Counter(), [], Counter(), Decimal(10_000)
    for _ in range(110):
        code, report, err = run(state, sets)
        codes[code] += 1
        if code:
            break
        low = min(low, Decimal(report["equity_before"]))
        drift = {leg["symbol"]: Decimal(leg["drift"]) for leg in report["plan"]["legs"]}
        for order in report["orders"]:
            sides[order["side"]] += 1
            if order["reason"] != "entry" and (drift[order["symbol"]] > 0) != (order["side"] == "SELL"):
                wrong.append(order)
    that("crash day: 110 passes on recorded prices end with 0", codes == {0: 110}, (dict(codes), err[-300:]))
    that(f"crash day: strength sold, weakness bought {dict(sides)}", not wrong and sides["SELL"] and sides["BUY"] > 4, wrong[:2])
    that(f"crash day: the crash was seen (equity fell to {low:.2f})", low < 9_000)
    books_agree("crash day", state, 10_000)


with tempfile.TemporaryDirectory(prefix="rebal-paper-spot-") as folder:
    beside_http("weights", folder, Decimal("0.01"), {"paper.equity": 5000, "strategy.kind": "weights", "weights.threshold": "0.01",
                "weights.weights": "{BTC=0.2,ETH=0.2,SOL=0.2,BNB=0.1,DOGE=0.2}"}, {"entry", "above_band", "below_band"})
    beside_http("basket", folder, Decimal("0.02"), {"paper.equity": 4800, "basket.target_value": 400, "basket.size": 10, "basket.threshold": "0.02",
                "basket.symbols": json.dumps([f"{coin}USDT" for coin in "ADA XRP DOGE TRX XLM HBAR LINK DOT PEPE SUI".split()])},
                {"entry", "above_band", "below_band"})
    beside_http("moonshot", folder, Decimal(9), {"paper.equity": 1200, "strategy.kind": "moonshot", "moonshot.slots": 10, "moonshot.slot_value": 100,
                "moonshot.stop_loss": "0.02", "moonshot.symbols": json.dumps([f"{coin}USDT" for coin in "ADA XRP DOGE TRX XLM HBAR LINK DOT PEPE SUI".split()])},
                {"entry", "stop_loss"})
    if os.environ.get("REBAL_DATA"):
        crash_day(folder, os.environ["REBAL_DATA"])
    else:
        print("skipped: no recorded market data")
checks.end()
