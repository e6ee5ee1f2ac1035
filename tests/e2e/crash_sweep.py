"""Kills a whole command at syscall after syscall, and fails its disk: the next pass settles every time.

usage: crash_sweep.py REBAL [--every] [--only SCENARIO] [--swept NAME]

Without --every a coarse choice of points (for CI), with it every one. Needs strace; nothing else is
installed, nothing in the binary knows of it. `SWEPT` names the commands that are swept.
"""
import contextlib
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from harness import BASKET, Checks, Home, Sim, accepted_once, injected, killed, syscalls

rebal = os.path.abspath(sys.argv[1])
EVERY = "--every" in sys.argv
COARSE = 14
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
checks = Checks()
that = checks.that


class Allocation:
    """`rebalance` on an empty account: six buys.

    What is swept is a class like this one: `arguments` of the command; `parted`, whether two coins of the
    market take small market orders only; `prepare` for what goes before; `fine`, how it may end where its disk
    fails, and `unstruck`, where nothing struck; `only_written`, whether it sends nothing that it cannot write down; `points`, which of its syscalls
    are meant; `at_once`, what must hold right after it struck; and `problem`, which lets one or two normal
    passes run afterwards and says what is wrong then.
    """

    arguments = ("rebalance",)
    parted = False
    fine = {0, 5, 10}
    unstruck = 0
    only_written = True
    points = staticmethod(syscalls)

    @staticmethod
    def prepare(_sim, _home):
        pass

    @staticmethod
    def at_once(_sim, _home, _sent):
        return None

    @staticmethod
    def problem(sim, home):
        """What is wrong after one more pass behind the fence and a quiet one; None where all is well."""
        sim.advance()
        after, report = home.json("rebalance")
        again, _ = home.json("rebalance")
        positions = set(held(sim.state()))
        orders = len(sim.state()["orders"])
        well = (after, again) == (0, 0) and orders == 6 and positions == set(BASKET)
        return books(sim, home) or (None if well else (after, again, orders, sorted(positions), report.get("message")))


class Harvest(Allocation):
    """`rebalance` of a held basket: one sale, then one purchase, in a ledger that has a past."""

    @staticmethod
    def prepare(sim, home):
        allocated(sim, home)
        sim.price("ADAUSDT", "1.3")
        sim.price("XRPUSDT", "0.6")

    @staticmethod
    def problem(sim, home):
        sim.advance()
        after, report = home.json("rebalance")
        again, _ = home.json("rebalance")
        orders = sim.state()["orders"]
        sold = [order for order in orders if order["symbol"] == "ADAUSDT" and order["side"] == "SELL"]
        bought = [order for order in orders if order["symbol"] == "XRPUSDT" and not order["reduce_only"]]
        well = (after, again) == (0, 0) and (len(sold), len(bought), len(orders)) == (1, 2, 8)
        return books(sim, home) or (None if well else (after, again, len(sold), len(bought), len(orders), report.get("message")))


class Flatten(Allocation):
    """`flatten --yes` of a held basket, two coins of which close in several orders."""

    arguments = ("flatten", "--yes")
    fine = {0, 5, 8, 10}
    only_written = False
    parted = True

    @staticmethod
    def prepare(sim, home):
        allocated(sim, home)

    @staticmethod
    def at_once(sim, home, sent):
        """Nothing is sent before the latch is on the disk, in one half of it at least."""
        return f"{sent} orders and no latch" if sent and not halted(home) else None

    @staticmethod
    def problem(sim, home):
        """Halted, a pass goes on closing; not halted, nothing was sent and the command is given again. Then
        the account is flat, both halves of the latch name the same halt, and passes refuse."""
        sim.advance()
        begun = latch(home)
        if begun:
            code, report = home.json("rebalance")
            well = code in (6, 7)
        else:
            code, report = home.json("flatten", "--yes")
            well = code == 0
        return stays_shut(sim, home, begun) if well else (code, begun, latch(home), held(sim.state()), report)


