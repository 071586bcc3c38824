//! Machines of other programs: small files made here in their formats, and real ones where they are at hand.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value as Json;

use crate::command::Project;

/// What NCCL writes on a host of 8 GPUs on 6 NVSwitches, two links to each.
pub(crate) fn nccl_dump() -> String {
    let mut text = String::from("<system version=\"1\">\n<cpu numaid=\"0\" arch=\"x86_64\">\n<pci busid=\"0000:01:00.0\" class=\"0x060400\">\n");
    // Not in the order of their numbers, as real dumps are.
    for dev in [1, 0, 3, 2, 5, 4, 7, 6] {
        let _ = write!(
            text,
            "<pci busid=\"0000:{dev}7:00.0\" class=\"0x030200\" link_speed=\"16.0 GT/s PCIe\" link_width=\"16\"><gpu dev=\"{dev}\" sm=\"80\" rank=\"{dev}\">"
        );
        for switch in [4, 7, 5, 6, 8, 9] {
            let _ = write!(text, "<nvlink target=\"0000:c{switch}:00.0\" count=\"2\" tclass=\"0x068000\"/>");
        }
        text += "</gpu></pci>\n";
    }
    text + "<pci busid=\"0000:0c:00.0\" class=\"0x020700\"><nic><net name=\"mlx5_0\" dev=\"0\" speed=\"200000\"/></nic></pci>\n</pci>\n</cpu>\n</system>\n"
}

pub(crate) const A100: [&str; 10] = [
    "--map",
    "gpu=a100",
    "--map",
    "nvswitch=nvswitch2",
    "--map",
    "nvlink=nvlink3-board",
    "--map",
    "library=nccl-nvlink3",
    "--map",
    "supply=hgx-a100",
];

pub(crate) fn json(project: &Project, arguments: &[&str]) -> Json {
    let all: Vec<&str> = arguments.iter().copied().chain(["--format", "json"]).collect();
    serde_json::from_str(&project.run(&all).output()).unwrap()
}

/// Times of all collectives, size by size.
fn times(project: &Project, machine: &str) -> Vec<f64> {
    let ops = ["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast", "send"];
    let of_op = |op: &&str| json(project, &["collective", machine, "--op", op, "--size", "512B..4GiB"])["results"].as_array().unwrap().clone();
    ops.iter().flat_map(of_op).map(|row| row["time_s"].as_f64().unwrap()).collect()
}

#[test]
fn a_dump_of_nccl_is_the_machine_that_ships() {
    let project = Project::new("import-nccl").file("dump.xml", &nccl_dump());
    let made = project.run(&[&["import", "dump.xml", "--out", "a100.toml"][..], &A100].concat()).output();
    assert!(made.contains("every chip on 6 switches, 12 links a chip"), "{made}");
    assert!(made.contains("beside the GPUs' own links the file has 1 NUMA nodes, 1 PCIe switches, 1 network ports"), "{made}");
    assert_eq!(times(&project, "a100.toml"), times(&project, "hgx-a100"));
}

/// A file without `[supply]` that has the tables of a shipped one; a figure that names no source has that of its file.
pub(crate) const OWN_SUPPLY: &str = r#"extends = "hgx-a100"

[supernode]
name = "hall"

[supply]
conversion_efficiency = { value = 0.9, range = [0.85, 0.95], source = "HALL", confidence = "measured" }
cooling = "cold-plate"
racks = { count = 2, limit = { value = "20 kW", range = ["18 kW", "22 kW"], confidence = "assumed" } }

[sources]
HALL = "https://example.org/hall"
"#;

