//! Hands the arguments to `command::main` and returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    rebal::command::main(std::env::args_os())
}
