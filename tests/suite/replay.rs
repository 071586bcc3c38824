//! Execution traces on machines: small ones made here against times derived by hand and against the prices of collectives; real ones where they
//! are at hand.

use std::path::Path;

use serde_json::Value as Json;

use crate::command::Project;
use crate::machines::{cloudmatrix, fabric, weightless};
use supernode::execution::{ComputeTimes, GatherSize, PlayedKind, ReplayError, ReplayOptions, TraceReplay, replay};
use supernode::fabric::Fabric;
use supernode::input::chakra::{ChakraTrace, NodeKind, RankTrace, TraceCollective, TraceNode};
use supernode::input::document::{Algorithm, Library, Precision};
use supernode::input::spec::load_supernode;
use supernode::network::{Collective, ConcurrentCollective, Network, Op, Pricing, concurrent_timings};
use supernode::units::Bytes;
use supernode::workload::Device;

fn node(id: u64, kind: NodeKind, after: &[u64]) -> TraceNode {
    TraceNode { id, name: format!("n{id}"), kind, after: after.to_vec(), ..TraceNode::default() }
}

fn compute(id: u64, after: &[u64], microseconds: u64) -> TraceNode {
    TraceNode { duration_us: Some(microseconds), ..node(id, NodeKind::Compute, after) }
}

fn send(id: u64, after: &[u64], to: u32, bytes: u64) -> TraceNode {
    TraceNode { destination: Some(to), bytes: Some(bytes), ..node(id, NodeKind::Send, after) }
}

fn receive(id: u64, after: &[u64], from: u32, bytes: u64) -> TraceNode {
    TraceNode { source: Some(from), bytes: Some(bytes), ..node(id, NodeKind::Receive, after) }
}

fn collective(id: u64, after: &[u64], op: TraceCollective, bytes: u64, group: Option<&str>) -> TraceNode {
    TraceNode { collective: Some(op), bytes: Some(bytes), group: group.map(str::to_owned), ..node(id, NodeKind::Collective, after) }
}

fn traces(ranks: impl IntoIterator<Item = Vec<TraceNode>>) -> ChakraTrace {
    let ranks = ranks.into_iter().zip(0..).map(|(nodes, rank)| RankTrace { rank, file: format!("t.{rank}.et"), nodes });
    ChakraTrace { ranks: ranks.collect(), ..ChakraTrace::default() }
}

fn options(ranks: u32, compute: ComputeTimes) -> ReplayOptions {
    ReplayOptions { compute, gather: GatherSize::Input, precision: Precision::Bf16, chips: (0..ranks).collect() }
}

fn play(fabric: &Fabric, library: &Library, trace: &ChakraTrace, options: &ReplayOptions) -> Result<TraceReplay, ReplayError> {
    replay(&Network::new(fabric), library, &Device::new(&fabric.chip), trace, options)
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{found:e}, expected {expected:e}");
}

/// The ring of 8 ranks as a plan's interpreter runs it: 14 steps of an eighth of the buffer; each rank sends, receives, adds, sends on.
fn ring(bytes: u64, reduction_us: u64) -> ChakraTrace {
    let chunk = bytes / 8;
    traces((0..8u32).map(|rank| {
        let (next, last) = ((rank + 1) % 8, (rank + 7) % 8);
        let mut nodes = Vec::new();
        let mut before: Option<u64> = None;
        for step in 0..14 {
            let id = 3 * step;
            nodes.push(send(id, before.as_slice(), next, chunk));
            nodes.push(receive(id + 1, &[id], last, chunk));
            before = Some(id + 1);
            if step < 7 {
                nodes.push(compute(id + 2, &[id + 1], reduction_us));
                before = Some(id + 2);
            }
        }
        nodes
    }))
}

/// A ring of sends and receives takes what our ring takes for the same bytes, launch, rounds, paths and wire, on three machines; what its
/// reductions were recorded to take comes on top.
#[test]
fn a_ring_of_sends_takes_as_long_as_the_ring() {
    for machine in ["hgx-a100", "hgx-h100", "mi300x-8"] {
        let spec = load_supernode(machine).unwrap();
        let fabric = fabric(&spec);
        let network = Network::new(&fabric);
        let ours = Collective { op: Op::AllReduce, ranks: 8, bytes: Bytes::new(1_048_576.0) };
        let ours = Pricing::new(&network, &spec.library).price(&ours, Some(Algorithm::Ring)).unwrap();
        let alone = play(&fabric, &spec.library, &ring(1 << 20, 7), &options(8, ComputeTimes::None)).unwrap();
        assert_close(alone.makespan().get(), ours.total().get());
        let reduced = play(&fabric, &spec.library, &ring(1 << 20, 7), &options(8, ComputeTimes::Recorded)).unwrap();
        assert_close(reduced.makespan().get(), ours.total().get() + 7.0 * 7e-6);
        for rank in &reduced.ranks {
            assert_close(rank.exposed.get(), ours.total().get());
            assert_close(rank.compute.get(), 49e-6);
        }
    }
}

