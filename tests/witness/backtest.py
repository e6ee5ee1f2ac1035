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


class Basket:
    """The same value for every coin, or a share of equity; traded back to it outside the band."""

    def __init__(self, band, target=None, leverage=None):
        self.band, self.target, self.leverage = band, target, leverage

    def wishes(self, account):
        aim = self.target if self.leverage is None else account.equity * self.leverage / len(account.coins)
        for coin, price in account.now.items():
            held = account.qty[coin] * price
            if held == 0 or held > aim * (1 + self.band) or held < aim * (1 - self.band):
                yield coin, aim / price - account.qty[coin]


class Weights:
    """Shares of equity less what the first allocation left out."""

    def __init__(self, shares, band, initial=0, leverage=1, absolute=False):
        self.shares, self.band, self.initial, self.leverage, self.absolute = shares, band, initial, leverage, absolute
        self.left_out = None

    def wishes(self, account):
        if self.left_out is None:
            self.left_out = max(0, account.equity - self.initial) if self.initial else 0
        whole = max(0, account.equity - self.left_out) * self.leverage
        for coin, price in account.now.items():
            aim, held = self.shares[coin] * whole, account.qty[coin] * price
            width = whole * self.band if self.absolute else aim * self.band
            if held == 0 or held > aim + width or held < aim - width:
                yield coin, aim / price - account.qty[coin]


class Moonshot:
    """One slot per coin, bought once; sold whole at its stop, then left alone for a while."""

    def __init__(self, order, slots, value, stop, cooldown, trailing=None):
        self.order, self.slots, self.value, self.stop, self.cooldown, self.trailing = order, slots, value, stop, cooldown, trailing
        self.stopped, self.high = {}, {}

    def wishes(self, account):
        held = [coin for coin in self.order if account.qty[coin]]
        free = self.slots - len(held)
        for coin in held:
            if coin in account.now and account.now[coin] <= self.level(account, coin):
                self.stopped[coin] = account.time
                yield coin, -account.qty[coin]
        for coin in self.order:
            if account.qty[coin] or account.time - self.stopped.get(coin, -math.inf) < self.cooldown or not free:
                continue
            if coin in account.now:
                free -= 1
                yield coin, self.value / account.now[coin]

    def level(self, account, coin):
        entry = account.cost[coin] / account.qty[coin]
        known, high = self.high.get(coin, (None, 0))
        high = max(high if known == entry else entry, account.now[coin], entry)
        self.high[coin] = (entry, high)
        loss = entry * (1 - self.stop)
        if self.trailing and high >= entry * (1 + self.trailing[0]):
            return max(loss, high * (1 - self.trailing[1]))
        return loss


class Account:
    """Cash, coins, and what they cost: all that a strategy may look at."""

    def __init__(self, coins, equity):
        self.coins, self.wallet, self.equity, self.time = coins, equity, equity, 0
        self.qty, self.cost, self.last, self.now = dict.fromkeys(coins, 0.0), dict.fromkeys(coins, 0.0), {}, {}
        self.trades, self.fees = [], 0.0

    def worth(self):
        return self.wallet + sum(self.qty[coin] * self.last[coin] - self.cost[coin] for coin in self.coins if coin in self.last)

    def cash(self):
        return self.wallet - sum(self.cost.values())

    def trade(self, coin, change):
        price = self.last[coin] * (1 + (SLIPPAGE if change > 0 else -SLIPPAGE))
        fee = abs(change) * price * FEE
        self.fees += fee
        if change > 0:
            self.cost[coin] += change * price
        else:
            part = self.cost[coin] * (-change / self.qty[coin])
            self.wallet += -change * price - part
            self.cost[coin] -= part
        self.qty[coin] += change
        if abs(self.qty[coin]) < 1e-12:
            self.qty[coin] = self.cost[coin] = 0.0
        self.wallet -= fee
        self.trades.append((self.time, coin, change))


