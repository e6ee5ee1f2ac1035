"""A backtest in plain Python, from the description of the semantics alone: the same trades, the same final equity.

usage: backtest.py REBAL      (REBAL_DATA names the recorded market data)

Binary floating point on purpose: the binary's decimals and these doubles share no arithmetic.
"""
import csv
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile
from datetime import datetime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import Checks  # noqa: E402

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
FEE, SLIPPAGE = 0.0005, 0.0001


def ms(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def rows(path):
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def load(folder, coins, begin, end, step):
    bars = {}
    for name in sorted(os.listdir(folder)):
        coin = name.split("-")[0]
        if coin in coins:
            for row in rows(f"{folder}/{name}"):
                time = int(row["open_time"])
                if begin <= time and time + step <= end:
                    bars.setdefault(coin, {})[time] = (float(row["open"]), float(row["close"]))
    return bars


def load_rules(file):
    with (gzip.open(file, "rt") if file.endswith(".gz") else open(file)) as text:
        listing = json.load(text)
    found = {}
    for row in listing["symbols"]:
        filters = {entry["filterType"]: entry for entry in row["filters"]}
        lot = filters["LOT_SIZE"]
        found[row["symbol"]] = (float(lot["stepSize"]), float(lot["minQty"]), float(filters["MIN_NOTIONAL"]["notional"]))
    return found


def down(qty, step):
    """Toward zero to the step; a quotient a hair under a whole number is that number."""
    return math.floor(qty / step + 1e-9) * step if step else qty


def simulate(bars, funding, rules, coins, step, equity, target, band, leverage=None, limit=0.3, slip_limit=0.005):
    """Bars in order: funding at the open, equity at the close, liquidation, the stop, the decision, its fills."""
    wallet, peak, deepest = equity, equity, 0.0
    qty, cost = dict.fromkeys(coins, 0.0), dict.fromkeys(coins, 0.0)
    last, trades, charged, fees = {}, [], 0.0, 0.0
    size = len(coins)

    def worth():
        return wallet + sum(qty[coin] * last[coin] - cost[coin] for coin in coins if coin in last)

    def trade(time, coin, change, price):
        nonlocal wallet, fees
        price *= 1 + (SLIPPAGE if change > 0 else -SLIPPAGE)
        fee = abs(change) * price * FEE
        fees += fee
        if change > 0:
            cost[coin] += change * price
        else:
            part = cost[coin] * (-change / qty[coin])
            wallet += -change * price - part
            cost[coin] -= part
        qty[coin] += change
        if abs(qty[coin]) < 1e-12:
            qty[coin] = cost[coin] = 0.0
        wallet -= fee
        trades.append((time, coin, change))

    times = sorted({time for of_coin in bars.values() for time in of_coin})
    for time in times:
        for coin in coins:
            rate = funding.get(coin, {}).get(time)
            if rate is not None and qty[coin] and time in bars[coin]:
                amount = -qty[coin] * bars[coin][time][0] * rate
                wallet += amount
                charged -= amount
        now = {coin: bars[coin][time][1] for coin in coins if time in bars[coin]}
        last.update(now)
        value = worth()
        peak = max(peak, value)
        deepest = max(deepest, 1 - value / peak)
        needed = sum(maintenance(qty[coin] * last[coin]) for coin in coins if coin in last)
        if any(qty.values()) and value <= needed:
            return {"trades": trades, "equity": 0.0, "drawdown": 1.0, "funding": charged, "fees": fees, "liquidated": time + step, "stopped": None}
        if 1 - value / peak >= limit:
            for coin in sorted(coins):
                if qty[coin]:
                    trade(time, coin, -qty[coin], last[coin])
            return {"trades": trades, "equity": worth(), "drawdown": max(deepest, 1 - worth() / peak), "funding": charged, "fees": fees,
                    "liquidated": None, "stopped": time + step}
        aim = target if leverage is None else value * leverage / size
        wanted = []
        for coin, price in now.items():
            held = qty[coin] * price
            if held == 0 or held > aim * (1 + band) or held < aim * (1 - band):
                lot, least, least_worth = rules.get(coin, (0, 0, 0)) if rules else (0, 0, 0)
                change = aim / price - qty[coin]
                amount = down(abs(change), lot)
                # A buy is valued at its limit or the mark, whichever is less: the mark.
                fits = amount > 0 and amount >= least and (change < 0 or amount * price >= least_worth)
                if fits:
                    wanted.append((change > 0, coin, math.copysign(amount, change), price))
        for _, coin, change, price in sorted(wanted, key=lambda one: one[0]):
            trade(time, coin, change, price)
    return {"trades": trades, "equity": worth(), "drawdown": max(deepest, 1 - worth() / peak), "funding": charged, "fees": fees, "liquidated": None, "stopped": None}


def maintenance(value):
    """The tiers that rebal assumes where no brackets were recorded: 1 % of the first 5,000, 2 % of the next 20,000."""
    value = abs(value)
    return value * 0.01 if value <= 5000 else value * 0.02 - 50


def compare(name, data, coins, step, begin, end, equity, target, band, limit=0.3, leverage=None, with_funding=True, info=None, klines="klines_1h_2025-09_2026-03"):
    folder = f"{data}/{klines}"
    bars = load(folder, set(coins), ms(begin), ms(end), step)
    funding = {}
    if with_funding:
        for coin in coins:
            path = f"{data}/funding/{coin}-fundingRate.csv.gz"
            if os.path.exists(path):
                # A settlement belongs to the bar whose open it is, give or take milliseconds.
                funding[coin] = {}
                for row in rows(path):
                    stamp = int(row["calc_time"]) + 1000
                    funding[coin][stamp - stamp % step] = float(row["last_funding_rate"])
    rules = load_rules(info) if info else None
    expected = simulate(bars, funding, rules, sorted(coins), step, equity, target, band, leverage, limit)
    with tempfile.TemporaryDirectory() as state:
        sets = {"basket.symbols": json.dumps(coins), "basket.size": len(coins), "basket.target_value": target, "basket.threshold": band, "risk.max_drawdown": limit,
                "interval": f"{step // 60000}m", "risk.max_effective_leverage": 10, "risk.min_liquidation_distance": 0, "risk.margin_buffer": 0,
                "execution.max_turnover_per_pass": 10, "execution.max_orders_per_pass": 1000, "futures.leverage": 20, "paper.taker_fee": FEE, "paper.slippage_bps": 1}
        if leverage is not None:
            sets |= {"basket.sizing": "equity", "basket.effective_leverage": leverage}
        command = [rebal, "--state-dir", state, "backtest", "--data", folder, "--from", begin, "--to", end, "--equity", str(equity), "--json",
                   *[f"--set={key}={value}" for key, value in sets.items()]]
        if with_funding:
            command += ["--funding", f"{data}/funding"]
        if info:
            command += ["--exchange-info", info]
        done = subprocess.run(command, capture_output=True, text=True, env={name: value for name, value in os.environ.items() if not name.startswith("REBAL")})
    found = json.loads(done.stdout)
    if done.returncode:
        return checks.that(name, False, found)
    at = lambda key: ms(found[key]) if found.get(key) else None
    checks.that(f"{name}: {len(expected['trades'])} trades, final equity {expected['equity']:.6f}, drawdown {expected['drawdown']:.4f}, "
                f"stopped {expected['stopped']}, liquidated {expected['liquidated']}",
                found["trades"] == len(expected["trades"]) and abs(float(found["final_equity"]) - expected["equity"]) < 1e-9 * max(1, equity)
                and abs(float(found["max_drawdown"]) - expected["drawdown"]) < 1e-8 and abs(float(found["funding"]) - expected["funding"]) < 1e-8
                and abs(float(found["fees"]) - expected["fees"]) < 1e-8 and (at("stopped_at"), at("liquidated_at")) == (expected["stopped"], expected["liquidated"]),
                {key: found[key] for key in ("trades", "final_equity", "max_drawdown", "funding", "fees") } | {key: found.get(key) for key in ("stopped_at", "liquidated_at")})
    return None


def main():
    data = os.environ.get("REBAL_DATA")
    if not data:
        print("skipped: REBAL_DATA names no recorded market data")
        return
    hourly = [f"{coin}USDT" for coin in "XRP LTC ADA AAVE ALGO ARB AVAX DOT HBAR KAS LINK NEAR ONDO TRX WLD XLM XTZ DOGE ENA SUI".split()]
    five = [f"{coin}USDT" for coin in "BTC ETH BNB BCH DOGE SOL XRP INJ OP ORCA ZEC HYPE".split()]
    hour, minutes = 3_600_000, 300_000
    crash = ("2025-09-13T09:00:00Z", "2025-11-15T00:00:00Z")
    compare("hourly, fixed, through the crash", data, hourly, hour, *crash, equity=2000, target=50, band=0.05, limit=0.9)
    compare("hourly, without funding", data, hourly, hour, *crash, equity=2000, target=50, band=0.05, limit=0.9, with_funding=False)
    compare("hourly, equity-sized at 1.5x", data, hourly, hour, *crash, equity=2000, target=50, band=0.1, limit=0.9, leverage=1.5)
    compare("hourly, stopped", data, hourly, hour, *crash, equity=600, target=50, band=0.05, limit=0.3)
    compare("hourly, liquidated", data, hourly, hour, "2025-10-08T09:00:00Z", crash[1], equity=250, target=50, band=0.05, limit=0.99)
    compare("5 minutes, fixed, through the crash", data, five, minutes, "2025-10-01T00:00:00Z", "2025-10-20T00:00:00Z", equity=2000, target=100, band=0.05, limit=0.9, klines="klines_5m_2025-09_2025-12")
    compare("5 minutes, equity-sized, 2 % band", data, five, minutes, "2025-10-05T00:00:00Z", "2025-10-15T00:00:00Z", equity=2000, target=100, band=0.02, limit=0.9, leverage=2, klines="klines_5m_2025-09_2025-12")
    compare("hourly, with the steps and minimums of a listing", data, hourly, hour, *crash, equity=2000, target=50, band=0.05, limit=0.9,
            info=f"{data}/exchange_info/testnet_exchangeInfo_2025-12-24.json.gz")
    checks.end()


main()
