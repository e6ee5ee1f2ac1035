//! What a scan reads: who ranks the coins, who lists them, and what their funding was.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::words::{RankSource, Venue};
use crate::decide::scan::Wanted;
use crate::domain::candidate::Candidate;
use crate::domain::num::Notional;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::exchange::Exchange;
use crate::exchange::binance::spot::Spot;
use crate::exchange::binance::usdm::Usdm;
use crate::exchange::paper::Paper;
use crate::ledger::Ledger;
use crate::report::scan::Ranking;
use crate::screener::{self, Screened, Screener};
use crate::ui::Progress;

use crate::command::context::Context;
use crate::command::venue;

/// How long the screener may take for one answer.
const SCREENER_TIMEOUT: Duration = Duration::from_secs(20);
/// Never more histories than the exchange answers in five minutes, with room for others.
const MOST_HISTORIES: usize = 300;

/// Who ranks the coins.
pub(super) enum Ranked {
    Screener(Box<Screened>),
    /// The exchange's own volume; why, where something else was wanted.
    Exchange(Option<String>),
}

impl Ranked {
    pub(super) fn told(&self, now: Time) -> Ranking {
        match self {
            Ranked::Screener(screened) => Ranking {
                source: "tradingview",
                fallback: None,
                at: screened.at,
                from_cache: screened.from_cache,
            },
            Ranked::Exchange(why) => {
                Ranking { source: "exchange", fallback: why.clone(), at: now, from_cache: false }
            }
        }
    }

    /// Slugs by coin; none where the screener was not asked.
    pub(super) fn categories(&self) -> BTreeMap<String, Vec<String>> {
        match self {
            Ranked::Screener(screened) => screened.categories.clone(),
            Ranked::Exchange(_) => BTreeMap::new(),
        }
    }

    /// What went wrong on the way, and an example of what was left out.
    pub(super) fn notes(&self) -> Vec<String> {
        let Ranked::Screener(screened) = self else { return Vec::new() };
        let mut notes = screened.notes.clone();
        if let [(ticker, why), rest @ ..] = screened.dropped.as_slice() {
            let rows = match rest.len() {
                0 => "1 row of the screener was".to_owned(),
                more => format!("{} rows of the screener were", more + 1),
            };
            notes.push(format!("{rows} left out, for example {ticker}: {why}"));
        }
        notes
    }
}

/// The screener's list, or why the exchange's own volume has to do.
pub(super) async fn ranking(context: &Context, now: Time) -> Ranked {
    let config = &context.config;
    if config.scan.source == RankSource::Exchange {
        return Ranked::Exchange(None);
    }
    if context.has_own_market() && !config.scan.tradingview_url.is_loopback() {
        return Ranked::Exchange(Some("the prices of this paper account are not the world's".into()));
    }
    let screener = Screener::new(screener::Settings {
        url: config.scan.tradingview_url.as_str().to_owned(),
        timeout: SCREENER_TIMEOUT,
        cache: Some(context.folders.state.clone()).filter(|folder| folder.is_dir()),
        spot: is_spot(context),
        quote: config.quote.clone(),
    });
    match screener {
        Err(error) => Ranked::Exchange(Some(error.to_string())),
        Ok(screener) => match screener.read(now).await {
            Ok(screened) => Ranked::Screener(Box::new(screened)),
            Err(error) => Ranked::Exchange(Some(error.to_string())),
        },
    }
}

fn is_spot(context: &Context) -> bool {
    context.config.venue == Venue::BinanceSpot
}

/// Who lists the contracts.
pub(super) enum Source {
    Own(Box<Paper>),
    Usdm(Box<Usdm>),
    Spot(Box<Spot>),
}

impl Source {
    /// Opens it and asks for the time.
    pub(super) async fn open(context: &Context, ledger: &mut Ledger) -> Result<Source, CommandError> {
        if context.has_own_market() {
            let mut paper = venue::open_whole(context, ledger).await?;
            paper.connect().await?;
            return Ok(Source::Own(Box::new(paper)));
        }
        if is_spot(context) {
            let mut spot = venue::public_spot(context)?;
            spot.connect().await?;
            return Ok(Source::Spot(Box::new(spot)));
        }
        let mut usdm = venue::public_usdm(context)?;
        usdm.connect().await?;
        Ok(Source::Usdm(Box::new(usdm)))
    }

