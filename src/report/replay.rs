//! `supernode replay`: the time of each rank, what of it is communication, and which nodes decide the end.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use super::records::{Cells, Records};
use super::trace_events::{Slice, TraceEvents};
use crate::execution::{GatherSize, PlayedKind, PlayedNode, TraceReplay};
use crate::units::{Seconds, counted, render};

/// A trace played on one machine.
#[derive(Clone, Debug)]
pub struct ReplayReport {
    /// Shipped name or path.
    pub supernode: String,
    /// The trace.
    pub trace: String,
    /// Communication library part.
    pub library: String,
    /// What an all-gather's size was taken for.
    pub gather: GatherSize,
    /// Chip of each rank.
    pub chips: Vec<u32>,
    /// What happened.
    pub replay: TraceReplay,
}

/// Ranks, nodes of the critical path and collectives without a size that tables for people list.
const LISTED: usize = 20;
/// Characters of a name in a table.
const NAME: usize = 48;

fn short(name: &str) -> String {
    match name.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

fn microseconds(time: Seconds) -> String {
    format!("{:.3}", time.microseconds())
}

impl ReplayReport {
    fn on_path(&self) -> impl Iterator<Item = &PlayedNode> {
        self.replay.critical_path.iter().map(|&place| &self.replay.nodes[place])
    }

    /// Time of the critical path by what decides it: from the end of one node to the end of the next.
    fn path_times(&self) -> Vec<(PlayedKind, Seconds)> {
        let mut times: Vec<(PlayedKind, Seconds)> = Vec::new();
        let mut before = Seconds::ZERO;
        for node in self.on_path() {
            let time = (node.end - before).max(Seconds::ZERO);
            before = before.max(node.end);
            match times.iter_mut().find(|known| known.0 == node.kind) {
                Some(known) => known.1 += time,
                None => times.push((node.kind, time)),
            }
        }
        times.sort_by(|a, b| b.1.get().total_cmp(&a.1.get()).then(a.0.cmp(&b.0)));
        times
    }

    fn gather_words(&self) -> &'static str {
        match self.gather {
            GatherSize::Input => "what one rank brings (ASTRA-sim)",
            GatherSize::Total => "what every rank ends with (nccl-tests)",
        }
    }

    /// A row a node.
    #[must_use]
    pub fn node_records(&self) -> Records {
        let nodes = &self.replay.nodes;
        let number = |value: &dyn Fn(&PlayedNode) -> Option<f64>| Cells::Number(nodes.iter().map(value).collect());
        let columns = vec![
            ("rank".to_owned(), Cells::Whole(nodes.iter().map(|node| Some(i64::from(node.rank))).collect())),
            ("node".to_owned(), Cells::Whole(nodes.iter().map(|node| i64::try_from(node.id).ok()).collect())),
            ("name".to_owned(), Cells::Text(nodes.iter().map(|node| Some(node.name.clone())).collect())),
            ("kind".to_owned(), Cells::Text(nodes.iter().map(|node| Some(node.kind.name().to_owned())).collect())),
            ("ready_s".to_owned(), number(&|node| Some(node.ready.get()))),
            ("start_s".to_owned(), number(&|node| Some(node.start.get()))),
            ("end_s".to_owned(), number(&|node| Some(node.end.get()))),
            ("bytes".to_owned(), number(&|node| node.bytes.map(crate::units::Bytes::get))),
        ];
        let program = format!("supernode {}", env!("CARGO_PKG_VERSION"));
        let about = vec![("program".to_owned(), program), ("supernode".to_owned(), self.supernode.clone()), ("trace".to_owned(), self.trace.clone())];
        Records { columns, about }
    }

    /// A process for each rank, with rows of computation, host, memory and communication.
    #[must_use]
    pub fn chrome_trace(&self) -> Json {
        let mut trace = TraceEvents::default();
        for rank in &self.replay.ranks {
            let chip = self.chips.get(rank.rank as usize).copied().unwrap_or(rank.rank);
            trace.process(rank.rank + 1, &format!("rank {} on chip {chip}", rank.rank));
        }
        let mut on_path = vec![false; self.replay.nodes.len()];
        for &place in &self.replay.critical_path {
            on_path[place] = true;
        }
        let begins = |node: &PlayedNode| if node.kind == PlayedKind::Communication { node.ready } else { node.start };
        let mut order: Vec<usize> =
            (0..self.replay.nodes.len()).filter(|&place| self.replay.nodes[place].end > begins(&self.replay.nodes[place])).collect();
        order.sort_by(|&a, &b| begins(&self.replay.nodes[a]).get().total_cmp(&begins(&self.replay.nodes[b]).get()).then(a.cmp(&b)));
        for place in order {
            let node = &self.replay.nodes[place];
            let args = json!({
                "node": node.id, "bytes": node.bytes, "critical": on_path[place],
                "waits_us": (node.start - begins(node)).max(Seconds::ZERO).microseconds(),
            });
            let row = node.kind.name();
            trace.slice(&Slice { process: node.rank + 1, row, name: &node.name, start: begins(node), end: node.end, args });
        }
        trace.finish(&self.supernode, &self.trace)
    }
}

