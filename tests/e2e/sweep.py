"""A sweep is what its runs are one by one, in any number of parts and on any number of threads.

usage: sweep.py REBAL

Prices are made up here. Every row of a sweep is compared with a run of its own (`rebal backtest --set …`), order,
choices of the walk-forward, ranks and correlations with plain Python, and the two examples for job engines are run as
they stand.
"""
import csv
import io
import itertools
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from decimal import Decimal as D

from harness import Checks

rebal = os.path.abspath(sys.argv[1])
here = os.path.dirname(os.path.abspath(__file__))
examples = os.path.join(here, "..", "..", "examples")
checks = Checks()
that = checks.that
BEGIN, STEP, BARS = 1_735_689_600_000, 300_000, 2_000
COINS = ["AAAUSDT", "BBBUSDT", "CCCUSDT"]
FIGURES = ["final_equity", "return", "max_drawdown", "trades", "turnover", "fees", "funding", "hold_twin_return",
           "liquidated_at", "stopped_at", "stops", "to", "bars"]
folder = tempfile.mkdtemp(prefix="rebal-sweep-")
os.chdir(folder)
for name in ("klines", "funding", "other", "parts", "home"):
    os.mkdir(name)


def make(into, seed):
    chance = random.Random(seed)
    for coin in COINS:
        price = chance.uniform(1, 50)
        with open(f"{into}/{coin}-5m.csv", "w") as file:
            for bar in range(BARS):
                opened, price = price, price * (1 + chance.gauss(0, 0.01))
                stamp = BEGIN + bar * STEP
                file.write(f"{stamp},{opened:.4f},{max(opened, price):.4f},{min(opened, price):.4f},{price:.4f},1,"
                           f"{stamp + STEP - 1},1,1,1,1,0\n")


make("klines", 1)
make("other", 2)
for coin in COINS:
    with open(f"funding/{coin}-fundingRate.csv", "w") as file:
        file.write("calc_time,funding_interval_hours,last_funding_rate\n")
        for stamp in range(BEGIN, BEGIN + BARS * STEP, 8 * 3_600_000):
            file.write(f"{stamp + 3},8,0.0002\n")
with open("rebal.toml", "w") as file:
    file.write('mode = "paper"\ninterval = "5m"\n[basket]\nsymbols = ["CCCUSDT", "AAAUSDT", "BBBUSDT"]\nsize = 3\n'
               'target_value = 60\n[risk]\nmax_drawdown = 0.5\n')
os.mkdir("bin")
os.symlink(rebal, "bin/rebal")
environment = {**os.environ, "HOME": f"{folder}/home", "PATH": f"{folder}/bin:{os.environ['PATH']}"}


def call(*arguments):
    return subprocess.run([rebal, "backtest", "--config", "rebal.toml", *arguments], capture_output=True, text=True,
                          env=environment)


DATA = ["--data", "klines", "--funding", "funding"]


def json_of(*arguments):
    done = call(*arguments, "--json")
    if done.returncode != 0:
        raise SystemExit(f"{arguments}: {done.stdout} {done.stderr}")
    return json.loads(done.stdout)


def swept(*sweeps):
    return list(itertools.chain.from_iterable(("--sweep", sweep) for sweep in sweeps))


def figures(run):
    return {name: run.get(name) for name in FIGURES}


def single(params, *arguments):
    sets = itertools.chain.from_iterable(("--set", f"{key}={value}") for key, value in params.items())
    return figures(json_of(*DATA, *sets, *arguments))


def timeless(report):
    return {key: value for key, value in report.items() if key != "elapsed_s"}


# Every row is the run of its own settings.
GRID = swept("basket.threshold=0.02..0.08/0.02", "basket.target_value=40,80", "paper.taker_fee=0,0.0005")
whole = json_of(*DATA, *GRID)
that("all combinations are run", whole["schema"] == "rebal.sweep/1" and len(whole["runs"]) == 16, len(whole["runs"]))
expected = {tuple(p) for p in itertools.product(["0.02", "0.04", "0.06", "0.08"], ["40", "80"], ["0", "0.0005"])}
that("each once", {tuple(run["params"].values()) for run in whole["runs"]} == expected)
wrong = [run["params"] for run in whole["runs"] if figures(run) != single(run["params"])]
that("each row equals a run of its own", not wrong, wrong)
that("the rows differ", len({run["final_equity"] for run in whole["runs"]}) > 12)
that("the best comes first", [run["return"] for run in whole["runs"]]
     == sorted((run["return"] for run in whole["runs"]), key=D, reverse=True))
for figure, reverse in [("final_equity", True), ("max_drawdown", False), ("trades", False), ("fees", False),
                        ("hold_twin_return", True)]:
    values = [D(str(run[figure])) for run in json_of(*DATA, *GRID, "--sort", figure)["runs"]]
    that(f"--sort {figure}", values == sorted(values, reverse=reverse) and len(values) == 16)
