#!/usr/bin/env python3
"""An independent client against the spot side of the simulated exchange: ccxt places orders, and every
figure it reads is compared with what the exchange itself says at GET /sim/state and with the same
figure worked out here from the trades.

    rebal sim --clock manual --equity 1000 --listen 127.0.0.1:8900 &
    venv/bin/python tests/witness/ccxt_spot.py http://127.0.0.1:8900

Works with either clock. The last line is "N passed, M failed"; any failure is named above it and makes
the exit code 1.
"""

import sys
import time
from decimal import Decimal

import ccxt

import ccxt_usdm as witness
from ccxt_usdm import Sim, check, equal, raises, same

XRP, SHIB, BNB, BTC = "XRP/USDT", "SHIB/USDT", "BNB/USDT", "BTC/USDT"
SPOT = "binance-spot"
TAKER, DISCOUNT = Decimal("0.001"), Decimal("0.75")
# What went in or out otherwise than by trades, by asset.
moved = {}


def client(base, key="sim", secret="sim"):
    return ccxt.binance({
        "apiKey": key,
        "secret": secret,
        "enableRateLimit": False,
        "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False,
                    "fetchMargins": False, "adjustForTimeDifference": True},
        "urls": {"api": {"public": base + "/api/v3", "private": base + "/api/v3", "sapi": base + "/sapi/v1",
                         "sapiV2": base + "/sapi/v2", "sapiV3": base + "/sapi/v3"}},
    })


def plain(symbol):
    return symbol.replace("/", "")


def eight(value):
    """Half away from zero at the eighth digit."""
    return Decimal(value).quantize(Decimal("0.00000001"), rounding="ROUND_HALF_UP")


def shown(state):
    return {row["asset"]: (Decimal(row["free"]), Decimal(row["locked"])) for row in state["spot"]["balances"]}


def compare(ex, sim, when):
    """Balances as ccxt reads them, as the exchange says, and as its trades alone make them."""
    balance, state = ex.fetch_balance(), sim.state()
    books = shown(state)
    raw = {row["asset"]: row for row in balance["info"]["balances"]}
    for asset, (free, locked) in books.items():
        same(f"{when}: {asset} free", balance[asset]["free"], free)
        same(f"{when}: {asset} locked", balance[asset]["used"], locked)
        equal(f"{when}: {asset} to the digit", (Decimal(raw[asset]["free"]), Decimal(raw[asset]["locked"])),
              (free, locked))
        check(f"{when}: {asset} is not negative", free >= 0 and locked >= 0, (free, locked))
    expected = dict(moved)
    for trade in state["spot"]["trades"]:
        base = trade["symbol"].removesuffix("USDT")
        sign = 1 if trade["side"] == "BUY" else -1
        qty, price = Decimal(trade["qty"]), Decimal(trade["price"])
        for asset, change in ((base, sign * qty), ("USDT", -sign * qty * price),
                              (trade["fee_asset"], -Decimal(trade["fee"]))):
            expected[asset] = expected.get(asset, Decimal(0)) + change
    for asset in set(expected) | set(books):
        total = sum(books.get(asset, (Decimal(0), Decimal(0))))
        equal(f"{when}: trades and fees explain the {asset}", total, expected.get(asset, Decimal(0)))
    open_buys, open_sells = Decimal(0), {}
    for order in ex.fetch_open_orders(XRP) + ex.fetch_open_orders(SHIB):
        left = Decimal(order["info"]["origQty"]) - Decimal(order["info"]["executedQty"])
        if order["side"] == "buy":
            open_buys += left * Decimal(order["info"]["price"])
        else:
            base = order["symbol"].split("/")[0]
            open_sells[base] = open_sells.get(base, Decimal(0)) + left
    equal(f"{when}: open buys hold the locked USDT", books["USDT"][1], open_buys)
    for asset, (_, locked) in books.items():
        if asset != "USDT":
            equal(f"{when}: open sells hold the locked {asset}", locked, open_sells.get(asset, Decimal(0)))
    return state


