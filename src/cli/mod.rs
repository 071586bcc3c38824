//! The command line: arguments in, text out, exit code. The only part that prints. One file for each command.
//!
//! Uses everything below it. The only part that prints, exits or reads the environment. Must never hold: anything that a library user would want to call.

mod beside;
mod calibrate;
mod capacity;
mod check;
mod collective;
mod compare;
mod completions;
mod deployment;
mod describe;
mod draws;
mod experts;
mod explain;
mod fail;
mod fan_in;
mod fidelity;
mod flows;
mod frontier;
mod import;
mod kinds;
mod list;
mod load;
mod man;
mod model;
mod money_options;
mod new;
mod optimize;
mod output_file;
mod page;
mod plan;
mod power_limits;
mod progress;
mod replay;
mod schema;
mod sensitivity;
mod serve;
mod serving_options;
mod simulate;
mod sizes;
mod sweep;
mod terminal;
mod train;
mod uncertainty;
mod validate;

#[cfg(feature = "internals")]
pub use sweep::read_journal;

use std::io::Write;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::input::catalog::inputs;
use crate::input::problem::{Problem, Problems};
use crate::report::{self, Document, Records, Report};

pub(crate) use progress::heard;

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
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = FormatArgument::Text)]
    format: FormatArgument,

    /// The table that --format csv or parquet writes; the first that --tables lists if absent
    #[arg(long, global = true, value_name = "NAME")]
    table: Option<String>,

    /// List the tables of the command's result with their columns, and end
    #[arg(long, global = true)]
    tables: bool,

    /// Threads to use; all cores if absent. Results do not depend on it
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Colours in text and errors; `auto` has them on a terminal, unless the environment has NO_COLOR
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    color: ColorChoice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArgument {
    Text,
    /// All of a result, with the files that it was made from; `schema --all` writes its schema
    Json,
    /// One table, raw, in SI units: see --tables and --table
    Csv,
    /// One table, raw, in SI units, as Apache Parquet
    Parquet,
    Markdown,
    /// A drawing for Graphviz; `describe` only
    Dot,
    /// A drawing for a browser; `describe` only
    Svg,
    /// Every node and link as InfraGraph 3.1; `describe` only
    Infragraph,
    /// Every node and link as GraphML; `describe` only
    Graphml,
}

/// What a format asks for.
#[derive(Clone, Copy, Debug)]
enum AskedFormat {
    Report(report::Format),
    Drawing(report::Drawing),
    Graph(report::GraphFormat),
}

