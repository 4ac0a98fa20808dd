//! The engine of this machine: the nouns, joined to the trait that scripts talk to.

mod archives;
mod build;
mod build_step;
mod clean_up;
mod commit;
mod hold;
mod images;
mod info;
mod networks;
mod prune;
mod reaper;
mod recover;
mod registry;
mod run;
mod scopes;
mod volumes;

use crate::context::Context;
use crate::engine::{BuildOutcome, BuildSpec, Engine, Held, PullOptions, PullPolicy};
use crate::error::Result;
use crate::events;
use crate::model::{
    ArchiveFormat, CommitSpec, ContainerFilter, ContainerInfo, ContainerSpec, ContainerStats, ContainerUpdate,
    CopyOptions, DetachKeys, Event, EventQuery, ExecIo, ExecSpec, FileChange, ImageFilter, ImageInfo, ImportSpec,
    LogLine, LogOptions, Platform, ProcessInfo, Recovered, RunOutput, WriteOptions,
};
use crate::model::{Digest, DiskUsage, HistoryEntry, ImageRemoval, PrunePlan, PruneSpec, StoreCheck};
use crate::model::{ExportVolumeSpec, ImportVolumeSpec, VolumeArchive, VolumeFilter, VolumeInfo, VolumeSpec};
use crate::model::{NetworkAttachment, NetworkFilter, NetworkInfo, NetworkSpec};
use crate::registry::Client;
use crate::store::Store;
use crate::{container, image, network, volume};
pub use clean_up::clean_up;
use reaper::Reaper;
use recover::Recovery;
use serde_json::Value;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// An engine on a root of this machine.
pub struct NativeEngine {
    store: Arc<Store>,
    client: OnceLock<Client>,
    reaper: Reaper,
    recovery: Arc<Recovery>,
}

impl NativeEngine {
    /// Opens a root, makes it when it is not there, and begins to sweep what killed processes left in it.
    pub fn open(root: &Path) -> Result<Self> {
        let store = Arc::new(Store::open(root)?);
        let recovery = Arc::new(Recovery::default());
        recovery.after_a_reboot(&store)?;
        let reaper = Reaper::start(store.clone(), recovery.clone());
        let engine = Self { store, client: OnceLock::new(), reaper, recovery };
        engine.end_scopes_of_dead_scripts(&Context::background())?;
        Ok(engine)
    }

    fn row(&self, text: &str) -> Result<container::Row> {
        self.store.read(|db| container::find(db, text))
    }
}

impl Engine for NativeEngine {
    fn pull(&self, cx: &Context, reference: &str, options: &PullOptions) -> Result<ImageInfo> {
        self.pull_image(cx, reference, options.platform.as_ref())
    }

    fn push(&self, cx: &Context, reference: &str, to: Option<&str>) -> Result<Digest> {
        image::push(&self.store, self.client()?, reference, to, cx)
    }

    fn image(&self, _cx: &Context, reference: &str) -> Result<ImageInfo> {
        image::info(&self.store, &image::require(&self.store, reference)?)
    }

    fn images(&self, _cx: &Context, filter: &ImageFilter) -> Result<Vec<ImageInfo>> {
        image::list(&self.store, filter)
    }

    fn inspect_image(&self, _cx: &Context, reference: &str) -> Result<Value> {
        image::inspect(&self.store, &image::require(&self.store, reference)?)
    }

    fn image_history(&self, _cx: &Context, reference: &str) -> Result<Vec<HistoryEntry>> {
        image::history(&self.store, &image::require(&self.store, reference)?)
    }

    fn tag_image(&self, cx: &Context, reference: &str, new: &str) -> Result<ImageInfo> {
        let id = image::tag(&self.store, reference, new)?;
        self.own_image(cx, new)?;
        image::info(&self.store, &id)
    }

    fn untag_image(&self, _cx: &Context, reference: &str, name: &str) -> Result<ImageInfo> {
        image::info(&self.store, &image::untag(&self.store, reference, name)?)
    }

    fn remove_image(&self, _cx: &Context, reference: &str, force: bool) -> Result<ImageRemoval> {
        self.reaper.settle();
        // Containers that have ended unseen do not run.
        container::list(&self.store, &ContainerFilter::default())?;
        let removal = image::remove(&self.store, reference, force)?;
        self.reaper.image_removed();
        Ok(removal)
    }