/// Ranges, sources and confidence of what another machine lends are those of its file.
#[test]
fn nothing_of_a_borrowed_supply_is_lost() {
    let project = Project::new("import-supply").file("dump.xml", &nccl_dump()).file("hall.toml", OWN_SUPPLY);
    let supply = |name: &str, of: &str| {
        let map: Vec<&str> = A100.iter().map(|text| if text.starts_with("supply") { of } else { *text }).collect();
        project.run(&[&["import", "dump.xml", "--out", name][..], &map].concat()).output();
        project.text(name).split_once("\n[supply]\n").unwrap().1.to_owned()
    };
    assert_eq!(
        supply("shipped.toml", "supply=hgx-a100"),
        "# As hgx-a100, which --map names.\n\
         conversion_efficiency = { value = 0.94, range = [0.92, 0.97], confidence = \"assumed\" }\n\
         cooling_share = { value = 0.12, range = [0.08, 0.18], confidence = \"assumed\" }\n\
         pue = { value = 1.3, range = [1.1, 1.58], confidence = \"assumed\" }\n"
    );
    assert_eq!(
        supply("own.toml", "supply=./hall.toml"),
        "# As ./hall.toml, which --map names.\n\
         conversion_efficiency = { value = 0.9, range = [0.85, 0.95], source = \"SUPPLY1\", confidence = \"measured\" }\n\
         cooling_share = { value = 0.12, range = [0.08, 0.18], confidence = \"assumed\" }\n\
         pue = { value = 1.3, range = [1.1, 1.58], confidence = \"assumed\" }\n\
         cooling = \"cold-plate\"\n\
         racks = { count = 2, limit = { value = \"20 kW\", range = [\"18 kW\", \"22 kW\"], confidence = \"assumed\" } }\n\n\
         [sources]\nSUPPLY1 = \"https://example.org/hall\"\n"
    );
    // What is drawn and where it comes from follows from the file, not from who wrote it.
    let sources = |machine: &str| {
        let all = json(&project, &["sensitivity", machine, "--sources", "--workload", "llama-3.1-8b-bf16"])["sources"].as_array().unwrap().clone();
        let of_supply = |row: &&Json| row["value"].as_str().unwrap().starts_with("supply[");
        let told = |row: &Json| ["low_si", "high_si", "unit", "confidence", "source"].map(|key| row[key].clone());
        let mut rows: Vec<_> = all.iter().filter(of_supply).map(told).collect();
        rows.sort_by_key(|row| row[0].to_string());
        rows
    };
    assert!(!sources("hall.toml").is_empty());
    assert_eq!(sources("own.toml"), sources("hall.toml"));
}

#[test]
fn what_a_dump_does_not_say_is_asked_for() {
    let project = Project::new("import-asks").file("dump.xml", &nccl_dump());
    let error = project.run(&["import", "dump.xml"]).error();
    for expected in [
        "error: link `nvlink` is no known part (48 edges, between gpu and nvswitch)",
        "add --map nvlink=PART (`supernode list links`), or --map nvlink=omit to leave it out.",
        "error: chip `gpu` is no known part",
        "add --map gpu=PART, a chip part, for 8 nodes (`supernode list chips`)",
        "error: switch `nvswitch` is no known part",
        "add --map nvswitch=PART, a switch part, for 6 nodes (`supernode list switches`)",
        "error: the file does not say which communication library the machine has",
        "error: the file does not say how power is supplied and heat taken away",
    ] {
        assert!(error.contains(expected), "{expected}\n{error}");
    }
    let misfit = project.run(&[&["import", "dump.xml"][..], &A100, &["--map", "nvlnk=omit"]].concat()).error();
    assert!(misfit.contains("--map names `nvlnk`, which the file does not have") && misfit.contains("did you mean `nvlink`?"), "{misfit}");
    let many: Vec<&str> = A100.iter().map(|text| if text.starts_with("nvlink") { "nvlink=nvlink3-board:3" } else { *text }).collect();
    assert!(project.run(&[&["import", "dump.xml"][..], &many].concat()).error().contains("the file states 2 links of `nvlink` where the map says 3"));
    let omitted: Vec<&str> = A100.iter().map(|text| if text.starts_with("nvlink") { "nvlink=omit" } else { *text }).collect();
    assert!(project.run(&[&["import", "dump.xml"][..], &omitted].concat()).error().contains("nothing that was kept joins `gpu[0]` to `gpu[1]`"));
}

