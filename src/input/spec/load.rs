//! From a name or a path to what the file and all that it names mean.

use std::path::Path;
use std::sync::Arc;

use super::names::Names;
use super::{EngineSpec, LevelSpec, LinkSpec, MOST_CHIPS, Spec, TargetSpec, TrainingSpec, WorkloadSpec};
use crate::input::catalog::{FoundText, Mention, find_in, read as read_text, shipped};
use crate::input::document::{
    ChipFile, Clip, ClipFile, EngineFile, ExpertChips, ExpertPlacement, FileKind, Library, LibraryFile, LinkFile, Model, ModelFile, Objective,
    Precision, Prices, PricesFile, ProtocolFile, Reliability, ReliabilityFile, Speculation, StandingKind, SupernodeFile, TargetFile, TrainingFile,
    Workload, WorkloadFile,
};
use crate::input::extends::read_layers;
use crate::input::file_cache::FileReader;
use crate::input::hugging_face;
use crate::input::problem::{Problem, Problems};

/// Reads the supernode that `name` means, a shipped name or a path, and all parts it names.
///
/// # Errors
/// Every problem of the file; or else every name that leads nowhere and every problem of the parts.
pub fn load_supernode(name: &str) -> Result<Spec, Problems> {
    load_supernode_from(&FileReader::default(), name, &Mention::on_command_line())
}

/// As [`load_supernode`], for a name that a file mentions and values that a study edits.
///
/// # Errors
/// Every problem of the file; or else every name that leads nowhere and every problem of the parts.
pub fn load_supernode_from(reader: &FileReader<'_>, name: &str, mention: &Mention) -> Result<Spec, Problems> {
    supernode_of(reader, reader.find::<SupernodeFile>(name, mention)?, name)
}

/// The supernode that a text describes, under the name `name`.
///
/// # Errors
/// As [`load_supernode`].
pub fn supernode_of(reader: &FileReader<'_>, found: FoundText, name: &str) -> Result<Spec, Problems> {
    let (document, declared, layers) = read_layers::<SupernodeFile>(found, reader)?;
    let mut names = Names::new(layers, *reader);
    names.check_origin(&document.supernode.origin, &declared, "supernode");
    let head = &document.supernode;
    let chip = names.follow::<ChipFile>(&head.chip);
    if let Some(Err(why)) = chip.as_ref().map(|chip| chip.power.check()) {
        let place = names.place(head.chip.span());
        names.problems.push(Problem::new(format!("the power of `{}` is impossible: {why}", *head.chip)).at(place, "this chip"));
    }
    let library = names.follow::<LibraryFile>(&head.library);
    let workload = head.workload.as_ref().map(|name| name.to_string());
    let engine = head.engine.as_ref().and_then(|name| names.engine(name));
    let (joining, packages) = names.packaged(&document.levels);
    let levels: Vec<Option<LevelSpec>> = joining.iter().enumerate().map(|(index, level)| names.level(level, index, &joining)).collect();
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
            chip_part: head.chip.to_string(),
            library,
            host_chips,
            routing: head.routing.unwrap_or_default(),
            levels,
            packages,
            auxiliaries: document.auxiliaries,
            supply: document.supply,
            workload,
            engine,
            published: head.published.as_ref().map(|name| name.to_string()),
            standing: head.standing.clone().filter(|standing| standing.kind != StandingKind::Running),
            sources: head.sources.clone(),
            edited: reader.edits_hardware(),
        })
    })
}

/// Reads the link part that `name` means and its protocol.
///
/// # Errors
/// Every problem of the two files, or a name that leads nowhere.
pub fn load_link(name: &str) -> Result<LinkSpec, Problems> {
    let reader = FileReader::default();
    let (link, _, layers) = read_layers::<LinkFile>(reader.find::<LinkFile>(name, &Mention::on_command_line())?, &reader)?;
    let mut names = Names::new(layers, reader);
    let protocol = names.follow::<ProtocolFile>(&link.protocol);
    let Names { problems, .. } = names;
    let protocol = Problems::check(problems, protocol)?.ok_or_else(|| Problem::new(format!("the protocol of `{name}` is missing")))?;
    Ok(LinkSpec { id: name.to_owned(), link, protocol, share: 1.0 })
}

