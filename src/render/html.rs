//! Periods, the dashboard, backtests and sweeps as a page of its own: one file that asks nobody for anything.
//!
//! No script, no font, no picture from outside, and a policy in the page that forbids them to the
//! browser. The markup is well-formed XML too, so that a test can hold it to that.

mod backtest;
mod sweep;

pub use backtest::backtest;
pub use sweep::sweep;

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::domain::num::{Notional, Rate};
use crate::render::chart::Ink;
use crate::render::grid::{Align, Grid};
use crate::render::paint::Tone;
use crate::render::pictures::{self, Picture};
use crate::render::remarks::Remark;
use crate::render::text::{clean, fixed, instant, money, percent, share, short_percent};
use crate::render::{earnings, glance};
use crate::report::dashboard::{DashboardReport, PositionRow};
use crate::report::heading::Heading;
use crate::report::period::PeriodReport;

const STYLE: &str = include_str!("html.css");
/// Characters that a phone shows beside each other, and those that a gap between columns takes.
const PHONE: usize = 44;
const COLUMN_GAP: usize = 2;

/// A period's page: the figures, the charts, the tables.
#[must_use]
pub fn period(report: &PeriodReport) -> String {
    let mut body = halted(report);
    body.extend(head("rebal report", &report.heading, &earnings::span(report)));
    body.extend(earnings::verdict(report).iter().map(said));
    if report.readings == 0 {
        // What nobody read is not zero.
        body.push(list(&earnings::notes(report)));
        return page(&format!("rebal report · {}", report.heading.profile), &body);
    }
    body.push(cards(&period_cards(report)));
    body.push(charts(&pictures::pictures(report, None)));
    body.extend(period_tables(report));
    page(&format!("rebal report · {}", report.heading.profile), &body)
}

/// A halt with its reason, before everything else.
fn halted(report: &PeriodReport) -> Vec<Html> {
    let alarm = |(id, why)| said(&(Tone::Alarm, format!("HALTED (halt {id}): {why}")));
    earnings::halt(report).into_iter().map(alarm).collect()
}

/// The dashboard's page: a halt, the account, every position, then the last 30 days.
#[must_use]
pub fn dashboard(report: &DashboardReport) -> String {
    let all = &report.period;
    let mut body = halted(all);
    body.extend(head("rebal report", &all.heading, &format!("now · {}", instant(all.heading.at))));
    body.extend(glance::verdict(report).iter().map(said));
    body.push(cards(&dashboard_cards(report)));
    body.push(positions(report));
    body.push(section("Last passes", &[table(&glance::passes(report), "")]));
    body.push(tag("h2", "", &[text(&format!("The last 30 days: {}", earnings::span(all)))]));
    body.push(cards(&period_cards(all)));
    body.push(charts(&pictures::pictures(all, Some(report.max_drawdown_limit))));
    body.extend(period_tables(all));
    page(&format!("rebal dashboard · {}", all.heading.profile), &body)
}

/// Markup. Outside text gets into it through [`text`] only, which escapes.
#[derive(Clone, Debug)]
struct Html(String);

/// Text that a browser takes as text, in content and in attributes.
fn text(outside: &str) -> Html {
    Html(escape(outside))
}

fn escape(outside: &str) -> String {
    let mut out = String::with_capacity(outside.len());
    for c in clean(outside).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in a page, in any spelling.
            '\u{fffe}' | '\u{ffff}' => {}
            _ => out.push(c),
        }
    }
    out
}

/// An element; `class` may be empty.
fn tag(name: &str, class: &str, inside: &[Html]) -> Html {
    let attributes: &[(&str, &str)] = if class.is_empty() { &[] } else { &[("class", class)] };
    element(name, attributes, inside)
}

fn element(name: &str, attributes: &[(&str, &str)], inside: &[Html]) -> Html {
    let mut out = format!("<{name}");
    for (key, value) in attributes {
        // Writing into memory cannot fail.
        let _ = write!(out, " {key}=\"{}\"", escape(value));
    }
    out.push('>');
    inside.iter().for_each(|part| out.push_str(&part.0));
    let _ = write!(out, "</{name}>");
    Html(out)
}

