//! Every request that rebal can make, as data: one table says method, path, weight and access.

use std::time::Duration;

use crate::domain::order::{OrderKind, OrderRequest, Resting};
use crate::domain::stop::{STOP_MARKET, StopRequest};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::wire::sign::{self, SignError, Signer};

/// An endpoint of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Server time.
    Time,
    /// Trading rules of every contract.
    ExchangeInfo,
    /// Mark prices and funding.
    PremiumIndex,
    /// Best bid and ask.
    BookTicker,
    /// Statistics of the last 24 hours.
    Ticker24h,
    /// Candles.
    Klines,
    /// Candles of the mark price.
    MarkKlines,
    /// Past funding rates.
    FundingRate,
    /// Funding intervals and caps.
    FundingInfo,
    /// Totals, assets and positions.
    Account,
    /// Assets, with the account's alias.
    Balance,
    /// Positions with prices.
    PositionRisk,
    /// Leverage and margin type.
    SymbolConfig,
    /// Account-wide modes.
    AccountConfig,
    /// Maintenance tiers.
    LeverageBracket,
    /// Fees of one contract.
    CommissionRate,
    /// Resting orders.
    OpenOrders,
    /// Conditional orders that wait for their trigger.
    OpenAlgoOrders,
    /// Orders of the past.
    AllOrders,
    /// One order.
    QueryOrder,
    /// Our executions.
    UserTrades,
    /// Changes of the wallet.
    Income,
    /// Sends an order.
    PlaceOrder,
    /// Cancels an order.
    CancelOrder,
    /// Sends a conditional order.
    PlaceAlgo,
    /// One conditional order.
    QueryAlgo,
    /// Cancels a conditional order.
    CancelAlgo,
    /// Sets nominal leverage.
    SetLeverage,
    /// Sets cross or isolated margin.
    SetMarginType,
    /// How the exchange judges the account's trading.
    TradingStatus,
    /// What the key may do. On another host than the rest.
    KeyPermissions,
    /// Spot: server time.
    SpotTime,
    /// Spot: trading rules of every pair.
    SpotExchangeInfo,
    /// Spot: candles.
    SpotKlines,
    /// Spot: best bid and ask.
    SpotBookTicker,
    /// Spot: last prices.
    SpotPrice,
    /// Spot: what was traded in 24 hours.
    SpotTicker24h,
    /// Spot: balances, fees, permissions.
    SpotAccount,
    /// Spot: resting orders.
    SpotOpenOrders,
    /// Spot: orders of the past.
    SpotAllOrders,
    /// Spot: one order.
    SpotQueryOrder,
    /// Spot: our executions.
    SpotMyTrades,
    /// Spot: sends an order.
    SpotPlaceOrder,
    /// Spot: cancels an order.
    SpotCancelOrder,
}

/// HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes; parameters travel in the body.
    Post,
    /// Removes.
    Delete,
}

/// What an endpoint asks for besides parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Public,
    /// Key, timestamp and signature.
    Signed,
}

/// One row of the routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Method and path, as errors show it.
    pub name: &'static str,
    /// What it asks for.
    pub access: Access,
    /// Request weight without `symbol`.
    pub weight_all: u32,
    /// Request weight with `symbol`.
    pub weight_one: u32,
}

impl Call {
    /// Every call, in the table's order.
    pub const ALL: [Call; 44] = [
        Call::Time,
        Call::ExchangeInfo,
        Call::PremiumIndex,
        Call::BookTicker,
        Call::Ticker24h,
        Call::Klines,
        Call::MarkKlines,
        Call::FundingRate,
        Call::FundingInfo,
        Call::Account,
        Call::Balance,
        Call::PositionRisk,
        Call::SymbolConfig,
        Call::AccountConfig,
        Call::LeverageBracket,
        Call::CommissionRate,
        Call::OpenOrders,
        Call::OpenAlgoOrders,
        Call::AllOrders,
        Call::QueryOrder,
        Call::UserTrades,
        Call::Income,
        Call::PlaceOrder,
        Call::CancelOrder,
        Call::PlaceAlgo,
        Call::QueryAlgo,
        Call::CancelAlgo,
        Call::SetLeverage,
        Call::SetMarginType,
        Call::TradingStatus,
        Call::KeyPermissions,
        Call::SpotTime,
        Call::SpotExchangeInfo,
        Call::SpotKlines,
        Call::SpotBookTicker,
        Call::SpotPrice,
        Call::SpotTicker24h,
        Call::SpotAccount,
        Call::SpotOpenOrders,
        Call::SpotAllOrders,
        Call::SpotQueryOrder,
        Call::SpotMyTrades,
        Call::SpotPlaceOrder,
        Call::SpotCancelOrder,
    ];

