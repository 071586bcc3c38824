//! Rated power from parts beside published totals. `cargo test --test published_power -- --nocapture` prints the table.

use supernode::fabric;
use supernode::footprint::{Duty, inventory, power};
use supernode::input::catalog::shipped_in;
use supernode::input::spec::load_supernode;
use supernode::network::Profile;

/// Supernode, lowest and highest published kilowatts, what the figure is and how sure, and the error that today's parts reach, rounded up.
///
/// The limit of scaleX640's card is not published and is assumed from its class; 860 kW leaves twice as much for each.
///
/// CloudMatrix384 is no test of the model: the limit of its chip is not published and was derived from this total.
const PUBLISHED: [(&str, f64, f64, &str, f64); 6] = [
    ("cloudmatrix384", 500.0, 559.0, "two estimates; the chip's limit is derived from the higher", 0.01),
    ("scalex640", 860.0, 860.0, "press, a cabinet", 0.35),
    ("scalex40", 0.0, 45.0, "vendor, an upper limit", 0.01),
    ("gb200-nvl72", 120.0, 132.0, "vendor, two accounts", 0.01),
    ("hgx-h100", 10.2, 10.2, "vendor, maximum of the DGX", 0.11),
    ("panjiu-al128", 0.0, 350.0, "second-hand; what the rack can supply: an upper limit", 0.01),
];

/// A machine not shipped is left out.
#[test]
fn rated_power_from_parts_is_near_the_published_total() {
    let shipped = shipped_in("topologies");
    let mut far = Vec::new();
    for (name, low, high, what, reached) in PUBLISHED.iter().filter(|row| shipped.contains(&row.0.to_owned())) {
        let spec = load_supernode(name).unwrap();
        let fabric = fabric::build(&spec).unwrap();
        let drawn = power(&spec, &fabric, &inventory(&fabric), &Duty::default(), &Profile::silent(&fabric));
        let rated = drawn.rated().get() / 1e3;
        let error = if rated < *low { rated / low - 1.0 } else { (rated / high - 1.0).max(0.0) };
        println!("{name:16} published {low} to {high} kW ({what}); rated {rated:.1} kW, error {:+.1} %", 100.0 * error);
        if error.abs() > *reached {
            far.push(format!("{name}: {rated:.1} kW against {low} to {high} kW"));
        }
    }
    assert!(far.is_empty(), "{}", far.join("\n"));
}
