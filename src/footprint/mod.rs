//! What a design takes beside time: parts, power, energy.

mod inventory;
mod power;

pub use inventory::{Inventory, LinkLine, SwitchLine, inventory};
pub use power::{Duty, Place, Power, PowerLine, mixed, power};
