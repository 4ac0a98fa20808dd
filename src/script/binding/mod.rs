//! How a Rust function becomes a script function: one documented `fn`, nothing else.
//!
//! # Writing a binding file
//!
//! A type that scripts hold derives [`Object`](shanty_macros::Object); it is a cheap clone (ids, `Arc`s).
//! Its methods are the `pub fn`s with `&self` of any number of `#[api] impl` blocks, in any files:
//!
//! ```text
//! use crate::error::Result;
//! use crate::script::binding::{Call, Callback, Object, Options, api};
//! use std::time::Duration;
//!
//! /// A container: running, stopped, or gone by now.
//! #[derive(Clone, Object)]
//! pub struct Container {
//!     id: String,
//! }
//!
//! /// Options of `logs`.
//! #[derive(Default, Options)]
//! pub struct LogsOptions {
//!     /// Only the last so many lines.
//!     pub tail: Option<usize>,
//!     /// Give up after this time.
//!     pub timeout: Option<Duration>,
//!     /// Environment.
//!     #[option(alias = "environment")]
//!     pub env: Environment, // any type with `FromScript`
//! }
//!
//! #[api]
//! impl Container {
//!     /// Name, unique in its root.
//!     #[get(column)] // `column`: also shown when it is printed and in tables
//!     pub fn name(&self, call: &Call) -> Result<String> {
//!         Ok(call.engine()?.container(&call.context(), &self.id)?.name)
//!     }
//!
//!     /// Gives the log, or each line of it to a callback.
//!     pub fn logs(&self, call: &Call, options: LogsOptions, on_line: Option<Callback>) -> Result<String> {
//!         let cx = call.context().with_timeout(options.timeout);
//!         match on_line {
//!             Some(on_line) => { on_line.call(call, vec!["line".into()])?; }
//!             None => {}
//!         }
//!         Ok(String::new())
//!     }
//! }
//!
//! /// The container with this name or id.
//! #[api]
//! pub fn container(name: String) -> Container { … }
//! ```
//!
//! That is all. From it come the registration for every number of arguments, the errors for wrong
//! arguments and options with did-you-mean, `help(c.logs)`, completion, the reference, printing and JSON.
//!
//! - **Parameters** have a type with [`FromScript`]: `String`, `bool`, integers, `f64`, `Duration`, `Vec`,
//!   `BTreeMap<String, _>`, `Option`, `Dynamic`, [`Callback`], [`Size`], `#[derive(Options)]` structs,
//!   `#[derive(Object)]` types, your own. A parameter that is `Option` or options may be left out, also when others follow it. The
//!   session comes in as `call: &Call`, at any place.
//! - **Results** have [`IntoScript`], or are `Result` of it with the crate's error, which the script catches as a map.
//! - **Options** may nest, and `#[option(flatten)]` takes in those of another struct.
//! - **Waiting** uses `call.context()`: its token is cancelled by Ctrl-C, `timeout(…)` and a sibling's failure.
//! - **Callbacks** get the receiver as `this`. An error thrown in one travels through the engine inside our
//!   [`Error`](crate::error::Error) and comes out as it was thrown.
//! - **Costly objects**: `#[object(snapshot = Self::snapshot)]` reads the state once before all properties are shown.
//! - **Docs**: the first line says what it does. An `# Example` (no fence, indented or not) runs as a test; one that
//!   needs the engine stands under `# Example (engine)`. Then `# Errors`, if there is something to say.

mod arguments;
mod call;
mod callback;
mod catalogue;
mod convert;
mod current;
mod explain;
mod help;
mod object;
mod options;
mod register;
mod show;
mod suggest;
#[cfg(test)]
mod tests;
mod thrown;
mod units;

pub use arguments::{Arguments, receiver};
pub use call::Call;
pub use callback::{Callback, StoredCallback, detached};
pub use catalogue::{
    FUNCTIONS, FunctionDoc, Kind, OptionDoc, ParameterDoc, Receiver, TYPES, TypeDoc, functions, types,
};
pub use convert::{Bytes, FromScript, IntoScript, Refusal, describe, script_type_name};
pub use current::{Entered, current, enter, with_current};
pub use explain::explain;
use explain::explain_map;
pub use help::{FunctionReference, function_help, help_on_function, help_text, overview, signature};
pub use object::{Object, object_from_script};
pub use options::{Options, option_value, options_from_map};
pub use register::{register, register_function_names};
pub use shanty_macros::{Object, Options, api};
pub use show::{display, record, table, to_json};
pub use suggest::{nearest, nearest_members};
pub use thrown::{caught, ends_script, error_from_thrown, error_map, must_end, thrown_from_error};
pub use units::{Size, Span, Time};
