//! How a pass is run again and again: a line for cron, two units for systemd.

use std::path::Path;
use std::time::Duration;

use crate::config::location::Location;
use crate::config::sections::Config;
use crate::config::words::Mode;
use crate::domain::time::show_span;
use crate::report::init::Schedule;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What is run: every path absolute, so that neither PATH nor a home folder matters.
pub(super) struct Job<'a> {
    pub(super) binary: &'a Path,
    pub(super) config_file: &'a Path,
    pub(super) state: &'a Path,
    /// `None` for the usual profile.
    pub(super) profile: Option<&'a str>,
}

impl Job<'_> {
    fn words(&self) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let mut words = vec![path(self.binary), "--config".into(), path(self.config_file)];
        words.extend(["--state-dir".into(), path(self.state)]);
        if let Some(profile) = self.profile {
            words.extend(["--profile".into(), profile.to_owned()]);
        }
        words.extend(["rebalance".into(), "--quiet".into()]);
        words
    }
}

/// The schedule of `config`'s interval.
pub(super) fn schedule(config: &Config, job: &Job<'_>) -> Schedule {
    let unit = job.profile.map_or_else(|| "rebal".to_owned(), |profile| format!("rebal-{profile}"));
    // A % in a crontab is a line break, whatever quotes are around it. The result goes nowhere: what is wrong
    // is on stderr, and cron would mail every pass otherwise.
    let command = shell(&job.words()).replace('%', "\\%");
    let crontab = cron(config.interval).map(|when| format!("{when}  {command} >/dev/null"));
    Schedule {
        crontab,
        service: service(config, job),
        timer: timer(config.interval, &unit),
        unit,
        notes: notes(config),
    }
}

/// An interval as a clock can keep it.
enum Beat {
    /// A divisor of the hour.
    Minutes(u64),
    /// A divisor of the day.
    Hours(u64),
    Daily,
    /// Seconds that divide neither.
    Uneven(u64),
}

fn beat(interval: Duration) -> Beat {
    match interval.as_secs() {
        DAY => Beat::Daily,
        secs if secs.is_multiple_of(HOUR) && DAY.is_multiple_of(secs) => Beat::Hours(secs / HOUR),
        secs if secs.is_multiple_of(MINUTE) && HOUR.is_multiple_of(secs) => Beat::Minutes(secs / MINUTE),
        secs => Beat::Uneven(secs),
    }
}

/// The five fields; `None` where cron cannot run it evenly.
fn cron(interval: Duration) -> Option<String> {
    match beat(interval) {
        Beat::Minutes(1) => Some("* * * * *".into()),
        Beat::Minutes(minutes) => Some(format!("*/{minutes} * * * *")),
        Beat::Hours(1) => Some("0 * * * *".into()),
        Beat::Hours(hours) => Some(format!("0 */{hours} * * *")),
        Beat::Daily => Some("0 0 * * *".into()),
        Beat::Uneven(_) => None,
    }
}

/// By the clock where cron could too, so that bars and passes begin together; else by the time since.
fn timer(interval: Duration, unit: &str) -> String {
    let when = match beat(interval) {
        Beat::Minutes(minutes) => format!("OnCalendar=*:0/{minutes}:00"),
        Beat::Hours(hours) => format!("OnCalendar=0/{hours}:00:00"),
        Beat::Daily => "OnCalendar=*-*-* 00:00:00".to_owned(),
        Beat::Uneven(secs) => format!("OnActiveSec=0\nOnUnitActiveSec={secs}s"),
    };
    format!(
        "[Unit]\nDescription=Runs {unit}.service every {}\n\n[Timer]\n{when}\nAccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n",
        show_span(interval)
    )
}

fn service(config: &Config, job: &Job<'_>) -> String {
    let mut text = String::from("[Unit]\nDescription=One pass of rebal\n\n[Service]\nType=oneshot\n");
    for name in systemd_credentials(config) {
        text.push_str(&format!("# name the file that holds it:\nLoadCredential={name}:/PATH/OF/{name}\n"));
    }
    let variables = variables(config);
    if !variables.is_empty() {
        text.push_str(&format!(
            "# a file of mode 0600 with the lines {}=… :\nEnvironmentFile=/PATH/OF/secrets.env\n",
            variables.join("=…, ")
        ));
    }
    text.push_str(&format!("ExecStart={}\n", exec(&job.words())));
    text
}

