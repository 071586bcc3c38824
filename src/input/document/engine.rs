//! `topologies/parts/engines/*.toml`: what a serving engine adds to the kernels of a pass.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Origin;
use crate::units::{Figure, Ratio, Seconds};

/// A serving engine: its host's share of a pass, and how its kernels differ from those that the chip's constants were measured with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Gap between two kernels of a captured graph over the chip's: below one where kernels are launched before their predecessor ends or
    /// are fused, above one where there are more of them.
    /// As the chip's if absent.
    #[schemars(extend("x-range" = [0.001, 100.0]))]
    pub gap: Option<Figure<Ratio>>,
    /// Of the compute efficiency of the chip's matrix kernels, the share that this engine's reach; all of it if absent.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub matrix: Option<Figure<Ratio>>,
    /// Host time that a pass waits for, for each sequence of an attention group: batch assembly, sampling, detokenising.
    pub sequence: Figure<Seconds>,
    /// Host time to launch the kernels of a layer with a dense block one by one, where a pass with prompts runs outside captured graphs.
    /// The host runs ahead: the slower of it and the kernels counts.
    pub dense_layer: Figure<Seconds>,
    /// Host time that kernels wait for in a layer with experts of such a pass, since the host waits for counts of tokens; as
    /// `dense_layer` if absent.
    pub expert_layer: Option<Figure<Seconds>>,
}
