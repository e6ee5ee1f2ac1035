//! Questions, asked on stderr and only where somebody can answer.

use std::io;

use dialoguer::console::Term;
use dialoguer::{Confirm, Input, Select};

use crate::ui::Ui;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// Nobody sits there; the question would wait for ever.
    #[error("needs --yes, since no terminal is there to ask: {0}")]
    NoTerminal(String),
    /// Answered with Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The terminal failed.
    #[error("cannot ask: {0}")]
    Io(io::Error),
}

impl From<dialoguer::Error> for PromptError {
    fn from(error: dialoguer::Error) -> PromptError {
        let dialoguer::Error::IO(error) = error;
        // A question that was broken off leaves the cursor hidden; where even this fails nobody looks.
        let _ = Term::stderr().show_cursor();
        match error.kind() {
            io::ErrorKind::Interrupted => PromptError::Interrupted,
            _ => PromptError::Io(error),
        }
    }
}

/// Asks yes or no; Enter is `default`.
pub fn confirm(ui: &Ui, question: &str, default: bool) -> Result<bool, PromptError> {
    somebody(ui, question)?;
    Ok(Confirm::new().with_prompt(question).default(default).interact()?)
}

/// Asks for `expected` to be typed in full; whether it was.
pub fn typed(ui: &Ui, question: &str, expected: &str) -> Result<bool, PromptError> {
    somebody(ui, question)?;
    let prompt = format!("{question} (type {expected} to go on)");
    let answer: String = Input::new().with_prompt(prompt).allow_empty(true).interact_text()?;
    Ok(answer.trim() == expected)
}

/// Asks for a line of text; Enter is `default`, which is shown unless it is empty.
pub fn input(ui: &Ui, question: &str, default: &str) -> Result<String, PromptError> {
    somebody(ui, question)?;
    let prompt = Input::new().with_prompt(question).allow_empty(true);
    let prompt = prompt.show_default(!default.is_empty()).default(default.to_owned());
    let answer: String = prompt.interact_text()?;
    Ok(answer.trim().to_owned())
}

/// Asks for one of `answers`; returns its place in the list. Enter is the one at `default`.
pub fn choose(ui: &Ui, question: &str, answers: &[&str], default: usize) -> Result<usize, PromptError> {
    somebody(ui, question)?;
    Ok(Select::new().with_prompt(question).items(answers).default(default).interact()?)
}

fn somebody(ui: &Ui, question: &str) -> Result<(), PromptError> {
    if ui.stdin_tty && ui.stderr_tty {
        return Ok(());
    }
    Err(PromptError::NoTerminal(question.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::ColorChoice;

    #[test]
    fn without_a_terminal_a_question_is_an_error_that_names_yes() {
        let ui = Ui { stdin_tty: false, ..Ui::new(ColorChoice::Never, false, false) };
        let error = confirm(&ui, "close all positions?", false).unwrap_err();
        assert_eq!(error.to_string(), "needs --yes, since no terminal is there to ask: close all positions?");
        assert!(typed(&ui, "really?", "LIVE").is_err());
    }
}
