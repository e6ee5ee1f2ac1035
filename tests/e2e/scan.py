"""A scan, from the screener to what a pass then trades, and everything that can be wrong with its sources.

usage: scan.py REBAL

The real binary on its paper market, and against `rebal sim`, which serves the exchange and the screener.
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
CHINESE = "币安人生USDT"
# What the contract promises of every scan, and of every row.
KEYS = {"schema", "at", "profile", "mode", "venue", "universe", "rejected", "sectors", "source", "applied"}
ROW = {"symbol", "sector", "rank", "quote_volume_24h", "funding_annualised", "spread_bps", "age_days"}
LEFT = {"symbol", "sector", "reason", "detail"}
ERROR = {"schema", "kind", "message", "hint", "exit_code"}
COLUMNS = ["name", "exchange", "type", "typespecs", "base_currency", "currency", "close", "24h_vol|5", "24h_vol_change|5",
           "24h_close_change|5", "bid", "ask", "bid_ask_spread_pct", "Volatility.D", "average_volume_10d_calc_usd", "update_mode"]
PAIRS, COINS = "POST /crypto/scan", "POST /coin/scan"


def of_sim(sim, **values):
    """A home whose exchange and screener are both the simulator, and whose coins a scan chooses."""
    return Home(rebal, sim.url, symbols=(), scan__tradingview_url=sim.url, **values)


def names(report):
    return [row["symbol"] for row in report.get("universe", [])]


def reason(report, symbol):
    return next((row["reason"] for row in report["rejected"] if row["symbol"] == symbol), None)


def held(sim):
    return {row["symbol"] for row in sim.state()["positions"] if Decimal(row["qty"])}


def applied(home):
    """The universe in the ledger, with its evidence."""
    ledger = sqlite3.connect(os.path.join(home.state, "ledger.db"))
    rows = {symbol: json.loads(evidence) for symbol, evidence in ledger.execute("SELECT symbol, evidence FROM universe")}
    scans = ledger.execute("SELECT count(*) FROM scan").fetchone()[0]
    ledger.close()
    return rows, scans


def well_formed(name, report):
    """Twenty coins, no sector beyond its cap, every key there, and no limit broken by anything chosen."""
    rows = report["universe"]
    that(f"{name}: every key of the contract is there",
         KEYS <= set(report) and report["schema"] == "rebal.scan/1" and all(ROW <= set(row) for row in rows)
         and all(LEFT <= set(row) for row in report["rejected"]) and all({"sector", "count", "cap"} <= set(row) for row in report["sectors"]),
         (KEYS - set(report), rows[:1], report["rejected"][:1]))
    counted = Counter(row["sector"] for row in rows)
    told = {row["sector"]: row["count"] for row in report["sectors"] if row["count"]}
    that(f"{name}: 20 coins, no sector above {CAPPED}, as counted", len(rows) == 20 == len(set(names(report))) and dict(counted) == told
         and max(counted.values()) == CAPPED and {row["cap"] for row in report["sectors"]} == {CAPPED}, (len(rows), counted, told))
    bad = [row for row in rows if abs(Decimal(row["funding_annualised"])) > 1 or Decimal(row["spread_bps"]) > 10 or row["age_days"] < 30
           or Decimal(row["quote_volume_24h"]) < 20_000_000 or row["rank"] > 70]
    that(f"{name}: nothing chosen breaks a limit", not bad, bad)
    ranks = [row["rank"] for row in rows]
    volumes = [Decimal(row["quote_volume_24h"]) for row in rows]
    that(f"{name}: by rank, which is the order of volumes", ranks == sorted(ranks) and volumes == sorted(volumes, reverse=True), ranks)
    that(f"{name}: what is left out is told with a reason, and is not chosen",
         len(report["rejected"]) > 10 and not set(names(report)) & {row["symbol"] for row in report["rejected"]}
         and all(row["detail"] for row in report["rejected"]), report["rejected"][:2])


def on_paper():
    """scan → apply → rebalance → plan, with nothing but the binary."""
    with Home(rebal) as home:
        def run(*arguments, wants_json=True):
            command = [rebal, "--demo", "--state-dir", home.state, "--set", "basket.symbols=[]", *arguments]
            done = subprocess.run(command + ["--json"] * wants_json, capture_output=True, text=True, env=home.environment(), timeout=120)
            return done.returncode, json.loads(done.stdout) if wants_json else done.stdout, done.stderr

        code, report, _ = run("scan")
        that("paper: a scan ends with 0 and keeps nothing", code == 0 and not report["applied"] and not os.path.exists(home.state), code)
        for command in ("rebalance", "plan"):
            code, report, _ = run(command)
            that(f"paper: {command} without any universe is refused and says what to type",
                 code == 2 == report["exit_code"] and set(report) == ERROR and "scan --apply" in report["hint"], (code, report))
        code, report, _ = run("scan")
        well_formed("paper", report)
        that("paper: the ranking is the exchange's, and why is said", report["source"] == "exchange" and report["fallback"], report["fallback"])
        chosen = names(report)
        that("paper: all of it would come in", report["added"] == sorted(chosen) and report["removed"] == [])
        code, report, _ = run("scan", "--apply")
        that("paper: the same scan applied", (code, report["applied"], names(report)) == (0, True, chosen), (code, names(report)))
        rows, scans = applied(home)
        that("paper: it is in the ledger with its evidence",
             scans == 1 and set(rows) == set(chosen) and all(ROW <= set(evidence) for evidence in rows.values()), rows)
        code, report, _ = run("rebalance")
        bought = {order["symbol"] for order in report["orders"] if (order["side"], order["status"]) == ("BUY", "filled")}
        that("paper: a pass buys these 20 coins", code == 0 and bought == set(chosen) and len(report["orders"]) == 20, (code, report))
        code, report, _ = run("plan")
        entries = [leg for leg in report["legs"] if leg["reason"] in ("entry", "left_universe")]
        that("paper: then nobody has to come or go", code == 0 and not entries and
             {row["symbol"] for part in ("held", "legs", "skipped") for row in report[part]} == set(chosen), (code, entries, report["held"], report["skipped"]))
        code, report, _ = run("scan")
        that("paper: a second scan keeps the members", code == 0 and not report["added"] and not report["removed"]
             and {row["how"] for row in report["universe"]} == {"kept"}, (report["added"], report["removed"]))
        code, text, _ = run("scan", wants_json=False)
        that("paper: people are told the same", code == 0 and "no change" in text and "RANKED BY EXCHANGE" in text, text[:300])
        code, report, _ = run("scan", "--set", "basket.symbols=BTCUSDT")
        that("paper: configured coins are told to come first, and changes are against the universe",
             any("basket.symbols is set" in note for note in report["notes"]) and not report["added"], report["notes"])


def over_http():
    """A coin that leaves the universe is closed, or held, by the next pass."""
    for policy in ("close", "hold"):
        with Sim(rebal) as sim, of_sim(sim, basket__on_exit=policy) as home:
            code, report = home.json("scan", "--apply")
            that(f"{policy}: the screener's ranking is applied", (code, report.get("applied"), report.get("source"), report.get("fallback"))
                 == (0, True, "tradingview", None), (code, report))
            well_formed(policy, report)
            if policy == "close":
                requests = sim.state()["requests"]
                posts = Counter(f"{request['method']} {request['path']}" for request in requests if request["method"] != "GET")
                that("close: two questions to the screener, and nothing else but reads", posts == {PAIRS: 1, COINS: 1}, posts)
                histories = sum(request["path"] == "/fapi/v1/fundingRate" for request in requests)
                that("close: funding is asked of the most traded alone", histories == 50, histories)
                that("close: what the exchange does not list is told", reason(report, "VANISHEDUSDT") == "not_listed", report["rejected"])
                reasons = {row["reason"] for row in report["rejected"]}
                that("close: the market has something of every danger",
                     {"funding", "too_young", "infeasible", "sector_cap", "size"} <= reasons, reasons)
            before = set(names(report))
            code, report = home.json("rebalance")
            that(f"{policy}: a pass buys the universe", code == 0 and held(sim) == before, (code, held(sim) ^ before))
            # The owner takes one out.
            sim.advance()
            leaver = "DOGEUSDT"
            code, report = home.json("scan", "--apply", "--set", "scan.exclude=DOGE")
            removed = {row["symbol"]: row["reason"] for row in report["removed"]}
            that(f"{policy}: an excluded member goes, a newcomer takes its place",
                 code == 0 and leaver in before and removed == {leaver: "excluded"} and len(report["added"]) == 1, (code, removed, report["added"]))
            that(f"{policy}: and what becomes of it is said", any(f"on_exit = {policy}" in note for note in report["notes"]), report["notes"])
            code, report = home.json("rebalance")
            after = before | set(names_of_universe(home))
            orders = [(order["symbol"], order["side"], order["reason"]) for order in report["orders"] if order["symbol"] == leaver]
            if policy == "close":
                that("close: the next pass closes it and buys the newcomer",
                     code == 0 and orders == [(leaver, "SELL", "left_universe")] and held(sim) == after - {leaver}, (code, orders))
            else:
                that("hold: the next pass leaves it alone and buys the newcomer", code == 0 and not orders and held(sim) == after, (code, orders))
                continue
            # The exchange stops one: it leaves the universe at once and the account when it can be traded again.
            sim.advance()
            stopped = "LINKUSDT"
            sim.call("POST", "/sim/status", {"symbol": stopped, "status": "SETTLING"})
            code, report = home.json("scan", "--apply", "--set", "scan.exclude=DOGE")
            removed = {row["symbol"]: row["reason"] for row in report["removed"]}
            that("close: a member that stopped trading goes at once, cached listing or not",
                 code == 0 and removed == {stopped: "not_trading"}, (code, removed))
            code, report = home.json("rebalance")
            skipped = [row["reason"] for row in report["plan"]["skipped"] if row["symbol"] == stopped]
            that("close: what cannot be traded is skipped with a reason", stopped in held(sim) and skipped == ["not_trading"], (code, report["plan"]["skipped"]))
            sim.call("POST", "/sim/status", {"symbol": stopped, "status": "TRADING"})
            sim.advance(13)
            code, report = home.json("rebalance")
            that("close: and closed as soon as it can be", code == 0 and stopped not in held(sim), (code, report["orders"]))


def names_of_universe(home):
    return applied(home)[0].keys()


def asked(sim):
    """The screener's own answer, to be spoiled."""
    equal = [{"left": left, "operation": "equal", "right": right} for left, right in (("exchange", "BINANCE"), ("type", "swap"), ("currency", "USDT"))]
    return sim.call("POST", "/crypto/scan", {
        "markets": ["crypto"], "columns": COLUMNS, "filter": [*equal, {"left": "24h_vol|5", "operation": "nempty"}],
        "sort": {"sortBy": "24h_vol|5", "sortOrder": "desc"}, "range": [0, 200]})


