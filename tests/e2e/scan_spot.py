"""A scan of the spot market, on paper and against `rebal sim`: what is taken, what is left, and what is not asked.

usage: scan_spot.py REBAL
"""
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from decimal import Decimal

from harness import Checks, Home, Sim

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that

CAPPED = 4
PAIRS, COINS = "POST /crypto/scan", "POST /coin/scan"
INFO, DAY, BOOK = "GET /api/v3/exchangeInfo", "GET /api/v3/ticker/24hr", "GET /api/v3/ticker/bookTicker"
SPOT = {"venue": "binance-spot", "scan__min_quote_volume": 5_000_000}


def of_sim(sim, **values):
    """A home whose exchange and screener are both the simulator, and whose coins a scan chooses."""
    return Home(rebal, sim.url, symbols=(), scan__tradingview_url=sim.url, **{**SPOT, **values})


def names(report):
    return [row["symbol"] for row in report.get("universe", [])]


def reasons(report):
    return {row["symbol"]: row["reason"] for row in report["rejected"]}


def applied(home):
    ledger = sqlite3.connect(os.path.join(home.state, "ledger.db"))
    rows = {symbol: json.loads(evidence) for symbol, evidence in ledger.execute("SELECT symbol, evidence FROM universe")}
    ledger.close()
    return rows


def says(sim, path, body, status=200, times=1):
    sim.faults({"match": path, "nth": 1, "times": times, "do": f"reply:{status}:{body if isinstance(body, str) else json.dumps(body)}"})


def well_formed(name, report, rules):
    """Twenty pairs, no sector beyond its cap, nothing of funding or age, and what each must be by a count of our own."""
    rows = report["universe"]
    counted = Counter(row["sector"] for row in rows)
    that(f"{name}: 20 coins of spot, no sector above {CAPPED}", report["venue"] == "binance-spot" and len(set(names(report))) == 20
         and max(counted.values()) == CAPPED and {row["sector"]: row["count"] for row in report["sectors"] if row["count"]} == dict(counted),
         (len(rows), counted))
    that(f"{name}: funding and age are told as unknown, not as zero",
         all(row["funding_annualised"] is None and row["interval_hours"] is None and row["age_days"] is None for row in rows), rows[:1])
    that(f"{name}: and that they do not count is said", sum("does not count" in note for note in report["notes"]) == 2, report["notes"])
    bad = [row for row in rows if Decimal(row["spread_bps"]) > 10 or Decimal(row["quote_volume_24h"]) < 5_000_000 or row["rank"] > 70]
    that(f"{name}: nothing chosen is thin, wide or ranks too low", not bad, bad)
    volumes = [Decimal(row["quote_volume_24h"]) for row in rows]
    that(f"{name}: the ranking is by volume", volumes == sorted(volumes, reverse=True), volumes)
    left = reasons(report)
    that(f"{name}: no reason is one of contracts", not {"funding", "funding_unknown", "too_young", "not_perpetual"} & set(left.values()), left)
    if rules:
        # The smallest order of spot by hand: value and quantity, in whole steps of the lot.
        small = [symbol for symbol in names(report) if least(*rules[symbol]) > 20]
        large = [symbol for symbol, reason in left.items() if reason == "infeasible" and least(*rules[symbol]) <= 20]
        that(f"{name}: the smallest order of each is at most the target, and of none that was left for it", not small and not large, (small, large))


