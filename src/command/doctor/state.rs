//! Rows about the state folder and the ledger in it. Makes neither, and takes no lock.

use std::path::Path;

use crate::domain::time::Time;
use crate::error::{CommandError, WAY_OUT};
use crate::ledger::{Halt, Ledger};
use crate::pass::latch;
use crate::report::doctor::question::{
    DISK, HALT, LAST_PASS, LEDGER, LOCK, STATE_FOLDER, UNIVERSE, UNRESOLVED,
};
use crate::report::doctor::{Failure, Group, Row, state};

use super::{Case, failed};
use crate::command::context::Understood;
use crate::command::settings;

/// Faults of a file that are shown; the rest only says the same.
const FAULTS_SHOWN: usize = 3;

impl Case<'_> {
    /// Folder, disk, lock, ledger and halt. Returns the ledger as far as it can be read: an empty one
    /// that forgets where there is none yet, `None` where there is one that cannot be used.
    pub(super) async fn state(&mut self) -> Option<Ledger> {
        let folder = &self.context.folders.state;
        self.say(place::folder(folder));
        self.say(place::disk(folder));
        self.say(place::lock(folder));
        let opened = match Ledger::open_read_only(folder).await {
            Ok(Some(ledger)) => self.whole(ledger).await,
            Ok(None) => {
                self.say(LEDGER.ok("none yet: the first pass makes it"));
                Ledger::in_memory().await.ok()
            }
            Err(error) => {
                self.say(failed(&LEDGER, &error.into()));
                None
            }
        };
        if opened.is_none() {
            self.blind(&[Group::State], "the ledger cannot be read");
        }
        self.halted(opened).await
    }

    /// The ledger, where the file is whole and its tables are of this version.
    async fn whole(&mut self, mut ledger: Ledger) -> Option<Ledger> {
        let found = match (ledger.is_old().await, ledger.faults().await) {
            (Ok(old), Ok(faults)) => (old, faults),
            (Err(error), _) | (_, Err(error)) => {
                self.say(failed(&LEDGER, &error.into()));
                return None;
            }
        };
        match found {
            (false, faults) if faults.is_empty() => {
                self.say(LEDGER.ok("whole (PRAGMA quick_check) and up to date"));
                Some(ledger)
            }
            (true, faults) if faults.is_empty() => {
                let found = "whole, but written by an older rebal, so that little of it can be told here";
                self.say(
                    LEDGER.warn(found, "the next `rebal rebalance` brings it up to date; nothing is lost"),
                );
                None
            }
            (_, faults) => {
                let shown: Vec<&str> = faults.iter().take(FAULTS_SHOWN).map(String::as_str).collect();
                self.say(LEDGER.fail(Failure::Storage, format!("damaged: {}", shown.join("; ")), WAY_OUT));
                None
            }
        }
    }

    async fn halted(&mut self, ledger: Option<Ledger>) -> Option<Ledger> {
        let folder = &self.context.folders.state;
        let Some(mut ledger) = ledger else {
            // One half of the latch is a file, which needs no ledger.
            self.say(match latch::in_file(folder) {
                Some(halt) => in_force(&halt),
                None => HALT.unknown("there is no file HALT, and the ledger cannot be read"),
            });
            return None;
        };
        let halt = latch::in_force(&mut ledger, folder).await;
        self.say(match &halt {
            Ok(None) => HALT.ok("none"),
            Ok(Some(halt)) => in_force(halt),
            Err(error) => HALT.unknown(error.to_string()),
        });
        self.halted = !matches!(halt, Ok(None));
        Some(ledger)
    }

    /// What the ledger remembers, by the exchange's time where that is known.
    pub(super) async fn past(&mut self, ledger: Option<&mut Ledger>) {
        let Some(ledger) = ledger else { return };
        self.say(match ledger.unresolved().await {
            Ok(intents) => state::unresolved(intents.len()),
            Err(error) => UNRESOLVED.unknown(error.to_string()),
        });
        let now = match self.at {
            Some(at) => at,
            None => self.context.now(ledger).await.unwrap_or(self.context.started),
        };
        let passes = ledger.last_good_pass().await;
        self.say(match passes {
            Ok(Some(_)) if self.context.has_own_market() => {
                LAST_PASS.ok("on paper with prices of its own: its clock moves only with passes")
            }
            Ok(last) => state::last_pass(last, now, self.context.config.interval),
            Err(error) => LAST_PASS.unknown(error.to_string()),
        });
        if let Understood::Whole = self.understood {
            let universe = self.universe(ledger).await;
            self.say(universe.unwrap_or_else(|error| UNIVERSE.unknown(error.message)));
        }
    }

    async fn universe(&self, ledger: &mut Ledger) -> Result<Row, CommandError> {
        let (key, listed) = settings::listed(&self.context.config);
        if !listed.is_empty() {
            return Ok(UNIVERSE.ok(format!("not needed: {key} names the coins")));
        }
        let members = ledger.universe().await?.len();
        let now = self.at.unwrap_or(self.context.started);
        Ok(state::universe(members, ledger.scanned_at().await?, now))
    }
}

