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
        Drawing::Svg => svg::draw(spec, fabric, None),
    }
}

/// Draws a supernode as SVG, links coloured by load. `loads` has one value for each level: the load of its most loaded links over the load of
/// the most loaded links of the machine.
#[must_use]
pub fn draw_loads(spec: &Spec, fabric: &Fabric, loads: &[f64]) -> String {
    svg::draw(spec, fabric, Some(loads))
}

/// Colours of planes, told apart by most eyes (M. Okabe and K. Ito, Color Universal Design, 2008).
const COLOURS: [&str; 8] = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c6d1f", "#555555"];

fn colour(plane: usize) -> &'static str {
    COLOURS[plane % COLOURS.len()]
}

/// Colours of loads, a fifth each, from idle to the most loaded (diverging scheme of C. Brewer's ColorBrewer).
const LOADS: [&str; 5] = ["#4575b4", "#91bfdb", "#fdae61", "#f46d43", "#d73027"];

fn load_colour(load: f64) -> &'static str {
    let bounds = [0.2, 0.4, 0.6, 0.8];
    LOADS[bounds.iter().filter(|bound| load > **bound).count()]
}
