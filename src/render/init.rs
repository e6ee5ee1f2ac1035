//! What `init` wrote and how to run it, as text to copy from.

use crate::render::text::clean;
use crate::report::init::{ArmReport, InitReport};

/// The file's place, the crontab line, the systemd units, and what to do next.
#[must_use]
pub(super) fn written(report: &InitReport) -> String {
    let schedule = &report.schedule;
    let unit = &schedule.unit;
    let mut text = format!("Written: {}\n", clean(&report.config_file));
    text.push_str("\nTo do next:\n");
    report.next.iter().for_each(|line| text.push_str(&format!("  {}\n", clean(line))));
    text.push_str("\nTo run it on its own, one of these two.\n");
    schedule.notes.iter().for_each(|note| text.push_str(&format!("  {}\n", clean(note))));
    match &schedule.crontab {
        Some(line) => text.push_str(&format!("\n1. cron: add this line with `crontab -e`\n\n{line}\n")),
        None => text.push_str(
            "\n1. cron: cannot keep this interval; use systemd, or one that divides an hour or a day\n",
        ),
    }
    text.push_str(&format!(
        "\n2. systemd: save as ~/.config/systemd/user/{unit}.service\n\n{}",
        schedule.service
    ));
    text.push_str(&format!("\n   and as ~/.config/systemd/user/{unit}.timer\n\n{}", schedule.timer));
    text.push_str(&format!(
        "\n   then: systemctl --user daemon-reload && systemctl --user enable --now {unit}.timer\n   and, so that it runs while you are logged out: loginctl enable-linger\n"
    ));
    text
}

/// What is armed, and how to take it back.
#[must_use]
pub(super) fn armed(report: &ArmReport) -> String {
    let since = if report.was_armed { "was armed already, since" } else { "armed at" };
    format!(
        "ARMED for real money: {}, account {}\n{since} {}\nThe next `rebal rebalance` trades; `rebal flatten` closes everything and halts.\n",
        clean(&report.environment),
        clean(&report.account),
        report.armed_at,
    )
}
