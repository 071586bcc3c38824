//! What the files mean: every name followed to its part. A [`Spec`] that exists is right; nothing later checks user input again.

mod pattern;

use std::collections::BTreeMap;
use std::path::Path;

use super::catalog::{Mention, find_in};
use super::document::{
    At, Attach, AttachTo, Attention, Auxiliary, Chip, ChipFile, Clip, ClipFile, Cpu, CpuFile, Demand, DemandFile, Engine, EngineFile,
    ExpertPlacement, FileKind, Level, Library, LibraryFile, Link, LinkFile, MemoryExpander, MemoryFile, Model, ModelFile, Nic, NicFile, Objective,
    Origin, Pattern, Precision, Prices, PricesFile, Protocol, ProtocolFile, Reliability, ReliabilityFile, SupernodeFile, Supply, Switch, SwitchFile,
    Target, TargetFile, Training, TrainingFile, Workload, WorkloadFile,
};
use super::extends::{Layers, read_layers};
use super::hugging_face;
use super::problem::{Place, Problem, Problems};
use super::shelf::Reader;
use crate::units::{Date, TokensPerSecond};
pub use pattern::{Cable, CircuitsSpec, CustomEnd, CustomSpec, DragonflySpec, LeafSpec, PatternSpec, PcieTreeSpec, SpinesSpec};

/// Beyond this the description is a slip of the finger; the largest machines planned are below 10^6 chips.
pub const MOST_CHIPS: u64 = 1_000_000;

/// A validated supernode.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The shipped name or the path it was asked for by.
    pub id: String,
    /// Name people use.
    pub name: String,
    /// Maker.
    pub vendor: String,
    /// Accelerator package.
    pub chip: Chip,
    /// Communication library.
    pub library: Library,
    /// Chips under one operating system.
    pub host_chips: u32,
    /// Rings of the onion, innermost first; never empty.
    pub levels: Vec<LevelSpec>,
    /// Parts beside the fabric.
    pub auxiliaries: Vec<Auxiliary>,
    /// From the grid to the chips.
    pub supply: Supply,
    /// Workload to run when none is named.
    pub workload: Option<String>,
    /// Published measurements of this machine.
    pub published: Option<String>,
    /// Addresses of what describes the machine.
    pub sources: Vec<String>,
}

impl Spec {
    /// Chips in the whole supernode.
    #[must_use]
    pub fn chips(&self) -> u32 {
        self.levels.iter().map(|level| level.size).product()
    }

    /// Ranks (software-visible devices) in the whole supernode.
    #[must_use]
    pub fn ranks(&self) -> u32 {
        self.chips() * self.chip.ranks
    }
}

/// A link part with its protocol.
#[derive(Clone, Debug)]
pub struct LinkSpec {
    /// Name in the catalog.
    pub id: String,
    /// The link.
    pub link: Link,
    /// Its protocol.
    pub protocol: Protocol,
}

/// A switch part.
#[derive(Clone, Debug)]
pub struct SwitchSpec {
    /// Name in the catalog.
    pub id: String,
    /// The switch.
    pub switch: Switch,
}

/// One ring of the onion.
#[derive(Clone, Debug)]
pub struct LevelSpec {
    /// Name people use.
    pub name: String,
    /// Children in one group.
    pub size: u32,
    /// What joins them.
    pub link: LinkSpec,
    /// Parallel links where the pattern draws one.
    pub links: u32,
    /// How they are joined.
    pub pattern: PatternSpec,
    /// The NIC through which each chip reaches this level.
    pub nic: Option<NicSpec>,
    /// Endpoints beside the chips.
    pub attach: Vec<AttachSpec>,
    /// The pattern's place in the file, for problems that only the built graph shows.
    pub place: Place,
}

/// The NIC between every chip and a scale-out level.
#[derive(Clone, Debug)]
pub struct NicSpec {
    /// Name in the catalog.
    pub id: String,
    /// NIC part.
    pub nic: Nic,
    /// Chip to NIC.
    pub link: LinkSpec,
}

/// Endpoints that are not chips.
#[derive(Clone, Debug)]
pub struct AttachSpec {
    /// Name in the catalog.
    pub id: String,
    /// The part.
    pub part: AttachedPart,
    /// How many in each group.
    pub count: u32,
    /// Links to each switch of the group, or to its share of the chips.
    pub cable: Cable,
    /// Which of the two.
    pub to: AttachTo,
}

