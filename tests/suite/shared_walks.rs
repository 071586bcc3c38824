//! Walks that are shared between designs of other latencies, judged by walks of each design's own.

use supernode::fabric::{Fabric, build};
use supernode::input::spec::load_supernode;
use supernode::network::{Group, Network, RoutedFabrics, TrafficPattern};

fn fabric(name: &str) -> Fabric {
    build(&load_supernode(name).unwrap()).unwrap()
}

/// The same machine with other latencies of links, and of switches in no fixed proportion.
fn slower(fabric: &Fabric) -> Fabric {
    let mut slower = fabric.clone();
    for (number, part) in (1..).zip(&mut slower.switches) {
        part.switch.latency.value = part.switch.latency.value * (1.0 + 0.37 * f64::from(number));
    }
    for link in &mut slower.links {
        link.link.serdes_latency.value = link.link.serdes_latency.value * 1.9;
    }
    slower
}

/// What a pattern does on a design whose bytes were counted on another is, to the last bit, what it does on its own.
#[test]
fn designs_of_other_latencies_share_bytes() {
    for name in ["cloudmatrix384", "gb200-nvl72-ib-288", "hgx-h800-ib-256", "ub-mesh-1024", "atlas-950-1024"] {
        let first = fabric(name);
        let other = slower(&first);
        let shared = RoutedFabrics::default();
        let (before, after, alone) = (Network::among(&first, &shared), Network::among(&other, &shared), Network::new(&other));
        let node = first.level_sizes[0];
        for ranks in [node, 4 * node, 5 * node - 1, first.chips].into_iter().filter(|ranks| *ranks > 1 && *ranks <= first.chips) {
            let mut patterns = vec![TrafficPattern::AllPairs, TrafficPattern::Ring];
            patterns.extend((ranks.is_multiple_of(node) && ranks > node).then_some(TrafficPattern::Equals { node }));
            for pattern in patterns {
                let group = Group::first(ranks);
                let (known, shared, own) = (before.play(&group, pattern), after.play(&group, pattern), alone.play(&group, pattern));
                assert_eq!(shared, own, "{name}: {pattern:?} among {ranks}");
                assert!(shared.latency > known.latency, "{name}: {pattern:?} among {ranks}");
            }
        }
    }
}
