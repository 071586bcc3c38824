//! What NCCL and RCCL write to `NCCL_TOPO_DUMP_FILE`: GPUs, network cards and PCIe switches below NUMA nodes, and each GPU's NVLinks, or RCCL's
//! links of xGMI, by the bus address of what they lead to. NVSwitches appear as such addresses alone; those that a host does not see have one address together. Ports of cards have a
//! speed, and nothing says what joins them.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::{ForeignEdge, ForeignGraph, ForeignKind, ForeignLink, ForeignNode, ForeignPort};
use crate::units::counted;

/// PCI class of a bridge, which is what NCCL takes an NVSwitch for.
const BRIDGE_CLASS: &str = "0x068000";
/// Address of an NVSwitch that the host does not see: of a rack of several hosts, or of a virtual machine.
const UNSEEN: &str = "fffffff:ffff:ff";

/// Elements that join a GPU to another or to an NVSwitch: NCCL's and RCCL's. Each is the name of its kind of link.
const LINKS: [&str; 2] = ["nvlink", "xgmi"];

/// A GPU with where it stands.
struct Gpu<'a, 'input> {
    node: Node<'a, 'input>,
    /// Number of its host, in the order of the file.
    host: u32,
    /// Number on its host.
    dev: u64,
    /// Number in the communicator, where the file says.
    rank: Option<u64>,
    bus: String,
}

/// Reads the graph.
///
/// # Errors
/// What is wrong, in one line.
pub(super) fn graph(root: Node<'_, '_>) -> Result<ForeignGraph, String> {
    let mut reader = NcclReader {
        graph: ForeignGraph { format: "a topology of NCCL", name: "node".to_owned(), ..ForeignGraph::default() },
        ..NcclReader::default()
    };
    let mut hosts: Vec<&str> = Vec::new();
    let mut gpus: Vec<Gpu<'_, '_>> = Vec::new();
    for node in root.descendants().filter(|node| node.has_tag_name("gpu")) {
        let dev = node.attribute("dev").and_then(|dev| dev.parse().ok()).ok_or("a <gpu> has no number in `dev`")?;
        let bus = node.parent_element().and_then(|pci| pci.attribute("busid")).ok_or("a <gpu> does not stand in a <pci> with a `busid`")?;
        let rank = node.attribute("rank").and_then(|rank| rank.parse().ok());
        gpus.push(Gpu { node, host: place_of(&mut hosts, host_of(node)), dev, rank, bus: bus.to_lowercase() });
    }
    if gpus.is_empty() {
        return Err("it holds no <gpu>".to_owned());
    }
    // Ranks of several hosts say which host is first; those of one may leave GPUs out.
    let ranks: std::collections::BTreeSet<u64> = gpus.iter().filter_map(|gpu| gpu.rank).collect();
    let by_rank = hosts.len() > 1 && ranks.len() == gpus.len();
    gpus.sort_by_key(|gpu| if by_rank { (0, gpu.rank.unwrap_or(0)) } else { (gpu.host, gpu.dev) });
    for (number, gpu) in gpus.iter().enumerate() {
        let name = if hosts.len() > 1 { format!("gpu[{number}]") } else { format!("gpu[{}]", gpu.dev) };
        let place = reader.node(name, "gpu", ForeignKind::Chip);
        if reader.of_bus.insert((gpu.host, gpu.bus.clone()), place).is_some() {
            return Err(format!("two GPUs have bus address {}", gpu.bus));
        }
        reader.graph.hosts.push(gpu.host);
        if let Some(generation) = gpu.node.attribute("sm") {
            let remark = format!("the GPUs report compute capability {generation}");
            if !reader.graph.remarks.contains(&remark) {
                reader.graph.remarks.push(remark);
            }
        }
    }
    for gpu in &gpus {
        for name in LINKS {
            for link in gpu.node.children().filter(|node| node.has_tag_name(name)) {
                reader.gpu_link(gpu, name, link)?;
            }
        }
    }
    if reader.graph.edges.is_empty() && gpus.len() > 1 {
        return Err("no <gpu> has an <nvlink> or <xgmi>, and its PCIe tree is not read: `lstopo --of xml` writes one that is".to_owned());
    }
    if hosts.len() > 1 {
        reader.graph.remarks.push(format!("the file has {} hosts", hosts.len()));
    }
    reader.cards(root, &mut hosts);
    reader.others(root);
    Ok(reader.graph)
}

/// What tells the host that a node stands in from others; a file of one host need not say.
fn host_of<'a>(node: Node<'a, '_>) -> &'a str {
    node.ancestors().find_map(|above| above.attribute("host_hash")).unwrap_or_default()
}

