//! Targets and holdings become orders.

use std::cmp::Ordering;

use crate::decide::band::Band;
use crate::domain::market::Market;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::plan::{Held, Leg, Plan, Reason, Setting, SkipReason, Skipped, Standing, Warning};
use crate::domain::rules::{Rules, Unfit};
use crate::domain::snapshot::{Block, Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::strategy::{Action, Wish};

/// How orders are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Market orders instead of limit orders that expire at once.
    pub market_orders: bool,
    /// How far from the middle of the book a limit may lie, in basis points.
    pub max_slippage_bps: Rate,
    /// Nominal leverage wanted for every contract.
    pub leverage: u32,
    /// Taker fee as a fraction of notional, for the estimate.
    pub taker_fee: Rate,
}

/// Turns wishes into legs, fitted to every contract's rules; what cannot be traded is skipped with
/// its reason. Reductions come before increases, each group largest drift first.
#[must_use]
pub fn plan(snapshot: &Snapshot, wishes: &[Wish], execution: &Execution) -> Plan {
    let mut plan = Plan { gross_target: wishes.iter().map(|wish| wish.target).sum(), ..Plan::default() };
    for wish in wishes {
        let unlisted = Coin::default();
        let coin = snapshot.coins.get(&wish.symbol).unwrap_or(&unlisted);
        Planning { wish, coin, execution }.add_to(&mut plan);
    }
    plan.legs.sort_by(most_urgent_first);
    let covered = |symbol: &Symbol| wishes.iter().any(|wish| wish.symbol == *symbol);
    for (symbol, coin) in &snapshot.coins {
        if !covered(symbol) && !coin.qty().is_zero() {
            plan.warnings.push(Warning {
                code: "unmanaged_position".into(),
                symbol: Some(symbol.clone()),
                detail: "a position that rebal did not open is left alone; it counts in the leverage".into(),
            });
        }
    }
    plan
}

/// Reductions first, then by size of drift, then by name so that the order never depends on chance.
fn most_urgent_first(a: &Leg, b: &Leg) -> Ordering {
    let size = |leg: &Leg| leg.drift.map_or(Rate::from(u32::MAX), Rate::abs);
    b.reduce_only.cmp(&a.reduce_only).then(size(b).cmp(&size(a))).then_with(|| a.symbol.cmp(&b.symbol))
}

/// One coin on its way into the plan.
struct Planning<'a> {
    wish: &'a Wish,
    coin: &'a Coin,
    execution: &'a Execution,
}