/// What neither cron nor systemd knows by itself.
fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let variables = variables(config);
    if !variables.is_empty() {
        notes.push(format!(
            "cron and systemd do not know your shell's variables: {} must be set there too,",
            variables.join(", ")
        ));
        notes.push("or point the configuration at files of mode 0600: file:PATH".to_owned());
    }
    if !systemd_credentials(config).is_empty() {
        notes.push("cron has no systemd credentials: use the units, or file:PATH".to_owned());
    }
    notes
}

fn places(config: &Config) -> Vec<&Location> {
    let mut places = Vec::new();
    if config.mode != Mode::Paper {
        places.extend([&config.credentials.api_key, &config.credentials.api_secret]);
    }
    if config.telegram.enabled {
        places.push(&config.telegram.token);
    }
    places
}

fn variables(config: &Config) -> Vec<&str> {
    fn name(place: &Location) -> Option<&str> {
        if let Location::Environment(name) = place { Some(name) } else { None }
    }
    places(config).into_iter().filter_map(name).collect()
}

fn systemd_credentials(config: &Config) -> Vec<&str> {
    fn name(place: &Location) -> Option<&str> {
        if let Location::Systemd(name) = place { Some(name) } else { None }
    }
    places(config).into_iter().filter_map(name).collect()
}

fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@,=".contains(c))
}

/// Words for a POSIX shell.
pub(super) fn shell(words: &[String]) -> String {
    let quoted = |word: &String| match is_plain(word) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// Words for `ExecStart=`, where `%` and `$` mean something.
fn exec(words: &[String]) -> String {
    let quoted = |word: &String| {
        let word = word.replace('%', "%%").replace('$', "$$");
        match is_plain(&word) {
            true => word,
            false => format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\"")),
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job<'a>(file: &'a str, profile: Option<&'a str>) -> Job<'a> {
        Job { binary: Path::new("/opt/rebal"), config_file: Path::new(file), state: Path::new("/s"), profile }
    }

    #[test]
    fn cron_and_systemd_keep_the_interval_or_say_that_they_cannot() {
        for (minutes, line, calendar) in [
            (1, Some("* * * * *"), "OnCalendar=*:0/1:00"),
            (5, Some("*/5 * * * *"), "OnCalendar=*:0/5:00"),
            (7, None, "OnUnitActiveSec=420s"),
            (60, Some("0 * * * *"), "OnCalendar=0/1:00:00"),
            (240, Some("0 */4 * * *"), "OnCalendar=0/4:00:00"),
            (300, None, "OnUnitActiveSec=18000s"),
            (1440, Some("0 0 * * *"), "OnCalendar=*-*-* 00:00:00"),
            (10080, None, "OnUnitActiveSec=604800s"),
        ] {
            let interval = Duration::from_secs(minutes * 60);
            assert_eq!(cron(interval).as_deref(), line, "{minutes} minutes");
            assert!(timer(interval, "rebal").contains(calendar), "{minutes} minutes");
        }
        assert_eq!(cron(Duration::from_secs(30)), None);
    }

    #[test]
    fn paths_survive_cron_and_systemd() {
        let config = Config::default();
        let plain = schedule(&config, &job("/c/rebal.toml", None));
        let line =
            "*/5 * * * *  /opt/rebal --config /c/rebal.toml --state-dir /s rebalance --quiet >/dev/null";
        assert_eq!(plain.crontab.as_deref(), Some(line));
        let odd = schedule(&config, &job("/it's 5 %/a\"$b", Some("spot")));
        let line = odd.crontab.unwrap();
        assert!(line.contains(r#"'/it'\''s 5 \%/a"$b' --state-dir /s --profile spot"#), "{line}");
        assert!(odd.service.contains(r#"--config "/it's 5 %%/a\"$$b" "#), "{}", odd.service);
        assert_eq!(odd.unit, "rebal-spot");
    }

    #[test]
    fn secrets_that_cron_does_not_see_are_named() {
        let mut config = Config::default();
        assert!(notes(&config).is_empty());
        config.mode = Mode::Testnet;
        assert!(notes(&config)[0].contains("REBAL_API_KEY, REBAL_API_SECRET"));
        config.credentials.api_key = Location::Systemd("key".into());
        config.credentials.api_secret = Location::File("/s".into());
        let schedule = schedule(&config, &job("/c", None));
        assert!(schedule.service.contains("LoadCredential=key:/PATH/OF/key\n"));
        assert!(!schedule.service.contains("EnvironmentFile"));
        assert_eq!(schedule.notes.len(), 1);
    }
}
