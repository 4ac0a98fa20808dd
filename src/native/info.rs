//! What this engine is and runs on.

use super::NativeEngine;
use crate::context::Context;
use crate::error::{IoContext, Result};
use crate::image::NewLayerForm;
use crate::model::{ContainerFilter, ImageFilter};
use crate::privilege::Privilege;
use crate::runtime::cgroup::Hierarchies;
use crate::runtime::network::way_out;
use crate::store::Store;
use crate::{container, image};
use serde_json::{Value, json};
use std::path::Path;

impl NativeEngine {
    pub(super) fn describe(&self, cx: &Context) -> Result<Value> {
        let kernel = nix::sys::utsname::uname().doing(|| "cannot ask for the kernel's version")?;
        let all = ContainerFilter { all: true, ..ContainerFilter::default() };
        let containers = container::list(&self.store, &all)?;
        let (privilege, way) = (Privilege::current(), way_out());
        Ok(json!({
            "engine": "native",
            "version": env!("CARGO_PKG_VERSION"),
            "root": self.store.root(),
            "root_id": self.store.root_id(),
            "executable": std::env::current_exe().doing(|| "cannot find this program")?,
            "kernel": kernel.release().to_string_lossy(),
            "architecture": kernel.machine().to_string_lossy(),
            "storage": storage(&self.store, privilege, cx)?,
            "security": security(),
            "rootless": privilege.is_rootless(),
            "ids": privilege.ids(),
            "way_out": { "name": way.name(), "reason": way.reason, "limits": way.limits() },
            "control_groups": control_groups(&Hierarchies::discover()?, privilege.is_rootless()),
            "images": image::list(&self.store, &ImageFilter::default())?.len(),
            "containers": containers.len(),
            "running": containers.iter().filter(|container| container.status.is_alive()).count(),
        }))
    }
}

/// How layers are kept and seen as one: `driver`; `layers` (`erofs`, `folder`) and the `reason`; whose `attributes` overlays
/// have.
fn storage(store: &Store, privilege: Privilege, cx: &Context) -> Result<Value> {
    let form = NewLayerForm::of(&store.content(&cx.cancel)?)?;
    let reason = match form {
        NewLayerForm::Indexed => "",
        NewLayerForm::Folder if NewLayerForm::is_chosen() => "`SHANTY_LAYERS` says so",
        NewLayerForm::Folder if privilege.is_rootless() => "the kernel mounts EROFS for root alone",
        NewLayerForm::Folder => "this machine cannot mount EROFS from a file, or no overlay over it",
    };
    let attributes = if privilege.is_rootless() { "user.overlay" } else { "trusted.overlay" };
    Ok(json!({ "driver": "overlay", "layers": form.name(), "reason": reason, "attributes": attributes }))
}

/// Which of the kernel's filters and labels containers can have: `seccomp`, `apparmor`, `selinux`.
fn security() -> Vec<&'static str> {
    let places = [
        ("seccomp", "/proc/sys/kernel/seccomp"),
        ("apparmor", "/sys/kernel/security/apparmor"),
        ("selinux", "/sys/fs/selinux/enforce"),
    ];
    places.into_iter().filter(|(_, place)| Path::new(place).exists()).map(|(name, _)| name).collect()
}

/// Which control groups containers have: `kind` (`v1`, `v2`, `hybrid`, `delegated`, `systemd`, `none`), the controllers, and
/// why not more.
fn control_groups(hierarchies: &Hierarchies, is_rootless: bool) -> Value {
    let kind = match (hierarchies.v1.is_empty(), &hierarchies.unified) {
        (true, None) if hierarchies.are_scopes() => "systemd",
        (true, None) => "none",
        (true, Some(_)) if is_rootless => "delegated",
        (true, Some(_)) => "v2",
        (false, None) => "v1",
        (false, Some(_)) => "hybrid",
    };
    let reason = match (kind, &hierarchies.absent) {
        ("none", Some(absent)) => format!("{absent}: `shanty doctor` says what would change that"),
        ("none", None) => "no control groups are mounted".to_owned(),
        _ => String::new(),
    };
    let mut controllers = hierarchies.controllers();
    // A hierarchy with a name has none.
    controllers.retain(|name| !name.starts_with("name="));
    controllers.sort();
    json!({ "kind": kind, "controllers": controllers, "reason": reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_groups_is_said_with_what_would_change_it() {
        let mut none = Hierarchies::default();
        none.absent = Some("no systemd".into());
        let told = control_groups(&none, true);
        assert!(told["kind"] == "none" && told["reason"].as_str().unwrap().starts_with("no systemd: `shanty doctor`"));
        assert_eq!(control_groups(&Hierarchies::default(), false)["reason"], "no control groups are mounted");
    }
}
