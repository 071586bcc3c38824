//! `supernode experts`: dispatch and combine, way by way.

use serde_json::{Value as Json, json};

use super::collective::{binary_size, packets_json};
use super::format::{Report, Section, Table};
use crate::network::PacketRounds;
use crate::units::{Bytes, Seconds, counted};

/// One kernel, one way, one size.
#[derive(Clone, Debug)]
pub struct ExpertsRow {
    /// Elements of one token.
    pub message: Bytes,
    /// Kernel of the library.
    pub kernel: String,
    /// `direct` or `relayed`.
    pub way: &'static str,
    /// Time of the kernel at flow level.
    pub time: Seconds,
    /// The exchange with packets, if asked for; direct only.
    pub packets: Option<PacketRounds>,
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
    /// Routed experts that the ranks hold.
    pub experts: u32,
    /// What the packet level assumed.
    pub notes: Vec<String>,
    /// In the order asked for.
    pub rows: Vec<ExpertsRow>,
}

impl ExpertsRow {
    /// At the fidelity asked for.
    fn time_asked_for(&self) -> Seconds {
        self.packets.map_or(self.time, |packets| packets.corrected(self.time))
    }
}

impl Report for ExpertsReport {
    fn output(&self) -> &'static str {
        "experts"
    }

    fn json(&self) -> Json {
        let row = |row: &ExpertsRow| {
            let mut result = json!({
                "token_bytes": row.message,
                "kernel": row.kernel,
                "way": row.way,
                "time_s": row.time_asked_for(),
                "sent_bytes": row.sent,
            });
            if let Some(packets) = &row.packets {
                result["flow_time_s"] = json!(row.time);
                result["packets"] = packets_json(packets);
            }
            result
        };
        json!({
            "supernode": self.supernode,
            "library": self.library,
            "ranks": self.ranks,
            "tokens": self.tokens,
            "experts": self.experts,
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
                format!("{:.2}", row.time_asked_for().microseconds()),
                format!("{:.3}", row.sent.get() / 1e6),
            ]);
        }
        let title = format!(
            "{} on {}, {}, {} each, {}",
            counted(self.experts, "expert"),
            self.supernode,
            counted(self.ranks, "rank"),
            counted(self.tokens, "token"),
            self.library
        );
        let note = "Sent is what one rank sends: direct to all others, relayed to other nodes only. Relayed takes the library's constants, \
                    which were fitted on direct kernels.";
        let mut sections = vec![Section::Title(title), Section::Table(table), Section::Note(note.to_owned())];
        let mut with_packets = Table::new(&["token", "<kernel", "packets µs", "flows µs", "ratio", "time µs", "flow level µs"]);
        for (row, packets) in self.rows.iter().filter_map(|row| Some((row, row.packets?))) {
            with_packets.row([
                binary_size(row.message),
                row.kernel.clone(),
                format!("{:.2}", packets.packets.microseconds()),
                format!("{:.2}", packets.flows.microseconds()),
                format!("{:.3}", packets.ratio()),
                format!("{:.2}", row.time_asked_for().microseconds()),
                format!("{:.2}", row.time.microseconds()),
            ]);
        }
        if self.rows.iter().any(|row| row.packets.is_some()) {
            let note = "With packets: path and wire of the direct exchange alone; the kernel's time is that of the flow level and what packets add.";
            sections.extend([Section::Note(note.to_owned()), Section::Table(with_packets)]);
            sections.extend(self.notes.iter().map(|note| Section::Note(format!("{note}."))));
        }
        sections
    }
}