    /// The row of the routing table.
    #[must_use]
    pub fn route(self) -> Route {
        use Access::{Public, Signed};
        let row = |name, access, weight_all, weight_one| Route { name, access, weight_all, weight_one };
        match self {
            Call::Time => row("GET /fapi/v1/time", Public, 1, 1),
            Call::ExchangeInfo => row("GET /fapi/v1/exchangeInfo", Public, 1, 1),
            Call::PremiumIndex => row("GET /fapi/v1/premiumIndex", Public, 10, 1),
            Call::BookTicker => row("GET /fapi/v1/ticker/bookTicker", Public, 5, 2),
            Call::Ticker24h => row("GET /fapi/v1/ticker/24hr", Public, 40, 1),
            Call::Klines => row("GET /fapi/v1/klines", Public, 10, 10),
            Call::MarkKlines => row("GET /fapi/v1/markPriceKlines", Public, 10, 10),
            Call::FundingRate => row("GET /fapi/v1/fundingRate", Public, 0, 0),
            Call::FundingInfo => row("GET /fapi/v1/fundingInfo", Public, 0, 0),
            Call::Account => row("GET /fapi/v3/account", Signed, 5, 5),
            Call::Balance => row("GET /fapi/v3/balance", Signed, 5, 5),
            Call::PositionRisk => row("GET /fapi/v3/positionRisk", Signed, 5, 5),
            Call::SymbolConfig => row("GET /fapi/v1/symbolConfig", Signed, 5, 5),
            Call::AccountConfig => row("GET /fapi/v1/accountConfig", Signed, 5, 5),
            Call::LeverageBracket => row("GET /fapi/v1/leverageBracket", Signed, 1, 1),
            Call::CommissionRate => row("GET /fapi/v1/commissionRate", Signed, 20, 20),
            Call::OpenOrders => row("GET /fapi/v1/openOrders", Signed, 40, 1),
            Call::OpenAlgoOrders => row("GET /fapi/v1/openAlgoOrders", Signed, 40, 1),
            Call::AllOrders => row("GET /fapi/v1/allOrders", Signed, 5, 5),
            Call::QueryOrder => row("GET /fapi/v1/order", Signed, 1, 1),
            Call::UserTrades => row("GET /fapi/v1/userTrades", Signed, 5, 5),
            Call::Income => row("GET /fapi/v1/income", Signed, 30, 30),
            Call::PlaceOrder => row("POST /fapi/v1/order", Signed, 0, 0),
            Call::CancelOrder => row("DELETE /fapi/v1/order", Signed, 1, 1),
            Call::PlaceAlgo => row("POST /fapi/v1/algoOrder", Signed, 0, 0),
            Call::QueryAlgo => row("GET /fapi/v1/algoOrder", Signed, 1, 1),
            Call::CancelAlgo => row("DELETE /fapi/v1/algoOrder", Signed, 1, 1),
            Call::SetLeverage => row("POST /fapi/v1/leverage", Signed, 1, 1),
            Call::SetMarginType => row("POST /fapi/v1/marginType", Signed, 1, 1),
            Call::TradingStatus => row("GET /fapi/v1/apiTradingStatus", Signed, 10, 1),
            Call::KeyPermissions => row("GET /sapi/v1/account/apiRestrictions", Signed, 1, 1),
            Call::SpotTime => row("GET /api/v3/time", Public, 1, 1),
            Call::SpotExchangeInfo => row("GET /api/v3/exchangeInfo", Public, 20, 20),
            Call::SpotKlines => row("GET /api/v3/klines", Public, 2, 2),
            Call::SpotBookTicker => row("GET /api/v3/ticker/bookTicker", Public, 4, 2),
            Call::SpotPrice => row("GET /api/v3/ticker/price", Public, 4, 2),
            Call::SpotTicker24h => row("GET /api/v3/ticker/24hr", Public, 80, 2),
            Call::SpotAccount => row("GET /api/v3/account", Signed, 20, 20),
            Call::SpotOpenOrders => row("GET /api/v3/openOrders", Signed, 80, 6),
            Call::SpotAllOrders => row("GET /api/v3/allOrders", Signed, 20, 20),
            Call::SpotQueryOrder => row("GET /api/v3/order", Signed, 4, 4),
            Call::SpotMyTrades => row("GET /api/v3/myTrades", Signed, 20, 20),
            Call::SpotPlaceOrder => row("POST /api/v3/order", Signed, 1, 1),
            Call::SpotCancelOrder => row("DELETE /api/v3/order", Signed, 1, 1),
        }
    }

    /// Method and path, as errors show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.route().name
    }

    /// The method.
    #[must_use]
    pub fn method(self) -> Method {
        match self.name().split(' ').next() {
            Some("POST") => Method::Post,
            Some("DELETE") => Method::Delete,
            _ => Method::Get,
        }
    }

    /// The path, beginning with `/`.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.name().split_once(' ').map_or("/", |(_, path)| path)
    }
}

