//! How long a kernel takes on one rank. One form for each family, with few constants that the chip's file gives; the forms and the
//! constants of measured chips come from fits on kernel timings (docs/model/kernels.md).

mod attention;
mod delta;
mod evidence;
mod experts;
mod gather;
mod gemm;
mod prompts;
mod roofline;

pub use attention::{attention_time, takes_single_heads};
pub use delta::recurrence_time;
pub use evidence::cautions;
pub use experts::{GroupedRows, expert_time, grouped_time, low_latency_time, padded_rows};
pub use gemm::{gemm_into, gemm_time};
pub use roofline::roofline_time;

use super::device::Device;
use super::operator::{Operator, Work};
use crate::units::Seconds;

/// Time of an operator inside a captured graph: the gap to the kernel before it, then its body.
#[must_use]
pub fn time(device: &Device, operator: &Operator) -> Seconds {
    let gap = gap_before(device, operator);
    match operator.work {
        Work::Gemm { batch, rows, columns, depth, precision } => gap + gemm_time(device, batch, rows, columns, depth, precision),
        Work::Attention { .. } => attention_time(device, &operator.work),
        Work::Experts { .. } => expert_time(device, &operator.work),
        Work::Recurrence { .. } => recurrence_time(device, &operator.work),
        Work::Stream { bytes } => gap + bytes / (device.memory_bandwidth * device.kernels.stream_efficiency.value.get()),
    }
}

/// The gap before an operator; none where it continues the kernel of the one before.
fn gap_before(device: &Device, operator: &Operator) -> Seconds {
    if device.kernels.fused_prolog && operator.prolog { Seconds::ZERO } else { device.kernels.launch.value }
}

/// Of an operator's `time`, what is not launch.
#[must_use]
pub fn body(device: &Device, operator: &Operator, time: Seconds) -> Seconds {
    let launch = match operator.work {
        Work::Gemm { .. } | Work::Stream { .. } => gap_before(device, operator),
        Work::Attention { .. } => attention::launch(device, &operator.work),
        Work::Recurrence { .. } => delta::launch(device, &operator.work),
        Work::Experts { .. } => return experts::expert_body(device, &operator.work),
    };
    if time > launch { time - launch } else { Seconds::ZERO }
}

/// Time of an operator and, of it, what is not launch: [`time`] and [`body`] without pricing experts twice.
#[must_use]
pub fn time_and_body(device: &Device, operator: &Operator) -> [Seconds; 2] {
    if let Work::Experts { .. } = operator.work {
        return experts::time_and_body(device, &operator.work);
    }
    let time = time(device, operator);
    [time, body(device, operator, time)]
}

/// Added to a kernel's start where it is sparse: a dozen small kernels quantise and rotate the indexer's queries and keys, sort scores and convert choices.
fn sparse_launch(device: &Device, sparse: bool) -> Seconds {
    device.kernels.sparse_launch.as_ref().filter(|_| sparse).map_or(Seconds::ZERO, |figure| figure.value)
}

/// How two demands on one kernel add up that overlap, but not perfectly: `(a^p + b^p)^(1/p)` with this p.
#[derive(Clone, Copy, Debug)]
enum Norm {
    Two,
    Three,
    Four,
}

impl Norm {
    fn of<const N: usize>(self, times: [f64; N]) -> f64 {
        let longest = times.iter().copied().fold(0.0, f64::max);
        if longest == 0.0 {
            return 0.0;
        }
        // Scaled by the longest, so that tiny and huge times neither vanish nor overflow.
        let scaled = times.into_iter().map(|time| time / longest);
        longest
            * match self {
                Self::Two => scaled.map(|time| time * time).sum::<f64>().sqrt(),
                Self::Three => third_root(scaled.map(|time| time * time * time).sum()),
                Self::Four => scaled.map(|time| (time * time) * (time * time)).sum::<f64>().sqrt().sqrt(),
            }
    }
}

/// The third root, which with two demands is of a number from 1 to 2: there a polynomial that is right to 2e-6 (interpolated at Chebyshev's
/// nodes) and one step of Halley's method, which cubes that error. A fifth of the price of a mapping went into `cbrt`.
fn third_root(number: f64) -> f64 {
    if !(1.0..=2.0).contains(&number) {
        return number.cbrt();
    }
    let from_middle = number - 1.5;
    let squared = from_middle * from_middle;
    let [low, middle, high] =
        [[1.144_713, 0.254_381_6], [-0.056_436_29, 0.020_886_32], [-0.010_271_17, 0.005_072_953]].map(|[even, odd]| even + odd * from_middle);
    let guess = low + squared * (middle + squared * high);
    let cubed = guess * guess * guess;
    guess * (cubed + 2.0 * number) / (2.0 * cubed + number)
}

/// Something that `(a^3 + b^3 + c^3)^(1/3)` is not below, without a root: with the longest as unit the cubes sum to `1 + x`, x from 0 to 2, and
/// there `(1 + x)^(1/3) >= 1 + x / 3 - x^2 / 9`, a Taylor series whose remainder is positive. A little less, for what rounding adds.
fn below_norm_three([a, b, c]: [f64; 3]) -> f64 {
    let longest = a.max(b).max(c);
    if longest == 0.0 {
        return 0.0;
    }
    let cube = |time: f64| (time / longest) * (time / longest) * (time / longest);
    let x = cube(a) + cube(b) + cube(c) - 1.0;
    longest * (1.0 + x * (1.0 / 3.0 - x / 9.0)) * (1.0 - 1e-12)
}

/// The least whole number that is not below `count`, for counts far below 2^63: one instruction there and one back where `f64::ceil` is
/// a call. A search asks for it millions of times.
fn whole(count: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and then nothing is below it")]
    let below = count as i64 as f64;
    if below < count { below + 1.0 } else { below }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_is_the_ceiling() {
        for count in [0.0, 0.2, 1.0, 1.000_000_1, 7.5, 8.0, 123_456_789.25, 1e15] {
            assert_eq!(whole(count), count.ceil(), "{count}");
        }
    }

    #[test]
    fn the_bound_is_below_the_norm() {
        let sizes = [0.0, 1e-9, 0.3, 0.7, 0.999, 1.0];
        for a in sizes {
            for b in sizes {
                let (bound, norm) = (below_norm_three([a, b, 1.0]), Norm::Three.of([a, b, 1.0]));
                assert!(bound <= norm, "{a}, {b}: {bound} is more than {norm}");
            }
        }
    }

    #[test]
    fn third_roots_are_those_of_cbrt() {
        for step in 0..=3000 {
            let number = 1.0 + f64::from(step) / 1000.0;
            let (found, root) = (third_root(number), number.cbrt());
            assert!((found / root - 1.0).abs() < 5e-16, "{number}: {found}, {root}");
        }
    }

    /// 3 and 4 give 5; 1, 1 and 1 give the third root of 3; 2 and 2 the fourth root of 32.
    #[test]
    fn norms_by_hand() {
        assert_eq!(Norm::Two.of([3.0, 4.0]), 5.0);
        assert!((Norm::Three.of([1.0; 3]) - 3_f64.cbrt()).abs() < 1e-15);
        assert!((Norm::Four.of([2.0, 2.0]) - 32_f64.powf(0.25)).abs() < 1e-14);
        assert_eq!(Norm::Two.of([0.0, 0.0]), 0.0);
    }
}
