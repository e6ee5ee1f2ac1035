//! Every format against expected text, and what must hold of any plan.
use super::*;

#[test]
fn show() {
    for width in [80, 120] {
        let style =
            Style { width, color: std::env::var("COLOR").is_ok(), unicode: std::env::var("ASCII").is_err() };
        println!("{}", "=".repeat(width as usize));
        println!("{}", plan(&sample::plan_report("paper"), Format::Table, &style).unwrap());
        println!("{}", "=".repeat(width as usize));
        println!("{}", pass(&sample::troubled_pass(), Format::Table, &style).unwrap());
    }
}
