#!/usr/bin/env python3
"""The universe of a scan, calculated again from the recorded market by plain rules in exact fractions.

    python3 tests/witness/universe.py DATA            # prints what a scan must find
    python3 tests/witness/universe.py DATA --check    # compares that with tests/witness/universe.json

DATA is the folder of recorded data (REBAL_DATA). Nothing here is taken from rebal but its table of
sectors. Two worlds, each scanned twice, the second time with the universe of five days before as
members:

recorded  every contract with recorded prices is an open perpetual in USDT (so says the recording);
          the testnet's listing of 2025-12-24 tells its lots where it has it
listed    that listing as it is, with every state and type in it; contracts that only the recording
          has count as not listed

A third scan, "five", looks at 300 contracts of the first world with at least 2 M traded, sectors
beyond AI, MEME, L1/L2, RWA and DEFI being overridden to L1/L2, so that five sectors bind.

Books are invented: bid at the last price, ask 0.04 % above.
"""

import collections
import csv
import gzip
import json
import os
import re
import sys
from fractions import Fraction

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = os.path.join(HERE, "universe.json")
TABLE = os.path.join(HERE, "..", "..", "src", "decide", "sectors.csv")
LISTING = "exchange_info/testnet_exchangeInfo_2025-12-24.json.gz"
HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_773_979_260_000  # 2026-03-20 04:01 UTC, after the last recorded settlement
FIRST_DAY = 1_764_547_200_000  # where the daily recording begins: older contracts are older than that
NEVER = 4_133_404_800_000
SIZE, TOP, KEEP, TARGET = 20, 50, 70, 20
CAP = SIZE // 5
MIN_VOLUME, MAX_FUNDING, MAX_SPREAD_BPS, MIN_AGE_DAYS = 20_000_000, 1, 10, 30
SECTOR_NAMES = ["AI", "MEME", "L1/L2", "RWA", "DEFI", "GAMEFI", "INFRA", "PAYMENT", "OTHER"]
TAGS = {"defi": "DEFI", "nft": "GAMEFI"}  # all that the listing has and that means something


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def plain(number, digits=8):
    """Half away from zero, without trailing zeros."""
    if number is None:
        return None
    scaled = abs(number) * 10**digits
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    text = f"{whole // 10**digits}.{whole % 10**digits:0{digits}d}".rstrip("0").rstrip(".")
    return "-" + text if number < 0 and whole else text


def read_prices(data):
    """Per contract: hourly (time, close, quote volume), and when it was first seen."""
    hours, first = collections.defaultdict(list), {}
    for row in rows(os.path.join(data, "universe/all_1h_2026-03-12_18.csv.gz")):
        hours[row["symbol"]].append((int(row["open_time"]), Fraction(row["close"]), Fraction(row["quote_volume"])))
    for row in rows(os.path.join(data, "universe/all_1d_2025-12_2026-03.csv.gz")):
        first.setdefault(row["symbol"], int(row["open_time"]))
    for symbol, bars in hours.items():
        first.setdefault(symbol, bars[0][0])
    return hours, first


def read_funding(data):
    prints = collections.defaultdict(list)
    for row in rows(os.path.join(data, "universe/all_funding_2026-01_2026-03.csv.gz")):
        prints[row["symbol"]].append((int(row["calc_time"]), Fraction(row["last_funding_rate"])))
    return prints