def simulate(bars, funding, rules, coins, step, equity, strategy, limit=0.3, spot=False, resume=None, every=1):
    """Bars in order: funding at the open, equity at the close, liquidation, the stop, the decision, its fills."""
    account = Account(coins, equity)
    peak = armed = equity
    deepest, charged, halted, stops = 0.0, 0.0, None, []

    def done(equity, deepest, liquidated=None):
        return {"trades": account.trades, "equity": equity, "drawdown": deepest, "funding": charged, "fees": account.fees,
                "liquidated": liquidated, "stopped": stops[0] if stops else None, "stops": len(stops)}

    for number, time in enumerate(sorted({time for of_coin in bars.values() for time in of_coin})):
        for coin in coins:
            rate = funding.get(coin, {}).get(time)
            if rate is not None and account.qty[coin] and time in bars[coin] and not spot:
                amount = -account.qty[coin] * bars[coin][time][0] * rate
                account.wallet += amount
                charged -= amount
        account.time = time + step
        account.now = {coin: bars[coin][time][1] for coin in coins if time in bars[coin]}
        account.last.update(account.now)
        account.equity = value = account.worth()
        peak, armed = max(peak, value), max(armed, value)
        deepest = max(deepest, 1 - value / peak)
        needed = sum(maintenance(account.qty[coin] * account.last[coin]) for coin in coins if coin in account.last)
        if any(account.qty.values()) and value <= needed and not spot:
            return done(0.0, 1.0, liquidated=account.time)
        if halted is not None:
            if account.time < halted:
                continue
            halted, armed = None, value
        if 1 - value / armed >= limit:
            for coin in sorted(coins):
                if account.qty[coin]:
                    account.trade(coin, -account.qty[coin])
            stops.append(account.time)
            deepest = max(deepest, 1 - account.worth() / peak)
            if resume is None:
                return done(account.worth(), deepest)
            halted = account.time + resume
            continue
        if (number + 1) % every:
            continue
        wanted = []
        for coin, change in strategy.wishes(account):
            price = account.now[coin]
            lot, least, least_worth = rules.get(coin, (0, 0, 0)) if rules else (0, 0, 0)
            amount = abs(change) if change == -account.qty[coin] else down(abs(change), lot)
            # A buy is valued at its limit or the mark, whichever is less: the mark. On spot no sale is exempt.
            if amount > 0 and amount >= least and (change < 0 and not spot or amount * price >= least_worth):
                wanted.append((coin, math.copysign(amount, change)))
        for coin, change in sorted(wanted, key=lambda one: one[1] > 0):
            if spot and change > 0 and change * account.now[coin] * (1 + SLIPPAGE) * (1 + FEE) > account.cash():
                break
            account.trade(coin, change)
    return done(account.worth(), max(deepest, 1 - account.worth() / peak))


def maintenance(value):
    """The tiers that rebal assumes where no brackets were recorded: 1 % of the first 5,000, 2 % of the next 20,000."""
    value = abs(value)
    return value * 0.01 if value <= 5000 else value * 0.02 - 50


