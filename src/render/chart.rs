//! Curves, bars, columns and maps as pictures that take their colours and letters from the page.
//!
//! Drawn by `plotters` as SVG at twice the size that the page gives them, since it counts in whole
//! pixels. Its colours are stand-ins that become the page's CSS variables, so that one picture serves
//! light, dark and paper. Ticks are ours: the crate's own never end on some ranges.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::{
    Cartesian2d, ChartBuilder, ChartContext, Circle, Color, DrawingArea, IntoDrawingArea, IntoFont,
    LabelAreaPosition, PathElement, Polygon, RGBColor, Rectangle, SVGBackend, ShapeStyle, TRANSPARENT, Text,
    TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::domain::time::Time;
use crate::render::grid::width_of;

/// Pixels of the drawing, two of them to one of the page.
const WIDTH: u32 = 960;
/// What the crate calls 34.72 is 28 in SVG.
const LETTERS: f64 = 34.72;
/// Columns of a coin's name beside a bar.
const NAME_COLUMNS: u16 = 14;
const DAY_MS: f64 = 86_400_000.0;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What a stroke means; the page's style gives it a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// The account.
    Main,
    /// Above: profit, received, to be sold.
    Gain,
    /// Below: loss, paid, to be bought.
    Loss,
    /// What the account is compared with.
    Other,
    /// Letters and axes.
    Text,
    /// Lines behind everything.
    Grid,
}

impl Ink {
    /// Every ink.
    pub(crate) const ALL: [Ink; 6] = [Ink::Main, Ink::Gain, Ink::Loss, Ink::Other, Ink::Text, Ink::Grid];

    /// Its name in the style.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Ink::Main => "main",
            Ink::Gain => "gain",
            Ink::Loss => "loss",
            Ink::Other => "other",
            Ink::Text => "text",
            Ink::Grid => "grid",
        }
    }

    /// A colour that no picture has, standing in for the page's.
    fn stand_in(self) -> RGBColor {
        RGBColor(0xfa, 0xce, self as u8)
    }

    /// Profit or loss.
    pub(crate) fn of(value: f64) -> Ink {
        if value < 0.0 { Ink::Loss } else { Ink::Gain }
    }
}

/// A line over time.
#[derive(Clone, Debug)]
pub(crate) struct Curve<'a> {
    /// When and how much; in order.
    pub(crate) points: Vec<(Time, f64)>,
    /// Of the values.
    pub(crate) unit: &'a str,
    /// The line and what is between it and zero.
    pub(crate) ink: Ink,
    /// Whether what is between the line and zero is filled.
    pub(crate) filled: bool,
    /// What the scale shows even where the line does not go there.
    pub(crate) shows: Vec<f64>,
    /// Levels to compare with.
    pub(crate) levels: Vec<(f64, Ink)>,
}

/// One bar and what is written at its end.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// Who.
    pub(crate) name: String,
    /// How much.
    pub(crate) value: f64,
    /// The same for people.
    pub(crate) shown: String,
    /// Its colour.
    pub(crate) ink: Ink,
}

/// From when to when, and how much.
pub(crate) type Stretches = Vec<(Time, Time, f64)>;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plot<'b, 's> = ChartContext<'b, SVGBackend<'s>, Cartesian2d<Scale, Scale>>;
/// Drawing into a text cannot fail; the crate's errors carry nothing to tell.
type Drawn = Option<()>;

/// The line; `None` where it has no point.
pub(crate) fn curve(curve: &Curve<'_>) -> Option<String> {
    let points: Vec<(f64, f64)> = curve
        .points
        .iter()
        .map(|(at, value)| (ms(*at), *value))
        .filter(|(_, value)| value.is_finite())
        .collect();
    let values = points.iter().map(|point| point.1);
    let y = Scale::over(
        values.chain(curve.levels.iter().map(|level| level.0)).chain(curve.shows.iter().copied()),
        5,
    )?;
    let x = Scale::of_time(points.iter().map(|point| point.0))?;
    picture(480, |area| {
        let mut plot = plot(area, &x, &y, left(&y), &|at| x.time(*at), &|value| y.number(*value))?;
        unit(area, curve.unit)?;
        let ink = curve.ink.stand_in();
        if curve.filled {
            let ends = [points.last()?.0, points.first()?.0].map(|at| (at, 0.0));
            let outline: Vec<(f64, f64)> = points.iter().copied().chain(ends).collect();
            plot.draw_series([Polygon::new(outline, ink.mix(0.22))]).ok()?;
        }
        for (level, ink) in &curve.levels {
            let (from, to) = x.range;
            let style = ShapeStyle { color: ink.stand_in().to_rgba(), filled: false, stroke_width: 2 };
            plot.draw_series([PathElement::new(vec![(from, *level), (to, *level)], style)]).ok()?;
        }
        let style = ShapeStyle { color: ink.to_rgba(), filled: true, stroke_width: 3 };
        plot.draw_series([PathElement::new(points.clone(), style)]).ok()?;
        // One reading makes no line, and the last one is where the reader looks.
        plot.draw_series([Circle::new(*points.last()?, 7, style)]).ok().map(drop)
    })
}