def compare_order(ex, sim, order, when):
    """An order's answer, its query, its trades, and the exchange's own row of it."""
    asked = ex.fetch_order(order["id"], order["symbol"])
    rows = [row for row in sim.state()["spot"]["orders"] if row["client_order_id"] == order["clientOrderId"]]
    equal(f"{when}: accepted once", len(rows), 1)
    row = rows[-1]
    for name in ("status", "filled", "amount", "average", "cost", "side", "type", "timeInForce"):
        equal(f"{when}: answer and query agree on {name}", order[name], asked[name])
    equal(f"{when}: status", asked["info"]["status"], row["status"])
    same(f"{when}: filled", asked["filled"], row["filled_qty"])
    same(f"{when}: cost", asked["cost"], row["quote_filled"])
    trades = ex.fetch_my_trades(order["symbol"], params={"orderId": order["id"]})
    same(f"{when}: trades add up", sum(Decimal(t["info"]["qty"]) for t in trades), row["filled_qty"])
    same(f"{when}: their value too", sum(Decimal(t["info"]["quoteQty"]) for t in trades), row["quote_filled"])
    equal(f"{when}: the answer lists them", sorted(t["id"] for t in order["trades"]), sorted(t["id"] for t in trades))
    return asked, trades


def market(ex):
    """Everything public."""
    markets = ex.load_markets()
    live = [m for m in markets.values() if m["active"] and m["spot"] and m["quote"] == "USDT"]
    check("at least eighty live USDT pairs", len(live) >= 80, len(live))
    check("some pairs are dead", any(not m["active"] for m in markets.values()))
    check("nothing but spot", all(m["spot"] for m in markets.values()))
    for symbol in (BTC, "ETH/USDT", "SOL/USDT", BNB, SHIB, "1INCH/USDT", "币安人生/USDT"):
        check(f"{symbol} is listed", symbol in markets)
    check("no coin by the thousand", "1000SHIB/USDT" not in markets)
    btc = ex.market(BTC)
    same("BTC smallest value", btc["limits"]["cost"]["min"], 5)
    same("BTC step", btc["precision"]["amount"], "0.00001")
    same("BTC tick", btc["precision"]["price"], "0.01")
    check("a market order has a lot of its own", btc["limits"]["market"]["max"] < btc["limits"]["amount"]["max"])
    tickers, tops = ex.fetch_tickers(), ex.fetch_bids_asks()
    check("tickers of all", len(tickers) >= 80, len(tickers))
    equal("tickers of two", len(ex.fetch_tickers([BTC, XRP])), 2)
    for symbol in (BTC, XRP, SHIB):
        book, top, tick = ex.fetch_order_book(symbol, 20), tops[symbol], Decimal(str(ex.market(symbol)["precision"]["price"]))
        same(f"{symbol} best bid", book["bids"][0][0], top["bid"])
        same(f"{symbol} best ask", book["asks"][0][0], top["ask"])
        check(f"{symbol} is not crossed", top["bid"] < top["ask"], top)
        check(f"{symbol} last in the spread", top["bid"] <= tickers[symbol]["last"] <= top["ask"], top)
        check(f"{symbol} bids fall", all(a[0] > b[0] for a, b in zip(book["bids"], book["bids"][1:])), book["bids"])
        check(f"{symbol} asks rise", all(a[0] < b[0] for a, b in zip(book["asks"], book["asks"][1:])), book["asks"])
        check(f"{symbol} on tick", all(Decimal(str(level[0])) % tick == 0 for level in book["bids"] + book["asks"]), tick)
        bars = ex.fetch_ohlcv(symbol, "5m", limit=50)
        equal(f"{symbol} candles", len(bars), 50)
        check(f"{symbol} candles in order", all(b[0] - a[0] == 300_000 for a, b in zip(bars, bars[1:])), bars[:3])
        same(f"{symbol} last candle ends at the last price", bars[-1][4], tickers[symbol]["last"])
    fut = ex.public_get_ticker_price({"symbol": "XRPUSDT"})
    same("one price in two endpoints", fut["price"], tickers[XRP]["last"])
    raises("unknown pair", ccxt.BadSymbol, lambda: ex.public_get_ticker_price({"symbol": "NOSUCHUSDT"}), -1121)


