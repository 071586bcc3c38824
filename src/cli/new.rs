//! `supernode new`: a machine from its parts, as a file to start from.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::output_file::{cannot_write, write_file};
use super::{CommandResult, Output, bad_option};
use crate::fabric;
use crate::input::catalog::{FoundText, Mention};
use crate::input::document::{ChipFile, CpuFile, FileKind, LibraryFile, LinkFile, SwitchFile};
use crate::input::extends::read_layers;
use crate::input::file_cache::FileReader;
use crate::input::problem::Problems;
use crate::input::spec::supernode_of;
use crate::study::{NewMachine, NewStructure, structure};
use crate::units::counted;

/// Write the file of a machine made of these parts, planes and spines worked out
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Name of the machine
    name: String,

    /// Chip part: a shipped name or a path
    #[arg(long, value_name = "PART")]
    chip: String,

    /// Chips in all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    chips: u32,

    /// Switch part
    #[arg(long, value_name = "PART")]
    switch: String,

    /// Link part between chip and switch
    #[arg(long, value_name = "PART")]
    link: String,

    /// Link part between leaf and spine; as --link if absent
    #[arg(long, value_name = "PART")]
    uplink: Option<String>,

    /// Tiers of switches; as few as will do if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    tiers: Option<u8>,

    /// CPU part of the hosts; no hosts if absent, which `check` warns of
    #[arg(long, value_name = "PART")]
    cpu: Option<String>,

    /// Chips of a host
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    host_chips: u32,

    /// Link part between host and chip
    #[arg(long, value_name = "PART", default_value = "pcie5-x16")]
    host_link: String,

    /// Communication library part
    #[arg(long, value_name = "PART", default_value = "generic")]
    library: String,

    /// Write the file here instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A part by its name on the command line.
fn part<K: FileKind>(name: &str, problems: &mut Vec<crate::input::problem::Problem>) -> Option<K::Content> {
    let reader = FileReader::default();
    let found = reader.find::<K>(name, &Mention::on_command_line()).and_then(|found| read_layers::<K>(found, &reader));
    found.map_err(|found| problems.extend(found.into_list())).ok().map(|(content, ..)| content)
}

pub fn run(arguments: &Arguments) -> CommandResult {
    let mut problems = Vec::new();
    let uplink_name = arguments.uplink.as_deref().unwrap_or(&arguments.link);
    let parts = (
        part::<ChipFile>(&arguments.chip, &mut problems),
        part::<SwitchFile>(&arguments.switch, &mut problems),
        part::<LinkFile>(&arguments.link, &mut problems),
        part::<LinkFile>(uplink_name, &mut problems),
    );
    part::<LibraryFile>(&arguments.library, &mut problems);
    if let Some(cpu) = &arguments.cpu {
        part::<CpuFile>(cpu, &mut problems);
    }
    Problems::check(problems, ())?;
    let (Some(chip), Some(switch), Some(link), Some(uplink)) = parts else { return Err(bad_option("new", "a part is missing")) };
    let request = NewMachine { chips: arguments.chips, chip: &chip, switch: &switch, link: &link, uplink: &uplink, tiers: arguments.tiers };
    let found = structure(&request).map_err(|why| bad_option("new", why))?;
    let text = text(arguments, uplink_name, found)?;
    // What is written loads and builds: its lanes, ports and names are right.
    let name = arguments.out.as_ref().map_or_else(|| "new.toml".to_owned(), |path| path.display().to_string());
    // Paths of parts are read from where the file will lie.
    let folder = arguments.out.as_ref().and_then(|path| path.parent()).map(Path::to_owned).unwrap_or_default();
    let written = FoundText { folder: Some(folder), ..FoundText::in_memory(&name, &text) };
    fabric::build(&supernode_of(&FileReader::default(), written, &name)?)?;
    let Some(path) = &arguments.out else { return Ok(Output::done(text)) };
    write_file(path, &text).map_err(|error| cannot_write("--out", path, &error))?;
    let shown = path.display();
    Ok(Output::done(format!("{shown}: {}; next: supernode check {shown}\n", summary(found, arguments.chips))))
}

fn summary(found: NewStructure, chips: u32) -> String {
    let switches = found.switches(chips);
    match found {
        NewStructure::OneTier { planes, links } => {
            let (planes, links) = (counted(planes, "plane"), counted(links, "link"));
            format!("one tier, {planes}, {links} from a chip to each of {}", counted(switches, "switch"))
        }
        NewStructure::TwoTiers { planes, leaf, spines, uplinks } => {
            format!(
                "two tiers, {} of {} leaves with {} and {}, {} between each two, {}",
                counted(planes, "plane"),
                chips / leaf,
                counted(leaf, "chip"),
                counted(spines, "spine"),
                counted(uplinks, "link"),
                counted(switches, "switch")
            )
        }
    }
}

fn text(arguments: &Arguments, uplink: &str, found: NewStructure) -> Result<String, Problems> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let host_chips = (1..=arguments.host_chips).rev().find(|count| arguments.chips.is_multiple_of(*count)).unwrap_or(1);
    let mut text = format!("# {}.\nschema = 1\n\n[supernode]\n", summary(found, arguments.chips));
    let _ = writeln!(text, "name = {}\nvendor = \"none\"\norigin = {{ confidence = \"assumed\" }}", quoted(&arguments.name));
    let _ = writeln!(text, "chip = {}\nlibrary = {}\nhost_chips = {host_chips}", quoted(&arguments.chip), quoted(&arguments.library));
    let (switch, link) = (quoted(&arguments.switch), quoted(&arguments.link));
    let attach = |text: &mut String, chips: u32| {
        let Some(cpu) = &arguments.cpu else { return Ok(()) };
        if !chips.is_multiple_of(host_chips) {
            return Err(bad_option("--host-chips", format!("{chips} chips of a leaf do not fill hosts of {host_chips}")));
        }
        let _ = writeln!(
            text,
            "[[level.attach]]\ncpu = {}\ncount = {}\nlink = {}\nto = \"chips\"",
            quoted(cpu),
            chips / host_chips,
            quoted(&arguments.host_link)
        );
        Ok(())
    };
    match found {
        NewStructure::OneTier { planes, links } => {
            let _ = writeln!(text, "\n[[level]]\nname = \"supernode\"\nsize = {}\nlink = {link}\nlinks = {links}", arguments.chips);
            let _ = writeln!(text, "[level.switch]\npart = {switch}\nplanes = {planes}");
            attach(&mut text, arguments.chips)?;
        }
        NewStructure::TwoTiers { planes, leaf, spines, uplinks } => {
            let _ = writeln!(text, "\n[[level]]\nname = \"leaf\"\nsize = {leaf}\nlink = {link}");
            let _ = writeln!(text, "[level.switch]\npart = {switch}\nplanes = {planes}");
            attach(&mut text, leaf)?;
            let _ =
                writeln!(text, "\n[[level]]\nname = \"supernode\"\nsize = {}\nlink = {}\nlinks = {uplinks}", arguments.chips / leaf, quoted(uplink));
            let _ = writeln!(text, "[level.clos]\nspine = {switch}\nspines_per_plane = {spines}");
        }
    }
    text += "\n# From the grid to the chips: put in what is known of the hall.\n[supply]\n\
             conversion_efficiency = { value = 0.95, range = [0.93, 0.975], confidence = \"assumed\" }\n\
             cooling_share = { value = 0.03, range = [0.01, 0.06], confidence = \"assumed\" }\n\
             pue = { value = 1.16, range = [1.06, 1.28], confidence = \"assumed\" }\n";
    Ok(text)
}