/// A collective alone takes its price; an all-gather's size is one rank's or the total, as asked.
#[test]
fn a_collective_alone_takes_its_price() {
    let spec = load_supernode("hgx-h100").unwrap();
    let fabric = fabric(&spec);
    let network = Network::new(&fabric);
    let price =
        |op, bytes| Pricing::new(&network, &spec.library).price(&Collective { op, ranks: 4, bytes: Bytes::new(bytes) }, None).unwrap().total().get();
    let one = |op| traces((0..4).map(|_| vec![collective(0, &[], op, 1 << 20, None)]));
    let mib = 1_048_576.0;
    for (traced, op, gather, bytes) in [
        (TraceCollective::AllReduce, Op::AllReduce, GatherSize::Input, mib),
        (TraceCollective::AllGather, Op::AllGather, GatherSize::Input, 4.0 * mib),
        (TraceCollective::AllGather, Op::AllGather, GatherSize::Total, mib),
        (TraceCollective::ReduceScatter, Op::ReduceScatter, GatherSize::Input, mib),
        (TraceCollective::AllToAll, Op::AllToAll, GatherSize::Total, mib),
        (TraceCollective::Broadcast, Op::Broadcast, GatherSize::Input, mib),
    ] {
        let played = play(&fabric, &spec.library, &one(traced), &ReplayOptions { gather, ..options(4, ComputeTimes::Recorded) }).unwrap();
        assert_close(played.makespan().get(), price(op, bytes));
    }
}

/// Groups that run at once slow each other as `concurrent_timings` says: every second chip of two boards against the others of the same boards.
#[test]
fn collectives_of_two_groups_share_channels() {
    let fabric = fabric(&cloudmatrix(2));
    let network = Network::new(&fabric);
    let library = weightless();
    let bytes = 64 << 20;
    let groups = [("a", (0..16).step_by(2).collect::<Vec<u32>>()), ("b", (1..16).step_by(2).collect())];
    let group_of = |rank: u32| if rank.is_multiple_of(2) { "a" } else { "b" };
    let mut trace = traces((0..16).map(|rank| vec![collective(0, &[], TraceCollective::AllToAll, bytes, Some(group_of(rank)))]));
    trace.groups = groups.iter().map(|(name, ranks)| ((*name).to_owned(), ranks.clone())).collect();
    let played = play(&fabric, &library, &trace, &options(16, ComputeTimes::Recorded)).unwrap();
    let asked = Collective { op: Op::AllToAll, ranks: 8, bytes: Bytes::new(bytes as f64) };
    let crowd = ConcurrentCollective { collective: asked, algorithm: None, placement: "strided:2".parse().unwrap(), groups: Some(2) };
    let together = concurrent_timings(&network, &library, &[crowd]).unwrap();
    assert_close(played.makespan().get(), together.crowds[0].slowest.get());
    // The same group twice: one after the other.
    let twice = traces(
        (0..2)
            .map(|_| vec![collective(0, &[], TraceCollective::AllReduce, bytes, None), collective(1, &[], TraceCollective::AllReduce, bytes, None)]),
    );
    let alone = traces((0..2).map(|_| vec![collective(0, &[], TraceCollective::AllReduce, bytes, None)]));
    let time = |trace| play(&fabric, &library, trace, &options(2, ComputeTimes::Recorded)).unwrap().makespan().get();
    assert_close(time(&twice), 2.0 * time(&alone));
}