def says(sim, path, status, body, times=1):
    sim.faults({"match": path, "nth": 1, "times": times, "do": f"reply:{status}:{body}"})


def screener_that_fails():
    """The exchange's own volume ranks, the reason is in the report, and the coins are safe ones all the same."""
    with Sim(rebal) as sim, of_sim(sim) as home:
        code, own = home.json("scan", "--set", "scan.source=exchange")
        that("exchange: asked for by name it is no fallback", (code, own["source"], own["fallback"]) == (0, "exchange", None), own)
        well_formed("exchange", own)
        unknown = '{"totalCount":0,"error":"Unknown field \\"24h_vol|5\\"","data":null}'
        cases = [
            ("empty body", 200, "", "an empty answer"), ("a web page", 200, "<html><body>soon</body></html>", "a web page (HTML)"),
            ("a page under 404", 404, "<html>no</html>", "answered 404"), ("no rows at all", 200, '{"totalCount":0,"data":[]}', "an empty list"),
            ("null for data", 200, '{"totalCount":0,"data":null}', "data"), ("cut short", 200, '{"totalCount":9,"data":[{"s":"BIN', "ends too early"),
            ("an unknown field twice", 400, unknown, "knows no field 24h_vol|5"), ("another refusal", 400, '{"totalCount":0,"error":"go away","data":null}', "go away"),
            ("rows of the wrong length only", 200, '{"totalCount":1,"data":[{"s":"BINANCE:BTCUSDT.P","d":[1,2]}]}', "2 values for 16 columns"),
        ]
        for name, status, body, expected in cases:
            sim.advance()
            says(sim, PAIRS, status, body, times=2)
            code, report = home.json("scan")
            sim.faults()
            that(f"{name}: exit 0, ranked by the exchange, and why", code == 0 and report["source"] == "exchange"
                 and expected in (report["fallback"] or "") and len(report["universe"]) == 20, (code, report.get("fallback"), report.get("message")))
        _, own = home.json("scan", "--set", "scan.source=exchange")
        that("and it chooses what the exchange's volume chooses", names(report) == names(own), (names(report), names(own)))
        for url, name in (("http://127.0.0.1:9", "nobody listens"), ("https://127.0.0.1:9", "nobody listens, encrypted")):
            sim.advance()
            with Home(rebal, sim.url, symbols=(), scan__tradingview_url=url) as alone:
                code, report = alone.json("scan")
            that(f"{name}: exit 0 and why", code == 0 and report["source"] == "exchange" and "did not answer" in report["fallback"], (code, report.get("fallback")))
        sim.advance()
        says(sim, PAIRS, 429, "{}", times=2)
        code, text, _ = home.run("scan")
        that("429 twice: people read it before the list", code == 0 and "RANKED BY EXCHANGE" in text.split("rank ")[0] and "429" in text, text[:400])
        sim.advance()
        says(sim, PAIRS, 400, unknown)
        code, report = home.json("scan")
        that("an unknown field once: asked again with the fewest columns", code == 0 and report["source"] == "tradingview"
             and any("fewest columns" in note for note in report["notes"]) and len(report["universe"]) == 20, report.get("notes"))
        sim.advance()
        says(sim, COINS, 200, "<html></html>")
        code, report = home.json("scan")
        that("no categories: the list stands, a note tells", code == 0 and report["source"] == "tradingview"
             and any("categories" in note for note in report["notes"]), report.get("notes"))


