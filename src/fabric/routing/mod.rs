//! Which way traffic goes.
//!
//! | question | file |
//! | --- | --- |
//! | which choices are there, and what does each mean? | `policy.rs` |
//! | the fabric as flat arrays, ready to be walked | `router.rs` |
//! | all sources to one destination at once, without a list of paths | `towards.rs` |
//! | the same towards many destinations together | `many.rs` |
//! | which nodes are alike, and the fabric with one in place of all of them | `equivalent_nodes.rs` |
//! | one source to one destination, by a search from both ends | `between.rs` |
//! | how far apart two chips of a torus or mesh are at least | `grid_bound.rs` |
//! | moves of chips that the levels suggest as symmetries | `level_moves.rs` |
//! | nodes and channels that symmetries of the graph map onto each other | `symmetries.rs` |
//!
//! Traffic passes through switches, and through chips only where the pattern says so ([`super::Fabric::forwards`]).

mod between;
mod equivalent_nodes;
mod grid_bound;
mod level_moves;
mod many;
mod policy;
mod router;
mod symmetries;
mod towards;

pub use between::{Hop, Pathfinder, Route};
pub use equivalent_nodes::{Merge, Merged};
pub use level_moves::LevelPlaces;
pub use many::{AT_ONCE, RouteBlock, WalkEnd};
pub use policy::{PolicyError, RoutingPolicy};
pub use router::Router;
pub use symmetries::Orbits;
pub use towards::{PathLatency, Routes};
