//! What waits in the outbox goes out: in order, at least once, and never for long.
//!
//! A message counts as delivered only after Telegram said so. One that was delivered and not noted
//! arrives twice; one that was not delivered stays.

use std::time::{Duration, Instant};

use crate::domain::time::Time;
use crate::ledger::{Ledger, LedgerError, Message};
use crate::notify::{SendError, Telegram};
use crate::render::message::{self, Sender};
use crate::wire::telegram::{self, Form, LONGEST_PAUSE, MESSAGE_UNITS, Refusal};

/// A pass keeps its lock no longer than this for messages.
pub const WITHIN: Duration = Duration::from_secs(3);
/// Pieces per pass: Telegram takes twenty a minute from a group, and passes come every few minutes.
const MOST_AT_ONCE: usize = 10;
/// Pieces of one message. The rest of a longer one stays in the ledger, which is said.
const MOST_PIECES: usize = 8;
/// What an answer needs at least; with less time left nothing is begun.
const LEAST: Duration = Duration::from_millis(100);

/// What became of the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Messages that arrived.
    pub delivered: usize,
    /// Messages that wait for the next pass.
    pub waiting: usize,
    /// Why they do, where it is more than a lack of time, and what to do about it.
    pub trouble: Option<String>,
}

/// Sends what waits, for at most `within`. Telegram's pauses are counted in the time of this machine,
/// which `clock` tells: an exchange's, or a paper account's, goes its own way.
///
/// # Errors
/// The ledger cannot be read, or what was delivered cannot be noted in it.
pub async fn drain(
    ledger: &mut Ledger,
    telegram: &Telegram,
    sender: &Sender,
    clock: impl Fn() -> Time,
    within: Duration,
) -> Result<Drained, LedgerError> {
    let started = Instant::now();
    let waiting = ledger.undelivered().await?;
    let mut drained = Drained { waiting: waiting.len(), ..Drained::default() };
    if let Some(until) = ledger.telegram_not_before().await?.filter(|_| !waiting.is_empty()) {
        let left = until.since(clock());
        // A pause longer than Telegram's longest was written by a clock that was wrong.
        if !left.is_zero() && left <= LONGEST_PAUSE {
            drained.trouble = Some(Refusal::TooMany(left).to_string());
            return Ok(drained);
        }
    }
    let mut pieces_left = MOST_AT_ONCE;
    for waiting in &waiting {
        let pieces = pieces(waiting, sender);
        // Nothing to read in it: nothing can be delivered.
        let mut sent = waiting.pieces_sent.min(pieces.len());
        while let Some(piece) = pieces.get(sent) {
            let left = within.saturating_sub(started.elapsed());
            if pieces_left == 0 || left < LEAST {
                return Ok(drained);
            }
            let went = send(telegram, waiting, piece, started, within).await;
            if let Err(error) = went {
                if let SendError::Refused(Refusal::TooMany(pause)) = &error {
                    ledger.set_telegram_not_before(clock() + *pause).await?;
                }
                drained.trouble = Some(error.to_string());
                return Ok(drained);
            }
            (sent, pieces_left) = (sent + 1, pieces_left - 1);
            if sent < pieces.len() {
                ledger.note_sent(waiting.id, sent, None).await?;
            }
        }
        ledger.note_sent(waiting.id, sent, Some(clock())).await?;
        drained.delivered += 1;
        drained.waiting -= 1;
    }
    Ok(drained)
}

/// The same message always makes the same pieces: the next pass goes on behind those that arrived.
fn pieces(waiting: &Message, sender: &Sender) -> Vec<String> {
    let html = match waiting.html {
        true => waiting.text.clone(),
        false => message::alert(sender, waiting.at, &waiting.level, &waiting.kind, &waiting.text),
    };
    let mut pieces = telegram::split(&html, Form::Html, MESSAGE_UNITS);
    if pieces.len() > MOST_PIECES {
        pieces.truncate(MOST_PIECES - 1);
        pieces.push(format!("… the rest of this message is in the ledger: outbox {}", waiting.id));
    }
    pieces
}

/// Sends a piece: as HTML, else as plain words, else a word about it, so that a message that Telegram
/// cannot read does not keep all others waiting.
async fn send(
    telegram: &Telegram,
    waiting: &Message,
    piece: &str,
    started: Instant,
    within: Duration,
) -> Result<(), SendError> {
    let plain = telegram::plain(piece);
    let word = format!(
        "A message of {} ({}) was refused by Telegram and is in the ledger: outbox {}",
        waiting.at.plainly(),
        waiting.kind,
        waiting.id
    );
    let mut went = Ok(());
    for (text, form) in [(piece, Form::Html), (&plain, Form::Plain), (&word, Form::Plain)] {
        let left = within.saturating_sub(started.elapsed());
        if left < LEAST {
            break;
        }
        went = telegram.send(text, form, left).await;
        if !matches!(went, Err(SendError::Refused(Refusal::Bad(_)))) {
            return went;
        }
    }
    went
}
