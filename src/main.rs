//! The rebal program.
fn main() {}
