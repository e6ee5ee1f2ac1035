//! The layers, and the habits that a compiler does not enforce.

use std::path::{Path, PathBuf};

/// Which folders of the crate the files of a folder may import, beside their own.
const MAY_IMPORT: [(&str, &[&str]); 20] = [
    ("domain", &[]),
    ("strategy", &["domain"]),
    ("decide", &["domain", "strategy"]),
    ("sim", &["domain"]),
    ("backtest", &["domain", "strategy", "decide", "sim"]),
    ("report", &["domain", "decide", "backtest"]),
    ("render", &["domain", "report"]),
    ("wire", &["domain"]),
    ("config", &["domain", "strategy", "decide"]),
    ("net", &["wire"]),
    ("exchange", &["domain", "decide", "sim", "wire", "net"]),
    ("screener", &["domain", "wire", "net"]),
    ("ledger", &["domain"]),
    ("parallel", &[]),
    ("archive", &["domain", "parallel"]),
    ("notify", &["domain", "wire", "net"]),
    ("server", &["domain", "sim", "wire"]),
    ("ui", &[]),
    ("pass", ALL_BUT_SERVER_AND_UI),
    ("error", ALL_BUT_COMMANDS),
];

/// What a pass may use.
const ALL_BUT_SERVER_AND_UI: &[&str] = &[
    "domain", "strategy", "decide", "sim", "backtest", "report", "render", "wire", "config", "exchange",
    "screener", "ledger", "archive", "notify",
];

/// What an error may have come from.
const ALL_BUT_COMMANDS: &[&str] = &[
    "domain", "strategy", "decide", "sim", "backtest", "report", "render", "wire", "config", "exchange",
    "screener", "ledger", "archive", "notify", "server", "ui", "pass",
];

/// Layers that may import everything: the top.
const TOP: [&str; 3] = ["command", "lib", "main"];

/// Folders that know no clock, no file, no socket and no `async`.
const PURE: [&str; 8] = ["domain", "strategy", "decide", "sim", "backtest", "report", "render", "wire"];

/// Which files may name an outside crate: paths below `src`, a folder standing for all in it.
const ONLY_IN: [(&str, &[&str]); 12] = [
    ("rust_decimal", &["domain/num.rs"]),
    ("reqwest", &["net", "exchange/binance/client.rs", "screener", "notify"]),
    ("sqlx", &["ledger"]),
    ("clap", &["command"]),
    ("hyper", &["server"]),
    ("hyper_util", &["server"]),
    ("http_body_util", &["server"]),
    ("indicatif", &["ui"]),
    ("dialoguer", &["ui"]),
    ("comfy_table", &["render"]),
    ("plotters", &["render/chart.rs"]),
    ("rebal", &["main.rs"]),
];

/// What pure folders may not name, as it is written, and why.
const NOT_IN_PURE: [(&str, &str); 12] = [
    ("tokio", "knows no runtime"),
    ("async", "knows no async"),
    ("await", "knows no async"),
    ("SystemTime::now", "knows no clock"),
    ("Instant::now", "knows no clock"),
    ("std::fs", "knows no files"),
    ("File::open", "knows no files"),
    ("std::net", "knows no sockets"),
    ("std::env", "knows no environment"),
    ("std::process", "knows no processes"),
    ("stdout", "does not print"),
    ("stderr", "does not print"),
];

/// What nobody may write, and why.
const NOWHERE: [(&str, &str); 6] = [
    ("unsafe", "unsafe is forbidden"),
    ("macro_rules", "no macros of our own"),
    ("dbg!", "only ui/ prints"),
    ("mod prelude", "no prelude"),
    ("crate::prelude", "no prelude"),
    ("super::super", "absolute imports"),
];

const PRINTING: [&str; 4] = ["println!", "eprintln!", "print!", "eprint!"];

/// One word or sign of a source, with its line.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Token<'a> {
    line: usize,
    text: &'a str,
}

/// The source with comments, strings and character literals blanked out, line by line as before.
fn strip(source: &str) -> String {
    let mut bare = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest),
            'r' | 'b' if !ends_in_word(&bare) => raw_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skipped == 0 {
            bare.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            bare.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    bare
}

