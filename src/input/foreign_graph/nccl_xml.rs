//! What NCCL writes to `NCCL_TOPO_DUMP_FILE`: GPUs, network cards and PCIe switches below NUMA nodes, and each GPU's NVLinks by the bus address
//! of what they lead to. NVSwitches appear as such addresses alone.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::{ForeignEdge, ForeignGraph, ForeignKind, ForeignLink, ForeignNode};

/// PCI class of a bridge, which is what NCCL takes an NVSwitch for.
const BRIDGE_CLASS: &str = "0x068000";

/// Reads the graph.
///
/// # Errors
/// What is wrong, in one line.
pub(super) fn graph(root: Node<'_, '_>) -> Result<ForeignGraph, String> {
    let mut reader =
        Reader { graph: ForeignGraph { format: "a topology of NCCL", name: "node".to_owned(), ..ForeignGraph::default() }, ..Reader::default() };
    let mut gpus: Vec<(u64, Node<'_, '_>, String)> = Vec::new();
    for gpu in root.descendants().filter(|node| node.has_tag_name("gpu")) {
        let number = gpu.attribute("dev").and_then(|dev| dev.parse().ok()).ok_or("a <gpu> has no number in `dev`")?;
        let bus = gpu.parent_element().and_then(|pci| pci.attribute("busid")).ok_or("a <gpu> does not stand in a <pci> with a `busid`")?;
        gpus.push((number, gpu, bus.to_lowercase()));
    }
    gpus.sort_by_key(|gpu| gpu.0);
    for (number, gpu, bus) in &gpus {
        let place = reader.node(format!("gpu[{number}]"), "gpu", ForeignKind::Chip);
        if reader.of_bus.insert(bus.clone(), place).is_some() {
            return Err(format!("two GPUs have bus address {bus}"));
        }
        if let Some(generation) = gpu.attribute("sm") {
            let remark = format!("the GPUs report compute capability {generation}");
            if !reader.graph.remarks.contains(&remark) {
                reader.graph.remarks.push(remark);
            }
        }
    }
    if gpus.is_empty() {
        return Err("it holds no <gpu>".to_owned());
    }
    for (_, gpu, bus) in &gpus {
        for nvlink in gpu.children().filter(|node| node.has_tag_name("nvlink")) {
            reader.nvlink(bus, nvlink)?;
        }
    }
    reader.others(root);
    Ok(reader.graph)
}

#[derive(Default)]
struct Reader {
    graph: ForeignGraph,
    /// Place of the node at each bus address.
    of_bus: BTreeMap<String, u32>,
    /// Links from the first to the second place.
    joined: BTreeMap<(u32, u32), usize>,
}

impl Reader {
    fn node(&mut self, name: String, component: &str, kind: ForeignKind) -> u32 {
        self.graph.nodes.push(ForeignNode { name, component: component.to_owned(), kind });
        u32::try_from(self.graph.nodes.len() - 1).unwrap_or(u32::MAX)
    }

    fn nvlink(&mut self, bus: &str, nvlink: Node<'_, '_>) -> Result<(), String> {
        let target = nvlink.attribute("target").ok_or_else(|| format!("an <nvlink> of GPU {bus} has no `target`"))?.to_lowercase();
        let count = nvlink.attribute("count").and_then(|count| count.parse::<u32>().ok()).filter(|count| *count > 0);
        let count = count.ok_or_else(|| format!("an <nvlink> of GPU {bus} has no `count`"))?;
        let from = self.of_bus[bus];
        let to = match self.of_bus.get(&target) {
            Some(&known) => known,
            None if nvlink.attribute("tclass").is_some_and(|class| class.starts_with(BRIDGE_CLASS)) => {
                let number = self.graph.nodes.iter().filter(|node| node.component == "nvswitch").count();
                let place = self.node(format!("nvswitch[{number}]"), "nvswitch", ForeignKind::Switch);
                self.of_bus.insert(target, place);
                place
            }
            None => {
                return Err(format!(
                    "an <nvlink> of GPU {bus} leads to {target}, which is neither a GPU of the file nor an NVSwitch (class {BRIDGE_CLASS})"
                ));
            }
        };
        let key = (from.min(to), from.max(to));
        if let Some(&edge) = self.joined.get(&key) {
            // Between GPUs both ends state the link.
            if self.graph.edges[edge].count != Some(count) {
                return Err(format!("GPU {bus} states {count} links where the other end states {}", self.graph.edges[edge].count.unwrap_or(0)));
            }
            return Ok(());
        }
        let link = self.graph.link(ForeignLink { name: "nvlink".to_owned(), ..ForeignLink::default() });
        self.joined.insert(key, self.graph.edges.len());
        self.graph.edges.push(ForeignEdge { ends: [from, to], link, count: Some(count) });
        Ok(())
    }

    /// What stands beside the NVLinks: counted, since collectives among the GPUs do not cross it.
    fn others(&mut self, root: Node<'_, '_>) {
        let named = |name: &'static str| root.descendants().filter(move |node| node.has_tag_name(name));
        let bridges = named("pci").filter(|pci| pci.children().any(|child| child.has_tag_name("pci"))).count();
        let counts = [("NUMA nodes", named("cpu").count()), ("PCIe switches", bridges), ("network ports", named("net").count())];
        let counted: Vec<String> = counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}")).collect();
        if !counted.is_empty() {
            self.graph.remarks.push(format!("beside the NVLinks the file has {}", counted.join(", ")));
        }
        let speeds: std::collections::BTreeSet<String> = named("gpu")
            .filter_map(|gpu| gpu.parent_element())
            .filter_map(|pci| Some(format!("{}, {} lanes", pci.attribute("link_speed")?, pci.attribute("link_width")?)))
            .collect();
        self.graph.remarks.extend(speeds.into_iter().map(|speed| format!("the GPUs' own PCIe links run at {speed}")));
    }
}
