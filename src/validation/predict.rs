//! The list of quantities that a case may name, with the meaning of each and the function that predicts it.

use super::bench::Bench;
use super::quantity::MeasuredQuantity;
use super::{fabric, fleet, kernels, phase, power, serving, training, transfer};
use crate::input::cases::Case;
use crate::input::problem::suggest;
use crate::network::Pricing;

/// Quantities that are not of one family of kernels; those are in `kernels/`.
const OTHERS: &[MeasuredQuantity] = &[
    MeasuredQuantity { name: "collective", meaning: "a call of the communication library, as nccl-tests times it", predict: transfer::collective },
    MeasuredQuantity { name: "captured_all_reduce", meaning: "an engine's all-reduce inside a captured graph", predict: transfer::captured },
    MeasuredQuantity { name: "exchange", meaning: "tokens to experts, or back", predict: transfer::exchange },
    MeasuredQuantity {
        name: "sustained_product",
        meaning: "matrix multiplication that is repeated until the chip's clock has settled: operations a second, or watts",
        predict: power::sustained_product,
    },
    MeasuredQuantity { name: "tpot", meaning: "time per output token of one decode instance", predict: phase::decode },
    MeasuredQuantity { name: "decode_rate", meaning: "output tokens a second and chip", predict: phase::decode },
    MeasuredQuantity {
        name: "decode_best",
        meaning: "output tokens a second and chip with the best mapping and batch within the workload's TPOT limit",
        predict: phase::best,
    },
    MeasuredQuantity { name: "decode_layer", meaning: "one expert layer of a decode step, all micro-batches", predict: phase::decode },
    MeasuredQuantity { name: "decode_overlap_gain", meaning: "output tokens gained by micro-batches", predict: phase::decode },
    MeasuredQuantity {
        name: "decode_overlap_ratio",
        meaning: "output tokens with micro-batches over those without, which may be fewer",
        predict: phase::decode,
    },
    MeasuredQuantity { name: "decode_layer_saving", meaning: "layer time saved by micro-batches", predict: phase::decode },
    MeasuredQuantity { name: "speculation_gain", meaning: "output tokens gained by speculation", predict: phase::decode },
    MeasuredQuantity { name: "prefill_rate", meaning: "prompt tokens a second and chip", predict: phase::prefill },
    MeasuredQuantity { name: "prefill_overlap_gain", meaning: "prompt tokens gained by micro-batches", predict: phase::prefill },
    MeasuredQuantity { name: "prefix_gain", meaning: "prompts a second gained by a prefix cache in pooled host memory", predict: phase::prefixes },
    MeasuredQuantity { name: "prefix_ttft_saving", meaning: "time to first token saved by it", predict: phase::prefixes },
    MeasuredQuantity {
        name: "serving_tpot",
        meaning: "time per output token of an engine that prefills on the same chips",
        predict: serving::serving,
    },
    MeasuredQuantity { name: "serving_ttft", meaning: "time to first token of such an engine", predict: serving::serving },
    MeasuredQuantity { name: "serving_gap", meaning: "median time between two tokens of a request of such an engine", predict: serving::serving },
    MeasuredQuantity { name: "serving_rate", meaning: "output tokens a second of such an engine", predict: serving::serving },
    MeasuredQuantity { name: "serving_power", meaning: "watts of its chips, without hosts and fabric", predict: serving::serving },
    MeasuredQuantity { name: "serving_energy", meaning: "joules of its chips for an output token", predict: serving::serving },
    MeasuredQuantity { name: "unseen_tpot", meaning: "as serving_tpot, of models or formats that no engine's fit uses", predict: serving::serving },
    MeasuredQuantity { name: "unseen_ttft", meaning: "as serving_ttft, of such models or formats", predict: serving::serving },
    MeasuredQuantity {
        name: "disaggregated_tpot",
        meaning: "time per output token where instances of their own read the prompts",
        predict: fleet::disaggregated,
    },
    MeasuredQuantity { name: "disaggregated_ttft", meaning: "time to first token of the same", predict: fleet::disaggregated },
    MeasuredQuantity {
        name: "serving_trace",
        meaning: "a figure of a run that was measured request by request: see docs/serving.md",
        predict: fleet::trace,
    },
    MeasuredQuantity {
        name: "training_step",
        meaning: "a training step: its time, or tokens or model operations a second and chip, or their share of the peak",
        predict: training::step,
    },
    MeasuredQuantity {
        name: "training_layers",
        meaning: "forward and backward of some expert layers for one micro-batch",
        predict: training::layers,
    },
    MeasuredQuantity { name: "training_power", meaning: "watts of the whole machine while it trains", predict: training::step },
    MeasuredQuantity {
        name: "power",
        meaning: "watts of the whole machine at its racks, every part at its rating or waiting",
        predict: power::machine,
    },
    MeasuredQuantity {
        name: "exchange_limit",
        meaning: "time per output token if nothing but the exchange took time",
        predict: transfer::exchange_limit,
    },
    MeasuredQuantity {
        name: "oversubscription",
        meaning: "capacity towards the chips over capacity towards the next tier",
        predict: fabric::oversubscription,
    },
    MeasuredQuantity {
        name: "node_boundary",
        meaning: "one-way latency that a pair in different nodes has more than one in the same node",
        predict: fabric::node_boundary,
    },
    MeasuredQuantity { name: "node_loss", meaning: "bandwidth that a pair in different nodes has less", predict: fabric::node_loss },
];

/// Every quantity that a case may name.
pub fn quantities() -> impl Iterator<Item = &'static MeasuredQuantity> + Clone {
    kernels::families().flat_map(|family| family.quantities).chain(OTHERS)
}

impl Bench<'_> {
    /// Predicts each case, or says why not.
    #[must_use]
    pub fn predict_all(&mut self, cases: &[&Case]) -> Vec<Result<f64, String>> {
        let library = self.parts.library.clone();
        let mut pricing = Pricing::new(self.network, &library);
        cases
            .iter()
            .map(|case| match quantities().find(|known| known.name == case.quantity) {
                Some(quantity) => (quantity.predict)(self, &mut pricing, case),
                None if case.quantity == "unsupported" => Err(case.settings.optional("because").unwrap_or("no reason is given").to_owned()),
                None => {
                    let hint = suggest(&case.quantity, quantities().map(|known| known.name));
                    Err(format!("no quantity is named `{}`; {hint}", case.quantity))
                }
            })
            .collect()
    }
}
