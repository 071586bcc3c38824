//! A workload as the file that would make it.

use std::fmt::Write as _;

use crate::input::document::{CacheTier, ExpertChips, Length, Objective, PrefixCache, Speculation};
use crate::input::spec::WorkloadSpec;
use crate::units::{Figure, Quantity, Ratio};

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn share(figure: &Figure<Ratio>) -> String {
    match figure.range {
        Some((low, high)) => format!("{{ value = {:?}, range = [{:?}, {:?}] }}", figure.value.si(), low.si(), high.si()),
        None => format!("{:?}", figure.value.si()),
    }
}

/// A time or a bandwidth with its unit, to the last digit.
fn exact<Q: Quantity>(figure: &Figure<Q>, unit: &str) -> String {
    match figure.range {
        Some((low, high)) => {
            format!("{{ value = \"{:?} {unit}\", range = [\"{:?} {unit}\", \"{:?} {unit}\"] }}", figure.value.si(), low.si(), high.si())
        }
        None => format!("\"{:?} {unit}\"", figure.value.si()),
    }
}

fn length(length: &Length) -> String {
    format!("{{ mean = {}, variation = {:?} }}", length.mean, length.variation)
}

fn speculation(asked: &Speculation) -> String {
    let draft = asked.draft.as_ref().map_or_else(String::new, |draft| format!(", draft = {}", quoted(draft)));
    format!("{{ draft_tokens = {}, acceptance = {}{draft} }}", asked.draft_tokens, share(&asked.acceptance))
}

fn prefix_cache(cache: &PrefixCache) -> String {
    let tiers = cache.tiers.iter().map(|tier| match tier {
        CacheTier::Hbm => "\"hbm\"",
        CacheTier::HostDram => "\"host-dram\"",
        CacheTier::CxlPool => "\"cxl-pool\"",
        CacheTier::FabricPool => "\"fabric-pool\"",
    });
    let mut text = format!("{{ tiers = [{}]", tiers.collect::<Vec<_>>().join(", "));
    if let Some(sessions) = cache.sessions {
        let _ = write!(text, ", sessions = {sessions}");
    }
    if let Some(part) = &cache.share {
        let _ = write!(text, ", share = {}", share(part));
    }
    if let Some(bandwidth) = &cache.bandwidth {
        let _ = write!(text, ", bandwidth = {}", exact(bandwidth, "B/s"));
    }
    text + " }"
}

fn expert_chips(chips: ExpertChips) -> Option<&'static str> {
    match chips {
        ExpertChips::Shared => None,
        ExpertChips::Apart => Some("apart"),
        ExpertChips::Either => Some("either"),
    }
}

/// What is decoded and read, one line a key.
fn phases(spec: &WorkloadSpec) -> String {
    let workload = &spec.workload;
    let mut lines: Vec<String> = Vec::new();
    let both = |asked: Option<&Speculation>, chips: ExpertChips, lines: &mut Vec<String>| {
        lines.extend(asked.map(|asked| format!("speculation = {}", speculation(asked))));
        lines.extend(expert_chips(chips).map(|chips| format!("expert_chips = \"{chips}\"")));
    };
    if let Some(request) = &workload.request {
        lines.push("\n[workload.request]".to_owned());
        lines.push(format!("input = {}", length(&request.input)));
        lines.push(format!("output = {}", length(&request.output)));
        lines.push(format!("cache_hit = {:?}", request.cache_hit));
        lines.extend(request.prefix_cache.as_ref().map(|cache| format!("prefix_cache = {}", prefix_cache(cache))));
        lines.push(format!("ttft_limit = {}", exact(&request.ttft_limit, "s")));
        lines.push(format!("tpot_limit = {}", exact(&request.tpot_limit, "s")));
        lines.extend(request.arrivals_per_second.map(|rate| format!("arrivals_per_second = {rate:?}")));
        both(request.speculation.as_ref(), request.expert_chips, &mut lines);
        return lines.join("\n") + "\n";
    }
    if let Some(decode) = &workload.decode {
        lines.push("\n[workload.decode]".to_owned());
        lines.push(format!("context = {}", *decode.context));
        lines.push(format!("tpot_limit = {}", exact(&decode.tpot_limit, "s")));
        both(decode.speculation.as_ref(), decode.expert_chips, &mut lines);
    }
    if let Some(prefill) = &workload.prefill {
        lines.push("\n[workload.prefill]".to_owned());
        lines.push(format!("prompt = {}", *prefill.prompt));
        lines.push(format!("ttft_limit = {}", exact(&prefill.ttft_limit, "s")));
        lines.push(format!("cache_hit = {:?}", prefill.cache_hit));
        lines.push(format!("variation = {:?}", prefill.variation));
        lines.extend(prefill.prefix_cache.as_ref().map(|cache| format!("prefix_cache = {}", prefix_cache(cache))));
    }
    lines.join("\n") + "\n"
}

/// The file that makes this workload; `model` is the name of the model that stands in place of the workload's own.
#[must_use]
pub fn workload_text(spec: &WorkloadSpec, model: Option<&str>) -> String {
    let workload = &spec.workload;
    let precision = &workload.precision;
    let mut text = String::from("schema = 1\n\n[workload]\n");
    let _ = writeln!(text, "name = {}", quoted(&workload.name));
    let _ = writeln!(text, "model = {}", quoted(model.unwrap_or(&workload.model)));
    if let Some(objective) = workload.objective {
        let name = match objective {
            Objective::Tokens => "tokens",
            Objective::TokensPerWatt => "tokens-per-watt",
            Objective::TokensPerCost => "tokens-per-cost",
            Objective::Goodput => "goodput",
        };
        let _ = writeln!(text, "objective = \"{name}\"");
    }
    if let Some(engine) = &spec.engine {
        let _ = writeln!(text, "engine = {}", quoted(&engine.id));
    }
    let _ = writeln!(text, "\n[workload.precision]\nweights = \"{}\"", precision.weights.name());
    if let Some(experts) = precision.experts {
        let _ = writeln!(text, "experts = \"{}\"", experts.name());
    }
    for (key, format) in
        [("attention", precision.attention), ("kv_cache", precision.kv_cache), ("dispatch", precision.dispatch), ("combine", precision.combine)]
    {
        let _ = writeln!(text, "{key} = \"{}\"", format.name());
    }
    if let Some(experts) = &workload.experts {
        let _ = writeln!(text, "\n[workload.experts]\nredundant = {}\nimbalance = {}", experts.redundant, share(&experts.imbalance));
    }
    text + &phases(spec)
}
