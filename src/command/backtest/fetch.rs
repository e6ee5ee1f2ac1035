//! `--fetch`: public candles, settlements and the listing, downloaded into the archive before it is read.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::archive::error::ArchiveError;
use crate::archive::{self, Other, Store};
use crate::command::context::Context;
use crate::command::{settings, signals, venue};
use crate::config::words::Venue;
use crate::domain::num::Rate;
use crate::domain::symbol::Symbol;
use crate::domain::time::{Time, show_span};
use crate::error::{CommandError, Kind};
use crate::exchange::ExchangeError;
use crate::exchange::binance::public::PublicHistory;
use crate::pass::lock::{self, Lock, LockError};
use crate::sim::history::Span;
use crate::ui::Progress;
use crate::wire::binance::api::Api;
use crate::wire::binance::usdm::market::Kline;
use crate::wire::binance::{spot as spot_wire, usdm as usdm_wire};

use super::Args;

const KLINE_HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume";
const FUNDING_HEADER: &str = "calc_time,last_funding_rate";
/// Intervals of one length, as the exchange calls them.
const INTERVALS: [&str; 12] = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"];
/// The lock of a folder that is being filled, hidden among somebody's files.
const LOCK: &str = ".rebal-fetch.lock";
/// What becomes of a download that ended early.
const KEPT: &str = "what was downloaded is kept; the same command goes on from there";
/// How often one page is asked for before giving up.
const ATTEMPTS: u32 = 5;
/// Before the second attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Downloads what is missing up to `--to`, coin by coin; what is there already is checked and not asked for.
/// Whatever can be refused is refused before anything is written.
pub(super) async fn fetch(context: &Context, args: &Args) -> Result<(), CommandError> {
    if context.demo {
        let problem = "--fetch asks the exchange, and --demo talks to nobody".to_owned();
        return Err(usage(problem, "leave --demo away to download; nothing was sent"));
    }
    let (key, symbols) = settings::listed(&context.config);
    if symbols.is_empty() {
        let problem = format!("{key} is empty: --fetch does not know what to download");
        return Err(usage(problem, &format!("list the contracts: --set {key}=BTCUSDT,ETHUSDT")));
    }
    // A file's name ends its contract's at the first of these.
    if let Some(dated) = symbols.iter().find(|symbol| symbol.as_str().contains(['-', '_', '.'])) {
        return Err(usage(format!("{dated} cannot be kept in an archive"), "leave it out of the list"));
    }
    let length = args.interval.unwrap_or(context.config.interval);
    let interval = (word(length)?, length);
    let (whole, source) = (Cell::new(0), source(context)?);
    let done = async {
        let now = source.connect().await.map_err(|error| {
            let hint = "see exchange.base_url and the exchange's status page; nothing was changed";
            CommandError { hint: hint.into(), ..CommandError::from(error) }
        })?;
        let to = args.to.unwrap_or(now).min(now);
        Fetch { context, args, source: &source, key, interval, to, whole: &whole }.all(&symbols, now).await
    };
    tokio::select! {
        done = done => done,
        () = signals::signal() => {
            let said = format!("interrupted: {} of {} coins are whole", whole.get(), symbols.len());
            Err(CommandError::new(Kind::Interrupted, said, KEPT))
        }
    }
}

/// Takes the folders that are filled; the second one too, where there are two.
fn hold(args: &Args, funding: Option<&Path>) -> Result<Vec<Lock>, CommandError> {
    let mut folders: Vec<&Path> = vec![args.data()?];
    folders.extend(funding);
    for folder in &folders {
        std::fs::create_dir_all(folder)
            .map_err(|error| usage(format!("{}: {error}", folder.display()), "see --data and --funding"))?;
    }
    // Two downloads that name them the other way round must not each hold one.
    folders.sort_by_key(|folder| folder.canonicalize().ok());
    folders.dedup_by_key(|folder| folder.canonicalize().ok());
    let take = |folder: &Path| {
        lock::take_as(folder, LOCK).map_err(|error| match error {
            LockError::Busy(holder) => CommandError::new(
                Kind::Locked,
                format!("another download fills {} ({holder})", folder.display()),
                "wait for it to end; nothing was changed",
            ),
            LockError::File { .. } => usage(error.to_string(), "see --data and --funding"),
        })
    };
    folders.into_iter().map(take).collect()
}

fn usage(problem: String, hint: &str) -> CommandError {
    CommandError::new(Kind::Config, problem, hint)
}

fn refuse(error: ArchiveError) -> CommandError {
    usage(error.to_string(), "see --data and --funding")
}

/// The exchange's word for an interval.
fn word(length: Duration) -> Result<&'static str, CommandError> {
    let found = INTERVALS.into_iter().find(|word| Span::read(word) == Some(Span::Fixed(length)));
    found.ok_or_else(|| {
        let problem = format!("the exchange keeps no bars of {}", show_span(length));
        usage(problem, &format!("give --interval, one of: {}", INTERVALS.join(", ")))
    })
}

