"""Starts `rebal sim` with each clock and runs ccxt_usdm.py and ccxt_spot.py against one each.

usage: run_ccxt.py REBAL (with a Python that has requirements.txt installed)
"""
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "e2e"))
from harness import Sim  # noqa: E402

worst = 0
for clock in ("manual", "real"):
    for script in ("ccxt_usdm.py", "ccxt_spot.py"):
        with Sim(os.path.abspath(sys.argv[1]), clock=clock, equity="1000") as sim:
            print(f"{script} against rebal sim --clock {clock}", flush=True)
            done = subprocess.run([sys.executable, os.path.join(here, script), sim.url], timeout=300, check=False)
            worst = max(worst, abs(done.returncode))
raise SystemExit(worst)
