//! Fees, by the asset that they were taken in.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::domain::fill::Fill;
use crate::domain::num::Notional;

/// What was taken in one asset.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fee {
    /// In `asset`.
    #[serde(rename = "fee")]
    pub amount: Notional,
    /// What it was taken in.
    #[serde(rename = "fee_asset")]
    pub asset: String,
    /// In the quote asset, at the price of the execution; `None` in an asset that this one has no price of.
    #[serde(skip)]
    pub worth: Option<Notional>,
}

/// The fees of one contract's executions, each asset once: amounts of two assets are never added. One order may
/// pay in several, where the balance that discounts fees are taken from runs out between two executions.
///
/// Serialised as `fee` and `fee_asset`, the first; and `other_fees`, the rest, absent where there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fees(Vec<Fee>);

impl Fees {
    /// The fees of `fills`.
    #[must_use]
    pub fn of(fills: &[Fill], quote: &str) -> Fees {
        let mut fees = Fees::default();
        for fill in fills {
            let worth = match fill.fee_asset.as_str() {
                asset if asset == quote => Some(fill.fee),
                asset if asset == fill.symbol.coin(quote) => Some(fill.fee_qty() * fill.price),
                _ => None,
            };
            fees.take(&Fee { amount: fill.fee, asset: fill.fee_asset.clone(), worth });
        }
        fees
    }

    /// Adds those of another order of the same contract.
    pub fn add(&mut self, more: &Fees) {
        more.0.iter().for_each(|fee| self.take(fee));
    }

    /// One per asset, in the order in which they were first taken.
    #[must_use]
    pub fn all(&self) -> &[Fee] {
        &self.0
    }

    /// All of several orders in the quote asset, and by asset those of which nobody says what they are worth.
    #[must_use]
    pub fn total<'a>(of: impl Iterator<Item = &'a Fees>) -> (Notional, BTreeMap<&'a str, Notional>) {
        let (mut all, mut others) = (Notional::ZERO, BTreeMap::new());
        for fee in of.flat_map(Fees::all).filter(|fee| !fee.amount.is_zero()) {
            match fee.worth {
                Some(worth) => all += worth,
                None => *others.entry(fee.asset.as_str()).or_default() += fee.amount,
            }
        }
        (all, others)
    }

    /// An asset of which nothing was taken is named only where it is the only one.
    fn take(&mut self, fee: &Fee) {
        if let Some(known) = self.0.iter_mut().find(|known| known.asset == fee.asset) {
            known.amount += fee.amount;
            known.worth = known.worth.zip(fee.worth).map(|(known, more)| known + more);
        } else if self.0.is_empty() || !fee.amount.is_zero() {
            self.0.retain(|known| !known.amount.is_zero());
            self.0.push(fee.clone());
        }
    }
}

impl Serialize for Fees {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let (first, others) = match self.0.split_first() {
            Some((first, others)) => (Some(first), others),
            None => (None, [].as_slice()),
        };
        map.serialize_entry("fee", &first.map_or(Notional::ZERO, |fee| fee.amount))?;
        map.serialize_entry("fee_asset", first.map_or("", |fee| fee.asset.as_str()))?;
        if !others.is_empty() {
            map.serialize_entry("other_fees", others)?;
        }
        map.end()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::num::Price;
    use crate::domain::order::Side;
    use crate::domain::time::Time;

    /// Fees of executions in `symbol`, each its price, fee and the asset of that.
    pub(crate) fn paid(symbol: &str, executions: &[(&str, &str, &str)]) -> Fees {
        let fill = |(price, fee, asset): &(&str, &str, &str)| Fill {
            symbol: symbol.parse().unwrap(),
            trade_id: 1,
            order_id: 1,
            side: Side::Buy,
            qty: 1.into(),
            price: price.parse::<Price>().unwrap(),
            fee: fee.parse().unwrap(),
            fee_asset: (*asset).to_owned(),
            realized: Notional::ZERO,
            at: Time::default(),
        };
        Fees::of(&executions.iter().map(fill).collect::<Vec<_>>(), "USDT")
    }

    fn told(fees: &Fees) -> Vec<String> {
        let worth = |fee: &Fee| fee.worth.map_or("?".to_owned(), |worth| worth.to_string());
        fees.all().iter().map(|fee| format!("{} {} = {}", fee.amount, fee.asset, worth(fee))).collect()
    }

    /// The BNB ran out between two executions of one purchase, and what is left of the fee is taken in the coin:
    /// 0.001 BTC at 50,000 and 0.002 at 60,000 are 170.
    #[test]
    fn one_order_that_paid_in_two_assets_has_two_fees() {
        let fees = paid(
            "BTCUSDT",
            &[("50000", "0.004", "BNB"), ("50000", "0.001", "BTC"), ("60000", "0.002", "BTC")],
        );
        assert_eq!(told(&fees), ["0.004 BNB = ?", "0.003 BTC = 170"]);
        let eth = paid("ETHUSDT", &[("2000", "2", "USDT")]);
        let (all, others) = Fees::total([&fees, &eth].into_iter());
        let left: BTreeMap<&str, Notional> = [("BNB", Notional::new(4, 3))].into();
        assert_eq!((all, others), (Notional::from(172), left));
    }

    #[test]
    fn orders_of_one_contract_add_by_asset_and_nothing_taken_is_no_fee() {
        let mut fees = paid("BNBUSDT", &[("500", "0", "USDT")]);
        assert_eq!(told(&fees), ["0 USDT = 0"]);
        fees.add(&paid("BNBUSDT", &[("500", "0.01", "BNB"), ("500", "0", "USDT")]));
        fees.add(&paid("BNBUSDT", &[("600", "0.01", "BNB"), ("600", "1.5", "USDT")]));
        assert_eq!(told(&fees), ["0.02 BNB = 11", "1.5 USDT = 1.5"]);
    }

    #[test]
    fn the_first_fee_keeps_its_keys_and_others_are_told_beside_it() {
        let json = |fees: &Fees| serde_json::to_string(fees).unwrap();
        assert_eq!(json(&Fees::default()), r#"{"fee":"0","fee_asset":""}"#);
        assert_eq!(json(&paid("AUSDT", &[("9", "0.1", "USDT")])), r#"{"fee":"0.1","fee_asset":"USDT"}"#);
        let two = paid("AUSDT", &[("9", "0.1", "BNB"), ("9", "0.2", "A")]);
        let others = r#""other_fees":[{"fee":"0.2","fee_asset":"A"}]"#;
        assert_eq!(json(&two), format!(r#"{{"fee":"0.1","fee_asset":"BNB",{others}}}"#));
    }
}
