//! Files of other programs and lists: configurations of the hub, topologies, execution traces, requests, flows, measurements, journals.

use std::sync::Arc;

use supernode::execution::{ComputeTimes, GatherSize, ReplayOptions, replay};
use supernode::fabric::{Fabric, build};
use supernode::input::cases::parse_cases;
use supernode::input::chakra::{ChakraTrace, RankTrace, TraceNode, parse_binary, parse_groups, parse_json};
use supernode::input::document::{Precision, Precisions};
use supernode::input::flow_list::{ChipNames, parse_flows};
use supernode::input::foreign_graph::parse_foreign_graph;
use supernode::input::hugging_face;
use supernode::input::problem::Source;
use supernode::input::spec::{Spec, load_supernode, load_workload};
use supernode::input::trace::parse_trace;
use supernode::network::{Flow, Network};
use supernode::study::{PartMap, import};
use supernode::workload::{Device, totals};

use super::oracle;

/// Kinds of files that are not TOML.
pub const NAMES: [&str; 13] = [
    "config-json",
    "cases",
    "journal",
    "requests",
    "flows",
    "nccl-xml",
    "lstopo-xml",
    "graphml",
    "infragraph",
    "own-json",
    "chakra-binary",
    "chakra-json",
    "chakra-groups",
];

/// Nodes of a trace up to which it is played.
const MOST_NODES: usize = 200;

/// A run, and the inputs that ship with the project.
type Made = (Vec<Vec<u8>>, Box<dyn Fn(&[u8], bool) -> bool>);

/// A machine of eight chips.
struct Machine {
    spec: Spec,
    fabric: Fabric,
}

impl Machine {
    fn new() -> Self {
        let spec = load_supernode("hgx-h100").unwrap_or_else(|problems| panic!("{problems}"));
        let fabric = build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
        Self { spec, fabric }
    }

    /// Plays the trace of one rank on two chips.
    fn plays(&self, nodes: Vec<TraceNode>) {
        if nodes.len() > MOST_NODES {
            return;
        }
        let ranks = (0..2).map(|rank| RankTrace { rank, file: String::new(), nodes: nodes.clone() }).collect();
        let trace = ChakraTrace { ranks, ..ChakraTrace::default() };
        let options = ReplayOptions { compute: ComputeTimes::Recorded, gather: GatherSize::Input, precision: Precision::Bf16, chips: vec![0, 1] };
        let network = Network::new(&self.fabric);
        if let Ok(played) = replay(&network, &self.spec.library, &Device::new(&self.spec.chip), &trace, &options) {
            oracle::amount("time of a trace", played.makespan().get());
            for node in &played.nodes {
                oracle::amount("start of a node", node.start.get());
                assert!(node.end >= node.start, "node {} ends before it starts", node.id);
            }
        }
    }

    /// Runs a list of flows.
    fn flows(&self, source: &Arc<Source>, deep: bool) -> bool {
        let fabric = &self.fabric;
        let names = ChipNames { chips: fabric.chips, levels: &fabric.level_names, sizes: &fabric.level_sizes };
        let Ok(rows) = parse_flows(source, &names) else { return false };
        if !deep || rows.len() > MOST_NODES {
            return true;
        }
        let flow = |row: supernode::input::flow_list::FlowRow| Flow {
            source: row.source,
            destination: row.destination,
            bytes: row.bytes,
            start: row.start,
            after: row.after,
            cap: row.cap,
        };
        let flows: Vec<Flow> = rows.into_iter().map(flow).collect();
        let network = Network::new(fabric);
        let Ok(run) = network.run_in_detail(&flows) else { return true };
        for (flow, span) in flows.iter().zip(&run.spans) {
            oracle::amount("start of a flow", span.start.get());
            assert!(span.end >= span.start && span.end.get().is_finite(), "a flow of {:?} ends before it starts", flow.bytes);
        }
        run.channels.iter().for_each(|channel| oracle::share("share of a channel's time", channel.busy));
        true
    }
}

fn source(name: &str, input: &[u8]) -> Option<Arc<Source>> {
    Some(Arc::new(Source { name: name.to_owned(), text: std::str::from_utf8(input).ok()?.to_owned() }))
}

