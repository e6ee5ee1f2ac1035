//! What can be set, section by section, with the value that holds where nobody says otherwise.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::location::Location;
use crate::config::text;
use crate::config::url::Url;
use crate::config::words::{
    ExitPolicy, MarginMode, Mode, OrderStyle, Prices, RankSource, RebalanceTo, Shares, Sizing, StrategyKind,
    ThresholdKind, Venue,
};
use crate::domain::num::{Notional, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which money is at stake.
    pub mode: Mode,
    /// Which market.
    pub venue: Venue,
    /// The asset that everything is priced and margined in.
    pub quote: String,
    /// The cadence that cron gives: paper time moves by it, and a reading much older is stale.
    #[serde(with = "text::span")]
    pub interval: Duration,
    /// Where the key and its secret are found.
    pub credentials: Credentials,
    /// How the exchange is reached.
    pub exchange: Exchange,
    /// The simulated account of paper mode.
    pub paper: Paper,
    /// Which strategy decides.
    pub strategy: Strategy,
    /// The leveraged index.
    pub basket: Basket,
    /// Fixed shares of the total value.
    pub weights: Weights,
    /// Many small positions; losers are cut, winners run.
    pub moonshot: Moonshot,
    /// Settings of the futures account.
    pub futures: Futures,
    /// How orders are sent.
    pub execution: Execution,
    /// What stops or shrinks a plan.
    pub risk: Risk,
    /// How the universe is chosen.
    pub scan: Scan,
    /// Watching what funding costs.
    pub funding: Funding,
    /// The regular message.
    pub report: Report,
    /// Messages to a chat.
    pub telegram: Telegram,
    /// The dead-man switch.
    pub heartbeat: Heartbeat,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Paper,
            venue: Venue::BinanceUsdm,
            quote: "USDT".into(),
            interval: MINUTE * 5,
            credentials: Credentials::default(),
            exchange: Exchange::default(),
            paper: Paper::default(),
            strategy: Strategy::default(),
            basket: Basket::default(),
            weights: Weights::default(),
            moonshot: Moonshot::default(),
            futures: Futures::default(),
            execution: Execution::default(),
            risk: Risk::default(),
            scan: Scan::default(),
            funding: Funding::default(),
            report: Report::default(),
            telegram: Telegram::default(),
            heartbeat: Heartbeat::default(),
        }
    }
}

/// Where the key and its secret are found, never what they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// The API key: env:NAME, file:PATH of mode 0600, or systemd:NAME.
    pub api_key: Location,
    /// An HMAC secret, or an Ed25519 or RSA PKCS#8 PEM, found in the same ways.
    pub api_secret: Location,
}

impl Default for Credentials {
    fn default() -> Self {
        let variable = |name: &str| Location::Environment(name.to_owned());
        Self { api_key: variable("REBAL_API_KEY"), api_secret: variable("REBAL_API_SECRET") }
    }
}

/// How the exchange is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exchange {
    /// Another host than the mode's official one; plain http only on loopback.
    #[serde(with = "text::optional")]
    pub base_url: Option<Url>,
    /// How long after its signed time a request stays valid, in milliseconds.
    pub recv_window_ms: u64,
    /// How long one request may take in total, in milliseconds.
    pub timeout_ms: u64,
    /// How old the cached listing may be; zero reads it in every pass.
    #[serde(with = "text::span")]
    pub exchange_info_max_age: Duration,
}

impl Default for Exchange {
    fn default() -> Self {
        Self { base_url: None, recv_window_ms: 5000, timeout_ms: 10_000, exchange_info_max_age: HOUR }
    }
}

/// The simulated account of paper mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paper {
    /// What the account begins with, in the quote asset.
    pub equity: Notional,
    /// Where prices come from: live, synthetic, or a folder of recorded klines.
    pub prices: Prices,
    /// Seed of synthetic prices: the same seed gives the same prices.
    pub seed: u64,
    /// Fee of a fill as a fraction of its value; on spot 0.001 unless it is set.
    pub taker_fee: Rate,
    /// How much worse than the book a fill is, in basis points.
    pub slippage_bps: Rate,
    /// A recorded listing whose trading rules are used.
    #[serde(with = "text::optional_path")]
    pub exchange_info: Option<PathBuf>,
    /// A folder of recorded funding rates.
    #[serde(with = "text::optional_path")]
    pub funding: Option<PathBuf>,
    /// Where recorded prices begin; the first bar where it is not set.
    #[serde(with = "text::optional")]
    pub start: Option<Time>,
}

impl Default for Paper {
    fn default() -> Self {
        Self {
            equity: Notional::from(200),
            prices: Prices::Live,
            seed: 7,
            taker_fee: Rate::new(5, 4),
            slippage_bps: Rate::ONE,
            exchange_info: None,
            funding: None,
            start: None,
        }
    }
}

/// What `paper.taker_fee` is on spot where nobody sets it: twice what the futures take.
pub(crate) fn spot_taker_fee() -> Rate {
    Rate::new(1, 3)
}

/// Which strategy decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Strategy {
    /// Its name.
    pub kind: StrategyKind,
}

