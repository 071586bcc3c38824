//! Routed experts of one rank: grouped GEMMs without communication.
//!
//! ```text
//! t_w = active experts x 3 hidden width x weight bytes / (memory bandwidth x e_m)
//! t_c = rows padded to 32 an expert x 2 x 3 hidden width / (peak x e_c)
//! t_a = bytes of activations that are permuted, quantised, activated and added up / (0.6 x memory bandwidth x e_m), or / the last-level cache's
//!       bandwidth for those that fit there, on a chip that states it
//! t   = launch + spread_launch (where other ranks hold further experts) + per_expert x local experts + per_token x tokens + (t_w^2 + t_c^2)^(1/2) + t_a
//! ```
//!
//! Activations: tokens are read (2 B an element) and written at the end; each copy of a token is written and read in the products' format before both
//! products, and written and read in 16 bit after them (gate and up are two). The kernels that do it gather and scatter rows.
//!
//! Weight-only formats multiply in 16 bit: `e_c` of theirs holds the time in which cores widen the weights of a tile.
//!
//! Engines time the kernels at hand and take the fastest. Beside the one above these are one made for few tokens, of the same form
//! (`experts_low_latency`), and in 8 bit two grouped products (`DeepGEMM`), which take the time of dense ones of as many rows an expert:
//!
//! ```text
//! t   = launch + per_expert x local experts + products(active, rows, 2 width, hidden) + products(active, rows, hidden, width) + t_a
//! ```

use super::family::{InputFrom, KeptInput, KernelFamily, Undone};
use super::gemm::{casts, gemm_time};
use super::norm::{Norm, whole};
use crate::input::document::{ExpertKernel, Kernels, Precision};
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::device::Device;

/// The routed experts of one rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpertWork {
    /// Experts on the rank.
    pub local: f64,
    /// Of them, those with at least one token.
    pub active: f64,
    /// Token copies on the rank.
    pub copies: f64,
    /// Different tokens on the rank.
    pub tokens: f64,
    /// Width of the residual stream.
    pub hidden: f64,
    /// Width of an expert.
    pub width: f64,
    /// Number format.
    pub precision: Precision,
    /// Whether other ranks hold further experts.
    pub spread: bool,
}

impl KernelFamily for ExpertWork {
    fn flop(&self) -> Flop {
        Flop::new(2.0 * self.copies * 3.0 * self.hidden * self.width)
    }

