//! The table of everything that scripts can call, filled at link time by the macros.

use super::{Arguments, Call, Object, object};
use crate::error::Result;
use rhai::Dynamic;
use std::any::TypeId;
use std::sync::OnceLock;

/// Every script function, in no order: use [`functions`].
#[linkme::distributed_slice]
pub static FUNCTIONS: [FunctionDoc];

/// Every type that scripts hold, in no order: use [`types`].
#[linkme::distributed_slice]
pub static TYPES: [TypeDoc];

/// One script function, method or property.
pub struct FunctionDoc {
    /// `fs` for `fs::read`.
    pub module: Option<&'static str>,
    /// What it is called on.
    pub receiver: Option<Receiver>,
    /// Its name in scripts.
    pub name: &'static str,
    /// Function, method or property.
    pub kind: Kind,
    /// Its place in the `impl` block: the order of columns.
    pub order: usize,
    /// How people read the property in records and tables, where that is not its value.
    pub shown: Option<fn(&Dynamic) -> String>,
    /// The doc comment: Markdown.
    pub doc: &'static str,
    /// What a script gives, in order; not the receiver.
    pub parameters: &'static [ParameterDoc],
    /// Name of the result's type.
    pub returns: fn() -> String,
    /// Converts the arguments, calls, converts the result.
    pub body: Body,
}

/// What runs when a script calls the function.
pub type Body = fn(&Call<'_>, &mut Dynamic, Arguments) -> Result<Dynamic>;

impl FunctionDoc {
    /// `fs::read`, `Container.logs` or `image`.
    pub fn path(&self) -> String {
        match (self.module, &self.receiver) {
            (Some(module), _) => format!("{module}::{}", self.name),
            (None, Some(receiver)) => format!("{}.{}", (receiver.type_name)(), self.name),
            (None, None) => self.name.to_owned(),
        }
    }

    /// What it does: the first paragraph of its doc comment, on one line.
    pub fn summary(&self) -> String {
        self.doc.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Whether it is a method or property of this type.
    pub fn belongs_to(&self, type_id: TypeId) -> bool {
        self.receiver.as_ref().is_some_and(|receiver| (receiver.type_id)() == type_id)
    }

    /// Whether it is a property.
    pub fn is_property(&self) -> bool {
        matches!(self.kind, Kind::Property { .. })
    }
}

/// What a method or property is called on.
pub struct Receiver {
    /// The Rust type.
    pub type_id: fn() -> TypeId,
    /// Its name in scripts.
    pub type_name: fn() -> String,
}

/// How it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `name(…)`.
    Function,
    /// `value.name(…)`.
    Method,
    /// `value.name`.
    Property {
        /// Shown in records and tables.
        column: bool,
        /// Costly: not part of JSON.
        lazy: bool,
        /// Also called as a method: `value.name()`.
        callable: bool,
    },
}

/// One parameter of a function.
pub struct ParameterDoc {
    /// Its name.
    pub name: &'static str,
    /// Name of its type.
    pub type_name: fn() -> String,
    /// May be left out.
    pub optional: bool,
    /// The keys it takes, when it is an option map.
    pub options: fn() -> Vec<OptionDoc>,
}

/// One key of an option map.
#[derive(Clone)]
pub struct OptionDoc {
    /// The key.
    pub name: &'static str,
    /// Other keys for the same.
    pub aliases: &'static [&'static str],
    /// Name of its type.
    pub type_name: fn() -> String,
    /// The doc comment.
    pub doc: &'static str,
    /// Its own keys, when it is a map itself.
    pub options: fn() -> Vec<OptionDoc>,
}

/// A type that scripts hold.
pub struct TypeDoc {
    /// Its name in scripts.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The Rust type.
    pub type_id: fn() -> TypeId,
    pub(super) register: object::Register,
    pub(super) snapshot: fn(&Dynamic, &Call<'_>) -> Result<Dynamic>,
    pub(super) text: fn(&Dynamic, &Call<'_>) -> Option<String>,
}

impl TypeDoc {
    /// The entry of a Rust type.
    pub const fn of<T: Object>(doc: &'static str) -> Self {
        Self {
            name: T::NAME,
            doc,
            type_id: TypeId::of::<T>,
            register: object::register::<T>,
            snapshot: object::snapshot::<T>,
            text: object::text::<T>,
        }
    }

    /// Its methods and properties, by name.
    pub fn members(&self) -> impl Iterator<Item = &'static FunctionDoc> {
        let id = (self.type_id)();
        functions().iter().copied().filter(move |function| function.belongs_to(id))
    }
}

/// All functions: by module, receiver and name.
pub fn functions() -> &'static [&'static FunctionDoc] {
    static SORTED: OnceLock<Vec<&'static FunctionDoc>> = OnceLock::new();
    SORTED.get_or_init(|| {
        let mut all: Vec<_> = FUNCTIONS.iter().collect();
        all.sort_by_cached_key(|function| {
            (function.module, function.receiver.as_ref().map(|receiver| (receiver.type_name)()), function.name)
        });
        all
    })
}

/// All types, by name.
pub fn types() -> &'static [&'static TypeDoc] {
    static SORTED: OnceLock<Vec<&'static TypeDoc>> = OnceLock::new();
    SORTED.get_or_init(|| {
        let mut all: Vec<_> = TYPES.iter().collect();
        all.sort_by_key(|doc| doc.name);
        all
    })
}
