//! From the configuration to an exchange that answers: Binance over HTTP, or paper.

pub(super) mod paper;

use std::time::Duration;

use crate::config::secrets;
use crate::config::sections::Config;
use crate::config::words::{Mode, Prices, Venue as Market};
use crate::error::{CommandError, Kind};
use crate::exchange::binance::SetupError;
use crate::exchange::binance::spot::{self, Spot};
use crate::exchange::binance::usdm::{self, Settings, Usdm};
use crate::exchange::paper::Paper;
use crate::ledger::Ledger;
use crate::wire::sign::Signer;

use super::context::Context;

/// The exchange that a pass talks to.
pub(super) enum Venue {
    Usdm(Box<Usdm>),
    Spot(Box<Spot>),
    Paper(Box<Paper>),
}

/// Paper with everything that its prices cover, not only what the basket names.
pub(super) async fn open_whole(context: &Context, ledger: &mut Ledger) -> Result<Paper, CommandError> {
    match &context.config.paper.prices {
        Prices::Folder(folder) => paper::recorded(context, folder, ledger.paper().await?.as_deref(), None),
        _ => paper::open(context, ledger).await,
    }
}

/// The futures' public data, without a key.
pub(super) fn public_usdm(context: &Context) -> Result<Usdm, CommandError> {
    made(Usdm::new(binance(context, false)?))
}

/// The spot market's public data, without a key.
pub(super) fn public_spot(context: &Context) -> Result<Spot, CommandError> {
    made(Spot::new(binance(context, false)?))
}

/// Opens the exchange that the configuration names. Whether an account may be traded is asked by
/// [`super::arming::require`]: looking and closing need nobody's leave.
pub(super) async fn open(context: &Context, ledger: &mut Ledger) -> Result<Venue, CommandError> {
    let (mode, market) = (context.config.mode, context.config.venue);
    if market == Market::BinanceSpot {
        ledger.of_coins(&context.config.quote);
    }
    match (mode, market) {
        (Mode::Paper, _) => Ok(Venue::Paper(Box::new(paper::open(context, ledger).await?))),
        (_, Market::BinanceUsdm) => Ok(Venue::Usdm(Box::new(made(Usdm::new(binance(context, true)?))?))),
        (_, Market::BinanceSpot) => Ok(Venue::Spot(Box::new(made(Spot::new(binance(context, true)?))?))),
    }
}

/// Where Binance itself answers; paper trades at real prices.
pub(super) fn official(market: Market, mode: Mode) -> &'static str {
    match (market, mode) {
        (Market::BinanceUsdm, Mode::Testnet) => usdm::TESTNET_URL,
        (Market::BinanceSpot, Mode::Testnet) => spot::TESTNET_URL,
        (Market::BinanceUsdm, Mode::Live | Mode::Paper) => usdm::LIVE_URL,
        (Market::BinanceSpot, Mode::Live | Mode::Paper) => spot::LIVE_URL,
    }
}

/// The address that is spoken to: the configured one, or Binance's own.
pub(super) fn address(config: &Config) -> &str {
    let configured = config.exchange.base_url.as_ref();
    configured.map_or(official(config.venue, config.mode), |url| url.as_str())
}

/// How Binance is reached; with credentials where an account is meant, without for public prices.
fn binance(context: &Context, account: bool) -> Result<Settings, CommandError> {
    let config = &context.config;
    let place = config.exchange.base_url.as_ref().map_or("official", |url| url.host());
    let credentials = account.then(|| credentials(context)).transpose()?;
    Ok(Settings {
        base_url: address(config).to_owned(),
        environment: format!("{} {} at {place}", config.mode.as_str(), config.venue.as_str()),
        credentials,
        recv_window: Duration::from_millis(config.exchange.recv_window_ms),
        timeout: Duration::from_millis(config.exchange.timeout_ms),
        concurrency: usize::try_from(config.execution.concurrency).unwrap_or(1),
        exchange_info_max_age: config.exchange.exchange_info_max_age,
        cache: Some(context.folders.state.clone()).filter(|folder| folder.is_dir()),
        quote: config.quote.clone(),
    })
}

fn made<T>(connection: Result<T, SetupError>) -> Result<T, CommandError> {
    connection.map_err(|error| {
        CommandError::new(Kind::Config, error.to_string(), "see exchange.base_url; nothing was sent")
    })
}

fn credentials(context: &Context) -> Result<(secrecy::SecretString, Signer), CommandError> {
    let from = &context.config.credentials;
    let key = secrets::read("credentials.api_key", &from.api_key)?;
    let secret = secrets::read("credentials.api_secret", &from.api_secret)?;
    let signer = Signer::new(&secret).map_err(|error| {
        CommandError::new(Kind::Config, format!("credentials.api_secret: {error}"), "nothing was sent")
    })?;
    Ok((key, signer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_testnet_is_elsewhere_than_real_prices() {
        for (market, real, play) in [
            (Market::BinanceUsdm, "https://fapi.binance.com", "https://demo-fapi.binance.com"),
            (Market::BinanceSpot, "https://api.binance.com", "https://testnet.binance.vision"),
        ] {
            let [live, paper, testnet] =
                [Mode::Live, Mode::Paper, Mode::Testnet].map(|mode| official(market, mode));
            assert_eq!((live, paper, testnet), (real, real, play));
        }
    }
}
