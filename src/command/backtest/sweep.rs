//! `rebal backtest --sweep`: every combination of settings over the same prices, on all cores.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::backtest::sweep::{Grid, Shard};
use crate::backtest::{Market, run as walk, sweep};
use crate::command::context::Context;
use crate::command::{settings, signals};
use crate::config::sections::Config;
use crate::config::vary::{Value, Varied};
use crate::domain::symbol::Symbol;
use crate::domain::time::show_span;
use crate::error::{CommandError, Kind};
use crate::parallel;
use crate::render::{self, Format};
use crate::report::backtest::assumed::Maintenance;
use crate::report::sweep::figures::Figures;
use crate::report::sweep::part::{Header, SCHEMA};
use crate::report::sweep::{Ground, Period, Ran, Results, SweepReport};
use crate::ui::Progress;

use super::load::{self, Recorded};
use super::{Args, interval, symbols, terms};

/// So many runs are not begun before it was said how long they take.
const MANY: u64 = 1_000_000;
/// More runs than one process keeps the figures of.
const MOST: u64 = 100_000_000;
/// Runs that an estimate is made from, evenly spread over the grid.
const SAMPLED: u64 = 16;

pub(super) async fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    if args.shard.is_some() && !matches!(context.format, Format::Table | Format::Json) {
        return Err(refuse("a part of a sweep comes as JSON lines", "leave --format to --merge"));
    }
    let task = Task::new(context, args)?;
    let recorded = load::read(context, args)?;
    let market = load::period(context, &recorded, args)?;
    interval::tell(context, args, &market, task.sweeps_interval());
    let parts = args.folds.map_or(Ok(Vec::new()), |folds| folds_of(&market, folds))?;
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    task.announce(context, &market, shard, parts.len())?;
    let mut header = header(context, &task, &market, &recorded.origin)?;
    let begun = Instant::now();
    let ran = run_all(context, task, recorded, market, parts.clone(), shard).await?;
    let elapsed_s = begun.elapsed().as_secs_f64();
    context.ui.detail(&format!("{} settings in {elapsed_s:.3} s", ran.len()));
    if args.shard.is_some() {
        header = Header { parts, shard, elapsed_s: format!("{elapsed_s:.3}"), ..header };
        context.show(&render::json::part(&header, &ran))?;
        return Ok(0);
    }
    let (sort, grid) = (args.sort.unwrap_or_default(), Arc::new(header.grid));
    show(context, &SweepReport::new(header.ground, grid, &parts, ran, sort, elapsed_s))
}

/// What a sweep says of itself before it is run.
fn header(context: &Context, task: &Task, market: &Market, rules: &str) -> Result<Header, CommandError> {
    let to = market.closes_at(market.bars().saturating_sub(1));
    let ground = Ground {
        heading: context.heading(to),
        from: market.opens.first().copied().unwrap_or_default(),
        to,
        bars: market.bars(),
        symbols: market.contracts.iter().map(|contract| contract.rules.symbol.clone()).collect(),
        equity: task.args.equity,
        rules: rules.to_owned(),
        maintenance: Maintenance::of(market),
    };
    // A whole sweep is not compared with anything.
    let data = task.args.shard.map_or(0, |_| market.fingerprint());
    Ok(Header {
        schema: SCHEMA.to_owned(),
        ground,
        grid: Grid::clone(&task.grid),
        parts: Vec::new(),
        shard: Shard::WHOLE,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: task.fingerprint()?,
        data: format!("{data:016x}"),
        elapsed_s: String::new(),
    })
}

/// Shows a sweep; one of which nothing could be run is a wrong one.
pub(super) fn show(context: &Context, report: &SweepReport) -> Result<u8, CommandError> {
    if report.runs.is_empty() {
        let reason = report.refused.first().map_or("", |refused| &refused.reason);
        return Err(refuse(format!("no setting could be run: {reason}"), "see `rebal backtest --help`"));
    }
    context.show(&render::sweep(report, context.format, &context.style))?;
    Ok(0)
}

