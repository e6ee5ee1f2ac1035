"""The two minds on recorded prices, beside calculations by hand.

usage: minds.py REBAL

weights: BTC, ETH, SOL and BNB at fixed shares through 2025-10-10, five minutes at a time; every order, and the equity
of every pass, is calculated again in plain Python. moonshot: 60 coins and 40 slots, an hour at a time; the list of
stops is calculated again, and once more from the recorded prices and `trades.csv` alone. Then both over HTTP against
`rebal sim`, with gaps and a coin that rises tenfold. The calculations know nothing of the binary but its settings.
"""
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timezone
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from harness import Checks, Home, Sim

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that
D = Decimal
MINUTE = 60_000
HOUR = 60 * MINUTE
FEE, SLIPPAGE, HALF_SPREAD, WIDEST = D("0.0005"), D("0.0001"), D("0.00015"), D("0.0030")


def ms(*when):
    return int(datetime(*when, tzinfo=timezone.utc).timestamp() * 1000)


def text_of(at):
    return datetime.fromtimestamp(at / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_csv(path):
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


class Recorded:
    """What the files say of `symbols` from `start` to `until`: closes, funding rates, trading rules."""

    def __init__(self, data, folder, klines, symbols, start, until, bar):
        self.listing = f"{data}/exchange_info/testnet_exchangeInfo_2025-12-24.json.gz"
        self.prices, self.funding = f"{folder}/prices", f"{folder}/funding"
        self.symbols, self.start, self.bar = symbols, start, bar
        os.makedirs(self.prices)
        os.makedirs(self.funding)
        self.price, self.rates = {}, {}
        for symbol in symbols:
            name = next(name for name in os.listdir(f"{data}/{klines}") if name.split("-")[0] == symbol)
            # Only the hours in question: each pass is a process that reads its files anew.
            with gzip.open(f"{data}/{klines}/{name}", "rt") as file, gzip.open(f"{self.prices}/{name}", "wt") as cut:
                cut.write(next(file))
                for line in file:
                    # The price at an instant is the close of the bar that ends then.
                    ends = int(line.split(",")[0]) + bar
                    if start - 24 * HOUR <= ends <= until + 2 * bar:
                        cut.write(line)
                    if start <= ends <= until:
                        self.price[symbol, ends] = D(line.split(",")[4])
            self.take_funding(data, symbol, until)
        with gzip.open(self.listing) as file:
            rows = json.load(file)["symbols"]
        self.rules = {}
        for row in rows:
            if row["symbol"] in symbols and row["status"] in ("TRADING", "PENDING_TRADING"):
                filters = {entry["filterType"]: entry for entry in row["filters"]}
                lot, market = filters["LOT_SIZE"], filters["MARKET_LOT_SIZE"]
                self.rules[row["symbol"]] = dict(tick=D(filters["PRICE_FILTER"]["tickSize"]), step=max(D(lot["stepSize"]), D(market["stepSize"])),
                                                 least=D(lot["minQty"]), notional=D(filters["MIN_NOTIONAL"]["notional"]))

    def take_funding(self, data, symbol, until):
        there, here = f"{data}/funding/{symbol}-fundingRate.csv.gz", f"{self.funding}/{symbol}-fundingRate.csv.gz"
        if not os.path.exists(there):
            with gzip.open(here, "wt") as file:
                file.write(f"calc_time,funding_interval_hours,last_funding_rate\n{self.start - 8 * HOUR},,0\n{self.start},8,0\n")
            return
        os.symlink(there, here)
        for row in read_csv(here):
            at = round(int(row["calc_time"]) / HOUR) * HOUR
            if self.start < at <= until:
                self.rates[symbol, at] = D(row["last_funding_rate"])


class Plain:
    """An account by hand: quantities, average entries, wallet."""

    def __init__(self, recorded, equity):
        self.recorded, self.wallet, self.qty, self.entry, self.orders = recorded, D(equity), {}, {}, []

    def equity(self, at):
        return self.wallet + sum(qty * (self.recorded.price[symbol, at] - self.entry[symbol]) for symbol, qty in self.qty.items())

    def settle_funding(self, at):
        for symbol, qty in self.qty.items():
            self.wallet -= qty * self.recorded.price[symbol, at] * self.recorded.rates.get((symbol, at), D(0))

    def book(self, symbol, at):
        tick, mark = self.recorded.rules[symbol]["tick"], self.recorded.price[symbol, at]
        near = lambda price: (price / tick).to_integral_value(ROUND_HALF_UP) * tick
        bid, ask = near(mark * (1 - HALF_SPREAD)), near(mark * (1 + HALF_SPREAD))
        return near, bid, max(ask, bid + tick)

    def trade(self, symbol, at, qty, any_spread=False):
        near, bid, ask = self.book(symbol, at)
        if (ask - bid) / ((ask + bid) / 2) > WIDEST and not any_spread:
            return
        price = near(ask * (1 + SLIPPAGE) if qty > 0 else bid * (1 - SLIPPAGE))
        before = self.qty.get(symbol, D(0))
        if qty > 0:
            self.entry[symbol] = (before * self.entry.get(symbol, D(0)) + qty * price) / (before + qty)
        else:
            self.wallet += -qty * (price - self.entry[symbol])
        self.qty[symbol] = before + qty
        if not self.qty[symbol]:
            del self.qty[symbol]
        self.wallet -= abs(qty) * price * FEE
        self.orders.append((text_of(at), symbol, "BUY" if qty > 0 else "SELL", abs(qty).normalize()))

    def whole_steps(self, symbol, qty):
        step = self.recorded.rules[symbol]["step"]
        return (abs(qty) / step).to_integral_value(ROUND_FLOOR) * step


class Binary:
    def __init__(self, recorded, state, equity, **settings):
        interval = f"{recorded.bar // MINUTE}m"
        sets = {"mode": "paper", "interval": interval, "paper.equity": equity, "paper.prices": recorded.prices, "paper.funding": recorded.funding,
                "paper.exchange_info": recorded.listing, "paper.start": text_of(recorded.start), "risk.max_drawdown": "0.9", **settings}
        self.state = state
        self.flags = ["--state-dir", state] + [f"--set={key}={value}" for key, value in sets.items()]

    def run(self, *arguments, style="--json"):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REBAL")}
        done = subprocess.run([rebal, *self.flags, *arguments, *([style] if style else [])], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment)
        if not style:
            return done.returncode, done.stdout
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, {"unreadable": done.stdout, "stderr": done.stderr}

    def trades(self):
        with open(os.path.join(self.state, "trades.csv"), newline="") as file:
            return list(csv.DictReader(file))


def filled(report, at):
    return [(text_of(at), o["symbol"], o["side"], D(o["filled_qty"]).normalize()) for o in report["orders"] if D(o["filled_qty"])]


# ---- weights

SHARES = {"BTCUSDT": D("0.3"), "ETHUSDT": D("0.2"), "SOLUSDT": D("0.15"), "BNBUSDT": D("0.15")}
BAND = D("0.05")


def weights_by_hand(plain, at):
    """What is too strong or too weak by hand, sales first; the equity before."""
    plain.settle_funding(at)
    equity, price = plain.equity(at), plain.recorded.price
    lots = []
    for symbol, share in SHARES.items():
        target, value = equity * share, plain.qty.get(symbol, D(0)) * price[symbol, at]
        if abs(value - target) > target * BAND:
            qty = plain.whole_steps(symbol, (target - value) / price[symbol, at])
            rules = plain.recorded.rules[symbol]
            if qty >= rules["least"] and (value > target or qty * price[symbol, at] >= rules["notional"]):
                lots.append((symbol, -qty if value > target else qty))
    for symbol, qty in sorted(lots, key=lambda lot: lot[1]):
        plain.trade(symbol, at, qty)
    return equity


def weights(data, folder, equity=10_000, passes=150):
    began, start, bar = time.monotonic(), ms(2025, 10, 10, 18), 5 * MINUTE
    recorded = Recorded(data, folder, "klines_5m_2025-09_2025-12", list(SHARES), start, start + passes * bar, bar)
    shares = "{" + ", ".join(f"{symbol[:-4]} = {share}" for symbol, share in SHARES.items()) + "}"
    plain, binary = Plain(recorded, equity), Binary(recorded, f"{folder}/state", equity, **{
        "strategy.kind": "weights", "weights.weights": shares, "weights.threshold": BAND})
    code, plan = binary.run("plan")
    rows = {row["symbol"]: row for row in plan.get("coins", [])}
    that("weights: plan shows what each share is and should be", code == 0 and {symbol: D(row["target_share"]) for symbol, row in rows.items()} == SHARES
         and all(D(row["share"]) == 0 for row in rows.values()), plan)
    ours, codes, apart, low, wrong, outside = [], Counter(), D(0), D(equity), [], []
    for number in range(passes):
        at = start + number * bar
        held = dict(plain.qty)
        by_hand = weights_by_hand(plain, at)
        code, report = binary.run("rebalance")
        codes[code] += 1
        if code:
            break
        ours += filled(report, at)
        theirs = D(report["equity_before"])
        apart, low = max(apart, abs(theirs - by_hand)), min(low, theirs)
        for order in report["orders"]:
            share = held.get(order["symbol"], D(0)) * recorded.price[order["symbol"], at] / by_hand
            drift = share / SHARES[order["symbol"]] - 1
            if (drift <= BAND) if order["side"] == "SELL" else (drift >= -BAND):
                wrong.append((text_of(at), order["symbol"], order["side"], drift))
        # What is missing may be less than one step of the contract.
        step = {symbol: recorded.rules[symbol]["step"] * recorded.price[symbol, at] / by_hand for symbol in SHARES}
        outside += [(text_of(at), row) for row in report["shares"]
                    if abs(D(row["after"]) - D(row["target"])) > max(D(row["target"]) * BAND, step[row["symbol"]]) + D("0.00001")]
    that(f"weights: {passes} passes through the crash end with 0", codes == {0: passes}, (dict(codes), str(report)[:400]))
    sides = Counter(side for _, _, side, _ in ours[len(SHARES):])
    that(f"weights: after the first four purchases {dict(sides)}, the same orders as by hand", sorted(ours) == sorted(plain.orders) and sides["BUY"] > 1 and sides["SELL"] > 1,
         sorted(set(ours) ^ set(plain.orders))[:4])
    that("weights: strength is sold and weakness bought, nothing else", not wrong, wrong[:3])
    that("weights: after every pass each share is within its band, or a step of it", not outside, outside[:3])
    that(f"weights: the crash was seen (equity fell to {low:.2f}); never further apart than {apart:.4f}", low < D("0.93") * equity and apart < D("0.05"), (low, apart))
    _, shown = binary.run("plan", "--dry-run", style=None)
    that("weights: the table tells shares and cash", "shares" in shown and "cash" in shown, shown)
    print(f"      ({time.monotonic() - began:.1f} s)")


# ---- moonshot

SLOTS, SLOT, STOP, COOL = 40, D(25), D("0.30"), 24 * HOUR


def may_be_bought(recorded, symbol, at):
    rules, mark = recorded.rules.get(symbol), recorded.price.get((symbol, at))
    if not rules or not mark:
        return False
    steps = lambda qty: (qty / rules["step"]).to_integral_value(ROUND_CEILING) * rules["step"]
    return max(rules["least"], steps(rules["notional"] / mark)) * mark <= SLOT


def moonshot_by_hand(plain, at, stops):
    """Losers out, free slots filled; a slot that becomes free now is filled by the next pass."""
    recorded = plain.recorded
    plain.settle_funding(at)
    equity, taken, held = plain.equity(at), len(plain.qty), list(plain.qty)
    for symbol in sorted(held):
        if recorded.price[symbol, at] <= plain.entry[symbol] * (1 - STOP):
            stops.append((text_of(at), symbol))
            plain.trade(symbol, at, -plain.qty[symbol], any_spread=True)
    last = {symbol: when for when, symbol in stops}
    for symbol in recorded.symbols:
        cooling = symbol in last and at - ms_of(last[symbol]) < COOL
        if symbol not in held and not cooling and taken < SLOTS and may_be_bought(recorded, symbol, at):
            taken += 1
            plain.trade(symbol, at, plain.whole_steps(symbol, SLOT / recorded.price[symbol, at]))
    return equity


def ms_of(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def stops_from_prices(recorded, trades, passes):
    """From the purchases in trades.csv and the recorded closes alone: when each position fell to its stop."""
    bought, sold, expected = {}, [], []
    fills = {}
    for row in trades:
        fills.setdefault((ms_of(row["time"]) // recorded.bar * recorded.bar, row["symbol"], row["side"]), []).append(row)
    for number in range(passes):
        at = recorded.start + number * recorded.bar
        for symbol in recorded.symbols:
            if symbol in bought and recorded.price[symbol, at] <= bought[symbol] * (1 - STOP):
                expected.append((text_of(at), symbol))
                del bought[symbol]
            for row in fills.get((at, symbol, "SELL"), []):
                sold.append((text_of(at), symbol, row["reason"]))
            rows = fills.get((at, symbol, "BUY"), [])
            if rows:
                bought[symbol] = sum(D(row["price"]) * D(row["qty"]) for row in rows) / sum(D(row["qty"]) for row in rows)
    return expected, sold


def moonshot(data, folder, equity=1000, passes=120):
    began, start = time.monotonic(), ms(2025, 10, 9, 18)
    klines = "klines_1h_2025-09_2026-03"
    names = sorted(name.split("-")[0] for name in os.listdir(f"{data}/{klines}") if name.endswith(".gz"))
    everything = Recorded(data, f"{folder}/all", klines, names, start, start, HOUR)
    symbols = [symbol for symbol in names if symbol in everything.rules and (symbol, start) in everything.price][:60]
    recorded = Recorded(data, folder, klines, symbols, start, start + passes * HOUR, HOUR)
    plain, stops = Plain(recorded, equity), []
    binary = Binary(recorded, f"{folder}/state", equity, **{
        "strategy.kind": "moonshot", "moonshot.symbols": json.dumps(symbols), "moonshot.slots": SLOTS, "moonshot.slot_value": SLOT,
        "moonshot.stop_loss": STOP, "moonshot.cooldown": "24h", "execution.max_orders_per_pass": 200})
    ours, theirs, codes, apart, most = [], [], Counter(), D(0), 0
    for number in range(passes):
        at = start + number * HOUR
        by_hand = moonshot_by_hand(plain, at, stops)
        code, report = binary.run("rebalance")
        codes[code] += 1
        if code:
            break
        theirs += filled(report, at)
        ours += [(text_of(at), order["symbol"]) for order in report["orders"] if order["reason"] == "stop_loss"]
        apart = max(apart, abs(D(report["equity_before"]) - by_hand))
        most = max(most, len([row for row in report["plan"]["held"] if D(row["value"])]))
    that(f"moonshot: {passes} passes with {len(symbols)} coins end with 0", codes == {0: passes} and len(symbols) == 60, (dict(codes), str(report)[:600]))
    that(f"moonshot: the same {len(stops)} stops as by hand", sorted(ours) == sorted(stops) and len(stops) > 10,
         (sorted(set(ours) ^ set(stops))[:4], len(ours), len(stops)))
    that("moonshot: and the same purchases", sorted(theirs) == sorted(plain.orders), sorted(set(theirs) ^ set(plain.orders))[:4])
    that(f"moonshot: their equities are never further apart than {apart:.4f}", apart < D("0.05"), apart)
    expected, sold = stops_from_prices(recorded, binary.trades(), passes)
    that("moonshot: each stop fires in the very pass in which the price is there, none twice",
         sorted((when, symbol) for when, symbol, _ in sold) == sorted(expected), sorted(set(expected) ^ {row[:2] for row in sold})[:4])
    that("moonshot: nothing else is ever sold", {reason for _, _, reason in sold} == {"stop_loss"}, Counter(reason for _, _, reason in sold))
    again = [symbol for symbol, count in Counter(row[1] for row in theirs if row[2] == "BUY").items() if count > 1]
    early = [(symbol, when) for when, symbol, side, _ in theirs if side == "BUY"
             for gone, other in stops if other == symbol and 0 <= ms_of(when) - ms_of(gone) < COOL]
    that(f"moonshot: {len(again)} stopped coins are bought again, none within its cool-down", again and not early, (again, early[:3]))
    that(f"moonshot: never more than {SLOTS} positions (at most {most})", 30 < most <= SLOTS, most)
    print(f"      ({time.monotonic() - began:.1f} s)")


# ---- over HTTP

def over_http():
    coins = ["ADAUSDT", "XRPUSDT", "DOGEUSDT", "TRXUSDT", "XLMUSDT", "HBARUSDT"]
    settings = dict(strategy__kind="moonshot", moonshot__symbols=json.dumps(coins), moonshot__slots=4, moonshot__slot_value=20, risk__max_drawdown=0.9)
    with Sim(rebal) as sim, Home(rebal, sim.url, **settings) as home:
        code, report = home.json("rebalance")
        bought = [order["symbol"] for order in report.get("orders", [])]
        that("HTTP: four slots are filled in the order of the list", code == 0 and sorted(bought) == sorted(coins[:4]), (code, report))
        sim.price("ADAUSDT", "0.4")
        sim.price("XRPUSDT", "11")
        sim.price("DOGEUSDT", "0.71")
        sim.advance()
        # What was sold is learnt from the exchange although the answer is lost.
        sim.faults({"match": "POST /fapi/v1/order", "nth": 1, "times": 1, "do": "accept_then_close"})
        code, report = home.json("rebalance")
        sold = [(order["symbol"], order["side"], order["reason"]) for order in report.get("orders", [])]
        that("HTTP: a coin that gapped to -60 % is sold, nothing else is touched", sold == [("ADAUSDT", "SELL", "stop_loss")], (code, sold))
        sim.advance()
        code, report = home.json("rebalance")
        orders = [(order["symbol"], order["side"]) for order in report.get("orders", [])]
        cooling = [row["symbol"] for row in report["plan"]["skipped"] if row["reason"] == "cooldown"]
        that("HTTP: it is sold once, cools down, and its slot goes to the next coin", code == 0 and orders == [("XLMUSDT", "BUY")] and cooling == ["ADAUSDT"],
             (code, orders, report.get("plan", {}).get("skipped")))
        sold = [order for order in sim.state()["orders"] if order["side"] == "SELL"]
        held = {row["symbol"] for row in sim.state()["positions"] if D(row["qty"])}
        that("HTTP: the exchange saw one sale", len(sold) == 1 and held == {"XRPUSDT", "DOGEUSDT", "TRXUSDT", "XLMUSDT"}, (sold, held))
        sim.advance()
        code, report = home.json("rebalance")
        that("HTTP: then there is nothing to do", code == 0 and not report["orders"], report.get("orders"))
    unknown = dict(strategy__kind="weights", weights__weights="{ BTC = 0.4, NOSUCH = 0.3 }")
    with Sim(rebal, equity="10000") as sim, Home(rebal, sim.url, **unknown) as home:
        code, report = home.json("rebalance")
        that("HTTP: an unknown coin is refused before anything is bought, by name", code == 2 and "NOSUCHUSDT" in report.get("message", "")
             and "weights.weights" in report.get("hint", "") and not sim.state()["orders"], (code, report))
    settings = dict(strategy__kind="weights", weights__weights='{ BTC = 0.4, ETH = 0.3 }', weights__threshold=0.05)
    with Sim(rebal, equity="10000") as sim, Home(rebal, sim.url, **settings) as home:
        code, report = home.json("rebalance")
        that("HTTP: weights buys its shares", code == 0 and {row["symbol"] for row in report["orders"]} == {"BTCUSDT", "ETHUSDT"}, (code, report))
        sim.price("BTCUSDT", "1.2")
        sim.price("ETHUSDT", "0.9")
        sim.advance()
        sim.faults({"match": "POST /fapi/v1/order", "nth": 1, "times": 1, "do": "reject:-2010"})
        code, report = home.json("rebalance")
        status = {(order["symbol"], order["side"]): order["status"] for order in report.get("orders", [])}
        that("HTTP: strength is sold, weakness bought; a refused sale ends with 5", code == 5 and status.get(("BTCUSDT", "SELL")) == "rejected", (code, status))
        sim.advance()
        code, report = home.json("rebalance")
        within = all(abs(D(row["after"]) / D(row["target"]) - 1) <= D("0.05") for row in report["shares"])
        that("HTTP: and the next pass brings both to their shares", code == 0 and within, (code, report.get("shares")))
        sim.advance()
        home.values["weights__weights"] = "{ BTC = 0.4, ETH = 0.3, NOSUCH = 0.1 }"
        code, report = home.json("rebalance")
        skipped = [(row["symbol"], row["reason"]) for row in report.get("plan", {}).get("skipped", [])]
        that("HTTP: once it holds something, the others are traded without it", code == 0 and ("NOSUCHUSDT", "not_listed") in skipped, (code, report))


data = os.environ.get("REBAL_DATA")
if not data or not os.path.isdir(f"{data}/klines_1h_2025-09_2026-03"):
    print("skipped: recorded prices need REBAL_DATA, the folder of the recorded market data")
else:
    with tempfile.TemporaryDirectory(prefix="rebal-minds-") as folder:
        weights(data, f"{folder}/weights")
        moonshot(data, f"{folder}/moonshot")
over_http()
checks.end()
