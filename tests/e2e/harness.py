"""Starts `rebal sim`, runs the real binary against it, and counts checks. Standard library only."""
import hashlib
import hmac
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

BASKET = ["ADAUSDT", "XRPUSDT", "DOGEUSDT", "TRXUSDT", "XLMUSDT", "HBARUSDT"]


class Checks:
    """Every check is named; the last line is what CI reads."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, name, ok, detail=""):
        if ok:
            self.passed += 1
            print(f"ok    {name}")
        else:
            self.failed += 1
            print(f"FAIL  {name}  {detail}")

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        raise SystemExit(1 if self.failed else 0)


class Sim:
    """`rebal sim` on a free loopback port, ended by its process id."""

    def __init__(self, rebal, *flags, clock="manual", equity="200"):
        self.process = subprocess.Popen(
            [rebal, "sim", "--listen", "127.0.0.1:0", "--clock", clock, "--equity", equity, *flags],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if "listening on " not in line:
            raise SystemExit(f"rebal sim did not start: {line} {self.process.stderr.read()}")
        self.url = line.split("listening on ")[1].strip()

    def call(self, method, path, body=None, headers=None):
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            return {"http": error.code, "body": error.read().decode()}

    def state(self):
        return self.call("GET", "/sim/state")

    def advance(self, bars=1):
        return self.call("POST", "/sim/advance", {"bars": bars})

    def faults(self, *faults):
        return self.call("POST", "/sim/faults", list(faults))

    def price(self, symbol, factor):
        return self.call("POST", "/sim/price", {"symbol": symbol, "factor": str(factor)})

    def signed(self, method, path, key="sim", secret="sim", **params):
        now = self.call("GET", "/fapi/v1/time")["serverTime"]
        query = urllib.parse.urlencode({**params, "timestamp": now})
        signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return self.call(method, f"{path}?{query}&signature={signature}", headers={"X-MBX-APIKEY": key})

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Home:
    """A throw-away state folder and what is run in it."""

    def __init__(self, rebal, url=None, symbols=BASKET, **values):
        self.rebal, self.folder = rebal, tempfile.mkdtemp(prefix="rebal-e2e-")
        self.config = os.path.join(self.folder, "rebal.toml")
        self.state = os.path.join(self.folder, "state")
        lines = ['mode = "testnet"' if url else 'mode = "paper"']
        if url:
            lines += ["[exchange]", f'base_url = "{url}"']
        lines += ["[basket]", f"symbols = {json.dumps(list(symbols))}"]
        with open(self.config, "w") as file:
            file.write("\n".join(lines) + "\n")
        self.values = values

    def environment(self, key="sim", secret="sim"):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REBAL")}
        return {**kept, "REBAL_API_KEY": key, "REBAL_API_SECRET": secret}

    def command(self, *arguments, state=None):
        sets = [f"--set={key.replace('__', '.')}={value}" for key, value in self.values.items()]
        return [self.rebal, *arguments, "--config", self.config, "--state-dir", state or self.state, *sets]

    def run(self, *arguments, state=None, env=None, wrap=(), timeout=120):
        done = subprocess.run([*wrap, *self.command(*arguments, state=state)], capture_output=True, text=True,
                              env=env or self.environment(), stdin=subprocess.DEVNULL, timeout=timeout)
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments, **options):
        code, out, err = self.run(*arguments, "--json", **options)
        try:
            return code, json.loads(out)
        except ValueError:
            return code, {"unreadable": out, "stderr": err}

    def trades(self):
        with open(os.path.join(self.state, "trades.csv")) as file:
            return file.read().splitlines()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def accepted_once(state):
    """No client id was accepted twice."""
    ids = [order["client_order_id"] for order in state["orders"]]
    return len(ids) == len(set(ids))


def injected(where, *more):
    """What to put before a command so that strace injects there: `fsync:error=EIO:when=2`."""
    return ("strace", "-f", "-qq", "-o", "/dev/null", *more, "-e", f"inject={where}")


def killed(code):
    """Whether a process run under strace died of SIGKILL."""
    return code in (-signal.SIGKILL, 137)


def syscalls(trace):
    """Every point `(name, number)` of a trace written by `strace -f -o`, at which strace can strike."""
    counts, points = {}, set()
    with open(trace, errors="replace") as lines:
        for line in lines:
            thread, call = line.split(None, 1)
            name = call.split("(")[0]
            if not name.isidentifier() or name.startswith("exit"):
                continue
            # strace counts the calls of each name in each thread by themselves.
            counts[thread, name] = counts.get((thread, name), 0) + 1
            points.add((name, counts[thread, name]))
    return sorted(points)


def wait_for(condition, seconds=10):
    """Polls, bounded, for what another process does in its own time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
