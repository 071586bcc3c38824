//! The graph that a description expands to: nodes are chips, CPUs and switches; edges are links; a channel is one direction.
//!
//! Uses `input` and `units`; does not know `workload`. Must never hold: traffic, times of transfers, models.
//!
//! | question | file |
//! | --- | --- |
//! | what is a node, an edge, a channel? | `graph.rs` |
//! | how do levels become a graph? | `build.rs`, with the nodes and edges so far in `builder.rs` |
//! | how does one pattern join its children? | `patterns/`, one file each |
//! | do the parts have enough ports? | `budget.rs` |
//! | what of a machine does traffic among its first chips see? | `first_children.rs` |
//! | what do flows lose that a hash places? | `collisions.rs` |
//! | how many payload bytes a second does a channel carry? | `framing.rs` |
//! | where is the latency of a hop added? | `latency.rs` |
//! | which way does traffic go? | `routing/` |
//! | what is a node called? | `node_names.rs` |

mod budget;
mod build;
mod builder;
mod collisions;
mod first_children;
mod framing;
mod graph;
mod latency;
mod node_names;
mod patterns;
mod routing;

pub use build::build;
pub use collisions::fullest_over_mean;
pub use framing::{payload_rate, payload_rate_of, wire_bytes};
pub use graph::{Channel, ChannelId, Edge, Endpoint, Fabric, Node};
pub use latency::{channel_latency, node_latency};
pub use node_names::{kind_name, node_names};
pub use routing::{
    AT_ONCE, Hop, LevelPlaces, Merge, Merged, Orbits, PathLatency, Pathfinder, PolicyError, Route, RouteBlock, Router, Routes, RoutingPolicy, WalkEnd,
};
