//! How long a kernel takes on one rank. One form for each family, with few constants that the chip's file gives; the forms and the
//! constants of measured chips come from fits on kernel timings (docs/model.md, "Kernels").

mod attention;
mod experts;
mod gemm;

pub use attention::attention_time;
pub use experts::{GroupedRows, expert_time, grouped_time, padded_rows};
pub use gemm::gemm_time;

use super::device::Device;
use super::operator::{Operator, Work};
use crate::input::document::Kernels;
use crate::units::Seconds;

/// Time of an operator inside a captured graph: the gap to the kernel before it, then its body.
#[must_use]
pub fn time(device: &Device, operator: &Operator) -> Seconds {
    let gap = device.kernels.launch.value;
    match operator.work {
        Work::Gemm { batch, rows, columns, depth, precision } => gap + gemm_time(device, batch, rows, columns, depth, precision),
        Work::Attention { .. } => attention_time(device, &operator.work),
        Work::Experts { .. } => expert_time(device, &operator.work),
        Work::Stream { bytes } => gap + bytes / (device.memory_bandwidth * device.kernels.stream_efficiency.value.get()),
    }
}

/// Of an operator's `time`, what is not launch.
#[must_use]
pub fn body(device: &Device, operator: &Operator, time: Seconds) -> Seconds {
    let kernels = &device.kernels;
    let precision = operator.work.precision();
    let launch = match operator.work {
        Work::Gemm { .. } | Work::Stream { .. } => kernels.launch.value,
        Work::Attention { latent, rows, .. } => {
            let family = attention::family(kernels, latent, rows);
            Kernels::nearest(family, precision).map_or(Seconds::ZERO, |kernel| kernel.launch.value)
        }
        Work::Experts { local, .. } => {
            let kernel = Kernels::nearest(&kernels.experts, precision);
            kernel.map_or(Seconds::ZERO, |kernel| kernel.launch.value + kernel.per_expert.value * local)
        }
    };
    if time > launch { time - launch } else { Seconds::ZERO }
}

/// `(a^p + b^p)^(1/p)`: two demands on one kernel that overlap, but not perfectly.
fn overlap(times: &[f64], exponent: i32) -> f64 {
    let longest = times.iter().copied().fold(0.0, f64::max);
    if longest == 0.0 {
        return 0.0;
    }
    // Scaled by the longest, so that tiny and huge times neither vanish nor overflow.
    longest * times.iter().map(|time| (time / longest).powi(exponent)).sum::<f64>().powf(1.0 / f64::from(exponent))
}
