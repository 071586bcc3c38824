//! Collectives, an engine's all-reduce, and tokens on their way to experts and back.

use super::bench::{Bench, bandwidth_in, time_in};
use crate::input::cases::{Case, Unit};
use crate::network::{Algorithm, Collective, Engines, ExpertTraffic, Op, Pricing, Relay};
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// Time, or bus bandwidth as nccl-tests defines it.
pub fn collective(bench: &mut Bench<'_>, pricing: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["op", "ranks", "bytes", "algorithm", "library", "graph"])?;
    let op = settings.one_of("op", &Op::ALL.map(|(op, name)| (name, op)))?;
    let algorithm = match settings.optional("algorithm") {
        Some(_) => Some(settings.one_of("algorithm", &Algorithm::ALL.map(|(algorithm, name)| (name, algorithm)))?),
        None => None,
    };
    let collective = Collective { op, ranks: settings.count("ranks")?, bytes: Bytes::new(settings.number("bytes")?) };
    let graph = settings.optional("graph").is_some() && settings.one_of("graph", &[("false", false), ("true", true)])?;
    let price = |pricing: &mut Pricing<'_>| {
        // Engines' kernels are measured as `captured_all_reduce`.
        if graph { pricing.price_in_graph(&collective, algorithm, Engines::None) } else { pricing.price(&collective, algorithm) }
    };
    let timing = match settings.optional("library") {
        None => price(pricing),
        // Measurements that name another library are few: nothing is kept for the next.
        named => price(&mut Pricing::new(bench.network, bench.parts.library(named)?)),
    };
    let timing = timing.map_err(|error| error.to_string())?;
    match case.unit {
        Unit::GigabytesPerSecond => bandwidth_in(case.unit, timing.bus_bandwidth(&collective)),
        unit => time_in(unit, timing.total()),
    }
}

/// The engine's kernel, or the library's where that is faster.
pub fn captured(bench: &mut Bench<'_>, pricing: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["engine", "ranks", "bytes"])?;
    let engine = settings.text("engine")?;
    if !bench.parts.library.captured_all_reduce.contains_key(engine) {
        return Err(format!("the library has no constants for the engine `{engine}`"));
    }
    let collective = Collective { op: Op::AllReduce, ranks: settings.count("ranks")?, bytes: Bytes::new(settings.number("bytes")?) };
    let timing = pricing.price_in_graph(&collective, None, Engines::Named(engine)).map_err(|error| error.to_string())?;
    time_in(case.unit, timing.total())
}

/// Time, or bandwidth of a rank as papers print it: all copies of all tokens, including copies that stay on the rank, divided by the time.
pub fn exchange(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["kernel", "ranks", "tokens", "top_k", "experts", "bytes", "routing", "route", "nodes", "library"])?;
    let name = settings.text("kernel")?;
    let mut kernel = bench
        .parts
        .library(settings.optional("library"))?
        .token_kernel(name)
        .ok_or_else(|| format!("the library has no token kernel `{name}`"))?
        .clone();
    let (ranks, tokens, mut copies) = (settings.count("ranks")?, settings.number("tokens")?, settings.number("top_k")?);
    let printed = tokens * copies;
    // Balanced routing sends a token to as many different ranks as there are, one expert on each.
    let balanced = settings.one_of("routing", &[("random", false), ("balanced", true)])?;
    if balanced && kernel.merges_copies {
        (copies, kernel.merges_copies) = (copies.min(f64::from(ranks)), false);
    }
    let fabric = bench.network.fabric();
    if ranks.div_ceil(fabric.chip.ranks) > fabric.chips {
        return Err(format!("{ranks} ranks do not fit on {} chips", fabric.chips));
    }
    let routed = settings.number("experts")?;
    let traffic = ExpertTraffic { ranks, tokens, copies, message: Bytes::new(settings.number("bytes")?), imbalance: 1.0, routed };
    let network = bench.network;
    let relayed = settings.optional("route").is_some() && settings.one_of("route", &[("direct", false), ("relayed", true)])?;
    let time = if relayed {
        let relay = Relay::new(network, ranks).ok_or_else(|| format!("{ranks} ranks do not fill several nodes"))?;
        let relay = if settings.optional("nodes").is_some() { relay.within(settings.number("nodes")?) } else { relay };
        traffic.relayed_over(network, &relay, &kernel).time
    } else {
        traffic.time(network, bench.all_to_all(traffic.chips(fabric.chip.ranks)), &kernel).0
    };
    match case.unit {
        Unit::GigabytesPerSecond => bandwidth_in(case.unit, (traffic.message + kernel.message_overhead.value) * printed / time),
        unit => time_in(unit, time),
    }
}

/// `2 x layers x tokens x copies x (bytes out + bytes back) / bandwidth`: the bound of DeepSeek's ISCA 2025 paper, two micro-batches that
/// hide all computing behind the exchange.
pub fn exchange_limit(_: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["tokens", "copies", "hidden", "layers", "bytes_per_s"])?;
    let bytes = settings.number("tokens")? * settings.number("copies")? * settings.number("hidden")? * 3.0;
    let once: Seconds = Bytes::new(bytes) / BytesPerSecond::new(settings.number("bytes_per_s")?);
    time_in(case.unit, once * (2.0 * settings.number_or("layers", 0.5)?))
}
