//! InfraGraph 3.1 (Keysight): devices of components and edges, instances of devices, edges between instances.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::slices::{indices, split};
use super::{DESCRIPTION_KEY, ForeignEdge, ForeignGraph, ForeignKind, ForeignLink, ForeignNode};
use crate::input::problem::suggest;

/// Nodes and edges beyond this are no description that anybody wrote.
const MOST: usize = 5_000_000;
/// Devices within devices.
const DEEPEST: usize = 16;

/// Reads the graph.
///
/// # Errors
/// What is wrong, in one line.
pub(super) fn graph(value: &Json) -> Result<ForeignGraph, String> {
    if value.get("infrastructure").is_some() || value.pointer("/devices/0/connections").is_some() {
        return Err(
            "this is a form before 3.0 (`infrastructure`, `connections`); convert it, or write it anew with the package infragraph 3.1".to_owned()
        );
    }
    let mut reader = InfraGraphReader {
        graph: ForeignGraph { format: "InfraGraph", name: text(value, "name"), ..ForeignGraph::default() },
        ..InfraGraphReader::default()
    };
    if value.get("components").is_some() {
        reader.devices.insert(text(value, "name"), value);
        reader.instances.push((text(value, "name"), text(value, "name"), 1));
    } else {
        for device in list(value, "devices")? {
            reader.devices.insert(text(device, "name"), device);
        }
        for instance in list(value, "instances")? {
            let count =
                instance.get("count").and_then(Json::as_u64).ok_or_else(|| format!("instance `{}` has no `count`", text(instance, "name")))?;
            reader.instances.push((text(instance, "name"), text(instance, "device"), count));
        }
        if reader.devices.is_empty() || reader.instances.is_empty() {
            return Err("it has no `devices` or no `instances`".to_owned());
        }
    }
    reader.expand()?;
    if value.get("components").is_none() {
        let links = links(value)?;
        for (number, edge) in list(value, "edges")?.iter().enumerate() {
            reader.instance_edge((edge, &format!("edge {number}")), &links).map_err(|reason| format!("edge {number}: {reason}"))?;
        }
    }
    let description = value.get("description").and_then(Json::as_str).and_then(|about| serde_json::from_str::<Json>(about).ok());
    reader.graph.description = description.and_then(|about| Some(about.get(DESCRIPTION_KEY)?.as_str()?.to_owned()));
    Ok(reader.graph)
}

/// A name; YAML reads one such as `0` as a number.
fn text(value: &Json, key: &str) -> String {
    match value.get(key) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn list<'a>(value: &'a Json, key: &str) -> Result<&'a [Json], String> {
    match value.get(key) {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(list)) => Ok(list),
        Some(_) => Err(format!("`{key}` is not a list")),
    }
}

/// Links by name, with how many of them one edge is where the file says.
type NamedLinks = BTreeMap<String, (ForeignLink, Option<u32>)>;

/// `key=value` in a description.
fn stated(value: &Json, key: &str) -> Option<String> {
    let description = value.get("description").and_then(Json::as_str).filter(|description| description.starts_with("part="))?;
    description.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
}

fn links(value: &Json) -> Result<NamedLinks, String> {
    let link = |link: &Json| {
        let number = |kind: &str, unit: &str| link.pointer(&format!("/physical/{kind}/{unit}")).and_then(Json::as_f64).filter(|value| *value > 0.0);
        let about = link.get("description").and_then(Json::as_str).map(str::to_owned);
        let transfers = number("bandwidth", "gigatransfers_per_second").map(|rate| format!("{rate} GT/s a lane"));
        let bytes_per_s = number("bandwidth", "gigabits_per_second")
            .map(|rate| rate * 1e9 / 8.0)
            .or_else(|| number("bandwidth", "gigabytes_per_second").map(|rate| rate * 1e9));
        let latency_s = [("ns", 1e9), ("us", 1e6), ("ms", 1e3)].into_iter().find_map(|(unit, scale)| Some(number("latency", unit)? / scale));
        let about = [about, transfers].into_iter().flatten().reduce(|a, b| format!("{a}, {b}"));
        let name = text(link, "name");
        // What `describe --full` wrote: the rate of so many links of a part.
        let own = stated(link, "part").zip(stated(link, "count").and_then(|count| count.parse::<u32>().ok()));
        if let Some((part, count)) = own {
            let bytes_per_s = bytes_per_s.map(|rate| rate / f64::from(count));
            return (name, (ForeignLink { name: part, about: None, bytes_per_s, latency_s }, Some(count)));
        }
        (name.clone(), (ForeignLink { name, about, bytes_per_s, latency_s }, None))
    };
    Ok(list(value, "links")?.iter().map(link).collect())
}