impl FormatArgument {
    fn asked(self) -> AskedFormat {
        match self {
            Self::Text => AskedFormat::Report(report::Format::Text),
            Self::Json => AskedFormat::Report(report::Format::Json),
            Self::Csv => AskedFormat::Report(report::Format::Csv),
            Self::Parquet => AskedFormat::Report(report::Format::Parquet),
            Self::Markdown => AskedFormat::Report(report::Format::Markdown),
            Self::Dot => AskedFormat::Drawing(report::Drawing::Dot),
            Self::Svg => AskedFormat::Drawing(report::Drawing::Svg),
            Self::Infragraph => AskedFormat::Graph(report::GraphFormat::InfraGraph),
            Self::Graphml => AskedFormat::Graph(report::GraphFormat::GraphMl),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    List(list::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    New(new::Arguments),
    Describe(describe::Arguments),
    Collective(collective::Arguments),
    Flows(flows::Arguments),
    Import(import::Arguments),
    Replay(replay::Arguments),
    Experts(experts::Arguments),
    Model(model::Arguments),
    Load(load::Arguments),
    FanIn(fan_in::Arguments),
    Simulate(simulate::Arguments),
    Serve(serve::Arguments),
    Capacity(capacity::Arguments),
    Frontier(frontier::Arguments),
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
    Completions(completions::Arguments),
    Man(man::Arguments),
}

impl Command {
    pub(crate) fn run(&self, format: report::Format) -> CommandResult {
        match self {
            Self::List(arguments) => list::run(arguments, format),
            Self::Check(arguments) => check::run(arguments, format),
            Self::Explain(arguments) => explain::run(arguments, format),
            Self::New(arguments) => new::run(arguments),
            Self::Describe(arguments) => describe::run(arguments, format),
            Self::Collective(arguments) => collective::run(arguments, format),
            Self::Flows(arguments) => flows::run(arguments, format),
            Self::Import(arguments) => import::run(arguments, format),
            Self::Replay(arguments) => replay::run(arguments, format),
            Self::Experts(arguments) => experts::run(arguments, format),
            Self::Model(arguments) => model::run(arguments, format),
            Self::Load(arguments) => load::run(arguments, format),
            Self::FanIn(arguments) => fan_in::run(arguments, format),
            Self::Simulate(arguments) => simulate::run(arguments, format),
            Self::Serve(arguments) => serve::run(arguments, format),
            Self::Capacity(arguments) => capacity::run(arguments, format),
            Self::Frontier(arguments) => frontier::run(arguments, format),
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
            Self::Schema(arguments) => schema::run(arguments),
            Self::Completions(arguments) => Ok(completions::run(arguments)),
            Self::Man(arguments) => man::run(arguments),
        }
    }
}

/// What `--version` shows; asked once, and kept as long as the process lives, as clap wants it.
fn version(commit: &str) -> &'static str {
    let version = env!("CARGO_PKG_VERSION");
    if commit.is_empty() { version } else { Box::leak(format!("{version} ({commit})").into_boxed_str()) }
}

/// Reads the process's arguments. `--ranks -3` is a value that is out of range, not an option called `-3`.
fn arguments(commit: &str, color: ColorChoice) -> Result<Arguments, clap::Error> {
    let negative = |argument: clap::Arg| if argument.get_action().takes_values() { argument.allow_negative_numbers(true) } else { argument };
    let mut command =
        Arguments::command().mut_args(negative).mut_subcommands(|command| command.mut_args(negative)).color(color).version(version(commit));
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Runs the program on the process's arguments; `commit` is what it was built from, empty if that is not known.
#[must_use]
pub fn run(commit: &str) -> Exit {
    let color = terminal::wanted_colour(&std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>());
    terminal::look(color);
    if let Some(tables) = listed_tables() {
        return print(tables.as_bytes()).unwrap_or(Exit::Done);
    }
    let arguments = match arguments(commit, color) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, everything else is misuse; clap knows which goes to which stream.
            let exit = if error.use_stderr() { Exit::BadInput } else { Exit::Done };
            return match error.print() {
                Err(failure) => not_written(&failure).unwrap_or(exit),
                Ok(()) => exit,
            };
        }
    };
    if let Some(threads) = arguments.threads {
        // Fails only if the pool exists already, which nothing before this line makes.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads)).build_global();
    }
    let asked = arguments.format.asked();
    let result = match (&arguments.command, asked) {
        (Command::Describe(arguments), AskedFormat::Graph(graph)) => describe::export(arguments, graph),
        (_, AskedFormat::Graph(_)) => Err(bad_option("--format", "`infragraph` and `graphml` list nodes and links; only `describe` does")),
        (Command::Describe(arguments), AskedFormat::Drawing(drawing)) => describe::draw(arguments, drawing),
        (Command::Plan(arguments), AskedFormat::Drawing(report::Drawing::Svg)) => plan::draw(arguments),
        (_, AskedFormat::Drawing(_)) => Err(bad_option("--format", "`dot` and `svg` draw; only `describe` does, and `plan` with `svg`")),
        // Said before work starts, not after it.
        (_, AskedFormat::Report(format)) if arguments.table.is_some() && format.records().is_none() => Err(no_tables()),
        (command, AskedFormat::Report(format)) => command.run(format),
    };
    let format = match asked {
        AskedFormat::Report(format) => format,
        AskedFormat::Drawing(_) | AskedFormat::Graph(_) => report::Format::Text,
    };
    match result.and_then(|output| Ok((output.exit, output.bytes(format, arguments.table.as_deref())?))) {
        Ok((exit, bytes)) => print(&bytes).map_or(exit, |failed| failed),
        Err(problems) => {
            let text = if terminal::colours_errors(arguments.color) { problems.coloured() } else { problems.to_string() };
            let _ = writeln!(std::io::stderr(), "{text}");
            Exit::BadInput
        }
    }
}

/// Writes standard output; how the program ends if that fails.
fn print(bytes: &[u8]) -> Option<Exit> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).err().and_then(|error| not_written(&error))
}

/// How the program ends if its output cannot be written. A closed pipe (`supernode list | head`) is the reader's choice, not an error.
fn not_written(error: &std::io::Error) -> Option<Exit> {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return None;
    }
    let _ = writeln!(std::io::stderr(), "error: cannot write standard output: {error}");
    Some(Exit::BadInput)
}

