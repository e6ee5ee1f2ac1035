//! The only place that prints: output, notes, progress and questions.

mod print;
mod progress;
mod prompt;
mod write;

use std::io::IsTerminal;
use std::str::FromStr;

use dialoguer::console::Term;

pub use progress::Progress;
pub use prompt::{PromptError, choose, confirm, input, typed};
pub use write::write_file;

/// Columns assumed where stdout is no terminal.
const WIDTH_ELSEWHERE: u16 = 100;

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl FromStr for ColorChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<ColorChoice, String> {
        match text {
            "auto" => Ok(ColorChoice::Auto),
            "always" => Ok(ColorChoice::Always),
            "never" => Ok(ColorChoice::Never),
            other => Err(format!("not auto, always or never: {other:?}")),
        }
    }
}

/// How this process may speak. Data goes to stdout, everything else to stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ui {
    /// Whether stdout may carry colours.
    pub color: bool,
    /// Whether stderr may carry colours.
    pub color_notes: bool,
    /// Whether more than ASCII may be drawn.
    pub unicode: bool,
    /// Silences notes and progress, never data, warnings or errors.
    pub quiet: bool,
    /// Shows details.
    pub verbose: bool,
    /// Whether stdout is a terminal.
    pub stdout_tty: bool,
    /// Whether stderr is a terminal.
    pub stderr_tty: bool,
    /// Whether stdin is a terminal.
    pub stdin_tty: bool,
    /// Columns of the terminal behind stdout; 100 where there is none.
    pub width: u16,
}

/// What the process finds around it; apart, so that the choice can be tested.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    no_color: String,
    term: String,
    locale: String,
    stdin_tty: bool,
    stdout_tty: bool,
    stderr_tty: bool,
    columns: Option<u16>,
}

impl Ui {
    /// From the flags, the environment and what the three streams are connected to.
    #[must_use]
    pub fn new(color: ColorChoice, quiet: bool, verbose: bool) -> Ui {
        Ui::choose(color, quiet, verbose, &Surroundings::look())
    }

    fn choose(color: ColorChoice, quiet: bool, verbose: bool, around: &Surroundings) -> Ui {
        let wanted = |tty: bool| match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => tty && around.no_color.is_empty() && around.term != "dumb",
        };
        Ui {
            color: wanted(around.stdout_tty),
            color_notes: wanted(around.stderr_tty),
            unicode: speaks_unicode(&around.locale),
            quiet,
            verbose: verbose && !quiet,
            stdout_tty: around.stdout_tty,
            stderr_tty: around.stderr_tty,
            stdin_tty: around.stdin_tty,
            width: around.columns.filter(|_| around.stdout_tty).unwrap_or(WIDTH_ELSEWHERE),
        }
    }
}

impl Surroundings {
    fn look() -> Surroundings {
        let var = |name: &str| std::env::var(name).unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(var).into_iter().find(|value| !value.is_empty());
        Surroundings {
            no_color: var("NO_COLOR"),
            term: var("TERM"),
            locale: locale.unwrap_or_default(),
            stdin_tty: std::io::stdin().is_terminal(),
            stdout_tty: std::io::stdout().is_terminal(),
            stderr_tty: std::io::stderr().is_terminal(),
            columns: Term::stdout().size_checked().map(|(_, columns)| columns).filter(|columns| *columns > 0),
        }
    }
}

/// Only a locale that says otherwise takes Unicode away: cron and containers set none at all.
fn speaks_unicode(locale: &str) -> bool {
    let locale = locale.to_lowercase();
    locale.is_empty() || locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal() -> Surroundings {
        Surroundings { stdout_tty: true, columns: Some(80), ..Surroundings::default() }
    }

    #[test]
    fn colour_follows_flag_terminal_and_no_color() {
        let color = |choice, around: &Surroundings| Ui::choose(choice, false, false, around).color;
        let no_color = Surroundings { no_color: "1".into(), ..terminal() };
        let dumb = Surroundings { term: "dumb".into(), ..terminal() };
        assert!(color(ColorChoice::Auto, &terminal()));
        assert!(!color(ColorChoice::Auto, &Surroundings::default()));
        assert!(!color(ColorChoice::Auto, &no_color));
        assert!(!color(ColorChoice::Auto, &dumb));
        assert!(color(ColorChoice::Always, &no_color));
        assert!(!color(ColorChoice::Never, &terminal()));
    }

    #[test]
    fn the_width_is_the_terminals_and_a_pipe_has_its_own() {
        let width = |around: &Surroundings| Ui::choose(ColorChoice::Auto, false, false, around).width;
        assert_eq!(width(&terminal()), 80);
        assert_eq!(width(&Surroundings { stdout_tty: false, ..terminal() }), 100);
    }

    #[test]
    fn a_locale_without_utf8_gets_ascii() {
        for (locale, unicode) in
            [("", true), ("C.UTF-8", true), ("de_DE.utf8", true), ("C", false), ("POSIX", false)]
        {
            assert_eq!(speaks_unicode(locale), unicode, "{locale}");
        }
    }
}
