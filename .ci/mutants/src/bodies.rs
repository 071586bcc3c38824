//! What a function may return instead of what it computes, by its type. What does not compile is left out later.

use syn::{GenericArgument, PathArguments, ReturnType, Type, TypePath};

pub fn instead(output: &ReturnType) -> Vec<String> {
    match output {
        ReturnType::Default => vec!["()".to_owned()],
        ReturnType::Type(_, wanted) => of(wanted),
    }
}

fn each(values: &[String], shape: impl Fn(&str) -> String) -> Vec<String> {
    values.iter().map(|value| shape(value)).collect()
}

fn words(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

fn of(wanted: &Type) -> Vec<String> {
    match wanted {
        Type::Path(path) => of_path(path),
        Type::Tuple(tuple) if tuple.elems.is_empty() => words(&["()"]),
        Type::Tuple(tuple) => {
            // One part differs at a time; the others have their first value.
            let parts: Vec<Vec<String>> = tuple.elems.iter().map(of).collect();
            let first = |part: &Vec<String>| part.first().cloned().unwrap_or_else(|| "Default::default()".to_owned());
            let most = parts.iter().map(Vec::len).max().unwrap_or(1);
            let nth = |n: usize| parts.iter().map(|part| part.get(n).cloned().unwrap_or_else(|| first(part))).collect::<Vec<_>>().join(", ");
            (0..most).map(|n| format!("({})", nth(n))).collect()
        }
        Type::Reference(_) | Type::ImplTrait(_) | Type::Never(_) => Vec::new(),
        _ => words(&["Default::default()"]),
    }
}

fn inner(path: &TypePath) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}

fn of_path(path: &TypePath) -> Vec<String> {
    let name = path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    let inside = || inner(path).map(of).unwrap_or_default();
    match name.as_str() {
        "bool" => words(&["true", "false"]),
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => words(&["0", "1"]),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => words(&["0", "1", "-1"]),
        "f32" | "f64" => words(&["0.0", "1.0", "-1.0"]),
        "String" => words(&["String::new()", "\"xyzzy\".to_owned()"]),
        "Vec" => [words(&["vec![]"]), each(&inside(), |value| format!("vec![{value}]"))].concat(),
        "Option" => [words(&["None"]), each(&inside(), |value| format!("Some({value})"))].concat(),
        "Result" => each(&inside(), |value| format!("Ok({value})")),
        "BTreeMap" => words(&["Default::default()"]),
        _ => words(&["Default::default()"]),
    }
}
