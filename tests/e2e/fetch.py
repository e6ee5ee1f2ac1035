"""`rebal backtest --fetch` against `rebal sim`: both venues, interrupted and resumed, refused, answered with rubbish.

usage: fetch.py REBAL
"""
import csv
import fcntl
import gzip
import hashlib
import json
import os
import pty
import signal
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

    def arguments(self, begin, end, *more, interval="5m"):
        funding = ["--funding", self.funding] if self.venue == "binance-usdm" else []
        return ["backtest", "--fetch", "--data", self.data, *funding, "--from", stamp(begin), "--to", stamp(end),
                "--interval", interval, f"--set=venue={self.venue}", *more]

    def fetch(self, begin, end, interval="5m", *more):
        code, out, err = self.home.run(*self.arguments(begin, end, "--json", *more, interval=interval))
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


def beside(sim, home, begin, end):
    """A folder that holds something else of a coin is left as it is, unless both can be read together."""
    archive = Archive(home, "futures")
    with open(f"{archive.data}/{COINS[0]}-5m.csv") as file:
        header, *lines = file.read().splitlines()
    middle = begin + 100 * STEP
    hours = [f"{begin + hour * 3_600_000},1,1,1,1,1,{begin + (hour + 1) * 3_600_000 - 1},1" for hour in range(3)]
    for name, text, said in (("1h.csv.gz", hours, "holds bars of 1h, and none of 5m can be read beside them"),
                             ("5m-2025.csv.gz", lines[:200], f"holds {COINS[0]} from {stamp(begin)[:19]}")):
        archive = Archive(home, f"beside-{name}")
        os.makedirs(archive.data)
        with gzip.open(f"{archive.data}/{COINS[0]}-{name}", "wt") as file:
            file.write("\n".join([header, *text]))
        before, kept = asked(sim, "/fapi/v1/klines"), contents(archive.data)
        code, told, _ = archive.fetch(middle, end)
        checks.that(f"{name} beside it: refused before anything is asked or changed", code == 2 and said in told["message"] and "nothing was changed" in told["hint"]
                    and asked(sim, "/fapi/v1/klines") == before and contents(archive.data) == kept, told)
    code, told, err = archive.fetch(begin + 200 * STEP, end)
    checks.that("a download goes on behind a recorded file", code == 0 and told["bars"] == 2300 and archive.fetch(begin, end)[1]["bars"] == 2500, (told, err))


def told(sim, home, begin, end):
    """What ends a download early says of what, and what is left."""
    archive = Archive(home, "unknown")
    coins = json.dumps([COINS[0], "NOPEUSDT"])
    code, said, _ = archive.fetch(begin, end, "5m", f"--set=basket.symbols={coins}")
    checks.that("a coin that the exchange has not is named before anything is downloaded", code == 2 and said["message"].startswith("NOPEUSDT: ")
                and "check the spelling in basket.symbols" in said["hint"] and archive.files() == {}, (code, said, archive.files()))

    archive = Archive(home, "down")
    code, said, _ = archive.fetch(begin, end, "5m", "--set=exchange.base_url=http://127.0.0.1:9")
    checks.that("an exchange that is not there leaves nothing", code == 4 and said["hint"].endswith("nothing was changed") and not os.path.exists(archive.data), (code, said))

    archive = Archive(home, "held")
    os.makedirs(archive.data)
    with open(f"{archive.data}/.rebal-fetch.lock", "w") as lock:
        lock.write("process 4242\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said, _ = archive.fetch(begin, end)
        checks.that("a second download into a folder is told who fills it", code == 3 and "(process 4242)" in said["message"] and archive.files() == {}, (code, said))
    code, said, err = archive.fetch(begin, end)
    checks.that("which ends with that one", code == 0, (said, err))

    archive = Archive(home, "signal")
    first = f"{archive.data}/{COINS[0]}-5m.csv"
    sim.faults({"match": "GET /fapi/v1/klines", "nth": 2, "times": 1, "do": "delay:60000"})
    ran = subprocess.Popen(home.command(*archive.arguments(begin, end, "--set=exchange.timeout_ms=60000")), env=home.environment(), stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    # The first page is on disk, and the second is not answered.
    while not (os.path.exists(first) and len(rows(archive.data, f"{COINS[0]}-5m.csv")) >= 1000) and ran.poll() is None:
        pass
    ran.send_signal(signal.SIGINT)
    _, err = ran.communicate(timeout=30)
    checks.that("an interrupted one says what is kept", ran.returncode == 130 and "interrupted: 0 of 2 coins are whole" in err and "what was downloaded is kept" in err
                and len(rows(archive.data, f"{COINS[0]}-5m.csv")) == 1000, (ran.returncode, err))
    sim.faults()

    archive = Archive(home, "watched")
    ours, theirs = pty.openpty()
    ran = subprocess.Popen(home.command(*archive.arguments(begin, end)), env=home.environment() | {"TERM": "xterm"}, stdout=subprocess.DEVNULL, stderr=theirs,
                           stdin=subprocess.DEVNULL)
    os.close(theirs)
    seen = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:
            break
        if not read:
            break
        seen += read
    ran.wait(timeout=30)
    checks.that("who watches sees bars go by, not coins", b" 1000/5000 " in seen, seen)


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
        beside(sim, home, begin, end)
        told(sim, home, begin, end)
        spot(sim, home, now)
    checks.end()


main()