/// One request, complete but for signature and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where it goes.
    pub call: Call,
    /// Parameters in the order they are sent; not encoded yet.
    pub params: Vec<(&'static str, String)>,
}

impl Request {
    /// A request without parameters.
    #[must_use]
    pub fn new(call: Call) -> Request {
        Request { call, params: Vec::new() }
    }

    /// With one more parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Request {
        self.params.push((name, value.to_string()));
        self
    }

    /// Request weight against the limit per minute.
    #[must_use]
    pub fn weight(&self) -> u32 {
        let value = |name| self.params.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
        let route = self.call.route();
        if matches!(self.call, Call::Klines | Call::MarkKlines) {
            return match value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(500) {
                0..=99 => 1,
                100..=499 => 2,
                500..=1000 => 5,
                _ => route.weight_all,
            };
        }
        if self.call == Call::SpotMyTrades && value("orderId").is_some() {
            return 5;
        }
        if value("symbol").is_some() { route.weight_one } else { route.weight_all }
    }

    /// The parameters, encoded: the query of a public call.
    #[must_use]
    pub fn encoded(&self) -> String {
        sign::join(&self.pairs())
    }

    /// The parameters with `recvWindow`, `timestamp` and, last, `signature`: a query, or the body
    /// of a POST.
    pub fn signed(&self, signer: &Signer, at: Time, recv_window: Duration) -> Result<String, SignError> {
        let (window, at) = (recv_window.as_millis().to_string(), at.ms().to_string());
        let mut pairs = self.pairs();
        pairs.push(("recvWindow", &window));
        pairs.push(("timestamp", &at));
        signer.sign_params(&pairs)
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.params.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Sends `order`. The answer must carry the final state of what fills at once (`RESULT`).
    #[must_use]
    pub fn place(order: &OrderRequest) -> Request {
        let request =
            Request::new(Call::PlaceOrder).with("symbol", &order.symbol).with("side", order.side.as_str());
        let request = match &order.kind {
            OrderKind::Market => request.with("type", "MARKET"),
            OrderKind::Limit { price, time_in_force } => {
                request.with("type", "LIMIT").with("timeInForce", time_in_force.as_str()).with("price", price)
            }
        };
        let request = request.with("quantity", order.qty);
        let request = if order.reduce_only { request.with("reduceOnly", "true") } else { request };
        request.with("newClientOrderId", &order.client_id).with("newOrderRespType", "RESULT")
    }

    /// Sends `stop`: it closes the whole position once the mark price, which decides for a pass too, is
    /// at its trigger.
    #[must_use]
    pub fn place_stop(stop: &StopRequest) -> Request {
        Request::new(Call::PlaceAlgo)
            .with("algoType", "CONDITIONAL")
            .with("symbol", &stop.symbol)
            .with("side", stop.side.as_str())
            .with("type", STOP_MARKET)
            .with("triggerPrice", stop.trigger)
            .with("workingType", "MARK_PRICE")
            .with("closePosition", "true")
            .with("clientAlgoId", &stop.client_id)
    }

    /// Looks one order up, or cancels it, by our id.
    #[must_use]
    pub fn by_client_id(call: Call, symbol: &Symbol, client_id: &str) -> Request {
        Request::new(call).with("symbol", symbol).with("origClientOrderId", client_id)
    }

    /// Cancels an order of ours that waits, by our id.
    #[must_use]
    pub fn cancel(order: &Resting) -> Request {
        if order.conditional {
            return Request::new(Call::CancelAlgo).with("clientAlgoId", &order.client_id);
        }
        Request::by_client_id(Call::CancelOrder, &order.symbol, &order.client_id)
    }

    /// A page of history between two instants, both included.
    #[must_use]
    pub fn window(call: Call, symbol: Option<&Symbol>, from: Time, to: Time) -> Request {
        let request = Request::new(call);
        let request = match symbol {
            Some(symbol) => request.with("symbol", symbol),
            None => request,
        };
        request.with("startTime", from.ms()).with("endTime", to.ms()).with("limit", PAGE_ROWS)
    }
}

