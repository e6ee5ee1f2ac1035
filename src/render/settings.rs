//! The settings of a sweep and what came of them, in words and columns.

use std::collections::BTreeMap;

use crate::domain::num::{Notional, Rate};
use crate::domain::time::Time;
use crate::render::earnings::with_sign;
use crate::render::grid::{Align, Grid};
use crate::render::paint::Tone;
use crate::render::remarks::Remark;
use crate::render::text::{clean, count, fixed, instant, percent};
use crate::render::trial::rules;
use crate::report::sweep::figures::{Figure, Figures};
use crate::report::sweep::walk::{Step, WalkForward};
use crate::report::sweep::{Params, Period, Run, SweepReport};

/// So many settings are shown to a person; files hold them all.
const SHOWN: usize = 20;
/// Which way costs are counted.
const PAID: &str =
    "fees and funding: paid is negative, received positive; in csv and json what was paid is positive.";
/// So many reasons of refusal are told.
const REASONS: usize = 5;

/// What was tried, and the best of it.
pub(crate) fn verdict(report: &SweepReport) -> (Tone, String) {
    let ground = &report.ground;
    let tried = format!(
        "{} over {}, {}, {} to {}",
        count(report.runs.len(), "setting"),
        count(ground.symbols.len(), "coin"),
        count(ground.bars, "bar"),
        instant(ground.from),
        instant(ground.to)
    );
    let Some(best) = report.runs.first() else { return (Tone::Bad, format!("{tried}: none could be run.")) };
    let figure = value(report.sort, report.sort.of(&best.figures));
    let best = format!("{}: {}", named(&best.params), figure);
    (Tone::Plain, format!("{tried}. Best {}: {best}.", said(report.sort)))
}

/// The best settings, widest first.
pub(crate) fn runs(report: &SweepReport) -> Vec<Grid> {
    let always = [Figure::Return, Figure::MaxDrawdown, Figure::Trades];
    let sorted = (!always.contains(&report.sort)).then_some(report.sort);
    let narrow: Vec<Figure> = sorted.into_iter().chain(always).collect();
    vec![grid(report, &Figure::ALL), grid(report, &narrow)]
}

fn grid(report: &SweepReport, figures: &[Figure]) -> Grid {
    let keys = keys(report).into_iter();
    let heads = figures.iter().map(|figure| (head(*figure).to_owned(), Align::Right));
    let columns = keys.chain(heads).chain([("end".to_owned(), Align::Left)]).collect();
    let row = |run: &Run| {
        let keys = run.params.pairs().map(|(_, value)| clean(value));
        let cells = figures.iter().map(|figure| value(*figure, figure.of(&run.figures)));
        (tone(&run.figures), keys.chain(cells).chain([end(&run.figures)]).collect())
    };
    Grid { columns, rows: report.runs.iter().take(SHOWN).map(row).collect(), gap: 2 }
}

/// How to read the columns of the settings: what there is to say of those that it has.
pub(crate) fn runs_legend(grid: &Grid) -> Option<Remark> {
    let costs = [Figure::Fees, Figure::Funding].iter().any(|figure| grid.has(head(*figure)));
    let held = "held: the first purchases, never touched again; at most everything is lost.";
    let texts = [costs.then_some(PAID), grid.has(head(Figure::HoldTwinReturn)).then_some(held)];
    let text = texts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return None;
    }
    Some((Tone::Faint, "columns".to_owned(), text))
}

/// Which way a figure is counted, where that is not plain.
pub(crate) fn sign(figure: Figure) -> Option<&'static str> {
    matches!(figure, Figure::Fees | Figure::Funding).then_some(PAID)
}

/// What is not shown, what was refused, and what made no difference.
pub(crate) fn remarks(report: &SweepReport) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = Vec::new();
    for key in &report.without_effect {
        let text = format!(
            "{} makes no difference here: every figure is the same for each of its values",
            clean(key)
        );
        remarks.push((Tone::Attention, "no effect".to_owned(), text));
    }
    let mut reasons: BTreeMap<&str, (usize, &Params)> = BTreeMap::new();
    for refused in &report.refused {
        reasons.entry(&refused.reason).or_insert((0, &refused.params)).0 += 1;
    }
    let hidden = reasons.len().saturating_sub(REASONS);
    for (reason, (times, params)) in reasons.into_iter().take(REASONS) {
        let text = format!("{}, such as {}: {}", count(times, "setting"), named(params), clean(reason));
        remarks.push((Tone::Attention, "refused".to_owned(), text));
    }
    if hidden > 0 {
        let text = format!("for {hidden} more reasons: --format json has them all");
        remarks.push((Tone::Attention, "refused".to_owned(), text));
    }
    let more = report.runs.len().saturating_sub(SHOWN);
    if more > 0 {
        let text = format!("{}: --format csv and --format json have them all", count(more, "setting"));
        remarks.push((Tone::Plain, "more".to_owned(), text));
    }
    let rules = rules(&report.ground.rules, report.ground.maintenance.as_ref());
    remarks.push((Tone::Plain, "rules".to_owned(), rules));
    remarks
}

