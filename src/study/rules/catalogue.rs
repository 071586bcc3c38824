//! The rules by name: what each looks at, why, and what to do.

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably a slip.
    Warning,
    /// Cannot be built.
    Error,
}

impl Severity {
    /// The word for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A design rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Name, as in `supernode explain NAME`.
    pub name: &'static str,
    /// How much it matters, unless a finding says otherwise.
    pub severity: Severity,
    /// What must hold.
    pub holds: &'static str,
    /// Why, and with which numbers.
    pub why: &'static str,
    /// What to do.
    pub mend: &'static str,
}

const fn rule(name: &'static str, severity: Severity, holds: &'static str, why: &'static str, mend: &'static str) -> Rule {
    Rule { name, severity, holds, why, mend }
}

use Severity::{Error, Note, Warning};

/// Every rule.
pub const RULES: [Rule; 15] = [
    self::rule(
        "protocol-mismatch",
        Error,
        "Both ends of a link speak the protocol of its part.",
        "A port's SerDes may reach the rate of another protocol, its framing and link layer do not. Switch and chip parts list what they speak as \
         `protocols`; a part without the list is not checked.",
        "Name a link part of a protocol that both speak, or correct `protocols` of the switch (`[switch]`) or of the chip (`[chip.io]`).",
    ),
    self::rule(
        "reach",
        Warning,
        "A link is no longer than its medium carries its lane rate.",
        "Passive copper: 5 m at 25G a lane, 3 m at 50G, 2 m at 100G, 1 m at 200G, as IEEE 802.3 specifies cables (by, cd, ck, dj); 7 m below 25G. A board trace \
         or backplane: 1 m, below 16G 1.5 m. Each retimer adds one such stretch. Pluggable optics: 2 km. Makers exceed the standard by half; beyond \
         ten times the reach it is an error, since some cables of ten metres are active without saying so. Parts with one `lane` above 448 Gbit/s count a whole port as a lane and are not checked.",
        "Shorten the link, or use `[link.medium.retimed]` or `[link.medium.optical]`.",
    ),
    self::rule(
        "power-limits",
        Error,
        "A chip's idle power lies below its limit, and its clocks are in order.",
        "What a chip draws waiting leaves the rest of its limit for work; without a rest it can do none.",
        "Correct `idle`, `tdp` or `cap` of `[chip.power]`.",
    ),
    self::rule(
        "implausible",
        Warning,
        "Every figure lies in the range of things that exist or are announced.",
        "A wrong prefix or unit is the commonest slip. Beyond the range it is a warning; a hundred times beyond, or faster than light, an error.",
        "Check the unit and the prefix. A figure that is meant keeps the warning.",
    ),
    self::rule(
        "memory-units",
        Warning,
        "Memory of a chip is given in the units of its maker.",
        "Makers name HBM in GB of 10^9 bytes, or mean GiB and write GB: 80 GiB are 85.9 GB. A capacity in GiB is usually a figure of a maker with the \
         wrong prefix, 7 % too much.",
        "Write what the maker writes, as `\"80 GB\"`.",
    ),
    self::rule(
        "no-hosts",
        Warning,
        "A machine has host processors, or other parts that stand for them.",
        "Hosts draw a tenth of a server's power and cost thousands of dollars; without them power, money and host memory are too good.",
        "Attach CPUs with `[[level.attach]]`, or list the boards as `[[auxiliary]]`.",
    ),
    self::rule(
        "inherited-figures",
        Warning,
        "A chip file with a peak of its own states all peaks, memory, cores and power limit.",
        "A file that extends another keeps each figure that it does not state. A new chip with one new peak then has the other peaks of its base, and \
         formats that run on those are predicted with the speed of the base. Inherited peaks are a warning; memory, cores and the power limit are a note.",
        "State the figures in this file, also those that are equal; take out a format that the chip lacks: `remove = [\"chip.compute.fp4\"]`.",
    ),
    self::rule(
        "idle-lanes",
        Note,
        "A chip uses all lanes of its ports.",
        "Lanes without links are paid for and idle; more planes or parallel links would use them. Looked at are the chip with most links, and lanes \
         towards hosts if no link uses any.",
        "Raise `planes` or `links`, or name a chip with fewer lanes.",
    ),
    self::rule(
        "idle-ports",
        Note,
        "Every part of a switch has a switch whose lanes are all used.",
        "Lanes of a switch without links are paid for and draw power. Fewer and fuller switches, more planes or parallel links would use them.",
        "Raise `planes` or `links`, lower the number of switches, or name a switch with fewer lanes.",
    ),
    self::rule(
        "switch-throughput",
        Error,
        "The links of a switch chip carry no more than switch chips do.",
        "The largest announced switch chips pass 102.4 Tbit/s each way. Twice that is a warning, five times an error.",
        "Correct `lanes` of the switch or `lane_rate` of its links.",
    ),
    self::rule(
        "rack-power",
        Warning,
        "A rack holds what its supply gives.",
        "Every part at its rating must fit under `racks.limit`, or the machine needs a power cap that `simulate` does not apply by itself.",
        "Spread the machine over more racks, raise the limit, or simulate with --power-cap.",
    ),
    self::rule(
        "cooling",
        Warning,
        "The heat of a chip and of a rack fits the kind of cooling.",
        "Air carries about 1 kW from a package and 50 kW from a rack; beyond that racks are liquid cooled.",
        "Set `cooling = \"cold-plate\"` in `[supply]`, or lower the power.",
    ),
    self::rule(
        "unpriced",
        Note,
        "Every part has a price.",
        "Without a price nothing is said of dollars; no default takes its place.",
        "Give one: `--price purchase=30kUSD`, or a price list (`supernode list prices prices` prints the shipped one).",
    ),
    self::rule(
        "never-validated",
        Note,
        "Measurements of the machine are linked, or its chip was measured.",
        "Predictions of a machine that nothing measured rests on are as good as its guessed constants.",
        "Link a file of cases as `published`, and calibrate: `supernode calibrate --help`.",
    ),
    self::rule(
        "kernels-of-another",
        Note,
        "The kernel constants of a chip were measured on it.",
        "Constants of a relative carry its software and its memory system.",
        "Measure the chip's kernels and fit them with `supernode calibrate`.",
    ),
];

/// The rule of a name.
pub(super) fn rule_named(name: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.name == name).unwrap_or(&RULES[0])
}
