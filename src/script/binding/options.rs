//! Option maps: `#{ tail: 5 }` becomes a struct, and every key is accounted for.

use super::{FromScript, OptionDoc, Refusal, nearest};
use crate::error::Error;
use rhai::{Dynamic, Map};

/// A struct that is filled from an option map; derived with `#[derive(Options)]`.
pub trait Options: Default {
    /// The keys it takes.
    fn docs() -> Vec<OptionDoc>;
    /// Sets one key; gives the value back when it does not know the key.
    fn set(&mut self, key: &str, value: Dynamic) -> Result<Option<Dynamic>, Refusal>;
}

/// The struct of an option map. Unknown keys are refused, with the nearest known one.
pub fn options_from_map<T: Options>(value: Dynamic) -> Result<T, Refusal> {
    if !value.is_map() {
        return Err(Refusal::wrong_type("an option map `#{…}`", &value));
    }
    let mut options = T::default();
    for (key, value) in value.try_cast::<Map>().unwrap_or_default() {
        if options.set(&key, value.flatten())?.is_some() {
            return Err(Refusal::Value(unknown(&key, &T::docs())));
        }
    }
    Ok(options)
}

/// Converts the value of one key; errors name the key.
pub fn option_value<T: FromScript>(key: &str, value: Dynamic) -> Result<T, Refusal> {
    T::from_script(value).map_err(|refusal| refusal.inside(&format!("option `{key}`")))
}

fn unknown(key: &str, known: &[OptionDoc]) -> Error {
    let names = known.iter().flat_map(|option| std::iter::once(option.name).chain(option.aliases.iter().copied()));
    let error = Error::invalid(format!("unknown option `{key}`"));
    match nearest(key, names) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None if known.is_empty() => error.hint("it takes no options"),
        None => {
            let names: Vec<_> = known.iter().map(|option| option.name).collect();
            error.hint(format!("known options: {}", names.join(", ")))
        }
    }
}
