//! How long an operator of a model takes on one rank.

use crate::units::Seconds;
use crate::workload::device::Device;
use crate::workload::operator::Operator;

/// Time of an operator inside a captured graph: the gap to the kernel before it, then its body.
#[must_use]
pub fn time(device: &Device, operator: &Operator) -> Seconds {
    operator.work.time(device, gap_before(device, operator))
}

/// Time of an operator and, of it, what is not launch.
#[must_use]
pub fn time_and_body(device: &Device, operator: &Operator) -> [Seconds; 2] {
    operator.work.time_and_body(device, gap_before(device, operator))
}

/// Time of the kernels that undo an operator in training.
#[must_use]
pub fn undone_time(device: &Device, operator: &Operator, gradient_bytes: f64) -> Seconds {
    operator.work.undone_time(device, device.kernels.launch.value, gradient_bytes)
}

/// The gap before an operator; none where it continues the kernel of the one before.
fn gap_before(device: &Device, operator: &Operator) -> Seconds {
    if device.kernels.fused_prolog && operator.prolog { Seconds::ZERO } else { device.kernels.launch.value }
}
