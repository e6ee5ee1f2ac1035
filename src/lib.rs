//! rebal keeps a portfolio of coins at its targets, one pass at a time.
//!
//! The layers, in reading order; what each may import is enforced by `tests/it/tidy.rs`:
//!
//! * nouns: [`domain`]
//! * decisions, pure: [`strategy`], [`decide`], [`report`], [`render`], [`wire`]
//! * edges, the only IO: [`archive`], [`config`], [`exchange`], [`ledger`], [`notify`], [`screener`],
//!   [`ui`], and `net` for what the requests of several of them have in common
//! * [`parallel`]: independent pieces of work on several threads
//! * the pass: [`pass`]
//! * the command line: [`command`], and [`error`] for what a failure means to the shell

pub mod archive;
pub mod backtest;
pub mod command;
pub mod config;
pub mod decide;
pub mod domain;
pub mod error;
pub mod exchange;
pub mod ledger;
mod net;
pub mod notify;
pub mod parallel;
pub mod pass;
pub mod render;
pub mod report;
pub mod screener;
pub mod server;
pub mod sim;
pub mod strategy;
pub mod ui;
pub mod wire;

#[cfg(test)]
mod tests {
    use crate::render::html;
    use crate::report::period_samples::{dashboards, periods};

    /// Writes every sample of a period, the dashboard, a backtest and a sweep as a page into the folder that `REBAL_PAGES`
    /// names. Here, since nothing below may write files.
    #[test]
    #[ignore = "for people and for tests/e2e/pages.py"]
    fn write_the_pages() {
        let folder =
            std::path::PathBuf::from(std::env::var("REBAL_PAGES").expect("REBAL_PAGES names a folder"));
        std::fs::create_dir_all(&folder).unwrap();
        let pages = periods()
            .iter()
            .map(html::period)
            .chain(dashboards().iter().map(html::dashboard))
            .chain(crate::report::backtest::samples::runs().iter().map(html::backtest))
            .chain(crate::report::sweep::samples::sweeps().iter().map(html::sweep))
            .collect::<Vec<_>>();
        for (index, page) in pages.into_iter().enumerate() {
            std::fs::write(folder.join(format!("page{index:02}.html")), page).unwrap();
        }
    }
}
