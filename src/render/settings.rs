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

/// Every choice and what became of it, widest first. Where there is less room, parts of the period go by their
/// first days, then all keys share a column, then the columns stand closer; what goes first is the part that was
/// chosen on, since it ends where the next one begins.
pub(crate) fn steps(report: &SweepReport, walk: &WalkForward) -> Vec<Grid> {
    let after = ["there", "after", "rank", "best after", "median", "order kept"];
    let close = ["there", "after", "rank", "best", "median", "order"];
    let table =
        |first: &[&str], keys: Keys, rest: &[&str], gap| choices(report, walk, first, keys, rest, gap);
    vec![
        table(&["chosen on", "tried on"], Keys::Apart, &after, 2),
        table(&["chosen from", "tried from"], Keys::Apart, &after, 2),
        table(&["chosen from", "tried from"], Keys::Together, &after, 2),
        table(&["chosen", "tried"], Keys::Together, &close, 1),
        table(&["tried"], Keys::Together, &close, 1),
        table(&["tried"], Keys::Together, &["there", "after", "rank"], 1),
    ]
}

/// Where the values of the keys stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// Each in a column of its own.
    Apart,
    /// All in one.
    Together,
}

fn choices(
    report: &SweepReport,
    walk: &WalkForward,
    first: &[&str],
    keys: Keys,
    rest: &[&str],
    gap: u16,
) -> Grid {
    let heads =
        |heads: &[&str]| heads.iter().map(|head| ((*head).to_owned(), Align::Right)).collect::<Vec<_>>();
    let settings = match keys {
        Keys::Apart => self::keys(report),
        Keys::Together => heads(&["setting"]),
    };
    let row = |step: &Step| {
        let cells = |heads: &[&str]| heads.iter().map(|head| choice(walk, step, head)).collect::<Vec<_>>();
        let values: Vec<String> = step.params.pairs().map(|(_, value)| clean(value)).collect();
        let values = match keys {
            Keys::Apart => values,
            Keys::Together => vec![values.join(", ")],
        };
        (Tone::Plain, [cells(first), values, cells(rest)].concat())
    };
    Grid {
        columns: [heads(first), settings, heads(rest)].concat(),
        rows: walk.steps.iter().map(row).collect(),
        gap,
    }
}

fn choice(walk: &WalkForward, step: &Step, head: &str) -> String {
    let figure = |rate| value(walk.figure, rate);
    match head {
        "chosen on" => days(&step.chosen_on),
        "tried on" => days(&step.tried_on),
        "chosen from" | "chosen" => day(step.chosen_on.from),
        "tried from" | "tried" => day(step.tried_on.from),
        "there" => figure(step.in_sample),
        "after" => figure(step.out_of_sample),
        "rank" => format!("{} of {}", step.rank, step.settings),
        "best after" | "best" => figure(step.best),
        "median" => figure(step.median),
        _ => step.rank_correlation.map_or("–".to_owned(), |rate| fixed(rate, 2)),
    }
}

