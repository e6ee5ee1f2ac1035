//! `rebal backtest --merge`: the parts of a sweep become one.

use crate::command::context::Context;
use crate::error::{CommandError, Kind};
use crate::report::sweep::part::{Part, join};

use super::{Args, sweep};

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    let refuse = |message: String| {
        CommandError::new(
            Kind::Config,
            message,
            "give each part once, all made by the same rebal with the same --sweep, data and configuration",
        )
    };
    let mut parts = Vec::new();
    for file in &args.merge {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| refuse(format!("{name}: {error}")))?;
        parts.push(Part::read(&name, &text).map_err(|error| refuse(error.to_string()))?);
    }
    let report = join(parts, args.sort.unwrap_or_default()).map_err(|error| refuse(error.to_string()))?;
    sweep::show(context, &report)
}
