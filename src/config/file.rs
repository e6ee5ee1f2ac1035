//! A configuration file's bytes become a table and the line of every key.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::config::error::Fault;

/// Largest file accepted, in bytes. The example with every key and comment has six thousand.
const MAX_BYTES: u64 = 1024 * 1024;

/// A file's table, and the line (from 1) of each dotted key.
pub(crate) struct Text {
    pub(crate) table: toml::Table,
    pub(crate) lines: BTreeMap<String, usize>,
}

/// Reads a file; `Ok(None)` where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Text>, Fault> {
    let fault = |problem: String| Fault::File { path: path.to_owned(), problem };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(format!("cannot be read: {error}"))),
    };
    if metadata.is_dir() {
        return Err(fault("is a folder: name the file inside it, for example rebal.toml".into()));
    }
    if !metadata.is_file() {
        return Err(fault("is not a regular file".into()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fault("is larger than 1 MiB: is this the right file?".into()));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        fault(format!("line {line} is not UTF-8 text: save the file as UTF-8"))
    })?;
    parse(path, &text).map(Some)
}

/// Reads TOML text; `path` is for messages.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Text, Fault> {
    // Windows editors begin a file with this mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let syntax = |at: usize, problem: String| Fault::Syntax {
        path: path.to_owned(),
        line: line_of(text.as_bytes(), at),
        problem,
    };
    if let Some(at) = text.find('\0') {
        return Err(syntax(at, "contains a NUL byte: this is not a text file, or it is damaged".into()));
    }
    // The parser's own display shows the line, and the line may hold a secret.
    let unreadable = |error: toml::de::Error| {
        syntax(error.span().map_or(0, |span| span.start), format!("is not valid TOML: {}", error.message()))
    };
    let spanned = DeTable::parse(text).map_err(unreadable)?;
    let mut lines = BTreeMap::new();
    collect_lines(text.as_bytes(), "", spanned.get_ref(), &mut lines);
    let table = text.parse::<toml::Table>().map_err(unreadable)?;
    Ok(Text { table, lines })
}

fn collect_lines(text: &[u8], prefix: &str, table: &DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = join(prefix, key.get_ref());
        lines.insert(path.clone(), line_of(text, key.span().start));
        if let DeValue::Table(inner) = value.get_ref() {
            collect_lines(text, &path, inner, lines);
        }
    }
}

/// `a` and `b` become `a.b`.
pub(crate) fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn line_of(text: &[u8], at: usize) -> usize {
    1 + text.iter().take(at).filter(|byte| **byte == b'\n').count()
}
