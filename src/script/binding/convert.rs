//! From script values to Rust and back.

use super::OptionDoc;
use crate::error::{Error, Result};
use rhai::{Array, Dynamic, Map};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A Rust type that a script value can become.
pub trait FromScript: Sized {
    /// Whether the argument may be left out.
    const OPTIONAL: bool = false;
    /// The name of the type in help and errors: `string`, `[string]`, `Container`.
    fn type_name() -> String;
    /// Whether a value is meant for this parameter, rather than for the next one.
    fn accepts(value: &Dynamic) -> bool;
    /// Converts the value.
    fn from_script(value: Dynamic) -> Result<Self, Refusal>;
    /// What an argument that was left out means.
    fn absent() -> Option<Self> {
        None
    }
    /// The keys it takes, when it is an option map.
    fn options() -> Vec<OptionDoc> {
        Vec::new()
    }
}

/// A Rust type that becomes a script value.
pub trait IntoScript {
    /// The name of the type in help.
    fn type_name() -> String;
    /// Converts the value.
    fn into_script(self) -> Result<Dynamic>;
}

/// Why a value cannot become what it should.
#[derive(Debug)]
pub enum Refusal {
    /// It has the wrong type.
    Type {
        /// Where inside the value, such as ``option `ports`: item 2``; empty: the value itself.
        at: String,
        /// What is taken there.
        takes: String,
        /// What was given.
        got: String,
    },
    /// It has the right type and says something wrong.
    Value(Error),
}

impl Refusal {
    /// A value of the wrong type.
    pub fn wrong_type(takes: impl Into<String>, got: &Dynamic) -> Self {
        Self::Type { at: String::new(), takes: takes.into(), got: describe(got) }
    }

    /// The same, inside something: ``option `tail` ``.
    #[must_use]
    pub fn inside(self, place: &str) -> Self {
        match self {
            Self::Type { at, takes, got } if at.is_empty() => Self::Type { at: place.to_owned(), takes, got },
            Self::Type { at, takes, got } => Self::Type { at: format!("{place}: {at}"), takes, got },
            Self::Value(error) => Self::Value(error.context(place)),
        }
    }

