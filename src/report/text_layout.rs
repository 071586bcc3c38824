//! A report as text that fits a number of columns: words wrap, and a table that is too wide wraps its cells, then continues below itself.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::format::{Align, Report, Section, Table, joined};

/// What text is laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns of text that a line may take.
    pub columns: usize,
    /// Whether titles and verdicts are coloured, with ANSI escape codes.
    pub colour: bool,
}

impl Screen {
    /// A file or a pipe: 100 columns, no colour.
    pub const PLAIN: Self = Self { columns: 100, colour: false };

    fn painted(self, text: &str, code: &str) -> String {
        if self.colour && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Between columns of a table, and before the first.
const GAP: usize = 2;
/// Words beyond this are broken where a table is too wide otherwise.
const LONG_WORD: usize = 24;
/// A value that has less room than this stands under its name.
const LEAST_ROOM: usize = 24;
const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";

/// Columns of a terminal that a text takes: two for a wide character.
fn width(text: &str) -> usize {
    text.width()
}

/// Lays a report out for a terminal or a file.
#[must_use]
pub fn render_text(report: &dyn Report, screen: Screen) -> String {
    joined(report, |section| section_text(section, screen))
}

/// A part of a report.
fn section_text(section: &Section, screen: Screen) -> String {
    match section {
        Section::Title(title) => {
            let lines = wrap(title, screen.columns);
            let rule = "-".repeat(lines.iter().map(|line| width(line)).max().unwrap_or(0));
            lines.iter().fold(String::new(), |out, line| out + &screen.painted(line, BOLD) + "\n") + &rule + "\n"
        }
        // A quoted file stays as it is.
        Section::Note(note) if note.starts_with("```") => format!("{note}\n"),
        Section::Note(note) => note.lines().flat_map(|line| wrap(line, screen.columns)).fold(String::new(), |out, line| out + &line + "\n"),
        Section::Facts(facts) => facts_text(facts, screen),
        Section::Table(table) if table.rows.is_empty() => String::new(),
        Section::Table(table) => table_text(table, screen),
    }
}

fn facts_text(facts: &[(String, String)], screen: Screen) -> String {
    let widest = facts.iter().map(|fact| width(&fact.0)).max().unwrap_or(0);
    let beside = screen.columns.saturating_sub(widest + 2 * GAP);
    let under = beside < LEAST_ROOM;
    let (indent, room) = if under { (2 * GAP, screen.columns.saturating_sub(2 * GAP)) } else { (widest + 2 * GAP, beside) };
    let mut out = String::new();
    for (name, value) in facts {
        let lines = wrap(value, room);
        let code = verdict_colour(value);
        let mut lines = lines.iter().map(|line| code.map_or_else(|| line.clone(), |code| screen.painted(line, code)));
        if under {
            wrap(name, screen.columns.saturating_sub(GAP)).iter().for_each(|line| out += &format!("{}{line}\n", " ".repeat(GAP)));
        } else {
            let line = format!("  {name}{}{}", " ".repeat(widest - width(name) + GAP), lines.next().unwrap_or_default());
            let _ = writeln!(out, "{}", line.trim_end());
        }
        lines.for_each(|line| out += &format!("{}{line}\n", " ".repeat(indent)));
    }
    out
}

/// The colour of what is met or missed; none for anything else.
fn verdict_colour(value: &str) -> Option<&'static str> {
    match value.split_whitespace().next() {
        Some("meets") => Some(GREEN),
        Some("misses" | "misses:") => Some(RED),
        _ => None,
    }
}

fn table_text(table: &Table, screen: Screen) -> String {
    let Some(widths) = fitting(table, screen.columns) else { return parts_of(table, screen) };
    let mut out = String::new();
    let header: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    row_text(table, &header, &widths, true, screen, &mut out);
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    row_text(table, &rule, &widths, false, screen, &mut out);
    for row in &table.rows {
        row_text(table, row, &widths, false, screen, &mut out);
    }
    out
}

/// One row, of as many lines as its longest cell takes; a header stands on the rule below it.
fn row_text(table: &Table, cells: &[String], widths: &[usize], is_header: bool, screen: Screen, out: &mut String) {
    let wrapped: Vec<Vec<String>> = cells.iter().zip(widths).map(|(cell, width)| wrap(cell, *width)).collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(1);
    for line in 0..height {
        let mut text = String::new();
        for ((lines, wanted), column) in wrapped.iter().zip(widths).zip(&table.columns) {
            let above = if is_header { height - lines.len() } else { 0 };
            let cell = line.checked_sub(above).and_then(|line| lines.get(line)).map_or("", String::as_str);
            let padding = " ".repeat(wanted.saturating_sub(width(cell)));
            text += "  ";
            text += &match column.align {
                Align::Left => format!("{cell}{padding}"),
                Align::Right => format!("{padding}{cell}"),
            };
        }
        let text = text.trim_end();
        let _ = writeln!(out, "{}", if is_header { screen.painted(text, BOLD) } else { text.to_owned() });
    }
}

/// Widths of the columns with which a table fits; `None` if only fewer columns would.
fn fitting(table: &Table, columns: usize) -> Option<Vec<usize>> {
    let room = columns.checked_sub(GAP * table.columns.len())?;
    let needs = |of_word: fn(&str) -> usize| -> Vec<[usize; 2]> {
        (0..table.columns.len()).map(|column| [least(table, column, of_word), natural(table, column)]).collect()
    };
    // Whole words, and if that is not enough, long ones broken.
    [needs(width), needs(|word| width(word).min(LONG_WORD))].into_iter().find_map(|needs| capped(&needs, room))
}

/// The width that each column takes where none beyond its least is wider than the same cap.
fn capped(needs: &[[usize; 2]], room: usize) -> Option<Vec<usize>> {
    let widths = |cap: usize| -> Vec<usize> { needs.iter().map(|[least, natural]| (*least).max(cap.min(*natural))).collect() };
    let widest = needs.iter().map(|need| need[1]).max().unwrap_or(0);
    (0..=widest).rev().map(widths).find(|widths| widths.iter().sum::<usize>() <= room)
}

fn natural(table: &Table, column: usize) -> usize {
    let cells = table.rows.iter().map(|row| width(&row[column]));
    cells.chain([width(&table.columns[column].name)]).max().unwrap_or(0)
}

/// Longest word of the header and of words; a number is never broken.
fn least(table: &Table, column: usize, of_word: fn(&str) -> usize) -> usize {
    let words = |text: &str| words(text).iter().map(|word| of_word(word)).max().unwrap_or(0);
    let cells = table.rows.iter().map(|row| match table.columns[column].align {
        Align::Left => words(&row[column]),
        Align::Right => width(&row[column]),
    });
    cells.chain([words(&table.columns[column].name)]).max().unwrap_or(0)
}

/// A table of too many columns as several below each other, each with the first column.
fn parts_of(table: &Table, screen: Screen) -> String {
    let part = |chosen: &[usize]| Table {
        columns: chosen.iter().map(|column| table.columns[*column].clone()).collect(),
        rows: table.rows.iter().map(|row| chosen.iter().map(|column| row[*column].clone()).collect()).collect(),
    };
    let mut parts: Vec<Vec<usize>> = vec![vec![0]];
    for column in 1..table.columns.len() {
        let mut longer = parts.last().cloned().unwrap_or_default();
        longer.push(column);
        if longer.len() == 2 || fitting(&part(&longer), screen.columns).is_some() {
            parts.pop();
            parts.push(longer);
        } else {
            parts.push(vec![0, column]);
        }
    }
    let texts = parts.iter().map(|chosen| {
        let part = part(chosen);
        // One figure beside a name that leaves it no room: the name is broken wherever it must be.
        if fitting(&part, screen.columns).is_some() { table_text(&part, screen) } else { squeezed(&part, screen) }
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Columns of equal width, at least a letter each.
fn squeezed(table: &Table, screen: Screen) -> String {
    let count = table.columns.len().max(1);
    let widths = vec![(screen.columns / count).saturating_sub(GAP).max(1); count];
    let mut out = String::new();
    let header: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    std::iter::once(&header).chain(&table.rows).for_each(|row| row_text(table, row, &widths, false, screen, &mut out));
    out
}

/// Words between spaces; what stands between backquotes is one.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '`' => quoted = !quoted && text[at + 1..].contains('`'),
            ' ' if !quoted => {
                words.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(&text[start..]);
    words
}

/// Lines of at most so many columns. Spaces within a line stay; a word longer than a line is broken.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    if width(text) <= columns {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    let mut is_new = true;
    for word in words(text) {
        let Some(line) = lines.last_mut() else { break };
        let room = columns.saturating_sub(width(line) + usize::from(!is_new));
        if width(word) <= room {
            line.push_str(if is_new { "" } else { " " });
            line.push_str(word);
        } else if width(word) <= columns {
            lines.push(word.to_owned());
        } else {
            // Where it is broken it begins on the line that there is, if much of that is free.
            let beside = !is_new && room >= LONG_WORD;
            let mut rest = if beside { format!("{line} {word}") } else { word.to_owned() };
            if beside || (is_new && line.is_empty()) {
                lines.pop();
            }
            while width(&rest) > columns {
                let (first, second) = rest.split_at(break_at(&rest, columns));
                lines.push(first.trim_end().to_owned());
                rest = String::from(second.trim_start());
            }
            // A letter wider than a line leaves nothing behind it.
            if !rest.is_empty() {
                lines.push(rest);
            }
        }
        is_new = false;
    }
    lines
}

/// Where a text that is too long breaks: behind the last space, comma or slash of the second half of the line, or else where the line is full.
fn break_at(text: &str, columns: usize) -> usize {
    let (mut taken, mut full, mut soft) = (0, 0, None);
    for (at, letter) in text.char_indices() {
        taken += letter.width().unwrap_or(0);
        if taken > columns {
            break;
        }
        full = at + letter.len_utf8();
        if matches!(letter, ' ' | ',' | '/') && 2 * taken > columns {
            soft = Some(full);
        }
    }
    // A line narrower than one wide letter still takes that letter.
    let first = text.chars().next().map_or(1, char::len_utf8);
    soft.unwrap_or(full).max(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Screen = Screen { columns: 24, colour: false };

    #[test]
    fn wide_characters_take_two_columns() {
        let mut table = Table::new(&["<name", "GB"]);
        table.row(["机柜".to_owned(), "1".to_owned()]);
        table.row(["rack".to_owned(), "20".to_owned()]);
        assert_eq!(section_text(&Section::Table(table), Screen::PLAIN), "  name  GB\n  ----  --\n  机柜   1\n  rack  20\n");
    }

    #[test]
    fn words_wrap_and_commands_stay_whole() {
        assert_eq!(wrap("see `supernode list chips` for more", 22), ["see", "`supernode list chips`", "for more"]);
        assert_eq!(wrap("a b", 3), ["a b"]);
        assert_eq!(wrap("ab  cd ef", 6), ["ab  cd", "ef"]);
        assert_eq!(wrap("topologies/parts/chips/h100.toml", 12), ["topologies/", "parts/chips/", "h100.toml"]);
        assert_eq!(wrap("机柜机柜", 5), ["机柜", "机柜"]);
        assert_eq!(wrap("机", 1), ["机"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn facts_hang_behind_their_names() {
        let facts = Section::Facts(vec![("a".to_owned(), "one two three four five six seven".to_owned())]);
        assert_eq!(section_text(&facts, Screen { columns: 30, colour: false }), "  a  one two three four five\n     six seven\n");
        let named = Section::Facts(vec![("a long name".to_owned(), "one two three four".to_owned())]);
        assert_eq!(section_text(&named, NARROW), "  a long name\n    one two three four\n");
        let longer = Section::Facts(vec![("a name that is longer than the screen".to_owned(), "one".to_owned())]);
        assert_eq!(section_text(&longer, NARROW), "  a name that is longer\n  than the screen\n    one\n");
    }

    #[test]
    fn a_wide_table_wraps_its_cells_and_then_continues_below() {
        let mut table = Table::new(&["<id", "<what it says", "value in GB"]);
        table.row(["a".to_owned(), "a few words".to_owned(), "1".to_owned()]);
        assert_eq!(
            section_text(&Section::Table(table), NARROW),
            "      what it   value in\n  id  says            GB\n  --  --------  --------\n  a   a few            1\n      words\n"
        );
        let mut wide = Table::new(&["<id", "one", "two", "three"]);
        wide.row(["a", "1000000", "2000000", "3000000"].map(str::to_owned));
        assert_eq!(
            section_text(&Section::Table(wide), NARROW),
            "  id      one      two\n  --  -------  -------\n  a   1000000  2000000\n\n  id    three\n  --  -------\n  a   3000000\n"
        );
    }

    #[test]
    fn no_text_is_lost_and_no_line_is_too_long() {
        let text = "A note of `some command` and, beyond that, averyveryveryverylongwordthatnobodywouldwrite with 机柜 in it.";
        for columns in 1..60 {
            let lines = wrap(text, columns);
            assert!(lines.iter().all(|line| width(line) <= columns.max(2)), "{columns}: {lines:?}");
            let letters = |text: &str| text.chars().filter(|letter| *letter != ' ').collect::<String>();
            assert_eq!(letters(&lines.concat()), letters(text), "{columns}");
        }
    }

    #[test]
    fn verdicts_have_colours() {
        let screen = Screen { columns: 80, colour: true };
        let facts = Section::Facts(vec![("verdict".to_owned(), "misses it".to_owned())]);
        assert_eq!(section_text(&facts, screen), "  verdict  \u{1b}[31mmisses it\u{1b}[0m\n");
        assert_eq!(section_text(&Section::Title("A".to_owned()), screen), "\u{1b}[1mA\u{1b}[0m\n-\n");
    }
}
