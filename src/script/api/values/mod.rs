//! What options and arguments take in several forms: Docker's text, and a map or list of the same.

mod command;
mod devices;
mod environment;
mod healthcheck;
mod hosts;
mod images;
mod labels;
mod log;
mod mounts;
mod namespaces;
mod networks;
mod one_or_many;
mod paths;
mod ports;
mod pull;
mod restart;
mod signal;
mod stdin;
mod ulimits;

pub use command::CommandLine;
pub use devices::Devices;
pub use environment::{Environment, host_value};
pub use healthcheck::Healthcheck;
pub use hosts::ExtraHosts;
pub use images::Images;
pub use labels::Labels;
pub use log::LogOption;
pub use mounts::{Mounts, TmpfsMounts};
pub use namespaces::{IpcMode, PidMode, Userns};
pub use networks::{Networks, set_address};
pub use one_or_many::OneOrMany;
pub use paths::{FileMode, absolute};
pub use ports::{ContainerPort, ExposedPorts, Ports};
pub use pull::Pull;
pub use restart::Restart;
pub use signal::SignalName;
pub use stdin::Stdin;
pub use ulimits::{Swap, Ulimits};

use crate::script::binding::Refusal;
use rhai::{Array, Dynamic, Map};

/// Implements `FromScript` by a function; the literal says in help and errors what is taken.
macro_rules! script_value {
    ($ty:ty, $takes:literal, $accepts:expr, $read:path) => {
        impl crate::script::binding::FromScript for $ty {
            fn type_name() -> String {
                $takes.to_owned()
            }
            fn accepts(value: &rhai::Dynamic) -> bool {
                let accepts: fn(&rhai::Dynamic) -> bool = $accepts;
                accepts(value)
            }
            fn from_script(value: rhai::Dynamic) -> Result<Self, crate::script::binding::Refusal> {
                $read(value)
            }
        }
    };
}
pub(crate) use script_value;

/// A string, number, bool or character as text: what people write for a value in a map.
pub fn text(value: &Dynamic) -> Option<String> {
    let plain = value.is_string() || value.is_int() || value.is_float() || value.is_bool() || value.is_char();
    plain.then(|| value.to_string())
}

/// The same, or the refusal that says what is taken.
pub fn text_or_refuse(value: &Dynamic, takes: &str) -> Result<String, Refusal> {
    text(value).ok_or_else(|| Refusal::wrong_type(takes, value))
}

/// A string as it is, or the refusal that says what is taken: a number or bool would be a mistake there.
pub fn string_or_refuse(value: &Dynamic, takes: &str) -> Result<String, Refusal> {
    if value.is_string() { Ok(value.to_string()) } else { Err(Refusal::wrong_type(takes, value)) }
}

/// An array's items; one value is an array of one.
pub fn items(value: Dynamic) -> Array {
    let value = value.flatten();
    if value.is_array() { value.into_array().unwrap_or_default() } else { vec![value] }
}

/// Converts each item, and says which one was refused.
pub fn each<T>(items: Array, mut convert: impl FnMut(Dynamic) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
    let many = items.len() > 1;
    let one = |(index, item): (usize, Dynamic)| {
        convert(item.flatten()).map_err(
            |refusal| {
                if many { refusal.inside(&format!("item {}", index + 1)) } else { refusal }
            },
        )
    };
    items.into_iter().enumerate().map(one).collect()
}

/// A map's entries; the caller has checked that it is one.
pub fn entries(value: Dynamic) -> Map {
    value.flatten().try_cast::<Map>().unwrap_or_default()
}