/// Bars from zero to the left and right, one below the other; `None` where there are none.
pub(crate) fn bars(bars: &[Bar], unit_of: &str) -> Option<String> {
    let values: Vec<f64> = bars.iter().map(|bar| bar.value).filter(|value| value.is_finite()).collect();
    if values.is_empty() {
        return None;
    }
    let mut x = Scale::over(values.iter().copied().chain([0.0]), 4)?;
    let letters = bars.iter().map(|bar| text_width(&bar.shown)).max().unwrap_or(0);
    let names: Vec<String> = bars.iter().map(|bar| short(&bar.name)).collect();
    let label = names.iter().map(|name| text_width(name)).max().unwrap_or(0) + 24;
    // What is written goes to the right of its bar, and of zero where the bar goes to the left.
    x.widen(f64::from(letters + 16) / f64::from(WIDTH.saturating_sub(label + 56).max(200)));
    let y = Scale::rows(bars.len());
    picture(rows_high(bars.len()), |area| {
        let name = |row: &f64| names.get(row.floor() as usize).cloned().unwrap_or_default();
        let mut plot = plot(area, &x, &y, label, &|value| x.number(*value), &name)?;
        unit(area, unit_of)?;
        for (row, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.value.is_finite()) {
            let (top, ink) = (row as f64, bar.ink.stand_in());
            let corners = [(bar.value.min(0.0), top + 0.18), (bar.value.max(0.0), top + 0.82)];
            plot.draw_series([Rectangle::new(corners, ink.filled())]).ok()?;
            let at = plot.backend_coord(&(bar.value.max(0.0), top + 0.5));
            let style = letters_at(HPos::Left, VPos::Center);
            area.draw(&Text::new(bar.shown.clone(), (at.0 + 8, at.1), style)).ok()?;
        }
        let zero = PathElement::new(vec![(0.0, 0.0), (0.0, y.range.0)], Ink::Text.stand_in());
        plot.draw_series([zero]).ok().map(drop)
    })
}

/// A column per day; `None` where there is no day.
pub(crate) fn columns(
    days: &[(Time, f64)],
    between: (Time, Time),
    unit_of: &str,
    ink: Ink,
) -> Option<String> {
    let days: Vec<(f64, f64)> =
        days.iter().map(|(day, value)| (ms(*day), *value)).filter(|(_, value)| value.is_finite()).collect();
    if days.is_empty() {
        return None;
    }
    let y = Scale::over(days.iter().map(|day| day.1).chain([0.0]), 4)?;
    let ends = [ms(between.0), ms(between.1)].map(|at| (at / DAY_MS).floor() * DAY_MS);
    let all = days.iter().map(|day| day.0).chain(ends).flat_map(|day| [day, day + DAY_MS]);
    let mut x = Scale::of_time(all)?;
    if x.step >= DAY_MS {
        // The date stands under its column, not under midnight.
        x.ticks.iter_mut().for_each(|tick| *tick += DAY_MS / 2.0);
        x.ticks.retain(|tick| *tick < x.range.1);
    }
    picture(340, |area| {
        let mut plot = plot(area, &x, &y, left(&y), &|at| x.time(*at), &|value| y.number(*value))?;
        unit(area, unit_of)?;
        let column = |(day, value): &(f64, f64)| {
            let corners = [(day + 0.15 * DAY_MS, 0.0), (day + 0.85 * DAY_MS, *value)];
            Rectangle::new(corners, ink.stand_in().filled())
        };
        plot.draw_series(days.iter().map(column)).ok().map(drop)
    })
}

