//! A table that grows by downloads, and the digest that says how far it is whole.
//!
//! Beside `NAME` lies `NAME.CHECKSUM`, as `sha256sum -c` reads it, with the length that it covers. It is there
//! before the first row and written again after rows are on disk: what an interrupted download left behind it
//! is cut off by the next one. A table without a row is no file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::archive::error::ArchiveError;
use crate::archive::number;
use crate::domain::time::Time;

/// A table of rows in ascending time, the time being the first field.
pub struct Store {
    file: PathBuf,
    header: &'static str,
    digest: Sha256,
    length: u64,
    first: Option<Time>,
    last: Option<Time>,
}

impl Store {
    /// Opens a table, or begins one, with the name of its columns.
    ///
    /// # Errors
    /// A file that was not downloaded by rebal, or was changed since.
    pub fn open(dir: &Path, name: &str, header: &'static str) -> Result<Store, ArchiveError> {
        let file = dir.join(name);
        let refuse = |problem: &str| ArchiveError::File { file: file.clone(), problem: problem.into() };
        let unwritable = |error: io::Error| refuse(&format!("cannot be written: {error}"));
        let empty =
            Store { file: file.clone(), header, digest: Sha256::new(), length: 0, first: None, last: None };
        let kept = fs::read_to_string(checksum_of(&file)).ok();
        let Some(kept) = kept else {
            if file.exists() {
                return Err(refuse("was not downloaded by rebal: name another folder, or move it away"));
            }
            return Ok(empty);
        };
        if !file.exists() {
            return Ok(empty);
        }
        let damaged = || {
            let also = checksum_of(&file);
            let also = also.file_name().unwrap_or_default().display();
            refuse(&format!(
                "was changed or damaged since it was downloaded: remove it and {also}, and fetch again"
            ))
        };
        let (length, expected) = read_checksum(&kept).ok_or_else(damaged)?;
        let mut bytes = fs::read(&file).map_err(unwritable)?;
        let whole =
            usize::try_from(length).ok().filter(|length| *length <= bytes.len()).ok_or_else(damaged)?;
        bytes.truncate(whole);
        let store = Store { digest: Sha256::new_with_prefix(&bytes), length, ..empty };
        if store.hex() != expected {
            return Err(damaged());
        }
        let rows = bytes.split_inclusive(|byte| *byte == b'\n');
        let times = || rows.clone().filter_map(|row| row.split(|byte| *byte == b',').next());
        let first = times().nth(1).and_then(|time| number::time(time).ok());
        let last = times().next_back().and_then(|time| number::time(time).ok());
        let opened = OpenOptions::new().write(true).open(&file);
        opened.and_then(|file| file.set_len(length)).map_err(unwritable)?;
        Ok(Store { first, last, ..store })
    }

    /// The time of the first row.
    #[must_use]
    pub fn first(&self) -> Option<Time> {
        self.first
    }

    /// The time of the last row.
    #[must_use]
    pub fn last(&self) -> Option<Time> {
        self.last
    }

    /// Puts rows behind, each with its time; on disk when this returns.
    ///
    /// # Errors
    /// What the system says where that fails; the rows before are whole all the same.
    pub fn append(&mut self, rows: &[(Time, String)]) -> Result<(), ArchiveError> {
        let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return Ok(()) };
        let mut text = String::new();
        if self.length == 0 {
            text.push_str(self.header);
            text.push('\n');
        }
        for (time, row) in rows {
            text.push_str(&format!("{},{row}\n", time.ms()));
        }
        self.write(text.as_bytes()).map_err(|error| ArchiveError::File {
            file: self.file.clone(),
            problem: format!("cannot be written: {error}; what was downloaded before is whole"),
        })?;
        self.first = self.first.or(Some(*first));
        self.last = Some(*last);
        Ok(())
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if self.length == 0 {
            fs::create_dir_all(self.file.parent().unwrap_or(Path::new("")))?;
            self.seal()?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.file)?;
        file.write_all(text)?;
        file.sync_data()?;
        self.digest.update(text);
        self.length += text.len() as u64;
        self.seal()
    }

    fn hex(&self) -> String {
        self.digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn seal(&self) -> io::Result<()> {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let text = format!("# {} bytes\n{}  {name}\n", self.length, self.hex());
        let checksum = checksum_of(&self.file);
        let unfinished = checksum.with_extension("CHECKSUM.part");
        let mut file = File::create(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(unfinished, checksum)
    }
}

fn checksum_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".CHECKSUM");
    PathBuf::from(name)
}

/// The length and the digest that a checksum file tells.
fn read_checksum(text: &str) -> Option<(u64, String)> {
    let (length, digest) = text.split_once('\n')?;
    let length = length.strip_prefix("# ")?.strip_suffix(" bytes")?.parse().ok()?;
    Some((length, digest.split(' ').next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "open_time,open";

    fn at(minute: i64) -> Time {
        Time::clamped(1_759_276_800_000 + minute * 60_000)
    }

    fn rows(minutes: &[i64]) -> Vec<(Time, String)> {
        minutes.iter().map(|minute| (at(*minute), minute.to_string())).collect()
    }

    fn open(dir: &Path) -> Result<Store, String> {
        Store::open(dir, "A.csv", HEADER).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_goes_on_where_it_ended() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path()).unwrap();
        assert_eq!((store.first(), store.last()), (None, None));
        store.append(&[]).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left where nothing came");
        store.append(&rows(&[0, 5])).unwrap();
        store.append(&[]).unwrap();
        store.append(&rows(&[10])).unwrap();
        assert_eq!((store.first(), store.last()), (Some(at(0)), Some(at(10))));
        let mut again = open(dir.path()).unwrap();
        assert_eq!((again.first(), again.last()), (Some(at(0)), Some(at(10))));
        again.append(&rows(&[15])).unwrap();
        let text = fs::read_to_string(dir.path().join("A.csv")).unwrap();
        let minute = |n: i64| format!("{},{n}\n", at(n).ms());
        assert_eq!(text, [HEADER, "\n", &minute(0), &minute(5), &minute(10), &minute(15)].concat());
        let checksum = fs::read_to_string(dir.path().join("A.csv.CHECKSUM")).unwrap();
        let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(checksum, format!("# {} bytes\n{digest}  A.csv\n", text.len()));
    }

    #[test]
    fn what_an_interruption_left_is_cut_off_and_a_changed_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("A.csv");
        open(dir.path()).unwrap().append(&rows(&[0, 5])).unwrap();
        let whole = fs::read(&file).unwrap();
        // Killed between the rows and the digest, in the middle of a row.
        fs::write(&file, [whole.as_slice(), b"17592771"].concat()).unwrap();
        assert_eq!(open(dir.path()).unwrap().last(), Some(at(5)));
        assert_eq!(fs::read(&file).unwrap(), whole);
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            for damaged in [&flipped, &whole[..at].to_vec()] {
                fs::write(&file, damaged).unwrap();
                let said = open(dir.path()).err().unwrap();
                assert!(said.contains("was changed or damaged since it was downloaded"), "{said}");
            }
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(open(dir.path()).unwrap().last(), None, "a file that was removed is begun anew");
    }

    #[test]
    fn somebody_elses_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("A.csv"), "mine").unwrap();
        assert!(
            open(dir.path())
                .err()
                .unwrap()
                .ends_with("A.csv: was not downloaded by rebal: name another folder, or move it away")
        );
        assert_eq!(fs::read(dir.path().join("A.csv")).unwrap(), b"mine");
    }
}
