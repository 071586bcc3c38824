//! Strings and comments of a TOML file, whatever a source puts into its names.

use std::fmt::Write as _;

/// A TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A line of comment.
pub(super) fn comment(out: &mut String, text: &str) {
    let clean: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let _ = writeln!(out, "# {clean}");
}