def compare(name, data, coins, step, begin, end, equity, strategy, sets, limit=0.3, with_funding=True, info=None,
            klines="klines_1h_2025-09_2026-03", spot=False, resume=None, every=1):
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
    expected = simulate(bars, funding, rules, sorted(coins), step, equity, strategy, limit, spot, resume, every)
    with tempfile.TemporaryDirectory() as state:
        sets = {"risk.max_drawdown": limit, "interval": f"{step // 60000}m", "risk.max_effective_leverage": 10,
                "risk.min_liquidation_distance": 0, "risk.margin_buffer": 0, "execution.max_turnover_per_pass": 10,
                "execution.max_orders_per_pass": 1000, "futures.leverage": 20, "paper.taker_fee": FEE, "paper.slippage_bps": 1} | sets
        if spot:
            sets["venue"] = "binance-spot"
        command = [rebal, "--state-dir", state, "backtest", "--data", folder, "--from", begin, "--to", end, "--equity", str(equity), "--json",
                   *[f"--set={key}={value}" for key, value in sets.items()]]
        if resume is not None:
            command += ["--resume-after", f"{resume // 60000}m"]
        if every > 1:
            command += ["--interval", f"{every * step // 60000}m"]
        if with_funding:
            command += ["--funding", f"{data}/funding"]
        if info:
            command += ["--exchange-info", info]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REBAL")}
        done, exact = (subprocess.run(command + more, capture_output=True, text=True, env=environment) for more in ([], ["--exact"]))
    found = json.loads(done.stdout)
    if done.returncode:
        return checks.that(name, False, found)
    same = lambda text: {key: value for key, value in json.loads(text).items() if key not in ("at", "decisions", "elapsed_s", "bar_updates_per_s")}
    checks.that(f"{name}: the screen made {found['decisions']} whole decisions of {json.loads(exact.stdout)['decisions']} and changed nothing",
                same(done.stdout) == same(exact.stdout), [done.stdout, exact.stdout])
    at = lambda key: ms(found[key]) if found.get(key) else None
    checks.that(f"{name}: {len(expected['trades'])} trades, final equity {expected['equity']:.6f}, drawdown {expected['drawdown']:.4f}, "
                f"{expected['stops']} stops from {expected['stopped']} on, liquidated {expected['liquidated']}",
                found["trades"] == len(expected["trades"]) and abs(float(found["final_equity"]) - expected["equity"]) < 1e-9 * max(1, equity)
                and abs(float(found["max_drawdown"]) - expected["drawdown"]) < 1e-8 and abs(float(found["funding"]) - expected["funding"]) < 1e-8
                and abs(float(found["fees"]) - expected["fees"]) < 1e-8 and found["stops"] == expected["stops"] and (at("stopped_at"), at("liquidated_at")) == (expected["stopped"], expected["liquidated"]),
                {key: found[key] for key in ("trades", "final_equity", "max_drawdown", "funding", "fees") } | {key: found.get(key) for key in ("stopped_at", "liquidated_at")})
    return None


def main():
    data = os.environ.get("REBAL_DATA")
    if not data:
        print("skipped: REBAL_DATA names no recorded market data")
        return
    with tempfile.TemporaryDirectory() as scratch:
        compare_all(linked(data, scratch))


def linked(data, scratch):
    """The same files in a folder of our own: the binary keeps its cache beside what it reads."""
    for folder in os.listdir(data):
        if os.path.isdir(f"{data}/{folder}"):
            os.makedirs(f"{scratch}/{folder}")
            for name in os.listdir(f"{data}/{folder}"):
                os.symlink(f"{os.path.abspath(data)}/{folder}/{name}", f"{scratch}/{folder}/{name}")
    return scratch


