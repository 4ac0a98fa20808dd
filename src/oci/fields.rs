//! What of a bundle this runtime does not do: nothing is passed over in silence. It is refused, or told where the container is
//! the same without it.

use crate::error::{Error, Result};
use crate::runtime::mounts;
use oci_spec::runtime::{Hook, Hooks, Linux, LinuxNamespaceType, Mount, Process, Spec};

/// Looks through all of it; gives warnings.
///
/// # Errors
/// `unsupported` for what this runtime cannot do, `invalid` for what makes no sense.
pub fn check(spec: &Spec) -> Result<Vec<String>> {
    let version = spec.version();
    if !version.is_empty() && version.split('.').next() != Some("1") {
        return Err(Error::unsupported(format!("the bundle follows version `{version}` of the specification"))
            .hint("use a version 1, such as `1.2.0`"));
    }
    let platforms = [
        ("solaris", spec.solaris().is_some()),
        ("vm", spec.vm().is_some()),
        ("windows", spec.windows().is_some()),
        ("zos", spec.zos().is_some()),
    ];
    refuse("", &platforms)?;
    let mut warnings = Vec::new();
    if let Some(process) = spec.process() {
        warnings.extend(check_process(process)?);
    }
    if let Some(linux) = spec.linux() {
        warnings.extend(check_linux(linux)?);
    }
    for mount in spec.mounts().iter().flatten() {
        warnings.extend(of_mount(mount));
    }
    spec.hooks().as_ref().map_or(Ok(()), check_hooks)?;
    Ok(warnings)
}

/// The same of a process, also of one that is executed in a container.
pub fn check_process(process: &Process) -> Result<Vec<String>> {
    refuse("process.", &[("commandLine", process.command_line().is_some())])?;
    let name = process.user().username().iter().filter(|name| !name.is_empty());
    Ok(name.map(|name| format!("`process.user.username` `{name}` has no effect: on Linux the numbers count")).collect())
}

fn refuse(place: &str, fields: &[(&str, bool)]) -> Result<()> {
    match fields.iter().find(|(_, is_there)| *is_there) {
        None => Ok(()),
        Some((name, _)) => Err(Error::unsupported(format!("`{place}{name}` is something that this runtime cannot do"))
            .hint(format!("leave `{name}` out"))),
    }
}

fn check_linux(linux: &Linux) -> Result<Vec<String>> {
    let namespaces = linux.namespaces().as_deref().unwrap_or_default();
    let in_user_namespace = namespaces.iter().any(|namespace| namespace.typ() == LinuxNamespaceType::User);
    let unsupported = [
        ("intelRdt", linux.intel_rdt().is_some()),
        ("memoryPolicy", linux.memory_policy().is_some()),
        ("netDevices", linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty())),
        ("timeOffsets", linux.time_offsets().as_ref().is_some_and(|offsets| !offsets.is_empty())),
    ];
    refuse("linux.", &unsupported)?;
    for (name, mappings) in [("uidMappings", linux.uid_mappings()), ("gidMappings", linux.gid_mappings())] {
        if !in_user_namespace && mappings.as_ref().is_some_and(|mappings| !mappings.is_empty()) {
            return Err(Error::invalid(format!("`linux.{name}` needs a user namespace"))
                .hint(format!("leave `{name}` out, or list `user` in `linux.namespaces`")));
        }
    }
    let propagation = linux.rootfs_propagation().as_deref().unwrap_or_default();
    let word = propagation.strip_prefix('r').unwrap_or(propagation);
    if !matches!(word, "" | "private" | "shared" | "slave" | "unbindable") {
        return Err(Error::invalid(format!("`linux.rootfsPropagation` has no `{propagation}`"))
            .hint("use `private`, `slave`, `shared`, `unbindable`, or one of them with an `r` before it"));
    }
    let mut warnings = Vec::new();
    if let Some(seccomp) = linux.seccomp() {
        let listener = [
            ("listenerPath", seccomp.listener_path().as_ref().is_some_and(|path| !path.as_os_str().is_empty())),
            ("listenerMetadata", seccomp.listener_metadata().as_ref().is_some_and(|text| !text.is_empty())),
        ];
        let has_none = |name: &str| format!("`linux.seccomp.{name}` has no effect: no rule can ask the listener");
        warnings.extend(listener.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| has_none(name)));
    }
    Ok(warnings)
}