def trading(ex, sim):
    """Market and limit orders, and fees in what is received."""
    ticker = ex.fetch_ticker(XRP)
    bought = ex.create_order(XRP, "market", "buy", 40)
    equal("a market order fills", bought["status"], "closed")
    _, trades = compare_order(ex, sim, bought, "market buy")
    for trade in trades:
        equal("a buy pays its fee in the coin", trade["fee"]["currency"], "XRP")
        same("a tenth of a percent of it", trade["fee"]["cost"], eight(Decimal(trade["info"]["qty"]) * TAKER))
        check("it took", trade["takerOrMaker"] == "taker", trade)
    free = shown(sim.state())["XRP"][0]
    check("less is left than was bought", free < 40, free)
    same("by the fee", free, 40 - sum(Decimal(t["info"]["commission"]) for t in trades))
    compare(ex, sim, "after a buy")
    raises("more than is left", ccxt.InsufficientFunds, lambda: ex.create_order(XRP, "market", "sell", 40))

    sold = ex.create_order(XRP, "market", "sell", 20)
    _, trades = compare_order(ex, sim, sold, "market sell")
    for trade in trades:
        equal("a sell pays in quote", trade["fee"]["currency"], "USDT")
        same("a tenth of a percent of the value", trade["fee"]["cost"], eight(Decimal(trade["info"]["quoteQty"]) * TAKER))
    compare(ex, sim, "after a sell")

    spent = ex.create_market_buy_order_with_cost(XRP, 50)
    compare_order(ex, sim, spent, "a buy for 50")
    check("no more than 50 is spent", 49 < spent["cost"] <= 50, spent["cost"])
    cheap = ex.create_market_buy_order_with_cost(SHIB, 20)
    compare_order(ex, sim, cheap, "a coin of many zeros")
    check("whole coins", cheap["filled"] == int(cheap["filled"]) and 19 < cheap["cost"] <= 20, cheap)

    high = float(ex.price_to_precision(XRP, ticker["ask"] * 1.003))
    low = float(ex.price_to_precision(XRP, ticker["bid"] * 0.97))
    ioc = ex.create_order(XRP, "limit", "buy", 5, high, {"timeInForce": "IOC"})
    compare_order(ex, sim, ioc, "IOC that fills")
    check("not worse than the book", ioc["average"] <= ticker["ask"] * 1.001, ioc)
    missed = ex.create_order(XRP, "limit", "buy", 5, low, {"timeInForce": "IOC"})
    equal("IOC that misses", compare_order(ex, sim, missed, "IOC that misses")[0]["info"]["status"], "EXPIRED")
    equal("and leaves nothing locked", shown(sim.state())["USDT"][1], Decimal(0))
    raises("post-only that would take", ccxt.OrderImmediatelyFillable,
           lambda: ex.create_order(XRP, "limit", "buy", 5, high, {"postOnly": True}))
    compare(ex, sim, "after limit orders")

    resting = ex.create_order(XRP, "limit", "buy", 10, low)
    equal("a limit order rests", resting["status"], "open")
    equal("it is among the open ones", [o["id"] for o in ex.fetch_open_orders(XRP)], [resting["id"]])
    sell = ex.create_order(XRP, "limit", "sell", 10, float(ex.price_to_precision(XRP, ticker["ask"] * 1.05)))
    state = compare(ex, sim, "with two resting orders")
    check("both sides are locked", shown(state)["XRP"][1] == 10 and shown(state)["USDT"][1] > 0, shown(state))
    raises("an open id twice", ccxt.InvalidOrder, lambda: ex.create_order(
        XRP, "market", "buy", 5, params={"newClientOrderId": resting["clientOrderId"]}), -2010)
    cancelled = ex.cancel_order(resting["id"], XRP)
    equal("cancelled", (cancelled["status"], cancelled["info"]["origClientOrderId"]), ("canceled", resting["clientOrderId"]))
    check("the cancel has an id of its own", cancelled["info"]["clientOrderId"] != resting["clientOrderId"], cancelled["info"])
    raises("cancelled twice", ccxt.OrderNotFound, lambda: ex.cancel_order(resting["id"], XRP), -2011)
    equal("all of a coin cancelled", [o["id"] for o in ex.cancel_all_orders(XRP)], [sell["id"]])
    raises("nothing to cancel", ccxt.OrderNotFound, lambda: ex.cancel_all_orders(XRP), -2011)
    compare(ex, sim, "after cancelling")

    one = ex.create_order(XRP, "market", "buy", 5, params={"newClientOrderId": "witness-reused"})
    two = ex.create_order(XRP, "market", "buy", 5, params={"newClientOrderId": "witness-reused"})
    check("the id of a filled order is accepted again", one["id"] != two["id"])
    rows = [row for row in sim.state()["spot"]["orders"] if row["client_order_id"] == "witness-reused"]
    equal("an id accepted twice is two rows", len(rows), 2)
    by_id = ex.private_get_order({"symbol": "XRPUSDT", "origClientOrderId": "witness-reused"})
    equal("asked by id, the newest answers", str(by_id["orderId"]), two["id"])
    raises("unknown order", ccxt.OrderNotFound, lambda: ex.fetch_order("1", XRP), -2013)


