//! The owner's own sectors, from the file that `scan.sectors` names.

use std::collections::BTreeMap;

use crate::config::sections::Config;
use crate::decide::sector::{self, Sector};
use crate::error::{CommandError, Kind};

/// A file larger than this is no list of sectors.
const MOST_SECTOR_BYTES: u64 = 1 << 20;

/// By coin or contract; empty where no file is named.
pub(super) fn overrides(config: &Config) -> Result<BTreeMap<String, Sector>, CommandError> {
    let Some(path) = &config.scan.sectors else { return Ok(BTreeMap::new()) };
    let refuse = |why: String| {
        let hint = "see scan.sectors: a CSV file with the columns symbol,sector";
        CommandError::new(Kind::Config, format!("{}: {why}", path.display()), hint)
    };
    let length = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if length > MOST_SECTOR_BYTES {
        return Err(refuse("it is too large to be a list of sectors".into()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    sector::read_overrides(&text).map_err(|error| refuse(error.to_string()))
}
