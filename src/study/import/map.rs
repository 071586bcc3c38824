//! `--map NAME=PART`: what the source calls a thing, and which part it is.

use std::collections::BTreeMap;

/// What a name of the source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The part; `None` leaves the thing out.
    pub part: Option<String>,
    /// Parallel links: one number for every edge, or one for each switch in the order of the file.
    pub counts: Vec<u32>,
}

/// All that a user states beside the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartMap {
    /// By name in the source; `library` and `supply` stand for what no graph holds.
    pub of_name: BTreeMap<String, Mapped>,
    /// Whether the graph counts, even where the file holds the description that it was expanded from.
    pub graph_alone: bool,
}

/// The word that leaves a thing out.
const OMIT: &str = "omit";

impl PartMap {
    /// Adds `xpu_fabric=nvlink4-board:5,4,4,5`, `gpu=h100` or `pcie=omit`.
    ///
    /// # Errors
    /// A text of another form, a name that is mapped twice, in one line.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let expected = || format!("`{text}` is not NAME=PART, NAME=PART:LINKS or NAME=omit, such as xpu_fabric=nvlink4-board:5,4,4,5");
        let (name, value) = text.split_once('=').ok_or_else(expected)?;
        let (name, value) = (name.trim(), value.trim());
        // A path may hold colons; links are numbers behind the last one.
        let (part, counts) = match value.rsplit_once(':') {
            Some((part, counts)) if !counts.contains(['/', '\\']) => {
                let numbers = counts.split(',').map(|count| count.trim().parse::<u32>().ok().filter(|count| (1..=4096).contains(count)));
                (
                    part,
                    numbers
                        .collect::<Option<Vec<u32>>>()
                        .ok_or_else(|| format!("`{counts}` in `{text}` is not a number of links from 1 to 4096, or one for each switch"))?,
                )
            }
            _ => (value, Vec::new()),
        };
        if name.is_empty() || part.is_empty() {
            return Err(expected());
        }
        let mapped = Mapped { part: (part != OMIT).then(|| part.to_owned()), counts };
        if self.of_name.insert(name.to_owned(), mapped).is_some() {
            return Err(format!("`{name}` is mapped twice"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_links_and_omissions() {
        let mut map = PartMap::default();
        for text in ["xpu_fabric=nvlink4-board:5,4,4,5", "gpu = h100", "pcie=omit", "nic=./parts/c:d/nic.toml"] {
            map.add(text).unwrap();
        }
        assert_eq!(map.of_name["xpu_fabric"], Mapped { part: Some("nvlink4-board".into()), counts: vec![5, 4, 4, 5] });
        assert_eq!(map.of_name["gpu"].part.as_deref(), Some("h100"));
        assert_eq!(map.of_name["pcie"].part, None);
        assert_eq!(map.of_name["nic"].part.as_deref(), Some("./parts/c:d/nic.toml"));
        assert!(map.add("gpu=a100").unwrap_err().contains("twice"));
        assert!(map.add("gpu").unwrap_err().contains("NAME=PART"));
        assert!(map.add("x=y:0").unwrap_err().contains("1 to 4096"));
    }
}
