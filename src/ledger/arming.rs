//! Which account a person has armed for real money: kept in its ledger, lost with it.

use super::{Ledger, LedgerError, binding};
use crate::domain::time::Time;

/// Where it is kept.
const ARMED: &str = "armed";

/// An account that was armed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Armed {
    /// The environment and account, as the ledger binds them.
    pub account: String,
    /// When, by the exchange.
    pub at: Time,
    /// The version of rebal that asked.
    pub version: String,
}

impl Ledger {
    /// What was armed, if anything was. No other account can be behind it: [`Ledger::age`] fails for
    /// every account but this one.
    pub async fn armed(&mut self) -> Result<Option<Armed>, LedgerError> {
        let Some(kept) = self.meta(ARMED).await? else { return Ok(None) };
        match read(&kept) {
            Some(armed) => Ok(Some(armed)),
            None => Err(self.damaged("meta.armed", &kept)),
        }
    }

    /// Arms this account, for as long as the ledger exists.
    ///
    /// # Errors
    /// [`LedgerError::OtherAccount`] where the ledger belongs to another one.
    pub async fn arm(
        &mut self,
        environment: &str,
        account: &str,
        at: Time,
        version: &str,
    ) -> Result<(), LedgerError> {
        self.age(environment, account).await?;
        let text = format!("{} {version} {}", at.ms(), binding(environment, account));
        self.set_meta(ARMED, &text).await
    }
}

fn read(kept: &str) -> Option<Armed> {
    let (at, rest) = kept.split_once(' ')?;
    let (version, account) = rest.split_once(' ')?;
    let at = Time::from_ms(at.parse().ok()?)?;
    Some(Armed { account: account.to_owned(), at, version: version.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Age;

    const LIVE: &str = "live binance-usdm at official";

    fn now() -> Time {
        Time::from_ms(1_795_163_379_973).unwrap()
    }

    #[tokio::test]
    async fn what_was_armed_is_read_back_and_a_new_ledger_is_not_armed() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        assert_eq!(ledger.armed().await.unwrap(), None);
        ledger.arm(LIVE, "SgsR", now(), "0.1.0").await.unwrap();
        let armed = ledger.armed().await.unwrap().unwrap();
        let account = "live binance-usdm at official, account SgsR".to_owned();
        assert_eq!(armed, Armed { account, at: now(), version: "0.1.0".into() });
    }

    #[tokio::test]
    async fn an_armed_ledger_is_fresh_for_its_account_and_closed_to_every_other() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        ledger.arm(LIVE, "SgsR", now(), "0.1.0").await.unwrap();
        assert_eq!(ledger.age(LIVE, "SgsR").await.unwrap(), Age::Fresh);
        for (environment, account) in [(LIVE, "other"), ("live binance-usdm at http://127.0.0.1:1", "SgsR")] {
            assert!(matches!(ledger.age(environment, account).await, Err(LedgerError::OtherAccount { .. })));
            assert!(ledger.bind(environment, account).await.is_err());
        }
        ledger.bind(LIVE, "SgsR").await.unwrap();
        assert_eq!(ledger.age(LIVE, "SgsR").await.unwrap(), Age::Known);
    }

    #[tokio::test]
    async fn a_ledger_of_another_account_cannot_be_armed() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        ledger.bind("testnet binance-usdm at official", "SgsR").await.unwrap();
        assert!(ledger.arm(LIVE, "SgsR", now(), "0.1.0").await.is_err());
        assert_eq!(ledger.armed().await.unwrap(), None);
    }

    #[tokio::test]
    async fn half_an_arming_is_damage_and_not_an_arming() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        for text in ["", "yes", "12 0.1.0", "soon 0.1.0 live"] {
            ledger.set_meta(ARMED, text).await.unwrap();
            assert!(matches!(ledger.armed().await, Err(LedgerError::Damaged { .. })), "{text:?}");
        }
    }
}
