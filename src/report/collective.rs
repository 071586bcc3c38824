//! `supernode collective`: the table as nccl-tests prints it, with the lower bound and where the time goes.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use crate::fabric::RoutingPolicy;
use crate::network::{Collective, ConcurrentTiming, LevelUse, Op, PacketRounds, Timing};
use crate::units::{Bytes, Seconds, counted, render};

/// One size.
#[derive(Clone, Debug)]
pub struct CollectiveRow {
    /// What was priced.
    pub collective: Collective,
    /// The algorithm taken.
    pub timing: Timing,
    /// Time that no algorithm can beat.
    pub lower_bound: Seconds,
    /// The rounds with packets, if asked for.
    pub packets: Option<PacketRounds>,
    /// The next best, where the choice was free and there was one.
    pub runner_up: Option<Timing>,
    /// The fastest algorithm, where the library does not offer it and the choice was free.
    pub not_offered: Option<Timing>,
    /// How busy the fabric is, busiest first.
    pub levels: Vec<LevelRow>,
    /// What becomes of it beside others, if any were asked for.
    pub together: Option<ConcurrentTotalRow>,
}

/// Collectives of several groups at once.
#[derive(Clone, Debug)]
pub struct ConcurrentTotalRow {
    /// The collective of the row first, then what runs beside it.
    pub crowds: Vec<ConcurrentRow>,
    /// How busy the fabric is with all of them, busiest first.
    pub levels: Vec<LevelRow>,
}

/// One collective in its groups.
#[derive(Clone, Debug)]
pub struct ConcurrentRow {
    /// What each group does.
    pub collective: Collective,
    /// How long it takes.
    pub timing: ConcurrentTiming,
}

impl ConcurrentRow {
    /// The last group's time over that of a group alone.
    fn slowdown(&self) -> f64 {
        self.timing.slowest / self.timing.alone.total()
    }
}

/// The links of one level, one direction.
#[derive(Clone, Debug)]
pub struct LevelRow {
    /// Words for the channels.
    pub channels: String,
    /// How busy they are.
    pub level: LevelUse,
}

impl CollectiveRow {
    /// At the fidelity asked for.
    fn time(&self) -> Seconds {
        self.packets.map_or(self.timing.total(), |packets| packets.corrected(self.timing.total()))
    }

    /// Words for the most loaded channels.
    fn bottleneck(&self) -> &str {
        self.levels.first().map_or("nothing", |row| &row.channels)
    }
}

/// A sweep over sizes.
#[derive(Clone, Debug)]
pub struct CollectiveReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Library part.
    pub library: String,
    /// How traffic spreads.
    pub routing: RoutingPolicy,
    /// How ranks are laid on chips, as asked for.
    pub placement: String,
    /// What was done.
    pub op: Op,
    /// By how many chips.
    pub ranks: u32,
    /// What the packet level assumed.
    pub notes: Vec<String>,
    /// In size order as asked.
    pub rows: Vec<CollectiveRow>,
}

