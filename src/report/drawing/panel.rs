//! What one level looks like, before it has coordinates: rows of boxes and the lines between them.

use crate::fabric::payload_rate;
use crate::input::spec::{CustomEnd, CustomSpec, LevelSpec, PatternSpec, PcieTreeSpec};
use crate::network::LONG_MESSAGE;
use crate::units::render;

/// One level: a row of children below, rows of switches above, lines between.
pub struct Panel {
    /// "superpod: 128 x cabinet, rails, ub2-optical-x4".
    pub title: String,
    /// Second line: what is attached, what stands between.
    pub note: String,
    /// Rows of boxes, the children first.
    pub rows: Vec<PanelRow>,
    /// Lines between boxes.
    pub lines: Vec<PanelLine>,
}

/// Boxes side by side, or in a grid.
pub struct PanelRow {
    /// The boxes that are shown.
    pub boxes: Vec<PanelShape>,
    /// Boxes in one line of the grid.
    pub columns: usize,
    /// How many more of them there are.
    pub hidden: u64,
    /// Further dimensions of a grid, drawn as layers behind the first.
    pub layers: u32,
}

/// One box.
pub struct PanelShape {
    /// Up to two lines.
    pub label: [String; 2],
    /// Plane that gives the colour; `None` for chips and children.
    pub plane: Option<usize>,
}

/// A line between two boxes.
pub struct PanelLine {
    /// Row and position of one end.
    pub from: (usize, usize),
    /// Row and position of the other.
    pub to: (usize, usize),
    /// Plane that gives the colour.
    pub plane: usize,
    /// Whether it bends out of the way of the boxes between.
    pub bent: bool,
    /// Whether it leaves out boxes on the way.
    pub broken: bool,
}

/// Boxes of a row; a grid shows as many along each of two dimensions.
const MOST_IN_ROW: usize = 12;
const MOST_IN_GRID: u32 = 8;

/// What stands below a level.
pub struct Below<'a> {
    /// What a child is called.
    pub child: &'a str,
    /// Chips of a child.
    pub chips: u32,
    /// Planes that a child offers.
    pub planes: u32,
}

impl Below<'_> {
    /// Planes that a level offers to the one above.
    pub fn planes_above(&self, level: &LevelSpec) -> u32 {
        match &level.pattern {
            PatternSpec::Switch { planes, .. } | PatternSpec::Rail { planes, .. } => *planes,
            PatternSpec::Clos { leaf: Some(leaf), .. } => leaf.planes,
            PatternSpec::Clos { leaf: None, .. } => self.planes,
            _ if level.nic.is_some() => 1,
            PatternSpec::Dragonfly(_) | PatternSpec::PcieTree(_) | PatternSpec::Custom(_) => 1,
            PatternSpec::FullMesh | PatternSpec::Mesh { .. } | PatternSpec::Torus { .. } | PatternSpec::HyperX { .. } => self.planes,
        }
    }
}

/// Draws a level.
pub fn panel(level: &LevelSpec, below: &Below<'_>) -> Panel {
    let child = below.child;
    let title = format!("{}: {} x {child}, {}, {} ({})", level.name, level.size, words(level), level.link.id, level.link.link.medium.name());
    let mut notes = vec![rate(level)];
    notes.extend(level.nic.iter().map(|nic| format!("each chip through a {}", nic.id)));
    notes.extend(level.attach.iter().map(|attach| format!("{} x {} attached", attach.count, attach.id)));
    let mut panel = Panel { title, note: notes.join("; "), rows: Vec::new(), lines: Vec::new() };
    match &level.pattern {
        PatternSpec::Switch { part, planes, switches_per_plane, .. } => {
            panel.row(child, level.size, MOST_IN_ROW);
            panel.tier(&part.id, *switches_per_plane, *planes);
            panel.join_rows(0, 1);
        }
        PatternSpec::Clos { leaf: Some(leaf), spine, spines_per_plane, .. } => {
            panel.row(child, level.size, MOST_IN_ROW);
            panel.tier(&leaf.part.id, level.size / leaf.children_per_leaf, leaf.planes);
            panel.join_rows(0, 1);
            panel.tier(&spine.id, *spines_per_plane, leaf.planes);
            panel.join_planes(1, 2);
        }
        PatternSpec::Clos { leaf: None, spine, spines_per_plane, .. } => {
            panel.row(child, level.size, MOST_IN_ROW);
            panel.tier(&spine.id, *spines_per_plane, below.planes);
            panel.join_rows(0, 1);
        }
        PatternSpec::Rail { part, planes, spines, rails_per_switch } => {
            panel.row(child, level.size, MOST_IN_ROW);
            panel.named_row(below.chips / rails_per_switch, 6, |rail| {
                let name = if *rails_per_switch > 1 { format!("rails {} ...", rail * rails_per_switch) } else { format!("rail {rail}") };
                [name, format!("{planes} x {}", part.id)]
            });
            for (rail, shape) in panel.rows[1].boxes.iter_mut().enumerate() {
                shape.plane = Some(rail);
            }
            panel.join_rows(0, 1);
            if let Some(spines) = spines {
                panel.tier(&spines.part.id, spines.count, 1);
                panel.join_rows(1, 2);
            }
        }
        PatternSpec::FullMesh => {
            panel.row(child, level.size, MOST_IN_ROW);
            panel.join_all(0);
        }
        PatternSpec::HyperX { dimensions } => panel.grid(child, dimensions, &GridLines { all: true, closed: false }),
        PatternSpec::Mesh { dimensions } => panel.grid(child, dimensions, &GridLines { all: false, closed: false }),
        PatternSpec::Torus { dimensions, .. } => panel.grid(child, dimensions, &GridLines { all: false, closed: true }),
        PatternSpec::Dragonfly(dragonfly) => {
            let each = level.size / dragonfly.groups;
            panel.named_row(dragonfly.groups, MOST_IN_ROW, |group| {
                [format!("group {group}"), format!("{} x {}, {each} x {child}", dragonfly.routers_per_group, dragonfly.router.id)]
            });
            panel.join_all(0);
        }
        PatternSpec::PcieTree(tree) => {
            panel.row(child, level.size, MOST_IN_ROW);
            panel.tree(tree, level.size);
        }
        PatternSpec::Custom(custom) => {
            panel.row(child, level.size, MOST_IN_ROW);
            panel.custom(custom);
        }
    }
    panel
}

