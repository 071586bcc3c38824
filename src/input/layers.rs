//! The files of one document as layers: each keeps its own text, so that a problem is shown in the file that causes it.

use std::ops::Range;
use std::sync::Arc;

use super::catalog::{FoundText, Mention};
use super::problem::{Place, Problems};

/// A file, and where its text starts in the text of all layers together.
#[derive(Clone, Debug)]
pub struct FileLayer {
    pub(super) start: usize,
    pub(super) found: FoundText,
    /// What the file calls what it describes, or what it extends where it says nothing.
    pub(super) title: Option<String>,
}

/// The files of one document, the one that extends no other first; never empty.
#[derive(Clone, Debug)]
pub struct FileLayers(pub(super) Vec<FileLayer>);

impl FileLayers {
    /// A file that stands alone.
    #[must_use]
    pub fn single(found: FoundText) -> Self {
        Self(vec![FileLayer { start: 0, found, title: None }])
    }

    /// The texts of the files.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|layer| layer.found.source.text.as_str())
    }

    fn layer(&self, position: usize) -> &FileLayer {
        self.0.iter().rev().find(|layer| layer.start <= position).unwrap_or(&self.0[0])
    }

    /// What each file is, whatever it is called and wherever it lies, with the position where its text starts.
    pub(super) fn identities(&self, kind: &str) -> Vec<(usize, String)> {
        self.0.iter().map(|layer| (layer.start, layer.found.identity(kind, layer.title.as_deref()))).collect()
    }

    /// The place of a span of the text of all layers.
    #[must_use]
    pub fn place(&self, span: Range<usize>) -> Place {
        let layer = self.layer(span.start);
        Place { source: Arc::clone(&layer.found.source), span: span.start - layer.start..span.end.saturating_sub(layer.start) }
    }

    /// A name given at a span of the text of all layers.
    #[must_use]
    pub fn mention(&self, span: Range<usize>) -> Mention {
        let folder = self.layer(span.start).found.folder.clone();
        Mention { place: Some(self.place(span)), folder }
    }

    /// Moves problems from the text of all layers to the files.
    pub(super) fn relocate(&self, problems: Problems) -> Problems {
        problems.map(|mut problem| {
            for (place, _) in [&mut problem.place, &mut problem.also].into_iter().flatten() {
                *place = self.place(place.span.clone());
            }
            problem
        })
    }
}
