//! Time that a serving engine adds to the kernels of a pass: its own constants, and waiting of the chips for its host.

use super::shape::StepShape;
use crate::input::document::{Engine, ExpertKernel, Precision};
use crate::input::spec::WorkloadSpec;
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

/// Time that a request spends in the engine's front end before its first token is seen, while passes go on.
#[must_use]
pub fn front_end(workload: &WorkloadSpec) -> Seconds {
    let stated = workload.engine.as_ref().and_then(|deployed| deployed.engine.front_end.as_ref());
    stated.map_or(Seconds::ZERO, |figure| figure.value)
}

/// Time that the host of `engine` adds to a pass that takes `busy` on the chips; `launched` kernels and transfers are started in it.
///
/// Launches run ahead of the kernels, so the slower of the two sets the pace. That happens only in passes that read prompts: others are captured
/// graphs. What the host does for each sequence comes between two passes, unless it prepares a pass while the one before runs.
pub(super) fn host_time(engine: &Engine, shape: &StepShape, launched: f64, busy: Seconds) -> Seconds {
    let decoding = if shape.batch.prefill { 0.0 } else { shape.batch.sequences };
    let batch = engine.sequence.value * decoding;
    let launches = if shape.bulk() { engine.launch.value * launched } else { Seconds::ZERO };
    let ahead = if engine.prepares_ahead() { launches.max(batch) } else { launches };
    let between = if engine.prepares_ahead() { Seconds::ZERO } else { batch };
    (busy.max(ahead) - busy) + between
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::Mapping;
    use crate::workload::AttentionBatch;

    /// A hundred launches of 10 us are 1 ms of host: a pass of 0.4 ms with a prompt waits for 0.6 ms of it, one of 2 ms for nothing, and a captured
    /// one only for its four sequences.
    #[test]
    fn launches_run_ahead_of_the_kernels() {
        let engine: Engine = toml::from_str("name = \"x\"\nsequence = \"5 us\"\nlaunch = \"10 us\"").unwrap();
        let decoding = AttentionBatch { sequences: 4.0, new_tokens: 1.0, context: 100.0, prefill: false };
        let prompt = AttentionBatch { sequences: 1.0, new_tokens: 100.0, context: 50.0, prefill: true };
        let shape = |batch, chunk| StepShape { mapping: Mapping::ONE, batch, chunk, micro_batches: 1, sampled: 1.0, evenness: 1.0, drafts: 0 };
        let added = |shape: &StepShape, busy: f64| host_time(&engine, shape, 100.0, Seconds::new(busy * 1e-3)).get() * 1e6;
        assert!((added(&shape(prompt, None), 0.4) - 600.0).abs() < 1e-6);
        assert!((added(&shape(decoding, Some(prompt)), 0.4) - 620.0).abs() < 1e-6);
        assert!(added(&shape(prompt, None), 2.0).abs() < 1e-6);
        assert!((added(&shape(decoding, None), 0.4) - 20.0).abs() < 1e-6);
    }

    /// A host that prepares the next pass meanwhile holds up only a pass that is shorter than its work for four sequences, 20 us.
    #[test]
    fn an_asynchronous_scheduler_hides_its_work() {
        let engine: Engine = toml::from_str("name = \"x\"\nsequence = \"5 us\"\nlaunch = \"10 us\"\nscheduler.overlapped = true").unwrap();
        let batch = AttentionBatch { sequences: 4.0, new_tokens: 1.0, context: 100.0, prefill: false };
        let shape = StepShape { mapping: Mapping::ONE, batch, chunk: None, micro_batches: 1, sampled: 1.0, evenness: 1.0, drafts: 0 };
        let added = |busy: f64| host_time(&engine, &shape, 100.0, Seconds::new(busy * 1e-6)).get() * 1e6;
        assert!(added(20.0).abs() < 1e-6 && (added(15.0) - 5.0).abs() < 1e-6);
    }
}