/// What a link of the level signals at and how much of it is payload, one way; and how many are drawn as one.
fn rate(level: &LevelSpec) -> String {
    let link = &level.link;
    let signalling = link.link.lane_rate.value * f64::from(link.link.lanes);
    let payload = payload_rate(link, LONG_MESSAGE);
    let parallel = if level.links > 1 { format!(", {} in parallel", level.links) } else { String::new() };
    format!("a link signals at {} and carries {} one way{parallel}", render(signalling), render(payload))
}

fn words(level: &LevelSpec) -> String {
    let by = |dimensions: &[u32]| dimensions.iter().map(u32::to_string).collect::<Vec<_>>().join(" x ");
    match &level.pattern {
        PatternSpec::Switch { planes: 1, .. } => "one tier of switches".to_owned(),
        PatternSpec::Switch { planes, .. } => format!("one tier of switches in {planes} planes"),
        PatternSpec::Clos { .. } => "leaf and spine".to_owned(),
        PatternSpec::FullMesh => "full mesh".to_owned(),
        PatternSpec::Mesh { dimensions } => format!("mesh {}", by(dimensions)),
        PatternSpec::Torus { dimensions, circuits: None } if dimensions.len() == 1 => "ring".to_owned(),
        PatternSpec::Torus { dimensions, circuits: None } => format!("torus {}", by(dimensions)),
        PatternSpec::Torus { dimensions, circuits: Some(circuits) } => {
            format!("torus {} of blocks {} joined by optical circuits", by(dimensions), by(&circuits.block))
        }
        PatternSpec::HyperX { dimensions } => format!("full mesh along each dimension of {}", by(dimensions)),
        PatternSpec::Dragonfly(_) => "dragonfly".to_owned(),
        PatternSpec::Rail { .. } => "rails".to_owned(),
        PatternSpec::PcieTree(_) => "PCIe tree".to_owned(),
        PatternSpec::Custom(_) => "custom links".to_owned(),
    }
}

struct GridLines {
    /// Every two points of a line, not only neighbours.
    all: bool,
    /// The ends of a line too.
    closed: bool,
}

impl Panel {
    fn row(&mut self, child: &str, size: u32, most: usize) {
        self.named_row(size, most, |number| [format!("{child} {number}"), String::new()]);
    }

    fn named_row(&mut self, size: u32, most: usize, label: impl Fn(u32) -> [String; 2]) {
        let shown = size.min(u32::try_from(most).unwrap_or(u32::MAX));
        let boxes: Vec<PanelShape> = (0..shown).map(|number| PanelShape { label: label(number), plane: None }).collect();
        self.rows.push(PanelRow { columns: boxes.len().max(1), boxes, hidden: u64::from(size - shown), layers: 1 });
    }

    /// A box for each plane with its switches.
    fn tier(&mut self, part: &str, switches: u32, planes: u32) {
        let shown = planes.min(8);
        let each = u64::from(switches);
        let boxes: Vec<PanelShape> = (0..shown)
            .map(|plane| {
                let name = if planes > 1 { format!("plane {plane}") } else { format!("{each} x") };
                let count = if planes > 1 { format!("{each} x {part}") } else { part.to_owned() };
                PanelShape { label: [name, count], plane: Some(plane as usize) }
            })
            .collect();
        self.rows.push(PanelRow { columns: boxes.len(), boxes, hidden: u64::from(planes - shown), layers: 1 });
    }