/// What became of the choices, in one sentence.
pub(crate) fn decay(walk: &WalkForward) -> String {
    let figure = |rate| value(walk.figure, rate);
    format!(
        "The best setting of one part came to {} there and to {} in the part after it; a blind choice comes to {} (means of {}).",
        figure(walk.in_sample),
        figure(walk.out_of_sample),
        figure(walk.median),
        count(walk.steps.len(), "choice")
    )
}

/// Every choice and what became of it, widest first.
pub(crate) fn steps(report: &SweepReport, walk: &WalkForward) -> Vec<Grid> {
    let keys = || keys(report);
    let column = |head: &str| (head.to_owned(), Align::Right);
    let figure = |rate| value(walk.figure, rate);
    let rank = |step: &Step| format!("{} of {}", step.rank, step.settings);
    let order = |step: &Step| step.rank_correlation.map_or("–".to_owned(), |rate| fixed(rate, 2));
    let full = |step: &Step| {
        let mut cells = vec![days(&step.chosen_on), days(&step.tried_on)];
        cells.extend(step.params.pairs().map(|(_, value)| clean(value)));
        cells.extend([step.in_sample, step.out_of_sample].map(figure));
        cells.push(rank(step));
        cells.extend([step.best, step.median].map(figure));
        cells.push(order(step));
        (Tone::Plain, cells)
    };
    let narrow = |step: &Step| {
        let mut cells = vec![day(step.tried_on.from)];
        cells.extend(step.params.pairs().map(|(_, value)| clean(value)));
        cells.extend([step.in_sample, step.out_of_sample].map(figure));
        cells.push(rank(step));
        (Tone::Plain, cells)
    };
    let heads = |first: &[&str], last: &[&str]| {
        first
            .iter()
            .map(|head| column(head))
            .chain(keys())
            .chain(last.iter().map(|head| column(head)))
            .collect()
    };
    vec![
        Grid {
            columns: heads(
                &["chosen on", "tried on"],
                &["there", "after", "rank", "best after", "median", "order kept"],
            ),
            rows: walk.steps.iter().map(full).collect(),
            gap: 2,
        },
        Grid {
            columns: heads(&["tried from"], &["there", "after", "rank"]),
            rows: walk.steps.iter().map(narrow).collect(),
            gap: 2,
        },
    ]
}

/// What the columns of the choices mean.
pub(crate) fn legend() -> Remark {
    let text = "rank: of the choice among all settings in the part after. median: the setting in the middle there. \
                order kept: 1 where all settings kept their order, 0 where nothing is left of it, -1 where it turned \
                round";
    (Tone::Faint, String::new(), text.to_owned())
}

/// `basket.threshold = 0.05, basket.size = 20`.
fn named(params: &Params) -> String {
    params
        .pairs()
        .map(|(key, value)| format!("{} = {}", clean(key), clean(value)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A column for each key, headed by its last part where no other key ends alike.
pub(crate) fn keys(report: &SweepReport) -> Vec<(String, Align)> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let alike = |key: &str| report.grid.axes().iter().filter(|axis| last(&axis.key) == last(key)).count();
    let head = |key: &str| clean(&if alike(key) > 1 { key.to_owned() } else { last(key) });
    report.grid.axes().iter().map(|axis| (head(&axis.key), Align::Right)).collect()
}

fn head(figure: Figure) -> &'static str {
    match figure {
        Figure::Return => "return",
        Figure::FinalEquity => "equity",
        Figure::MaxDrawdown => "drawdown",
        Figure::Trades => "trades",
        Figure::Turnover => "turnover",
        Figure::Fees => "fees",
        Figure::Funding => "funding",
        Figure::HoldTwinReturn => "held",
    }
}

/// A figure by its name.
pub(crate) fn named_figure(figure: Figure) -> &'static str {
    match figure {
        Figure::Return => "return",
        Figure::FinalEquity => "equity at the end",
        Figure::MaxDrawdown => "deepest drawdown",
        Figure::Trades => "number of trades",
        Figure::Turnover => "turnover",
        Figure::Fees => "sum of fees",
        Figure::Funding => "funding",
        Figure::HoldTwinReturn => "return of holding",
    }
}

pub(crate) fn said(figure: Figure) -> &'static str {
    match figure {
        Figure::Return => "by return",
        Figure::FinalEquity => "by equity at the end",
        Figure::MaxDrawdown => "by smallest drawdown",
        Figure::Trades => "by fewest trades",
        Figure::Turnover => "by least turnover",
        Figure::Fees => "by least fees paid",
        Figure::Funding => "by least funding paid",
        Figure::HoldTwinReturn => "by what holding had earned",
    }
}

pub(crate) fn value(figure: Figure, rate: Option<Rate>) -> String {
    let Some(rate) = rate else { return "–".to_owned() };
    match figure {
        Figure::Return | Figure::HoldTwinReturn => percent(rate),
        // A loss has no sign of its own.
        Figure::MaxDrawdown => format!("{:.2} %", rate * Rate::from(100)),
        Figure::Trades => rate.rounded(1).to_string(),
        Figure::FinalEquity | Figure::Turnover => fixed(rate, 2),
        // As everywhere a person reads it: what it did to the account. Files hold what was paid.
        Figure::Fees | Figure::Funding => with_sign(Notional::ONE * -rate, 2),
    }
}