    fn save_images(
        &self,
        cx: &Context,
        references: &[String],
        format: ArchiveFormat,
        output: &mut dyn Write,
    ) -> Result<()> {
        image::save(&self.store, references, format, output, cx)
    }

    fn load_images(
        &self,
        cx: &Context,
        input: &mut (dyn Read + Send),
        platform: Option<&Platform>,
    ) -> Result<Vec<ImageInfo>> {
        self.load_archive(cx, input, platform)
    }

    fn import_image(&self, cx: &Context, input: &mut (dyn Read + Send), spec: &ImportSpec) -> Result<ImageInfo> {
        self.import_tar(cx, input, spec)
    }

    fn build(&self, cx: &Context, spec: &BuildSpec) -> Result<BuildOutcome> {
        self.build_image(cx, spec)
    }

    fn login(&self, cx: &Context, registry: &str, user: &str, password: &str) -> Result<()> {
        self.log_in(cx, registry, user, password)
    }

    fn logout(&self, cx: &Context, registry: &str) -> Result<bool> {
        self.log_out(cx, registry)
    }

    fn tags(&self, cx: &Context, registry: &str, repository: &str) -> Result<Vec<String>> {
        self.tags_of(cx, registry, repository)
    }

    fn repositories(&self, cx: &Context, registry: &str) -> Result<Vec<String>> {
        self.client()?.repositories(cx, registry)
    }

    fn create(&self, cx: &Context, spec: &ContainerSpec, pull: PullPolicy) -> Result<String> {
        self.with_image(cx, spec, pull, |image| {
            Ok(container::create(&self.store, cx, spec, image.into())?.id.as_str().to_owned())
        })
    }

    fn run(&self, cx: &Context, spec: &ContainerSpec, pull: PullPolicy) -> Result<String> {
        self.with_image(cx, spec, pull, |image| {
            let (row, _started) = container::run(&self.store, cx, spec, image.into(), container::Stdio::Log)?;
            Ok(row.id.as_str().to_owned())
        })
    }

    fn run_once(&self, cx: &Context, spec: &ContainerSpec, pull: PullPolicy, io: ExecIo<'_>) -> Result<RunOutput> {
        self.run_to_its_end(cx, spec, pull, io)
    }

    fn start(&self, cx: &Context, container: &str) -> Result<()> {
        container::start(&self.store, cx, self.row(container)?, container::Cause::Start)
    }

    fn restart(&self, cx: &Context, container: &str, timeout: Option<Duration>) -> Result<()> {
        container::restart(&self.store, cx, self.row(container)?, timeout)
    }

    fn stop(&self, cx: &Context, container: &str, timeout: Option<Duration>) -> Result<()> {
        container::stop(&self.store, cx, self.row(container)?, timeout)?;
        self.reaper.container_ended();
        Ok(())
    }

    fn kill(&self, cx: &Context, container: &str, signal: &str) -> Result<()> {
        container::kill(&self.store, cx, &self.row(container)?, signal)
    }

    fn pause(&self, cx: &Context, container: &str) -> Result<()> {
        container::pause(&self.store, cx, &self.row(container)?)
    }

    fn unpause(&self, cx: &Context, container: &str) -> Result<()> {
        container::unpause(&self.store, cx, &self.row(container)?)
    }

    fn hold(&self, cx: &Context, container: &str) -> Result<Box<dyn Held>> {
        self.hold_still(cx, container)
    }

    fn update(&self, cx: &Context, container: &str, changes: &ContainerUpdate) -> Result<()> {
        container::update(&self.store, cx, self.row(container)?, changes)
    }

    fn wait(&self, cx: &Context, container: &str) -> Result<i32> {
        container::wait(&self.store, cx, container)
    }

    fn remove(&self, cx: &Context, container: &str, force: bool, volumes: bool) -> Result<()> {
        container::remove(&self.store, cx, self.row(container)?, container::Removal { force, volumes })?;
        self.reaper.container_ended();
        Ok(())
    }

    fn container(&self, _cx: &Context, container: &str) -> Result<ContainerInfo> {
        container::info(&self.store, self.row(container)?)
    }

    fn containers(&self, _cx: &Context, filter: &ContainerFilter) -> Result<Vec<ContainerInfo>> {
        container::list(&self.store, filter)
    }