def an_older_list():
    """The last good answer counts for a day and is told with its age."""
    with Sim(rebal) as sim, of_sim(sim) as home:
        home.run("scan", "--apply")
        sim.advance(40)
        says(sim, PAIRS, 200, "<html></html>")
        code, report = home.json("scan")
        that("an older list: used, with its age", code == 0 and report["from_cache"] and report["source"] == "tradingview"
             and abs(report["source_age_s"] - 40 * 300) < 60 and any("web page" in note for note in report["notes"]), (code, report.get("source_age_s"), report.get("notes")))
        sim.advance()
        says(sim, PAIRS, 200, "<html></html>")
        _, text, _ = home.run("scan")
        that("an older list: people are told before they read it", "AN OLDER RANKING" in text and ("3h 25m" in text or "3h 24m" in text), text[:300])
        sim.advance(288)
        says(sim, PAIRS, 200, "<html></html>")
        code, report = home.json("scan")
        that("a day later it is no list any more", code == 0 and not report["from_cache"] and report["source"] == "exchange" and report["fallback"], report.get("fallback"))


def rows_that_are_wrong():
    """Each costs itself only; strange names are names."""
    with Sim(rebal) as sim, of_sim(sim, scan__include=f"{CHINESE},1MBABYDOGE,SHIB", scan__min_quote_volume=10_000_000) as home:
        answer = asked(sim)
        rows, volume = answer["data"], COLUMNS.index("24h_vol|5")
        by_name = {row["s"]: row for row in rows}
        template = rows[0]["d"]

        def stranger(ticker, currency, **changed):
            values = list(template)
            values[COLUMNS.index("name")], values[COLUMNS.index("currency")] = ticker.split(":")[1], currency
            for column, value in changed.items():
                values[COLUMNS.index(column)] = value
            return {"s": ticker, "d": values}

        by_name["BINANCE:XRPUSDT.P"]["d"][volume] = None
        by_name["BINANCE:SUIUSDT.P"]["d"].pop()
        by_name["BINANCE:SOLUSDT.P"]["d"][volume] = -5
        by_name["BINANCE:BNBUSDT.P"]["d"][volume] = "1e400"
        # Asked for by a coin's name and not ranked at all: the exchange's own volume has to do.
        rows.remove(by_name["BINANCE:1MBABYDOGEUSDT.P"])
        rows += [stranger("BINANCE:BTCUSD.P", "USD"), stranger("BINANCE:BTCUSDC.P", "USDC"), stranger("BINANCE:NOWHEREUSDT.P", "USDT"),
                 stranger("BYBIT:BTCUSDT.P", "USDT", exchange="BYBIT"), by_name["BINANCE:DOGEUSDT.P"], stranger("BINANCE:BTCUSDT", "USDT"),
                 {"s": None, "d": []}, {"d": template}, 7, None, "row", {"s": "BINANCE:.P", "d": template}, {"s": "BINANCE:USDT.P", "d": template},
                 stranger("BINANCE:\u001b[2JUSDT.P", "USDT"), stranger("BINANCE:../../etcUSDT.P", "USDT")]
        says(sim, PAIRS, 200, json.dumps(answer))
        code, report = home.json("scan", "--apply")
        that("wrong rows: exit 0, the screener's list, 20 coins", (code, report.get("source"), len(names(report))) == (0, "tradingview", 20), (code, report))
        that("wrong rows: a null volume is no volume, not zero", reason(report, "XRPUSDT") == "no_volume", reason(report, "XRPUSDT"))
        for symbol, why in (("SUIUSDT", "wrong length"), ("SOLUSDT", "negative volume"), ("BNBUSDT", "volume beyond any number")):
            that(f"wrong rows: {why} is no rank", symbol not in names(report), names(report))
        that("wrong rows: what the exchange does not list is told", reason(report, "NOWHEREUSDT") == "not_listed")
        that("wrong rows: neither coin-margined nor USDC contracts nor another exchange's are in it",
             not {"BTCUSD", "BTCUSDC", "BTCUSD_PERP"} & set(names(report)) and names(report).count("DOGEUSDT") == 1)
        note = next((note for note in report["notes"] if "rows of the screener were left out" in note), "")
        that("wrong rows: how many were left out is said, with one of them", note.startswith("17 "), report["notes"])
        included = {row["symbol"]: row["how"] for row in report["universe"]}
        that("strange names: Chinese, 1M and 1000× are chosen by contract or coin",
             [included.get(name) for name in (CHINESE, "1MBABYDOGEUSDT", "1000SHIBUSDT")] == ["included"] * 3, report["universe"])
        _, text, _ = home.run("scan", "--rejected")
        that("nothing of a row steers the terminal", "\u001b" not in text)
        code, report = home.json("rebalance")
        that("strange names: and bought", code == 0 and {CHINESE, "1MBABYDOGEUSDT", "1000SHIBUSDT"} <= held(sim), (code, report.get("orders")))