/// What is attached.
#[derive(Clone, Debug)]
pub enum AttachedPart {
    /// Host processor.
    Cpu(Cpu),
    /// Network card.
    Nic(Nic),
    /// Memory expander.
    Memory(MemoryExpander),
}

/// A workload with its model.
#[derive(Clone, Debug)]
pub struct WorkloadSpec {
    /// The shipped name or the path it was asked for by.
    pub id: String,
    /// The workload.
    pub workload: Workload,
    /// Its model.
    pub model: Model,
    /// The shipped prices, where its objective needs them.
    pub prices: Option<Prices>,
}

impl WorkloadSpec {
    /// The same in the 8-bit format of `chip`; see [`Precisions::on`].
    ///
    /// [`Precisions::on`]: super::document::Precisions::on
    #[must_use]
    pub fn on(&self, chip: &Chip) -> Self {
        let mut workload = self.clone();
        workload.workload.precision = workload.workload.precision.on(chip);
        workload
    }
}

/// A target with the name it was asked for by.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    /// The shipped name or the path it was asked for by.
    pub id: String,
    /// The target.
    pub target: Target,
    /// Day that the demand is of.
    pub date: Option<Date>,
    /// How the demand grew.
    pub series: Option<DemandSpec>,
}

/// A demand over time.
#[derive(Clone, Debug)]
pub struct DemandSpec {
    /// Name people use.
    pub name: String,
    /// Published figures, oldest first, each later than the one before and above zero.
    pub points: Vec<(Date, TokensPerSecond)>,
}

/// Reads the supernode that `name` means, a shipped name or a path, and all parts it names.
///
/// # Errors
/// Every problem of the file; or else every name that leads nowhere and every problem of the parts.
pub fn load_supernode(name: &str) -> Result<Spec, Problems> {
    load_supernode_from(&Reader::default(), name, &Mention::on_command_line())
}

/// As [`load_supernode`], for a name that a file mentions and values that a study edits.
///
/// # Errors
/// Every problem of the file; or else every name that leads nowhere and every problem of the parts.
pub fn load_supernode_from(reader: &Reader<'_>, name: &str, mention: &Mention) -> Result<Spec, Problems> {
    let found = reader.find::<SupernodeFile>(name, mention)?;
    let (document, declared, layers) = read_layers::<SupernodeFile>(found, reader)?;
    let mut names = Names::new(layers, *reader);
    names.check_origin(&document.supernode.origin, &declared, "supernode");
    let head = &document.supernode;
    let chip = names.follow::<ChipFile>(&head.chip);
    let library = names.follow::<LibraryFile>(&head.library);
    let workload = head.workload.as_ref().map(|name| name.to_string());
    let levels: Vec<Option<LevelSpec>> =
        document.levels.iter().enumerate().map(|(index, level)| names.level(level, index, &document.levels)).collect();
    let chips = document.levels.iter().try_fold(1u64, |product, level| product.checked_mul(u64::from(*level.size)));
    if chips.is_none_or(|chips| chips > MOST_CHIPS)
        && let Some(level) = document.levels.last()
    {
        let place = names.place(level.size.span());
        names.problems.push(Problem::new(format!("more than {MOST_CHIPS} chips")).at(place, "the sizes of all levels multiply to too many"));
    }
    let innermost = document.levels.first().map_or(1, |level| *level.size);
    let host_chips = head.host_chips.as_ref().map_or(innermost, |count| **count);
    if let (Some(count), Some(chips)) = (&head.host_chips, chips)
        && !chips.is_multiple_of(u64::from(host_chips))
    {
        let problem = Problem::new(format!("{chips} chips do not fill hosts of {host_chips}"));
        names.problems.push(problem.at(names.place(count.span()), "must divide the number of chips"));
    }
    let Names { problems, .. } = names;
    let parts = chip.zip(library).zip(levels.into_iter().collect::<Option<Vec<_>>>());
    Problems::check(problems, parts).and_then(|parts| {
        let ((chip, library), levels) = parts.ok_or_else(|| Problem::new("a part is missing"))?;
        Ok(Spec {
            id: name.to_owned(),
            name: head.name.clone(),
            vendor: head.vendor.clone(),
            chip,
            library,
            host_chips,
            levels,
            auxiliaries: document.auxiliaries,
            supply: document.supply,
            workload,
            published: head.published.as_ref().map(|name| name.to_string()),
            sources: head.sources.clone(),
        })
    })
}

