//! Every shipped supernode: it loads, builds, is connected, keeps its budgets, and adds up to what its maker publishes.

use std::path::Path;

use supernode::fabric::{self, Endpoint};
use supernode::footprint::inventory;
use supernode::input::catalog::shipped_in;
use supernode::input::document::{Kind, Precision};
use supernode::input::spec::{Spec, load_supernode};
use supernode::network::{Network, fabric_metrics};

/// Published totals, one direction, with the share by which ours may differ.
struct Published {
    name: &'static str,
    chips: u32,
    /// Switch chips in the scale-up fabric, where published.
    switches: Option<u64>,
    /// All chips' injection into the scale-up fabric, TB/s one way.
    injection: Option<(f64, f64)>,
    /// Dense peak in PFLOP/s at this precision.
    compute: Option<(Precision, f64, f64)>,
    /// TB of memory on the chips.
    memory: Option<(f64, f64)>,
}

const NOTHING: Published = Published { name: "", chips: 0, switches: None, injection: None, compute: None, memory: None };

/// Sources stand in the files; a range wider than rounding says why beside the number.
const PUBLISHED: &[Published] = &[
    // Injection: 384 x 14 x 28 GB/s. 289 PFLOP/s is 384 x 752, 49.2 TB is 384 x 128 GB.
    Published {
        name: "cloudmatrix384",
        chips: 384,
        switches: Some(336 + 112),
        injection: Some((150.5, 0.01)),
        compute: Some((Precision::Bf16, 289.0, 0.01)),
        memory: Some((49.2, 0.01)),
    },
    // 16.3 PB/s both ways; 72 lanes of 112 Gbit/s make 16.5, of 106.25 15.7. 1 152 TB counts 1 024 GB to the TB.
    Published {
        name: "atlas-950-8192",
        chips: 8192,
        injection: Some((16_300.0 / 2.0, 0.04)),
        compute: Some((Precision::Fp8, 8000.0, 0.03)),
        memory: Some((1152.0, 0.03)),
        ..NOTHING
    },
    Published { name: "atlas-950-1024", chips: 1024, compute: Some((Precision::Fp8, 1000.0, 0.03)), ..NOTHING },
    // 34 PB/s both ways, 30 EFLOP/s, 4 460 TB.
    Published {
        name: "atlas-960",
        chips: 15_488,
        injection: Some((34_000.0 / 2.0, 0.04)),
        compute: Some((Precision::Fp8, 30_000.0, 0.04)),
        memory: Some((4460.0, 0.01)),
        ..NOTHING
    },
    // Of x72 an NPU keeps four lanes for the Clos above a pod: 68 of 72 are in use.
    Published { name: "ub-mesh-1024", chips: 1024, injection: Some((1.024 * 72.0 * 14.0, 0.06)), ..NOTHING },
    // 28 PFLOP/s and 5.62 TB are lower bounds; 448 GB/s a card is read as both directions.
    Published {
        name: "scalex40",
        chips: 40,
        injection: Some((40.0 * 0.224, 0.01)),
        compute: Some((Precision::Fp8, 28.0, 0.01)),
        memory: Some((5.62, 0.03)),
        ..NOTHING
    },
    // Half of the figures of the 1 280-card unit below.
    Published { name: "scalex640", chips: 640, injection: Some((573.0 / 4.0, 0.01)), ..NOTHING },
    // 630 PFLOP/s, 81.9 TB and 573 TB/s (both ways), read as those of two cabinets.
    Published {
        name: "scalex1280",
        chips: 1280,
        injection: Some((573.0 / 2.0, 0.01)),
        compute: Some((Precision::Bf16, 630.0, 0.01)),
        memory: Some((81.9, 0.01)),
        ..NOTHING
    },
    // More than 5 EFLOP/s, 650 TB and 4.5 PB/s (both ways): bounds from below.
    Published {
        name: "scalex-10240",
        chips: 10_240,
        injection: Some((4500.0 / 2.0, 0.03)),
        compute: Some((Precision::Bf16, 5000.0, 0.02)),
        memory: Some((650.0, 0.02)),
        ..NOTHING
    },
    // 800 GB/s a chip both ways.
    Published { name: "panjiu-al128", chips: 128, injection: Some((128.0 * 0.4, 0.01)), memory: Some((128.0 * 0.144, 0.01)), ..NOTHING },
    Published { name: "inspur-sd200", chips: 64, memory: Some((4.0, 0.03)), ..NOTHING },
    Published { name: "tencent-ethx64", chips: 64, ..NOTHING },
    Published { name: "zte-nebula64", chips: 64, injection: Some((64.0 * 0.4, 0.02)), ..NOTHING },
    Published { name: "baidu-tianchi256", chips: 256, ..NOTHING },
    // 784 GB/s a card both ways, 80 GB.
    Published {
        name: "moore-threads-c256",
        chips: 256,
        injection: Some((256.0 * 0.392, 0.01)),
        compute: Some((Precision::Fp8, 256.0, 0.01)),
        memory: Some((256.0 * 0.08, 0.01)),
        ..NOTHING
    },
    Published { name: "metax-c550-64", chips: 64, memory: Some((64.0 * 0.064, 0.01)), ..NOTHING },
    Published {
        name: "hgx-a100",
        chips: 8,
        switches: Some(6),
        injection: Some((8.0 * 0.3, 0.01)),
        compute: Some((Precision::Bf16, 2.5, 0.01)),
        memory: Some((0.64, 0.01)),
    },
    Published {
        name: "hgx-h200",
        chips: 8,
        switches: Some(4),
        injection: Some((8.0 * 0.45, 0.01)),
        compute: Some((Precision::Fp8, 15.8, 0.01)),
        memory: Some((1.128, 0.01)),
    },
    Published {
        name: "hgx-h100",
        chips: 8,
        switches: Some(4),
        injection: Some((8.0 * 0.45, 0.01)),
        compute: Some((Precision::Fp8, 15.8, 0.01)),
        memory: Some((0.64, 0.01)),
    },
    Published { name: "hgx-h800", chips: 8, switches: Some(4), injection: Some((8.0 * 0.2, 0.01)), ..NOTHING },
    // Eight and 32 servers of eight GPUs of 80 GB; the shape of the InfiniBand fabrics behind the measurements is not published.
    Published { name: "hgx-h100-ib-64", chips: 64, memory: Some((5.12, 0.01)), ..NOTHING },
    Published { name: "hgx-h800-ib-256", chips: 256, memory: Some((20.48, 0.01)), ..NOTHING },
    Published { name: "hgx-h100-ib-256", chips: 256, memory: Some((20.48, 0.01)), ..NOTHING },
    // DeepSeek-V3's cluster, 2 048 GPUs of 80 GB; half of the first phase of Llama 3's 16 384.
    Published { name: "hgx-h800-ib-2048", chips: 2048, memory: Some((163.84, 0.01)), ..NOTHING },
    Published { name: "hgx-h100-roce-8192", chips: 8192, memory: Some((655.36, 0.01)), ..NOTHING },
    // Grand Teton servers: 96 GB a GPU.
    Published { name: "grand-teton-256", chips: 256, memory: Some((24.576, 0.01)), ..NOTHING },
    Published { name: "grand-teton-8192", chips: 8192, memory: Some((786.432, 0.01)), ..NOTHING },
    Published { name: "hgx-b200-ib-256", chips: 256, ..NOTHING },
    // Two servers or two racks, as measured.
    Published { name: "hgx-h20-ib-16", chips: 16, injection: Some((16.0 * 0.45, 0.01)), memory: Some((16.0 * 0.096, 0.01)), ..NOTHING },
    Published { name: "mi300x-roce-16", chips: 16, memory: Some((16.0 * 0.192, 0.01)), ..NOTHING },
    Published { name: "gb300-64-ib-128", chips: 128, ..NOTHING },
    // Four times the racks below.
    Published { name: "gb200-nvl72-ib-288", chips: 288, memory: Some((4.0 * 13.4, 0.01)), ..NOTHING },
    Published { name: "gb300-nvl72-ib-288", chips: 288, memory: Some((4.0 * 20.3, 0.02)), ..NOTHING },
    // 14.4 TB/s both ways.
    Published { name: "hgx-b200", chips: 8, switches: Some(2), injection: Some((7.2, 0.01)), compute: Some((Precision::Fp8, 36.0, 0.01)), ..NOTHING },
    // 130 TB/s both ways, 720 PFLOP/s FP4, 13.4 TB.
    Published {
        name: "gb200-nvl72",
        chips: 72,
        switches: Some(18),
        injection: Some((65.0, 0.01)),
        compute: Some((Precision::Fp4, 720.0, 0.01)),
        memory: Some((13.4, 0.01)),
    },
    // 20 to 20.7 TB, 1 080 to 1 100 PFLOP/s FP4.
    Published {
        name: "gb300-nvl72",
        chips: 72,
        switches: Some(18),
        injection: Some((65.0, 0.01)),
        compute: Some((Precision::Fp4, 1090.0, 0.01)),
        memory: Some((20.3, 0.03)),
    },
    // 260 TB/s both ways, 2 500 PFLOP/s FP4 (training), 20.7 TB.
    Published {
        name: "vera-rubin-nvl72",
        chips: 72,
        switches: Some(36),
        injection: Some((130.0, 0.01)),
        compute: Some((Precision::Fp4, 2500.0, 0.01)),
        memory: Some((20.7, 0.01)),
    },
    Published { name: "mi300x-8", chips: 8, switches: Some(0), injection: Some((8.0 * 0.336, 0.01)), memory: Some((8.0 * 0.192, 0.01)), ..NOTHING },
    Published { name: "mi355x-8", chips: 8, switches: Some(0), injection: Some((8.0 * 0.4032, 0.01)), memory: Some((8.0 * 0.288, 0.01)), ..NOTHING },
    // 260 TB/s both ways, less UALink's framing of 7 %; 31 TB; the 1.4 EFLOP/s FP8 quoted are probably sparse.
    Published {
        name: "helios-72",
        chips: 72,
        injection: Some((130.0, 0.08)),
        compute: Some((Precision::Fp8, 1400.0 / 2.0, 0.04)),
        memory: Some((31.0, 0.01)),
        ..NOTHING
    },
    Published { name: "gaudi3-8", chips: 8, switches: Some(0), injection: Some((8.0 * 0.525, 0.03)), memory: Some((8.0 * 0.128, 0.01)), ..NOTHING },
    Published { name: "tpu-v5p-pod", chips: 8960, switches: Some(0), injection: Some((8960.0 * 0.54, 0.01)), ..NOTHING },
    // 1.2 TB/s a chip both ways.
    Published { name: "tpu-v7-pod", chips: 9216, switches: Some(0), injection: Some((9216.0 * 0.6, 0.01)), ..NOTHING },
    // 1.28 TB/s a chip both ways.
    Published { name: "trn2-ultraserver", chips: 64, switches: Some(0), injection: Some((64.0 * 0.64, 0.01)), ..NOTHING },
];

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
    for published in PUBLISHED {
        let spec = load_supernode(published.name).unwrap_or_else(|problems| panic!("{problems}"));
        check(&spec, published);
    }
}

/// Building checks budgets and reach; what is left is that every pair was measured and every machine is in the table above.
#[test]
fn every_supernode_loads_and_is_measured() {
    for name in shipped_in("topologies") {
        let spec = load_supernode(&name).unwrap_or_else(|problems| panic!("{problems}"));
        let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(name.starts_with("ref-") || PUBLISHED.iter().any(|published| published.name == name), "{name} has no published totals");
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