/// The text that describes a supernode, as its file has it.
///
/// # Errors
/// A name that leads nowhere.
pub fn supernode_text(name: &str) -> Result<String, Problems> {
    Ok(FileReader::default().find::<SupernodeFile>(name, &Mention::on_command_line())?.source.text.clone())
}

/// The texts of the chip and of the library that a supernode names, to write them with other constants.
///
/// # Errors
/// Every problem of the supernode's file, or a name that leads nowhere.
pub fn part_texts(name: &str) -> Result<(String, String), Problems> {
    let reader = FileReader::default();
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
    Ok(FileReader::default().find::<LibraryFile>(name, &Mention::on_command_line())?.source.text.clone())
}

/// The text of a serving engine.
///
/// # Errors
/// A name that leads nowhere.
pub fn engine_text(name: &str) -> Result<String, Problems> {
    Ok(FileReader::default().find::<EngineFile>(name, &Mention::on_command_line())?.source.text.clone())
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
    load_workload_from(&FileReader::default(), name, &Mention::on_command_line(), other_model)
}

/// As [`load_workload_with`], for a name that a file mentions and values that a study edits.
///
/// # Errors
/// Every problem of the file, or of the model.
pub fn load_workload_from(reader: &FileReader<'_>, name: &str, mention: &Mention, other_model: Option<&str>) -> Result<WorkloadSpec, Problems> {
    workload_of(reader, reader.find::<WorkloadFile>(name, mention)?, name, other_model)
}

/// The workload that a text describes, under the name `name`.
///
/// # Errors
/// As [`load_workload_with`].
pub fn workload_of(reader: &FileReader<'_>, found: FoundText, name: &str, other_model: Option<&str>) -> Result<WorkloadSpec, Problems> {
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
    let mut notes = Vec::new();
    if let Some(model) = &model {
        notes.extend(model.notes());
        if other_model.is_some() {
            notes.extend(adapt(&mut workload, model));
        }
        notes.extend(too_long(&workload, model));
        names.check_fit(&workload, model);
    }
    let asked = workload.decode.as_ref().is_some_and(|decode| decode.speculation.is_some());
    let engine = workload.engine.clone().and_then(|name| names.engine(&name)).map(Arc::new);
    let draft = model.as_ref().and_then(|model| draft(&mut names, &mut workload, model, other_model.is_some()));
    if asked && workload.decode.as_ref().is_some_and(|decode| decode.speculation.is_none()) {
        notes.push("speculation is off: the workload's draft model has another vocabulary".to_owned());
    }
    Problems::check(names.problems, model).and_then(|model| {
        let model = model.ok_or_else(|| Problem::new("the model is missing"))?;
        let prices = (workload.objective == Some(Objective::TokensPerCost)).then(load_prices).transpose()?;
        let draft = draft.map(|draft| {
            Arc::new(WorkloadSpec {
                id: name.to_owned(),
                workload: drafting(&workload),
                model: draft,
                prices: None,
                draft: None,
                notes: Vec::new(),
                engine: None,
            })
        });
        Ok(WorkloadSpec { id: name.to_owned(), workload, model, prices, draft, notes, engine })
    })
}

/// Says that sequences are longer than the publisher says the model reads.
pub(super) fn too_long(workload: &Workload, model: &Model) -> Option<String> {
    let longest = workload.decode.as_ref().map(|decode| *decode.context).max(workload.prefill.as_ref().map(|prefill| *prefill.prompt))?;
    let most = model.context.filter(|most| longest > *most)?;
    Some(format!("sequences of {longest} tokens are longer than the {most} that {} is published for", model.name))
}

/// Makes a workload fit a model that it was not written for, and says what that changed beyond experts.
fn adapt(workload: &mut Workload, model: &Model) -> Vec<String> {
    let mut notes = Vec::new();
    if model.experts().is_some() && workload.experts.is_none() {
        workload.experts = Some(ExpertPlacement::even());
    }
    if let Some(decode) = workload.decode.as_mut().filter(|_| model.experts().is_none()) {
        decode.expert_chips = ExpertChips::Shared;
    }
    let drafts = |speculation: &Speculation| speculation.draft.is_some() || model.mtp_layers > 0;
    if workload.decode.as_ref().and_then(|decode| decode.speculation.as_ref()).is_some_and(|speculation| !drafts(speculation)) {
        no_drafts(workload);
        notes.push(format!("speculation is off: {} has no MTP layers and the workload names no draft model", model.name));
    }
    if let Some(stored) = model.stored {
        workload.precision.weights = stored.weights;
        workload.precision.experts = stored.experts;
        workload.precision.kv_cache = stored.kv_cache.unwrap_or(workload.precision.kv_cache);
        let experts = stored.experts.map_or_else(String::new, |experts| format!(", experts {}", experts.name()));
        notes.push(format!("formats of the checkpoint: weights {}{experts}", stored.weights.name()));
    }
    notes
}

