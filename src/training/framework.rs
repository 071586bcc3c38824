//! Time that a training framework adds to the kernels: host time to start kernels, and waiting for the slowest rank.

use crate::input::document::{Captured, HostCosts};
use crate::units::Seconds;
use crate::workload::Operator;

/// Which part of a layer an operator belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LayerPart {
    /// Attention, dense blocks, routers and shared experts: shapes that are known before the step.
    Fixed,
    /// Routed experts: shapes that follow the tokens.
    Routed,
}

/// Host time to start the kernels of a layer, forward and backward.
pub(super) fn host_time(host: Option<&HostCosts>, operators: &[Operator], part: LayerPart) -> [Seconds; 2] {
    let Some(host) = host else { return [Seconds::ZERO; 2] };
    let captured = match host.captured {
        Captured::Nothing => false,
        Captured::AllButExperts => part == LayerPart::Fixed,
        Captured::Step => true,
    };
    if captured {
        return [Seconds::ZERO; 2];
    }
    let ahead: f64 = operators.iter().map(|operator| operator.work.started_in_training()).sum();
    let back: f64 = operators.iter().flat_map(|operator| operator.work.undone(0.0)).map(|work| work.started_in_training()).sum();
    [ahead, back].map(|count| host.kernel.value * count)
}

/// Expected largest of `count` draws from a standard normal distribution (Cramer 1946, "Mathematical Methods of Statistics", section 28.6): with
/// `s = sqrt(2 ln n)` it is `s - (ln ln n + ln 4 pi - 2 gamma) / 2 s`, 6 % too large for ten draws and 2 % for a hundred; nothing for one.
#[must_use]
pub fn expected_largest(count: f64) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    if count < 2.0 {
        return 0.0;
    }
    let scale = (2.0 * count.ln()).sqrt();
    (scale - (count.ln().ln() + (4.0 * std::f64::consts::PI).ln() - 2.0 * EULER) / (2.0 * scale)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::document::Precision;
    use crate::units::Figure;
    use crate::workload::{GemmWork, StreamWork, Work};

    /// Tables of order statistics have 1.539 for 10 draws, 2.508 for 100 and 3.241 for 1 000 (Harter 1961).
    #[test]
    fn the_slowest_of_many() {
        for (count, expected, tolerance) in [(10.0, 1.539, 0.07), (100.0, 2.508, 0.03), (1000.0, 3.241, 0.015)] {
            assert!((expected_largest(count) / expected - 1.0).abs() < tolerance, "{count}: {}", expected_largest(count));
        }
        assert_eq!(expected_largest(1.0), 0.0);
    }

    /// Sixteen experts, 8 bits: a cast and a product each forward, two of both backward; the norm one and one. Captured, nothing.
    #[test]
    fn every_expert_is_started() {
        let experts = Operator::new("experts", Work::Gemm(GemmWork { batch: 16.0, rows: 8.0, columns: 8.0, depth: 8.0, precision: Precision::Fp8 }));
        let norm = Operator::new("norm", Work::Stream(StreamWork { bytes: crate::units::Bytes::new(8.0) }));
        let mut host = HostCosts { kernel: Figure::plain(Seconds::new(1.0)), captured: Captured::Nothing, spread: 0.0 };
        let operators = [experts, norm];
        // Backward, the gradient's sum is one kernel more for each operator with products.
        assert_eq!(host_time(Some(&host), &operators, LayerPart::Routed).map(Seconds::get), [33.0, 66.0]);
        host.captured = Captured::AllButExperts;
        assert_eq!(host_time(Some(&host), &operators, LayerPart::Fixed).map(Seconds::get), [0.0, 0.0]);
        assert_eq!(host_time(Some(&host), &operators, LayerPart::Routed).map(Seconds::get), [33.0, 66.0]);
        assert_eq!(host_time(None, &operators, LayerPart::Routed).map(Seconds::get), [0.0, 0.0]);
    }
}
