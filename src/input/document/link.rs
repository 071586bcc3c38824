//! `topologies/parts/links/*.toml`: what a person plugs in, both directions together.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Origin};
use crate::units::{BytesPerSecond, Figure, JoulesPerBit, Metres, Ratio, Seconds, SecondsPerMetre, Watts};

/// A link: protocol x lanes x medium.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Protocol part: framing and coding.
    #[schemars(extend("x-part" = "protocol"))]
    pub protocol: At<String>,
    /// Lanes.
    #[schemars(range(min = 1, max = 1024))]
    pub lanes: u32,
    /// Signalling rate of one lane, one direction, before coding.
    #[schemars(extend("x-positive" = true))]
    pub lane_rate: Figure<BytesPerSecond>,
    /// Length of cable or trace.
    pub length: Figure<Metres>,
    /// Propagation.
    pub delay_per_metre: Figure<SecondsPerMetre>,
    /// Serialiser and deserialiser together.
    pub serdes_latency: Figure<Seconds>,
    /// Forward error correction, encode and decode together.
    pub fec_latency: Figure<Seconds>,
    /// Energy of both `SerDes`, per bit in one direction.
    pub serdes_energy: Figure<JoulesPerBit>,
    /// What carries the signal.
    pub medium: Medium,
}

/// What carries the signal.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Medium {
    /// Board trace or backplane.
    Trace {},
    /// Passive copper cable.
    Copper {},
    /// Copper cable with retimers in its ends, or a trace with retimer chips on the way.
    Retimed {
        /// Retimers on the way.
        #[schemars(range(min = 1, max = 8))]
        retimers: u32,
        /// Latency of one.
        retimer_latency: Figure<Seconds>,
        /// Power of one, for this link's share of its lanes.
        retimer_power: Figure<Watts>,
    },
    /// Fibre between two optical modules.
    Optical {
        /// What drives the light; absent if not known.
        technology: Option<Optics>,
        /// Links that share one module at each end.
        #[schemars(range(min = 1, max = 64))]
        links_per_module: u32,
        /// Power of one module.
        module_power: Figure<Watts>,
        /// Both modules together (a DSP adds most of it).
        module_latency: Figure<Seconds>,
        /// The optical circuit switch on the way, if there is one.
        circuit: Option<Box<Circuit>>,
    },
}

/// An optical circuit switch: a mirror, not a packet switch. It adds light path and loss, and no queue.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Circuit {
    /// Light path through the switch.
    pub latency: Figure<Seconds>,
    /// Insertion loss in dB, which the modules' link budget must cover.
    pub loss_db: Figure<Ratio>,
    /// Duplex circuits of one switch.
    #[schemars(range(min = 1, max = 10_000))]
    pub ports: u32,
    /// Power of one switch.
    pub power: Figure<Watts>,
}

/// What drives the light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Optics {
    /// A pluggable module that recovers the signal digitally; most of its power goes there.
    Dsp,
    /// A pluggable module with linear drivers: the switch's own `SerDes` does the recovery.
    Lpo,
    /// Optical engines beside the switch chip, in its package.
    Cpo,
}

impl Optics {
    /// The words for reports.
    #[must_use]
    pub fn modules(self) -> &'static str {
        match self {
            Self::Dsp => "optical modules, DSP",
            Self::Lpo => "optical modules, LPO",
            Self::Cpo => "optical engines, CPO",
        }
    }
}

impl Medium {
    /// The word for reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Trace {} => "trace",
            Self::Copper {} => "copper",
            Self::Retimed { .. } => "retimed copper",
            Self::Optical { circuit: None, .. } => "optical",
            Self::Optical { circuit: Some(_), .. } => "optical circuit",
        }
    }
}
