//! A configuration in the making: answers are taken one after another, each checked with all before it.

use crate::config::error::{ConfigError, Fault};
use crate::config::{self, Loaded, Sources};

/// What was answered so far, as `KEY=VALUE`, a later one over an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    sets: Vec<String>,
}

impl Draft {
    /// Begins with the arguments of `--set`.
    #[must_use]
    pub fn new(sets: &[String]) -> Draft {
        Draft { sets: sets.to_vec() }
    }

    /// The effective values; neither a file nor the environment has a say.
    ///
    /// # Errors
    /// As [`config::load`].
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        config::load(Sources {
            file: None,
            file_required: false,
            env: std::iter::empty(),
            sets: &self.sets,
            base: None,
        })
    }

    /// The draft with these answers too, each a dotted key and its value.
    ///
    /// # Errors
    /// Why they are not taken, in words for whoever just gave them.
    pub fn with(&self, answers: &[(&str, &str)]) -> Result<Draft, String> {
        let mut draft = self.clone();
        draft.sets.extend(answers.iter().map(|(key, value)| format!("{key}={value}")));
        match draft.load() {
            Ok(_) => Ok(draft),
            Err(error) => Err(error.faults().iter().map(reason).collect::<Vec<_>>().join("; ")),
        }
    }
}

/// What is wrong, without where it was said: whoever answers knows that.
fn reason(fault: &Fault) -> String {
    match fault {
        Fault::OutOfBounds { value, problem, .. } => format!("{value} {problem}"),
        Fault::WrongType { problem, .. } => problem.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::num::{Notional, Rate};

    #[test]
    fn a_later_answer_wins_and_a_wrong_one_is_not_taken() {
        let draft = Draft::new(&["basket.size=10".into()]);
        let draft = draft.with(&[("basket.target_value", "50")]).unwrap();
        let draft = draft.with(&[("basket.size", "15")]).unwrap();
        let config = draft.load().unwrap().config;
        assert_eq!((config.basket.size, config.basket.target_value), (15, Notional::from(50)));
        for (key, value, why) in [
            ("basket.threshold", "5", "5 is a fraction: write 0.05 for 5 %"),
            ("basket.size", "many", "found string \"many\", wanted a whole number that is not negative"),
            ("telegram.enabled", "true", "telegram.enabled = true needs telegram.chat_id"),
        ] {
            assert_eq!(draft.with(&[(key, value)]).unwrap_err(), why);
        }
        assert_eq!(draft.load().unwrap().config.basket.threshold, Rate::new(5, 2));
    }

    #[test]
    fn a_secret_in_the_place_of_its_location_is_refused_and_not_repeated() {
        let secret = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
        let why = Draft::default().with(&[("credentials.api_key", secret)]).unwrap_err();
        assert!(why.contains("env:NAME, file:PATH or systemd:NAME") && !why.contains(secret), "{why}");
    }
}
