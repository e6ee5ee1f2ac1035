//! Conditional orders as the exchange reports them.

use crate::domain::num::Price;
use crate::domain::stop::{Conditional, StopStatus};
use crate::wire::binance::request::Call;
use crate::wire::json::{self, Json, Row, WireError};

/// Reads the answer to `POST /fapi/v1/algoOrder`.
pub fn placed(bytes: &[u8]) -> Result<Conditional, WireError> {
    one(Call::PlaceAlgo.name(), bytes)
}

/// Reads the answer to `GET /fapi/v1/algoOrder`, which names the order that was born of it.
pub fn queried(bytes: &[u8]) -> Result<Conditional, WireError> {
    one(Call::QueryAlgo.name(), bytes)
}

/// Reads `GET /fapi/v1/openAlgoOrders`. One row that cannot be read spoils the list: a stop that we do
/// not see would be placed twice.
pub fn open(bytes: &[u8]) -> Result<Vec<Conditional>, WireError> {
    let endpoint = Call::OpenAlgoOrders.name();
    let json = json::parse(endpoint, bytes)?;
    Row::list(endpoint, &json)?.iter().map(|item| conditional(Row::of(endpoint, item)?)).collect()
}

fn one(endpoint: &'static str, bytes: &[u8]) -> Result<Conditional, WireError> {
    let json = json::parse(endpoint, bytes)?;
    conditional(Row::of(endpoint, &json)?)
}

fn conditional(row: Row<'_, '_>) -> Result<Conditional, WireError> {
    // Somebody's trailing stop has none.
    let trigger: Option<Price> = row.optional_amount("triggerPrice")?;
    Ok(Conditional {
        symbol: row.symbol("symbol")?,
        client_id: row.word("clientAlgoId")?,
        side: row.text("side")?.parse().map_err(|_| row.wrong("side", "is neither BUY nor SELL"))?,
        kind: row.word("orderType")?,
        trigger: trigger.unwrap_or_default(),
        closes: row.flag("closePosition")?,
        on_mark: row.text("workingType")? == "MARK_PRICE",
        status: StopStatus::read(&row.word("algoStatus")?),
        order_id: born(&row)?,
        created: row.time("createTime")?,
    })
}

/// The number of the order that was born of it: a text, empty before there is one.
fn born(row: &Row<'_, '_>) -> Result<Option<i64>, WireError> {
    const FIELD: &str = "actualOrderId";
    let number = match row.get(FIELD) {
        None => return Ok(None),
        Some(Json::Int(number)) => Some(*number),
        Some(Json::Text(text)) if text.is_empty() => return Ok(None),
        Some(Json::Text(text)) => text.parse().ok(),
        Some(_) => None,
    };
    let number = number.ok_or_else(|| row.wrong(FIELD, "is not the number of an order"))?;
    Ok((number > 0).then_some(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::Side;
    use crate::domain::stop::StopRequest;
    use crate::wire::binance::error::{OrderAnswer, stop_answer};

    /// The fields of reference/binance.md §3.12.
    fn body(status: &str, born: &str) -> String {
        format!(
            r#"{{"algoId":2146760,"clientAlgoId":"rb17c2e9a0001fa3c07s","algoType":"CONDITIONAL","orderType":"STOP_MARKET",
            "symbol":"BNBUSDT","side":"SELL","positionSide":"BOTH","timeInForce":"GTC","quantity":"0","algoStatus":"{status}",
            "actualOrderId":{born},"actualPrice":"0.00000","triggerPrice":"750.000","price":"0.000","icebergQuantity":null,
            "selfTradePreventionMode":"NONE","workingType":"MARK_PRICE","priceMatch":"NONE","closePosition":true,
            "priceProtect":false,"reduceOnly":true,"createTime":1795163379972,"updateTime":1795163379972,"triggerTime":0,"goodTillDate":0}}"#
        )
    }

    #[test]
    fn a_stop_reads_back_with_the_order_born_of_it() {
        let waiting = queried(body("NEW", "\"\"").as_bytes()).unwrap();
        assert!(waiting.is_ours() && waiting.does(Side::Sell, "750".parse().unwrap()));
        assert_eq!((&waiting.status, waiting.order_id), (&StopStatus::Waiting, None));
        assert!(
            !waiting.does(Side::Buy, "750".parse().unwrap())
                && !waiting.does(Side::Sell, "751".parse().unwrap())
        );
        for born in ["\"810001\"", "810001"] {
            let fired = queried(body("FINISHED", born).as_bytes()).unwrap();
            assert_eq!((fired.status, fired.order_id), (StopStatus::Fired, Some(810_001)));
        }
        assert_eq!(queried(body("CANCELED", "\"0\"").as_bytes()).unwrap().order_id, None);
        assert!(queried(body("NEW", "\"x\"").as_bytes()).unwrap_err().detail.contains("actualOrderId"));
        let list = format!("[{},{}]", body("NEW", "null"), body("PENDING_X", "\"\""));
        let rows = open(list.as_bytes()).unwrap();
        assert_eq!(rows[1].status, StopStatus::Other("PENDING_X".into()));
    }

    #[test]
    fn only_an_answer_about_this_very_stop_accepts_it() {
        let mut stop = StopRequest {
            symbol: "BNBUSDT".parse().unwrap(),
            side: Side::Sell,
            trigger: "750".parse().unwrap(),
            client_id: "rb17c2e9a0001fa3c07s".into(),
        };
        let sound = body("NEW", "\"\"");
        assert!(matches!(stop_answer(200, sound.as_bytes(), &stop), OrderAnswer::Accepted(_)));
        assert!(matches!(stop_answer(200, b"{}", &stop), OrderAnswer::Unknown(_)));
        assert!(matches!(stop_answer(503, sound.as_bytes(), &stop), OrderAnswer::Unknown(_)));
        let refused = br#"{"code":-2021,"msg":"Order would immediately trigger."}"#;
        assert!(
            matches!(stop_answer(400, refused, &stop), OrderAnswer::Rejected(refusal) if refusal.code == -2021)
        );
        stop.client_id.push('x');
        assert!(matches!(stop_answer(200, sound.as_bytes(), &stop), OrderAnswer::Unknown(_)));
    }
}