/// What RCCL writes on a host of 8 GPUs that xGMI joins, one link a pair.
#[test]
fn a_dump_of_rccl_is_a_full_mesh() {
    let mut text = String::from("<system version=\"2\">\n<cpu numaid=\"0\">\n");
    for dev in 0..8 {
        let _ = write!(text, "<pci busid=\"0000:{dev}5:00.0\" class=\"0x038000\"><gpu dev=\"{dev}\" sm=\"94\" gcn=\"gfx942\" rank=\"{dev}\">");
        for peer in (0..8).filter(|peer| *peer != dev) {
            let _ = write!(text, "<xgmi target=\"0000:{peer}5:00.0\" count=\"1\" tclass=\"0x038000\"/>");
        }
        text += "</gpu></pci>\n";
    }
    text += "</cpu>\n</system>\n";
    let project = Project::new("import-rccl").file("dump.xml", &text).file("pcie.xml", &nccl_dump().replace("nvlink", "other"));
    let map = ["--map", "gpu=mi300x", "--map", "xgmi=xgmi-mi300x", "--map", "library=rccl", "--map", "supply=mi300x-8"];
    let made = project.run(&[&["import", "dump.xml", "--out", "mesh.toml"][..], &map].concat()).output();
    assert!(made.contains("full mesh, 1 link a pair"), "{made}");
    assert_eq!(times(&project, "mesh.toml"), times(&project, "mi300x-8"));
    let pcie = project.run(&["import", "pcie.xml"]).error();
    assert!(pcie.contains("no <gpu> has an <nvlink> or <xgmi>") && pcie.contains("`lstopo --of xml`"), "{pcie}");
}

/// One tray after the other of a rack whose hosts see all NVSwitches as one address; ranks are not in the order of the file.
fn rack_dump(hosts: u32) -> String {
    let mut text = String::from("<system version=\"1\">\n");
    for host in (0..hosts).rev() {
        let _ = write!(text, "<cpu host_hash=\"0x{host}\" numaid=\"0\" arch=\"arm64\">");
        for dev in 0..4 {
            let _ = write!(text, "<pci busid=\"000{dev}:01:00.0\" class=\"0x030200\"><gpu dev=\"{dev}\" sm=\"100\" rank=\"{}\">", 4 * host + dev);
            text += "<nvlink target=\"fffffff:ffff:ff\" count=\"18\" tclass=\"0x068000\"/></gpu></pci>\n";
        }
        text += "</cpu>\n";
    }
    text + "</system>\n"
}

#[test]
fn hosts_of_a_rack_are_one_fabric() {
    let project = Project::new("import-rack").file("rack.xml", &rack_dump(18));
    let base =
        ["import", "rack.xml", "--map", "gpu=gb200", "--map", "nvlink=nvlink5-cable", "--map", "library=nccl-nvlink5", "--map", "supply=gb200-nvl72"];
    let asked = project.run(&[&base[..], &["--map", "nvswitch=nvswitch5"]].concat()).error();
    assert!(asked.contains("the file sees one address for all switches `nvswitch`, to which each chip has 18 links"), "{asked}");
    assert!(asked.contains("add how many they are: --map nvswitch=PART:18"), "{asked}");
    let made = project.run(&[&base[..], &["--map", "nvswitch=nvswitch5:18", "--out", "rack.toml"]].concat()).output();
    assert!(made.contains("every chip on 18 switches, 18 links a chip"), "{made}");
    assert_eq!(times(&project, "rack.toml"), times(&project, "gb200-nvl72"));
    let joined = project.run(&[&base[..], &["--map", "nvswitch=nvswitch5:18", "--map", "hosts=3"]].concat()).error();
    assert!(joined.contains("links of the file join its hosts already"), "{joined}");
}

