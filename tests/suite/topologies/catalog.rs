//! Every shipped supernode: it loads, builds, is connected, keeps its budgets, and adds up to what its maker publishes.

use std::path::Path;

use supernode::fabric::{self, Endpoint};
use supernode::footprint::inventory;
use supernode::input::catalog::shipped_in;
use supernode::input::document::{Kind, StandingKind};
use supernode::input::spec::{Spec, load_supernode};
use supernode::network::{Network, fabric_metrics};
use supernode::units::Confidence;

use super::published::{Published, published};

fn near(what: &str, name: &str, ours: f64, (published, tolerance): (f64, f64)) {
    let off = ours / published - 1.0;
    assert!(off.abs() <= tolerance, "{name}: {what} {ours:.4} is {:+.1} % off the published {published:.4}", off * 100.0);
}

fn check(spec: &Spec, published: &Published) {
    let name = published.name;
    let fabric = fabric::build(spec).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(fabric.chips, published.chips, "{name}");
    let chips = f64::from(fabric.chips);
    if let Some(switches) = published.switches {
        assert_eq!(inventory(&fabric).switch_count(), switches, "{name}");
    }
    if let Some(injection) = published.injection {
        near("injection", name, Network::new(&fabric).injection().get() * chips / 1e12, injection);
    }
    if let Some((precision, total, tolerance)) = published.compute {
        near("compute", name, spec.chip.compute.peak(precision).get() * chips / 1e15, (total, tolerance));
    }
    if let Some(memory) = published.memory {
        near("memory", name, spec.chip.memory.capacity.value.get() * chips / 1e12, memory);
    }
}

#[test]
fn published_totals() {
    for published in published() {
        let spec = load_supernode(published.name).unwrap_or_else(|problems| panic!("{problems}"));
        check(&spec, published);
        let has_totals = published.injection.is_some() || published.compute.is_some() || published.memory.is_some();
        let page = published.page;
        assert_eq!(has_totals, page.starts_with("http"), "{}: totals have a page, and without totals the page says so: {page}", published.name);
        assert!(has_totals || page.starts_with("none found: "), "{}: {page}", published.name);
    }
}

/// Building checks budgets and reach; what is left is that every pair was measured and every machine is in the table above.
#[test]
fn every_supernode_loads_and_is_measured() {
    for name in shipped_in("topologies") {
        let spec = load_supernode(&name).unwrap_or_else(|problems| panic!("{problems}"));
        let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(name.starts_with("ref-") || published().any(|published| published.name == name), "{name} has no published totals");
        let metrics = fabric_metrics(&Network::new(&fabric));
        let shares: f64 = metrics.distances.iter().map(|distance| distance.share).sum();
        assert!((shares - 1.0).abs() < 1e-9, "{name}");
        assert!(metrics.bisection.get() > 0.0 && metrics.bisection.get().is_finite(), "{name}");
        let (least, mean, most) = (metrics.latency_min.get(), metrics.latency_mean.get(), metrics.latency_max.get());
        assert!(least > 0.0 && least <= mean * (1.0 + 1e-9) && mean <= most * (1.0 + 1e-9), "{name}: {least} {mean} {most}");
    }
}

/// One chip, many fabrics: the same 64 lanes (or half as many at twice the rate), whatever joins them.
#[test]
fn reference_designs_use_the_same_chip_to_the_full() {
    for name in shipped_in("topologies").iter().filter(|name| name.starts_with("ref-")) {
        let spec = load_supernode(name).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(spec.chip.name, "reference accelerator (H100 class)", "{name}");
        let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
        let lanes: u32 = fabric
            .graph
            .edges(petgraph::graph::NodeIndex::new(0))
            .filter(|edge| {
                use petgraph::visit::EdgeRef;
                matches!(fabric.graph[edge.target()].endpoint, Endpoint::Chip | Endpoint::Switch(_))
            })
            .map(|edge| edge.weight().count * fabric.links[edge.weight().link as usize].link.lanes)
            .sum();
        let wanted = match name {
            name if name.contains("ualink") => 32,
            name if name.contains("servers") => 56,
            _ => 64,
        };
        assert_eq!(lanes, wanted, "{name}");
    }
}

/// `check` knows every kind of file that ships, and finds nothing wrong with any of them.
#[test]
fn every_shipped_file_passes_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = ["topologies", "workloads", "studies"].map(|folder| root.join(folder)).to_vec();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let checked = std::process::Command::new(env!("CARGO_BIN_EXE_supernode")).arg("check").args(&files).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(String::from_utf8_lossy(&checked.stdout).lines().filter(|line| line.contains(": ok, ")).count(), files.len());
}

/// The schemas that editors are pointed to are those that the program prints and reads by.
#[test]
fn schemas_are_current_and_referenced() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for kind in Kind::ALL.map(Kind::word) {
        let printed = std::process::Command::new(env!("CARGO_BIN_EXE_supernode")).args(["schema", kind]).output().unwrap();
        let kept = std::fs::read(root.join(format!("schema/{kind}.json"))).unwrap();
        assert!(printed.stdout == kept, "schema/{kind}.json is not what `supernode schema {kind}` prints");
    }
    let mut folders = vec![root.join("topologies")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let reference = text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).unwrap_or_default().to_owned();
                assert!(folder.join(&reference).is_file(), "{} refers to no schema", path.display());
            }
        }
    }
}

/// A chip whose compute and whose memory bandwidth are both guesses makes its machine a stand-in, and reference designs are not machines.
#[test]
fn stand_ins_are_marked() {
    for name in shipped_in("topologies").iter().filter(|name| !name.starts_with("ref-")) {
        let spec = load_supernode(name).unwrap_or_else(|problems| panic!("{problems}"));
        let origin = spec.chip.origin.confidence.unwrap_or(Confidence::Assumed);
        let compute = spec.chip.compute.bf16.confidence.unwrap_or(origin);
        let bandwidth = spec.chip.memory.bandwidth.confidence.unwrap_or(origin);
        let is_guess = compute >= Confidence::Estimate && bandwidth == Confidence::Assumed;
        assert!(spec.is_stand_in() || !is_guess, "{name}: nothing of {} is known, and the machine is not marked", spec.chip.name);
    }
    let marked = |name: &str| load_supernode(name).unwrap_or_else(|problems| panic!("{problems}")).standing.map(|standing| standing.kind);
    for name in ["tencent-ethx64", "baidu-tianchi256", "metax-c550-64", "inspur-sd200"] {
        assert_eq!(marked(name), Some(StandingKind::StandIn), "{name}");
    }
    for name in ["vera-rubin-nvl72", "kyber-nvl144", "helios-72", "tpu-8t-pod", "atlas-960", "atlas-950-8192"] {
        assert_eq!(marked(name), Some(StandingKind::Projection), "{name}");
    }
    assert_eq!(marked("atlas-950-1024"), None, "a derived file takes the mark back");
}
