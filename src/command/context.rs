//! What every subcommand starts from: configuration, folders, and how to speak.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::folders::{self, Folders, Places};
use crate::config::sections::Config;
use crate::config::words::{Mode, Prices};
use crate::config::{self, Loaded, Origin, Sources};
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::exchange::Exchange;
use crate::exchange::paper::Paper;
use crate::ledger::{Ledger, LedgerError};
use crate::pass::Prepared;
use crate::render::{Format, Style};
use crate::report::heading::Heading;
use crate::sim::{Terms, listing};
use crate::ui::{self, Ui};

use super::Global;

const LONGEST_BAN: Duration = Duration::from_secs(3 * 86_400);

/// How much of a configuration can be used.
pub(super) enum Understood {
    /// All of it.
    Whole,
    /// Only what names the account; the rest is wrong in this way.
    Account(CommandError),
    /// Nothing: it cannot even be told whose money is meant.
    Nothing(CommandError),
}

/// One run of one command.
pub(super) struct Context {
    pub(super) ui: Ui,
    pub(super) folders: Folders,
    pub(super) config: Config,
    /// Where each value of the configuration came from, by its dotted key.
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) format: Format,
    pub(super) style: Style,
    pub(super) out: Option<PathBuf>,
    pub(super) yes: bool,
    /// Nothing may leave this machine.
    pub(super) demo: bool,
    /// The wall clock, read once.
    pub(super) started: Time,
    /// When that was.
    begun: Instant,
}

impl Context {
    pub(super) fn new(global: &Global, ui: Ui) -> Result<Context, CommandError> {
        Context::with(global, ui, |sources| Ok(config::load(sources)?))
    }

    /// For closing everything, which a wrong line about the basket must not prevent.
    pub(super) fn for_exit(global: &Global, ui: Ui) -> Result<Context, CommandError> {
        let warning = ui.clone();
        Context::with(global, ui, |sources| {
            let (loaded, wrong) = config::load_for_exit(sources)?;
            if let Some(wrong) = wrong {
                warning.warn(&format!(
                    "{wrong}\nonly what names the account is used; this does not keep it open"
                ));
            }
            Ok(loaded)
        })
    }

    /// For writing a configuration that is not there yet: its file is not read, and neither is the
    /// environment, which would win over the file again each time.
    pub(super) fn for_new_file(global: &Global, ui: Ui) -> Result<Context, CommandError> {
        Context::with(global, ui, |sources| {
            let env = Vec::new().into_iter();
            Ok(config::load(Sources { file: None, env, ..sources })?)
        })
    }

    /// For looking at everything, however broken the configuration is.
    pub(super) fn for_doctor(global: &Global, ui: Ui) -> Result<(Context, Understood), CommandError> {
        let mut understood = Understood::Whole;
        let context = Context::with(global, ui, |sources| {
            Ok(match config::load_for_exit(sources) {
                Ok((loaded, None)) => loaded,
                Ok((loaded, Some(wrong))) => {
                    understood = Understood::Account(wrong.into());
                    loaded
                }
                Err(wrong) => {
                    understood = Understood::Nothing(wrong.into());
                    Loaded { config: Config::default(), origins: BTreeMap::new() }
                }
            })
        })?;
        Ok((context, understood))
    }

