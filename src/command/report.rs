//! `rebal report`: the account at a glance, or what a period came to.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::history::{BookedEntry, Reading, Sample};
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::exchange::Settles;
use crate::ledger::{Ledger, TRADES_HEADER, trade_row};
use crate::notify::Telegram;
use crate::pass::record::INTERRUPTED;
use crate::pass::{self, Mode as Look, Prepared, Settings, record};
use crate::render::{self, Format, Style};
use crate::report::dashboard::{DashboardReport, Inputs};
use crate::report::period::PeriodReport;

use super::after;
use super::context::Context;
use super::period::{self, Now};
use super::plan::look_back;
use super::venue::{self, Venue};
use super::when::When;
use super::{settings, signals};

/// Show the account now with its last 30 days, or what a period came to
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The last 24 hours
    #[arg(long, group = "span")]
    day: bool,
    /// The last 7 days
    #[arg(long, group = "span")]
    week: bool,
    /// The last 30 days
    #[arg(long, group = "span")]
    month: bool,
    /// From this time on: 2026-01-31, 2026-01-31T12:00:00Z, or 14d for the last 14 days
    #[arg(long, value_name = "TIME", conflicts_with = "span")]
    since: Option<When>,
    /// Until this time, which is not part of it; now where it is left out
    #[arg(long, value_name = "TIME", conflicts_with = "span")]
    until: Option<When>,
    /// The period of the same length before
    #[arg(long)]
    previous: bool,
    /// Draw the dashboard again every so many seconds, at least 5
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["span", "since", "until", "previous", "export_trades", "send", "metrics_file"])]
    watch: Option<u64>,
    /// Write the executions of the period (all of them without one) to this file, as trades.csv has them
    #[arg(long, value_name = "FILE")]
    export_trades: Option<PathBuf>,
    /// Send the period as a document over Telegram too: a page, or what --format says
    #[arg(long)]
    send: bool,
    /// Write the figures for Prometheus' textfile collector to this file
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  rebal report                                     the account now
  rebal report --watch 30                          the same, drawn again every 30 seconds
  rebal report --week                              what the last seven days came to
  rebal report --month --previous --format html --out month.html
  rebal report --week --send                       the same as a page, to your chat
  rebal report --since 2026-01-01 --until 2026-02-01 --export-trades january.csv

Exit codes:
    0  done
    2  configuration
    4  exchange unavailable (without a period), or Telegram (with --send)
   10  ledger unusable, or older than the last pass";

/// More often would use up the exchange's request weight, which passes need.
const SHORTEST_WATCH: u64 = 5;
const DAY: Duration = Duration::from_secs(86_400);
/// The dashboard's figures reach back as far as this.
const GLANCE: Duration = Duration::from_secs(30 * 86_400);
/// Passes shown on the dashboard.
const PASSES: u32 = 8;

pub(super) async fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    match args.watch {
        Some(seconds) => watch(context, seconds).await,
        None => once(context, args).await,
    }
}

async fn once(context: &Context, args: &Args) -> Result<u8, CommandError> {
    for (option, path) in [("--metrics-file", &args.metrics_file), ("--export-trades", &args.export_trades)] {
        if let Some(path) = path {
            context.may_write(option, path)?;
        }
    }
    let mut ledger = look_back(context).await?;
    let mut seen = None;
    let done = match args.span(context.now(&mut ledger).await?)? {
        Some(span) => over(context, args, &mut ledger, span).await,
        None => at_a_glance(context, args, &mut ledger).await.map(|reading| seen = Some(reading)),
    };
    if let Some(path) = &args.metrics_file {
        let exit_code = done.as_ref().err().map_or(0, |error| error.kind.exit_code());
        after::write_metrics(context, "report", path, Some(&mut ledger), seen, exit_code).await;
    }
    done.map(|()| 0)
}

