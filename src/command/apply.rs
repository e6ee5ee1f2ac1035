//! A plan in a file: what it was made from, and whether that still holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::num::{Price, Qty, Rate};
use crate::domain::plan::{Leg, Plan};
use crate::domain::symbol::Symbol;
use crate::domain::time::{Time, show_span};
use crate::error::{CommandError, Kind};
use crate::exchange::Exchange;
use crate::ledger::Ledger;
use crate::pass::Prepared;
use crate::report::plan::PlanReport;

use super::context::Context;

/// A plan file larger than this is not one of ours.
const MOST_BYTES: u64 = 4 << 20;

/// Quantities this close, as a fraction, are the same order at another price.
fn same_qty() -> Rate {
    Rate::new(5, 2)
}

/// What a plan was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Basis {
    /// When, exchange time.
    at: Time,
    /// For which account.
    account: String,
    /// The pass that would have carried it out.
    pass: i64,
    /// Fingerprint of the configuration.
    config: String,
    /// Positions it saw.
    positions: BTreeMap<Symbol, Qty>,
    /// Mark prices it saw, of the coins it trades.
    marks: BTreeMap<Symbol, Price>,
}

/// The report, with what it was made from and the plan to be carried out.
#[derive(Serialize)]
pub(super) struct PlanFile<'a> {
    #[serde(flatten)]
    report: &'a PlanReport,
    basis: Basis,
    gross_target: crate::domain::num::Notional,
}

/// The part of a plan file that is read back.
#[derive(Deserialize)]
struct Stored {
    schema: String,
    plan_id: String,
    basis: Basis,
    #[serde(flatten)]
    plan: Plan,
}

impl Basis {
    pub(super) async fn of<E: Exchange>(
        context: &Context,
        exchange: &E,
        ledger: &mut Ledger,
        prepared: &Prepared,
    ) -> Result<Basis, CommandError> {
        let snapshot = &prepared.seen.snapshot;
        let traded = |symbol: &Symbol| prepared.plan().legs.iter().any(|leg| leg.symbol == *symbol);
        let marks = snapshot.coins.iter().filter(|(symbol, _)| traded(symbol));
        Ok(Basis {
            at: snapshot.at,
            account: format!("{}, account {}", exchange.environment(), prepared.seen.account),
            pass: ledger.last_change().await?,
            config: context.config.fingerprint(),
            positions: snapshot
                .coins
                .iter()
                .filter(|(_, coin)| !coin.qty().is_zero())
                .map(|(symbol, coin)| (symbol.clone(), coin.qty()))
                .collect(),
            marks: marks
                .filter_map(|(symbol, coin)| Some((symbol.clone(), coin.market?.mark.price)))
                .collect(),
        })
    }

    pub(super) fn into_file(self, report: &PlanReport) -> PlanFile<'_> {
        let gross_target = report.coins.iter().map(|coin| coin.target).sum();
        PlanFile { report, basis: self, gross_target }
    }

    /// Everything that moved between this basis and `now` by more than is tolerated.
    fn moved(&self, now: &Basis, max_age: Duration, max_move: Rate) -> Vec<String> {
        let mut moved = Vec::new();
        let age = now.at.since(self.at);
        if age > max_age {
            moved.push(format!("it is {} old, {} is allowed", show_span(age), show_span(max_age)));
        }
        if self.account != now.account {
            moved.push(format!("it was made for {}", self.account));
        }
        if self.pass != now.pass {
            moved.push("another pass ran since".to_owned());
        }
        if self.config != now.config {
            moved.push("the configuration changed".to_owned());
        }
        for symbol in
            self.positions.keys().chain(now.positions.keys()).collect::<std::collections::BTreeSet<_>>()
        {
            let (before, after) = (self.positions.get(symbol), now.positions.get(symbol));
            if before != after {
                let show = |qty: Option<&Qty>| qty.copied().unwrap_or_default();
                moved.push(format!("the position in {symbol} went from {} to {}", show(before), show(after)));
            }
        }
        for (symbol, before) in &self.marks {
            match now.marks.get(symbol) {
                None => moved.push(format!("{symbol} would not be traded now")),
                Some(after) => {
                    let change = (*after - *before).abs().over(*before).unwrap_or(Rate::ONE);
                    if change > max_move {
                        moved.push(format!(
                            "{symbol} moved {:.2} %, {:.2} % is allowed",
                            change * Rate::from(100),
                            max_move * Rate::from(100)
                        ));
                    }
                }
            }
        }
        moved
    }
}