fn ends_in_word(text: &str) -> bool {
    text.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < text.len() {
        let here = &text[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a string with escapes.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of `r"…"`, `r#"…"#`, `br"…"`; zero where the text is no raw string.
fn raw_string(text: &str) -> usize {
    let after = text.strip_prefix('b').unwrap_or(text);
    let Some(after) = after.strip_prefix('r') else { return 0 };
    let hashes = after.len() - after.trim_start_matches('#').len();
    if !after[hashes..].starts_with('"') {
        return 0;
    }
    let begin = text.len() - after.len() + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len())
}

/// The length of a character literal; zero for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, c))) => {
            let after = at + c.len_utf8();
            text[after..].find('\'').map_or(0, |end| after + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Words, `::`, and single signs.
fn tokens(bare: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    for (number, text) in bare.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let end = match first {
                c if in_word(c) => rest.find(|c| !in_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            tokens.push(Token { line: number + 1, text: &rest[..end] });
            rest = rest[end..].trim_start();
        }
    }
    tokens
}

/// The lines on which `pattern` is written, whatever the blanks.
fn lines_with(source: &[Token<'_>], pattern: &str) -> Vec<usize> {
    let wanted: Vec<&str> = tokens(pattern).iter().map(|token| token.text).collect();
    let is_there = |window: &&[Token<'_>]| window.iter().map(|token| token.text).eq(wanted.iter().copied());
    source.windows(wanted.len()).filter(is_there).map(|window| window[0].line).collect()
}

/// The folders named as `crate::folder` or in `crate::{folder, folder}`, with their lines.
fn crate_paths<'a>(source: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut found = Vec::new();
    for (at, pair) in source.windows(2).enumerate() {
        if (pair[0].text, pair[1].text) != ("crate", "::") {
            continue;
        }
        match source.get(at + 2) {
            Some(open) if open.text == "{" => found.extend(first_words(&source[at + 3..])),
            Some(name) => found.push(*name),
            None => {}
        }
    }
    found
}

/// The first word of each path in a group of imports, up to the group's end.
fn first_words<'a>(group: &[Token<'a>]) -> Vec<Token<'a>> {
    let (mut depth, mut at_start, mut found) = (0, true, Vec::new());
    for token in group {
        match token.text {
            "}" if depth == 0 => break,
            "}" => depth -= 1,
            "{" => depth += 1,
            "," if depth == 0 => at_start = true,
            _ if at_start => {
                found.push(*token);
                at_start = false;
            }
            _ => {}
        }
    }
    found
}

/// The lines on which an outside crate is named: as the head of a path, or imported as a whole.
fn crate_uses(source: &[Token<'_>], name: &str) -> Vec<usize> {
    let text = |at: Option<usize>| at.and_then(|at| source.get(at)).map_or("", |token| token.text);
    let is_use = |at: &usize| {
        let before = text(at.checked_sub(1));
        let from_root = before == "::" && !ends_in_word(text(at.checked_sub(2)));
        before == "use" || from_root || (text(Some(at + 1)) == "::" && !matches!(before, "::" | "."))
    };
    let named = (0..source.len()).filter(|at| source[*at].text == name);
    named.filter(is_use).map(|at| source[at].line).collect()
}

/// The layer of a file: its first folder, or its name where it lies at the top.
fn layer_of(path: &str) -> &str {
    path.split_once('/').map_or(path.trim_end_matches(".rs"), |(folder, _)| folder)
}

/// A first paragraph of documentation that begins on the first line and is at least a sentence.
fn check_first_line(source: &str) -> Result<(), String> {
    let docs = source.lines().map_while(|line| line.strip_prefix("//! "));
    let paragraph = docs.collect::<Vec<_>>().join(" ");
    if paragraph.ends_with('.') {
        return Ok(());
    }
    Err("the first line says what lives here, in a sentence: //! ….".into())
}

/// Everything that is wrong with one file, `path` being relative to `src`.
fn faults(path: &str, text: &str) -> Vec<String> {
    let bare = strip(text);
    let source = tokens(&bare);
    let layer = layer_of(path);
    let mut found: Vec<(usize, String)> = Vec::new();
    found.extend(check_first_line(text).err().map(|rule| (1, rule)));
    found.extend(wrong_imports(path, layer, &source));
    for (name, places) in ONLY_IN {
        let inside = |place: &&str| path == *place || path.starts_with(&format!("{place}/"));
        if !places.iter().any(inside) {
            let rule = format!("{name} may be named only in {}", places.join(", "));
            found.extend(crate_uses(&source, name).into_iter().map(|line| (line, rule.clone())));
        }
    }
    let mut forbid = |pattern: &str, rule: String| {
        found.extend(
            lines_with(&source, pattern).into_iter().map(|line| (line, format!("{pattern}: {rule}"))),
        );
    };
    if PURE.contains(&layer) {
        NOT_IN_PURE.iter().for_each(|(pattern, why)| forbid(pattern, format!("{layer} {why}")));
    }
    if layer != "ui" {
        PRINTING.iter().for_each(|pattern| forbid(pattern, "only ui/ prints".into()));
    }
    NOWHERE.iter().for_each(|(pattern, why)| forbid(pattern, (*why).into()));
    found.into_iter().map(|(line, rule)| format!("src/{path}:{line}: {rule}")).collect()
}

fn wrong_imports(path: &str, layer: &str, source: &[Token<'_>]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let allowed = match MAY_IMPORT.iter().find(|(name, _)| *name == layer) {
        Some((_, allowed)) => *allowed,
        None if TOP.contains(&layer) => return found,
        None => return vec![(1, format!("{layer} is not in the table of layers: say what it may import"))],
    };
    for import in crate_paths(source) {
        if import.text != layer && !allowed.contains(&import.text) {
            found.push((import.line, format!("{layer} may not import {}", import.text)));
        }
    }
    // In these files `super` is the crate itself, and the table could be walked around.
    if path == format!("{layer}/mod.rs") || path == format!("{layer}.rs") {
        for (other, _) in MAY_IMPORT {
            let pattern = format!("super::{other}");
            let rule = format!("{pattern}: absolute imports");
            found.extend(lines_with(source, &pattern).into_iter().map(|line| (line, rule.clone())));
        }
    }
    found
}

/// Every Rust file below a folder of the repository, sorted, with its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let named = |file: PathBuf| {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        (path, std::fs::read_to_string(&file).unwrap())
    };
    files.into_iter().map(named).collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn the_layers_hold_and_the_habits_are_kept() {
    let sources = sources("src");
    assert!(sources.len() > 20, "only {} files were found", sources.len());
    let all: Vec<String> = sources.iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(all.is_empty(), "\n{}\n", all.join("\n"));
}

#[test]
fn every_test_file_says_what_it_is() {
    let silent = |(path, text): (String, String)| {
        check_first_line(&text).err().map(|rule| format!("tests/{path}:1: {rule}"))
    };
    let all: Vec<String> = sources("tests").into_iter().filter_map(silent).collect();
    assert!(all.is_empty(), "\n{}\n", all.join("\n"));
}

#[test]
fn no_two_layers_import_each_other() {
    let allowed =
        |name: &str| MAY_IMPORT.iter().find(|(layer, _)| *layer == name).map(|(_, allowed)| *allowed);
    for (layer, imports) in MAY_IMPORT {
        for import in imports {
            let back = allowed(import).unwrap_or_else(|| panic!("{layer}: {import} is no layer"));
            assert!(!back.contains(&layer), "{layer} and {import} import each other");
        }
    }
}

/// A source that begins as every file must.
fn file(body: &str) -> String {
    format!("//! Says what lives in this file.\n{body}")
}

#[test]
fn the_scanner_sees_what_is_forbidden() {
    for (path, body, expected) in [
        ("domain/num.rs", "use crate::ledger::Rows;", "2: domain may not import ledger"),
        ("domain/x.rs", "\n\nuse crate::{\n  domain::num,\n  ui::print,\n};", "6: domain may not import ui"),
        ("domain/x.rs", "use crate::{domain::{num, time}, wire};", "2: domain may not import wire"),
        ("sim/x.rs", "fn a() -> crate :: decide::Plan {}", "2: sim may not import decide"),
        ("wire/a/b.rs", "pub use crate::exchange;", "2: wire may not import exchange"),
        ("error.rs", "use crate::command;", "2: error may not import command"),
        ("utils/mod.rs", "", "1: utils is not in the table of layers"),
        ("helper.rs", "", "1: helper is not in the table of layers"),
        ("domain/mod.rs", "use super::ledger;", "2: super::ledger: absolute imports"),
        ("domain/a.rs", "use super::super::ledger;", "2: super::super: absolute imports"),
        (
            "domain/time.rs",
            "use rust_decimal::Decimal;",
            "2: rust_decimal may be named only in domain/num.rs",
        ),
        ("ledger/a.rs", "type D = ::rust_decimal::Decimal;", "2: rust_decimal may be named only in"),
        (
            "exchange/binance/usdm.rs",
            "use reqwest;",
            "2: reqwest may be named only in net, exchange/binance/client.rs",
        ),
        ("pass/a.rs", "#[derive(clap::Args)]", "2: clap may be named only in command"),
        ("command/a.rs", "let x: comfy_table::Table;", "2: comfy_table may be named only in render"),
        ("commander/a.rs", "use clap::Args;", "2: clap may be named only in command"),
        ("sim/a.rs", "let t = std::time::Instant::now();", "2: Instant::now: sim knows no clock"),
        ("decide/a.rs", "let t = SystemTime\n  ::now();", "2: SystemTime::now: decide knows no clock"),
        ("sim/a.rs", "async fn a() {}", "2: async: sim knows no async"),
        ("wire/a.rs", "let a = std::fs::read(p);", "2: std::fs: wire knows no files"),
        ("ledger/a.rs", "println!(\"{x}\");", "2: println!: only ui/ prints"),
        ("command/a.rs", "fn f() { eprint!(\"x\") }", "2: eprint!: only ui/ prints"),
        ("ui/a.rs", "macro_rules! m { () => {} }", "2: macro_rules: no macros of our own"),
        (
            "ui/a.rs",
            "fn f(c: char) -> bool { c == '\"' && unsafe { x() } }",
            "2: unsafe: unsafe is forbidden",
        ),
        ("lib.rs", "pub mod prelude;", "2: mod prelude: no prelude"),
    ] {
        let expected = format!("src/{path}:{expected}");
        let found = faults(path, &file(body));
        assert!(found.iter().any(|fault| fault.starts_with(&expected)), "wanted {expected}, found {found:?}");
    }
    for text in ["", "fn main() {}", "// No doc.\n", "//! no sentence\n", "//!\n//! Late.\n", "\n//! Late.\n"]
    {
        assert_eq!(faults("lib.rs", text).len(), 1, "{text:?}");
    }
}

#[test]
fn the_scanner_is_not_fooled_by_text_that_is_no_code() {
    for (path, body) in [
        ("domain/x.rs", "use crate::domain::num;\nuse super::time;"),
        ("domain/mod.rs", "mod tests { use super::*; }"),
        ("domain/x.rs", "// use crate::ledger;\n/* use crate::ui; /* unsafe */ println!() */"),
        ("domain/x.rs", r#"const A: &str = "use crate::ledger; \" unsafe"; const B: char = '"';"#),
        ("domain/x.rs", "const A: &str = r#\"crate::ui \"unsafe\" \"#; const B: &[u8] = br\"async\";"),
        (
            "domain/x.rs",
            "fn a<'a>(x: &'a str, c: char) -> bool { c == '\\'' || c == '\"' || c == '\\u{1f}' }",
        ),
        ("domain/x.rs", "const A: &[u8] = b\"unsafe\"; const B: &str = \"\\\\\"; // unsafe"),
        ("domain/num.rs", "use rust_decimal::prelude::ToPrimitive;"),
        ("ledger/a.rs", "let clap = 1; reader.hyper(); x.sqlx::<u8>(); crate::ledger::clap::x();"),
        ("ledger/a.rs", "use sqlx::SqlitePool;"),
        ("screener/a.rs", "use reqwest::Client;"),
        ("render/a.rs", "use crate::report::pass;"),
        ("ui/a.rs", "println!()"),
        ("domain/a.rs", "let attribute = for_each(unsafely, asynchronous);"),
        ("command/a.rs", "use crate::{error::CommandError, ui, server};"),
    ] {
        assert_eq!(faults(path, &file(body)), Vec::<String>::new(), "{body}");
    }
    assert_eq!(faults("lib.rs", "//! A sentence\n//! on two lines.\n//!\n//! More\n"), Vec::<String>::new());
}

#[test]
fn stripping_keeps_every_line_where_it_was() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        assert_eq!(strip(&text).matches('\n').count(), text.matches('\n').count(), "{path}");
    }
}
