"""Reports and passes over a ledger of 1,000,000 executions, against the same over a young one.

usage: report.py REBAL [FILLS]

Makes a demo ledger, then writes a year of passes with twenty coins each and FILLS (1,000,000) executions into it with
plain SQL. Times are printed as ratios to a ledger of one pass, and never judged.
"""
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

rebal = os.path.abspath(sys.argv[1])
fills = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
YEAR_MS, STEP_MS = 364 * 86_400_000, 300_000


def command(state, *arguments):
    return [rebal, "--demo", "--state-dir", state, "-q", *arguments]


def timed(state, *arguments, runs=5):
    times = []
    for _ in range(runs):
        begin = time.monotonic()
        process = subprocess.Popen(command(state, *arguments), stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{arguments} ended with {process.returncode}")
        times.append((time.monotonic() - begin, usage.ru_maxrss / 1024))
    return statistics.median(seconds for seconds, _ in times), max(memory for _, memory in times)


def grow(state, days):
    """A year of passes before the first real one; all executions in the last `days`."""
    db = sqlite3.connect(os.path.join(state, "ledger.db"))
    now = db.execute("SELECT min(at) FROM equity").fetchone()[0]
    coins = db.execute("SELECT symbol, qty, entry, mark, unrealized, target FROM sample WHERE pass_id = (SELECT max(pass_id) FROM sample)").fetchall()
    real = db.execute("SELECT count(*) FROM pass").fetchone()[0]
    passes = YEAR_MS // STEP_MS
    db.execute("PRAGMA foreign_keys = OFF")
    for table, columns in (("pass", ["id"]), ("equity", ["pass_id"]), ("sample", ["pass_id"]), ("intent", ["pass_id"]), ("income", ["pass_id"])):
        for column in columns:
            # Upward first: the numbers must not meet on the way.
            db.execute(f"UPDATE {table} SET {column} = {column} + 10000000 WHERE {column} IS NOT NULL")
            db.execute(f"UPDATE {table} SET {column} = {column} - 10000000 + {passes} WHERE {column} IS NOT NULL")
    db.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'pass'", (passes,))
    times = [now - (passes - number) * STEP_MS for number in range(passes)]
    db.executemany("INSERT INTO pass (id, at, outcome, exit_code, plan) VALUES (?, ?, 'traded', 0, '')",
                   ((number + 1, at) for number, at in enumerate(times)))
    db.executemany("INSERT INTO equity (pass_id, at, equity, wallet, fill_seq, units, nav, peak) VALUES (?, ?, '200.5', '200', 0, '200', '1.0025', '1.01')",
                   ((number + 1, at) for number, at in enumerate(times)))
    db.executemany("INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?)",
                   ((number + 1, *coin) for number in range(passes) for coin in coins))
    first = passes - days * 86_400_000 // STEP_MS

    def executions():
        for number in range(fills):
            index = first + number * (passes - first) // fills
            yield number, index + 1, times[index] + 40, coins[number % len(coins)][0]
    db.executemany("INSERT INTO intent (client_id, pass_id, symbol, side, qty, ref_price, reduce_only, reason, state) "
                   "VALUES ('g' || ?, ?, ?, 'SELL', '1.5', '2.25', 1, 'above_band', 'done')",
                   ((number, pass_id, symbol) for number, pass_id, _, symbol in executions()))
    last = db.execute("SELECT coalesce(max(seq), 0) FROM fill").fetchone()[0]
    db.executemany("INSERT INTO fill (seq, symbol, trade_id, order_id, client_id, side, qty, price, fee, fee_asset, realized, at) "
                   "VALUES (?, ?, ?, ?, 'g' || ?, 'SELL', '1.5', '2.25', '0.0016875', 'USDT', '0.125', ?)",
                   ((last + 1 + number, symbol, number + 1000, number, number, at) for number, _, at, symbol in executions()))
    db.execute("UPDATE equity SET fill_seq = (SELECT max(seq) FROM fill) WHERE pass_id = (SELECT max(pass_id) FROM equity)")
    db.commit()
    db.close()
    return real


with tempfile.TemporaryDirectory(prefix="rebal-bench-") as folder:
    young = os.path.join(folder, "young")
    subprocess.run(command(young, "rebalance"), stdout=subprocess.DEVNULL, check=True)
    subprocess.run(command(young, "rebalance"), stdout=subprocess.DEVNULL, check=True)
    base = {"report --week": timed(young, "report", "--week", "--json"), "report": timed(young, "report", "--json"),
            "plan --dry-run": timed(young, "plan", "--dry-run", "--json")}
    for days, label in ((364, "over a year"), (7, "in the last week")):
        old = os.path.join(folder, f"old{days}")
        shutil.copytree(young, old)
        begin = time.monotonic()
        grow(old, days)
        size = os.path.getsize(os.path.join(old, "ledger.db")) / 2**20
        subprocess.run(command(old, "rebalance"), stdout=subprocess.DEVNULL, check=True)
        print(f"{fills} executions {label}: {size:.0f} MiB, written in {time.monotonic() - begin:.0f} s")
        for arguments in (["report", "--week"], ["report"], ["plan", "--dry-run"], ["rebalance"]):
            name = " ".join(arguments)
            seconds, memory = timed(old, *arguments, "--json")
            if name == "rebalance":
                base.setdefault(name, timed(young, *arguments, "--json"))
            ratio = seconds / base[name][0]
            print(f"  {name:16} {seconds:7.3f} s = {ratio:6.1f} × that of a young ledger ({base[name][0]:.3f} s), {memory:4.0f} MiB")
