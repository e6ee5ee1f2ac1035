//! The regular message: what happened to the account since the last one.

use std::time::Duration;

use crate::domain::entry::Entry;
use crate::domain::history::{BookedEntry, PastPass, Reading, Sample};
use crate::domain::num::{Notional, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::heading::Heading;

/// Digits kept of quotients; sums and products stay exact.
const RATE_DIGITS: u32 = 8;
/// As many coins are named at either end.
const NAMED: usize = 3;

/// A coin and how it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The contract.
    pub symbol: Symbol,
    /// Of its mark price, since the last digest or since it was entered.
    pub change: Rate,
    /// Its floating profit, in the quote asset.
    pub floating: Notional,
}

/// The figures of one digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// When, and about which account.
    pub heading: Heading,
    /// The asset of every amount.
    pub quote: String,
    /// The reading that changes are measured from.
    pub since: Time,
    /// The newest reading.
    pub read_at: Time,
    /// Whether that reading is older than it should be.
    pub stale: bool,
    /// Wallet plus floating profit.
    pub equity: Notional,
    /// By how much equity grew, transfers aside.
    pub change: Notional,
    /// By how much one unit's value grew: a rate that no transfer moves.
    pub change_rate: Rate,
    /// Deposits less withdrawals.
    pub transfers: Notional,
    /// Floating profit of everything that is held.
    pub floating: Notional,
    /// How many coins are held.
    pub positions: usize,
    /// The coins that rose most, the best first.
    pub best: Vec<Move>,
    /// The coins that fell most, the worst first; none of them is among the best.
    pub worst: Vec<Move>,
    /// Funding received less funding paid.
    pub funding: Notional,
    /// The loss from the peak, as a fraction of the peak.
    pub drawdown: Rate,
    /// The last pass of the ledger.
    pub last_pass: Option<PastPass>,
    /// Why trading is halted, where it is.
    pub halt: Option<String>,
}

/// What a digest is made from.
pub struct DigestInputs<'a> {
    /// When, and about which account.
    pub heading: Heading,
    /// The asset of every amount.
    pub quote: &'a str,
    /// The cadence of passes.
    pub interval: Duration,
    /// The reading of the last digest, or the first of all.
    pub before: &'a Reading,
    /// Its coins.
    pub coins_before: &'a [Sample],
    /// The newest reading.
    pub now: &'a Reading,
    /// Its coins.
    pub coins_now: &'a [Sample],
    /// Income rows between both.
    pub income: &'a [BookedEntry],
    /// The last pass of the ledger.
    pub last_pass: Option<PastPass>,
    /// Why trading is halted, where it is.
    pub halt: Option<String>,
}

/// Whether a digest is due: once for every whole `every` since the first reading. Counted from there
/// and not from the last digest, or passes that come a second late would shift the hours for ever.
#[must_use]
pub fn is_due(now: Time, first: Time, last: Option<Time>, every: Duration) -> bool {
    let count = |at: Time| at.since(first).as_millis().checked_div(every.as_millis()).unwrap_or(0);
    match last {
        None => count(now) > 0,
        // Written by a clock that was wrong: waiting for it could take years.
        Some(last) if last.since(now) > every => true,
        Some(last) => count(now) > count(last),
    }
}

impl Digest {
    /// Puts the figures together.
    #[must_use]
    pub fn new(inputs: DigestInputs<'_>) -> Digest {
        let DigestInputs { before, now, quote, .. } = inputs;
        let sum = |meant: fn(&Entry) -> bool| -> Notional {
            let rows = inputs.income.iter().map(|booked| &booked.entry);
            rows.filter(|entry| meant(entry) && entry.asset == quote).map(|entry| entry.amount).sum()
        };
        let transfers = sum(Entry::is_transfer);
        let held = || inputs.coins_now.iter().filter(|coin| !coin.qty.is_zero());
        let mut moves: Vec<Move> = held().filter_map(|coin| moved(coin, inputs.coins_before)).collect();
        moves.sort_by(|a, b| b.change.cmp(&a.change).then_with(|| a.symbol.cmp(&b.symbol)));
        let change_rate = now.nav.over(before.nav).map_or(Rate::ZERO, |ratio| ratio - Rate::ONE);
        Digest {
            quote: quote.to_owned(),
            since: before.at,
            read_at: now.at,
            stale: inputs.heading.at.since(now.at) > inputs.interval * 2,
            equity: now.equity,
            change: now.equity - before.equity - transfers,
            change_rate,
            transfers,
            floating: held().map(|coin| coin.unrealized).sum(),
            positions: held().count(),
            worst: moves.iter().rev().filter(|one| one.change.is_negative()).take(NAMED).cloned().collect(),
            best: moves.iter().filter(|one| one.change.is_positive()).take(NAMED).cloned().collect(),
            funding: sum(Entry::is_funding),
            drawdown: drawdown(now),
            last_pass: inputs.last_pass,
            halt: inputs.halt,
            heading: inputs.heading,
        }
    }
}

/// The loss from the peak at a reading.
pub(crate) fn drawdown(reading: &Reading) -> Rate {
    reading.nav.over(reading.peak).map_or(Rate::ZERO, |ratio| (Rate::ONE - ratio).rounded(RATE_DIGITS))
}

