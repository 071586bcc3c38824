//! The command line: arguments in, text out, exit code. The only part that prints. One file for each command.
//!
//! Uses everything below it. The only part that prints, exits or reads the environment. Must never hold: anything that a library user would want to call.

mod beside;
mod calibrate;
mod check;
mod collective;
mod compare;
mod describe;
mod experts;
mod fail;
mod fidelity;
mod kinds;
mod list;
mod load;
mod model;
mod optimize;
mod plan;
mod power_limits;
mod schema;
mod sensitivity;
mod simulate;
mod sizes;
mod sweep;
mod train;
mod uncertainty;
mod validate;

use std::io::Write;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::input::problem::{Problem, Problems};
use crate::input::spec::Spec;
use crate::report::{self, Report};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// A target or a validation bound was missed and `--strict` asked for it.
    Missed,
    /// Bad input or usage.
    BadInput,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::from(0),
            Exit::Missed => Self::from(1),
            Exit::BadInput => Self::from(2),
        }
    }
}

/// Hardware-aware simulator of scale-up AI supernodes.
///
/// SUPERNODE, WORKLOAD and TARGET are names that `supernode list` prints, paths to TOML files, or - for standard input. Bandwidth is one direction.
/// Exit codes: 0 done, 1 a target was missed under --strict, 2 bad input or usage.
#[derive(Debug, Parser)]
#[command(name = "supernode", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = FormatArgument::Text)]
    format: FormatArgument,

    /// Threads to use; all cores if absent. Results do not depend on it
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArgument {
    Text,
    Json,
    Csv,
    Markdown,
    /// A drawing for Graphviz; `describe` only
    Dot,
    /// A drawing for a browser; `describe` only
    Svg,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Check(check::Arguments),
    Describe(describe::Arguments),
    Collective(collective::Arguments),
    Experts(experts::Arguments),
    Model(model::Arguments),
    Load(load::Arguments),
    Simulate(simulate::Arguments),
    Train(train::Arguments),
    Fail(fail::Arguments),
    Plan(plan::Arguments),
    Compare(compare::Arguments),
    Sweep(sweep::Arguments),
    Sensitivity(sensitivity::Arguments),
    Uncertainty(uncertainty::Arguments),
    Optimize(optimize::Arguments),
    Schema(schema::Arguments),
    Validate(validate::Arguments),
    Calibrate(calibrate::Arguments),
}

impl Command {
    fn run(&self, format: report::Format) -> Outcome {
        match self {
            Self::List(arguments) => list::run(arguments, format),
            Self::Check(arguments) => check::run(arguments, format),
            Self::Describe(arguments) => describe::run(arguments, format),
            Self::Collective(arguments) => collective::run(arguments, format),
            Self::Experts(arguments) => experts::run(arguments, format),
            Self::Model(arguments) => model::run(arguments, format),
            Self::Load(arguments) => load::run(arguments, format),
            Self::Simulate(arguments) => simulate::run(arguments, format),
            Self::Train(arguments) => train::run(arguments, format),
            Self::Fail(arguments) => fail::run(arguments, format),
            Self::Plan(arguments) => plan::run(arguments, format),
            Self::Compare(arguments) => compare::run(arguments, format),
            Self::Sweep(arguments) => sweep::run(arguments, format),
            Self::Sensitivity(arguments) => sensitivity::run(arguments, format),
            Self::Uncertainty(arguments) => uncertainty::run(arguments, format),
            Self::Optimize(arguments) => optimize::run(arguments, format),
            Self::Validate(arguments) => validate::run(arguments, format),
            Self::Calibrate(arguments) => calibrate::run(arguments, format),
            Self::Schema(arguments) => Ok(schema::run(arguments)),
        }
    }
}

/// Reads the process's arguments. `--ranks -3` is a value that is out of range, not an option called `-3`.
fn arguments() -> Result<Arguments, clap::Error> {
    let negative = |argument: clap::Arg| if argument.get_action().takes_values() { argument.allow_negative_numbers(true) } else { argument };
    let mut command = Arguments::command().mut_args(negative).mut_subcommands(|command| command.mut_args(negative));
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Runs the program on the process's arguments.
#[must_use]
pub fn run() -> Exit {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, everything else is misuse; clap knows which goes to which stream.
            let exit = if error.use_stderr() { Exit::BadInput } else { Exit::Done };
            return match error.print() {
                Err(failure) if failure.kind() != std::io::ErrorKind::BrokenPipe => Exit::BadInput,
                _ => exit,
            };
        }
    };
    if let Some(threads) = arguments.threads {
        // Fails only if the pool exists already, which nothing before this line makes.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads)).build_global();
    }
    let format = match arguments.format {
        FormatArgument::Text => report::Format::Text,
        FormatArgument::Json => report::Format::Json,
        FormatArgument::Csv => report::Format::Csv,
        FormatArgument::Markdown => report::Format::Markdown,
        FormatArgument::Dot | FormatArgument::Svg => report::Format::Text,
    };
    let drawing = match arguments.format {
        FormatArgument::Dot => Some(report::Drawing::Dot),
        FormatArgument::Svg => Some(report::Drawing::Svg),
        _ => None,
    };
    let result = match (&arguments.command, drawing) {
        (Command::Describe(arguments), Some(drawing)) => describe::draw(arguments, drawing),
        (Command::Plan(arguments), Some(report::Drawing::Svg)) => plan::draw(arguments),
        (_, Some(_)) => Err(bad_option("--format", "`dot` and `svg` draw; only `describe` does, and `plan` with `svg`")),
        (command, None) => command.run(format),
    };
    match result {
        Ok(Output { text, exit }) => {
            let mut out = std::io::stdout().lock();
            match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
                // A closed pipe (`supernode list | head`) is the reader's choice, not an error.
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    let _ = writeln!(std::io::stderr(), "error: cannot write standard output: {error}");
                    Exit::BadInput
                }
                _ => exit,
            }
        }
        Err(problems) => {
            let _ = writeln!(std::io::stderr(), "{problems}");
            Exit::BadInput
        }
    }
}

/// What a command leaves behind.
struct Output {
    text: String,
    exit: Exit,
}

impl Output {
    fn done(text: String) -> Self {
        Self { text, exit: Exit::Done }
    }

    fn report(report: &dyn Report, format: report::Format) -> Self {
        Self::done(report::render(report, format))
    }
}

type Outcome = Result<Output, Problems>;

/// The workload asked for, or the supernode's own, or the default.
fn workload_name<'a>(asked: Option<&'a str>, spec: &'a Spec) -> &'a str {
    asked.or(spec.workload.as_deref()).unwrap_or(crate::study::DEFAULT_WORKLOAD)
}

/// A problem with an option's value.
fn bad_option(option: &str, message: impl std::fmt::Display) -> Problems {
    Problem::new(format!("{option}: {message}")).into()
}
