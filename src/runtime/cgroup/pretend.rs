//! A folder that stands for a hierarchy of control groups: what would be written there.

use super::{Group, Hierarchies, Hierarchy, limits};
use crate::error::Result;
use oci_spec::runtime::LinuxResources;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Of cgroup v1.
pub const V1: bool = false;
/// Of cgroup2.
pub const V2: bool = true;

const GROUP: &str = "group";
const V1_FILES: [&str; 28] = [
    "blkio.leaf_weight",
    "blkio.leaf_weight_device",
    "blkio.throttle.read_bps_device",
    "blkio.throttle.read_iops_device",
    "blkio.throttle.write_bps_device",
    "blkio.throttle.write_iops_device",
    "cpu.cfs_burst_us",
    "cpu.cfs_period_us",
    "cpu.cfs_quota_us",
    "cpu.idle",
    "cpu.rt_period_us",
    "cpu.rt_runtime_us",
    "cpu.shares",
    "cpuset.cpus",
    "cpuset.mems",
    "hugetlb.1GB.limit_in_bytes",
    "hugetlb.2MB.limit_in_bytes",
    "hugetlb.2MB.rsvd.limit_in_bytes",
    "memory.kmem.tcp.limit_in_bytes",
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.oom_control",
    "memory.soft_limit_in_bytes",
    "memory.swappiness",
    "net_cls.classid",
    "net_prio.ifpriomap",
    "pids.max",
    "rdma.max",
];
const V2_FILES: [&str; 16] = [
    "cpu.idle",
    "cpu.max",
    "cpu.max.burst",
    "cpu.weight",
    "cpuset.cpus",
    "cpuset.mems",
    "hugetlb.1GB.max",
    "hugetlb.2MB.max",
    "hugetlb.2MB.rsvd.max",
    "io.max",
    "memory.high",
    "memory.low",
    "memory.max",
    "memory.swap.max",
    "pids.max",
    "rdma.max",
];

/// One hierarchy, with a group whose files are all empty.
pub struct Pretend {
    folder: TempDir,
    hierarchies: Hierarchies,
}

impl Pretend {
    pub fn new(v2: bool, controllers: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(GROUP)).unwrap();
        let files = if v2 { &V2_FILES[..] } else { &V1_FILES[..] };
        for file in files {
            fs::write(folder.path().join(GROUP).join(file), "").unwrap();
        }
        let hierarchy = Hierarchy::pretend(folder.path().to_owned(), controllers, v2);
        let mut hierarchies = Hierarchies::default();
        if v2 {
            hierarchies.unified = Some(hierarchy);
        } else {
            hierarchies.v1.push(hierarchy);
        }
        Self { folder, hierarchies }
    }

    /// Sets limits, and gives what the files hold then: `file=content`.
    pub fn set(&self, resources: &serde_json::Value) -> Result<Vec<String>> {
        self.warnings(resources)?;
        let entries = fs::read_dir(self.folder.path().join(GROUP)).unwrap().map(|entry| entry.unwrap());
        let contents = entries.map(|entry| (entry.file_name(), fs::read_to_string(entry.path()).unwrap()));
        let written = contents.filter(|(_, content)| !content.is_empty());
        let mut lines: Vec<String> = written.map(|(name, content)| format!("{}={content}", name.display())).collect();
        lines.sort();
        Ok(lines)
    }

    /// Sets limits, and gives the warnings.
    pub fn warnings(&self, resources: &serde_json::Value) -> Result<Vec<String>> {
        let resources: LinuxResources = serde_json::from_value(resources.clone()).unwrap();
        limits::apply(&Group { hierarchies: &self.hierarchies, path: Path::new(GROUP) }, &resources)
    }

    /// Writes a file as the kernel has it.
    pub fn has(&self, file: &str, content: &str) {
        fs::write(self.folder.path().join(GROUP).join(file), content).unwrap();
    }
}
