//! Manual, completions, help and the reference of the configuration are made from the code and checked in.
//!
//! A difference fails; `REBAL_WRITE=1 cargo test --test it generated` writes them anew.

mod grammar;
mod reference;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use rebal::command::grammar;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Holds `files`, by name, against `folder`: the same names with the same text and no others.
fn same(folder: &str, files: &BTreeMap<String, String>) {
    let folder = root().join(folder);
    if env::var_os("REBAL_WRITE").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for there in names(&folder).iter().filter(|name| !files.contains_key(*name)) {
            fs::remove_file(folder.join(there)).unwrap();
        }
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let wanted: Vec<String> = files.keys().cloned().collect();
    assert_eq!(names(&folder), wanted, "files of {}; {AGAIN}", folder.display());
    for (name, text) in files {
        is(&folder.join(name), text);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries: Vec<_> = fs::read_dir(folder).map(|entries| entries.flatten().collect()).unwrap_or_default();
    let mut names: Vec<String> =
        entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn is(path: &PathBuf, wanted: &str) {
    let found = fs::read_to_string(path).unwrap_or_default();
    let different = found.lines().zip(wanted.lines()).position(|(one, other)| one != other);
    assert!(found == wanted, "{} is old, line {}; {AGAIN}", path.display(), different.unwrap_or(0) + 1);
}

const AGAIN: &str = "make it anew with REBAL_WRITE=1 cargo test --test it generated";

#[test]
fn completions_are_those_of_the_grammar() {
    same("completions", &grammar::completions(&grammar()));
}

#[test]
fn the_manual_is_that_of_the_grammar() {
    let mut pages = grammar::manual(&grammar());
    pages.insert("rebal.toml.5".into(), reference::page());
    same("man", &pages);
}

#[test]
fn help_says_what_it_said_when_it_was_looked_at() {
    same("tests/help", &grammar::help(&grammar()));
}

#[test]
fn every_command_has_examples_and_exit_codes() {
    for command in grammar().get_subcommands() {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let name = command.get_name();
        assert!(after.contains("Examples:") && after.contains(&format!("rebal {name}")), "{name}: {after}");
        // The practice server runs until it is ended.
        assert!(name == "sim" || after.contains("Exit codes:\n    0  "), "{name}: {after}");
        exit_codes_are_a_list(name, &after);
    }
    let grammar = grammar();
    let after = grammar.get_after_help().unwrap().to_string();
    let codes: Vec<u8> = exit_codes_are_a_list("rebal", &after);
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 130], "all of the contract's");
}

/// One code in a line, which no terminal of 80 columns breaks.
fn exit_codes_are_a_list(name: &str, after: &str) -> Vec<u8> {
    let Some((_, codes)) = after.split_once("Exit codes:\n") else { return Vec::new() };
    let code = |line: &str| {
        let (code, meaning) =
            line.trim_start().split_once("  ").unwrap_or_else(|| panic!("{name}: {line:?}"));
        assert!(line.chars().count() < 80 && !meaning.is_empty(), "{name}: {line}");
        code.parse().unwrap_or_else(|_| panic!("{name}: {line:?}"))
    };
    codes.lines().take_while(|line| !line.is_empty()).map(code).collect()
}

#[test]
fn help_is_text_for_people_and_not_for_a_compiler() {
    for (name, text) in grammar::help(&grammar()) {
        let escaped = text.lines().find(|line| line.contains("\\\""));
        assert_eq!(escaped, None, "{name}");
    }
}

#[test]
fn every_option_says_what_it_does_in_a_line() {
    for command in grammar().get_subcommands() {
        for option in command.get_arguments() {
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.len() > 5 && !help.ends_with('.'),
                "{} {}: {help:?}",
                command.get_name(),
                option.get_id()
            );
        }
    }
}

#[test]
fn the_reference_configuration_is_what_holds_where_nobody_says_otherwise() {
    let text = reference::file();
    let path = root().join("examples/reference.toml");
    if env::var_os("REBAL_WRITE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    is(&path, &text);
    assert_eq!(reference::loaded(&path), rebal::config::sections::Config::default());
}

#[test]
fn the_readme_lists_every_key() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (head, rest) = readme.split_once(reference::BEGIN).unwrap();
    let (_, tail) = rest.split_once(reference::END).unwrap();
    let wanted = format!("{head}{}\n{}{}{tail}", reference::BEGIN, reference::table(), reference::END);
    if env::var_os("REBAL_WRITE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    is(&path, &wanted);
}
