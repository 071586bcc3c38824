//! How much memory the tables of a text take, told from its tokens: a text that needs too much is refused before any table is made.

use toml_parser::lexer::{Token, TokenKind};

use super::problem::{Problem, Source};

/// Bytes that the tables of one text may take. With the program and the text itself a refusal stays below 100 MB.
const LARGEST_TABLES: usize = 60 << 20;

/// Refuses a text whose tables would take too much memory.
///
/// # Errors
/// What they would take, and what may be taken.
pub(super) fn not_too_much(source: &Source, cost: usize) -> Result<(), Problem> {
    if cost <= LARGEST_TABLES {
        return Ok(());
    }
    let [needed, allowed] = [cost, LARGEST_TABLES].map(|bytes| bytes >> 20);
    let problem = Problem::new(format!("`{}` holds too many values", source.name));
    Err(problem.help(format!("its tables would take {needed} MiB of memory; up to {allowed} MiB are read")))
}

/// A token and the event that the parser makes of it.
const TOKEN: usize = 48;
/// An entry of a table: its key and its value, both with their places.
const ENTRY: usize = 150;
/// A table with room for its first entries. Each dot of a key makes one.
const TABLE: usize = 580;
/// An array with room for its first values.
const ARRAY: usize = 420;
/// A further value of an array.
const ITEM: usize = 96;

/// Bytes that a JSON text takes once it is parsed. What a string holds counts as if it stood outside.
#[must_use]
pub(super) fn json_cost(text: &str) -> usize {
    let of = |byte| match byte {
        b'{' => 500,
        b'[' => 300,
        b',' => 120,
        b'"' => 32,
        _ => 0,
    };
    text.bytes().map(of).sum()
}

/// Bytes that a TOML text takes once it is parsed: no less than what the parser was measured to take for texts of one construct.
#[must_use]
pub(super) fn toml_cost(text: &str) -> usize {
    let mut reader = CostReader { text, ..CostReader::default() };
    toml_parser::Source::new(text).lex().for_each(|token| reader.token(&token));
    reader.cost
}

#[derive(Default)]
struct CostReader<'a> {
    text: &'a str,
    cost: usize,
    /// Brackets of values that are open; `true` for those of a table.
    open: Vec<bool>,
    /// Behind the sign of equality: what comes is a value.
    in_value: bool,
    /// The header that is read: where it starts, and its dots so far.
    header: Option<(usize, usize)>,
    last_header: &'a str,
}

impl CostReader<'_> {
    fn token(&mut self, token: &Token) {
        self.cost += TOKEN;
        match token.kind() {
            TokenKind::Equals => {
                self.cost += ENTRY;
                self.in_value = true;
            }
            // A dot of a number makes nothing.
            TokenKind::Dot if self.in_value => {}
            TokenKind::Dot => {
                self.cost += TABLE;
                self.header.iter_mut().for_each(|(_, dots)| *dots += 1);
            }
            TokenKind::Comma => {
                self.cost += ITEM;
                self.in_value = self.open.last() != Some(&true);
            }
            TokenKind::LeftCurlyBracket => self.bracket(true),
            TokenKind::LeftSquareBracket if self.in_value => self.bracket(false),
            TokenKind::LeftSquareBracket => {
                self.cost += if self.header.is_some() { 0 } else { TABLE + ENTRY };
                self.header.get_or_insert((token.span().start(), 0));
            }
            TokenKind::RightCurlyBracket | TokenKind::RightSquareBracket => {
                self.in_value = self.open.pop().is_some();
            }
            TokenKind::Newline => self.line_ends(token.span().start()),
            TokenKind::Whitespace
            | TokenKind::Comment
            | TokenKind::LiteralString
            | TokenKind::BasicString
            | TokenKind::MlLiteralString
            | TokenKind::MlBasicString
            | TokenKind::Atom
            | TokenKind::Eof => {}
        }
    }

    fn bracket(&mut self, is_table: bool) {
        self.cost += if is_table { TABLE } else { ARRAY };
        self.open.push(is_table);
        self.in_value = !is_table;
    }

    fn line_ends(&mut self, end: usize) {
        if self.open.is_empty() {
            self.in_value = false;
        }
        let Some((start, dots)) = self.header.take() else { return };
        let header = &self.text[start..end];
        // `[[a.b.c]]` again makes one more table, and none for its dots.
        if header == self.last_header {
            self.cost -= TABLE * dots;
        }
        self.last_header = header;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the end of the text, which is a token too.
    fn cost(text: &str) -> usize {
        toml_cost(text) - toml_cost("")
    }

    #[test]
    fn each_construct_has_its_cost() {
        assert_eq!(cost("k=1\n"), 4 * TOKEN + ENTRY);
        assert_eq!(cost("k=1.5\n"), 6 * TOKEN + ENTRY, "the dot of a number");
        assert_eq!(cost("k.l=1\n"), 6 * TOKEN + ENTRY + TABLE, "the dot of a key");
        assert_eq!(cost("k=[1,2]\n"), 8 * TOKEN + ENTRY + ARRAY + ITEM);
        assert_eq!(cost("k={a.b=1.5,c.d=2}\n"), 18 * TOKEN + 3 * ENTRY + 3 * TABLE + ITEM, "keys of a table in a line");
        assert_eq!(cost("k='a.b,[c'\n"), 4 * TOKEN + ENTRY, "what a string holds");
        assert_eq!(cost("# a.b\n\n"), 3 * TOKEN);
    }

    #[test]
    fn a_text_is_refused_by_what_it_would_take() {
        let source = Source { name: "a.toml".to_owned(), text: String::new() };
        assert!(not_too_much(&source, LARGEST_TABLES).is_ok());
        let problem = not_too_much(&source, LARGEST_TABLES + (1 << 20)).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "error: `a.toml` holds too many values\n |\n = help: its tables would take 61 MiB of memory; up to 60 MiB are read"
        );
        assert_eq!(json_cost("{\"a\": [1, 2]}"), 500 + 2 * 32 + 300 + 120);
    }

    #[test]
    fn a_header_again_makes_one_table() {
        let header = "[[a.b.c]]\n";
        assert_eq!(cost(header), 10 * TOKEN + TABLE + ENTRY + 2 * TABLE);
        assert_eq!(cost(&header.repeat(2)), 2 * cost(header) - 2 * TABLE);
        assert_eq!(cost(&format!("{header}[[a.b.d]]\n")), 2 * cost(header));
    }
}
