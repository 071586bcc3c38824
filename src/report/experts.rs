//! `supernode experts`: dispatch and combine, way by way.

use serde_json::{Value as Json, json};

use super::collective::binary_size;
use super::format::{Report, Section, Table};
use crate::units::{Bytes, Seconds};

/// One kernel, one way, one size.
#[derive(Clone, Debug)]
pub struct ExpertsRow {
    /// Elements of one token.
    pub message: Bytes,
    /// Kernel of the library.
    pub kernel: String,
    /// `direct` or `relayed`.
    pub way: &'static str,
    /// Time of the kernel.
    pub time: Seconds,
    /// What one rank sends: to all others, or relayed to other nodes.
    pub sent: Bytes,
}

/// A sweep over sizes of a token.
#[derive(Clone, Debug)]
pub struct ExpertsReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Library part.
    pub library: String,
    /// Ranks that hold experts.
    pub ranks: u32,
    /// Tokens that each rank sends.
    pub tokens: u32,
    /// In the order asked for.
    pub rows: Vec<ExpertsRow>,
}

impl Report for ExpertsReport {
    fn json(&self) -> Json {
        let row = |row: &ExpertsRow| {
            json!({
                "token_bytes": row.message,
                "kernel": row.kernel,
                "way": row.way,
                "time_s": row.time,
                "sent_bytes": row.sent,
            })
        };
        json!({
            "supernode": self.supernode,
            "library": self.library,
            "ranks": self.ranks,
            "tokens": self.tokens,
            "results": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let mut table = Table::new(&["token", "<kernel", "<way", "time µs", "sent MB"]);
        for row in &self.rows {
            table.row([
                binary_size(row.message),
                row.kernel.clone(),
                row.way.to_owned(),
                format!("{:.2}", row.time.microseconds()),
                format!("{:.3}", row.sent.get() / 1e6),
            ]);
        }
        let title = format!("experts on {}, {} ranks, {} tokens each, {}", self.supernode, self.ranks, self.tokens, self.library);
        let note = "Sent is what one rank sends: direct to all others, relayed to other nodes only. Relayed takes the library's constants, \
                    which were fitted on direct kernels.";
        vec![Section::Title(title), Section::Table(table), Section::Note(note.to_owned())]
    }
}
