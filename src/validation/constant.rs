//! A constant of a part file that measurements can fix.

use crate::units::{Figure, Quantity};

/// A figure of any quantity.
pub trait Constant {
    /// SI value.
    fn get(&self) -> f64;
    /// Replaces it.
    fn set(&mut self, si: f64);
}

impl<Q: Quantity> Constant for Figure<Q> {
    fn get(&self) -> f64 {
        self.value.si()
    }
    fn set(&mut self, si: f64) {
        self.value = Q::from_si(si);
    }
}

/// A constant of a family.
pub struct Named<'a> {
    /// Its key in the family's table.
    pub name: &'static str,
    /// Unit in the part file and its SI value; empty for a pure number.
    pub unit: (&'static str, f64),
    /// Nothing above makes sense.
    pub highest: f64,
    /// The figure.
    pub figure: &'a mut dyn Constant,
}

/// A time in microseconds.
pub fn time<'a>(name: &'static str, figure: &'a mut dyn Constant) -> Named<'a> {
    Named { name, unit: ("us", 1e-6), highest: 1.0, figure }
}

/// A time in nanoseconds.
pub fn nanoseconds<'a>(name: &'static str, figure: &'a mut dyn Constant) -> Named<'a> {
    Named { name, unit: ("ns", 1e-9), highest: 1e-3, figure }
}

/// A share of one.
pub fn share<'a>(name: &'static str, figure: &'a mut dyn Constant) -> Named<'a> {
    Named { name, unit: ("", 1.0), highest: 1.0, figure }
}

/// A rate in GB/s.
pub fn rate<'a>(name: &'static str, figure: &'a mut dyn Constant) -> Named<'a> {
    Named { name, unit: ("GB/s", 1e9), highest: 1e13, figure }
}
