//! Signals that end a pass at its next safe point.

use std::sync::Arc;

use crate::pass::Stop;

/// Ctrl-C, TERM and HUP ask the pass to stop at the next safe point.
pub(super) fn listen() -> Arc<Stop> {
    let stop = Arc::new(Stop::default());
    let asked = Arc::clone(&stop);
    tokio::spawn(async move {
        signal().await;
        asked.ask();
    });
    stop
}

/// Waits for one of them.
#[cfg(unix)]
pub(super) async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut hup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
        _ = hup.recv() => {}
    }
}

/// Waits for one of them.
#[cfg(not(unix))]
pub(super) async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
