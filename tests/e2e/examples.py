"""Every file of `examples/` does what it says, as it stands.

usage: examples.py REBAL

Configurations plan and trade on paper; `practice.toml` against `rebal sim`; the lines of the crontab and the loop are run by
a shell; the service and the container file are read, and every command and path in them is tried; the alerts name
metrics that exist. Completions are loaded in the shells that are installed.
"""
import configparser
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

from harness import Checks, Sim, wait_for

rebal = os.path.abspath(sys.argv[1])
root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
examples = os.path.join(root, "examples")
checks = Checks()
that = checks.that


def read(*name):
    with open(os.path.join(examples, *name)) as file:
        return file.read()


def clean(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REBAL")}
    return {**kept, **more}


def run(*arguments, **options):
    options.setdefault("env", clean())
    done = subprocess.run([rebal, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, **options)
    return done.returncode, done.stdout, done.stderr


def configurations(scratch):
    for name in sorted(name for name in os.listdir(examples) if name.endswith(".toml")):
        if name in ("practice.toml", "reference.toml"):
            continue
        common = ["--config", os.path.join(examples, name), "--state-dir", os.path.join(scratch, name)]
        if "empty = the universe" in read(name):
            code, out, err = run(*common, "scan", "--apply", "--set", "scan.source=exchange", "--json")
            that(f"{name}: a scan fills its universe", code == 0 and json.loads(out)["applied"], (code, out[:200], err))
        code, out, err = run(*common, "plan", "--dry-run", "--json")
        plan = json.loads(out)
        that(f"{name}: plans", code == 0 and plan["has_changes"] and plan["legs"], (code, out[:300], err))
        code, out, err = run(*common, "rebalance", "--json")
        done = json.loads(out)
        that(f"{name}: trades on paper", code == 0 and done["outcome"] == "traded", (code, out[:300], err))
    common = ["--config", os.path.join(examples, "reference.toml"), "--state-dir", os.path.join(scratch, "reference")]
    code, out, err = run(*common, "plan", "--dry-run", "--set", "paper.prices=synthetic", "--set", "basket.symbols=ADAUSDT", "--set", "basket.size=1")
    that("reference.toml: plans once it has prices and a coin", code == 0, (code, out[:200], err))
    with Sim(rebal) as sim:
        common = ["--config", os.path.join(examples, "practice.toml"), "--state-dir", os.path.join(scratch, "practice"), "--set", f"exchange.base_url={sim.url}"]
        code, out, err = run(*common, "rebalance", "--json", env=clean(REBAL_API_KEY="sim", REBAL_API_SECRET="sim"))
        that("practice.toml: trades against rebal sim", code == 0 and json.loads(out)["outcome"] == "traded", (code, out[:300], err))


def as_here(command, scratch):
    """A command of an example with the paths of this machine."""
    return command.replace("/usr/local/bin/rebal", f"{rebal} --demo --state-dir {scratch}/cron")


def crontab(scratch):
    lines = [line for line in read("crontab").splitlines() if line and not line.startswith("#")]
    that("the crontab has lines", len(lines) >= 3, lines)
    for line in lines:
        fields = line.split(None, 5)
        command = as_here(fields[5], scratch)
        valid = len(fields) == 6 and all(re.fullmatch(r"[\d*/,-]+", field) for field in fields[:5])
        # Cron ends a command at an unescaped percent sign.
        that(f"crontab: {fields[5]}: five fields and a command", valid and "%" not in fields[5], line)
        if "--send" in command:
            done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=clean(), timeout=120)
            that("… says on stderr that there is no chat yet", done.returncode == 2 and "telegram" in done.stderr.lower() and not done.stdout, (done.returncode, done.stderr))
            continue
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=clean(), timeout=120)
        that("… runs, and prints nothing that cron would mail", done.returncode == 0 and not done.stdout and not done.stderr, (done.returncode, done.stdout[:200], done.stderr))


def loop(scratch):
    folder = os.path.join(scratch, "bin")
    os.makedirs(folder)
    os.symlink(rebal, os.path.join(folder, "rebal"))
    state = os.path.join(scratch, "loop")
    env = clean(EVERY="1", PATH=f"{folder}:{os.environ['PATH']}")
    process = subprocess.Popen([os.path.join(examples, "loop.sh"), "--demo", "--state-dir", state], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)

    def passes():
        _, out, _ = run("--demo", "--state-dir", state, "report", "--json")
        return len(json.loads(out).get("passes", [])) >= 3

    three = wait_for(passes, 30)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    that("loop.sh: three passes, then a signal ends it", three and process.returncode == 0 and not out and not err, (process.returncode, out, err))
    wrong = subprocess.run([os.path.join(examples, "loop.sh"), "--config", "no such file"], capture_output=True, text=True, env=env, timeout=30)
    that("loop.sh ends where the configuration does not work", wrong.returncode == 2 and "no such file" in wrong.stderr, wrong.stderr)