/// What a period came to: exported, sent and shown, as far as that was asked for.
async fn over(
    context: &Context,
    args: &Args,
    ledger: &mut Ledger,
    span: (Time, Time),
) -> Result<(), CommandError> {
    // Found out before anything is read.
    let chat = if args.send { Some(after::telegram(context)?) } else { None };
    if let Some(path) = &args.export_trades {
        export(context, ledger, span, path).await?;
    }
    let report = period::report(context, ledger, span, None).await?;
    let sent = match chat {
        Some(chat) => send(context, &chat, &report).await,
        None => Ok(()),
    };
    // One object on stdout: where it could not be sent, that is what a script must hear.
    if sent.is_ok() || context.format != Format::Json {
        context.show(&render::period(&report, context.format, &context.style)?)?;
    }
    sent
}

/// The account now; returns the reading that it was made of.
async fn at_a_glance(
    context: &Context,
    args: &Args,
    ledger: &mut Ledger,
) -> Result<(Reading, Vec<Sample>), CommandError> {
    if args.send {
        return Err(no_period("--send"));
    }
    let (report, seen) = glance(context, ledger).await?;
    context.show(&render::dashboard(&report, context.format, &context.style)?)?;
    Ok(seen)
}

fn no_period(option: &str) -> CommandError {
    CommandError::new(
        Kind::Config,
        format!("{option} needs a period"),
        "add --day, --week, --month or --since TIME",
    )
}

/// The page to the owner's chat, named by its period.
async fn send(context: &Context, chat: &Telegram, report: &PeriodReport) -> Result<(), CommandError> {
    let format = if context.format == Format::Table { Format::Html } else { context.format };
    let page = render::period(report, format, &Style::default())?;
    let day = |time: Time| time.to_string().chars().take(10).collect::<String>();
    let ending = if format == Format::Markdown { "md" } else { format.as_str() };
    let name = format!("rebal-{}-{}-{}.{ending}", context.folders.profile, day(report.from), day(report.to));
    let caption = format!(
        "{}: {} to {}, net profit {:.2} {}",
        context.folders.profile,
        day(report.from),
        day(report.to),
        report.net_profit,
        report.quote
    );
    chat.send_document(&name, page.as_bytes(), &caption).await.map_err(|error| {
        CommandError::new(
            Kind::Unavailable,
            error.to_string(),
            "the report itself is whole; send it again later",
        )
    })?;
    context.ui.note(&format!("sent as {name}"));
    Ok(())
}

impl Args {
    /// The period asked for; `None` for the dashboard.
    fn span(&self, now: Time) -> Result<Option<(Time, Time)>, CommandError> {
        let last = |days: u32| Some((now - DAY * days, now));
        let span = match (self.day, self.week, self.month) {
            (true, _, _) => last(1),
            (_, true, _) => last(7),
            (_, _, true) => last(30),
            _ => self.named(now)?,
        };
        match span {
            // What has no begin has nothing before it.
            Some((from, to)) if self.previous && from > Time::default() => {
                Ok(Some((from - to.since(from), from)))
            }
            _ if self.previous => Err(no_period("--previous")),
            span => Ok(span),
        }
    }

    fn named(&self, now: Time) -> Result<Option<(Time, Time)>, CommandError> {
        let Some(since) = self.since else {
            return match self.until {
                Some(until) => Ok(Some((Time::default(), until.before(now, "--until")?))),
                None if self.export_trades.is_some() => Ok(Some((Time::default(), now))),
                None => Ok(None),
            };
        };
        let from = since.before(now, "--since")?;
        let to = self.until.map_or(now, |until| until.seen_from(now).min(now));
        if from >= to {
            return Err(CommandError::new(
                Kind::Config,
                format!("the period from {from} to {to} is empty"),
                "--since comes before --until",
            ));
        }
        Ok(Some((from, to)))
    }
}

async fn export(
    context: &Context,
    ledger: &mut Ledger,
    (from, to): (Time, Time),
    path: &Path,
) -> Result<(), CommandError> {
    let mut text = format!("{TRADES_HEADER}\n");
    let mut rows = 0_u64;
    ledger
        .trades_between(from, to, |trade| {
            rows += 1;
            let _ = write!(text, "{}", trade_row(&trade));
        })
        .await?;
    context.write(path, &text)?;
    context.ui.note(&format!("{}: {rows} executions", path.display()));
    Ok(())
}

