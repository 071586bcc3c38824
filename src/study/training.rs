//! A training step on one supernode.

use crate::fabric::Fabric;
use crate::footprint::{Duty, Power, inventory, power};
use crate::input::document::{Chip, ExpertPlacement, Library, Precision, Training};
use crate::input::spec::{Spec, TrainingSpec};
use crate::network::{Network, Profile};
use crate::training::{Remedy, Task, TrainingRequest, TrainingSearch, TrainingStep, communication, model_flop_per_token, remedy, search};
use crate::units::{Flop, FlopPerSecond, Joules, TokensPerSecond};
use crate::workload::Device;

/// Everything that is said about a training step.
#[derive(Clone, Debug)]
pub struct TrainingSimulation {
    /// Layouts that fit, fastest first.
    pub search: TrainingSearch,
    /// Where none does, what would work.
    pub remedy: Option<Remedy>,
    /// Format in which the GEMMs run on this chip.
    pub gemm: Precision,
    /// Tokens of a step.
    pub tokens: f64,
    /// Operations that the model asks for, for one token, forward and backward.
    pub flop_per_token: Flop,
    /// Dense peak of one chip in that format.
    pub peak: FlopPerSecond,
    /// Watts during the fastest step, or waiting if none fits.
    pub power: Power,
    /// Software-visible devices of one chip.
    pub ranks_per_chip: u32,
}

impl TrainingSimulation {
    /// The fastest step.
    #[must_use]
    pub fn best(&self) -> Option<&TrainingStep> {
        self.search.found.first()
    }

    /// Tokens per second of the whole machine.
    #[must_use]
    pub fn rate(&self, step: &TrainingStep) -> TokensPerSecond {
        TokensPerSecond::new(self.tokens / step.time.get())
    }

    /// Chips that a layout uses.
    #[must_use]
    pub fn chips(&self, step: &TrainingStep) -> u32 {
        step.layout.mapping().chips(self.ranks_per_chip)
    }

    /// Model operations per second of one chip in use.
    #[must_use]
    pub fn flop_rate(&self, step: &TrainingStep) -> FlopPerSecond {
        FlopPerSecond::new(self.flop_per_token.get() * self.rate(step).get() / f64::from(self.chips(step)))
    }

    /// Model operations over the peak of the chips in use.
    #[must_use]
    pub fn utilisation(&self, step: &TrainingStep) -> f64 {
        self.flop_rate(step) / self.peak
    }

    /// Energy of a token at the racks.
    #[must_use]
    pub fn energy_per_token(&self, step: &TrainingStep) -> Joules {
        Joules::new(self.power.total().get() / self.rate(step).get())
    }
}

/// The format in which a chip trains: 8-bit floats only where it has them.
fn trains_in(chip: &Chip, training: &Training) -> Precision {
    let asked = *training.gemm;
    if asked == Precision::Bf16 || chip.compute.fp8.is_some() { asked } else { Precision::Bf16 }
}

/// What is trained on the machine of `network`, with the transfers that `request` asks for.
#[must_use]
pub fn training_task<'a>(
    network: &'a Network<'a>,
    library: &'a Library,
    device: Device,
    workload: &'a TrainingSpec,
    request: &TrainingRequest,
) -> Task<'a> {
    let TrainingSpec { training, model, .. } = workload;
    let (communication, relays) = communication(network, library, training, model, request);
    Task {
        communication,
        relays,
        device,
        model,
        precisions: training.precisions(trains_in(&network.fabric().chip, training)),
        all_to_all: training.all_to_all,
        chunked_tensor: training.chunked_tensor,
        placement: training.experts.clone().unwrap_or_else(ExpertPlacement::even),
        sequence: f64::from(training.sequence),
        gradient_bytes: training.state.gradients,
    }
}

/// Simulates training with the fastest layout that answers the request and fits.
#[must_use]
pub fn simulate_training(spec: &Spec, fabric: &Fabric, workload: &TrainingSpec, request: &TrainingRequest) -> TrainingSimulation {
    let network = Network::new(fabric);
    let task = training_task(&network, &spec.library, Device::new(&spec.chip), workload, request);
    let search = search(&task, &workload.training, request);
    let remedy = if search.found.is_empty() {
        let open = training_task(&network, &spec.library, Device::new(&spec.chip), workload, &TrainingRequest::default());
        remedy(&open, &workload.training, request)
    } else {
        None
    };
    describe_training(spec, &task, workload, search, remedy)
}

/// The figures and watts of what a search found.
#[must_use]
pub fn describe_training(
    spec: &Spec,
    task: &Task<'_>,
    workload: &TrainingSpec,
    search: TrainingSearch,
    remedy: Option<Remedy>,
) -> TrainingSimulation {
    let fabric = task.communication.network().fabric();
    let chip = &fabric.chip;
    let inventory = inventory(fabric);
    let drawn = match search.found.first() {
        Some(step) => {
            let chips = step.layout.mapping().chips(chip.ranks);
            let duty = Duty::at_work(&chip.power, chip.ranks, &step.activity, step.time, [f64::from(chips) / f64::from(fabric.chips), 1.0]);
            // Nearly all bytes are those of the layers: of experts, else of divided blocks, else of gradients.
            let layout = &step.layout;
            let talking = [layout.ep, layout.tp].into_iter().find(|degree| *degree > 1).unwrap_or(layout.tp * layout.dp).div_ceil(chip.ranks);
            Power { slowdown: step.slowdown, ..power(spec, fabric, &inventory, &duty, task.communication.profile(talking)) }
        }
        None => power(spec, fabric, &inventory, &Duty::default(), &Profile::silent(fabric)),
    };
    let gemm = task.precisions.weights;
    TrainingSimulation {
        search,
        remedy,
        gemm,
        tokens: f64::from(workload.training.global_batch) * task.sequence,
        flop_per_token: model_flop_per_token(task.model, &task.precisions, task.sequence),
        peak: task.device.peak(gemm) * f64::from(chip.ranks),
        power: drawn,
        ranks_per_chip: chip.ranks,
    }
}
