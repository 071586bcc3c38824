//! The kernels that undo one kernel, and what runs again before them. How long each family takes backward stands in its file in
//! `workload/kernel/`.

use crate::units::Seconds;
use crate::workload::{Device, Operator, Work, kernel};

/// The kernels that undo one kernel; each element of a gradient has `gradient_bytes`.
#[must_use]
pub fn backward(operator: &Operator, gradient_bytes: f64) -> Vec<Operator> {
    operator.work.undone(gradient_bytes).into_iter().map(|work| Operator::new(operator.name, work)).collect()
}

/// Times of a block's outer products, which transfers of its tokens may run beside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Products {
    /// The first, forward.
    pub first: Seconds,
    /// The last, forward.
    pub last: Seconds,
    /// What makes the gradient of the first one's input.
    pub input_gradient: Seconds,
    /// What makes the gradient of its weights.
    pub weight_gradient: Seconds,
    /// What makes the gradient of the last one's input.
    pub last_input_gradient: Seconds,
}

impl Products {
    /// Those of a block; zero for one without products.
    pub fn new(device: &Device, operators: &[Operator], gradient_bytes: f64) -> Self {
        let is_product = |operator: &&Operator| matches!(operator.work, Work::Gemm(_));
        let (Some(first), Some(last)) = (operators.iter().find(is_product), operators.iter().rfind(is_product)) else { return Self::default() };
        let input = |operator: &Operator| kernel::time(device, &backward(operator, gradient_bytes)[0]);
        Self {
            first: kernel::time(device, first),
            last: kernel::time(device, last),
            input_gradient: input(first),
            weight_gradient: (kernel::undone_time(device, first, gradient_bytes) - input(first)).max(Seconds::ZERO),
            last_input_gradient: input(last),
        }
    }
}

/// Whether a kernel is cheap to run again: a norm or an activation function.
pub(super) fn is_pointwise(operator: &Operator) -> bool {
    matches!(operator.name, "norm" | "activation")
}

/// Whether an operator expands what latent attention keeps of a token to its heads.
pub(super) fn expands_latent(operator: &Operator) -> bool {
    matches!(operator.name, "expand query" | "expand key, value")
}

/// Whether a kernel runs again where cheap ones do: norms, activation functions and the expansions of latent attention, whose products are small
/// for what they save (DeepSeek-V3, section 3.2.3).
pub(super) fn runs_again(operator: &Operator) -> bool {
    is_pointwise(operator) || expands_latent(operator)
}

/// Time to run these again.
pub(super) fn again_time(device: &Device, operators: &[Operator]) -> Seconds {
    operators.iter().filter(|operator| runs_again(operator)).map(|operator| kernel::time(device, operator)).sum()
}
