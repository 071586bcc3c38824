//! The `supernode` command.

use std::process::ExitCode;

/// What this is built from, where the builder says so: `SUPERNODE_COMMIT=$(git rev-parse --short=10 HEAD) cargo build`. Asked here, so that another
/// commit builds this file anew and not the library; no build script asks git, which may not be there.
const COMMIT: Option<&str> = option_env!("SUPERNODE_COMMIT");

fn main() -> ExitCode {
    supernode::cli::run(COMMIT.unwrap_or_default()).into()
}