def compare_all(data):
    hourly = [f"{coin}USDT" for coin in "XRP LTC ADA AAVE ALGO ARB AVAX DOT HBAR KAS LINK NEAR ONDO TRX WLD XLM XTZ DOGE ENA SUI".split()]
    five = [f"{coin}USDT" for coin in "BTC ETH BNB BCH DOGE SOL XRP INJ OP ORCA ZEC HYPE".split()]
    hour, minutes = 3_600_000, 300_000
    crash = ("2025-09-13T09:00:00Z", "2025-11-15T00:00:00Z")
    minutes5 = "klines_5m_2025-09_2025-12"

    def basket(name, coins, step, span, equity, target, band, leverage=None, **more):
        sets = {"basket.symbols": json.dumps(coins), "basket.size": len(coins), "basket.target_value": target, "basket.threshold": band}
        if leverage is not None:
            sets |= {"basket.sizing": "equity", "basket.effective_leverage": leverage}
        compare(name, data, coins, step, *span, equity, Basket(band, target, leverage), sets, **more)

    def weights(name, coins, step, span, equity, band, initial=0, leverage=1, absolute=False, **more):
        # Shares that differ, nine tenths together.
        parts = {coin: 1 + number % 3 for number, coin in enumerate(sorted(coins))}
        shares = {coin: round(0.9 * part / sum(parts.values()), 4) for coin, part in parts.items()}
        table = "{ " + ", ".join(f"{coin.removesuffix('USDT')} = {share}" for coin, share in shares.items()) + " }"
        sets = {"strategy.kind": "weights", "weights.weights": table, "weights.threshold": band, "weights.initial_value": initial,
                "weights.effective_leverage": leverage, "weights.threshold_kind": "absolute" if absolute else "relative"}
        compare(name, data, coins, step, *span, equity, Weights(shares, band, initial, leverage, absolute), sets, **more)

    def moonshot(name, coins, step, span, equity, slots, value, stop, days, trailing=None, **more):
        sets = {"strategy.kind": "moonshot", "moonshot.symbols": json.dumps(coins), "moonshot.slots": slots, "moonshot.slot_value": value,
                "moonshot.stop_loss": stop, "moonshot.cooldown": f"{days}d"}
        if trailing:
            sets |= {"moonshot.trailing_start": trailing[0], "moonshot.trailing_stop": trailing[1]}
        compare(name, data, coins, step, *span, equity, Moonshot(coins, slots, value, stop, days * 86_400_000, trailing), sets, **more)

    listing = f"{data}/exchange_info/testnet_exchangeInfo_2025-12-24.json.gz"
    basket("hourly, fixed, through the crash", hourly, hour, crash, 2000, 50, 0.05, limit=0.9)
    basket("hourly, without funding", hourly, hour, crash, 2000, 50, 0.05, limit=0.9, with_funding=False)
    basket("hourly, equity-sized at 1.5x", hourly, hour, crash, 2000, 50, 0.1, leverage=1.5, limit=0.9)
    basket("hourly, stopped", hourly, hour, crash, 600, 50, 0.05, limit=0.3)
    basket("hourly, liquidated", hourly, hour, ("2025-10-08T09:00:00Z", crash[1]), 250, 50, 0.05, limit=0.99)
    basket("5 minutes, fixed, through the crash", five, minutes, ("2025-10-01T00:00:00Z", "2025-10-20T00:00:00Z"), 2000, 100, 0.05, limit=0.9, klines=minutes5)
    basket("5 minutes, equity-sized, 2 % band", five, minutes, ("2025-10-05T00:00:00Z", "2025-10-15T00:00:00Z"), 2000, 100, 0.02, leverage=2, limit=0.9, klines=minutes5)
    basket("hourly, with the steps and minimums of a listing", hourly, hour, crash, 2000, 50, 0.05, limit=0.9, info=listing)
    basket("hourly, stopped and re-armed after two days", hourly, hour, crash, 600, 50, 0.05, limit=0.15, resume=2 * 86_400_000)
    basket("5 minutes, a decision every half hour, stopped and re-armed", five, minutes, ("2025-10-08T00:00:00Z", "2025-10-16T00:00:00Z"), 400, 100, 0.03, limit=0.2,
           resume=6 * hour, every=6, klines=minutes5)
    weights("hourly weights, futures at 1.5x", hourly, hour, crash, 2000, 0.05, leverage=1.5, limit=0.9)
    weights("hourly weights, futures, points of the portfolio, 700 of 2000 deployed", hourly, hour, crash, 2000, 0.01, initial=700, absolute=True, limit=0.9)
    weights("hourly weights, spot", hourly, hour, crash, 2000, 0.05, limit=0.9, spot=True)
    weights("5 minutes weights, spot, 2 % band", five, minutes, ("2025-10-05T00:00:00Z", "2025-10-15T00:00:00Z"), 2000, 0.02, limit=0.9, spot=True, klines=minutes5)
    moonshot("hourly moonshot, futures", hourly, hour, crash, 1000, 12, 50, 0.1, 7, limit=0.9)
    moonshot("hourly moonshot, a trailing stop", hourly, hour, crash, 1000, 12, 50, 0.2, 3, trailing=(0.05, 0.03), limit=0.9)
    moonshot("hourly moonshot, spot", hourly, hour, crash, 1000, 12, 50, 0.1, 7, limit=0.9, spot=True)
    checks.end()


main()
