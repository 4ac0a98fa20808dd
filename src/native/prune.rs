//! What takes space, and cleaning up.

use super::NativeEngine;
use crate::build::cache_space;
use crate::container::prune as containers;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::image::{self, mapped, prune as images};
use crate::model::{DiskUsage, PruneItem, PruneKind, PrunePlan, PruneSpec};
use crate::network::prune as networks;
use crate::volume as volumes;
use std::collections::BTreeSet;

impl NativeEngine {
    pub(super) fn measure_disk_usage(&self) -> Result<DiskUsage> {
        let mut usage = DiskUsage {
            containers: containers::usage(&self.store)?,
            volumes: volumes::usage(&self.store)?,
            build_cache: cache_space::usage(&self.store)?,
            ..DiskUsage::default()
        };
        image::usage(&self.store, &mut usage)?;
        Ok(usage)
    }

    pub(super) fn make_prune_plan(&self, spec: &PruneSpec) -> Result<PrunePlan> {
        let mut plan = PrunePlan::default();
        if spec.containers {
            plan.add(containers::plan(&self.store, spec)?);
        }
        let gone: BTreeSet<String> = plan.items.iter().map(|item| item.id.clone()).collect();
        if spec.networks {
            self.reaper.settle();
            let names: BTreeSet<String> = plan.items.iter().flat_map(|item| item.names.clone()).collect();
            plan.add(networks::plan(&self.store, spec, &names)?);
        }
        if let Some(which) = spec.volumes {
            self.reaper.settle();
            plan.add(volumes::prune::plan(&self.store, spec, which, &gone)?);
        }
        if let Some(which) = &spec.images {
            plan.add(mapped::plan(&self.store, spec, &gone)?);
            plan.add(images::plan(&self.store, spec, which, &gone)?);
        }
        if spec.build_cache {
            // Steps whose layers go with the images of the plan are forgotten with those.
            plan.add(cache_space::plan(&self.store, spec)?);
        }
        Ok(plan)
    }

    pub(super) fn carry_out_prune(&self, cx: &Context, plan: &PrunePlan) -> Result<PrunePlan> {
        if plan.done {
            return Err(Error::invalid("this plan was carried out already").hint("make a new one with `dry_run: true`"));
        }
        let mut done = PrunePlan { done: true, skipped: plan.skipped.clone(), ..PrunePlan::default() };
        for (kind, event) in [
            (PruneKind::Container, "container"),
            (PruneKind::Network, "network"),
            (PruneKind::Volume, "volume"),
            (PruneKind::BuildCache, "builder"),
            (PruneKind::MappedLayer, "image"),
            (PruneKind::Image, "image"),
        ] {
            let items: Vec<&PruneItem> = plan.items.iter().filter(|item| item.kind == kind).collect();
            if items.is_empty() {
                continue;
            }
            let before = done.freed;
            match kind {
                PruneKind::Container => containers::carry_out(&self.store, cx, &items, &mut done)?,
                PruneKind::Network => networks::carry_out(&self.store, cx, &items, &mut done)?,
                PruneKind::Volume => volumes::prune::carry_out(&self.store, cx, &items, &mut done)?,
                PruneKind::BuildCache => cache_space::carry_out(&self.store, &items, &mut done)?,
                PruneKind::MappedLayer => mapped::carry_out(&self.store, cx, &items, &mut done)?,
                PruneKind::Image => images::carry_out(&self.store, cx, &items, &mut done)?,
            }
            events::record(self.store.root(), &[Occurrence::prune(event, done.freed - before)]);
        }
        self.reaper.image_removed();
        Ok(done)
    }
}
