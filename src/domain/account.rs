//! What the exchange says of the account: balances, positions, margin settings.

use serde::{Deserialize, Serialize};

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// The account's totals in the quote asset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Deposits plus everything realised: profit, fees, funding.
    pub wallet: Notional,
    /// Wallet plus floating profit; the exchange's "margin balance".
    pub equity: Notional,
    /// What may back new orders.
    pub available: Notional,
    /// Floating profit of all positions.
    pub unrealized: Notional,
    /// Margin that open positions and orders tie up.
    pub initial_margin: Notional,
    /// Equity below this is liquidated.
    pub maint_margin: Notional,
}

/// One open position in one-way mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The contract.
    pub symbol: Symbol,
    /// Base units; negative is short.
    pub qty: Qty,
    /// Average entry price; zero where nobody knows it ([`Position::entry`]).
    pub entry_price: Price,
    /// Mark price at the time of the read.
    pub mark_price: Price,
    /// `qty × (mark − entry)`.
    pub unrealized: Notional,
    /// Where the exchange would liquidate, others frozen; `None` where there is none.
    pub liquidation_price: Option<Price>,
    /// When the exchange last changed the position.
    pub updated: Time,
}

impl Position {
    /// The average entry price; `None` where it is not known, as on spot, whose exchange keeps none.
    #[must_use]
    pub fn entry(&self) -> Option<Price> {
        Some(self.entry_price).filter(Price::is_positive)
    }

    /// `qty × mark price`, signed.
    #[must_use]
    pub fn value(&self) -> Notional {
        self.qty * self.mark_price
    }
}

/// Leverage and margin type of one contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarginSetting {
    /// Nominal leverage, 1 and up.
    pub leverage: u32,
    /// Cross margin; false is isolated.
    pub cross: bool,
}

/// Account-wide modes that rebal requires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountModes {
    /// Hedge mode: two positions per contract. rebal needs one-way.
    pub hedge: bool,
    /// Multi-assets mode: pooled collateral. rebal needs single-asset.
    pub multi_assets: bool,
    /// Whether the account may trade at all.
    pub can_trade: bool,
}

/// What the exchange lets an API key do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyPermissions {
    /// May read.
    pub reading: bool,
    /// May trade futures. rebal needs it there.
    pub futures: bool,
    /// May trade on spot. rebal needs it there.
    pub spot: bool,
    /// May take money out. rebal never needs it.
    pub withdrawals: bool,
    /// May move money to other accounts of the exchange.
    pub internal_transfer: bool,
    /// May move money between the wallets of the account.
    pub universal_transfer: bool,
    /// May borrow and trade on margin.
    pub margin: bool,
    /// May trade options.
    pub options: bool,
    /// Only listed addresses may use the key.
    pub ip_restricted: bool,
    /// When it loses the right to trade; `None` where the exchange names no time.
    pub expires: Option<Time>,
}

/// One figure by which the exchange judges how an account trades (`GET /fapi/v1/apiTradingStatus`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indicator {
    /// A contract, or `ACCOUNT`.
    pub scope: String,
    /// `UFR` (unfilled orders), `IFER` (IOC and FOK orders that expired), `GCR` (cancelled GTC
    /// orders), `DR` (dust), each as a share; `TMV` (contracts in violation) as a count.
    pub name: String,
    /// Where it stands.
    pub value: Rate,
    /// Where the exchange locks.
    pub trigger: Rate,
    /// Only reduce-only orders are taken in the scope.
    pub locked: bool,
    /// When a lock is planned to end.
    pub recovers: Option<Time>,
}

/// What the exchange holds for or against the key; each part may be unknown, with the reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What the key may do.
    pub key: Result<KeyPermissions, String>,
    /// How the account is judged; empty where nothing has been recorded.
    pub indicators: Result<Vec<Indicator>, String>,
}

/// One maintenance-margin tier of a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bracket {
    /// Applies above this notional …
    pub floor: Notional,
    /// … up to and including this one.
    pub cap: Notional,
    /// The most leverage allowed here.
    pub max_leverage: u32,
    /// Maintenance margin as a share of notional.
    pub maint_rate: Rate,
    /// Subtracted so that tiers join without a jump.
    pub cum: Notional,
}

impl Bracket {
    /// The one tier of what is bought and paid for, as on spot: no leverage, nothing to maintain.
    #[must_use]
    pub fn fully_paid() -> Bracket {
        Bracket {
            floor: Notional::ZERO,
            // More than anybody holds.
            cap: Notional::new(1_000_000_000_000, 0),
            max_leverage: 1,
            maint_rate: Rate::ZERO,
            cum: Notional::ZERO,
        }
    }
}

/// Maintenance margin of `notional` under `brackets` (ascending): `N·mmr − cum`.
///
/// Above the last cap the last tier goes on; without brackets it is zero.
#[must_use]
pub fn maintenance_margin(brackets: &[Bracket], notional: Notional) -> Notional {
    let size = notional.abs();
    match brackets.iter().find(|bracket| size <= bracket.cap).or(brackets.last()) {
        Some(bracket) => size * bracket.maint_rate - bracket.cum,
        None => Notional::ZERO,
    }
}

/// The largest notional that `leverage` may carry: the largest cap whose tier allows it.
#[must_use]
pub fn max_notional(brackets: &[Bracket], leverage: u32) -> Option<Notional> {
    brackets.iter().filter(|bracket| bracket.max_leverage >= leverage).map(|bracket| bracket.cap).max()
}
