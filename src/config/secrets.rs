//! Secrets are fetched from where the configuration says they are, and never shown.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::config::location::Location;

/// Largest secret accepted, in bytes: an RSA key of 4096 bits in PEM has 3,300.
const MAX_BYTES: u64 = 16 * 1024;

/// Why a secret cannot be had. Names the key and the place, never the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable does not exist, or is empty.
    #[error(
        "{key}: the environment variable {name} is not set: export {name}=…, or point {key} at a file: \
         {key} = \"file:PATH\""
    )]
    NotSet {
        /// The setting.
        key: String,
        /// The variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("{key}: {} cannot be read: {detail}", path.display())]
    Unreadable {
        /// The setting.
        key: String,
        /// The file.
        path: PathBuf,
        /// What happened.
        detail: String,
    },
    /// Others may read or change the file.
    #[error("{key}: {} {problem}: run `{remedy}`", path.display())]
    Exposed {
        /// The setting.
        key: String,
        /// The file.
        path: PathBuf,
        /// Why it is not private.
        problem: String,
        /// The command that repairs it.
        remedy: String,
    },
    /// Not text, too long, or empty.
    #[error("{key}: {place} {problem}")]
    Unusable {
        /// The setting.
        key: String,
        /// Where it was found.
        place: String,
        /// What is the matter.
        problem: String,
    },
    /// Not started by systemd with credentials.
    #[error(
        "{key}: CREDENTIALS_DIRECTORY is not set: systemd sets it for units with LoadCredential={name}:PATH; \
         outside of one, use file:PATH"
    )]
    NoCredentials {
        /// The setting.
        key: String,
        /// The credential.
        name: String,
    },
}

/// Fetches the secret of the setting `key`, without blanks around it.
///
/// # Errors
/// Says which setting it is and how to provide it.
pub fn read(key: &str, location: &Location) -> Result<SecretString, SecretError> {
    read_with(key, location, |name| std::env::var_os(name))
}

/// As [`read`], with the environment as an argument.
pub fn read_with(
    key: &str,
    location: &Location,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<SecretString, SecretError> {
    match location {
        Location::Environment(name) => {
            let not_set = || SecretError::NotSet { key: key.into(), name: name.clone() };
            let value = variable(name).filter(|value| !value.is_empty()).ok_or_else(not_set)?;
            usable(key, &format!("the environment variable {name}"), value.into_encoded_bytes())
        }
        Location::File(path) => {
            let file = private::open(key, path)?;
            usable(key, &path.display().to_string(), bytes_of(key, path, file)?)
        }
        Location::Systemd(name) => {
            let no_folder = || SecretError::NoCredentials { key: key.into(), name: name.clone() };
            let folder =
                variable("CREDENTIALS_DIRECTORY").filter(|dir| !dir.is_empty()).ok_or_else(no_folder)?;
            // Systemd alone decides who may read in this folder; its modes are not those of a home.
            let path = Path::new(&folder).join(name);
            let file = File::open(&path).map_err(|error| unreadable(key, &path, &error.to_string()))?;
            usable(key, &format!("the credential {name}"), bytes_of(key, &path, file)?)
        }
    }
}

fn unreadable(key: &str, path: &Path, detail: &str) -> SecretError {
    SecretError::Unreadable { key: key.into(), path: path.to_owned(), detail: detail.to_owned() }
}

fn bytes_of(key: &str, path: &Path, file: File) -> Result<Vec<u8>, SecretError> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(key, path, &error.to_string()))?;
    Ok(bytes)
}

fn usable(key: &str, place: &str, bytes: Vec<u8>) -> Result<SecretString, SecretError> {
    let refuse = |problem: &str| SecretError::Unusable {
        key: key.into(),
        place: place.to_owned(),
        problem: problem.to_owned(),
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refuse("is larger than 16 KiB: no key is"));
    }
    // The error of the conversion carries the bytes, so it is dropped.
    let text = String::from_utf8(bytes).map_err(|_| refuse("is not text"))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(refuse("is empty"));
    }
    if text.contains('\0') {
        return Err(refuse("contains a NUL byte"));
    }
    Ok(SecretString::from(text))
}

#[cfg(unix)]
mod private {
    use std::fs::File;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use super::{SecretError, unreadable};

    /// Opens a file that is ours alone. What is checked is the file that was opened, not the name.
    pub(super) fn open(key: &str, path: &Path) -> Result<File, SecretError> {
        let io = |error: std::io::Error| unreadable(key, path, &error.to_string());
        let exposed = |problem: &str, remedy: String| SecretError::Exposed {
            key: key.into(),
            path: path.to_owned(),
            problem: problem.to_owned(),
            remedy,
        };
        let quoted = quote(path);
        let named = std::fs::symlink_metadata(path).map_err(io)?;
        if named.is_symlink() {
            let Ok(target) = std::fs::canonicalize(path) else {
                return Err(exposed("is a symbolic link to nothing", format!("rm {quoted}")));
            };
            let problem = format!("is a symbolic link: write file:{} instead", target.display());
            return Err(exposed(&problem, format!("chmod 600 {}", quote(&target))));
        }
        if !named.is_file() {
            return Err(unreadable(key, path, "it is not a regular file"));
        }
        let file = File::open(path).map_err(io)?;
        let opened = file.metadata().map_err(io)?;
        if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
            return Err(unreadable(key, path, "it was replaced while it was opened"));
        }
        if opened.uid() != rustix::process::geteuid().as_raw() {
            let remedy = format!("chown \"$(id -un)\" {quoted} && chmod 600 {quoted}");
            return Err(exposed("belongs to another user", remedy));
        }
        let mode = opened.mode() & 0o7777;
        if mode & !0o600 != 0 {
            let problem = format!("has mode {mode:04o}, so it is not for its owner alone");
            return Err(exposed(&problem, format!("chmod 600 {quoted}")));
        }
        Ok(file)
    }

    /// A path that a shell reads as one word.
    fn quote(path: &Path) -> String {
        let text = path.display().to_string();
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
        if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
    }
}

#[cfg(not(unix))]
mod private {
    use std::fs::File;
    use std::path::Path;

    use super::{SecretError, unreadable};

    /// Opens the file. Who may read it is not checked on this system.
    pub(super) fn open(key: &str, path: &Path) -> Result<File, SecretError> {
        File::open(path).map_err(|error| unreadable(key, path, &error.to_string()))
    }
}
