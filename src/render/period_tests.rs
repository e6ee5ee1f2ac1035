//! Periods and dashboards in every format against expected text, and what must hold of any.

use super::*;
use crate::report::period_samples as samples;

#[test]
#[ignore = "for people: shows the tables"]
fn look() {
    for (name, report) in [
        ("week", samples::week()),
        ("gap", samples::gap()),
        ("many", samples::many(30)),
        ("nothing", samples::nothing()),
        ("one", samples::one_reading()),
        ("flat", samples::flat()),
        ("hostile", samples::hostile()),
    ] {
        for width in [80, 120] {
            println!("----- {name} {width}");
            println!(
                "{}",
                table::period(
                    &report,
                    &Style { width, color: false, unicode: width == 120 || name == "week" }
                )
            );
        }
    }
    for report in [samples::now(), samples::halted(), samples::hostile_now()] {
        for width in [80, 120] {
            println!("----- {width}");
            println!("{}", table::dashboard(&report, &Style { width, color: false, unicode: true }));
        }
    }
    println!("{}", markdown::period(&samples::gap()));
    println!("{}", csv::period(&samples::gap()));
    println!("{}", markdown::dashboard(&samples::now()));
    println!("{}", csv::dashboard(&samples::now()));
}

/// Writes every page into the folder `REBAL_PAGES`, for browsers.
#[test]
#[ignore = "for people and for tests/e2e/pages.py: writes the pages"]
fn write_the_pages() {
    let folder = std::path::PathBuf::from(std::env::var("REBAL_PAGES").expect("REBAL_PAGES names a folder"));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, page) in pages() {
        std::fs::write(folder.join(format!("{name}.html")), page).unwrap();
    }
}

/// Every sample as a page.
fn pages() -> Vec<(&'static str, String)> {
    let style = Style::default();
    let of = |report| period(&report, Format::Html, &style).unwrap();
    let now = |report| dashboard(&report, Format::Html, &style).unwrap();
    vec![
        ("week", of(samples::week())),
        ("gap", of(samples::gap())),
        ("twenty", of(samples::many(20))),
        ("hundred", of(samples::many(100))),
        ("nothing", of(samples::nothing())),
        ("one_reading", of(samples::one_reading())),
        ("flat", of(samples::flat())),
        ("hostile", of(samples::hostile())),
        ("now", now(samples::now())),
        ("halted", now(samples::halted())),
        ("hostile_now", now(samples::hostile_now())),
    ]
}
