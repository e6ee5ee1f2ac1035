//! The configuration: precedence, refusals, and what is said about them.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rebal::config::error::Fault;
use rebal::config::location::Location;
use rebal::config::sections::Config;
use rebal::config::words::{Mode, Prices, Shares};
use rebal::config::{Loaded, Origin, Sources, demo, load, load_for_exit};
use rebal::domain::num::Rate;
use tempfile::TempDir;

/// The block of the contract, word for word.
const CONTRACT: &str = r#"
mode  = "paper"                  # paper | testnet | live
venue = "binance-usdm"           # binance-usdm | binance-spot
quote = "USDT"
interval = "5m"                  # the cadence cron gives; used for staleness, paper time and the printed crontab line

[credentials]                    # where to find them, never what they are
api_key    = "env:REBAL_API_KEY"       # env:NAME | file:PATH (0600) | systemd:NAME
api_secret = "env:REBAL_API_SECRET"    # HMAC secret, or an Ed25519/RSA PKCS#8 PEM

[exchange]
base_url = ""                    # empty = the mode's official host; plain http only on loopback
recv_window_ms = 5000
timeout_ms = 10000
exchange_info_max_age = "1h"

[paper]
equity = 200
prices = "live"                  # live | synthetic | path of a folder of kline files
seed = 7
taker_fee = 0.0005
slippage_bps = 1

[strategy]
kind = "basket"                  # basket | weights | moonshot

[basket]                         # leveraged index: fixed value per coin, harvested at the band
symbols = []                     # empty = the universe that `scan --apply` chose
size = 20                        # N
sizing = "fixed"                 # fixed | equity (targets follow equity: equity × effective_leverage / N)
target_value = 20                # USDT per coin, with fixed
effective_leverage = 2.0         # with equity
threshold = 0.05                 # relative to the coin's target
rebalance_to = "target"          # target | half | edge
every = ""                       # also trade to target when this long has passed since the last time ("7d"); empty = band only
on_exit = "close"                # a coin that leaves the universe: close | hold

[weights]                        # strategy A: fixed share of total value; spot or futures
weights = { BTC = 0.2, ETH = 0.2, SOL = 0.1, BNB = 0.1 }    # or "equal" with symbols
symbols = []
threshold = 0.05
threshold_kind = "relative"      # relative to the target share | absolute in points of the portfolio
every = ""                       # as in [basket]
initial_value = 0                # quote to deploy on the first pass; 0 = all that is available
effective_leverage = 1.0         # futures only

[moonshot]                       # strategy B: spray, cut losers, never trim winners
symbols = []
slots = 40
sizing = "fixed"
slot_value = 5
stop_loss = 0.30                 # from the average entry price
cooldown = "30d"                 # a stopped-out coin is not bought again before
refill = true                    # free slots are filled from the universe
trailing_start = 0               # 0 = off; 1.0 = from +100 % on a trailing stop guards the winner …
trailing_stop = 0.5              # … that far below its highest price
exchange_stop = false            # futures: a resting stop order per coin at the exchange, verified every pass

[futures]
leverage = 5
margin = "cross"

[execution]
order = "ioc"                    # ioc (limit, bounded by max_slippage_bps) | market
max_spread_bps = 30
max_slippage_bps = 50
max_mark_gap = 0.03              # |mark − mid| / mid above this: the symbol is not traded
max_orders_per_pass = 60
max_turnover_per_pass = 1.2      # of the gross target
concurrency = 10

[risk]
max_drawdown = 0.30
max_effective_leverage = 3.0     # no increase of exposure above this
min_liquidation_distance = 0.20
margin_buffer = 0.05

[scan]
top = 50
source = "tradingview"           # tradingview | exchange (24 h quote volume); falls back to exchange
sector_cap = 0.20
max_funding_annual = 1.0
min_quote_volume = 20_000_000
max_spread_bps = 10
min_age = "30d"
keep_rank = 70                   # a member leaves only when it ranks below this
include = []
exclude = []
sectors = ""                     # CSV symbol,sector that overrides the built-in table
tradingview_url = "https://scanner.tradingview.com"

[funding]
check_every = "8h"

[report]
digest_every = "4h"

[telegram]
enabled = false
token = "env:REBAL_TELEGRAM_TOKEN"
chat_id = ""
api_url = "https://api.telegram.org"

[heartbeat]
url = ""                         # GET after every good pass (dead-man switch); URL/fail after a bad one
"#;

/// Secrets of every shape that people paste: an HMAC key, a bot token, a PEM, a URL with a password.
const SECRETS: [&str; 4] = [
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "-----BEGIN PRIVATE KEY----- MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp",
    "https://me:hunter2hunter2@example.com",
];

struct Run<'a> {
    file: Option<&'a [u8]>,
    env: &'a [(&'a str, &'a str)],
    sets: &'a [&'a str],
    base: Option<toml::Table>,
}

const NOTHING: Run<'static> = Run { file: None, env: &[], sets: &[], base: None };

impl Run<'_> {
    /// Loads; an error becomes its text, with the folder of the file cut away.
    fn load(self) -> Result<Loaded, String> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("rebal.toml");
        if let Some(bytes) = self.file {
            std::fs::write(&path, bytes).unwrap();
        }
        let env = self.env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let sets: Vec<String> = self.sets.iter().map(|set| (*set).to_owned()).collect();
        let file_required = self.file.is_some();
        let sources = Sources { file: Some(path), file_required, env, sets: &sets, base: self.base };
        let folder = format!("{}/", folder.path().display());
        load(sources).map_err(|error| error.to_string().replace(&folder, ""))
    }
}

