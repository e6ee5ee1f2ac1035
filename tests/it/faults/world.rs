//! `rebal sim`, a state folder, and what is run in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The binary under test.
pub(crate) const REBAL: &str = env!("CARGO_BIN_EXE_rebal");
/// What is held unless a test says otherwise.
pub(crate) const BASKET: [&str; 4] = ["ADAUSDT", "XRPUSDT", "DOGEUSDT", "TRXUSDT"];
/// The contracts of a small market: a pass reads all of it, and most faults need no more.
const COINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults/coins.txt");
/// The request that must never be doubled.
pub(crate) const ORDER: &str = "POST /fapi/v1/order";

/// A simulated exchange on a loopback port, ended when dropped.
pub(crate) struct Sim {
    process: Child,
    pub(crate) url: String,
}

impl Sim {
    /// A small market.
    pub(crate) fn start() -> Sim {
        Sim::with(&["--symbols", COINS])
    }

    /// The whole market, unless the flags say otherwise.
    pub(crate) fn with(flags: &[&str]) -> Sim {
        let mut process = Command::new(REBAL)
            .args(["sim", "--listen", "127.0.0.1:0", "--clock", "manual"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(url.starts_with("http://"), "rebal sim said {line:?}");
        Sim { process, url }
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (_, body) = request(&self.url, method, path, "", text.as_bytes());
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    }

    pub(crate) fn state(&self) -> Value {
        self.call("GET", "/sim/state", &Value::Null)
    }

    pub(crate) fn advance(&self, bars: u64) {
        let said = self.call("POST", "/sim/advance", &json!({"bars": bars}));
        assert!(said["at"].is_string(), "{said}");
    }

    /// Arms `(match, nth, times, do)`.
    pub(crate) fn faults(&self, faults: &[(&str, u64, u64, &str)]) {
        let list: Vec<Value> = faults
            .iter()
            .map(|(at, nth, times, action)| json!({"match": at, "nth": nth, "times": times, "do": action}))
            .collect();
        let said = self.call("POST", "/sim/faults", &Value::Array(list));
        assert_eq!(said["faults"], faults.len(), "{said}");
    }

    pub(crate) fn price(&self, symbol: &str, factor: &str) {
        let said = self.call("POST", "/sim/price", &json!({"symbol": symbol, "factor": factor}));
        assert!(said["mark"].is_string(), "{said}");
    }

    pub(crate) fn trade(&self, symbol: &str, qty: &str) {
        let said = self.call("POST", "/sim/trade", &json!({"symbol": symbol, "qty": qty}));
        assert!(said.get("error").is_none(), "{said}");
    }

    pub(crate) fn status(&self, symbol: &str, status: &str) {
        let said = self.call("POST", "/sim/status", &json!({"symbol": symbol, "status": status}));
        assert!(said.get("error").is_none(), "{said}");
    }

    /// A request signed by the owner's own hand.
    pub(crate) fn signed(&self, method: &str, path: &str, params: &str) -> Value {
        use hmac::{Hmac, KeyInit, Mac};
        let now = self.call("GET", "/fapi/v1/time", &Value::Null)["serverTime"].to_string();
        let query = format!("{params}&timestamp={now}");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"sim").unwrap();
        mac.update(query.as_bytes());
        let signature: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("{path}?{query}&signature={signature}");
        let (_, body) = request(&self.url, method, &path, "X-MBX-APIKEY: sim\r\n", b"");
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    }

    /// What was accepted, one row per acceptance.
    pub(crate) fn orders(&self) -> Vec<Value> {
        self.state()["orders"].as_array().unwrap().clone()
    }

    pub(crate) fn requests(&self) -> usize {
        self.state()["requests"].as_array().unwrap().len()
    }

    /// Requests that are no reads, from the `since`th request on.
    pub(crate) fn posts(&self, since: usize) -> Vec<String> {
        let state = self.state();
        let rows = state["requests"].as_array().unwrap().iter().skip(since);
        let named = rows.map(|row| format!("{} {}", text(row, "method"), text(row, "path")));
        named.filter(|name| !name.starts_with("GET")).collect()
    }

    pub(crate) fn positions(&self) -> BTreeMap<String, String> {
        let state = self.state();
        let rows = state["positions"].as_array().unwrap().iter();
        rows.map(|row| (text(row, "symbol"), text(row, "qty"))).filter(|(_, qty)| qty != "0").collect()
    }

    /// The basket loses nine tenths: more than a third of the account.
    pub(crate) fn crash(&self) {
        for coin in BASKET {
            self.price(coin, "0.1");
        }
    }

    /// No client id was accepted twice.
    pub(crate) fn once_each(&self) {
        let mut ids: Vec<String> = self.orders().iter().map(|order| text(order, "client_order_id")).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "an id was accepted twice");
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// One HTTP exchange on a connection of its own: head and body of the answer.
pub(crate) fn request(url: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> (String, Vec<u8>) {
    let address = url.trim_start_matches("http://");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    // A fault may close the connection at any byte.
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    (head, answer[end..].to_vec())
}

/// A throw-away folder with a configuration and a state folder.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    sets: Vec<String>,
}

/// How one run ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) report: Value,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// What a failing test needs to know, without the whole plan.
impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let report = &self.report;
        let said = if report.is_null() { self.out.clone() } else { self.message() };
        write!(
            f,
            "{:?} {}{} {said:?} orders {} settled {} skipped {:?} notes {} stderr {:?}",
            self.code,
            self.kind(),
            self.outcome(),
            report["orders"],
            report["settled"],
            self.skipped(),
            report["notes"],
            self.err
        )
    }
}