impl Report for ReplayReport {
    fn output(&self) -> &'static str {
        "replay"
    }

    fn json(&self) -> Json {
        let replay = &self.replay;
        let ranks = replay.ranks.iter().map(|rank| {
            json!({
                "rank": rank.rank, "end_s": rank.end, "compute_s": rank.compute, "communication_s": rank.communication,
                "exposed_communication_s": rank.exposed, "idle_s": rank.idle,
            })
        });
        let path = self.on_path().map(|node| {
            json!({ "rank": node.rank, "node": node.id, "name": node.name, "kind": node.kind.name(), "start_s": node.start, "end_s": node.end })
        });
        let on_path = |kind: PlayedKind| self.path_times().into_iter().find(|(known, _)| *known == kind).map_or(Seconds::ZERO, |(_, time)| time);
        let without_size = replay
            .unsized_nodes
            .iter()
            .map(|node| json!({ "rank": node.rank, "node": node.id, "name": node.name, "on_host": node.on_host, "recorded_s": node.recorded }));
        json!({
            "supernode": self.supernode,
            "trace": self.trace,
            "library": self.library,
            "makespan_s": replay.makespan(),
            "ranks": ranks.collect::<Vec<_>>(),
            "nodes": replay.nodes.len(),
            "collectives": replay.collectives,
            "transfers": replay.transfers,
            "computations": { "recorded": replay.compute.recorded, "priced": replay.compute.priced, "without_time": replay.compute.empty },
            "all_gather_size": match self.gather { GatherSize::Input => "input", GatherSize::Total => "total" },
            "critical_path": path.collect::<Vec<_>>(),
            "critical_path_time": {
                "compute_s": on_path(PlayedKind::Compute), "host_s": on_path(PlayedKind::Host), "memory_s": on_path(PlayedKind::Memory),
                "communication_s": on_path(PlayedKind::Communication),
            },
            "collectives_without_size": without_size.collect::<Vec<_>>(),
            "notes": replay.notes,
        })
    }

    fn sections(&self) -> Vec<Section> {
        let replay = &self.replay;
        let compute = replay.compute;
        let facts = vec![
            (
                "trace".to_owned(),
                format!(
                    "{} on {}, {}, {}",
                    counted(replay.nodes.len(), "node"),
                    counted(replay.ranks.len(), "rank"),
                    counted(replay.collectives, "collective"),
                    counted(replay.transfers, "transfer")
                ),
            ),
            (
                "computations".to_owned(),
                format!("{} as recorded, {} priced from operations and bytes, {} without time", compute.recorded, compute.priced, compute.empty),
            ),
            ("all-gather sizes are".to_owned(), self.gather_words().to_owned()),
            ("makespan".to_owned(), render(replay.makespan())),
            (
                "on the critical path".to_owned(),
                self.path_times().into_iter().map(|(kind, time)| format!("{} {}", kind.name(), render(time))).collect::<Vec<_>>().join(", "),
            ),
        ];
        let mut ranks = Table::new(&["rank", "chip", "end µs", "compute µs", "communication µs", "exposed µs", "idle µs"]);
        for rank in replay.ranks.iter().take(LISTED) {
            let chip = self.chips.get(rank.rank as usize).map_or_else(String::new, u32::to_string);
            let times = [rank.end, rank.compute, rank.communication, rank.exposed, rank.idle].map(microseconds);
            ranks.row([rank.rank.to_string(), chip].into_iter().chain(times));
        }
        let mut path = Table::new(&["<last nodes of the critical path", "rank", "<kind", "start µs", "end µs"]);
        for node in self.on_path().skip(replay.critical_path.len().saturating_sub(LISTED)) {
            path.row([short(&node.name), node.rank.to_string(), node.kind.name().to_owned(), microseconds(node.start), microseconds(node.end)]);
        }
        let mut sections =
            vec![Section::Title(format!("{} on {}", self.trace, self.supernode)), Section::Facts(facts), Section::Table(ranks), Section::Table(path)];
        if !replay.unsized_nodes.is_empty() {
            sections.push(Section::Note(format!(
                "{} without a size: the time that was recorded is taken, and nothing is priced.",
                counted(replay.unsized_nodes.len(), "collective")
            )));
            let mut table = Table::new(&["<collective without a size", "rank", "node", "<is", "recorded µs"]);
            for node in replay.unsized_nodes.iter().take(LISTED) {
                let place = if node.on_host { "the host's call" } else { "on the device" };
                let recorded = node.recorded.map_or_else(|| "-".to_owned(), microseconds);
                table.row([short(&node.name), node.rank.to_string(), node.id.to_string(), place.to_owned(), recorded]);
            }
            sections.push(Section::Table(table));
        }
        let more = [
            ("ranks", replay.ranks.len()),
            ("nodes of the critical path", replay.critical_path.len()),
            ("collectives without a size", replay.unsized_nodes.len()),
        ];
        let left: Vec<String> =
            more.iter().filter(|(_, count)| *count > LISTED).map(|(name, count)| format!("{} more {name}", count - LISTED)).collect();
        if !left.is_empty() {
            sections.push(Section::Note(format!("{} are in --format json; every node with --out FILE.", left.join(", "))));
        }
        sections.extend(replay.notes.iter().map(|note| Section::Note(format!("{note}."))));
        sections
    }
}
