//! Chakra execution traces (MLCommons): what each rank computes, sends and receives, and what waits for what.
//!
//! | question | file |
//! | --- | --- |
//! | what is a node? | here |
//! | which files are a trace, which rank is each of? | `files.rs` |
//! | how are messages of protobuf told apart? | `protobuf.rs` |
//! | which field means what in the binary form? | `binary.rs` |
//! | and in the JSON forms? | `json.rs` |

mod binary;
mod files;
mod json;
mod protobuf;

use std::collections::BTreeMap;

pub use files::{load_groups, load_traces, parse_binary, parse_groups, parse_json};

/// Traces of several ranks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChakraTrace {
    /// One a rank, in the order of their numbers.
    pub ranks: Vec<RankTrace>,
    /// Ranks of each process group that a file names.
    pub groups: BTreeMap<String, Vec<u32>>,
}

/// What one rank does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RankTrace {
    /// The rank.
    pub rank: u32,
    /// The file.
    pub file: String,
    /// Its nodes, in the order of the file.
    pub nodes: Vec<TraceNode>,
}

/// A node of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceNode {
    /// Number, its rank's own.
    pub id: u64,
    /// Name that the tool gave.
    pub name: String,
    /// What is done.
    pub kind: NodeKind,
    /// Nodes that must have ended: data dependencies.
    pub after: Vec<u64>,
    /// Control dependencies: in PyTorch's traces the call that a node is part of.
    pub after_control: Vec<u64>,
    /// Recorded duration, microseconds; `None` where the trace has none.
    pub duration_us: Option<u64>,
    /// Whether the host does it; `None` where the trace does not say.
    pub on_host: Option<bool>,
    /// Thread of the host or stream of the device.
    pub thread: u64,
    /// Which collective.
    pub collective: Option<TraceCollective>,
    /// Bytes of a collective, send or receive.
    pub bytes: Option<u64>,
    /// Process group of a collective.
    pub group: Option<String>,
    /// Rank that a receive waits for.
    pub source: Option<u32>,
    /// Rank that a send goes to.
    pub destination: Option<u32>,
    /// Tag by which sends and receives find each other.
    pub tag: i64,
    /// Operations of a computation.
    pub operations: Option<u64>,
    /// Bytes that a computation or a memory access reads and writes.
    pub tensor_bytes: Option<u64>,
    /// First rank of a collective that has one, such as a broadcast.
    pub root: Option<u32>,
}

/// Kinds of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// Only describes.
    #[default]
    Other,
    /// Reads memory.
    MemoryLoad,
    /// Writes memory.
    MemoryStore,
    /// Computes.
    Compute,
    /// Sends to a rank.
    Send,
    /// Receives from a rank.
    Receive,
    /// Takes part in a collective.
    Collective,
}

impl NodeKind {
    /// By number in the schema; `None` if it has no such number.
    fn numbered(number: u64) -> Option<Self> {
        Some(match number {
            // INVALID_NODE and METADATA_NODE.
            0 | 1 => Self::Other,
            2 => Self::MemoryLoad,
            3 => Self::MemoryStore,
            4 => Self::Compute,
            5 => Self::Send,
            6 => Self::Receive,
            7 => Self::Collective,
            _ => return None,
        })
    }

    /// By name in the schema; `None` if it has no such name.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "INVALID_NODE" | "METADATA_NODE" => Self::Other,
            "MEM_LOAD_NODE" => Self::MemoryLoad,
            "MEM_STORE_NODE" => Self::MemoryStore,
            "COMP_NODE" => Self::Compute,
            "COMM_SEND_NODE" => Self::Send,
            "COMM_RECV_NODE" => Self::Receive,
            "COMM_COLL_NODE" => Self::Collective,
            _ => return None,
        })
    }
}

/// Collectives of the schema, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TraceCollective {
    /// Every rank ends with the sum.
    AllReduce,
    /// The root ends with the sum.
    Reduce,
    /// Every rank ends with all parts.
    AllGather,
    /// The root ends with all parts.
    Gather,
    /// The root's parts reach a rank each.
    Scatter,
    /// The root's buffer reaches all.
    Broadcast,
    /// Every rank sends a part to every other.
    AllToAll,
    /// Every rank ends with its part of the sum.
    ReduceScatter,
    /// The same, in equal blocks.
    ReduceScatterBlock,
    /// Nothing moves; all wait for each other.
    Barrier,
}

