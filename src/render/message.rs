//! Messages to the owner, in the few HTML tags that Telegram knows.
//!
//! Everything that is not written here is escaped: names and errors come from outside.

use crate::domain::num::{Amount, Notional};
use crate::domain::time::Time;
use crate::render::text::{count, fee, instant, money, percent, share, steers};
use crate::report::digest::{Digest, Move};

/// Outside text as Telegram shows it: nothing is a tag or an entity, nothing turns a line around.
/// Line breaks stay.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\n' => shown.push('\n'),
            '\t' | '\r' => shown.push(' '),
            c if steers(c) => {}
            c => shown.push(c),
        }
    }
    shown
}

/// Whose message it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The profile's name.
    pub profile: String,
    /// `paper`, `testnet` or `live`.
    pub mode: String,
}

impl Sender {
    fn line(&self, at: Time) -> String {
        format!("{} · {} · {}", escape(&self.profile), escape(&self.mode.to_uppercase()), instant(at))
    }
}

/// An alert: how much it matters, what it is, whose it is, and its words.
#[must_use]
pub fn alert(sender: &Sender, at: Time, level: &str, kind: &str, text: &str) -> String {
    let level = if level == "critical" { "CRITICAL" } else { level };
    let title = format!("{}: {}", escape(level), escape(&kind.replace('_', " ")));
    format!("<b>{title}</b>\n{}\n{}", sender.line(at), escape(text))
}

/// A digest.
#[must_use]
pub fn digest(digest: &Digest) -> String {
    let heading = &digest.heading;
    let sender = Sender { profile: heading.profile.clone(), mode: heading.mode.clone() };
    let quote = escape(&digest.quote);
    let mut lines = Vec::new();
    if let Some(halt) = &digest.halt {
        lines.push(format!("<b>HALTED</b>: {}", escape(halt)));
    }
    lines.push(format!(
        "<b>{} {quote}</b>, {} ({})",
        money(digest.equity),
        signed(digest.change),
        percent(digest.change_rate)
    ));
    lines.push(sender.line(heading.at));
    lines.push(format!("changes since {}", instant(digest.since)));
    if digest.stale {
        lines.push(format!("<b>not read since {}</b>: these figures are that old", instant(digest.read_at)));
    }
    if !digest.transfers.is_zero() {
        lines.push(format!("transfers {}, not counted as profit", signed(digest.transfers)));
    }
    lines.push(format!("floating {} in {}", signed(digest.floating), count(digest.positions, "coin")));
    for (label, moves) in [("best", &digest.best), ("worst", &digest.worst)] {
        if !moves.is_empty() {
            let named: Vec<String> = moves.iter().map(|one| named(one, &digest.quote)).collect();
            lines.push(format!("{label} {}", named.join(", ")));
        }
    }
    lines.push(format!("funding {}", signed_fee(digest.funding)));
    lines.push(format!("drawdown {}", share(digest.drawdown)));
    if let Some(pass) = &digest.last_pass {
        let code = pass.exit_code.map_or("never ended".to_owned(), |code| format!("exit {code}"));
        let outcome = escape(&pass.outcome.replace('_', " "));
        let orders = count(usize::try_from(pass.orders).unwrap_or(usize::MAX), "order");
        lines.push(format!("last pass {}: {outcome}, {orders}, {code}", instant(pass.at)));
    }
    lines.join("\n")
}

fn named(one: &Move, quote: &str) -> String {
    let Move { symbol, change, floating } = one;
    format!("{} {} (floating {})", escape(symbol.coin(quote)), percent(*change), signed(*floating))
}

fn signed(amount: Notional) -> String {
    with_sign(amount, &money(amount))
}

fn signed_fee(amount: Notional) -> String {
    with_sign(amount, &fee(amount))
}

/// `+` before what is above zero as it is shown: `+0.00` would be neither.
fn with_sign<K>(amount: Amount<K>, shown: &str) -> String {
    let is_nothing = shown.chars().all(|c| matches!(c, '0' | '.' | '-'));
    match (amount.is_positive(), is_nothing) {
        (_, true) => shown.trim_start_matches('-').to_owned(),
        (true, false) => format!("+{shown}"),
        (false, false) => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::history::PastPass;
    use crate::domain::num::Rate;
    use crate::report::heading::Heading;

    #[test]
    fn nothing_from_outside_is_markup_or_steers() {
        assert_eq!(
            escape("<b>&amp;\"\u{202e}x\u{1b}[2J\r\n\t币\u{200b}😀</b>"),
            "&lt;b&gt;&amp;amp;&quot;x[2J \n 币😀&lt;/b&gt;"
        );
    }

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn an_alert_says_what_whose_and_when() {
        let sender = Sender { profile: "a<b".into(), mode: "testnet".into() };
        let told = alert(&sender, at("2026-01-01T04:00:00Z"), "critical", "not_flat", "2 left: <script>");
        assert_eq!(
            told,
            "<b>CRITICAL: not flat</b>\na&lt;b · TESTNET · 2026-01-01 04:00:00 UTC\n2 left: &lt;script&gt;"
        );
    }

    #[test]
    fn a_digest_reads_from_the_most_important_down() {
        let coin = |name: &str, change, floating| Move {
            symbol: format!("{name}USDT").parse().unwrap(),
            change: Rate::new(change, 4),
            floating: Notional::new(floating, 3),
        };
        let mut report = Digest {
            heading: Heading {
                at: at("2026-01-01T04:00:00Z"),
                profile: "demo".into(),
                mode: "paper".into(),
                venue: "binance-usdm".into(),
            },
            quote: "USDT".into(),
            since: at("2026-01-01T00:00:00Z"),
            read_at: at("2026-01-01T04:00:00Z"),
            stale: false,
            equity: Notional::new(199_844, 3),
            change: Notional::new(-156, 3),
            change_rate: Rate::new(-78, 5),
            transfers: Notional::ZERO,
            floating: Notional::new(1204, 3),
            positions: 20,
            best: vec![coin("PEPE", 421, 842), coin("币安人生", 100, -1)],
            worst: vec![coin("ADA", -310, -620)],
            funding: Notional::new(-123, 4),
            drawdown: Rate::new(123, 4),
            last_pass: Some(PastPass {
                id: 49,
                at: at("2026-01-01T04:00:00Z"),
                outcome: "nothing_to_do".into(),
                exit_code: Some(0),
                orders: 1,
            }),
            halt: None,
        };
        let expected = "<b>199.84 USDT</b>, -0.16 (-0.08 %)\n\
            demo · PAPER · 2026-01-01 04:00:00 UTC\n\
            changes since 2026-01-01 00:00:00 UTC\n\
            floating +1.20 in 20 coins\n\
            best PEPE +4.21 % (floating +0.84), 币安人生 +1.00 % (floating 0.00)\n\
            worst ADA -3.10 % (floating -0.62)\n\
            funding -0.0123\n\
            drawdown 1.2 %\n\
            last pass 2026-01-01 04:00:00 UTC: nothing to do, 1 order, exit 0";
        assert_eq!(digest(&report), expected);
        report.halt = Some("halt h1: loss > 30 %".into());
        report.stale = true;
        report.transfers = Notional::from(50);
        report.best.clear();
        let told = digest(&report);
        assert!(told.starts_with("<b>HALTED</b>: halt h1: loss &gt; 30 %\n<b>199.84 USDT</b>"), "{told}");
        assert!(told.contains("\n<b>not read since 2026-01-01 04:00:00 UTC</b>: "), "{told}");
        assert!(told.contains("\ntransfers +50.00, not counted as profit\n") && !told.contains("best"));
    }
}
