//! Ranks that share sequences: what they exchange, hold and gain.

use supernode::execution::{Machine, Mapping};
use supernode::fabric;
use supernode::input::document::Precision;
use supernode::input::spec::{load_supernode, load_workload_with};
use supernode::network::Network;
use supernode::serving::{best_batch, decode_at, prefill_at};
use supernode::workload::{AttentionBatch, sequence_exchange, split_attention};

/// DeepSeek-R1: 1 536 compressed query and 512 + 64 cache elements a token, 128 heads of 128 values. Eight ranks share a prompt of 4 096
/// tokens: each has 512 of them, sends 2 112 elements of each to every other, and gets 16 heads' outputs back as it sends those of its own
/// heads: 512 x 2 048 elements a pair. Four sequences that make a token each: half a token a rank, queries of 128 x 576 elements in 16
/// bit there, outputs of 128 x 512 in 32 bit back.
#[test]
fn latent_attention_gathers_what_is_narrow() {
    let model = load_workload_with("deepseek-r1-cloudmatrix", None).unwrap_or_else(|problems| panic!("{problems}")).model;
    let attention = &model.layer[0].attention;
    let prompt = AttentionBatch { sequences: 1.0, new_tokens: 4096.0, context: 2048.0, prefill: true };
    let [there, back] = sequence_exchange(attention, [1, 8], &prompt);
    assert_eq!([there.get(), back.get()], [512.0 * 2112.0 * 2.0, 512.0 * 2048.0 * 2.0]);
    let token = AttentionBatch { sequences: 4.0, new_tokens: 1.0, context: 65_536.0, prefill: false };
    let [there, back] = sequence_exchange(attention, [1, 8], &token);
    assert_eq!([there.get(), back.get()], [0.5 * 128.0 * 576.0 * 2.0, 0.5 * 128.0 * 512.0 * 4.0]);
}

/// Sharing divides work and loses none: eight ranks do the operations of one, but for what each rank repeats for fewer key and value heads
/// than ranks (Llama's 8 go round evenly).
#[test]
fn ranks_together_do_what_one_does() {
    let workload = load_workload_with("deepseek-r1-cloudmatrix", None).unwrap_or_else(|problems| panic!("{problems}"));
    let mut precisions = workload.workload.precision;
    precisions.weights = Precision::Bf16;
    for name in ["deepseek-r1", "llama-3.1-70b", "step-3"] {
        let model = load_workload_with("deepseek-r1-cloudmatrix", Some(name)).unwrap_or_else(|problems| panic!("{problems}")).model;
        let attention = &model.layer[0].attention;
        for prefill in [false, true] {
            let batch = AttentionBatch { sequences: 8.0, new_tokens: if prefill { 512.0 } else { 1.0 }, context: 8192.0, prefill };
            let flop = |sp| {
                split_attention(attention, model.hidden, &precisions, [1, sp], &[batch])
                    .iter()
                    .map(|operator| operator.work.flop().get())
                    .sum::<f64>()
            };
            // A latent cache is expanded by heads in prefill, absorbed for all heads of a rank's tokens in decode.
            let together = 8.0 * flop(8);
            assert!(together >= flop(1) * 0.999, "{name}: {together} is less than {}", flop(1));
            assert!(prefill || name == "deepseek-r1" || together <= flop(1) * 1.001, "{name}: {together} is more than {}", flop(1));
        }
    }
}

/// A million tokens of DeepSeek-R1 are 70 GB in each of one rank's caches and do not fit beside the weights on a die of 910C; over 16 ranks
/// they do. And a long prompt that one rank reads in so long is read sooner by eight.
#[test]
fn long_sequences_fit_and_long_prompts_end_sooner() {
    let spec = load_supernode("cloudmatrix384").unwrap_or_else(|problems| panic!("{problems}"));
    let mut workload = load_workload_with("deepseek-r1-cloudmatrix", None).unwrap_or_else(|problems| panic!("{problems}"));
    workload.workload.decode.as_mut().expect("it decodes").context.set(1_000_000);
    workload.workload.prefill.as_mut().expect("it reads prompts").prompt.set(65_536);
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let machine = Machine::new(&network, &spec.library, &spec.chip, &workload);
    let mapping = |sp: u32| Mapping { ep: 256, dp: 256 / sp, sp, ..Mapping::ONE };
    let decode = workload.workload.decode.as_ref().expect("it decodes");
    assert!(best_batch(&machine, decode, mapping(1), 1).is_err());
    let shared = best_batch(&machine, decode, mapping(16), 1).unwrap_or_else(|no| panic!("{no}"));
    assert!(shared.batch >= 1.0 && shared.latency() <= decode.tpot_limit.value);
    let prefill = workload.workload.prefill.as_ref().expect("it reads prompts");
    let read = |sp: u32| prefill_at(&machine, prefill, mapping(sp), 1.0, 1).unwrap_or_else(|no| panic!("{no}")).latency();
    let gain = read(1) / read(8);
    assert!(gain > 3.0 && gain < 8.0, "{gain}");
    // One sequence of a group alone: attention gets shorter with ranks, its exchange stands in the step.
    let one = |sp: u32| decode_at(&machine, decode, mapping(sp), 1, 1).step;
    assert!(one(16).time < one(1).time);
    assert!(
        one(16).stages.iter().any(|stage| stage.name == "sequence exchange") && one(1).stages.iter().all(|stage| stage.name != "sequence exchange")
    );
}
