//! `/sim/…`: what tests do to the exchange and read back from it. Never signed, never counted.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::domain::account::{AccountModes, Indicator};
use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::rules::Status;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::server::core::{Answer, Call, Core};
use crate::server::{spot, usdm};
use crate::sim::fault::{Faults, Wanted};
use crate::sim::refusal::Refusal;
use crate::sim::spot::{BNB, QUOTE, units};

/// The most bars that one call moves: a year of five-minute bars.
const MOST_BARS: u32 = 105_120;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    #[serde(default = "one_bar")]
    bars: u32,
}

fn one_bar() -> u32 {
    1
}

/// Which account is meant; futures where it is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum Venue {
    #[default]
    #[serde(rename = "binance-usdm")]
    Futures,
    #[serde(rename = "binance-spot")]
    Spot,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    #[serde(default)]
    venue: Venue,
    amount: Notional,
    /// USDT where it is left out.
    asset: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HandTrade {
    #[serde(default)]
    venue: Venue,
    symbol: Symbol,
    qty: Qty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jump {
    #[serde(default)]
    venue: Venue,
    symbol: Symbol,
    factor: Rate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    #[serde(default)]
    venue: Venue,
    symbol: Symbol,
    status: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Modes {
    hedge: Option<bool>,
    /// Fees on spot are paid in BNB.
    spot_bnb_burn: Option<bool>,
    multi_assets: Option<bool>,
    /// This contract becomes isolated.
    isolated: Option<Symbol>,
    /// This contract becomes cross again.
    cross: Option<Symbol>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewRestrictions {
    ip_restrict: Option<bool>,
    enable_reading: Option<bool>,
    enable_withdrawals: Option<bool>,
    enable_internal_transfer: Option<bool>,
    permits_universal_transfer: Option<bool>,
    enable_margin: Option<bool>,
    enable_futures: Option<bool>,
    enable_vanilla_options: Option<bool>,
    enable_spot_and_margin_trading: Option<bool>,
    /// Milliseconds; 0 is never.
    trading_authority_expiration_time: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewIndicator {
    /// A contract, or `ACCOUNT`.
    scope: String,
    indicator: String,
    value: Rate,
    trigger_value: Rate,
    #[serde(default)]
    is_locked: bool,
    planned_recover_time: Option<i64>,
}

impl Core {
    /// Answers a control request.
    pub(crate) fn control(&mut self, call: &Call) -> Answer {
        // Where recorded prices are used up, the state can still be read and changed.
        let _ = self.tick();
        let result = match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/sim/state") => Ok(self.shown_state()),
            ("POST", "/sim/advance") => self.advance(call),
            ("POST", "/sim/faults") => self.arm(call),
            ("POST", "/sim/transfer") => self.transfer(call),
            ("POST", "/sim/trade") => self.hand_trade(call),
            ("POST", "/sim/price") => self.jump(call),
            ("POST", "/sim/status") => self.set_status(call),
            ("POST", "/sim/modes") => self.set_modes(call),
            ("POST", "/sim/restrictions") => self.set_restrictions(call),
            ("POST", "/sim/indicators") => self.set_indicators(call),
            _ => {
                return Answer::json(
                    404,
                    &json!({"error": format!("no such control: {} {}", call.method, call.path)}),
                );
            }
        };
        match result {
            Ok(value) => Answer::json(200, &value),
            Err(error) => Answer::json(400, &json!({"error": error})),
        }
    }

    fn advance(&mut self, call: &Call) -> Result<Value, String> {
        let wanted: Advance = read(call)?;
        if !self.is_manual() {
            return Err("the clock runs by itself; start with --clock manual to move it".to_owned());
        }
        if wanted.bars > MOST_BARS {
            return Err(format!("at most {MOST_BARS} bars at once"));
        }
        let moved = self.exchange.advance_bars(wanted.bars);
        self.spot.follow(&self.exchange);
        self.moved();
        moved.map_err(|end| end.to_string())?;
        Ok(json!({"at": self.exchange.now()}))
    }

    fn transfer(&mut self, call: &Call) -> Result<Value, String> {
        let wanted: Transfer = read(call)?;
        let asset = wanted.asset.as_deref().unwrap_or(QUOTE);
        if wanted.venue == Venue::Spot {
            said(self.spot.transfer(&self.exchange, asset, units(wanted.amount)))?;
            let balance = self.spot.balance(asset);
            return Ok(json!({"asset": asset, "free": balance.free, "locked": balance.locked}));
        }
        match asset {
            QUOTE => said(self.exchange.transfer(wanted.amount))?,
            BNB => said(self.exchange.transfer_bnb(wanted.amount))?,
            other => return Err(format!("no such asset here: {other}; USDT or BNB")),
        }
        Ok(json!({"wallet": self.exchange.balance().wallet}))
    }

    fn hand_trade(&mut self, call: &Call) -> Result<Value, String> {
        let wanted: HandTrade = read(call)?;
        if wanted.venue == Venue::Spot {
            let placed = self.spot.hand_trade(&self.exchange, &wanted.symbol, wanted.qty);
            return said(placed).map(|placed| spot::show::accepted(&placed));
        }
        said(self.exchange.hand_trade(&wanted.symbol, wanted.qty)).map(|placed| usdm::show::accepted(&placed))
    }

    /// Both sides of a coin jump: they share one market.
    fn jump(&mut self, call: &Call) -> Result<Value, String> {
        let wanted: Jump = read(call)?;
        let contract = match wanted.venue {
            Venue::Futures => wanted.symbol.clone(),
            Venue::Spot => said(self.spot.pair(&wanted.symbol))?.market.clone(),
        };
        said(self.exchange.jump_price(&contract, wanted.factor))?;
        self.spot.follow(&self.exchange);
        Ok(match wanted.venue {
            Venue::Futures => json!({"symbol": contract, "mark": self.exchange.mark_price(&contract)}),
            Venue::Spot => {
                let last = self.spot.last_price(&self.exchange, &wanted.symbol);
                json!({"symbol": wanted.symbol, "last": last})
            }
        })
    }

    fn set_status(&mut self, call: &Call) -> Result<Value, String> {
        let wanted: NewStatus = read(call)?;
        let status = Status::read(&wanted.status);
        said(match wanted.venue {
            Venue::Futures => self.exchange.set_status(&wanted.symbol, status),
            Venue::Spot => self.spot.set_status(&wanted.symbol, status),
        })?;
        Ok(json!({"symbol": wanted.symbol, "status": wanted.status}))
    }

    fn arm(&mut self, call: &Call) -> Result<Value, String> {
        let wanted: Vec<Wanted> = read(call)?;
        let count = wanted.len();
        self.faults = Faults::arm(wanted)?;
        Ok(json!({"faults": count}))
    }

    fn set_modes(&mut self, call: &Call) -> Result<Value, String> {
        let wanted: Modes = read(call)?;
        let before = self.exchange.modes();
        self.exchange.force_modes(AccountModes {
            hedge: wanted.hedge.unwrap_or(before.hedge),
            multi_assets: wanted.multi_assets.unwrap_or(before.multi_assets),
            ..before
        });
        for (symbol, cross) in [(wanted.isolated, false), (wanted.cross, true)] {
            if let Some(symbol) = symbol {
                said(self.exchange.force_margin_type(&symbol, cross))?;
            }
        }
        let modes = self.exchange.modes();
        if let Some(on) = wanted.spot_bnb_burn {
            self.spot.set_burn(on);
        }
        Ok(
            json!({"hedge": modes.hedge, "multi_assets": modes.multi_assets, "spot_bnb_burn": self.spot.burn()}),
        )
    }

    fn set_restrictions(&mut self, call: &Call) -> Result<Value, String> {
        let wanted: NewRestrictions = read(call)?;
        let may = &mut self.restrictions;
        for (field, value) in [
            (&mut may.ip_restrict, wanted.ip_restrict),
            (&mut may.reading, wanted.enable_reading),
            (&mut may.withdrawals, wanted.enable_withdrawals),
            (&mut may.internal_transfer, wanted.enable_internal_transfer),
            (&mut may.universal_transfer, wanted.permits_universal_transfer),
            (&mut may.margin, wanted.enable_margin),
            (&mut may.futures, wanted.enable_futures),
            (&mut may.options, wanted.enable_vanilla_options),
            (&mut may.spot, wanted.enable_spot_and_margin_trading),
        ] {
            *field = value.unwrap_or(*field);
        }
        if let Some(ms) = wanted.trading_authority_expiration_time {
            may.expires = instant(ms)?;
        }
        Ok(json!({"enableFutures": may.futures, "enableWithdrawals": may.withdrawals}))
    }

    /// Replaces every indicator; an empty list clears them, and with them every lock.
    fn set_indicators(&mut self, call: &Call) -> Result<Value, String> {
        let wanted: Vec<NewIndicator> = read(call)?;
        let count = wanted.len();
        let indicators = wanted.into_iter().map(|wanted| {
            Ok(Indicator {
                scope: wanted.scope,
                name: wanted.indicator,
                value: wanted.value,
                trigger: wanted.trigger_value,
                locked: wanted.is_locked,
                recovers: instant(wanted.planned_recover_time.unwrap_or_default())?,
            })
        });
        self.exchange.judge(indicators.collect::<Result<_, String>>()?);
        Ok(json!({"indicators": count}))
    }

    /// Everything a test compares with what a client believes.
    fn shown_state(&self) -> Value {
        let exchange = &self.exchange;
        let balance = exchange.balance();
        let always = (Time::default(), Time::clamped(i64::MAX));
        let positions: Vec<Value> = exchange
            .positions()
            .values()
            .map(|held| {
                json!({"symbol": held.symbol, "qty": held.qty, "entry_price": held.entry_price,
                       "mark_price": held.mark_price, "unrealized": held.unrealized})
            })
            .collect();
        let orders: Vec<Value> = exchange.accepted_orders().into_iter().map(usdm::show::accepted).collect();
        let requests: Vec<Value> = self
            .seen
            .iter()
            .map(|seen| {
                json!({"method": seen.method, "path": seen.path, "at": seen.at, "weight": seen.weight})
            })
            .collect();
        let income: Vec<Value> = exchange
            .income(always.0, always.1)
            .into_iter()
            .map(|row| {
                json!({"at": row.at, "type": row.kind, "symbol": row.symbol, "amount": row.amount,
                       "asset": row.asset, "tran_id": row.tran_id, "trade_id": row.trade_id})
            })
            .collect();
        json!({
            "at": exchange.now(),
            "equity": balance.equity,
            "wallet": balance.wallet,
            "available": balance.available,
            "maint_margin": balance.maint_margin,
            "initial_margin": balance.initial_margin,
            "positions": positions,
            "orders": orders,
            "requests": requests,
            "income": income,
            "spot": spot::show::state(self),
        })
    }
}

/// Milliseconds as the exchange gives them: 0 is no time at all.
fn instant(ms: i64) -> Result<Option<Time>, String> {
    let time = Time::from_ms(ms).ok_or_else(|| format!("not a time: {ms}"))?;
    Ok((ms != 0).then_some(time))
}

/// Reads a control's JSON body; nothing at all is an empty object.
fn read<T: DeserializeOwned>(call: &Call) -> Result<T, String> {
    let body: &[u8] = if call.body.is_empty() { b"{}" } else { &call.body };
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn said<T>(result: Result<T, Refusal>) -> Result<T, String> {
    result.map_err(|refusal| refusal.to_string())
}
