//! Parts, power, energy, price and failures of a design.
//!
//! Uses `execution` and everything below it; does not know `serving` or `training`. Must never hold: step times, or the clock of a chip.

mod complexity;
mod cost;
mod damage;
mod inventory;
mod over_time;
mod power;
mod reliability;
mod spare_parts;
mod transients;

pub use complexity::{Blast, Complexity, LaneUse, complexity};
pub use cost::{Cost, CostLine, PriceBasis, Spread, cost, energy, over, ownership};
pub use damage::{Damage, FailedPart, PartClass, all_parts, damaged, part_classes, part_name, part_named};
pub use inventory::{Inventory, LinkLine, NicLinks, SwitchLine, inventory};
pub use over_time::{DutyStretch, PowerStretch, duty_over_time, power_over_time};
pub use power::{Duty, Power, PowerLine, PowerPlace, chip_power, mixed, power};
pub use reliability::{Failures, failures};
pub use spare_parts::SpareParts;
pub use transients::{Transients, rack_watts, transients};
