"""A state folder is one account's: no command of another configuration writes into it, or tells of it as its own.

usage: owner.py REBAL
"""
import hashlib
import os
import sqlite3
import sys

from harness import Checks, Home, Sim

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that

COMMANDS = [("scan", "--apply"), ("scan",), ("plan",), ("plan", "--dry-run"), ("rebalance",), ("rebalance", "--dry-run"), ("risk-check",),
            ("risk-check", "--resume", "--confirm", "h1"), ("report",), ("report", "--week"), ("funding",), ("flatten", "--yes"),
            ("flatten", "--yes", "--symbols", "ADA")]


def kept(home):
    """Every table, and every file beside the ledger."""
    db = sqlite3.connect(os.path.join(home.state, "ledger.db"))
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    rows = {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}
    db.close()
    files = {}
    for name in sorted(os.listdir(home.state)):
        if not name.startswith(("ledger.db", "lock", "listing-")):
            with open(os.path.join(home.state, name), "rb") as file:
                files[name] = hashlib.sha256(file.read()).hexdigest()
    return rows, files


with Sim(rebal, equity="1000") as sim, Home(rebal, sim.url, symbols=[], scan__source="exchange", basket__target_value="30") as home:
    code, report = home.json("scan", "--apply")
    that("testnet: a scan is applied", (code, report["applied"]) == (0, True), report)
    code, report = home.json("rebalance")
    that("testnet: a pass buys it", code == 0 and len(report["orders"]) == 20, (code, report))
    sim.advance()
    before, orders = kept(home), len(sim.state()["orders"])
    others = {
        "paper": ("--set", "mode=paper", "--set", "paper.prices=synthetic", "--set", "basket.size=8"),
        "paper of another seed": ("--set", "mode=paper", "--set", "paper.prices=synthetic", "--set", "paper.seed=99"),
        "spot": ("--set", "venue=binance-spot", "--set", "scan.min_quote_volume=1"),
        "the demo": ("--demo",),
    }
    for name, words in others.items():
        for command in COMMANDS:
            if name == "the demo":
                run = home.command
                home.command = lambda *arguments, state=None: [rebal, "--state-dir", home.state, *arguments]
                code, report = home.json(*words, *command)
                home.command = run
            else:
                code, report = home.json(*command, *words)
            told = "this ledger belongs to testnet binance-usdm" in report.get("message", "") and "--state-dir" in report.get("hint", "")
            that(f"{name}: {' '.join(command)} ends with 10 and says whose ledger it is", (code, told) == (10, True), (code, report))
            that(f"{name}: {' '.join(command)} changes nothing", kept(home) == before and len(sim.state()["orders"]) == orders)
    code, report = home.json("rebalance")
    sold = [order for order in report["orders"] if order["side"] == "SELL" and order["status"] == "filled"]
    that("testnet: the next pass sells no coin of the universe", code == 0 and not sold, (code, sold))

    code, report = home.json("rebalance", "--set", "basket.size=8")
    that("a universe larger than the basket is refused", code == 2 and "basket.size is 8" in report["message"] and "scan --apply" in report["hint"], report)
    code, report = home.json("risk-check", "--set", "basket.size=8")
    that("and the hard stop is watched all the same", code == 0 and report["schema"] == "rebal.risk/1", report)

checks.end()
