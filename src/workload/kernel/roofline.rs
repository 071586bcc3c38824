//! A kernel of which no more is known than its operations and bytes.

use crate::input::document::{Kernels, Precision};
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::device::Device;

/// Gap, then the longer of operations at the share of the peak that the chip's large products reach, and bytes at the share of the memory
/// bandwidth that its streaming kernels reach. Small or oddly shaped kernels take longer; only their shapes would tell.
#[must_use]
pub fn roofline_time(device: &Device, operations: Flop, bytes: Bytes, precision: Precision) -> Seconds {
    let kernels = &device.kernels;
    let reached = Kernels::nearest(&kernels.gemm, precision).map_or(1.0, |kernel| kernel.compute_efficiency.value.get());
    let compute = operations / (device.peak(precision) * reached);
    let memory = bytes / (device.memory_bandwidth * kernels.stream_efficiency.value.get());
    kernels.launch.value + compute.max(memory)
}