/// How a coin's mark moved; a coin that was not there before is measured from its entry.
fn moved(coin: &Sample, before: &[Sample]) -> Option<Move> {
    let earlier = before.iter().find(|one| one.symbol == coin.symbol && !one.qty.is_zero());
    let from = earlier.and_then(|one| one.mark).unwrap_or(coin.entry);
    let change = coin.mark?.over(from)? - Rate::ONE;
    Some(Move { symbol: coin.symbol.clone(), change, floating: coin.unrealized })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Time {
        Time::from_ms(1_760_000_000_000 + minutes * 60_000).unwrap()
    }

    const FOUR_HOURS: Duration = Duration::from_secs(4 * 3600);

    #[test]
    fn it_is_due_once_in_every_period_since_the_first_reading() {
        for (now, last, due) in [
            (0, None, false),
            (239, None, false),
            (240, None, true),
            (245, Some(240), false),
            // A pass that came late does not shift the next one.
            (479, Some(247), false),
            (480, Some(247), true),
            (1000, Some(240), true),
            (1005, Some(1000), false),
            // A clock that went back a little, and one that was a month ahead.
            (470, Some(485), false),
            (250, Some(40_000), true),
        ] {
            assert_eq!(is_due(at(now), at(0), last.map(at), FOUR_HOURS), due, "{now} {last:?}");
        }
        assert!(!is_due(at(9), at(0), None, Duration::ZERO));
    }

    fn coin(name: &str, qty: i64, entry: i64, mark: i64, unrealized: i64) -> Sample {
        Sample {
            symbol: format!("{name}USDT").parse().unwrap(),
            qty: u32::try_from(qty).unwrap().into(),
            entry: crate::domain::num::Price::new(entry, 2),
            mark: (mark > 0).then(|| crate::domain::num::Price::new(mark, 2)),
            unrealized: Notional::new(unrealized, 2),
            target: None,
        }
    }

    fn row(kind: &str, asset: &str, amount: i64) -> BookedEntry {
        let entry = Entry {
            at: at(60),
            kind: kind.into(),
            symbol: String::new(),
            amount: Notional::new(amount, 4),
            asset: asset.into(),
            tran_id: 0,
            trade_id: String::new(),
        };
        BookedEntry { entry, pass_id: Some(2), of_our_fill: false }
    }

    #[test]
    fn the_figures_are_those_calculated_by_hand() {
        // 200 units of 1.00; 50 come in at 1.00; everything then gains 2 %: 250 × 1.02 = 255.
        let before = Reading {
            pass_id: 1,
            at: at(0),
            fill_seq: 0,
            equity: Notional::from(200),
            nav: Notional::ONE,
            peak: Notional::new(120, 2),
        };
        let now = Reading {
            pass_id: 2,
            at: at(240),
            fill_seq: 0,
            equity: Notional::from(255),
            nav: Notional::new(102, 2),
            peak: Notional::new(120, 2),
        };
        let coins_before = [coin("A", 10, 100, 100, 0), coin("B", 10, 100, 200, 0), coin("C", 0, 0, 50, 0)];
        let coins_now = [
            coin("A", 10, 100, 110, 100), // +10 % since the last digest
            coin("B", 10, 100, 190, 900), // −5 %, though far above its entry
            coin("C", 10, 100, 103, 30),  // entered since: +3 %, whatever it cost before
            coin("D", 10, 100, 0, -7),    // no price: counted, not ranked
            coin("E", 0, 0, 500, 0),      // not held
        ];
        let income = [
            row("TRANSFER", "USDT", 500_000),
            row("TRANSFER", "BNB", 10_000),
            row("FUNDING_FEE", "USDT", -1234),
            row("SPECIAL_FUNDING_FEE", "USDT", 34),
            row("COMMISSION", "USDT", -9999),
        ];
        let digest = Digest::new(DigestInputs {
            heading: Heading { at: at(240), ..Heading::default() },
            quote: "USDT",
            interval: Duration::from_secs(300),
            before: &before,
            coins_before: &coins_before,
            now: &now,
            coins_now: &coins_now,
            income: &income,
            last_pass: None,
            halt: None,
        });
        assert_eq!((digest.change, digest.transfers), (Notional::from(5), Notional::from(50)));
        assert_eq!(digest.change_rate, Rate::new(2, 2));
        assert_eq!(digest.funding, Notional::new(-1200, 4));
        assert_eq!(digest.drawdown, Rate::new(15, 2));
        assert_eq!((digest.floating, digest.positions), (Notional::new(1023, 2), 4));
        let told = |moves: &[Move]| -> Vec<(String, Rate)> {
            moves.iter().map(|one| (one.symbol.to_string(), one.change)).collect()
        };
        assert_eq!(
            told(&digest.best),
            [("AUSDT".into(), Rate::new(10, 2)), ("CUSDT".into(), Rate::new(3, 2))]
        );
        assert_eq!(told(&digest.worst), [("BUSDT".into(), Rate::new(-5, 2))]);
        assert!(!digest.stale);
    }
}