/// A host of 8 GPUs with a port each and one for storage, `hosts` times; each GPU with these NVLinks.
fn cluster_dump(hosts: u32, nvlinks: &[(&str, u32)]) -> String {
    let mut text = String::from("<system version=\"1\">\n");
    for host in 0..hosts {
        let _ = write!(text, "<cpu host_hash=\"0x{host}\" numaid=\"0\">");
        for dev in 0..8 {
            let _ = write!(text, "<pci busid=\"0000:{dev}7:00.0\" class=\"0x030200\"><gpu dev=\"{dev}\" sm=\"90\" rank=\"{}\">", 8 * host + dev);
            for (target, count) in nvlinks {
                let _ = write!(text, "<nvlink target=\"{target}\" count=\"{count}\" tclass=\"0x068000\"/>");
            }
            text += "</gpu></pci>\n";
            let _ = write!(
                text,
                "<pci busid=\"0000:{dev}c:00.0\" class=\"0x020700\"><nic><net name=\"mlx5_{dev}\" dev=\"{dev}\" speed=\"400000\"/></nic></pci>"
            );
        }
        text += "<nic><net name=\"eth0\" dev=\"8\" speed=\"100000\"/></nic></cpu>\n";
    }
    text + "</system>\n"
}

const CLUSTER: [&str; 22] = [
    "--map",
    "gpu=h100",
    "--map",
    "nvswitch=nvswitch3",
    "--map",
    "nvlink=nvlink4-board:5,4,4,5",
    "--map",
    "library=nccl-nvlink4",
    "--map",
    "supply=hgx-h100-ib-64",
    "--map",
    "nic=connectx-7",
    "--map",
    "nic_link=pcie5-x16",
    "--map",
    "cable=infiniband-400g-optical",
    "--map",
    "rail=quantum-2",
    "--map",
    "spine=quantum-2:4,2",
    "--map",
    "eth0=omit",
];

const UNSEEN: [(&str, u32); 1] = [("fffffff:ffff:ff", 18)];

#[test]
fn equal_hosts_become_rails() {
    let seen = [("0000:c4:00.0", 5), ("0000:c5:00.0", 4), ("0000:c6:00.0", 4), ("0000:c7:00.0", 5)];
    let eight = cluster_dump(8, &seen);
    let other = eight.replacen("\"0000:c4:00.0\" count=\"5\"", "\"0000:c4:00.0\" count=\"4\"", 1);
    let project = Project::new("import-cluster").file("one.xml", &cluster_dump(1, &UNSEEN)).file("eight.xml", &eight).file("other.xml", &other);
    let asked = project.run(&["import", "one.xml", "--map", "hosts=8"]).error();
    for expected in [
        "a host has 8 chips and 9 network ports: `mlx5_0` (50.0 GB/s)",
        "the file does not say which network card each chip has",
        "the file does not say which switches join the hosts",
        "add --map cable=PART (`supernode list links`)",
    ] {
        assert!(asked.contains(expected), "{expected}\n{asked}");
    }
    let made = project.run(&[&["import", "one.xml", "--map", "hosts=8", "--out", "cluster.toml"][..], &CLUSTER].concat()).output();
    assert!(made.contains("8 hosts on rails, each: every chip on 4 switches, 18 links a chip"), "{made}");
    assert_eq!(times(&project, "cluster.toml"), times(&project, "hgx-h100-ib-64"));
    // Eight hosts in one file, whose switches have addresses of their own.
    let all: Vec<&str> = CLUSTER.iter().map(|text| if text.starts_with("nvlink=") { "nvlink=nvlink4-board" } else { *text }).collect();
    project.run(&[&["import", "eight.xml", "--out", "eight.toml"][..], &all].concat()).output();
    assert_eq!(times(&project, "eight.toml"), times(&project, "hgx-h100-ib-64"));
    let unequal = project.run(&[&["import", "other.xml"][..], &all].concat()).error();
    assert!(unequal.contains("host 1 of the file is not built as host 0"), "{unequal}");
    let slower = project.file("slow.xml", &cluster_dump(1, &UNSEEN).replace("400000", "200000"));
    let made = slower.run(&[&["import", "slow.xml", "--map", "hosts=8"][..], &CLUSTER].concat()).output();
    assert!(made.contains("# conflict: the file gives port `mlx5_0` 25.0 GB/s one way; `infiniband-400g-optical` signals at 50"), "{made}");
    let wrong = slower.run(&[&["import", "one.xml", "--map", "hosts=one"][..], &CLUSTER].concat()).error();
    assert!(wrong.contains("--map hosts=one: not a number from 2 to 100000"), "{wrong}");
}