impl Planning<'_> {
    fn add_to(&self, plan: &mut Plan) {
        plan.coins.push(self.standing());
        if let Some(warning) = self.band_warning() {
            plan.warnings.push(warning);
        }
        match self.legs() {
            Ok(legs) if legs.is_empty() => plan.held.push(Held {
                symbol: self.wish.symbol.clone(),
                value: self.coin.value().unwrap_or_default(),
                target: self.wish.target,
                drift: self.drift(),
            }),
            Ok(legs) => {
                if legs.iter().any(|leg| !leg.reduce_only) {
                    plan.settings.extend(self.setting());
                    plan.warnings.extend(self.leverage_warning());
                }
                plan.legs.extend(legs);
            }
            Err(skipped) => plan.skipped.push(skipped),
        }
    }

    /// The legs of this coin; none where it is held.
    fn legs(&self) -> Result<Vec<Leg>, Skipped> {
        let Some(rules) = &self.coin.rules else {
            return Err(self.skip(SkipReason::NotListed, "the exchange does not list it; check the spelling"));
        };
        let action = match (&self.wish.action, rules.delisting()) {
            // Whoever waits for the delivery is settled at a price nobody chose.
            (_, Some(_)) if self.coin.qty().is_positive() && rules.status.as_str() == "TRADING" => {
                &Action::Close { reason: Reason::Delisting }
            }
            (action, _) => action,
        };
        let acts = !matches!(action, Action::Hold | Action::Wait { .. });
        if acts && rules.status.as_str() != "TRADING" {
            return Err(self.skip(SkipReason::NotTrading, format!("its status is {}", rules.status.as_str())));
        }
        let (to, reason, close) = match action {
            Action::Hold => return Ok(Vec::new()),
            Action::Wait { reason, detail } => return Err(self.skip(*reason, detail.clone())),
            Action::Trade { to, reason } => (*to, *reason, false),
            Action::Close { reason } => (Notional::ZERO, *reason, true),
            Action::Unknown => return Err(self.skip(SkipReason::NoPrice, "no mark price")),
        };
        self.refuse_blocked()?;
        let Some(market) = self.coin.market.filter(|market| market.quote.mid().is_some()) else {
            return Err(self.skip(SkipReason::NoPrice, "no mark price or no two-sided book"));
        };
        let held = self.coin.qty();
        let wanted = to.over_price(market.mark.price).unwrap_or_default();
        let change = if close { -held } else { wanted - held };
        let side = Side::of(change);
        let reduces =
            !held.is_zero() && held.is_negative() != change.is_negative() && change.abs() <= held.abs();
        if !reduces {
            self.refuse_opening(rules, &market)?;
        }
        self.fit(rules, &market, side, change.abs(), reduces, reason)
    }

    fn refuse_blocked(&self) -> Result<(), Skipped> {
        let Some(block) = &self.coin.block else { return Ok(()) };
        let (reason, detail) = match block {
            Block::Unresolved { until } => (
                SkipReason::Unresolved,
                format!("the outcome of our last order is unknown; it is asked for again after {until}"),
            ),
            Block::Stale => {
                (SkipReason::Stale, "the exchange's position does not show our own last fill yet".to_owned())
            }
            Block::ChangedElsewhere { expected, found } => (
                SkipReason::ChangedElsewhere,
                format!(
                    "somebody else changed the position from {expected} to {found}; left alone in this pass"
                ),
            ),
            Block::Locked { qty } => (
                SkipReason::Locked,
                format!("{qty} of it are tied up by resting orders; cancel those, then it is traded again"),
            ),
            Block::Isolated => (
                SkipReason::Isolated,
                "it is set to isolated margin with a position on it; close it or switch it to cross by hand"
                    .to_owned(),
            ),
        };
        Err(self.skip(reason, detail))
    }

    fn refuse_opening(&self, rules: &Rules, market: &Market) -> Result<(), Skipped> {
        if !rules.opens() {
            let when = rules.delisting().map(|at| at.to_string()).unwrap_or_default();
            return Err(self.skip(SkipReason::Delisting, format!("delisted on {when}")));
        }
        let least = self.least_open(rules, market);
        match least {
            Some(least) if least <= self.wish.target => Ok(()),
            least => Err(self.skip(
                SkipReason::Infeasible,
                format!(
                    "its smallest order is {:.2} {}, its target {:.2}",
                    least.unwrap_or_default(),
                    rules.quote,
                    self.wish.target
                ),
            )),
        }
    }

    fn fit(
        &self,
        rules: &Rules,
        market: &Market,
        side: Side,
        wanted: Qty,
        reduce_only: bool,
        reason: Reason,
    ) -> Result<Vec<Leg>, Skipped> {
        let limit_price = self.limit_price(rules, market, side, reason);
        // The exchange values a limit order at its own price and a market order at the mark.
        let valued_at = limit_price.map_or(market.mark.price, |limit| limit.min(market.mark.price));
        let parts = rules
            .fit(wanted, valued_at, self.execution.market_orders, reduce_only)
            .map_err(|unfit| self.unfit(&unfit))?;
        let leg = |qty: Qty| {
            let notional = qty * market.mark.price;
            Leg {
                symbol: self.wish.symbol.clone(),
                side,
                reduce_only,
                qty,
                ref_price: market.mark.price,
                limit_price,
                notional,
                drift: self.drift(),
                reason,
                spread_bps: market.quote.spread_bps().unwrap_or_default().rounded(2),
                est_fee: notional * self.execution.taker_fee,
            }
        };
        Ok(parts.into_iter().map(leg).collect())
    }

    /// The worst acceptable price: `max_slippage_bps` from the middle of the book, on the tick. A stop
    /// reaches as far below the best bid: a wide book is where it is needed most.
    fn limit_price(&self, rules: &Rules, market: &Market, side: Side, reason: Reason) -> Option<Price> {
        if self.execution.market_orders {
            return None;
        }
        let mid = market.quote.mid()?;
        let room = Rate::from_bps(self.execution.max_slippage_bps);
        let bound = match side {
            Side::Buy => mid * (Rate::ONE + room),
            Side::Sell if reason.is_stop() => mid.min(market.quote.bid) * (Rate::ONE - room),
            Side::Sell => mid * (Rate::ONE - room),
        };
        Some(rules.fit_limit(side, bound, market.mark.price))
    }

    fn unfit(&self, unfit: &Unfit) -> Skipped {
        let reason = match unfit {
            Unfit::BelowStep { .. } => SkipReason::BelowStep,
            Unfit::BelowMinQty { .. } => SkipReason::BelowMinQty,
            Unfit::BelowMinNotional { .. } => SkipReason::BelowMinNotional,
        };
        self.skip(reason, unfit.to_string())
    }

    fn skip(&self, reason: SkipReason, detail: impl Into<String>) -> Skipped {
        Skipped { symbol: self.wish.symbol.clone(), reason, detail: detail.into() }
    }

    fn drift(&self) -> Option<Rate> {
        let ratio = self.coin.value()?.over(self.wish.target)?;
        Some((ratio - Rate::ONE).rounded(6))
    }

    fn standing(&self) -> Standing {
        Standing {
            symbol: self.wish.symbol.clone(),
            value: self.coin.value(),
            target: self.wish.target,
            drift: self.drift(),
            sell_band: self.wish.threshold,
            effective_buy_band: self.effective_buy_band(),
            stop: self.wish.stop,
            share: self.coin.value().and_then(|value| value.over(self.wish.whole?)),
            target_share: self.wish.whole.and_then(|whole| self.wish.target.over(whole)),
        }
    }

    /// What the smallest opening order is worth now.
    fn least_open(&self, rules: &Rules, market: &Market) -> Option<Notional> {
        let price = market.mark.price;
        rules.least_open(price, self.execution.market_orders).map(|qty| qty * price)
    }

    /// How far a coin must fall before it can be bought back: the threshold, or what the smallest
    /// order is of the target (plus the part of the band a trade leaves open), if that is more.
    fn effective_buy_band(&self) -> Option<Rate> {
        if self.wish.stop.is_some() {
            // Bought once, never bought back.
            return None;
        }
        let least = self.least_open(self.coin.rules.as_ref()?, self.coin.market.as_ref()?)?;
        self.band().buy(least, self.wish.target)
    }

    fn band(&self) -> Band {
        Band { threshold: self.wish.threshold, ends_at: self.wish.ends_at }
    }

    fn band_warning(&self) -> Option<Warning> {
        let least = self.least_open(self.coin.rules.as_ref()?, self.coin.market.as_ref()?)?;
        let band = self.effective_buy_band()?;
        if band <= self.wish.threshold {
            return None;
        }
        let symmetric = self.band().symmetric(least).map_or_else(String::new, |target| {
            format!("; a target of {target:.0} per coin would make the band symmetric")
        });
        Some(Warning {
            code: "effective_buy_band".into(),
            symbol: Some(self.wish.symbol.clone()),
            detail: format!(
                "sells at +{:.0} % but can buy only below -{:.0} %: its smallest order is {:.2}, its target {:.2}{symmetric}",
                self.wish.threshold * Rate::from(100),
                band * Rate::from(100),
                least,
                self.wish.target,
            ),
        })
    }

    /// The leverage this contract gets: what is wanted, or the most its first tier allows.
    fn leverage(&self) -> u32 {
        let most = self.coin.brackets.first().map_or(u32::MAX, |bracket| bracket.max_leverage);
        self.execution.leverage.min(most)
    }

    fn setting(&self) -> Option<Setting> {
        let now = self.coin.setting;
        let leverage = self.leverage();
        let differs = now.is_none_or(|now| now.leverage != leverage).then_some(leverage);
        let to_cross = now.is_none_or(|now| !now.cross);
        (differs.is_some() || to_cross).then(|| Setting {
            symbol: self.wish.symbol.clone(),
            leverage: differs,
            to_cross,
        })
    }

    fn leverage_warning(&self) -> Option<Warning> {
        let leverage = self.leverage();
        (leverage < self.execution.leverage).then(|| Warning {
            code: "leverage_lowered".into(),
            symbol: Some(self.wish.symbol.clone()),
            detail: format!(
                "the exchange allows at most {leverage}x, {}x was asked for",
                self.execution.leverage
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::samples::{coin, execution, snapshot};
    use crate::domain::num::Notional;
    use crate::domain::time::Time;
    use crate::strategy::basket::{Basket, OnExit, RebalanceTo, Sizing};
    use crate::strategy::{Memory, Strategy};

    fn basket(symbols: &[&str], target: u32) -> Basket {
        Basket {
            symbols: symbols.iter().map(|name| name.parse().unwrap()).collect(),
            sizing: Sizing::Fixed(Notional::from(target)),
            threshold: Rate::new(5, 2),
            rebalance_to: RebalanceTo::Target,
            on_exit: OnExit::Close,
        }
    }

    fn planned(symbols: &[&str], target: u32, coins: Vec<Coin>) -> Plan {
        let snapshot = snapshot(200, coins);
        plan(&snapshot, &basket(symbols, target).wishes(&snapshot, &Memory::default()), &execution())
    }

    fn legs(plan: &Plan) -> Vec<String> {
        let show = |leg: &Leg| {
            let kind = if leg.reduce_only { "reduce" } else { "open" };
            let limit = leg.limit_price.unwrap();
            format!(
                "{} {} {} {kind} @{limit} {}",
                leg.symbol,
                leg.side.as_str(),
                leg.qty,
                leg.reason.as_str()
            )
        };
        plan.legs.iter().map(show).collect()
    }

    fn skips(plan: &Plan) -> Vec<(SkipReason, String)> {
        plan.skipped.iter().map(|skipped| (skipped.reason, skipped.symbol.to_string())).collect()
    }

    /// Worked by hand: A is worth 120 (+20 %), B 80 (-20 %), C exactly 100, D nothing; target 100.
    #[test]
    fn strength_is_sold_before_weakness_is_bought_largest_drift_first() {
        let coins = vec![
            coin("AUSDT", "12", "10"),
            coin("BUSDT", "8", "10"),
            coin("CUSDT", "10", "10"),
            coin("DUSDT", "10", "0"),
        ];
        let plan = planned(&["AUSDT", "BUSDT", "CUSDT", "DUSDT"], 100, coins);
        assert_eq!(
            legs(&plan),
            [
                "AUSDT SELL 1.6 reduce @11.94 above_band",
                "DUSDT BUY 10 open @10.05 entry",
                "BUSDT BUY 2.5 open @8.04 below_band",
            ]
        );
        assert_eq!(plan.held.len(), 1);
        assert_eq!(plan.turnover().to_string(), "139.2");
        assert_eq!(plan.est_fees().to_string(), "0.0696");
    }

    #[test]
    fn a_small_target_sells_at_its_band_but_buys_only_where_the_minimum_lets_it() {
        // Target 20, minimum 5: a coin 10 % down is worth 18 and its missing 2 cannot be bought.
        let plan = planned(&["AUSDT", "BUSDT"], 20, vec![coin("AUSDT", "9", "2"), coin("BUSDT", "11", "2")]);
        assert_eq!(legs(&plan), ["BUSDT SELL 0.1 reduce @10.95 above_band"]);
        assert_eq!(skips(&plan), [(SkipReason::BelowMinNotional, "AUSDT".to_owned())]);
        let bands: Vec<_> =
            plan.coins.iter().map(|coin| coin.effective_buy_band.unwrap().to_string()).collect();
        // 0.6 units at 9 are the smallest order above 5; 0.5 at 11.
        assert_eq!(bands, ["0.27", "0.275"]);
        assert!(plan.warnings.iter().all(|warning| warning.code == "effective_buy_band"));
        assert!(plan.warnings[0].detail.contains("a target of 108 per coin"), "{}", plan.warnings[0].detail);
    }

    #[test]
    fn what_cannot_be_traded_is_skipped_with_its_reason() {
        let mut priceless = coin("AUSDT", "10", "0");
        priceless.market = None;
        let mut settling = coin("BUSDT", "10", "0");
        settling.rules.as_mut().unwrap().status = crate::domain::rules::Status::read("SETTLING");
        let mut ending = coin("CUSDT", "10", "0");
        ending.rules.as_mut().unwrap().delivery = Time::from_ms(1);
        let mut coarse = coin("DUSDT", "10", "0");
        coarse.rules.as_mut().unwrap().min_notional = Notional::from(500);
        let mut unresolved = coin("EUSDT", "10", "0");
        unresolved.block = Some(Block::Unresolved { until: Time::default() });
        let names = ["AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT", "FUSDT"];
        let plan = planned(&names, 100, vec![priceless, settling, ending, coarse, unresolved]);
        let reasons: Vec<_> = plan.skipped.iter().map(|skipped| skipped.reason).collect();
        use SkipReason::{Delisting, Infeasible, NoPrice, NotListed, NotTrading, Unresolved};
        assert_eq!(reasons, [NoPrice, NotTrading, Delisting, Infeasible, Unresolved, NotListed]);
        assert!(plan.legs.is_empty());
    }

    #[test]
    fn a_held_coin_whose_end_is_announced_is_closed_and_a_leaver_is_sold_whole() {
        let mut ending = coin("AUSDT", "10", "3");
        ending.rules.as_mut().unwrap().delivery = Time::from_ms(1);
        let plan = planned(&["AUSDT"], 30, vec![ending, coin("ZUSDT", "10", "0.3")]);
        assert_eq!(
            legs(&plan),
            ["ZUSDT SELL 0.3 reduce @9.95 left_universe", "AUSDT SELL 3 reduce @9.95 delisting"]
        );
    }

    #[test]
    fn a_position_that_nobody_of_ours_opened_is_left_alone() {
        let mut theirs = coin("ZUSDT", "10", "5");
        theirs.managed = false;
        let plan = planned(&["AUSDT"], 100, vec![coin("AUSDT", "10", "10"), theirs]);
        assert!(plan.legs.is_empty());
        assert_eq!(plan.warnings[0].code, "unmanaged_position");
    }

    #[test]
    fn leverage_and_margin_type_are_set_only_where_they_differ_and_only_for_increases() {
        let mut isolated = coin("AUSDT", "10", "0");
        isolated.setting = Some(crate::domain::account::MarginSetting { leverage: 20, cross: false });
        let mut capped = coin("BUSDT", "10", "0");
        capped.brackets[0].max_leverage = 3;
        let plan =
            planned(&["AUSDT", "BUSDT", "CUSDT"], 100, vec![isolated, capped, coin("CUSDT", "10", "0")]);
        let settings: Vec<_> =
            plan.settings.iter().map(|set| (set.symbol.to_string(), set.leverage, set.to_cross)).collect();
        assert_eq!(settings, [("AUSDT".to_owned(), Some(5), true), ("BUSDT".to_owned(), Some(3), false)]);
        assert!(plan.warnings.iter().any(|warning| warning.code == "leverage_lowered"));
    }

    /// A book of 9.8 to 10.2 around 10: a stop reaches 0.5 % below the bid, any other sale below the middle.
    #[test]
    fn a_stop_reaches_below_the_best_bid() {
        let mut wide = coin("AUSDT", "10", "12");
        let quote = &mut wide.market.as_mut().unwrap().quote;
        (quote.bid, quote.ask) = ("9.8".parse().unwrap(), "10.2".parse().unwrap());
        let snapshot = snapshot(200, vec![wide]);
        let close = |reason| {
            let wish = Wish {
                symbol: "AUSDT".parse().unwrap(),
                target: Notional::from(100),
                threshold: Rate::ZERO,
                ends_at: Rate::ZERO,
                stop: Some(Rate::new(3, 1)),
                whole: None,
                action: Action::Close { reason },
            };
            let plan = plan(&snapshot, &[wish], &execution());
            assert!(plan.warnings.is_empty() && plan.coins[0].effective_buy_band.is_none());
            plan.legs[0].limit_price.unwrap().to_string()
        };
        assert_eq!(close(Reason::StopLoss), "9.76");
        assert_eq!(close(Reason::TrailingStop), "9.76");
        assert_eq!(close(Reason::LeftUniverse), "9.95");
    }
}
