//! Why the exchange said no: HTTP status, code and words, as the real one answers.

use std::fmt;

/// A definite refusal: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status of the answer.
    pub http_status: u16,
    /// The exchange's negative code.
    pub code: i64,
    /// The exchange's words.
    pub msg: String,
}

impl Refusal {
    /// A refusal with the exchange's usual words for `code`.
    #[must_use]
    pub fn of(code: i64) -> Refusal {
        Refusal { http_status: usual_status(code), code, msg: usual_words(code).to_owned() }
    }

    /// A refusal whose words carry a detail.
    #[must_use]
    pub fn saying(code: i64, msg: impl Into<String>) -> Refusal {
        Refusal { http_status: usual_status(code), code, msg: msg.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.msg, self.code)
    }
}

impl std::error::Error for Refusal {}

/// The HTTP status that goes with a code.
fn usual_status(code: i64) -> u16 {
    match code {
        -2014 | -2015 | -1002 => 401,
        -1003 | -1015 => 429,
        -1007 => 408,
        -1008 | -1016 => 503,
        _ => 400,
    }
}

/// The exchange's words for a code.
fn usual_words(code: i64) -> &'static str {
    match code {
        -1000 => "An unknown error occurred while processing the request.",
        -1001 => "Internal error; unable to process your request. Please try again.",
        -1002 => "You are not authorized to execute this request.",
        -1003 => "Too many requests; current limit of IP is 2400 requests per minute.",
        -1006 => "An unexpected response was received from the message bus. Execution status unknown.",
        -1007 => {
            "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
        }
        -1008 => {
            "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again."
        }
        -1015 => "Too many new orders; current limit is 300 orders per 10 SECOND.",
        -1016 => "This service is no longer available.",
        -1020 => "This operation is not supported.",
        -1022 => "Signature for this request is not valid.",
        -1109 => "Invalid account.",
        -1111 => "Precision is over the maximum defined for this asset.",
        -1115 => "Invalid timeInForce.",
        -1116 => "Invalid orderType.",
        -1117 => "Invalid side.",
        -1120 => "Invalid interval.",
        -1121 => "Invalid symbol.",
        -1122 => "Invalid symbol status.",
        -2010 => "NEW_ORDER_REJECTED",
        -2011 => "Unknown order sent.",
        -2013 => "Order does not exist.",
        -2014 => "API-key format invalid.",
        -2015 => "Invalid API-key, IP, or permissions for action.",
        -2018 => "Balance is insufficient.",
        -2019 => "Margin is insufficient.",
        -2020 => "Unable to fill.",
        -2021 => "Order would immediately trigger.",
        -2022 => "ReduceOnly Order is rejected.",
        -2023 => "User in liquidation mode now.",
        -2024 => "Position is not sufficient.",
        -2025 => "Reach max open order limit.",
        -2026 => "This OrderType is not supported when reduceOnly.",
        -2027 => "Exceeded the maximum allowable position at current leverage.",
        -2028 => "Leverage is smaller than permitted: insufficient margin balance.",
        -4001 => "Price less than or equal to zero.",
        -4002 => "Price greater than max price.",
        -4003 => "Quantity less than or equal to zero.",
        -4004 => "Quantity less than min quantity.",
        -4005 => "Quantity greater than max quantity.",
        -4013 => "Price less than min price.",
        -4014 => "Price not increased by tick size.",
        -4015 => "Client order id length should not be more than 36 chars.",
        -4023 => "Quantity not increased by step size.",
        -4028 => "Leverage is not valid.",
        -4045 => "Reach max stop order limit.",
        -4046 => "No need to change margin type.",
        -4047 => "Margin type cannot be changed if there exists open orders.",
        -4048 => "Margin type cannot be changed if there exists position.",
        -4059 => "No need to change position side.",
        -4061 => "Order's position side does not match user's setting.",
        -4062 => "Invalid or improper reduceOnly value.",
        -4067 => "Position side cannot be changed if there exists open orders.",
        -4068 => "Position side cannot be changed if there exists position.",
        -4082 => "Invalid number of batch place orders.",
        -4087 => "User can only place reduce only order.",
        -4088 => "User can not place order currently.",
        -4109 => "This account is inactive.",
        -4116 => "ClientOrderId is duplicated.",
        -4118 => "ReduceOnly Order Failed. Please check your existing position and open orders.",
        -4120 => {
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
        }
        -4131 => "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
        -4137 => "Quantity must be zero with closePosition equals true.",
        -4140 => "Invalid symbol status for opening position.",
        -4141 => "Symbol is closed.",
        -4164 => "Order's notional must be no smaller than 5.0 (unless you choose reduce only).",
        -4167 => {
            "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under isolated-margin mode."
        }
        -4168 => "Unable to adjust to isolated-margin mode under the Multi-Assets mode.",
        -4171 => "No need to change asset mode.",
        -4192 => "Trade forbidden due to Cooling-off Period.",
        -4400 => {
            "Futures Trading Quantitative Rules violated, only reduceOnly order is allowed, please try again later."
        }
        -4401 => {
            "Futures Trading Risk Control Rules of large position holding violated, only reduceOnly order is allowed, please reduce the position."
        }
        -4411 => "Please sign TradFi-Perps agreement contract.",
        -5021 => {
            "Due to the order could not be filled immediately, the FOK order has been rejected. The order will not be recorded in the order history."
        }
        -5022 => {
            "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not be recorded in the order history."
        }
        -5027 => "No need to modify the order.",
        -5028 => "Timestamp for this request is outside of the ME recvWindow.",
        -5047 => "Unable to set reduceOnly on an order that is not reduce-only.",
        _ => "Request rejected.",
    }
}
