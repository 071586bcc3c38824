//! `supernode completions`: what a shell needs to complete commands and options.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{Arguments as Program, Output};

/// Print the completions of commands and options for a shell
///
/// bash: supernode completions bash > ~/.local/share/bash-completion/completions/supernode; zsh: a file `_supernode` in a folder of
/// $fpath; fish: ~/.config/fish/completions/supernode.fish
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(arguments: &Arguments) -> Output {
    let mut script = Vec::new();
    generate(arguments.shell, &mut Program::command(), "supernode", &mut script);
    Output::done(String::from_utf8_lossy(&script).into_owned())
}
