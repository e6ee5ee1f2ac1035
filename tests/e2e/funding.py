"""`rebal funding` against `rebal sim` and on paper: every figure calculated again here, with decimals of our own.

usage: funding.py REBAL
"""
import csv
import hashlib
import io
import json
import os
import sqlite3
import sys
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

from harness import Checks, Home, Sim

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
HOUR_BARS = 12
KEYS = {"schema", "at", "profile", "mode", "venue", "from", "to", "total", "profit", "funding_exceeds_profit", "per_coin", "alerts"}
COIN_KEYS = {"symbol", "paid", "received", "net", "interval_hours", "next_rate", "next_time", "annualised"}


def when(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def ms(text):
    return round(when(text).timestamp() * 1000)


def eight(amount):
    return amount.quantize(Decimal("0.00000001"), ROUND_HALF_UP)


def chosen(sim):
    """Two coins each of 1, 4 and 8 hours that the basket can buy for 20 USDT."""
    info = {row["symbol"]: row for row in sim.call("GET", "/fapi/v1/exchangeInfo")["symbols"]}
    hours = {row["symbol"]: row["fundingIntervalHours"] for row in sim.call("GET", "/fapi/v1/fundingInfo")}
    marks = {row["symbol"]: Decimal(row["markPrice"]) for row in sim.call("GET", "/fapi/v1/premiumIndex")}
    books = {row["symbol"]: row for row in sim.call("GET", "/fapi/v1/ticker/bookTicker")}

    def fits(symbol, row):
        if (row["contractType"], row["status"], row["quoteAsset"]) != ("PERPETUAL", "TRADING", "USDT") or symbol not in marks:
            return False
        step = next(Decimal(item["stepSize"]) for item in row["filters"] if item["filterType"] == "MARKET_LOT_SIZE")
        least = next(Decimal(item["notional"]) for item in row["filters"] if item["filterType"] == "MIN_NOTIONAL")
        bid, ask = Decimal(books[symbol]["bidPrice"]), Decimal(books[symbol]["askPrice"])
        far = row["deliveryDate"] > 4_000_000_000_000
        return far and step * marks[symbol] < 2 and least <= 10 and bid and (ask - bid) / bid < Decimal("0.002")

    found = {1: [], 4: [], 8: []}
    for symbol in sorted(info):
        if fits(symbol, info[symbol]):
            found[hours.get(symbol, 8)].append(symbol)
    return {interval: symbols[:2] for interval, symbols in found.items()}


def held_at(home, at_ms):
    """Quantities by the fills that came before, from trades.csv."""
    held = {}
    for row in csv.DictReader(io.StringIO("\n".join(home.trades()))):
        if ms(row["time"]) <= at_ms:
            held[row["symbol"]] = held.get(row["symbol"], Decimal(0)) + Decimal(row["qty"]) * (1 if row["side"] == "BUY" else -1)
    return held


def settled(sim, home, symbols, start_ms):
    """rate × mark × quantity of every stamp, by contract."""
    due = {}
    for symbol in symbols:
        for row in sim.call("GET", f"/fapi/v1/fundingRate?symbol={symbol}&startTime={start_ms}&limit=1000"):
            qty = held_at(home, row["fundingTime"]).get(symbol, Decimal(0))
            due.setdefault(symbol, []).append(-eight(qty * Decimal(row["markPrice"]) * Decimal(row["fundingRate"])))
    return due


def funding_rows(state):
    """`(milliseconds, amount)` of every row of the simulated exchange's own book."""
    return [(ms(row["at"]), Decimal(row["amount"])) for row in state["income"] if row["type"] == "FUNDING_FEE"]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def over_http():
    with Sim(rebal) as sim:
        coins = chosen(sim)
        symbols = [symbol for some in coins.values() for symbol in some]
        checks.that(f"the market has coins of 1, 4 and 8 hours {coins}", all(len(some) == 2 for some in coins.values()))
        with Home(rebal, sim.url, symbols, basket__size=6) as home:
            code, empty = home.json("funding")
            checks.that("an empty ledger: zeros, and it says so", code == 0 and empty["total"] == "0" and empty["profit"] == "0"
                        and "no reading" in empty["notes"][0], empty)
            sim.advance(1)
            code, first = home.json("rebalance")
            checks.that("the first pass buys all six", code == 0 and len(first["orders"]) == 6, first)
            start_ms = ms(first["at"])
            for _ in range(17):
                sim.advance(HOUR_BARS)
                code, _, err = home.run("rebalance", "-q")
                checks.passed += 1 if code == 0 else 0
                if code:
                    checks.that("a pass ends with 0", False, err)
            figures(sim, home, coins, symbols, start_ms)
            since(sim, home)
            untouched(sim, home)
            refused(home)
            alarmed(sim, home)
            planted(sim, home)


def figures(sim, home, coins, symbols, start_ms):
    # Nothing between the last pass and the look: what has settled since is read, and not written.
    sim.advance(HOUR_BARS)
    code, report = home.json("funding")
    state = sim.state()
    checks.that("rebal.funding/1 has every field of the contract", code == 0 and KEYS <= set(report)
                and all(COIN_KEYS <= set(coin) for coin in report["per_coin"]), sorted(report))
    rows = funding_rows(state)
    charged = sum(amount for _, amount in rows)
    checks.that(f"total is the exchange's own sum of {len(rows)} rows: {report['total']}", Decimal(report["total"]) == charged, charged)
    per_coin = {coin["symbol"]: coin for coin in report["per_coin"]}
    checks.that("net = received - paid, and adds up", all(Decimal(c["net"]) == Decimal(c["received"]) - Decimal(c["paid"]) for c in per_coin.values())
                and sum(Decimal(c["net"]) for c in per_coin.values()) == charged)
    due = settled(sim, home, symbols, start_ms)
    each = {symbol: sum(amounts) for symbol, amounts in due.items()}
    same = {symbol: (Decimal(per_coin[symbol]["net"]), each[symbol]) for symbol in symbols}
    checks.that("every coin was charged rate × mark × quantity, calculated again", all(abs(a - b) <= Decimal("0.000001") for a, b in same.values()), same)
    count = sum(len(amounts) for amounts in due.values())
    checks.that(f"all {count} settlements were compared, none differs, none is missing",
                report["compared"] == count == len(rows) and report["differences"] == [] == report["missing"], (report["compared"], count, len(rows), report["differences"], report["missing"]))
    checks.that("each coin's own interval", all(per_coin[s]["interval_hours"] == hours for hours, some in coins.items() for s in some))
    marks = {row["symbol"]: row for row in sim.call("GET", "/fapi/v1/premiumIndex")}
    now = when(report["to"])
    cost = forecast = Decimal(0)
    for hours, some in coins.items():
        for symbol in some:
            rate, mark = Decimal(marks[symbol]["lastFundingRate"]), Decimal(marks[symbol]["markPrice"])
            at, stamps = datetime.fromtimestamp(marks[symbol]["nextFundingTime"] / 1000, timezone.utc), 0
            while at <= now + timedelta(hours=24):
                at, stamps = at + timedelta(hours=hours), stamps + 1
            value = Decimal(per_coin[symbol]["qty"]) * mark
            checks.that(f"{symbol}: {stamps} stamps in the next 24 hours, every {hours} h", abs(Decimal(per_coin[symbol]["forecast_24h"]) + value * rate * stamps) < Decimal("0.0000001"))
            forecast -= value * rate * stamps
            cost += value * rate * 24 * 365 / hours
    checks.that(f"forecast {report['forecast_24h']} and annualised cost {report['annualised_cost']}",
                abs(Decimal(report["forecast_24h"]) - forecast) < Decimal("0.000001") and abs(Decimal(report["annualised_cost"]) - cost) < Decimal("0.00001"), (forecast, cost))
    sim.call("POST", "/sim/transfer", {"amount": "50"})
    sim.call("POST", "/sim/transfer", {"amount": "-20"})
    code, moved = home.json("funding")
    checks.that("a deposit is no profit", code == 0 and moved["transfers"] == "30" and moved["profit"] == report["profit"], moved)
    state = sim.state()
    checks.that("profit is the change of equity less transfers", Decimal(moved["profit"]) == Decimal(state["equity"]) - Decimal(moved["equity_start"]) - 30, (moved["profit"], state["equity"]))
    checks.that("funding_exceeds_profit is as documented", report["funding_exceeds_profit"] == (charged < 0 and -charged > Decimal(report["profit"])))
    for form in ("table", "csv", "markdown"):
        code, out, _ = home.run("funding", "--format", form)
        checks.that(f"{form} has all six coins", code == 0 and all(symbol.removesuffix("USDT") in out for symbol in symbols), out)
    code, out, _ = home.run("funding", "--format", "csv")
    table = list(csv.DictReader(io.StringIO(out)))
    checks.that("csv has one row per coin", {row["symbol"] for row in table} == set(symbols) and len(table) == 6
                and sum(Decimal(row["net"]) for row in table) == charged)


def since(sim, home):
    code, whole = home.json("funding")
    to = when(whole["to"])
    code, late = home.json("funding", "--since", "5h")
    expected = sum(amount for at, amount in funding_rows(sim.state()) if at > ms(late["from"]))
    checks.that("--since 5h counts from the last reading before", code == 0 and when(late["from"]) <= to - timedelta(hours=5)
                and when(late["from"]) > to - timedelta(hours=7) and Decimal(late["total"]) == expected, (late["from"], late["total"], expected))
    code, dated = home.json("funding", "--since", whole["from"][:10])
    checks.that("--since DATE before the ledger begins counts from its beginning and says so",
                code == 0 and dated["from"] == whole["from"] and dated["total"] == whole["total"] and any("begins" in note for note in dated["notes"]), dated["notes"])


def untouched(sim, home):
    ledger = os.path.join(home.state, "ledger.db")
    before, requests = digest(ledger), len(sim.state()["requests"])
    code, report = home.json("funding")
    sent = sim.state()["requests"][requests:]
    checks.that(f"nothing is written and nothing but reads is sent ({len(sent)} requests)", code == 0 and digest(ledger) == before
                and sent and all(request["method"] == "GET" for request in sent), [r for r in sent if r["method"] != "GET"])
    del report


def refused(home):
    for text in ("tomorrow", "2099-01-01", "", "-3d", "2026-02-31", "\x1b[2J"):
        code, report = home.json("funding", f"--since={text}")
        checks.that(f"--since {text!r}: 2, as one object", code == 2 and report["kind"] == "config" and "since" in report["message"], report)
    code, report = home.json("funding", "--format", "html")
    code, _, err = home.run("funding", "--format", "html")
    checks.that("no page yet", code == 2 and "table, json, csv or markdown" in err, err)
    down = home.command("funding", "--json", "--set=exchange.base_url=http://127.0.0.1:9", "--set=exchange.timeout_ms=500", state=os.path.join(home.folder, "another"))
    import subprocess
    done = subprocess.run(down, capture_output=True, text=True, env=home.environment(), stdin=subprocess.DEVNULL)
    checks.that("exchange down: 4", done.returncode == 4 and json.loads(done.stdout)["exit_code"] == 4, done.stdout)


def messages(home):
    ledger = sqlite3.connect(os.path.join(home.state, "ledger.db"))
    texts = [text for text, in ledger.execute("SELECT text FROM outbox WHERE kind = 'funding_exceeds_profit' ORDER BY id")]
    ledger.close()
    return texts


def alarmed(sim, home):
    ledger = sqlite3.connect(os.path.join(home.state, "ledger.db"))
    for symbol in [row["symbol"] for row in home.json("funding")[1]["per_coin"]]:
        sim.price(symbol, "0.97")
    home.run("rebalance", "-q")
    told = len(messages(home))
    for _ in range(17):
        sim.advance(HOUR_BARS)
        code, _, err = home.run("rebalance", "-q")
    code, report = home.json("funding")
    new = messages(home)[told:]
    if Decimal(report["total"]) < 0:
        checks.that("a loss that prices made is nobody's alarm about funding, though the figures say what it is",
                    report["funding_exceeds_profit"] and report["alerts"] == ["funding_exceeds_profit"] and code == 0 and not new, (new, report["total"], report["profit"]))
        code, out, _ = home.run("funding")
        checks.that("and on the screen, with exit code 0", code == 0 and "FUNDING EXCEEDS PROFIT" in out, out)
    else:
        checks.that("funding that was received is no cost, whatever the loss", not report["funding_exceeds_profit"] and not messages(home), report)
    last = ledger.execute("SELECT last FROM job WHERE name = 'funding_check'").fetchone()
    checks.that("the job is in the ledger", last is not None)
    ledger.close()


def planted(sim, home):
    path = os.path.join(home.state, "ledger.db")
    code, before = home.json("funding")
    ledger = sqlite3.connect(path)
    rows = ledger.execute("SELECT rowid, at, symbol, amount FROM income WHERE kind = 'FUNDING_FEE' AND CAST(amount AS REAL) <> 0 ORDER BY at").fetchall()
    changed, lost = rows[2], rows[7]
    ledger.execute("UPDATE income SET amount = ? WHERE rowid = ?", (str(Decimal(changed[3]) * Decimal("1.01")), changed[0]))
    ledger.execute("DELETE FROM income WHERE rowid = ?", (lost[0],))
    evil = "=HYPERLINK(1)|<script>\x1b[2J\u202e"
    for symbol in ("GONEUSDT", evil):
        ledger.execute("INSERT INTO income (at, kind, symbol, amount, asset, tran_id, trade_id, ordinal, pass_id) VALUES (?, 'FUNDING_FEE', ?, '-0.5', 'USDT', 1, '', 0, ?)",
                       (changed[1], symbol, ledger.execute("SELECT max(pass_id) FROM equity").fetchone()[0]))
    ledger.commit()
    ledger.close()
    code, report = home.json("funding")
    named = [(row["symbol"], row["charged"]) for row in report["differences"]]
    checks.that("a charge that is 1 % off is named, and only that", code == 0 and named == [(changed[2], str((Decimal(changed[3]) * Decimal("1.01")).normalize()))]
                and "held at a mark of" in report["differences"][0]["detail"], report["differences"])
    checks.that("a row that is missing is named with what was due", [(row["symbol"], Decimal(row["expected"])) for row in report["missing"]] == [(lost[2], Decimal(lost[3]))], (report["missing"], lost))
    checks.that("and both are alerts", {"funding_differs", "funding_missing"} <= set(report["alerts"]), report["alerts"])
    expected = Decimal(before["total"]) + Decimal(changed[3]) * Decimal("0.01") - Decimal(lost[3]) - 1
    checks.that("a missing row counts as nothing known, not as zero charged twice", Decimal(report["total"]) == expected, (report["total"], expected))
    gone = next(coin for coin in report["per_coin"] if coin["symbol"] == "GONEUSDT")
    checks.that("a coin that no longer exists keeps its history", gone["listed"] is False and gone["net"] == "-0.5" and gone["next_rate"] is None
                and any("GONEUSDT" in note and "no longer listed" in note for note in report["notes"]), (gone, report["notes"]))
    for form in ("table", "json", "csv", "markdown"):
        code, out, err = home.run("funding", "--format", form)
        steers = [c for c in out + err if c in "\x1b\u202e"]
        plain = {"markdown": "<script>" not in out, "csv": ",=HYPERLINK" not in out}.get(form, True)
        checks.that(f"a hostile name is harmless as {form}", code == 0 and not steers and plain and "HYPERLINK" in out, out[:400])


def on_paper():
    """The same account in process: three days of hourly passes over coins of 1, 4 and 8 hours."""
    with Sim(rebal, "--seed", "7") as sim:
        coins = chosen(sim)
    symbols = [symbol for some in coins.values() for symbol in some]
    with Home(rebal, None, symbols, paper__prices="synthetic", interval="1h", basket__size=6) as home:
        codes = {home.run("rebalance", "-q")[0] for _ in range(72)}
        code, report = home.json("funding")
        ledger = sqlite3.connect(os.path.join(home.state, "ledger.db"))
        paper = json.loads(ledger.execute("SELECT state FROM paper").fetchone()[0])
        ledger.close()
        rows = [row for row in paper["income"] if row["kind"] == "FUNDING_FEE"]
        checks.that("72 hourly paper passes end with 0", codes == {0}, codes)
        checks.that(f"paper: the total of {len(rows)} rows is the account's own", code == 0 and Decimal(report["total"]) == sum(Decimal(row["amount"]) for row in rows), report["total"])
        checks.that(f"paper: {report['compared']} settlements compared, all as settled", report["compared"] == len(rows) > 2 * (72 + 18 + 9) - 12
                    and report["differences"] == [] == report["missing"], (len(rows), report["compared"], report["differences"][:2], report["missing"][:2]))


over_http()
on_paper()
checks.end()