def wrong_configuration():
    """Exit 2 before anything is asked; --json is one object."""
    with Sim(rebal) as sim, of_sim(sim) as home:
        path = os.path.join(home.folder, "sectors.csv")

        def refused(name, expected, *arguments):
            before = len(sim.state()["requests"])
            code, report = home.json("scan", "--apply", *arguments)
            that(f"{name}: exit 2, said in one object, before anything is asked",
                 code == 2 and set(report) == ERROR and report["kind"] == "config" and all(word in report["message"] for word in expected)
                 and len(sim.state()["requests"]) == before, (code, report))

        sectors = ("--set", f"scan.sectors={path}")
        refused("a missing sector file", [path], *sectors)
        for text, words in (("symbol,sector\nDOGE,AI\nETH,L3\n", [path, "line 3", "L3"]), ("DOGE;AI\n", [path, "line 1"]),
                            ("DOGE,AI\nDOGE,MEME\n", [path, "line 2", "DOGE"])):
            with open(path, "w") as file:
                file.write(text)
            refused(f"a bad line ({words[1]})", words, *sectors)
        with open(path, "wb") as file:
            file.write(b"\xff\xfe\x00D")
        refused("a sector file that is no text", [path], *sectors)
        refused("a folder for a sector file", [home.folder], "--set", f"scan.sectors={home.folder}")
        refused("a cap of no coin", ["scan.sector_cap", "basket.size"], "--set", "basket.size=4")
        code, out, err = home.run("scan", "--format", "html")
        that("a page: exit 2 and what it comes as instead", code == 2 and not out and "table, json, csv or markdown" in err, (code, err))
        refused("included and excluded", ["scan.include"], "--set", "scan.include=BTC", "--set", "scan.exclude=BTC")
        with open(path, "w") as file:
            file.write("symbol,sector\ndoge,ai\n1000PEPEUSDT,L2\n")
        code, report = home.json("scan", *sectors)
        rows = {row["symbol"]: (row["sector"], row.get("sector_from")) for row in report["universe"] + report["rejected"]}
        that("a good sector file comes before the table", code == 0 and rows["DOGEUSDT"] == ("AI", "override") and rows["1000PEPEUSDT"][0] == "L1/L2", rows)