fn page(title: &str, body: &[Html]) -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'");
    let content: String = body.iter().map(|part| part.0.as_str()).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <meta name=\"referrer\" content=\"no-referrer\"/>\
         <title>{}</title><style>{STYLE}</style></head>\n<body><main>{content}</main></body></html>\n",
        escape(&policy),
        escape(title)
    )
}

/// What this is and of which account; real money stands out.
fn head(title: &str, heading: &Heading, span: &str) -> Vec<Html> {
    let class = if heading.mode == "live" { "live" } else { "" };
    let account = format!(" · {} · profile {} · {}", heading.venue, heading.profile, instant(heading.at));
    vec![
        tag("h1", "", &[text(title)]),
        tag("p", "meta", &[tag("span", class, &[text(&heading.mode.to_uppercase())]), text(&account)]),
        tag("p", "meta", &[text(span)]),
    ]
}

fn said((tone, sentence): &(Tone, String)) -> Html {
    let class = match tone {
        Tone::Alarm => "alarm",
        Tone::Good => "verdict gain",
        Tone::Attention => "verdict warn",
        Tone::Bad => "verdict loss",
        Tone::Plain | Tone::Strong | Tone::Faint => "verdict",
    };
    tag("p", class, &[text(sentence)])
}

/// A figure, its class, and a word on it.
type Card = (&'static str, String, &'static str, String);

fn cards(cards: &[Card]) -> Html {
    let card = |(name, value, class, more): &Card| {
        let value = tag("dd", format!("value {class}").trim_end(), &[text(value)]);
        tag("div", "", &[tag("dt", "", &[text(name)]), value, tag("dd", "more", &[text(more)])])
    };
    tag("dl", "cards", &cards.iter().map(card).collect::<Vec<_>>())
}

fn tint(amount: Notional) -> &'static str {
    match amount {
        amount if amount.is_zero() => "",
        amount if amount.is_negative() => "loss",
        _ => "gain",
    }
}

fn period_cards(report: &PeriodReport) -> Vec<Card> {
    let quote = clean(&report.quote);
    let signed = |name, amount, more| (name, earnings::signed(amount), tint(amount), more);
    let growth =
        report.growth.map_or("return unknown".to_owned(), |rate| format!("return {}", short_percent(rate)));
    let transfers =
        format!("from {}, transfers {}", money(report.equity_start), earnings::signed(report.transfers));
    let mut cards = vec![
        ("Equity at the end", money(report.equity_end), "", transfers),
        signed("Net profit", report.net_profit, format!("{quote}, {growth}")),
    ];
    cards.push(match (report.rebalancing_effect, report.hold_twin_profit) {
        (Some(effect), Some(twin)) => {
            signed("Rebalancing", effect, format!("holding: {} {quote}", earnings::signed(twin)))
        }
        _ => ("Rebalancing", "none".to_owned(), "", "nothing was held".to_owned()),
    });
    cards.extend([
        ("Max drawdown", share(report.max_drawdown), "", "deposits and withdrawals apart".to_owned()),
        signed("Funding", report.funding_total, quote.clone()),
        signed("Fees", report.fees_total, quote.clone()),
        signed("Harvest", report.harvest, "sales above the band, after fees".to_owned()),
        ("Trades", report.trades.to_string(), "", per_day(report)),
        ("Win rate", report.win_rate.map_or("none".to_owned(), share), "", of_reductions(report)),
        ("Turnover", money(report.turnover), "", quote),
        (
            "Unreconciled",
            earnings::signed(report.unreconciled),
            if report.unreconciled.is_zero() { "" } else { "loss" },
            if report.unreconciled.is_zero() { "all is explained" } else { "explained by nothing" }
                .to_owned(),
        ),
    ]);
    if report.heading.is_spot() {
        cards.retain(|(name, ..)| *name != "Funding");
    }
    cards
}

fn per_day(report: &PeriodReport) -> String {
    earnings::per_day(report).unwrap_or_default()
}

fn of_reductions(report: &PeriodReport) -> String {
    format!("{} of {} reductions", report.wins, report.reductions)
}

