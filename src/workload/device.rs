//! What one rank has of its chip.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::input::document::{Chip, ChipPower, Kernels, Precision};
use crate::units::{Bytes, BytesPerSecond, FlopPerSecond};

/// One rank: an equal share of a package.
#[derive(Clone, Debug)]
pub struct Device {
    /// Matrix cores.
    pub cores: f64,
    /// Memory bandwidth.
    pub memory_bandwidth: BytesPerSecond,
    /// Memory that weights and cache may fill.
    pub usable_memory: Bytes,
    /// Kernel constants, shared among all ranks that do not change them: a search makes many.
    pub kernels: CopyOnWrite<Kernels>,
    chip: Arc<Chip>,
    /// Share of the matrix cores that this rank has.
    core_share: f64,
    /// The cores' clock, as a share of the highest.
    clock: f64,
}

/// Footprint of a repeated walk, in capacities of the cache, from which on nothing of it is found there. Strictly least-recent replacement would have 1; on L40S and
/// RTX PRO 6000 attention kernels that read 1.4 times the capacity are as fast as memory (aiconfigurator, `generation_attention_perf`).
const GONE: f64 = 1.3;

/// A value that many hold and that is copied by whoever changes it.
#[derive(Clone, Debug)]
pub struct CopyOnWrite<T>(Arc<T>);

impl<T> Deref for CopyOnWrite<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for CopyOnWrite<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl Device {
    /// One rank of `chip`.
    #[must_use]
    pub fn new(chip: &Chip) -> Self {
        let ranks = f64::from(chip.ranks);
        Self {
            cores: f64::from(chip.cores) / ranks,
            memory_bandwidth: chip.memory.bandwidth.value / ranks,
            usable_memory: chip.memory.capacity.value * (chip.memory.usable.value.get() / ranks),
            kernels: CopyOnWrite(Arc::new(chip.kernels.clone())),
            chip: Arc::new(chip.clone()),
            core_share: 1.0,
            clock: 1.0,
        }
    }

    /// Dense peak of one rank.
    #[must_use]
    pub fn peak(&self, precision: Precision) -> FlopPerSecond {
        self.chip.compute.peak(precision) * (self.core_share * self.clock / f64::from(self.chip.ranks))
    }

    /// The same rank at a lower clock, a share of the highest. Memory and launches have clocks of their own.
    #[must_use]
    pub fn at_clock(&self, share: f64) -> Self {
        Self { clock: share, ..self.clone() }
    }

    /// The cores' clock, as a share of the highest.
    #[must_use]
    pub fn clock(&self) -> f64 {
        self.clock
    }

    /// Watts of the chip that the rank is on.
    #[must_use]
    pub fn power(&self) -> &ChipPower {
        &self.chip.power
    }

    /// Ranks of the chip that the rank is on.
    #[must_use]
    pub fn ranks_per_chip(&self) -> u32 {
        self.chip.ranks
    }

    /// A benchmark of a product repeats it over as many copies of its weights as fill the cache, five at most (aiconfigurator,
    /// `collector/trtllm/collect_gemm.py`).
    pub fn repeat_product(&mut self, weight_bytes: f64, bytes: f64) {
        let Some(cache) = &self.chip.cache else { return };
        let copies = (cache.capacity.value.get() / weight_bytes).ceil().clamp(1.0, 5.0);
        self.repeat((copies - 1.0) * weight_bytes + bytes);
    }

    /// A benchmark that goes over `footprint` bytes again and again: memory and cache answer in turn.
    pub fn repeat(&mut self, footprint: f64) {
        self.memory_bandwidth = BytesPerSecond::new(1.0 / self.seconds_per_byte(footprint, self.memory_bandwidth.get()));
    }

    /// Seconds a byte of what was used `footprint` bytes ago: from the last-level cache, or from memory at `memory` bytes a second.
    ///
    /// A benchmark walks its footprint in the same order again and again. What exceeds the capacity pushes lines out shortly before their next use, so that hits
    /// end soon beyond it: at [`GONE`] times the capacity none is left.
    #[must_use]
    pub(super) fn seconds_per_byte(&self, footprint: f64, memory: f64) -> f64 {
        let Some(cache) = &self.chip.cache else { return 1.0 / memory };
        let excess = footprint / cache.capacity.value.get() - 1.0;
        let missed = (excess / (GONE - 1.0)).clamp(0.0, 1.0);
        missed / memory + (1.0 - missed) / cache.bandwidth.value.get()
    }

    /// The same rank with only a share of its matrix cores, while another stream has the rest. Memory is shared as it comes.
    #[must_use]
    pub fn with_cores(&self, share: f64) -> Self {
        let mut part = self.clone();
        part.cores *= share;
        part.core_share *= share;
        part
    }
}