/// The leveraged index: a fixed value per coin, harvested at the band.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Basket {
    /// The contracts; empty for the universe that a scan chose.
    pub symbols: Vec<Symbol>,
    /// How many coins.
    pub size: u32,
    /// What the targets follow.
    pub sizing: Sizing,
    /// Quote per coin, with fixed sizing.
    pub target_value: Notional,
    /// Gross value over equity, with equity sizing.
    pub effective_leverage: Rate,
    /// Half width of the band, relative to the coin's target.
    pub threshold: Rate,
    /// How far back a coin outside its band is traded.
    pub rebalance_to: RebalanceTo,
    /// Trade to target after this long in any case; `None` for the band alone.
    #[serde(with = "text::optional_span")]
    pub every: Option<Duration>,
    /// What happens to a coin that leaves the universe.
    pub on_exit: ExitPolicy,
}

impl Default for Basket {
    fn default() -> Self {
        Self {
            symbols: Vec::new(),
            size: 20,
            sizing: Sizing::Fixed,
            target_value: Notional::from(20),
            effective_leverage: Rate::from(2),
            threshold: Rate::new(5, 2),
            rebalance_to: RebalanceTo::Target,
            every: None,
            on_exit: ExitPolicy::Close,
        }
    }
}

/// Fixed shares of the total value, on spot or futures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// The share of each coin, the rest is cash; or "equal", the same for all `symbols`.
    pub weights: Shares,
    /// The contracts that share equally.
    pub symbols: Vec<Symbol>,
    /// Half width of the band.
    pub threshold: Rate,
    /// What the band is relative to.
    pub threshold_kind: ThresholdKind,
    /// Trade to target after this long in any case; `None` for the band alone.
    #[serde(with = "text::optional_span")]
    pub every: Option<Duration>,
    /// Quote to deploy on the first pass; zero for all that is available.
    pub initial_value: Notional,
    /// Gross value over equity; futures only.
    pub effective_leverage: Rate,
}

impl Default for Weights {
    fn default() -> Self {
        let share = |coin: &str, hundredths| (coin.to_owned(), Rate::new(hundredths, 2));
        let shares = [share("BTC", 20), share("ETH", 20), share("SOL", 10), share("BNB", 10)];
        Self {
            weights: Shares::Each(BTreeMap::from(shares)),
            symbols: Vec::new(),
            threshold: Rate::new(5, 2),
            threshold_kind: ThresholdKind::Relative,
            every: None,
            initial_value: Notional::ZERO,
            effective_leverage: Rate::ONE,
        }
    }
}

impl Weights {
    /// The share of each contract. A coin such as `BTC` stands for its contract in `quote`; a name
    /// that ends in `quote` already is one.
    #[must_use]
    pub fn shares(&self, quote: &str) -> BTreeMap<Symbol, Rate> {
        match &self.weights {
            Shares::Equal => {
                let count = u32::try_from(self.symbols.len()).unwrap_or(u32::MAX);
                // Rounded down, so that many equal shares are never more than the whole.
                let share =
                    Rate::ONE.over(Rate::from(count)).unwrap_or(Rate::ZERO).floor_to(Rate::new(1, 12));
                self.symbols.iter().map(|symbol| (symbol.clone(), share)).collect()
            }
            Shares::Each(shares) => {
                let contract = |coin: &str| contract_of(coin, quote).parse().ok();
                shares.iter().filter_map(|(coin, share)| Some((contract(coin)?, *share))).collect()
            }
        }
    }
}

/// `BTC` becomes `BTCUSDT`; `BTCUSDT` stays.
pub(crate) fn contract_of(coin: &str, quote: &str) -> String {
    if coin.len() > quote.len() && coin.ends_with(quote) { coin.to_owned() } else { format!("{coin}{quote}") }
}

/// Many small positions: losers are cut, winners are never trimmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Moonshot {
    /// The contracts; empty for the universe that a scan chose.
    pub symbols: Vec<Symbol>,
    /// How many positions at most.
    pub slots: u32,
    /// What the size of a slot follows.
    pub sizing: Sizing,
    /// Quote per slot, with fixed sizing.
    pub slot_value: Notional,
    /// Sold at or below the average entry price × (1 − this).
    pub stop_loss: Rate,
    /// How long a stopped-out coin is not bought again.
    #[serde(with = "text::span")]
    pub cooldown: Duration,
    /// Whether free slots are filled from the universe.
    pub refill: bool,
    /// Gain from which a trailing stop guards the winner; zero turns it off.
    pub trailing_start: Rate,
    /// How far below its highest price the trailing stop is.
    pub trailing_stop: Rate,
    /// Whether a stop order rests at the exchange for each coin; futures only.
    pub exchange_stop: bool,
}

impl Default for Moonshot {
    fn default() -> Self {
        Self {
            symbols: Vec::new(),
            slots: 40,
            sizing: Sizing::Fixed,
            slot_value: Notional::from(5),
            stop_loss: Rate::new(30, 2),
            cooldown: DAY * 30,
            refill: true,
            trailing_start: Rate::ZERO,
            trailing_stop: Rate::new(5, 1),
            exchange_stop: false,
        }
    }
}