fn tone(figures: &Figures) -> Tone {
    match (figures.liquidated_at, figures.stopped_at) {
        (Some(_), _) => Tone::Bad,
        (_, Some(_)) => Tone::Attention,
        _ => Tone::Plain,
    }
}

fn end(figures: &Figures) -> String {
    match (figures.liquidated_at, figures.stopped_at) {
        (Some(at), _) => format!("liquidated {}", day(at)),
        (_, Some(at)) if figures.went_on() => match figures.stops {
            0 | 1 => format!("1 stop, {}", day(at)),
            stops => format!("{stops} stops, first {}", day(at)),
        },
        (_, Some(at)) => format!("stopped {}", day(at)),
        _ => String::new(),
    }
}

fn day(at: Time) -> String {
    at.to_string().get(..10).unwrap_or_default().to_owned()
}

fn days(period: &Period) -> String {
    format!("{} – {}", day(period.from), day(period.to))
}

#[cfg(test)]
mod tests {
    use crate::domain::num::Notional;
    use crate::domain::time::Time;
    use crate::render::{Format, Style, sweep};
    use crate::report::sweep::figures::Figure;
    use crate::report::sweep::tests::{grid, ground, ran};
    use crate::report::sweep::{Period, Ran, SweepReport};

    fn report() -> SweepReport {
        let day = |n: i64| Time::clamped(n * 86_400_000);
        let parts = [0, 1].map(|n| Period { from: day(n), to: day(n + 1) });
        let mut costly = ran(1, 130, &[110, 110]);
        if let Ok(results) = &mut costly.result {
            (results.whole.fees, results.whole.funding) = (Notional::new(35, 1), Notional::new(-2819, 2));
        }
        let all = vec![
            ran(0, 110, &[120, 90]),
            costly,
            Ran { point: 2, result: Err("basket.threshold = 30 (--sweep) is not <below> 1".into()) },
        ];
        let grid = grid(&["basket.threshold=0.05,0.1,30"]);
        SweepReport::new(ground(), grid, &parts, all, Figure::Return, 1.0)
    }

    fn shown(format: Format, width: u16) -> String {
        sweep(&report(), format, &Style { width, ..Style::default() })
    }

    #[test]
    fn a_person_sees_the_best_the_choices_and_what_was_refused() {
        let text = shown(Format::Table, 130);
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for expected in [
            "2 settings over 0 coins, 10 bars, 1970-01-01 00:00:00 UTC to 1970-01-01 00:00:00 UTC. Best by return:",
            "threshold return equity drawdown trades turnover fees funding held end",
            "0.1 +30.00 % 130.00 0.00 % 1 0.00 -3.50 +28.19 –",
            "columns fees and funding: paid is negative, received positive; in csv and json",
            "The best setting of one part came to +20.00 % there and to -10.00 % in the part after it; a blind choice comes",
            "1970-01-01 – 1970-01-02 1970-01-02 – 1970-01-03 0.05 +20.00 % -10.00 % 2 of 2 +10.00 % +0.00 % -1.00",
            "refused 1 setting, such as basket.threshold = 30: basket.threshold = 30 (--sweep) is not <below> 1",
        ] {
            assert!(lines.iter().any(|line| line.starts_with(expected)), "{expected}\n{text}");
        }
        for width in [40, 60, 80] {
            let narrow = shown(Format::Table, width);
            assert!(narrow.lines().all(|line| line.chars().count() <= usize::from(width)), "{narrow}");
        }
    }

    #[test]
    fn files_hold_every_setting() {
        let csv = shown(Format::Csv, 80);
        let head = "basket.threshold,return,final_equity,max_drawdown,trades,turnover,fees,funding,hold_twin_return,\
                    liquidated_at,stopped_at,refused";
        let rows: Vec<&str> = csv.lines().collect();
        assert_eq!(rows[..3], [head, "0.1,0.3,130,0,1,0,3.5,-28.19,,,,", "0.05,0.1,110,0,1,0,0,0,,,,"]);
        assert_eq!(rows[3], "30,,,,,,,,,,,basket.threshold = 30 (--sweep) is not <below> 1");
        let markdown = shown(Format::Markdown, 80);
        assert!(
            markdown.contains("| 0.1 | +30.00 % | 130.00 |") && markdown.contains("&lt;below&gt;"),
            "{markdown}"
        );
    }

    /// What a page colours is the sign that a person reads: what came in is a gain, whatever files call it.
    #[test]
    fn received_funding_is_a_gain_on_the_page_of_a_sweep() {
        let page = sweep(&report(), Format::Html, &Style::default());
        for cell in ["<td class=\"right gain\">+28.19</td>", "<td class=\"right loss\">-3.50</td>"] {
            assert!(page.contains(cell), "{cell}\n{page}");
        }
        assert!(!shown(Format::Table, 60).contains("paid is negative"), "no such column, no such legend");
    }
}
