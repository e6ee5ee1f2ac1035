//! `--fetch`: public candles, settlements and the listing, downloaded into the archive before it is read.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::archive::Store;
use crate::archive::error::ArchiveError;
use crate::command::context::Context;
use crate::command::{settings, venue};
use crate::config::words::Venue;
use crate::domain::num::Rate;
use crate::domain::symbol::Symbol;
use crate::domain::time::{Time, show_span};
use crate::error::{CommandError, Kind};
use crate::exchange::ExchangeError;
use crate::exchange::binance::public::PublicHistory;
use crate::sim::history::Span;
use crate::ui::Progress;
use crate::wire::binance::api::Api;
use crate::wire::binance::usdm::market::Kline;

use super::Args;

const KLINE_HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume";
const FUNDING_HEADER: &str = "calc_time,last_funding_rate";
/// Intervals of one length, as the exchange calls them.
const INTERVALS: [&str; 12] = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"];
/// How often one page is asked for before giving up.
const ATTEMPTS: u32 = 5;
/// Before the second attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Downloads what is missing up to `--to`, coin by coin; what is there already is checked and not asked for.
pub(super) async fn fetch(context: &Context, args: &Args) -> Result<(), CommandError> {
    let (key, symbols) = settings::listed(&context.config);
    if symbols.is_empty() {
        let problem = format!("{key} is empty: --fetch does not know what to download");
        return Err(usage(problem, &format!("list the contracts: --set {key}=BTCUSDT,ETHUSDT")));
    }
    // A file's name ends its contract's at the first of these.
    if let Some(dated) = symbols.iter().find(|symbol| symbol.as_str().contains(['-', '_', '.'])) {
        return Err(usage(format!("{dated} cannot be kept in an archive"), "leave it out of the list"));
    }
    let source = source(context)?;
    let now = source.connect().await?;
    let length = args.interval.unwrap_or(context.config.interval);
    let fetch = Fetch {
        context,
        args,
        source,
        interval: (word(length)?, length),
        to: args.to.unwrap_or(now).min(now),
    };
    let progress = Progress::start(&context.ui, symbols.len() as u64, "downloading");
    for symbol in &symbols {
        fetch.klines(symbol).await?;
        if let Some(folder) = args.funding.as_deref().filter(|_| context.config.venue == Venue::BinanceUsdm) {
            fetch.funding(folder, symbol).await?;
        }
        progress.step(symbol.as_str());
    }
    progress.done();
    let listing = fetch.patiently(|| fetch.source.exchange_info()).await?;
    let day = now.to_string();
    let file = args.data()?.join(format!("exchangeInfo_{}.json", day.get(..10).unwrap_or_default()));
    crate::ui::write_file(&file, &String::from_utf8_lossy(&listing))
        .map_err(|error| usage(format!("{}: cannot be written: {error}", file.display()), "see --data"))
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
    source: PublicHistory,
    interval: (&'static str, Duration),
    to: Time,
}

impl Fetch<'_> {
    async fn klines(&self, symbol: &Symbol) -> Result<(), CommandError> {
        let (word, length) = self.interval;
        let mut store =
            Store::open(self.args.data()?, &format!("{symbol}-{word}.csv"), KLINE_HEADER).map_err(refuse)?;
        let mut since = self.begin(symbol, &store)?;
        self.tell_earlier(symbol, &store).await?;
        loop {
            let (page, full) = self.patiently(|| self.source.klines(symbol, self.interval, since)).await?;
            let wanted = page.iter().filter(|kline| kline.open_time + length <= self.to);
            store.append(&wanted.map(kline_row).collect::<Vec<_>>()).map_err(refuse)?;
            match page.last() {
                Some(last) if full && last.open_time + length < self.to => since = last.open_time + length,
                _ => return Ok(()),
            }
        }
    }

    async fn funding(&self, folder: &Path, symbol: &Symbol) -> Result<(), CommandError> {
        let name = format!("{symbol}-fundingRate.csv");
        let mut store = Store::open(folder, &name, FUNDING_HEADER).map_err(refuse)?;
        let mut since = self.begin(symbol, &store)?;
        loop {
            let (page, full) = self.patiently(|| self.source.funding(symbol, since)).await?;
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
        let (page, _) = self.patiently(|| self.source.klines(symbol, self.interval, from)).await?;
        if page.first().is_some_and(|kline| kline.open_time < first) {
            self.context.ui.note(&format!(
                "the archive of {symbol} begins at {first}: to have it from {from} on, remove its files and fetch again"
            ));
        }
        Ok(())
    }

    /// Asks, leaving half of the limit to others; asks again where there was no good answer, and waits as long
    /// as the exchange wants silence. Reading twice changes nothing.
    async fn patiently<T, F>(&self, ask: impl Fn() -> F) -> Result<T, CommandError>
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
                Err(error) => {
                    let failed = CommandError::from(error);
                    let hint = "what was downloaded is kept; the same command goes on from there";
                    return Err(CommandError::new(failed.kind, failed.message, hint));
                }
                Ok(answer) => return Ok(answer),
            }
            attempt += 1;
        }
    }
}

fn kline_row(kline: &Kline) -> (Time, String) {
    let Kline { open_time, close_time, open, high, low, close, volume, quote_volume } = kline;
    (*open_time, format!("{open},{high},{low},{close},{volume},{},{quote_volume}", close_time.ms()))
}
