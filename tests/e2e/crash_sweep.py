"""Kills a whole command at syscall after syscall, and fails its disk: the next pass settles every time.

usage: crash_sweep.py REBAL [--every] [--only SCENARIO]

Without --every a coarse choice of points (for CI), with it every one. Needs strace; nothing else is
installed, nothing in the binary knows of it. `SWEPT` names the commands that are swept.
"""
import os
import random
import re
import sys
from decimal import Decimal

from harness import BASKET, Checks, Home, Sim, accepted_once, injected, killed, syscalls

rebal = os.path.abspath(sys.argv[1])
EVERY = "--every" in sys.argv
COARSE = 20
checks = Checks()
that = checks.that


class Allocation:
    """`rebalance` on an empty account: six buys."""

    arguments = ("rebalance",)

    @staticmethod
    def prepare(_sim, _home):
        pass

    @staticmethod
    def problem(sim, home):
        """What is wrong after one more pass behind the fence and a quiet one; None where all is well."""
        sim.advance()
        after, report = home.json("rebalance")
        again, _ = home.json("rebalance")
        state = sim.state()
        positions = {row["symbol"] for row in state["positions"] if Decimal(row["qty"])}
        well = (after, again) == (0, 0) and accepted_once(state) and len(state["orders"]) == 6 and positions == set(BASKET)
        return None if well else (after, again, len(state["orders"]), sorted(positions), report.get("message"))


class Harvest(Allocation):
    """`rebalance` of a held basket: one sale, then one purchase, in a ledger that has a past."""

    @staticmethod
    def prepare(sim, home):
        code, report = home.json("rebalance")
        if code != 0:
            raise SystemExit(f"the allocation before the sweep failed: {report}")
        sim.advance()
        sim.price("ADAUSDT", "1.3")
        sim.price("XRPUSDT", "0.6")

    @staticmethod
    def problem(sim, home):
        sim.advance()
        after, report = home.json("rebalance")
        again, _ = home.json("rebalance")
        state = sim.state()
        sold = [order for order in state["orders"] if order["symbol"] == "ADAUSDT" and order["side"] == "SELL"]
        bought = [order for order in state["orders"] if order["symbol"] == "XRPUSDT" and not order["reduce_only"]]
        well = (after, again) == (0, 0) and accepted_once(state) and (len(sold), len(bought), len(state["orders"])) == (1, 2, 8)
        return None if well else (after, again, len(sold), len(bought), len(state["orders"]), report.get("message"))


class Creation(Allocation):
    """`plan`, which makes the ledger (and would migrate an older one): all of it or nothing."""

    arguments = ("plan",)


# Flatten goes here: a class with `arguments`, `prepare` and `problem`.
SWEPT = {"allocation": Allocation, "harvest": Harvest}


def once(what, where, label, *more):
    """Runs the command with that injection. Its exit code, and whether all was well in the end."""
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        what.prepare(sim, home)
        code, _, _ = home.run(*what.arguments, wrap=injected(where, *more))
        problem = what.problem(sim, home)
        if problem is not None:
            that(label, False, (code, problem))
        return code, problem is None


def points_of(what):
    with Sim(rebal) as sim, Home(rebal, sim.url) as home:
        what.prepare(sim, home)
        trace = os.path.join(home.folder, "trace")
        home.run(*what.arguments, wrap=("strace", "-f", "-o", trace))
        return syscalls(trace)


def each_sync(what, inject, label, least, fine):
    """Every n-th fsync and fdatasync of the command in turn."""
    last = max(number for call, number in points_of(what) if call in ("fsync", "fdatasync"))
    results = [once(what, inject.format(number), f"{label} number {number}") for number in range(1, last + 1)]
    that(f"{label}: at {last} points, and all was well each time",
         last >= least and all(well and fine(code) for code, well in results), results)


def durable_steps():
    for name, what in SWEPT.items():
        each_sync(what, "fsync,fdatasync:signal=SIGKILL:when={}", f"{name}: killed at durable step", 4, killed)


def kill_at_syscalls(name, what, coarse):
    points = points_of(what)
    chosen = points if EVERY else random.Random(11).sample(points, min(coarse, len(points)))
    results = [once(what, f"{call}:signal=SIGKILL:when={number}", f"{name}: killed at {call} number {number}") for call, number in chosen]
    struck = sum(killed(code) for code, _ in results)
    that(f"{name}: killed at {struck} of {len(results)} syscalls out of {len(points)}, and all was well each time",
         struck >= len(results) * 3 // 4 and all(well for _, well in results), struck)


def syscalls_sweep():
    for name, what in SWEPT.items():
        kill_at_syscalls(name, what, COARSE)


def creation():
    each_sync(Creation, "fsync,fdatasync:signal=SIGKILL:when={}", "creation: killed at durable step", 1, killed)
    kill_at_syscalls("creation", Creation, COARSE // 3)


def fsync_errors():
    for name, what in SWEPT.items():
        each_sync(what, "fsync,fdatasync:error=EIO:when={}", f"{name}: EIO of fsync", 3, lambda code: code in (0, 5, 10))


def disk_full():
    """ENOSPC from the n-th write of the ledger on, in a disk that stays full, and once."""
    for name, what in SWEPT.items():
        writes = max((number for call, number in points_of(what) if call == "pwrite64"), default=0)
        step = 1 if EVERY else max(1, writes // 6)
        codes, well = [], []
        for number in range(1, writes + 1, step):
            for times in ("", "+"):
                code, good = once(what, f"pwrite64:error=ENOSPC:when={number}{times}", f"{name}: ENOSPC at write {number}{times}")
                codes.append(code)
                well.append(good and code in (0, 5, 10))
        that(f"{name}: a full disk at {len(codes)} points ({codes.count(10)} ended with 10), and all was well each time",
             codes.count(10) >= len(codes) // 2 and all(well), codes)


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