def hours_between(before, after):
    return (after - before + HOUR // 2) // HOUR


def funding_a_year(prints, now):
    """What was paid in the last seven days over the hours it was paid for, for a year; and the interval."""
    prints = [one for one in prints if one[0] <= now]
    if not prints or now - prints[-1][0] > DAY:
        return None
    gaps = [None] + [hours_between(a[0], b[0]) for a, b in zip(prints, prints[1:])]
    paid, hours = Fraction(0), 0
    for (at, rate), gap in zip(prints, gaps):
        if hours_between(at, prints[-1][0]) < 168:
            paid += rate
            hours += min(gap if gap is not None else gaps[1], 8)
    return paid / hours * 24 * 365, gaps[-1]


def funding_of_plain_week(prints):
    """As the recording's own description counts: as many of the last prints as make up a week at the present
    interval, their plain mean. Wrong where the interval changed within."""
    interval = hours_between(prints[-2][0], prints[-1][0])
    last = [rate for _, rate in prints[-(168 // interval) :]]
    return sum(last) / len(last) * Fraction(24, interval) * 365


def read_sectors():
    table = {}
    with open(TABLE, encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            coin = re.sub(r"USDT$", "", row["symbol"])
            table[one_of(coin)] = "L1/L2" if row["sector"] in ("L1", "L2") else row["sector"]
    return table


def one_of(coin):
    return re.sub(r"^(1000000|1000|1M)(?=[A-Z])", "", coin)


def read_listing(data):
    with gzip.open(os.path.join(data, LISTING), "rt", encoding="utf-8") as text:
        return {row["symbol"]: row for row in json.load(text)["symbols"]}


def filters(row):
    found = {one["filterType"]: one for one in row["filters"]}
    lot, worth = found["LOT_SIZE"], found["MIN_NOTIONAL"]
    return Fraction(lot["minQty"]), Fraction(lot["stepSize"]), Fraction(worth["notional"])


def requirement(row):
    """The first thing that a contract of the listing is not."""
    if row["status"] != "TRADING":
        return "not_trading"
    if row["contractType"] != "PERPETUAL":
        return "not_perpetual"
    if row["quoteAsset"] != "USDT" or row["marginAsset"] != "USDT":
        return "not_in_quote"
    if row["underlyingType"] != "COIN":
        return "underlying"
    if row["baseAsset"] == "USDC":
        return "pegged"
    if row["deliveryDate"] < NEVER:
        return "delisting"
    return None


def least_order(lot, price):
    """Smallest quantity min + k * step that is worth enough; then its worth."""
    smallest, step, worth = lot
    need = max(worth / price, smallest, step)
    steps = -((smallest - need) // step)
    return (smallest + steps * step) * price


def scan(world, hours, end, members, top=TOP, min_volume=MIN_VOLUME):
    """`end`: the hour after the last one whose prices are known."""
    ranked, rejected = [], []
    for symbol, coin in world["coins"].items():
        bars = [bar for bar in hours.get(symbol, []) if bar[0] < end]
        day = [bar for bar in bars if bar[0] >= end - DAY]
        coin = dict(coin, symbol=symbol, volume=sum(bar[2] for bar in day) if day else None)
        coin["close"] = bars[-1][1] if bars else None
        if coin["not"] is None and coin["volume"] is None:
            coin["not"] = "no_volume"
        (ranked if coin["not"] is None else rejected).append(coin)
    ranked.sort(key=lambda coin: (-coin["volume"], coin["symbol"].encode()))
    for rank, coin in enumerate(ranked, 1):
        coin["rank"] = rank
    least = ranked[top - 1]["volume"]
    told = [
        coin
        for coin in rejected
        if coin["not"] == "no_volume" or coin["symbol"] in members or (coin["volume"] or 0) >= least
    ]
    report = {"ranked": len(ranked), "unfit": len(rejected) - len(told)}
    out = [(None, coin["symbol"], coin["not"]) for coin in told]
    out += [(None, symbol, "not_listed") for symbol in set(world["unlisted"]) | (members - set(world["coins"]))]
    order, beyond = [], 0
    for coin in ranked:
        old = coin["symbol"] in members
        if coin["rank"] > top and not old:
            beyond += 1
            continue
        now = NOW - (world["end"] - end)
        coin["age"] = (now - coin["onboard"]) // DAY
        coin["funding"] = funding_a_year(world["funding"][coin["symbol"]], now)
        bid, ask = coin["close"], coin["close"] * Fraction(10004, 10000)
        coin["spread"] = (ask - bid) / ((ask + bid) / 2) * 10000
        if coin["volume"] < min_volume:
            why = "thin_volume"
        elif coin["funding"] is None:
            why = "funding_unknown"
        elif abs(coin["funding"][0]) > MAX_FUNDING:
            why = "funding"
        elif coin["spread"] > MAX_SPREAD_BPS:
            why = "spread"
        elif now - coin["onboard"] < MIN_AGE_DAYS * DAY:
            why = "too_young"
        elif least_order(coin["lot"], coin["close"]) > TARGET:
            why = "infeasible"
        elif old and coin["rank"] > KEEP:
            why = "rank"
        else:
            order.append((0 if old else 1, coin["rank"], coin))
            continue
        out.append((coin["rank"], coin["symbol"], why))
    full, chosen = collections.Counter(), []
    for late, rank, coin in sorted(order, key=lambda one: one[:2]):
        if len(chosen) == SIZE:
            out.append((rank, coin["symbol"], "size"))
        elif full[coin["sector"]] == CAP:
            out.append((rank, coin["symbol"], "sector_cap"))
        else:
            full[coin["sector"]] += 1
            chosen.append(coin)
    names = {coin["symbol"] for coin in chosen}
    report["beyond"] = beyond
    report["chosen"] = [
        "{rank} {symbol} {sector} {volume} {yearly}/y {hours}h {spread}bps {age}d {how}".format(
            rank=coin["rank"],
            symbol=coin["symbol"],
            sector=coin["sector"],
            age=coin["age"],
            volume=plain(coin["volume"]),
            yearly=plain(coin["funding"][0]),
            hours=coin["funding"][1],
            spread=plain(coin["spread"]),
            how="kept" if coin["symbol"] in members else "new",
        )
        for coin in sorted(chosen, key=lambda coin: coin["rank"])
    ]
    out.sort(key=lambda row: (row[0] if row[0] else 10**9, row[1].encode()))
    report["rejected"] = [f"{rank or '-'} {symbol} {why}" for rank, symbol, why in out]
    report["sectors"] = {name: full[name] for name in SECTOR_NAMES}
    report["added"] = sorted(names - members)
    report["removed"] = sorted(members - names)
    return report, names


def calculate(data):
    hours, first = read_prices(data)
    funding, table, listing = read_funding(data), read_sectors(), read_listing(data)
    end = max(bars[-1][0] for bars in hours.values()) + HOUR

    def sector(coin, tags):
        tagged = [TAGS[tag.lower()] for tag in tags if tag.lower() in TAGS]
        return table.get(one_of(coin)) or (tagged or ["OTHER"])[0]

    def of_listing(symbol, row):
        return {
            "not": requirement(row),
            "lot": filters(row),
            "onboard": first.get(symbol, row["onboardDate"]),
            "sector": sector(row["baseAsset"], row["underlyingSubType"]),
        }

    def of_recording(symbol):
        row = listing.get(symbol)
        lot = filters(row) if row else (Fraction(1), Fraction(1), Fraction(5))
        what = "pegged" if symbol == "USDCUSDT" else None
        return {"not": what, "lot": lot, "onboard": first[symbol], "sector": sector(symbol[:-4], [])}

    worlds = {
        "recorded": ({symbol: of_recording(symbol) for symbol in hours}, []),
        "listed": (
            {symbol: of_listing(symbol, row) for symbol, row in listing.items()},
            sorted(set(hours) - set(listing)),
        ),
    }
    beyond = [symbol for symbol, prints in funding.items() if abs(funding_of_plain_week(prints)) > 1]
    paid = {symbol: funding_a_year(prints, NOW)[0] for symbol, prints in funding.items()}
    really = [symbol for symbol, yearly in paid.items() if abs(yearly) > 1]
    report = {
        "contracts": len(hours),
        "funding_beyond_by_plain_mean": sorted(beyond),
        "funding_beyond": {symbol: plain(paid[symbol]) for symbol in sorted(really)},
    }
    for name, (coins, unlisted) in worlds.items():
        world = {"coins": coins, "unlisted": unlisted, "funding": funding, "end": end}
        before, members = scan(world, hours, end - 5 * DAY, set())
        later, _ = scan(world, hours, end, members)
        empty, _ = scan(world, hours, end, set())
        report[name] = {"members": sorted(members), "first": empty, "next": later}
    five = {"AI", "MEME", "L1/L2", "RWA", "DEFI"}
    coins = {
        symbol: dict(coin, sector=coin["sector"] if coin["sector"] in five else "L1/L2")
        for symbol, coin in worlds["recorded"][0].items()
    }
    world = {"coins": coins, "unlisted": [], "funding": funding, "end": end}
    report["five"], _ = scan(world, hours, end, set(), top=300, min_volume=2_000_000)
    reasons = collections.Counter(row.split()[2] for row in report["five"]["rejected"])
    report["five"]["rejected"] = [f"{count} {why}" for why, count in sorted(reasons.items())]
    return report


def main():
    found = calculate(sys.argv[1])
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if "--check" not in sys.argv:
        print(text, end="")
        return
    with open(EXPECTED, encoding="utf-8") as file:
        if file.read() != text:
            raise SystemExit(f"{EXPECTED} is not what the recorded data give: write it anew and look at the difference")
    print(f"{EXPECTED} is what the recorded data give")


if __name__ == "__main__":
    main()
