//! Balances, positions and settings of our account. Read whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::{AccountModes, Balance, Indicator, KeyPermissions, MarginSetting, Position};
use crate::domain::num::{Notional, Price, Qty};
use crate::domain::symbol::Symbol;
use crate::wire::binance::listed::{Listed, listed};
use crate::wire::binance::request::Call;
use crate::wire::json::{self, Row, WireError};
use crate::wire::text;

/// What `GET /fapi/v3/account` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Balances by asset.
    pub assets: BTreeMap<String, Balance>,
    /// The exchange's own total of floating profit: of USDT contracts in single-asset mode, of
    /// everything in multi-assets mode.
    pub total_unrealized: Notional,
    /// Its total of wallet balances, likewise.
    pub total_wallet: Notional,
    /// Its total of margin balances, likewise.
    pub total_equity: Notional,
    /// Margin tied up by resting orders.
    pub open_order_margin: Notional,
    /// Contracts with a position or a resting order.
    pub positions: Vec<AccountPosition>,
}

/// One row of the account's positions: fewer columns than positionRisk, but of the same instant as
/// the totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPosition {
    /// The contract.
    pub symbol: Symbol,
    /// Base units, signed; zero where only an order rests.
    pub qty: Qty,
    /// Floating profit.
    pub unrealized: Notional,
    /// Signed value at mark.
    pub notional: Notional,
}

/// Reads `GET /fapi/v3/account`.
pub fn account(bytes: &[u8]) -> Result<Account, WireError> {
    let endpoint = Call::Account.name();
    let json = json::parse(endpoint, bytes)?;
    let row = Row::of(endpoint, &json)?;
    let mut assets = BTreeMap::new();
    for item in row.items("assets")? {
        let asset = Row::of(endpoint, item)?;
        if assets.insert(asset.word("asset")?, balance(asset)?).is_some() {
            return Err(row.wrong("assets", "lists one asset twice"));
        }
    }
    let position = |item| {
        let row = Row::of(endpoint, item)?;
        Ok(AccountPosition {
            symbol: row.symbol("symbol")?,
            qty: row.amount("positionAmt")?,
            unrealized: row.amount("unrealizedProfit")?,
            notional: row.amount("notional")?,
        })
    };
    Ok(Account {
        assets,
        total_unrealized: row.amount("totalUnrealizedProfit")?,
        total_wallet: row.amount("totalWalletBalance")?,
        total_equity: row.amount("totalMarginBalance")?,
        open_order_margin: row.amount("totalOpenOrderInitialMargin")?,
        positions: row.items("positions")?.iter().map(position).collect::<Result<_, _>>()?,
    })
}

fn balance(row: Row<'_, '_>) -> Result<Balance, WireError> {
    Ok(Balance {
        wallet: row.amount("walletBalance")?,
        equity: row.amount("marginBalance")?,
        available: row.amount("availableBalance")?,
        unrealized: row.amount("unrealizedProfit")?,
        initial_margin: row.not_negative("initialMargin")?,
        maint_margin: row.not_negative("maintMargin")?,
    })
}

/// Reads the account's alias out of `GET /fapi/v3/balance`: the exchange's short name of the
/// account, the same in every row. `None` where there is no row to carry it.
pub fn account_alias(bytes: &[u8]) -> Result<Option<String>, WireError> {
    let endpoint = Call::Balance.name();
    let json = json::parse(endpoint, bytes)?;
    let mut alias: Option<String> = None;
    for item in Row::list(endpoint, &json)? {
        let row = Row::of(endpoint, item)?;
        let found = row.word("accountAlias")?;
        match &alias {
            Some(known) if *known != found => return Err(row.wrong("accountAlias", "differs between rows")),
            _ => alias = Some(found),
        }
    }
    Ok(alias.filter(|alias| !alias.is_empty()))
}

/// One row of `GET /fapi/v3/positionRisk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionRow {
    /// The position; its quantity is zero where only an order rests.
    pub position: Position,
    /// What its margin is posted in.
    pub margin_asset: String,
    /// `BOTH` in one-way mode.
    pub side: String,
    /// Whether buy or sell orders rest on the contract.
    pub has_orders: bool,
}

/// Reads `GET /fapi/v3/positionRisk`.
pub fn position_risk(bytes: &[u8]) -> Result<Vec<PositionRow>, WireError> {
    let endpoint = Call::PositionRisk.name();
    let json = json::parse(endpoint, bytes)?;
    Row::list(endpoint, &json)?.iter().map(|item| position_row(Row::of(endpoint, item)?)).collect()
}

fn position_row(row: Row<'_, '_>) -> Result<PositionRow, WireError> {
    let qty: Qty = row.amount("positionAmt")?;
    let (entry_price, mark_price) = if qty.is_zero() {
        (Price::ZERO, row.optional_amount("markPrice")?.unwrap_or_default())
    } else {
        (row.positive("entryPrice")?, row.positive("markPrice")?)
    };
    let liquidation: Option<Price> = row.optional_amount("liquidationPrice")?;
    let resting = |field| {
        let worth: Result<Option<Notional>, WireError> = row.optional_amount(field);
        worth.map(|worth| worth.is_some_and(|worth| !worth.is_zero()))
    };
    let has_orders = qty.is_zero() || resting("bidNotional")? || resting("askNotional")?;
    Ok(PositionRow {
        position: Position {
            symbol: row.symbol("symbol")?,
            qty,
            entry_price,
            mark_price,
            unrealized: row.amount("unRealizedProfit")?,
            liquidation_price: liquidation.filter(Price::is_positive),
            updated: row.time("updateTime")?,
        },
        margin_asset: row.word("marginAsset")?,
        side: row.word("positionSide")?,
        has_orders,
    })
}

