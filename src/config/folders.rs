//! Where the configuration and the state of a profile are.

use std::io;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

/// The profile that is used where none is named; its state is the data folder itself.
pub const DEFAULT_PROFILE: &str = "rebal";

/// What the command line says about places.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places<'a> {
    /// `--config`.
    pub config: Option<&'a Path>,
    /// `--profile`.
    pub profile: Option<&'a str>,
    /// `--demo`.
    pub demo: bool,
    /// `--state-dir`.
    pub state_dir: Option<&'a Path>,
}

/// The places of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// The profile's name: `rebal`, `demo`, or as given.
    pub profile: String,
    /// The configuration file; `None` for the demo, which reads none unless one is named.
    pub config_file: Option<PathBuf>,
    /// Whether somebody named the file, so that it must exist.
    pub file_required: bool,
    /// Where the ledger, the recorder, the halt file and the lock are.
    pub state: PathBuf,
    /// What can be made again at any time; `None` where this user has no home folder.
    pub cache: Option<PathBuf>,
}

/// Why the places are unusable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// No home folder to derive them from.
    #[error("this user has no home folder: give --config FILE and --state-dir DIR")]
    NoHome,
    /// A profile name that is not a plain word.
    #[error("the profile {0:?} is not a name: use 1 to 40 letters, digits, - or _")]
    BadProfile(String),
    /// The demo's own name.
    #[error("the profile name \"demo\" is taken by --demo: choose another")]
    Reserved,
    /// Two contradicting options.
    #[error("--demo has its own profile: leave --profile away")]
    DemoProfile,
}

/// Finds the places of one run. Touches nothing.
pub fn find(places: Places<'_>) -> Result<Folders, FolderError> {
    let project = ProjectDirs::from("", "", "rebal");
    let config_dir = project.as_ref().map(ProjectDirs::config_dir);
    let data_dir = project.as_ref().map(ProjectDirs::data_dir);
    let cache = project.as_ref().map(|project| project.cache_dir().to_owned());
    find_in(places, config_dir, data_dir).map(|found| Folders { cache, ..found })
}

fn find_in(
    places: Places<'_>,
    config_dir: Option<&Path>,
    data_dir: Option<&Path>,
) -> Result<Folders, FolderError> {
    let profile = match (places.profile, places.demo) {
        (Some(_), true) => return Err(FolderError::DemoProfile),
        (None, true) => "demo",
        (None, false) => DEFAULT_PROFILE,
        (Some(name), false) => checked(name)?,
    };
    let config_file = match (places.config, places.demo) {
        (Some(file), _) => Some(file.to_owned()),
        (None, true) => None,
        (None, false) => Some(config_dir.ok_or(FolderError::NoHome)?.join(format!("{profile}.toml"))),
    };
    let state = match places.state_dir {
        Some(dir) => dir.to_owned(),
        None if profile == DEFAULT_PROFILE => data_dir.ok_or(FolderError::NoHome)?.to_owned(),
        None => data_dir.ok_or(FolderError::NoHome)?.join(profile),
    };
    let file_required = places.config.is_some() || places.profile.is_some();
    Ok(Folders { profile: profile.to_owned(), config_file, file_required, state, cache: None })
}

/// A profile's name becomes part of a path, so nothing but plain characters may be in it.
fn checked(name: &str) -> Result<&str, FolderError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
        return Err(FolderError::BadProfile(name.chars().take(40).collect()));
    }
    if name == "demo" { Err(FolderError::Reserved) } else { Ok(name) }
}

/// Makes a folder, and those above it, that only this user may enter. One that exists stays as it is.
pub fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Makes every file and folder that this process makes from now on its owner's alone.
pub fn keep_files_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_of(places: Places<'_>) -> Result<(String, bool), FolderError> {
        let found = find_in(places, Some(Path::new("/c")), Some(Path::new("/d")))?;
        let file = found.config_file.map(|file| file.display().to_string()).unwrap_or_default();
        Ok((format!("{file} {}", found.state.display()), found.file_required))
    }

    #[test]
    fn each_profile_has_its_own_file_and_state() {
        let none = Places::default();
        let named = |name| Places { profile: Some(name), ..none };
        let at = |text: &str, required| Ok((text.to_owned(), required));
        assert_eq!(state_of(none), at("/c/rebal.toml /d", false));
        assert_eq!(state_of(named("rebal")), at("/c/rebal.toml /d", true));
        assert_eq!(state_of(named("spot")), at("/c/spot.toml /d/spot", true));
        assert_eq!(state_of(Places { demo: true, ..none }), at(" /d/demo", false));
        let explicit = Places {
            config: Some(Path::new("x.toml")),
            state_dir: Some(Path::new("/s")),
            profile: Some("spot"),
            demo: false,
        };
        assert_eq!(state_of(explicit), at("x.toml /s", true));
    }

    #[test]
    fn a_profile_is_a_plain_word() {
        for name in ["", "../x", "a/b", "a b", "a.b", "é", &"x".repeat(41)] {
            let refused = state_of(Places { profile: Some(name), ..Places::default() });
            assert!(matches!(refused, Err(FolderError::BadProfile(_))), "{name}");
        }
        assert_eq!(
            state_of(Places { profile: Some("demo"), ..Places::default() }),
            Err(FolderError::Reserved)
        );
    }

    #[test]
    fn without_a_home_both_places_must_be_named() {
        let none = Places::default();
        assert_eq!(find_in(none, None, None), Err(FolderError::NoHome));
        let named = Places { config: Some(Path::new("x.toml")), state_dir: Some(Path::new("/s")), ..none };
        assert!(find_in(named, None, None).is_ok());
    }
}
