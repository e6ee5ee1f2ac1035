"""A state folder is one account's: no command of another configuration writes into it, or tells of it as its own.

usage: owner.py REBAL
"""
import hashlib
import json
import os
import sqlite3
import subprocess
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



def damaged():
    """What is said of a ledger that is broken, and what comes of doing it."""
    with Sim(rebal, equity="1000") as sim, Home(rebal, sim.url, basket__target_value="150") as home:
        code, _, err = home.run("rebalance")
        sim.advance()
        before, path = sim.state()["positions"], os.path.join(home.state, "ledger.db")
        for rest in ("-wal", "-shm"):
            if os.path.exists(path + rest):
                os.remove(path + rest)
        with open(path, "r+b") as file:
            whole = file.read()
            file.seek(0)
            file.write(b"this is no database" * 200)
            file.truncate()
        for command in (("rebalance",), ("plan",), ("risk-check",), ("report",), ("scan", "--apply")):
            code, report = home.json(*command)
            hint = report.get("hint", "")
            that(f"damaged: {command[0]} ends with 10 and says the way out", code == 10 and "backup" in hint and "move ledger.db" in hint
                 and "takes the positions" in hint and "file HALT" in hint and "permissions" not in hint, (code, report))
        code, report = home.json("doctor")
        row = next(row for row in report["checks"] if row["name"] == "ledger")
        that("damaged: so does doctor", code == 10 and "backup" in str(row) and "permissions" not in str(row), row)
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm", "lock"):
            if os.path.exists(os.path.join(home.state, name)):
                os.rename(os.path.join(home.state, name), os.path.join(home.folder, name))
        code, report = home.json("rebalance")
        that("moved away: orders of the old ledger stop a pass until somebody accepts them", code == 9, (code, report))
        open(os.path.join(home.state, "HALT"), "w").close()
        code, report = home.json("rebalance")
        ident = report["message"].split("(halt ")[1].split(")")[0]
        code, report = home.json("risk-check", "--resume", "--confirm", ident)
        that("an empty HALT and risk-check --resume accept them", code == 0, (code, report))
        code, report = home.json("rebalance")
        that("moved away: the next pass takes the positions over as they are", code == 0 and report["orders"] == [] and sim.state()["positions"] == before, (code, report))
        code, report = home.json("plan")
        that("every one of them", len(report["held"]) + len(report["legs"]) + len(report["skipped"]) == 6 and not report["legs"], report)
        code, report = home.json("risk-check")
        that("and measures the drawdown from there", code == 0 and report["drawdown"] in ("0", "0.0") and len(whole) > 0, (code, report.get("drawdown")))

        odd = os.path.join(os.fsencode(home.folder), b"state-\xff")
        command = [os.fsencode(word) for word in home.command("rebalance", "--json")]
        command[command.index(os.fsencode(home.state))] = odd
        done = subprocess.run(command, capture_output=True, env=home.environment(), stdin=subprocess.DEVNULL, timeout=60)
        report = json.loads(done.stdout)
        that("a folder whose name is not UTF-8 is told so", done.returncode == 10 and "UTF-8" in report["message"] and "rename the folder" in report["hint"], report)


damaged()
checks.end()
