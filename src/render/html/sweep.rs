//! A sweep's page: a heat map of two settings, the best of all, and what became of choices.

use crate::render::heat::{BEST, Cell, Heat, MOST_WRITTEN, Mark, STEPS, heat};
use crate::render::html::{Html, element, head, list, page, said, scrolls, section, table, tag, text};
use crate::render::settings;
use crate::render::text::{count, instant};
use crate::report::sweep::SweepReport;

const OVER_FITTING: &str = "The best of many settings is partly luck: with enough of them one fits the past by chance, \
    and chance does not come again. Trust a setting whose neighbours are about as good, not a single good cell \
    among bad ones; and look at what became of choices in time that they had not seen.";
const NO_FOLDS: &str = "This sweep has no walk-forward: add --folds 4, and the best setting of each part of the period \
    is tried on the part after it.";

/// The verdict, the map, what it is worth, the best settings, what was refused.
#[must_use]
pub fn sweep(report: &SweepReport) -> String {
    let ground = &report.ground;
    let span = format!(
        "{} to {} ({}, {}) · from {} of equity",
        instant(ground.from),
        instant(ground.to),
        count(ground.bars, "bar"),
        count(ground.symbols.len(), "coin"),
        crate::render::text::money(ground.equity)
    );
    let mut body = head("rebal sweep", &ground.heading, &span);
    body.push(said(&settings::verdict(report)));
    body.push(match heat(report) {
        Ok(maps) => section("Heat map", &all_maps(report, &maps)),
        Err(why) => tag("p", "meta", &[text(&why)]),
    });
    body.push(section("What the best of a sweep is worth", &worth(report)));
    if let Some(grid) = settings::runs(report).first() {
        let legend = settings::runs_legend(grid).map(|legend| tag("p", "foot", &[text(&legend.2)]));
        let inside: Vec<Html> = [table(grid, "")].into_iter().chain(legend).collect();
        body.push(section("The best settings", &inside));
    }
    body.push(section("Worth knowing", &[list(&settings::remarks(report))]));
    page(&format!("rebal sweep · {}", ground.heading.profile), &body)
}

/// Over-fitting, and the choices where there are any.
fn worth(report: &SweepReport) -> Vec<Html> {
    let mut inside = vec![tag("p", "", &[text(OVER_FITTING)])];
    let Some(walk) = &report.walk_forward else {
        inside.push(tag("p", "", &[text(NO_FOLDS)]));
        return inside;
    };
    inside.push(tag("p", "", &[text(&settings::decay(walk))]));
    if let Some(grid) = settings::steps(report, walk).first() {
        inside.push(table(grid, ""));
        inside.push(tag("p", "foot", &[text(&settings::legend(report, grid).2)]));
    }
    inside
}

/// What the cells are, the maps, and the scale that they share.
fn all_maps(report: &SweepReport, maps: &[Heat]) -> Vec<Html> {
    let Some(first) = maps.first() else { return Vec::new() };
    let written = first.across.1.len() <= MOST_WRITTEN;
    let sign = settings::sign(report.sort).map_or_else(String::new, |sign| format!(" {sign}"));
    let figure = settings::named_figure(report.sort);
    let third = first.of.as_ref().map_or_else(String::new, |(key, _)| format!("; each map is for one {key}"));
    let caption = format!("Each cell is the {figure} of one setting: {}{third}.{sign}", axes(first));
    let mut all = vec![tag("p", "", &[text(&caption)])];
    for map in maps {
        all.extend(map.of.as_ref().map(|(key, value)| tag("h3", "", &[text(&format!("{key} = {value}"))])));
        all.push(drawn(map, written));
    }
    all.push(legend(maps, written));
    all
}

fn axes(heat: &Heat) -> String {
    format!("{} goes down (↓), {} across (→)", heat.down.0, heat.across.0)
}

fn drawn(heat: &Heat, written: bool) -> Html {
    let column = |value: &String| element("th", &[("scope", "col")], &[text(value)]);
    let mut heads = vec![element("th", &[("scope", "col")], &[text("↓ →")])];
    heads.extend(heat.across.1.iter().map(column));
    let row = |(value, cells): (&String, &Vec<Cell>)| {
        let mut shown = vec![element("th", &[("scope", "row")], &[text(value)])];
        shown.extend(cells.iter().map(|one| cell(one, written)));
        tag("tr", "", &shown)
    };
    let rows: Vec<Html> = heat.down.1.iter().zip(&heat.cells).map(row).collect();
    let class = if written { "heat" } else { "heat tight" };
    let head = tag("thead", "", &[tag("tr", "", &heads)]);
    let about = heat.of.as_ref().map_or_else(String::new, |(key, value)| format!("{key} = {value}: "));
    // A cell is as wide as its figure, or as the sign that stands for it.
    let each = if written {
        heat.cells.iter().flatten().map(|cell| cell.shown.chars().count()).max()
    } else {
        Some(1)
    };
    let width = heat.across.1.iter().map(|value| value.chars().count().max(each.unwrap_or(0)));
    scrolls(&(about + &axes(heat)), width, tag("table", class, &[head, tag("tbody", "", &rows)]))
}

fn cell(cell: &Cell, written: bool) -> Html {
    let (word, sign) = cell.mark.said();
    let class = match (cell.step, cell.mark) {
        (Some(step), _) if cell.best => format!("h{step} best"),
        (Some(step), _) => format!("h{step}"),
        (None, Mark::Liquidated) => "lost".to_owned(),
        (None, _) => "none".to_owned(),
    };
    if !written {
        let whole = format!("{} {word}", cell.shown);
        let sign = if cell.best { format!("{BEST}{sign}") } else { sign.to_owned() };
        return element("td", &[("class", &class), ("title", whole.trim())], &[text(&sign)]);
    }
    let mut inside = vec![text(&cell.shown)];
    inside.extend(cell.best.then(|| tag("small", "", &[text(&format!("{BEST} best"))])));
    if !word.is_empty() {
        inside.push(tag("small", "", &[text(word)]));
    }
    tag("td", &class, &inside)
}

/// The scale from the worst to the best, and the signs.
fn legend(maps: &[Heat], written: bool) -> Html {
    let ends = maps.first().map(|map| map.ends.clone()).unwrap_or_default();
    let key = |step: usize| tag("span", &format!("swatch h{step}"), &[]);
    let mut inside = vec![text(&format!("worst {} ", ends.0))];
    inside.extend((0..STEPS).map(key));
    inside.push(text(&format!(" {} best", ends.1)));
    let cells = || maps.iter().flat_map(|map| map.cells.iter().flatten());
    let found = |mark: Mark| cells().any(|cell| cell.mark == mark);
    if !written {
        inside.push(text(&format!(" · {BEST} best")));
    }
    for mark in [Mark::Stopped, Mark::Resumed, Mark::Liquidated, Mark::Refused, Mark::Missing] {
        let (word, sign) = mark.said();
        if !written && found(mark) {
            inside.push(text(&format!(" · {sign} {word}")));
        }
    }
    if found(Mark::Resumed) {
        inside.push(text(" · resumed: the hard stop sold everything at least once, and trading went on"));
    }
    if found(Mark::Liquidated) {
        inside.push(text(" · hatched: liquidated, everything lost, outside of the scale"));
    }
    tag("p", "foot scale", &inside)
}
