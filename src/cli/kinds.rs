//! Kinds of files as values of the command line.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::input::document::Kind;

/// Reads a kind by the word that `word` has for it.
pub fn kinds(word: fn(Kind) -> &'static str) -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(word))
        .try_map(move |text| Kind::ALL.into_iter().find(|kind| word(*kind) == text).ok_or_else(|| format!("no kind of file is called `{text}`")))
}