fn of_mount(mount: &Mount) -> Vec<String> {
    let target = mount.destination().display();
    let without = mounts::without_effect(mount);
    without.iter().map(|option| format!("the option `{option}` of the mount on `{target}` has no effect")).collect()
}

fn check_hooks(hooks: &Hooks) -> Result<()> {
    // Deprecated by the specification, and executed all the same.
    #[allow(deprecated)]
    let all = [
        hooks.prestart(),
        hooks.create_runtime(),
        hooks.create_container(),
        hooks.start_container(),
        hooks.poststart(),
        hooks.poststop(),
    ];
    let no_time = |hook: &&Hook| hook.timeout().is_some_and(|seconds| seconds <= 0);
    match all.into_iter().flatten().flatten().find(no_time) {
        None => Ok(()),
        Some(hook) => Err(Error::invalid(format!("the hook `{}` gets no time to run", hook.path().display()))
            .hint("choose a `timeout` of 1 second or more, or none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use serde_json::{Value, json};

    fn of(field: &str, value: &Value) -> Result<Vec<String>> {
        let mut bundle = json!({
            "ociVersion": "1.0.2-dev", "linux": {}, "process": { "cwd": "/", "user": { "uid": 0, "gid": 0 } },
        });
        let (parent, name) = field.rsplit_once('/').unwrap();
        bundle.pointer_mut(parent).unwrap()[name] = value.clone();
        check(&serde_json::from_value(bundle).unwrap())
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_its_name() {
        let mappings = json!([{ "hostID": 1, "containerID": 0, "size": 1 }]);
        for (field, value, kind, words) in [
            ("/ociVersion", json!("2.0.0"), ErrorKind::Unsupported, "`2.0.0`"),
            ("/vm", json!({ "kernel": { "path": "/k" } }), ErrorKind::Unsupported, "`vm`"),
            ("/windows", json!({ "layerFolders": [] }), ErrorKind::Unsupported, "`windows`"),
            ("/solaris", json!({}), ErrorKind::Unsupported, "`solaris`"),
            ("/zos", json!({ "namespaces": [] }), ErrorKind::Unsupported, "`zos`"),
            ("/process/commandLine", json!("a b"), ErrorKind::Unsupported, "`process.commandLine`"),
            ("/linux/intelRdt", json!({}), ErrorKind::Unsupported, "`linux.intelRdt`"),
            ("/linux/memoryPolicy", json!({ "mode": "MPOL_LOCAL" }), ErrorKind::Unsupported, "`linux.memoryPolicy`"),
            ("/linux/netDevices", json!({ "eth0": {} }), ErrorKind::Unsupported, "`linux.netDevices`"),
            ("/linux/timeOffsets", json!({ "boottime": {} }), ErrorKind::Unsupported, "`linux.timeOffsets`"),
            ("/linux/uidMappings", mappings.clone(), ErrorKind::Invalid, "`linux.uidMappings`"),
            ("/linux/gidMappings", mappings, ErrorKind::Invalid, "`linux.gidMappings`"),
            ("/linux/rootfsPropagation", json!("sharde"), ErrorKind::Invalid, "`sharde`"),
            ("/hooks", json!({ "poststop": [{ "path": "/h", "timeout": 0 }] }), ErrorKind::Invalid, "`/h`"),
        ] {
            let error = of(field, &value).expect_err(field);
            assert!(error.is(kind) && error.message().contains(words), "{field}: {error:?}");
            assert!(error.hint_text().is_some(), "{field}");
        }
    }

    #[test]
    fn what_changes_nothing_is_told() {
        for (field, value, words) in [
            ("/process/user", json!({ "uid": 0, "gid": 0, "username": "me" }), "`process.user.username`"),
            (
                "/linux/seccomp",
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/l" }),
                "`linux.seccomp.listenerPath`",
            ),
            ("/mounts", json!([{ "destination": "/x", "source": "/y", "options": ["bind", "size=1m"] }]), "`size=1m`"),
        ] {
            let warnings = of(field, &value).unwrap();
            assert!(warnings.len() == 1 && warnings[0].contains(words), "{field}: {warnings:?}");
        }
        for propagation in
            ["", "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"]
        {
            assert!(of("/linux/rootfsPropagation", &json!(propagation)).unwrap().is_empty(), "{propagation}");
        }
    }
}