impl Run {
    pub(crate) fn kind(&self) -> String {
        text(&self.report, "kind")
    }

    pub(crate) fn outcome(&self) -> String {
        text(&self.report, "outcome")
    }

    pub(crate) fn message(&self) -> String {
        text(&self.report, "message")
    }

    /// The exit code and the word for it.
    pub(crate) fn ended(&self, code: i32, word: &str) -> &Run {
        let found = if self.report["kind"].is_string() { self.kind() } else { self.outcome() };
        assert_eq!((self.code, found.as_str()), (Some(code), word), "{self:?}");
        self
    }

    /// How the orders of the pass ended, sorted.
    pub(crate) fn orders(&self) -> Vec<String> {
        statuses(&self.report["orders"])
    }

    /// How the orders of earlier passes ended, sorted.
    pub(crate) fn settled(&self) -> Vec<String> {
        statuses(&self.report["settled"])
    }

    /// Why coins were left alone: `(symbol, reason)`.
    pub(crate) fn skipped(&self) -> Vec<(String, String)> {
        let plan = if self.report["plan"].is_object() { &self.report["plan"] } else { &self.report };
        let rows = plan["skipped"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| (text(row, "symbol"), text(row, "reason"))).collect()
    }

    pub(crate) fn skips(&self, symbol: &str, reason: &str) -> bool {
        self.skipped().contains(&(symbol.to_owned(), reason.to_owned()))
    }
}

fn statuses(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().cloned().unwrap_or_default();
    let mut words: Vec<String> = rows.iter().map(|row| text(row, "status")).collect();
    words.sort();
    words
}

impl Home {
    /// Speaks to the exchange at `url`, with more time for everything than a busy machine needs: only
    /// what a test is about runs out.
    pub(crate) fn at(url: &str) -> Home {
        Home::new(&[
            "mode=testnet",
            &format!("exchange.base_url={url}"),
            "exchange.timeout_ms=60000",
            "exchange.recv_window_ms=60000",
            &symbols(&BASKET),
        ])
    }

    pub(crate) fn new(sets: &[&str]) -> Home {
        Home { folder: tempfile::tempdir().unwrap(), sets: sets.iter().map(ToString::to_string).collect() }
    }

    /// One more value, over those before it.
    pub(crate) fn set(mut self, value: impl Into<String>) -> Home {
        self.change(value);
        self
    }

    pub(crate) fn change(&mut self, value: impl Into<String>) {
        self.sets.push(value.into());
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.state().join(name)
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.file("ledger.db")
    }

