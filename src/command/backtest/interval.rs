//! How many bars lie between two decisions.

use std::time::Duration;

use crate::backtest::Market;
use crate::command::context::Context;
use crate::config::sections::Config;
use crate::domain::time::show_span;
use crate::error::{CommandError, Kind};

use super::Args;

/// Bars from one decision to the next: what was asked for is met exactly or refused. `is_swept` says that
/// the configuration's interval was asked for by name as well.
pub(super) fn bars(
    args: &Args,
    config: &Config,
    market: &Market,
    is_swept: bool,
) -> Result<usize, CommandError> {
    let (name, interval) = asked(args, config);
    let (wanted, bar) = (show_span(interval), show_span(market.interval));
    let bar_ms = market.interval.as_millis().max(1);
    let refuse = |problem: String, hint: &str| Err(CommandError::new(Kind::Config, problem, hint));
    if interval < market.interval && args.interval.is_none() && !is_swept {
        return Ok(1);
    }
    if interval < market.interval || !interval.as_millis().is_multiple_of(bar_ms) {
        return refuse(
            format!("{name} {wanted} is not a whole multiple of the bars, which are {bar} apart"),
            "give --interval a multiple of them; they decide nothing in between",
        );
    }
    let bars = usize::try_from(interval.as_millis() / bar_ms).unwrap_or(usize::MAX);
    if bars > market.bars() {
        let period = market.bars();
        return refuse(
            format!("{name} {wanted} is longer than the period of {period} bars, which are {bar} apart"),
            "choose a longer period or a shorter interval",
        );
    }
    Ok(bars)
}

/// Says that a configuration made for another cadence than these bars decides once per bar.
pub(super) fn tell(context: &Context, args: &Args, market: &Market, is_swept: bool) {
    let (_, interval) = asked(args, &context.config);
    if interval < market.interval && args.interval.is_none() && !is_swept {
        context.ui.note(&format!(
            "interval is {}, and the bars are {} apart: it decides once per bar",
            show_span(interval),
            show_span(market.interval)
        ));
    }
}

fn asked(args: &Args, config: &Config) -> (&'static str, Duration) {
    args.interval.map_or(("interval", config.interval), |interval| ("--interval", interval))
}
