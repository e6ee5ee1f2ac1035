"""Paper passes: ledger, trades.csv and the paper account agree to the last digit.

usage: paper.py REBAL [PASSES]

Runs PASSES (300) of the demo, and, where REBAL_DATA names the recorded market data, the hours around the
crash of 2025-10-10 on recorded prices and the trading rules of the listing of 2025-12.
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

from harness import Checks

rebal, passes = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300
checks = Checks()
COINS = "BTC ETH BNB BCH DOGE SOL XRP INJ OP ORCA ZEC PIPPIN HYPE NAORIS WLFI".split()


def run(state, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REBAL")}
    done = subprocess.run([rebal, "--state-dir", state, *arguments, "rebalance", "--json"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env=environment)
    return done.returncode, json.loads(done.stdout), done.stderr


def books_agree(label, state, equity):
    """Three independent books of one account, held against each other with exact decimals."""
    ledger = sqlite3.connect(os.path.join(state, "ledger.db"))
    ledger.row_factory = sqlite3.Row
    paper = json.loads(ledger.execute("SELECT state FROM paper").fetchone()[0])
    fills = ledger.execute("SELECT fill.*, pass_id FROM fill JOIN intent USING (client_id) ORDER BY seq").fetchall()
    with open(os.path.join(state, "trades.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    checks.that(f"{label}: trades.csv has one row per fill of the ledger", len(rows) == len(fills) > 0, (len(rows), len(fills)))
    columns = [("trade_id", "trade_id"), ("symbol", "symbol"), ("qty", "qty"), ("price", "price"), ("fee", "fee"),
               ("client_order_id", "client_id"), ("realized_pnl", "realized"), ("pass_id", "pass_id")]
    same = all(row[ours] == str(fill[theirs]) for row, fill in zip(rows, fills) for ours, theirs in columns)
    checks.that(f"{label}: field for field", same)

    held = defaultdict(Decimal)
    for row in rows:
        held[row["symbol"]] += Decimal(row["qty"]) * (1 if row["side"] == "BUY" else -1)
    held = {symbol: qty for symbol, qty in held.items() if qty}
    account = {symbol: Decimal(holding["qty"]) for symbol, holding in paper["holdings"].items() if Decimal(holding["qty"])}
    ours = {row["symbol"]: Decimal(row["qty"]) for row in ledger.execute("SELECT symbol, qty FROM position") if Decimal(row["qty"])}
    checks.that(f"{label}: positions of account, ledger and trades.csv are one", held == account == ours, (held, account, ours))

    # The wallet from the books alone: what it began with, what the fills did, what funding did.
    traded = sum(Decimal(row["realized_pnl"]) - Decimal(row["fee"]) for row in rows)
    funding = [entry for entry in paper["income"] if entry["kind"] == "FUNDING_FEE"]
    wallet = Decimal(equity) + traded + sum(Decimal(entry["amount"]) for entry in funding)
    checks.that(f"{label}: wallet = start + realised - fees + funding, to the last digit", wallet == Decimal(paper["wallet"]),
                (wallet, paper["wallet"]))
    # What settled after the last look of the last pass is read by the next one.
    seen_ms = ledger.execute("SELECT max(at) FROM equity").fetchone()[0]
    known = Counter((row["symbol"], row["amount"]) for row in ledger.execute("SELECT symbol, amount FROM income WHERE kind = 'FUNDING_FEE'"))
    settled = Counter((entry["symbol"], entry["amount"]) for entry in funding if milliseconds(entry["at"]) <= seen_ms)
    checks.that(f"{label}: every one of {len(funding)} funding rows is in the ledger", known == settled and len(funding) > 0,
                (len(known), len(settled)))
    states = {row["state"] for row in ledger.execute("SELECT DISTINCT state FROM intent")}
    checks.that(f"{label}: no intent is left open", states <= {"done", "rejected", "not_sent", "absent", "abandoned"}, states)
    ledger.close()


def milliseconds(text):
    from datetime import datetime
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def demo(folder):
    state = os.path.join(folder, "demo")
    code, first, err = run(state, "--demo")
    checks.that("demo: the first pass ends with 0", code == 0, err)
    bought = [order for order in first["orders"] if (order["side"], order["status"]) == ("BUY", "filled")]
    checks.that("demo: it places the first 20 buys", len(bought) == 20 == len(first["orders"]), first["outcome"])
    codes, early, traded = Counter(), [], 0
    for _ in range(passes - 1):
        code, report, _ = run(state, "--demo")
        codes[code] += 1
        # Whatever is traded has left its band, which is 5 % of the target.
        early += [leg for leg in report["plan"]["legs"] if abs(Decimal(leg["drift"])) <= Decimal("0.05")]
        traded += len(report["orders"])
    checks.that(f"demo: {passes - 1} further passes end with 0 ({traded} orders)", set(codes) == {0}, dict(codes))
    checks.that("demo: and trade only what left its band", not early and traded > 0, (early[:2], traded))
    books_agree("demo", state, 200)


def crash_day(folder, data):
    state = os.path.join(folder, "crash")
    sets = {"mode": "paper", "paper.equity": 300, "paper.prices": f"{data}/klines_5m_2025-09_2025-12",
            "paper.funding": f"{data}/funding", "paper.start": "2025-10-10T15:00:00Z",
            "paper.exchange_info": f"{data}/exchange_info/testnet_exchangeInfo_2025-12-24.json.gz",
            "basket.symbols": json.dumps([f"{coin}USDT" for coin in COINS]), "basket.size": 15, "basket.target_value": 40,
            # The books have to agree all the way down; crash_day.py has the stop.
            "risk.max_drawdown": 0.9}
    flags = [f"--set={key}={value}" for key, value in sets.items()]
    codes, reasons, low = Counter(), Counter(), Decimal(300)
    for _ in range(110):
        code, report, err = run(state, *flags)
        codes[code] += 1
        if code == 0:
            reasons.update(order["reason"] for order in report["orders"])
            low = min(low, Decimal(report["equity_before"]))
    checks.that("crash day: 110 passes on recorded prices end with 0", set(codes) == {0}, (dict(codes), err[-300:]))
    checks.that(f"crash day: entries, sales and purchases were made {dict(reasons)}",
                all(reasons[reason] for reason in ("entry", "above_band", "below_band")))
    checks.that(f"crash day: the crash was seen (equity fell to {low:.2f})", low < 150)
    books_agree("crash day", state, 300)


with tempfile.TemporaryDirectory(prefix="rebal-paper-") as folder:
    demo(folder)
    if os.environ.get("REBAL_DATA"):
        crash_day(folder, os.environ["REBAL_DATA"])
    else:
        print("skipped: the crash day needs REBAL_DATA")
checks.end()
