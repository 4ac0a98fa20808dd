//! The bundle of a container: `config.json` in its directory.

use crate::error::{Error, IoContext, Result};
use oci_spec::runtime::{LinuxResources, Spec};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Name of the OCI runtime specification in the container's directory.
pub const CONFIG_NAME: &str = "config.json";
/// Annotation with the user as text (`user:group`), to be looked up in the image's `/etc/passwd` when the
/// container starts: the specification knows numbers only.
pub const USER_ANNOTATION: &str = "dev.shanty.user";
/// Annotation with additional groups, separated by commas.
pub const GROUPS_ANNOTATION: &str = "dev.shanty.groups";
/// Annotation that asks for the built-in system call filter: `default`. Written out in `linux.seccomp`, its
/// 400 names would be read at each start.
pub const SECCOMP_ANNOTATION: &str = "dev.shanty.seccomp";
/// Annotation that asks for an init as the first process: it forwards signals and reaps.
pub const INIT_ANNOTATION: &str = "dev.shanty.init";

/// Larger ones are refused.
const LARGEST: u64 = 16 << 20;

/// Reads the specification.
pub fn read(container_dir: &Path) -> Result<Spec> {
    let path = container_dir.join(CONFIG_NAME);
    let doing = || format!("cannot read `{}`", path.display());
    let mut text = Vec::new();
    File::open(&path).doing(doing)?.take(LARGEST).read_to_end(&mut text).doing(doing)?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::corrupt(format!("`{}` is not an OCI runtime specification: {error}", path.display())))
}

/// Writes the specification.
pub fn write(container_dir: &Path, spec: &Spec) -> Result<()> {
    let path = container_dir.join(CONFIG_NAME);
    let text = serde_json::to_vec(spec)
        .map_err(|error| Error::invalid(format!("cannot write `{}`: {error}", path.display())))?;
    std::fs::write(&path, text).doing(|| format!("cannot write `{}`", path.display()))
}

/// Replaces the limits that are given, for the next process that is made from the bundle.
pub fn set_limits(container_dir: &Path, limits: &LinuxResources) -> Result<()> {
    let mut spec = read(container_dir)?;
    let mut linux = spec.linux().clone().unwrap_or_default();
    let mut before = linux.resources().clone().unwrap_or_default();
    if let (Some(memory), Some(new)) = (before.memory(), limits.memory())
        && (new.limit().is_some() || new.swap().is_some())
    {
        // The two belong together: the limit of both counts from that of memory.
        let mut memory = *memory;
        memory.set_limit(None);
        memory.set_swap(None);
        before.set_memory(Some(memory));
    }
    let invalid = |error| Error::invalid(format!("cannot write the limits: {error}"));
    let mut merged = serde_json::to_value(&before).map_err(invalid)?;
    merge(&mut merged, serde_json::to_value(limits).map_err(invalid)?);
    linux.set_resources(Some(serde_json::from_value(merged).map_err(invalid)?));
    spec.set_linux(Some(linux));
    write(container_dir, &spec)
}

/// What is in `new` replaces what is in `before`, name by name.
fn merge(before: &mut Value, new: Value) {
    match (before, new) {
        (Value::Object(before), Value::Object(new)) => {
            for (name, value) in new {
                merge(before.entry(name).or_insert(Value::Null), value);
            }
        }
        (before, new) => *before = new,
    }
}

/// An annotation of the specification.
pub fn annotation<'a>(spec: &'a Spec, name: &str) -> Option<&'a str> {
    spec.annotations().as_ref()?.get(name).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_that_are_given_replace_those_that_were() {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = Spec::default();
        let of = |value: &Value| -> LinuxResources { serde_json::from_value(value.clone()).unwrap() };
        let mut linux = oci_spec::runtime::Linux::default();
        linux.set_resources(Some(of(&json!({
            "devices": [{ "allow": false, "access": "rwm" }],
            "memory": { "limit": 5, "swap": 9, "reservation": 3 }, "cpu": { "shares": 7, "mems": "0" },
            "hugepageLimits": [{ "pageSize": "2MB", "limit": 1 }], "unified": { "memory.high": "1" },
        }))));
        spec.set_linux(Some(linux));
        write(folder.path(), &spec).unwrap();
        let new = json!({
            "memory": { "limit": 6, "swappiness": 0 }, "cpu": { "mems": "1", "idle": 1 }, "pids": { "limit": 4 },
            "blockIO": { "throttleReadBpsDevice": [{ "major": 8, "minor": 0, "rate": 1 }] },
            "hugepageLimits": [{ "pageSize": "2MB", "limit": 2 }], "unified": { "pids.max": "3" },
        });
        set_limits(folder.path(), &of(&new)).unwrap();
        let found = read(folder.path()).unwrap().linux().clone().unwrap().resources().clone().unwrap();
        let expected = json!({
            "devices": [{ "allow": false, "access": "rwm" }],
            "memory": { "limit": 6, "reservation": 3, "swappiness": 0 },
            "cpu": { "shares": 7, "mems": "1", "idle": 1 }, "pids": { "limit": 4 },
            "blockIO": { "throttleReadBpsDevice": [{ "major": 8, "minor": 0, "rate": 1 }] },
            "hugepageLimits": [{ "pageSize": "2MB", "limit": 2 }],
            "unified": { "memory.high": "1", "pids.max": "3" },
        });
        assert_eq!(found, of(&expected));
    }
}
