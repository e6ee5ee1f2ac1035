//! `rebal sim`: the simulated exchange over HTTP.
/// Serve the simulated exchange over HTTP, for practice and tests
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {}
pub(super) async fn run(_: &crate::ui::Ui, _: &Args) -> Result<u8, crate::error::CommandError> {
    Ok(0)
}
