"""The recorded crash of 2025-10-10: the hard stop fires in the hour in which a plain calculation says so.

usage: crash_day.py REBAL

Paper mode on the hourly prices of 129 coins that REBAL_DATA names, one `rebal rebalance` per recorded hour. Beside it
the same basket in plain Python: own reading of the price files, own band, steps, smallest orders, fees, slippage and
funding, own value of a unit and its peak. It knows nothing of the binary but its settings.
"""
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from harness import Checks

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that
D = Decimal
HOUR = 3_600_000
START = int(datetime(2025, 10, 9, 18, tzinfo=timezone.utc).timestamp() * 1000)
EQUITY, TARGET, BAND, LIMIT = D(2000), D(34), D("0.05"), D("0.30")
FEE, SLIPPAGE, HALF_SPREAD, WIDEST = D("0.0005"), D("0.0001"), D("0.00015"), D("0.0030")


def text_of(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M")


def read_csv(path):
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            yield row


def all_funding(data, folder):
    """A folder with a file for every coin, as `paper.funding` wants it: zero where nothing was recorded."""
    os.mkdir(folder)
    for name in os.listdir(f"{data}/klines_1h_2025-09_2026-03"):
        symbol = name.split("-")[0]
        there, here = f"{data}/funding/{symbol}-fundingRate.csv.gz", f"{folder}/{symbol}-fundingRate.csv.gz"
        if os.path.exists(there):
            os.symlink(there, here)
        else:
            with gzip.open(here, "wt") as file:
                file.write(f"calc_time,funding_interval_hours,last_funding_rate\n{START - 8 * HOUR},,0\n{START},8,0\n")
    return folder


class Recorded:
    """What the files say: the last price of each hour, funding rates, trading rules."""

    def __init__(self, data, until, funding):
        self.folder = f"{data}/klines_1h_2025-09_2026-03"
        self.funding_folder = funding
        self.listing = f"{data}/exchange_info/testnet_exchangeInfo_2025-12-24.json.gz"
        self.symbols = sorted(name.split("-")[0] for name in os.listdir(self.folder) if name.endswith(".gz"))
        # The price at an hour is the close of the bar that ends then.
        self.price = {}
        for symbol in self.symbols:
            for row in read_csv(f"{self.folder}/{symbol}-1h.csv.gz"):
                ends = int(row["open_time"]) + HOUR
                if START <= ends <= until:
                    self.price[symbol, ends] = D(row["close"])
        self.rates = {}
        for name in os.listdir(self.funding_folder):
            symbol = name.split("-")[0].split(".")[0]
            if symbol in self.symbols:
                for row in read_csv(f"{self.funding_folder}/{name}"):
                    at = int(row["calc_time"])
                    if START < at <= until:
                        self.rates[symbol, round(at / HOUR) * HOUR] = D(row["last_funding_rate"])
        with gzip.open(self.listing) as file:
            rows = json.load(file)["symbols"]
        self.rules = {}
        for row in rows:
            # Recorded later than the prices: what was not yet listed then trades once it has prices.
            if row["symbol"] in self.symbols and row["status"] in ("TRADING", "PENDING_TRADING"):
                filters = {entry["filterType"]: entry for entry in row["filters"]}
                self.rules[row["symbol"]] = dict(
                    tick=D(filters["PRICE_FILTER"]["tickSize"]), step=max(D(filters["LOT_SIZE"]["stepSize"]), D(filters["MARKET_LOT_SIZE"]["stepSize"])),
                    least=D(filters["LOT_SIZE"]["minQty"]), notional=D(filters["MIN_NOTIONAL"]["notional"]))


class Plain:
    """The basket by hand: quantities, wallet and average entries of one account."""

    def __init__(self, recorded):
        self.recorded, self.wallet, self.peak = recorded, EQUITY, D(1)
        self.qty, self.entry, self.fired = {}, {}, None
        self.traded = self.fees = self.funding = D(0)

    def equity(self, at):
        return self.wallet + sum(qty * (self.recorded.price[symbol, at] - self.entry[symbol]) for symbol, qty in self.qty.items())

    def fill_price(self, symbol, at, buying, any_spread):
        """The mark, half a spread of 3 bps and the slippage away, each on a tick."""
        tick, mark, sign = self.recorded.rules[symbol]["tick"], self.recorded.price[symbol, at], 1 if buying else -1
        near = lambda price: (price / tick).to_integral_value(ROUND_HALF_UP) * tick
        ask, bid = near(mark * (1 + HALF_SPREAD)), near(mark * (1 - HALF_SPREAD))
        if ask <= bid:
            ask = bid + tick
        if (ask - bid) / ((ask + bid) / 2) > WIDEST and not any_spread:
            return None
        return near((ask if buying else bid) * (1 + sign * SLIPPAGE))

    def trade(self, symbol, at, qty, any_spread=False):
        price = self.fill_price(symbol, at, qty > 0, any_spread)
        if price is None:
            return
        before = self.qty.get(symbol, D(0))
        if qty > 0:
            self.entry[symbol] = (before * self.entry.get(symbol, D(0)) + qty * price) / (before + qty)
        else:
            self.wallet += -qty * (price - self.entry[symbol])
        self.qty[symbol] = before + qty
        if not self.qty[symbol]:
            del self.qty[symbol]
        self.fees += abs(qty) * price * FEE
        self.wallet -= abs(qty) * price * FEE
        self.traded += abs(qty) * price

    def hour(self, at):
        """One pass; the equity and drawdown that it begins with, and whether it stops."""
        for symbol, qty in self.qty.items():
            paid = qty * self.recorded.price[symbol, at] * self.recorded.rates.get((symbol, at), D(0))
            self.wallet -= paid
            self.funding -= paid
        equity = self.equity(at)
        self.peak = max(self.peak, equity / EQUITY)
        drawdown = 1 - equity / EQUITY / self.peak
        if drawdown >= LIMIT:
            for symbol, qty in list(self.qty.items()):
                self.trade(symbol, at, -qty, any_spread=True)
            return equity, drawdown, True
        for symbol in self.recorded.symbols:
            rules, mark = self.recorded.rules.get(symbol), self.recorded.price.get((symbol, at))
            if not rules or not mark:
                continue
            value = self.qty.get(symbol, D(0)) * mark
            lacks = (TARGET - value) / mark
            qty = (abs(lacks) / rules["step"]).to_integral_value(rounding="ROUND_FLOOR") * rules["step"]
            if value > TARGET * (1 + BAND) and qty >= rules["least"]:
                self.trade(symbol, at, -qty)
            elif value < TARGET * (1 - BAND) and qty >= rules["least"] and qty * mark >= rules["notional"]:
                self.trade(symbol, at, qty)
        return equity, drawdown, False


class Binary:
    def __init__(self, recorded, state):
        sets = {"mode": "paper", "interval": "1h", "paper.equity": EQUITY, "paper.prices": recorded.folder, "paper.funding": recorded.funding_folder,
                "paper.exchange_info": recorded.listing, "paper.start": text_of(START).replace(" ", "T") + ":00Z",
                "basket.symbols": json.dumps(recorded.symbols), "basket.size": len(recorded.symbols), "basket.target_value": TARGET,
                "execution.max_orders_per_pass": 200}
        self.flags = ["--state-dir", state] + [f"--set={key}={value}" for key, value in sets.items()]

    def run(self, *arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REBAL")}
        done = subprocess.run([rebal, *self.flags, *arguments, "--json"], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, {"unreadable": done.stdout, "stderr": done.stderr}


def crash(data, state):
    began = time.monotonic()
    funding = os.path.join(os.path.dirname(state), "funding")
    recorded = Recorded(data, START + 60 * HOUR, all_funding(data, funding))
    that(f"{len(recorded.symbols)} price files, {len(recorded.rules)} of their coins have rules, {len(recorded.rates)} funding rates",
         len(recorded.symbols) == 129 and len(recorded.rules) > 110)
    plain, binary = Plain(recorded), Binary(recorded, state)
    print(f"\n{'hour':16}  {'plain equity':>12} {'drawdown':>9} | {'rebal equity':>12} {'drawdown':>9}  exit  orders")
    apart, rows, fired = D(0), 0, None
    for hour in range(60):
        at = START + hour * HOUR
        equity, drawdown, stops = plain.hour(at)
        code, report = binary.run("rebalance")
        plan = report.get("plan") or {}
        theirs = D(report.get("equity_before") or 0)
        # A pass that stopped has no plan; risk-check, which moves no time, still knows the peak.
        if not plan and code == 7:
            _, risk = binary.run("risk-check")
            fall = 1 - theirs / EQUITY / D(risk["peak_nav"])
        else:
            fall = D(plan.get("drawdown", 0))
        rows += 1
        if code not in (0, 7):
            that(f"the pass of {text_of(at)} ends with 0 or 7", False, (code, str(report)[:600]))
            return
        apart = max(apart, abs(theirs - equity))
        if drawdown > D("0.02") or hour % 12 == 0 or code:
            print(f"{text_of(at)}  {equity:12.4f} {drawdown:9.4%} | {theirs:12.4f} {fall:9.4%}  {code:4}  {len(report.get('orders') or [])}")
        if stops or code == 7:
            fired = (text_of(at), stops, code)
            break
    that(f"both stop in the same hour: {fired}", fired is not None and fired[1] and fired[2] == 7, fired)
    that(f"their equities were never further apart than {apart:.4f} of {EQUITY} over {rows} hours", apart < D("0.5"))
    that(f"and their drawdowns then by {abs(fall - drawdown):.6f}", abs(fall - drawdown) < D("0.0005"))
    _, risk = binary.run("risk-check")
    left, lost = report.get("equity_after") or risk["equity"], plain.equity(at)
    that(f"the account is flat, worth {left} (by hand {lost:.4f})", left and abs(D(left) - lost) < D("0.5") and not plain.qty, (left, lost))
    print(f"      by hand: traded {plain.traded:.0f}, fees {plain.fees:.2f}, funding {plain.funding:+.2f}")
    closing = [order for order in report["orders"] if order["status"] == "filled"]
    that(f"by {len(closing)} reduce-only sales of kind f, each id once", closing and all(order["side"] == "SELL" and order["client_order_id"].endswith("f") for order in report["orders"])
         and len({order["client_order_id"] for order in report["orders"]}) == len(report["orders"]))
    code, report = binary.run("rebalance")
    that("the next pass refuses with 6", (code, report.get("kind")) == (6, "halted"), (code, report))
    code, risk = binary.run("risk-check")
    that("risk-check says 6, with no leverage left", code == 6 and D(risk["effective_leverage"]) == 0, (code, risk.get("effective_leverage")))
    code, report = binary.run("risk-check", "--resume", "--confirm", risk["halt_id"])
    that("the right id re-arms", code == 0, (code, report))
    code, report = binary.run("rebalance")
    bought = [order for order in report.get("orders", []) if order["side"] == "BUY" and order["status"] == "filled"]
    that(f"and the next pass buys again: {len(bought)} coins", code == 0 and len(bought) > 50 and D(report["plan"]["leverage_after"]) <= 3, (code, str(report)[:500]))
    that("counting the drawdown from there", D(report["plan"]["drawdown"]) < D("0.001"), report["plan"]["drawdown"])
    print(f"      ({time.monotonic() - began:.1f} s)")


data = os.environ.get("REBAL_DATA")
if not data or not os.path.isdir(f"{data}/klines_1h_2025-09_2026-03"):
    print("skipped: the crash day needs REBAL_DATA, the folder of the recorded market data")
else:
    with tempfile.TemporaryDirectory(prefix="rebal-crash-") as folder:
        crash(data, os.path.join(folder, "state"))
checks.end()
