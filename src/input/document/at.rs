//! A value that remembers where in the file it stands.

use std::borrow::Cow;
use std::ops::{Deref, Range};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use toml::Spanned;

/// A value with its byte range in the file, so that a late check can still underline it.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct At<T>(Spanned<T>);

impl<T> At<T> {
    /// Byte range in the file.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.0.span()
    }
}

impl<T> At<T> {
    /// A value at `span` of a file that is not TOML.
    #[must_use]
    pub fn new(span: Range<usize>, value: T) -> Self {
        Self(Spanned::new(span, value))
    }

    /// Puts another value in its place: a study that varies what the file says.
    pub fn set(&mut self, value: T) {
        self.0 = Spanned::new(self.0.span(), value);
    }
}

impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.get_ref()
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