impl Report for CollectiveReport {
    fn output(&self) -> &'static str {
        "collective"
    }

    fn json(&self) -> Json {
        let results: Vec<Json> = self
            .rows
            .iter()
            .map(|row| {
                let (collective, timing) = (&row.collective, &row.timing);
                let algorithm_bandwidth = collective.bytes / row.time();
                let mut result = json!({
                    "bytes": collective.bytes,
                    "algorithm": timing.algorithm.name(),
                    "protocol": timing.protocol.name(),
                    "time_s": row.time(),
                    "algbw_bytes_per_s": algorithm_bandwidth,
                    "busbw_bytes_per_s": algorithm_bandwidth * collective.op.bus_factor(collective.ranks),
                    "lower_bound_s": row.lower_bound,
                    "launch_s": timing.launch,
                    "synchronisation_s": timing.synchronisation,
                    "propagation_s": timing.propagation,
                    "serialisation_s": timing.serialisation,
                    "waiting_s": timing.waiting,
                    "ramp_s": timing.ramp,
                    "bottleneck": row.bottleneck(),
                    "levels": row.levels.iter().map(level_json).collect::<Vec<_>>(),
                    "runner_up": row.runner_up.as_ref().map(named_time),
                    "not_offered": row.not_offered.as_ref().map(named_time),
                    "together": row.together.as_ref().map(together_json),
                });
                if let Some(packets) = &row.packets {
                    result["flow_time_s"] = json!(timing.total());
                    result["packets"] = packets_json(packets);
                }
                result
            })
            .collect();
        let mut report = json!({
            "supernode": self.supernode,
            "op": self.op.name(),
            "ranks": self.ranks,
            "library": self.library,
            "routing": self.routing.to_string(),
            "placement": self.placement,
            "results": results,
        });
        if self.rows.iter().any(|row| row.packets.is_some()) {
            report["fidelity"] = json!("packet");
            report["notes"] = json!(self.notes);
        }
        report
    }

    fn sections(&self) -> Vec<Section> {
        let mut sections = vec![
            Section::Title(format!("{} on {}, {}, {}", self.op.name(), self.supernode, counted(self.ranks, "chip"), self.library)),
            Section::Table(self.table()),
        ];
        let with_packets: Vec<&CollectiveRow> = self.rows.iter().filter(|row| row.packets.is_some()).collect();
        if !with_packets.is_empty() {
            sections.extend(packet_sections(&with_packets, &self.notes));
        }
        sections.extend(self.rows.last().map(last_size_sections).into_iter().flatten());
        if self.rows.iter().any(|row| row.together.is_some()) {
            sections.push(Section::Note(
                "Together, all from the same instant, each once; alone is the first group with the fabric to itself:".to_owned(),
            ));
            sections.push(Section::Table(together_table(&self.rows)));
        }
        if let Some((last, together)) = self.rows.last().and_then(|row| Some((row, row.together.as_ref()?))) {
            sections.push(Section::Note(format!(
                "Where the wire is busy at {} until the last group ends, share of the time:",
                binary_size(last.collective.bytes)
            )));
            sections.push(Section::Table(level_table(&together.levels)));
        }
        if with_packets.is_empty() {
            sections.push(Section::Note(QUEUES.to_owned()));
        }
        sections
    }
}

impl CollectiveReport {
    /// One row a size.
    fn table(&self) -> Table {
        let mut table = Table::new(&[
            "size",
            "bytes",
            "<algorithm",
            "<protocol",
            "time µs",
            "algbw GB/s",
            "busbw GB/s",
            "bound µs",
            "of bound",
            "launch+sync µs",
            "path µs",
            "wire µs",
            "waiting µs",
            "ramp µs",
        ]);
        for row in &self.rows {
            let (collective, timing) = (&row.collective, &row.timing);
            table.row([
                binary_size(collective.bytes),
                format!("{:.0}", collective.bytes.get()),
                timing.algorithm.name().to_owned(),
                timing.protocol.name().to_owned(),
                format!("{:.2}", row.time().microseconds()),
                format!("{:.2}", (collective.bytes / row.time()).get() / 1e9),
                format!("{:.2}", (collective.bytes / row.time()).get() / 1e9 * collective.op.bus_factor(collective.ranks)),
                format!("{:.2}", row.lower_bound.microseconds()),
                format!("{:.0} %", 100.0 * (row.lower_bound / row.time())),
                format!("{:.2}", (timing.launch + timing.synchronisation).microseconds()),
                format!("{:.2}", timing.propagation.microseconds()),
                format!("{:.2}", timing.serialisation.microseconds()),
                format!("{:.2}", timing.waiting.microseconds()),
                format!("{:.2}", timing.ramp.microseconds()),
            ]);
        }
        table
    }
}

/// The algorithms beside the chosen one at the largest size, and the channels at work.
fn last_size_sections(last: &CollectiveRow) -> Vec<Section> {
    let mut sections = Vec::new();
    if let Some(runner_up) = last.runner_up {
        sections.push(Section::Note(format!("Runner-up at the last size: {}, {}.", runner_up.algorithm.name(), render(runner_up.total()))));
    }
    if let Some(faster) = last.not_offered {
        let (name, time) = (faster.algorithm.name(), render(faster.total()));
        sections.push(Section::Note(format!("Faster at the last size, but not offered by the library: {name}, {time}.")));
    }
    sections.push(Section::Note(format!("Where the wire is busy at {}, share of the time:", binary_size(last.collective.bytes))));
    sections.push(Section::Table(level_table(&last.levels)));
    sections
}

