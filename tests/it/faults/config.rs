//! Faults of configuration and operator (C) that need the real binary.

use std::fs;

use super::world::{Home, Sim, finish, symbols};

#[test]
fn c1_c2_c3_wrong_keys_units_and_ceilings_send_nothing() {
    let sim = Sim::start();
    for (set, word) in [
        ("risk.max_drawdow=0.2", "risk.max_drawdown"),
        ("risk.max_drawdown=30", "0.30"),
        ("futures.leverage=126", "futures.leverage"),
        ("futures.leverage=0", "futures.leverage"),
        ("execution.max_turnover_per_pass=1000", "max_turnover_per_pass"),
        ("risk.max_effective_leverage=100", "max_effective_leverage"),
        ("basket.threshold=-0.05", "basket.threshold"),
        ("basket.target_value=0", "target_value"),
        ("interval=5", "interval"),
        ("exchange.base_url=http://example.com", "this machine only"),
    ] {
        let run = Home::at(&sim.url).set(set).rebalance();
        assert_eq!((run.code, run.kind().as_str()), (Some(2), "config"), "{set}");
        assert!(run.report.to_string().contains(word), "{set}: {run:?}");
    }
    assert_eq!(sim.requests(), 0);
}

#[test]
fn c4_a_secret_on_the_command_line_is_refused_and_not_repeated() {
    let sim = Sim::start();
    for set in ["credentials.api_secret=topsecrettopsecret", "credentials.api_key=topsecrettopsecret"] {
        let run = Home::at(&sim.url).set(set).rebalance();
        run.ended(2, "config");
        assert!(!run.out.contains("topsecret") && !run.err.contains("topsecret"), "{run:?}");
    }
    assert_eq!(sim.requests(), 0);
}

#[test]
fn c5_a_secret_file_that_others_may_read_is_refused_with_the_command_that_helps() {
    use std::os::unix::fs::PermissionsExt;
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    let path = home.folder.path().join("secret");
    fs::write(&path, "sim").unwrap();
    let home = home.set(format!("credentials.api_secret=file:{}", path.display()));
    for mode in [0o644, 0o640, 0o604, 0o666, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let run = home.rebalance();
        run.ended(2, "config");
        assert!(run.report.to_string().contains("chmod 600"), "{mode:o}: {run:?}");
    }
    assert_eq!(sim.requests(), 0);
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(home.rebalance().code, Some(0));
    }
}

#[test]
fn c5_what_rebal_writes_is_its_owner_s_alone_even_in_a_folder_of_everybody() {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    fs::DirBuilder::new().mode(0o755).create(home.state()).unwrap();
    let all = format!("umask 000; exec \"$@\" --out {}", home.file("report.json").display());
    let run = |command: &str| finish(&mut home.wrapped("sh", &["-c", &all, "sh"], &[command]));
    assert_eq!((run("plan").code, run("rebalance").code), (Some(0), Some(0)));
    let mode = |name: &str| fs::metadata(home.file(name)).unwrap().permissions().mode() & 0o777;
    let modes: Vec<_> = home.contents().into_keys().map(|name| (mode(&name), name)).collect();
    assert!(modes.len() >= 4 && modes.iter().all(|(mode, _)| *mode == 0o600), "{modes:?}");
    fs::set_permissions(home.file("report.json"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!((run("rebalance").code, mode("report.json")), (Some(0), 0o644), "unless it was shared before");
}

/// A plan in a file, and the account and folder it was made for.
fn planned() -> (Sim, Home, String) {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    let path = home.folder.path().join("plan.json").display().to_string();
    assert_eq!(home.run(&["plan", "--out", &path]).code, Some(0));
    (sim, home, path)
}

#[test]
fn c8_a_plan_made_with_another_configuration_is_refused() {
    let (sim, mut home, path) = planned();
    home.change("basket.target_value=25");
    let run = home.run(&["rebalance", "--plan", &path]);
    run.ended(4, "unavailable");
    assert!(run.message().contains("configuration changed"), "{run:?}");
    assert!(!sim.posts(0).iter().any(|post| post.contains("order")));
    home.change("basket.target_value=20");
    home.run(&["rebalance", "--plan", &path]).ended(0, "traded");
}

#[test]
fn c9_yesterday_s_plan_is_refused_with_every_reason() {
    let (sim, home, path) = planned();
    sim.advance(288);
    sim.price("ADAUSDT", "1.2");
    let run = home.run(&["rebalance", "--plan", &path]);
    run.ended(4, "unavailable");
    for reason in ["old", "ADAUSDT moved"] {
        assert!(run.message().contains(reason), "{reason}: {run:?}");
    }
    assert_eq!(sim.orders().len(), 0);
}

#[test]
fn c12_odd_files_are_clean_errors() {
    let sim = Sim::start();
    let home = Home::new(&[]);
    let path = home.folder.path().join("odd.toml");
    let body = format!(
        "mode = \"testnet\"\n[exchange]\nbase_url = \"{}\"\n[basket]\n{}\n",
        sim.url,
        symbols(&["ADAUSDT"]).replace("basket.", "")
    );
    let run = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        home.run(&["rebalance", "--config", path.to_str().unwrap()])
    };
    for odd in [
        format!("mode = \"paper\"\n{body}").into_bytes(),
        format!("{body}\0").into_bytes(),
        [body.as_bytes(), b"\xff\xfe"].concat(),
        [b"\xff\xfe", body.as_bytes()].concat(),
        format!("{body}x = {}", "[".repeat(50_000)).into_bytes(),
        format!("{body}# {}", "x".repeat(10 << 20)).into_bytes(),
    ] {
        run(&odd).ended(2, "config");
    }
    assert_eq!(sim.requests(), 0);
    assert_eq!(
        run(format!("\u{feff}{}", body.replace('\n', "\r\n")).as_bytes()).code,
        Some(0),
        "a BOM and CRLF are harmless"
    );
}

#[test]
fn c13_a_variable_that_overrides_says_so_where_it_is_wrong() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    let run = finish(home.command(&["plan"]).arg("--json").env("REBAL__RISK__MAX_DRAWDOWN", "30"));
    run.ended(2, "config");
    assert!(run.message().contains("REBAL__RISK__MAX_DRAWDOWN"), "{run:?}");
    let run = finish(home.command(&["plan"]).arg("--json").env("REBAL__RISK__MAX_DRAWDONW", "0.3"));
    run.ended(2, "config");
    assert_eq!(sim.requests(), 0);
}
