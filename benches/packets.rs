//! Packet hops a second on one core. Each line of time has a line with the hops and the hash of all arrivals beside it.
//!
//! `cargo bench --bench packets` measures; `cargo test --benches` runs the smallest size of each once.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use supernode::network::packets::{
    Allocator, Control, Message, PacketChannel, PacketForwarding, PacketMachine, PacketNode, PacketOutcome, PacketTraffic, Queueing, RouteTable,
    Setting, Watch, simulate,
};

/// Leaves of eight hosts each below as many spines; packets of 4160 bytes at 400 Gbit/s, links of 100 ns, switches of 250 ns.
fn leaf_spine(leaves: u32, control: Control) -> PacketMachine {
    let spines = leaves;
    let host = PacketNode {
        latency: 0,
        forwarding: PacketForwarding::StoreAndForward,
        queueing: Queueing::Output,
        allocator: Allocator::Ideal,
        is_end: true,
        forwards: false,
    };
    let switch = PacketNode { latency: 250_000, is_end: false, forwards: true, ..host };
    let hosts = 8 * leaves;
    let link = |from, to| {
        let channel = |from, to| PacketChannel {
            from,
            to,
            byte_time: 20.0,
            overhead_bytes: 0,
            delay: 100_000,
            control,
            dimension: None,
            dateline: false,
            errors: None,
        };
        [channel(from, to), channel(to, from)]
    };
    let mut nodes = vec![host; hosts as usize];
    nodes.extend(vec![switch; (leaves + spines) as usize]);
    let down = (0..hosts).flat_map(|host| link(host, hosts + host / 8));
    let up = (0..leaves).flat_map(|leaf| (0..spines).flat_map(move |spine| link(hosts + leaf, hosts + leaves + spine)));
    PacketMachine { nodes, channels: down.chain(up).collect() }
}

fn all_to_all(hosts: u32, bytes: u64) -> Vec<Message> {
    let message = |source, destination| Message { source, destination, bytes, start: 0, after: Vec::new() };
    (0..hosts).flat_map(|host| (1..hosts).map(move |step| message(host, (host + step) % hosts))).collect()
}

/// FNV-1a over all arrivals.
fn hash(outcome: &PacketOutcome) -> u64 {
    let bytes = outcome.arrivals.iter().flat_map(|arrival| arrival.end.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Processor time of this process so far, seconds, where the system says so (Linux). Other load does not count.
fn processor_time() -> Option<f64> {
    let nanoseconds = std::fs::read_to_string("/proc/self/schedstat").ok()?.split(' ').next()?.parse::<f64>().ok()?;
    Some(nanoseconds / 1e9)
}

/// Hops in a second of processor time, millions, best of three runs.
fn rate(run: &dyn Fn() -> PacketOutcome) -> Option<f64> {
    let once = || {
        let before = processor_time()?;
        let hops = run().counts.hops;
        Some(f64::from(u32::try_from(hops).ok()?) / 1e6 / (processor_time()? - before))
    };
    (0..3).filter_map(|_| once()).filter(|rate| rate.is_finite()).reduce(f64::max)
}

fn bench_hops(criterion: &mut Criterion) {
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let controls = [("unlimited", Control::Unlimited), ("credits", Control::Credits { buffer_bytes: 16 * 4160 })];
    for (name, control) in controls {
        let mut group = criterion.benchmark_group(format!("packets/{name}"));
        group.sample_size(10);
        for &leaves in if is_measured { &[2_u32, 8][..] } else { &[2][..] } {
            let machine = leaf_spine(leaves, control);
            let routes = RouteTable::shortest(&machine, false);
            let messages = all_to_all(8 * leaves, 65_536);
            let run = || {
                simulate(&machine, &routes, &Setting::default(), PacketTraffic::Messages(messages.clone()), &Watch::default())
                    .expect("a sound machine")
            };
            let outcome = run();
            let rate = rate(&run).map_or_else(String::new, |rate| format!(", {rate:.1} million hops a second of processor time"));
            println!("{} hops, {} events, hash {:016x}{rate}", outcome.counts.hops, outcome.counts.events, hash(&outcome));
            group.throughput(Throughput::Elements(outcome.counts.hops));
            group.bench_function(BenchmarkId::from_parameter(8 * leaves), |bencher| bencher.iter(run));
        }
    }
}

criterion_group!(benches, bench_hops);
criterion_main!(benches);
