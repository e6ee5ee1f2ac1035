//! `--out FILE`: whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `text` to `path` so that a reader sees the old file or the new one, never a half: a
/// temporary file beside it, synced, then renamed. A link is followed; a device or a pipe is
/// written to directly, since renaming would replace it. Who may read a file that was there stays so.
pub fn write_file(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return OpenOptions::new().write(true).open(&path)?.write_all(text.as_bytes());
    }
    let temporary = beside(&path)?;
    let old = fs::metadata(&path).ok().map(|meta| meta.permissions());
    let written = write_new(&temporary, text, old).and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // Best effort: the error that is returned says more than a failed clean-up would.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(path: &Path, text: &str, old: Option<Permissions>) -> io::Result<()> {
    let mut file = File::create(path)?;
    if let Some(old) = old {
        file.set_permissions(old)?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("not a file name"))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        write_file(&path, "old, and longer").unwrap();
        write_file(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_for_others_to_read_stays_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        write_file(&path, "old").unwrap();
        for mode in [0o644, 0o600] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            write_file(&path, "new").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn a_missing_folder_is_an_error_and_a_device_stays_a_device() {
        assert!(write_file(Path::new("/no/such/folder/x"), "x").is_err());
        write_file(Path::new("/dev/null"), "x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