fn refuse(message: impl Into<String>, hint: impl Into<String>) -> CommandError {
    CommandError::new(Kind::Config, message, hint)
}

fn folds_of(market: &Market, folds: usize) -> Result<Vec<Period>, CommandError> {
    if folds == 0 {
        return Err(refuse("--folds 0 chooses nothing", "give 1 or more; 4 cuts the period into five parts"));
    }
    let cut = sweep::parts(market.bars(), folds);
    let cut = cut.map_err(|few| refuse(few.to_string(), "choose a longer period or fewer --folds"))?;
    let period = |part: std::ops::Range<usize>| Period {
        from: market.opens.get(part.start).copied().unwrap_or_default(),
        to: market.closes_at(part.end.saturating_sub(1)),
    };
    Ok(cut.into_iter().map(period).collect())
}

/// The coins that a configuration lists, sorted.
fn coins(config: &Config) -> Vec<Symbol> {
    let (_, mut listed) = settings::listed(config);
    listed.sort_unstable();
    listed
}

/// All that the runs share, prices apart.
struct Task {
    grid: Arc<Grid>,
    varied: Varied,
    /// By key, in the order of the grid.
    values: Vec<Vec<Value>>,
    args: Args,
    base: Config,
    jobs: usize,
    yes: bool,
}

impl Task {
    fn new(context: &Context, args: &Args) -> Result<Task, CommandError> {
        let grid = Grid::parse(&args.sweeps)
            .map_err(|error| refuse(error.to_string(), "see `rebal backtest --help`"))?;
        if args.interval.is_some() && grid.axes().iter().any(|axis| axis.key == "interval") {
            return Err(refuse("interval is swept, and --interval fixes it", "leave one of the two"));
        }
        let varied = Varied::new(&context.config);
        let values = grid.axes().iter().map(|axis| varied.values(&axis.key, &axis.values));
        let values = values.collect::<Result<_, _>>()?;
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let jobs = args.jobs.map_or_else(cores, NonZeroUsize::get);
        let (args, base) = (args.clone(), context.config.clone());
        Ok(Task { grid: Arc::new(grid), varied, values, args, base, jobs, yes: context.yes })
    }

    fn sweeps_interval(&self) -> bool {
        self.grid.axes().iter().any(|axis| axis.key == "interval")
    }

    fn values(&self, point: u64) -> Vec<&Value> {
        let digits = self.grid.digits(point);
        self.values.iter().zip(digits).filter_map(|(values, digit)| values.get(digit)).collect()
    }

    /// What two parts of a sweep must have in common, prices apart.
    fn fingerprint(&self) -> Result<String, CommandError> {
        let span = |span: Option<Duration>| span.map_or("-".to_owned(), show_span);
        let options = (span(self.args.interval), span(self.args.resume_after), self.args.exact);
        let settings = self.varied.fingerprint(&self.values(0))?;
        Ok(format!("{settings} {} {} {}", options.0, options.1, options.2))
    }

    /// The figures of a point, or why the configuration has none.
    fn run(&self, market: &Market, point: u64) -> Result<Figures, String> {
        let config = self.varied.with(&self.values(point)).map_err(|error| error.to_string())?;
        if coins(&config) != coins(&self.base) || config.venue != self.base.venue {
            return Err("it would trade other coins than the rest; try it in a sweep of its own".into());
        }
        let settings =
            settings::of_symbols(&config, symbols(&config, market)).map_err(|error| error.message)?;
        let every_bars = interval::bars(&self.args, &config, market, self.sweeps_interval());
        let terms = terms(&self.args, &config, &settings, every_bars.map_err(|error| error.message)?);
        Ok(Figures::of(market, &terms, &walk(market, &terms)))
    }

