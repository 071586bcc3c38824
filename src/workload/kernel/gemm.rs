//! Matrix multiplication.
//!
//! ```text
//! waves  = ceil( tiles x splits / cores ),  depth of a split padded to 64
//! t_flop = waves x padded depth x 2 Tm Tn / (peak of a core x e_c)
//! t_load = waves x padded depth x (Tm + Tn) x bytes / operand bandwidth of a core      (+ 8 Tm Tn bytes a wave if split)
//! t_core = the best over tile shapes and splits of (t_flop^4 + t_load^4)^(1/4)
//! t_mem  = (weights + activations + outputs) / (memory bandwidth x e_m)
//! t      = (t_core^3 + t_mem^3)^(1/3) + quantisation pass / (memory bandwidth x e_m)
//! ```

use std::cell::RefCell;

use super::family::{InputFrom, KeptInput, KernelFamily, Undone};
use super::norm::{Norm, whole};
use crate::input::document::{Kernels, Precision};
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::device::Device;

/// `batch` independent products of a (rows x depth) activation with a (depth x columns) weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GemmWork {
    /// Independent products, each with its own weight.
    pub batch: f64,
    /// Rows: tokens.
    pub rows: f64,
    /// Columns: outputs.
    pub columns: f64,
    /// Depth: inputs.
    pub depth: f64,
    /// Number format.
    pub precision: Precision,
}

/// Bytes that a product writes for an element of its result.
const RESULT: f64 = 2.0;

/// Kernels that make the input of a product: one ahead for inputs in 8 or 4 bits.
pub(super) fn casts(precision: Precision) -> u32 {
    u32::from(precision.activation_bytes() < Precision::Bf16.activation_bytes())
}

impl KernelFamily for GemmWork {
    fn flop(&self) -> Flop {
        Flop::new(2.0 * self.batch * self.rows * self.columns * self.depth)
    }

    fn bytes(&self) -> Bytes {
        let Self { batch, rows, columns, depth, precision } = *self;
        let weights = depth * columns * precision.bytes();
        let activations = rows * depth * precision.activation_bytes() + RESULT * rows * columns;
        Bytes::new(batch * (weights + activations))
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn kernels(&self) -> u32 {
        1 + casts(self.precision)
    }

    fn time(&self, device: &Device, gap: Seconds) -> Seconds {
        gap + gemm_time(device, self.batch, self.rows, self.columns, self.depth, self.precision)
    }

    fn launch(&self, _: &Device, gap: Seconds) -> Seconds {
        gap
    }

    /// ```text
    /// y = x W            forward        2 r c d
    /// dx = dy W^T        backward       2 r c d
    /// dW += x^T dy       backward       2 r c d, and each gradient is read and written
    /// ```
    ///
    /// The gradient of the weights is added up in place: what that moves beyond a written result is `summed`.
    fn undone(&self, gradient_bytes: f64) -> Undone<Self> {
        let Self { batch, rows, columns, depth, precision } = *self;
        let input = Self { batch, rows, columns: depth, depth: columns, precision };
        let weights = Self { batch, rows: depth, columns, depth: rows, precision };
        Undone { kernels: vec![input, weights], summed: Some(Bytes::new(batch * depth * columns * (2.0 * gradient_bytes - RESULT))) }
    }

    /// Gradients are added up as the product is written, beside its arithmetic.
    fn undone_time(&self, device: &Device, gap: Seconds, gradient_bytes: f64) -> Seconds {
        let Self { batch, rows, columns, depth, precision } = *self;
        let input = Self { batch, rows, columns: depth, depth: columns, precision };
        let weights = gemm_into(device, batch, [depth, columns, rows], precision, 2.0 * gradient_bytes);
        input.time(device, gap) + gap + weights
    }

    fn kept(&self, input: &KeptInput<'_>) -> Bytes {
        let split = if self.depth == input.hidden && self.rows == input.tokens { input.tensor_parallel } else { 1.0 };
        Bytes::new(self.batch * self.rows * self.depth * self.precision.activation_bytes() / split)
    }

    fn input_from(&self) -> InputFrom {
        InputFrom::Pointwise
    }

    /// A product for each expert, and before a product in 8 or 4 bits the cast of its input with the transposed copy that the backward pass reads.
    fn started_in_training(&self) -> f64 {
        let cast = if matches!(self.precision.computes_in(), Precision::Bf16) { 0.0 } else { 1.0 };
        self.batch * (1.0 + cast)
    }

    fn keys_and_values(&self, _: f64) -> Bytes {
        Bytes::ZERO
    }

    fn over_context(&self) -> bool {
        false
    }

    fn has_weights(&self) -> bool {
        true
    }
}

/// Tile shapes (rows, columns) and splits of the depth that a kernel library offers for a format.
struct Menu {
    rows: &'static [f64],
    columns: &'static [f64],
    splits: &'static [f64],
    most_splits: f64,
    /// Accumulators of one core: rows x columns at most.
    largest: f64,
    /// Rows and columns that divide those of all tiles.
    smallest: [f64; 2],
}

/// The tiles that win most often come first, so that the others are left out early.
const BF16: Menu = Menu {
    rows: &[64.0, 128.0, 32.0, 16.0, 256.0],
    columns: &[128.0, 64.0, 256.0],
    splits: &[1.0, 2.0, 4.0, 8.0],
    most_splits: 8.0,
    largest: 32_768.0,
    smallest: [16.0, 64.0],
};
const EIGHT_BIT: Menu = Menu {
    rows: &[64.0, 128.0, 32.0, 16.0, 256.0],
    columns: &[128.0, 256.0],
    splits: &[1.0],
    most_splits: 1.0,
    largest: 32_768.0,
    smallest: [16.0, 128.0],
};
const FOUR_BIT: Menu =
    Menu { rows: &[128.0, 256.0], columns: &[128.0, 256.0], splits: &[1.0], most_splits: 1.0, largest: 65_536.0, smallest: [128.0, 128.0] };

fn menu(precision: Precision) -> &'static Menu {
    match precision.computes_in() {
        Precision::Int8 | Precision::Fp8 => &EIGHT_BIT,
        Precision::Fp4 => &FOUR_BIT,
        _ => &BF16,
    }
}