    fn bytes(&self) -> Bytes {
        let Self { active, copies, tokens, hidden, width, precision, .. } = *self;
        let (weights, element) = (active * 3.0 * hidden * width * precision.bytes(), precision.activation_bytes());
        let activations = 4.0 * tokens * hidden + copies * (hidden * (4.0 + 2.0 * element) + width * (8.0 + 2.0 * element));
        Bytes::new(weights + activations)
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    /// A choice, a sort, a product, an activation, a product and a sum.
    fn kernels(&self) -> u32 {
        6 + 2 * casts(self.precision)
    }

    fn time(&self, device: &Device, _: Seconds) -> Seconds {
        total(fastest(device, self))
    }

    fn launch(&self, device: &Device, _: Seconds) -> Seconds {
        fastest(device, self)[0]
    }

    fn time_and_body(&self, device: &Device, _: Seconds) -> [Seconds; 2] {
        let [launch, body] = fastest(device, self);
        [launch + body, body]
    }

    fn undone(&self, _: f64) -> Undone<Self> {
        Undone::by(vec![*self; 2])
    }

    fn undone_time(&self, device: &Device, gap: Seconds, gradient_bytes: f64) -> Seconds {
        self.undone(gradient_bytes).kernels.iter().map(|kernel| kernel.time(device, gap)).sum()
    }

    /// Training has products and streams in the place of this kernel, which keep their inputs.
    fn kept(&self, _: &KeptInput<'_>) -> Bytes {
        Bytes::ZERO
    }

    fn input_from(&self) -> InputFrom {
        InputFrom::Nothing
    }

    /// Two products with a cast each, for every expert.
    fn started_in_training(&self) -> f64 {
        self.active * 4.0
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

/// Rows of a tile: each active expert's tokens are padded to a multiple of it.
const TILE_ROWS: f64 = 32.0;

/// Share of the streaming weights' rate that kernels reach which gather, scatter and quantise activations: from 0.56 to 0.63 fits H100 and B200 in FP8
/// (aiconfigurator's table, every model left out in turn), and no other share is used for any chip or format.
const ACTIVATION_SHARE: f64 = 0.6;

/// What the routed experts of one rank work on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupedRows {
    /// Experts on the rank.
    pub local: f64,
    /// Of them, those with at least one token.
    pub active: f64,
    /// Token copies.
    pub copies: f64,
    /// Copies with each expert's padded to whole tiles.
    pub padded: f64,
    /// Different tokens.
    pub tokens: f64,
}

impl GroupedRows {
    /// `copies` in equal shares on `active` experts.
    #[must_use]
    pub fn even(local: f64, active: f64, copies: f64, tokens: f64) -> Self {
        Self { local, active, copies, padded: active * padded_rows(copies / active), tokens }
    }
}

/// Rows of one expert in whole tiles.
#[must_use]
pub fn padded_rows(rows: f64) -> f64 {
    TILE_ROWS * whole(rows / TILE_ROWS)
}

/// Launch and body with the fastest kernel; zero for no copies.
fn fastest(device: &Device, work: &ExpertWork) -> [Seconds; 2] {
    let ExpertWork { local, active, copies, tokens, hidden, width, precision, spread } = *work;
    let Some(kernel) = Kernels::nearest(&device.kernels.experts, precision) else { return [Seconds::ZERO; 2] };
    if copies <= 0.0 {
        return [Seconds::ZERO; 2];
    }
    let product = Product { rows: GroupedRows::even(local, active, copies, tokens), hidden, width, precision, spread };
    let mut best = product.with(device, kernel);
    let mut offer = |other: [Seconds; 2]| {
        if other[0] + other[1] < best[0] + best[1] {
            best = other;
        }
    };
    if let Some(kernel) = device.kernels.experts_low_latency.get(&precision) {
        offer(product.with(device, kernel));
    }
    // Grouped products save nothing where the weights take longer than the arithmetic.
    let [streaming, compute] = product.demands(device, kernel);
    if precision.computes_in() == Precision::Fp8 && !precision.is_weight_only() && compute > streaming {
        offer(product.as_dense(device, kernel));
    }
    best
}

/// Time of the grouped GEMMs of one rank, launch included, with the kernel for any number of tokens; `spread` if other ranks hold further experts.
#[must_use]
pub fn grouped_time(device: &Device, rows: &GroupedRows, [hidden, width]: [f64; 2], precision: Precision, spread: bool) -> Seconds {
    let kernel = Kernels::nearest(&device.kernels.experts, precision);
    kernel.map_or(Seconds::ZERO, |kernel| total(Product { rows: *rows, hidden, width, precision, spread }.with(device, kernel)))
}

/// The same with the kernel for few tokens; `None` if the chip has none in this format.
#[must_use]
pub fn low_latency_time(device: &Device, rows: &GroupedRows, [hidden, width]: [f64; 2], precision: Precision, spread: bool) -> Option<Seconds> {
    let kernel = device.kernels.experts_low_latency.get(&precision)?;
    Some(total(Product { rows: *rows, hidden, width, precision, spread }.with(device, kernel)))
}

fn total([launch, body]: [Seconds; 2]) -> Seconds {
    launch + body
}

/// What the experts of one rank multiply.
struct Product {
    rows: GroupedRows,
    hidden: f64,
    width: f64,
    precision: Precision,
    /// Whether other ranks hold further experts.
    spread: bool,
}

impl Product {
    fn weights(&self) -> f64 {
        3.0 * self.hidden * self.width
    }

    /// Seconds for the weights of active experts, and for the arithmetic.
    fn demands(&self, device: &Device, kernel: &ExpertKernel) -> [f64; 2] {
        let memory = device.memory_bandwidth.get() * kernel.memory_efficiency.value.get();
        let peak = device.peak(self.precision).get() * kernel.compute_efficiency.value.get();
        [self.rows.active * self.weights() * self.precision.bytes() / memory, self.rows.padded * 2.0 * self.weights() / peak]
    }

    /// Seconds for activations around the products. What a kernel has just written the next one finds in the last-level cache, as far as it fits.
    fn around(&self, device: &Device, kernel: &ExpertKernel) -> f64 {
        let (rows, activation) = (&self.rows, self.precision.activation_bytes());
        // Of memory and of the cache alike: single rows are what holds these kernels back.
        let share = ACTIVATION_SHARE * kernel.memory_efficiency.value.get();
        let memory = device.memory_bandwidth.get();
        // Tokens; copies for the first products, behind them, for the second, and behind that.
        let tensors = [
            rows.tokens * self.hidden * 2.0,
            rows.copies * self.hidden * activation,
            rows.copies * self.width * 4.0,
            rows.copies * self.width * activation,
            rows.copies * self.hidden * 2.0,
        ];
        tensors.iter().map(|bytes| 2.0 * bytes * device.seconds_per_byte(*bytes, memory) / share).sum()
    }

    fn launch(&self, kernel: &ExpertKernel) -> Seconds {
        let sorting = kernel.per_token.as_ref().map_or(Seconds::ZERO, |figure| figure.value * self.rows.tokens);
        let spread = kernel.spread_launch.as_ref().filter(|_| self.spread).map_or(Seconds::ZERO, |figure| figure.value);
        kernel.launch.value + spread + kernel.per_expert.value * self.rows.local + sorting
    }

    /// Launch and body with a grouped kernel.
    fn with(&self, device: &Device, kernel: &ExpertKernel) -> [Seconds; 2] {
        let products = Norm::Two.of(self.demands(device, kernel));
        [self.launch(kernel), Seconds::new(products + self.around(device, kernel))]
    }

    /// Launch and body where both products run like dense ones, `kernel` around them.
    fn as_dense(&self, device: &Device, kernel: &ExpertKernel) -> [Seconds; 2] {
        let GroupedRows { active, copies, .. } = self.rows;
        let product = |columns: f64, depth: f64| gemm_time(device, active, copies / active, columns, depth, self.precision);
        let products = product(2.0 * self.width, self.hidden) + product(self.hidden, self.width);
        [self.launch(kernel), products + Seconds::new(self.around(device, kernel))]
    }
}