for jobs in ("1", "3"):
    that(f"the same on {jobs} threads", timeless(json_of(*DATA, *GRID, "--jobs", jobs)) == timeless(whole))
rows = list(csv.DictReader(io.StringIO(call(*DATA, *GRID, "--format", "csv").stdout)))
that("CSV holds the same", [(row["basket.threshold"], row["final_equity"]) for row in rows]
     == [(run["params"]["basket.threshold"], run["final_equity"]) for run in whole["runs"]])
for form in ("table", "markdown"):
    text = call(*DATA, *GRID, "--format", form).stdout
    best = whole["runs"][0]
    that(f"{form} begins with the best", f"{D(best['return']) * 100:+.2f} %" in text and "threshold" in text, text)

# Keys of a kind of their own, ranges of durations, a key that does nothing.
odd = json_of(*DATA, *swept("interval=5m..1h/25m", "basket.rebalance_to=target,edge", "basket.effective_leverage=1,2"))
wrong = [run["params"] for run in odd["runs"] if figures(run) != single(run["params"])]
that("durations and words", not wrong and len(odd["runs"]) == 12, wrong)
that("a key without effect is named", odd["without_effect"] == ["basket.effective_leverage"], odd["without_effect"])
stops = json_of(*DATA, *swept("risk.max_drawdown=0.05,0.5"), "--resume-after", "1d")
wrong = [run["params"] for run in stops["runs"] if figures(run) != single(run["params"], "--resume-after", "1d")]
that("runs that are stopped", not wrong and any(run["stops"] for run in stops["runs"]), stops["runs"])

# The other strategies, and spot.
EQUAL = ["--set", "weights.weights=equal", "--set", "weights.symbols=AAAUSDT,BBBUSDT,CCCUSDT"]
for name, fixed, sweeps in [
        ("weights", ["--set", "strategy.kind=weights", *EQUAL], ["weights.threshold=0.02,0.1", "weights.every=1d,2d"]),
        ("spot", ["--set", "strategy.kind=weights", "--set", "venue=binance-spot", *EQUAL], ["weights.threshold=0.02,0.1"]),
        ("moonshot", ["--set", "strategy.kind=moonshot", "--set", "moonshot.symbols=AAAUSDT,BBBUSDT,CCCUSDT",
                      "--set", "moonshot.slots=3"], ["moonshot.stop_loss=0.05,0.3", "moonshot.cooldown=1h,1d"])]:
    report = json_of(*DATA, *fixed, *swept(*sweeps))
    wrong = [run["params"] for run in report["runs"] if figures(run) != single(run["params"], *fixed)]
    that(f"{name}: each row equals a run of its own", not wrong and len({run["return"] for run in report["runs"]}) > 1,
         (wrong, report["refused"]))

# What the configuration refuses is named, and the rest is run.
some = json_of(*DATA, *swept("basket.threshold=0.05,30", "basket.target_value=40,80"))
alone = call(*DATA, "--set", "basket.threshold=30")
that("what --set refuses is refused", len(some["refused"]) == 2 and len(some["runs"]) == 2 and alone.returncode == 2
     and some["refused"][0]["params"] == {"basket.threshold": "30", "basket.target_value": "40"}, some["refused"])
that("for the same reason", some["refused"][0]["reason"].replace("--sweep", "--set") in alone.stderr, alone.stderr)
coins = json_of(*DATA, *swept("strategy.kind=basket,weights"))
that("other coins are refused", [run["params"]["strategy.kind"] for run in coins["runs"]] == ["basket"]
     and "other coins" in coins["refused"][0]["reason"], coins["refused"])
nothing = call(*DATA, *swept("basket.threshold=30,40"), "--json")
that("nothing to run", nothing.returncode == 2 and "no setting could be run" in json.loads(nothing.stdout)["message"])