/// Rank 0 computes 10 us, sends, computes 30 us beside it; rank 1 computes 4 us, waits for the bytes, computes 5 us. One thing at a time on a
/// stream: rank 1's other 3 us wait for the 4 us before them.
#[test]
fn overlap_waiting_and_the_critical_path() {
    let fabric = fabric(&cloudmatrix(1));
    let library = weightless();
    let bytes = 392_000_000;
    let trace = traces([
        vec![compute(0, &[], 10), send(1, &[0], 1, bytes), compute(2, &[0], 30)],
        vec![compute(0, &[], 4), compute(3, &[], 3), receive(1, &[0], 0, bytes), compute(2, &[1], 5)],
    ]);
    let played = play(&fabric, &library, &trace, &options(2, ComputeTimes::Recorded)).unwrap();
    let path = Network::new(&fabric).pair(0, 1).latency.get();
    let arrival = 10e-6 + 1e-3 + path;
    assert_close(played.makespan().get(), arrival + 5e-6);
    assert_close(played.ranks[0].exposed.get(), arrival - 40e-6);
    assert_close(played.ranks[1].compute.get(), 12e-6);
    // It comes to the receive at 4 us and computes until 7 us.
    assert_close(played.ranks[1].exposed.get(), arrival - 7e-6);
    assert_close(played.ranks[1].communication.get(), arrival - 4e-6);
    let names: Vec<(u32, u64, PlayedKind)> =
        played.critical_path.iter().map(|&at| (played.nodes[at].rank, played.nodes[at].id, played.nodes[at].kind)).collect();
    assert_eq!(
        names,
        [(0, 0, PlayedKind::Compute), (0, 1, PlayedKind::Communication), (1, 1, PlayedKind::Communication), (1, 2, PlayedKind::Compute)]
    );
}

/// Computations without a duration are priced from operations and bytes; others keep theirs unless pricing is asked for.
#[test]
fn computations_are_recorded_or_priced() {
    let spec = load_supernode("hgx-h100").unwrap();
    let fabric = fabric(&spec);
    let product = TraceNode { operations: Some(1 << 40), tensor_bytes: Some(1 << 20), ..node(0, NodeKind::Compute, &[]) };
    let both = TraceNode { duration_us: Some(9), ..product.clone() };
    let kernels = &spec.chip.kernels;
    let reached = spec.chip.compute.bf16.value.get() * kernels.gemm[&Precision::Bf16].compute_efficiency.value.get();
    let priced = kernels.launch.value.get() + (1u64 << 40) as f64 / reached;
    let time =
        |node: &TraceNode, compute| play(&fabric, &spec.library, &traces([vec![node.clone()]]), &options(1, compute)).unwrap().makespan().get();
    assert_close(time(&product, ComputeTimes::Recorded), priced);
    assert_close(time(&both, ComputeTimes::Recorded), 9e-6);
    assert_close(time(&both, ComputeTimes::Priced), priced);
    assert_eq!(time(&both, ComputeTimes::None), 0.0);
}

#[test]
fn what_cannot_be_played_is_named() {
    let fabric = fabric(&cloudmatrix(1));
    let library = weightless();
    let error = |trace: &ChakraTrace| play(&fabric, &library, trace, &options(2, ComputeTimes::Recorded)).unwrap_err().message;
    let reduce = |bytes, group| collective(0, &[], TraceCollective::AllReduce, bytes, group);
    assert_eq!(
        error(&traces([vec![compute(0, &[1], 1), compute(1, &[0], 1)]])),
        "2 nodes never end: node 0 (`n0`) of rank 0, which waits for node 1 (`n1`) of rank 0, in a circle"
    );
    // Two ranks that both receive before they send.
    let crossed = [1, 0].map(|other| vec![receive(0, &[], other, 8), send(1, &[0], other, 8)]);
    assert_eq!(
        error(&traces(crossed)),
        "4 nodes never end: node 1 (`n1`) of rank 0, which waits for node 0 (`n0`) of rank 0, which waits for node 1 (`n1`) of rank 1, which waits for node 0 \
         (`n0`) of rank 1, in a circle"
    );
    assert_eq!(error(&traces([vec![receive(3, &[], 1, 8)]])), "node 3 (`n3`) of rank 0 waits for a send of rank 1 with tag 0, and there is none");
    assert_eq!(error(&traces([vec![reduce(8, Some("7"))], vec![]])), "process group `7`, which ranks 0 use, is not given");
    assert_eq!(
        error(&traces([vec![reduce(8, None)], vec![]])),
        "rank 0 calls 1 collective without a group, rank 1 calls 0: the others would wait for ever"
    );
    assert_eq!(
        error(&traces([vec![reduce(8, None)], vec![reduce(16, None)]])),
        "node 0 (`n0`) of rank 0 is ALL_REDUCE of 8 B, node 0 (`n0`) of rank 1 is ALL_REDUCE of 16 B: they should be the same call"
    );
    assert_eq!(
        error(&traces([vec![send(0, &[], 1, 8)], vec![receive(0, &[], 0, 16)]])),
        "node 0 (`n0`) of rank 0 sends 8 B, node 0 (`n0`) of rank 1 expects 16 B"
    );
    assert_eq!(error(&traces([vec![send(0, &[], 9, 8)]])), "rank 9 has no chip: ranks 0 to 1 are placed");
    assert_eq!(error(&traces([vec![compute(4, &[], 1), compute(4, &[], 1)]])), "`t.0.et` has two nodes with number 4");
}

