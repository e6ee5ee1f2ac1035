//! The latch: after it is set nothing is opened until a person lifts it. Kept twice, in the ledger and
//! in the file `HALT` beside it; the account is halted if either says so or the file cannot be read.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::domain::scope::Scope;
use crate::domain::time::Time;
use crate::ledger::{Halt, Ledger, LedgerError};

/// More than this is not a HALT file of ours.
const MOST_BYTES: u64 = 64 << 10;

/// The id of a halt that somebody else wrote.
pub(super) const UNKNOWN: &str = "HALT";

/// A new halt; its id follows from its time, so that a person can type it, and is another one a hundredth
/// of a second later: an old line in a script must not lift it.
#[must_use]
pub fn halt(at: Time, reason: impl Into<String>, scope: Scope) -> Halt {
    Halt {
        id: format!("h{:08x}", (at.ms() / 10) & 0xffff_ffff),
        at,
        reason: reason.into(),
        scope,
        flat_at: None,
    }
}

/// The halt in force, from the ledger or, where that knows none, from the file.
pub async fn in_force(ledger: &mut Ledger, folder: &Path) -> Result<Option<Halt>, LedgerError> {
    match ledger.halt().await? {
        Some(halt) => Ok(Some(halt)),
        None => Ok(in_file(folder)),
    }
}

/// The halt in force, with the half of it that was lost put back: the next loss must not lift it. What a
/// person wrote into the file is in force as well, and left to that person.
pub async fn hold(ledger: &mut Ledger, folder: &Path) -> Result<Option<Halt>, LedgerError> {
    let in_ledger = ledger.halt().await?;
    let in_file = in_file(folder);
    match (&in_ledger, &in_file) {
        // One half holds as well as two: where this fails, the next pass tries again.
        (Some(halt), None) => drop(write(folder, halt)),
        (None, Some(halt)) if halt.id != UNKNOWN => drop(ledger.set_halt(halt).await),
        _ => {}
    }
    Ok(in_ledger.or(in_file))
}

/// What the file says. One that is empty, strange or unreadable halts as well, and closes nothing.
#[must_use]
pub fn in_file(folder: &Path) -> Option<Halt> {
    let path = path(folder);
    let unknown = |reason: String| Halt {
        id: UNKNOWN.into(),
        at: Time::default(),
        reason,
        scope: Scope::nothing(),
        flat_at: Some(Time::default()),
    };
    let length = match std::fs::symlink_metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => return Some(unknown(format!("the file HALT cannot be read: {error}"))),
    };
    if length > MOST_BYTES {
        return Some(unknown("the file HALT is there".into()));
    }
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(read(&text).unwrap_or_else(|| unknown("the file HALT is there".into()))),
        Err(error) => Some(unknown(format!("the file HALT cannot be read: {error}"))),
    }
}

/// Sets both halves, each on the disk when this returns. One half that fails is told; with both
/// failing nothing would hold.
pub async fn set(ledger: &mut Ledger, folder: &Path, halt: &Halt) -> Result<Option<String>, LedgerError> {
    let file = write(folder, halt);
    match (ledger.set_halt(halt).await, file) {
        (Ok(()), Ok(())) => Ok(None),
        (Ok(()), Err(error)) => Ok(Some(format!("the file HALT could not be written: {error}"))),
        (Err(error), Ok(())) => Ok(Some(format!("the halt is in the file HALT only: {error}"))),
        (Err(error), Err(_)) => Err(error),
    }
}

/// Sets the latch because a person closes `scope` by hand. A halt that is in force already keeps its
/// name and its reason; what it had still to close is closed as well. Closing goes on whatever becomes
/// of the latch: that it does not hold is told.
pub async fn by_hand(ledger: &mut Ledger, folder: &Path, at: Time, scope: Scope) -> (Halt, Option<String>) {
    let halt = match in_force(ledger, folder).await {
        Ok(Some(before)) => {
            let scope = if before.flat_at.is_some() { scope } else { before.scope.and(&scope) };
            Halt { scope, flat_at: None, ..before }
        }
        _ => halt(at, "flattened by hand", scope),
    };
    let note = match set(ledger, folder, &halt).await {
        Ok(note) => note,
        Err(error) => Some(format!("NOT HALTED, the next pass may buy again: {error}")),
    };
    (halt, note)
}

/// Lifts the latch. The file goes first: whatever stops this half way, the account stays halted.
pub async fn clear(ledger: &mut Ledger, folder: &Path, at: Time) -> Result<(), LedgerError> {
    let path = path(folder);
    let removed = match std::fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    let failed = |source| LedgerError::File { path: path.display().to_string(), source };
    removed.and_then(|()| sync_folder(folder)).map_err(failed)?;
    ledger.clear_halts(at).await
}

fn path(folder: &Path) -> PathBuf {
    folder.join("HALT")
}