#[derive(Default)]
struct InfraGraphReader<'a> {
    graph: ForeignGraph,
    devices: BTreeMap<String, &'a Json>,
    /// Name, device and number of each kind of instance.
    instances: Vec<(String, String, u64)>,
    /// Place of each node, by its name.
    places: BTreeMap<String, u32>,
    /// Devices expanded so far, those without nodes as well.
    expanded: usize,
    /// Edges so far: an edge that is stated twice, or from both ends, is one.
    joined: BTreeSet<(u32, u32, u32)>,
}

impl<'a> InfraGraphReader<'a> {
    fn device(&self, name: &str) -> Result<&'a Json, String> {
        self.devices
            .get(name)
            .copied()
            .ok_or_else(|| format!("no device is named `{name}`: {}", suggest(name, self.devices.keys().map(String::as_str))))
    }

    fn expand(&mut self) -> Result<(), String> {
        let single = self.instances.len() == 1 && self.instances[0].2 == 1;
        for (instance, device, count) in self.instances.clone() {
            let value = self.device(&device)?;
            not_too_many(count, || format!("instance `{instance}`"))?;
            for number in 0..count {
                let prefix = if single { String::new() } else { format!("{instance}[{number}].") };
                self.place(&prefix, &device, value, 0)?;
            }
        }
        Ok(())
    }

    /// Adds the nodes and edges of a device.
    fn place(&mut self, prefix: &str, device: &str, value: &'a Json, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("device `{device}` holds itself"));
        }
        self.expanded += 1;
        if self.expanded > MOST {
            return Err(format!("more than {MOST} devices"));
        }
        for component in list(value, "components")? {
            let (name, count) = (text(component, "name"), count(component, device)?);
            if name.is_empty() {
                return Err(format!("a component of device `{device}` has no `name`"));
            }
            if self.places.contains_key(&format!("{prefix}{name}[0]")) {
                return Err(format!("two components of device `{device}` are named `{name}`"));
            }
            let part = stated(component, "part").unwrap_or_else(|| name.clone());
            let word = stated(component, "named").unwrap_or_else(|| part.clone());
            let numbers: Vec<String> = stated(component, "nodes").map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default();
            for number in 0..count {
                let own = format!("{prefix}{name}[{number}]");
                if text(component, "choice") == "device" {
                    let inner = self.device(&name)?;
                    self.place(&format!("{own}."), &name, inner, depth + 1)?;
                    continue;
                }
                if self.graph.nodes.len() >= MOST {
                    return Err(format!("more than {MOST} nodes"));
                }
                self.places.insert(own.clone(), u32::try_from(self.graph.nodes.len()).unwrap_or(u32::MAX));
                let named = usize::try_from(number).ok().and_then(|number| numbers.get(number)).map(|number| format!("{word}:{number}"));
                self.graph.nodes.push(ForeignNode { name: named.unwrap_or(own), component: part.clone(), kind: kind(&text(component, "choice")) });
            }
        }
        let links = links(value)?;
        for (number, edge) in list(value, "edges")?.iter().enumerate() {
            let end = |key: &str| -> Result<Vec<String>, String> {
                let end = edge.get(key).ok_or_else(|| format!("`{key}` is missing"))?;
                let path = [text(end, "device"), text(end, "component")].into_iter().filter(|step| !step.is_empty()).collect::<Vec<_>>().join(".");
                self.ends(prefix, device, &path)
            };
            let place = format!("edge {number} of device `{device}`");
            let ends = end("ep1").and_then(|first| Ok((first, end("ep2")?)));
            match ends {
                Ok(ends) => self.join((edge, &place), &ends, &links).map_err(|reason| format!("{place}: {reason}"))?,
                // The rest of the file may tell more about what is missing.
                Err(reason) => self.broken(format!("{place}: {reason}")),
            }
        }
        Ok(())
    }

    /// Names of the nodes that a path means inside a device.
    fn ends(&self, prefix: &str, device: &str, path: &str) -> Result<Vec<String>, String> {
        let (mut found, mut device) = (vec![prefix.to_owned()], device.to_owned());
        for (depth, step) in path.split('.').enumerate() {
            let (name, slice) = split(step)?;
            let value = self.device(&device)?;
            let components = list(value, "components")?;
            let component = components.iter().find(|component| text(component, "name") == name).ok_or_else(|| {
                let known: Vec<String> = components.iter().map(|component| text(component, "name")).collect();
                format!("no component of `{device}` is named `{name}`: {}", suggest(name, known.iter().map(String::as_str)))
            })?;
            let numbers = indices(step, slice, count(component, &device)?)?;
            let dot = if depth > 0 { "." } else { "" };
            found = found.iter().flat_map(|before| numbers.iter().map(move |number| format!("{before}{dot}{name}[{number}]"))).collect();
            name.clone_into(&mut device);
        }
        Ok(found)
    }

    fn broken(&mut self, reason: String) {
        if !self.graph.broken.contains(&reason) {
            self.graph.broken.push(reason);
        }
    }

    fn instance_edge(&mut self, (edge, place): (&Json, &str), links: &NamedLinks) -> Result<(), String> {
        let end = |key: &str| -> Result<Vec<String>, String> {
            let end = edge.get(key).ok_or_else(|| format!("`{key}` is missing"))?;
            let wanted = text(end, "instance");
            let (name, slice) = split(wanted.split('.').next().unwrap_or_default())?;
            let known = self.instances.iter().find(|(instance, ..)| instance == name);
            let (_, device, count) = known
                .ok_or_else(|| format!("no instance is named `{name}`: {}", suggest(name, self.instances.iter().map(|known| known.0.as_str()))))?;
            let single = self.instances.len() == 1 && *count == 1;
            let ends = indices(&wanted, slice, *count)?.into_iter().map(|number| {
                let prefix = if single { String::new() } else { format!("{name}[{number}].") };
                self.ends(&prefix, device, &text(end, "component"))
            });
            Ok(ends.collect::<Result<Vec<_>, String>>()?.into_iter().flatten().collect())
        };
        match end("ep1").and_then(|first| Ok((first, end("ep2")?))) {
            Ok(ends) => self.join((edge, place), &ends, links),
            Err(reason) => {
                self.broken(format!("{place}: {reason}"));
                Ok(())
            }
        }
    }

    fn join(&mut self, (edge, at): (&Json, &str), (first, second): &(Vec<String>, Vec<String>), links: &NamedLinks) -> Result<(), String> {
        let name = text(edge, "link");
        let (stated, count) = links.get(&name).cloned().unwrap_or((ForeignLink { name, ..ForeignLink::default() }, None));
        let link = self.graph.link(stated);
        let scheme = text(edge, "scheme");
        let pairs: Vec<(&String, &String)> = match scheme.as_str() {
            "many2many" => first.iter().flat_map(|a| second.iter().map(move |b| (a, b))).collect(),
            "one2one" | "" => {
                if first.len() != second.len() {
                    let fewer = first.len().min(second.len());
                    self.graph.remarks.push(format!("{at} joins {} to {} one to one: the first {fewer} are joined", first.len(), second.len()));
                }
                first.iter().zip(second).collect()
            }
            "ring" => {
                let all: Vec<&String> = first.iter().chain(second.iter().filter(|end| !first.contains(end))).collect();
                (0..all.len()).map(|at| (all[at], all[(at + 1) % all.len()])).collect()
            }
            other => return Err(format!("`{other}` is no scheme: {}", suggest(other, ["one2one", "many2many", "ring"]))),
        };
        for (a, b) in pairs {
            let place =
                |name: &String| self.places.get(name).copied().ok_or_else(|| format!("`{name}` is a device, not a component that links end at"));
            let (a, b) = (place(a)?, place(b)?);
            if a != b && self.joined.insert((a.min(b), a.max(b), link)) {
                if self.graph.edges.len() >= MOST {
                    return Err(format!("more than {MOST} edges"));
                }
                self.graph.edges.push(ForeignEdge { ends: [a, b], link, count });
            }
        }
        Ok(())
    }
}

fn count(component: &Json, device: &str) -> Result<u64, String> {
    component
        .get("count")
        .and_then(Json::as_u64)
        .ok_or_else(|| format!("component `{}` of device `{device}` has no `count`", text(component, "name")))
        .and_then(|count| not_too_many(count, || format!("component `{}` of device `{device}`", text(component, "name"))).map(|()| count))
}

fn not_too_many(count: u64, what: impl Fn() -> String) -> Result<(), String> {
    if count > MOST as u64 { Err(format!("{} stands for {count} of its kind, and at most {MOST} are read", what())) } else { Ok(()) }
}

fn kind(choice: &str) -> ForeignKind {
    match choice {
        "xpu" => ForeignKind::Chip,
        "switch" => ForeignKind::Switch,
        "cpu" => ForeignKind::Host,
        "nic" => ForeignKind::Card,
        _ => ForeignKind::Other,
    }
}
