//! Time that a serving engine adds to the kernels of a pass: its own constants, and waiting of the chips for its host.

use super::shape::StepShape;
use crate::input::document::{Engine, ExpertKernel, Model, Precision};
use crate::units::{Figure, Ratio, Seconds};
use crate::workload::Device;

/// `device` with the gap between kernels, the share of the matrix kernels' efficiency and the kernels that the engine has.
pub(super) fn run_by(device: &mut Device, engine: &Engine) {
    let share = |figure: &Option<Figure<Ratio>>| figure.as_ref().map_or(1.0, |figure| figure.value.get());
    let kernels = &mut *device.kernels;
    let own = engine.kernels.as_deref();
    let measured: Vec<Precision> = own.and_then(|own| kernels.engines.get(own)).into_iter().flat_map(|own| own.experts.keys().copied()).collect();
    own.into_iter().for_each(|own| kernels.run_by(own));
    for (format, like) in engine.own_experts.iter().filter(|(format, _)| !measured.contains(format)) {
        if let Some(measured) = kernels.experts.get(like) {
            let own = ExpertKernel { per_expert: Figure::plain(Seconds::ZERO), ..measured.clone() };
            kernels.experts.insert(*format, own);
        }
    }
    kernels.launch.value = kernels.launch.value * share(&engine.gap);
    let efficiencies = kernels.gemm.values_mut().map(|kernel| &mut kernel.compute_efficiency);
    for efficiency in efficiencies.chain(kernels.experts.values_mut().map(|kernel| &mut kernel.compute_efficiency)) {
        efficiency.value = efficiency.value * share(&engine.matrix);
    }
}

/// Time that the host of `engine` adds to a pass whose kernels and transfers take `busy`.
///
/// Launches run ahead of the kernels, so in dense layers the slower of the two sets the pace. In a layer with experts the host waits
/// for the counts of tokens before it can go on, and the chips wait for the host. Both happen only in passes that read prompts: others
/// are captured graphs.
pub(super) fn host_time(engine: &Engine, model: &Model, shape: &StepShape, busy: Seconds) -> Seconds {
    let decoding = if shape.batch.prefill { 0.0 } else { shape.batch.sequences };
    let batch = engine.sequence.value * decoding;
    if !shape.bulk() {
        return batch;
    }
    let (mut ahead, mut between) = (Seconds::ZERO, Seconds::ZERO);
    for group in &model.layer {
        match group.ffn.experts().and(engine.expert_layer.as_ref()) {
            Some(waits) => between += waits.value * f64::from(group.count),
            None => ahead += engine.dense_layer.value * f64::from(group.count),
        }
    }
    (busy.max(ahead) - busy) + between + batch
}
