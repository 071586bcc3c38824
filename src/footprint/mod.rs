//! What a design takes beside time: parts, power, energy.

mod inventory;

pub use inventory::{Inventory, LinkLine, SwitchLine, inventory};
