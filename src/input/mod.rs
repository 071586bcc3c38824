//! From a name or a path to a [`spec::Spec`]: find, read, check the shape, follow the names.
//!
//! Uses `units`. Must never hold: physics: a file says figures, and no figure is computed here.
//!
//! The only part of the library that touches the file system.

mod bounds;
pub mod cases;
pub mod catalog;
pub mod chakra;
pub mod document;
pub mod edit;
pub mod extends;
pub mod file_cache;
pub mod flow_list;
pub mod foreign_graph;
pub mod hugging_face;
mod inherit;
mod layers;
mod merge;
pub mod problem;
pub mod read;
mod reading_cost;
pub mod shape;
pub mod spec;
pub mod study;
pub mod trace;
