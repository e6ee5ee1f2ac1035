//! What a pass asks of an exchange, and the venues that answer.

pub mod binance;
mod coins;
pub mod paper;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::decide::risk::ApprovedOrder;
use crate::decide::stops::ApprovedStop;
use crate::domain::account::{AccountModes, Balance, Bracket, Health, MarginSetting, Position};
use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::funding::Settlement;
use crate::domain::market::Market;
use crate::domain::num::{Price, Qty};
use crate::domain::order::{Order, Resting};
use crate::domain::plan::Warning;
use crate::domain::rules::Rules;
use crate::domain::stop::Conditional;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Everything one wave of reads brings back.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Exchange time when the wave was sent.
    pub at: Time,
    /// What the exchange calls the account.
    pub account: String,
    /// Account-wide modes.
    pub modes: AccountModes,
    /// Totals in the quote asset.
    pub balance: Balance,
    /// Open positions by contract.
    pub positions: BTreeMap<Symbol, Position>,
    /// Leverage and margin type by contract.
    pub settings: BTreeMap<Symbol, MarginSetting>,
    /// Prices by contract, of every contract that has both a mark and a book.
    pub markets: BTreeMap<Symbol, Market>,
    /// Trading rules by contract.
    pub rules: BTreeMap<Symbol, Rules>,
    /// Maintenance tiers by contract.
    pub brackets: BTreeMap<Symbol, Vec<Bracket>>,
    /// Resting orders, ours and others'.
    pub open_orders: Vec<Order>,
    /// Taker fee as a fraction of notional.
    pub taker_fee: crate::domain::num::Rate,
    /// What only a spot account has; `None` on futures.
    pub spot: Option<SpotSide>,
}

/// What the look at a spot account shows beside what every account has.
#[derive(Clone, Debug, Default)]
pub struct SpotSide {
    /// Base units that resting orders tie up, by pair: part of the position, and not to be sold.
    pub locked: BTreeMap<Symbol, Qty>,
    /// What the owner should know: dust, locked amounts, assets that cannot be traded for the quote.
    pub warnings: Vec<Warning>,
}

/// What sort of account a venue keeps. `ARCHITECTURE.md` says what follows from it for a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Contracts on margin: positions have entry prices, the wallet moves by profit, fees and funding.
    Futures,
    /// Coins: no margin, no funding, no short; entry prices are those of our own books, and fees may be
    /// taken from what was bought.
    Spot,
}

/// What closing everything needs to know, and nothing more.
#[derive(Clone, Debug)]
pub struct Exposed {
    /// Exchange time when the read was sent.
    pub at: Time,
    /// Open positions by contract, none of them zero. In hedge mode the two sides are netted.
    pub positions: BTreeMap<Symbol, Position>,
    /// Trading rules by contract, of any age; empty where there are none to be had.
    pub rules: BTreeMap<Symbol, Rules>,
    /// A position has a side of its own: the account is in hedge mode.
    pub hedge: bool,
    /// Base units of these positions that resting orders tie up; nothing on futures.
    pub locked: BTreeMap<Symbol, Qty>,
    /// What is held beside the positions and too little to be sold; nothing on futures.
    pub dust: BTreeMap<Symbol, Qty>,
}

/// What is known of an order after it was sent once.
#[derive(Clone, Debug)]
pub enum Reply<T = Order> {
    /// A 2xx answer with our id.
    Accepted(T),
    /// A definite refusal: nothing was placed.
    Rejected {
        /// The exchange's code.
        code: i64,
        /// The exchange's words, cleaned and cut.
        msg: String,
    },
    /// No byte left this machine.
    NotSent(String),
    /// Everything else. Only the exchange knows.
    Unknown(String),
}

/// Why a read or a setting failed. Never carries a URL, a signature or a key.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Answers that contradict each other or themselves: nothing follows from them.
    #[error("no coherent snapshot: {0}")]
    Incoherent(String),
    /// No answer, or one that cannot be understood.
    #[error("{endpoint}: {detail}")]
    Unavailable {
        /// Method and path, without parameters.
        endpoint: String,
        /// What happened.
        detail: String,
    },
    /// Over a limit, or banned: nothing may be sent before `until`.
    #[error("{endpoint}: rate-limited until {until}")]
    RateLimited {
        /// Method and path.
        endpoint: String,
        /// Exchange time.
        until: Time,
    },
    /// Key, secret, permission or account setting: retrying cannot help.
    #[error("{endpoint}: {detail}")]
    Refused {
        /// Method and path.
        endpoint: String,
        /// What the exchange said.
        detail: String,
        /// What to do about it.
        hint: String,
    },
    /// The exchange understood and said no.
    #[error("{endpoint}: {msg} ({code})")]
    Rejected {
        /// Method and path.
        endpoint: String,
        /// The exchange's code.
        code: i64,
        /// The exchange's words, cleaned and cut.
        msg: String,
    },
}

/// A venue, as a pass sees it. Two answer: Binance over HTTP and the simulated exchange in process.
///
/// Nothing here retries an order: [`Exchange::place`] sends it once and classifies the answer.
#[expect(async_fn_in_trait, reason = "used generically on one thread, never as a trait object")]
pub trait Exchange {
    /// The environment this connection speaks to: `paper`, `testnet` or `live` with its host.
    fn environment(&self) -> String;