    fn inspect_container(&self, _cx: &Context, container: &str) -> Result<Value> {
        let row = self.row(container)?;
        let info = container::info(&self.store, row.clone())?;
        Ok(container::inspect(&self.store, &row, &info))
    }

    fn exec(&self, cx: &Context, container: &str, spec: &ExecSpec, io: ExecIo<'_>) -> Result<RunOutput> {
        container::exec(&self.store, cx, &self.row(container)?, spec, io)
    }

    fn shell(&self, cx: &Context, container: &str, spec: &ExecSpec, keys: &DetachKeys) -> Result<Option<i32>> {
        container::shell(&self.store, cx, &self.row(container)?, spec, keys)
    }

    fn shell_once(
        &self,
        cx: &Context,
        spec: &ContainerSpec,
        pull: PullPolicy,
        keys: &DetachKeys,
    ) -> Result<Option<i32>> {
        let (code, remains) =
            self.with_image(cx, spec, pull, |image| container::shell_once(&self.store, cx, spec, image.into(), keys))?;
        self.reaper.take(remains);
        Ok(code)
    }

    fn attach(&self, cx: &Context, container: &str, keys: &DetachKeys) -> Result<Option<i32>> {
        container::attach(&self.store, cx, &self.row(container)?, keys)
    }

    fn logs(
        &self,
        cx: &Context,
        container: &str,
        options: &LogOptions,
        on_line: &mut dyn FnMut(LogLine) -> Result<bool>,
    ) -> Result<()> {
        container::read_logs(&self.store, cx, container, options, on_line)
    }

    fn stats(
        &self,
        cx: &Context,
        container: &str,
        interval: Duration,
        on_stats: &mut dyn FnMut(ContainerStats) -> Result<bool>,
    ) -> Result<()> {
        container::stats(&self.store, cx, self.row(container)?, interval, on_stats)
    }

    fn top(&self, _cx: &Context, container: &str) -> Result<Vec<ProcessInfo>> {
        container::top(&self.store, self.row(container)?)
    }

    fn rename(&self, cx: &Context, container: &str, name: &str) -> Result<()> {
        container::rename(&self.store, cx, self.row(container)?, name)
    }

    fn port_open(&self, cx: &Context, container: &str, port: u16) -> Result<bool> {
        let info = self.container(cx, container)?;
        match info.pid {
            Some(pid) => container::port_open(pid, port, &info.ports),
            None => Ok(false),
        }
    }

    fn copy_to(
        &self,
        cx: &Context,
        container: &str,
        sources: &[PathBuf],
        target: &str,
        options: &CopyOptions,
    ) -> Result<()> {
        container::copy_to(&self.store, cx, self.row(container)?, sources, target, options)
    }

    fn copy_from(
        &self,
        cx: &Context,
        container: &str,
        sources: &[String],
        target: &Path,
        options: &CopyOptions,
    ) -> Result<()> {
        container::copy_from(&self.store, cx, self.row(container)?, sources, target, options)
    }

    fn read_file(&self, cx: &Context, container: &str, path: &str) -> Result<Vec<u8>> {
        container::read_file(&self.store, cx, self.row(container)?, path)
    }

    fn write_file(
        &self,
        cx: &Context,
        container: &str,
        path: &str,
        content: &[u8],
        options: &WriteOptions,
    ) -> Result<()> {
        container::write_file(&self.store, cx, self.row(container)?, path, content, options)
    }

    fn diff(&self, cx: &Context, container: &str) -> Result<Vec<FileChange>> {
        container::diff(&self.store, cx, &self.row(container)?)
    }

    fn export(&self, cx: &Context, container: &str, output: &mut dyn Write) -> Result<()> {
        container::export(&self.store, cx, self.row(container)?, output)
    }

    fn commit(&self, cx: &Context, container: &str, spec: &CommitSpec) -> Result<ImageInfo> {
        self.commit_container(cx, container, spec)
    }

    fn create_network(&self, cx: &Context, spec: &NetworkSpec) -> Result<NetworkInfo> {
        self.make_network(cx, spec)
    }

    fn network(&self, _cx: &Context, network: &str) -> Result<NetworkInfo> {
        self.find_network(network)
    }