/// What the columns of the choices mean: of those that there are.
pub(crate) fn legend(report: &SweepReport, grid: &Grid) -> Remark {
    let names: Vec<String> = keys(report).into_iter().map(|(head, _)| head).collect();
    let setting = format!("setting: {}.", names.join(", "));
    let order =
        "1 where all settings kept their order, 0 where nothing is left of it, -1 where it turned round.";
    let (kept, short) = (format!("order kept: {order}"), format!("order: how much of it was kept, {order}"));
    let text = grid.explained(&[
        (
            &["chosen", "tried"],
            "chosen, tried: the first day of the part that it was chosen on, and of the one after.",
        ),
        (&["setting"], &setting),
        (&["there", "after"], "there: where it was chosen. after: in the part after that."),
        (&["rank"], "rank: of the choice among all settings in the part after."),
        (&["best after"], "best after: of all settings there."),
        (&["best"], "best: of all settings there."),
        (&["median"], "median: the setting in the middle there."),
        (&["order kept"], &kept),
        (&["order"], &short),
    ]);
    (Tone::Faint, String::new(), text.unwrap_or_default())
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
        _ if figures.trades == 0 => "nothing bought".to_owned(),
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
    use crate::report::sweep::figures::tests::figures;
    use crate::report::sweep::figures::{Figure, Figures};
    use crate::report::sweep::tests::{grid, ground, ran};
    use crate::report::sweep::{Period, Ran, SweepReport};

    fn report() -> SweepReport {
        let day = |n: i64| Time::clamped(n * 86_400_000);
        let parts = [0, 1].map(|n| Period { from: day(n), to: day(n + 1) });
        let mut costly = ran(1, 130, &[110, 110]);
        if let Ok(results) = &mut costly.result {
            (results.whole.fees, results.whole.funding) = (Notional::new(35, 1), Notional::new(-2819, 2));
        }
        let mut stopped = ran(0, 110, &[120, 90]);
        if let Ok(results) = &mut stopped.result {
            (results.whole.stopped_at, results.whole.stops) = (Some(day(0)), 3);
        }
        let all = vec![
            stopped,
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
            "0.05 +10.00 % 110.00 0.00 % 1 0.00 0.00 0.00 – 3 stops, first 1970-01-01",
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

    /// A row of zeros is a setting that never bought anything, and is said to be.
    #[test]
    fn how_a_setting_ended_is_said() {
        let day = |n: i64| Some(Time::clamped(n * 86_400_000));
        let idle = figures(100, 0, 0);
        let stopped = Figures { stopped_at: day(1), stops: 1, to: day(1).unwrap(), ..figures(100, 0, 5) };
        let went_on = Figures { to: day(9).unwrap(), ..stopped.clone() };
        let again = Figures { stops: 3, ..went_on.clone() };
        let lost = Figures { liquidated_at: day(2), ..again.clone() };
        let all = [figures(100, 0, 5), idle, stopped, went_on, again, lost];
        let said = all.each_ref().map(super::end);
        let dated = [
            "stopped 1970-01-02",
            "1 stop, 1970-01-02",
            "3 stops, first 1970-01-02",
            "liquidated 1970-01-03",
        ];
        assert_eq!(said[..2], ["", "nothing bought"]);
        assert_eq!(said[2..], dated);
    }

    #[test]
    fn files_hold_every_setting() {
        let csv = shown(Format::Csv, 80);
        let head = "basket.threshold,return,final_equity,max_drawdown,trades,turnover,fees,funding,hold_twin_return,\
                    liquidated_at,stopped_at,refused,stops";
        let rows: Vec<&str> = csv.lines().collect();
        assert_eq!(
            rows[..3],
            [
                head,
                "0.1,0.3,130,0,1,0,3.5,-28.19,,,,,0",
                "0.05,0.1,110,0,1,0,0,0,,,1970-01-01T00:00:00.000Z,,3"
            ]
        );
        assert_eq!(rows[3], "30,,,,,,,,,,,basket.threshold = 30 (--sweep) is not <below> 1,");
        let markdown = shown(Format::Markdown, 80);
        assert!(
            markdown.contains("| 0.1 | +30.00 % | 130.00 |") && markdown.contains("&lt;below&gt;"),
            "{markdown}"
        );
    }

    /// Every figure of a choice is there at 120 columns and at 80, and nothing is explained that is not.
    #[test]
    fn choices_are_told_whole_where_there_is_room() {
        for (width, heads, legend) in [
            (
                200,
                "chosen on tried on threshold there after rank best after median order kept",
                "order kept: 1",
            ),
            (
                112,
                "chosen from tried from threshold there after rank best after median order kept",
                "order kept: 1",
            ),
            (80, "chosen tried setting there after rank best median order", "order: how much"),
            (60, "tried setting there after rank", "setting: threshold."),
        ] {
            let text = shown(Format::Table, width);
            let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.lines().any(|found| line(found) == heads), "{width}: {heads}\n{text}");
            let said = line(&text.replace('\n', " "));
            assert!(said.contains(legend), "{width}: {legend}\n{text}");
            assert_eq!(said.contains("median: "), heads.contains("median"), "{width}");
            assert_eq!(said.contains("order kept: "), heads.contains("order kept"), "{width}");
        }
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