class Stopped(Allocation):
    """`rebalance` whose hard stop fires: the account lost more than `risk.max_drawdown`."""

    fine = {5, 7, 8, 10}
    unstruck = 7
    only_written = False
    parted = True
    at_once = Flatten.at_once

    @staticmethod
    def prepare(sim, home):
        allocated(sim, home)
        for symbol in BASKET:
            sim.price(symbol, "0.4")

    @staticmethod
    def problem(sim, home):
        """Killed before the latch, the next pass stops (7); after it, passes go on closing or refuse (6)."""
        sim.advance()
        begun = latch(home)
        code, report = home.json("rebalance")
        bought = [order for order in sim.state()["orders"][len(BASKET):] if not order["reduce_only"]]
        well = code in (6, 7) and not bought
        return stays_shut(sim, home, begun) if well else (code, begun, latch(home), held(sim.state()), bought, report)


def stays_shut(sim, home, begun):
    """What is wrong where everything was to be closed: it must be flat, and halted under the name that a half
    of the latch already had, however often a pass is tried; and the way back must lead to whole books."""
    lost = unwritten(sim, home)
    # A look settles what never reached the exchange.
    codes = [home.json(command)[0] for command in ("rebalance", "risk-check", "rebalance")]
    now = latch(home)
    names = {*now.values(), *begun.values()}
    if codes != [6, 6, 6] or held(sim.state()) or not now or len(names) != 1:
        return (codes, held(sim.state()), begun, now, lost)
    if not lost:
        return books(sim, home)
    # Closed without its ledger, which a failing disk may ask for: a person looks, and takes it over.
    code, report = home.json("risk-check", "--resume", "--confirm", names.pop())
    home.json("risk-check")
    # 5 where an order of before was still unresolved: that look is behind its fence, and the next one is as well.
    return books(sim, home) if code in (0, 5) and not latch(home) else ("resumed", code, latch(home), report)


def unwritten(sim, home):
    """Orders of ours that the exchange accepted and the ledger does not know."""
    known = {name for name, in rows(home, "SELECT client_id FROM intent")}
    return [order["client_order_id"] for order in sim.state()["orders"] if order["client_order_id"] not in known]


def allocated(sim, home):
    code, report = home.json("rebalance")
    if code != 0:
        raise SystemExit(f"the allocation before the sweep failed: {report}")
    sim.advance()


def held(state):
    return {row["symbol"]: Decimal(row["qty"]) for row in state["positions"] if Decimal(row["qty"])}


def latch(home):
    """The name of the halt in each half of the latch that holds."""
    path = os.path.join(home.state, "HALT")
    names = {"ledger": name for name, in rows(home, "SELECT id FROM halt WHERE cleared_at IS NULL")}
    if os.path.exists(path):
        with open(path) as file:
            names["file"] = file.readline().split()[-1]
    return names


def halted(home):
    return bool(latch(home))


@contextlib.contextmanager
def ledger_of(home):
    """A copy of the ledger: whoever opened the ledger itself would tidy up after the dead."""
    with tempfile.TemporaryDirectory() as folder:
        for name in os.listdir(home.state) if os.path.isdir(home.state) else ():
            if name.startswith("ledger.db"):
                shutil.copy(os.path.join(home.state, name), folder)
        ledger = sqlite3.connect(os.path.join(folder, "ledger.db"))
        try:
            yield ledger
        finally:
            ledger.close()


def rows(home, sql):
    """What the ledger answers; nothing where its tables were not made yet."""
    with ledger_of(home) as ledger:
        made = ledger.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        return ledger.execute(sql).fetchall() if made else []


