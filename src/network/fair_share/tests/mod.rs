//! Cases worked out by hand, properties, and the judge.

mod completion;
mod max_min;
mod problems;
mod reduce;
mod sharing;

/// Equal to nine digits: far more than any input is known to, far less than rounding leaves.
fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        assert!(near(found, expected), "entry {index}: found {found}, expected {expected}");
    }
}
