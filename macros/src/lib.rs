//! The binding macros of Shanty: one documented Rust function becomes a script function, with its
//! argument and option errors, help, completion and reference. How to use them is described in
//! `shanty::script::binding`.

mod api;
mod attributes;
mod object;
mod options;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Puts functions into the catalogue of script functions.
///
/// - on `impl Type`: every `pub fn` with `&self` becomes a method, with `#[get]` a property;
/// - on a free `pub fn`: a global function, or with `#[api(module = "fs")]` the function `fs::name`;
/// - `#[api(get)]` on a free function: a property of the type of its first parameter (`30.seconds`);
/// - `#[api(name = "…")]`: another name than the Rust one.
///
/// On a method, `#[get(column)]` also shows the property in records and tables, and `#[get(lazy)]`
/// keeps it out of JSON because asking for it is costly. `#[get(column, shown = path)]` names a
/// `fn(&Dynamic) -> String` for where people read another form than the value: ids, sizes.
#[proc_macro_attribute]
pub fn api(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let attribute = parse_macro_input!(attribute as attributes::ApiAttribute);
    let item = parse_macro_input!(item as syn::Item);
    api::expand(&attribute, item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct out of an option map: keys are the fields, unknown keys are refused.
///
/// `#[option(alias = "environment")]` accepts another key (may be repeated), `#[option(name = "…")]`
/// renames it, `#[option(flatten)]` takes in the options of another struct.
#[proc_macro_derive(Options, attributes(option))]
pub fn derive_options(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as syn::DeriveInput);
    options::expand(item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a type known to scripts: its name, printing, JSON, tables and errors for unknown properties.
///
/// `#[object(name = "…")]` renames it; `#[object(snapshot = path)]` names a
/// `fn(&Self, &Call) -> Result<Self>` that reads the state once before all properties are shown; `#[object(text = path)]`
/// a `fn(&Self, &Call) -> String` for what `print` shows of it, where a record on one line is not enough.
#[proc_macro_derive(Object, attributes(object))]
pub fn derive_object(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as syn::DeriveInput);
    object::expand(&item).unwrap_or_else(syn::Error::into_compile_error).into()
}