    fn networks(&self, _cx: &Context, filter: &NetworkFilter) -> Result<Vec<NetworkInfo>> {
        self.list_networks(filter)
    }

    fn inspect_network(&self, _cx: &Context, network: &str) -> Result<Value> {
        self.show_network(network)
    }

    fn remove_network(&self, _cx: &Context, network: &str) -> Result<()> {
        self.take_network_away(network)
    }

    fn connect_network(&self, cx: &Context, container: &str, attachment: &NetworkAttachment) -> Result<()> {
        self.connect(cx, container, attachment)
    }

    fn disconnect_network(&self, cx: &Context, container: &str, network: &str) -> Result<()> {
        self.disconnect(cx, container, network)
    }

    fn keep_network(&self, _cx: &Context, network: &str) -> Result<()> {
        network::keep(&self.store, network)
    }

    fn create_volume(&self, cx: &Context, spec: &VolumeSpec) -> Result<VolumeInfo> {
        self.make_volume(cx, spec)
    }

    fn volume(&self, _cx: &Context, volume: &str) -> Result<VolumeInfo> {
        self.find_volume(volume)
    }

    fn volumes(&self, _cx: &Context, filter: &VolumeFilter) -> Result<Vec<VolumeInfo>> {
        self.list_volumes(filter)
    }

    fn inspect_volume(&self, _cx: &Context, volume: &str) -> Result<Value> {
        self.show_volume(volume)
    }

    fn volume_size(&self, _cx: &Context, volume: &str) -> Result<u64> {
        volume::size(&self.store, volume)
    }

    fn volume_users(&self, _cx: &Context, volume: &str) -> Result<Vec<String>> {
        self.users_of_volume(volume)
    }

    fn remove_volume(&self, _cx: &Context, volume: &str) -> Result<()> {
        self.take_volume_away(volume)
    }

    fn export_volume(
        &self,
        cx: &Context,
        volume: &str,
        spec: &ExportVolumeSpec,
        output: &mut dyn Write,
    ) -> Result<VolumeArchive> {
        volume::export(&self.store, cx, volume, spec, output)
    }

    fn import_volume(
        &self,
        cx: &Context,
        volume: &str,
        spec: ImportVolumeSpec,
        input: &mut (dyn Read + Send),
    ) -> Result<VolumeArchive> {
        self.read_volume(cx, volume, spec, input)
    }

    fn clone_volume(&self, cx: &Context, volume: &str, name: &str) -> Result<VolumeInfo> {
        self.copy_volume(cx, volume, name)
    }

    fn keep_volume(&self, _cx: &Context, volume: &str) -> Result<()> {
        volume::keep(&self.store, volume)
    }

    fn events(&self, cx: &Context, query: &EventQuery, on_event: &mut dyn FnMut(Event) -> Result<bool>) -> Result<()> {
        events::read(cx, self.store.root(), query, on_event)
    }

    fn info(&self, cx: &Context) -> Result<Value> {
        self.describe(cx)
    }

    fn disk_usage(&self, _cx: &Context) -> Result<DiskUsage> {
        self.measure_disk_usage()
    }

    fn plan_prune(&self, _cx: &Context, spec: &PruneSpec) -> Result<PrunePlan> {
        self.make_prune_plan(spec)
    }

    fn prune(&self, cx: &Context, plan: &PrunePlan) -> Result<PrunePlan> {
        self.carry_out_prune(cx, plan)
    }

    fn check_store(&self, cx: &Context, repair: bool) -> Result<StoreCheck> {
        // Containers that have ended unseen keep no layer from being repaired.
        container::list(&self.store, &ContainerFilter::default())?;
        let pull = |reference: &str, platform: &Platform| self.pull_image(cx, reference, Some(platform)).map(drop);
        image::check_store(&self.store, repair, &pull, cx)
    }

    fn recover(&self, cx: &Context) -> Result<Vec<Recovered>> {
        self.recovery.asked(&self.store, cx)
    }

    fn finish(&self) {
        self.reaper.finish(&self.store);
    }

    fn end_scope(&self, cx: &Context, scope: &str) -> Result<()> {
        self.end_one_scope(cx, scope)
    }

    fn keep(&self, cx: &Context, container: &str) -> Result<()> {
        container::keep(&self.store, cx, &self.row(container)?)
    }
}
