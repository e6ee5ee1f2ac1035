"""Thirty recorded days: every figure of `rebal report` against the simulated exchange's own books.

usage: report.py REBAL [HOURS]

`rebal sim` replays the recorded hours of REBAL_DATA with recorded funding of 4 and 8 hours, and of 1 hour for one coin; `rebal rebalance` runs once
an hour; money comes and goes; fees are paid in BNB until there is none. Beside it plain Python keeps books from
`GET /sim/state`, `trades.csv` and the recorded files, and knows nothing of the binary's ledger.
"""
import csv
import gzip
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from decimal import Decimal as D

from harness import Checks, Home, Sim

rebal = os.path.abspath(sys.argv[1])
hours = int(sys.argv[2]) if len(sys.argv) > 2 else 720
checks = Checks()
that = checks.that
COINS = [f"{coin}USDT" for coin in
         "XRP LTC ADA AAVE ALGO ARB AVAX DOT HBAR KAS LINK NEAR ONDO TRX WLD XLM XTZ DOGE ENA SUI".split()]
HOUR_MS = 3_600_000
HOURLY = "DOGEUSDT"


def rows(path):
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def funding_folder(data, folder):
    """The recorded rates; one coin settles every hour at an eighth of its rate, as some contracts do."""
    os.mkdir(folder)
    for symbol in COINS:
        there, here = f"{data}/funding/{symbol}-fundingRate.csv.gz", f"{folder}/{symbol}-fundingRate.csv.gz"
        if symbol != HOURLY:
            os.symlink(there, here)
            continue
        with gzip.open(here, "wt") as file:
            file.write("calc_time,funding_interval_hours,last_funding_rate\n")
            for row in rows(there):
                for hour in range(8):
                    stamp = round(int(row["calc_time"]) / HOUR_MS) * HOUR_MS + hour * HOUR_MS
                    file.write(f"{stamp},1,{D(row['last_funding_rate']) / 8:.8f}\n")
    return folder


class Books:
    """What the exchange did, in its own rows."""

    def __init__(self, state):
        self.by_coin = defaultdict(lambda: defaultdict(D))
        self.transfers, self.bnb_rows, self.funding_rows = D(0), [], []
        for row in state["income"]:
            amount = D(row["amount"])
            if row["asset"] == "BNB":
                if row["type"] == "COMMISSION":
                    self.bnb_rows.append((row["at"], row["symbol"], amount))
            elif row["type"] == "TRANSFER":
                self.transfers += amount
            else:
                self.by_coin[row["symbol"]][row["type"]] += amount
                if row["type"] == "FUNDING_FEE":
                    self.funding_rows.append((row["at"], row["symbol"], amount))

    def total(self, kind):
        return sum((coin[kind] for coin in self.by_coin.values()), D(0))


def equity(state):
    floating = sum((D(held["unrealized"]) for held in state["positions"]), D(0))
    return D(state["wallet"]) + floating


def milliseconds(text):
    from datetime import datetime
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def run(data, scratch):
    klines = f"{data}/klines_1h_2025-09_2026-03"
    funding = funding_folder(data, os.path.join(scratch, "funding"))
    flags = ["--prices", klines, "--funding", funding]
    with Sim(rebal, *flags, equity="600") as sim, \
            Home(rebal, sim.url, COINS, interval="1h", basket__target_value="45", basket__size=str(len(COINS)),
                 risk__max_drawdown="0.95", risk__max_effective_leverage="8", futures__leverage="5",
                 execution__max_spread_bps="200", execution__max_slippage_bps="400",
                 execution__max_turnover_per_pass="3") as home:
        sim.signed("POST", "/fapi/v1/feeBurn", feeBurn="true")
        sim.call("POST", "/sim/transfer", {"amount": "0.0004", "asset": "BNB"})
        held_at, bnb_price, bought, codes = {}, {}, {}, defaultdict(int)
        began = time.monotonic()
        first = last = None
        for hour in range(hours):
            if hour == 100:
                sim.call("POST", "/sim/transfer", {"amount": "150.25"})
            if hour in (300, 301):
                sim.call("POST", "/sim/transfer", {"amount": "-40.125"})
            state = sim.state()
            first = first or state
            held_at[state["at"]] = {held["symbol"]: D(held["qty"]) for held in state["positions"]}
            bnb_price[state["at"]] = D(sim.call("GET", "/fapi/v1/premiumIndex?symbol=BNBUSDT")["markPrice"])
            if 1 <= hour <= 24:
                for held in state["positions"]:
                    bought.setdefault(held["symbol"], (D(held["qty"]), D(held["entry_price"]), state["at"]))
            codes[home.run("rebalance", "-q")[0]] += 1
            last = sim.state()
            sim.advance(1)
        print(f"      {hours} passes in {time.monotonic() - began:.1f} s, exit codes {dict(codes)}")
        that("every pass accounted for all it did", set(codes) <= {0, 5} and codes[0] > hours * 0.9, dict(codes))
        end = sim.state()["at"]
        code, report = home.json("report", "--since", first["at"], "--until", end)
        that("report ends with 0", code == 0, report)
        against(report, first, last, held_at, bnb_price, bought, klines, funding, home)
        pieces(home, first["at"], end, report)
        formats(home, sim, first["at"])


