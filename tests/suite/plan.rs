//! Demand between and beyond published days, and the fleets that meet it.

use crate::command::Project;
use serde_json::Value;
use supernode::input::catalog::shipped_in;
use supernode::input::spec::{load_prices, load_target};
use supernode::study::{Basis, demand_on};
use supernode::units::Date;

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

#[test]
fn demand_grows_by_the_same_factor_every_day_between_two_published_ones() {
    let series = load_target("doubao-2026-04").unwrap().series.unwrap();
    let trillions = |text: &str, beyond: bool| demand_on(&series, day(text), beyond).map(|(rate, basis)| (rate.get() * 86_400.0 / 1e12, basis));
    let (first, basis) = trillions("2024-05-15", false).unwrap();
    assert!((first - 0.12).abs() < 1e-12, "{first}");
    assert_eq!(basis, Basis::Stated);
    // 2 April to 15 June 2026 are 74 days; after half of them 120 has become sqrt(120 x 180).
    let (middle, basis) = trillions("2026-05-09", false).unwrap();
    assert!((middle - (120.0_f64 * 180.0).sqrt()).abs() < 1e-9, "{middle}");
    assert_eq!(basis, Basis::Interpolated);
    // 74 days later again the same factor, but only for who asks for it.
    assert_eq!(trillions("2026-08-28", false), None);
    let (later, basis) = trillions("2026-08-28", true).unwrap();
    assert!((later - 180.0 * 1.5).abs() < 1e-9, "{later}");
    assert_eq!(basis, Basis::Extrapolated);
}

#[test]
fn every_shipped_target_has_its_day_on_its_series() {
    for name in shipped_in("workloads/targets") {
        let target = load_target(&name).unwrap();
        let (Some(series), Some(date)) = (&target.series, target.date) else { panic!("{name} has no series") };
        let (stated, basis) = demand_on(series, date, false).unwrap();
        assert_eq!(basis, Basis::Stated, "{name}");
        assert!((stated / target.target.demand.value - 1.0).abs() < 1e-12, "{name}");
    }
    assert!(load_prices().is_ok());
}

#[test]
fn a_plan_meets_its_peak_and_says_when_it_guesses() {
    let project = Project::new("plan");
    let run = |more: &[&str]| {
        let all: Vec<&str> = ["plan", "cloudmatrix384", "--target", "doubao-2026-04", "--format", "json"].iter().chain(more).copied().collect();
        project.run(&all)
    };
    let plan: Value = serde_json::from_str(&run(&["--plot", "plan.svg"]).output()).unwrap();
    let of = |plan: &Value, key: &str| plan["designs"][0][key].as_f64().unwrap();
    let (rate, utilisation) = (of(&plan, "tokens_per_s") * of(&plan, "availability"), of(&plan, "utilisation"));
    // Tens of thousands of places: random arrivals leave nearly all of the rate. A user who says 0.8 gets that.
    assert!(plan["designs"][0]["utilisation_from"] == "derived" && utilisation > 0.9 && utilisation < 1.0, "{utilisation}");
    let asked: Value = serde_json::from_str(&run(&["--utilisation", "0.8"]).output()).unwrap();
    assert_eq!((of(&asked, "utilisation"), asked["designs"][0]["utilisation_from"].as_str()), (0.8, Some("user")));
    assert!(asked["days"][0]["fleets"][0]["supernodes"].as_f64() > plan["days"][0]["fleets"][0]["supernodes"].as_f64());
    for entry in plan["days"].as_array().unwrap() {
        let fleet = &entry["fleets"][0];
        let number = |key: &str| fleet[key].as_f64().unwrap();
        let peak = entry["demand_tokens_per_s"].as_f64().unwrap() * 1.45;
        assert!(number("supernodes") * rate * utilisation > peak, "the peak is met within the limits");
        assert_eq!(number("chips"), number("supernodes") * 384.0);
        assert_eq!(number("racks"), number("supernodes") * 16.0);
        assert!(number("power_w") < number("rated_w"));
    }
    run(&["--to", "2026-12-15"])
        .fails("error: plan: 2026-07-02 is outside what is known of Doubao (2024-05-15 to 2026-06-15); --extrapolate follows its growth further\n");
}

/// A demand of one's own is planned for, not the series that the file inherits; later days grow from it as the series does.
#[test]
fn a_derived_target_plans_for_its_own_demand() {
    let project = Project::new("own-demand").file("mine.toml", "schema = 1\nextends = \"doubao-2026-04\"\n[target]\ndemand = \"12e12 tokens/day\"\n");
    let run = |name: &str| -> Value {
        serde_json::from_str(&project.run(&["plan", "hgx-h100", "--model", "llama-3.1-8b", "--target", name, "--format", "json"]).output()).unwrap()
    };
    let (own, base) = (run("mine.toml"), run("doubao-2026-04"));
    let demand = |plan: &Value, day: usize| plan["days"][day]["demand_tokens_per_s"].as_f64().unwrap() * 86_400.0;
    assert!((demand(&own, 0) / 12e12 - 1.0).abs() < 1e-12 && (demand(&base, 0) / 120e12 - 1.0).abs() < 1e-12);
    assert!((demand(&own, 1) / demand(&base, 1) - 0.1).abs() < 1e-12);
    assert_eq!((own["days"][0]["basis"].as_str(), own["days"][1]["basis"].as_str()), (Some("stated"), Some("scaled")));
    assert_eq!(base["days"][1]["basis"], "stated");
}

/// The rates of `simulate` and the target's mix give what is served, by the formula of docs/model/verdict.md worked out here once more.
#[test]
fn video_takes_its_chips() {
    let project = Project::new("video");
    let run = |name: &str| -> Value {
        let text = project.run(&["simulate", "gb200-nvl72", "--target", name, "--format", "json"]).output();
        serde_json::from_str(&text).unwrap()
    };
    let json = run("china-2026-03-video");
    let rate = |phase: &str| json[phase]["tokens_per_s"].as_f64().unwrap();
    let (prefill, decode, video) = (rate("prefill"), rate("decode"), rate("video"));
    let takes = 0.55 / video + 0.45 * (0.784 * (1.0 - 0.563) / prefill + (1.0 - 0.784) / decode);
    let verdict = &json["verdict"];
    assert!((verdict["served_tokens_per_s"].as_f64().unwrap() * takes - 1.0).abs() < 1e-12, "{verdict}");
    assert!((verdict["video_share"].as_f64().unwrap() - 0.55 / video / takes).abs() < 1e-12, "{verdict}");
    assert!(run("china-2026-03")["video"].is_null());

    let target = std::fs::read_to_string("workloads/targets/china-2026-03-video.toml").unwrap();
    let project = Project::new("clips").file("target.toml", &target.replace("wan2.2-a14b-720p", "wan2.2-a14b-720"));
    project.run(&["plan", "gb200-nvl72", "--target", "target.toml"]).fails(
        r#"error: no clip is named `wan2.2-a14b-720`
  --> target.toml:13:8
   |
13 | clip = "wan2.2-a14b-720"
   |        ^^^^^^^^^^^^^^^^^ names a clip
   |
   = help: did you mean `wan2.2-a14b-720p`?
"#,
    );
}