fn no_drafts(workload: &mut Workload) {
    for speculation in
        [workload.decode.as_mut().map(|decode| &mut decode.speculation), workload.request.as_mut().map(|request| &mut request.speculation)]
    {
        speculation.into_iter().for_each(|speculation| *speculation = None);
    }
}

/// The draft model that a workload names; one that cannot draft for a model given in place of the workload's own is left out.
fn draft(names: &mut Names<'_>, workload: &mut Workload, model: &Model, replaced: bool) -> Option<Model> {
    let name = workload.decode.as_ref()?.speculation.as_ref()?.draft.clone()?;
    let mention = names.mention(&name);
    let draft = names.note(load_model_from(&names.reader, &name, &mention))?;
    if draft.vocabulary == model.vocabulary {
        return Some(draft);
    }
    if replaced {
        no_drafts(workload);
    } else {
        let message = format!("{} cannot draft for {}: their tokens differ", draft.name, model.name);
        let problem = Problem::new(message).at(names.place(name.span()), format!("{} tokens, {} in the model", draft.vocabulary, model.vocabulary));
        names.problems.push(problem.help("a smaller model of the same family has the same vocabulary"));
    }
    None
}

/// What a draft does of a workload: the same, in the same formats, without a draft of its own. Its experts, if any, are used evenly.
pub(super) fn drafting(workload: &Workload) -> Workload {
    let mut own = Workload { experts: Some(ExpertPlacement::even()), ..workload.clone() };
    no_drafts(&mut own);
    own
}

/// Reads the model that `name` means: a shipped name, a path to a model file, a path to a Hugging Face `config.json`, or a folder that
/// holds one.
///
/// # Errors
/// Every problem of the file; heads that do not divide are one.
pub fn load_model(name: &str, mention: &Mention) -> Result<Model, Problems> {
    load_model_from(&FileReader::default(), name, mention)
}

fn load_model_from(reader: &FileReader<'_>, name: &str, mention: &Mention) -> Result<Model, Problems> {
    if Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        let found = find_in(name, mention, ModelFile::FOLDER, ModelFile::KIND, "json")?;
        let formats = found.folder.map(|folder| folder.join("hf_quant_config.json")).filter(|path| path.is_file());
        let formats = formats.map(|path| read_text(&path)).transpose()?.map(Arc::new);
        return hugging_face::read_with_formats(&found.source, formats.as_ref());
    }
    // A folder as the hub gives it out.
    let folder = mention.folder.as_deref().unwrap_or(Path::new("")).join(name);
    if folder.join("config.json").is_file() {
        return load_model_from(reader, &format!("{}/config.json", name.trim_end_matches(['/', '\\'])), mention);
    }
    if !name.is_empty() && folder.is_dir() && !shipped::<ModelFile>().iter().any(|known| known == name) {
        return Err(Problem::new(format!("the folder `{name}` has no config.json")).help("expected a model as the hub gives it out").into());
    }
    let found = reader.find::<ModelFile>(name, mention)?;
    let (model, declared, layers) = read_layers::<ModelFile>(found, reader)?;
    let mut names = Names::new(layers, *reader);
    names.check_origin(&model.origin, &declared, ModelFile::KIND);
    names.check_heads(&model);
    Problems::check(names.problems, model)
}

/// Reads the training workload that `name` means and its model, or `other_model` in place of that.
///
/// # Errors
/// Every problem of the file, or of the model; GEMMs in a format that nobody trains in are one.
pub fn load_training(name: &str, other_model: Option<&str>) -> Result<TrainingSpec, Problems> {
    let reader = FileReader::default();
    training_of(&reader, reader.find::<TrainingFile>(name, &Mention::on_command_line())?, name, other_model)
}

