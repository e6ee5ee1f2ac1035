//! Every format against expected text, and what must hold of any plan.
use super::*;
use crate::report::pass::*;
use crate::report::plan::*;

#[test]
fn show() {
    let width = std::env::var("COLUMNS_").map(|c| c.parse().unwrap()).unwrap_or(80);
    let style =
        Style { width, color: std::env::var("COLOR").is_ok(), unicode: std::env::var("ASCII").is_err() };
    println!("{}", plan(&sample::plan_report("paper"), Format::Table, &style).unwrap());
    println!("{}", pass(&sample::troubled_pass(), Format::Table, &style).unwrap());
    let mut f = sample::figures();
    f.halted = Some("h-17".into());
    f.liquidation_after = None;
    println!(
        "{}",
        plan(
            &PlanReport::new(sample::heading("testnet"), f.clone(), &sample::quiet()),
            Format::Table,
            &style
        )
        .unwrap()
    );
    f.halted = None;
    let p = PassReport {
        plan: Some(PlanReport::new(sample::heading("testnet"), f.clone(), &sample::quiet())),
        ..PassReport::new(sample::heading("testnet"), "1", Outcome::NothingToDo, 0)
    };
    println!("{}", pass(&p, Format::Table, &style).unwrap());
    println!("{}", pass(&sample::troubled_pass(), Format::Csv, &style).unwrap());
    println!("{}", plan(&sample::plan_report("paper"), Format::Csv, &style).unwrap());
    println!("{}", plan(&sample::plan_report("paper"), Format::Markdown, &style).unwrap());
    println!("{}", pass(&sample::troubled_pass(), Format::Markdown, &style).unwrap());
    println!("{}", plan(&sample::plan_report("paper"), Format::Json, &style).unwrap());
}