    /// What sort of account this is.
    fn kind(&self) -> Kind {
        Kind::Futures
    }

    /// Learns the exchange's time. Comes before every other call.
    async fn connect(&mut self) -> Result<Time, ExchangeError>;

    /// Exchange time now.
    fn now(&self) -> Time;

    /// What must be kept between passes where the exchange lives inside this process (paper).
    fn state(&self) -> Option<String> {
        None
    }

    /// Before when the exchange forbade any further request, if it did.
    fn not_before(&self) -> Option<Time> {
        None
    }

    /// How long after its signed time an order may still be accepted.
    fn recv_window(&self) -> Duration;

    /// One concurrent wave of reads.
    async fn observe(&self) -> Result<Observation, ExchangeError>;

    /// The open positions, from as few requests as possible. Entry price, mark price and the like
    /// are zero where they cannot be read: size and side are what closing needs.
    async fn exposed(&self) -> Result<Exposed, ExchangeError>;

    /// What `--verbose` may say of the last reads, one line each.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Sends one order, once, signed with `stamp`.
    async fn place(&self, order: &ApprovedOrder, stamp: Time) -> Reply;

    /// The order with our id; `None` where the exchange knows none (`-2013`).
    async fn order(&self, symbol: &Symbol, client_id: &str) -> Result<Option<Order>, ExchangeError>;

    /// Every order of the contract created at or after `since`, ours and others', as far
    /// back as the exchange keeps them.
    async fn orders_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Order>, ExchangeError>;

    /// Executions of one order.
    async fn fills_of(&self, symbol: &Symbol, order_id: i64) -> Result<Vec<Fill>, ExchangeError>;

    /// Our executions of the contract at or after `since`, ascending, all pages.
    async fn fills_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Fill>, ExchangeError>;

    /// Income rows at or after `since`, ascending, all pages.
    async fn income_since(&self, since: Time) -> Result<Vec<Entry>, ExchangeError>;

    /// What positions were valued at around `at`, by contract: at the beginning of the minute that it falls into, and at
    /// its end, or now where it is not over. All of `symbols` or an error.
    async fn prices_around(
        &self,
        _symbols: &[Symbol],
        _at: Time,
    ) -> Result<BTreeMap<Symbol, [Price; 2]>, ExchangeError> {
        Err(ExchangeError::Incoherent("nobody keeps the prices of this market".into()))
    }

    /// Sets nominal leverage; setting what is set already is a success.
    async fn set_leverage(&self, symbol: &Symbol, leverage: u32) -> Result<(), ExchangeError>;

    /// Sets cross margin; setting what is set already is a success.
    async fn set_cross(&self, symbol: &Symbol) -> Result<(), ExchangeError>;

    /// Cancels one resting order; one that is gone already is a success.
    async fn cancel(&self, symbol: &Symbol, client_id: &str) -> Result<(), ExchangeError>;

    /// Orders of ours (by [`crate::domain::order::CLIENT_ID_PREFIX`]) that wait at the exchange,
    /// ordinary and conditional. All or an error: an order that we do not see could still fill.
    async fn resting(&self) -> Result<Vec<Resting>, ExchangeError>;

    /// Cancels one of them; one that is gone already is a success.
    async fn cancel_resting(&self, order: &Resting) -> Result<(), ExchangeError>;

    /// Every order that waits for its trigger, ours and others'. All or an error.
    async fn conditionals(&self) -> Result<Vec<Conditional>, ExchangeError> {
        Err(no_stops())
    }

    /// The conditional order with our id; `None` where the exchange knows none (`-2013`).
    async fn conditional(&self, _client_id: &str) -> Result<Option<Conditional>, ExchangeError> {
        Err(no_stops())
    }

    /// Sends one stop, once, signed with `stamp`.
    async fn place_stop(&self, _stop: &ApprovedStop, _stamp: Time) -> Reply<Conditional> {
        Reply::NotSent(no_stops().to_string())
    }

    /// The order with this number of the exchange's: what was born of a stop. `None` where it knows none.
    async fn order_numbered(&self, _symbol: &Symbol, _number: i64) -> Result<Option<Order>, ExchangeError> {
        Err(no_stops())
    }

    /// What the key may do and how the exchange judges the account's trading.
    async fn health(&self) -> Health;
}

fn no_stops() -> ExchangeError {
    ExchangeError::Incoherent("this market has no stops that close a position".into())
}

/// What funding was and how often it is due, where that can be told.
#[expect(async_fn_in_trait, reason = "used generically on one thread, never as a trait object")]
pub trait Settles: Exchange {
    /// Settlements of one contract at or after `since`, ascending, all pages.
    async fn settlements(&self, symbol: &Symbol, since: Time) -> Result<Vec<Settlement>, ExchangeError>;

    /// Hours between two settlements, of every contract that is listed.
    async fn funding_hours(
        &self,
        listed: &BTreeMap<Symbol, Rules>,
    ) -> Result<BTreeMap<Symbol, u32>, ExchangeError>;
}