    pub(super) fn now(&self) -> Time {
        match self {
            Source::Own(paper) => paper.now(),
            Source::Usdm(usdm) => usdm.now(),
            Source::Spot(spot) => spot.now(),
        }
    }

    /// Everything that is listed.
    pub(super) async fn listing(&self) -> Result<Listing, CommandError> {
        let (at, candidates) = match self {
            Source::Own(paper) => paper.candidates(),
            Source::Usdm(usdm) => usdm.candidates().await?,
            Source::Spot(spot) => spot.candidates().await?,
        };
        Ok(Listing { at, candidates, notes: Vec::new() })
    }
}

/// What is listed, at one instant.
pub(super) struct Listing {
    pub(super) at: Time,
    pub(super) candidates: Vec<Candidate>,
    pub(super) notes: Vec<String>,
}

impl Listing {
    /// Takes over the screener's volumes; returns what it ranks and the exchange does not list. What it
    /// does not rank is left out, except members and included coins: those keep the exchange's volume.
    pub(super) fn rank_by(
        &mut self,
        ranked: &Ranked,
        wanted: &Wanted,
        members: &BTreeSet<Symbol>,
    ) -> Vec<Symbol> {
        let Ranked::Screener(screened) = ranked else { return Vec::new() };
        let volumes: BTreeMap<&Symbol, Option<Notional>> =
            screened.pairs.iter().map(|pair| (&pair.symbol, pair.volume)).collect();
        let listed: BTreeSet<Symbol> =
            self.candidates.iter().map(|candidate| candidate.rules.symbol.clone()).collect();
        let unlisted = volumes.keys().filter(|symbol| !listed.contains(**symbol));
        let unlisted: Vec<Symbol> = unlisted.map(|symbol| (*symbol).clone()).collect();
        self.candidates.retain_mut(|candidate| match volumes.get(&candidate.rules.symbol) {
            Some(volume) => {
                candidate.volume = *volume;
                true
            }
            None => members.contains(&candidate.rules.symbol) || wanted.includes(&candidate.rules),
        });
        let left = listed.len() - self.candidates.len();
        if left > 0 {
            self.notes.push(format!(
                "{left} of {} that are listed are not among the {} that the screener ranks",
                listed.len(),
                volumes.len()
            ));
        }
        unlisted
    }

    /// Reads the funding histories of those that will be judged by it, the best rank first.
    pub(super) async fn read_funding(
        &mut self,
        context: &Context,
        source: &Source,
        mut judged: Vec<Symbol>,
    ) -> Result<(), CommandError> {
        let Source::Usdm(usdm) = source else { return Ok(()) };
        if judged.len() > MOST_HISTORIES {
            self.notes.push(format!(
                "funding was read of the {MOST_HISTORIES} most traded of {}: the exchange answers no more",
                judged.len()
            ));
            judged.truncate(MOST_HISTORIES);
        }
        let total = u64::try_from(judged.len()).unwrap_or(0);
        let progress = RefCell::new(Progress::start(&context.ui, total, "reading funding"));
        let past = usdm.funding_past(&judged, &|| progress.borrow().step("reading funding")).await?;
        progress.into_inner().done();
        let unread: Vec<&Symbol> = judged.iter().filter(|symbol| !past.contains_key(*symbol)).collect();
        // A market of which a tenth is unknown would empty the universe for no reason of its own.
        if unread.len() * 10 > judged.len() {
            return Err(CommandError::new(
                Kind::Unavailable,
                format!("the funding of {} of {} contracts could not be read", unread.len(), judged.len()),
                "nothing was changed; try again in five minutes",
            ));
        }
        for candidate in &mut self.candidates {
            candidate.funding = past.get(&candidate.rules.symbol).copied().flatten();
        }
        Ok(())
    }
}
