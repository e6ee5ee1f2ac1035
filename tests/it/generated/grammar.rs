//! What is made from the grammar of the command line.

use std::collections::BTreeMap;

use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use roff::{Roff, roman};

/// A terminal as wide as this is what the texts of help are written for.
const WIDTH: usize = 100;

/// The completions of each shell, by the name under which it looks for them.
pub(super) fn completions(grammar: &Command) -> BTreeMap<String, String> {
    let shells = [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh];
    let made = |shell: Shell| {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut grammar.clone(), "rebal", &mut text);
        let name = clap_complete::Generator::file_name(&shell, "rebal");
        (name, String::from_utf8(text).unwrap())
    };
    shells.into_iter().map(made).collect()
}

/// What `--help` prints, by command.
pub(super) fn help(grammar: &Command) -> BTreeMap<String, String> {
    let mut grammar = grammar.clone().term_width(WIDTH);
    grammar.build();
    let mut texts = BTreeMap::from([("rebal.txt".to_owned(), grammar.render_long_help().to_string())]);
    for command in commands(&grammar) {
        let name = format!("rebal-{}.txt", command.get_name());
        texts.insert(name, command.clone().term_width(WIDTH).render_long_help().to_string());
    }
    texts
}

/// A page of the manual for `rebal` and for each command.
pub(super) fn manual(grammar: &Command) -> BTreeMap<String, String> {
    let mut grammar = grammar.clone();
    grammar.build();
    let mut pages = BTreeMap::from([("rebal.1".to_owned(), page(&grammar, Some(&grammar)))]);
    for command in commands(&grammar) {
        pages.insert(format!("rebal-{}.1", command.get_name()), page(command, None));
    }
    pages
}

fn commands(grammar: &Command) -> impl Iterator<Item = &Command> {
    grammar.get_subcommands().filter(|command| command.get_name() != "help")
}

/// One page; that of `rebal` itself lists the commands and where things are.
fn page(command: &Command, whole: Option<&Command>) -> String {
    // What every command takes is told once.
    let hidden = |argument: Arg| {
        let hide = whole.is_none() && argument.is_global_set();
        argument.hide(hide)
    };
    let man = Man::new(command.clone().mut_args(hidden)).source("rebal").manual("rebal");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    if let Some(whole) = whole {
        let mut list = Roff::new();
        list.control("SH", ["COMMANDS"]);
        for command in commands(whole) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            list.control("TP", []).text([roff::bold(format!("rebal-{}(1)", command.get_name()))]);
            list.text([roman(about)]);
        }
        list.to_writer(&mut page).unwrap();
    }
    man.render_options_section(&mut page).unwrap();
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    said_after(&after).to_writer(&mut page).unwrap();
    if whole.is_some() {
        files().to_writer(&mut page).unwrap();
    }
    let mut see = Roff::new();
    see.control("SH", ["SEE ALSO"]);
    let others =
        if whole.is_some() { "rebal.toml(5)" } else { "rebal(1) for the global options, rebal.toml(5)" };
    see.text([roman(others)]);
    see.to_writer(&mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    let begin: String = page.split_inclusive('\n').take(2).collect();
    format!("{begin}{}", page.replace(&begin, ""))
}

/// Examples as they are typed, exit codes as a list, and what else is said below the options.
fn said_after(after: &str) -> Roff {
    let mut roff = Roff::new();
    for block in after.split("\n\n") {
        let one_line = || block.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(examples) = block.strip_prefix("Examples:\n") {
            roff.control("SH", ["EXAMPLES"]).control("nf", []);
            for line in examples.lines() {
                roff.text([roman(line.trim_start_matches("  "))]);
            }
            roff.control("fi", []);
        } else if let Some(codes) = block.strip_prefix("Exit codes:\n") {
            roff.control("SH", ["EXIT STATUS"]);
            for code in codes.lines() {
                let (number, meaning) = code.trim_start().split_once("  ").unwrap();
                roff.control("TP", []).text([roff::bold(number)]);
                roff.text([roman(meaning)]);
            }
        } else {
            roff.control("PP", []).text([roman(one_line())]);
        }
    }
    roff
}

fn files() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["FILES"]);
    let files = [
        ("rebal.toml", "the configuration, in the configuration folder; NAME.toml with --profile NAME"),
        ("ledger.db", "the ledger, in the state folder: intents, executions, income, readings, messages"),
        ("trades.csv", "one row per execution, made anew from the ledger where it was damaged"),
        ("HALT", "while it is there nothing is opened; rebal risk-check --resume removes it"),
        ("lock", "held by the pass that runs"),
    ];
    for (name, meaning) in files {
        roff.control("TP", []).text([roff::italic(name)]);
        roff.text([roman(meaning)]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    let variables = [
        ("REBAL__SECTION__KEY", "sets one value, over the file and under --set"),
        ("REBAL_API_KEY, REBAL_API_SECRET", "the key and its secret, where credentials does not name others"),
        ("REBAL_TELEGRAM_TOKEN", "the bot's token, where telegram.token does not name another place"),
        ("NO_COLOR", "no colour, unless --color always"),
    ];
    for (name, meaning) in variables {
        roff.control("TP", []).text([roff::bold(name)]);
        roff.text([roman(meaning)]);
    }
    roff
}
