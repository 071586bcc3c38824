//! Training steps against closed forms, and what must never make training faster or slower.

use crate::command::Project;
use serde_json::Value;
use supernode::execution::Communication;
use supernode::fabric::{self, Fabric};
use supernode::input::document::{Captured, ExpertPlacement, HostCosts, Optimizer, PipelineSchedule, Precision};
use supernode::input::spec::{Spec, TrainingSpec, load_supernode, load_training};
use supernode::network::{Collective, Network, Op, Placement, Pricing};
use supernode::training::{
    LayersByClock, PipelineEvent, Recompute, Task, TrainingLayout, TrainingRequest, TrainingStep, bubble, layouts, memory, model_flop_per_token,
    search, train_step, training_timeline,
};
use supernode::units::{Bytes, Figure, Seconds};
use supernode::workload::Device;

fn train(arguments: &[&str]) -> Value {
    serde_json::from_str(&Project::new("train").run(arguments).output()).unwrap()
}

/// What is trained on a machine, with the transfers of `request`.
fn with_task<T>(spec: &Spec, workload: &TrainingSpec, _: &TrainingRequest, ask: impl FnOnce(&Task<'_>) -> T) -> T {
    let fabric: Fabric = fabric::build(spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let TrainingSpec { training, model, .. } = workload;
    ask(&Task {
        communication: Communication::new(&network, &spec.library),
        device: Device::new(&spec.chip),
        model,
        precisions: training.precisions(*training.gemm),
        all_to_all: training.all_to_all,
        expert_biases: training.expert_biases,
        chunked_tensor: training.chunked_tensor,
        placement: ExpertPlacement::even(),
        sequence: f64::from(training.sequence),
        gradient_bytes: training.state.gradients,
        host: training.host.clone(),
    })
}

fn found(spec: &Spec, workload: &TrainingSpec, request: &TrainingRequest) -> Vec<TrainingStep> {
    with_task(spec, workload, request, |task| search(task, &workload.training, request).found)
}

fn request(text: &str) -> TrainingRequest {
    text.parse().unwrap()
}

fn supernode(name: &str) -> Spec {
    load_supernode(name).unwrap_or_else(|problems| panic!("{problems}"))
}

fn training(name: &str) -> TrainingSpec {
    load_training(name, None).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Narayanan et al. 2021, section 2.2: 4 stages wait 3 of 8 + 3 slots; with two parts each a wait is half as long, 1.5 of 9.5.
#[test]
fn the_bubble() {
    assert_eq!(bubble(4, 8, 1), 3.0 / 11.0);
    assert_eq!(bubble(4, 8, 2), 1.5 / 9.5);
    assert_eq!(bubble(1, 8, 1), 0.0);
}

/// Llama 3.1 70B, h = 8192, 80 layers, 64 heads and 8 of keys of 128, w = 28 672, vocabulary V = 128 256, BF16, on tp = 8, dp = 8.
///
/// ```text
/// a layer     h h + 2 h 1024 + h h + 3 h w             855 638 016
/// all         80 layers + 2 V h                     70 552 387 584;  an eighth is 8 819 048 448 a rank
/// weights     2 B                                   17 638 096 896
/// gradients   4 B                                   35 276 193 792
/// optimizer   12 B / dp                             13 228 572 672
/// kept a token and layer, B:
///   two norms' inputs, what QKV and gate-up read    4 x 2 h / 8 = 8 192
///   keys, values of one head                        2 x 2 x 128 =   512
///   queries of 8 heads, what the output reads       2 x 2 x 1024 = 4 096
///   gate and up, their product                      (4 + 2) w / 8 = 21 504
///   together                                        34 304
/// logits      6 B x 8192 tokens x V / 8                788 004 864
/// activations 34 304 x 8192 x 80 + logits           23 269 474 304
/// ```
#[test]
fn memory_of_a_rank_by_hand() {
    let found = train(&[
        "train",
        "gb300-nvl72",
        "--workload",
        "llama-3.1-70b-bf16",
        "--format",
        "json",
        "--mapping",
        "tp=8,dp=8,pp=1,micro_batch=1,recompute=0",
    ]);
    let held = &found["best"]["memory_bytes"];
    let part = |name: &str| held[name].as_f64().unwrap();
    assert_eq!(part("weights"), 17_638_096_896.0);
    assert_eq!(part("gradients"), 35_276_193_792.0);
    assert_eq!(part("optimizer"), 13_228_572_672.0);
    assert_eq!(part("activations"), 23_269_474_304.0);
    assert_eq!(part("total"), 89_412_337_664.0);
}

/// The same layer without what norms and activation functions make again: 34 304 less the inputs of QKV and gate-up (2 x 2 h / 8) and the
/// product (2 w / 8), 23 040 B; the layer that goes backward has its 11 264 again. From inputs alone: 2 h / 8 = 2 048, and 32 256 again.
#[test]
fn recomputing_keeps_less() {
    let workload = training("llama-3.1-70b-bf16");
    let open = request("tp=8,dp=8,pp=1,micro_batch=1");
    with_task(&supernode("gb300-nvl72"), &workload, &open, |task| {
        let layers = task.layers([8, 1, 1, 1]);
        let kept = |recompute| {
            let layout = TrainingLayout { tp: 8, cp: 1, ep: 1, dp: 8, pp: 1, micro_batch: 1, interleave: 1, overlap: 1, recompute };
            memory(task, &workload.training, &layers, &layout).activations
        };
        let tokens = 8192.0;
        let logits = 788_004_864.0;
        assert_eq!(kept(Recompute::Pointwise), Bytes::new(tokens * (80.0 * 23_040.0 + 11_264.0) + logits));
        assert_eq!(kept(Recompute::Layers), Bytes::new(tokens * (80.0 * 2_048.0 + 32_256.0) + logits));
    });
}

/// 1F1B keeps `p` micro-batches of a stage of L/p layers; with v parts `p + (p-1)/v` of them (Korthikanti et al. 2022, section 4.2.3).
/// On 4 stages of 20 layers at tp = 8, as above: 34 304 B x 8192 tokens x 20 layers x 4, or x (4 + 3/4) with four parts.
#[test]
fn a_pipeline_keeps_what_is_in_flight() {
    let workload = training("llama-3.1-70b-bf16");
    with_task(&supernode("gb300-nvl72"), &workload, &request("tp=8,dp=2,pp=4"), |task| {
        let layers = task.layers([8, 1, 1, 1]);
        let kept = |interleave| {
            let layout = TrainingLayout { tp: 8, cp: 1, ep: 1, dp: 2, pp: 4, micro_batch: 1, interleave, overlap: 1, recompute: Recompute::Nothing };
            memory(task, &workload.training, &layers, &layout).activations
        };
        let stage = 34_304.0 * 8192.0 * 20.0;
        assert_eq!([kept(1), kept(4)], [Bytes::new(stage * 4.0), Bytes::new(stage * 4.75)]);
    });
}

/// Six operations for each parameter but those of the input embedding, and 6 L s h for causal attention: forward 2 x 2 h (s/2) a layer, three
/// times that with backward. 6 x (70 552 387 584 - 1 050 673 152) + 6 x 80 x 8192 x 8192. A maker publishes 736 TFLOP/s at 1 639
/// tokens/s a GPU for this model and sequence: 449.1e9 a token.
#[test]
fn operations_of_a_token() {
    let workload = training("llama-3.1-70b-bf16");
    let flop = model_flop_per_token(&workload.model, &workload.training.precisions(Precision::Bf16), 8192.0);
    assert_eq!(flop.get(), 417_010_286_592.0 + 32_212_254_720.0);
    assert!((flop.get() / (736e12 / 1639.0) - 1.0).abs() < 0.001);
}

/// What one rank of a TP group of 8 sends for a layer: 4 gathers or scatters of 7/8 of 8192 x 8192 x 2 B forward, two more of them backward.
/// Of an expert layer on 64 ranks (DeepSeek-V3, 8 of 256 experts, 4 096 tokens of 7 168): results go back in BF16 and tokens out in FP8 with
/// the kernel's 224 B, merged to the expected 64 (1 - (63/64)^8) ranks, 63/64 of them others; backward the same.
#[test]
fn bytes_of_exchanges_by_hand() {
    let workload = training("llama-3.1-70b-bf16");
    with_task(&supernode("gb300-nvl72"), &workload, &request("tp=8"), |task| {
        let stream = 8192.0 * 8192.0 * 2.0 * 7.0 / 8.0;
        let layer = &task.layers([8, 1, 1, 1])[0];
        assert_eq!(layer.sent, [Bytes::new(4.0 * stream), Bytes::new(6.0 * stream)]);
        // Every gather and scatter takes what a collective of all eight parts takes.
        let tokens = Bytes::new(8192.0 * 8192.0 * 2.0);
        let [gather, scatter] = [Op::AllGather, Op::ReduceScatter].map(|op| task.communication.collective(op, 8, tokens));
        let transfers = layer.forward.iter().filter(|stage| stage.resource == supernode::execution::Resource::Fabric);
        assert!(transfers.clone().count() > 0);
        assert!(transfers.map(|stage| stage.time).all(|time| time == gather || time == scatter));
    });
    let workload = training("deepseek-v3-fp8");
    with_task(&supernode("gb300-nvl72"), &workload, &request("tp=1,ep=64,dp=64,pp=1"), |task| {
        let layer = task.layers([1, 1, 64, 1]).pop().unwrap();
        let (out, back) = (task.communication.dispatch_kernel(true), task.communication.combine_kernel(true));
        let sent = |elements: f64, kernel: &supernode::input::document::TokenKernel| {
            let ranks = if kernel.merges_copies { 64.0 * (1.0 - (63.0_f64 / 64.0).powi(8)) } else { 8.0 };
            (elements + kernel.message_overhead.value.get()) * 4096.0 * ranks * 63.0 / 64.0
        };
        let expected = sent(7168.0, out) + sent(2.0 * 7168.0, back);
        for sent in layer.sent {
            assert!((sent.get() / expected - 1.0).abs() < 1e-12, "{sent:?} is not {expected}");
        }
    });
}

/// Gradients and weights go once to and once from those who share them: (n - 1)/n of 4 and of 2 bytes a parameter, each at what a chip
/// sends among the stage's 64.
#[test]
fn gradients_and_weights_by_hand() {
    let workload = training("llama-3.1-70b-bf16");
    let layout = TrainingLayout { tp: 8, cp: 1, ep: 1, dp: 8, pp: 1, micro_batch: 1, interleave: 1, overlap: 1, recompute: Recompute::Nothing };
    with_task(&supernode("gb300-nvl72"), &workload, &request("tp=8,dp=8,pp=1"), |task| {
        let step = train_step(task, &workload.training, &LayersByClock::new(task, [8, 1, 1, 1]), layout);
        let communication = &task.communication;
        let placement = Placement::Strided { first: 0, stride: 8 };
        let mut pricing = Pricing::placed(communication.network(), communication.library(), placement);
        let mut price = |op, bytes| pricing.price(&Collective { op, ranks: 8, bytes: Bytes::new(bytes) }, None).unwrap().total();
        for (found, expected) in
            [(step.reduce.time, price(Op::ReduceScatter, 35_276_193_792.0)), (step.gather.time, price(Op::AllGather, 17_638_096_896.0))]
        {
            assert!((found.get() / expected.get() - 1.0).abs() < 1e-9, "{found:?} is not {expected:?}");
        }
        // The rest of 80 layers hides beside computing of as many, the last cannot.
        assert_eq!(step.reduce.exposed, step.reduce.time / 80.0);
    });
}

/// Fully sharded over 64 ranks: 70 552 387 584 / 64 parameters and twice a layer's 855 638 016, 2 813 657 088. Every micro-batch fetches all
/// others' weights forward; backward it does so again and adds gradients of twice the size: 63/64 of 2, and of 2 + 4 bytes each.
#[test]
fn fully_sharded_by_hand() {
    let mut workload = training("llama-3.1-70b-bf16");
    workload.training.shard_weights = true;
    let layout = TrainingLayout { tp: 1, cp: 1, ep: 1, dp: 64, pp: 1, micro_batch: 1, interleave: 1, overlap: 1, recompute: Recompute::Nothing };
    with_task(&supernode("gb300-nvl72"), &workload, &request("tp=1,dp=64,pp=1"), |task| {
        let step = train_step(task, &workload.training, &LayersByClock::new(task, [1, 1, 1, 1]), layout);
        assert_eq!(step.memory.weights, Bytes::new(2.0 * 2_813_657_088.0));
        assert_eq!(step.memory.gradients, Bytes::new(4.0 * 2_813_657_088.0));
        assert_eq!(step.memory.optimizer, Bytes::new(13_228_572_672.0));
        let all = |op, bytes: f64| task.communication.collective(op, 64, Bytes::new(70_552_387_584.0 * bytes));
        let fetch = all(Op::AllGather, 2.0);
        for (pass, expected) in [(step.forward, fetch), (step.backward, fetch + all(Op::ReduceScatter, 4.0))] {
            let all = pass.exposed() + pass.hidden;
            assert!((all.get() / expected.get() - 1.0).abs() < 1e-9, "{all:?} is not {expected:?}");
        }
        assert_eq!((step.reduce.time, step.gather.time), (Seconds::ZERO, Seconds::ZERO));
    });
}

/// Two ranks that share a sequence have half of its tokens each, and send each other the keys and values of theirs: 8 192 tokens of two tensors of
/// 8 heads of 128 in 16 bit, half of them, forward; backward twice that.
#[test]
fn a_shared_sequence_by_hand() {
    let workload = training("llama-3.1-70b-bf16");
    with_task(&supernode("gb300-nvl72"), &workload, &request("tp=1,cp=2,dp=4,pp=8"), |task| {
        let [whole, shared] = [1, 2].map(|cp| task.layers([1, cp, 1, 1]).pop().unwrap());
        let flop = |layer: &supernode::training::TrainingLayer| layer.operators.iter().map(|operator| operator.work.flop().get()).sum::<f64>();
        assert!((flop(&whole) / flop(&shared) - 2.0).abs() < 1e-9);
        let sent = [0, 1].map(|direction: usize| shared.sent[direction] - whole.sent[direction]);
        assert_eq!(sent, [8192.0 * 2.0 * 8.0 * 128.0 * 2.0 / 2.0, 8192.0 * 2.0 * 8.0 * 128.0 * 2.0].map(Bytes::new));
        assert!(shared.forward.iter().any(|stage| stage.name == "keys and values"));
    });
}

/// Schedules that fill waits with gradients of weights wait less than 1F1B; sharded gradients take less room and
/// more traffic; a slower host or ranks that differ more never make a step faster, and captured steps do not wait for the host.
#[test]
fn what_frameworks_add_and_schedules_save() {
    let workload = training("llama-3.1-70b-bf16");
    let layout = TrainingLayout { tp: 2, cp: 1, ep: 1, dp: 4, pp: 8, micro_batch: 1, interleave: 1, overlap: 1, recompute: Recompute::Layers };
    let step = |change: &dyn Fn(&mut TrainingSpec)| {
        let mut workload = workload.clone();
        change(&mut workload);
        with_task(&supernode("hgx-h100-ib-64"), &workload, &request("tp=2,dp=4,pp=8"), |task| {
            train_step(task, &workload.training, &LayersByClock::new(task, [2, 1, 1, 1]), layout)
        })
    };
    let plain = step(&|_| ());
    let filled = [PipelineSchedule::ZeroBubble, PipelineSchedule::DualPipe].map(|schedule| step(&move |spec| spec.training.schedule = schedule));
    assert!(filled[0].bubble < plain.bubble && filled[1].bubble < filled[0].bubble, "{:?} {:?}", plain.bubble, filled.map(|step| step.bubble));
    let sharded = step(&|spec| spec.training.shard_gradients = true);
    assert!(sharded.memory.gradients < plain.memory.gradients && sharded.activity.sent > plain.activity.sent);
    let apart = step(&|spec| (spec.training.shard_gradients, spec.training.shard_group) = (true, Some(2)));
    assert!(apart.memory.optimizer > sharded.memory.optimizer);
    let host = |kernel: f64, captured: Captured, spread: f64| {
        step(&move |spec| spec.training.host = Some(HostCosts { kernel: Figure::plain(Seconds::new(kernel)), captured, spread }))
    };
    let [fast, slow, captured] = [host(1e-6, Captured::Nothing, 0.0), host(1.0, Captured::Nothing, 0.0), host(1.0, Captured::Step, 0.0)];
    assert!(fast.time <= slow.time && captured.time <= fast.time && captured.forward.host == Seconds::ZERO);
    assert!(host(1e-6, Captured::Nothing, 0.05).time > fast.time);
    let muon = step(&|spec| spec.training.optimizer = Optimizer::Muon);
    assert!(muon.optimizer > plain.optimizer);
}

/// Every part of the model waits for the one before it and for its stage, in the order of 1F1B; the pipeline then ends where the closed form
/// says, each stage waits as long as it says, and the parts of a step add up to it.
#[test]
fn the_course_of_a_step_is_its_closed_form() {
    let workload = training("llama-3.1-70b-bf16");
    let steps = found(&supernode("hgx-h100-ib-64"), &workload, &TrainingRequest::default());
    assert!(steps.iter().any(|step| step.layout.pp == 8 && step.layout.interleave == 8));
    for step in &steps {
        let close = |a: Seconds, b: Seconds| (a.get() - b.get()).abs() <= 1e-9 * step.time.get();
        assert!(close(step.parts().into_iter().map(|part| part.1).sum(), step.time), "{}", step.layout);
        let moments = training_timeline(step);
        let end = moments.iter().map(|moment| moment.start + moment.time).fold(Seconds::ZERO, Seconds::max);
        assert!(close(end, step.time), "{}: {end:?} is not {:?}", step.layout, step.time);
        for stage in 0..step.layout.pp {
            let of = |events: &[PipelineEvent]| -> Seconds {
                let own = moments.iter().filter(|moment| moment.stage == stage && events.contains(&moment.event));
                own.map(|moment| moment.time).sum::<Seconds>() / step.pace.rest
            };
            let parts = step.parts().map(|part| part.1);
            assert!(close(of(&[PipelineEvent::Forward, PipelineEvent::Backward]), parts[0]), "{}", step.layout);
            assert!(close(of(&[PipelineEvent::Exposed]), parts[1]) && close(of(&[PipelineEvent::HandOver]), parts[2]), "{}", step.layout);
            assert!(close(of(&[PipelineEvent::Host]), parts[6]), "{}", step.layout);
            // What a stage waits for others at the end of a step, for the slowest rank.
            let waits = parts[3] + parts[7];
            assert!(close(of(&[PipelineEvent::Bubble]), waits), "{} stage {stage}: {:?} is not {waits:?}", step.layout, of(&[PipelineEvent::Bubble]));
        }
    }
}

/// Watts by part sum to the total and no part draws more than its rating; a token takes the machine's watts over its tokens a second.
#[test]
fn energy_of_a_training_token_is_conserved() {
    let found = train(&["train", "hgx-h100-ib-64", "--workload", "llama-3.1-70b-bf16", "--format", "json"]);
    let power = &found["power"];
    let (total, rated) = (power["total_w"].as_f64().unwrap(), power["rated_w"].as_f64().unwrap());
    let parts: f64 = power["by_part"].as_object().unwrap().values().map(|watts| watts.as_f64().unwrap()).sum();
    assert!((parts / total - 1.0).abs() < 1e-9 && total < rated, "{parts} of {total}, rated {rated}");
    let rate = found["best"]["tokens_per_s"].as_f64().unwrap();
    assert!((power["joules_per_token"].as_f64().unwrap() * rate / total - 1.0).abs() < 1e-9);
}

/// A better part never lowers the best rate: twice the operations, memory bandwidth, room or link rate, half the latency, alone and all at once.
#[test]
fn better_parts_never_train_slower() {
    type Change = fn(&mut Spec, f64);
    let changes: [Change; 5] = [
        |spec, by| {
            for peak in [Some(&mut spec.chip.compute.bf16), spec.chip.compute.fp8.as_mut()].into_iter().flatten() {
                peak.value = peak.value * by;
            }
        },
        |spec, by| spec.chip.memory.bandwidth.value = spec.chip.memory.bandwidth.value * by,
        |spec, by| spec.chip.memory.capacity.value = spec.chip.memory.capacity.value * by,
        |spec, by| spec.levels.iter_mut().for_each(|level| level.link.link.lane_rate.value = level.link.link.lane_rate.value * by),
        |spec, by| {
            for level in &mut spec.levels {
                for latency in [&mut level.link.link.serdes_latency, &mut level.link.link.fec_latency] {
                    latency.value = latency.value / by;
                }
            }
            spec.chip.io.endpoint_latency.value = spec.chip.io.endpoint_latency.value / by;
        },
    ];
    for (machine, name) in [("hgx-h100-ib-64", "llama-3.1-70b-bf16"), ("hgx-h100-ib-64", "qwen3-235b-bf16"), ("gb300-nvl72", "llama-3.1-70b-fp8")] {
        let (spec, workload) = (supernode(machine), training(name));
        let best = |spec: &Spec| found(spec, &workload, &TrainingRequest::default()).first().map_or(0.0, |step| 1.0 / step.time.get());
        let mut all = spec.clone();
        let mut rate = best(&spec);
        let alone = rate;
        for (index, change) in changes.iter().enumerate() {
            let mut one = spec.clone();
            change(&mut one, 1.1);
            assert!(best(&one) >= alone * (1.0 - 1e-12), "{machine}, {name}: change {index} lowers {alone}");
            change(&mut all, 2.0);
            let next = best(&all);
            assert!(next >= rate * (1.0 - 1e-12), "{machine}, {name}: change {index} after others lowers {rate} to {next}");
            rate = next;
        }
    }
}

/// Sequences twice as long, half as many in a micro-batch and a step: the same tokens, and more to look back at. No layout gets faster at
/// the highest clock. Under a power limit attention's kernels, which draw less than products, let the clock rise: by half a percent here.
#[test]
fn longer_context_never_trains_faster() {
    let machines = [("hgx-h100-ib-64", "llama-3.1-70b-bf16"), ("gb300-nvl72", "qwen3-235b-bf16")];
    for ((machine, name), (limit, slack)) in machines.into_iter().flat_map(|machine| [(machine, (10.0, 1e-12)), (machine, (1.0, 0.005))]) {
        let (mut spec, short) = (supernode(machine), training(name));
        spec.chip.power.tdp.value = spec.chip.power.tdp.value * limit;
        let mut long = short.clone();
        (long.training.sequence, long.training.global_batch) = (short.training.sequence * 2, short.training.global_batch / 2);
        let open = TrainingRequest::default();
        let of = |workload: &TrainingSpec, layout: TrainingLayout| {
            with_task(&spec, workload, &open, |task| {
                let layers = LayersByClock::new(task, [layout.tp, layout.cp, layout.ep, layout.micro_batch]);
                train_step(task, &workload.training, &layers, layout).time
            })
        };
        let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
        let two = layouts(&short.training, &short.model, fabric.chips, &request("micro_batch=2,recompute=0"));
        for layout in two.into_iter().step_by(5).filter(|layout| long.training.global_batch.is_multiple_of(layout.dp)) {
            let (before, after) = (of(&short, layout), of(&long, TrainingLayout { micro_batch: 1, ..layout }));
            assert!(after >= before * (1.0 - slack), "{layout}: {before:?} became {after:?} at {limit} times the limit");
        }
    }
}

#[test]
fn threads_change_nothing() {
    let with = |threads: &str| {
        let arguments = ["train", "hgx-h100-ib-64", "--workload", "qwen3-235b-bf16", "--format", "json", "--explain", "--threads", threads];
        Project::new("train-threads").run(&arguments).output()
    };
    assert_eq!(with("1"), with("2"));
}
