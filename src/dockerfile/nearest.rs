//! What was meant by a name that nobody knows.

/// The known name that a slip of the finger or two makes another one.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = name.chars().count().min(6) / 2;
    // Compared with every name: what is that long is no slip.
    if name.len() > 64 {
        return None;
    }
    let distances = known.into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
    distances.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}
