//! Whose namespaces a container is in.

use super::{OneOrMany, script_value, string_or_refuse};
use crate::model::{IdMaps, NamespaceMode, UsernsSpec};
use crate::script::binding::{Options, Refusal, options_from_map};
use rhai::Dynamic;

/// `host`, `private`, `container:NAME`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PidMode(pub NamespaceMode);

script_value!(PidMode, "\"host\", \"private\" or \"container:NAME\"", |value| value.is_string(), read_pid);

fn read_pid(value: Dynamic) -> Result<PidMode, Refusal> {
    Ok(PidMode(NamespaceMode::pid(&string_or_refuse(&value, "\"host\" or \"container:NAME\"")?)?))
}

/// `host`, `private`, `shareable`, `none`, `container:NAME`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IpcMode(pub NamespaceMode);

script_value!(
    IpcMode,
    "\"host\", \"private\", \"shareable\", \"none\" or \"container:NAME\"",
    |value| value.is_string(),
    read_ipc
);

fn read_ipc(value: Dynamic) -> Result<IpcMode, Refusal> {
    Ok(IpcMode(NamespaceMode::ipc(&string_or_refuse(&value, "\"host\" or \"container:NAME\"")?)?))
}

/// `host`, `auto`, `keep-id`, or maps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Userns(pub UsernsSpec);

script_value!(
    Userns,
    "\"host\", \"auto\", \"keep-id\" or #{uid: [\"0:100000:65536\"], gid: […]}",
    |value| value.is_string() || value.is_map(),
    read_userns
);

/// Maps of ids.
#[derive(Default, Options)]
struct Maps {
    /// Users: `inside:outside:count`.
    #[option(alias = "uidmap", alias = "uids")]
    uid: OneOrMany,
    /// Groups; the same without it.
    #[option(alias = "gidmap", alias = "gids")]
    gid: OneOrMany,
}

fn read_userns(value: Dynamic) -> Result<Userns, Refusal> {
    if value.is_map() {
        let maps: Maps = options_from_map(value)?;
        return Ok(Userns(UsernsSpec::Maps(IdMaps::parse(&maps.uid.0, &maps.gid.0)?)));
    }
    Ok(Userns(UsernsSpec::named(&string_or_refuse(&value, "\"host\", \"auto\", \"keep-id\" or a map")?)?))
}