    /// The command, not started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.with_program(REBAL.as_ref(), &[], &self.state(), arguments)
    }

    /// The command behind another program, `sh -c … sh` or `unshare …`.
    pub(crate) fn wrapped(&self, program: &str, before: &[&str], arguments: &[&str]) -> Command {
        let before: Vec<&str> = before.iter().copied().chain([REBAL]).collect();
        self.with_program(program.as_ref(), &before, &self.state(), arguments)
    }

    fn with_program(&self, program: &Path, before: &[&str], state: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(before).args(arguments).arg("--state-dir").arg(state).current_dir(self.folder.path());
        for set in &self.sets {
            command.args(["--set", set]);
        }
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("REBAL") || name.to_lowercase().ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command
            .env("REBAL_API_KEY", "sim")
            .env("REBAL_API_SECRET", "sim")
            .env("XDG_CONFIG_HOME", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs with `--json`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        finish(self.command(arguments).arg("--json"))
    }

    pub(crate) fn rebalance(&self) -> Run {
        self.run(&["rebalance"])
    }

    /// Closes everything and halts.
    pub(crate) fn flatten(&self) -> Run {
        self.run(&["flatten", "--yes"])
    }

    /// Runs in another state folder.
    pub(crate) fn rebalance_in(&self, state: &Path) -> Run {
        finish(self.with_program(REBAL.as_ref(), &[], state, &["rebalance"]).arg("--json"))
    }

    /// Starts a pass and does not wait for it.
    pub(crate) fn start(&self) -> Child {
        self.start_with(&["rebalance"])
    }

    pub(crate) fn start_with(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A first pass that must work.
    pub(crate) fn allocate(&self) -> Run {
        let run = self.rebalance();
        run.ended(0, "traded");
        run
    }

    /// A pass that finds everything in its band.
    pub(crate) fn quiet(&self) {
        self.rebalance().ended(0, "nothing_to_do");
    }

    /// Runs SQL on the ledger; the first column of every row as text.
    pub(crate) fn sql(&self, sql: &str) -> Vec<String> {
        query(&self.ledger(), sql)
    }

    /// The ledger's positions are the exchange's, and no order has an open end.
    pub(crate) fn agrees_with(&self, sim: &Sim) {
        let rows = self.sql("SELECT symbol || ' ' || qty FROM position WHERE qty <> '0' ORDER BY symbol");
        let theirs: Vec<String> =
            sim.positions().iter().map(|(symbol, qty)| format!("{symbol} {qty}")).collect();
        assert_eq!(rows, theirs);
        let open = "SELECT client_id FROM intent WHERE state IN ('planned','sending','unknown','accepted')";
        assert_eq!(self.sql(open), Vec::<String>::new());
    }

    /// Every byte of the state folder, by name.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(self.state()).unwrap().map(|entry| entry.unwrap());
        let read = |entry: &fs::DirEntry| fs::read(entry.path()).ok();
        files
            .filter_map(|entry| Some((entry.file_name().to_string_lossy().into_owned(), read(&entry)?)))
            .collect()
    }
}

pub(crate) fn symbols(names: &[&str]) -> String {
    format!("basket.symbols={}", json!(names))
}

pub(crate) fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    ended(&output)
}

/// Waits for a started pass.
pub(crate) fn wait(child: Child) -> Run {
    ended(&child.wait_with_output().unwrap())
}

fn ended(output: &std::process::Output) -> Run {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    Run {
        code: output.status.code(),
        report: serde_json::from_str(&out).unwrap_or(Value::Null),
        out,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs SQL on any database; the first column of every row as text.
pub(crate) fn query(path: &Path, sql: &str) -> Vec<String> {
    use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, sqlite::SqliteConnectOptions};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut db = options.connect().await.unwrap();
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut db).await.unwrap();
        db.close().await.unwrap();
        rows.iter().map(|row| row.try_get_unchecked::<String, _>(0).unwrap_or_default()).collect()
    })
}

/// How long anything may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// Polls, bounded, for what another process does in its own time.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
