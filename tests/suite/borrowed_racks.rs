//! `import --map supply=MACHINE`: whose racks are borrowed.

use serde_json::Value as Json;

use crate::command::Project;
use crate::foreign_machines::{A100, OWN_SUPPLY, json, nccl_dump};

/// Racks are those of a machine with the same chips, switches and links, however many chips another has.
#[test]
fn racks_of_another_machine_are_not_borrowed() {
    let mesh = OWN_SUPPLY
        .replacen("\n[supernode]", "remove = [\"level[node]\"]\n\n[supernode]", 1)
        .replace("[sources]", "[[level]]\nname = \"node\"\nsize = 8\nlink = \"nvlink3-board\"\n[level.full-mesh]\n\n[sources]");
    let project = Project::new("import-racks")
        .file("dump.xml", &nccl_dump())
        .file("hall.toml", OWN_SUPPLY)
        .file("other.toml", &OWN_SUPPLY.replace("hgx-a100", "hgx-h100"))
        .file("mesh.toml", &mesh);
    let import = |of: &str| {
        let supply = format!("supply={of}");
        let map: Vec<&str> = A100.iter().map(|text| if text.starts_with("supply") { supply.as_str() } else { *text }).collect();
        let report = json(&project, &[&["import", "dump.xml"][..], &map].concat());
        let noted =
            report["notes"].as_array().unwrap().iter().filter_map(Json::as_str).find(|note| note.starts_with("the racks of")).map(str::to_owned);
        let text = report["toml"].as_str().unwrap();
        assert_eq!(text.contains("racks = {"), noted.is_none() && of != "hgx-a100", "{text}");
        assert!(noted.iter().all(|note| text.contains(&format!("# {note}.\n"))), "{text}");
        noted
    };
    assert_eq!(import("./hall.toml"), None);
    assert_eq!(import("hgx-a100"), None, "it states no racks");
    assert_eq!(import("./other.toml").as_deref(), Some("the racks of ./other.toml are not taken: they hold 8 `h100`, and this machine has 0"));
    assert_eq!(
        import("./mesh.toml").as_deref(),
        Some("the racks of ./mesh.toml are not taken: they hold 28 links `nvlink3-board`, and this machine has 96")
    );
    assert_eq!(import("gb200-nvl72").as_deref(), Some("the racks of gb200-nvl72 are not taken: they hold 72 `gb200`, and this machine has 0"));
}
