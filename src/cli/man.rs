//! `supernode man`: manual pages.

use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;

use super::output_file::write_file;
use super::{Arguments as Program, CommandResult, Output, bad_option};
use crate::input::problem::{Problem, suggest};

/// Print the manual page of the program, or of a command
///
/// To read it: supernode man simulate | man -l -
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The command
    command: Option<String>,

    /// Write all pages into this folder: supernode.1, supernode-simulate.1, ...
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    all: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> CommandResult {
    if let Some(folder) = &arguments.all {
        return write_all(folder)
            .map(Output::done)
            .map_err(|error| bad_option("--all", format!("cannot write into `{}`: {error}", folder.display())));
    }
    let mut pages = pages();
    let wanted = match &arguments.command {
        None => 0,
        Some(name) => {
            let names: Vec<String> = pages.iter().skip(1).map(|page| page.get_name().to_owned()).collect();
            let found = names.iter().position(|known| known == name);
            let unknown = || Problem::new(format!("none of the commands is named `{name}`")).help(suggest(name, names.iter().map(String::as_str)));
            1 + found.ok_or_else(unknown)?
        }
    };
    let text = page(pages.swap_remove(wanted)).map_err(|error| Problem::new(format!("cannot lay out the page: {error}")))?;
    Ok(Output::done(text))
}

/// The program, and every command.
fn pages() -> Vec<clap::Command> {
    let mut program = Program::command().disable_help_subcommand(true);
    program.build();
    let commands: Vec<clap::Command> = program.get_subcommands().cloned().collect();
    std::iter::once(program).chain(commands).collect()
}

fn page(command: clap::Command) -> io::Result<String> {
    let mut page = Vec::new();
    Man::new(command).source(concat!("supernode ", env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn write_all(folder: &Path) -> io::Result<String> {
    std::fs::create_dir_all(folder)?;
    let pages = pages();
    let count = pages.len();
    for command in pages {
        let path = folder.join(format!("{}.1", command.get_display_name().unwrap_or("supernode")));
        write_file(&path, page(command)?)?;
    }
    Ok(format!("{count} pages in `{}`\n", folder.display()))
}
