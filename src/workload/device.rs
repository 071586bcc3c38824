//! What one rank has of its chip.

use crate::input::document::{Chip, Kernels, Precision};
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
    /// Kernel constants.
    pub kernels: Kernels,
    chip: Chip,
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
            kernels: chip.kernels.clone(),
            chip: chip.clone(),
        }
    }

    /// Dense peak of one rank.
    #[must_use]
    pub fn peak(&self, precision: Precision) -> FlopPerSecond {
        self.chip.compute.peak(precision) / f64::from(self.chip.ranks)
    }

    /// The same rank with only a share of its matrix cores, while another stream has the rest. Memory is shared as it comes.
    #[must_use]
    pub fn with_cores(&self, share: f64) -> Self {
        let mut part = self.clone();
        part.cores *= share;
        for figure in
            [Some(&mut part.chip.compute.bf16), part.chip.compute.int8.as_mut(), part.chip.compute.fp8.as_mut(), part.chip.compute.fp4.as_mut()]
                .into_iter()
                .flatten()
        {
            figure.value = figure.value * share;
        }
        part
    }
}
