//! The check between a plan and the exchange, and the proof that it was passed.
//!
//! Guards of single legs (spread, mark gap) drop the leg; guards of the whole (leverage, margin,
//! liquidation, caps) drop the increases with the smallest drift until the rest fits. Nothing is
//! dropped without a reason in `plan.skipped`. What forbids trading altogether comes back as breaches, all of them.

use crate::decide::exposure::exposure;
use crate::domain::account::max_notional;
use crate::domain::num::{Notional, Price, Rate};
use crate::domain::order::{ClientId, OrderKind, OrderRequest, Purpose, TimeInForce};
use crate::domain::plan::{Leg, Plan, SkipReason, Skipped, Warning};
use crate::domain::snapshot::Snapshot;

/// What must never be exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Widest book that is traded, basis points.
    pub max_spread_bps: Rate,
    /// Largest `|mark − mid| / mid` that is traded.
    pub max_mark_gap: Rate,
    /// Orders in one pass.
    pub max_orders: usize,
    /// Turnover of one pass over the sum of all targets.
    pub max_turnover: Rate,
    /// Largest loss from the peak.
    pub max_drawdown: Rate,
    /// No increase above this gross exposure over equity.
    pub max_effective_leverage: Rate,
    /// No increase that leaves less than this uniform move until liquidation.
    pub min_liquidation_distance: Rate,
    /// Share of equity that stays free.
    pub margin_buffer: Rate,
    /// Nominal leverage that orders are margined at.
    pub leverage: u32,
}

/// What is known of the account besides the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The id of the halt in force.
    pub halt: Option<String>,
    /// `1 − nav / peak`.
    pub drawdown: Rate,
}

/// Why a plan may not be carried out at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// The latch is set.
    #[error("trading is halted (halt {0})")]
    Halted(String),
    /// Two positions per contract.
    #[error("the account is in hedge mode, rebal needs one-way mode")]
    HedgeMode,
    /// Pooled collateral.
    #[error("the account is in multi-assets mode, rebal needs single-asset mode")]
    MultiAssetsMode,
    /// The exchange does not let the account trade.
    #[error("the exchange does not let this account trade")]
    MayNotTrade,
    /// There is nothing to trade with.
    #[error("equity is {0}, there is nothing to trade with")]
    NoEquity(Notional),
}

/// A plan that passed the check. Only [`check`] makes one, and `exits` of legs that can only close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    plan: Plan,
    /// The legs close what is held because everything must go.
    exits: bool,
}

/// An order that passed the check. Only [`Approved::orders`] makes one, and an exchange takes
/// nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedOrder {
    request: OrderRequest,
}

impl ApprovedOrder {
    /// What to send.
    #[must_use]
    pub fn request(&self) -> &OrderRequest {
        &self.request
    }
}

impl Approved {
    /// What is left of the plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Adds what the owner should know besides; the orders stay as they were checked.
    pub fn warn(&mut self, warnings: impl IntoIterator<Item = Warning>) {
        self.plan.warnings.extend(warnings);
    }

    /// One order per leg, in order, with the ids of `install` and `decision`.
    pub fn orders(&self, install: u32, decision: u32) -> Vec<(ApprovedOrder, &Leg)> {
        // The check caps the legs far below 256, so every leg has a number of its own.
        (0..=u8::MAX)
            .zip(&self.plan.legs)
            .map(|(leg, of)| {
                let purpose = match (self.exits, of.reduce_only) {
                    (true, _) => Purpose::Flatten,
                    (false, true) => Purpose::Reduce,
                    (false, false) => Purpose::Open,
                };
                (approve(of, purpose, install, decision, leg), of)
            })
            .collect()
    }
}

fn approve(leg: &Leg, purpose: Purpose, install: u32, decision: u32, number: u8) -> ApprovedOrder {
    let client_id = ClientId { install, decision, leg: number, purpose }.to_string();
    let kind = leg
        .limit_price
        .map_or(OrderKind::Market, |price| OrderKind::Limit { price, time_in_force: TimeInForce::Ioc });
    ApprovedOrder {
        request: OrderRequest {
            symbol: leg.symbol.clone(),
            side: leg.side,
            qty: leg.qty,
            kind,
            reduce_only: leg.reduce_only,
            client_id,
        },
    }
}

