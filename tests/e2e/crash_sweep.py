"""Kills a whole command at syscall after syscall, and fails its disk: the next pass settles every time.

usage: crash_sweep.py REBAL [--every] [--only SCENARIO] [--swept NAME]

Without --every a coarse choice of points (for CI), with it every one. Needs strace; nothing else is
installed, nothing in the binary knows of it. `SWEPT` names the commands that are swept.
"""
import os
import random
import re
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from harness import BASKET, Checks, Home, Sim, accepted_once, injected, killed, syscalls

rebal = os.path.abspath(sys.argv[1])
EVERY = "--every" in sys.argv
COARSE = 20
checks = Checks()
that = checks.that


class Allocation:
    """`rebalance` on an empty account: six buys.

    What is swept is a class like this one: `arguments` of the command; `prepare` for what goes before;
    `fine`, how it may end where its disk fails; `only_written`, whether it sends nothing that it cannot write
    down; and `problem`, which lets one or two normal passes run afterwards and says what is wrong then.
    """

    arguments = ("rebalance",)
    fine = {0, 5, 10}
    only_written = True

    @staticmethod
    def prepare(_sim, _home):
        pass

    @staticmethod
    def problem(sim, home):
        """What is wrong after one more pass behind the fence and a quiet one; None where all is well."""
        sim.advance()
        after, report = home.json("rebalance")
        again, _ = home.json("rebalance")
        positions = set(held(sim.state()))
        orders = len(sim.state()["orders"])
        well = (after, again) == (0, 0) and orders == 6 and positions == set(BASKET)
        return books(sim, home) or (None if well else (after, again, orders, sorted(positions), report.get("message")))


class Harvest(Allocation):
    """`rebalance` of a held basket: one sale, then one purchase, in a ledger that has a past."""

    @staticmethod
    def prepare(sim, home):
        allocated(sim, home)
        sim.price("ADAUSDT", "1.3")
        sim.price("XRPUSDT", "0.6")

    @staticmethod
    def problem(sim, home):
        sim.advance()
        after, report = home.json("rebalance")
        again, _ = home.json("rebalance")
        orders = sim.state()["orders"]
        sold = [order for order in orders if order["symbol"] == "ADAUSDT" and order["side"] == "SELL"]
        bought = [order for order in orders if order["symbol"] == "XRPUSDT" and not order["reduce_only"]]
        well = (after, again) == (0, 0) and (len(sold), len(bought), len(orders)) == (1, 2, 8)
        return books(sim, home) or (None if well else (after, again, len(sold), len(bought), len(orders), report.get("message")))


class Flatten(Allocation):
    """`flatten --yes` of a held basket. Swept once SWEPT names it."""

    arguments = ("flatten", "--yes")
    fine = {0, 5, 8, 10}
    only_written = False

    @staticmethod
    def prepare(sim, home):
        allocated(sim, home)

    @staticmethod
    def problem(sim, home):
        """The same command once more closes what is left and halts; then a pass refuses."""
        sim.advance()
        code, report = home.json("flatten", "--yes")
        refused, _ = home.json("rebalance")
        well = (code, refused) == (0, 6) and halted(home) and not held(sim.state())
        return books(sim, home) or (None if well else (code, refused, halted(home), held(sim.state()), report.get("message")))


class Stopped(Allocation):
    """`rebalance` whose hard stop fires: the account lost more than `risk.max_drawdown`. Swept once SWEPT names it."""

    fine = {5, 7, 8, 10}
    only_written = False

    @staticmethod
    def prepare(sim, home):
        allocated(sim, home)
        for symbol in BASKET:
            sim.price(symbol, "0.4")

    @staticmethod
    def problem(sim, home):
        """Killed before the latch, the next pass stops (7); after it, passes go on closing or refuse (6). In
        the end the account is flat and halted, stays so however often it is tried, and nothing was bought."""
        sim.advance()
        codes = [home.json("rebalance")[0] for _ in range(3)]
        state = sim.state()
        bought = [order for order in state["orders"][len(BASKET):] if not order["reduce_only"]]
        well = set(codes) <= {6, 7, 8} and codes[-1] == 6 and halted(home) and not held(state) and not bought
        return books(sim, home) or (None if well else (codes, halted(home), held(state), bought))


def allocated(sim, home):
    code, report = home.json("rebalance")
    if code != 0:
        raise SystemExit(f"the allocation before the sweep failed: {report}")
    sim.advance()


def held(state):
    return {row["symbol"]: Decimal(row["qty"]) for row in state["positions"] if Decimal(row["qty"])}


def halted(home):
    """The latch, which the HALT file or the ledger may hold."""
    return os.path.exists(os.path.join(home.state, "HALT")) or bool(rows(home, "SELECT id FROM halt WHERE cleared_at IS NULL"))


def rows(home, sql):
    path = os.path.join(home.state, "ledger.db")
    if not os.path.exists(path):
        return []
    ledger = sqlite3.connect(path)
    try:
        return ledger.execute(sql).fetchall()
    finally:
        ledger.close()


def books(sim, home):
    """What holds whatever was swept: no id was accepted twice, our books are the exchange's, nothing is open."""
    state = sim.state()
    ours = {symbol: Decimal(qty) for symbol, qty in rows(home, "SELECT symbol, qty FROM position") if Decimal(qty)}
    left = rows(home, "SELECT client_id, state FROM intent WHERE state IN ('planned', 'sending', 'unknown', 'accepted')")
    if not accepted_once(state):
        return ("an id was accepted twice", [order["client_order_id"] for order in state["orders"]])
    return None if (ours, left) == (held(state), []) else ("our books", ours, "the exchange's", held(state), "open", left)


class Creation(Allocation):
    """`plan`, which makes the ledger (and would migrate an older one): all of it or nothing."""

    arguments = ("plan",)


