"""`rebal backtest` as a user runs it: prices made here, every format, and what is refused.

usage: backtest.py REBAL
"""
import csv
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from decimal import Decimal as D

from harness import Checks

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
START = 1_759_276_800_000
HOUR = 3_600_000
FORMATS = ("table", "json", "csv", "markdown", "html")


def write(folder, coin, closes):
    with open(os.path.join(folder, f"{coin}-1h.csv"), "w") as file:
        file.write("open_time,open,high,low,close,volume,close_time,quote_volume\n")
        for bar, close in enumerate(closes):
            if close is not None:
                file.write(f"{START + bar * HOUR},{close},{close},{close},{close},1,{START + (bar + 1) * HOUR - 1},1\n")


def run(folder, *arguments, **sets):
    sets = {"risk.max_drawdown": "0.9", "basket.symbols": '["AAAUSDT","BBBUSDT"]', "basket.size": 2, "basket.target_value": 40, "interval": "1h",
            "risk.max_effective_leverage": 10, "risk.min_liquidation_distance": 0, "risk.margin_buffer": 0,
            "execution.max_turnover_per_pass": 10, "futures.leverage": 20, "paper.taker_fee": "0.001",
            "paper.slippage_bps": 10} | {key.replace("__", "."): value for key, value in sets.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REBAL")}
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run([rebal, "--state-dir", state, "backtest", "--data", folder, *arguments,
                               *[f"--set={key}={value}" for key, value in sets.items()]],
                              capture_output=True, text=True, env=kept | {"XDG_CACHE_HOME": state}, timeout=120)
    return done.returncode, done.stdout, done.stderr


def closes(name, report):
    """Every sum: here any quantity can be traded, so that the 28th digit of a product is rounded."""
    least = D("1e-18")
    per_coin = report["per_coin"]
    total = sum(D(coin["net_profit"]) for coin in per_coin) - D(report["liquidation_loss"])
    checks.that(f"{name}: all coins together are the change of equity",
                abs(total - D(report["final_equity"]) + D(report["start_equity"])) < least, (total, report["final_equity"]))
    parts = [D(c["realized"]) + D(c["unrealized"]) - D(c["fees"]) - D(c["funding"]) - D(c["net_profit"]) for c in per_coin]
    checks.that(f"{name}: each coin's parts are its net profit", all(abs(part) < least for part in parts), per_coin)


with tempfile.TemporaryDirectory() as folder:
    # Up a fifth, down by half, and halfway back: one sale, one purchase, one sale per coin.
    path = [10, 12, 6, 9, 9]
    write(folder, "AAAUSDT", path)
    write(folder, "BBBUSDT", [None, *[2 * price for price in path[1:]]])
    fills = os.path.join(folder, "fills.out")
    code, out, err = run(folder, "--equity", "100", "--json", "--export-trades", fills)
    report = json.loads(out)
    checks.that("it ends with 0 and one object", code == 0 and report["schema"] == "rebal.backtest/1", err)
    closes("a run", report)
    # 4 at 10.01; sold to 40 at 11.988, bought at 6.006, sold at 8.991, each to a target of 40.
    cash, qty, fees = D(100), D(0), D(0)
    for close in map(D, path[:4]):
        change = D(40) / close - qty
        price = close * (D("1.001") if change > 0 else D("0.999"))
        fees += abs(change) * price * D("0.001")
        cash, qty = cash - change * price - abs(change) * price * D("0.001"), qty + change
    coin = next(coin for coin in report["per_coin"] if coin["symbol"] == "AAAUSDT")
    checks.that("a coin earned what plain arithmetic says", abs(D(coin["net_profit"]) - (cash - 100 + qty * 9)) < D("1e-9")
                and abs(D(coin["fees"]) - fees) < D("1e-9") and coin["trades"] == 4, coin)
    checks.that("a bar that is not there is unavailable", report["unavailable"] == 1 and report["missing_bars"] == 0, report["unavailable"])
    curve = report["curve"]
    checks.that("the curve has every bar and its deepest drawdown", len(curve) == 5
                and max(D(point["drawdown"]) for point in curve) == D(report["max_drawdown"]), curve)
    rows = list(csv.DictReader(open(fills)))
    checks.that("every execution is in the file", len(rows) == report["trades"] and abs(sum(D(row["fee"]) for row in rows) - D(report["fees"])) < D("1e-18"), rows[:2])
    shown = {}
    for form in FORMATS:
        code, shown[form], err = run(folder, "--equity", "100", "--format", form)
        checks.that(f"{form}: comes, with 0", code == 0 and shown[form].endswith("\n"), err)
    lines = shown["table"].splitlines()
    checks.that("the first sentence is the verdict", re.match(r"100\.00 USDT became [\d.]+ \([+-]", lines[1]), lines[:3])
    checks.that("csv has a row per coin", [row["symbol"] for row in csv.DictReader(io.StringIO(shown["csv"]))]
                == [coin["symbol"] for coin in report["per_coin"]], shown["csv"])
    for form in ("table", "markdown", "html"):
        text = " ".join(shown[form].split())
        checks.that(f"{form}: says what it does not model", "Survivorship" in text and "any quantity can be traded" in text, text[-300:])
    checks.that("the page has charts and no script", shown["html"].count("<svg") >= 5 and "<script" not in shown["html"])

    code, out, err = run(folder, "--equity", "100", "--json", risk__max_drawdown="0.2")
    stopped = json.loads(out)
    checks.that("a stop is told with its time", code == 0 and stopped["stopped_at"] == "2025-10-01T03:00:00.000Z"
                and stopped["time_to_stop_s"] == 3 * 3600, stopped.get("stopped_at"))
    closes("a stopped run", stopped)
    text = run(folder, "--equity", "100", risk__max_drawdown="0.2")[1]
    checks.that("and in the verdict", text.splitlines()[1].startswith("STOPPED after 3 h"), text.splitlines()[:3])
    text = run(folder, "--equity", "20", risk__max_drawdown="0.99")
    report = json.loads(run(folder, "--equity", "20", "--json", risk__max_drawdown="0.99")[1])
    checks.that("a liquidation is told first", report.get("liquidated_at") and text[1].splitlines()[1].startswith("LIQUIDATED after"), text)
    closes("a liquidated run", report)

    sweep = ("--sweep", "basket.threshold=0.05,0.1,0.6", "--sweep", "basket.target_value=10,40")
    code, page, err = run(folder, "--equity", "100", *sweep, "--format", "html")
    checks.that("a sweep of two keys is a heat map", code == 0 and page.count('class="h') >= 6 and "partly luck" in page and "<script" not in page, err)
    code, page, err = run(folder, "--equity", "100", *sweep[:2], "--format", "html")
    checks.that("of one key a ranked table", code == 0 and "Heat map" not in page and "The best settings" in page, err)

    for name, arguments in {
        "no such folder": ("--data", folder + "/nowhere"), "an empty period": ("--from", "2030-01-01T00:00:00Z"),
        "a file that cannot be written": ("--export-trades", "/nowhere/x.csv"), "a format that is none": ("--format", "pdf"),
        "executions of a sweep": (*sweep, "--export-trades", fills),
    }.items():
        wrong = (folder, *arguments) if arguments[0] != "--data" else (arguments[1],)
        code, out, err = run(*wrong)
        checks.that(f"{name} is refused with 2 and a word", code == 2 and not out and err.strip(), (code, out, err))
checks.end()