    /// Says how long very many runs will take, before they begin; they want a yes.
    fn announce(
        &self,
        context: &Context,
        market: &Market,
        shard: Shard,
        parts: usize,
    ) -> Result<(), CommandError> {
        let settings = shard.len(self.grid.points());
        // All parts together are as long as the whole.
        let passes = if parts > 0 { 2 } else { 1 };
        let split = "split it: --shard 0/100 is the first of a hundred parts";
        if settings > MOST {
            return Err(refuse(format!("{settings} settings are too many for one process"), split));
        }
        if settings < MANY {
            return Ok(());
        }
        let begun = Instant::now();
        for sample in 0..SAMPLED {
            let step = settings / SAMPLED * sample;
            let _ = self.run(market, shard.index + step * shard.count);
        }
        let each = begun.elapsed().as_secs_f64() / SAMPLED as f64;
        let all = each * settings as f64 * f64::from(passes) / self.jobs as f64;
        let span = show_span(Duration::from_secs(all.ceil() as u64));
        let said = format!("{settings} settings take about {span} on {} threads", self.jobs);
        if !self.yes {
            return Err(refuse(said, format!("make the steps coarser, {split}, or say --yes")));
        }
        context.ui.note(&said);
        Ok(())
    }
}

/// Runs a part of the sweep; Ctrl-C ends it.
async fn run_all(
    context: &Context,
    task: Task,
    recorded: Recorded,
    market: Market,
    parts: Vec<Period>,
    shard: Shard,
) -> Result<Vec<Ran>, CommandError> {
    let settings = shard.len(task.grid.points());
    let steps = settings * (parts.len() as u64 + 1);
    let progress = Progress::start(&context.ui, steps, "settings");
    let count = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let (counted, stopped) = (Arc::clone(&count), Arc::clone(&stop));
    let mut work = tokio::task::spawn_blocking(move || {
        let points: Vec<u64> = shard.points(task.grid.points()).collect();
        let crew = Crew { task, stop: stopped, count: counted, progress };
        crew.run(&points, recorded, market, &parts)
    });
    let done = tokio::select! {
        done = &mut work => done,
        () = signals::signal() => {
            stop.store(true, Ordering::Relaxed);
            work.await
        }
    };
    let done = done.map_err(|error| CommandError::new(Kind::Internal, error.to_string(), ""))?;
    done.ok_or_else(|| {
        CommandError::new(
            Kind::Interrupted,
            format!("interrupted after {} of {steps} runs", count.load(Ordering::Relaxed)),
            "nothing of it is kept; --shard runs a sweep in parts that are",
        )
    })
}

/// Who runs the settings.
struct Crew {
    task: Task,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    progress: Progress,
}

impl Crew {
    /// One period after the other, so that no more than one is kept in columns; `None` once it was stopped.
    fn run(&self, points: &[u64], recorded: Recorded, market: Market, parts: &[Period]) -> Option<Vec<Ran>> {
        let wholes = self.each(points, |point| (*point, self.task.run(&market, *point)))?;
        drop(market);
        let ran = |(point, result): (u64, Result<Figures, String>)| Ran {
            point,
            result: result.map(|whole| Results { whole, parts: Vec::new() }),
        };
        let mut all: Vec<Ran> = wholes.into_iter().map(ran).collect();
        for part in parts {
            let market = recorded.market(Some(part.from), Some(part.to));
            let found =
                self.each(&all, |ran| ran.result.is_ok().then(|| self.task.run(&market, ran.point)))?;
            for (ran, found) in all.iter_mut().zip(found) {
                match (&mut ran.result, found) {
                    (Ok(results), Some(Ok(figures))) => results.parts.push(figures),
                    (result, Some(Err(reason))) => *result = Err(reason),
                    _ => {}
                }
            }
        }
        Some(all)
    }

    fn each<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(&T) -> R + Sync) -> Option<Vec<R>> {
        parallel::each(items, self.task.jobs, &self.stop, |item| {
            let result = work(item);
            self.count.fetch_add(1, Ordering::Relaxed);
            self.progress.advance();
            result
        })
    }
}