/// The most rows one page of history holds.
pub const PAGE_ROWS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::{Side, TimeInForce};

    #[test]
    fn the_table_has_each_endpoint_once_and_spends_what_the_exchange_counts() {
        let mut names: Vec<&str> = Call::ALL.iter().map(|call| call.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Call::ALL.len());
        for call in Call::ALL {
            let known = ["/fapi/v", "/api/v3/"].iter().any(|api| call.path().starts_with(api));
            assert!(known || call == Call::KeyPermissions, "{call:?}");
            let route = call.route();
            assert!(route.weight_one <= route.weight_all, "{call:?}");
        }
        // A pass that trades nothing: DESIGN §7.
        let wave = [
            Call::Time,
            Call::PremiumIndex,
            Call::BookTicker,
            Call::Account,
            Call::PositionRisk,
            Call::SymbolConfig,
            Call::AccountConfig,
            Call::Balance,
        ];
        assert_eq!(wave.iter().map(|call| Request::new(*call).weight()).sum::<u32>(), 41);
    }

    #[test]
    fn a_quiet_look_at_spot_is_cheap_and_trades_of_one_order_are() {
        let wave = [Call::SpotTime, Call::SpotAccount, Call::SpotBookTicker, Call::SpotPrice];
        assert_eq!(wave.iter().map(|call| Request::new(*call).weight()).sum::<u32>(), 29);
        let trades = Request::new(Call::SpotMyTrades).with("symbol", "BTCUSDT");
        assert_eq!((trades.weight(), trades.with("orderId", 7).weight()), (20, 5));
    }

    #[test]
    fn weight_depends_on_symbol_and_limit() {
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        assert_eq!(Request::new(Call::OpenOrders).weight(), 40);
        assert_eq!(Request::new(Call::OpenOrders).with("symbol", &symbol).weight(), 1);
        for (limit, weight) in [(99, 1), (100, 2), (500, 5), (1000, 5), (1500, 10)] {
            assert_eq!(Request::new(Call::Klines).with("limit", limit).weight(), weight);
        }
    }

    fn order(kind: OrderKind, reduce_only: bool) -> OrderRequest {
        OrderRequest {
            symbol: "币安人生USDT".parse().unwrap(),
            side: Side::Sell,
            qty: "0.00000010".parse().unwrap(),
            kind,
            reduce_only,
            client_id: "rb17c2e9a0001fa3c07r".into(),
        }
    }

    #[test]
    fn orders_are_spelled_out_in_plain_digits() {
        let market = Request::place(&order(OrderKind::Market, true));
        assert_eq!(market.call.method(), Method::Post);
        assert_eq!(
            market.encoded(),
            "symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT&side=SELL&type=MARKET&quantity=0.0000001\
             &reduceOnly=true&newClientOrderId=rb17c2e9a0001fa3c07r&newOrderRespType=RESULT"
        );
        let price = "60000000000.50".parse().unwrap();
        let limit = OrderKind::Limit { price, time_in_force: TimeInForce::Ioc };
        let limit = Request::place(&order(limit, false)).encoded();
        assert!(
            limit.contains("&type=LIMIT&timeInForce=IOC&price=60000000000.5&quantity=0.0000001&newClient")
        );
        assert!(!limit.contains("reduceOnly"));
    }

    #[test]
    fn a_stop_closes_the_position_at_its_mark_price() {
        let stop = StopRequest {
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Sell,
            trigger: "0.00000710".parse().unwrap(),
            client_id: "rb17c2e9a0001fa3c07s".into(),
        };
        let request = Request::place_stop(&stop);
        assert_eq!((request.call.method(), request.call.path()), (Method::Post, "/fapi/v1/algoOrder"));
        assert_eq!(
            request.encoded(),
            "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP_MARKET&triggerPrice=0.0000071\
             &workingType=MARK_PRICE&closePosition=true&clientAlgoId=rb17c2e9a0001fa3c07s"
        );
    }

    #[test]
    fn what_waits_is_cancelled_where_it_waits() {
        let order = |conditional| Resting {
            symbol: "BTCUSDT".parse().unwrap(),
            client_id: "rb17c2e9a0001fa3c07r".into(),
            conditional,
        };
        let (plain, conditional) = (Request::cancel(&order(false)), Request::cancel(&order(true)));
        assert_eq!((plain.call, conditional.call), (Call::CancelOrder, Call::CancelAlgo));
        assert_eq!(plain.encoded(), "symbol=BTCUSDT&origClientOrderId=rb17c2e9a0001fa3c07r");
        assert_eq!(conditional.encoded(), "clientAlgoId=rb17c2e9a0001fa3c07r");
        assert_eq!(conditional.call.method(), Method::Delete);
    }

    #[test]
    fn signed_requests_end_with_time_and_signature() {
        let signer = Signer::new(&"secret".into()).unwrap();
        let at = Time::from_ms(1_795_163_379_973).unwrap();
        let window = Duration::from_millis(5000);
        let signed = Request::new(Call::Account).signed(&signer, at, window).unwrap();
        let payload = "recvWindow=5000&timestamp=1795163379973";
        assert_eq!(signed, format!("{payload}&signature={}", signer.sign(payload).unwrap()));
    }
}
