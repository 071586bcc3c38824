//! What every family of kernels states about its work: one trait, so that a family that forgets something does not compile.

use crate::input::document::Precision;
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::device::Device;

/// The kernels that undo one kernel in training.
#[derive(Clone, Debug, PartialEq)]
pub struct Undone<K> {
    /// Kernels of the same family, in order.
    pub kernels: Vec<K>,
    /// Bytes that the sum of a gradient moves beyond a written result; `None` for work without weights.
    pub summed: Option<Bytes>,
}

impl<K> Undone<K> {
    /// Kernels of the family alone.
    #[must_use]
    pub fn by(kernels: Vec<K>) -> Self {
        Self { kernels, summed: None }
    }
}

/// Which kernels ahead of this one a training framework runs again where it recomputes cheap kernels, and with them what this one reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFrom {
    /// Norms and activation functions.
    Pointwise,
    /// The expansions of latent attention.
    Expansion,
    /// None: the input is kept.
    Nothing,
}

/// What decides how much of a kernel's input is kept from forward for backward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeptInput<'a> {
    /// The operator's name.
    pub name: &'a str,
    /// Width of the residual stream.
    pub hidden: f64,
    /// Tokens of the rank.
    pub tokens: f64,
    /// Ranks of the TP group, which each keep their part of an input as wide as the residual stream (Korthikanti et al. 2022, section 4.2.2).
    pub tensor_parallel: f64,
    /// Tokens of a sequence.
    pub sequence: f64,
    /// Format of the weights.
    pub weights: Precision,
}

/// A family of kernels: the work of one kernel, its time on a rank, and what training does with it.
pub trait KernelFamily: Copy {
    /// Operations, without padding.
    fn flop(&self) -> Flop;

    /// Bytes to and from memory.
    fn bytes(&self) -> Bytes;

    /// Number format of the multipliers; BF16 for work without any.
    fn precision(&self) -> Precision;

    /// Kernels that a host starts for it when a model is served and no captured graph does.
    fn kernels(&self) -> u32;

    /// Time inside a captured graph. `gap` is the time between the kernel ahead and this one, for families without a start of their own.
    fn time(&self, device: &Device, gap: Seconds) -> Seconds;

    /// Of the time, what is launch.
    fn launch(&self, device: &Device, gap: Seconds) -> Seconds;

    /// Time, and of it what is not launch.
    fn time_and_body(&self, device: &Device, gap: Seconds) -> [Seconds; 2] {
        let time = self.time(device, gap);
        [time, without(time, self.launch(device, gap))]
    }

    /// The kernels that undo it. Each element of a gradient has `gradient_bytes`.
    fn undone(&self, gradient_bytes: f64) -> Undone<Self>;

    /// Time of the kernels that undo it.
    fn undone_time(&self, device: &Device, gap: Seconds, gradient_bytes: f64) -> Seconds;

    /// Bytes of its input that one forward pass keeps for the backward pass.
    fn kept(&self, input: &KeptInput<'_>) -> Bytes;

    /// Which kernels make its input again.
    fn input_from(&self) -> InputFrom;

    /// Kernels that a training framework starts for it.
    fn started_in_training(&self) -> f64;

    /// Keys and values that ranks which share sequences of `sequence` tokens send each other; zero for work on each token alone.
    fn keys_and_values(&self, sequence: f64) -> Bytes;

    /// Whether it is attention over the tokens ahead, which published counts of a model's operations include once for a causal mask.
    fn over_context(&self) -> bool;

    /// Whether it multiplies by weights, whose gradient a schedule can compute later than that of the input.
    fn has_weights(&self) -> bool;
}

/// A time without a part of it; never below zero.
pub(super) fn without(time: Seconds, launch: Seconds) -> Seconds {
    if time > launch { time - launch } else { Seconds::ZERO }
}