/// What becomes of a file of a kind; `None` where the kind is none of these.
pub fn run(name: &str) -> Option<Made> {
    let kind = NAMES.into_iter().find(|known| *known == name)?;
    Some((
        shipped(kind),
        match kind {
            "config-json" => {
                let workload = load_workload("llama-3.1-70b-bf16").unwrap_or_else(|problems| panic!("{problems}"));
                let formats = workload.workload.precision;
                Box::new(move |input, _| source("config.json", input).is_some_and(|source| configuration(&source, &formats)))
            }
            "cases" => Box::new(|input, _| source("cases.csv", input).is_some_and(|source| cases(&source))),
            "journal" => Box::new(|input, _| std::str::from_utf8(input).is_ok_and(|text| supernode::cli::read_journal("journal", text).is_ok())),
            "requests" => Box::new(|input, _| source("requests", input).is_some_and(|source| parse_trace(&source).is_ok())),
            "flows" => {
                let machine = Machine::new();
                Box::new(move |input, deep| source("flows.csv", input).is_some_and(|source| machine.flows(&source, deep)))
            }
            "chakra-binary" => {
                let machine = Machine::new();
                Box::new(move |input, deep| {
                    let nodes = parse_binary("trace.0.et", input);
                    nodes.is_ok_and(|nodes| {
                        if deep {
                            machine.plays(nodes);
                        }
                        true
                    })
                })
            }
            "chakra-json" => {
                let machine = Machine::new();
                Box::new(move |input, deep| {
                    let nodes = source("trace.0.json", input).map(|source| parse_json(&source));
                    nodes.and_then(Result::ok).is_some_and(|nodes| {
                        if deep {
                            machine.plays(nodes);
                        }
                        true
                    })
                })
            }
            "chakra-groups" => Box::new(|input, _| source("trace.json", input).is_some_and(|source| parse_groups(&source).is_ok())),
            _ => {
                let map = map();
                Box::new(move |input, deep| source("graph", input).is_some_and(|source| graph(&source, &map, deep)))
            }
        },
    ))
}

/// What ships of a kind.
fn shipped(kind: &str) -> Vec<Vec<u8>> {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = if package.ends_with("fuzz") { package.join("..") } else { package.to_owned() };
    let (folder, extension) = match kind {
        "config-json" => ("tests/models/configs", "json"),
        "cases" => ("validation", "csv"),
        _ => return Vec::new(),
    };
    let entries = std::fs::read_dir(root.join(folder));
    let paths = entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    paths.sort();
    paths.into_iter().filter_map(|path| std::fs::read(path).ok()).filter(|bytes| bytes.len() < 32 << 10).collect()
}

fn configuration(source: &Arc<Source>, formats: &Precisions) -> bool {
    let Ok(model) = hugging_face::read(source) else { return false };
    let totals = totals(&model, formats);
    for (what, value) in
        [("parameters", totals.parameters), ("active parameters", totals.active_parameters), ("operations", totals.flop_per_token.get())]
    {
        oracle::amount(what, value);
    }
    assert!(totals.active_parameters <= totals.parameters * (1.0 + 1e-9), "more parameters are active than there are");
    true
}

fn cases(source: &Arc<Source>) -> bool {
    let Ok(cases) = parse_cases(source) else { return false };
    for case in cases {
        oracle::amount("a measured value", case.value.0);
        case.value.1.iter().for_each(|high| oracle::positive("a measured value", *high));
    }
    true
}

/// Parts for the names of the corpus.
fn map() -> PartMap {
    let mut map = PartMap::default();
    for text in [
        "gpu=a100",
        "nvswitch=nvswitch2",
        "nvlink=nvlink3-board",
        "library=nccl-nvlink3",
        "supply=hgx-a100",
        "pcie_switch=pex89144",
        "package=x86-server",
        "package_link=pcie5-x16:2",
        "pcie_63=pcie5-x16",
        "pcie_32=pcie4-x16",
        "tpu=tpu-v7",
        "ici=ici-v7-copper:1",
        "pcie=omit",
    ] {
        map.add(text).unwrap_or_else(|reason| panic!("{reason}"));
    }
    map
}

/// A graph, and the machine that it makes with those of the parts that it names.
fn graph(source: &Source, map: &PartMap, deep: bool) -> bool {
    let Ok(graph) = parse_foreign_graph(source) else { return false };
    if !deep || graph.nodes.len() > 2000 {
        return true;
    }
    let names: Vec<String> = graph.components().into_iter().map(|(name, ..)| name.to_owned()).collect();
    let named = |name: &String| names.contains(name) || ["library", "supply"].contains(&name.as_str());
    let links: Vec<&String> = graph.links.iter().map(|link| &link.name).collect();
    let mut own = map.clone();
    own.of_name.retain(|name, _| named(name) || links.contains(&name));
    if let Ok(imported) = import(&graph, &own)
        && imported.spec.chips() <= oracle::MOST_CHIPS
    {
        let fabric = build(&imported.spec).unwrap_or_else(|problems| panic!("what was imported does not build: {problems}"));
        oracle::network(&imported.spec, &fabric);
    }
    true
}
