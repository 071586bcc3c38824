//! `--groups` and `--beside`: what runs at the same time.

use super::sizes::parse_sizes;
use crate::input::problem::suggest;
use crate::network::{Algorithm, Collective, ConcurrentCollective, Op, Placement};
use crate::units::Bytes;

/// Reads `all` or a number of groups.
///
/// # Errors
/// What was expected, in one line.
pub fn parse_groups(text: &str) -> Result<Option<u32>, String> {
    if text == "all" {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|&groups: &u32| groups > 0);
    number.map(Some).ok_or_else(|| format!("`{text}` is not a number of groups; use `all` or a number such as 8"))
}

/// Reads `op=all_to_all,size=64MiB,ranks=64,placement=strided:8,groups=all,algorithm=direct`; the first two must be there.
///
/// # Errors
/// What was expected, in one line.
pub fn parse_beside(text: &str, chips: u32) -> Result<ConcurrentCollective, String> {
    let (mut op, mut bytes, mut ranks, mut algorithm) = (None, None, None, None);
    let (mut placement, mut groups) = (Placement::default(), None);
    // A list of chips has commas of its own: what has no `=` belongs to the part before.
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',') {
        match parts.last_mut() {
            Some(last) if !part.contains('=') => *last += &format!(",{part}"),
            _ => parts.push(part.trim().to_owned()),
        }
    }
    for part in &parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key {
            "op" => op = Some(named(value, &Op::ALL)?),
            "size" => bytes = Some(one_size(value)?),
            "ranks" => ranks = Some(value.parse().map_err(|_| format!("`{part}`: expected a number of ranks such as ranks=64"))?),
            "placement" => placement = value.parse().map_err(|error| format!("{error}"))?,
            "groups" => groups = parse_groups(value)?,
            "algorithm" if value == "auto" => algorithm = None,
            "algorithm" => algorithm = Some(named(value, &Algorithm::ALL)?),
            _ => return Err(format!("`{part}`: expected op=, size=, ranks=, placement=, groups= or algorithm=")),
        }
    }
    let op = op.ok_or_else(|| format!("`{text}` names no op; for example op=all_to_all,size=64MiB,ranks=64"))?;
    let bytes = bytes.ok_or_else(|| format!("`{text}` names no size; for example op=all_to_all,size=64MiB,ranks=64"))?;
    let ranks = ranks.or(placement.ranks()).unwrap_or(chips);
    Ok(ConcurrentCollective { collective: Collective { op, ranks, bytes }, algorithm, placement, groups })
}

fn one_size(text: &str) -> Result<Bytes, String> {
    let sizes = parse_sizes(text)?;
    sizes.first().copied().filter(|_| sizes.len() == 1).ok_or_else(|| format!("`{text}`: expected one size such as 64MiB"))
}

fn named<T: Copy>(text: &str, all: &[(T, &'static str)]) -> Result<T, String> {
    let known = all.iter().find(|(_, name)| *name == text).map(|entry| entry.0);
    known.ok_or_else(|| format!("`{text}` is not known; {}", suggest(text, all.iter().map(|(_, name)| *name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_any_order_and_lists_of_chips() {
        let crowd = parse_beside("size=1MiB,op=send,placement=chips:0,9,18,groups=1", 384);
        let expected = ConcurrentCollective {
            collective: Collective { op: Op::Send, ranks: 3, bytes: Bytes::new(1_048_576.0) },
            algorithm: None,
            placement: Placement::Explicit(vec![0, 9, 18]),
            groups: Some(1),
        };
        assert_eq!(crowd, Ok(expected));
        assert_eq!(parse_beside("op=send,size=1B", 384).map(|crowd| (crowd.collective.ranks, crowd.groups)), Ok((384, None)));
    }

    #[test]
    fn errors_say_what_was_expected() {
        let error = |text| parse_beside(text, 8).unwrap_err();
        assert_eq!(error("op=all_to_al,size=1B"), "`all_to_al` is not known; did you mean `all_to_all`?");
        assert_eq!(error("op=send"), "`op=send` names no size; for example op=all_to_all,size=64MiB,ranks=64");
        assert_eq!(error("op=send,size=1B..4B"), "`1B..4B`: expected one size such as 64MiB");
        assert_eq!(error("op=send,size=1B,at=7"), "`at=7`: expected op=, size=, ranks=, placement=, groups= or algorithm=");
        assert_eq!(error("op=send,size=1B,groups=0"), "`0` is not a number of groups; use `all` or a number such as 8");
    }
}