/// A torus of 3 x 4 chips with a host each four, whose links state 25 GB/s.
fn infragraph() -> String {
    let mut text = String::from(
        "name: small\ndevices:\n- name: rack\n  description: r\n  components:\n  - {choice: xpu, count: 12, name: tpu}\n  - {choice: cpu, count: 3, name: host}\n  links:\n  - name: ici\n    physical:\n      bandwidth: {choice: gigabits_per_second, gigabits_per_second: 200}\n      latency: {choice: ns}\n  - {name: pcie}\n  edges:\n",
    );
    for y in 0..4 {
        for x in 0..3 {
            for next in [3 * y + (x + 1) % 3, 3 * ((y + 1) % 4) + x] {
                let _ =
                    writeln!(text, "  - {{ep1: {{component: 'tpu[{}]'}}, ep2: {{component: 'tpu[{next}]'}}, link: ici, scheme: one2one}}", 3 * y + x);
            }
        }
    }
    text += "  - {ep1: {component: 'host[0]'}, ep2: {component: 'tpu[0:4]'}, link: pcie, scheme: many2many}\n  - {ep1: {component: 'host[1:]'}, ep2: {component: 'tpu[4::4]'}, link: pcie, scheme: one2one}\n";
    text + "instances:\n- {count: 1, device: rack, name: rack}\nedges: []\nlinks: []\n"
}

const TPU: [&str; 8] = ["--map", "tpu=tpu-v7", "--map", "pcie=omit", "--map", "library=generic", "--map", "supply=tpu-v7-pod"];

#[test]
fn an_infragraph_is_a_torus() {
    let project = Project::new("import-infragraph").file("rack.yaml", &infragraph());
    let asked = project.run(&[&["import", "rack.yaml", "--map", "ici=ici-v7-copper"][..], &TPU].concat()).error();
    assert!(asked.contains("the file does not say how many links `ici` stands for between two nodes"), "{asked}");
    let made = project.run(&[&["import", "rack.yaml", "--map", "ici=ici-v7-copper:1"][..], &TPU].concat()).output();
    assert!(made.contains("[level.torus]\ndimensions = [3, 4]"), "{made}");
    assert!(
        made.contains("# conflict: the file gives `ici` 25.0 GB/s one way; `ici-v7-copper` signals at 100 GB/s and carries 100 GB/s, times 1 link."),
        "{made}"
    );
    assert!(made.contains("# left out, since they join no chips: 3 host, 6 links."), "{made}");
    let project = project.file("torus.toml", &made);
    let described = json(&project, &["describe", "torus.toml"]);
    assert_eq!((&described["links"], &described["diameter_hops"]), (&Json::from(24), &Json::from(3)));
}

