//! The program: parses its arguments, runs what they name, and turns how that ended into an exit code.

use clap::Parser;
use leasehold::cli::Cli;
use std::process::ExitCode;

/// Batches of small rows and tokens are many short-lived allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and the version come this way too, for which clap's code is 0. Nothing is left to do where standard
        // output is closed.
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    cli.run()
}