def against(report, first, last, held_at, bnb_price, bought, klines, funding, home):
    books = Books(last)
    that("it begins and ends with the readings of the first and the last pass",
         [at[:16] for at in (report["from"], report["to"])] == [at[:16] for at in (first["at"], last["at"])],
         (report["from"], report["to"], last["at"]))
    that("equity is the exchange's, to the last digit",
         (D(report["equity_start"]), D(report["equity_end"])) == (equity(first), equity(last)),
         (report["equity_end"], equity(last)))
    that("unreconciled is exactly 0", D(report["unreconciled"]) == 0, report["unreconciled"])
    that(f"transfers are {books.transfers}", D(report["transfers"]) == books.transfers == (D("70") if hours > 301 else D(0)), report["transfers"])
    for ours, kind in (("realized_total", "REALIZED_PNL"), ("funding_total", "FUNDING_FEE")):
        that(f"{ours} is the sum of the exchange's {kind} rows: {books.total(kind)}",
             D(report[ours]) == books.total(kind), report[ours])
    in_bnb = sum((amount * bnb_price[near(bnb_price, at)] for at, _, amount in books.bnb_rows), D(0))
    that(f"{len(books.bnb_rows)} fees were paid in BNB, others were not",
         len(books.bnb_rows) > 10 and books.total("COMMISSION") < 0, books.total("COMMISSION"))
    that("fees paid in BNB are valued at its price then", D(report["fees_elsewhere"]) == in_bnb, (report["fees_elsewhere"], in_bnb))
    that("fees_total is both", D(report["fees_total"]) == in_bnb + books.total("COMMISSION"), report["fees_total"])

    floating = {held["symbol"]: D(held["unrealized"]) for held in last["positions"]}
    wrong = []
    for row in report["per_coin"]:
        coin = books.by_coin[row["symbol"]]
        bnb = sum((amount * bnb_price[near(bnb_price, at)] for at, symbol, amount in books.bnb_rows if symbol == row["symbol"]), D(0))
        expected = (coin["REALIZED_PNL"], floating.get(row["symbol"], D(0)), coin["FUNDING_FEE"], coin["COMMISSION"] + bnb)
        found = tuple(D(row[name]) for name in ("realized", "unrealized_change", "funding", "fees"))
        if found != expected or sum(found) != D(row["net_profit"]):
            wrong.append((row["symbol"], found, expected))
    that(f"all {len(report['per_coin'])} coins agree with the exchange, and add up", not wrong and len(report["per_coin"]) == len(COINS), wrong)
    net = sum((D(row["net_profit"]) for row in report["per_coin"]), D(0))
    that("net profit is the sum of the coins", D(report["net_profit"]) == net)
    change = equity(last) - equity(first)
    that("net profit - fees in BNB + transfers is the change of equity", net - in_bnb + books.transfers == change, (net, in_bnb, change))

    rates_agree(books, held_at, klines, funding, first["at"], last["at"])
    twin(report, books, held_at, bought, last, bnb_price, first["at"])
    orders(report, home, last["at"], bnb_price)


def near(prices, at):
    """The pass in which it happened: the clock stands while one runs."""
    return at if at in prices else max(known for known in prices if known <= at)


