//! `supernode list`: what ships.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::kinds::kinds;
use super::output_file::cannot_write;
use super::schema::schema_text;
use super::{CommandResult, Output};
use crate::input::catalog::{Mention, find_in, shipped_in};
use crate::input::document::{Kind, StandingKind};
use crate::input::problem::{Problem, Problems, Source, suggest};
use crate::input::spec::load_supernode;
use crate::report::{self, Report, Section, Table};

/// List the files that ship with the program, one name a line (machines that are projections or stand-ins are marked), or print one of them to start from
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to list
    #[arg(value_parser = kinds(Kind::plural), default_value = "supernodes")]
    kind: Kind,

    /// Print this shipped file instead of the names
    name: Option<String>,

    /// Write the file there instead, and schema/KIND.json beside it, which its first line names: editors complete and check it
    #[arg(long, value_name = "FILE", requires = "name")]
    out: Option<PathBuf>,
}

/// Names, each with what it is where it is not a machine that runs.
struct ListedNames(Vec<(String, Option<StandingKind>)>);

impl Report for ListedNames {
    fn output(&self) -> &'static str {
        "list"
    }

    fn json(&self) -> Json {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        let standing: Vec<Option<&str>> = self.0.iter().map(|(_, standing)| standing.map(StandingKind::name)).collect();
        json!({ "names": names, "standing": standing })
    }

    fn sections(&self) -> Vec<Section> {
        let mut table = Table::new(&["<name", "<"]);
        self.0.iter().for_each(|(name, standing)| table.row([name.clone(), standing.map_or("", StandingKind::name).to_owned()]));
        vec![Section::Table(table)]
    }
}

/// A shipped file.
struct ShippedText {
    path: String,
    text: String,
}

impl Report for ShippedText {
    fn output(&self) -> &'static str {
        "list-file"
    }

    fn json(&self) -> Json {
        json!({ "path": self.path, "text": self.text })
    }

    fn sections(&self) -> Vec<Section> {
        vec![Section::Title(self.path.clone()), Section::Note(format!("```toml\n{}```", self.text))]
    }
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    if let (Some(name), Some(out)) = (&arguments.name, &arguments.out) {
        return written(arguments.kind, name, out).map(Output::done);
    }
    if let Some(name) = &arguments.name {
        return file(arguments.kind, name, format);
    }
    let names = shipped_in(arguments.kind.folder());
    let standing =
        |name: &str| if arguments.kind == Kind::Supernode { load_supernode(name).map(|spec| spec.standing.map(|is| is.kind)) } else { Ok(None) };
    let names = names.into_iter().map(|name| standing(&name).map(|standing| (name, standing))).collect::<Result<Vec<_>, _>>()?;
    if format == report::Format::Text {
        let line = |(name, standing): &(String, Option<StandingKind>)| match standing {
            Some(standing) => format!("{name}  ({})\n", standing.name()),
            None => format!("{name}\n"),
        };
        return Ok(Output::done(names.iter().map(line).collect()));
    }
    Ok(Output::report(&ListedNames(names), format))
}

/// A shipped file of a kind, as text or as JSON.
fn file(kind: Kind, name: &str, format: report::Format) -> CommandResult {
    let source = shipped(kind, name)?;
    let text = ShippedText { path: source.name.clone(), text: portable(kind, &source.text) };
    Ok(if format == report::Format::Text { Output::done(text.text) } else { Output::report(&text, format) })
}

fn shipped(kind: Kind, name: &str) -> Result<Arc<Source>, Problems> {
    let (folder, word) = (kind.folder(), kind.plural());
    let names = shipped_in(folder);
    if !names.iter().any(|known| known == name) {
        let hint = suggest(name, names.iter().map(String::as_str));
        return Err(Problem::new(format!("none of the {word} is named `{name}`")).help(hint).into());
    }
    Ok(find_in(name, &Mention::on_command_line(), folder, word, "toml")?.source)
}

/// Writes a shipped file and the schema of its kind; says what was written. No file that is there already is replaced, except by the same.
fn written(kind: Kind, name: &str, out: &Path) -> Result<String, Problems> {
    let source = shipped(kind, name)?;
    let schema = format!("schema/{}.json", kind.word());
    let beside = out.parent().unwrap_or(Path::new("")).join(&schema);
    let text = format!("#:schema ./{schema}\n{}", without_schema(&source.text));
    for (path, text) in [(out, text), (beside.as_path(), schema_text(kind))] {
        write_new(path, &text).map_err(|error| cannot_write("--out", path, &error))?;
    }
    Ok(format!("`{}`, and its schema in `{}`\n", out.display(), beside.display()))
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    match std::fs::File::create_new(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(_) if std::fs::read_to_string(path).is_ok_and(|known| known == text) => Ok(()),
        Err(error) => Err(error),
    }
}

/// A file's text for any folder: the first line of a shipped one names a schema beside the shipped files, which an editor would not find elsewhere.
pub(super) fn portable(kind: Kind, text: &str) -> String {
    let word = kind.word();
    match without_schema(text) {
        rest if rest.len() < text.len() => format!(
            "# Completed and checked in an editor after `supernode schema --all schema` with the line #:schema ./schema/{word}.json here.\n{rest}"
        ),
        _ => text.to_owned(),
    }
}

/// A file behind the line that names its schema.
fn without_schema(text: &str) -> &str {
    text.split_once('\n').filter(|(first, _)| first.starts_with("#:schema ")).map_or(text, |(_, rest)| rest)
}
