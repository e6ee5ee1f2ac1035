"""A thousand settings over a made-up year of 20 coins at five minutes: seconds, runs a second, memory, on one thread and on two.

usage: sweep.py REBAL [FOLDER]      (FOLDER as year.py wrote it; without it, one is made and thrown away)
"""
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

rebal = os.path.abspath(sys.argv[1])
here = os.path.dirname(os.path.abspath(__file__))
folder = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="rebal-year-")
if not os.path.isdir(f"{folder}/klines"):
    subprocess.run([sys.executable, f"{here}/year.py", folder], check=True)
state = tempfile.mkdtemp(prefix="rebal-sweep-")
SETTINGS = 1000
coins = ",".join(sorted(name.split("-")[0] for name in os.listdir(f"{folder}/klines") if name.endswith(".csv")))


def sweep(jobs, last):
    """Seconds of the process, of the runs in it and of the processor, and how many runs there were."""
    arguments = [rebal, "backtest", "--data", f"{folder}/klines", "--funding", f"{folder}/funding", "--state-dir", state,
                 "--equity", "4000", "--set", f"basket.symbols={coins}", "--set", "risk.max_drawdown=0.9",
                 "--sweep", f"basket.threshold=0.02..{last}/0.01", "--sweep", "basket.target_value=101..200/1",
                 "--jobs", str(jobs), "--json", "--quiet"]
    begun, before = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(arguments, capture_output=True, text=True)
    seconds = time.time() - begun
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    report = json.loads(done.stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, float(report["elapsed_s"]), cpu, len(report["runs"]) + len(report["refused"])


sweep(1, "0.02")  # fills the cache
few = sweep(1, "0.02")
peak_of_few = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
runs = {}
for jobs in (1, 2):
    whole, walked, cpu, count = sweep(jobs, "0.11")
    assert count == SETTINGS, count
    runs[jobs] = walked
    print(f"{count} settings on {jobs} thread{'s' if jobs > 1 else ''}: {walked:.2f} s, {count / walked:.0f} a second "
          f"({whole:.2f} s with loading and writing; {cpu:.2f} s of processor time, which other load hardly changes)")
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(f"two threads: {runs[1] / runs[2]:.2f} times as fast as one")
print(f"peak memory: {peak / 1024:.0f} MiB; of a sweep of {few[3]} settings {peak_of_few / 1024:.0f} MiB")
