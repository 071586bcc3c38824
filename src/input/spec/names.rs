//! Names in one file, followed, and everything wrong with it collected.

use std::collections::BTreeMap;

use super::{AttachSpec, AttachedPart, Cable, DemandSpec, EngineSpec, LinkSpec, SwitchSpec};
use crate::input::catalog::Mention;
use crate::input::document::{
    At, Attach, AttachTo, Chip, Clip, Cpu, CpuFile, Demand, DemandFile, Engine, EngineFile, ExpertChips, FileKind, Level, Library, Link, LinkFile,
    MemoryExpander, MemoryFile, Model, Nic, NicFile, Origin, Protocol, ProtocolFile, Switch, SwitchFile, Target, Training, Workload,
};
use crate::input::extends::read_layers;
use crate::input::file_cache::FileReader;
use crate::input::layers::FileLayers;
use crate::input::problem::{Place, Problem, Problems};
use crate::units::{Date, TokensPerSecond};

/// Follows the names in one file and collects what is wrong.
pub(super) struct Names<'a> {
    pub(super) reader: FileReader<'a>,
    pub(super) layers: FileLayers,
    pub(super) problems: Vec<Problem>,
    /// Parts already read: CloudMatrix384 names some links twice.
    pub(super) links: BTreeMap<String, Option<LinkSpec>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(layers: FileLayers, reader: FileReader<'a>) -> Self {
        Self { reader, layers, problems: Vec::new(), links: BTreeMap::new() }
    }

    pub(super) fn place(&self, span: std::ops::Range<usize>) -> Place {
        self.layers.place(span)
    }

    pub(super) fn mention(&self, name: &At<String>) -> Mention {
        self.layers.mention(name.span())
    }

    /// Reads the file that `name` means; `None` when that failed and the problems are noted.
    pub(super) fn follow<K: FileKind>(&mut self, name: &At<String>) -> Option<K::Content>
    where
        K::Content: HasOrigin,
    {
        self.follow_found::<K>(name).map(|(content, _)| content)
    }

    pub(super) fn follow_found<K: FileKind>(&mut self, name: &At<String>) -> Option<(K::Content, FileLayers)>
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

    pub(super) fn engine(&mut self, name: &At<String>) -> Option<EngineSpec> {
        let engine = self.follow::<EngineFile>(name)?;
        Some(EngineSpec { id: name.to_string(), engine })
    }

    /// The value, or nothing and its problems noted.
    pub(super) fn note<T>(&mut self, result: Result<T, Problems>) -> Option<T> {
        result.map_err(|problems| self.problems.extend(problems.into_list())).ok()
    }

    pub(super) fn check_origin(&mut self, origin: &Origin, declared: &BTreeMap<String, String>, kind: &str) {
        if let Some(key) = origin.source.as_ref().filter(|key| !declared.contains_key(*key)) {
            self.problems.push(Problem::new(format!("source `{key}` of a {kind} is not listed in its [sources]")));
        }
    }

    pub(super) fn positive(&mut self, value: f64, span: std::ops::Range<usize>, why: &str) {
        if value <= 0.0 {
            let place = self.place(span);
            self.problems.push(Problem::new("must be more than zero").at(place, why));
        }
    }

    pub(super) fn date(&mut self, date: &At<String>) -> Option<Date> {
        Date::parse(date)
            .map_err(|message| {
                let place = self.place(date.span());
                self.problems.push(Problem::new(message).at(place, "no such day"));
            })
            .ok()
    }

    pub(super) fn demand(&mut self, name: &At<String>) -> Option<DemandSpec> {
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

    pub(super) fn link(&mut self, name: &At<String>) -> Option<LinkSpec> {
        if let Some(known) = self.links.get(&**name) {
            return known.clone();
        }
        let spec = self.follow_found::<LinkFile>(name).and_then(|(link, layers)| {
            let mut inner = Names::new(layers, self.reader);
            let protocol = inner.follow::<ProtocolFile>(&link.protocol);
            self.problems.extend(inner.problems);
            Some(LinkSpec { id: name.to_string(), link, protocol: protocol?, share: 1.0 })
        });
        self.links.insert(name.to_string(), spec.clone());
        spec
    }

    pub(super) fn switch(&mut self, name: &At<String>) -> Option<SwitchSpec> {
        self.follow::<SwitchFile>(name).map(|switch| SwitchSpec { id: name.to_string(), switch })
    }

    pub(super) fn attach(&mut self, level: &Level, attach: &Attach, all: &[Level], index: usize) -> Option<AttachSpec> {
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

    pub(super) fn check_limits(&mut self, workload: &Workload) {
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

    pub(super) fn check_phases(&mut self, workload: &Workload) {
        if let Some(request) = workload.request.as_ref().filter(|_| workload.decode.is_some() || workload.prefill.is_some()) {
            let place = self.place(request.input.span());
            let help = "keep [workload.request], or else [workload.decode] and [workload.prefill]";
            let problem = Problem::new("the workload is given twice").at(place, "[workload.request] stands for both phases");
            self.problems.push(problem.help(help));
        }
    }

    /// Query heads that do not divide among key and value heads, experts that cannot be chosen.
    pub(super) fn check_heads(&mut self, model: &Model) {
        for group in &model.layer {
            let place = self.place(group.attention.span());
            if let Some((of, among, what)) = group.attention.shared_heads().filter(|(of, among, _)| !of.is_multiple_of(*among)) {
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

    pub(super) fn check_fit(&mut self, workload: &Workload, model: &Model) {
        if model.experts().is_some() && workload.experts.is_none() {
            let place = self.place(workload.model.span());
            let help = "add [workload.experts] with `imbalance`";
            self.problems.push(Problem::new("a mixture of experts needs [workload.experts]").at(place, "this model has experts").help(help));
        }
        let Some(decode) = &workload.decode else { return };
        if model.experts().is_none() && decode.expert_chips != ExpertChips::Shared {
            let place = self.place(workload.model.span());
            let problem = Problem::new("`expert_chips` asks for experts on chips of their own").at(place, "this model has no experts");
            self.problems.push(problem.help("leave `expert_chips` out"));
        }
        if model.mtp_layers == 0 && decode.speculation.as_ref().is_some_and(|speculation| speculation.draft.is_none()) {
            let place = self.place(workload.model.span());
            let problem = Problem::new("`speculation` names no draft model").at(place, "this model has no MTP layers that draft for it");
            self.problems.push(problem.help("name one as `draft`, such as a smaller model of the same family"));
        }
    }
}

/// A part with the origin of its figures.
pub(super) trait HasOrigin {
    fn origin(&self) -> &Origin;
}

macro_rules! has_origin {
    ($($part:ty),*) => { $(impl HasOrigin for $part { fn origin(&self) -> &Origin { &self.origin } })* };
}
has_origin!(Chip, Clip, Switch, Link, Protocol, Cpu, Nic, MemoryExpander, Library, Engine, Model, Workload, Training, Target, Demand);