/// The texts of the chip and of the library that a supernode names, to write them with other constants.
///
/// # Errors
/// Every problem of the supernode's file, or a name that leads nowhere.
pub fn part_texts(name: &str) -> Result<(String, String), Problems> {
    let reader = Reader::default();
    let found = reader.find::<SupernodeFile>(name, &Mention::on_command_line())?;
    let (document, _, layers) = read_layers::<SupernodeFile>(found, &reader)?;
    let chip = reader.find::<ChipFile>(&document.supernode.chip, &layers.mention(document.supernode.chip.span()))?;
    let library = reader.find::<LibraryFile>(&document.supernode.library, &layers.mention(document.supernode.library.span()))?;
    Ok((chip.source.text.clone(), library.source.text.clone()))
}

/// The text of a communication library that stands in no supernode.
///
/// # Errors
/// A name that leads nowhere.
pub fn library_text(name: &str) -> Result<String, Problems> {
    Ok(Reader::default().find::<LibraryFile>(name, &Mention::on_command_line())?.source.text.clone())
}

/// The text of a serving engine.
///
/// # Errors
/// A name that leads nowhere.
pub fn engine_text(name: &str) -> Result<String, Problems> {
    Ok(Reader::default().find::<EngineFile>(name, &Mention::on_command_line())?.source.text.clone())
}

/// Reads the workload that `name` means and its model.
///
/// # Errors
/// Every problem of the file, or of the model.
pub fn load_workload(name: &str) -> Result<WorkloadSpec, Problems> {
    load_workload_with(name, None)
}

/// As [`load_workload`], with another model in place of the workload's own: a shipped name, a path to a model file, or a path to a
/// `config.json`. Experts that the workload says nothing about are taken to be used evenly; a model without MTP layers does not draft.
///
/// # Errors
/// Every problem of the file, or of the model.
pub fn load_workload_with(name: &str, other_model: Option<&str>) -> Result<WorkloadSpec, Problems> {
    load_workload_from(&Reader::default(), name, &Mention::on_command_line(), other_model)
}

/// As [`load_workload_with`], for a name that a file mentions and values that a study edits.
///
/// # Errors
/// Every problem of the file, or of the model.
pub fn load_workload_from(reader: &Reader<'_>, name: &str, mention: &Mention, other_model: Option<&str>) -> Result<WorkloadSpec, Problems> {
    let found = reader.find::<WorkloadFile>(name, mention)?;
    let (mut workload, declared, layers) = read_layers::<WorkloadFile>(found, reader)?;
    let mut names = Names::new(layers, *reader);
    names.check_origin(&workload.origin, &declared, "workload");
    let model = match other_model {
        Some(other) => Some(load_model_from(reader, other, &Mention::on_command_line())?),
        None => {
            let mention = names.mention(&workload.model);
            names.note(load_model_from(reader, &workload.model, &mention))
        }
    };
    names.check_phases(&workload);
    if let Some(request) = &workload.request {
        workload.decode = Some(request.decode());
        workload.prefill = Some(request.prefill());
    }
    names.check_limits(&workload);
    if let Some(model) = &model {
        if other_model.is_some() {
            adapt(&mut workload, model);
        }
        names.check_fit(&workload, model);
    }
    Problems::check(names.problems, model).and_then(|model| {
        let model = model.ok_or_else(|| Problem::new("the model is missing"))?;
        let prices = (workload.objective == Some(Objective::TokensPerCost)).then(load_prices).transpose()?;
        Ok(WorkloadSpec { id: name.to_owned(), workload, model, prices })
    })
}

/// Makes a workload fit a model that it was not written for.
fn adapt(workload: &mut Workload, model: &Model) {
    if model.experts().is_some() && workload.experts.is_none() {
        workload.experts = Some(ExpertPlacement::even());
    }
    if let Some(decode) = workload.decode.as_mut().filter(|_| model.mtp_layers == 0) {
        decode.speculation = None;
    }
}

/// Reads the model that `name` means: a shipped name, a path to a model file, or a path to a Hugging Face `config.json`.
///
/// # Errors
/// Every problem of the file; heads that do not divide are one.
pub fn load_model(name: &str, mention: &Mention) -> Result<Model, Problems> {
    load_model_from(&Reader::default(), name, mention)
}

