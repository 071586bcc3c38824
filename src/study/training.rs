//! A training step on one supernode.

use crate::execution::{Communication, port_energy, power_between_kernels};
use crate::fabric::Fabric;
use crate::footprint::{Duty, DutyStretch, Power, Transients, inventory, power, rack_watts, transients};
use crate::input::document::{Chip, ExpertPlacement, Library, Precision, Training};
use crate::input::spec::{Spec, TrainingSpec};
use crate::network::{Network, Profile};
use crate::training::{
    PipelineEvent, Remedy, Task, TrainingRequest, TrainingSearch, TrainingStep, TrainingTimelineEntry, model_flop_per_token, remedy, search,
    training_timeline,
};
use crate::units::{BytesPerSecond, Flop, FlopPerSecond, Joules, Seconds, TokensPerSecond, Watts};
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

/// What is trained on the machine of `network`.
#[must_use]
pub fn training_task<'a>(network: &'a Network<'a>, library: &'a Library, device: Device, workload: &'a TrainingSpec) -> Task<'a> {
    let TrainingSpec { training, model, .. } = workload;
    Task {
        communication: Communication::new(network, library),
        device,
        model,
        precisions: training.precisions(trains_in(&network.fabric().chip, training)),
        all_to_all: training.all_to_all,
        expert_biases: training.expert_biases,
        chunked_tensor: training.chunked_tensor,
        placement: training.experts.clone().unwrap_or_else(ExpertPlacement::even),
        sequence: f64::from(training.sequence),
        gradient_bytes: training.state.gradients,
        host: training.host.clone(),
    }
}

/// Simulates training with the fastest layout that answers the request and fits.
#[must_use]
pub fn simulate_training(spec: &Spec, fabric: &Fabric, workload: &TrainingSpec, request: &TrainingRequest) -> TrainingSimulation {
    let network = Network::new(fabric);
    let task = training_task(&network, &spec.library, Device::new(&spec.chip), workload);
    let search = search(&task, &workload.training, request);
    let remedy = if search.found.is_empty() {
        let open = training_task(&network, &spec.library, Device::new(&spec.chip), workload);
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
            let busy = f64::from(chips) / f64::from(fabric.chips);
            let duty = Duty::at_work(task.device.power(), chip.ranks, step.operators.clone(), (step.activity.sent, step.time), step.running, busy);
            let profile = task.communication.profile(talking(step, chip.ranks));
            Power { slowdown: step.slowdown(), ..power(spec, fabric, &inventory, &duty, profile) }
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

/// Chips that exchange nearly all bytes of a step: those of experts, else of divided blocks, else of gradients.
fn talking(step: &TrainingStep, ranks: u32) -> u32 {
    let layout = &step.layout;
    [layout.ep, layout.tp].into_iter().find(|degree| *degree > 1).unwrap_or(layout.tp * layout.cp * layout.dp).div_ceil(ranks)
}

/// What a machine draws from moment to moment of a step.
#[derive(Clone, Debug)]
pub struct TrainingWatts {
    /// What the chips do, on average over all.
    pub duties: Vec<DutyStretch>,
    /// What the racks draw meanwhile.
    pub watts: Vec<Watts>,
    /// How far that swings.
    pub transients: Option<Transients>,
}

/// Watts from moment to moment of a step, all data-parallel copies in step. Kernels draw what they draw on average, and so do transfers, which
/// hold the library's share of the cores where nothing hides them; in a bubble, as between kernels, cores wait. So the integral is the step's energy.
#[must_use]
pub fn training_watts(spec: &Spec, fabric: &Fabric, step: &TrainingStep) -> TrainingWatts {
    let network = Network::new(fabric);
    let profile = network.all_to_all(talking(step, fabric.chip.ranks));
    let inventory = inventory(fabric);
    let busy = f64::from(step.layout.mapping().chips(fabric.chip.ranks)) / f64::from(fabric.chips);
    let duties = training_duties(spec, step, fabric.chip.ranks, busy);
    let watts = rack_watts(spec, fabric, &inventory, &duties, &profile);
    let waiting = power(spec, fabric, &inventory, &Duty::default(), &profile).total();
    let transients = transients(&duties, &watts, waiting);
    TrainingWatts { duties, watts, transients }
}

/// Shares of what an event of a stage draws: of the kernels' energy, of what running kernels draw whatever they do, and of what is sent.
fn draws(event: &TrainingTimelineEntry, core_share: f64) -> [f64; 3] {
    match event.event {
        PipelineEvent::Forward | PipelineEvent::Backward | PipelineEvent::Optimizer => [1.0, 1.0, 0.0],
        PipelineEvent::Bubble | PipelineEvent::Host => [0.0; 3],
        PipelineEvent::Hidden => [0.0, 0.0, 1.0],
        PipelineEvent::Exposed | PipelineEvent::HandOver => [0.0, core_share, 1.0],
        PipelineEvent::Gather | PipelineEvent::Reduce => [0.0, if event.hidden { 0.0 } else { core_share }, 1.0],
    }
}

fn training_duties(spec: &Spec, step: &TrainingStep, ranks: u32, busy: f64) -> Vec<DutyStretch> {
    let core_share = spec.library.core_share.value.get();
    let events = training_timeline(step);
    let stages = f64::from(step.layout.pp);
    let mut sums = [0.0; 3];
    let mut changes: Vec<(f64, [f64; 3])> = vec![(0.0, [0.0; 3]), (step.time.get(), [0.0; 3])];
    for event in &events {
        let (draws, time) = (draws(event, core_share), event.time.get());
        let end = event.start.get() + time;
        sums.iter_mut().zip(draws).for_each(|(sum, share)| *sum += share * time / stages);
        changes.extend([(event.start.get(), draws.map(|share| share / stages)), (end, draws.map(|share| -share / stages))]);
    }
    changes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ranks, chip) = (f64::from(ranks), &spec.chip.power);
    let energy = step.operators.iter().map(|(_, energy)| *energy).sum::<Joules>() * ranks;
    let over = |all: f64, sum: f64| if sum > 0.0 { all * busy / sum } else { 0.0 };
    // What cores draw between kernels they draw all the time; kernels draw the rest.
    let always = power_between_kernels(chip, step.pace.clock) * (busy / step.pace.rest);
    let held = step.running - power_between_kernels(chip, step.pace.clock) * (step.time / step.pace.rest);
    let [kernels, running] = [over(energy.get(), sums[0]), over(held.get(), sums[1])];
    let (ports, sent) = (over((port_energy(chip, step.activity.sent) * ranks).get(), sums[2]), over(step.activity.sent.get() * ranks, sums[2]));
    let mut now = [0.0; 3];
    let mut duties: Vec<DutyStretch> = Vec::new();
    for pair in changes.windows(2) {
        now.iter_mut().zip(pair[0].1).for_each(|(now, change)| *now += change);
        if pair[1].0 - pair[0].0 > 1e-12 * step.time.get() {
            // What rounding leaves is nothing.
            let [of_kernels, of_running, of_sent] = now.map(|share| if share > 1e-9 { share } else { 0.0 });
            let duty = Duty {
                operators: vec![("kernels", Watts::new(kernels * of_kernels)), (Duty::ALWAYS, Watts::new(running * of_running) + always)],
                ports: Watts::new(ports * of_sent),
                sent: BytesPerSecond::new(sent * of_sent),
                busy,
            };
            let start = duties.last().map_or(Seconds::ZERO, |last| last.1);
            duties.push((start, Seconds::new(pair[1].0), duty));
        }
    }
    duties
}