/// Digits kept of an estimate that is a part of another.
const MONEY_DIGITS: u32 = 8;

/// Digits kept of the part of purchases that the cash pays for.
const PART_DIGITS: u32 = 18;

/// More legs than this have no id of their own, whatever the configuration says.
pub const MOST_LEGS: usize = 200;

/// Lets through what only closes: no limit may keep anybody from getting out. Legs that could open
/// something are left out, and those beyond the number that has ids wait for the next round.
pub(super) fn exits(legs: Vec<Leg>) -> Approved {
    let legs = legs.into_iter().filter(|leg| leg.reduce_only).take(MOST_LEGS).collect();
    Approved { plan: Plan { legs, ..Plan::default() }, exits: true }
}

/// Checks `plan` against `limits`: the approved rest of it, or every reason why nothing may be sent.
pub fn check(
    plan: Plan,
    snapshot: &Snapshot,
    limits: &Limits,
    standing: &Standing,
) -> Result<Approved, Vec<Breach>> {
    let breaches = breaches(snapshot, standing);
    if !breaches.is_empty() {
        return Err(breaches);
    }
    let mut checking = Checking { planned: plan.legs.clone(), plan, snapshot, limits };
    checking.drop_legs(|leg, checking| checking.shape_guard(leg));
    checking.drop_legs(|leg, checking| checking.market_guard(leg));
    checking.drop_legs(|leg, checking| checking.position_cap(leg));
    if standing.drawdown >= limits.max_drawdown {
        let detail = format!(
            "drawdown {} is at its limit of {}",
            percent(standing.drawdown),
            percent(limits.max_drawdown)
        );
        checking.drop_legs(|leg, _| (!leg.reduce_only).then(|| (SkipReason::Drawdown, detail.clone())));
    }
    checking.cap_orders();
    checking.shrink_to_cash();
    checking.cap_turnover();
    checking.drop_increases_until_fits(Checking::leverage_excess);
    checking.drop_increases_until_fits(Checking::margin_shortfall);
    checking.drop_increases_until_fits(Checking::liquidation_nearness);
    Ok(Approved { plan: checking.finish(), exits: false })
}

