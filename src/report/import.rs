//! `supernode import`: the file that was made, and what was seen on the way.

use serde_json::{Value as Json, json};

use super::format::{Report, Section};
use crate::study::Imported;

/// An imported machine.
#[derive(Clone, Debug)]
pub struct ImportReport {
    /// The source.
    pub file: String,
    /// Its format.
    pub format: &'static str,
    /// Where the file was written; `None` if it is the answer itself.
    pub out: Option<String>,
    /// What was made.
    pub imported: Imported,
}

impl Report for ImportReport {
    fn output(&self) -> &'static str {
        "import"
    }

    fn json(&self) -> Json {
        let imported = &self.imported;
        json!({
            "file": self.file,
            "format": self.format,
            "structure": imported.structure,
            "chips": imported.spec.chips(),
            "levels": imported.spec.levels.iter().map(|level| json!({ "name": level.name, "size": level.size })).collect::<Vec<_>>(),
            "conflicts": imported.conflicts,
            "notes": imported.notes,
            "out": self.out,
            "toml": imported.toml,
        })
    }

    fn sections(&self) -> Vec<Section> {
        let imported = &self.imported;
        let mut facts = vec![
            ("from".to_owned(), format!("{}, {}", self.file, self.format)),
            ("chips".to_owned(), imported.spec.chips().to_string()),
            ("structure".to_owned(), imported.structure.clone()),
        ];
        facts.extend(self.out.clone().map(|out| ("written to".to_owned(), out)));
        let mut sections = vec![Section::Facts(facts)];
        sections.extend(imported.conflicts.iter().map(|conflict| Section::Note(format!("Conflict: {conflict}."))));
        sections.extend(imported.notes.iter().map(|note| Section::Note(format!("{note}."))));
        sections
    }
}