fn from_file(text: &str) -> Result<Loaded, String> {
    Run { file: Some(text.as_bytes()), ..NOTHING }.load()
}

fn from_sets(sets: &[&str]) -> Result<Loaded, String> {
    Run { sets, ..NOTHING }.load()
}

fn refusal(result: Result<Loaded, String>) -> String {
    match result {
        Ok(_) => "accepted".into(),
        Err(text) => text,
    }
}

#[test]
fn the_contract_s_block_is_the_default() {
    let loaded = from_file(CONTRACT).unwrap();
    assert_eq!(loaded.config, Config::default());
    let unnamed: Vec<&String> =
        loaded.origins.iter().filter(|(_, origin)| **origin == Origin::Default).map(|(key, _)| key).collect();
    assert_eq!(unnamed, ["paper.exchange_info", "paper.funding", "paper.start"], "keys beyond the contract");
}

#[test]
fn the_later_source_wins_and_says_where_it_is() {
    let base: toml::Table = "[risk]\nmax_drawdown = 0.11\nmargin_buffer = 0.11\n".parse().unwrap();
    let layers = |file, env, sets| {
        let run = Run { file, env, sets, base: Some(base.clone()) };
        let loaded = run.load().unwrap();
        let origin = loaded.origins["risk.max_drawdown"].clone();
        assert_eq!(loaded.config.risk.margin_buffer, Rate::new(11, 2), "the demo shines through");
        (loaded.config.risk.max_drawdown.to_string(), origin)
    };
    let file: Option<&[u8]> = Some(b"# first\n[risk]\n\nmax_drawdown = 0.22\n");
    let env: &[(&str, &str)] =
        &[("REBAL__RISK__MAX_DRAWDOWN", "0.33"), ("PATH", "/bin"), ("REBAL_API_KEY", "x")];
    let sets: &[&str] = &["risk.max_drawdown=0.40", "risk.max_drawdown=0.44"];

    assert_eq!(layers(None, &[], &[]), ("0.11".into(), Origin::Demo));
    let (value, origin) = layers(file, &[], &[]);
    assert!(matches!(&origin, Origin::File { line: Some(4), .. }), "{origin:?}");
    assert_eq!(value, "0.22");
    let name = "REBAL__RISK__MAX_DRAWDOWN".to_owned();
    assert_eq!(layers(file, env, &[]), ("0.33".into(), Origin::Environment(name)));
    assert_eq!(layers(file, env, sets), ("0.44".into(), Origin::Set));
}

#[test]
fn a_set_is_read_as_toml_or_else_as_plain_text() {
    let loaded = from_sets(&[
        r#"basket.symbols=["BTCUSDT"]"#,
        "moonshot.symbols=BTCUSDT, ETHUSDT",
        "scan.exclude=币安人生USDT",
        "weights.symbols=",
        "risk.max_drawdown=0.25",
        "basket.threshold='0.05'",
        "mode=testnet",
        "venue=\"binance-usdm\"",
        "telegram.chat_id=-100123",
        "paper.start=2025-10-01",
        "paper.prices=/data/klines",
        "moonshot.refill=false",
        "weights.weights={BTC=0.5, ETH=0.25}",
        "weights.weights.DOGE=0.125",
        "basket.every=7d",
    ])
    .unwrap();
    let shares = loaded.config.weights.shares("USDT");
    let config = loaded.config;
    let names = |symbols: &[rebal::domain::symbol::Symbol]| {
        symbols.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&config.basket.symbols), "BTCUSDT");
    assert_eq!(names(&config.moonshot.symbols), "BTCUSDT ETHUSDT");
    assert_eq!(names(&config.scan.exclude), "币安人生USDT");
    assert_eq!(config.mode, Mode::Testnet);
    assert_eq!(config.telegram.chat_id, "-100123");
    assert_eq!(config.paper.start.unwrap().to_string(), "2025-10-01T00:00:00.000Z");
    assert_eq!(config.paper.prices, Prices::Folder(PathBuf::from("/data/klines")));
    assert!(!config.moonshot.refill);
    assert_eq!(config.basket.every.unwrap().as_secs(), 7 * 86_400);
    let shares: Vec<String> = shares.iter().map(|(symbol, share)| format!("{symbol} {share}")).collect();
    assert_eq!(shares, ["BTCUSDT 0.5", "DOGEUSDT 0.125", "ETHUSDT 0.25"]);
}

#[test]
fn equal_shares_are_one_over_the_number_of_contracts() {
    let sets = ["strategy.kind=weights", "weights.weights=equal", "weights.symbols=AUSDT,BUSDT,CUSDT,DUSDT"];
    let config = from_sets(&sets).unwrap().config;
    assert_eq!(config.weights.weights, Shares::Equal);
    assert!(config.weights.shares("USDT").values().all(|share| *share == Rate::new(25, 2)));
}

#[test]
fn many_equal_shares_are_never_more_than_the_whole() {
    for count in 1..=60 {
        let names: Vec<String> = (0..count).map(|number| format!("C{number}USDT")).collect();
        let symbols = format!("weights.symbols={}", names.join(","));
        let loaded = from_sets(&["strategy.kind=weights", "weights.weights=equal", &symbols]).unwrap();
        let total: Rate = loaded.config.weights.shares("USDT").into_values().sum();
        assert!(total <= Rate::ONE && total > Rate::new(999, 3), "{count}: {total}");
    }
}

