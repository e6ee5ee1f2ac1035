//! Balances and commissions: what the account has and pays.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::domain::num::Rate;
use crate::server::core::Core;
use crate::server::params::Params;
use crate::server::spot::show::eight;
use crate::sim::refusal::Refusal;
use crate::sim::spot::BNB;

pub(super) fn account(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let omit = params.flag("omitZeroBalances")?.unwrap_or(false);
    let spot = &core.spot;
    let mut assets: BTreeSet<&str> = spot.assets();
    assets.extend(spot.balances().keys().map(String::as_str));
    assets.insert(BNB);
    let balances = assets.into_iter().map(|asset| (asset, spot.balance(asset)));
    let balances: Vec<Value> = balances
        .filter(|(_, balance)| !omit || !balance.total().is_zero())
        .map(|(asset, balance)| {
            json!({"asset": asset, "free": eight(balance.free), "locked": eight(balance.locked)})
        })
        .collect();
    let (maker, taker) = (spot.terms().maker_fee, spot.terms().taker_fee);
    let points = |rate: Rate| rate.bps().rounded(0).to_string().parse::<i64>().unwrap_or_default();
    let zero = eight(Rate::ZERO);
    let shown = json!({
        "makerCommission": points(maker),
        "takerCommission": points(taker),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": eight(maker), "taker": eight(taker), "buyer": zero, "seller": zero},
        "canTrade": true,
        "canWithdraw": true,
        "canDeposit": true,
        "brokered": false,
        "requireSelfTradePrevention": false,
        "preventSor": false,
        "updateTime": spot.updated().ms(),
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": 354_937_868,
    });
    Ok(shown)
}

pub(super) fn commission(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.spot.pair(&symbol)?;
    let mut shown = rates(core, "standardCommission");
    if let Some(members) = shown.as_object_mut() {
        members.insert("symbol".into(), json!(symbol));
    }
    Ok(shown)
}

/// What trading costs; `name` is what the standard rates go by.
pub(super) fn rates(core: &Core, name: &str) -> Value {
    let terms = core.spot.terms();
    let rates = |maker: Rate, taker: Rate| {
        json!({"maker": eight(maker), "taker": eight(taker),
               "buyer": eight(Rate::ZERO), "seller": eight(Rate::ZERO)})
    };
    json!({
        name: rates(terms.maker_fee, terms.taker_fee),
        "specialCommission": rates(Rate::ZERO, Rate::ZERO),
        "taxCommission": rates(Rate::ZERO, Rate::ZERO),
        "discount": {
            "enabledForAccount": core.spot.burn(),
            "enabledForSymbol": true,
            "discountAsset": BNB,
            // By so much a rate is lower.
            "discount": eight(terms.bnb_discount),
        },
    })
}