def rates_agree(books, held_at, klines, funding, start, end):
    """Each charge is rate × mark × quantity by the recorded files, and no settlement is missing."""
    start, end = milliseconds(start), milliseconds(end)
    at_ms = {milliseconds(at): held for at, held in held_at.items()}
    charged = {(milliseconds(at), symbol): amount for at, symbol, amount in books.funding_rows}
    expected, intervals = {}, set()
    for symbol in COINS:
        closes = {}
        for path in sorted(os.listdir(klines)):
            if path.startswith(f"{symbol}-"):
                closes.update({int(row["open_time"]) + HOUR_MS: D(row["close"]) for row in rows(f"{klines}/{path}")})
        before = None
        for row in rows(f"{funding}/{symbol}-fundingRate.csv.gz"):
            stamp = round(int(row["calc_time"]) / HOUR_MS) * HOUR_MS
            # It settles when the exchange's clock passes it: on whole hours here.
            if start < stamp <= end and at_ms.get(stamp, {}).get(symbol):
                intervals.add((stamp - before) // HOUR_MS if before else 0)
                expected[stamp, symbol] = -at_ms[stamp][symbol] * closes[stamp] * D(row["last_funding_rate"])
            before = stamp
    late = {(round(at / HOUR_MS) * HOUR_MS, symbol): amount for (at, symbol), amount in charged.items()}
    missing = [key for key in expected if key not in late and abs(expected[key]) > D("1e-8")]
    extra = [key for key in late if key not in expected]
    # The mark price of the simulated exchange follows the last price within some basis points.
    far = [(key, late[key], expected[key]) for key in late if key in expected
           and abs(late[key] - expected[key]) > abs(expected[key]) * D("0.01") + D("1e-7")]
    that(f"{len(late)} charges at intervals of {sorted(intervals)} h are the recorded rate × price × quantity",
         len(late) > hours and not missing and not extra and not far, (missing[:3], extra[:3], far[:3]))
    that("funding settles every 1, 4 and 8 hours", intervals >= {1, 4, 8}, intervals)


def twin(report, books, held_at, bought, last, bnb_price, start):
    """The coins of the first purchase, never touched again, in plain arithmetic."""
    marks = {held["symbol"]: (D(held["mark_price"])) for held in last["positions"]}
    price_profit = sum((qty * (marks[symbol] - entry) for symbol, (qty, entry, _) in bought.items()), D(0))
    stamps = sorted(held_at, key=milliseconds)
    funding = D(0)
    for at, symbol, amount in books.funding_rows:
        if symbol not in bought:
            continue
        reading = next(stamp for stamp in stamps if milliseconds(stamp) >= milliseconds(at))
        funding += amount / held_at[reading][symbol] * bought[symbol][0]
    fees = sum((amount * bnb_price[near(bnb_price, at)] for at, symbol, amount in books.bnb_rows if at < bought[symbol][2]), D(0))
    fees += first_fees(last, bought)
    found = report["hold_twin"]
    that("the hold twin holds every coin", {coin["symbol"] for coin in report["hold_twin"]["coins"]} == set(bought) == set(COINS))
    that("the hold twin's coins earn what plain arithmetic says", abs(D(found["price_profit"]) - price_profit) < D("1e-6"), (found["price_profit"], price_profit))
    that("the hold twin pays the funding of what it holds", abs(D(found["funding"]) - funding) < D("1e-7"), (found["funding"], funding))
    that("the hold twin paid the fees of the first purchase", abs(D(found["fees"]) - fees) < D("1e-8"), (found["fees"], fees))
    effect = D(report["net_profit"]) - price_profit - funding - fees
    that(f"rebalancing earned {effect:.4f} more than holding ({report['net_profit']} against {report['hold_twin_profit']})",
         abs(D(report["rebalancing_effect"]) - effect) < D("1e-6"), report["rebalancing_effect"])


def first_fees(state, bought):
    return sum((D(row["amount"]) for row in state["income"]
                if row["type"] == "COMMISSION" and row["asset"] == "USDT" and row["at"] < bought[row["symbol"]][2]), D(0))


def orders(report, home, end, bnb_price):
    """Trades, turnover and win rate from trades.csv."""
    with open(os.path.join(home.state, "trades.csv"), newline="") as file:
        fills = [row for row in csv.DictReader(file) if row["time"] <= end]
    profit, reduces = defaultdict(D), set()
    for row in fills:
        fee = D(row["fee"]) * (1 if row["fee_asset"] == "USDT" else bnb_price[near(bnb_price, row["time"])])
        profit[row["client_order_id"]] += D(row["realized_pnl"]) - fee
        if row["side"] == "SELL":
            reduces.add(row["client_order_id"])
    wins = sum(profit[order] > 0 for order in reduces)
    that(f"{len(profit)} trades, {len(reduces)} reductions, {wins} of them with a profit",
         (report["trades"], report["reductions"], report["wins"]) == (len(profit), len(reduces), wins),
         (report["trades"], report["reductions"], report["wins"]))
    turnover = sum((D(row["notional"]) for row in fills), D(0))
    that(f"turnover is {turnover}", D(report["turnover"]) == turnover, report["turnover"])
    harvest = sum((profit[row["client_order_id"]] for row in
                   {row["client_order_id"]: row for row in fills if row["reason"] == "above_band"}.values()), D(0))
    that(f"the band harvested {harvest:.4f}", D(report["harvest"]) == harvest, report["harvest"])


def pieces(home, start, end, whole):
    """A week is a part of the whole, and neighbouring periods add up to both together."""
    middle = milliseconds(start) + hours * 2 // 5 * HOUR_MS + 25 * 60_000
    from datetime import datetime, timezone
    cut = datetime.fromtimestamp(middle / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    _, one = home.json("report", "--since", start, "--until", cut)
    _, two = home.json("report", "--since", cut, "--until", end)
    that("the second part begins with the reading that the first ends with", one["to"] == two["from"], (one["to"], two["from"]))
    for name in ("net_profit", "realized_total", "funding_total", "fees_total", "turnover", "transfers", "trades"):
        that(f"{name} of both parts is that of the whole", D(one[name]) + D(two[name]) == D(whole[name]), (one[name], two[name], whole[name]))
    that("neither part leaves anything unreconciled", D(one["unreconciled"]) == D(two["unreconciled"]) == 0)


def formats(home, sim, start):
    out = os.path.join(home.folder, "january.csv")
    code, _, err = home.run("report", "--since", start, "--export-trades", out, "-q")
    with open(out) as file, open(os.path.join(home.state, "trades.csv")) as kept:
        that("--export-trades writes what trades.csv has", code == 0 and file.read() == kept.read(), err)
    damaged = os.path.join(home.state, "trades.csv")
    sound = open(damaged).read()
    open(damaged, "w").write("time,nonsense\n1,2\n")
    home.run("rebalance", "-q")
    that("a damaged trades.csv is made anew from the ledger", open(damaged).read().startswith(sound))
    for flag in ("--day", "--week", "--month"):
        code, report = home.json("report", flag)
        late = milliseconds(sim.state()["at"]) - milliseconds(report["asked_to"])
        that(f"{flag} ends now, by the exchange's clock: {report['readings']} readings",
             code == 0 and abs(late) < HOUR_MS and report["readings"] >= min(hours, 24), (late, report.get("notes")))


def wrong_input():
    """What a person may ask that has no answer: said in words, with the contract's exit codes."""
    with Home(rebal) as home:
        home.command = lambda *arguments, state=None: [rebal, "--demo", "--state-dir", home.state, *arguments]
        code, report = home.json("report", "--week")
        that("an empty ledger says that there was no pass yet", code == 0 and "no pass yet" in report["notes"][0]
             and report["per_coin"] == [], report.get("notes", report))
        for _ in range(3):
            home.run("rebalance", "-q")
        code, report = home.json("report", "--since", "2020-01-01", "--until", "2020-02-01")
        that("a period without passes says from when to when the ledger knows the account",
             code == 0 and report["readings"] == 0 and "the ledger knows the account from 2026-01-01" in report["notes"][0], report.get("notes", report))
        code, report = home.json("report", "--day", "--previous")
        that("the day before the first pass is such a period", code == 0 and report["readings"] == 0, report)
        for arguments, words in (
                (["--since", "yesterday"], "invalid value 'yesterday'"),
                (["--since", "2026-02-30"], "invalid value"),
                (["--since", "2030-01-01"], "is in the future"),
                (["--since", "2026-01-01", "--until", "2025-12-01"], "is empty"),
                (["--previous"], "--previous needs a period"),
                (["--previous", "--until", "2026-01-01T00:05:00Z"], "--previous needs a period"),
                (["--day", "--week"], "cannot be used with"),
                (["--watch", "10", "--send"], "cannot be used with"),
                (["--watch", "10", "--metrics-file", "m.prom"], "cannot be used with"),
                (["--watch", "10"], "draws on a terminal"),
                (["--week", "--watch", "10"], "cannot be used with")):
            code, error = home.json("report", *arguments)
            that(f"report {' '.join(arguments)}: {words!r}", code == 2 and words in error.get("message", "") and error["kind"] == "config", error)
        code, error = home.json("report", "--week", "--export-trades", os.path.join(home.folder, "no", "such.csv"))
        that("a file in a folder that does not exist is refused and named", code == 2 and "such.csv" in error["message"], error)
        for option, name in (("--export-trades", "ledger.db"), ("--out", "ledger.db"), ("--metrics-file", "trades.csv"), ("--out", "HALT"), ("--out", "listing-live.json")):
            code, error = home.json("report", "--day", option, os.path.join(home.state, name))
            that(f"{option} into the state folder ({name}) is refused", code == 2 and "rebal's own" in error["message"], error)
        link = os.path.join(home.folder, "link.csv")
        os.symlink(os.path.join(home.state, "ledger.db"), link)
        code, error = home.json("report", "--day", "--export-trades", link)
        that("so is a link that leads there, and the ledger is whole", code == 2 and home.json("report", "--day")[1]["trades"] == 20, error)
        whole = os.path.join(home.folder, "all.csv")
        code, report = home.json("report", "--export-trades", whole)
        with open(whole) as file:
            that("--export-trades without a period takes all, and reports on it", code == 0 and len(file.readlines()) == 21 and report["trades"] == 20, report)
        gone_and_hostile(home)


def gone_and_hostile(home):
    """Coins that nobody lists any more, with names that want to be code, in every format."""
    hostile = ["<script>x</script>USDT", "=cmd|'/C calc'!A1", "|a|b\x1b[31m", "\u202eTDSU", "币安人生USDT"]
    db = sqlite3.connect(os.path.join(home.state, "ledger.db"))
    last, at = db.execute("SELECT max(pass_id), max(at) FROM equity").fetchone()
    for number, name in enumerate(hostile):
        db.execute("INSERT INTO income (at, kind, symbol, amount, asset, tran_id, trade_id, ordinal, pass_id) VALUES (?, 'FUNDING_FEE', ?, '-0.5', 'USDT', ?, '', 0, ?)",
                   (at, name, number, last))
    db.execute("INSERT INTO income (at, kind, symbol, amount, asset, tran_id, trade_id, ordinal, pass_id) VALUES (?, '<b>KIND</b>', '', '-0.25', 'USDT', 99, '', 0, ?)", (at, last))
    db.commit()
    db.close()
    for form in ("table", "json", "csv", "markdown", "html"):
        code, out, err = home.run("report", "--day", "--format", form)
        that(f"{form}: hostile names are shown as text", code == 0 and "\x1b[31m" not in out and "<script>x" not in (out if form == "html" else "")
             and "\n=cmd" not in out and "\u202e" not in out.replace("\\u202e", ""), (code, err, out[:300]))
    code, report = home.json("report", "--day")
    that("what they cost is in the figures, and unreconciled shows that the wallet never changed",
         code == 0 and D(report["unreconciled"]) == D("0.5") * sum(row["symbol"] in hostile for row in report["per_coin"])
         - D(report["other_income"]), (report["unreconciled"], report["other_income"]))


def failed_passes():
    """Passes that ended before they decided anything stand among the last passes, with what they ended with."""
    with Sim(rebal) as sim, Home(rebal, sim.url, exchange__exchange_info_max_age="0s") as home:
        home.run("rebalance", "-q")
        sim.faults({"match": "GET /fapi/v3/account", "nth": 1, "times": 1, "do": "reply:503:{}"})
        away = home.run("rebalance", "-q")[0]
        traded_again = home.run("rebalance", "-q")[0]
        home.run("flatten", "--yes", "-q")
        halted = home.run("rebalance", "-q")[0]
        _, report = home.json("report")
        listed = [(one["outcome"], one["exit_code"]) for one in report["passes"]]
        that("a pass without an exchange and a halted one are among the last passes",
             (away, traded_again, halted) == (4, 0, 6) and ("unavailable", 4) in listed and listed[0] == ("halted", 6), listed)
        that("the halt is in the report, and what the flatten sold",
             report["halted"] and report["trades"] == 12 and D(report["unreconciled"]) == 0, (report["trades"], report["unreconciled"]))
        path = os.path.join(home.state, "ledger.db")
        kept = sqlite3.connect(path).execute("SELECT count(*) FROM pass").fetchone()
        # A ledger older than the last order must stay older, however often a pass refuses it.
        with open(os.path.join(home.state, "lock")) as file:
            lock = file.read()
        with open(os.path.join(home.state, "lock"), "w") as file:
            file.write("\n".join(f"{line.rsplit(' ', 1)[0]} 99" if line.startswith("decision ") else line for line in lock.splitlines()) + "\n")
        codes = [home.run("rebalance", "-q")[0] for _ in range(3)]
        that("a ledger restored from a copy is refused and not written to",
             codes == [10, 10, 10] and sqlite3.connect(path).execute("SELECT count(*) FROM pass").fetchone() == kept, codes)


def main():
    wrong_input()
    failed_passes()
    data = os.environ.get("REBAL_DATA")
    if not data or not os.path.isdir(f"{data}/funding"):
        print("REBAL_DATA names no recorded data: the thirty days are skipped")
        checks.end()
    with tempfile.TemporaryDirectory(prefix="rebal-e2e-") as scratch:
        run(data, scratch)
    checks.end()


main()