/// Whoever copies one of them begins with something that works.
#[test]
fn every_example_loads() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        let sources = Sources {
            file: Some(file.clone()),
            file_required: true,
            env: [].into_iter(),
            sets: &[],
            base: None,
        };
        let loaded = load(sources).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        kinds.push((name, loaded.config.strategy.kind.as_str()));
    }
    kinds.sort_unstable();
    let expected = [
        ("demo.toml", "basket"),
        ("equity-basket.toml", "basket"),
        ("futures-basket.toml", "basket"),
        ("moonshot.toml", "moonshot"),
        ("practice.toml", "basket"),
        ("reference.toml", "basket"),
        ("spot-weights.toml", "weights"),
        ("weights.toml", "weights"),
    ];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
}

#[test]
fn every_key_with_one_wrong_letter_is_refused_with_the_right_one() {
    let known: Vec<String> = from_sets(&[]).unwrap().origins.into_keys().collect();
    let mut tried = 0;
    for key in &known {
        let wrong = mutations(key);
        let sets: Vec<String> = wrong.iter().map(|wrong| format!("{wrong}=1")).collect();
        let sources =
            Sources { file: None, file_required: false, env: [].into_iter(), sets: &sets, base: None };
        let error = load(sources).unwrap_err();
        assert_eq!(error.faults().len(), wrong.len(), "{error}");
        for (fault, wrong) in error.faults().iter().zip(&wrong) {
            let Fault::UnknownKey { key: named, suggestion, .. } = fault else { panic!("{wrong}: {fault}") };
            assert_eq!((named, suggestion.as_ref()), (wrong, Some(key)));
        }
        tried += wrong.len();
    }
    assert!(tried > 3000, "only {tried} were tried");
}

/// A letter left out, put in, changed, or swapped with the next, at every place.
fn mutations(key: &str) -> Vec<String> {
    let mut all = Vec::new();
    for at in 0..key.len() {
        let (before, letter, after) = (&key[..at], &key[at..=at], &key[at + 1..]);
        all.push(format!("{before}{after}"));
        all.push(format!("{before}x{letter}{after}"));
        all.push(format!("{before}q{after}"));
        match after.chars().next() {
            Some(next) if !letter.starts_with(next) => {
                all.push(format!("{before}{next}{letter}{}", &after[1..]))
            }
            _ => {}
        }
    }
    // A dot at the end of the map's name would begin the name of a coin.
    all.retain(|wrong| wrong != key && !wrong.starts_with("weights.weights."));
    all
}

