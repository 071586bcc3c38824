//! A model as a list of operators, and how long each takes on one rank. Knows chips, not fabrics.
//!
//! Uses `input` and `units`; does not know `fabric`. Must never hold: links, transfers, mappings over ranks.
//!
//! | question | file |
//! | --- | --- |
//! | what does an attention block compute and read? | `attention/` |
//! | what does a feed-forward block or an expert layer? | `ffn.rs` |
//! | what does a video diffusion transformer compute? | `video.rs` |
//! | how many parameters, cache bytes, operations a token? | `totals.rs` |
//! | how long does a kernel take? | `kernel/` |

mod attention;
mod device;
mod ffn;
pub mod kernel;
mod operator;
mod routing;
mod totals;
mod video;

pub use attention::{
    AttentionBatch, attention_block, cache_bytes_per_token, can_split, latent_cache, layer_attention, prompt_cache_per_token, sequence_cache,
    sequence_exchange, split_attention,
};
pub use device::Device;
pub use ffn::{ExpertLoad, dense_block, expert_block, expert_slots, gate, head, shared_block};
pub use kernel::{AttentionWork, Chosen, ExpertWork, FamilyName, GemmWork, RecurrenceWork, StreamWork, Work};
pub use operator::Operator;
pub use routing::{RoutedTokens, distinct_tokens};
pub use totals::{ParameterParts, Totals, attention_weights, embedding_weights, expert_weights, ffn_weights, shared_weights, totals, tower_weights};
pub use video::{sequence, video_block, video_flop, video_weights};