    /// As the error that the script sees; `subject` stands for the value itself.
    pub fn into_error(self, function: &str, subject: &str) -> Error {
        match self {
            Self::Type { at, takes, got } => {
                let subject = if at.is_empty() { subject } else { &at };
                Error::invalid(format!("{subject} takes {takes}, got {got}")).context(function)
            }
            Self::Value(error) => error.context(function),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Value(error)
    }
}

/// A value as errors mention it: its type, and its text when that is short.
pub fn describe(value: &Dynamic) -> String {
    let name = script_type_name(value);
    let text = match name.as_str() {
        "string" => format!("\"{}\"", value.clone().into_string().unwrap_or_default()),
        "int" | "float" | "bool" | "char" => value.to_string(),
        _ => return name,
    };
    if text.chars().count() > 40 { name } else { format!("{name} `{text}`") }
}

/// The name of a value's type as our errors and help write it.
pub fn script_type_name(value: &Dynamic) -> String {
    match value.type_name() {
        "i64" => "int",
        "f64" => "float",
        "string" | "&str" | "alloc::string::String" => "string",
        "()" => "()",
        "array" => "array",
        "map" => "map",
        "Fn" => "function",
        other => {
            let name = super::types().iter().find(|doc| (doc.type_id)() == value.type_id()).map(|doc| doc.name);
            name.unwrap_or(other)
        }
    }
    .to_owned()
}

impl FromScript for Dynamic {
    fn type_name() -> String {
        "any".to_owned()
    }
    fn accepts(_: &Dynamic) -> bool {
        true
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        Ok(value)
    }
}

impl FromScript for String {
    fn type_name() -> String {
        "string".to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_string() || value.is_char()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if value.is_char() {
            return Ok(value.to_string());
        }
        if !value.is_string() {
            return Err(Refusal::wrong_type("string", &value));
        }
        Ok(value.into_string().unwrap_or_default())
    }
}

impl FromScript for PathBuf {
    fn type_name() -> String {
        "path".to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_string()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        String::from_script(value).map(PathBuf::from)
    }
}

impl FromScript for bool {
    fn type_name() -> String {
        "bool".to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_bool()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        value.as_bool().map_err(|_| Refusal::wrong_type("bool", &value))
    }
}

impl FromScript for f64 {
    fn type_name() -> String {
        "float".to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_float() || value.is_int()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if let Ok(int) = value.as_int() {
            return Ok(int as f64);
        }
        value.as_float().map_err(|_| Refusal::wrong_type("a number", &value))
    }
}

macro_rules! integers {
    ($($ty:ty),*) => { $(
        impl FromScript for $ty {
            fn type_name() -> String {
                "int".to_owned()
            }
            fn accepts(value: &Dynamic) -> bool {
                value.is_int()
            }
            fn from_script(value: Dynamic) -> Result<Self, Refusal> {
                let int = value.as_int().map_err(|_| Refusal::wrong_type("int", &value))?;
                <$ty>::try_from(int).map_err(|_| {
                    Refusal::wrong_type(format!("int from {} to {}", <$ty>::MIN, <$ty>::MAX), &value)
                })
            }
        }
        impl IntoScript for $ty {
            fn type_name() -> String {
                "int".to_owned()
            }
            fn into_script(self) -> Result<Dynamic> {
                i64::try_from(self)
                    .map(Dynamic::from)
                    .map_err(|_| Error::invalid(format!("{self} does not fit into an integer")))
            }
        }
    )* };
}

integers!(i64, u64, usize, i32, u32, u16, u8);

impl<T: FromScript> FromScript for Option<T> {
    const OPTIONAL: bool = true;
    fn type_name() -> String {
        T::type_name()
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_unit() || T::accepts(value)
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if value.is_unit() { Ok(None) } else { T::from_script(value).map(Some) }
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn options() -> Vec<OptionDoc> {
        T::options()
    }
}

impl<T: FromScript> FromScript for Vec<T> {
    fn type_name() -> String {
        format!("[{}]", T::type_name())
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_array()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if !value.is_array() {
            return Err(Refusal::wrong_type(Self::type_name(), &value));
        }
        let items = value.into_array().unwrap_or_default();
        let convert = |(index, item): (usize, Dynamic)| {
            T::from_script(item.flatten()).map_err(|refusal| refusal.inside(&format!("item {}", index + 1)))
        };
        items.into_iter().enumerate().map(convert).collect()
    }
    fn options() -> Vec<OptionDoc> {
        T::options()
    }
}

impl<T: FromScript> FromScript for BTreeMap<String, T> {
    fn type_name() -> String {
        format!("#{{string: {}}}", T::type_name())
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_map()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        let got = describe(&value);
        let Some(map) = value.try_cast::<Map>() else {
            return Err(Refusal::Type { at: String::new(), takes: Self::type_name(), got });
        };
        let convert = |(key, value): (rhai::Identifier, Dynamic)| match T::from_script(value.flatten()) {
            Ok(value) => Ok((key.to_string(), value)),
            Err(refusal) => Err(refusal.inside(&format!("key `{key}`"))),
        };
        map.into_iter().map(convert).collect()
    }
}

impl FromScript for Map {
    fn type_name() -> String {
        "map".to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_map()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if !value.is_map() {
            return Err(Refusal::wrong_type("map", &value));
        }
        Ok(value.try_cast::<Map>().unwrap_or_default())
    }
}

/// Text or bytes: what files and request bodies hold. A blob in scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl FromScript for Bytes {
    fn type_name() -> String {
        "string or blob".to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_string() || value.is_blob()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if value.is_blob() {
            return Ok(Self(value.into_blob().unwrap_or_default()));
        }
        if !value.is_string() {
            return Err(Refusal::wrong_type("string or blob", &value));
        }
        Ok(Self(value.into_string().unwrap_or_default().into_bytes()))
    }
}

impl IntoScript for Bytes {
    fn type_name() -> String {
        "blob".to_owned()
    }
    fn into_script(self) -> Result<Dynamic> {
        Ok(Dynamic::from_blob(self.0))
    }
}

/// Simple values that Rhai takes as they are: the Rust type and its name in scripts.
macro_rules! plain {
    ($($ty:ty => $name:literal),*) => { $(
        impl IntoScript for $ty {
            fn type_name() -> String {
                $name.to_owned()
            }
            fn into_script(self) -> Result<Dynamic> {
                Ok(self.into())
            }
        }
    )* };
}

plain!(String => "string", &str => "string", bool => "bool", f64 => "float", Map => "map", rhai::FnPtr => "function");

impl IntoScript for Dynamic {
    fn type_name() -> String {
        "any".to_owned()
    }
    fn into_script(self) -> Result<Dynamic> {
        Ok(self)
    }
}

impl IntoScript for () {
    fn type_name() -> String {
        "()".to_owned()
    }
    fn into_script(self) -> Result<Dynamic> {
        Ok(Dynamic::UNIT)
    }
}

impl IntoScript for PathBuf {
    fn type_name() -> String {
        "string".to_owned()
    }
    fn into_script(self) -> Result<Dynamic> {
        Ok(self.to_string_lossy().into_owned().into())
    }
}

impl<T: IntoScript> IntoScript for Option<T> {
    fn type_name() -> String {
        format!("{}?", T::type_name())
    }
    fn into_script(self) -> Result<Dynamic> {
        self.map_or(Ok(Dynamic::UNIT), IntoScript::into_script)
    }
}

impl<T: IntoScript> IntoScript for Vec<T> {
    fn type_name() -> String {
        format!("[{}]", T::type_name())
    }
    fn into_script(self) -> Result<Dynamic> {
        let items: Array = self.into_iter().map(IntoScript::into_script).collect::<Result<_>>()?;
        Ok(items.into())
    }
}

impl<T: IntoScript> IntoScript for BTreeMap<String, T> {
    fn type_name() -> String {
        format!("#{{string: {}}}", T::type_name())
    }
    fn into_script(self) -> Result<Dynamic> {
        let convert = |(key, value): (String, T)| Ok((key.into(), value.into_script()?));
        Ok(self.into_iter().map(convert).collect::<Result<Map>>()?.into())
    }
}

impl<T: IntoScript> IntoScript for Result<T> {
    fn type_name() -> String {
        T::type_name()
    }
    fn into_script(self) -> Result<Dynamic> {
        self.and_then(IntoScript::into_script)
    }
}

/// JSON as values: objects become maps, whose keys are sorted.
impl IntoScript for serde_json::Value {
    fn type_name() -> String {
        "any".to_owned()
    }
    fn into_script(self) -> Result<Dynamic> {
        use serde_json::Value;
        Ok(match self {
            Value::Null => Dynamic::UNIT,
            Value::Bool(value) => value.into(),
            Value::Number(number) => match number.as_i64() {
                Some(int) => int.into(),
                None => number.as_f64().unwrap_or(f64::NAN).into(),
            },
            Value::String(text) => text.into(),
            Value::Array(items) => return items.into_script(),
            Value::Object(fields) => {
                let convert = |(key, value): (String, Value)| Ok((key.into(), value.into_script()?));
                fields.into_iter().map(convert).collect::<Result<Map>>()?.into()
            }
        })
    }
}