/// A name that two different plans do not share, made from the orders themselves.
pub(super) fn plan_id(legs: &[Leg], at: Time) -> String {
    let content = serde_json::to_vec(&(at, legs)).unwrap_or_default();
    Sha256::digest(content).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether two decisions send the same orders, but for quantities that differ by what prices did.
pub(super) fn same_orders(one: &[Leg], other: &[Leg]) -> bool {
    let kind = |leg: &Leg| (leg.symbol.clone(), leg.side, leg.reduce_only);
    let totals = |legs: &[Leg]| {
        let mut totals: BTreeMap<_, Qty> = BTreeMap::new();
        for leg in legs {
            *totals.entry(kind(leg)).or_default() += leg.qty;
        }
        totals
    };
    let (one, other) = (totals(one), totals(other));
    one.keys().eq(other.keys())
        && one.values().zip(other.values()).all(|(a, b)| (*a - *b).abs() <= a.abs().max(b.abs()) * same_qty())
}

/// Reads a plan file and checks that what it was made from still holds.
pub(super) fn read(context: &Context, path: &Path, now: &Basis, fresh: &Plan) -> Result<Plan, CommandError> {
    let stored = read_file(path)?;
    let max_move = Rate::from_bps(context.config.execution.max_slippage_bps);
    if plan_id(&stored.plan.legs, stored.basis.at) != stored.plan_id {
        return Err(CommandError::new(
            Kind::Config,
            format!("{}: its orders are not those that were planned", path.display()),
            "a plan is carried out as it was made: make a new one with `rebal plan --out FILE`; nothing was sent",
        ));
    }
    let mut moved = stored.basis.moved(now, context.config.interval, max_move);
    if moved.is_empty() && !same_orders(&stored.plan.legs, &fresh.legs) {
        moved.push("other orders would be decided on now".to_owned());
    }
    if moved.is_empty() {
        // What the caps are measured by is never taken from a file.
        return Ok(Plan { gross_target: fresh.gross_target, ..stored.plan });
    }
    Err(CommandError::new(
        Kind::Unavailable,
        format!("the plan no longer holds: {}", moved.join("; ")),
        "make a new one with `rebal plan --out FILE`; nothing was sent",
    ))
}

fn read_file(path: &Path) -> Result<Stored, CommandError> {
    let refuse = |why: String| {
        CommandError::new(
            Kind::Config,
            format!("{}: {why}", path.display()),
            "give a file that `rebal plan --out FILE` wrote; nothing was sent",
        )
    };
    let length = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if length > MOST_BYTES {
        return Err(refuse("too large for a plan".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let stored: Stored =
        serde_json::from_str(&text).map_err(|error| refuse(format!("not a plan: {error}")))?;
    if stored.schema != "rebal.plan/1" {
        return Err(refuse(format!("not a plan but {:?}", stored.schema)));
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis() -> Basis {
        let symbol: Symbol = "AUSDT".parse().unwrap();
        Basis {
            at: Time::from_ms(1_000_000).unwrap(),
            account: "paper".into(),
            pass: 4,
            config: "c".into(),
            positions: BTreeMap::from([(symbol.clone(), Qty::from(3))]),
            marks: BTreeMap::from([(symbol, Price::from(100))]),
        }
    }

    fn moved(change: impl FnOnce(&mut Basis)) -> Vec<String> {
        let mut now = basis();
        change(&mut now);
        basis().moved(&now, Duration::from_secs(300), Rate::new(5, 3))
    }

    #[test]
    fn a_plan_holds_while_nothing_moved_beyond_its_tolerance() {
        let symbol: Symbol = "AUSDT".parse().unwrap();
        let none: Vec<String> = Vec::new();
        assert_eq!(moved(|_| {}), none);
        assert_eq!(moved(|now| now.at = now.at + Duration::from_secs(300)), none);
        assert_eq!(moved(|now| now.at = now.at + Duration::from_secs(301)).len(), 1);
        assert_eq!(moved(|now| now.pass = 5), ["another pass ran since"]);
        assert_eq!(moved(|now| now.config = "d".into()), ["the configuration changed"]);
        assert_eq!(moved(|now| now.positions.clear()), ["the position in AUSDT went from 3 to 0"]);
        let at = |mark: &str| mark.parse::<Price>().unwrap();
        let remarked = |mark: &str| BTreeMap::from([(symbol.clone(), at(mark))]);
        assert_eq!(moved(|now| now.marks = remarked("100.5")), none);
        let moved = moved(|now| now.marks = remarked("100.51"));
        assert_eq!(moved, ["AUSDT moved 0.51 %, 0.50 % is allowed"]);
    }
}