    /// Switches and hosts above a row of children.
    fn tree(&mut self, tree: &PcieTreeSpec, children: u32) {
        self.named_row(tree.switches, MOST_IN_ROW, |switch| [format!("switch {switch}"), tree.switch.id.clone()]);
        self.named_row(tree.hosts, MOST_IN_ROW, |host| [format!("host {host}"), tree.host.0.clone()]);
        self.join_tree(0, children / tree.switches);
        self.join_tree(1, tree.switches / tree.hosts);
        self.join_all(2);
    }

    /// Switches above a row of children, and the links that the file lists.
    fn custom(&mut self, custom: &CustomSpec) {
        let switches = u32::try_from(custom.switches.len()).unwrap_or(u32::MAX);
        self.named_row(switches, MOST_IN_ROW, |switch| [format!("switch {switch}"), custom.switches[switch as usize].id.clone()]);
        let place = |end: CustomEnd| match end {
            CustomEnd::Child(child) => (0, child as usize),
            CustomEnd::Switch(switch) => (1, switch as usize),
        };
        for (from, to, _) in &custom.links {
            self.line(place(*from), place(*to), 0, true);
        }
    }

    fn grid(&mut self, child: &str, dimensions: &[u32], lines: &GridLines) {
        let length = |dimension: usize| dimensions.get(dimension).copied().unwrap_or(1);
        let most = if dimensions.len() == 1 { 12 } else { MOST_IN_GRID };
        let (columns, lines_down) = (length(0).min(most), length(1).min(most));
        let layers = dimensions.iter().skip(2).product::<u32>();
        let shown = u64::from(columns * lines_down);
        let all = dimensions.iter().map(|length| u64::from(*length)).product::<u64>();
        // The last box of a shortened line is the true last one, so that lines close where they should.
        let number = |place: u32, shown: u32, whole: u32| if place + 1 == shown { whole - 1 } else { place };
        let boxes = (0..lines_down)
            .flat_map(|y| (0..columns).map(move |x| (x, y)))
            .map(|(x, y)| number(y, lines_down, length(1)) * length(0) + number(x, columns, length(0)))
            .map(|number| PanelShape { label: [format!("{child} {number}"), String::new()], plane: None })
            .collect();
        self.rows.push(PanelRow { boxes, columns: columns as usize, hidden: all - shown, layers });
        let place = |x: u32, y: u32| (0, (y * columns + x) as usize);
        for (fixed, along, across) in [(lines_down, columns, true), (columns, lines_down, false)] {
            let whole = length(usize::from(!across));
            for line in 0..fixed {
                let at = |step: u32| if across { place(step, line) } else { place(line, step) };
                for near in 0..along {
                    for far in near + 1..along {
                        let wraps = lines.closed && near == 0 && far + 1 == along && whole > 2;
                        if lines.all || far == near + 1 || wraps {
                            let broken = !lines.all && far == near + 1 && far + 1 == along && along < whole;
                            self.line(at(near), at(far), usize::from(!across), far > near + 1);
                            if let Some(line) = self.lines.last_mut() {
                                line.broken = broken;
                            }
                        }
                    }
                }
            }
        }
    }

    fn line(&mut self, from: (usize, usize), to: (usize, usize), plane: usize, bent: bool) {
        let shown = |(row, place): (usize, usize)| self.rows.get(row).is_some_and(|row| place < row.boxes.len());
        if shown(from) && shown(to) {
            self.lines.push(PanelLine { from, to, plane, bent, broken: false });
        }
    }

    /// Every box of one row with every box of another.
    fn join_rows(&mut self, low: usize, high: usize) {
        for below in 0..self.rows[low].boxes.len() {
            for above in 0..self.rows[high].boxes.len() {
                self.line((low, below), (high, above), above, false);
            }
        }
    }

    /// Every plane with itself.
    fn join_planes(&mut self, low: usize, high: usize) {
        for plane in 0..self.rows[low].boxes.len() {
            self.line((low, plane), (high, plane), plane, false);
        }
    }

    fn join_all(&mut self, row: usize) {
        for near in 0..self.rows[row].boxes.len() {
            for far in near + 1..self.rows[row].boxes.len() {
                self.line((row, near), (row, far), 0, true);
            }
        }
    }

    fn join_tree(&mut self, low: usize, share: u32) {
        for below in 0..self.rows[low].boxes.len() {
            self.line((low, below), (low + 1, below / share.max(1) as usize), below / share.max(1) as usize, false);
        }
    }
}
