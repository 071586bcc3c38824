//! Columns of a study that are found with packets: latency under load, dispatch and combine, incast, a faulty link, a decode step.

use super::packet_replay::packet_replay;
use super::simulate::Simulation;
use crate::input::document::{Library, PacketStudy};
use crate::input::spec::{Spec, WorkloadSpec};
use crate::network::packets::PacketError;
use crate::network::{BitErrors, Collective, Flow, FlowSpan, LoadPattern, Network, Op, PacketLevel, PacketOptions, Pricing, load_point, play_rounds};
use crate::units::{Bytes, Seconds, SplitMix64, quantile};

/// Keys of the columns, all of them times.
pub const PACKET_COLUMNS: [&str; 11] = [
    "packet_loaded_p50_s",
    "packet_loaded_p99_s",
    "packet_faulty_link_p99_s",
    "packet_dispatch_p50_s",
    "packet_dispatch_p99_s",
    "packet_combine_p50_s",
    "packet_combine_p99_s",
    "packet_incast_s",
    "packet_all_reduce_s",
    "packet_decode_tpot_s",
    "packet_decode_flow_tpot_s",
];

/// Packets of a load.
const PACKETS: f64 = 40_000.0;

/// Seed of the tokens' experts; the same for every design.
const SEED: u64 = 0x6578_7065;

/// The columns of a design; `None` where it has no such figure.
pub fn packet_columns(asked: &PacketStudy, spec: &Spec, workload: &WorkloadSpec, network: &Network<'_>, simulation: &Simulation) -> Vec<Option<f64>> {
    let options = PacketOptions { bit_errors: BitErrors::Stated, seed: 1, ..PacketOptions::default() };
    let healthy = loaded(asked, network, &options, None).ok();
    // The first chip has the faulty link: few packets of the others ever cross it.
    let faulty = loaded(asked, network, &PacketOptions { faulty_link: asked.faulty_link.value.get(), ..options.clone() }, Some(0)).ok();
    let dispatch = exchange(asked, network, &options, asked.token.value, false).ok();
    let combine = exchange(asked, network, &options, asked.token.value * 2.0, true).ok();
    let replay = simulation.decode.as_ref().and_then(|found| found.as_ref().ok());
    let replay = replay.and_then(|phase| packet_replay(spec, network, workload, &phase.point, options.clone()));
    let times = [
        healthy.map(|times| times[0]),
        healthy.map(|times| times[1]),
        faulty.map(|times| times[1]),
        dispatch.map(|times| times[0]),
        dispatch.map(|times| times[1]),
        combine.map(|times| times[0]),
        combine.map(|times| times[1]),
        incast(asked, network, &options).ok(),
        all_reduce(asked, &spec.library, network, &options),
        replay.as_ref().map(|replay| replay.tpot),
        replay.as_ref().map(|replay| replay.flow_tpot),
    ];
    times.into_iter().map(|time| time.map(Seconds::get)).collect()
}

fn level(network: &Network<'_>, options: &PacketOptions) -> Result<PacketLevel, PacketError> {
    let chips: Vec<u32> = (0..network.fabric().chips).collect();
    PacketLevel::new(network, &chips, options)
}

/// Median and 99th percentile of the latency under even load, in packets of one size on all fabrics; of packets from and to chip `watched`,
/// if there is one.
fn loaded(asked: &PacketStudy, network: &Network<'_>, options: &PacketOptions, watched: Option<u32>) -> Result<[Seconds; 2], PacketError> {
    let options = PacketOptions { packet: Some(asked.packet.value), ..options.clone() };
    let packets = if watched.is_some() { PACKETS * f64::from(network.fabric().chips) / 8.0 } else { PACKETS };
    let point = load_point(network, &level(network, &options)?, LoadPattern::Uniform, asked.load.value.get(), packets, watched)?;
    Ok([0.5, 0.99].map(|share| Seconds::new(point.latency.percentile(share) / 1e12)))
}

/// Every chip sends each of its tokens to as many chips as it has experts, drawn evenly, or gets them back: median and 99th percentile of
/// the arrivals.
fn exchange(asked: &PacketStudy, network: &Network<'_>, options: &PacketOptions, token: Bytes, back: bool) -> Result<[Seconds; 2], PacketError> {
    let chips = network.fabric().chips;
    let mut flows = Vec::new();
    for chip in 0..chips {
        for copy in 0..u64::from(asked.tokens) * u64::from(asked.experts) {
            let drawn = SplitMix64::new(SEED ^ u64::from(chip), copy).below(chips as usize) as u32;
            let (source, destination) = if back { (drawn, chip) } else { (chip, drawn) };
            if source != destination {
                flows.push(Flow { source, destination, bytes: token, start: Seconds::ZERO, after: Vec::new(), cap: None });
            }
        }
    }
    let mut ends = ends(&level(network, options)?.run(&flows)?);
    ends.sort_by(f64::total_cmp);
    Ok([0.5, 0.99].map(|share| Seconds::new(quantile(&ends, share))))
}

fn ends(spans: &[FlowSpan]) -> Vec<f64> {
    spans.iter().map(|span| span.end.get()).collect()
}

/// Every other chip sends to the first at once, until the last byte.
fn incast(asked: &PacketStudy, network: &Network<'_>, options: &PacketOptions) -> Result<Seconds, PacketError> {
    let flow = |source| Flow { source, destination: 0, bytes: asked.incast.value, start: Seconds::ZERO, after: Vec::new(), cap: None };
    let flows: Vec<Flow> = (1..network.fabric().chips).map(flow).collect();
    Ok(Seconds::new(ends(&level(network, options)?.run(&flows)?).into_iter().fold(0.0, f64::max)))
}

/// An all-reduce over all chips by the algorithm that the flow level chooses.
fn all_reduce(asked: &PacketStudy, library: &Library, network: &Network<'_>, options: &PacketOptions) -> Option<Seconds> {
    let collective = Collective { op: Op::AllReduce, ranks: network.fabric().chips, bytes: asked.all_reduce.value };
    let mut pricing = Pricing::new(network, library);
    let timing = pricing.price(&collective, None).ok()?;
    let (group, rounds) = pricing.rounds(&collective, timing.algorithm).ok()?;
    let rounds = play_rounds(network, &level(network, options).ok()?, &group, &rounds).ok()?;
    Some(rounds.corrected(timing.total()))
}
