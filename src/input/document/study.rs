//! `studies/*.toml`: which designs to try, under what, and what is asked of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::{At, FileKind, Sources};
use crate::units::{Bytes, Figure, Ratio};

/// A file with one `[study]`, its axes and what is asked of the results.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyFile {
    /// Version of the file format; 1.
    #[schemars(range(min = 1, max = 1))]
    #[expect(dead_code, reason = "held by the schema to 1")]
    schema: u32,
    /// Another study file, by name or path: this one then says only what differs.
    #[expect(dead_code, reason = "followed before the file is typed")]
    extends: Option<String>,
    study: StudyTable,
    /// What differs between designs; the last axis changes fastest.
    #[serde(default)]
    axis: Vec<Axis>,
    /// What a design must keep to.
    #[serde(default)]
    constraint: Vec<Constraint>,
    /// What makes a design better; with several, no single one is best and the Pareto front is marked.
    #[serde(default)]
    objective: Vec<Goal>,
    /// What the study shows, each a sentence with a figure from its results.
    #[serde(default)]
    finding: Vec<Finding>,
    /// Pictures of the results.
    #[serde(default)]
    chart: Vec<Chart>,
    /// Where the figures come from: key = address.
    #[serde(default)]
    sources: Sources,
}

/// The tables of a study file.
#[derive(Clone, Debug)]
pub struct StudyDocument {
    /// `[study]`.
    pub study: StudyTable,
    /// `[[axis]]`.
    pub axes: Vec<Axis>,
    /// `[[constraint]]`.
    pub constraints: Vec<Constraint>,
    /// `[[objective]]`.
    pub objectives: Vec<Goal>,
    /// `[[finding]]`.
    pub findings: Vec<Finding>,
    /// `[[chart]]`.
    pub charts: Vec<Chart>,
}

impl FileKind for StudyFile {
    type Content = StudyDocument;
    const KIND: &'static str = "study";
    const FOLDER: &'static str = "studies";
    fn content(self) -> (StudyDocument, Sources) {
        let Self { study, axis, constraint, objective, finding, chart, sources, .. } = self;
        (StudyDocument { study, axes: axis, constraints: constraint, objectives: objective, findings: finding, charts: chart }, sources)
    }
    schema_once!(StudyFile);
}

/// What is studied.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyTable {
    /// Name people use.
    pub name: String,
    /// What it answers, in a sentence.
    pub question: Option<String>,
    /// What the reader should know: what is held equal, what is left out.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Supernodes that the axes change, by name or path; several are an axis themselves.
    #[schemars(length(min = 1))]
    pub supernodes: Vec<At<String>>,
    /// Workloads, by name or path; the supernode's own choice if absent. Several are an axis.
    #[serde(default)]
    pub workloads: Vec<At<String>>,
    /// Targets, by name or path; several are an axis.
    #[serde(default)]
    pub targets: Vec<At<String>>,
    /// Message sizes at which all-reduce and all-to-all over all chips get columns of their own.
    #[serde(default)]
    pub message_sizes: Vec<Figure<Bytes>>,
    /// Adds columns that are found packet by packet.
    pub packets: Option<PacketStudy>,
    /// Which points of the space are tried; the whole grid if absent.
    #[serde(default)]
    pub method: Method,
    /// Columns that a report of the study shows; a choice of its own if absent. Files have all.
    #[serde(default)]
    pub show: Vec<At<String>>,
    /// Whether the results state money, at the shipped prices.
    #[serde(default)]
    pub priced: bool,
    /// How often the ranges of the parts are drawn for findings with `chance`, and from which seed.
    pub draws: Option<Draws>,
    /// What would change the answer, in words; the flips and the figures that it rests on are computed.
    #[serde(default)]
    pub changes: Vec<String>,
}

/// What is sent with packets: times under load, of dispatch and combine, of an incast, beside a faulty link, and of a decode step. Bits
/// arrive damaged as often as the protocols state.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PacketStudy {
    /// Share of a chip's sending rate that is offered, evenly to all others.
    #[schemars(extend("x-range" = [0.01, 1.0]))]
    pub load: Figure<Ratio>,
    /// Payload of a packet under that load.
    #[schemars(extend("x-positive" = true))]
    pub packet: Figure<Bytes>,
    /// Chance that a bit arrives damaged on the faulty link, the first of chip 0.
    #[schemars(extend("x-range" = [0.0, 0.1]))]
    pub faulty_link: Figure<Ratio>,
    /// Tokens of each chip in an exchange.
    #[schemars(range(min = 1, max = 100_000))]
    pub tokens: u32,
    /// Experts of a token.
    #[schemars(range(min = 1, max = 64))]
    pub experts: u32,
    /// A token on its way to an expert; twice as much on its way back.
    #[schemars(extend("x-positive" = true))]
    pub token: Figure<Bytes>,
    /// What each chip sends to the first in an incast.
    #[schemars(extend("x-positive" = true))]
    pub incast: Figure<Bytes>,
    /// Buffer of an all-reduce.
    #[schemars(extend("x-positive" = true))]
    pub all_reduce: Figure<Bytes>,
}

