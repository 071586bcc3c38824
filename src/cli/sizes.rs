//! `--size`: one size, a list, or a range that doubles.

use crate::units::{Bytes, Quantity, parse};

/// Reads `64KiB`, `1KiB,1MiB` or `1KiB..1GiB` (doubling, both ends included).
///
/// # Errors
/// What is wrong with the text, in one line.
pub fn parse_sizes(text: &str) -> Result<Vec<Bytes>, String> {
    let size = |part: &str| {
        let bytes: Bytes = parse(part).map_err(|error| format!("`{part}` {error}; expected a size such as 64KiB or 1MB"))?;
        if bytes > Bytes::ZERO { Ok(bytes) } else { Err(format!("`{part}` must be more than zero")) }
    };
    let Some((low, high)) = text.split_once("..") else {
        return text.split(',').map(size).collect();
    };
    let (low, high) = (size(low)?, size(high)?);
    if low > high {
        return Err(format!("`{text}` runs backwards"));
    }
    let doublings = std::iter::successors(Some(low.si()), |bytes| Some(bytes * 2.0));
    Ok(doublings.take_while(|bytes| *bytes <= high.si()).map(Bytes::from_si).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_list_and_doubling() {
        let sizes = |text| parse_sizes(text).map(|sizes| sizes.iter().map(|size| size.get()).collect::<Vec<_>>());
        assert_eq!(sizes("64KiB"), Ok(vec![65536.0]));
        assert_eq!(sizes("1KiB, 1 MB"), Ok(vec![1024.0, 1e6]));
        assert_eq!(sizes("1KiB..4KiB"), Ok(vec![1024.0, 2048.0, 4096.0]));
        assert_eq!(sizes("0B"), Err("`0B` must be more than zero".into()));
        assert_eq!(sizes("2MB..1MB"), Err("`2MB..1MB` runs backwards".into()));
        assert_eq!(sizes("12"), Err("`12` has no unit; expected a size such as 64KiB or 1MB".into()));
    }
}
