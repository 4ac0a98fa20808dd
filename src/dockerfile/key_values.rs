//! `NAME=value …` of `ENV` and `LABEL`, and their old form `NAME the rest`.

use super::words::{first_field, words};
use crate::error::{Error, Result};

/// The pairs of an instruction, and whether they are in the old form.
pub fn read(keyword: &str, text: &str, escape: char) -> Result<(Vec<(String, String)>, bool)> {
    let wanted = |message: String| Error::invalid(message).hint(format!("write `{keyword} NAME=value`"));
    let words = words(text, escape);
    let Some(first) = words.first() else { return Err(wanted(format!("{keyword} needs a name and a value"))) };
    // What comes first, a space or `=`, says which form it is.
    if !first.contains('=') {
        let (name, value) = first_field(text);
        if value.is_empty() {
            return Err(wanted(format!("{keyword} needs a value for `{name}`")));
        }
        return Ok((vec![(name.to_owned(), value.to_owned())], true));
    }
    let pairs = words.iter().map(|word| match word.split_once('=') {
        Some(("", _)) => Err(wanted(format!("{keyword} has `{word}`, which has no name"))),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(wanted(format!("{keyword} has `{word}`, which has no `=`"))),
    });
    Ok((pairs.collect::<Result<_>>()?, false))
}
