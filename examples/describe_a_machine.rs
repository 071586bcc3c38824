//! A machine from text: eight H100 below one switch tier. A slip in the text comes back underlined.

use supernode::{Error, Op, Supernode};

const MACHINE: &str = r#"
schema = 1
[supernode]
name = "Tray of eight"
vendor = "example"
chip = "h100"
library = "nccl-nvlink4"

[[level]]
name = "machine"
size = 8
link = "nvlink4-board"
[level.switch]
part = "nvswitch3"
planes = 4
links_per_plane = [5, 4, 4, 5]

[supply]
conversion_efficiency = 0.94
cooling_share = 0.05
pue = 1.2
"#;

fn main() -> Result<(), Error> {
    let machine = Supernode::from_toml(MACHINE)?;
    let all_to_all = machine.collective(Op::AllToAll, 8, 64e6)?;
    println!("{}: {} chips, all-to-all of 64 MB in {:.0} us", machine.name(), machine.chips(), all_to_all.time_s * 1e6);

    let Err(error) = Supernode::from_toml(&MACHINE.replace("size = 8", "size = \"many\"")) else { unreachable!("text is no number") };
    println!("\nA slip is underlined:\n{error}");
    Ok(())
}
