//! A configuration file that was not there before: nothing is ever overwritten.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::command::context::Context;
use crate::config::folders;
use crate::error::{CommandError, Kind};

/// Where the file goes, if it can go there: asked before the first question.
pub(super) fn place(context: &Context) -> Result<PathBuf, CommandError> {
    let Some(named) = &context.folders.config_file else {
        return Err(CommandError::new(
            Kind::Config,
            "--demo reads no configuration, so there is none to write",
            "leave --demo away; the demo itself is `rebal --demo rebalance`",
        ));
    };
    let path = std::path::absolute(named).map_err(|error| refused(named, &error))?;
    // Also a link that leads nowhere is there.
    if path.symlink_metadata().is_ok() {
        return Err(exists(&path));
    }
    let folder = path.parent().unwrap_or(&path);
    let there = folder.ancestors().find(|folder| folder.symlink_metadata().is_ok());
    match there.map(may_make_in) {
        Some(Err(error)) => Err(refused(&path, &error)),
        _ => Ok(path),
    }
}

/// Writes it, for its owner alone, whole or not at all.
pub(super) fn create(path: &Path, text: &str) -> Result<(), CommandError> {
    if let Some(folder) = path.parent() {
        folders::create_private(folder).map_err(|error| refused(path, &error))?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(exists(path)),
        opened => opened.map_err(|error| refused(path, &error))?,
    };
    write(&mut file, text).map_err(|error| {
        // Half a configuration would be read as a whole one.
        drop(std::fs::remove_file(path));
        refused(path, &error)
    })
}

fn write(file: &mut File, text: &str) -> std::io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn may_make_in(folder: &Path) -> std::io::Result<()> {
    if !folder.is_dir() {
        return Err(std::io::Error::from(ErrorKind::NotADirectory));
    }
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    Ok(rustix::fs::access(folder, access)?)
}

#[cfg(not(unix))]
fn may_make_in(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() { Ok(()) } else { Err(std::io::Error::from(ErrorKind::NotADirectory)) }
}

fn exists(path: &Path) -> CommandError {
    CommandError::new(
        Kind::Config,
        format!("{} exists already, and init overwrites nothing", path.display()),
        "write another with --profile NAME or --config FILE, or move this one away first",
    )
}

fn refused(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::new(
        Kind::Config,
        format!("{} cannot be written: {error}", path.display()),
        "check the folder's owner and permissions, or name another place with --config FILE",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_with_its_folders_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/rebal.toml");
        create(&path, "one").unwrap();
        let error = create(&path, "two").unwrap_err();
        assert!(error.message.contains("exists already") && error.hint.contains("--profile NAME"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        }
    }

    #[cfg(unix)]
    #[test]
    fn neither_a_link_nor_a_file_in_the_way_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("rebal.toml"), folder.path().join("elsewhere"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(create(&link, "one").unwrap_err().message.contains("exists already"));
        assert!(!target.exists());
        std::fs::write(&target, "a file").unwrap();
        let error = create(&target.join("rebal.toml"), "one").unwrap_err();
        assert!(error.message.contains("cannot be written"), "{error}");
        assert!(may_make_in(&target).is_err() && may_make_in(folder.path()).is_ok());
    }
}