def burning(ex, sim):
    """Fees in BNB while there is enough of it."""
    put(sim, "BNB", "0.0001")
    sim.post("/sim/modes", {"spot_bnb_burn": True})
    price = Decimal(ex.public_get_ticker_price({"symbol": "BNBUSDT"})["price"])
    placed = ex.create_order(XRP, "market", "buy", 10)
    _, trades = compare_order(ex, sim, placed, "a buy with fees in BNB")
    for trade in trades:
        equal("the fee is in BNB", trade["fee"]["currency"], "BNB")
        same("a quarter off", trade["fee"]["cost"], eight(Decimal(trade["info"]["quoteQty"]) * TAKER * DISCOUNT / price))
    compare(ex, sim, "after fees in BNB")
    large = ex.create_order(XRP, "market", "buy", 100)
    _, trades = compare_order(ex, sim, large, "a buy with too little BNB")
    equal("too little BNB: the coin pays", {t["fee"]["currency"] for t in trades}, {"XRP"})
    rates = ex.private_get_account_commission({"symbol": "XRPUSDT"})
    same("the standing rate", rates["standardCommission"]["taker"], TAKER)
    equal("the discount is on", (rates["discount"]["enabledForAccount"], rates["discount"]["discountAsset"]), (True, "BNB"))
    same("and as large as was charged", rates["discount"]["discount"], 1 - DISCOUNT)
    sim.post("/sim/modes", {"spot_bnb_burn": False})
    fee = ex.fetch_balance()["info"]["commissionRates"]
    same("the account shows its rate", fee["taker"], TAKER)
    compare(ex, sim, "after the last BNB fee")


def put(sim, asset, amount):
    sim.post("/sim/transfer", {"venue": SPOT, "asset": asset, "amount": amount})
    moved[asset] = moved.get(asset, Decimal(0)) + Decimal(amount)


