//! Limits that few ask for: huge pages, RDMA, marks of network packets, and cgroup2's own files by their names.

use super::Group;
use super::limits::{controller, limit, set};
use crate::error::{Error, Result};
use oci_spec::runtime::{LinuxHugepageLimit, LinuxNetwork, LinuxRdma, LinuxResources};
use std::collections::{BTreeMap, HashMap};

/// Sets what was asked for.
pub fn apply(group: &Group<'_>, resources: &LinuxResources) -> Result<()> {
    for pages in resources.hugepage_limits().iter().flatten() {
        apply_huge_pages(group, pages)?;
    }
    for (device, limits) in resources.rdma().iter().flatten() {
        apply_rdma(group, device, limits)?;
    }
    if let Some(network) = resources.network() {
        apply_network(group, network)?;
    }
    resources.unified().as_ref().map_or(Ok(()), |unified| apply_unified(group, unified))
}

fn apply_huge_pages(group: &Group<'_>, pages: &LinuxHugepageLimit) -> Result<()> {
    let (option, size) = ("hugepageLimits", pages.page_size());
    if size.is_empty() || !size.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Error::invalid(format!("`{option}`: `{size}` is no size of pages")).hint("write `2MB` or `1GB`"));
    }
    let hierarchy = controller(group, "hugetlb", option)?;
    let v2 = hierarchy.is_v2();
    let (end, value) = if v2 { ("max", limit(pages.limit())) } else { ("limit_in_bytes", pages.limit().to_string()) };
    set(group, hierarchy, &format!("hugetlb.{size}.{end}"), option, &value)?;
    // As runc: also what is only reserved, where the kernel counts it (since 5.7).
    let reserved = format!("hugetlb.{size}.rsvd.{end}");
    if hierarchy.dir(group.path).join(&reserved).exists() {
        set(group, hierarchy, &reserved, option, &value)?;
    }
    Ok(())
}

fn apply_rdma(group: &Group<'_>, device: &str, limits: &LinuxRdma) -> Result<()> {
    if device.is_empty() || device.contains(char::is_whitespace) {
        return Err(Error::invalid(format!("`rdma`: `{device}` is no device")).hint("write a name such as `mlx5_0`"));
    }
    let handles = limits.hca_handles().map(|most| format!(" hca_handle={most}"));
    let objects = limits.hca_objects().map(|most| format!(" hca_object={most}"));
    if handles.is_none() && objects.is_none() {
        return Ok(());
    }
    let value = [Some(device.to_owned()), handles, objects].into_iter().flatten().collect::<String>();
    set(group, controller(group, "rdma", "rdma")?, "rdma.max", "rdma", &value)
}

fn apply_network(group: &Group<'_>, network: &LinuxNetwork) -> Result<()> {
    // 0 is what every group has.
    if let Some(class) = network.class_id().filter(|class| *class != 0) {
        let option = "network.classID";
        set(group, controller(group, "net_cls", option)?, "net_cls.classid", option, &class.to_string())?;
    }
    for priority in network.priorities().iter().flatten() {
        let option = "network.priorities";
        if priority.name().is_empty() || priority.name().contains(char::is_whitespace) {
            return Err(Error::invalid(format!("`{option}`: `{}` is no interface", priority.name()))
                .hint("write a name such as `eth0`"));
        }
        let value = format!("{} {}", priority.name(), priority.priority());
        set(group, controller(group, "net_prio", option)?, "net_prio.ifpriomap", option, &value)?;
    }
    Ok(())
}

