//! Endpoints of InfraGraph: `xpu`, `xpu[3]`, `xpu[0:4]`, `xpu[::2]`, `xpu[-1]`, as slices of Python.

/// Name and indices that a text means among `count` things.
///
/// # Errors
/// A text that is no slice or names what is not there, in one line.
pub(super) fn indices(text: &str, slice: Option<&str>, count: u64) -> Result<Vec<u64>, String> {
    let Some(slice) = slice else { return Ok((0..count).collect()) };
    let number = |part: &str| -> Result<Option<i64>, String> {
        if part.trim().is_empty() { Ok(None) } else { part.trim().parse().map(Some).map_err(|_| format!("`{text}` is not an index or a slice")) }
    };
    let parts = slice.split(':').map(number).collect::<Result<Vec<_>, String>>()?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let from_end = |index: i64| if index < 0 { index + count } else { index };
    let index = |index: i64| u64::try_from(index).unwrap_or(0);
    match parts[..] {
        [None] => Ok((0..index(count)).collect()),
        [Some(one)] => {
            let one = from_end(one);
            if (0..count).contains(&one) { Ok(vec![index(one)]) } else { Err(format!("`{text}`: there are {count}")) }
        }
        [start, stop] => bounds(text, [start, stop, None], count),
        [start, stop, step] => bounds(text, [start, stop, step], count),
        _ => Err(format!("`{text}` is not an index or a slice")),
    }
}

fn bounds(text: &str, [start, stop, step]: [Option<i64>; 3], count: i64) -> Result<Vec<u64>, String> {
    let step = step.unwrap_or(1);
    if step <= 0 {
        return Err(format!("`{text}`: a step of {step} is not read"));
    }
    let bound = |bound: Option<i64>, absent: i64| bound.map_or(absent, |bound| if bound < 0 { bound + count } else { bound }).clamp(0, count);
    if stop.is_some_and(|stop| stop > count) {
        return Err(format!("`{text}`: there are {count}"));
    }
    let (start, stop) = (bound(start, 0), bound(stop, count));
    let steps = (start..stop).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    Ok(steps.map(|index| u64::try_from(index).unwrap_or(0)).collect())
}

/// `name[slice]` taken apart.
///
/// # Errors
/// A bracket without its other, in one line.
pub(super) fn split(text: &str) -> Result<(&str, Option<&str>), String> {
    match text.split_once('[') {
        None => Ok((text, None)),
        Some((name, rest)) => rest.strip_suffix(']').map(|slice| (name, Some(slice))).ok_or_else(|| format!("`{text}` lacks a `]`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_slices() {
        let read = |slice: &str| indices("x", Some(slice), 6);
        assert_eq!(read("2"), Ok(vec![2]));
        assert_eq!(read("-1"), Ok(vec![5]));
        assert_eq!(read("0:2"), Ok(vec![0, 1]));
        assert_eq!(read("4:"), Ok(vec![4, 5]));
        assert_eq!(read(":-4"), Ok(vec![0, 1]));
        assert_eq!(read("1:6:2"), Ok(vec![1, 3, 5]));
        assert_eq!(read(""), Ok((0..6).collect()));
        assert_eq!(indices("x", None, 2), Ok(vec![0, 1]));
        assert_eq!(read("6"), Err("`x`: there are 6".into()));
        assert_eq!(read("0:7"), Err("`x`: there are 6".into()));
        assert_eq!(read("a"), Err("`x` is not an index or a slice".into()));
        assert_eq!(read("5:0:-1"), Err("`x`: a step of -1 is not read".into()));
        assert_eq!(split("a[0:2]"), Ok(("a", Some("0:2"))));
        assert!(split("a[0").is_err());
    }
}