/// Control dependencies count, unless they run in a circle with data dependencies: a call that waits for the kernel that it is the parent of.
#[test]
fn control_dependencies_count_where_they_can() {
    let fabric = fabric(&cloudmatrix(1));
    let time = |after: &[u64]| {
        let parent = TraceNode { duration_us: Some(10), on_host: Some(true), after: after.to_vec(), ..node(0, NodeKind::Compute, &[]) };
        let child = TraceNode { after_control: vec![0], ..compute(1, &[], 5) };
        let played = play(&fabric, &weightless(), &traces([vec![parent, child]]), &options(1, ComputeTimes::Recorded)).unwrap();
        (played.makespan().get(), played.notes)
    };
    assert_close(time(&[]).0, 15e-6);
    let (both, notes) = time(&[1]);
    assert_close(both, 15e-6);
    assert_eq!(notes, ["control dependencies of rank 0 run in a circle with its data dependencies, and are left out"]);
}

/// Protobuf, as far as a trace needs it.
mod encode {
    pub fn varint(mut value: u64, out: &mut Vec<u8>) {
        while value >= 0x80 {
            out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        out.push(u8::try_from(value).unwrap());
    }

    pub fn number(field: u64, value: u64, out: &mut Vec<u8>) {
        varint(field << 3, out);
        varint(value, out);
    }

    pub fn bytes(field: u64, value: &[u8], out: &mut Vec<u8>) {
        varint(field << 3 | 2, out);
        varint(value.len() as u64, out);
        out.extend(value);
    }

    pub fn attribute(name: &str, value: u64, out: &mut Vec<u8>) {
        let mut message = Vec::new();
        bytes(1, name.as_bytes(), &mut message);
        number(9, value, &mut message);
        bytes(10, &message, out);
    }

    pub fn file(nodes: &[Vec<u8>]) -> Vec<u8> {
        let mut metadata = Vec::new();
        bytes(1, b"0.0.4", &mut metadata);
        let mut out = Vec::new();
        for message in std::iter::once(&metadata).chain(nodes) {
            varint(message.len() as u64, &mut out);
            out.extend(message);
        }
        out
    }
}

/// An all-reduce of 1 MiB after 5 us of computation, and a collective that states no size.
fn rank_file() -> Vec<u8> {
    let node = |id, name: &str, kind, after: &[u64]| {
        let mut out = Vec::new();
        encode::number(1, id, &mut out);
        encode::bytes(2, name.as_bytes(), &mut out);
        encode::number(3, kind, &mut out);
        for other in after {
            encode::number(5, *other, &mut out);
        }
        out
    };
    let mut compute = node(1, "mul", 4, &[]);
    encode::number(7, 5, &mut compute);
    let mut reduce = node(2, "sum", 7, &[1]);
    encode::attribute("comm_type", 0, &mut reduce);
    encode::attribute("comm_size", 1 << 20, &mut reduce);
    let mut call = node(3, "c10d::allreduce_", 7, &[1]);
    encode::attribute("is_cpu_op", 1, &mut call);
    encode::number(7, 40, &mut call);
    encode::file(&[compute, reduce, call])
}

#[test]
fn a_trace_on_the_command_line() {
    let project = Project::new("replay-command").bytes("t.0.et", &rank_file()).bytes("t.1.et", &rank_file()).file("u.0.json", "{}");
    let run = project.run(&["replay", "t", "hgx-h100", "--format", "json", "--trace", "out.json", "--out", "nodes.csv"]);
    let answer: Json = serde_json::from_str(&run.output()).unwrap();
    let all_reduce = project.run(&["collective", "hgx-h100", "--op", "all_reduce", "--ranks", "2", "--size", "1MiB", "--format", "json"]).output();
    let all_reduce: Json = serde_json::from_str(&all_reduce).unwrap();
    assert_close(answer["makespan_s"].as_f64().unwrap(), 45e-6);
    let exposed = answer["ranks"][1]["communication_s"].as_f64().unwrap();
    assert_close(exposed, all_reduce["results"][0]["time_s"].as_f64().unwrap());
    assert_eq!(answer["collectives_without_size"].as_array().unwrap().len(), 2);
    assert_eq!(answer["collectives_without_size"][0]["name"], "c10d::allreduce_");
    assert_eq!(project.text("nodes.csv").lines().count(), 7);
    let trace: Json = serde_json::from_str(&project.text("out.json")).unwrap();
    assert_eq!(trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["ph"] == "X").count(), 6);
    let twice = Project::new("replay-twice").bytes("t.0.et", &rank_file()).file("t.0.json", "{\"nodes\": []}");
    assert!(twice.run(&["replay", "t", "hgx-h100"]).error().contains("rank 0 stands in two files: `t.0.et` and `t.0.json`"));
    let notes = |answer: &Json| answer["notes"].to_string();
    assert!(!notes(&answer).contains("no trace of rank"), "{answer}");
    let gap = Project::new("replay-gap").bytes("t.0.et", &rank_file()).bytes("t.3.et", &rank_file());
    let gap: Json = serde_json::from_str(&gap.run(&["replay", "t", "hgx-h100", "--format", "json"]).output()).unwrap();
    assert!(notes(&gap).contains("no trace of rank 1, 2 is there; collectives without a group are among the 2 ranks that have one"), "{gap}");
    let text = project.run(&["replay", "t", "hgx-h100"]).output();
    assert!(text.contains("2 collectives without a size") && text.contains("the host's call"), "{text}");
    assert!(project.run(&["replay", ".", "hgx-h100"]).error().contains("holds several traces"));
    assert!(project.run(&["replay", "none", "hgx-h100"]).error().contains("holds no Chakra trace"));
    assert!(project.run(&["replay", "u", "hgx-h100"]).error().contains("it has neither `nodes` nor `workload_graph`"));
    let bad = Project::new("replay-bad").bytes("t.0.et", &rank_file()[..40]);
    assert!(bad.run(&["replay", "t", "hgx-h100"]).error().contains("cut off at byte"));
}

