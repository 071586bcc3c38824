//! `topologies/parts/chips/*.toml`: an accelerator package.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Origin;
use super::kernels::Kernels;
use super::precision::Precision;
use crate::units::{Bytes, BytesPerSecond, Figure, FlopPerSecond, Hertz, JoulesPerBit, JoulesPerFlop, Ratio, Seconds, Watts, render};

/// An accelerator package. All figures are for the whole package, all dies together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// Name people use.
    pub name: String,
    /// Maker.
    pub vendor: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Compute dies in the package.
    #[schemars(range(min = 1, max = 64))]
    pub dies: u32,
    /// Devices that software sees in one package: each is one rank of a model.
    #[schemars(range(min = 1, max = 64))]
    pub ranks: u32,
    /// Matrix cores (SMs, CUs, cube cores) that share the tiles of a GEMM, whole package.
    #[schemars(range(min = 1, max = 100_000))]
    pub cores: u32,
    /// Dense peak by number format.
    pub compute: Compute,
    /// High-bandwidth memory.
    pub memory: Memory,
    /// Last-level cache; absent where it makes no difference to repeated kernels.
    pub cache: Option<Cache>,
    /// Scale-up ports.
    pub io: ChipIo,
    /// Power.
    pub power: ChipPower,
    /// How far its kernels reach.
    pub kernels: Kernels,
}

/// Dense peak rates (no sparsity).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compute {
    /// BF16 and FP16.
    #[schemars(extend("x-positive" = true))]
    pub bf16: Figure<FlopPerSecond>,
    /// INT8; absent if there is no faster path than BF16.
    #[schemars(extend("x-positive" = true))]
    pub int8: Option<Figure<FlopPerSecond>>,
    /// FP8; absent if there is none.
    #[schemars(extend("x-positive" = true))]
    pub fp8: Option<Figure<FlopPerSecond>>,
    /// FP4; absent if there is none.
    #[schemars(extend("x-positive" = true))]
    pub fp4: Option<Figure<FlopPerSecond>>,
}

impl Compute {
    /// Peak of a format; narrower formats without a path of their own run at the rate of the next wider one.
    #[must_use]
    pub fn peak(&self, precision: Precision) -> FlopPerSecond {
        let rate = |figure: &Option<Figure<FlopPerSecond>>| figure.as_ref().map(|figure| figure.value);
        let bf16 = self.bf16.value;
        // An eight-bit deployment uses whichever eight-bit path the chip has.
        let eight = |first, second| rate(first).or_else(|| rate(second)).unwrap_or(bf16);
        match precision.computes_in() {
            Precision::Int8 => eight(&self.int8, &self.fp8),
            Precision::Fp8 => eight(&self.fp8, &self.int8),
            Precision::Fp4 => rate(&self.fp4).unwrap_or_else(|| eight(&self.fp8, &self.int8)),
            _ => bf16,
        }
    }
}

/// High-bandwidth memory.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Capacity.
    #[schemars(extend("x-positive" = true))]
    pub capacity: Figure<Bytes>,
    /// Peak bandwidth.
    #[schemars(extend("x-positive" = true))]
    pub bandwidth: Figure<BytesPerSecond>,
    /// Share of the capacity that weights and KV cache may fill; the rest is activations, buffers and the runtime.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub usable: Figure<Ratio>,
}

/// Last-level cache. A benchmark that repeats one kernel reads its weights from here where they fit; a model, which reads other weights in
/// between, does not.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Capacity.
    #[schemars(extend("x-positive" = true))]
    pub capacity: Figure<Bytes>,
    /// Rate at which all cores together read from it.
    #[schemars(extend("x-positive" = true))]
    pub bandwidth: Figure<BytesPerSecond>,
}

/// Scale-up ports.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipIo {
    /// Protocols that the ports of the scale-up fabric speak, by their parts; if absent, nothing is said of it, and `check` cannot find a
    /// mismatch.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// `SerDes` lanes for the scale-up fabric.
    #[schemars(range(min = 1, max = 4096))]
    pub lanes: u32,
    /// Lanes towards hosts, NICs and memory expanders (PCIe, C2C), beside those of the fabric; 0 if absent.
    #[serde(default)]
    #[schemars(range(max = 4096))]
    pub host_lanes: u32,
    /// Between ranks of the same package, one direction; absent for single-rank packages.
    #[schemars(extend("x-positive" = true))]
    pub die_to_die: Option<Figure<BytesPerSecond>>,
    /// From the core that asks to the first lane, and back on the other side.
    pub endpoint_latency: Figure<Seconds>,
    /// Bytes of loads and stores that the chip can have in flight to others: over a round trip it moves no more. Absent if that never
    /// holds it back, as where DMA engines copy.
    #[schemars(extend("x-positive" = true))]
    pub load_store_window: Option<Figure<Bytes>>,
}