#[test]
fn infragraphs_that_are_not_whole_are_refused() {
    let torus = infragraph();
    let project = Project::new("import-refused")
        .file("lonely.yaml", &torus.replace("count: 3, name: host", "count: 5, name: host").replace("host[1:]", "host[1:3]"))
        .file("old.yaml", "infrastructure:\n  name: x\n")
        .file("typo.yaml", &torus.replacen("component: 'host[0]'", "component: 'hots[0]'", 1))
        .file("range.yaml", &torus.replacen("tpu[0:4]", "tpu[0:40]", 1))
        .file("not.yaml", "a: [\n")
        .file("not.xml", "<svg/>")
        .file("empty.yaml", "\n")
        .file("nameless.yaml", &torus.replace("name: tpu}", "nam: tpu}"))
        .file("twice.yaml", &torus.replace("count: 3, name: host", "count: 3, name: tpu"))
        .file("many.yaml", &torus.replace("count: 1, device: rack", "count: 1000000000000, device: rack"))
        .file("large.yaml", &torus.replace("count: 12, name: tpu", "count: 1000000000000, name: tpu"));
    let error = |file: &str| project.run(&["import", file]).error();
    let lonely = error("lonely.yaml");
    assert!(lonely.contains("2 nodes of `small` have no edge: `host[3]`, `host[4]`"), "{lonely}");
    assert!(error("old.yaml").contains("a form before 3.0"));
    assert!(error("typo.yaml").contains("no component of `rack` is named `hots`: did you mean `host`?"));
    assert!(error("range.yaml").contains("`tpu[0:40]`: there are 12"));
    assert!(error("not.yaml").contains("cannot be read as YAML: line "));
    assert!(error("not.xml").contains("it starts with <svg>"));
    assert!(error("none.xml").contains("cannot read `none.xml`"));
    assert!(error("empty.yaml").contains("`empty.yaml` is empty"));
    assert!(error("nameless.yaml").contains("a component of device `rack` has no `name`"));
    assert!(error("twice.yaml").contains("two components of device `rack` are named `tpu`"));
    assert!(error("many.yaml").contains("instance `rack` stands for 1000000000000 of its kind, and at most 5000000 are read"));
    assert!(error("large.yaml").contains("component `tpu` of device `rack` stands for 1000000000000 of its kind"));
}

/// `y` and `on` are names as the package infragraph reads them, and so are numbers.
#[test]
fn names_that_yaml_could_take_for_more() {
    let plain = infragraph().replace("tpu[", "y[").replace("name: tpu}", "name: y}").replace("host[", "0[").replace("name: host}", "name: 0}");
    let project = Project::new("import-names").file("plain.yaml", &plain);
    let map: Vec<&str> = TPU.iter().map(|text| if text.starts_with("tpu=") { "y=tpu-v7" } else { *text }).collect();
    let made = project.run(&[&["import", "plain.yaml", "--map", "ici=ici-v7-copper:1"][..], &map].concat()).output();
    assert!(made.contains("[level.torus]\ndimensions = [3, 4]") && made.contains("3 0, 6 links"), "{made}");
}

/// Two packages, two PCIe switches each below, two GPUs below each.
const LSTOPO: &str = r#"<?xml version="1.0"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0"><object type="Machine" os_index="0">
<object type="Package" os_index="0">PACKAGE</object>
<object type="Package" os_index="1">PACKAGE</object>
</object></topology>"#;