/// The tables of the command on the command line, if that is what is asked: the result's arguments need not be there.
fn listed_tables() -> Option<String> {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if !words.iter().any(|word| word == "--tables") {
        return None;
    }
    let command = words.iter().find(|word| Arguments::command().find_subcommand(word).is_some())?;
    let names = words.iter().skip_while(|word| *word != command).skip(1).take_while(|word| !word.starts_with('-')).count();
    let variant = match command.as_str() {
        "list" if names > 1 => "list-file",
        "simulate" if words.iter().any(|word| word == "--clip" || word.starts_with("--clip=")) => "simulate-clip",
        other => other,
    };
    let more = (supernodes(&words) > 1).then(|| report::SECOND_SUPERNODE.to_owned());
    let words: Vec<String> = words.iter().cloned().chain(more).collect();
    Some(report::tables_text(variant, &words)).filter(|text| !text.is_empty())
}

/// Supernodes that a command line names, as far as it can be read.
fn supernodes(words: &[String]) -> usize {
    let read = Arguments::command().ignore_errors(true).no_binary_name(true).try_get_matches_from(words);
    let matches = read.ok().and_then(|matches| matches.subcommand().map(|(_, inner)| inner.clone()));
    matches.and_then(|matches| Some(matches.try_get_raw("supernodes").ok()??.len())).unwrap_or(0)
}

/// What a command leaves behind.
pub(crate) struct Output {
    pub(crate) body: Body,
    exit: Exit,
}

pub(crate) enum Body {
    /// For people, or a file as it is.
    Text(String),
    /// For programs, and the same for people.
    Document(Box<Document>, String),
}

impl Output {
    fn done(text: String) -> Self {
        Self { body: Body::Text(text), exit: Exit::Done }
    }

    fn report(report: &dyn Report, format: report::Format) -> Self {
        match format {
            report::Format::Text => Self::done(report::render_text(report, terminal::screen())),
            report::Format::Markdown => Self::done(report::render_markdown(report)),
            report::Format::Json | report::Format::Csv | report::Format::Parquet => {
                let document = Document::new(report.output(), report.json(), &inputs());
                Self { body: Body::Document(Box::new(document), report::render_text(report, terminal::screen())), exit: Exit::Done }
            }
        }
    }

    /// A report that says below its first heading what the command chose.
    fn noted(report: &dyn Report, note: Option<String>, format: report::Format) -> Self {
        Self::report(&report::Noted { report, note }, format)
    }

    /// Puts a table first whose columns follow from the question.
    fn with_rows(mut self, name: &'static str, rows: impl FnOnce() -> Records) -> Self {
        if let Body::Document(document, _) = &mut self.body {
            document.rows = Some((name, rows()));
        }
        self
    }

    /// What goes to standard output.
    fn bytes(self, format: report::Format, table: Option<&str>) -> Result<Vec<u8>, Problems> {
        let Some(records) = format.records() else {
            let text = match self.body {
                Body::Text(text) => text,
                Body::Document(document, _) => document.text(),
            };
            return if table.is_some() { Err(no_tables()) } else { Ok(text.into_bytes()) };
        };
        match self.body {
            Body::Text(text) => Ok(text.into_bytes()),
            Body::Document(document, _) => {
                let mut bytes = Vec::new();
                let written = document.write_table(table, records, &mut bytes);
                written.map_err(|error| bad_option("--table", format!("{}{error}", table.map_or_else(String::new, |name| format!("`{name}`: ")))))?;
                Ok(bytes)
            }
        }
    }
}

type CommandResult = Result<Output, Problems>;

/// The demand that results are held against where none is named.
const DEFAULT_TARGET: &str = "doubao-2026-04";

/// `--table` with a format that has no single table.
fn no_tables() -> Problems {
    bad_option("--table", "text, Markdown and JSON hold all tables; add --format csv or parquet")
}

/// The policy of `--routing`, if it is given.
fn routing_policy(asked: Option<&str>) -> Result<Option<crate::fabric::RoutingPolicy>, Problems> {
    asked.map(|name| name.parse().map_err(|error| bad_option("--routing", error))).transpose()
}

/// A problem with an option's value.
fn bad_option(option: &str, message: impl std::fmt::Display) -> Problems {
    Problem::new(format!("{option}: {message}")).into()
}
