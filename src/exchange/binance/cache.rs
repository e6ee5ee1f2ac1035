//! What rarely changes, kept on disk between passes: rules, maintenance tiers and the taker fee.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::account::Bracket;
use crate::domain::num::Rate;
use crate::domain::rules::Rules;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::ExchangeError;
use crate::wire::binance::listed::Listed;

/// Changes with the layout of [`Listing`].
const VERSION: u32 = 2;

/// More than two measurements of the exchange's clock ever differ.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// How long somebody who wants to close positions waits for trading rules.
const RULES_PATIENCE: Duration = Duration::from_secs(2);

/// What rarely changes at an exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Listing {
    version: u32,
    host: String,
    fetched: Time,
    pub(super) rules: BTreeMap<Symbol, Rules>,
    /// Tiers and taker fee; absent where no account asked.
    pub(super) terms: Option<Terms>,
}

/// What the exchange grants this account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) brackets: BTreeMap<Symbol, Vec<Bracket>>,
    pub(super) taker_fee: Rate,
}

/// The listing of one environment, in memory and, where there is a folder, on disk.
///
/// The file is a convenience: one that is missing, old, damaged or of another host is not used, and
/// one that cannot be written is not missed.
pub(super) struct Cache {
    file: Option<PathBuf>,
    host: String,
    max_age: Duration,
    held: Mutex<Option<Arc<Listing>>>,
}

impl Cache {
    pub(super) fn new(folder: Option<PathBuf>, environment: &str, host: &str, max_age: Duration) -> Cache {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: String = environment.chars().take(60).map(plain).collect();
        Cache {
            file: folder.map(|folder| folder.join(format!("listing-{name}.json"))),
            host: host.to_owned(),
            max_age,
            held: Mutex::new(None),
        }
    }

    /// The listing, if it is fresh at `now` (exchange time) and, where `terms` are wanted, has them.
    pub(super) fn load(&self, now: Time, terms: bool) -> Option<Arc<Listing>> {
        // One from the future was made under another clock; two measurements differ a little.
        let fresh = |listing: &Arc<Listing>| {
            listing.fetched <= now + CLOCK_SLACK && now.since(listing.fetched) < self.max_age
        };
        self.any_age().filter(fresh).filter(|listing| listing.terms.is_some() || !terms)
    }

    /// The listing however old it is, for those who can do with that.
    pub(super) fn any_age(&self) -> Option<Arc<Listing>> {
        let mut held = self.lock();
        if held.is_none() {
            *held = self.read().map(Arc::new);
        }
        held.clone()
    }

    /// Rules for those who can do with old ones, or none: what `asked` brings only where it comes soon.
    pub(super) async fn some_rules(
        &self,
        now: Time,
        asked: impl Future<Output = Result<Listed<Rules>, ExchangeError>>,
    ) -> BTreeMap<Symbol, Rules> {
        if let Some(listing) = self.load(now, false) {
            return listing.rules.clone();
        }
        match tokio::time::timeout(RULES_PATIENCE, asked).await {
            Ok(Ok(info)) if !info.rows.is_empty() => self.store(now, info.rows, None).rules.clone(),
            _ => self.any_age().map(|listing| listing.rules.clone()).unwrap_or_default(),
        }
    }

    fn read(&self) -> Option<Listing> {
        let bytes = fs::read(self.file.as_ref()?).ok()?;
        let listing: Listing = serde_json::from_slice(&bytes).ok()?;
        (listing.version == VERSION && listing.host == self.host).then_some(listing)
    }

    /// Keeps what was fetched at `now`.
    pub(super) fn store(
        &self,
        now: Time,
        rules: BTreeMap<Symbol, Rules>,
        terms: Option<Terms>,
    ) -> Arc<Listing> {
        let listing = Listing { version: VERSION, host: self.host.clone(), fetched: now, rules, terms };
        let listing = Arc::new(listing);
        self.write(&listing);
        *self.lock() = Some(Arc::clone(&listing));
        listing
    }

    /// Written beside and renamed, so that a reader never sees half a file. Not synced: a lost cache
    /// costs two requests.
    fn write(&self, listing: &Listing) {
        let (Some(file), Ok(bytes)) = (&self.file, serde_json::to_vec(listing)) else { return };
        if let Some(folder) = file.parent() {
            let _ = fs::create_dir_all(folder);
        }
        let aside = file.with_extension(format!("{}.tmp", std::process::id()));
        if fs::write(&aside, bytes).and_then(|()| fs::rename(&aside, file)).is_err() {
            let _ = fs::remove_file(&aside);
        }
    }

    /// Drops the listing everywhere: the exchange has shown that it is out of date.
    pub(super) fn forget(&self) {
        *self.lock() = None;
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Listing>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rules::tests::plain;

    fn at(seconds: i64) -> Time {
        Time::clamped(1_795_163_340_000 + seconds * 1000)
    }

    fn some_rules() -> BTreeMap<Symbol, Rules> {
        let rules = ["BTCUSDT", "币安人生USDT"].map(plain);
        rules.into_iter().map(|rules| (rules.symbol.clone(), rules)).collect()
    }

    fn some_terms() -> Terms {
        Terms { brackets: BTreeMap::new(), taker_fee: Rate::new(5, 4) }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_listing_reads_back_until_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let cache = || Cache::new(Some(folder.path().into()), "live", "h", HOUR);
        assert!(cache().load(at(0), false).is_none());
        let stored = cache().store(at(0), some_rules(), Some(some_terms()));
        assert_eq!(cache().load(at(3599), true), Some(stored));
        assert!(cache().load(at(3600), true).is_none());
        assert!(cache().any_age().is_some());
        assert!(cache().load(at(-61), true).is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        cache().forget();
        assert!(cache().load(at(1), false).is_none() && cache().any_age().is_none());
    }

    #[test]
    fn another_host_environment_or_a_damaged_file_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let cache = |environment, host| Cache::new(Some(folder.path().into()), environment, host, HOUR);
        cache("live", "h").store(at(0), some_rules(), None);
        assert!(cache("live", "h").load(at(1), false).is_some());
        assert!(cache("live", "h").load(at(1), true).is_none());
        assert!(cache("live", "other").load(at(1), false).is_none());
        assert!(cache("testnet", "h").load(at(1), false).is_none());
        fs::write(folder.path().join("listing-live.json"), "{").unwrap();
        assert!(cache("live", "h").load(at(1), false).is_none());
    }

    #[test]
    fn an_environment_cannot_name_a_path() {
        let cache = Cache::new(Some("/x".into()), "../../etc/passwd\n", "h", HOUR);
        assert_eq!(cache.file.unwrap().to_str(), Some("/x/listing-------etc-passwd-.json"));
    }

    #[test]
    fn without_a_folder_it_lives_in_memory() {
        let cache = Cache::new(None, "live", "h", HOUR);
        cache.store(at(0), some_rules(), None);
        assert!(cache.load(at(1), false).is_some());
    }
}