fn sum_of_fourth_powers(a: f64, b: f64) -> f64 {
    (a * a) * (a * a) + (b * b) * (b * b)
}

/// Body of `batch` products (rows x depth)(depth x columns), without any launch. Zero for no rows.
#[must_use]
pub fn gemm_time(device: &Device, batch: f64, rows: f64, columns: f64, depth: f64, precision: Precision) -> Seconds {
    gemm_into(device, batch, [rows, columns, depth], precision, RESULT)
}

/// The same for `[rows, columns, depth]` where each element of the result moves `result` bytes in memory: two for a BF16 one that is
/// written, more where the product is added to what is there.
fn gemm_into(device: &Device, batch: f64, [rows, columns, depth]: [f64; 3], precision: Precision, result: f64) -> Seconds {
    let Some(kernel) = Kernels::nearest(&device.kernels.gemm, precision) else { return Seconds::ZERO };
    if batch * rows * columns * depth <= 0.0 {
        return Seconds::ZERO;
    }
    let memory = device.memory_bandwidth.get() * kernel.memory_efficiency.value.get();
    let core_peak = device.peak(precision).get() / device.cores * kernel.compute_efficiency.value.get();
    let operand = kernel.operand_bandwidth.as_ref().map_or(f64::INFINITY, |figure| figure.value.get() * device.clock());
    let core = Tiling::new([batch, rows, columns, depth], precision, device.cores, core_peak, operand).known_time();
    let bytes = batch * ((rows * depth * precision.activation_bytes() + depth * columns * precision.bytes()) + result * rows * columns);
    let quantise = batch * rows * depth * kernel.quantise_bytes / memory;
    Seconds::new(Norm::Three.of([core, bytes / memory]) + quantise)
}

/// All that the best tiling depends on. A search asks for the same products again and again, for other mappings and for other designs, since
/// neither memory bandwidth nor the fabric comes into it, and rows and columns matter by the smallest tiles that they fill.
#[derive(Clone, Copy, PartialEq)]
struct Tiling {
    batch: f64,
    rows: f64,
    columns: f64,
    depth: f64,
    precision: Precision,
    cores: f64,
    core_peak: f64,
    operand: f64,
}

/// Answers that a thread keeps, a power of two: 0.4 MB, which stays in the second-level cache.
const KEPT: usize = 4096;

thread_local! {
    /// The last answer for each remainder of a question's hash. Answers depend on the question alone, so keeping them changes no result.
    static ANSWERS: RefCell<Vec<Option<(Tiling, f64)>>> = const { RefCell::new(Vec::new()) };
}

