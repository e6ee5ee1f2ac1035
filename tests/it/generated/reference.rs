//! The reference of the configuration: keys and meanings from the comments of `config/sections.rs` and
//! `config/words.rs`, defaults from the code that runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rebal::config::sections::Config;
use rebal::config::{Sources, load};
use roff::{Roff, roman};

/// What is between these two lines of the README is made here.
pub(super) const BEGIN: &str = "<!-- every key: begin -->";
pub(super) const END: &str = "<!-- every key: end -->";

/// One section of the configuration.
struct Section {
    /// Empty for the keys above all sections.
    name: String,
    about: String,
    keys: Vec<Key>,
}

struct Key {
    name: String,
    about: String,
    /// As a file would have it.
    default: String,
    /// The words it may be, each with its meaning.
    words: Vec<(String, String)>,
}

pub(super) fn loaded(path: &Path) -> Config {
    let none = Vec::<(String, String)>::new();
    let file = Some(path.to_path_buf());
    let sources = Sources { file, file_required: true, env: none.into_iter(), sets: &[], base: None };
    load(sources).unwrap().config
}

fn sections() -> Vec<Section> {
    let structs = structs(&source("sections.rs"));
    let enums = enums(&source("words.rs"));
    let defaults = toml::Table::try_from(Config::default()).unwrap();
    let root = &structs["Config"];
    let mut sections = vec![section("", "", root, &structs, &enums, &defaults)];
    for (name, kind, about) in &root.1 {
        if let Some(inner) = structs.get(kind) {
            let table = defaults[name].as_table().unwrap();
            sections.push(section(name, about, inner, &structs, &enums, table));
        }
    }
    sections
}

/// Name, type and comment of each field.
type Fields = Vec<(String, String, String)>;
/// A comment and the fields below it.
type Struct = (String, Fields);

fn section(
    name: &str,
    about: &str,
    (_, fields): &Struct,
    structs: &BTreeMap<String, Struct>,
    enums: &BTreeMap<String, Vec<(String, String)>>,
    defaults: &toml::Table,
) -> Section {
    let key = |(name, kind, about): &(String, String, String)| Key {
        name: name.clone(),
        about: about.clone(),
        default: plain(&defaults[name]),
        words: enums.get(kind).cloned().unwrap_or_default(),
    };
    let keys = fields.iter().filter(|(_, kind, _)| !structs.contains_key(kind)).map(key).collect();
    Section { name: name.into(), about: about.into(), keys }
}

fn source(name: &str) -> String {
    fs::read_to_string(super::root().join("src/config").join(name)).unwrap()
}

/// Name → (comment, fields as name, type and comment).
fn structs(source: &str) -> BTreeMap<String, Struct> {
    let mut found = BTreeMap::new();
    let (mut about, mut open): (Vec<&str>, Option<(String, Struct)>) = (Vec::new(), None);
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            about.push(text);
        } else if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {")) {
            open = Some((name.into(), (sentence(&mut about), Vec::new())));
        } else if line == "}" {
            found.extend(open.take());
            about.clear();
        } else if let (Some((_, (_, fields))), Some(field)) = (&mut open, line.strip_prefix("pub ")) {
            let (name, kind) = field.trim_end_matches(',').split_once(": ").unwrap();
            fields.push((name.into(), kind.into(), sentence(&mut about)));
        } else if !line.starts_with("#[") {
            about.clear();
        }
    }
    found
}

/// Name → variants as word and comment; only those whose variants are words.
fn enums(source: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found = BTreeMap::new();
    let (mut about, mut open, mut kebab) = (Vec::new(), None::<(String, Vec<(String, String)>)>, None);
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            about.push(text);
        } else if line.contains("rename_all") {
            kebab = Some(line.contains("kebab"));
        } else if let Some(name) = line.strip_prefix("pub enum ").and_then(|rest| rest.strip_suffix(" {")) {
            open = kebab.map(|_| (name.to_owned(), Vec::new()));
            about.clear();
        } else if line == "}" {
            found.extend(open.take());
            (kebab, about) = (None, Vec::new());
        } else if let (Some((_, words)), Some(variant)) = (&mut open, line.strip_suffix(',')) {
            let spelled = |(at, letter): (usize, char)| {
                let dash = at > 0 && letter.is_uppercase() && kebab == Some(true);
                format!("{}{}", if dash { "-" } else { "" }, letter.to_lowercase())
            };
            words.push((variant.chars().enumerate().map(spelled).collect(), sentence(&mut about)));
        }
    }
    found
}