impl TraceCollective {
    const ALL: [(Self, &'static str); 10] = [
        (Self::AllReduce, "ALL_REDUCE"),
        (Self::Reduce, "REDUCE"),
        (Self::AllGather, "ALL_GATHER"),
        (Self::Gather, "GATHER"),
        (Self::Scatter, "SCATTER"),
        (Self::Broadcast, "BROADCAST"),
        (Self::AllToAll, "ALL_TO_ALL"),
        (Self::ReduceScatter, "REDUCE_SCATTER"),
        (Self::ReduceScatterBlock, "REDUCE_SCATTER_BLOCK"),
        (Self::Barrier, "BARRIER"),
    ];

    fn numbered(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).map(|known| known.0)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|known| known.1 == name).map(|known| known.0)
    }

    /// Name in the schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|known| known.0 == self).map_or("", |known| known.1)
    }
}

/// The value of an attribute, whichever of the schema's thirty kinds it has.
#[derive(Clone, Debug, PartialEq)]
enum AttributeValue {
    Whole(i128),
    Real(f64),
    Text(String),
    /// A list, or bytes: no attribute that is read here has one.
    Else,
}

impl AttributeValue {
    fn whole(&self) -> Option<i128> {
        match self {
            Self::Whole(value) => Some(*value),
            #[expect(clippy::cast_possible_truncation, reason = "what is far too large is refused where it is used")]
            Self::Real(value) if value.is_finite() => Some(*value as i128),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Real(_) | Self::Else => None,
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Whole(value) => Some(value.to_string()),
            Self::Real(_) | Self::Else => None,
        }
    }
}

impl TraceNode {
    /// Takes in an attribute; those that say nothing about time are left out.
    ///
    /// # Errors
    /// A value that cannot be meant, in one line.
    fn set(&mut self, name: &str, value: &AttributeValue) -> Result<(), String> {
        let wrong = |expected: &str| format!("attribute `{name}` of node {} (`{}`) is not {expected}", self.id, self.name);
        let unsigned = || value.whole().and_then(|whole| u64::try_from(whole).ok()).ok_or_else(|| wrong("a whole number from 0"));
        let rank = || value.whole().and_then(|whole| u32::try_from(whole).ok()).ok_or_else(|| wrong("a rank"));
        match name {
            "is_cpu_op" => self.on_host = Some(value.whole().ok_or_else(|| wrong("true or false"))? != 0),
            "comm_type" => {
                let named = value.text().and_then(|text| TraceCollective::named(&text));
                self.collective = named.or_else(|| value.whole().and_then(|whole| TraceCollective::numbered(u64::try_from(whole).ok()?)));
                // A send or a receive carries some number there that nobody reads.
                if self.collective.is_none() && self.kind == NodeKind::Collective {
                    return Err(wrong("a collective, 0 (ALL_REDUCE) to 9 (BARRIER)"));
                }
            }
            "comm_size" => self.bytes = Some(unsigned()?),
            "pg_name" => self.group = value.text().filter(|text| !text.is_empty()),
            "comm_src" => self.source = Some(rank()?),
            "comm_dst" => self.destination = Some(rank()?),
            "comm_tag" => {
                let tag = value.whole().and_then(|whole| i64::try_from(whole).ok());
                self.tag = tag.ok_or_else(|| wrong("a tag"))?;
            }
            "root_rank" => self.root = Some(rank()?),
            "num_ops" => self.operations = Some(unsigned()?),
            "tensor_size" => self.tensor_bytes = Some(unsigned()?),
            // PyTorch numbers threads and streams; elsewhere the key may hold anything.
            "tid" => self.thread = value.whole().and_then(|whole| u64::try_from(whole).ok()).unwrap_or(0),
            _ => {}
        }
        Ok(())
    }
}
