//! Rust types that scripts hold: a name, how they print, and what a wrong property says.

use super::register::Registrar;
use super::{Call, FunctionReference, IntoScript, Refusal, nearest_members, record, thrown_from_error};
use crate::error::{Error, ErrorKind, Result};
use rhai::{Dynamic, EvalAltResult, NativeCallContext};
use std::any::TypeId;

/// A type that scripts hold; derived with `#[derive(Object)]`.
pub trait Object: Clone + Send + Sync + 'static {
    /// Its name in scripts.
    const NAME: &'static str;

    /// The same with its state read once, before all properties are shown.
    fn snapshot(&self, _call: &Call<'_>) -> Result<Self> {
        Ok(self.clone())
    }

    /// What `print` shows of it; `None`: a record on one line.
    fn text(&self, _call: &Call<'_>) -> Option<String> {
        None
    }
}

/// Converts a script value to an object type.
pub fn object_from_script<T: Object>(value: Dynamic) -> Result<T, Refusal> {
    let object = value.read_lock::<T>().map(|object| object.clone());
    object.ok_or_else(|| Refusal::wrong_type(T::NAME, &value))
}

/// Makes a type known to Rhai.
pub(super) type Register = fn(&mut Registrar<'_>);

pub(super) fn register<T: Object>(registrar: &mut Registrar<'_>) {
    let engine = &mut *registrar.engine;
    engine.register_type_with_name::<T>(T::NAME);
    // Asked for when there is no such property: `help(c.run)`, or a mistake.
    engine.register_indexer_get(|_: &mut T, name: &str| -> Result<Dynamic, Box<EvalAltResult>> {
        member::<T>(name).map_err(thrown_from_error)
    });
    for name in ["to_string", "to_debug"] {
        let session = registrar.session.clone();
        engine.register_fn(name, move |native: NativeCallContext<'_>, this: &mut T| -> String {
            let value = Dynamic::from(this.clone());
            record(&value, &Call::new(&native, &session, None))
        });
    }
}

fn member<T: Object>(name: &str) -> Result<Dynamic> {
    let id = TypeId::of::<T>();
    if let Some(function) = super::functions().iter().find(|function| function.belongs_to(id) && function.name == name)
    {
        return FunctionReference::to(function).into_script();
    }
    let error = Error::new(ErrorKind::Script, format!("`{}` has no property `{name}`", T::NAME));
    Err(match nearest_members(name, id) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error.hint(format!("`help(\"{}\")` shows what it has", T::NAME)),
    })
}

pub(super) fn text<T: Object>(value: &Dynamic, call: &Call<'_>) -> Option<String> {
    let object = value.read_lock::<T>().map(|object| object.clone());
    object.and_then(|object| object.text(call))
}

pub(super) fn snapshot<T: Object>(value: &Dynamic, call: &Call<'_>) -> Result<Dynamic> {
    let object = value.read_lock::<T>().map(|object| object.clone());
    object.map_or_else(|| Ok(value.clone()), |object| object.snapshot(call).map(Dynamic::from))
}