def refusals(ex, sim, base):
    """What goes wrong arrives as what it is, and changes nothing."""
    before = sim.state()["spot"]

    def raw(**order):
        return lambda: ex.private_post_order({"symbol": "XRPUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                                              "quantity": "10", "price": "2", **order})

    def says(what, words, call):
        try:
            answer = call()
        except (ccxt.InvalidOrder, ccxt.BadRequest) as error:
            # ccxt knows some filters by name, and shows the code of the others only.
            return check(what, str(error).endswith((words, f'{{"code":-1013,"msg":"{words}"}}')), error)
        except Exception as error:  # noqa: BLE001 - any other class is wrong
            return check(what, False, f"{type(error).__name__}: {error}")
        check(what, False, answer)

    last = Decimal(ex.public_get_ticker_price({"symbol": "XRPUSDT"})["price"])
    says("too small", "Filter failure: NOTIONAL", raw(quantity="1"))
    says("too small for the market", "Filter failure: NOTIONAL", lambda: ex.private_post_order(
        {"symbol": "XRPUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "4.99"}))
    says("bad lot", "Filter failure: LOT_SIZE", raw(quantity="10.05"))
    says("off the tick", "Filter failure: PRICE_FILTER", raw(price="2.00001"))
    says("far too dear", "Filter failure: PERCENT_PRICE_BY_SIDE", raw(price=str(round(last * 6, 4))))
    says("too much at once", "Filter failure: MARKET_LOT_SIZE", lambda: ex.private_post_order(
        {"symbol": "XRPUSDT", "side": "BUY", "type": "MARKET", "quantity": "1000000"}))
    raises("too many digits", ccxt.BadRequest, raw(quantity="10.123456789"), -1111)
    raises("more than there is", ccxt.InsufficientFunds, lambda: ex.create_order(XRP, "market", "buy", 5000))
    raises("a coin that is not held", ccxt.InsufficientFunds, lambda: ex.create_order(BTC, "market", "sell", 0.1))
    raises("no time in force", ccxt.BadRequest, raw(timeInForce=""), -1102)
    raises("both sizes", ccxt.BadRequest, lambda: ex.private_post_order(
        {"symbol": "XRPUSDT", "side": "BUY", "type": "MARKET", "quantity": "10", "quoteOrderQty": "10"}), -1106)
    raises("neither size", ccxt.BadRequest, lambda: ex.private_post_order(
        {"symbol": "XRPUSDT", "side": "BUY", "type": "MARKET"}), -1102)
    raises("unknown pair", ccxt.BadSymbol, raw(symbol="NOSUCHUSDT"), -1121)
    raises("more than a day of trades", ccxt.BadRequest, lambda: ex.private_get_mytrades(
        {"symbol": "XRPUSDT", "startTime": 1, "endTime": 86_400_002}), -1127)
    raises("wrong secret", ccxt.AuthenticationError, client(base, secret="wrong").fetch_balance, -1022)
    raises("wrong key", ccxt.AuthenticationError, client(base, key="wrong").fetch_balance, -2015)
    late = client(base)
    late.load_time_difference()
    late.options["timeDifference"] += 60_000
    late.options["adjustForTimeDifference"] = False
    late.load_markets()
    raises("a clock that is late", ccxt.InvalidNonce, late.fetch_balance, -1021)
    sim.post("/sim/status", {"venue": SPOT, "symbol": "XRPUSDT", "status": "BREAK"})
    raises("a pair on a break", ccxt.MarketClosed, lambda: ex.create_order(XRP, "market", "buy", 10))
    equal("its status shows", ex.public_get_exchangeinfo({"symbol": "XRPUSDT"})["symbols"][0]["status"], "BREAK")
    sim.post("/sim/status", {"venue": SPOT, "symbol": "XRPUSDT", "status": "TRADING"})
    sim.post("/sim/restrictions", {"enableSpotAndMarginTrading": False})
    equal("the key's rights", ex.sapi_get_account_apirestrictions()["enableSpotAndMarginTrading"], False)
    # To a client that was let in before, ccxt reads -2015 as a ban.
    raises("a key that may not trade", ccxt.DDoSProtection, lambda: ex.create_order(XRP, "market", "buy", 10), -2015)
    check("may still read", ex.fetch_balance()["USDT"]["free"] > 0)
    sim.post("/sim/restrictions", {"enableSpotAndMarginTrading": True})
    after = sim.state()["spot"]
    equal("no refusal left a trace", (after["balances"], len(after["orders"])), (before["balances"], len(before["orders"])))


def faults(ex, sim):
    """A broken answer is an error, and the order may exist all the same."""
    for action, placed in (("accept_then_close", 1), ("drop", 0), ("truncate:20", 1),
                           ('reply:503:{"code":-1008,"msg":"Request throttled by system-level protection."}', 0),
                           ("reject:-1001", 0)):
        before = len(sim.state()["spot"]["orders"])
        sim.post("/sim/faults", [{"match": "POST /api/v3/order", "do": action}])
        try:
            ex.create_order(XRP, "market", "buy", 5)
            check(f"{action} is an error", False)
        except ccxt.BaseError:
            check(f"{action} is an error", True)
        equal(f"{action}: orders placed", len(sim.state()["spot"]["orders"]) - before, placed)
    sim.post("/sim/faults", [{"match": "POST /api/v3/order", "do": "partial:0.5"}])
    part = ex.create_order(XRP, "market", "buy", 6)
    asked, _ = compare_order(ex, sim, part, "partial fill")
    equal("the rest expires", asked["info"]["status"], "EXPIRED")
    same("half of it", asked["filled"], 3)
    sim.post("/sim/faults", [])
    compare(ex, sim, "after faults")


def value(ex, sim, manual):
    """The whole account at last prices, hand trades, and what time does to a resting order."""
    put(sim, "USDT", "-25")
    sim.post("/sim/trade", {"venue": SPOT, "symbol": "SHIBUSDT", "qty": "-1000"})
    state = compare(ex, sim, "after a transfer and a hand trade")
    futures = Decimal(state["wallet"])
    prices = {t["symbol"]: t["last"] for t in ex.fetch_tickers().values()}
    worth = sum(Decimal(str(total)) * (1 if asset == "USDT" else Decimal(str(prices[f"{asset}/USDT"])))
                for asset, total in ex.fetch_balance()["total"].items() if total)
    same("what the account is worth", worth, state["spot"]["value"], places=6)
    if manual:
        last = ex.fetch_ticker(XRP)["last"]
        resting = ex.create_order(XRP, "limit", "buy", 10, float(ex.price_to_precision(XRP, last * 0.98)))
        sim.post("/sim/price", {"venue": SPOT, "symbol": "XRPUSDT", "factor": "0.95"})
        asked = ex.fetch_order(resting["id"], XRP)
        equal("a resting order is met by the market", asked["status"], "closed")
        trade = ex.fetch_my_trades(XRP, params={"orderId": resting["id"]})[0]
        equal("as maker, at its price", (trade["takerOrMaker"], trade["price"]), ("maker", resting["price"]))
        sim.post("/sim/advance", {"bars": 3})
        ex.load_time_difference()
        compare(ex, sim, "after the market moved")
    equal("futures have a wallet of their own", Decimal(sim.state()["wallet"]), futures)
    history = ex.fetch_orders(XRP)
    theirs = [row for row in sim.state()["spot"]["orders"] if row["symbol"] == "XRPUSDT"]
    equal("every order is in the history", [o["id"] for o in history], [str(row["order_id"]) for row in theirs])
    fills = ex.fetch_my_trades(XRP)
    equal("every trade too", len(fills), len([t for t in sim.state()["spot"]["trades"] if t["symbol"] == "XRPUSDT"]))
    page = ex.fetch_my_trades(XRP, limit=2, params={"fromId": fills[1]["id"]})
    equal("trades by page", [t["id"] for t in page], [t["id"] for t in fills[1:3]])


def weights(ex):
    """What is counted is told."""
    ex.fetch_balance()
    first = int(ex.last_response_headers.get("x-mbx-used-weight-1m", 0))
    ex.public_get_ping()
    second = int(ex.last_response_headers.get("x-mbx-used-weight-1m", 0))
    check("a ping weighs one", second - first == 1 or second == 1, (first, second))
    counts = [row for row in ex.private_get_ratelimit_order() if row["interval"] == "DAY"]
    check("unfilled orders of the day", int(counts[0]["count"]) >= 1, counts)


def main():
    base = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8900"
    sim = Sim(base)
    state = sim.state()
    if state["spot"]["orders"]:
        sys.exit("the witness wants a fresh account; this one has orders already")
    moved["USDT"] = sum(shown(state)["USDT"])
    equal("as much as on futures", moved["USDT"], Decimal(state["wallet"]))
    manual = sim.manual()
    ex = client(base)
    left = 300 - ex.fetch_time() / 1000 % 300
    if not manual and left < 30:
        # Figures read one after the other can only agree within one bar.
        time.sleep(left + 1)
    began = time.monotonic()
    market(ex)
    compare(ex, sim, "at the start")
    trading(ex, sim)
    burning(ex, sim)
    refusals(ex, sim, base)
    faults(ex, sim)
    value(ex, sim, manual)
    weights(ex)
    clock = "manual" if manual else "real"
    print(f"ccxt {ccxt.__version__} on spot, {clock} clock, {time.monotonic() - began:.1f} s")
    print(f"{witness.passed} passed, {len(witness.failures)} failed")
    return 1 if witness.failures else 0


if __name__ == "__main__":
    sys.exit(main())
