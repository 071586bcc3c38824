//! The fabric as a picture. Large machines are drawn by groups: a picture of 8 192 chips has no more shapes than one of 64.

mod dot;
mod panel;
mod svg;

use crate::fabric::Fabric;
use crate::input::spec::Spec;

/// A picture language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawing {
    /// Graphviz.
    Dot,
    /// Scalable vector graphics.
    Svg,
}

/// Draws a supernode.
#[must_use]
pub fn draw(spec: &Spec, fabric: &Fabric, drawing: Drawing) -> String {
    match drawing {
        Drawing::Dot => dot::draw(spec, fabric),
        Drawing::Svg => svg::draw(spec, fabric),
    }
}

/// Colours of planes, told apart by most eyes (M. Okabe and K. Ito, Color Universal Design, 2008).
const COLOURS: [&str; 8] = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c6d1f", "#555555"];

fn colour(plane: usize) -> &'static str {
    COLOURS[plane % COLOURS.len()]
}