#[test]
fn a_tree_of_hwloc_is_a_pcie_tree() {
    let gpu = r#"<object type="Bridge" bridge_type="1-1" pci_link_speed="31.507692"><object type="PCIDev" pci_type="0302 [10de:26b9] [10de:1851] a1" pci_link_speed="31.507692"/></object>"#;
    let switch = format!(r#"<object type="Bridge" bridge_type="1-1" pci_link_speed="63.015385">{gpu}{gpu}</object>"#);
    let package = format!(r#"<object type="Bridge" bridge_type="0-1">{switch}{switch}</object>"#);
    // The display of a server's management controller is no GPU, and nor is it where GPUs are VGA controllers themselves.
    let console = r#"<object type="PCIDev" pci_type="0300 [1a03:2000] [1a03:2000] 52"/>"#;
    let with_console = package.replace(r#"bridge_type="0-1">"#, &format!(r#"bridge_type="0-1">{console}"#));
    let project = Project::new("import-lstopo")
        .file("host.xml", &LSTOPO.replace("PACKAGE", &package))
        .file("console.xml", &LSTOPO.replace("PACKAGE", &with_console))
        .file("vga.xml", &LSTOPO.replace("PACKAGE", &with_console.replace("0302", "0300")));
    let asked = project.run(&["import", "host.xml"]).error();
    assert!(asked.contains("link `package_link` is no known part") && asked.contains("CPU `package` is no known part"), "{asked}");
    let base = ["import", "host.xml", "--map", "gpu=l40s", "--map", "pcie_switch=pex89144", "--map", "library=generic", "--map", "supply=l40s-8"];
    let links = ["--map", "pcie_63=pcie5-x16", "--map", "pcie_32=pcie4-x16", "--map", "package_link=pcie5-x16:2", "--map", "package=x86-server"];
    let made = project.run(&[&base[..], &links].concat()).output();
    assert!(made.contains("[level.pcie-tree]") && made.contains("switches = 4") && made.contains("hosts = 2"), "{made}");
    let project = project.file("host.toml", &made);
    assert_eq!(json(&project, &["describe", "host.toml"])["chips"], 8);
    for file in ["console.xml", "vga.xml"] {
        let beside = project.run(&[&["import", file][..], &base[2..], &links].concat()).output();
        let remark = "# left out: 2 VGA controllers, the displays of management controllers.\n";
        assert_eq!(beside.replace(remark, ""), made, "{file}");
        assert!(beside.contains(remark), "{beside}");
    }
}

/// What `describe --full` writes comes back as the machine that it was; a graph that was edited does not pass for it.
#[test]
fn exports_come_back_as_the_same_machine() {
    let project = Project::new("export-back");
    for machine in ["hgx-h100", "cloudmatrix384", "hgx-h100-ib-64", "gb200-nvl72", "mi300x-8", "ub-mesh-1024"] {
        let described = project.run(&["describe", machine]).output();
        for format in ["json", "infragraph", "graphml"] {
            let export = project.run(&["describe", machine, "--full", "--format", format]).output();
            std::fs::write(project.path().join("export"), &export).unwrap();
            let imported = project.run(&["import", "export"]).output();
            std::fs::write(project.path().join("back.toml"), &imported).unwrap();
            assert!(!imported.contains("#:schema ../"), "an editor finds no schema there");
            assert_eq!(project.run(&["describe", "back.toml"]).output(), described, "{machine} as {format}");
        }
    }
    let export = project.run(&["describe", "hgx-h100", "--full", "--format", "json"]).output();
    std::fs::write(project.path().join("edited"), export.replacen("\"count\": 5", "\"count\": 6", 1)).unwrap();
    let error = project.run(&["import", "edited"]).error();
    assert!(error.contains("6 links `nvlink4-board` between `chip:0` and `nvswitch3:0` where 5 are described"), "{error}");
    let export = project.run(&["describe", "hgx-h100", "--full", "--format", "graphml"]).output();
    for (was, is, expected) in [
        (">25000625000.0<", ">30000625000.0<", "`nvlink4-board` carries 30.0 GB/s where 25.0 GB/s are described"),
        (">5.2e-8<", ">9e-8<", "`nvlink4-board` takes 90.0 ns where 52.0 ns are described"),
    ] {
        assert!(export.contains(was), "{export}");
        std::fs::write(project.path().join("edited"), export.replace(was, is)).unwrap();
        let error = project.run(&["import", "edited"]).error();
        assert!(error.contains(expected), "{error}");
    }
}

/// The graph alone: the pattern that joins the chips is recognised. Hosts, which join no chips there, are left out.
#[test]
fn a_graph_alone_is_recognised() {
    let project = Project::new("export-alone");
    for (machine, expected, map) in [
        ("hgx-h100", "links_per_plane = [5, 4, 4, 5]", ["--map", "library=nccl-nvlink4", "--map", "supply=hgx-h100"]),
        ("mi300x-8", "[level.full-mesh]", ["--map", "library=rccl", "--map", "supply=mi300x-8"]),
    ] {
        for format in ["json", "infragraph", "graphml"] {
            let export = project.run(&["describe", machine, "--full", "--format", format]).output();
            std::fs::write(project.path().join("export"), &export).unwrap();
            let made = project.run(&[&["import", "export", "--graph-alone"][..], &map].concat()).output();
            assert!(made.contains(expected), "{machine} as {format}\n{made}");
            std::fs::write(project.path().join("back.toml"), &made).unwrap();
            let keys = ["chips", "switches", "injection_bytes_per_s", "bisection_bytes_per_s", "diameter_hops", "latency_s"];
            let [back, own] = ["back.toml", machine].map(|machine| json(&project, &["describe", machine]));
            keys.iter().for_each(|key| assert_eq!(back[*key], own[*key], "{machine} as {format}: {key}"));
        }
    }
}

#[test]
fn nodes_and_links_have_what_describe_promises() {
    let project = Project::new("export-keys");
    let full = json(&project, &["describe", "cloudmatrix384", "--full"]);
    let (nodes, edges) = (full["nodes"].as_array().unwrap(), full["edges"].as_array().unwrap());
    assert_eq!(nodes.len(), 384 + 336 + 112 + 192);
    assert_eq!(edges.iter().map(|edge| edge["count"].as_u64().unwrap()).sum::<u64>(), full["links"].as_u64().unwrap());
    assert!(nodes[..384].iter().all(|node| node["part"] == "ascend-910c"), "{}", nodes[0]);
    for key in ["name", "kind", "part", "level", "plane"] {
        assert!(nodes.iter().all(|node| node.get(key).is_some()), "{key}");
    }
    for key in ["from", "to", "part", "count", "level", "plane", "bandwidth_bytes_per_s", "latency_s"] {
        assert!(edges.iter().all(|edge| edge.get(key).is_some()), "{key}");
    }
    assert!(project.run(&["describe", "cloudmatrix384", "--full"]).error().contains("--format json, csv, parquet, infragraph or graphml"));
    assert!(project.run(&["list", "--format", "graphml"]).error().contains("only `describe` does"));
}

fn artefact(name: &str) -> String {
    Path::new(&std::env::var("SUPERNODE_ARTEFACTS").unwrap()).join(name).display().to_string()
}

#[test]
#[ignore = "needs the files of infragraph 3.1 and NCCL in the folders infragraph and topology of SUPERNODE_ARTEFACTS"]
fn machines_that_others_described() {
    let project = Project::new("import-artefacts");
    project.run(&[&["import", &artefact("topology/dgx_a100_nccl_topo.xml"), "--out", "a100.toml"][..], &A100].concat()).output();
    assert_eq!(times(&project, "a100.toml"), times(&project, "hgx-a100"));
    let ironwood = [
        "--map",
        "IRONWOOD=tpu-v7",
        "--map",
        "ici=ici-v7-copper:1",
        "--map",
        "library=generic",
        "--map",
        "supply=tpu-v7-pod",
        "--map",
        "pcie_gen5=omit",
    ];
    for name in ["case-ironwood.yaml", "IronwoodRack.json", "IronwoodRack.yaml"] {
        let file = artefact(&format!("infragraph/{name}"));
        let made = project.run(&[&["import", &file, "--out", "ironwood.toml"][..], &ironwood].concat()).output();
        assert!(made.contains("torus 4 x 4 x 4"), "{made}");
        let described = json(&project, &["describe", "ironwood.toml"]);
        assert_eq!((&described["links"], &described["diameter_hops"]), (&Json::from(192), &Json::from(6)), "{name}");
    }
    assert!(project.run(&["import", &artefact("infragraph/case-dgx2.yaml")]).error().contains("14 nodes of `dgx2-one` have no edge"));
}
