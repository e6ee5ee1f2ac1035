"""Figures of one pass over 500 listed contracts, against `rebal sim` on loopback.

usage: pass.py REBAL

Prints counts and ratios. Round trips are counted with a latency added by the simulator: a pass that
takes T(latency) waits (T(latency) - T(0)) / latency times for the network.
"""
import os
import resource
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


def pass_at(latency, symbols):
    """Three quiet passes after the initial allocation: requests of each, and their figures."""
    with Sim(rebal, "--symbols", "500", "--latency-ms", str(latency)) as sim, Home(rebal, sim.url, symbols) as home:
        before = len(sim.state()["requests"])
        first = timed(home.command("rebalance"), home.environment())
        allocation = sim.state()["requests"][before:]
        runs, wave = [], []
        for _ in range(5):
            before = len(sim.state()["requests"])
            runs.append(timed(home.command("rebalance"), home.environment()))
            wave = sim.state()["requests"][before:]
        return first, allocation, runs, wave


def median(runs, index):
    return statistics.median(run[index] for run in runs)


listed = DEMO
first, allocation, runs, wave = pass_at(0, listed)
slow_first, _, slow, _ = pass_at(200, listed)
codes = sorted({run[3] for run in runs})
quiet = [f"{request['method']} {request['path']}" for request in wave]
print(f"a quiet pass: {len(wave)} requests, weight {sum(request['weight'] for request in wave)}: {', '.join(sorted(set(quiet)))}")
round_trips = (median(slow, 0) - median(runs, 0)) / 0.2
print(f"round trips of a quiet pass (time, then one wave): {round_trips:.2f}")
print(f"round trips of the initial allocation of {len(listed)} coins: {(slow_first[0] - first[0]) / 0.2:.2f}")
print(f"weight of the initial allocation: {sum(request['weight'] for request in allocation)}, {len(allocation)} requests")
print(f"CPU of a quiet pass over 500 contracts: {median(runs, 1) * 1000:.0f} ms, peak memory {median(runs, 2):.1f} MiB, exit codes {codes}")
version = [timed([rebal, "--version"]) for _ in range(20)]
print(f"rebal --version: {median(version, 0) * 1000:.1f} ms")
checks.that("a quiet pass is one wave after the connection", round_trips < 2.6, round_trips)
checks.that("a quiet pass weighs at most 60", sum(request["weight"] for request in wave) <= 60)
checks.that("a quiet pass sends only reads", all(request["method"] == "GET" for request in wave), quiet)
checks.that("a first pass needs at most four waves after the connection", (slow_first[0] - first[0]) / 0.2 < 5.6)
checks.end()
