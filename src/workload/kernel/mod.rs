//! How long a kernel takes on one rank. One form for each family, with few constants that the chip's file gives; the forms and the
//! constants of measured chips come from fits on kernel timings (docs/model/kernels.md).
//!
//! | question | file |
//! | --- | --- |
//! | which families are there? | the list in `mod.rs` |
//! | what must a family state? | `family.rs` |
//! | what does a family compute, and how long does it take? | one file each: `gemm.rs`, `attention.rs` (with `prompts.rs`, `gather.rs`), `experts.rs`, `delta.rs`, `stream.rs` |
//! | how long does an operator of a model take? | `timing.rs` |
//! | which kernels does no measurement back? | `evidence.rs` |

mod attention;
mod attention_work;
mod delta;
mod evidence;
mod experts;
mod family;
mod gather;
mod gemm;
mod norm;
mod prompts;
mod roofline;
mod stream;
mod timing;

pub use attention::takes_single_heads;
pub use attention_work::{AttentionWork, Chosen};
pub use delta::RecurrenceWork;
pub use evidence::cautions;
pub use experts::{ExpertWork, GroupedRows, grouped_time, low_latency_time, padded_rows};
pub use family::{InputFrom, KeptInput, KernelFamily};
pub use gemm::{GemmWork, gemm_time};
pub use roofline::roofline_time;
pub use stream::StreamWork;
pub use timing::{time, time_and_body, undone_time};

use super::device::Device;
use crate::input::document::Precision;
use crate::units::{Bytes, Flop, Seconds};

/// Makes [`Work`] of a list of families, and passes every question about it on to the family.
macro_rules! families {
    ($($(#[doc = $meaning:literal])* $name:ident($work:ty)),* $(,)?) => {
        /// What a kernel does.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Work {
            $($(#[doc = $meaning])* $name($work),)*
        }

        /// The families, without their work.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FamilyName {
            $($(#[doc = $meaning])* $name,)*
        }

        impl FamilyName {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }

        impl Work {
            /// Operations, without padding.
            #[must_use]
            pub fn flop(&self) -> Flop {
                match self { $(Self::$name(work) => work.flop()),* }
            }

            /// Bytes to and from memory.
            #[must_use]
            pub fn bytes(&self) -> Bytes {
                match self { $(Self::$name(work) => work.bytes()),* }
            }

            /// Number format of the multipliers; BF16 for work without any.
            #[must_use]
            pub fn precision(&self) -> Precision {
                match self { $(Self::$name(work) => work.precision()),* }
            }

            /// Kernels that a host starts for it when a model is served and no captured graph does.
            #[must_use]
            pub fn kernels(&self) -> u32 {
                match self { $(Self::$name(work) => work.kernels()),* }
            }

            fn time(&self, device: &Device, gap: Seconds) -> Seconds {
                match self { $(Self::$name(work) => work.time(device, gap)),* }
            }

            fn time_and_body(&self, device: &Device, gap: Seconds) -> [Seconds; 2] {
                match self { $(Self::$name(work) => work.time_and_body(device, gap)),* }
            }

            /// The kernels that undo it in training. Each element of a gradient has `gradient_bytes`.
            #[must_use]
            pub fn undone(&self, gradient_bytes: f64) -> Vec<Self> {
                let sum = |summed: Option<Bytes>| summed.map(|bytes| Self::Stream(StreamWork { bytes }));
                match self {
                    $(Self::$name(work) => {
                        let undone = work.undone(gradient_bytes);
                        undone.kernels.into_iter().map(Self::$name).chain(sum(undone.summed)).collect()
                    })*
                }
            }

            fn undone_time(&self, device: &Device, gap: Seconds, gradient_bytes: f64) -> Seconds {
                match self { $(Self::$name(work) => work.undone_time(device, gap, gradient_bytes)),* }
            }

            /// Bytes of its input that one forward pass keeps for the backward pass.
            #[must_use]
            pub fn kept(&self, input: &KeptInput<'_>) -> Bytes {
                match self { $(Self::$name(work) => work.kept(input)),* }
            }

            /// Which kernels make its input again.
            #[must_use]
            pub fn input_from(&self) -> InputFrom {
                match self { $(Self::$name(work) => work.input_from()),* }
            }

            /// Kernels that a training framework starts for it.
            #[must_use]
            pub fn started_in_training(&self) -> f64 {
                match self { $(Self::$name(work) => work.started_in_training()),* }
            }

            /// Keys and values that ranks which share sequences of `sequence` tokens send each other.
            #[must_use]
            pub fn keys_and_values(&self, sequence: f64) -> Bytes {
                match self { $(Self::$name(work) => work.keys_and_values(sequence)),* }
            }

            /// Whether it is attention over the tokens ahead.
            #[must_use]
            pub fn over_context(&self) -> bool {
                match self { $(Self::$name(work) => work.over_context()),* }
            }

            /// Whether it multiplies by weights.
            #[must_use]
            pub fn has_weights(&self) -> bool {
                match self { $(Self::$name(work) => work.has_weights()),* }
            }
        }
    };
}

families! {
    /// Independent products of activations with weights.
    Gemm(GemmWork),
    /// Attention of sequences over their caches.
    Attention(AttentionWork),
    /// The routed experts of one rank.
    Experts(ExpertWork),
    /// Linear attention that carries a state from token to token.
    Recurrence(RecurrenceWork),
    /// Reads and writes without matrix work: norms, activations, residuals.
    Stream(StreamWork),
}
