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


def says(name, folder, wanted, *arguments, code=2, **sets):
    """What a command says beside the data: a refusal's words, or the note of a run that goes on."""
    found, _, err = run(folder, *arguments, **sets)
    parts = [wanted] if isinstance(wanted, str) else wanted
    checks.that(name, found == code and all(part in err for part in parts), (found, err))
    return err


def rates(folder, coin, hours):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"{coin}-fundingRate.csv"), "w") as file:
        file.write("calc_time,last_funding_rate\n" + "".join(f"{START + hour * HOUR + 3},0.0001\n" for hour in hours))


with tempfile.TemporaryDirectory() as folder:
    # Two days by the hour; the second coin lacks the bars of the second midnight and is gone after hour 40.
    write(folder, "AAAUSDT", [10 + bar % 3 for bar in range(48)])
    write(folder, "BBBUSDT", [None if bar in (24, 25) else 20 for bar in range(41)])

    say = "is not a whole multiple of the bars, which are 1h apart"
    says("an interval between bars is refused", folder, f"interval 1h 30m {say}", interval="90m")
    says("of the option too", folder, f"--interval 1h 30m {say}", "--interval", "90m")
    says("one that is shorter than a bar, asked for by name", folder, f"--interval 5m {say}", "--interval", "5m")
    err = says("one that the configuration has decides once per bar", folder, "interval is 5m, and the bars are 1h apart: it decides once per bar",
               code=0, interval="5m")
    checks.that("and says so once", err.count("decides once per bar") == 1, err)
    says("one that is longer than the period", folder, "is longer than the period of 48 bars, which are 1h apart", "--interval", "1000d")
    code, out, err = run(folder, "--json", "--sweep", "interval=5m,90m,1h,2h")
    swept = json.loads(out)
    checks.that("a sweep refuses what it cannot decide by", sorted(point["params"]["interval"] for point in swept["runs"]) == ["1h", "2h"]
                and [refused["reason"].split(" is not")[0] for refused in swept["refused"]] == ["interval 5m", "interval 1h 30m"], swept)

    for amount in ("0", "-5", "x"):
        says(f"an equity of {amount}", folder, "wants an amount above zero", f"--equity={amount}")
    err = says("a period the wrong way round", folder, "the period ends before it begins", "--from", "2025-12-01", "--to", "2025-11-01")
    checks.that("is no period outside of the data", "inside" not in err, err)
    says("a funding folder that is not there", folder, ("nofunding: does not exist", "see --funding"), "--funding", folder + "/nofunding")

    listing = {"usdm": {"symbol": "AAAUSDT", "status": "TRADING", "contractType": "PERPETUAL", "baseAsset": "AAA", "quoteAsset": "USDT", "marginAsset": "USDT",
                        "onboardDate": START, "deliveryDate": 4133404800000,
                        "filters": [{"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "100000", "tickSize": "0.01"},
                                    {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "1000", "stepSize": "0.1"},
                                    {"filterType": "MIN_NOTIONAL", "notional": "5"}]},
               "spot": {"symbol": "AAAUSDT", "status": "TRADING", "baseAsset": "AAA", "quoteAsset": "USDT", "isSpotTradingAllowed": True,
                        "permissionSets": [["SPOT"]], "permissions": [], "orderTypes": ["LIMIT", "MARKET"],
                        "filters": [{"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "100000", "tickSize": "0.01"},
                                    {"filterType": "LOT_SIZE", "minQty": "0.1", "maxQty": "1000", "stepSize": "0.1"},
                                    {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True, "maxNotional": "9000000", "applyMaxToMarket": False,
                                     "avgPriceMins": 5}]}}
    for venue, other in (("usdm", "spot"), ("spot", "usdm")):
        info = os.path.join(folder, f"{other}.json")
        with open(info, "w") as file:
            json.dump({"symbols": [listing[other]]}, file)
        says(f"the other market's listing on {venue}", folder, f"{other}.json is the listing of binance-{other}, and venue is binance-{venue}", "--exchange-info", info,
             venue=f"binance-{venue}", futures__leverage=20 if venue == "usdm" else 1, basket__symbols='["AAAUSDT"]', basket__size=1)

    # Due are 0 8 16 24 32 40; of the second coin midnight was not recorded, and at 40 its last bar begins.
    part, full = folder + "/part", folder + "/full"
    for coin in ("AAAUSDT", "BBBUSDT"):
        rates(full, coin, range(0, 49, 8))
    rates(part, "AAAUSDT", (16, 24))
    rates(part, "BBBUSDT", range(0, 49, 8))
    err = says("settlements in bars that were not recorded are counted", folder,
               "settlements not charged, since they fall into bars that were not recorded: BBBUSDT 1", "--funding", full, code=0)
    checks.that("funding of the whole period is not complained of", "whole period" not in err, err)
    says("funding of a part of the period is told with its ends", folder,
         "AAAUSDT begins at 2025-10-01T16:00:00.003Z and ends at 2025-10-02T00:00:00.003Z", "--funding", part, code=0)
    err = says("of that part alone there is nothing to tell", folder, "", "--funding", part, "--from", "2025-10-01T12:00:00Z", "--to", "2025-10-02T08:00:00Z", code=0,
               basket__symbols='["AAAUSDT"]', basket__size=1)
    checks.that("and nothing is told", "funding" not in err, err)
    says("a basket of the whole folder says so where it is larger than its size", folder, "the basket is all 2 coins of the folder, although basket.size is 1",
         basket__symbols="[]", basket__size=1, code=0)
    err = says("and only there", folder, "", basket__symbols="[]", basket__size=2, code=0)
    checks.that("a basket of its size is silent", "basket.size" not in err, err)
checks.end()