def least(row, price):
    """What the smallest purchase of a pair is worth."""
    kinds = {one["filterType"]: one for one in row["filters"]}
    worth = Decimal(kinds["NOTIONAL" if "NOTIONAL" in kinds else "MIN_NOTIONAL"]["minNotional"])
    step, smallest = (Decimal(kinds["LOT_SIZE"][key]) for key in ("stepSize", "minQty"))
    wanted = max(worth / price, smallest, step)
    return -(-wanted // step) * step * price


def listing(sim):
    """Every pair with its listing and the middle of its book."""
    books = {row["symbol"]: row for row in sim.call("GET", "/api/v3/ticker/bookTicker")}
    pairs = {}
    for row in sim.call("GET", "/api/v3/exchangeInfo")["symbols"]:
        book = books.get(row["symbol"])
        if book and Decimal(book["bidPrice"]):
            pairs[row["symbol"]] = (row, (Decimal(book["bidPrice"]) + Decimal(book["askPrice"])) / 2)
    return pairs


def on_paper():
    """scan → apply with nothing but the binary."""
    with Home(rebal) as home:
        def run(*arguments, wants_json=True):
            command = [rebal, "--demo", "--state-dir", home.state, "--set", "basket.symbols=[]", "--set", "venue=binance-spot",
                       "--set", "scan.min_quote_volume=5000000", *arguments]
            done = subprocess.run(command + ["--json"] * wants_json, capture_output=True, text=True, env=home.environment(), timeout=120)
            return done.returncode, json.loads(done.stdout) if wants_json else done.stdout, done.stderr

        code, report, _ = run("scan")
        that("paper: a scan ends with 0 and keeps nothing", code == 0 and not report["applied"] and not os.path.exists(home.state), (code, report))
        well_formed("paper", report, None)
        chosen = names(report)
        code, report, _ = run("scan", "--apply")
        that("paper: the same scan applied, with its evidence", (code, report["applied"], names(report)) == (0, True, chosen)
             and set(applied(home)) == set(chosen) and all(row["rank"] for row in applied(home).values()), (code, names(report)))
        code, report, _ = run("scan")
        that("paper: a second scan keeps the members", code == 0 and not report["added"] and not report["removed"]
             and {row["how"] for row in report["universe"]} == {"kept"}, (report["added"], report["removed"]))
        code, report, _ = run("plan")
        bought = {leg["symbol"] for leg in report.get("legs", [])} | {row["symbol"] for row in report.get("skipped", [])}
        that("paper: a plan is over these coins", code == 0 and bought == set(chosen), (code, report))
        code, text, _ = run("scan", wants_json=False)
        that("paper: people are told the same, without a word of what longs pay",
             code == 0 and "no change" in text and "binance-spot" in text and "spot has no funding" in text and "longs pay" not in text, text[-600:])


def over_http():
    with Sim(rebal) as sim, of_sim(sim) as home:
        rules = listing(sim)
        keyless = {name: value for name, value in home.environment().items() if not name.startswith("REBAL")}
        before = len(sim.state()["requests"])
        code, report = home.json("scan", env=keyless)
        asked = Counter(f"{row['method']} {row['path']}" for row in sim.state()["requests"][before:])
        that("http: no key, two questions to the screener and five to spot, none to the futures",
             code == 0 and asked == {PAIRS: 1, COINS: 1, "GET /api/v3/time": asked["GET /api/v3/time"], INFO: 1, DAY: 1, BOOK: 1,
                                     "GET /api/v3/ticker/price": 1} and asked["GET /api/v3/time"] <= 3, (code, asked, report))
        that("http: the screener ranks spot pairs", (report["source"], report["fallback"]) == ("tradingview", None), report["fallback"])
        well_formed("screener", report, rules)
        code, own = home.json("scan", "--set", "scan.source=exchange")
        volumes = {row["symbol"]: Decimal(row["quoteVolume"]) for row in sim.call("GET", "/api/v3/ticker/24hr")}
        that("http: without the screener the exchange's own volume of spot ranks", code == 0 and own["source"] == "exchange"
             and all(Decimal(row["quote_volume_24h"]) == volumes[row["symbol"]] for row in own["universe"]), (code, own["universe"][:2]))
        well_formed("exchange", own, rules)
        code, report = home.json("scan", "--set", "basket.target_value=5")
        left = Counter(reasons(report).values())
        that("http: where the target is the smallest order only round pairs are left", code == 0 and left["infeasible"] > 15
             and all(least(*rules[symbol]) <= 5 for symbol in names(report)), (code, left, names(report)))
        home.run("scan", "--apply")
        members = set(applied(home))
        leaver = sorted(members)[0]
        code, report = home.json("scan", "--apply", "--set", f"scan.exclude={leaver.removesuffix('USDT')}")
        that("http: an excluded member goes and a newcomer takes its place", code == 0 and len(report["added"]) == 1
             and [(row["symbol"], row["reason"]) for row in report["removed"]] == [(leaver, "excluded")], (code, report["removed"], report["added"]))
        halted = sorted(applied(home))[1]
        sim.call("POST", "/sim/status", {"symbol": halted, "status": "HALT", "venue": "binance-spot"})
        sim.advance()
        code, report = home.json("scan", "--apply")
        that("http: a member whose trading is halted goes at once", code == 0
             and (halted, "not_trading") in [(row["symbol"], row["reason"]) for row in report["removed"]], (code, report["removed"]))
        before = applied(home)
        for path in (INFO, DAY, BOOK, "GET /api/v3/time"):
            sim.advance()
            says(sim, path, "<html>maintenance</html>", times=1000)
            code, report = home.json("scan", "--apply")
            sim.faults()
            that(f"http: without {path} exit 4, and the universe is as it was", code == 4 == report.get("exit_code") and applied(home) == before, (code, report))


def what_is_no_coin():
    """Leveraged tokens, stablecoins, pairs that may not be traded: out, with the reason; and coins that only sound like it."""
    with Sim(rebal) as sim, of_sim(sim, scan__source="exchange", scan__include="JUP") as home:
        info, days, books = (sim.call("GET", f"/api/v3/{path}") for path in ("exchangeInfo", "ticker/24hr", "ticker/bookTicker"))
        template = {kind: next(row for row in rows if row["symbol"] == "BTCUSDT")
                    for kind, rows in (("info", info["symbols"]), ("day", days), ("book", books))}
        told = {"BTCUP": ({}, "leveraged"), "BTCDOWN": ({}, "leveraged"), "ETHBULL": ({}, "leveraged"), "ETHBEAR": ({}, "leveraged"),
                "ODD": ({"permissionSets": [["LEVERAGED"]]}, "leveraged"), "FDUSD": ({}, "pegged"), "WBTC": ({}, "pegged"), "EUR": ({}, "pegged"),
                "HALTED": ({"status": "HALT"}, "not_trading"), "CLOSED": ({"isSpotTradingAllowed": False}, "not_trading"),
                "JUP": ({}, None), "SYRUP": ({}, None)}
        for base, (change, _) in told.items():
            name = f"{base}USDT"
            info["symbols"] = [row for row in info["symbols"] if row["symbol"] != name]
            info["symbols"].append({**template["info"], "symbol": name, "baseAsset": base, **change})
            for rows, kind in ((days, "day"), (books, "book")):
                rows[:] = [row for row in rows if row["symbol"] != name] + [{**template[kind], "symbol": name}]
        info["symbols"].append({**template["info"], "symbol": "BTCBUSD", "quoteAsset": "BUSD"})
        sim.faults(*({"match": path, "nth": 1, "times": 1, "do": f"reply:200:{json.dumps(body)}"}
                     for path, body in ((INFO, info), (DAY, days), (BOOK, books))))
        code, report = home.json("scan")
        left = reasons(report)
        for base, (_, why) in told.items():
            that(f"no coin: {base} is {why or 'a coin'}", code == 0 and (left.get(f"{base}USDT") == why if why else left.get(f"{base}USDT") in (None, "size", "sector_cap")),
                 (code, left.get(f"{base}USDT")))
        that("no coin: a coin that only sounds like a token is chosen", "JUPUSDT" in names(report), names(report))
        that("no coin: none of the others is, nor a pair in another quote",
             not {f"{base}USDT" for base, (_, why) in told.items() if why} & set(names(report)) and "BTCBUSD" not in left, names(report))
        that("no coin: each has its words", all(row["detail"] for row in report["rejected"]), report["rejected"][:3])


for scenario in (on_paper, over_http, what_is_no_coin):
    if not sys.argv[2:] or scenario.__name__ in sys.argv[2:]:
        scenario()
checks.end()
