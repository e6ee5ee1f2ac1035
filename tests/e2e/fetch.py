"""`rebal backtest --fetch` against `rebal sim`: both venues, interrupted and resumed, refused, answered with rubbish.

usage: fetch.py REBAL
"""
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime, timezone

from harness import Checks, Home, Sim

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
COINS = ["ADAUSDT", "XRPUSDT"]
STEP = 300_000


def stamp(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def contents(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        if not name.startswith("."):
            with open(f"{folder}/{name}", "rb") as file:
                found[name] = file.read()
    return found


def rows(folder, name):
    with open(f"{folder}/{name}", newline="") as file:
        return list(csv.DictReader(file))


class Archive:
    """A folder of data and the command that fills it."""

    def __init__(self, home, name, venue="binance-usdm"):
        self.home, self.venue = home, venue
        self.data, self.funding = f"{home.folder}/{name}", f"{home.folder}/{name}-funding"

    def fetch(self, begin, end, interval="5m"):
        funding = ["--funding", self.funding] if self.venue == "binance-usdm" else []
        code, out, err = self.home.run("backtest", "--fetch", "--data", self.data, *funding, "--from", stamp(begin), "--to", stamp(end),
                                       "--interval", interval, f"--set=venue={self.venue}", "--json")
        return code, json.loads(out) if out else {}, err

    def files(self):
        """All but the listing, of which no two answers are alike."""
        files = contents(self.data) | (contents(self.funding) if self.venue == "binance-usdm" else {})
        return {name: text for name, text in files.items() if not name.startswith("exchangeInfo")}


def asked(sim, path):
    return sum(request["path"] == path for request in sim.state()["requests"])


def whole(sim, archive, coin, begin, end, path="/fapi/v1/klines"):
    """The file is what the exchange says, row for row, and its digest is that of the file."""
    expected, since = [], begin
    while since < end:
        page = sim.call("GET", f"{path}?symbol={coin}&interval=5m&startTime={since}&endTime={end - 1}&limit=1000")
        expected += [[str(row[0]), *(f"{float(cell):.8f}" for cell in row[1:6])] for row in page]
        if len(page) < 1000:
            break
        since = page[-1][0] + STEP
    found = rows(archive.data, f"{coin}-5m.csv")
    found = [[row["open_time"], *(f"{float(row[key]):.8f}" for key in ("open", "high", "low", "close", "volume"))] for row in found]
    with open(f"{archive.data}/{coin}-5m.csv", "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    with open(f"{archive.data}/{coin}-5m.csv.CHECKSUM") as file:
        told = file.read().splitlines()[1].split()[0]
    sums = subprocess.run(["sha256sum", "-c", "--quiet", f"{coin}-5m.csv.CHECKSUM"], cwd=archive.data, capture_output=True)
    return found == expected and len(found) == (end - begin) // STEP and told == digest and sums.returncode == 0


def futures(sim, home, now):
    begin, middle, end = now - 2500 * STEP, now - 900 * STEP, now
    archive = Archive(home, "futures")
    code, told, err = archive.fetch(begin, middle)
    checks.that("futures: downloaded and walked over", code == 0 and told.get("bars") == 1600, (code, told, err))
    checks.that("futures: every bar is the exchange's, the digest is the file's", all(whole(sim, archive, coin, begin, middle) for coin in COINS))
    prints = sim.call("GET", f"/fapi/v1/fundingRate?symbol={COINS[0]}&startTime={begin}&endTime={middle}&limit=1000")
    found = rows(archive.funding, f"{COINS[0]}-fundingRate.csv")
    checks.that("futures: every settlement is the exchange's", len(prints) > 10 and [(row["calc_time"], float(row["last_funding_rate"])) for row in found]
                == [(str(row["fundingTime"]), float(row["fundingRate"])) for row in prints], (len(prints), len(found)))
    checks.that("futures: the listing is the archive's own", told.get("rules", "").startswith("exchangeInfo_"), told.get("rules"))

    before = asked(sim, "/fapi/v1/klines")
    code, told, err = archive.fetch(begin, end)
    checks.that("futures: the next run goes on from the last bar", code == 0 and told["bars"] == 2500 and asked(sim, "/fapi/v1/klines") - before == len(COINS)
                and all(whole(sim, archive, coin, begin, end) for coin in COINS), (code, told, err))
    kept = archive.files()
    code, told, err = archive.fetch(begin, end)
    checks.that("futures: nothing new changes nothing", code == 0 and archive.files() == kept, err)
    return begin, end, kept


def interrupted(sim, home, begin, end, kept):
    """Whatever goes wrong, in the end the files are those of an undisturbed download."""
    def same(archive):
        return archive.files() == kept

    archive = Archive(home, "torn")
    path = "GET /fapi/v1/klines"
    sim.faults(*[{"match": path, "nth": nth, "times": 1, "do": what} for nth, what in ((2, "truncate:500"), (3, "drop"), (4, "reply:502:<html>no</html>"), (5, "reply:200:[[1,2"))])
    code, _, err = archive.fetch(begin, end)
    checks.that("torn, dropped and unreadable answers are asked for again", code == 0 and same(archive), err)

    archive = Archive(home, "refused")
    until = sim.call("GET", "/fapi/v1/time")["serverTime"] + 1500
    body = json.dumps({"code": -1003, "msg": f"Way too many requests; IP(127.0.0.1) banned until {until}."})
    sim.faults({"match": path, "nth": 2, "times": 1, "do": f"reply:429:{body}"})
    code, _, err = archive.fetch(begin, end)
    checks.that("a 429 is waited for", code == 0 and "asks for silence until" in err and same(archive), (code, err))

    archive = Archive(home, "dead")
    sim.faults({"match": path, "nth": 2, "times": 99, "do": "reply:502:<html>no</html>"})
    code, told, err = archive.fetch(begin, end)
    checks.that("an exchange that is gone ends with 4 and says how to go on", code == 4 and "goes on from there" in told.get("hint", ""), (code, told, err))
    sim.faults()
    first = rows(archive.data, f"{COINS[0]}-5m.csv")
    checks.that("what came before is kept", len(first) == 1000, len(first))
    with open(f"{archive.data}/{COINS[0]}-5m.csv", "a") as file:
        file.write("17592768")
    code, told, err = archive.fetch(begin, end)
    checks.that("the same command goes on, and half a row is cut off", code == 0 and same(archive), (code, told, err))


def refused(sim, home, begin, end):
    archive = Archive(home, "futures")
    name = f"{archive.data}/{COINS[0]}-5m.csv"
    with open(name) as file:
        text = file.read()
    with open(name, "w") as file:
        file.write(text.replace(",", ";", 1))
    code, told, _ = archive.fetch(begin, end)
    checks.that("a changed file is refused and left alone", code == 2 and "was changed or damaged since it was downloaded" in told["message"], told)
    with open(name, "w") as file:
        file.write(text)
    archive = Archive(home, "theirs")
    os.makedirs(archive.data)
    with open(f"{archive.data}/{COINS[0]}-5m.csv", "w") as file:
        file.write("mine")
    code, told, _ = archive.fetch(begin, end)
    checks.that("somebody's own file is left alone", code == 2 and "was not downloaded by rebal" in told["message"], told)
    archive = Archive(home, "word")
    code, told, _ = archive.fetch(begin, end, "7m")
    checks.that("an interval that the exchange has not is refused", code == 2 and told["message"] == "the exchange keeps no bars of 7m", told)
    archive = Archive(home, "futures")
    code, told, _ = archive.fetch(begin - 86_400_000, begin)
    checks.that("a period outside says what there is", code == 2 and "the data covers " + stamp(begin)[:19] in told["message"], told)


def spot(sim, home, now):
    begin, end = now - 1500 * STEP, now
    archive = Archive(home, "spot", "binance-spot")
    code, told, err = archive.fetch(begin, end)
    checks.that("spot: downloaded", os.path.exists(f"{archive.data}/{COINS[0]}-5m.csv"), (code, told, err))
    checks.that("spot: every bar is the exchange's", all(whole(sim, archive, coin, begin, end, "/api/v3/klines") for coin in COINS))


def main():
    with Sim(rebal) as sim, Home(rebal, sim.url, COINS) as home:
        sim.advance(3000)
        now = sim.call("GET", "/fapi/v1/time")["serverTime"]
        now -= now % STEP
        begin, end, kept = futures(sim, home, now)
        interrupted(sim, home, begin, end, kept)
        refused(sim, home, begin, end)
        spot(sim, home, now)
    checks.end()


main()
