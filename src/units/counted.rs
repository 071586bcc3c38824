//! Counts with their noun.

use std::fmt::Display;

/// `1 link`, `2 links`, `0 switches`: the noun is given for one.
#[must_use]
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let plural = match noun {
        _ if count == N::from(1) => "",
        noun if noun.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_singular() {
        assert_eq!([counted(0_u32, "link"), counted(1_usize, "link"), counted(2_u64, "link")], ["0 links", "1 link", "2 links"]);
        assert_eq!([counted(1_u32, "switch"), counted(4_u32, "switch")], ["1 switch", "4 switches"]);
    }
}