fn apply_unified(group: &Group<'_>, files: &HashMap<String, String>) -> Result<()> {
    // In an order, so that the same is refused every time.
    for (file, value) in files.iter().collect::<BTreeMap<_, _>>() {
        let option = format!("unified.{file}");
        let Some((name, _)) = file.split_once('.').filter(|(name, _)| !name.is_empty() && !file.contains('/')) else {
            return Err(Error::invalid(format!("`{option}` is no file of a control group"))
                .hint("write a name such as `memory.high`"));
        };
        let Some(hierarchy) = &group.hierarchies.unified else {
            return Err(Error::unsupported(format!("`{option}` cannot be set: this machine has no cgroup2"))
                .hint("leave `unified` out, and use the limits by their own names"));
        };
        if name != "cgroup" && !hierarchy.dir(group.path).join(file).exists() {
            return Err(Error::unsupported(format!("`{option}` cannot be set: cgroup2 has no `{file}` here"))
                .hint(format!("leave it out, or hand the controller `{name}` over to cgroup2")));
        }
        // One disk a line, and one line a write.
        for line in value.lines() {
            set(group, hierarchy, file, &option, line)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::runtime::cgroup::pretend::{Pretend, V1, V2};
    use serde_json::json;

    #[test]
    fn huge_pages_are_limited_in_use_and_in_reserve() {
        let limits = |size: &str, limit: i64| json!({ "hugepageLimits": [{ "pageSize": size, "limit": limit }] });
        let v1 = |size, limit| Pretend::new(V1, &["hugetlb"]).set(&limits(size, limit));
        let v2 = |size, limit| Pretend::new(V2, &["hugetlb"]).set(&limits(size, limit));
        let expected = ["hugetlb.2MB.limit_in_bytes=4194304", "hugetlb.2MB.rsvd.limit_in_bytes=4194304"];
        assert_eq!(v1("2MB", 4_194_304).unwrap(), expected);
        assert_eq!(v2("2MB", 0).unwrap(), ["hugetlb.2MB.max=0", "hugetlb.2MB.rsvd.max=0"]);
        assert_eq!(v2("1GB", -1).unwrap(), ["hugetlb.1GB.max=max"]);
        assert!(v2("3MB", 0).unwrap_err().is(ErrorKind::Unsupported));
        assert!(v2("../2MB", 0).unwrap_err().is(ErrorKind::Invalid));
    }

    #[test]
    fn rdma_is_limited_by_device() {
        for version in [V1, V2] {
            let set = |rdma: serde_json::Value| Pretend::new(version, &["rdma"]).set(&json!({ "rdma": rdma }));
            let both = json!({ "mlx5_0": { "hcaHandles": 2, "hcaObjects": 0 } });
            assert_eq!(set(both).unwrap(), ["rdma.max=mlx5_0 hca_handle=2 hca_object=0"]);
            assert_eq!(set(json!({ "a": { "hcaObjects": 9 } })).unwrap(), ["rdma.max=a hca_object=9"]);
            assert!(set(json!({ "a b": { "hcaObjects": 9 } })).unwrap_err().is(ErrorKind::Invalid));
        }
    }

    #[test]
    fn packets_are_marked_on_v1_only() {
        let network = json!({ "network": { "classID": 1_048_577, "priorities": [{ "name": "eth0", "priority": 5 }] } });
        let written = Pretend::new(V1, &["net_cls", "net_prio"]).set(&network).unwrap();
        assert_eq!(written, ["net_cls.classid=1048577", "net_prio.ifpriomap=eth0 5"]);
        let error = Pretend::new(V2, &["cpu"]).set(&network).unwrap_err();
        assert!(error.is(ErrorKind::Unsupported) && error.message().contains("`network.classID`"), "{error:?}");
    }

    #[test]
    fn files_of_cgroup2_are_written_by_their_names() {
        let v2 = Pretend::new(V2, &["memory"]);
        assert_eq!(v2.set(&json!({ "unified": { "memory.high": "1000" } })).unwrap(), ["memory.high=1000"]);
        for (file, kind) in [
            ("../memory.high", ErrorKind::Invalid),
            ("memory.high/../memory.high", ErrorKind::Invalid),
            ("memory", ErrorKind::Invalid),
            ("misc.max", ErrorKind::Unsupported),
            ("cgroup.nothing", ErrorKind::Unsupported),
        ] {
            let error = v2.set(&json!({ "unified": { file: "1" } })).unwrap_err();
            assert!(error.is(kind) && error.hint_text().is_some(), "{file}: {error:?}");
        }
        let error = Pretend::new(V1, &["memory"]).set(&json!({ "unified": { "memory.high": "1" } })).unwrap_err();
        assert!(error.is(ErrorKind::Unsupported) && error.message().contains("cgroup2"), "{error:?}");
    }
}
