//! One configuration, some of whose values change from run to run.

use std::collections::BTreeMap;

use toml::Table;

use crate::config::error::ConfigError;
use crate::config::layers::{self, Assignment, Known};
use crate::config::sections::Config;
use crate::config::{Origin, bounds, fitting, resolve_paths};

/// A value of a key, of the kind that the key takes.
#[derive(Clone, Debug)]
pub struct Value(Assignment);

/// A configuration to vary.
pub struct Varied {
    known: Known,
    table: Table,
}

impl Varied {
    /// What does not change is as in `config`.
    #[must_use]
    pub fn new(config: &Config) -> Varied {
        Varied { known: Known::new(), table: Table::try_from(config).unwrap_or_default() }
    }

    /// Values of a key, read as `--set` reads them.
    ///
    /// # Errors
    /// The key is unknown, or some of the values are of another kind than it takes: all of those.
    pub fn values(&self, key: &str, texts: &[String]) -> Result<Vec<Value>, ConfigError> {
        let mut faults = Vec::new();
        let mut values = Vec::new();
        for text in texts {
            let origin = Origin::Sweep;
            let read = layers::from_text(&self.known, key.to_owned(), text.clone(), origin, &mut faults);
            let Some(assignment) = read else { break };
            match fitting(&self.known, assignment) {
                Ok(assignment) => values.push(Value(assignment)),
                Err(fault) => faults.push(fault),
            }
        }
        ConfigError::unless_empty(faults)?;
        Ok(values)
    }

    /// The configuration with these values, checked as a whole.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn with(&self, values: &[&Value]) -> Result<Config, ConfigError> {
        let config = self.unchecked(values)?;
        let origin = |value: &&Value| (value.0.key.clone(), Origin::Sweep);
        let origins: BTreeMap<String, Origin> = values.iter().map(origin).collect();
        let mut faults = Vec::new();
        bounds::check(&config, &origins, &mut faults);
        ConfigError::unless_empty(faults)?;
        Ok(config)
    }

    /// The fingerprint of all that does not change, where these are one value of each key that does.
    ///
    /// # Errors
    /// The values do not fit together.
    pub fn fingerprint(&self, values: &[&Value]) -> Result<String, ConfigError> {
        Ok(self.unchecked(values)?.fingerprint())
    }

    fn unchecked(&self, values: &[&Value]) -> Result<Config, ConfigError> {
        let mut table = self.table.clone();
        for Value(Assignment { key, value, .. }) in values {
            layers::assign(&mut table, key, value.clone());
        }
        let mut config: Config = crate::config::of_table(table)?;
        resolve_paths(&mut config, &BTreeMap::new());
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::num::Rate;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn values_change_and_everything_else_stays() {
        let mut base = Config::default();
        base.risk.max_drawdown = Rate::new(17, 2);
        base.basket.symbols = vec!["ADAUSDT".parse().unwrap()];
        let varied = Varied::new(&base);
        assert_eq!(varied.with(&[]).unwrap(), base);
        let thresholds = varied.values("basket.threshold", &texts(&["0.1", "0.2"])).unwrap();
        let spans = varied.values("basket.every", &texts(&["7d"])).unwrap();
        let config = varied.with(&[&thresholds[1], &spans[0]]).unwrap();
        base.basket.threshold = Rate::new(2, 1);
        base.basket.every = Some(std::time::Duration::from_secs(7 * 86_400));
        assert_eq!(config, base);
        // What is swept is no part of what is the same.
        let other = Varied::new(&config);
        let same = |varied: &Varied| varied.fingerprint(&[&thresholds[0], &spans[0]]).unwrap();
        assert_eq!(same(&varied), same(&other));
        assert_ne!(same(&Varied::new(&Config::default())), same(&varied));
    }

    #[test]
    fn what_set_would_refuse_is_refused() {
        let varied = Varied::new(&Config::default());
        let refused =
            |key: &str, values: &[&str]| varied.values(key, &texts(values)).unwrap_err().to_string();
        let unknown = "unknown key \"basket.treshold\" in --sweep; did you mean \"basket.threshold\"?";
        assert_eq!(refused("basket.treshold", &["0.1", "0.2"]), unknown);
        assert!(refused("basket", &["1"]).contains("is a section"));
        let kind = refused("basket.size", &["10", "12.5", "fifteen"]);
        assert!(kind.starts_with("2 faults") && kind.contains("basket.size in --sweep: found"), "{kind}");
        let wide = varied.values("basket.threshold", &texts(&["30"])).unwrap();
        let refused = varied.with(&[&wide[0]]).unwrap_err().to_string();
        assert!(refused.starts_with("basket.threshold = 30 (--sweep)"), "{refused}");
    }
}
