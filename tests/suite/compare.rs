//! Designs side by side.

use crate::command::Project;
use serde_json::Value;
use supernode::input::spec::load_supernode;
use supernode::study::with_chip_of;

#[test]
fn ratios_and_best_marks() {
    let arguments = ["compare", "hgx-h100", "gb200-nvl72", "--same-chips", "--format", "json"];
    let found: Value = serde_json::from_str(&Project::new("compare").run(&arguments).output()).unwrap();
    assert_eq!(found["same_chip"], "H100 SXM");
    // 450 GB/s of NVLink 4 against 900 GB/s of NVLink 5 a chip (the line code leaves 0.9412 of 26.5625 GB/s a link): the ports stay each design's own, the second is best.
    let injection = &found["figures"]["injection_bytes_per_s"];
    for (value, expected) in injection["values"].as_array().unwrap().iter().zip([450e9, 900e9]) {
        assert!((value.as_f64().unwrap() / expected - 1.0).abs() < 1e-3, "{value}");
    }
    assert_eq!(injection["best"], serde_json::json!([1]));
    // DeepSeek-R1 in eight bits does not fit eight chips of 80 GB with room to spare: no rate, and no ratio invented.
    assert!(found["figures"]["decode_tokens_per_s"]["values"][1].as_f64().unwrap() > 0.0);
}

/// A machine without a price has no dollars, and says what it lacks; a price given for it does not stand for another machine's.
#[test]
fn what_has_no_price_is_not_priced() {
    let project = Project::new("unpriced");
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&project.run(arguments).output()).unwrap() };
    let compared = json(&["compare", "hgx-h100", "mi355x-8", "--model", "llama-3.1-70b", "--format", "json"]);
    let value = |json: &Value, key: &str, index: usize| json["figures"][key]["values"][index].as_f64();
    assert!(value(&compared, "capital_usd", 0).is_some() && value(&compared, "million_tokens_usd", 0).is_some(), "{compared}");
    for key in ["capital_usd", "million_tokens_usd", "million_tokens_capital_usd", "served_per_kilodollar_tokens_per_s", "million_tokens_rent_usd"] {
        assert_eq!(value(&compared, key, 1), None, "{key}");
        assert_eq!(compared["figures"][key]["best"], serde_json::json!([0]), "{key}");
    }
    assert!(compared["prices"][1].as_str().unwrap().starts_with("not priced: chip `Instinct MI355X`"), "{}", compared["prices"]);
    let priced = json(&["compare", "mi355x-8", "--model", "llama-3.1-70b", "--price", "purchase=25kUSD", "--price", "rent=3USD", "--format", "json"]);
    assert!(value(&priced, "capital_usd", 0).unwrap() > 8.0 * 25e3 && value(&priced, "million_tokens_rent_usd", 0).is_some(), "{priced}");
    project
        .run(&["compare", "mi355x-8", "--price", "purchas=25kUSD"])
        .fails("error: --price: `purchas` is no price; known are purchase, rent, machine, electricity, or the path of a price list\n");
}

/// One definition: dollars for a million tokens and the number of machines are the same in every command.
#[test]
fn commands_agree_on_dollars_and_machines() {
    let project = Project::new("one-definition");
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&project.run(arguments).output()).unwrap() };
    let compared = json(&["compare", "gb200-nvl72", "--model", "llama-3.1-70b", "--format", "json"]);
    let simulated = json(&["simulate", "gb200-nvl72", "--model", "llama-3.1-70b", "--format", "json"]);
    let planned = json(&["plan", "gb200-nvl72", "--model", "llama-3.1-70b", "--format", "json"]);
    let of = |key: &str| compared["figures"][key]["values"][0].as_f64().unwrap();
    let fleet = &planned["days"][0]["fleets"][0];
    let dollars = &simulated["money"]["usd_per_million_tokens"];
    for other in [&dollars["owned"]["value"], &fleet["usd_per_million_tokens"]["value"]] {
        assert!((other.as_f64().unwrap() / of("million_tokens_usd") - 1.0).abs() < 1e-12, "{other}");
    }
    for other in [&simulated["supernodes"], &fleet["supernodes"]] {
        assert_eq!(other.as_f64().unwrap(), of("supernodes"));
    }
    // By hand: capital over four years and energy at the mean load, over the tokens of that load.
    let money = &simulated["money"];
    let (mean, rate) = (money["mean_load"].as_f64().unwrap(), simulated["verdict"]["served_tokens_per_s"].as_f64().unwrap());
    let capital = money["capital_usd"]["value"].as_f64().unwrap() / (4.0 * 365.25 * 86_400.0);
    let energy = money["mean_load_facility_w"].as_f64().unwrap() / 3.6e6 * 0.08;
    let by_hand = (capital + energy) / (mean * rate) * 1e6;
    assert!((dollars["owned"]["value"].as_f64().unwrap() / by_hand - 1.0).abs() < 1e-9, "{by_hand} against {dollars}");
    let utilisation = money["utilisation"].as_f64().unwrap();
    assert!((mean - utilisation / 1.45 / 1.02).abs() < 1e-12, "{mean}");
}

