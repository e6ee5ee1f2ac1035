"""Writes what the fuzzer begins with: the simulator's own answers, a configuration, a plan, recorded prices.

usage: seeds.py REBAL   (writes tests/fuzz/corpus)
"""
import gzip
import json
import os
import struct
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(here), "e2e"))
from harness import Home, Sim  # noqa: E402

rebal = os.path.abspath(sys.argv[1])
OK = struct.pack("<H", 200)
REFUSED = struct.pack("<H", 400)


def keep(target, name, data):
    folder = os.path.join(here, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def shortened(value):
    if isinstance(value, dict):
        return {name: shortened(inner) for name, inner in value.items()}
    return [shortened(inner) for inner in value[:2]] if isinstance(value, list) else value


with Sim(rebal) as sim, Home(rebal, sim.url) as home:
    plan = os.path.join(home.folder, "plan.json")
    home.run("plan", "--out", plan)
    home.run("rebalance")
    with open(plan) as file:
        keep("plan_file", "plan", file.read().encode())
    signed = {
        "account": ["v3/account", "v3/balance", "v3/positionRisk", "v1/symbolConfig", "v1/accountConfig"],
        "income": ["v1/income", "v1/userTrades?symbol=ADAUSDT"],
        "exchange_info": ["v1/exchangeInfo", "v1/leverageBracket", "v1/commissionRate?symbol=ADAUSDT", "v1/premiumIndex", "v1/ticker/bookTicker",
                          "v1/klines?symbol=ADAUSDT&interval=5m", "v1/fundingInfo", "v1/time"],
        "order_reply": ["v1/allOrders?symbol=ADAUSDT", "v1/openOrders"],
    }
    for target, paths in signed.items():
        for path in paths:
            path, _, query = path.partition("?")
            asked = dict(pair.split("=") for pair in query.split("&") if pair)
            body = json.dumps(shortened(sim.signed("GET", f"/fapi/{path}", **asked))).encode()
            keep(target, path.replace("/", "-"), OK + body if target == "order_reply" else body)
    order = {"orderId": 1, "symbol": "BTCUSDT", "status": "FILLED", "clientOrderId": "rb17c2e9a0001fa3c07o", "price": "0", "avgPrice": "1.5", "origQty": "2",
             "executedQty": "2", "cumQuote": "3", "timeInForce": "IOC", "type": "LIMIT", "reduceOnly": False, "side": "BUY", "positionSide": "BOTH",
             "origType": "LIMIT", "updateTime": 1700000000000, "time": 1700000000000}
    keep("order_reply", "placed", OK + json.dumps(order).encode())
    refused = json.dumps({"code": -1003, "msg": "Way too many requests; IP banned until 1795163379973."}).encode()
    keep("order_reply", "refused", REFUSED + refused)
    keep("error_body", "refused", REFUSED + b"\x01" + refused)
    with open(home.config, "rb") as file:
        keep("config", "config", file.read())
bars = b"".join(b"%d,1.0,1.2,0.9,1.1,10,%d,11,3,5,5.5,0\n" % (1700000000000 + bar * 300000, 1700000299999 + bar * 300000) for bar in range(3))
keep("kline_file", "plain", b"\x00" + bars)
keep("kline_file", "packed", b"\x01" + gzip.compress(bars))
