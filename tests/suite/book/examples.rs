//! Runs the examples of the pages.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Page, pages, root};

/// One piece of a page.
enum Piece<'a> {
    /// Text that stays as it is.
    Text(&'a str),
    /// A file that later commands of the page read: its name and text.
    File(&'a str, String),
    /// A command after `$ ` and the output below it.
    Example(String, String),
}

/// Splits a page into lines of text, files (` ```toml file=NAME `) and examples (` ```console `).
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        pieces.push(Piece::Text(line));
        let Some(language) = line.trim_end().strip_prefix("```").filter(|language| !language.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim_end() != "```").collect();
        if language == "console" {
            examples(&block, &mut pieces);
        } else {
            pieces.extend(block.iter().map(|line| Piece::Text(line)));
            if let Some((_, name)) = language.split_once("file=") {
                pieces.push(Piece::File(name, block.concat()));
            }
        }
        pieces.push(Piece::Text("```\n"));
    }
    pieces
}

fn examples(block: &[&str], pieces: &mut Vec<Piece<'_>>) {
    let mut lines = block.iter().peekable();
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("a console block begins with a command, not `{line}`"));
        let mut command = command.to_owned();
        while command.ends_with("\\\n") {
            command += lines.next().unwrap();
        }
        let mut output = String::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            output += line;
        }
        pieces.push(Piece::Example(command, output));
    }
}

/// The page as it would be if every output was what the commands print now.
fn run(page: &Page) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book").join(page.path.replace('/', "-"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_supernode")).parent().unwrap();
    let path = std::env::join_paths([program].into_iter().map(Path::to_owned).chain(std::env::split_paths(&std::env::var("PATH").unwrap()))).unwrap();
    let mut made = String::new();
    for piece in pieces(&page.text) {
        match piece {
            Piece::Text(text) => made += text,
            Piece::File(name, text) => fs::write(folder.join(name), text).unwrap(),
            Piece::Example(command, _) => {
                let shell =
                    Command::new("sh").args(["-c", &format!("exec 2>&1; {command}")]).env("PATH", &path).current_dir(&folder).output().unwrap();
                let output = String::from_utf8(shell.stdout).unwrap();
                made += "$ ";
                made += &command;
                for line in output.lines() {
                    made += line.trim_end();
                    made.push('\n');
                }
            }
        }
    }
    made
}

fn example_count(page: &Page) -> usize {
    pieces(&page.text).iter().filter(|piece| matches!(piece, Piece::Example(..))).count()
}

#[test]
fn every_example_prints_what_the_page_says() {
    let pages: Vec<Page> = pages().into_iter().filter(|page| example_count(page) > 0).collect();
    assert!(pages.iter().map(example_count).sum::<usize>() >= 10);
    let bless = std::env::var_os("SUPERNODE_BLESS").is_some();
    let mut wrong = Vec::new();
    for page in &pages {
        let made = run(page);
        if made == page.text {
            continue;
        }
        if bless {
            fs::write(root().join(&page.path), made).unwrap();
        } else {
            let (line, (said, now)) = page.text.lines().zip(made.lines()).enumerate().find(|(_, (said, now))| said != now).unwrap_or((0, ("", "")));
            wrong.push(format!("{}:{}: the page says\n  {said}\nthe command prints\n  {now}", page.path, line + 1));
        }
    }
    assert!(wrong.is_empty(), "{}\nSUPERNODE_BLESS=1 writes the outputs anew", wrong.join("\n"));
}

/// The parser loses nothing of a page, and sees files, commands over several lines and outputs.
#[test]
fn pages_are_split_without_loss() {
    let text = "a\n```toml file=x.toml\nb = 1\n```\n```console\n$ one \\\n  two\nout\n\n$ three\n```\nend\n";
    let mut whole = String::new();
    let mut seen = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => whole += text,
            Piece::File(name, text) => seen.push(format!("{name}: {text}")),
            Piece::Example(command, output) => {
                whole += &format!("$ {command}{output}");
                seen.push(format!("{command}{output}"));
            }
        }
    }
    assert_eq!(whole, text);
    assert_eq!(seen, ["x.toml: b = 1\n", "one \\\n  two\nout\n\n", "three\n"]);
}