/// Reads of `GET /fapi/v3/positionRisk` only what closing needs: the open positions, netted, and
/// whether any row has a side of its own (hedge mode).
///
/// Symbol, size and side must be readable in every row; a price or a time that is not is zero, since
/// a position whose mark is unknown must be closed all the same.
pub fn exposed(bytes: &[u8]) -> Result<(BTreeMap<Symbol, Position>, bool), WireError> {
    let endpoint = Call::PositionRisk.name();
    let json = json::parse(endpoint, bytes)?;
    let (mut positions, mut sides) = (BTreeMap::<Symbol, Position>::new(), BTreeSet::new());
    for item in Row::list(endpoint, &json)? {
        let row = Row::of(endpoint, item)?;
        let found = size(row)?;
        if !sides.insert((row.text("positionSide")?, found.symbol.clone())) {
            return Err(row.wrong("symbol", "is listed twice"));
        }
        if found.qty.is_zero() {
            continue;
        }
        positions
            .entry(found.symbol.clone())
            .and_modify(|other| {
                other.qty += found.qty;
                other.unrealized += found.unrealized;
            })
            .or_insert(found);
    }
    positions.retain(|_, position| !position.qty.is_zero());
    let hedge = sides.iter().any(|(side, _)| *side != "BOTH");
    Ok((positions, hedge))
}

fn size(row: Row<'_, '_>) -> Result<Position, WireError> {
    let price = |field| row.positive(field).ok();
    Ok(Position {
        symbol: row.symbol("symbol")?,
        qty: row.amount("positionAmt")?,
        entry_price: price("entryPrice").unwrap_or_default(),
        mark_price: price("markPrice").unwrap_or_default(),
        unrealized: row.amount("unRealizedProfit").unwrap_or_default(),
        liquidation_price: price("liquidationPrice"),
        updated: row.time("updateTime").unwrap_or_default(),
    })
}

/// Reads `GET /fapi/v1/symbolConfig`. A contract whose setting cannot be read has none: that keeps
/// us from opening it, and from nothing else.
pub fn symbol_config(bytes: &[u8]) -> Result<Listed<MarginSetting>, WireError> {
    let endpoint = Call::SymbolConfig.name();
    let json = json::parse(endpoint, bytes)?;
    Ok(listed(endpoint, Row::list(endpoint, &json)?, |row| {
        let cross = match row.text("marginType")?.to_ascii_uppercase().as_str() {
            "CROSSED" | "CROSS" => true,
            "ISOLATED" => false,
            _ => return Err(row.wrong("marginType", "is neither CROSSED nor ISOLATED")),
        };
        let leverage = row.small("leverage")?;
        if leverage == 0 {
            return Err(row.wrong("leverage", "is zero"));
        }
        Ok(Some((row.symbol("symbol")?, MarginSetting { leverage, cross })))
    }))
}

/// Reads `GET /fapi/v1/accountConfig`.
pub fn account_config(bytes: &[u8]) -> Result<AccountModes, WireError> {
    let endpoint = Call::AccountConfig.name();
    let json = json::parse(endpoint, bytes)?;
    let row = Row::of(endpoint, &json)?;
    Ok(AccountModes {
        hedge: row.flag("dualSidePosition")?,
        multi_assets: row.flag("multiAssetsMargin")?,
        can_trade: row.flag("canTrade")?,
    })
}

/// Reads `GET /sapi/v1/account/apiRestrictions`. What moves money must be told either way; any other
/// permission that is not mentioned is not there.
pub fn key_permissions(bytes: &[u8]) -> Result<KeyPermissions, WireError> {
    let endpoint = Call::KeyPermissions.name();
    let json = json::parse(endpoint, bytes)?;
    let row = Row::of(endpoint, &json)?;
    let optional = |field| if row.get(field).is_some() { row.flag(field) } else { Ok(false) };
    Ok(KeyPermissions {
        reading: row.flag("enableReading")?,
        futures: optional("enableFutures")?,
        spot: optional("enableSpotAndMarginTrading")?,
        withdrawals: row.flag("enableWithdrawals")?,
        internal_transfer: row.flag("enableInternalTransfer")?,
        universal_transfer: row.flag("permitsUniversalTransfer")?,
        margin: optional("enableMargin")?,
        options: optional("enableVanillaOptions")?,
        ip_restricted: row.flag("ipRestrict")?,
        expires: row.optional_time("tradingAuthorityExpirationTime")?,
    })
}

/// Reads `GET /fapi/v1/apiTradingStatus`, by contract or `ACCOUNT` in the order sent. Nothing is
/// listed for an account that has not reached the threshold of being recorded.
pub fn trading_status(bytes: &[u8]) -> Result<Vec<Indicator>, WireError> {
    let endpoint = Call::TradingStatus.name();
    let json = json::parse(endpoint, bytes)?;
    let mut indicators = Vec::new();
    for (scope, items) in Row::of(endpoint, &json)?.entries("indicators")? {
        for item in Row::list(endpoint, items)? {
            indicators.push(indicator(text::word(scope), Row::of(endpoint, item)?)?);
        }
    }
    Ok(indicators)
}

fn indicator(scope: String, row: Row<'_, '_>) -> Result<Indicator, WireError> {
    Ok(Indicator {
        scope,
        name: row.word("indicator")?,
        value: row.number("value")?,
        trigger: row.number("triggerValue")?,
        locked: row.flag("isLocked")?,
        recovers: row.optional_time("plannedRecoverTime")?,
    })
}
