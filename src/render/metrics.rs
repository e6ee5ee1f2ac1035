//! Figures in Prometheus' text format, for the node exporter's textfile collector.

use crate::domain::time::Time;
use crate::render::text::clean;
use crate::report::metrics::Metrics;

/// The whole file. A family of which nothing is known is left out, the exit code never is.
#[must_use]
pub fn text(metrics: &Metrics) -> String {
    let heading = &metrics.heading;
    let labels = [
        ("profile", heading.profile.as_str()),
        ("mode", &heading.mode),
        ("venue", &heading.venue),
        ("command", metrics.command),
    ];
    let mut page =
        Page { labels: labels.map(|(name, value)| label(name, value)).join(","), text: String::new() };
    page.one("exit_code", "What the last run of the command ended with.", metrics.exit_code);
    if let Some(halted) = metrics.halted {
        page.one("halted", "1 while trading is halted.", u8::from(halted));
    }
    if let Some(at) = metrics.last_good_pass {
        page.one(
            "last_good_pass_timestamp_seconds",
            "When a pass last ended as it should, in exchange time.",
            seconds(at),
        );
    }
    if let Some(funding) = metrics.funding {
        page.one(
            "funding_total",
            "Funding received less funding paid since the ledger began, in the quote asset.",
            funding,
        );
    }
    let Some(account) = &metrics.account else { return page.text };
    page.one(
        "reading_timestamp_seconds",
        "When the account was read, in exchange time.",
        seconds(account.at),
    );
    page.one("equity", "Wallet plus floating profit, in the quote asset.", account.equity);
    page.one("nav", "Value of one unit, in the quote asset; transfers do not move it.", account.nav);
    page.one("nav_peak", "Highest value of one unit.", account.peak);
    page.one("drawdown_ratio", "Loss from the peak, as a fraction of the peak.", account.drawdown);
    if let Some(leverage) = account.leverage {
        page.one("leverage_ratio", "Value of all positions over equity.", leverage);
    }
    if !account.drifts.is_empty() {
        page.family("coin_drift_ratio", "Value over target, less one.");
        for (symbol, drift) in &account.drifts {
            page.sample("coin_drift_ratio", &label("symbol", symbol.as_str()), drift);
        }
    }
    page.text
}

struct Page {
    labels: String,
    text: String,
}

impl Page {
    fn one(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, help);
        self.sample(name, "", value);
    }

    /// All of them are gauges: even the funding total falls.
    fn family(&mut self, name: &str, help: &str) {
        self.text.push_str(&format!("# HELP rebal_{name} {help}\n# TYPE rebal_{name} gauge\n"));
    }

    fn sample(&mut self, name: &str, more: &str, value: impl std::fmt::Display) {
        let comma = if more.is_empty() { "" } else { "," };
        self.text.push_str(&format!("rebal_{name}{{{}{comma}{more}}} {value}\n", self.labels));
    }
}

/// One label. The format wants backslash, quote and line break escaped; what steers a terminal goes.
fn label(name: &str, value: &str) -> String {
    format!("{name}=\"{}\"", clean(value).replace('\\', "\\\\").replace('"', "\\\""))
}

fn seconds(at: Time) -> String {
    format!("{}.{:03}", at.ms() / 1000, at.ms() % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::history::{Reading, Sample};
    use crate::domain::num::{Notional, Price};
    use crate::report::heading::Heading;
    use crate::report::metrics::AccountMetrics;

    fn at(ms: i64) -> Time {
        Time::from_ms(ms).unwrap()
    }

    fn metrics() -> Metrics {
        Metrics {
            heading: Heading {
                at: at(0),
                profile: "a \"b\\c\"\n\u{202e}".into(),
                mode: "paper".into(),
                venue: "binance-usdm".into(),
            },
            command: "rebalance",
            exit_code: 4,
            ..Metrics::default()
        }
    }

    const LABELS: &str = r#"profile="a \"b\\c\" ",mode="paper",venue="binance-usdm",command="rebalance""#;

    #[test]
    fn a_pass_that_knows_nothing_still_says_how_it_ended() {
        let expected = format!(
            "# HELP rebal_exit_code What the last run of the command ended with.\n# TYPE rebal_exit_code gauge\nrebal_exit_code{{{LABELS}}} 4\n"
        );
        assert_eq!(text(&metrics()), expected);
    }

    #[test]
    fn every_figure_is_there_once_with_its_labels() {
        let coin = |name: &str, qty: u32, mark: i64, target: Option<u32>| Sample {
            symbol: name.parse().unwrap(),
            qty: qty.into(),
            entry: Price::ONE,
            mark: (mark > 0).then(|| Price::new(mark, 1)),
            unrealized: Notional::ZERO,
            target: target.map(Notional::from),
        };
        let reading = Reading {
            pass_id: 1,
            at: at(1_767_225_600_050),
            fill_seq: 0,
            equity: Notional::new(20_050, 2),
            nav: Notional::new(99, 2),
            peak: Notional::new(110, 2),
        };
        // 10 × 2.2 = 22 of 20; 40 × 5 = 200 without a target; nothing of 20.
        let coins = [
            coin("币安人生USDT", 10, 22, Some(20)),
            coin("BUSDT", 40, 50, None),
            coin("CUSDT", 0, 0, Some(20)),
        ];
        let shown = text(&Metrics {
            halted: Some(true),
            last_good_pass: Some(at(1_767_225_600_000)),
            funding: Some(Notional::new(-12, 4)),
            account: Some(AccountMetrics::new(&reading, &coins)),
            ..metrics()
        });
        let samples: Vec<String> = shown
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.replace(LABELS, "").replace("rebal_", ""))
            .collect();
        assert_eq!(
            samples,
            [
                "exit_code{} 4",
                "halted{} 1",
                "last_good_pass_timestamp_seconds{} 1767225600.000",
                "funding_total{} -0.0012",
                "reading_timestamp_seconds{} 1767225600.050",
                "equity{} 200.5",
                "nav{} 0.99",
                "nav_peak{} 1.1",
                "drawdown_ratio{} 0.1",
                "leverage_ratio{} 1.1072319201995012468827930175",
                "coin_drift_ratio{,symbol=\"币安人生USDT\"} 0.1",
                "coin_drift_ratio{,symbol=\"CUSDT\"} -1",
            ]
        );
        let families: Vec<&str> = shown.lines().filter(|line| line.starts_with("# TYPE")).collect();
        assert_eq!(families.len(), 11);
        let no_price = [coin("AUSDT", 1, 0, None)];
        assert_eq!(AccountMetrics::new(&reading, &no_price).leverage, None);
        let ruined = Reading { equity: Notional::ZERO, ..reading };
        assert_eq!(AccountMetrics::new(&ruined, &coins).leverage, None);
    }
}
