//! The pure layers compiled alone: an edge, a command or the terminal named in one does not build.
//!
//! Built without the test harness, so that the unit tests of these files do not run a second time.

#![allow(dead_code, unused_imports, reason = "nothing outside uses what is compiled here")]
#![allow(
    unreachable_pub,
    clippy::all,
    reason = "the library lints these files, by its own measure of public"
)]

#[path = "../src/backtest/mod.rs"]
mod backtest;
#[path = "../src/decide/mod.rs"]
mod decide;
#[path = "../src/domain/mod.rs"]
mod domain;
#[path = "../src/render/mod.rs"]
mod render;
#[path = "../src/report/mod.rs"]
mod report;
#[path = "../src/sim/mod.rs"]
mod sim;
#[path = "../src/strategy/mod.rs"]
mod strategy;
#[path = "../src/wire/mod.rs"]
mod wire;

use crate::domain::num::{Notional, Price, Qty};

fn main() {
    let (qty, price): (Qty, Price) = (Qty::new(12_345, 3), Price::new(25, 1));
    assert_eq!(qty.floor_to(Qty::new(1, 1)) * price, Notional::new(3075, 2), "12.3 at 2.5 is 30.75");
}