/// The training workload that a text describes, under the name `name`.
///
/// # Errors
/// As [`load_training`].
pub fn training_of(reader: &FileReader<'_>, found: FoundText, name: &str, other_model: Option<&str>) -> Result<TrainingSpec, Problems> {
    let (training, declared, layers) = read_layers::<TrainingFile>(found, reader)?;
    let mut names = Names::new(layers, *reader);
    names.check_origin(&training.origin, &declared, TrainingFile::KIND);
    for (format, what) in [(Some(&training.gemm), "training"), (training.dispatch.as_ref(), "dispatch")] {
        let Some(format) = format.filter(|format| !matches!(***format, Precision::Bf16 | Precision::Fp8 | Precision::Fp8Block)) else { continue };
        let place = names.place(format.span());
        let message = format!("{what} in `{}` is not modelled", format.name());
        names.problems.push(Problem::new(message).at(place, "expected `bf16`, `fp8` or `fp8-block`"));
    }
    let model = match other_model {
        Some(other) => Some(load_model_from(reader, other, &Mention::on_command_line())?),
        None => {
            let mention = names.mention(&training.model);
            names.note(load_model_from(reader, &training.model, &mention))
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
    load_clip_from(&FileReader::default(), name, &Mention::on_command_line())
}

fn load_clip_from(reader: &FileReader<'_>, name: &str, mention: &Mention) -> Result<Clip, Problems> {
    let found = reader.find::<ClipFile>(name, mention)?;
    let (clip, declared, layers) = read_layers::<ClipFile>(found, reader)?;
    let mut names = Names::new(layers, *reader);
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
    let reader = FileReader::default();
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
pub fn load_engine(name: &str) -> Result<EngineSpec, Problems> {
    let reader = FileReader::default();
    let found = reader.find::<EngineFile>(name, &Mention::on_command_line())?;
    let (engine, declared, layers) = read_layers::<EngineFile>(found, &reader)?;
    let mut names = Names::new(layers, reader);
    names.check_origin(&engine.origin, &declared, EngineFile::KIND);
    Problems::check(names.problems, EngineSpec { id: name.to_owned(), engine })
}

/// Reads the shipped failure rates.
///
/// # Errors
/// Every problem of the file.
pub fn load_reliability() -> Result<Reliability, Problems> {
    let reader = FileReader::default();
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
    load_target_from(&FileReader::default(), name, &Mention::on_command_line())
}

/// As [`load_target`], for a name that a file mentions and values that a study edits.
///
/// # Errors
/// Every problem of the file; a demand of zero is one.
pub fn load_target_from(reader: &FileReader<'_>, name: &str, mention: &Mention) -> Result<TargetSpec, Problems> {
    target_of(reader, reader.find::<TargetFile>(name, mention)?, name)
}

/// The target that a text describes, under the name `name`.
///
/// # Errors
/// Every problem of the text.
pub fn target_of(reader: &FileReader<'_>, found: FoundText, name: &str) -> Result<TargetSpec, Problems> {
    let (target, declared, layers) = read_layers::<TargetFile>(found, reader)?;
    let mut names = Names::new(layers, *reader);
    names.check_origin(&target.origin, &declared, "target");
    names.positive(target.demand.value.get(), target.demand.span(), "a target of zero is met by anything");
    let date = target.date.as_ref().and_then(|date| names.date(date));
    let series = target.series.as_ref().and_then(|series| names.demand(series));
    let clip = target.video.as_ref().and_then(|video| {
        let mention = names.mention(&video.clip);
        names.note(load_clip_from(reader, &video.clip, &mention))
    });
    Problems::check(names.problems, TargetSpec { id: name.to_owned(), target, date, series, clip })
}

/// Reads the shipped prices.
///
/// # Errors
/// Every problem of the file.
pub fn load_prices() -> Result<Prices, Problems> {
    load_prices_from(&FileReader::default(), &[])
}

/// Reads the shipped prices and those of `lists`, shipped names or paths; the last list that prices something counts.
///
/// # Errors
/// Every problem of the files.
pub fn load_prices_from(reader: &FileReader<'_>, lists: &[String]) -> Result<Prices, Problems> {
    let one = |name: &str| {
        let found = reader.find::<PricesFile>(name, &Mention::on_command_line())?;
        let (prices, declared, layers) = read_layers::<PricesFile>(found, reader)?;
        let mut names = Names::new(layers, *reader);
        names.check_origin(&prices.origin, &declared, "price list");
        Problems::check(names.problems, prices)
    };
    lists.iter().try_fold(one("prices")?, |base, name| Ok(one(name)?.over(&base)))
}