def what_is_not_applied():
    """Where the data cannot be trusted the universe stays as it was."""
    with Sim(rebal) as sim, of_sim(sim) as home:
        home.run("scan", "--apply")
        before = applied(home)

        def unchanged(name, expected, *arguments):
            code, report = home.json("scan", "--apply", *arguments)
            sim.faults()
            that(f"{name}: exit 4, and the universe is as it was", code == 4 == report.get("exit_code") and set(report) == ERROR
                 and expected in report["message"] and applied(home) == before, (code, report))
            sim.advance()

        sim.advance()
        unchanged("too few coins", "of 20 coins qualify", "--set", "scan.min_quote_volume=400000000")
        says(sim, "GET /fapi/v1/exchangeInfo", 200, "<html>maintenance</html>", times=1000)
        unchanged("no listing", "exchangeInfo")
        says(sim, "GET /fapi/v1/ticker/bookTicker", 503, "{}", times=1000)
        unchanged("no book", "bookTicker")
        says(sim, "GET /fapi/v1/fundingRate", 500, "{}", times=1000)
        unchanged("no funding", "funding")
        says(sim, "GET /fapi/v1/time", 503, "{}", times=1000)
        unchanged("no exchange", "time")
        sim.faults({"match": "GET /fapi/v1/fundingRate", "nth": 3, "times": 2, "do": "reply:200:[]"})
        code, report = home.json("scan")
        unknown = [row for row in report["rejected"] if row["reason"] == "funding_unknown"]
        that("two histories of nothing cost these two coins", code == 0 and len(unknown) == 2, (code, unknown))