def units(scratch):
    service, timer = (configparser.ConfigParser(strict=False, interpolation=None) for _ in range(2))
    for parser in (service, timer):
        parser.optionxform = str
    service.read(os.path.join(examples, "systemd", "rebal.service"))
    timer.read(os.path.join(examples, "systemd", "rebal.timer"))
    that("the timer is for the cadence of the default interval", timer["Timer"]["OnCalendar"] == "*:0/5", timer["Timer"]["OnCalendar"])
    # LoadCredential= puts each into a file of the folder that CREDENTIALS_DIRECTORY names.
    folder = os.path.join(scratch, "credentials")
    os.makedirs(folder)
    lines = read("systemd", "rebal.service").splitlines()
    for line in (line for line in lines if line.startswith("LoadCredential=")):
        path = os.path.join(folder, line.split("=")[1].split(":")[0])
        with open(path, "w") as file:
            file.write("sim")
        os.chmod(path, 0o400)
    set_there = dict(line.removeprefix("Environment=").split("=", 1) for line in lines if line.startswith("Environment="))
    with Sim(rebal) as sim:
        command = shlex.split(service["Service"]["ExecStart"])
        command[0] = rebal
        command[command.index("/etc/rebal/rebal.toml")] = os.path.join(examples, "practice.toml")
        command[command.index("/var/lib/rebal")] = os.path.join(scratch, "unit")
        done = subprocess.run([*command, "--set", f"exchange.base_url={sim.url}", "--json"], capture_output=True, text=True, env=clean(CREDENTIALS_DIRECTORY=folder, **set_there), timeout=120)
        that("the service's command trades with the credentials that systemd gives", done.returncode == 0 and json.loads(done.stdout)["outcome"] == "traded", (done.stdout[:200], done.stderr))
    if shutil.which("systemd-analyze"):
        copy = os.path.join(scratch, "rebal.service")
        with open(copy, "w") as file:
            file.write(read("systemd", "rebal.service").replace("/usr/local/bin/rebal", rebal))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, timeout=60)
        that("systemd finds nothing wrong with the service", done.returncode == 0 and not done.stderr.strip(), done.stderr)
    else:
        print("no systemd here: its own check of the service is skipped")


def container():
    text = read("Containerfile")
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M)
    that("the container is built from what is here", copied == ["."], copied)
    entry = json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.M)[1])
    command = json.loads(re.search(r"^CMD (.*)$", text, re.M)[1])
    with tempfile.TemporaryDirectory() as scratch:
        paths = {"/rebal.toml": os.path.join(examples, "demo.toml"), "/state": scratch}
        code, out, err = run(*(paths.get(word, word) for word in [*entry[1:], *command]))
        that("what it runs by itself is a plan", code == 0 and "rebal plan" in out, (code, out[:200], err))


def alerts(scratch):
    path = os.path.join(scratch, "rebal.prom")
    run("--demo", "--state-dir", os.path.join(scratch, "metrics"), "rebalance", "-q", "--metrics-file", path)
    with open(path) as file:
        there = set(re.findall(r"^(rebal_\w+)", file.read(), re.M))
    named = set(re.findall(r"rebal_\w+", " ".join(re.findall(r"expr: (.*)", read("prometheus-rules.yml")))))
    that("alerts ask for metrics that exist", named and named <= there, named - there)


def completions():
    """Each shell loads its file and offers `risk-check` for `rebal ris`."""
    folder = os.path.join(root, "completions")
    bash = f'. {folder}/rebal.bash; COMP_WORDS=(rebal ris); COMP_CWORD=1; _rebal rebal ris rebal; echo "${{COMPREPLY[@]}}"'
    zsh = ("autoload -Uz compinit && compinit -u -D; zmodload zsh/zpty; "
           f"fpath=({folder} $fpath); autoload -Uz _rebal; unfunction _rebal; autoload -Uz _rebal; "
           f"source {folder}/_rebal; (( $+functions[_rebal_commands] )) && print -r -- ${{(f)\"$(functions _rebal_commands)\"}}")
    tries = {
        "bash": ["bash", "--norc", "-c", bash],
        "zsh": ["zsh", "-f", "-c", zsh],
        "fish": ["fish", "--no-config", "-c", f"source {folder}/rebal.fish; complete -C'rebal ris'"],
        "pwsh": ["pwsh", "-NoProfile", "-Command", f". {folder}/_rebal.ps1; (TabExpansion2 'rebal ris' 9).CompletionMatches.CompletionText"],
    }
    for shell, command in tries.items():
        if not shutil.which(shell):
            print(f"no {shell} here: its completions are not loaded")
            continue
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(command, capture_output=True, text=True, env={**clean(), "HOME": home, "XDG_CONFIG_HOME": home}, timeout=60)
        that(f"{shell} offers risk-check", "risk-check" in done.stdout, (done.stdout[-300:], done.stderr[-300:]))
    if shutil.which("elvish"):
        that("elvish offers risk-check", "risk-check" in elvish(f"{folder}/rebal.elv"))
    else:
        print("no elvish here: its completions are not loaded")


def elvish(path):
    """What elvish offers: its editor, which completes, exists on a terminal alone."""
    with tempfile.TemporaryDirectory() as home:
        rc, answer = os.path.join(home, "rc.elv"), os.path.join(home, "answer")
        with open(rc, "w") as file:
            file.write(f"eval (slurp < {path})\n$edit:completion:arg-completer[rebal] rebal ris | to-lines > {answer}\nexit\n")
        child, terminal = pty.fork()
        if child == 0:
            os.execvpe("elvish", ["elvish", "-rc", rc], {**clean(), "HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home})
        try:
            while os.read(terminal, 4096):
                pass
        except OSError:
            pass  # It ended.
        os.waitpid(child, 0)
        os.close(terminal)
        with open(answer) as file:
            return file.read()


def main():
    with tempfile.TemporaryDirectory(prefix="rebal-e2e-") as scratch:
        configurations(scratch)
        crontab(scratch)
        loop(scratch)
        units(scratch)
        alerts(scratch)
    container()
    completions()
    checks.end()


main()