fn in_force(halt: &Halt) -> Row {
    // A file that a person made has no time.
    let found = match halt.at == Time::default() {
        true => halt.reason.clone(),
        false => format!("halt {} since {}: {}", halt.id, halt.at, halt.reason),
    };
    HALT.fail(Failure::Halted, found, "find out why, then `rebal risk-check --resume`")
}

/// The nearest folder above that exists: where a missing one would be made.
fn existing(folder: &Path) -> Option<&Path> {
    folder
        .ancestors()
        .map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above })
        .find(|above| above.exists())
}

#[cfg(unix)]
mod place {
    //! What only a Unix system tells of a place.

    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use rustix::fs::{Access, access, statvfs};
    use rustix::process::{Pid, geteuid, test_kill_process};

    use super::{DISK, Failure, LOCK, Row, STATE_FOLDER, existing, state};

    pub(super) fn folder(folder: &Path) -> Row {
        let shown = folder.display();
        let fix = "check its owner and permissions, or give --state-dir DIR";
        let usable = |folder: &Path| access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        let found = match std::fs::metadata(folder) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return match existing(folder) {
                    Some(above) if above.is_dir() && usable(above) => {
                        STATE_FOLDER.ok(format!("{shown} is not there yet: the first pass makes it"))
                    }
                    _ => STATE_FOLDER.fail(Failure::Storage, format!("{shown} cannot be made"), fix),
                };
            }
            Err(error) => return STATE_FOLDER.fail(Failure::Storage, format!("{shown}: {error}"), fix),
        };
        if !found.is_dir() {
            return STATE_FOLDER.fail(Failure::Storage, format!("{shown} is not a folder"), fix);
        }
        if !usable(folder) {
            return STATE_FOLDER.fail(Failure::Storage, format!("{shown} cannot be written"), fix);
        }
        let is_ours = found.uid() == geteuid().as_raw();
        state::folder(&shown.to_string(), found.mode(), is_ours)
    }

    pub(super) fn disk(folder: &Path) -> Row {
        let Some(folder) = existing(folder) else { return DISK.unknown("no folder to ask about") };
        match statvfs(folder) {
            Ok(disk) => state::disk(disk.f_bavail.saturating_mul(disk.f_frsize)),
            Err(error) => DISK.unknown(format!("{}: {error}", folder.display())),
        }
    }

    /// Taking the lock for a moment would turn a pass away that starts in that moment, so its holder is
    /// looked at instead. A number that another process has by now is told apart where the system shows
    /// the names of processes.
    pub(super) fn lock(folder: &Path) -> Row {
        let path = folder.join("lock");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return LOCK.ok("free: no pass yet");
            }
            Err(error) => return LOCK.unknown(format!("{}: {error}", path.display())),
        };
        let number = text.lines().next().and_then(|line| line.strip_prefix("process "));
        let Some(number) = number.and_then(|number| number.parse::<i32>().ok()) else {
            return LOCK.ok("free");
        };
        let is_alive = Pid::from_raw(number).is_some_and(|pid| match test_kill_process(pid) {
            Ok(()) => true,
            // It lives, and belongs to somebody else.
            Err(error) => error == rustix::io::Errno::PERM,
        });
        let name = std::fs::read_to_string(format!("/proc/{number}/comm")).ok();
        let is_ours = name.is_none_or(|name| name.starts_with("rebal"));
        if is_alive && is_ours && number.unsigned_abs() != std::process::id() {
            let fix = "wait for it to end, then run `rebal doctor` again: what is shown here may change";
            return LOCK.warn(format!("process {number} runs a pass now"), fix);
        }
        LOCK.ok("free")
    }
}

#[cfg(not(unix))]
mod place {
    //! What such a system tells of a place.

    use std::path::Path;

    use super::{DISK, Failure, LOCK, Row, STATE_FOLDER, existing};

    pub(super) fn folder(folder: &Path) -> Row {
        let shown = folder.display();
        match existing(folder) {
            Some(found) if !found.is_dir() => {
                let fix = "give another --state-dir DIR";
                STATE_FOLDER.fail(Failure::Storage, format!("{shown} is not a folder"), fix)
            }
            _ => STATE_FOLDER.unknown(format!("{shown}: this system does not tell who may use it")),
        }
    }

    pub(super) fn disk(_folder: &Path) -> Row {
        DISK.unknown("not told on this system")
    }

    pub(super) fn lock(_folder: &Path) -> Row {
        LOCK.unknown("not told on this system")
    }
}
