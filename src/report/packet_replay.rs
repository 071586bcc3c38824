//! A decode step with packets beside the flow level, as text and as JSON.

use serde_json::{Value as Json, json};

use super::collective::packets_json;
use super::format::{Section, Table};
use crate::network::Replayed;
use crate::study::PacketReplay;
use crate::units::render;

pub(super) fn packet_replay_json(replay: &PacketReplay) -> Json {
    let transfer = |transfer: &Replayed| {
        json!({
            "what": transfer.what,
            "time_s": transfer.time(),
            "flow_time_s": transfer.flow,
            "packets": transfer.rounds.as_ref().ok().map(packets_json),
            "left_out": transfer.rounds.as_ref().err(),
        })
    };
    json!({
        "tpot_s": replay.tpot,
        "flow_tpot_s": replay.flow_tpot,
        "ratio": replay.tpot / replay.flow_tpot,
        "transfers": replay.transfers.iter().map(transfer).collect::<Vec<_>>(),
        "notes": replay.notes,
    })
}

pub(super) fn packet_replay_sections(replay: &PacketReplay) -> Vec<Section> {
    let mut table = Table::new(&["<transfer of a layer", "packets µs", "flows µs", "ratio", "time µs", "flow level µs"]);
    for transfer in &replay.transfers {
        let wire = transfer.rounds.as_ref().ok();
        let microseconds = |time: Option<crate::units::Seconds>| time.map_or_else(|| "-".to_owned(), |time| format!("{:.2}", time.microseconds()));
        table.row([
            transfer.what.clone(),
            microseconds(wire.map(|rounds| rounds.packets)),
            microseconds(wire.map(|rounds| rounds.flows)),
            wire.map_or_else(|| "-".to_owned(), |rounds| format!("{:.3}", rounds.ratio())),
            microseconds(Some(transfer.time())),
            microseconds(Some(transfer.flow)),
        ]);
    }
    let change = 100.0 * (replay.tpot / replay.flow_tpot - 1.0);
    let mut sections = vec![
        Section::Title("Decode with packets".into()),
        Section::Note(format!("TPOT {} with packets, {} at flow level: {change:+.2} %.", render(replay.tpot), render(replay.flow_tpot))),
        Section::Table(table),
    ];
    let left_out = replay.transfers.iter().filter_map(|transfer| Some((&transfer.what, transfer.rounds.as_ref().err()?)));
    sections.extend(left_out.map(|(what, why)| Section::Note(format!("Kept at flow level: {what}: {why}."))));
    sections.extend(replay.notes.iter().map(|note| Section::Note(format!("{note}."))));
    sections
}