impl Tiling {
    /// Tiles are multiples of the menu's smallest, so `ceil(rows / tile)` is that of rows in whole smallest tiles; all are powers of two, so
    /// not a bit is lost.
    fn new([batch, rows, columns, depth]: [f64; 4], precision: Precision, cores: f64, core_peak: f64, operand: f64) -> Self {
        let menu = menu(precision);
        let filled = |count: f64, smallest: f64| smallest * whole(count / smallest);
        let (rows, columns) = (filled(rows, menu.smallest[0]), filled(columns, menu.smallest[1]));
        Self { batch, rows, columns, depth, precision, cores, core_peak, operand }
    }

    /// Multiplicative hashing (Knuth, The Art of Computer Programming 3, 6.4), word by word.
    fn slot(&self) -> usize {
        let words = [self.batch, self.rows, self.columns, self.depth, self.cores, self.core_peak, self.operand];
        let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = words.into_iter().map(f64::to_bits).fold(self.precision as u64, mix);
        #[expect(clippy::cast_possible_truncation, reason = "the twelve highest bits")]
        let slot = (hash >> (u64::BITS - KEPT.ilog2())) as usize;
        slot
    }

    /// [`Tiling::time`], from the answers kept if it is there.
    fn known_time(&self) -> f64 {
        ANSWERS.with_borrow_mut(|answers| {
            if answers.is_empty() {
                answers.resize(KEPT, None);
            }
            let answer = &mut answers[self.slot()];
            if let Some((question, time)) = answer
                && question == self
            {
                return *time;
            }
            let time = self.time();
            *answer = Some((*self, time));
            time
        })
    }

    /// Time of the cores, which is that of the best tile shape and split.
    fn time(&self) -> f64 {
        let Self { batch, rows, columns, depth, precision, .. } = *self;
        let element = precision.activation_bytes().max(precision.bytes());
        let menu = menu(precision);
        let (per_flop, per_byte, per_core) = (1.0 / self.core_peak, 1.0 / self.operand, 1.0 / self.cores);
        // Sums of fourth powers order like their roots, so the root is taken once, of the best.
        let (mut least, mut best) = (f64::INFINITY, [0.0; 2]);
        for &tile_rows in menu.rows {
            let down = batch * whole(rows / tile_rows);
            for &tile_columns in menu.columns {
                if tile_rows * tile_columns > menu.largest {
                    continue;
                }
                let tiles = down * whole(columns / tile_columns) * per_core;
                let flop_of_row = 2.0 * tile_rows * tile_columns * per_flop;
                let bytes_of_row = (tile_rows + tile_columns) * element;
                // No split needs fewer rows of depth on the busiest core than an even share, or than its own part.
                let fewest = depth * tiles.max(1.0 / menu.most_splits);
                if sum_of_fourth_powers(fewest * flop_of_row, fewest * bytes_of_row * per_byte) >= least {
                    continue;
                }
                for &split in menu.splits {
                    // A count that is whole but for rounding is whole.
                    let waves = whole(tiles * split * (1.0 - 1e-12));
                    let padded = 64.0 * whole(depth / (64.0 * split));
                    let partial = if split > 1.0 { 8.0 * tile_rows * tile_columns } else { 0.0 };
                    let flop = waves * padded * flop_of_row;
                    let load = waves * (padded * bytes_of_row + partial) * per_byte;
                    let demand = sum_of_fourth_powers(flop, load);
                    if demand < least {
                        (least, best) = (demand, [flop, load]);
                    }
                }
            }
        }
        Norm::Four.of(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A product of 10 rows, 20 columns, depth 30: two products of the same 12 000 operations; 600 FP32 gradients are read and written,
    /// 8 bytes each, of which 2 are the product's own.
    #[test]
    fn a_product_is_undone_by_two_and_a_sum() {
        let work = GemmWork { batch: 1.0, rows: 10.0, columns: 20.0, depth: 30.0, precision: Precision::Bf16 };
        let undone = work.undone(4.0);
        assert_eq!(undone.kernels.iter().map(|kernel| kernel.flop().get()).collect::<Vec<_>>(), [12_000.0, 12_000.0]);
        assert_eq!(undone.summed, Some(Bytes::new(3600.0)));
    }
}