/// Rounds with packets beside rounds at fair rates.
fn packet_sections(rows: &[&CollectiveRow], notes: &[String]) -> Vec<Section> {
    let mut table = Table::new(&["size", "packets µs", "flows µs", "ratio", "time µs", "flow level µs", "hops simulated"]);
    for row in rows {
        let packets = row.packets.unwrap_or_default();
        table.row([
            binary_size(row.collective.bytes),
            format!("{:.2}", packets.packets.microseconds()),
            format!("{:.2}", packets.flows.microseconds()),
            format!("{:.3}", packets.ratio()),
            format!("{:.2}", row.time().microseconds()),
            format!("{:.2}", row.timing.total().microseconds()),
            packets.hops.to_string(),
        ]);
    }
    let mut sections = vec![
        Section::Note(
            "With packets: path and wire of the rounds alone; the time of the collective is that of the flow level and what packets add.".to_owned(),
        ),
        Section::Table(table),
    ];
    if let Some(packets) = rows.iter().filter_map(|row| row.packets?.extrapolated_from).max() {
        sections.push(Section::Note(format!("Long messages are extrapolated from their first {packets} packets, the steady state.")));
    }
    sections.extend(notes.iter().map(|note| Section::Note(format!("{note}."))));
    sections
}

pub(super) fn packets_json(packets: &PacketRounds) -> Json {
    json!({
        "packet_wire_s": packets.packets,
        "flow_wire_s": packets.flows,
        "ratio": packets.ratio(),
        "hops": packets.hops,
        "extrapolated_from_packets": packets.extrapolated_from,
    })
}

/// What the times leave out.
const QUEUES: &str = "Rates are max-min fair on a fabric that loses nothing. Waiting is for more loaded channels further in; packets that \
                      queue behind each other in a switch add to the path of short messages under load, and are not modelled.";

fn named_time(timing: &Timing) -> Json {
    json!({ "algorithm": timing.algorithm.name(), "time_s": timing.total() })
}

fn together_table(rows: &[CollectiveRow]) -> Table {
    let mut table = Table::new(&["size", "<op", "ranks", "groups", "<algorithm", "alone µs", "first µs", "last µs", "slowdown"]);
    for crowd in rows.iter().filter_map(|row| row.together.as_ref()).flat_map(|together| &together.crowds) {
        let (collective, timing) = (&crowd.collective, &crowd.timing);
        let time = |time: Seconds| format!("{:.2}", time.microseconds());
        table.row([
            binary_size(collective.bytes),
            collective.op.name().to_owned(),
            collective.ranks.to_string(),
            timing.groups.to_string(),
            timing.alone.algorithm.name().to_owned(),
            time(timing.alone.total()),
            time(timing.fastest),
            time(timing.slowest),
            format!("{:.2} x", crowd.slowdown()),
        ]);
    }
    table
}

fn together_json(together: &ConcurrentTotalRow) -> Json {
    let crowd = |crowd: &ConcurrentRow| {
        let (collective, timing) = (&crowd.collective, &crowd.timing);
        json!({
            "op": collective.op.name(),
            "ranks": collective.ranks,
            "groups": timing.groups,
            "bytes": collective.bytes,
            "algorithm": timing.alone.algorithm.name(),
            "alone_s": timing.alone.total(),
            "first_s": timing.fastest,
            "last_s": timing.slowest,
            "slowdown": crowd.slowdown(),
        })
    };
    json!({
        "crowds": together.crowds.iter().map(crowd).collect::<Vec<_>>(),
        "levels": together.levels.iter().map(level_json).collect::<Vec<_>>(),
    })
}

fn level_table(levels: &[LevelRow]) -> Table {
    let mut table = Table::new(&["<channels", "carrying", "most loaded", "<planes", "busiest", "mean"]);
    for LevelRow { channels, level } in levels {
        let (first, last) = level.peak.planes;
        table.row([
            channels.clone(),
            level.peak.channels.to_string(),
            level.peak.saturated.to_string(),
            if first == last { first.to_string() } else { format!("{first} to {last}") },
            format!("{:.1} %", 100.0 * level.busiest),
            format!("{:.1} %", 100.0 * level.mean),
        ]);
    }
    table
}

fn level_json(row: &LevelRow) -> Json {
    let peak = &row.level.peak;
    json!({
        "channels": row.channels,
        "carrying": peak.channels,
        "most_loaded": peak.saturated,
        "planes": [peak.planes.0, peak.planes.1],
        "busiest": row.level.busiest,
        "mean": row.level.mean,
    })
}

/// `1MiB` where the size is a whole number of a binary unit, decimal otherwise.
pub(super) fn binary_size(bytes: Bytes) -> String {
    let units = [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1024.0)];
    let exact = units.iter().find(|(_, factor)| bytes.get() >= *factor && (bytes.get() / factor).fract() == 0.0);
    exact.map_or_else(|| render(bytes), |(name, factor)| format!("{:.0} {name}", bytes.get() / factor))
}