def halted_and_keyless():
    with Sim(rebal) as sim, of_sim(sim) as home:
        keyless = {name: value for name, value in home.environment().items() if not name.startswith("REBAL")}
        code, report = home.json("scan", env=keyless)
        that("a scan needs no key", code == 0 and len(report["universe"]) == 20 and report["halted"] is False, (code, report))
        home.run("scan", "--apply")
        home.run("rebalance")
        with open(os.path.join(home.state, "HALT"), "w") as latch:
            latch.write("by hand")
        sim.advance()
        code, text, _ = home.run("scan")
        that("a halt is said before everything else", code == 0 and text.startswith("HALTED"), text[:120])
        code, report = home.json("scan", "--apply")
        that("and in JSON; a universe may still be applied", code == 0 and report["halted"] and report["halt_id"] and report["applied"], report.get("halt_id"))
        code, report = home.json("flatten", "--yes", "--set", "basket.symbols=[]")
        that("flatten closes what a scan chose", code == 0 and not held(sim), (code, report))


def sweep():
    """The same scan twice prints the same bytes."""
    with Sim(rebal) as sim, of_sim(sim) as home:
        first, second = (home.run("scan", "--rejected")[1] for _ in range(2))
        that("twice the same scan is the same text", first == second and "Left out" in first, (first[:200], second[:200]))
        for form, begins in (("csv", "at,what,symbol,"), ("markdown", "## rebal scan")):
            sim.advance()
            code, text, _ = home.run("scan", "--rejected", "--format", form)
            that(f"{form}: every coin that was looked at is in it", code == 0 and text.startswith(begins) and "VANISHED" in text, text[:200])


for scenario in (on_paper, over_http, screener_that_fails, an_older_list, rows_that_are_wrong, wrong_configuration, what_is_not_applied,
                 halted_and_keyless, sweep):
    if not sys.argv[2:] or scenario.__name__ in sys.argv[2:]:
        scenario()
checks.end()