/// One row per name, coloured where its value is above or below zero, fully at `full`; `None` where
/// there is nothing to show.
pub(crate) fn map(rows: &[(String, Stretches)], full: f64) -> Option<String> {
    let spans = rows.iter().flat_map(|row| &row.1).flat_map(|cell| [ms(cell.0), ms(cell.1)]);
    let x = Scale::of_time(spans)?;
    let names: Vec<String> = rows.iter().map(|row| short(&row.0)).collect();
    let label = names.iter().map(|name| text_width(name)).max().unwrap_or(0) + 24;
    let y = Scale::rows(rows.len());
    picture(rows_high(rows.len()), |area| {
        let name = |row: &f64| names.get(row.floor() as usize).cloned().unwrap_or_default();
        let mut plot = plot(area, &x, &y, label, &|at| x.time(*at), &name)?;
        unit(area, "UTC")?;
        for (row, (_, cells)) in rows.iter().enumerate() {
            let cell = |(from, to, value): &(Time, Time, f64)| {
                // Tenths, so that neighbours of one colour become one rectangle.
                let depth = (value.abs() / full * 10.0).ceil().clamp(1.0, 10.0) / 10.0;
                let corners = [(ms(*from), row as f64 + 0.06), (ms(*to), row as f64 + 0.94)];
                Rectangle::new(corners, Ink::of(*value).stand_in().mix(depth).filled())
            };
            let seen = cells.iter().filter(|cell| cell.2.is_finite() && cell.2 != 0.0);
            plot.draw_series(seen.map(cell)).ok()?;
        }
        Some(())
    })
}

/// The SVG's content between its tags, with its viewBox.
fn picture(height: u32, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Option<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        draw(&area)?;
        area.present().ok()?;
    }
    let (_, inside) = text.split_once('>')?;
    let mut inside = inside.trim().strip_suffix("</svg>")?.to_owned();
    for ink in Ink::ALL {
        let RGBColor(red, green, blue) = ink.stand_in();
        inside = inside
            .replace(&format!("\"#{red:02X}{green:02X}{blue:02X}\""), &format!("\"var(--{})\"", ink.name()));
    }
    for said_by_the_page in [" font-family=\"sans-serif\"", " opacity=\"1\"", " stroke=\"none\""] {
        inside = inside.replace(said_by_the_page, "");
    }
    Some(format!(
        "viewBox=\"0 0 {WIDTH} {height}\">{}",
        inside.replace(">\n", ">").replace("\n</text>", "</text>")
    ))
}

/// The axes, empty.
fn plot<'b, 's>(
    area: &'b Area<'s>,
    x: &Scale,
    y: &Scale,
    label: u32,
    x_label: &dyn Fn(&f64) -> String,
    y_label: &dyn Fn(&f64) -> String,
) -> Option<Plot<'b, 's>> {
    let mut plot = ChartBuilder::on(area)
        .margin_top(60)
        .margin_right(48)
        .margin_left(8)
        .margin_bottom(8)
        .set_label_area_size(LabelAreaPosition::Left, label)
        .set_label_area_size(LabelAreaPosition::Bottom, 48)
        .build_cartesian_2d(x.clone(), y.clone())
        .ok()?;
    let mut mesh = plot.configure_mesh();
    mesh.bold_line_style(Ink::Grid.stand_in())
        .light_line_style(TRANSPARENT)
        .axis_style(Ink::Grid.stand_in())
        .label_style(letters())
        .x_label_formatter(x_label)
        .y_label_formatter(y_label);
    if y.rows {
        mesh.disable_y_mesh();
    } else {
        mesh.disable_x_mesh();
    }
    mesh.draw().ok()?;
    Some(plot)
}

/// What the scale counts, above its axis.
fn unit(area: &Area<'_>, unit: &str) -> Drawn {
    area.draw(&Text::new(short(unit), (8, 4), letters_at(HPos::Left, VPos::Top))).ok()
}

fn letters() -> TextStyle<'static> {
    ("sans-serif", LETTERS).into_font().color(&Ink::Text.stand_in())
}

fn letters_at(h_pos: HPos, v_pos: VPos) -> TextStyle<'static> {
    letters().pos(Pos::new(h_pos, v_pos))
}

/// Pixels for the numbers left of an axis.
fn left(y: &Scale) -> u32 {
    y.ticks.iter().map(|tick| text_width(&y.number(*tick))).max().unwrap_or(0).min(WIDTH / 3) + 20
}

/// Pixels of a text in a usual font; nobody knows which one the reader has, so rather too many.
fn text_width(text: &str) -> u32 {
    let width = |letter: char| match letter {
        'W' | 'M' | 'm' | 'w' | '%' => 28,
        'A'..='Z' => 21,
        '.' | ',' | ' ' | '(' | ')' | 'i' | 'l' => 12,
        '!'..='~' => 18,
        wide => 20 * u32::from(width_of(wide.encode_utf8(&mut [0; 4]))),
    };
    text.chars().map(width).sum()
}

fn rows_high(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX).saturating_mul(44).saturating_add(112)
}

