//! Patterns against what textbooks say of them: W. J. Dally and B. Towles, Principles and Practices of Interconnection Networks;
//! J. H. Ahn et al., HyperX, SC 2009; J. Kim et al., Dragonfly, ISCA 2008; C. E. Leiserson, Fat-trees, 1985.
//!
//! A test link carries 1 GB/s, so a bisection in GB/s counts links.

use proptest::prelude::*;
use supernode::fabric::Fabric;
use supernode::network::{FabricMetrics, Network, fabric_metrics};

use crate::topologies::machine::machine;

fn level(size: u32, pattern: &str) -> Fabric {
    machine(&format!("[[level]]\nname = \"l\"\nsize = {size}\nlink = \"PART(link)\"\n{pattern}\n"))
}

fn grid(pattern: &str, dimensions: &[u32]) -> Fabric {
    level(dimensions.iter().product(), &format!("[level.{pattern}]\ndimensions = {dimensions:?}"))
}

fn surveyed(fabric: &Fabric) -> FabricMetrics {
    fabric_metrics(&Network::new(fabric))
}

fn gigabytes(metrics: &FabricMetrics) -> f64 {
    metrics.bisection.get() / 1e9
}

/// The longest dimension last and even, so that the cut between halves is the narrowest.
fn dimensions(longest: u32) -> impl Strategy<Value = Vec<u32>> {
    (prop::collection::vec(1..=longest, 0..3), 1..=longest / 2).prop_map(|(mut dimensions, half)| {
        dimensions.push(2 * half);
        let last = 2 * half;
        dimensions.iter_mut().for_each(|dimension| *dimension = (*dimension).min(last));
        dimensions
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn torus(dimensions in dimensions(8)) {
        let fabric = grid("torus", &dimensions);
        let chips: u32 = dimensions.iter().product();
        let rings = |length: u32| chips / length * match length { 1 => 0, 2 => 1, length => length };
        prop_assert_eq!(fabric.link_count(), u64::from(dimensions.iter().map(|length| rings(*length)).sum::<u32>()));
        let metrics = surveyed(&fabric);
        prop_assert_eq!(metrics.diameter, dimensions.iter().map(|length| length / 2).sum::<u32>());
        // Halves meet at two layers, at one where the ring of two has one link.
        let last = dimensions[dimensions.len() - 1];
        let layers = if last == 2 { 1.0 } else { 2.0 };
        prop_assert!((gigabytes(&metrics) - layers * f64::from(chips / last)).abs() < 1e-6);
    }

    #[test]
    fn mesh(dimensions in dimensions(8)) {
        let fabric = grid("mesh", &dimensions);
        let chips: u32 = dimensions.iter().product();
        prop_assert_eq!(fabric.link_count(), u64::from(dimensions.iter().map(|length| chips / length * (length - 1)).sum::<u32>()));
        let metrics = surveyed(&fabric);
        prop_assert_eq!(metrics.diameter, dimensions.iter().map(|length| length - 1).sum::<u32>());
    }

    #[test]
    fn hyperx(dimensions in prop::collection::vec(1u32..7, 1..4)) {
        let fabric = grid("hyperx", &dimensions);
        let chips: u32 = dimensions.iter().product();
        prop_assert_eq!(fabric.link_count(), u64::from(dimensions.iter().map(|length| chips * (length - 1) / 2).sum::<u32>()));
        prop_assert_eq!(surveyed(&fabric).diameter, dimensions.iter().filter(|length| **length > 1).count() as u32);
    }

    #[test]
    fn full_mesh(half in 1u32..16) {
        let fabric = level(2 * half, "[level.full-mesh]");
        prop_assert_eq!(fabric.link_count(), u64::from(half * (2 * half - 1)));
        let metrics = surveyed(&fabric);
        prop_assert_eq!(metrics.diameter, 1);
        prop_assert!((gigabytes(&metrics) - f64::from(half * half)).abs() < 1e-6);
    }

    /// A balanced dragonfly, a = 2p = 2h, with all groups joined once.
    #[test]
    fn dragonfly(h in 1u32..4) {
        let (routers, groups) = (2 * h, 2 * h * h + 1);
        let shape = format!("groups = {groups}\nrouters_per_group = {routers}\nglobal_links_per_router = {h}");
        let fabric = level(h * routers * groups, &format!("[level.dragonfly]\nrouter = \"PART(switch)\"\n{shape}"));
        let links = h * routers * groups + groups * routers * (routers - 1) / 2 + groups * (groups - 1) / 2;
        prop_assert_eq!(fabric.link_count(), u64::from(links));
        // Up, local, global, local, down.
        prop_assert_eq!(surveyed(&fabric).diameter, 5);
    }

    /// Spines that carry all that the chips send: half of the chips cross, at full rate. With a share of them, that share crosses.
    #[test]
    fn leaf_and_spine(half_leaves in 1u32..5, under in 1u32..9, share in 1u32..9) {
        let spines = share.min(under);
        let clos = format!("spine = \"PART(switch)\"\nspines_per_plane = {spines}");
        let leaf = format!("leaf = {{ part = \"PART(switch)\", planes = 1, children_per_leaf = {under} }}");
        let fabric = level(2 * half_leaves * under, &format!("[level.clos]\n{clos}\n{leaf}"));
        let metrics = surveyed(&fabric);
        prop_assert_eq!(metrics.diameter, 4);
        prop_assert!((gigabytes(&metrics) - f64::from(half_leaves * spines)).abs() < 1e-6);
        if under > 1 {
            prop_assert!((metrics.groups[0].oversubscription - f64::from(under) / f64::from(spines)).abs() < 1e-9);
        }
    }

    /// The k-ary fat tree: k pods of k/2 edge and k/2 aggregation switches, (k/2)^2 cores, k^3/4 hosts, full bisection.
    #[test]
    fn fat_tree(half in 1u32..5) {
        let k = 2 * half;
        let edge = format!("[[level]]\nname = \"edge\"\nsize = {half}\nlink = \"PART(link)\"\n[level.switch]\npart = \"PART(switch)\"\nplanes = 1\n");
        let pod = format!("[[level]]\nname = \"pod\"\nsize = {half}\nlink = \"PART(link)\"\n[level.clos]\nspine = \"PART(switch)\"\nspines_per_plane = {half}\n");
        let cores = format!("spine = \"PART(switch)\"\nspines_per_plane = {}\nstriped = true", half * half);
        let core = format!("[[level]]\nname = \"core\"\nsize = {k}\nlink = \"PART(link)\"\n[level.clos]\n{cores}\n");
        let fabric = machine(&(edge + &pod + &core));
        prop_assert_eq!(fabric.chips, k * k * k / 4);
        prop_assert_eq!(fabric.graph.node_count() as u32 - fabric.chips, k * k + half * half);
        let metrics = surveyed(&fabric);
        prop_assert_eq!(metrics.diameter, 6);
        prop_assert!((gigabytes(&metrics) - f64::from(fabric.chips) / 2.0).abs() < 1e-6);
        prop_assert!(metrics.groups.iter().all(|group| (group.oversubscription - 1.0).abs() < 1e-9));
    }

    /// Planes are disjoint copies: bandwidth grows with them, distance does not.
    #[test]
    fn planes(half in 1u32..9, planes in 1u32..9) {
        let fabric = level(2 * half, &format!("[level.switch]\npart = \"PART(switch)\"\nplanes = {planes}"));
        let metrics = surveyed(&fabric);
        prop_assert_eq!(metrics.diameter, 2);
        prop_assert!((metrics.injection.get() / 1e9 - f64::from(planes)).abs() < 1e-6);
        prop_assert!((gigabytes(&metrics) - f64::from(half * planes)).abs() < 1e-6);
    }
}

/// Two domains of four chips: chip i of both on rail i. Another rail is one hop inside the domain away.
#[test]
fn rails_join_equal_positions() {
    let domain = "[[level]]\nname = \"domain\"\nsize = 4\nlink = \"PART(link)\"\n[level.switch]\npart = \"PART(switch)\"\nplanes = 2\n";
    let rails = "[[level]]\nname = \"rails\"\nsize = 2\nlink = \"PART(link)\"\nnic = { part = \"PART(nic)\", link = \"PART(link)\" }\n\
                 [level.rail]\npart = \"PART(switch)\"\n";
    let fabric = machine(&format!("{domain}{rails}"));
    let metrics = surveyed(&fabric);
    let hops: Vec<(u32, f64)> = metrics.distances.iter().map(|distance| (distance.hops, (distance.share * 56.0).round())).collect();
    // Of the 56 ordered pairs 24 lie in a domain, 8 on a rail behind two NICs, 24 on other rails.
    assert_eq!(hops, [(2, 24.0), (4, 8.0), (6, 24.0)]);
}

/// Two hosts of two switches of two chips: in a switch, across a root complex, across both.
#[test]
fn pcie_trees_cross_root_complexes() {
    let tree = "[level.pcie-tree]\nswitch = \"PART(switch)\"\nswitches = 4\nhost = \"PART(cpu)\"\nhosts = 2\n";
    let metrics = surveyed(&level(8, tree));
    assert_eq!(metrics.distances.iter().map(|distance| distance.hops).collect::<Vec<_>>(), [2, 4, 5]);
}

/// Circuits cost light path and nothing else: the same distances, the same loads, a later arrival.
#[test]
fn circuits_add_light_path() {
    let wired = grid("torus", &[4, 4]);
    let switched = level(16, "[level.torus]\ndimensions = [4, 4]\ncircuits = { block = [2, 2], link = \"PART(circuit)\" }");
    let (wired, switched) = (surveyed(&wired), surveyed(&switched));
    assert_eq!((wired.diameter, wired.bisection), (switched.diameter, switched.bisection));
    // Farthest apart is two steps along each dimension, each pair of steps crossing one block boundary of 50 ns.
    let later = switched.latency_max - wired.latency_max;
    assert!((later.get() - 100e-9).abs() < 1e-15, "{later:?}");
}

/// The same ring written link by link.
#[test]
fn custom_links_make_a_ring() {
    let links = (0..6).map(|child| format!("[[level.custom.link]]\nends = [\"{child}\", \"{}\"]\n", (child + 1) % 6)).collect::<String>();
    let custom = surveyed(&level(6, &links));
    let ring = surveyed(&level(6, "[level.ring]"));
    assert_eq!((custom.diameter, custom.bisection, custom.latency_max), (ring.diameter, ring.bisection, ring.latency_max));
    for (custom, ring) in custom.distances.iter().zip(&ring.distances) {
        assert_eq!((custom.hops, custom.share), (ring.hops, ring.share));
    }
}
