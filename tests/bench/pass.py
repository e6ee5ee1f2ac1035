"""Figures of one pass over 500 listed contracts, against `rebal sim` on loopback.

usage: pass.py REBAL

Prints counts and ratios. Round trips are counted with a latency added by the simulator: a pass that
takes T(latency) waits (T(latency) - T(0)) / latency times for the network. Times are printed, never judged.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

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


def passes_at(latency, symbols):
    """The initial allocation, five quiet passes, and one that sells three coins and buys three."""
    # Concurrency above the number of coins, so that one wave is one round trip.
    with Sim(rebal, "--symbols", "500", "--latency-ms", str(latency)) as sim, \
            Home(rebal, sim.url, symbols, execution__concurrency=50) as home:
        def run():
            before = len(sim.state()["requests"])
            figures = timed(home.command("rebalance"), home.environment())
            return figures, sim.state()["requests"][before:]
        first = run()
        quiet = [run() for _ in range(5)]
        for symbol in symbols[:3]:
            sim.price(symbol, "1.1")
        for symbol in symbols[3:6]:
            sim.price(symbol, "0.6")
        return first, quiet, run()


def median(runs, index):
    return statistics.median(figures[index] for figures, _ in runs)


def weight(requests):
    return sum(request["weight"] for request in requests)


LATENCY = 200
first, quiet, traded = passes_at(0, DEMO)
slow_first, slow_quiet, slow_traded = passes_at(LATENCY, DEMO)


def round_trips(slow, fast):
    return (slow - fast) / (LATENCY / 1000)


quiet_trips = round_trips(median(slow_quiet, 0), median(quiet, 0))
traded_trips = round_trips(slow_traded[0][0], traded[0][0])
wave = quiet[-1][1]
orders = sum(request["path"] == "/fapi/v1/order" and request["method"] == "POST" for request in traded[1])
print(f"quiet pass, 20 coins, 500 listed: {len(wave)} requests, weight {weight(wave)}, {quiet_trips:.2f} round trips (time, one wave)")
print(f"pass with 3 sales and 3 purchases: {len(traded[1])} requests, weight {weight(traded[1])}, {traded_trips:.2f} round trips, {orders} orders")
print(f"initial allocation of 20 coins: {len(first[1])} requests, weight {weight(first[1])}, "
      f"{round_trips(slow_first[0][0], first[0][0]):.2f} round trips (one more to look for another ledger's orders)")
print(f"quiet pass: CPU {median(quiet, 1) * 1000:.0f} ms, peak memory {median(quiet, 2):.1f} MiB")
version = [(timed([rebal, "--version"]), None) for _ in range(20)]
print(f"rebal --version: {median(version, 0) * 1000:.1f} ms")
codes = [figures[3] for figures, _ in [first, *quiet, traded]]
checks.that("every pass ends with 0", set(codes) == {0}, codes)
checks.that("a quiet pass is one wave after the connection", round(quiet_trips) == 2, quiet_trips)
checks.that("a quiet pass weighs at most 60", weight(wave) <= 60, weight(wave))
checks.that("a quiet pass sends only reads", all(request["method"] == "GET" for request in wave))
checks.that("a pass that trades needs at most three waves more", orders == 6 and round(traded_trips) <= 5, (orders, traded_trips))
checks.end()