/// A name that leaves room for its bar.
fn short(name: &str) -> String {
    if width_of(name) <= NAME_COLUMNS {
        return name.to_owned();
    }
    let mut kept = String::new();
    for letter in name.chars() {
        if width_of(&kept) + width_of(letter.encode_utf8(&mut [0; 4])) >= NAME_COLUMNS {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}

fn ms(at: Time) -> f64 {
    at.ms() as f64
}

/// A range with its ticks.
#[derive(Clone, Debug)]
struct Scale {
    /// Where it begins and ends; never the same.
    range: (f64, f64),
    ticks: Vec<f64>,
    step: f64,
    /// Names instead of numbers, from top to bottom.
    rows: bool,
}

impl Scale {
    /// Over all finite values, ending on ticks; `None` where there are none.
    fn over(values: impl Iterator<Item = f64>, intervals: u32) -> Option<Scale> {
        let (low, high) = ends(values)?;
        // What never moved gets a scale around it, or the range would be empty.
        let least = low.abs().max(high.abs()) * 1e-9;
        let (low, high) = match high - low {
            span if span > least => (low, high),
            _ if high == 0.0 => (0.0, 1.0),
            _ => (low - low.abs() * 0.01, high + high.abs() * 0.01),
        };
        let rough = (high - low) / f64::from(intervals);
        let unit = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|part| part * unit).into_iter().find(|step| *step >= rough)?;
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Some(Scale { range: (low, high), ticks: ticks(low, high, step), step, rows: false })
    }

    /// Over instants in milliseconds, with ticks on whole hours and days.
    fn of_time(values: impl Iterator<Item = f64>) -> Option<Scale> {
        const MINUTE: f64 = 60_000.0;
        let (low, high) = ends(values)?;
        let (low, high) = if high > low { (low, high) } else { (low - 60.0 * MINUTE, high + 60.0 * MINUTE) };
        let minutes = [1, 5, 10, 30, 60, 120, 180, 360, 720].map(|minutes| f64::from(minutes) * MINUTE);
        let days = [1, 2, 4, 7, 14, 28, 56, 91, 182, 364, 728, 1820].map(|days| f64::from(days) * DAY_MS);
        let enough = |step: &f64| (high - low) / step <= 6.0;
        let step = minutes.into_iter().chain(days).find(enough).unwrap_or((high - low) / 5.0);
        // A label under the very corner would run into the other axis' lowest one.
        let first = ((low + (high - low) * 0.03) / step).ceil() * step;
        Some(Scale { range: (low, high), ticks: ticks(first, high, step), step, rows: false })
    }

    fn rows(count: usize) -> Scale {
        let ticks = (0..count).map(|row| row as f64 + 0.5).collect();
        Scale { range: (count as f64, 0.0), ticks, step: 1.0, rows: true }
    }

    /// Makes room on the right for writing that takes this part of the whole.
    fn widen(&mut self, part: f64) {
        let part = part.clamp(0.0, 0.6);
        let (low, high) = self.range;
        self.range.1 = (high - part * low) / (1.0 - part);
    }

    /// A tick as a number, in thousands or more where it is large.
    fn number(&self, value: f64) -> String {
        let largest = self.range.0.abs().max(self.range.1.abs());
        let (unit, name) = match largest {
            _ if largest >= 1e9 => (1e9, " B"),
            _ if largest >= 1e6 => (1e6, " M"),
            _ if largest >= 1e5 => (1e3, " k"),
            _ => (1.0, ""),
        };
        // Zero is reached by adding steps, and may come out as a little less.
        let value = if value.abs() < self.step / 1e6 { 0.0 } else { value };
        let digits = (-(self.step / unit).log10().floor()).clamp(0.0, 12.0) as usize;
        format!("{:.digits$}{name}", value / unit)
    }

    /// A tick as a time of day or a date, whatever tells it from its neighbours.
    fn time(&self, at: f64) -> String {
        let text = Time::clamped(at as i64).to_string();
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
        let month = month.copied().unwrap_or_default();
        match self.step {
            step if step < DAY_MS && at % DAY_MS != 0.0 => part(11, 16).to_owned(),
            step if step < 91.0 * DAY_MS => format!("{} {month}", part(8, 10).trim_start_matches('0')),
            _ => format!("{month} {}", part(0, 4)),
        }
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (low, high) = self.range;
        let share = (value - low) / (high - low);
        limit.0 + (f64::from(limit.1 - limit.0) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.0..self.range.1
    }
}

fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let wider = |ends: Option<(f64, f64)>, value: f64| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    };
    values.filter(|value| value.is_finite()).fold(None, wider)
}

fn ticks(first: f64, last: f64, step: f64) -> Vec<f64> {
    // A guard against steps too small for their numbers: no axis has room for more.
    let count = ((last - first) / step + 1e-6).floor().clamp(0.0, 20.0) as u32;
    (0..=count)
        .map(|index| first + f64::from(index) * step)
        .filter(|tick| *tick <= last + step * 1e-6)
        .collect()
}
