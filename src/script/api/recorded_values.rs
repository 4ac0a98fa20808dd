//! What the engine for unit tests knows: the container `web`, the image `node:18`, and a plan to remove that.

use super::recording_engine::RecordingEngine;
use crate::model::{
    ContainerInfo, Damage, Digest, DiskUsage, Finding, ImageInfo, Platform, PruneItem, PruneKind, PrunePlan,
    PublishedPort, Status, StoreCheck,
};

impl RecordingEngine {
    /// What is known about `web` in this state.
    pub fn info_of(status: Status, exit_code: Option<i32>) -> ContainerInfo {
        ContainerInfo {
            id: "c0ffee".repeat(11)[..64].to_owned(),
            name: "web".into(),
            image: "node:18".into(),
            image_id: String::new(),
            status,
            exit_code,
            pid: None,
            ip: None,
            networks: vec![],
            ports: vec![PublishedPort {
                host_ip: [0, 0, 0, 0].into(),
                host_port: 8080,
                container_port: 80,
                protocol: crate::model::Protocol::Tcp,
            }],
            labels: [("app".to_owned(), "shop".to_owned())].into(),
            command: vec!["node".into()],
            oom_killed: false,
            restarts: 0,
            created: jiff::Timestamp::UNIX_EPOCH,
            started: None,
            finished: None,
            health: None,
        }
    }

    pub(super) fn image_info() -> ImageInfo {
        ImageInfo {
            id: Digest::from_sha256(&[0xab; 32]),
            digest: Digest::from_sha256(&[0xcd; 32]),
            tags: vec!["node:18".into()],
            repo_digests: vec![],
            size: 98 << 20,
            created: Some(jiff::Timestamp::UNIX_EPOCH),
            platform: Platform::host(),
            labels: [].into(),
            env: vec!["PATH=/bin".into()],
            cmd: vec!["node".into()],
            entrypoint: vec![],
            workdir: String::new(),
            user: String::new(),
            ports: vec![],
            layers: vec![],
        }
    }

    pub(super) fn used() -> DiskUsage {
        let mut usage = DiskUsage::default();
        (usage.images.count, usage.images.size, usage.images.reclaimable) = (3, 98 << 20, 49 << 20);
        usage
    }

    pub(super) fn pruned(plan: &PrunePlan) -> PrunePlan {
        let skipped = vec![plan.items[0].skip("container `web` uses it")];
        PrunePlan { done: true, skipped, ..PrunePlan::default() }
    }

    pub(super) fn prune_plan() -> PrunePlan {
        let item = PruneItem {
            kind: PruneKind::Image,
            id: Digest::from_sha256(&[0xab; 32]).to_string(),
            names: vec!["node:18".into()],
            created: Some(jiff::Timestamp::UNIX_EPOCH),
            bytes: 98 << 20,
            mark: String::new(),
        };
        PrunePlan { items: vec![item], freed: 98 << 20, ..PrunePlan::default() }
    }

    pub(super) fn store_check(repaired: bool) -> StoreCheck {
        let finding = Finding {
            kind: Damage::LayerDamaged,
            what: Digest::from_sha256(&[0xab; 32]).to_string(),
            detail: "`bin` is missing".into(),
            repair: "unpack it again".into(),
            repaired,
        };
        StoreCheck { findings: vec![finding], images: 2, ..StoreCheck::default() }
    }
}
