//! The kernels of an optimizer's update.

use super::layer::TrainingLayer;
use crate::input::document::{Optimizer, Precision, StateBytes};
use crate::units::Bytes;
use crate::workload::{GemmWork, Operator, StreamWork, Work};

/// Newton-Schulz steps of Muon.
const STEPS: f64 = 5.0;

/// The update of `updated` parameters of a rank, whose stage holds the share `stage` of the layers and shares its matrices with `copies` ranks:
/// kernels, and how often each runs.
///
/// Every update reads the gradient and the state, and writes the state and the weight. Muon makes the moment of each matrix (n x m, n the
/// smaller) orthogonal before: five times `A = X X^T`, `A^2` and `(b A + c A^2) X`, each matrix on one of the ranks that share it.
pub(super) fn update(kind: Optimizer, state: &StateBytes, layers: &[TrainingLayer], updated: f64, [stage, copies]: [f64; 2]) -> Vec<(Operator, f64)> {
    let bytes = Bytes::new(updated * (state.gradients + 2.0 * state.optimizer + state.weights));
    let mut kernels = vec![(Operator::new("optimizer", Work::Stream(StreamWork { bytes })), 1.0)];
    if kind == Optimizer::Adam {
        return kernels;
    }
    for layer in layers {
        for operator in &layer.operators {
            let Work::Gemm(GemmWork { batch, columns, depth, .. }) = operator.work else { continue };
            let (short, long) = (columns.min(depth), columns.max(depth));
            let times = STEPS * f64::from(layer.count) * stage / copies;
            let product =
                |columns, depth| Operator::new("optimizer", Work::Gemm(GemmWork { batch, rows: short, columns, depth, precision: Precision::Bf16 }));
            kernels.extend([product(short, long), product(short, short), product(long, short)].map(|kernel| (kernel, times)));
        }
    }
    kernels
}
