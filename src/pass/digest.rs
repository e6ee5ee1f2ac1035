//! The regular message: due by the exchange's time, made from what the ledger holds.

use std::path::Path;
use std::time::Duration;

use crate::domain::history::Sample;
use crate::domain::time::Time;
use crate::ledger::{DIGEST, Ledger, LedgerError};
use crate::render::message;
use crate::report::digest::{self, Digest, DigestInputs};
use crate::report::heading::Heading;

use super::latch;

/// How often a digest is told, and about which account.
pub struct Regular {
    /// The time between two.
    pub every: Duration,
    /// The cadence of passes.
    pub interval: Duration,
    /// The asset of every amount.
    pub quote: String,
    /// Whose account it is, at the time of this pass.
    pub heading: Heading,
}

/// Writes a digest to the outbox if one is due, once. Says whether it did.
///
/// # Errors
/// The ledger cannot be read or written.
pub async fn tell_if_due(ledger: &mut Ledger, folder: &Path, regular: Regular) -> Result<bool, LedgerError> {
    let now = regular.heading.at;
    // Without a reading there is nothing to tell.
    let Some(first) = ledger.first_reading().await? else { return Ok(false) };
    let last = ledger.job(DIGEST).await?;
    if !digest::is_due(now, first, last, regular.every) {
        return Ok(false);
    }
    let newest = Time::clamped(i64::MAX);
    let Some(reading) = ledger.reading_at(newest).await? else { return Ok(false) };
    let before = match ledger.reading_at(last.unwrap_or(first)).await? {
        Some(before) => before,
        None => ledger.reading_at(first).await?.unwrap_or_else(|| reading.clone()),
    };
    let mut samples = ledger.samples(&[before.pass_id, reading.pass_id]).await?;
    let coins_before = samples.get(&before.pass_id).cloned().unwrap_or_default();
    let halt = latch::in_force(ledger, folder).await?;
    // Nobody reads the account under a halt that closed it: what was held is not there any more.
    let is_closed = halt.as_ref().is_some_and(|halt| halt.is_over());
    let coins_now: Vec<Sample> =
        if is_closed { Vec::new() } else { samples.remove(&reading.pass_id).unwrap_or_default() };
    let income = ledger.income_between(&before, &reading).await?;
    let made = Digest::new(DigestInputs {
        heading: regular.heading,
        quote: &regular.quote,
        interval: regular.interval,
        before: &before,
        coins_before: &coins_before,
        now: &reading,
        coins_now: &coins_now,
        income: &income,
        last_pass: ledger.last_passes(1).await?.pop(),
        halt: halt.map(|halt| format!("halt {}: {}", halt.id, halt.reason)),
    });
    ledger.tell_digest(now, &message::digest(&made)).await?;
    Ok(true)
}