/// Settings of the futures account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Futures {
    /// Nominal leverage: margin is value over this.
    pub leverage: u32,
    /// How positions share margin.
    pub margin: MarginMode,
}

impl Default for Futures {
    fn default() -> Self {
        Self { leverage: 5, margin: MarginMode::Cross }
    }
}

/// How orders are sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Execution {
    /// The kind of order.
    pub order: OrderStyle,
    /// A wider spread than this is not traded, in basis points.
    pub max_spread_bps: Rate,
    /// How far from the mid a limit order reaches, in basis points.
    pub max_slippage_bps: Rate,
    /// `|mark − mid| / mid` above this is not traded.
    pub max_mark_gap: Rate,
    /// Orders per pass.
    pub max_orders_per_pass: u32,
    /// Value traded per pass, as a multiple of the gross target.
    pub max_turnover_per_pass: Rate,
    /// Requests in flight at once.
    pub concurrency: u32,
}

impl Default for Execution {
    fn default() -> Self {
        Self {
            order: OrderStyle::Ioc,
            max_spread_bps: Rate::from(30),
            max_slippage_bps: Rate::from(50),
            max_mark_gap: Rate::new(3, 2),
            max_orders_per_pass: 60,
            max_turnover_per_pass: Rate::new(12, 1),
            concurrency: 10,
        }
    }
}

/// What stops or shrinks a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Risk {
    /// The hard stop: the loss from the peak, as a fraction of the peak, at which all is sold.
    pub max_drawdown: Rate,
    /// No increase of exposure above this multiple of equity.
    pub max_effective_leverage: Rate,
    /// How far the market must stay from liquidation, as a fraction of the price.
    pub min_liquidation_distance: Rate,
    /// Share of equity that stays free of margin.
    pub margin_buffer: Rate,
}

impl Default for Risk {
    fn default() -> Self {
        Self {
            max_drawdown: Rate::new(30, 2),
            max_effective_leverage: Rate::from(3),
            min_liquidation_distance: Rate::new(20, 2),
            margin_buffer: Rate::new(5, 2),
        }
    }
}

/// How the universe is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scan {
    /// How many candidates by 24 h volume are looked at.
    pub top: u32,
    /// Who ranks them.
    pub source: RankSource,
    /// The largest share of one sector.
    pub sector_cap: Rate,
    /// Funding per year beyond ± this disqualifies.
    pub max_funding_annual: Rate,
    /// Least 24 h volume in the quote asset.
    pub min_quote_volume: Notional,
    /// Widest spread, in basis points.
    pub max_spread_bps: Rate,
    /// Least time since listing.
    #[serde(with = "text::span")]
    pub min_age: Duration,
    /// A member leaves only when it ranks below this.
    pub keep_rank: u32,
    /// Contracts that are taken in any case.
    pub include: Vec<Symbol>,
    /// Contracts that are never taken.
    pub exclude: Vec<Symbol>,
    /// A CSV file `symbol,sector` that overrides the built-in table.
    #[serde(with = "text::optional_path")]
    pub sectors: Option<PathBuf>,
    /// Where the screener is.
    pub tradingview_url: Url,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            top: 50,
            source: RankSource::Tradingview,
            sector_cap: Rate::new(20, 2),
            max_funding_annual: Rate::ONE,
            min_quote_volume: Notional::from(20_000_000),
            max_spread_bps: Rate::from(10),
            min_age: DAY * 30,
            keep_rank: 70,
            include: Vec::new(),
            exclude: Vec::new(),
            sectors: None,
            tradingview_url: Url::known("https://scanner.tradingview.com"),
        }
    }
}

/// Watching what funding costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Funding {
    /// How often.
    #[serde(with = "text::span")]
    pub check_every: Duration,
}

impl Default for Funding {
    fn default() -> Self {
        Self { check_every: HOUR * 8 }
    }
}

/// The regular message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// How often a digest is sent.
    #[serde(with = "text::span")]
    pub digest_every: Duration,
}

impl Default for Report {
    fn default() -> Self {
        Self { digest_every: HOUR * 4 }
    }
}

/// Messages to a chat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telegram {
    /// Whether anything is sent.
    pub enabled: bool,
    /// Where the bot's token is found, in the same ways as a key.
    pub token: Location,
    /// The chat: a number, or `@channel`.
    #[serde(deserialize_with = "text::word_or_integer")]
    pub chat_id: String,
    /// The bot server.
    pub api_url: Url,
}

impl Default for Telegram {
    fn default() -> Self {
        Self {
            enabled: false,
            token: Location::Environment("REBAL_TELEGRAM_TOKEN".into()),
            chat_id: String::new(),
            api_url: Url::known("https://api.telegram.org"),
        }
    }
}

/// The dead-man switch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Heartbeat {
    /// Asked after every good pass, and `URL/fail` after a bad one.
    #[serde(with = "text::optional")]
    pub url: Option<Url>,
}