/// A new file takes the place of the old one in one step.
fn write(folder: &Path, halt: &Halt) -> std::io::Result<()> {
    let scope = match &halt.scope {
        Scope::All => "all".to_owned(),
        Scope::Symbols(symbols) if symbols.is_empty() => "none".to_owned(),
        Scope::Symbols(symbols) => symbols.iter().map(|symbol| symbol.as_str()).collect::<Vec<_>>().join(" "),
    };
    let flat = halt.flat_at.map_or_else(|| "not yet".to_owned(), |at| at.to_string());
    // A reason is one line, whatever it quotes.
    let reason: String = halt.reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = format!(
        "halt {}\nat {}\nreason {reason}\nscope {scope}\nflat {flat}\n\nrebal opens nothing while this file exists. Lift it with: rebal risk-check --resume\n",
        halt.id, halt.at
    );
    let new = folder.join("HALT.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&new, path(folder))?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// `None` where the text is not one that [`write`] made.
fn read(text: &str) -> Option<Halt> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    let scope = match value("scope")? {
        "all" => Scope::All,
        "none" => Scope::nothing(),
        symbols => Scope::Symbols(symbols.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?),
    };
    let flat_at = match value("flat")? {
        "not yet" => None,
        at => Some(at.parse().ok()?),
    };
    let id = value("halt")?;
    let plain = !id.is_empty() && id.len() <= 40 && id.chars().all(|c| c.is_ascii_alphanumeric());
    plain.then_some(Halt {
        id: id.to_owned(),
        at: value("at")?.parse().ok()?,
        reason: value("reason")?.chars().take(500).collect(),
        scope,
        flat_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Halt {
        let at = Time::from_ms(1_760_130_000_000).unwrap();
        let scope = Scope::Symbols(["AUSDT".parse().unwrap(), "BUSDT".parse().unwrap()].into());
        halt(at, "drawdown 31.0 %\nreached", scope)
    }

    #[tokio::test]
    async fn either_half_alone_halts_and_only_clearing_both_lifts_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::in_memory().await.unwrap();
        assert_eq!(in_force(&mut ledger, folder.path()).await.unwrap(), None);
        let halt = example();
        assert_eq!(set(&mut ledger, folder.path(), &halt).await.unwrap(), None);
        assert_eq!(in_force(&mut ledger, folder.path()).await.unwrap(), Some(halt.clone()));
        let mut fresh = Ledger::in_memory().await.unwrap();
        let told = in_force(&mut fresh, folder.path()).await.unwrap().unwrap();
        assert_eq!((told.id, told.scope, told.flat_at), (halt.id, halt.scope, None));
        assert_eq!(told.reason, "drawdown 31.0 % reached");
        std::fs::remove_file(folder.path().join("HALT")).unwrap();
        assert!(in_force(&mut ledger, folder.path()).await.unwrap().is_some());
        clear(&mut ledger, folder.path(), halt.at).await.unwrap();
        assert_eq!(in_force(&mut ledger, folder.path()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_half_that_was_lost_is_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, halt) = (Ledger::in_memory().await.unwrap(), example());
        set(&mut ledger, folder.path(), &halt).await.unwrap();
        std::fs::remove_file(folder.path().join("HALT")).unwrap();
        assert_eq!(hold(&mut ledger, folder.path()).await.unwrap().unwrap().id, halt.id);
        let mut fresh = Ledger::in_memory().await.unwrap();
        assert_eq!(hold(&mut fresh, folder.path()).await.unwrap().unwrap().id, halt.id);
        assert_eq!(fresh.halt().await.unwrap().unwrap().scope, halt.scope);
        // A file made by hand halts for as long as it is there, and no longer.
        let mut other = Ledger::in_memory().await.unwrap();
        std::fs::write(folder.path().join("HALT"), "stop").unwrap();
        assert!(hold(&mut other, folder.path()).await.unwrap().is_some());
        assert_eq!(other.halt().await.unwrap(), None);
    }

    #[test]
    fn a_file_that_says_nothing_sensible_halts_and_closes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "stop!", "halt h1\nat never\nreason x\nscope all\nflat not yet\n", "\u{0}"] {
            std::fs::write(folder.path().join("HALT"), text).unwrap();
            let halt = in_file(folder.path()).unwrap();
            assert_eq!((halt.id.as_str(), halt.flat_at.is_some()), ("HALT", true), "{text:?}");
        }
        std::fs::write(folder.path().join("HALT"), [0xff, 0xfe]).unwrap();
        assert!(in_file(folder.path()).unwrap().reason.contains("cannot be read"));
    }

    #[tokio::test]
    async fn one_half_that_cannot_be_written_is_told() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        let note = set(&mut ledger, Path::new("/nowhere/at/all"), &example()).await.unwrap();
        assert!(note.unwrap().contains("HALT could not be written"));
        assert!(ledger.halt().await.unwrap().is_some());
    }
}
