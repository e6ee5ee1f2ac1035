//! A bar on stderr while something takes long; nothing at all where nobody watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ui::Ui;

/// How far a long piece of work has come. Gone from the screen when dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Starts a bar of `total` steps, or a spinner where `total` is zero because nobody knows.
    /// Draws only where stderr is a terminal and `--quiet` is off.
    #[must_use]
    pub fn start(ui: &Ui, total: u64, text: &str) -> Progress {
        if ui.quiet || !ui.stderr_tty {
            return Progress { bar: ProgressBar::hidden() };
        }
        let (bar, template) = match total {
            0 => (ProgressBar::new_spinner(), "{spinner} {msg} {elapsed:.dim}"),
            _ => (ProgressBar::new(total), "{msg:24!} {bar:30} {pos}/{len} {eta:.dim}"),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(if ui.unicode { style.progress_chars("━━╌") } else { ascii(style) });
        }
        bar.set_message(text.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress { bar }
    }

    /// One step further, now at `text`.
    pub fn step(&self, text: &str) {
        self.bar.set_message(text.to_owned());
        self.bar.inc(1);
    }

    /// So many steps further, now at `text`.
    pub fn leap(&self, text: &str, steps: u64) {
        self.bar.set_message(text.to_owned());
        self.bar.inc(steps);
    }

    /// One step further, whatever it was.
    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// Takes the bar from the screen.
    pub fn done(self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn ascii(style: ProgressStyle) -> ProgressStyle {
    style.progress_chars("#>-").tick_chars("|/-\\ ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::ColorChoice;

    #[test]
    fn nothing_is_drawn_where_nobody_watches() {
        let ui = Ui { stderr_tty: false, ..Ui::new(ColorChoice::Never, false, false) };
        assert!(Progress::start(&ui, 3, "reading").bar.is_hidden());
        let quiet = Ui { stderr_tty: true, quiet: true, ..ui };
        assert!(Progress::start(&quiet, 3, "reading").bar.is_hidden());
    }
}