fn place_of<'a>(hosts: &mut Vec<&'a str>, host: &'a str) -> u32 {
    let place = hosts.iter().position(|known| *known == host).unwrap_or_else(|| {
        hosts.push(host);
        hosts.len() - 1
    });
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[derive(Default)]
struct NcclReader {
    graph: ForeignGraph,
    /// Place of the node at each host's bus address.
    of_bus: BTreeMap<(u32, String), u32>,
    /// Links from the first to the second place.
    joined: BTreeMap<(u32, u32), usize>,
}

impl NcclReader {
    fn node(&mut self, name: String, component: &str, kind: ForeignKind) -> u32 {
        self.graph.nodes.push(ForeignNode { name, component: component.to_owned(), kind });
        u32::try_from(self.graph.nodes.len() - 1).unwrap_or(u32::MAX)
    }

    fn gpu_link(&mut self, gpu: &Gpu<'_, '_>, name: &str, link: Node<'_, '_>) -> Result<(), String> {
        let bus = &gpu.bus;
        let target = link.attribute("target").ok_or_else(|| format!("an <{name}> of GPU {bus} has no `target`"))?.to_lowercase();
        let count = link.attribute("count").and_then(|count| count.parse::<u32>().ok()).filter(|count| *count > 0);
        let count = count.ok_or_else(|| format!("an <{name}> of GPU {bus} has no `count`"))?;
        let from = self.of_bus[&(gpu.host, bus.clone())];
        // What no host sees is one fabric of all hosts.
        let key = if target == UNSEEN { (u32::MAX, target.clone()) } else { (gpu.host, target.clone()) };
        let to = match self.of_bus.get(&key) {
            Some(&known) => known,
            None if target == UNSEEN || link.attribute("tclass").is_some_and(|class| class.starts_with(BRIDGE_CLASS)) => {
                let number = self.graph.nodes.iter().filter(|node| node.component == "nvswitch").count();
                let place = self.node(format!("nvswitch[{number}]"), "nvswitch", ForeignKind::Switch);
                if target == UNSEEN {
                    self.graph.unseen.push(place);
                }
                self.of_bus.insert(key, place);
                place
            }
            None => {
                return Err(format!(
                    "an <{name}> of GPU {bus} leads to {target}, which is neither a GPU of the file nor an NVSwitch (class {BRIDGE_CLASS})"
                ));
            }
        };
        let key = (from.min(to), from.max(to));
        if let Some(&edge) = self.joined.get(&key) {
            // Between GPUs both ends state the link.
            if self.graph.edges[edge].count != Some(count) {
                return Err(format!(
                    "GPU {bus} states {} where the other end states {}",
                    counted(count, "link"),
                    self.graph.edges[edge].count.unwrap_or(0)
                ));
            }
            return Ok(());
        }
        let link = self.graph.link(ForeignLink { name: name.to_owned(), ..ForeignLink::default() });
        self.joined.insert(key, self.graph.edges.len());
        self.graph.edges.push(ForeignEdge { ends: [from, to], link, count: Some(count) });
        Ok(())
    }

    /// Ports of network cards that have a speed.
    fn cards<'a>(&mut self, root: Node<'a, '_>, hosts: &mut Vec<&'a str>) {
        for net in root.descendants().filter(|node| node.has_tag_name("net")) {
            let megabits: Option<f64> = net.attribute("speed").and_then(|speed| speed.parse().ok());
            let Some(megabits) = megabits.filter(|speed| speed.is_finite() && *speed > 0.0) else { continue };
            let name = net.attribute("name").unwrap_or("net").to_owned();
            self.graph.ports.push(ForeignPort { name, host: place_of(hosts, host_of(net)), bytes_per_s: megabits * 1e6 / 8.0 });
        }
    }

    /// What stands beside the GPUs' own links: counted, since collectives among the GPUs do not cross it.
    fn others(&mut self, root: Node<'_, '_>) {
        let named = |name: &'static str| root.descendants().filter(move |node| node.has_tag_name(name));
        let bridges = named("pci").filter(|pci| pci.children().any(|child| child.has_tag_name("pci"))).count();
        let counts = [("NUMA nodes", named("cpu").count()), ("PCIe switches", bridges), ("network ports", named("net").count())];
        let counted: Vec<String> = counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}")).collect();
        if !counted.is_empty() {
            self.graph.remarks.push(format!("beside the GPUs' own links the file has {}", counted.join(", ")));
        }
        let speeds: std::collections::BTreeSet<String> = named("gpu")
            .filter_map(|gpu| gpu.parent_element())
            .filter_map(|pci| Some(format!("{}, {} lanes", pci.attribute("link_speed")?, pci.attribute("link_width")?)))
            .collect();
        self.graph.remarks.extend(speeds.into_iter().map(|speed| format!("the GPUs' own PCIe links run at {speed}")));
    }
}
