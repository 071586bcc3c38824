//! One chip on every fabric, so that only the interconnect differs.

use crate::input::document::{Chip, ChipIo};
use crate::input::spec::Spec;

/// The same chip under the same software on every fabric, so that only the interconnect differs: every design takes the compute, memory,
/// kernels and power of `first`'s chip, its communication library and its serving engine, and keeps its own ports and hosts.
#[must_use]
pub fn with_chip_of(spec: &Spec, first: &Spec) -> Spec {
    let io = ChipIo { die_to_die: first.chip.io.die_to_die.clone(), ..spec.chip.io.clone() };
    let chip = Chip { io, ..first.chip.clone() };
    let edited = spec.edited || spec.id != first.id;
    Spec { chip, chip_part: first.chip_part.clone(), library: first.library.clone(), engine: first.engine.clone(), edited, ..spec.clone() }
}