    fn with(
        global: &Global,
        ui: Ui,
        read: impl FnOnce(Sources<'_, std::vec::IntoIter<(String, String)>>) -> Result<Loaded, CommandError>,
    ) -> Result<Context, CommandError> {
        let folders = folders::find(Places {
            config: global.config.as_deref(),
            profile: global.profile.as_deref(),
            demo: global.demo,
            state_dir: global.state_dir.as_deref(),
        })?;
        let demo = global.demo.then(|| config::demo::demo(&listing::demo_basket()));
        let unheeded = config::demo::unheeded(config::environment());
        if global.demo && !unheeded.is_empty() {
            ui.note(&format!("--demo stays on this machine: {} not heeded", unheeded.join(", ")));
        }
        let sources = Sources {
            file: folders.config_file.clone(),
            file_required: folders.file_required,
            env: config::environment(),
            sets: &global.sets,
            base: demo,
        };
        let Loaded { config, origins } = read(sources)?;
        if let Some(path) = &global.out {
            may_write("--out", path, &folders.state)?;
        }
        let style = Style { width: ui.width, color: ui.color, unicode: ui.unicode };
        Ok(Context {
            ui,
            folders,
            config,
            origins,
            format: global.format(),
            style,
            out: global.out.clone(),
            yes: global.yes,
            demo: global.demo,
            started: Time::from(std::time::SystemTime::now()),
            begun: Instant::now(),
        })
    }

    /// Paper money on prices that are not those of this moment.
    pub(super) fn has_own_market(&self) -> bool {
        self.config.mode == Mode::Paper && self.config.paper.prices != Prices::Live
    }

    /// The exchange's time without asking it: on paper the paper clock, which stands between passes; else this
    /// machine's, corrected by what the last pass found.
    pub(super) async fn now(&self, ledger: &mut Ledger) -> Result<Time, LedgerError> {
        if self.has_own_market() {
            let clock = ledger.paper().await?.and_then(|kept| Paper::clock_of(&kept));
            return Ok(clock.or(self.config.paper.start).unwrap_or(Terms::default().start));
        }
        let ahead = ledger.clock_offset().await?;
        let now = Time::clamped(self.wall().ms().saturating_add(ahead));
        // Clocks are milliseconds off; what was read was read before now.
        let read = ledger.last_equity().await?.map(|reading| reading.at);
        Ok(read.map_or(now, |read| now.max(read)))
    }

    /// What this machine's clock says now, unless it was set since.
    pub(super) fn wall(&self) -> Time {
        self.started + self.begun.elapsed()
    }

    /// Refuses a file that cannot be written or that is rebal's own: found before anything is sent.
    pub(super) fn may_write(&self, option: &str, path: &Path) -> Result<(), CommandError> {
        may_write(option, path, &self.folders.state)
    }

    /// What every report carries.
    pub(super) fn heading(&self, at: Time) -> Heading {
        Heading {
            at,
            profile: self.folders.profile.clone(),
            mode: self.config.mode.as_str().to_owned(),
            venue: self.config.venue.as_str().to_owned(),
        }
    }

    /// Data to stdout, and to `--out` where it was asked for. A pass that is over does not become a
    /// failed one because its report cannot be written to a file.
    pub(super) fn show(&self, text: &str) -> Result<(), CommandError> {
        // A page that is in a file already tells a reader at a terminal nothing but its markup.
        let is_page = self.format == Format::Html && self.ui.stdout_tty && self.out.is_some();
        let printed = if is_page { Ok(()) } else { self.print(text) };
        if let Some(path) = &self.out
            && let Err(error) = self.write(path, text)
        {
            self.ui.warn(&error.message);
        }
        printed
    }

    /// The same after something was done: a reader who went away does not change what it came to.
    pub(super) fn tell_done(&self, text: &str) {
        if let Err(error) = self.show(text) {
            self.ui.warn(&format!("{error}; what was done is in the ledger"));
        }
    }

    /// Data to stdout only.
    pub(super) fn print(&self, text: &str) -> Result<(), CommandError> {
        self.ui.out(text).map_err(|error| {
            let hint = "make room there, or send the output elsewhere; nothing was sent";
            CommandError::new(Kind::Storage, format!("stdout: {error}"), hint)
        })
    }

    pub(super) fn write(&self, path: &Path, text: &str) -> Result<(), CommandError> {
        ui::write_file(path, text).map_err(|error| {
            CommandError::new(
                Kind::Storage,
                format!("{}: {error}", path.display()),
                "check that the folder exists and may be written",
            )
        })
    }

    /// What `--verbose` shows of a look at the account.
    pub(super) fn tell<E: Exchange>(&self, exchange: &E, prepared: &Prepared) {
        let file = self.folders.config_file.as_ref().map_or("none".into(), |file| file.display().to_string());
        let seen = &prepared.seen;
        self.ui.detail(&format!("configuration: {file}"));
        self.ui.detail(&format!("state folder: {}", self.folders.state.display()));
        self.ui.detail(&format!(
            "exchange: {}, account {}, at {}",
            exchange.environment(),
            seen.account,
            seen.snapshot.at
        ));
        self.ui.detail(&format!(
            "settled {} orders of earlier passes, {} contracts wait for an answer, {} new income rows",
            prepared.settled.resolved.len(),
            prepared.settled.quarantined.len(),
            seen.unbooked.len()
        ));
        for remark in exchange.remarks() {
            self.ui.detail(&remark);
        }
    }

    /// The state folder, made where it is missing.
    pub(super) fn state_folder(&self) -> Result<&Path, CommandError> {
        let folder = &self.folders.state;
        folders::create_private(folder).map_err(|error| {
            CommandError::new(
                Kind::Storage,
                format!("{}: {error}", folder.display()),
                "check its owner and permissions, or give --state-dir DIR",
            )
        })?;
        Ok(folder)
    }

    /// Refuses while the exchange's ban of an earlier process is in force.
    pub(super) async fn heed_ban(&self, ledger: &mut Ledger) -> Result<(), CommandError> {
        match ledger.not_before().await? {
            // The longest ban the exchange gives; anything further off is a wrong clock.
            Some(until) if self.started < until && until.since(self.started) <= LONGEST_BAN => {
                Err(CommandError::new(
                    Kind::Unavailable,
                    format!("the exchange forbade any request before {until}"),
                    "nothing was sent; the first pass after that time goes on",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The files of the state folder that are rebal's own.
const OWN: [&str; 8] = [
    "ledger.db",
    "ledger.db-wal",
    "ledger.db-shm",
    "ledger.db-journal",
    "trades.csv",
    "HALT",
    "lock",
    "screener.json",
];

/// A copy of an exchange's listing, by its name.
fn is_listing(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("listing-") && name.ends_with(".json")
}

/// A file that cannot be written is a wrong option, found before anything is sent.
fn may_write(option: &str, path: &Path, state: &Path) -> Result<(), CommandError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let usable = folder.is_dir() && !path.is_dir();
    let same = |one: &Path, other: &Path| {
        one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
    };
    // By name where it is not there yet, by what it leads to where it is.
    let named = |own: &str| path.file_name().is_some_and(|name| name == own) && same(folder, state);
    let is_own = || {
        OWN.iter().any(|own| named(own) || same(path, &state.join(own)))
            || (is_listing(path) && same(folder, state))
    };
    if usable && is_own() {
        return Err(CommandError::new(
            Kind::Config,
            format!("{option} {}: that file is rebal's own", path.display()),
            "name another file; nothing was sent",
        ));
    }
    if usable {
        Ok(())
    } else {
        Err(CommandError::new(
            Kind::Config,
            format!("{option} {}: there is no such folder, or it is a folder itself", path.display()),
            "name a file in a folder that exists; nothing was sent",
        ))
    }
}