/// Power of the package.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipPower {
    /// Powered and waiting.
    pub idle: Figure<Watts>,
    /// Beyond waiting, while kernels run at the highest clock, whatever they do: clocks at speed, schedulers, caches, stalled cores; none if
    /// absent.
    pub active: Option<Figure<Watts>>,
    /// Of `active`, the share that the chip draws while work is under way but kernels do not hold its cores: between kernels, while the host
    /// starts them, and while transfers that hold few cores are waited for. Clock and voltage stay up meanwhile. Nothing if absent.
    #[schemars(extend("x-range" = [0.0, 1.0]))]
    pub between_kernels: Option<Figure<Ratio>>,
    /// Sustained limit.
    #[schemars(extend("x-positive" = true))]
    pub tdp: Figure<Watts>,
    /// A lower limit that the operator sets; the sustained limit if absent.
    #[schemars(extend("x-positive" = true))]
    pub cap: Option<Figure<Watts>>,
    /// The clocks between which the chip chooses to keep to its limit; absent for a chip with one clock, which rests for a part of the time.
    pub clock: Option<Clock>,
    /// Per operation at BF16 on values like those of a model, at the highest clock; 8-bit formats take half of it, 4-bit a quarter.
    pub energy_per_flop: Figure<JoulesPerFlop>,
    /// Of that energy, the share that goes with operands whose bits change; the rest is spent on zeros too. All of it if absent.
    #[schemars(extend("x-range" = [0.0, 1.0]))]
    pub toggling: Option<Figure<Ratio>>,
    /// Per bit moved between memory and cores: cell, interface, and the way through the caches.
    pub memory_energy: Figure<JoulesPerBit>,
    /// Per bit sent or received on the scale-up ports.
    pub io_energy: Figure<JoulesPerBit>,
}

/// Clocks of the matrix cores, and how the voltage follows them: constant up to the knee, from there on in a straight line.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Highest, at which short kernels run.
    #[schemars(extend("x-positive" = true))]
    pub highest: Figure<Hertz>,
    /// Lowest at which the chip works.
    #[schemars(extend("x-positive" = true))]
    pub lowest: Figure<Hertz>,
    /// From here up the voltage rises.
    #[schemars(extend("x-positive" = true))]
    pub knee: Figure<Hertz>,
    /// Voltage up to the knee, as a share of that at the highest clock.
    #[schemars(extend("x-range" = [0.1, 1.0]))]
    pub lowest_voltage: Figure<Ratio>,
}

impl ChipPower {
    /// What running kernels draw beyond waiting, whatever they do.
    #[must_use]
    pub fn active(&self) -> Watts {
        self.active.as_ref().map_or(Watts::ZERO, |active| active.value)
    }

    /// Of that, what the chip draws while its cores wait for the next kernel of work under way.
    #[must_use]
    pub fn between_kernels(&self) -> Watts {
        self.active() * self.between_kernels.as_ref().map_or(0.0, |share| share.value.get())
    }

    /// Energy of an operation on zeros over that on values like those of a model.
    #[must_use]
    pub fn on_zeros(&self) -> f64 {
        1.0 - self.toggling.as_ref().map_or(1.0, |share| share.value.get())
    }

    /// The limit in force.
    #[must_use]
    pub fn limit(&self) -> Watts {
        self.cap.as_ref().map_or(self.tdp.value, |cap| if cap.value < self.tdp.value { cap.value } else { self.tdp.value })
    }

    /// What is impossible about it.
    ///
    /// # Errors
    /// A limit that leaves nothing to work with, or clocks in the wrong order.
    pub fn check(&self) -> Result<(), String> {
        let idle = self.idle.value;
        if self.tdp.value <= idle {
            return Err(format!("`tdp` is {}, no more than the {} that the chip draws waiting", render(self.tdp.value), render(idle)));
        }
        if let Some(cap) = self.cap.as_ref().filter(|cap| cap.value <= idle) {
            return Err(format!("the cap of {} is no more than the {} that the chip draws waiting", render(cap.value), render(idle)));
        }
        match &self.clock {
            Some(clock) if clock.lowest.value > clock.highest.value => {
                Err(format!("the lowest clock, {}, is above the highest, {}", render(clock.lowest.value), render(clock.highest.value)))
            }
            _ => Ok(()),
        }
    }
}