/// The venue of the configuration; on paper that of real prices.
fn source(context: &Context) -> Result<PublicHistory, CommandError> {
    let config = &context.config;
    let api = match config.venue {
        Venue::BinanceUsdm => Api::Usdm,
        Venue::BinanceSpot => Api::Spot,
    };
    let timeout = Duration::from_millis(config.exchange.timeout_ms);
    let source = PublicHistory::new(api, venue::address(config), timeout);
    source.map_err(|error| usage(error.to_string(), "see exchange.base_url"))
}

struct Fetch<'a> {
    context: &'a Context,
    args: &'a Args,
    source: &'a PublicHistory,
    /// What lists the coins.
    key: &'static str,
    interval: (&'static str, Duration),
    to: Time,
    /// Coins that are downloaded.
    whole: &'a Cell<usize>,
}

/// A table that is filled, from where on.
struct Table {
    store: Store,
    since: Time,
}

impl Fetch<'_> {
    async fn all(&self, symbols: &[Symbol], now: Time) -> Result<(), CommandError> {
        let funding =
            self.args.funding.as_deref().filter(|_| self.context.config.venue == Venue::BinanceUsdm);
        let _held = hold(self.args, funding)?;
        let mut tables = Vec::new();
        for symbol in symbols {
            let prices = self.prices(symbol)?;
            let rates = funding.map(|folder| self.rates(folder, symbol)).transpose()?;
            tables.push((symbol, prices, rates));
        }
        let listing = self.patiently("the listing", || self.source.exchange_info()).await?;
        self.know(symbols, &listing).await?;
        let bars = tables.iter().map(|(_, prices, _)| self.bars_from(prices.since)).sum();
        let progress = Progress::start(&self.context.ui, bars, "downloading");
        for (symbol, prices, rates) in tables {
            self.klines(symbol, prices, &progress).await?;
            if let Some(rates) = rates {
                self.funding(symbol, rates).await?;
            }
            self.whole.set(self.whole.get() + 1);
        }
        progress.done();
        let day = now.to_string();
        let file = self.args.data()?.join(format!("exchangeInfo_{}.json", day.get(..10).unwrap_or_default()));
        crate::ui::write_file(&file, &String::from_utf8_lossy(&listing))
            .map_err(|error| usage(format!("{}: cannot be written: {error}", file.display()), "see --data"))
    }

    /// The table of prices of a coin, and where it goes on.
    fn prices(&self, symbol: &Symbol) -> Result<Table, CommandError> {
        let (folder, name) = (self.args.data()?, format!("{symbol}-{}.csv", self.interval.0));
        let store = Store::open(folder, &name, KLINE_HEADER).map_err(refuse)?;
        let others = archive::klines_beside(folder, symbol, &name).map_err(refuse)?;
        self.table(symbol, store, &others)
    }

    /// The same of funding rates.
    fn rates(&self, folder: &Path, symbol: &Symbol) -> Result<Table, CommandError> {
        let name = format!("{symbol}-fundingRate.csv");
        let store = Store::open(folder, &name, FUNDING_HEADER).map_err(refuse)?;
        let others = archive::funding_beside(folder, symbol, &name).map_err(refuse)?;
        self.table(symbol, store, &others)
    }

    /// A table among files that can be read together with it, once it is downloaded.
    fn table(&self, symbol: &Symbol, store: Store, others: &[Other]) -> Result<Table, CommandError> {
        let since = self.begin(symbol, &store)?;
        let (own, begin) = (self.interval.1, store.first().unwrap_or(since));
        for Other { file, interval, first, last } in others {
            let file = file.display();
            if let Some(other) = interval.filter(|other| *other != own) {
                let (other, own) = (show_span(other), show_span(own));
                let problem =
                    format!("{file}: holds bars of {other}, and none of {own} can be read beside them");
                return Err(usage(problem, "name a folder of its own with --data; nothing was changed"));
            }
            if begin <= *last && *first < self.to {
                let problem =
                    format!("{file}: holds {symbol} from {first} to {last}, which would be downloaded again");
                let hint =
                    "move it away, begin behind it with --from, or name another folder; nothing was changed";
                return Err(usage(problem, hint));
            }
        }
        Ok(Table { store, since })
    }

    /// Asks about coins that are not listed before anything is downloaded: some have a past all the same.
    async fn know(&self, symbols: &[Symbol], listing: &[u8]) -> Result<(), CommandError> {
        let quote = &self.context.config.quote;
        let rows = match self.context.config.venue {
            Venue::BinanceUsdm => usdm_wire::listing::exchange_info(listing).map(|read| read.rows),
            Venue::BinanceSpot => spot_wire::listing::exchange_info(listing, quote).map(|read| read.rows),
        };
        let listed: BTreeSet<Symbol> = rows.map(|rows| rows.into_keys().collect()).unwrap_or_default();
        for symbol in symbols.iter().filter(|symbol| !listed.contains(symbol)) {
            self.patiently(symbol.as_str(), || self.source.klines(symbol, self.interval, self.to)).await?;
        }
        Ok(())
    }

    /// How many bars there are from a time on, at most.
    fn bars_from(&self, since: Time) -> u64 {
        let whole = self.to.since(since.min(self.to)).as_millis() / self.interval.1.as_millis().max(1);
        u64::try_from(whole).unwrap_or(u64::MAX)
    }

    async fn klines(&self, symbol: &Symbol, table: Table, progress: &Progress) -> Result<(), CommandError> {
        let (length, Table { mut store, mut since }) = (self.interval.1, table);
        self.tell_earlier(symbol, &store).await?;
        progress.leap(symbol.as_str(), 0);
        loop {
            let ask = || self.source.klines(symbol, self.interval, since);
            let (page, full) = self.patiently(symbol.as_str(), ask).await?;
            let wanted = page.iter().filter(|kline| kline.open_time + length <= self.to);
            store.append(&wanted.map(kline_row).collect::<Vec<_>>()).map_err(refuse)?;
            let before = since;
            since = match page.last() {
                Some(last) if full && last.open_time + length < self.to => last.open_time + length,
                _ => self.to,
            };
            progress.leap(symbol.as_str(), self.bars_from(before) - self.bars_from(since));
            if since == self.to {
                return Ok(());
            }
        }
    }

    async fn funding(&self, symbol: &Symbol, table: Table) -> Result<(), CommandError> {
        let Table { mut store, mut since } = table;
        loop {
            let ask = || self.source.funding(symbol, since);
            let (page, full) = self.patiently(symbol.as_str(), ask).await?;
            // Two rows may share a time: what was charged then is their sum. A full page may end between them.
            let cut = if full { page.last().map(|print| print.at) } else { None };
            let mut rates: BTreeMap<Time, Rate> = BTreeMap::new();
            for print in page.iter().filter(|print| print.at <= self.to && Some(print.at) != cut) {
                *rates.entry(print.at).or_default() += print.rate;
            }
            let rows: Vec<(Time, String)> = rates.iter().map(|(at, rate)| (*at, rate.to_string())).collect();
            store.append(&rows).map_err(refuse)?;
            match cut {
                Some(next) if next <= self.to && next > since => since = next,
                _ => return Ok(()),
            }
        }
    }

    /// Where a download goes on, or begins.
    fn begin(&self, symbol: &Symbol, store: &Store) -> Result<Time, CommandError> {
        let next = store.last().map(|last| last + Duration::from_millis(1));
        next.or(self.args.from).ok_or_else(|| {
            usage(format!("nothing of {symbol} is in the archive yet"), "say from when on: --from 2025-01-01")
        })
    }

    /// An archive grows at its end only; whoever asks for earlier bars that exist is told.
    async fn tell_earlier(&self, symbol: &Symbol, store: &Store) -> Result<(), CommandError> {
        let (Some(first), Some(from)) = (store.first(), self.args.from) else { return Ok(()) };
        if first <= from {
            return Ok(());
        }
        let ask = || self.source.klines(symbol, self.interval, from);
        let (page, _) = self.patiently(symbol.as_str(), ask).await?;
        if page.first().is_some_and(|kline| kline.open_time < first) {
            self.context.ui.note(&format!(
                "the archive of {symbol} begins at {first}: to have it from {from} on, remove its files and fetch again"
            ));
        }
        Ok(())
    }

    /// Asks, leaving half of the limit to others; asks again where there was no good answer, and waits as long
    /// as the exchange wants silence. Reading twice changes nothing.
    async fn patiently<T, F>(&self, what: &str, ask: impl Fn() -> F) -> Result<T, CommandError>
    where
        F: Future<Output = Result<T, ExchangeError>>,
    {
        let mut attempt = 1;
        loop {
            tokio::time::sleep(self.source.pause()).await;
            match ask().await {
                Err(ExchangeError::RateLimited { until, .. }) if attempt < ATTEMPTS => {
                    self.context.ui.note(&format!("the exchange asks for silence until {until}: waiting"));
                    tokio::time::sleep(until.since(self.source.now())).await;
                }
                Err(error @ ExchangeError::Unavailable { .. }) if attempt < ATTEMPTS => {
                    self.context.ui.detail(&format!("{error}: asking again"));
                    tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1)).await;
                }
                Err(error) => return Err(self.failed(what, error)),
                Ok(answer) => return Ok(answer),
            }
            attempt += 1;
        }
    }

    /// Why a download ended, and whether the same command can do better.
    fn failed(&self, what: &str, error: ExchangeError) -> CommandError {
        let message = format!("{what}: {error}");
        match error {
            ExchangeError::Refused { .. } | ExchangeError::Rejected { .. } => {
                let hint = "check the spelling in KEY, or leave it out; what was downloaded is kept";
                usage(message, &hint.replace("KEY", self.key))
            }
            _ => CommandError::new(Kind::Unavailable, message, KEPT),
        }
    }
}

fn kline_row(kline: &Kline) -> (Time, String) {
    let Kline { open_time, close_time, open, high, low, close, volume, quote_volume } = kline;
    (*open_time, format!("{open},{high},{low},{close},{volume},{},{quote_volume}", close_time.ms()))
}
