//! What the program prints to: how wide it is, and whether it shows colours.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ColorChoice;

use crate::report::Screen;

/// What standard output is, once the program has looked; a library prints nothing and never looks.
static SCREEN: OnceLock<Screen> = OnceLock::new();

/// Below this nothing can be read.
const NARROWEST: usize = 40;

/// What reports are laid out for.
pub fn screen() -> Screen {
    SCREEN.get().copied().unwrap_or(Screen::PLAIN)
}

/// Looks at standard output: a terminal's width, 100 columns of anything else.
pub fn look(choice: ColorChoice) {
    let out = std::io::stdout();
    let columns = out.is_terminal().then(terminal_size::terminal_size).flatten().map(|(width, _)| usize::from(width.0));
    let columns = columns.map_or(Screen::PLAIN.columns, |columns| columns.max(NARROWEST));
    // Of two that look, both find the same.
    let _ = SCREEN.set(Screen { columns, colour: colours(choice, out.is_terminal()) });
}

/// Whether errors are coloured.
pub fn colours_errors(choice: ColorChoice) -> bool {
    colours(choice, std::io::stderr().is_terminal())
}

/// `--color` decides; without it a terminal has colours, unless NO_COLOR (<https://no-color.org>) or a dumb terminal says otherwise.
fn colours(choice: ColorChoice, is_terminal: bool) -> bool {
    let unwanted =
        || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => is_terminal && !unwanted(),
    }
}

/// The `--color` of a command line that may be wrong elsewhere: what is wrong is shown in its colours.
pub fn wanted_colour(words: &[String]) -> ColorChoice {
    let mut values = words.iter().enumerate().filter_map(|(at, word)| match word.strip_prefix("--color") {
        Some("") => words.get(at + 1).map(String::as_str),
        Some(rest) => rest.strip_prefix('='),
        None => None,
    });
    match values.next_back() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_decides_and_a_file_has_no_colours() {
        assert!(colours(ColorChoice::Always, false));
        assert!(!colours(ColorChoice::Never, true));
        assert!(!colours(ColorChoice::Auto, false));
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(wanted_colour(&words("list --color always --nope")), ColorChoice::Always);
        assert_eq!(wanted_colour(&words("list --color=never")), ColorChoice::Never);
        assert_eq!(wanted_colour(&words("list --colour never --color")), ColorChoice::Auto);
    }
}
