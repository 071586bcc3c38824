//! `lstopo --of xml` of hwloc: a host's packages, PCIe switches and GPUs as a tree. Links between GPUs are not in it.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::{ForeignEdge, ForeignGraph, ForeignKind, ForeignLink, ForeignNode};

/// PCI classes of displays and accelerators: GPUs and the like.
const ACCELERATORS: [&str; 2] = ["03", "12"];
/// PCI class of a VGA controller: a workstation's GPU, or the display of a server's management controller.
const VGA: &str = "0300";
/// PCI vendors of management controllers, ASPEED and Matrox: their displays are no GPUs.
const CONSOLES: [&str; 2] = ["[1a03:", "[102b:"];

/// Reads the graph.
///
/// # Errors
/// What is wrong, in one line.
pub(super) fn graph(root: Node<'_, '_>) -> Result<ForeignGraph, String> {
    let mut reader = LstopoReader {
        graph: ForeignGraph { format: "a topology of hwloc", name: "host".to_owned(), ..ForeignGraph::default() },
        packages: Vec::new(),
        gpus: gpus(root),
    };
    let machine = root.children().find(|node| is(node, "Machine")).ok_or("it holds no object of type Machine")?;
    reader.descend(machine, None, 0)?;
    let hosts: Vec<u32> = reader.packages.clone();
    for (index, &first) in hosts.iter().enumerate() {
        for &second in &hosts[index + 1..] {
            reader.edge(first, second, ForeignLink { name: "package_link".to_owned(), ..ForeignLink::default() });
        }
    }
    if !reader.graph.nodes.iter().any(|node| node.kind == ForeignKind::Chip) {
        return Err("it holds no PCI device of class 03 or 12 (GPU, accelerator)".to_owned());
    }
    let displays = root.descendants().filter(is_accelerator).count() - reader.gpus.len();
    if displays > 0 {
        reader.graph.remarks.push(format!("left out: {displays} VGA controllers, the displays of management controllers"));
    }
    reader.graph.remarks.push("the tree has no links between GPUs: NVLink and the like stand in NCCL's topology".to_owned());
    Ok(reader.graph)
}

fn is(node: &Node<'_, '_>, kind: &str) -> bool {
    node.has_tag_name("object") && node.attribute("type") == Some(kind)
}

fn is_accelerator(node: &Node<'_, '_>) -> bool {
    // "0302 [10de:2330 ...]"
    is(node, "PCIDev") && node.attribute("pci_type").is_some_and(|class| ACCELERATORS.iter().any(|known| class.starts_with(known)))
}

struct LstopoReader {
    graph: ForeignGraph,
    packages: Vec<u32>,
    /// Accelerators that compute.
    gpus: BTreeSet<u32>,
}

/// Accelerators without the displays of management controllers: VGA controllers beside others, or of their vendors.
fn gpus(root: Node<'_, '_>) -> BTreeSet<u32> {
    let class = |node: &Node<'_, '_>| node.attribute("pci_type").unwrap_or_default().to_owned();
    let (displays, others): (Vec<_>, Vec<_>) = root.descendants().filter(is_accelerator).partition(|node| class(node).starts_with(VGA));
    if !others.is_empty() {
        return others.iter().map(|node| node.id().get()).collect();
    }
    displays.iter().filter(|node| !CONSOLES.iter().any(|vendor| class(node).contains(vendor))).map(|node| node.id().get()).collect()
}

impl LstopoReader {
    fn node(&mut self, component: &str, kind: ForeignKind) -> u32 {
        let number = self.graph.nodes.iter().filter(|node| node.component == component).count();
        self.graph.nodes.push(ForeignNode { name: format!("{component}[{number}]"), component: component.to_owned(), kind });
        u32::try_from(self.graph.nodes.len() - 1).unwrap_or(u32::MAX)
    }

    fn edge(&mut self, a: u32, b: u32, link: ForeignLink) {
        let link = self.graph.link(link);
        self.graph.edges.push(ForeignEdge { ends: [a, b], link, count: None });
    }

    /// Walks the tree; `above` is the package or switch that PCIe leads to.
    fn descend(&mut self, object: Node<'_, '_>, above: Option<u32>, depth: usize) -> Result<(), String> {
        if depth > 64 {
            return Err("objects stand in each other more than 64 deep".to_owned());
        }
        let mut above = above;
        if is(&object, "Package") || (above.is_none() && object.children().any(|child| is(&child, "Bridge"))) {
            let package = self.node("package", ForeignKind::Host);
            self.packages.push(package);
            above = Some(package);
        } else if is(&object, "Bridge") && self.joins_gpus(object) && object.attribute("bridge_type").is_some_and(|kind| kind.starts_with("1-")) {
            let switch = self.node("pcie_switch", ForeignKind::Switch);
            if let Some(above) = above {
                self.edge(above, switch, pcie(&object));
            }
            above = Some(switch);
        }
        if self.gpus.contains(&object.id().get()) {
            let chip = self.node("gpu", ForeignKind::Chip);
            let above = above.ok_or("a GPU stands below no package")?;
            self.edge(above, chip, pcie(&object));
        }
        for child in object.children().filter(|child| child.has_tag_name("object")) {
            self.descend(child, above, depth + 1)?;
        }
        Ok(())
    }

    /// Whether a bridge is the top of a switch below which several branches hold GPUs.
    fn joins_gpus(&self, bridge: Node<'_, '_>) -> bool {
        let holds = |child: &Node<'_, '_>| child.descendants().any(|node| self.gpus.contains(&node.id().get()));
        bridge.children().filter(holds).count() > 1
    }
}

/// hwloc gives the speed of a PCIe link in GB/s.
fn pcie(object: &Node<'_, '_>) -> ForeignLink {
    let speed = object.attribute("pci_link_speed").and_then(|speed| speed.parse::<f64>().ok()).filter(|speed| *speed > 0.0);
    // Links of other rates are other parts.
    let name = speed.map_or_else(|| "pcie".to_owned(), |speed| format!("pcie_{speed:.0}"));
    ForeignLink { name, bytes_per_s: speed.map(|speed| speed * 1e9), ..ForeignLink::default() }
}
