//! "Did you mean": the nearest known name.

use super::functions;
use std::any::TypeId;

/// Names less alike than this (Jaro-Winkler) are not worth suggesting.
const LIKENESS: f64 = 0.75;

/// The known name that is most like `name`, if one is like it at all.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate: &str| strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
    known
        .into_iter()
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness > LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The method or property of a type that is most like `name`.
pub fn nearest_members(name: &str, type_id: TypeId) -> Option<&'static str> {
    nearest(name, functions().iter().filter(|function| function.belongs_to(type_id)).map(|function| function.name))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_is_recognized_and_a_stranger_is_not() {
        let known = ["tail", "since", "follow", "timestamps"];
        assert_eq!(nearest("tial", known), Some("tail"));
        assert_eq!(nearest("Follow", known), Some("follow"));
        assert_eq!(nearest("memory", known), None);
    }
}