# Walk-forward: the parts are runs of their own, choices and ranks are calculated again.
FOLDS = 3
folded = json_of(*DATA, *GRID, "--folds", str(FOLDS))
cuts = [BARS * part // (FOLDS + 1) for part in range(FOLDS + 2)]


def at(bar):
    stamp = datetime.fromtimestamp((BEGIN + bar * STEP) / 1000, timezone.utc)
    return stamp.strftime("%Y-%m-%dT%H:%M:%S.000Z")


walk = folded["walk_forward"]
that("as many choices as folds", len(walk["steps"]) == FOLDS)
that("the whole is as without folds", folded["runs"] == whole["runs"])
points = [dict(zip(("basket.threshold", "basket.target_value", "paper.taker_fee"), values)) for values in
          itertools.product(["0.02", "0.04", "0.06", "0.08"], ["40", "80"], ["0", "0.0005"])]
parts = [[single(params, "--from", at(cuts[part]), "--to", at(cuts[part + 1])) for params in points]
         for part in range(FOLDS + 1)]


def ranks(values):
    """From 1, the largest first; equals share the mean."""
    return [sum(other > value for other in values) + (1 + sum(other == value for other in values)) / 2 for value in values]


for number, step in enumerate(walk["steps"]):
    before, after = ([D(run["return"]) for run in parts[part]] for part in (number, number + 1))
    best = before.index(max(before))
    name = f"choice {number + 1}"
    that(f"{name}: its parts", step["chosen_on"] == {"from": at(cuts[number]), "to": at(cuts[number + 1])}
         and step["tried_on"] == {"from": at(cuts[number + 1]), "to": at(cuts[number + 2])}, step)
    that(f"{name}: the best", step["params"] == points[best] and D(step["in_sample"]) == before[best], step)
    that(f"{name}: what became of it", D(step["out_of_sample"]) == after[best] and D(step["best"]) == max(after), step)
    that(f"{name}: its rank", step["rank"] == 1 + sum(value > after[best] for value in after)
         and step["settings"] == len(points), step)
    that(f"{name}: the median", abs(D(step["median"]) - statistics.median(after)) < D("1e-9"), step)
    kept = statistics.correlation(ranks(before), ranks(after))
    that(f"{name}: how much of the order is kept", abs(float(step["rank_correlation"]) - kept) < 1e-4, (step, kept))
for name in ("in_sample", "out_of_sample", "median"):
    mean = sum(D(step[name]) for step in walk["steps"]) / FOLDS
    that(f"mean {name}", abs(D(walk[name]) - mean) < D("1e-9"), walk)
text = " ".join(call(*DATA, *GRID, "--folds", "3").stdout.split())
that("the table tells", "a blind choice comes to" in text and "order kept" in text, text)

# In parts, and joined again.
for shard in range(3):
    done = call(*DATA, *GRID, "--folds", "3", "--shard", f"{shard}/3", "--out", f"parts/{shard}.jsonl")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    that(f"part {shard}", done.returncode == 0 and [line["point"] for line in lines[1:]] == list(range(shard, 16, 3)))
for order in ("012", "210"):
    joined = json_of("--merge", *[f"parts/{shard}.jsonl" for shard in order])
    that(f"parts {order} are the whole", timeless(joined) == timeless(folded))
joined = json_of("--sort", "fees", "--merge", *[f"parts/{shard}.jsonl" for shard in "120"])
that("sorted otherwise", timeless(joined) == timeless(json_of(*DATA, *GRID, "--folds", "3", "--sort", "fees")))


def part(name, *arguments):
    done = call(*arguments, "--shard", "1/3", "--out", f"parts/{name}.jsonl")
    assert done.returncode == 0, done.stderr


part("grid", *DATA, *GRID[:-1], "paper.taker_fee=0,0.0004", "--folds", "3")
part("data", "--data", "other", "--funding", "funding", *GRID, "--folds", "3")
part("funding", "--data", "klines", *GRID, "--folds", "3")
part("config", *DATA, *GRID, "--folds", "3", "--set", "risk.max_drawdown=0.4")
part("equity", *DATA, *GRID, "--folds", "3", "--equity", "300")
part("folds", *DATA, *GRID, "--folds", "2")
part("period", *DATA, *GRID, "--folds", "3", "--to", at(BARS - 1))
part("resume", *DATA, *GRID, "--folds", "3", "--resume-after", "1d")
part("same", *DATA, *GRID, "--folds", "3", "--set", "basket.threshold=0.09")
text = open("parts/1.jsonl").read()
open("parts/cut.jsonl", "w").write(text[:-30])
open("parts/short.jsonl", "w").write("".join(line + "\n" for line in text.splitlines()[:-1]))
open("parts/no.jsonl", "w").write("hello\n")
for name, message in [
        ("grid", "the settings that are tried differ"), ("data", "the prices, the funding or the trading rules differ"),
        ("funding", "the prices, the funding or the trading rules differ"),
        ("config", "the configuration or the options differ"), ("equity", "the configuration or the options differ"),
        ("folds", "the folds differ"), ("period", "differ"), ("resume", "the configuration or the options differ"),
        ("cut", "is cut off: it holds 4 of 5 settings"), ("short", "is cut off: it holds 4 of 5 settings"),
        ("no", "is no part of a sweep"), ("0", "are the same part, 0/3"), ("gone", "gone.jsonl")]:
    done = call("--merge", "parts/0.jsonl", "parts/2.jsonl", f"parts/{name}.jsonl")
    that(f"--merge refuses {name}", done.returncode == 2 and message in done.stderr, done.stderr)
done = call("--merge", "parts/0.jsonl", "parts/2.jsonl")
that("--merge names what is missing", done.returncode == 2 and "1 of 3 parts missing: 1/3" in done.stderr, done.stderr)
done = call("--merge", "parts/0.jsonl", "parts/2.jsonl", "parts/same.jsonl")
that("the base value of a swept key does not matter", done.returncode == 0, done.stderr)

# Bad input: refused before anything is run, with what to do.
for arguments, message in [
        (swept("basket.treshold=1,2"), 'did you mean "basket.threshold"?'),
        (swept("basket.threshold"), "--sweep wants KEY=A..B/STEP"),
        (swept("basket.threshold="), "a value is missing"),
        (swept("basket.threshold=0.2..0.1/0.01"), "is empty"),
        (swept("basket.threshold=0.1..0.2"), "has no step"),
        (swept("basket.threshold=0.1..0.2/0"), "not above zero"),
        (swept("basket.threshold=0.1..0.2/-0.1"), "not above zero"),
        (swept("basket.threshold=a..b/c"), "is no range"),
        (swept("basket.size=1..2/0.5"), "basket.size in --sweep: found"),
        (swept("basket.size=3,three"), "basket.size in --sweep: found"),
        (swept("basket.size=3", "basket.size=4"), "is there twice"),
        (swept("basket.size=3,3"), "is there twice"),
        (swept("interval=5m,10m") + ["--interval", "5m"], "leave one of the two"),
        (["--shard", "0/2"], "--sweep"),
        (["--folds", "2"], "--sweep"),
        (["--jobs", "2"], "--sweep"),
        (["--sort", "fees"], "add --sweep"),
        (GRID + ["--shard", "2/2"], "0/2 is the first and 1/2 the last"),
        (GRID + ["--shard", "half"], "wants I/N"),
        (GRID + ["--shard", "0/2", "--format", "csv"], "JSON lines"),
        (GRID + ["--folds", "0"], "--folds 0"),
        (GRID + ["--folds", "500"], "too few for 500 folds"),
        (GRID + ["--jobs", "0"], "from 1 to"),
        (GRID + ["--sort", "luck"], "return, final_equity"),
        (GRID + ["--merge", "parts/0.jsonl"], "cannot be used with")]:
    done = call(*DATA, *arguments)
    that(f"refused: {' '.join(arguments)[-60:]}", done.returncode == 2 and message in done.stderr, done.stderr)
done = call()
that("no data", done.returncode == 2 and "--data" in done.stderr, done.stderr)

# Very many: how long it would take comes first. Ctrl-C ends it.
HUGE = swept("basket.threshold=0.001..1/0.001", "basket.target_value=10..1009/1")
done = call(*DATA, *HUGE)
that("a million settings want a yes", done.returncode == 2
     and re.search(r"1000000 settings take about .+ on \d+ threads", done.stderr) and "--yes" in done.stderr, done.stderr)
many = swept("basket.threshold=0.001..0.9/0.001", "basket.target_value=10..1009/1")
process = subprocess.Popen([rebal, "backtest", "--config", "rebal.toml", *DATA, *many, "--json"], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
stat = f"/proc/{process.pid}/task"
until = time.time() + 30
while time.time() < until and len(os.listdir(stat)) < 3:
    time.sleep(0.05)
time.sleep(0.5)
process.send_signal(signal.SIGINT)
out, _ = process.communicate(timeout=60)
that("Ctrl-C says how many ran", process.returncode == 130
     and re.search(r"interrupted after [1-9]\d* of 900000 runs", json.loads(out)["message"]), out)

# The examples as they stand, an index at a time, and all joined.
EXAMPLE = swept("basket.threshold=0.01..0.20/0.01", "basket.target_value=10..50/10")
expected = timeless(json_of(*DATA, *EXAMPLE))
for index in range(8):
    done = subprocess.run(["bash", f"{examples}/sweep.slurm"], capture_output=True, text=True,
                          env={**environment, "SLURM_ARRAY_TASK_ID": str(index), "SLURM_CPUS_PER_TASK": "2"})
    that(f"slurm index {index}", done.returncode == 0, done.stderr)
that("slurm: all parts", timeless(json_of("--merge", *[f"parts/part-{n}.jsonl" for n in range(8)])) == expected)
job = open(f"{examples}/sweep.kubernetes.yaml").read()
command = re.search(r"^ +command:\n((?: +(?:-|#) .*\n)+)", job, re.M).group(1)
command = [line.strip()[2:] for line in command.splitlines() if line.strip().startswith("- ")]
count = int(re.search(r"completions: (\d+)", job).group(1))
for index in range(count):
    os.remove(f"parts/part-{index}.jsonl")
    words = [word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    that(f"kubernetes index {index}", done.returncode == 0, done.stderr)
that("kubernetes: all parts", timeless(json_of("--merge", *[f"parts/part-{n}.jsonl" for n in range(8)])) == expected)
checks.end()
