//! Text to stdout and stderr. A reader who went away is not an error.

use std::io::{self, ErrorKind, Write};

use dialoguer::console::Term;

use crate::ui::Ui;

const YELLOW: &str = "\u{1b}[33m";
const RED: &str = "\u{1b}[31m";
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

impl Ui {
    /// Writes data to stdout as it is. A closed pipe is success; any other failure is returned, so
    /// that a full disk does not pass for an empty report.
    pub fn out(&self, text: &str) -> io::Result<()> {
        write_all(&mut io::stdout().lock(), text)
    }

    /// Draws `text` over what stdout's terminal shows, line by line, so that nothing flickers. What is
    /// below the window is left out and said: drawing it would scroll the beginning away.
    pub fn redraw(&self, text: &str) {
        let rows = Term::stdout().size_checked().map_or(usize::MAX, |(rows, _)| usize::from(rows));
        let (all, room) = (text.lines().count(), rows.saturating_sub(1));
        let shown = if all > room { room.saturating_sub(1) } else { all };
        let mut lines: String = text.lines().take(shown).map(|line| format!("{line}\u{1b}[K\n")).collect();
        if shown < all {
            lines.push_str(&format!("… {} more lines: make the window taller\u{1b}[K\n", all - shown));
        }
        let _ = write_all(&mut io::stdout().lock(), &format!("\u{1b}[H{lines}\u{1b}[J"));
    }

    /// Says on stderr what is going on; silent with `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.aside("", "", text);
        }
    }

    /// Says on stderr what needs attention; never silent.
    pub fn warn(&self, text: &str) {
        self.aside(YELLOW, "warning: ", text);
    }

    /// Says on stderr why the command failed; never silent.
    pub fn fail(&self, text: &str) {
        self.aside(RED, "error: ", text);
    }

    /// Says on stderr what to do about it; never silent.
    pub fn hint(&self, text: &str) {
        self.aside(YELLOW, "hint: ", text);
    }

    /// Writes to stderr, as it is, a text that was rendered for a terminal, colours and all.
    pub fn err(&self, text: &str) {
        let _ = write_all(&mut io::stderr().lock(), text);
    }

    /// Says on stderr what only `--verbose` asks for.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.aside(DIM, "", text);
        }
    }

    /// One message on stderr. Nobody is left to tell where stderr itself fails.
    fn aside(&self, color: &str, label: &str, text: &str) {
        let body = without_controls(text.trim_end());
        let body = match self.stderr_tty {
            true => wrapped(&body, label.len(), usize::from(self.width)),
            false => body,
        };
        let line = match (self.color_notes && !color.is_empty(), label.is_empty()) {
            (false, _) => format!("{label}{body}\n"),
            (true, true) => format!("{color}{body}{PLAIN}\n"),
            (true, false) => format!("{color}{label}{PLAIN}{body}\n"),
        };
        let _ = write_all(&mut io::stderr().lock(), &line);
    }
}

fn write_all(stream: &mut impl Write, text: &str) -> io::Result<()> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Messages may quote an exchange or a file: what steers a terminal is dropped, line breaks stay.
fn without_controls(text: &str) -> String {
    let bidi = |c: char| matches!(u32::from(c), 0x061c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff);
    text.chars().filter(|c| *c == '\n' || !(c.is_control() || bidi(*c))).collect()
}

/// Breaks lines between words; those after the first begin under its text. A word that is longer than
/// a line stays whole, so that a path or a command can still be copied.
fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let longer = indent + line.chars().count() + 1 + word.chars().count();
            if !line.is_empty() && longer > width {
                lines.push(std::mem::take(&mut line));
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_breaks_between_words_under_its_own_beginning() {
        assert_eq!(wrapped("one two three", 6, 13), "one two\n      three");
        assert_eq!(wrapped("one two three", 6, 19), "one two three");
        assert_eq!(wrapped("a /a/path/longer/than/a/line b", 0, 10), "a\n/a/path/longer/than/a/line\nb");
        assert_eq!(wrapped("first\nsecond  indented", 2, 80), "first\n  second  indented");
    }

    struct Gone(ErrorKind);
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_quiet_and_a_full_disk_is_not() {
        assert!(write_all(&mut Gone(ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write_all(&mut Gone(ErrorKind::StorageFull), "x").is_err());
    }

    #[test]
    fn messages_cannot_steer_the_terminal() {
        assert_eq!(without_controls("a\u{1b}[2Jb\u{202e}c\nd\r"), "a[2Jbc\nd");
    }
}
