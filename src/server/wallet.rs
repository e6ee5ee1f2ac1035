//! The little of sapi that is asked for: what the key may do.

use serde_json::{Value, json};

use crate::server::core::{Core, Route, Security};
use crate::server::limits::Side;
use crate::server::params::Params;
use crate::sim::refusal::Refusal;

/// The endpoint behind a path.
pub(crate) fn route(method: &str, path: &str) -> Option<Route> {
    match (method, path) {
        ("GET", "/sapi/v1/account/apiRestrictions") => {
            let side = Side::Futures;
            Some(Route {
                side,
                security: Security::Signed,
                weight: |_| 1,
                orders: (0, 0),
                handle: restrictions,
            })
        }
        _ => None,
    }
}

fn restrictions(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    let may = core.restrictions;
    let mut shown = json!({
        "ipRestrict": may.ip_restrict,
        "createTime": 1_735_689_600_000_i64,
        "enableReading": may.reading,
        "enableWithdrawals": may.withdrawals,
        "enableInternalTransfer": may.internal_transfer,
        "permitsUniversalTransfer": may.universal_transfer,
        "enableMargin": may.margin,
        "enableFutures": may.futures,
        "enableVanillaOptions": may.options,
        "enableSpotAndMarginTrading": may.spot,
        "enableFixApiTrade": false,
        "enableFixReadOnly": false,
        "enablePortfolioMarginTrading": false,
    });
    if let (Some(at), Some(members)) = (may.expires, shown.as_object_mut()) {
        members.insert("tradingAuthorityExpirationTime".into(), json!(at.ms()));
    }
    Ok(shown)
}