fn dashboard_cards(report: &DashboardReport) -> Vec<Card> {
    let quote = clean(&report.period.quote);
    let floating = (earnings::signed(report.unrealized), tint(report.unrealized));
    let mut cards = vec![
        ("Equity", money(report.equity), "", format!("{quote}, {} available", money(report.available))),
        ("Floating profit", floating.0, floating.1, quote),
        (
            "Leverage",
            format!("{}x", fixed(report.effective_leverage, 2)),
            "",
            "positions over equity".to_owned(),
        ),
        ("Margin ratio", share(report.margin_ratio), "", "liquidated at 100 %".to_owned()),
        (
            "Drawdown",
            share(report.drawdown),
            "",
            format!("everything is sold at {}", share(report.max_drawdown_limit)),
        ),
        ("NAV", fixed(report.nav, 4), "", format!("highest {}", fixed(report.peak_nav, 4))),
    ];
    if report.period.heading.is_spot() {
        cards.retain(|(name, ..)| !matches!(*name, "Leverage" | "Margin ratio" | "Funding"));
    }
    cards
}

fn charts(pictures: &[Picture]) -> Html {
    if pictures.is_empty() {
        return tag("p", "meta", &[text("There is nothing to draw: the period has no readings.")]);
    }
    tag("div", "charts", &pictures.iter().map(figure).collect::<Vec<_>>())
}

fn figure(picture: &Picture) -> Html {
    let entry = |(ink, label): &(Ink, String)| {
        let key = tag("span", &format!("key key-{}", ink.name()), &[]);
        tag("span", "entry", &[key, text(label)])
    };
    let mut caption: Vec<Html> = picture.legend.iter().map(entry).collect();
    caption.push(text(&picture.left_out));
    let title = escape(&format!("{}. {}", picture.title, picture.summary));
    let (view, inside) = picture.drawing.split_once('>').unwrap_or((&picture.drawing, ""));
    let drawing =
        Html(format!("<svg role=\"img\" aria-label=\"{title}\" {view}><title>{title}</title>{inside}</svg>"));
    tag("figure", "", &[tag("h2", "", &[text(picture.title)]), drawing, tag("figcaption", "", &caption)])
}

fn period_tables(report: &PeriodReport) -> Vec<Html> {
    let mut sections = vec![section("From start to end", &[table(&earnings::bridge(report), "wrap")])];
    if !report.per_coin.is_empty() {
        let legend = tag("p", "foot", &[text(&earnings::legend(report).2)]);
        sections.push(section("Coins", &[table(&earnings::every_column(report), ""), legend]));
    }
    sections.push(section("Figures", &[list(&earnings::headlines(report))]));
    let note = |note: &Remark| tag("li", "", &[text(&note.2)]);
    let notes: Vec<Html> = earnings::notes(report).iter().map(note).collect();
    if !notes.is_empty() {
        sections.push(section("Notes", &[tag("ul", "", &notes)]));
    }
    sections
}

fn section(title: &str, inside: &[Html]) -> Html {
    let head = tag("h2", "", &[text(title)]);
    tag("section", "", &[&[head], inside].concat())
}

fn list(remarks: &[Remark]) -> Html {
    let entry = |(_, label, body): &Remark| [tag("dt", "", &[text(label)]), tag("dd", "", &[text(body)])];
    tag("dl", "list", &remarks.iter().flat_map(entry).collect::<Vec<_>>())
}

fn positions(report: &DashboardReport) -> Html {
    if report.positions.is_empty() {
        return section("Positions", &[tag("p", "", &[text("No positions.")])]);
    }
    let grid = glance::every_column(report);
    let after = grid.columns.iter().position(|(head, _)| head == "drift").map_or(0, |at| at + 1);
    let bars: Vec<Html> = report.positions.iter().map(drift_bar).collect();
    let foot = "The bar is full at the band: to the right what would be sold, to the left what would \
                be bought.";
    let funding = " A positive rate of funding is paid by who is long.";
    let foot = format!("{foot}{}", if report.period.heading.is_spot() { "" } else { funding });
    section("Positions", &[cells(&grid, "", Some((after, bars))), tag("p", "foot", &[text(&foot)])])
}

