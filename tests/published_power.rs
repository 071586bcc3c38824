//! Rated power from parts beside published totals. `cargo test --test published_power -- --nocapture` prints the table.

use supernode::fabric;
use supernode::footprint::{Duty, inventory, power};
use supernode::input::catalog::shipped_in;
use supernode::input::spec::load_supernode;
use supernode::network::Profile;

/// Supernode, lowest and highest published kilowatts, what the figure is and how sure.
///
/// CloudMatrix384 is no test of the model: the limit of its chip is not published and was derived from this total.
const PUBLISHED: [(&str, f64, f64, &str); 6] = [
    ("cloudmatrix384", 500.0, 559.0, "two estimates; the chip's limit is derived from the higher"),
    ("scalex640", 860.0, 860.0, "press, a cabinet"),
    ("scalex40", 0.0, 45.0, "vendor, an upper limit"),
    ("gb200-nvl72", 120.0, 132.0, "vendor, two accounts"),
    ("hgx-h100", 10.2, 10.2, "vendor, maximum of the DGX"),
    ("panjiu-al128", 350.0, 350.0, "second-hand; what the rack can supply, not what it draws"),
];

/// Parts whose limits are published come near the total; a machine not shipped is left out.
#[test]
fn rated_power_from_parts_is_near_the_published_total() {
    let shipped = shipped_in("topologies");
    let mut far = Vec::new();
    for (name, low, high, what) in PUBLISHED.iter().filter(|row| shipped.contains(&row.0.to_owned())) {
        let spec = load_supernode(name).unwrap();
        let fabric = fabric::build(&spec).unwrap();
        let drawn = power(&spec, &fabric, &inventory(&fabric), &Duty::default(), &Profile::silent(&fabric));
        let rated = drawn.rated().get() / 1e3;
        let error = if rated < *low { rated / low - 1.0 } else { (rated / high - 1.0).max(0.0) };
        println!("{name:16} published {low} to {high} kW ({what}); rated {rated:.1} kW, error {:+.1} %", 100.0 * error);
        if error.abs() > 0.15 {
            far.push(format!("{name}: {rated:.1} kW against {low} to {high} kW"));
        }
    }
    assert!(far.is_empty(), "{}", far.join("\n"));
}
