//! How the demands on one kernel add up, and whole numbers of tiles and waves: arithmetic that all families share.

/// How two demands on one kernel add up that overlap, but not perfectly: `(a^p + b^p)^(1/p)` with this p.
#[derive(Clone, Copy, Debug)]
pub(super) enum Norm {
    Two,
    Three,
    Four,
}

impl Norm {
    pub fn of<const N: usize>(self, times: [f64; N]) -> f64 {
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
pub(super) fn below_norm_three([a, b, c]: [f64; 3]) -> f64 {
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
pub(super) fn whole(count: f64) -> f64 {
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
