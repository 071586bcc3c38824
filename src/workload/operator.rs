//! One kernel of a model with its name.

use super::kernel::Work;

/// A kernel with its name for timelines and reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// What people call it.
    pub name: &'static str,
    /// What it does.
    pub work: Work,
    /// Whether a library with a fused kernel ahead of latent attention (MLAProlog) computes it there, with the norm before it.
    pub prolog: bool,
}

impl Operator {
    /// A kernel of its own.
    #[must_use]
    pub fn new(name: &'static str, work: Work) -> Self {
        Self { name, work, prolog: false }
    }

    /// The same as a part of the fused kernel ahead of latent attention, where the library has one.
    #[must_use]
    pub fn in_prolog(self) -> Self {
        Self { prolog: true, ..self }
    }
}