fn load_model_from(reader: &Reader<'_>, name: &str, mention: &Mention) -> Result<Model, Problems> {
    if Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return hugging_face::read(&find_in(name, mention, ModelFile::FOLDER, ModelFile::KIND, "json")?.source);
    }
    let found = reader.find::<ModelFile>(name, mention)?;
    let (model, declared, layers) = read_layers::<ModelFile>(found, reader)?;
    let mut names = Names::new(layers, *reader);
    names.check_origin(&model.origin, &declared, ModelFile::KIND);
    names.check_heads(&model);
    Problems::check(names.problems, model)
}

/// A validated training workload.
#[derive(Clone, Debug)]
pub struct TrainingSpec {
    /// The shipped name or the path it was asked for by.
    pub id: String,
    /// Batch, formats, state.
    pub training: Training,
    /// The model.
    pub model: Model,
}

/// Reads the training workload that `name` means and its model, or `other_model` in place of that.
///
/// # Errors
/// Every problem of the file, or of the model; GEMMs in a format that nobody trains in are one.
pub fn load_training(name: &str, other_model: Option<&str>) -> Result<TrainingSpec, Problems> {
    let reader = Reader::default();
    let found = reader.find::<TrainingFile>(name, &Mention::on_command_line())?;
    let (training, declared, layers) = read_layers::<TrainingFile>(found, &reader)?;
    let mut names = Names::new(layers, reader);
    names.check_origin(&training.origin, &declared, TrainingFile::KIND);
    if !matches!(*training.gemm, Precision::Bf16 | Precision::Fp8 | Precision::Fp8Block) {
        let place = names.place(training.gemm.span());
        let message = format!("training in `{}` is not modelled", training.gemm.name());
        names.problems.push(Problem::new(message).at(place, "expected `bf16`, `fp8` or `fp8-block`"));
    }
    let model = match other_model {
        Some(other) => Some(load_model_from(&reader, other, &Mention::on_command_line())?),
        None => {
            let mention = names.mention(&training.model);
            names.note(load_model_from(&reader, &training.model, &mention))
        }
    };
    Problems::check(names.problems, model).and_then(|model| {
        let model = model.ok_or_else(|| Problem::new("the model is missing"))?;
        Ok(TrainingSpec { id: name.to_owned(), training, model })
    })
}

/// Reads the clip that `name` means.
///
/// # Errors
/// Every problem of the file; heads that do not divide the width and a clip without tokens are some.
pub fn load_clip(name: &str) -> Result<Clip, Problems> {
    let reader = Reader::default();
    let found = reader.find::<ClipFile>(name, &Mention::on_command_line())?;
    let (clip, declared, layers) = read_layers::<ClipFile>(found, &reader)?;
    let mut names = Names::new(layers, reader);
    names.check_origin(&clip.origin, &declared, ClipFile::KIND);
    let place = names.place(clip.transformer.span());
    let shape = &clip.transformer;
    if shape.latent_stride.contains(&0) {
        names.problems.push(Problem::new("a latent cannot stand for nothing").at(place, "`latent_stride` holds a zero"));
        return Problems::check(names.problems, clip);
    }
    if !shape.hidden.is_multiple_of(shape.heads) {
        let message = format!("{} heads do not divide a width of {}", shape.heads, shape.hidden);
        names.problems.push(Problem::new(message).at(place.clone(), "in this model"));
    }
    if clip.tokens() == 0 {
        names.problems.push(Problem::new("the clip is smaller than one token").at(place, "by the strides of this model"));
    }
    Problems::check(names.problems, clip)
}

/// Reads the communication library that `name` means.
///
/// # Errors
/// Every problem of the file.
pub fn load_library(name: &str) -> Result<Library, Problems> {
    let reader = Reader::default();
    let found = reader.find::<LibraryFile>(name, &Mention::on_command_line())?;
    let (library, declared, layers) = read_layers::<LibraryFile>(found, &reader)?;
    let mut names = Names::new(layers, reader);
    names.check_origin(&library.origin, &declared, "library");
    Problems::check(names.problems, library)
}

