//! Balances, fees and rights of a spot account.

use std::collections::BTreeMap;

use crate::domain::num::{Qty, Rate};
use crate::wire::binance::request::Call;
use crate::wire::json::{self, Row, WireError};

/// What a spot account holds and may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The exchange's number of the account.
    pub uid: i64,
    /// Whether it may trade at all.
    pub can_trade: bool,
    /// What taking from the book costs at most, as a share of the notional: no discount is deducted.
    pub taker_fee: Rate,
    /// What is held, by asset; nothing that is zero.
    pub balances: BTreeMap<String, Held>,
}

/// How much of one asset is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// What may be sold or spent.
    pub free: Qty,
    /// What resting orders tie up.
    pub locked: Qty,
}

impl Held {
    /// Both together.
    #[must_use]
    pub fn total(&self) -> Qty {
        self.free + self.locked
    }
}

/// Reads `GET /api/v3/account`. One balance that cannot be read spoils the account: a coin that we do not
/// see is a coin that we would buy again.
pub fn account(bytes: &[u8]) -> Result<Account, WireError> {
    let endpoint = Call::SpotAccount.name();
    let json = json::parse(endpoint, bytes)?;
    let row = Row::of(endpoint, &json)?;
    let mut balances = BTreeMap::new();
    for item in row.items("balances")? {
        let balance = Row::of(endpoint, item)?;
        let held = Held { free: balance.not_negative("free")?, locked: balance.not_negative("locked")? };
        if balances.insert(balance.word("asset")?, held).is_some() {
            return Err(row.wrong("balances", "names an asset twice"));
        }
    }
    balances.retain(|_, held| !held.total().is_zero());
    if row.text("accountType")? != "SPOT" {
        return Err(row.wrong("accountType", "is not SPOT"));
    }
    Ok(Account {
        uid: row.int("uid")?,
        can_trade: row.flag("canTrade")?,
        taker_fee: taker_fee(endpoint, row)?,
        balances,
    })
}

/// Whichever side an order is on: a side may cost something besides.
fn taker_fee(endpoint: &'static str, row: Row<'_, '_>) -> Result<Rate, WireError> {
    let rates = row.get("commissionRates").ok_or_else(|| row.wrong("commissionRates", "is missing"))?;
    let rates = Row::of(endpoint, rates)?;
    let (taker, buyer, seller): (Rate, Rate, Rate) =
        (rates.amount("taker")?, rates.amount("buyer")?, rates.amount("seller")?);
    let fee = taker + buyer.max(seller);
    if fee.abs() >= Rate::new(5, 2) {
        return Err(rates.wrong("taker", "is beyond five per cent"));
    }
    Ok(fee)
}
