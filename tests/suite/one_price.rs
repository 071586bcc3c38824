//! One price for each transfer: what `collective` prints is what a stage of a step takes, on every machine and for every op.

use crate::machines::fabric;
use supernode::execution::Communication;
use supernode::input::catalog::shipped_in;
use supernode::input::spec::load_supernode;
use supernode::network::{Algorithm, Collective, Engines, Network, Op, Placement, Pricing};
use supernode::units::{Bytes, Seconds};

#[track_caller]
fn assert_same(found: Seconds, expected: Seconds, what: &str) {
    assert!((found.get() / expected.get() - 1.0).abs() < 1e-9, "{what}: {found:?} is not {expected:?}");
}

/// Machines small enough to price all ops of in a test; the largest are of the same patterns.
const MOST_CHIPS: u32 = 1024;

/// Serving runs its transfers inside captured graphs, training outside of them; ranks of one package take part together.
#[test]
fn stages_take_what_collective_prints() {
    for name in shipped_in("topologies") {
        let spec = load_supernode(&name).unwrap();
        let fabric = fabric(&spec);
        if fabric.chips < 2 || fabric.chips > MOST_CHIPS {
            continue;
        }
        let (network, per_chip) = (Network::new(&fabric), fabric.chip.ranks);
        let eager = Communication::new(&network, &spec.library);
        let captured = eager.clone().in_graph();
        for ranks in [2 * per_chip, fabric.level_sizes[0].min(fabric.chips) * per_chip] {
            if ranks < 2 * per_chip {
                continue;
            }
            let mut pricing = Pricing::new(&network, &spec.library).with_ranks_per_chip(per_chip);
            for (op, op_name) in Op::ALL {
                for bytes in [4096.0, 16e6] {
                    let collective = Collective { op, ranks, bytes: Bytes::new(bytes) };
                    let what = format!("{op_name} of {ranks} on {name}, {bytes} B");
                    assert_same(eager.collective(op, ranks, collective.bytes), pricing.price(&collective, None).unwrap().total(), &what);
                    let in_graph = pricing.price_in_graph(&collective, None, Engines::All).unwrap().total();
                    assert_same(captured.collective(op, ranks, collective.bytes), in_graph, &what);
                }
            }
        }
    }
}

/// A free choice is the fastest that the library offers, and a captured graph makes nothing slower.
#[test]
fn auto_is_the_fastest_that_is_offered() {
    for name in ["hgx-h100-ib-64", "mi300x-8", "cloudmatrix384", "gb200-nvl72", "ref-tomahawk-ultra-64"] {
        let spec = load_supernode(name).unwrap();
        let fabric = fabric(&spec);
        let network = Network::new(&fabric);
        let mut pricing = Pricing::new(&network, &spec.library);
        for (op, op_name) in Op::ALL {
            for ranks in [2, 8, 16, fabric.chips].into_iter().filter(|&ranks| ranks <= fabric.chips) {
                for bytes in [1.0, 65_536.0, 1e8] {
                    let collective = Collective { op, ranks, bytes: Bytes::new(bytes) };
                    let auto = pricing.price(&collective, None).unwrap().total();
                    for other in pricing.ranking(&collective).unwrap() {
                        let other_name = other.algorithm.name();
                        assert!(auto <= other.total() * (1.0 + 1e-12), "{op_name} of {ranks} on {name}, {bytes} B: {other_name} is faster");
                    }
                    let in_graph = pricing.price_in_graph(&collective, None, Engines::All).unwrap().total();
                    assert!(in_graph <= auto * (1.0 + 1e-12), "{op_name} of {ranks} on {name}, {bytes} B");
                }
            }
        }
    }
}

/// A few bytes that switches add up take launch, one trip up and one down: at most twice the longest path, whatever the number of ranks.
#[test]
fn switches_add_up_in_one_trip() {
    let spec = load_supernode("ref-tomahawk-ultra-64").unwrap();
    let fabric = fabric(&spec);
    let network = Network::new(&fabric);
    let longest = network.all_to_all(fabric.chips).latency;
    let mut pricing = Pricing::new(&network, &spec.library);
    for ranks in [2, 8, 64] {
        let collective = Collective { op: Op::AllReduce, ranks, bytes: Bytes::new(8.0) };
        let timing = pricing.price(&collective, Some(Algorithm::InNetwork)).unwrap();
        assert!(timing.synchronisation == Seconds::ZERO && timing.propagation <= longest * 2.0, "{timing:?}");
    }
}

/// Eight NICs carry what eight GPUs of each host exchange: a ring over two hosts moves 2 x 15/16 S, an eighth of it over each NIC of
/// 50 GB/s x 4096/4122; a tree between two hosts moves S, an eighth of it over each.
#[test]
fn every_rail_carries_its_part() {
    let spec = load_supernode("hgx-h100-ib-64").unwrap();
    let fabric = fabric(&spec);
    let network = Network::new(&fabric);
    let library = crate::machines::weightless();
    let mut pricing = Pricing::new(&network, &library);
    let collective = Collective { op: Op::AllReduce, ranks: 16, bytes: Bytes::new(1e12) };
    let nic = 50e9 * 4096.0 / 4122.0;
    let mut wire = |algorithm| {
        let timing = pricing.price(&collective, Some(algorithm)).unwrap();
        (timing.serialisation + timing.waiting).get()
    };
    let own = 1e12 / 16.0 / 2.0 / 450e9;
    let ring = 2.0 * 15.0 / 16.0 * 1e12 / 8.0 / nic + own;
    assert!((wire(Algorithm::Ring) / ring - 1.0).abs() < 1e-3, "{ring}");
    // Inside the host each GPU passes on 9/8 S, at 450 GB/s: less time than an eighth of S at a NIC.
    let tree = (1e12_f64 / 8.0 / nic).max(9.0 / 8.0 * 1e12 / 450e9);
    assert!((wire(Algorithm::SwitchTree) / tree - 1.0).abs() < 1e-3, "{tree}");
}

/// Eight ranks that stand eight apart share nothing inside a host: each uses its own NIC, as one group alone does.
#[test]
fn groups_on_rails_of_their_own_do_not_meet() {
    let spec = load_supernode("hgx-h100-ib-64").unwrap();
    let fabric = fabric(&spec);
    let network = Network::new(&fabric);
    let communication = Communication::new(&network, &spec.library);
    let mut pricing = Pricing::placed(&network, &spec.library, Placement::Strided { first: 0, stride: 8 });
    for op in [Op::AllGather, Op::ReduceScatter, Op::AllReduce] {
        let collective = Collective { op, ranks: 8, bytes: Bytes::new(1e8) };
        let alone = pricing.price(&collective, None).unwrap().total();
        assert_same(communication.strided_collective(op, 8, 8, collective.bytes), alone, op.name());
    }
}