fn breaches(snapshot: &Snapshot, standing: &Standing) -> Vec<Breach> {
    let equity = snapshot.balance.equity;
    [
        standing.halt.clone().map(Breach::Halted),
        snapshot.modes.hedge.then_some(Breach::HedgeMode),
        snapshot.modes.multi_assets.then_some(Breach::MultiAssetsMode),
        (!snapshot.modes.can_trade).then_some(Breach::MayNotTrade),
        (!equity.is_positive()).then_some(Breach::NoEquity(equity)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A reason to drop a leg.
type Objection = (SkipReason, String);

/// A plan that is being cut down to what is allowed.
struct Checking<'a> {
    plan: Plan,
    /// The legs as they came.
    planned: Vec<Leg>,
    snapshot: &'a Snapshot,
    limits: &'a Limits,
}

impl Checking<'_> {
    fn skip(&mut self, leg: &Leg, (reason, detail): Objection) {
        self.plan.skipped.push(Skipped { symbol: leg.symbol.clone(), reason, detail });
    }

    fn drop_legs(&mut self, objection: impl Fn(&Leg, &Self) -> Option<Objection>) {
        for leg in std::mem::take(&mut self.plan.legs) {
            match objection(&leg, self) {
                Some(objection) => self.skip(&leg, objection),
                None => self.plan.legs.push(leg),
            }
        }
    }

    /// Drops the increase with the smallest drift for as long as `objection` has one.
    fn drop_increases_until_fits(&mut self, objection: impl Fn(&Self) -> Option<Objection>) {
        while let Some(objection) = objection(self) {
            let Some(last) = self.plan.legs.pop_if(|leg| !leg.reduce_only) else { return };
            self.skip(&last, objection);
        }
    }

    fn market_guard(&self, leg: &Leg) -> Option<Objection> {
        let market = self.snapshot.coins.get(&leg.symbol)?.market?;
        let limits = self.limits;
        let spread = market.quote.spread_bps()?;
        // A stop sells into a wide book too, bounded by its limit price. Where mark and book disagree it
        // waits: the mark that set it off may be the one that is wrong.
        if spread > limits.max_spread_bps && !leg.reason.is_stop() {
            let detail = format!("the book is {spread:.1} bps wide, the limit is {}", limits.max_spread_bps);
            return Some((SkipReason::Spread, detail));
        }
        let gap = market.mark_gap()?;
        (gap > limits.max_mark_gap).then(|| {
            let detail = format!(
                "mark and book differ by {}, the limit is {}",
                percent(gap),
                percent(limits.max_mark_gap)
            );
            (SkipReason::MarkGap, detail)
        })
    }

    /// An order split into several counts as one.
    fn position_cap(&self, leg: &Leg) -> Option<Objection> {
        let coin = self.snapshot.coins.get(&leg.symbol)?;
        let most =
            max_notional(&coin.brackets, self.limits.leverage.min(coin.brackets.first()?.max_leverage))?;
        let change = self.planned.iter().filter(|other| other.symbol == leg.symbol);
        let after = coin.qty() + change.map(|other| other.side.signed(other.qty)).sum();
        let value = (after * leg.ref_price).abs();
        (!leg.reduce_only && value > most).then(|| {
            let detail =
                format!("a position of {value:.0} is above the {most:.0} that this leverage may carry");
            (SkipReason::PositionCap, detail)
        })
    }

    /// A plan made here never does this; one that comes from a file might.
    fn shape_guard(&self, leg: &Leg) -> Option<Objection> {
        let objection = |detail: &str| Some((SkipReason::NotListed, detail.to_owned()));
        let Some(coin) = self.snapshot.coins.get(&leg.symbol) else {
            return objection("it is not in the basket");
        };
        if coin.block.is_some() || coin.market.is_none() {
            return objection("it may not be traded in this pass");
        }
        let after = coin.qty() + leg.side.signed(leg.qty);
        let flips =
            !coin.qty().is_zero() && !after.is_zero() && after.is_negative() != coin.qty().is_negative();
        if flips && (leg.reduce_only || after.is_negative()) {
            objection("it would turn the position around")
        } else {
            None
        }
    }

    fn cap_orders(&mut self) {
        let most = self.limits.max_orders.min(MOST_LEGS);
        while self.plan.legs.len() > most {
            let Some(last) = self.plan.legs.pop() else { return };
            self.skip(&last, (SkipReason::OrderCap, format!("{most} orders per pass are allowed")));
        }
    }

    fn cap_turnover(&mut self) {
        let most = self.plan.gross_target * self.limits.max_turnover;
        let over = |checking: &Self| {
            (checking.plan.turnover() > most)
                .then(|| (SkipReason::TurnoverCap, format!("a turnover of {most:.2} per pass is allowed")))
        };
        self.drop_increases_until_fits(over);
    }

    /// On spot every purchase is paid in full, at the worst price it may get, and from what sales bring at
    /// theirs: where that is not enough for all, each gets its share of what there is.
    fn shrink_to_cash(&mut self) {
        let is_purchase = |leg: &Leg| !leg.reduce_only && is_spot(self.snapshot, leg);
        let effect = |leg: &&Leg| margin_effect(self.snapshot, self.limits, leg);
        let needed: Notional =
            -self.plan.legs.iter().filter(|leg| is_purchase(leg)).map(|leg| effect(&leg)).sum::<Notional>();
        let balance = &self.snapshot.balance;
        let others: Notional =
            self.plan.legs.iter().filter(|leg| !is_purchase(leg)).map(|leg| effect(&leg)).sum();
        let there = balance.available + others - balance.equity * self.limits.margin_buffer;
        if needed <= there {
            return;
        }
        // Rounded down, and with room for what products are rounded by: all purchases together must fit.
        let part =
            there.max(Notional::ZERO).over(needed).unwrap_or_default().floor_to(Rate::new(1, PART_DIGITS));
        self.plan.warnings.push(Warning {
            code: "short_of_cash".into(),
            symbol: None,
            detail: format!(
                "purchases of {needed:.2} at the worst price are cut to the {:.2} that are there",
                there.max(Notional::ZERO)
            ),
        });
        for leg in std::mem::take(&mut self.plan.legs) {
            if leg.reduce_only || !is_spot(self.snapshot, &leg) {
                self.plan.legs.push(leg);
                continue;
            }
            match shrunk(&leg, self.snapshot, part) {
                Some(smaller) => self.plan.legs.push(smaller),
                None => {
                    let detail = format!(
                        "{there:.2} are there for purchases of {needed:.2}, and its part of that is too small an order"
                    );
                    self.skip(&leg, (SkipReason::Margin, detail));
                }
            }
        }
    }

    fn leverage_excess(&self) -> Option<Objection> {
        let after = exposure(self.snapshot, &self.plan.legs).leverage;
        let most = self.limits.max_effective_leverage;
        (after > most).then(|| {
            (SkipReason::Leverage, format!("effective leverage would be {after:.2}x, the limit is {most}x"))
        })
    }

    fn liquidation_nearness(&self) -> Option<Objection> {
        let distance = exposure(self.snapshot, &self.plan.legs).liquidation_distance?;
        let least = self.limits.min_liquidation_distance;
        (distance < least).then(|| {
            let detail = format!(
                "a fall of {} would liquidate the account, at least {} is wanted",
                percent(distance),
                percent(least)
            );
            (SkipReason::Liquidation, detail)
        })
    }

    fn margin_shortfall(&self) -> Option<Objection> {
        let (free_after, kept_free) = margin_after(self.snapshot, self.limits, &self.plan.legs);
        (free_after < kept_free).then(|| {
            let detail = format!("{free_after:.2} would stay free, the buffer is {kept_free:.2}");
            (SkipReason::Margin, detail)
        })
    }

    /// Settings of coins whose increases were all dropped are not touched either.
    fn finish(mut self) -> Plan {
        let legs = &self.plan.legs;
        self.plan
            .settings
            .retain(|setting| legs.iter().any(|leg| leg.symbol == setting.symbol && !leg.reduce_only));
        self.plan
    }
}

/// Whether these legs, as far as they were really filled, keep to the limits that increases are held to:
/// leverage, free margin, distance to liquidation. An increase must not live on a sale that did not happen.
#[must_use]
pub fn has_room(snapshot: &Snapshot, limits: &Limits, legs: &[Leg]) -> bool {
    let (free_after, kept_free) = margin_after(snapshot, limits, legs);
    let carried = exposure(snapshot, legs);
    let far = carried.liquidation_distance.is_none_or(|distance| distance >= limits.min_liquidation_distance);
    free_after >= kept_free && carried.leverage <= limits.max_effective_leverage && far
}

/// How many of `purchases`, the first ones, are paid for with what `sales` really brought: a coin that is
/// bought on spot must not fail for lack of quote.
#[must_use]
pub fn affordable(snapshot: &Snapshot, limits: &Limits, sales: &[Leg], purchases: &[Leg]) -> usize {
    let mut legs = sales.to_vec();
    let mut count = 0;
    for leg in purchases {
        legs.push(leg.clone());
        if !has_room(snapshot, limits, &legs) {
            break;
        }
        count += 1;
    }
    count
}

/// What stays free after these legs, and what has to.
fn margin_after(snapshot: &Snapshot, limits: &Limits, legs: &[Leg]) -> (Notional, Notional) {
    let balance = &snapshot.balance;
    let effects = legs.iter().map(|leg| margin_effect(snapshot, limits, leg)).sum();
    (balance.available + effects, balance.equity * limits.margin_buffer)
}

/// Whether a leg trades a coin of a spot account.
fn is_spot(snapshot: &Snapshot, leg: &Leg) -> bool {
    let rules = snapshot.coins.get(&leg.symbol).and_then(|coin| coin.rules.as_ref());
    rules.is_some_and(|rules| rules.spot.is_some())
}

/// This part of a purchase, fitted to its rules; `None` where that is too little for an order.
fn shrunk(leg: &Leg, snapshot: &Snapshot, part: Rate) -> Option<Leg> {
    let rules = snapshot.coins.get(&leg.symbol)?.rules.as_ref()?;
    let valued_at = leg.limit_price.map_or(leg.ref_price, |limit| limit.min(leg.ref_price));
    let qty = rules.rounded(leg.qty * part, valued_at, leg.limit_price.is_none(), false);
    let notional = qty * leg.ref_price;
    let est_fee = (leg.est_fee * qty.over(leg.qty)?).floor_to(Notional::new(1, MONEY_DIGITS));
    qty.is_positive().then(|| Leg { qty, notional, est_fee, ..leg.clone() })
}

/// What a trade of a spot account brings, or costs, at the worst price that it may get, fee included. A
/// market order's is the far side of the book and as much beyond it as the book may be wide.
fn cash_effect(snapshot: &Snapshot, limits: &Limits, leg: &Leg) -> Notional {
    let quote = snapshot.coins.get(&leg.symbol).and_then(|coin| coin.market).map(|market| market.quote);
    let beyond = Rate::from_bps(limits.max_spread_bps);
    if leg.reduce_only {
        let book =
            || quote.map_or(leg.ref_price, |quote| quote.bid).min(leg.ref_price) * (Rate::ONE - beyond);
        return leg.qty * leg.limit_price.unwrap_or_else(book).min(leg.ref_price) - leg.est_fee;
    }
    let book = || quote.map_or(leg.ref_price, |quote| quote.ask).max(leg.ref_price) * (Rate::ONE + beyond);
    -(leg.qty * leg.limit_price.unwrap_or_else(book).max(leg.ref_price) + leg.est_fee)
}

/// What a leg does to the free margin, fee included: an increase ties up its initial margin at
/// the worst price it may pay and the loss it would open with, a reduction frees margin at the
/// mark.
fn margin_effect(snapshot: &Snapshot, limits: &Limits, leg: &Leg) -> Notional {
    if is_spot(snapshot, leg) {
        return cash_effect(snapshot, limits, leg);
    }
    let coin = snapshot.coins.get(&leg.symbol);
    let most = coin.and_then(|coin| coin.brackets.first()).map_or(u32::MAX, |bracket| bracket.max_leverage);
    let wanted = Rate::from(limits.leverage.min(most).max(1));
    let margin = |notional: Notional, leverage: Rate| notional.over_rate(leverage).unwrap_or(notional);
    if leg.reduce_only {
        let set = coin.and_then(|coin| coin.setting).map_or(wanted, |now| Rate::from(now.leverage.max(1)));
        return margin(leg.notional, set) - leg.est_fee;
    }
    let worst: Price = leg.limit_price.unwrap_or(leg.ref_price).max(leg.ref_price);
    let opening_loss = leg.qty * (worst - leg.ref_price);
    -(margin(leg.qty * worst, wanted) + opening_loss + leg.est_fee)
}

fn percent(rate: Rate) -> String {
    format!("{:.1} %", rate * Rate::from(100))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::plan::plan;
    use crate::decide::samples::{coin, execution, limits, snapshot, symbol};
    use crate::domain::num::Qty;
    use crate::domain::plan::Reason;
    use crate::domain::snapshot::Coin;
    use crate::strategy::basket::{Basket, OnExit, RebalanceTo, Sizing};
    use crate::strategy::{Memory, Strategy};

    /// Coins A, B, … of which each is worth `values[i]`, all with a target of 100.
    fn account(equity: i64, values: &[&str]) -> (Snapshot, Plan) {
        let coins: Vec<Coin> = ["AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT", "FUSDT", "GUSDT"]
            .iter()
            .zip(values)
            .map(|(name, qty)| coin(name, "10", qty))
            .collect();
        let symbols = coins.iter().map(|coin| coin.rules.as_ref().unwrap().symbol.clone()).collect();
        let basket = Basket {
            symbols,
            sizing: Sizing::Fixed(Notional::from(100)),
            threshold: Rate::new(5, 2),
            rebalance_to: RebalanceTo::Target,
            on_exit: OnExit::Close,
        };
        let snapshot = snapshot(equity, coins);
        let plan = plan(&snapshot, &basket.wishes(&snapshot, &Memory::default()), &execution());
        (snapshot, plan)
    }

    fn checked(
        (snapshot, plan): (Snapshot, Plan),
        limits: &Limits,
    ) -> (Vec<String>, Vec<(String, SkipReason)>) {
        let approved = check(plan, &snapshot, limits, &Standing::default()).unwrap();
        let legs = approved.plan().legs.iter().map(|leg| leg.symbol.to_string()).collect();
        let skipped = approved
            .plan()
            .skipped
            .iter()
            .map(|skipped| (skipped.symbol.to_string(), skipped.reason))
            .collect();
        (legs, skipped)
    }

    fn one(name: &str, reason: SkipReason) -> Vec<(String, SkipReason)> {
        vec![(name.to_owned(), reason)]
    }

    /// The same on spot, where everything is paid in full.
    fn spot_account(equity: i64, values: &[&str]) -> (Snapshot, Plan) {
        let (mut snapshot, plan) = account(equity, values);
        for coin in snapshot.coins.values_mut() {
            coin.rules.as_mut().unwrap().spot = Some(crate::domain::rules::SpotTerms::default());
            coin.brackets.clear();
        }
        (snapshot, plan)
    }

    fn paid_in_full() -> Limits {
        Limits { margin_buffer: Rate::ZERO, leverage: 1, max_turnover: Rate::from(10), ..limits() }
    }

    /// Two purchases of 10 units at no more than 10.05, with fees of 0.05 each: 201.1 in all. With 150 there
    /// are 7.45… units of each, and 7.4 in whole steps.
    #[test]
    fn on_spot_purchases_are_cut_to_what_is_there() {
        let (mut snapshot, plan) = spot_account(300, &["0", "0"]);
        snapshot.balance.available = Notional::from(150);
        let approved = check(plan.clone(), &snapshot, &paid_in_full(), &Standing::default()).unwrap();
        let bought: Vec<String> = approved.plan().legs.iter().map(|leg| leg.qty.to_string()).collect();
        assert_eq!(bought, ["7.4", "7.4"]);
        assert_eq!(approved.plan().warnings.last().unwrap().code, "short_of_cash");
        snapshot.balance.available = Notional::new(2011, 1);
        let approved = check(plan.clone(), &snapshot, &paid_in_full(), &Standing::default()).unwrap();
        assert_eq!(approved.plan().legs, plan.legs, "what is enough is enough");
        // Less than the smallest order of each.
        snapshot.balance.available = Notional::from(8);
        let approved = check(plan, &snapshot, &paid_in_full(), &Standing::default()).unwrap();
        let reasons: Vec<SkipReason> = approved.plan().skipped.iter().map(|skip| skip.reason).collect();
        assert_eq!((approved.plan().legs.len(), reasons), (0, vec![SkipReason::Margin; 2]));
    }

    /// A sale of 5 units that really brought 9 each pays for 4 units at 10.05 and a fee, not for 8.
    #[test]
    fn on_spot_purchases_of_any_quantity_are_cut_and_all_made() {
        // Prices and shares of which the quotients never end.
        for available in ["150", "299.7", "33.33", "200.00000001"] {
            let (mut snapshot, plan) = spot_account(300, &["0", "0"]);
            for rules in snapshot.coins.values_mut().filter_map(|coin| coin.rules.as_mut()) {
                (rules.lot.step, rules.lot.min) = (Qty::ZERO, Qty::ZERO);
                rules.market_lot = rules.lot;
            }
            snapshot.balance.available = available.parse().unwrap();
            let approved = check(plan.clone(), &snapshot, &paid_in_full(), &Standing::default()).unwrap();
            assert_eq!(approved.plan().legs.len(), 2, "{:?}", approved.plan().skipped);
        }
    }

    #[test]
    fn on_spot_what_was_sold_pays_for_the_first_purchases() {
        let (mut snapshot, plan) = spot_account(300, &["0", "0"]);
        snapshot.balance.available = Notional::ZERO;
        let purchase = |leg: &Leg| Leg { qty: Qty::from(4), est_fee: Notional::new(2, 2), ..leg.clone() };
        let purchases: Vec<Leg> = plan.legs.iter().map(purchase).collect();
        let sold = |price: u32| Leg {
            qty: Qty::from(5),
            reduce_only: true,
            side: crate::domain::order::Side::Sell,
            limit_price: Some(Price::from(price)),
            ..purchases[0].clone()
        };
        let limits = paid_in_full();
        assert_eq!(affordable(&snapshot, &limits, &[sold(9)], &purchases), 1);
        assert_eq!(affordable(&snapshot, &limits, &[sold(8)], &purchases), 0);
        snapshot.balance.available = Notional::from(36);
        assert_eq!(affordable(&snapshot, &limits, &[sold(9)], &purchases), 2);
    }

    #[test]
    fn within_every_limit_the_plan_passes_as_it_is() {
        let (legs, skipped) = checked(account(200, &["12", "8", "0"]), &limits());
        assert_eq!((legs.join(" "), skipped), ("AUSDT CUSDT BUSDT".to_owned(), vec![]));
    }

    #[test]
    fn the_governor_drops_the_smallest_drift_first() {
        // 200 of equity carry 600 at 3x: five entries of 100 and two holdings of 80 are 660 gross;
        // the two refills (drift -20 %) go first, then one entry, since 560 + fees fits.
        let (legs, skipped) = checked(account(200, &["8", "8", "0", "0", "0", "0", "0"]), &limits());
        assert_eq!(legs, ["CUSDT", "DUSDT", "EUSDT", "FUSDT"]);
        let dropped: Vec<_> = skipped.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(dropped, ["BUSDT", "AUSDT", "GUSDT"]);
        assert!(skipped.iter().all(|(_, reason)| *reason == SkipReason::Leverage));
    }

    #[test]
    fn margin_is_kept_back_by_the_buffer() {
        // 46 free; two entries at 5x tie up about 20.1 each with their opening loss and fee. Both
        // leave 4.9, more than a buffer of 10 % of 46 = 4.6; at 12 % = 5.5 one must go.
        let at = |buffer| Limits {
            margin_buffer: Rate::new(buffer, 2),
            max_effective_leverage: Rate::from(10),
            min_liquidation_distance: Rate::ZERO,
            ..limits()
        };
        assert_eq!(checked(account(46, &["0", "0"]), &at(10)).1, vec![]);
        assert_eq!(checked(account(46, &["0", "0"]), &at(12)).1, one("BUSDT", SkipReason::Margin));
    }

    #[test]
    fn a_wide_book_and_a_torn_mark_are_not_traded_even_to_reduce() {
        let (mut snapshot, plan) = account(200, &["12", "0"]);
        let widen = |snapshot: &mut Snapshot, name: &str, ask: &str| {
            let market = snapshot.coins.get_mut(&symbol(name)).unwrap().market.as_mut().unwrap();
            market.quote.ask = ask.parse().unwrap();
        };
        widen(&mut snapshot, "AUSDT", "10.05");
        let (_, skipped) = checked((snapshot.clone(), plan.clone()), &limits());
        assert_eq!(skipped, one("AUSDT", SkipReason::Spread));
        let market = snapshot.coins.get_mut(&symbol("AUSDT")).unwrap().market.as_mut().unwrap();
        market.quote.bid = "10.5".parse().unwrap();
        market.quote.ask = "10.51".parse().unwrap();
        let (_, skipped) = checked((snapshot, plan), &limits());
        assert_eq!(skipped, one("AUSDT", SkipReason::MarkGap));
    }

    #[test]
    fn caps_on_orders_and_turnover_keep_the_most_urgent() {
        let few = Limits { max_orders: 1, ..limits() };
        let (legs, skipped) = checked(account(200, &["12", "8", "0"]), &few);
        assert_eq!((legs.join(" "), skipped.len()), ("AUSDT".to_owned(), 2));
        // Turnover 20 + 100 + 20 = 140 of a gross target of 300; 40 % of it is 120.
        let slow = Limits { max_turnover: Rate::new(4, 1), ..limits() };
        let (_, skipped) = checked(account(200, &["12", "8", "0"]), &slow);
        assert_eq!(skipped, one("BUSDT", SkipReason::TurnoverCap));
    }

    #[test]
    fn an_increase_that_comes_too_close_to_liquidation_is_dropped() {
        // Equity 50, after one entry gross 100: distance (50 - 1) / (100 - 1) = 49 %; after two,
        // (50 - 2) / (200 - 2) = 24 %.
        let near = Limits {
            min_liquidation_distance: Rate::new(3, 1),
            max_effective_leverage: Rate::from(10),
            ..limits()
        };
        assert_eq!(checked(account(50, &["0", "0"]), &near).1, one("BUSDT", SkipReason::Liquidation));
    }

    #[test]
    fn at_the_drawdown_limit_nothing_is_opened_and_reductions_go() {
        let (snapshot, plan) = account(200, &["12", "8"]);
        let standing = Standing { halt: None, drawdown: Rate::new(3, 1) };
        let approved = check(plan, &snapshot, &limits(), &standing).unwrap();
        assert_eq!(approved.plan().legs.len(), 1);
        assert_eq!(approved.plan().skipped[0].reason, SkipReason::Drawdown);
    }

    #[test]
    fn every_breach_is_told_at_once() {
        let (mut snapshot, plan) = account(200, &["0"]);
        snapshot.modes.hedge = true;
        snapshot.modes.multi_assets = true;
        snapshot.balance.equity = Notional::ZERO;
        let standing = Standing { halt: Some("h1".into()), drawdown: Rate::ZERO };
        let breaches = check(plan, &snapshot, &limits(), &standing).unwrap_err();
        assert_eq!(
            breaches,
            [
                Breach::Halted("h1".into()),
                Breach::HedgeMode,
                Breach::MultiAssetsMode,
                Breach::NoEquity(Notional::ZERO)
            ]
        );
    }

    #[test]
    fn orders_carry_the_ids_that_the_ledger_will_look_for() {
        let (snapshot, plan) = account(200, &["12", "8"]);
        let approved = check(plan, &snapshot, &limits(), &Standing::default()).unwrap();
        let ids: Vec<_> = approved
            .orders(0xabc, 42)
            .into_iter()
            .map(|(order, _)| order.request().client_id.clone())
            .collect();
        assert_eq!(ids, ["rb1000abc0000002a00r", "rb1000abc0000002a01o"]);
    }

    /// Free: 100 − 160 / 5. The increase of 20 ties up 4, the sale of 20 was to free as much.
    #[test]
    fn an_increase_is_not_paid_by_a_sale_that_did_not_happen() {
        let (mut snapshot, plan) = account(100, &["12", "8"]);
        snapshot.balance.available = Notional::from(6);
        let limits = limits();
        assert!(has_room(&snapshot, &limits, &plan.legs), "{:?}", plan.legs);
        let unfilled: Vec<Leg> = plan.legs.iter().filter(|leg| !leg.reduce_only).cloned().collect();
        assert!(unfilled.len() == 1 && !has_room(&snapshot, &limits, &unfilled));
    }

    /// 200 are carried on 50. With the sale of 20 beside it a purchase of 20 changes nothing; without it 220
    /// are carried: 4.4x, and (50 − 2.2 − fees) / (220 − 2.2) = 21.9 % to liquidation instead of 24.2 %.
    #[test]
    fn nor_does_it_bring_liquidation_nearer_or_leverage_higher() {
        let (mut snapshot, plan) = account(50, &["12", "8"]);
        snapshot.balance.available = Notional::from(40);
        let unfilled: Vec<Leg> = plan.legs.iter().filter(|leg| !leg.reduce_only).cloned().collect();
        let wide = Limits { max_effective_leverage: Rate::from(10), ..limits() };
        let near = Limits { min_liquidation_distance: Rate::new(23, 2), ..wide.clone() };
        let high = Limits { max_effective_leverage: Rate::new(41, 1), ..limits() };
        for limits in [&near, &high] {
            assert!(has_room(&snapshot, limits, &plan.legs), "{limits:?}");
            assert!(!has_room(&snapshot, limits, &unfilled), "{limits:?}");
        }
        assert!(has_room(&snapshot, &wide, &unfilled));
    }

    #[test]
    fn a_stop_sells_into_a_wide_book_but_not_on_a_mark_that_stands_alone() {
        let (mut snapshot, mut plan) = account(100, &["12"]);
        let market = snapshot.coins.get_mut(&symbol("AUSDT")).unwrap().market.as_mut().unwrap();
        (market.quote.bid, market.quote.ask) = ("9.9".parse().unwrap(), "10.1".parse().unwrap());
        let skipped = |plan: &Plan, snapshot: &Snapshot| -> Vec<SkipReason> {
            let checked = check(plan.clone(), snapshot, &limits(), &Standing::default()).unwrap();
            checked.plan().skipped.iter().map(|skipped| skipped.reason).collect()
        };
        assert_eq!(skipped(&plan, &snapshot), [SkipReason::Spread]);
        plan.legs[0].reason = Reason::StopLoss;
        assert_eq!(skipped(&plan, &snapshot), []);
        let market = snapshot.coins.get_mut(&symbol("AUSDT")).unwrap().market.as_mut().unwrap();
        (market.quote.bid, market.quote.ask) = ("10.9".parse().unwrap(), "11.1".parse().unwrap());
        assert_eq!(skipped(&plan, &snapshot), [SkipReason::MarkGap]);
    }
}