/// The account now, and the reading that it is made of.
type Glance = (DashboardReport, (Reading, Vec<Sample>));

async fn glance(context: &Context, ledger: &mut Ledger) -> Result<Glance, CommandError> {
    let settings = settings::for_a_look(&context.config, ledger).await?;
    context.heed_ban(ledger).await?;
    match venue::open(context, ledger).await? {
        Venue::Usdm(exchange) => look(context, &settings, *exchange, ledger).await,
        Venue::Spot(exchange) => look(context, &settings, *exchange, ledger).await,
        Venue::Paper(exchange) => look(context, &settings, *exchange, ledger).await,
    }
}

async fn look<E: Settles>(
    context: &Context,
    settings: &Settings,
    mut exchange: E,
    ledger: &mut Ledger,
) -> Result<Glance, CommandError> {
    exchange.connect().await?;
    let prepared = pass::prepare(&exchange, ledger, settings, None, Look::Preview).await?;
    context.tell(&exchange, &prepared);
    let snapshot = &prepared.seen.snapshot;
    let now = reading_now(ledger, &prepared).await?;
    let seen = (now.reading.clone(), now.samples.clone());
    let period = period::report(context, ledger, (snapshot.at - GLANCE, snapshot.at), Some(now)).await?;
    let sectors = period::sectors_of(context, ledger, snapshot.coins.keys().cloned().collect()).await?;
    let rules =
        snapshot.coins.iter().filter_map(|(symbol, coin)| Some((symbol.clone(), coin.rules.clone()?)));
    // A rate that cannot be annualised is left out; everything else of the screen is worth showing.
    let funding_hours = exchange.funding_hours(&rules.collect()).await.unwrap_or_default();
    let report = DashboardReport::of(Inputs {
        period,
        snapshot,
        nav: &prepared.nav,
        standings: &prepared.plan().coins,
        funding_hours: &funding_hours,
        sectors: &sectors,
        passes: ledger.last_passes(PASSES).await?,
        max_drawdown: settings.limits.max_drawdown,
        unresolved: ledger.unresolved().await?.len(),
    });
    Ok((report, seen))
}

/// What was just seen, as if a pass had written it down.
async fn reading_now(ledger: &mut Ledger, prepared: &Prepared) -> Result<Now, CommandError> {
    let pass_id = ledger.next_pass_id().await?;
    let mut income = Vec::new();
    for entry in &prepared.seen.unbooked {
        let of_our_fill = ledger.is_of_our_fill(entry).await?;
        income.push(BookedEntry { entry: entry.clone(), pass_id: Some(pass_id), of_our_fill });
    }
    let (reading, samples) = record::look(prepared);
    Ok(Now { reading: Reading { pass_id, fill_seq: ledger.last_fill().await?, ..reading }, samples, income })
}

/// Draws the dashboard again and again, until a signal comes. A look that fails is said and tried again.
async fn watch(context: &Context, seconds: u64) -> Result<u8, CommandError> {
    if context.format != Format::Table || !context.ui.stdout_tty {
        return Err(CommandError::new(
            Kind::Config,
            "--watch draws on a terminal",
            "leave it out, or run it in a terminal without --format",
        ));
    }
    if seconds < SHORTEST_WATCH {
        return Err(CommandError::new(
            Kind::Config,
            format!("--watch {seconds} would use up the exchange's request limit, which passes need"),
            format!("--watch {SHORTEST_WATCH} or more; passes come every few minutes"),
        ));
    }
    let mut asked = std::pin::pin!(signals::signal());
    loop {
        let drawn = async {
            let mut ledger = look_back(context).await?;
            let (report, _) = glance(context, &mut ledger).await?;
            Ok::<String, CommandError>(render::dashboard(&report, Format::Table, &context.style)?)
        };
        match drawn.await {
            Ok(text) => context.ui.redraw(&text),
            Err(error) if error.kind == Kind::Unavailable => context.ui.warn(&error.message),
            Err(error) => return Err(error),
        }
        if tokio::time::timeout(Duration::from_secs(seconds), &mut asked).await.is_ok() {
            return Ok(INTERRUPTED);
        }
    }
}