#[test]
fn unknown_keys_are_named_with_their_source() {
    for (run, expected) in [
        (
            Run { file: Some(b"[risk]\n\nmax_drawdow = 0.3\n"), ..NOTHING },
            r#"unknown key "risk.max_drawdow" in rebal.toml line 3; did you mean "risk.max_drawdown"?"#,
        ),
        (
            Run { file: Some(b"max_drawdown = 0.3\n"), ..NOTHING },
            r#"unknown key "max_drawdown" in rebal.toml line 1; did you mean "risk.max_drawdown"?"#,
        ),
        (
            Run { file: Some(b"[rsk]\n"), ..NOTHING },
            r#"unknown key "rsk" in rebal.toml line 1; did you mean "risk"?"#,
        ),
        (
            Run { file: Some(b"[basket.symbols]\na = 1\n"), ..NOTHING },
            "basket.symbols in rebal.toml line 1: found a table, wanted a list",
        ),
        (
            Run { env: &[("REBAL__RISK__MAXDRAWDOWN", "1")], ..NOTHING },
            "unknown key \"risk.maxdrawdown\" in the environment variable REBAL__RISK__MAXDRAWDOWN; did you mean \
             \"risk.max_drawdown\"?",
        ),
        (Run { sets: &["colour=red"], ..NOTHING }, r#"unknown key "colour" in --set"#),
        (
            Run { sets: &["risk=1"], ..NOTHING },
            "risk in --set: is a section, not a value: name one of its keys",
        ),
        (
            Run { file: Some(b"risk = 1\n"), ..NOTHING },
            "risk in rebal.toml line 1: is a section, not a value: write [risk] and its keys below",
        ),
        (
            Run { sets: &["risk.max_drawdown"], ..NOTHING },
            "--set wants KEY=VALUE, for example --set risk.max_drawdown=0.25",
        ),
        (
            Run { file: Some(b"[risk]\nmax_drawdown = 0.2\n[\"risk\".\"max_drawdown\"]\n"), ..NOTHING },
            "rebal.toml line 3: is not valid TOML: duplicate key",
        ),
    ] {
        assert_eq!(refusal(run.load()), expected);
    }
}

#[test]
fn wrong_types_say_what_was_found_and_what_is_wanted() {
    for (set, expected) in [
        ("risk.max_drawdown=abc", r#"not a plain decimal number: "abc""#),
        ("risk.max_drawdown=1e-2", ""),
        ("risk.max_drawdown=nan", r#"not a plain decimal number: "NaN""#),
        ("risk.max_drawdown=30%", r#"not a plain decimal number: "30%""#),
        ("risk.max_drawdown=[1]", "found a list, wanted a decimal number"),
        ("basket.size=2.5", "found number 2.5, wanted a whole number that is not negative"),
        ("basket.size=-1", "found number -1, wanted a whole number that is not negative"),
        ("basket.size=twenty", "found string \"twenty\", wanted a whole number"),
        ("mode=papr", r#"found "papr", wanted paper, testnet or live; did you mean "paper"?"#),
        ("futures.margin=isolated", r#"found "isolated", wanted cross"#),
        ("moonshot.refill=yes", r#"found string "yes", wanted true or false"#),
        ("interval=5", "found number 5, wanted a duration like 5m, 8h or 30d"),
        ("basket.every=soon", r#"not a duration like 5m, 8h or 30d: "soon""#),
        ("basket.symbols=BTC USDT", r#"not a symbol: "BTC USDT""#),
        ("basket.symbols=../x", r#"not a symbol: "../x""#),
        (
            "exchange.base_url=http://fapi.binance.com",
            "must begin with https://; plain http is for this machine",
        ),
        ("exchange.base_url=https://a:b@c", "must not contain a user name or password"),
        ("paper.start=yesterday", r#"not a time like 2026-01-31T12:00:00Z: "yesterday""#),
        ("weights.weights=even", "found string \"even\", wanted \"equal\" or shares such as"),
        ("paper.prices=", "wanted live, synthetic or the path of a folder"),
    ] {
        let said = refusal(from_sets(&[set]));
        if expected.is_empty() {
            assert_eq!(said, "accepted", "{set}");
            continue;
        }
        let key = set.split('=').next().unwrap();
        assert!(said.starts_with(&format!("{key} in --set: {expected}")), "{set}: {said}");
    }
}

#[test]
fn values_out_of_bounds_are_refused_and_those_on_them_are_not() {
    const FRACTION: &str = "is a fraction: write 0.30 for 30 %";
    for (key, good, bad) in [
        ("risk.max_drawdown", &["0.01", "1"][..], &["0", "-0.1", "1.01", "30"][..]),
        ("risk.min_liquidation_distance", &["0", "1"], &["-0.1", "30"]),
        ("risk.margin_buffer", &["0", "1"], &["-0.1", "30"]),
        ("risk.max_effective_leverage", &["0.5", "10"], &["0", "-1", "10.01", "1000"]),
        ("basket.threshold", &["0.001", "0.999"], &["0", "1", "30", "-0.05"]),
        ("weights.threshold", &["0.001", "0.999"], &["0", "1", "30"]),
        ("moonshot.stop_loss", &["0.001", "0.999"], &["0", "1", "30"]),
        ("moonshot.trailing_stop", &["0.5"], &["0", "1", "30"]),
        ("moonshot.trailing_start", &["0", "5"], &["-1", "30"]),
        ("execution.max_mark_gap", &["0.03", "1"], &["0", "30"]),
        ("execution.max_turnover_per_pass", &["0.1", "10"], &["0", "10.1", "1000"]),
        ("execution.max_spread_bps", &["0", "0.5", "10000"], &["-1", "10001"]),
        ("execution.concurrency", &["1", "50"], &["0", "51"]),
        ("execution.max_orders_per_pass", &["1"], &["0"]),
        ("scan.sector_cap", &["0.2", "1"], &["0", "30"]),
        ("scan.max_funding_annual", &["0", "2"], &["-1", "30"]),
        ("scan.min_quote_volume", &["0"], &["-1"]),
        ("paper.taker_fee", &["0", "0.1"], &["-0.1", "0.2", "30"]),
        ("paper.equity", &["0.01", "1000000"], &["0", "-200", "10000000000"]),
        ("basket.size", &["1", "1000"], &["0", "1001"]),
        ("basket.target_value", &["0.5"], &["0", "-1"]),
        ("basket.effective_leverage", &["10"], &["0", "10.5"]),
        ("moonshot.slots", &["1"], &["0"]),
        ("moonshot.slot_value", &["5"], &["0"]),
        ("weights.initial_value", &["0", "100"], &["-1"]),
        ("futures.leverage", &["1", "125"], &["0", "126"]),
        ("exchange.recv_window_ms", &["1000", "60000"], &["999", "60001"]),
        ("exchange.timeout_ms", &["100"], &["0"]),
        ("exchange.exchange_info_max_age", &["0s", "1h"], &["100ms"]),
        ("interval", &["1s", "5m", "1d"], &["0s", "1500ms", "100years"]),
        ("funding.check_every", &["8h"], &["0s"]),
        ("report.digest_every", &["4h"], &["0s"]),
        ("moonshot.cooldown", &["0s"], &["1ms"]),
        ("basket.every", &["", "7d"], &["0s"]),
        ("quote", &["USDC"], &["usdt", "", "US DT", "U"]),
        ("telegram.chat_id", &["42", "-42", "@rebal", ""], &["@", "-", "rebal", "4 2"]),
        ("scan.exclude", &["A,B", ""], &["A,A"]),
        (
            "basket.symbols",
            &["BTCUSDT,币安人生USDT", "BTCUSDT_260327"],
            &["btcusdt", "BTC", "BTCUSDT,BTCUSDT"],
        ),
        ("paper.seed", &["0", "9223372036854775807"], &[]),
    ] {
        for value in good {
            let said = refusal(from_sets(&[&format!("{key}={value}")]));
            assert_eq!(said, "accepted", "{key}={value}");
        }
        for value in bad {
            let said = refusal(from_sets(&[&format!("{key}={value}")]));
            assert!(
                said.starts_with(&format!("{key} = ")) && said.contains("(--set)"),
                "{key}={value}: {said}"
            );
            let is_fraction =
                *value == "30" && !matches!(key, "moonshot.trailing_start" | "scan.max_funding_annual");
            assert!(!is_fraction || said.ends_with(FRACTION), "{said}");
        }
    }
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    for (sets, expected) in [
        (
            &["basket.size=1", "basket.symbols=AUSDT,BUSDT"][..],
            "basket.symbols lists 2 contracts, but basket.size is 1",
        ),
        (
            &["strategy.kind=weights", "weights.weights=equal"],
            "weights.weights = \"equal\" needs weights.symbols",
        ),
        (&["strategy.kind=weights", "weights.weights={}"], "weights.weights is empty"),
        (
            &["weights.weights={BTC=0.6,ETH=0.41}"],
            "weights.weights = shares that add up to 1.01 (--set) must add up",
        ),
        (&["weights.weights={BTC=0}"], "weights.weights = { BTC = 0 } (--set) must be above 0"),
        (
            &["weights.weights={BTC=50}"],
            "weights.weights = { BTC = 50 } (--set) is a fraction: write 0.50 for 50 %",
        ),
        (
            &["weights.weights={BTC=0.1,BTCUSDT=0.1}"],
            "weights.weights = { BTCUSDT = 0.1 } (--set) names the same",
        ),
        (
            &["weights.weights={btc=0.1}"],
            "weights.weights = { btc = 0.1 } (--set) must name coins in capitals",
        ),
        (
            &["weights.weights={BTC=0.1,USDT=0.2}"],
            "weights.weights = { USDT = 0.2 } (--set) is the quote itself: leave it out",
        ),
        (&["weights.weights={BTC=-0.1}"], "weights.weights = { BTC = -0.1 } (--set) must be above 0"),
        (&["moonshot.symbols=AUSDT,USDT"], "moonshot.symbols = USDT (--set) is the quote itself"),
        (
            &["strategy.kind=weights", "weights.weights=equal", "weights.symbols=BTCUSDT,ETHUSDT,BTCUSDT"],
            "weights.symbols = BTCUSDT (--set) is listed twice",
        ),
        (
            &["strategy.kind=weights", "weights.symbols=BTCUSDT"],
            "weights.symbols is for weights.weights = \"equal\": set that",
        ),
        (
            &[
                "strategy.kind=weights",
                "weights.weights={BTC=0.9,ETH=0.05}",
                "weights.threshold_kind=absolute",
            ],
            "weights.weights = { ETHUSDT = 0.05 } (--set) is no more than weights.threshold, 5 points of the \
             portfolio: it could never be bought back; lower the threshold, raise the weight",
        ),
        (
            &["strategy.kind=weights", "weights.weights={BTC=1}", "weights.effective_leverage=4"],
            "weights of 1 at weights.effective_leverage 4 are 4x in all, more than \
             risk.max_effective_leverage 3: lower the first or raise the second",
        ),
        (
            &["strategy.kind=weights", "weights.weights={BTC=1}", "futures.leverage=1"],
            "weights of 1x in all tie up 1 of the equity as margin at futures.leverage 1, and \
             risk.margin_buffer keeps 0.05 free: raise futures.leverage or lower the weights",
        ),
        (
            &["strategy.kind=moonshot", "moonshot.trailing_stop=0.4"],
            "moonshot.trailing_stop = 0.4 (--set) needs moonshot.trailing_start",
        ),
        (
            &["strategy.kind=moonshot", "moonshot.exchange_stop=true", "moonshot.slots=201"],
            "moonshot.slots = 201 (--set) is more than the 200 stop orders that the exchange keeps",
        ),
        (
            &["scan.include=AUSDT", "scan.exclude=AUSDT"],
            "scan.include = AUSDT (--set) is in scan.exclude too",
        ),
        (&["telegram.enabled=true"], "telegram.enabled = true needs telegram.chat_id"),
        (
            &["venue=binance-spot", "strategy.kind=weights", "weights.effective_leverage=2"],
            "weights.effective_leverage = 2 (--set) must be at most 1 on spot",
        ),
        (
            &["paper.start=2025-10-01"],
            "paper.start = 2025-10-01T00:00:00.000Z (--set) is for recorded prices",
        ),
    ] {
        let said = refusal(from_sets(sets));
        assert!(said.starts_with(expected), "{sets:?}: {said}");
    }
    assert_eq!(refusal(from_sets(&["weights.weights={BTC=0.6,ETH=0.4}"])), "accepted");
}

#[test]
fn everything_wrong_is_said_at_once() {
    let file = "mode = \"papr\"\n[risk]\nmax_drawdown = 30\nmargin_bufer = 1\n[basket]\nthreshold = 0\n";
    let run =
        Run { file: Some(file.as_bytes()), env: &[("REBAL__INTERVAL", "soon")], sets: &["x=1"], base: None };
    let said = refusal(run.load());
    assert!(said.starts_with("6 faults in the configuration:\n"), "{said}");
    for part in
        ["papr", "write 0.30 for 30 %", "risk.margin_buffer", "basket.threshold", "REBAL__INTERVAL", "\"x\""]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn files_that_are_no_configuration_are_refused_with_what_to_do() {
    let long = vec![b'#'; 10_000_000];
    let deep = format!("a = {}{}", "[".repeat(20_000), "]".repeat(20_000));
    for (bytes, expected) in [
        (&b"mode = \"paper\"\nmode = \"live\"\n"[..], "rebal.toml line 2: is not valid TOML: duplicate key"),
        (b"mode = \"pa\0per\"\n", "rebal.toml line 1: contains a NUL byte"),
        (b"\n\nmode = \xff\n", "rebal.toml: line 3 is not UTF-8 text: save the file as UTF-8"),
        (b"\xff\xfem\0o\0d\0e\0", "rebal.toml: line 1 is not UTF-8 text"),
        (&long, "rebal.toml: is larger than 1 MiB: is this the right file?"),
        (deep.as_bytes(), "rebal.toml line 1: is not valid TOML: "),
        (b"mode = \n", "rebal.toml line 1: is not valid TOML: "),
        (b"[risk\nmax_drawdown = 1\n", "rebal.toml line 1: is not valid TOML: "),
        (b"[risk]\nmax_drawdown = 99999999999999999999\n", "rebal.toml line 2: is not valid TOML: "),
        (b"mode = \"papr\n", "rebal.toml line 1: is not valid TOML: "),
        ("\u{feff}mode = \"paper\"\r\n[risk]\r\nmax_drawdown = 0.2\r\n".as_bytes(), "accepted"),
        (b"", "accepted"),
    ] {
        let said = refusal(Run { file: Some(bytes), ..NOTHING }.load());
        assert!(said.starts_with(expected), "{expected:?}: {said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_file_variable_or_argument_makes_it_panic(
        at in 0..CONTRACT.len(),
        cut in 0..40_usize,
        put in prop::collection::vec(any::<u8>(), 0..20),
        key in "[a-z_.\\[\\]\"{}=]{0,20}",
        value in any::<String>(),
    ) {
        let mut bytes = CONTRACT.as_bytes().to_vec();
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put);
        let variable = format!("REBAL__{}", key.to_uppercase());
        let set = format!("weights.weights.{key}={value}");
        let run = Run { file: Some(&bytes), env: &[(&variable, &value)], sets: &[&value, &set], base: None };
        // Refused or not: every refusal is a text.
        prop_assert!(!refusal(run.load()).is_empty());
        let set = format!("risk.max_drawdown={value}");
        prop_assert!(!refusal(from_sets(&[&set])).is_empty());
    }
}

#[test]
fn a_missing_file_matters_only_where_it_was_named() {
    let folder = TempDir::new().unwrap();
    let at = |path: PathBuf, file_required| {
        load(Sources { file: Some(path), file_required, env: [].into_iter(), sets: &[], base: None })
            .map_err(|error| error.to_string())
    };
    let missing = folder.path().join("none.toml");
    assert!(at(missing.clone(), false).is_ok());
    assert!(at(missing, true).unwrap_err().ends_with(
        "does not exist: copy examples/futures-basket.toml there, or try --demo, which needs none"
    ));
    let said = at(folder.path().to_owned(), false).unwrap_err();
    assert!(said.ends_with("is a folder: name the file inside it, for example rebal.toml"), "{said}");
}

#[test]
fn a_secret_in_the_wrong_place_is_refused_and_never_repeated() {
    for secret in SECRETS {
        for key in [
            "credentials.api_key",
            "credentials.api_secret",
            "telegram.token",
            "exchange.base_url",
            "mode",
            "quote",
        ] {
            let quoted = format!("\"{secret}\"");
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            let head = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
            let variable = format!("REBAL__{}", key.to_uppercase().replace('.', "__"));
            for run in [
                Run { file: Some(format!("{head}{name} = {quoted}\n").as_bytes()), ..NOTHING },
                Run { file: Some(format!("{head}{name} = {secret}\n").as_bytes()), ..NOTHING },
                Run { file: Some(format!("{head}{name} = [{quoted}]\n").as_bytes()), ..NOTHING },
                Run { file: Some(format!("{head}{secret}\n").as_bytes()), ..NOTHING },
                Run { file: Some(format!("{head}{secret} = 1\n").as_bytes()), ..NOTHING },
                Run { file: Some(format!("{head}\"{secret}\" = 1\n").as_bytes()), ..NOTHING },
                Run { env: &[(&variable, secret)], ..NOTHING },
                Run { sets: &[&format!("{key}={secret}")], ..NOTHING },
                Run { sets: &[&format!("{key}=env:{secret}")], ..NOTHING },
                Run { sets: &[secret], ..NOTHING },
                Run { sets: &[&format!("{secret}=1")], ..NOTHING },
            ] {
                let said = refusal(run.load());
                assert_ne!(said, "accepted", "{key} {secret}");
                for part in ["vmPUZE6mv9SD", "AAHdqTcvCH1v", "MC4CAQAwBQYD", "hunter2"] {
                    assert!(!said.contains(part), "{key}: {said}");
                }
            }
        }
    }
}

#[test]
fn paths_in_a_file_are_relative_to_that_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rebal.toml");
    let text = "[paper]\nprices = \"bars\"\nfunding = \"/abs\"\n[credentials]\napi_key = \"file:key\"\n";
    std::fs::write(&path, text).unwrap();
    let sets = ["scan.sectors=sectors.csv".to_owned()];
    let sources =
        Sources { file: Some(path), file_required: true, env: [].into_iter(), sets: &sets, base: None };
    let config = load(sources).unwrap().config;
    assert_eq!(config.paper.prices, Prices::Folder(folder.path().join("bars")));
    assert_eq!(config.paper.funding.as_deref(), Some(Path::new("/abs")));
    assert_eq!(config.scan.sectors.as_deref(), Some(Path::new("sectors.csv")));
    assert_eq!(config.credentials.api_key, Location::File(folder.path().join("key")));
}

#[test]
fn the_demo_is_a_valid_configuration() {
    let symbols: Vec<_> = (0..20).map(|n| format!("C{n}USDT").parse().unwrap()).collect();
    let loaded = Run { base: Some(demo::demo(&symbols)), ..NOTHING }.load().unwrap();
    assert_eq!(loaded.config.basket.symbols, symbols);
    assert_eq!(loaded.config.paper.prices, Prices::Synthetic);
    assert_eq!(loaded.config.mode, Mode::Paper);
    assert_eq!(loaded.origins["basket.size"], Origin::Demo);
}

#[test]
fn effective_values_are_shown_with_their_origin_and_without_secrets() {
    let sets = &["heartbeat.url=https://hc-ping.com/5f1b2c3d-secret", "risk.max_drawdown=0.250"];
    let shown = from_sets(sets).unwrap().effective();
    let line = |key: &str| {
        let row = shown.iter().find(|row| row.key == key).unwrap();
        format!("{} = {} ({})", row.key, row.value, row.origin)
    };
    assert_eq!(line("heartbeat.url"), "heartbeat.url = \"https://hc-ping.com/…\" (--set)");
    assert_eq!(line("risk.max_drawdown"), "risk.max_drawdown = 0.25 (--set)");
    assert_eq!(
        line("weights.weights"),
        "weights.weights = { BNB = 0.1, BTC = 0.2, ETH = 0.2, SOL = 0.1 } (default)"
    );
    assert_eq!(line("mode"), "mode = \"paper\" (default)");
    assert_eq!(line("basket.symbols"), "basket.symbols = [] (default)");
}

#[test]
fn the_fingerprint_follows_values_and_not_spelling_or_places() {
    let print = |sets: &[&str]| from_sets(sets).unwrap().config.fingerprint();
    let plain = print(&[]);
    assert_eq!(plain.len(), 64);
    for same in [
        "risk.max_drawdown=0.3",
        "risk.max_drawdown='0.300'",
        "interval=300s",
        "credentials.api_key=env:OTHER",
        "telegram.chat_id=42",
        "heartbeat.url=https://example.com/x",
    ] {
        assert_eq!(print(&[same]), plain, "{same}");
    }
    for other in ["risk.max_drawdown=0.31", "basket.every=7d", "mode=testnet", "weights.weights={BTC=0.2}"] {
        assert_ne!(print(&[other]), plain, "{other}");
    }
}

mod secrets {
    //! Fetching them, with files of every mode.

    use std::ffi::OsString;
    use std::path::Path;

    use rebal::config::secrets::read_with;
    use secrecy::ExposeSecret;
    use tempfile::TempDir;

    fn read(location: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        read_with("credentials.api_key", &location.parse().unwrap(), variable)
            .map(|secret| secret.expose_secret().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_variable_is_trimmed_and_its_absence_explained() {
        assert_eq!(read("env:KEY", &[("KEY", " s3cret\n")]), Ok("s3cret".into()));
        for variables in [&[][..], &[("KEY", "")]] {
            let said = read("env:KEY", variables).unwrap_err();
            assert!(
                said.starts_with(
                    "credentials.api_key: the environment variable KEY is not set: export KEY=…"
                )
            );
        }
        assert!(read("env:KEY", &[("KEY", "  ")]).unwrap_err().ends_with("is empty"));
    }

    #[test]
    fn a_credential_of_systemd_is_a_file_in_its_folder() {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("key"), "s3cret\n").unwrap();
        let variables = [("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap())];
        assert_eq!(read("systemd:key", &variables), Ok("s3cret".into()));
        assert!(read("systemd:other", &variables).unwrap_err().contains("cannot be read"));
        assert!(read("systemd:key", &[]).unwrap_err().contains("LoadCredential=key:PATH"));
    }

    #[cfg(unix)]
    fn write(path: &Path, bytes: &[u8], mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(path, bytes).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_a_file_for_its_owner_alone_is_read() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("key");
        for mode in 0o400..=0o777 {
            write(&path, b"s3cret\n", 0o600);
            write(&path, b"s3cret\n", mode | 0o600);
            let private = mode & 0o177 == 0;
            let result = read(&format!("file:{}", path.display()), &[]);
            if private {
                assert_eq!(result, Ok("s3cret".into()), "{mode:o}");
            } else {
                let said = result.unwrap_err();
                let remedy = format!("run `chmod 600 {}`", path.display());
                assert!(said.ends_with(&remedy) && !said.contains("s3cret"), "{mode:o}: {said}");
            }
        }
        write(&path, b"s3cret", 0o400);
        assert!(read(&format!("file:{}", path.display()), &[]).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn links_folders_and_odd_contents_are_refused() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("key"), b"s3cret", 0o600);
        std::os::unix::fs::symlink(at("key"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nothing"), at("dangling")).unwrap();
        write(&at("empty"), b" \n", 0o600);
        write(&at("binary"), b"s3cret\xff", 0o600);
        write(&at("nul"), b"s3cret\0", 0o600);
        write(&at("huge"), &vec![b'a'; 20_000], 0o600);
        write(&at("it's"), b"s3cret", 0o644);
        for (name, expected) in [
            ("link", "is a symbolic link: write file:"),
            ("dangling", "is a symbolic link to nothing"),
            (".", "it is not a regular file"),
            ("missing", "cannot be read: No such file"),
            ("empty", "is empty"),
            ("binary", "is not text"),
            ("nul", "contains a NUL byte"),
            ("huge", "is larger than 16 KiB"),
            ("it's", r"it'\''s'`"),
        ] {
            let said = read(&format!("file:{}", at(name).display()), &[]).unwrap_err();
            assert!(said.contains(expected) && !said.contains("s3cret"), "{name}: {said}");
        }
    }
}

#[test]
fn closing_reads_what_names_the_account_past_everything_else_that_is_wrong() {
    let read = |text: &str, sets: &[&str]| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("rebal.toml");
        std::fs::write(&path, text).unwrap();
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let sources = Sources {
            file: Some(path),
            file_required: true,
            env: Vec::new().into_iter(),
            sets: &sets,
            base: None,
        };
        load_for_exit(sources).map_err(|error| error.to_string())
    };
    let (loaded, wrong) = read("mode = \"testnet\"\n[risk]\nmax_drawdown = 0.2\n", &[]).unwrap();
    assert_eq!((loaded.config.risk.max_drawdown, wrong), (Rate::new(2, 1), None));
    let broken =
        "mode = \"testnet\"\n[exchange]\ntimeout_ms = 7000\n[risk]\nmax_drawdown = 30\n[bskt]\nsize = 3\n";
    let (loaded, wrong) = read(broken, &["basket.threshold=abc"]).unwrap();
    assert_eq!((loaded.config.mode, loaded.config.exchange.timeout_ms), (Mode::Testnet, 7000));
    let wrong = wrong.unwrap().to_string();
    for part in ["max_drawdown", "bskt", "basket.threshold"] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
    // Where it is not certain whose account is meant, nothing is closed.
    for (text, why) in [
        ("mod = \"live\"\n", "unknown key \"mod\""),
        ("mode = \"lvie\"\n[bskt]\n", "lvie"),
        ("mode = \"live\"\n[exchange]\nbase_url = 5\n", "exchange.base_url"),
        ("mode = \"live\"\n[basket\n", "line 2"),
    ] {
        let error = read(text, &[]).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

/// Every way in which a demo could be made to leave this machine.
const LEADING_AWAY: [(&str, &str); 8] = [
    ("mode", "live"),
    ("mode", "testnet"),
    ("paper.prices", "live"),
    ("exchange.base_url", "https://example.com"),
    ("exchange.base_url", "http://127.0.0.1:8900"),
    ("telegram.enabled", "true"),
    ("heartbeat.url", "https://example.com/secret"),
    ("heartbeat.url", "http://127.0.0.1:1/secret"),
];

fn demo_table() -> Option<toml::Table> {
    Some(demo::demo(&["ADAUSDT".parse().unwrap()]))
}

#[test]
fn the_environment_cannot_lead_the_demo_away() {
    let quiet = Run { base: demo_table(), ..NOTHING }.load().unwrap();
    for (key, value) in LEADING_AWAY {
        let name = format!("REBAL__{}", key.replace('.', "__").to_uppercase());
        let env = [
            (name.as_str(), value),
            ("REBAL__TELEGRAM__CHAT_ID", "42"),
            ("REBAL__RISK__MAX_DRAWDOWN", "0.2"),
        ];
        let loaded = Run { env: &env, base: demo_table(), ..NOTHING }.load().unwrap();
        let mut expected = quiet.config.clone();
        expected.risk.max_drawdown = Rate::new(2, 1);
        assert_eq!(loaded.config, expected, "{key} = {value}");
        let all = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut named = vec![name.clone(), "REBAL__TELEGRAM__CHAT_ID".to_owned()];
        named.sort();
        assert_eq!(demo::unheeded(all), named);
    }
}

#[test]
fn who_asks_the_demo_to_go_away_is_refused_for_closing_too() {
    for (key, value) in LEADING_AWAY {
        let text = if value == "true" { value.to_owned() } else { format!("{value:?}") };
        let (section, leaf) = key.split_once('.').unwrap_or(("", key));
        let header = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        let file = format!("{header}{leaf} = {text}\n");
        let set = format!("{key}={value}");
        // What is wrong elsewhere must not open the way that leads round the seal.
        for set_too in [None, Some("basket.threshold=17")] {
            let of_sets: Vec<&str> = [Some(set.as_str()), set_too].into_iter().flatten().collect();
            let of_file: Vec<&str> = set_too.into_iter().collect();
            for run in [
                Run { sets: &of_sets, base: demo_table(), ..NOTHING },
                Run { file: Some(file.as_bytes()), sets: &of_file, base: demo_table(), ..NOTHING },
            ] {
                let (env, sets) = (Vec::new().into_iter(), run.sets.iter().map(|set| (*set).to_owned()));
                let folder = TempDir::new().unwrap();
                let path = folder.path().join("rebal.toml");
                std::fs::write(&path, run.file.unwrap_or_default()).unwrap();
                let sets: Vec<String> = sets.collect();
                let base = run.base.clone();
                let sources = Sources { file: Some(path), file_required: true, env, sets: &sets, base };
                for error in [load(sources.clone()).unwrap_err(), load_for_exit(sources).unwrap_err()] {
                    let sealed = matches!(error.faults(), [Fault::Sealed { key: named, .. }] if named == key);
                    assert!(sealed, "{set}: {error}");
                    assert!(!error.to_string().contains("secret"), "{error}");
                    assert!(error.hint().contains("leave --demo away"), "{}", error.hint());
                }
            }
        }
    }
    let stays = [
        "mode=paper",
        "paper.prices=/data/klines",
        "exchange.base_url=",
        "telegram.enabled=false",
        "telegram.chat_id=42",
    ];
    Run { sets: &stays, base: demo_table(), ..NOTHING }.load().unwrap();
}

#[test]
fn the_quote_is_no_coin_and_a_contract_of_another_quote_is_named_with_ours() {
    for key in ["basket.symbols", "moonshot.symbols", "weights.symbols"] {
        for name in ["USDT", "USDTUSDT"] {
            let error = refusal(from_sets(&[&format!("{key}=ADAUSDT,{name}")]));
            assert!(error.contains(name) && error.contains("is the quote itself"), "{key}: {error}");
        }
    }
    for (name, quote, wanted) in [
        ("ADAUSDT", "EUR", "write ADAEUR, or change quote"),
        ("ADABTC", "USDT", "write ADAUSDT, or change quote"),
        ("ADA", "USDT", "write ADAUSDT, or change quote"),
        ("BTC", "USDT", "write BTCUSDT, or change quote"),
    ] {
        let error = refusal(from_sets(&[&format!("quote={quote}"), &format!("basket.symbols={name}")]));
        assert!(error.contains(wanted), "{name} {quote}: {error}");
    }
    from_sets(&["basket.symbols=USDCUSDT,BTCUSDT,1000PEPEUSDT"]).unwrap();
}
