//! `supernode list`: what ships.

use serde_json::{Value as Json, json};

use super::kinds::kinds;
use super::{Outcome, Output};
use crate::input::catalog::{Mention, find_in, shipped_in};
use crate::input::document::Kind;
use crate::input::problem::{Problem, suggest};
use crate::report::{self, Report, Section, Table};

/// List what ships with the program, one name a line, or print one of its files to start from
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to list
    #[arg(value_parser = kinds(Kind::plural), default_value = "supernodes")]
    kind: Kind,

    /// Print this shipped file instead of the names
    name: Option<String>,
}

struct Names(Vec<String>);

impl Report for Names {
    fn output(&self) -> &'static str {
        "list"
    }

    fn json(&self) -> Json {
        json!({ "names": self.0 })
    }

    fn sections(&self) -> Vec<Section> {
        let mut table = Table::new(&["<name"]);
        self.0.iter().for_each(|name| table.row([name.clone()]));
        vec![Section::Table(table)]
    }
}

/// A shipped file.
struct Text {
    path: String,
    text: String,
}

impl Report for Text {
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

pub fn run(arguments: &Arguments, format: report::Format) -> Outcome {
    if let Some(name) = &arguments.name {
        return file(arguments.kind, name, format);
    }
    let names = shipped_in(arguments.kind.folder());
    if format == report::Format::Text {
        return Ok(Output::done(names.iter().map(|name| format!("{name}\n")).collect()));
    }
    Ok(Output::report(&Names(names), format))
}

/// A shipped file of a kind, as text or as JSON.
fn file(kind: Kind, name: &str, format: report::Format) -> Outcome {
    let folder = kind.folder();
    let word = kind.plural();
    if !shipped_in(folder).iter().any(|known| known == name) {
        let hint = suggest(name, shipped_in(folder).iter().map(String::as_str));
        return Err(Problem::new(format!("none of the {word} is named `{name}`")).help(hint).into());
    }
    let found = find_in(name, &Mention::on_command_line(), folder, word, "toml")?;
    let text = Text { path: found.source.name.clone(), text: portable(kind, &found.source.text) };
    Ok(if format == report::Format::Text { Output::done(text.text) } else { Output::report(&text, format) })
}

/// A shipped file's text for any folder: its first line names a schema beside the shipped files, which an editor would not find elsewhere.
fn portable(kind: Kind, text: &str) -> String {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#:schema ") => {
            let word = kind.word();
            format!(
                "# Completed and checked in an editor after `supernode schema --all schema` with the line #:schema ./schema/{word}.json here.\n{rest}"
            )
        }
        _ => text.to_owned(),
    }
}
