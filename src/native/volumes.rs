//! Volumes, joined to the trait that scripts talk to. Containers whose command has been answered for do not use one any more:
//! where that matters, their removal is waited for.

use super::NativeEngine;
use crate::context::Context;
use crate::error::Result;
use crate::model::{ContainerFilter, ImportVolumeSpec, VolumeArchive, VolumeFilter, VolumeInfo, VolumeSpec};
use crate::{container, volume};
use serde_json::Value;
use std::io::Read;

impl NativeEngine {
    pub(super) fn make_volume(&self, cx: &Context, spec: &VolumeSpec) -> Result<VolumeInfo> {
        Ok(volume::info(&self.store, volume::create(&self.store, cx, spec)?))
    }

    pub(super) fn find_volume(&self, name: &str) -> Result<VolumeInfo> {
        Ok(volume::info(&self.store, volume::find(&self.store, name)?))
    }

    pub(super) fn list_volumes(&self, filter: &VolumeFilter) -> Result<Vec<VolumeInfo>> {
        self.reaper.settle();
        volume::list(&self.store, filter)
    }

    pub(super) fn show_volume(&self, name: &str) -> Result<Value> {
        Ok(volume::inspect(&self.store, &volume::find(&self.store, name)?))
    }

    pub(super) fn users_of_volume(&self, name: &str) -> Result<Vec<String>> {
        self.reaper.settle();
        Ok(volume::users(&self.store, name)?.into_iter().map(|user| user.id).collect())
    }

    pub(super) fn take_volume_away(&self, name: &str) -> Result<()> {
        self.reaper.settle();
        volume::remove(&self.store, name)?;
        self.reaper.container_ended();
        Ok(())
    }

    pub(super) fn read_volume(
        &self,
        cx: &Context,
        name: &str,
        spec: ImportVolumeSpec,
        input: &mut (dyn Read + Send),
    ) -> Result<VolumeArchive> {
        self.reaper.settle();
        // Containers that have ended unseen do not run.
        container::list(&self.store, &ContainerFilter::default())?;
        let read = volume::import(&self.store, cx, name, spec, input);
        self.reaper.container_ended();
        read
    }

    pub(super) fn copy_volume(&self, cx: &Context, from: &str, to: &str) -> Result<VolumeInfo> {
        Ok(volume::info(&self.store, container::clone_volume(&self.store, cx, from, to)?))
    }
}