# A command is swept by its name here. `flatten` and `stop` are for the binary that has them:
# "flatten": Flatten, "stop": Stopped.
SWEPT = {"allocation": Allocation, "harvest": Harvest}
if "--swept" in sys.argv:
    SWEPT = {name: what for name, what in SWEPT.items() if name == sys.argv[sys.argv.index("--swept") + 1]}


def once(what, where, label, *more):
    """Runs the command with that injection. Its exit code, and whether all was well in the end."""
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        what.prepare(sim, home)
        before = len(sim.state()["orders"])
        code, _, _ = home.run(*what.arguments, wrap=injected(where, *more))
        sent = len(sim.state()["orders"]) - before
        problem = what.problem(sim, home)
        if code == 10 and sent and what.only_written:
            problem = f"10 says that nothing was sent, and {sent} orders were"
        if problem is not None:
            that(label, False, (code, problem))
        return code, problem is None


def each(calls):
    """`once` for each of these; passes that look for lost orders mostly wait, so some run at a time."""
    with ThreadPoolExecutor(4) as pool:
        return [ended.result() for ended in [pool.submit(once, *call) for call in calls]]


def points_of(what):
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        what.prepare(sim, home)
        trace = os.path.join(home.folder, "trace")
        home.run(*what.arguments, wrap=("strace", "-f", "-o", trace))
        return syscalls(trace)


def each_sync(what, inject, label, least, fine):
    """Every n-th fsync and fdatasync of the command in turn."""
    last = max(number for call, number in points_of(what) if call in ("fsync", "fdatasync"))
    results = each((what, inject.format(number), f"{label} number {number}") for number in range(1, last + 1))
    # How often the log is synced differs by one or two from run to run; beyond its end nothing strikes.
    struck = sum(fine(code) for code, _ in results)
    that(f"{label}: at {struck} of {last} points, and all was well each time",
         struck >= max(least, last * 3 // 4) and all(well and (fine(code) or code == 0) for code, well in results), results)


def durable_steps():
    for name, what in SWEPT.items():
        each_sync(what, "fsync,fdatasync:signal=SIGKILL:when={}", f"{name}: killed at durable step", 4, killed)


def kill_at_syscalls(name, what, coarse):
    points = points_of(what)
    chosen = points if EVERY else random.Random(11).sample(points, min(coarse, len(points)))
    results = each((what, f"{call}:signal=SIGKILL:when={number}", f"{name}: killed at {call} number {number}") for call, number in chosen)
    struck = sum(killed(code) for code, _ in results)
    that(f"{name}: killed at {struck} of {len(results)} syscalls out of {len(points)}, and all was well each time",
         struck >= len(results) // 2 and all(well for _, well in results), struck)


def syscalls_sweep():
    for name, what in SWEPT.items():
        kill_at_syscalls(name, what, COARSE)


def creation():
    each_sync(Creation, "fsync,fdatasync:signal=SIGKILL:when={}", "creation: killed at durable step", 1, killed)
    kill_at_syscalls("creation", Creation, COARSE // 3)


def fsync_errors():
    for name, what in SWEPT.items():
        each_sync(what, "fsync,fdatasync:error=EIO:when={}", f"{name}: EIO of fsync", 3, what.fine.__contains__)


def disk_full():
    """ENOSPC from the n-th write of the ledger on, in a disk that stays full, and once."""
    for name, what in SWEPT.items():
        writes = max((number for call, number in points_of(what) if call == "pwrite64"), default=0)
        step = 1 if EVERY else max(1, writes // 6)
        at = [f"{number}{times}" for number in range(1, writes + 1, step) for times in ("", "+")]
        results = each((what, f"pwrite64:error=ENOSPC:when={when}", f"{name}: ENOSPC at write {when}") for when in at)
        codes = [code for code, _ in results]
        noticed = len(codes) - codes.count(0) >= len(codes) // 2
        that(f"{name}: a full disk at {len(codes)} points ({codes.count(10)} ended with 10, {codes.count(5)} with 5), and all was well each time",
             noticed and all(well and code in what.fine for code, well in results), codes)


def read_only():
    """Nothing may be written: 10 before any request."""
    for name in ("lock", "ledger.db"):
        with Sim(rebal) as sim, Home(rebal, sim.url) as home:
            os.makedirs(home.state)
            path = os.path.join(home.state, name)
            code, _, err = home.run("rebalance", wrap=injected("openat:error=EROFS", "-P", path))
            that(f"{name} on a read-only file system: 10 before any request", code == 10 and not sim.state()["requests"], (code, err))


def durable_before_sent():
    """No order leaves between a write to the log and its fsync; SENDING is on disk before its first byte."""
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        trace = os.path.join(home.folder, "trace")
        home.run("rebalance", wrap=("strace", "-f", "-y", "-s", "64", "-o", trace, "-e", "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg"))
        dirty, synced, orders, early = False, False, 0, 0
        with open(trace, errors="replace") as lines:
            for line in lines:
                if re.search(r"pwrite64\(\d+<[^>]*ledger\.db-wal>", line):
                    dirty = True
                elif re.search(r"f(data)?sync\(\d+<[^>]*ledger\.db-wal>", line):
                    dirty, synced = False, True
                elif "POST /fapi/v1/order " in line:
                    orders += 1
                    early += dirty or not synced
        that(f"{orders} orders left, none before its intent was on disk", orders == 6 and early == 0, (orders, early))


scenarios = (durable_before_sent, durable_steps, syscalls_sweep, creation, fsync_errors, disk_full, read_only)
only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else None
for scenario in scenarios:
    if only in (None, scenario.__name__):
        print(f"\n-- {scenario.__name__}", flush=True)
        scenario()
checks.end()