/// The drift against its band, each side full at its own.
fn drift_bar(row: &PositionRow) -> Html {
    let Some(drift) = row.drift else { return text("") };
    let scale = if drift.is_negative() { row.buy_band.or(row.sell_band) } else { row.sell_band };
    let Some(share) = scale.and_then(|band| drift.abs().over(band)) else { return text("") };
    let wide = (share.min(Rate::ONE) * Rate::from(50)).rounded(1);
    let class = if drift.is_negative() { "down" } else { "up" };
    let from = if drift.is_negative() { -wide } else { Rate::ZERO };
    let beyond = match (share > Rate::ONE, drift.is_negative()) {
        (true, true) => "<path class=\"down\" d=\"M-52 0L-58 5L-52 10Z\"/>",
        (true, false) => "<path class=\"up\" d=\"M52 0L58 5L52 10Z\"/>",
        (false, _) => "",
    };
    let label = escape(&format!("drift {} against a band of {}", percent(drift), glance::band(row)));
    Html(format!(
        "<svg class=\"drift\" role=\"img\" aria-label=\"{label}\" viewBox=\"-60 0 120 10\"><title>{label}</title>\
         <rect class=\"band\" x=\"-50\" y=\"4\" width=\"100\" height=\"2\"/>\
         <rect class=\"{class}\" x=\"{from}\" y=\"1\" width=\"{wide}\" height=\"8\"/>{beyond}\
         <rect class=\"zero\" x=\"-0.75\" y=\"0\" width=\"1.5\" height=\"10\"/></svg>"
    ))
}

fn table(grid: &Grid, class: &str) -> Html {
    cells(grid, class, None)
}

/// A grid as a table that scrolls by itself where the page is narrow; `extra` is a column of markup
/// and where it goes.
fn cells(grid: &Grid, class: &str, extra: Option<(usize, Vec<Html>)>) -> Html {
    let aligned = |align: Align| if align == Align::Right { "right" } else { "" };
    let mut heads: Vec<Html> = grid
        .columns
        .iter()
        .map(|(head, align)| element("th", &[("scope", "col"), ("class", aligned(*align))], &[text(head)]))
        .collect();
    if let Some((at, _)) = &extra {
        heads.insert(*at, tag("th", "", &[text("buy / sell")]));
    }
    let row = |(index, (tone, row)): (usize, &(Tone, Vec<String>))| {
        let cell = |(cell, (head, align)): (&String, &(String, Align))| {
            // A band such as -25…+5 % is neither, and a funding rate is paid where it is positive.
            let one = *align == Align::Right && !cell.contains('…') && head != glance::YEARLY;
            let one = one && cell.contains(|c| matches!(c, '1'..='9'));
            let sign = match cell.chars().next() {
                Some('+') if one => " gain",
                Some('-') if one => " loss",
                _ => "",
            };
            tag("td", format!("{}{sign}", aligned(*align)).trim(), &[text(cell)])
        };
        let mut shown: Vec<Html> = row.iter().zip(&grid.columns).map(cell).collect();
        if let Some((at, column)) = &extra {
            let bar = column.get(index).cloned().unwrap_or_else(|| text(""));
            shown.insert(*at, tag("td", "", &[bar]));
        }
        let class = match tone {
            Tone::Strong => "total",
            Tone::Alarm | Tone::Bad => "loud",
            Tone::Attention => "mark",
            Tone::Plain | Tone::Faint | Tone::Good => "",
        };
        tag("tr", class, &shown)
    };
    let rows: Vec<Html> = grid.rows.iter().enumerate().map(row).collect();
    let head = tag("thead", "", &[tag("tr", "", &heads)]);
    let table = tag("table", class, &[head, tag("tbody", "", &rows)]);
    let about = grid.columns.first().map_or("table", |(head, _)| head.as_str());
    // The last column of a table that wraps takes what room there is.
    let taken = grid.columns.len().saturating_sub(usize::from(class == "wrap"));
    scrolls(about, grid.widths().into_iter().take(taken), table)
}

/// A table that scrolls by itself where the page is narrow; `widths` are the characters of its columns. One that
/// a phone cannot show whole says so: what is cut off there looks like the end of a table.
fn scrolls(about: &str, widths: impl Iterator<Item = usize>, table: Html) -> Html {
    let wide: usize = widths.map(|characters| characters + COLUMN_GAP).sum();
    let class = if wide > PHONE { "scroll wide" } else { "scroll" };
    // A region that scrolls must be reachable by the keyboard.
    element(
        "div",
        &[("class", class), ("tabindex", "0"), ("role", "region"), ("aria-label", about)],
        &[table],
    )
}
