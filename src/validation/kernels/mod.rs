//! Kernels of one rank: one file for each family, with the quantities that can be measured of it and the constants that they fix.

mod attention;
mod delta;
mod experts;
mod gemm;
mod measured;

pub use measured::{KernelConstants, MeasuredFamily};

use crate::workload::FamilyName;

/// What is measured of each family.
pub fn families() -> impl Iterator<Item = &'static MeasuredFamily> + Clone {
    FamilyName::ALL.iter().map(|family| measured(*family))
}

/// A family that nobody can measure says so here.
fn measured(family: FamilyName) -> &'static MeasuredFamily {
    match family {
        FamilyName::Gemm => &gemm::MEASURED,
        FamilyName::Attention => &attention::MEASURED,
        FamilyName::Experts => &experts::MEASURED,
        FamilyName::Recurrence => &delta::MEASURED,
        // Norms and activations are measured inside whole blocks.
        FamilyName::Stream => &MeasuredFamily { quantities: &[], constants: &[] },
    }
}