fn sentence(about: &mut Vec<&str>) -> String {
    let text = about.join(" ").replace("; `None` for the band alone", "; empty for the band alone");
    about.clear();
    text
}

/// Numbers bare where the file may have them so.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) if text.parse::<rebal::domain::num::Rate>().is_ok() => text.clone(),
        toml::Value::Table(table) => {
            let pairs: Vec<String> =
                table.iter().map(|(key, value)| format!("{key} = {}", plain(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// A file with every key at its default.
pub(super) fn file() -> String {
    let mut text = String::from(
        "# Every key with the value that holds where nobody says otherwise. Made from the code: a configuration\n\
         # needs only what differs. `rebal init` writes one.\n",
    );
    for section in sections() {
        if !section.name.is_empty() {
            text += &format!("\n# {}\n[{}]\n", section.about, section.name);
        }
        for key in &section.keys {
            text += &format!("\n# {}\n", key.about);
            for (word, meaning) in &key.words {
                text += &format!("#   {word:<14} {meaning}\n");
            }
            text += &format!("{} = {}\n", key.name, key.default);
        }
    }
    text
}

/// The same as tables of the README.
pub(super) fn table() -> String {
    let mut text = String::new();
    for section in sections() {
        if section.name.is_empty() {
            text += "\n| key | default | |\n|---|---|---|\n";
        } else {
            text += &format!(
                "\n**[{}]** {}\n\n| key | default | |\n|---|---|---|\n",
                section.name, section.about
            );
        }
        for key in &section.keys {
            let words: Vec<String> =
                key.words.iter().map(|(word, meaning)| format!("`{word}` {}", lower(meaning))).collect();
            let words = if words.is_empty() { String::new() } else { format!(" {}", words.join(" · ")) };
            let about = format!("{}{words}", key.about).replace('|', "\\|");
            text += &format!("| `{}` | `{}` | {about} |\n", key.name, key.default);
        }
    }
    text + "\n"
}

fn lower(meaning: &str) -> String {
    meaning.trim_end_matches('.').to_owned()
}

/// The same as a page of the manual.
pub(super) fn page() -> String {
    let mut roff = Roff::new();
    roff.control("TH", ["rebal.toml", "5", "", "rebal", "rebal"]);
    roff.control("SH", ["NAME"]).text([roman("rebal.toml - what rebal keeps, and how")]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(
        "A TOML file in the configuration folder, or where --config says. A value is taken from --set KEY=VALUE, else \
         from the environment (REBAL__SECTION__KEY), else from the file, else it is the default given here. Unknown keys \
         are refused. Rates are fractions: 0.05 is 5 %. Secrets are never in it, only where they are found.",
    )]);
    for section in sections() {
        let title = if section.name.is_empty() {
            "KEYS ABOVE ALL SECTIONS".into()
        } else {
            format!("[{}]", section.name)
        };
        roff.control("SH", [title.as_str()]);
        if !section.about.is_empty() {
            roff.text([roman(section.about.as_str())]);
        }
        for key in &section.keys {
            roff.control("TP", []);
            roff.text([roff::bold(key.name.as_str()), roman(format!(" = {}", key.default))]);
            roff.text([roman(key.about.as_str())]);
            for (word, meaning) in &key.words {
                roff.control("br", []).text([roff::bold(word.as_str()), roman(format!(": {meaning}"))]);
            }
        }
    }
    roff.control("SH", ["SEE ALSO"]).text([roman("rebal(1), rebal-init(1), rebal-doctor(1)")]);
    roff.to_roff()
}