/// The same software, too: only the interconnect differs.
#[test]
fn same_chips_share_library_and_engine() {
    let (first, second) = (load_supernode("hgx-h100").unwrap(), load_supernode("mi300x-8").unwrap());
    let other = with_chip_of(&second, &first);
    assert_eq!((other.library.name.as_str(), other.chip.name.as_str()), (first.library.name.as_str(), "H100 SXM"));
    assert_ne!(second.library.name, first.library.name);
    assert_eq!(other.chip.io.lanes, second.chip.io.lanes);
}

/// Money and failures are those of `plan` and `fail`: tokens a second times price over tokens a k$; failures a year of all classes together.
#[test]
fn money_and_failures_agree_with_the_other_commands() {
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&Project::new("money").run(arguments).output()).unwrap() };
    let compared = json(&["compare", "hgx-h200", "--format", "json"]);
    let figure = |key: &str| compared["figures"][key]["values"][0].as_f64().unwrap();
    let (served, capital) = (figure("served_tokens_per_s"), figure("capital_usd"));
    assert!((figure("served_per_kilodollar_tokens_per_s") * capital / 1e3 / served - 1.0).abs() < 1e-12);
    let singles = json(&["fail", "hgx-h200", "--format", "json"]);
    let each: f64 = singles["single_failures"].as_array().unwrap().iter().map(|single| single["failures_per_year"].as_f64().unwrap()).sum();
    assert!((figure("failures_per_year") / each - 1.0).abs() < 1e-12, "{each}");
}

/// A machine whose chip is a guess is ranked by its band: it may be best where its better end is, and nothing surely beats what overlaps with it.
#[test]
fn a_stand_in_is_ranked_by_its_band() {
    let project = Project::new("bands");
    let arguments = ["compare", "hgx-h100", "inspur-sd200", "--workload", "llama-3.1-70b-fp8", "--format", "json"];
    let found: Value = serde_json::from_str(&project.run(&arguments).output()).unwrap();
    assert_eq!(found["standing"], serde_json::json!([null, "stand-in"]));
    let served = &found["figures"]["served_per_chip_tokens_per_s"];
    assert_eq!(served["bands"][0], Value::Null, "a machine that runs has no band");
    let ends: Vec<f64> = served["bands"][1].as_array().unwrap().iter().map(|end| end.as_f64().unwrap()).collect();
    let nominal = served["values"][1].as_f64().unwrap();
    assert!(ends[0] < nominal && nominal < ends[1], "{ends:?} around {nominal}");
    let sure = served["values"][0].as_f64().unwrap();
    let best = if ends[1] < sure {
        serde_json::json!([0])
    } else if ends[0] > sure {
        serde_json::json!([1])
    } else {
        serde_json::json!([])
    };
    assert_eq!(served["best"], best);
    // The same chip on both leaves no guess to compare.
    let same = ["compare", "hgx-h100", "inspur-sd200", "--workload", "llama-3.1-70b-fp8", "--same-chips", "--format", "json"];
    let found: Value = serde_json::from_str(&project.run(&same).output()).unwrap();
    assert_eq!(found["figures"]["served_per_chip_tokens_per_s"]["bands"], serde_json::json!([null, null]));
    let text = project.run(&arguments[..5]).output();
    assert!(text.contains("inspur-sd200 is a stand-in: "), "{text}");
}