/// Reads the serving engine that `name` means.
///
/// # Errors
/// Every problem of the file.
pub fn load_engine(name: &str) -> Result<Engine, Problems> {
    let reader = Reader::default();
    let found = reader.find::<EngineFile>(name, &Mention::on_command_line())?;
    let (engine, declared, layers) = read_layers::<EngineFile>(found, &reader)?;
    let mut names = Names::new(layers, reader);
    names.check_origin(&engine.origin, &declared, EngineFile::KIND);
    Problems::check(names.problems, engine)
}

/// Reads the shipped failure rates.
///
/// # Errors
/// Every problem of the file.
pub fn load_reliability() -> Result<Reliability, Problems> {
    let reader = Reader::default();
    let found = reader.find::<ReliabilityFile>("reliability", &Mention::on_command_line())?;
    let (reliability, declared, layers) = read_layers::<ReliabilityFile>(found, &reader)?;
    let mut names = Names::new(layers, reader);
    names.check_origin(&reliability.origin, &declared, "reliability");
    Problems::check(names.problems, reliability)
}

/// Reads the target that `name` means.
///
/// # Errors
/// Every problem of the file; a demand of zero is one.
pub fn load_target(name: &str) -> Result<TargetSpec, Problems> {
    load_target_from(&Reader::default(), name, &Mention::on_command_line())
}

/// As [`load_target`], for a name that a file mentions and values that a study edits.
///
/// # Errors
/// Every problem of the file; a demand of zero is one.
pub fn load_target_from(reader: &Reader<'_>, name: &str, mention: &Mention) -> Result<TargetSpec, Problems> {
    let found = reader.find::<TargetFile>(name, mention)?;
    let (target, declared, layers) = read_layers::<TargetFile>(found, reader)?;
    let mut names = Names::new(layers, *reader);
    names.check_origin(&target.origin, &declared, "target");
    names.positive(target.demand.value.get(), target.demand.span(), "a target of zero is met by anything");
    let date = target.date.as_ref().and_then(|date| names.date(date));
    let series = target.series.as_ref().and_then(|series| names.demand(series));
    Problems::check(names.problems, TargetSpec { id: name.to_owned(), target, date, series })
}

/// Reads the shipped prices.
///
/// # Errors
/// Every problem of the file.
pub fn load_prices() -> Result<Prices, Problems> {
    let reader = Reader::default();
    let found = reader.find::<PricesFile>("prices", &Mention::on_command_line())?;
    let (prices, declared, layers) = read_layers::<PricesFile>(found, &reader)?;
    let mut names = Names::new(layers, reader);
    names.check_origin(&prices.origin, &declared, "price list");
    Problems::check(names.problems, prices)
}

/// Follows the names in one file and collects what is wrong.
struct Names<'a> {
    reader: Reader<'a>,
    layers: Layers,
    problems: Vec<Problem>,
    /// Parts already read: CloudMatrix384 names some links twice.
    links: BTreeMap<String, Option<LinkSpec>>,
}

impl<'a> Names<'a> {
    fn new(layers: Layers, reader: Reader<'a>) -> Self {
        Self { reader, layers, problems: Vec::new(), links: BTreeMap::new() }
    }

    fn place(&self, span: std::ops::Range<usize>) -> Place {
        self.layers.place(span)
    }

    fn mention(&self, name: &At<String>) -> Mention {
        self.layers.mention(name.span())
    }

    /// Reads the file that `name` means; `None` when that failed and the problems are noted.
    fn follow<K: FileKind>(&mut self, name: &At<String>) -> Option<K::Content>
    where
        K::Content: HasOrigin,
    {
        self.follow_found::<K>(name).map(|(content, _)| content)
    }

    fn follow_found<K: FileKind>(&mut self, name: &At<String>) -> Option<(K::Content, Layers)>
    where
        K::Content: HasOrigin,
    {
        let found = self.reader.find::<K>(name, &self.mention(name));
        match found.and_then(|found| read_layers::<K>(found, &self.reader)) {
            Ok((content, declared, layers)) => {
                self.check_origin(content.origin(), &declared, K::KIND);
                Some((content, layers))
            }
            Err(problems) => {
                self.problems.extend(problems.into_list());
                None
            }
        }
    }

    /// The value, or nothing and its problems noted.
    fn note<T>(&mut self, result: Result<T, Problems>) -> Option<T> {
        result.map_err(|problems| self.problems.extend(problems.into_list())).ok()
    }

    fn check_origin(&mut self, origin: &Origin, declared: &BTreeMap<String, String>, kind: &str) {
        if let Some(key) = origin.source.as_ref().filter(|key| !declared.contains_key(*key)) {
            self.problems.push(Problem::new(format!("source `{key}` of a {kind} is not listed in its [sources]")));
        }
    }