fn artefact(name: &str) -> String {
    Path::new(&std::env::var("SUPERNODE_ARTEFACTS").unwrap()).join(name).display().to_string()
}

/// What others made: ASTRA-sim's ring over 8 ranks against ours, STAGE's training step, PyTorch's trace of one rank (unpacked from
/// `mlcommons_feeder_tests_trace.tar.gz` of mlcommons/chakra).
#[test]
#[ignore = "needs the traces of ASTRA-sim, STAGE and Chakra in the folder SUPERNODE_ARTEFACTS/chakra"]
fn traces_that_others_made() {
    let project = Project::new("replay-artefacts");
    let play = |trace: &str, more: &[&str]| -> Json {
        let path = artefact(trace);
        let arguments: Vec<&str> = ["replay", &path, "hgx-h100", "--format", "json"].into_iter().chain(more.iter().copied()).collect();
        serde_json::from_str(&project.run(&arguments).output()).unwrap()
    };
    let ring = play("chakra/custom_ring_allreduce_8npus_1MB", &["--compute", "none"]);
    let ours = project.run(&["collective", "hgx-h100", "--op", "all_reduce", "--size", "1MiB", "--algorithm", "ring", "--format", "json"]).output();
    let ours: Json = serde_json::from_str(&ours).unwrap();
    assert_close(ring["makespan_s"].as_f64().unwrap(), ours["results"][0]["time_s"].as_f64().unwrap());
    let stage = play("chakra/stage_llama_2layers_tp2_pp2", &[]);
    assert_eq!((stage["nodes"].as_u64(), stage["transfers"].as_u64(), stage["collectives"].as_u64()), (Some(200), Some(4), Some(22)));
    let pytorch = play("chakra/tests/data/chakra.0.et", &[]);
    assert_eq!((pytorch["nodes"].as_u64(), pytorch["collectives_without_size"].as_array().map(Vec::len)), (Some(3664), Some(14)));
}
