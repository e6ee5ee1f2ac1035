//! Columns and wrapped lists for terminals: thin lines, nothing wider than the terminal.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, Table, TableStyle, Width,
};

use crate::render::Style;
use crate::render::paint::{Tone, paint};

/// How a column's cells are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A table before it is laid out: one tone per row, since colour is for meaning.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(crate) columns: Vec<(String, Align)>,
    pub(crate) rows: Vec<(Tone, Vec<String>)>,
    /// Blanks between columns.
    pub(crate) gap: u16,
}

impl Grid {
    /// Whether there is a column of this name.
    pub(crate) fn has(&self, head: &str) -> bool {
        self.columns.iter().any(|(name, _)| name == head)
    }

    /// What there is to say of the columns that are there, each of them a sentence: a text comes with the
    /// heads that it needs. `None` where there is nothing to say.
    pub(crate) fn explained(&self, texts: &[(&[&str], &str)]) -> Option<String> {
        let there = |heads: &[&str]| heads.iter().all(|head| self.has(head));
        let said: Vec<&str> = texts.iter().filter(|(heads, _)| there(heads)).map(|(_, text)| *text).collect();
        (!said.is_empty()).then(|| said.join(" "))
    }

    /// Whether every row can be shown whole.
    pub(crate) fn fits(&self, style: &Style) -> bool {
        self.natural_width() <= usize::from(style.width)
    }

    /// Characters of the widest cell of each column.
    pub(crate) fn widths(&self) -> Vec<usize> {
        self.table(None).column_max_content_widths().into_iter().map(usize::from).collect()
    }

    /// Columns from the widest row, blanks and all.
    fn natural_width(&self) -> usize {
        let widths = self.table(None).column_max_content_widths();
        let gaps = usize::from(self.gap) * widths.len().saturating_sub(1);
        widths.into_iter().map(usize::from).sum::<usize>() + gaps
    }

    /// One line per row under a head; cut with `…` where the terminal is too narrow even so.
    fn draw(&self, style: &Style) -> String {
        let table = self.table(Some(style.width));
        let mut text = String::new();
        for (index, line) in table.lines().enumerate() {
            // The head and its rule come first.
            let tone =
                index.checked_sub(2).and_then(|row| self.rows.get(row)).map_or(Tone::Plain, |row| row.0);
            text.push_str(&paint(line.trim_end(), tone, style));
            text.push('\n');
        }
        text
    }

    fn table(&self, width: Option<u16>) -> Table {
        let mut table = bare(width);
        table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')));
        table.set_header(one_line(self.columns.iter().map(|(head, _)| head.clone()).collect()));
        for (_, cells) in &self.rows {
            table.add_row(one_line(cells.clone()));
        }
        let last = self.columns.len().saturating_sub(1);
        for (index, (_, align)) in self.columns.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                column.set_padding((0, if index == last { 0 } else { self.gap }));
                column.set_cell_alignment(match align {
                    Align::Left => CellAlignment::Left,
                    Align::Right => CellAlignment::Right,
                });
            }
        }
        table
    }
}

/// Draws the first of `grids` that fits the terminal, or the last one cut to fit.
pub(crate) fn first_that_fits(grids: &[Grid], style: &Style) -> String {
    fitting(grids, style).map_or_else(String::new, |grid| grid.draw(style))
}

/// The one that [`first_that_fits`] draws: a legend is of its columns and no others.
pub(crate) fn fitting<'a>(grids: &'a [Grid], style: &Style) -> Option<&'a Grid> {
    grids.iter().find(|grid| grid.fits(style)).or(grids.last())
}

/// Labels on the left, text wrapped on the right.
pub(crate) fn list(items: &[(Tone, String, String)], style: &Style) -> String {
    let mut text = String::new();
    let widest = items.iter().map(|(_, label, _)| width_of(label)).max().unwrap_or(0).min(style.width / 3);
    for (tone, label, body) in items {
        let mut table = bare(Some(style.width));
        table.add_row([label, body]);
        if let Some(column) = table.column_mut(0) {
            column.set_padding((2, 2)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(widest + 4)));
        }
        if let Some(column) = table.column_mut(1) {
            column.set_padding((0, 0));
        }
        for line in table.lines() {
            text.push_str(&paint(line.trim_end(), *tone, style));
            text.push('\n');
        }
    }
    text
}

/// One paragraph, wrapped.
pub(crate) fn paragraph(tone: Tone, body: &str, style: &Style) -> String {
    let mut table = bare(Some(style.width));
    table.add_row([body]);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 0));
    }
    let lines: Vec<String> = table.lines().map(|line| paint(line.trim_end(), tone, style)).collect();
    lines.join("\n") + "\n"
}

/// Columns that a text takes up on a terminal.
pub(crate) fn width_of(text: &str) -> u16 {
    let mut table = bare(None);
    table.add_row([text]);
    table.column_max_content_widths().first().copied().unwrap_or(0)
}

/// `text` with blanks before it up to `width` columns.
pub(crate) fn right(text: &str, width: u16) -> String {
    " ".repeat(usize::from(width.saturating_sub(width_of(text)))) + text
}

fn bare(width: Option<u16>) -> Table {
    let mut table = Table::new();
    // What the terminal can do was decided elsewhere; the crate must not look for itself.
    table.force_no_tty().load_style(TableStyle::new()).set_truncation_indicator("…");
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table
}

fn one_line(cells: Vec<String>) -> Row {
    let mut row = Row::from(cells);
    row.max_height(1);
    row
}