    fn positive(&mut self, value: f64, span: std::ops::Range<usize>, why: &str) {
        if value <= 0.0 {
            let place = self.place(span);
            self.problems.push(Problem::new("must be more than zero").at(place, why));
        }
    }

    fn date(&mut self, date: &At<String>) -> Option<Date> {
        Date::parse(date)
            .map_err(|message| {
                let place = self.place(date.span());
                self.problems.push(Problem::new(message).at(place, "no such day"));
            })
            .ok()
    }

    fn demand(&mut self, name: &At<String>) -> Option<DemandSpec> {
        let (demand, layers) = self.follow_found::<DemandFile>(name)?;
        let mut inner = Names::new(layers, self.reader);
        let mut points: Vec<(Date, TokensPerSecond)> = Vec::new();
        for point in &demand.point {
            inner.positive(point.tokens.value.get(), point.tokens.span(), "growth from or to nothing has no rate");
            let Some(date) = inner.date(&point.date) else { continue };
            if points.last().is_some_and(|last| last.0 >= date) {
                let place = inner.place(point.date.span());
                inner.problems.push(Problem::new("points must be in order of their days").at(place, "not later than the one before"));
            }
            points.push((date, point.tokens.value));
        }
        self.problems.extend(inner.problems);
        Some(DemandSpec { name: demand.name, points })
    }

    fn link(&mut self, name: &At<String>) -> Option<LinkSpec> {
        if let Some(known) = self.links.get(&**name) {
            return known.clone();
        }
        let spec = self.follow_found::<LinkFile>(name).and_then(|(link, layers)| {
            let mut inner = Names::new(layers, self.reader);
            let protocol = inner.follow::<ProtocolFile>(&link.protocol);
            self.problems.extend(inner.problems);
            Some(LinkSpec { id: name.to_string(), link, protocol: protocol? })
        });
        self.links.insert(name.to_string(), spec.clone());
        spec
    }

    fn switch(&mut self, name: &At<String>) -> Option<SwitchSpec> {
        self.follow::<SwitchFile>(name).map(|switch| SwitchSpec { id: name.to_string(), switch })
    }

    fn level(&mut self, level: &Level, index: usize, all: &[Level]) -> Option<LevelSpec> {
        let link = self.link(&level.link);
        let mut patterns = level.patterns();
        if patterns.len() != 1 {
            let place = self.place(level.size.span());
            let message = format!("level `{}` needs exactly one pattern, found {}", level.name, patterns.len());
            let known = Pattern::NAMES.map(|name| format!("`[level.{name}]`")).join(", ");
            self.problems.push(Problem::new(message).at(place, "these children are joined how?").help(format!("one of {known}")));
            return None;
        }
        let (span, pattern) = patterns.remove(0);
        let place = self.place(span);
        let above_switches = index > 0 && all[index - 1].patterns().iter().any(|(_, below)| below.has_switches());
        let pattern = self.pattern(level, pattern, &place, above_switches);
        let attach: Vec<Option<AttachSpec>> = level.attach.iter().map(|attach| self.attach(level, attach, all, index)).collect();
        let nic = level.nic.as_ref().map(|nic| (self.follow::<NicFile>(&nic.part), self.link(&nic.link), nic.part.to_string()));
        let nic = match nic {
            Some((nic, link, id)) => Some(NicSpec { id, nic: nic?, link: link? }),
            None => None,
        };
        Some(LevelSpec {
            name: level.name.clone(),
            size: *level.size,
            link: link?,
            links: level.links.unwrap_or(1),
            pattern: pattern?,
            nic,
            attach: attach.into_iter().collect::<Option<_>>()?,
            place,
        })
    }