/// Which points of a space are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Method {
    /// Every combination of the axes' values.
    #[default]
    Grid,
    /// Points that together take every value, or every stretch of a range, of each axis equally often (`McKay`, Beckman, Conover 1979).
    LatinHypercube(Draws),
    /// Points drawn independently.
    Random(Draws),
}

/// How many points are drawn, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Draws {
    /// How many.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub points: u64,
    /// Equal seeds draw equal points.
    pub seed: u64,
}

/// What differs: exactly one of `list`, `range`, `log_range`, `parts`, `patterns` and `choice`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Name of its column.
    pub name: At<String>,
    /// Where the value stands: `link[ualink-x4].lane_rate`, `level[rack].size`, `workload.request.input`, or `mapping.tp`. Not with `choice`.
    pub path: Option<At<String>>,
    /// The values.
    pub list: Option<Vec<At<Any>>>,
    /// Values at equal distances.
    pub range: Option<At<Stretch>>,
    /// Values at equal ratios.
    pub log_range: Option<At<Stretch>>,
    /// Names of parts (or models, chips, libraries).
    pub parts: Option<Vec<At<String>>>,
    /// Patterns for the level that `path` names, as `{ switch = { part = "...", planes = 8 } }`.
    pub patterns: Option<Vec<At<Any>>>,
    /// Several values that change together, under a name.
    #[serde(default)]
    pub choice: Vec<AxisChoice>,
}

/// Values between two ends.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// First value.
    pub from: At<Any>,
    /// Last value, in the same unit.
    pub to: At<Any>,
    /// How many values a grid tries, ends included; other methods draw anywhere between the ends where it is absent.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub points: Option<u32>,
}

/// Values that change together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AxisChoice {
    /// Its name in the column.
    pub name: At<Any>,
    /// New values by path.
    #[serde(default)]
    pub set: BTreeMap<String, At<Any>>,
}

/// A bound on a column.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// Column of the results.
    pub column: At<String>,
    /// At most this, with its unit.
    pub most: Option<At<Any>>,
    /// At least this, with its unit.
    pub least: Option<At<Any>>,
}

/// A column to make large or small: exactly one of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// More is better.
    pub maximise: Option<At<String>>,
    /// Less is better.
    pub minimise: Option<At<String>>,
}

/// A sentence that the results bear out, or not.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The sentence; `{}` stands for the figure, `{range}` for the least and the greatest one along the axis `along`.
    pub say: String,
    /// The figure's column, at its best among the rows of `of`.
    pub column: At<String>,
    /// Whether projections and stand-ins (`standing` of a supernode) are left out of `of`.
    #[serde(default)]
    pub delivered: bool,
    /// The rows: column = value. All that are feasible if empty.
    #[serde(default)]
    pub of: BTreeMap<String, At<Any>>,
    /// The figure is a ratio, over the best of these rows.
    pub over: Option<BTreeMap<String, At<Any>>>,
    /// The sentence says where the best row of `of` stands on this axis, in place of its figure.
    pub which: Option<At<String>>,
    /// What `which` must be for the sentence to be true.
    pub is: Option<At<Any>>,
    /// The sentence is true up to this.
    pub most: Option<At<Any>>,
    /// The sentence is true from this on.
    pub least: Option<At<Any>>,
    /// The sentence is part of the study's answer.
    #[serde(default)]
    pub answer: bool,
    /// The probability that the sentence is true is computed, over the ranges of the parts' figures.
    #[serde(default)]
    pub chance: bool,
    /// Axis along which the sentence is tested: the report says where it is true and where it flips.
    pub along: Option<At<String>>,
}

/// A picture: one line a value of `by`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// Title.
    pub title: String,
    /// Column along the picture; an axis.
    pub x: At<String>,
    /// Column upwards; several are several lines.
    #[schemars(length(min = 1))]
    pub y: Vec<At<String>>,
    /// Column that tells the lines apart.
    pub by: Option<At<String>>,
    /// Further columns that tell the lines apart.
    #[serde(default)]
    pub and: Vec<At<String>>,
    /// Whether the best row of each value of `x` is a bar, the longest first, in place of a point of a line.
    #[serde(default)]
    pub bars: bool,
    /// Rows that are drawn: column = value. All if empty.
    #[serde(default)]
    pub of: BTreeMap<String, At<Any>>,
    /// Whether `y` is logarithmic.
    #[serde(default)]
    pub log: bool,
}

/// Any TOML value.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Any(toml::Value);

impl Any {
    /// The value.
    #[must_use]
    pub fn value(&self) -> &toml::Value {
        &self.0
    }

    /// Its TOML text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// As a column shows it: texts without quotes.
    #[must_use]
    pub fn label(&self) -> String {
        self.0.as_str().map_or_else(|| self.text(), str::to_owned)
    }
}

impl JsonSchema for Any {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "any".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Any value." })
    }
}
