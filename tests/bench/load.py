"""How long `rebal backtest` takes to read a made-up year of 20 coins at 5 minutes. Figures, no verdict.

usage: load.py REBAL [FOLDER]      (FOLDER keeps the year for the next time)
"""
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

rebal = os.path.abspath(sys.argv[1])
folder = sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="rebal-year-")
klines, cache = f"{folder}/klines", f"{folder}/klines/.rebal-cache"


def timed(name, prepare, period=()):
    """The best of five: whatever else runs on the machine only adds. CPU seconds are those of all threads."""
    coins = ",".join(sorted(file.split("-")[0] for file in os.listdir(klines) if file.endswith(".csv")))
    command = [rebal, "--state-dir", f"{folder}/state", "backtest", "--data", klines, "--funding", f"{folder}/funding", "--json",
               *period, f"--set=basket.symbols={coins}"]
    best = (float("inf"), 0.0)
    for _ in range(5):
        prepare()
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, (wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    print(f"{name}: {best[0] * 1000:.0f} ms, CPU {best[1] * 1000:.0f} ms")


def main():
    if not os.path.isdir(klines):
        subprocess.run([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "year.py"), folder], check=True)
    size = sum(os.path.getsize(f"{klines}/{name}") for name in os.listdir(klines) if name.endswith(".csv"))
    hour = ("--from", "2025-06-01T00:00:00Z", "--to", "2025-06-01T01:00:00Z")
    print(f"{size / 1e6:.0f} MB of CSV in the page cache, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    timed("loading from CSV (one hour walked)", lambda: shutil.rmtree(cache, ignore_errors=True), hour)
    # A file that changed within the last two seconds is hashed, not believed.
    time.sleep(2.5)
    timed("loading from the cache (one hour walked)", lambda: None, hour)
    kept = sum(os.path.getsize(f"{cache}/{name}") for name in os.listdir(cache))
    print(f"the cache takes {kept / 1e6:.1f} MB")
    timed("the whole year, from the cache", lambda: None)
    if len(sys.argv) < 3:
        shutil.rmtree(folder)


main()