    fn attach(&mut self, level: &Level, attach: &Attach, all: &[Level], index: usize) -> Option<AttachSpec> {
        let link = self.link(&attach.link);
        let (id, part) = match (&attach.cpu, &attach.nic, &attach.memory) {
            (Some(name), None, None) => (name.to_string(), self.follow::<CpuFile>(name).map(AttachedPart::Cpu)),
            (None, Some(name), None) => (name.to_string(), self.follow::<NicFile>(name).map(AttachedPart::Nic)),
            (None, None, Some(name)) => (name.to_string(), self.follow::<MemoryFile>(name).map(AttachedPart::Memory)),
            _ => {
                let place = self.place(attach.count.span());
                let problem = Problem::new(format!("what does level `{}` attach?", level.name)).at(place, "this many of what?");
                self.problems.push(problem.help("give exactly one of `cpu`, `nic` and `memory`"));
                return None;
            }
        };
        let chips = all[..=index].iter().try_fold(1u32, |product, level| product.checked_mul(*level.size));
        if attach.to == AttachTo::Chips && chips.is_some_and(|chips| !chips.is_multiple_of(*attach.count)) {
            let place = self.place(attach.count.span());
            let message = format!("the chips of level `{}` cannot be shared equally among what it attaches", level.name);
            let label = format!("{} chips", chips.unwrap_or_default());
            self.problems.push(Problem::new(message).at(place, label).help("`count` divides the chips of the group"));
            return None;
        }
        Some(AttachSpec { id, part: part?, count: *attach.count, cable: Cable { link: link?, count: attach.links.unwrap_or(1) }, to: attach.to })
    }

    fn check_limits(&mut self, workload: &Workload) {
        if let Some(decode) = &workload.decode {
            self.positive(decode.tpot_limit.value.get(), decode.tpot_limit.span(), "no token is made in no time");
        }
        if let Some(prefill) = &workload.prefill {
            self.positive(prefill.ttft_limit.value.get(), prefill.ttft_limit.span(), "no prompt is read in no time");
        }
        if workload.decode.is_none() && workload.prefill.is_none() {
            let place = self.place(workload.model.span());
            self.problems.push(Problem::new("the workload asks for nothing").at(place, "neither [workload.decode] nor [workload.prefill] is given"));
        }
    }

    fn check_phases(&mut self, workload: &Workload) {
        if let Some(request) = workload.request.as_ref().filter(|_| workload.decode.is_some() || workload.prefill.is_some()) {
            let place = self.place(request.input.span());
            let help = "keep [workload.request], or else [workload.decode] and [workload.prefill]";
            let problem = Problem::new("the workload is given twice").at(place, "[workload.request] stands for both phases");
            self.problems.push(problem.help(help));
        }
    }

    /// Query heads that do not divide among key and value heads, experts that cannot be chosen.
    fn check_heads(&mut self, model: &Model) {
        for group in &model.layer {
            let place = self.place(group.attention.span());
            let (of, among, what) = match &*group.attention {
                Attention::Gqa(gqa) => (gqa.heads, gqa.kv_heads, "key and value heads"),
                Attention::GatedDelta(delta) => (delta.value_heads, delta.key_heads, "key heads"),
                Attention::Compressed(compressed) => (compressed.heads, compressed.output_groups, "output groups"),
                Attention::Mla(_) | Attention::Mfa(_) => (1, 1, ""),
            };
            if !of.is_multiple_of(among) {
                let near = (1..=of).filter(|count| of.is_multiple_of(*count)).min_by_key(|count| count.abs_diff(among)).unwrap_or(1);
                let problem = Problem::new(format!("{of} heads cannot share {among} {what}")).at(place.clone(), format!("{among} must divide {of}"));
                self.problems.push(problem.help(format!("the nearest number that does is {near}")));
            }
            if let Some(experts) = group.ffn.experts().filter(|experts| experts.top_k > experts.routed) {
                let message = format!("a token cannot choose {} of {} experts", experts.top_k, experts.routed);
                self.problems.push(Problem::new(message).at(place, "in this group of layers"));
            }
        }
    }

    fn check_fit(&mut self, workload: &Workload, model: &Model) {
        if model.experts().is_some() && workload.experts.is_none() {
            let place = self.place(workload.model.span());
            let help = "add [workload.experts] with `imbalance`";
            self.problems.push(Problem::new("a mixture of experts needs [workload.experts]").at(place, "this model has experts").help(help));
        }
    }
}

/// A part with the origin of its figures.
trait HasOrigin {
    fn origin(&self) -> &Origin;
}

macro_rules! has_origin {
    ($($part:ty),*) => { $(impl HasOrigin for $part { fn origin(&self) -> &Origin { &self.origin } })* };
}
has_origin!(Chip, Clip, Switch, Link, Protocol, Cpu, Nic, MemoryExpander, Library, Engine, Model, Workload, Training, Target, Demand);
