"""`--demo` never leaves this machine, whatever the environment, a file or the command line say.

usage: demo.py REBAL

A simulated exchange holds a position and one server counts whoever knocks: nothing may reach either.
"""
import os
import socket
import subprocess
import sys
import threading

from harness import Checks, Home, Sim

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that


class Door:
    """Counts connections and answers none."""

    def __init__(self):
        self.knocks, self.server = 0, socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                self.server.accept()[0].close()
            except OSError:
                return
            self.knocks += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()


COMMANDS = [("rebalance", "--yes"), ("risk-check",), ("plan",), ("report",), ("funding",), ("scan", "--set", "basket.symbols=[]"),
            ("doctor", "--send-test"), ("report", "--day", "--send"), ("flatten", "--yes", "--no-halt")]


def untouched(sim, before):
    """What the exchange was asked and holds, but for our own looks at it."""
    now = sim.state()
    ours = [request for request in now["requests"] if not request["path"].startswith("/sim/")]
    return (now["positions"], len(now["orders"]), len(ours)) == before


with Sim(rebal, equity="400") as sim, Door() as door, Home(rebal) as home:
    sim.call("POST", "/sim/trade", {"symbol": "ADAUSDT", "qty": "100"})
    state = sim.state()
    before = (state["positions"], len(state["orders"]), len([r for r in state["requests"] if not r["path"].startswith("/sim/")]))
    that("there is something to lose", len(state["positions"]) == 1, state["positions"])
    home.command = lambda *arguments, state=None: [rebal, "--demo", "--state-dir", home.state, *arguments]
    away = {"REBAL__EXCHANGE__BASE_URL": sim.url, "REBAL__HEARTBEAT__URL": f"{door.url}/beat", "REBAL__TELEGRAM__ENABLED": "true",
            "REBAL__TELEGRAM__CHAT_ID": "42", "REBAL__TELEGRAM__API_URL": door.url, "REBAL_TELEGRAM_TOKEN": "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"}
    for more in ({"REBAL__MODE": "live"}, {"REBAL__MODE": "testnet"}, {"REBAL__PAPER__PRICES": "live"}):
        env = {**home.environment(), **away, **more}
        for command in COMMANDS:
            code, out, err = home.run(*command, env=env)
            notes = [line for line in err.splitlines() if "not heeded" in line]
            that(f"{more} {command[0]}: the demo, and one line says what was not heeded",
                 "PAPER" in out + err and len(notes) == 1 and all(name in notes[0] for name in [*more, *[n for n in away if "__" in n]])
                 or command[-1] == "--send" and code == 2 and len(notes) == 1, (code, out[:200], err))
            that(f"{more} {command[0]}: nobody was asked anything", untouched(sim, before) and door.knocks == 0, door.knocks)

    file = os.path.join(home.folder, "testnet.toml")
    with open(file, "w") as testnet:
        testnet.write(f'mode = "testnet"\n[exchange]\nbase_url = "{sim.url}"\n')
    asked = [("--config", file), ("--set", "mode=live"), ("--set", "mode=testnet"), ("--set", "paper.prices=live"), ("--set", f"exchange.base_url={sim.url}"),
             ("--set", "telegram.enabled=true"), ("--set", f"heartbeat.url={door.url}/beat")]
    for words in asked:
        for command in COMMANDS:
            code, report = home.json(*words, *command)
            if command[0] == "doctor":
                named = [row["found"] + row.get("fix", "") for row in report.get("checks", []) if row["name"] == "configuration"]
                that(f"{words[1]} doctor: refused in its row", code == 2 and "--demo" in str(named), (code, named))
            else:
                that(f"{words[1]} {command[0]}: refused with what to leave away",
                     code == 2 and report.get("kind") == "config" and "leave --demo away" in report["hint"], (code, report))
            that(f"{words[1]} {command[0]}: nobody was asked anything", untouched(sim, before) and door.knocks == 0, door.knocks)
    code, report = home.json("backtest", "--data", home.folder, "--fetch")
    that("backtest --fetch is refused", code == 2 and "--demo" in report["message"], report)



def clock(home):
    return home.json("plan", "--dry-run")[1]["at"]


with Home(rebal) as home:
    home.command = lambda *arguments, state=None: [rebal, "--demo", "--state-dir", home.state, *arguments]
    home.run("rebalance")
    before = clock(home)
    code, report = home.json("rebalance", "--plan", "/dev/null")
    that("a plan that is none is refused, and the paper clock stands", code == 2 and "not a plan" in report["message"] and clock(home) == before, (code, report, before, clock(home)))
    code, _, err = home.run("plan", "--format", "html")
    that("a plan that does not come as a page is called a plan", code == 2 and "a plan does not come as html" in err, err)
    with open("/dev/full", "w") as full:
        done = subprocess.run(home.command("plan"), stdout=full, stderr=subprocess.PIPE, text=True, env=home.environment(), stdin=subprocess.DEVNULL)
    that("a full disk behind stdout is no bug", done.returncode == 10 and "stdout" in done.stderr and "make room" in done.stderr, (done.returncode, done.stderr))
    home.run("rebalance")
    code, out, _ = home.run("report", "--week")
    that("five minutes have no rate per day", code == 0 and "per day" not in out and "trades " in out, out)
    for form in ("table", "html"):
        code, out, err = home.run("report", "--week", "--format", form, "--out", os.path.join(home.folder, "page"))
        that(f"--out writes {form} to the file too", code == 0 and out == open(os.path.join(home.folder, "page")).read(), (code, err))

checks.end()
