"""Figures of one pass over 500 listed contracts, against `rebal sim` on loopback.

usage: pass.py REBAL

Prints counts: requests, weight, waves (requests that were under way together, told apart by a latency
that the simulator adds), CPU time and peak memory. Times are printed, never judged.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import Checks, Home, Sim  # noqa: E402

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
DEMO = ["ADAUSDT", "XRPUSDT", "DOGEUSDT", "TRXUSDT", "XLMUSDT", "HBARUSDT", "SUIUSDT", "NEARUSDT", "DOTUSDT", "LINKUSDT",
        "AVAXUSDT", "UNIUSDT", "APTUSDT", "ARBUSDT", "OPUSDT", "SEIUSDT", "INJUSDT", "WLDUSDT", "ONDOUSDT", "TONUSDT"]


def timed(command, environment=None):
    """Runs one process to its end: wall seconds, CPU seconds, peak memory in MiB, exit code."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               stdin=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode


def passes(latency_ms):
    """The initial allocation, three quiet passes, and one that sells three coins and buys three."""
    # Concurrency above the number of coins, so that one wave is one round trip.
    with Sim(rebal, "--symbols", "500", "--latency-ms", str(latency_ms), clock="real") as sim, \
            Home(rebal, sim.url, DEMO, execution__concurrency=50) as home:
        def run():
            before = len(sim.state()["requests"])
            figures = timed(home.command("rebalance"), home.environment())
            return figures, sim.state()["requests"][before:]
        first = run()
        quiet = [run() for _ in range(3 if latency_ms else 7)]
        for symbol in DEMO[:3]:
            sim.price(symbol, "1.1")
        for symbol in DEMO[3:6]:
            sim.price(symbol, "0.6")
        return first, quiet, run()


def waves(requests):
    """Groups of requests that were under way together: the next group waits for an answer of the last,
    so it arrives a latency later."""
    times = sorted(datetime.fromisoformat(request["at"].replace("Z", "+00:00")).timestamp() for request in requests)
    return 1 + sum(later - earlier > LATENCY_MS / 2000 for earlier, later in zip(times, times[1:]))


def weight(requests):
    return sum(request["weight"] for request in requests)


def median(runs, index):
    return statistics.median(figures[index] for figures, _ in runs)


# Below the half second from which the client measures the clock a second time.
LATENCY_MS = 400
fast = passes(0)[1]
first, quiet, traded = passes(LATENCY_MS)
wave = quiet[-1][1]
orders = sum(request["path"] == "/fapi/v1/order" and request["method"] == "POST" for request in traded[1])
print(f"quiet pass, 20 coins, 500 listed: {len(wave)} requests, weight {weight(wave)}, {waves(wave)} waves (time, then one)")
print(f"pass with 3 sales and 3 purchases: {len(traded[1])} requests, weight {weight(traded[1])}, {waves(traded[1])} waves, {orders} orders")
print(f"initial allocation of 20 coins: {len(first[1])} requests, weight {weight(first[1])}, {waves(first[1])} waves "
      "(one of them looks for another ledger's orders)")
print(f"quiet pass: CPU {median(fast, 1) * 1000:.0f} ms, peak memory {median(fast, 2):.1f} MiB")
version = [(timed([rebal, "--version"]), None) for _ in range(20)]
print(f"rebal --version: {median(version, 0) * 1000:.1f} ms")
codes = [figures[3] for figures, _ in [first, *quiet, traded]]
checks.that("every pass ends with 0", set(codes) == {0}, codes)
checks.that("a quiet pass is one wave after the connection", {waves(requests) for _, requests in quiet} == {2})
checks.that("a quiet pass weighs at most 60", weight(wave) <= 60, weight(wave))
checks.that("a quiet pass sends only reads", all(request["method"] == "GET" for request in wave))
checks.that("a pass that trades needs at most three waves more", orders == 6 and waves(traded[1]) <= 5, (orders, waves(traded[1])))
checks.end()