def books(sim, home):
    """What holds whatever was swept: no id was accepted twice, our books are the exchange's, nothing is open."""
    state = sim.state()
    ours = {symbol: Decimal(qty) for symbol, qty in rows(home, "SELECT symbol, qty FROM position") if Decimal(qty)}
    left = rows(home, "SELECT client_id, state FROM intent WHERE state IN ('planned', 'sending', 'unknown', 'accepted')")
    if not accepted_once(state):
        return ("an id was accepted twice", [order["client_order_id"] for order in state["orders"]])
    return None if (ours, left) == (held(state), []) else ("our books", ours, "the exchange's", held(state), "open", left)


FIRST_SCHEMA = re.search(r'const FIRST: &str = "\n(.*?)\n";', open(os.path.join(ROOT, "src/ledger/schema.rs")).read(), re.S)[1].replace('\\"', '"')


class Migration(Harvest):
    """`rebalance` with a ledger of the first schema: at each moment it is whole, at schema 1 or 2."""

    fine = {0, 5, 10}

    @staticmethod
    def prepare(sim, home):
        allocated(sim, home)
        aged(home)
        sim.price("ADAUSDT", "1.3")
        sim.price("XRPUSDT", "0.6")

    @staticmethod
    def points(trace):
        """Those before it first speaks to the exchange: by then the ledger is open."""
        with open(trace, errors="replace") as lines:
            text = lines.read()
        with open(trace, "w") as file:
            file.write(text[:text.index(" connect(")].rsplit("\n", 1)[0] + "\n")
        return syscalls(trace)

    @staticmethod
    def at_once(_sim, home, _sent):
        """Everything that the old one held is there, and the new tables are either all there or none is."""
        with ledger_of(home) as ledger:
            schema = ledger.execute("PRAGMA user_version").fetchone()[0]
            tables = {name for name, in ledger.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            columns = {name for _, name, *_ in ledger.execute("PRAGMA table_info(halt)")}
            kept = {sql: ledger.execute(sql).fetchall() for sql in KEPT}
            whole = ledger.execute("PRAGMA integrity_check").fetchone()[0]
        is_new = {"outbox" in tables, "alert" in tables, "flat_at" in columns, "scope" in columns, "sample" in tables, schema != 1}
        rows_are_there = all(len(kept[sql]) >= least for sql, least in KEPT.items())
        well = len(is_new) == 1 and whole == "ok" and rows_are_there
        return None if well else (schema, is_new, whole, {sql: len(found) for sql, found in kept.items()})

    @staticmethod
    def problem(sim, home):
        wrong = Harvest.problem(sim, home)
        lifted = rows(home, "SELECT id, flat_at, scope FROM halt")
        return wrong or (None if lifted == [("h1", 1000, "")] else ("the old halt", lifted))


# What the old ledger held, and how many rows of it there are at least.
KEPT = {
    "SELECT * FROM intent WHERE state = 'done'": 6, "SELECT * FROM fill": 6, "SELECT * FROM position": 6, "SELECT * FROM pass": 1,
    "SELECT * FROM equity": 1, "SELECT * FROM meta": 2, "SELECT id, at, reason, cleared_at FROM halt WHERE id = 'h1' AND cleared_at = 2000": 1,
}


def aged(home):
    """The ledger as the first release would have left it: its tables, this one's rows, and a halt that was lifted."""
    new = os.path.join(home.state, "ledger.db")
    old = os.path.join(home.state, "old.db")
    ledger = sqlite3.connect(old)
    ledger.executescript(FIRST_SCHEMA)
    ledger.execute("ATTACH ? AS new", (new,))
    for name, in ledger.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'").fetchall():
        columns = ", ".join(f'"{column}"' for _, column, *_ in ledger.execute(f'PRAGMA main.table_info("{name}")').fetchall())
        ledger.execute(f'INSERT INTO main."{name}" ({columns}) SELECT {columns} FROM new."{name}"')
    ledger.execute("INSERT INTO halt (id, at, reason, cleared_at) VALUES ('h1', 1000, 'an old one', 2000)")
    ledger.execute(f"PRAGMA application_id = {0x7265626c}")
    ledger.execute("PRAGMA user_version = 1")
    ledger.commit()
    ledger.execute("DETACH new")
    # As it leaves it: every ledger is in this mode.
    ledger.execute("PRAGMA journal_mode = WAL")
    ledger.close()
    os.replace(old, new)


class Creation(Allocation):
    """`plan`, which makes the ledger (and would migrate an older one): all of it or nothing."""

    arguments = ("plan",)


# A command is swept by its name here.
SWEPT = {"allocation": Allocation, "harvest": Harvest, "flatten": Flatten, "stop": Stopped, "migration": Migration}
if "--swept" in sys.argv:
    SWEPT = {name: what for name, what in SWEPT.items() if name == sys.argv[sys.argv.index("--swept") + 1]}


def world(what):
    """The simulated exchange that it is swept against."""
    return Sim(rebal, "--symbols", coins, *(("--exchange-info", parted) if what.parted else ()))


def once(what, where, label, *more):
    """Runs the command with that injection. Its exit code, and whether all was well in the end."""
    with world(what) as sim, Home(rebal, sim.url) as home:
        what.prepare(sim, home)
        before = len(sim.state()["orders"])
        code, _, _ = home.run(*what.arguments, wrap=injected(where, *more))
        sent = len(sim.state()["orders"]) - before
        problem = what.at_once(sim, home, sent)
        if problem is None and (killed(code) or what.only_written) and unwritten(sim, home):
            problem = ("the ledger does not know", unwritten(sim, home))
        problem = problem or what.problem(sim, home)
        if code == 10 and sent and what.only_written:
            problem = f"10 says that nothing was sent, and {sent} orders were"
        if problem is not None:
            that(label, False, (code, problem))
        return code, problem is None


def each(calls):
    """`once` for each of these; passes that look for lost orders mostly wait, so some run at a time."""
    with ThreadPoolExecutor(6) as pool:
        return [ended.result() for ended in [pool.submit(once, *call) for call in calls]]


def points_of(what):
    with world(what) as sim, Home(rebal, sim.url) as home:
        what.prepare(sim, home)
        trace = os.path.join(home.folder, "trace")
        home.run(*what.arguments, wrap=("strace", "-f", "-o", trace))
        return what.points(trace)


def each_sync(what, inject, label, least, fine, most=99):
    """Every fsync and fdatasync of the command in turn, or a choice of `most` of them."""
    last = max(number for call, number in points_of(what) if call in ("fsync", "fdatasync"))
    step = 1 if EVERY else max(1, last // most)
    results = each((what, inject.format(number), f"{label} number {number}") for number in range(1, last + 1, step))
    # How often the log is synced differs by one or two from run to run; beyond its end nothing strikes.
    struck = sum(fine(code) for code, _ in results)
    that(f"{label}: at {struck} of {len(results)} points out of {last}, and all was well each time",
         struck >= max(least, len(results) * 3 // 4) and all(well and (fine(code) or code == what.unstruck) for code, well in results), results)


def durable_steps():
    for name, what in SWEPT.items():
        each_sync(what, "fsync,fdatasync:signal=SIGKILL:when={}", f"{name}: killed at durable step", 3, killed)


def kill_at_syscalls(name, what, coarse):
    points = points_of(what)
    chosen = points if EVERY else random.Random(11).sample(points, min(coarse, len(points)))
    results = each((what, f"{call}:signal=SIGKILL:when={number}", f"{name}: killed at {call} number {number}") for call, number in chosen)
    struck = sum(killed(code) for code, _ in results)
    that(f"{name}: killed at {struck} of {len(results)} syscalls out of {len(points)}, and all was well each time",
         struck >= len(results) // 2 and all(well for _, well in results), struck)


def syscalls_sweep():
    for name, what in SWEPT.items():
        kill_at_syscalls(name, what, COARSE)


def creation():
    each_sync(Creation, "fsync,fdatasync:signal=SIGKILL:when={}", "creation: killed at durable step", 1, killed)
    kill_at_syscalls("creation", Creation, COARSE // 3)


def fsync_errors():
    for name, what in SWEPT.items():
        each_sync(what, "fsync,fdatasync:error=EIO:when={}", f"{name}: EIO of fsync", 3, what.fine.__contains__, 6)


def disk_full():
    """ENOSPC from the n-th write of the ledger on, in a disk that stays full, and once."""
    for name, what in SWEPT.items():
        writes = max((number for call, number in points_of(what) if call == "pwrite64"), default=0)
        step = 1 if EVERY else max(1, writes // 4)
        at = [f"{number}{times}" for number in range(1, writes + 1, step) for times in ("", "+")]
        results = each((what, f"pwrite64:error=ENOSPC:when={when}", f"{name}: ENOSPC at write {when}") for when in at)
        codes = [code for code, _ in results]
        noticed = len(codes) - codes.count(what.unstruck) >= len(codes) // 2
        that(f"{name}: a full disk at {len(codes)} points ({codes.count(10)} ended with 10, {codes.count(5)} with 5), and all was well each time",
             noticed and all(well and code in what.fine for code, well in results), codes)


def read_only():
    """Nothing may be written: 10 before any request."""
    for name in ("lock", "ledger.db"):
        with Sim(rebal) as sim, Home(rebal, sim.url) as home:
            os.makedirs(home.state)
            path = os.path.join(home.state, name)
            code, _, err = home.run("rebalance", wrap=injected("openat:error=EROFS", "-P", path))
            that(f"{name} on a read-only file system: 10 before any request", code == 10 and not sim.state()["requests"], (code, err))


def durable_before_sent():
    """No order leaves between a write to the log and its fsync; SENDING is on disk before its first byte."""
    with world(Allocation) as sim, Home(rebal, sim.url) as home:
        trace = os.path.join(home.folder, "trace")
        home.run("rebalance", wrap=("strace", "-f", "-y", "-s", "64", "-o", trace, "-e", "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg"))
        dirty, synced, orders, early = False, False, 0, 0
        with open(trace, errors="replace") as lines:
            for line in lines:
                if re.search(r"pwrite64\(\d+<[^>]*ledger\.db-wal>", line):
                    dirty = True
                elif re.search(r"f(data)?sync\(\d+<[^>]*ledger\.db-wal>", line):
                    dirty, synced = False, True
                elif "POST /fapi/v1/order " in line:
                    orders += 1
                    early += dirty or not synced
        that(f"{orders} orders left, none before its intent was on disk", orders == 6 and early == 0, (orders, early))


def small_market(folder):
    """Two files: the contracts of a small market, and its listing with small market orders only in two of them."""
    names, listing = os.path.join(folder, "coins"), os.path.join(folder, "listing.json")
    with open(names, "w") as file:
        file.write("\n".join(BASKET))
    with Sim(rebal, "--symbols", names) as sim:
        info = sim.call("GET", "/fapi/v1/exchangeInfo")
    for row in info["symbols"]:
        for rule in row["filters"]:
            if rule["filterType"] == "MARKET_LOT_SIZE" and row["symbol"] in ("ADAUSDT", "DOGEUSDT"):
                rule["maxQty"] = "20"
    with open(listing, "w") as file:
        json.dump(info, file)
    return names, listing


scenarios = (durable_before_sent, durable_steps, syscalls_sweep, creation, fsync_errors, disk_full, read_only)
only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else None
with tempfile.TemporaryDirectory(prefix="rebal-coins-") as folder:
    coins, parted = small_market(folder)
    for scenario in scenarios:
        if only in (None, scenario.__name__):
            started = time.monotonic()
            print(f"\n-- {scenario.__name__}", flush=True)
            scenario()
            print(f"   {time.monotonic() - started:.0f} s", flush=True)
checks.end()
