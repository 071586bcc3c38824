//! Every number that does not fit has its message.

use crate::topologies::machine::complaint;

fn level(size: u32, rest: &str) -> String {
    complaint(&format!("[[level]]\nname = \"l\"\nsize = {size}\nlink = \"PART(link)\"\n{rest}\n"))
}

fn above_two(size: u32, rest: &str) -> String {
    let pair = "[[level]]\nname = \"pair\"\nsize = 2\nlink = \"PART(link)\"\n[level.switch]\npart = \"PART(switch)\"\nplanes = 2\n";
    complaint(&format!("{pair}[[level]]\nname = \"l\"\nsize = {size}\nlink = \"PART(link)\"\n{rest}\n"))
}

macro_rules! says {
    ($($name:ident: $complaint:expr => $text:literal;)*) => {
        $(#[test] fn $name() { assert_eq!($complaint, $text); })*
    };
}

says! {
    no_pattern: level(4, "") =>
        "level `l` needs exactly one pattern, found 0 | these children are joined how? | one of `[level.switch]`, `[level.clos]`, `[level.full-mesh]`, `[level.ring]`, `[level.mesh]`, `[level.torus]`, `[level.hyperx]`, `[level.dragonfly]`, `[level.rail]`, `[level.pcie-tree]`, `[level.custom]`, `[level.package]`";
    two_patterns: level(4, "[level.ring]\n[level.full-mesh]") =>
        "level `l` needs exactly one pattern, found 2 | these children are joined how? | one of `[level.switch]`, `[level.clos]`, `[level.full-mesh]`, `[level.ring]`, `[level.mesh]`, `[level.torus]`, `[level.hyperx]`, `[level.dragonfly]`, `[level.rail]`, `[level.pcie-tree]`, `[level.custom]`, `[level.package]`";
    grid_of_another_size: level(64, "[level.mesh]\ndimensions = [4, 4, 3]") =>
        "the dimensions of level `l` do not multiply to its size | 4 x 4 x 3 is 48 | the level has 64 children";
    grid_beyond_counting: level(64, "[level.hyperx]\ndimensions = [4000000, 4000000]") =>
        "the dimensions of level `l` do not multiply to its size | too many to count | the level has 64 children";
    blocks_that_do_not_divide: level(24, "[level.torus]\ndimensions = [4, 6]\ncircuits = { block = [4, 4], link = \"PART(circuit)\" }") =>
        "the blocks do not fill the torus | this `block` | `block` has one entry for each dimension, which it divides";
    blocks_of_another_dimension: level(24, "[level.torus]\ndimensions = [4, 6]\ncircuits = { block = [2], link = \"PART(circuit)\" }") =>
        "the blocks do not fill the torus | this `block` | `block` has one entry for each dimension, which it divides";
    clos_over_chips: level(4, "[level.clos]\nspine = \"PART(switch)\"\nspines_per_plane = 2") =>
        "a Clos needs switches below it | its leaves are the switches of the level below | give the level below a `[level.switch]`, or this one a `[level.clos.leaf]`";
    uneven_leaves: level(10, "[level.clos]\nspine = \"PART(switch)\"\nspines_per_plane = 2\nleaf = { part = \"PART(switch)\", planes = 1, children_per_leaf = 4 }") =>
        "the leaves of level `l` do not share its children equally | 10 children, 4 a leaf | `children_per_leaf` divides the level's size";
    uneven_stripes: complaint("[[level]]\nname = \"edge\"\nsize = 2\nlink = \"PART(link)\"\n[level.switch]\npart = \"PART(switch)\"\nplanes = 1\nswitches_per_plane = 2\n[[level]]\nname = \"l\"\nsize = 2\nlink = \"PART(link)\"\n[level.clos]\nspine = \"PART(switch)\"\nspines_per_plane = 3\nstriped = true") =>
        "3 spines cannot be striped over 2 switches | every child offers 2 switches a plane | `spines_per_plane` is a multiple of the switches that a child offers";
    planes_that_do_not_meet: above_two(4, "[level.switch]\npart = \"PART(switch)\"\nplanes = 3") =>
        "3 planes of switches do not meet 2 planes below | every child has 2 planes | give both levels the same number of planes";
    uneven_dragonfly: level(10, "[level.dragonfly]\nrouter = \"PART(switch)\"\ngroups = 3\nrouters_per_group = 2\nglobal_links_per_router = 1") =>
        "the routers of level `l` do not share its children equally | 10 children, 3 groups of 2 routers | `groups` x `routers_per_group` divides the level's size";
    dragonfly_with_links_left_over: level(12, "[level.dragonfly]\nrouter = \"PART(switch)\"\ngroups = 3\nrouters_per_group = 1\nglobal_links_per_router = 3") =>
        "the groups of level `l` cannot all be joined by the same number of links | 1 x 3 links leave a group, for 2 others | `routers_per_group` x `global_links_per_router` is a multiple of `groups` - 1";
    rails_left_over: above_two(4, "[level.rail]\npart = \"PART(switch)\"\nrails_per_switch = 3") =>
        "2 rails cannot be shared out, 3 to a switch | every child has 2 chips | `rails_per_switch` divides the chips of a child";
    uneven_tree: level(8, "[level.pcie-tree]\nswitch = \"PART(switch)\"\nswitches = 4\nhost = \"PART(cpu)\"\nhosts = 3") =>
        "the PCIe tree of level `l` does not branch evenly | 8 children, 4 switches, 3 hosts | `switches` divides the level's size, `hosts` divides `switches`";
    custom_end_unknown: level(2, "[[level.custom.link]]\nends = [\"0\", \"2\"]") =>
        "no child or switch is named `2` | used as a link's end here | children are named \"0\" to \"1\"; switches: nothing of this kind is known";
    custom_link_to_itself: level(2, "[[level.custom.link]]\nends = [\"1\", \"1\"]") =>
        "a link joins `1` to itself | the same end again | a link has two different ends";
    custom_switch_twice: level(2, "[level.custom]\nswitch = [{ name = \"a\", part = \"PART(switch)\" }, { name = \"a\", part = \"PART(switch)\" }]\nlink = [{ ends = [\"0\", \"a\"] }, { ends = [\"1\", \"a\"] }]") =>
        "switch `a` is declared twice | declared again here";
    custom_switch_named_like_a_child: level(2, "[level.custom]\nswitch = [{ name = \"7\", part = \"PART(switch)\" }]\nlink = [{ ends = [\"0\", \"7\"] }, { ends = [\"1\", \"7\"] }]") =>
        "switch `7` is named like a child | a number names a child | give it a name that is not a number";
    attach_nothing: level(4, "[level.ring]\n[[level.attach]]\ncount = 2\nlink = \"PART(link)\"") =>
        "what does level `l` attach? | this many of what? | give exactly one of `cpu`, `nic` and `memory`";
    attach_unevenly: level(4, "[level.ring]\n[[level.attach]]\ncpu = \"PART(cpu)\"\ncount = 3\nlink = \"PART(link)\"\nto = \"chips\"") =>
        "the chips of level `l` cannot be shared equally among what it attaches | 4 chips | `count` divides the chips of the group";
    chip_over_budget: level(4, "links = 4096\n[level.full-mesh]") =>
        "chip `test chip` has 4096 lanes, its links need 12288 | level `l` adds the links that do not fit | fewer children, planes or parallel links, or a part with more ports";
    host_lanes_over_budget: level(4, "[level.ring]\n[[level.attach]]\ncpu = \"PART(cpu)\"\ncount = 4\nlinks = 64\nlink = \"PART(link)\"") =>
        "chip `test chip` has 64 host lanes, its links need 256 | level `l` adds the links that do not fit | fewer children, planes or parallel links, or a part with more ports";
    unreachable: level(4, "[level.custom]\nlink = [{ ends = [\"0\", \"1\"] }, { ends = [\"2\", \"3\"] }]") =>
        "chip 2 cannot be reached from chip 0 | the outermost level does not join them | add links, or switches that both have links to";
    too_many_links: level(1_000_000, "[level.full-mesh]") =>
        "the machine is too large: more than 4000000 parts or 8000000 bundles of links | level `l` passes the limit";
}
