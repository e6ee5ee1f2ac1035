"""300 paper passes: ledger, trades.csv and the paper account agree to the last digit.

usage: paper.py REBAL [PASSES]
"""
import csv
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from decimal import Decimal

from harness import Checks

rebal, passes = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300
checks = Checks()


def run(state, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REBAL")}
    done = subprocess.run([rebal, "--demo", "--state-dir", state, *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env=environment)
    return done.returncode, done.stdout, done.stderr


with tempfile.TemporaryDirectory(prefix="rebal-paper-") as folder:
    state = os.path.join(folder, "state")
    code, out, err = run(state, "rebalance", "--json")
    first = json.loads(out)
    checks.that("the first pass ends with 0", code == 0, err)
    buys = [order for order in first["orders"] if order["side"] == "BUY" and order["status"] == "filled"]
    checks.that("it places the first 20 buys", len(buys) == 20 == len(first["orders"]), first["outcome"])

    codes, outside, traded = defaultdict(int), [], 0
    for _ in range(passes - 1):
        code, out, err = run(state, "rebalance", "--json")
        codes[code] += 1
        report = json.loads(out)
        for leg in report["plan"]["legs"]:
            # Whatever trades had left its band, which is 5 % of the target.
            if leg["drift"] is None or abs(Decimal(leg["drift"])) <= Decimal("0.05"):
                outside.append(leg)
        traded += len(report["orders"])
    checks.that(f"{passes - 1} further passes end with 0 ({traded} orders)", set(codes) == {0}, dict(codes))
    checks.that("and trade only what left its band", not outside, outside[:2])
    checks.that("something was traded at all", traded > 0)

    ledger = sqlite3.connect(os.path.join(state, "ledger.db"))
    ledger.row_factory = sqlite3.Row
    paper = json.loads(ledger.execute("SELECT state FROM paper").fetchone()[0])
    fills = ledger.execute("SELECT fill.*, pass_id, reason FROM fill JOIN intent USING (client_id) ORDER BY seq").fetchall()
    with open(os.path.join(state, "trades.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    checks.that("trades.csv has one row per fill of the ledger", len(rows) == len(fills), (len(rows), len(fills)))
    same = all(
        (row["trade_id"], row["symbol"], row["qty"], row["price"], row["fee"], row["client_order_id"], row["realized_pnl"])
        == (str(fill["trade_id"]), fill["symbol"], fill["qty"], fill["price"], fill["fee"], fill["client_id"], fill["realized"])
        for row, fill in zip(rows, fills))
    checks.that("field for field", same)

    held = defaultdict(Decimal)
    for row in rows:
        held[row["symbol"]] += Decimal(row["qty"]) * (1 if row["side"] == "BUY" else -1)
    account = {symbol: Decimal(holding["qty"]) for symbol, holding in paper["holdings"].items()}
    held = {symbol: qty for symbol, qty in held.items() if qty}
    account = {symbol: qty for symbol, qty in account.items() if qty}
    checks.that("positions of the paper account are the sum of trades.csv", held == account)
    ours = {row["symbol"]: Decimal(row["qty"]) for row in ledger.execute("SELECT symbol, qty FROM position")}
    checks.that("and those of the ledger", {s: q for s, q in ours.items() if q} == account)

    # The wallet from the books alone: what it began with, what the fills did, what funding did.
    realized = sum(Decimal(row["realized_pnl"]) - Decimal(row["fee"]) for row in rows)
    funding = sum((Decimal(row["income"] if "income" in row else row["amount"]) for row in paper["income"]
                   if row["kind"] == "FUNDING_FEE"), Decimal(0))
    checks.that("wallet = 200 + realised - fees + funding, to the last digit",
                Decimal(200) + realized + funding == Decimal(paper["wallet"]),
                (Decimal(200) + realized + funding, paper["wallet"]))
    booked = sum((Decimal(row["amount"]) for row in ledger.execute("SELECT amount FROM income WHERE kind = 'FUNDING_FEE'")), Decimal(0))
    checks.that("funding in the ledger is funding in the paper account (up to the last settlement seen)",
                abs(booked - funding) <= abs(funding) and booked != 0 or funding == 0, (booked, funding))
    states = {row["state"] for row in ledger.execute("SELECT DISTINCT state FROM intent")}
    checks.that("no intent is left open", states <= {"done", "rejected", "not_sent", "absent", "abandoned"}, states)
checks.end()
