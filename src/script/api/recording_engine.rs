//! An engine for unit tests: it records what scripts ask of it and answers from what the test prepared.

pub use super::recording::Recording;
use crate::context::Context;
use crate::engine::{BuildOutcome, BuildSpec, Engine, Held, PullOptions, PullPolicy};
use crate::error::{Error, ExitDetails, IoContext, Result};
use crate::model::{
    Actor, ArchiveFormat, ChangeKind, CommitSpec, ContainerFilter, ContainerInfo, ContainerSpec, ContainerStats,
    ContainerUpdate, CopyOptions, DetachKeys, Digest, Event, EventQuery, ExecIo, ExecSpec, FileChange, ImageFilter,
    ImageInfo, ImportSpec, LogLine, LogOptions, Platform, ProcessInfo, Recovered, RunOutput, Status, Stream,
    WriteOptions,
};
use crate::model::{DiskUsage, HistoryEntry, ImageRemoval, PrunePlan, PruneSpec, StoreCheck};
use crate::model::{ExportVolumeSpec, ImportVolumeSpec, VolumeArchive, VolumeFilter, VolumeInfo, VolumeSpec};
use crate::model::{NetworkAttachment, NetworkFilter, NetworkInfo, NetworkSpec};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The engine.
#[derive(Clone, Default)]
pub struct RecordingEngine(Arc<Mutex<Recording>>);

impl RecordingEngine {
    /// The container `web` in these states.
    pub fn in_states(states: &[(Status, Option<i32>)]) -> Self {
        let engine = Self::default();
        engine.with(|recording| recording.states.extend(states));
        engine
    }

    /// Looks at or changes the recording.
    pub fn with<T>(&self, look: impl FnOnce(&mut Recording) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    pub(super) fn called(&self, call: impl Into<String>) {
        self.with(|recording| recording.calls.push(call.into()));
    }

    fn write(&self, cx: &Context, io: ExecIo<'_>) -> Result<RunOutput> {
        if self.with(|recording| recording.not_executed) {
            return Err(Error::exit("cannot execute `x`", ExitDetails { code: 127, ..ExitDetails::default() }));
        }
        while self.with(|recording| recording.hangs) {
            cx.cancel.sleep(Duration::from_secs(1))?;
        }
        let output = self.with(|recording| recording.output.clone());
        if let Some(sink) = io.on_output {
            // In small chunks, as they come out of a pipe.
            for chunk in output.stdout.chunks(3) {
                sink(Stream::Stdout, chunk)?;
            }
            sink(Stream::Stderr, &output.stderr)?;
        }
        Ok(output)
    }
}

impl Engine for RecordingEngine {
    fn pull(&self, _: &Context, reference: &str, options: &PullOptions) -> Result<ImageInfo> {
        let platform = options.platform.as_ref().map(|platform| format!(" for {platform}")).unwrap_or_default();
        self.called(format!("pull {reference}{platform}"));
        Ok(Self::image_info())
    }
    fn push(&self, _: &Context, reference: &str, to: Option<&str>) -> Result<Digest> {
        self.called(format!("push {reference} to {}", to.unwrap_or("its name")));
        Ok(Self::image_info().digest)
    }
    fn login(&self, _: &Context, registry: &str, user: &str, _password: &str) -> Result<()> {
        self.called(format!("login {registry} {user}"));
        Ok(())
    }
    fn logout(&self, _: &Context, registry: &str) -> Result<bool> {
        self.called(format!("logout {registry}"));
        Ok(true)
    }
    fn tags(&self, _: &Context, registry: &str, repository: &str) -> Result<Vec<String>> {
        self.called(format!("tags {registry} {repository}"));
        Ok(vec!["latest".to_owned()])
    }
    fn repositories(&self, _: &Context, registry: &str) -> Result<Vec<String>> {
        self.called(format!("repositories {registry}"));
        Ok(vec!["app".to_owned()])
    }
    fn image(&self, _: &Context, reference: &str) -> Result<ImageInfo> {
        if reference.starts_with("missing") { Err(Error::not_found("no such image")) } else { Ok(Self::image_info()) }
    }
    fn images(&self, _: &Context, filter: &ImageFilter) -> Result<Vec<ImageInfo>> {
        self.called(format!("images {filter:?}"));
        Ok(vec![Self::image_info()])
    }
    fn inspect_image(&self, _: &Context, reference: &str) -> Result<serde_json::Value> {
        Ok(serde_json::json!({ "Id": reference }))
    }
    fn image_history(&self, _: &Context, _: &str) -> Result<Vec<HistoryEntry>> {
        Ok(vec![])
    }
    fn tag_image(&self, _: &Context, reference: &str, new: &str) -> Result<ImageInfo> {
        self.called(format!("tag {reference} {new}"));
        Ok(Self::image_info())
    }
    fn untag_image(&self, _: &Context, reference: &str, name: &str) -> Result<ImageInfo> {
        self.called(format!("untag {reference} {name}"));
        Ok(Self::image_info())
    }
    fn remove_image(&self, _: &Context, reference: &str, force: bool) -> Result<ImageRemoval> {
        self.called(format!("remove image {reference} {force}"));
        if reference.starts_with("missing") {
            return Err(Error::not_found("no such image"));
        }
        let deleted = vec![Digest::from_sha256(&[0xab; 32]).to_string()];
        Ok(ImageRemoval { untagged: vec![reference.to_owned()], deleted, freed: 98 << 20 })
    }
    fn save_images(
        &self,
        _: &Context,
        references: &[String],
        format: ArchiveFormat,
        output: &mut dyn Write,
    ) -> Result<()> {
        self.called(format!("save {references:?} {format:?}"));
        output.write_all(b"tar").doing(|| "cannot write")
    }
    fn load_images(
        &self,
        _: &Context,
        input: &mut (dyn Read + Send),
        platform: Option<&Platform>,
    ) -> Result<Vec<ImageInfo>> {
        let text = std::io::read_to_string(input).doing(|| "cannot read")?;
        let platform = platform.map(ToString::to_string).unwrap_or_default();
        self.called(format!("load `{text}` for {platform}"));
        Ok(vec![Self::image_info()])
    }
    fn import_image(&self, _: &Context, input: &mut (dyn Read + Send), spec: &ImportSpec) -> Result<ImageInfo> {
        let text = std::io::read_to_string(input).doing(|| "cannot read")?;
        self.called(format!("import `{text}` {spec:?}"));
        Ok(Self::image_info())
    }
    fn build(&self, _: &Context, spec: &BuildSpec) -> Result<BuildOutcome> {
        self.with(|recording| recording.builds.push(spec.clone()));
        Ok(BuildOutcome { id: Self::image_info().id, steps: Vec::new() })
    }
    fn create(&self, _: &Context, spec: &ContainerSpec, pull: PullPolicy) -> Result<String> {
        self.called(format!("create {pull:?}"));
        self.with(|recording| recording.specs.push(spec.clone()));
        Ok("web".into())
    }
    fn run(&self, _: &Context, spec: &ContainerSpec, pull: PullPolicy) -> Result<String> {
        self.called(format!("run {pull:?}"));
        self.with(|recording| recording.specs.push(spec.clone()));
        Ok("web".into())
    }
    fn run_once(&self, cx: &Context, spec: &ContainerSpec, _: PullPolicy, io: ExecIo<'_>) -> Result<RunOutput> {
        self.called(format!("run once, reading {:?}", io.stdin.as_deref().map(String::from_utf8_lossy)));
        self.with(|recording| recording.specs.push(spec.clone()));
        self.write(cx, io)
    }
    fn start(&self, _: &Context, container: &str) -> Result<()> {
        self.called(format!("start {container}"));
        Ok(())
    }
    fn stop(&self, _: &Context, container: &str, timeout: Option<Duration>) -> Result<()> {
        self.called(format!("stop {container} {timeout:?}"));
        Ok(())
    }
    fn restart(&self, _: &Context, container: &str, timeout: Option<Duration>) -> Result<()> {
        self.called(format!("restart {container} {timeout:?}"));
        Ok(())
    }
    fn kill(&self, _: &Context, container: &str, signal: &str) -> Result<()> {
        self.called(format!("kill {container} {signal}"));
        Ok(())
    }
    fn pause(&self, _: &Context, container: &str) -> Result<()> {
        self.called(format!("pause {container}"));
        Ok(())
    }
    fn unpause(&self, _: &Context, container: &str) -> Result<()> {
        self.called(format!("unpause {container}"));
        Ok(())
    }
    fn update(&self, _: &Context, container: &str, changes: &ContainerUpdate) -> Result<()> {
        self.called(format!("update {container} {changes:?}"));
        Ok(())
    }
    fn wait(&self, cx: &Context, container: &str) -> Result<i32> {
        loop {
            if let Some(code) = self.container(cx, container)?.exit_code {
                return Ok(code);
            }
            cx.cancel.sleep(Duration::from_millis(1))?;
        }
    }
    fn remove(&self, _: &Context, container: &str, force: bool, volumes: bool) -> Result<()> {
        self.called(format!("remove {container} {force} {volumes}"));
        if container == "missing" { Err(Error::not_found("no such container")) } else { Ok(()) }
    }
    fn container(&self, _: &Context, container: &str) -> Result<ContainerInfo> {
        if container == "missing" {
            return Err(Error::not_found("no such container"));
        }
        let (status, code) = self.with(|recording| {
            let states = &mut recording.states;
            if states.len() > 1 { states.pop_front() } else { states.front().copied() }
                .unwrap_or((Status::Running, None))
        });
        Ok(Self::info_of(status, code))
    }
    fn containers(&self, _: &Context, filter: &ContainerFilter) -> Result<Vec<ContainerInfo>> {
        self.called(format!("containers {filter:?}"));
        Ok(vec![Self::info_of(Status::Running, None)])
    }
    fn inspect_container(&self, _: &Context, container: &str) -> Result<serde_json::Value> {
        Ok(serde_json::json!({ "Name": container }))
    }
    fn exec(&self, cx: &Context, _: &str, spec: &ExecSpec, io: ExecIo<'_>) -> Result<RunOutput> {
        self.with(|recording| recording.execs.push(spec.clone()));
        self.write(cx, io)
    }
    fn shell(&self, _: &Context, container: &str, spec: &ExecSpec, _: &DetachKeys) -> Result<Option<i32>> {
        self.with(|recording| recording.execs.push(spec.clone()));
        self.called(format!("shell {container}"));
        Ok(Some(0))
    }
    fn shell_once(&self, _: &Context, spec: &ContainerSpec, _: PullPolicy, _: &DetachKeys) -> Result<Option<i32>> {
        self.with(|recording| recording.specs.push(spec.clone()));
        Ok(Some(0))
    }
    fn attach(&self, _: &Context, container: &str, _: &DetachKeys) -> Result<Option<i32>> {
        self.called(format!("attach {container}"));
        Ok(None)
    }
    fn logs(
        &self,
        cx: &Context,
        _: &str,
        options: &LogOptions,
        on_line: &mut dyn FnMut(LogLine) -> Result<bool>,
    ) -> Result<()> {
        self.called(format!("logs {:?} {:?} {}", options.tail, options.stream, options.follow));
        for line in self.with(|recording| recording.log.clone()) {
            let time = jiff::Timestamp::UNIX_EPOCH;
            if !on_line(LogLine { text: line.into(), stream: Stream::Stdout, time })? {
                return Ok(());
            }
        }
        while options.follow && self.container(cx, "web")?.status.is_alive() {
            cx.cancel.sleep(Duration::from_millis(1))?;
        }
        Ok(())
    }
    fn stats(
        &self,
        cx: &Context,
        container: &str,
        interval: Duration,
        on_stats: &mut dyn FnMut(ContainerStats) -> Result<bool>,
    ) -> Result<()> {
        self.called(format!("stats {container} {interval:?}"));
        for pids in 1.. {
            cx.check()?;
            let stats = ContainerStats {
                id: "c0ffee".into(),
                name: "web".into(),
                cpu_percent: 12.5,
                cpu_seconds: 1.0,
                memory: 1024,
                memory_limit: 4096,
                memory_percent: 25.0,
                network_rx: 0,
                network_tx: 0,
                block_read: 0,
                block_write: 0,
                pids,
                time: jiff::Timestamp::UNIX_EPOCH,
            };
            if !on_stats(stats)? {
                break;
            }
        }
        Ok(())
    }
    fn top(&self, _: &Context, container: &str) -> Result<Vec<ProcessInfo>> {
        self.called(format!("top {container}"));
        Ok(vec![ProcessInfo {
            user: "root".into(),
            pid: 12,
            ppid: 7,
            cpu_percent: 3,
            started: jiff::Timestamp::UNIX_EPOCH,
            tty: "?".into(),
            cpu_seconds: 3662,
            command: "sleep 9".into(),
        }])
    }
    fn rename(&self, _: &Context, container: &str, name: &str) -> Result<()> {
        self.called(format!("rename {container} {name}"));
        Ok(())
    }
    fn port_open(&self, _: &Context, _: &str, port: u16) -> Result<bool> {
        self.called(format!("port {port}"));
        Ok(self.with(|recording| {
            recording.closed = recording.closed.saturating_sub(1);
            recording.closed == 0
        }))
    }
    fn copy_to(
        &self,
        _: &Context,
        container: &str,
        sources: &[PathBuf],
        target: &str,
        options: &CopyOptions,
    ) -> Result<()> {
        self.called(format!("copy {sources:?} to {container}:{target} {options:?}"));
        Ok(())
    }
    fn copy_from(
        &self,
        _: &Context,
        container: &str,
        sources: &[String],
        target: &Path,
        options: &CopyOptions,
    ) -> Result<()> {
        self.called(format!("copy {container}:{sources:?} to {} {options:?}", target.display()));
        Ok(())
    }
    fn read_file(&self, _: &Context, _: &str, path: &str) -> Result<Vec<u8>> {
        Ok(if path == "/binary" { vec![0xff, 0] } else { format!("content of {path}").into_bytes() })
    }
    fn write_file(
        &self,
        _: &Context,
        container: &str,
        path: &str,
        content: &[u8],
        options: &WriteOptions,
    ) -> Result<()> {
        self.called(format!("write {} to {container}:{path} {options:?}", String::from_utf8_lossy(content)));
        Ok(())
    }
    fn diff(&self, _: &Context, _: &str) -> Result<Vec<FileChange>> {
        Ok(vec![FileChange { path: "/a".into(), kind: ChangeKind::Added }])
    }
    fn export(&self, _: &Context, container: &str, output: &mut dyn Write) -> Result<()> {
        if container == "missing" {
            return Err(Error::not_found("no such container"));
        }
        output.write_all(b"tar").doing(|| "cannot write")
    }
    fn commit(&self, _: &Context, container: &str, spec: &CommitSpec) -> Result<ImageInfo> {
        self.called(format!("commit {container} {spec:?}"));
        Ok(Self::image_info())
    }
    fn events(&self, cx: &Context, query: &EventQuery, on_event: &mut dyn FnMut(Event) -> Result<bool>) -> Result<()> {
        let (filter, since, before) = (&query.filter, query.since.is_some(), query.before.is_some());
        self.called(format!(
            "events {:?} {:?} {:?} since {since} before {before} follow {}",
            filter.kinds, filter.actions, filter.labels, query.follow
        ));
        for (seq, action) in [(1, "start"), (2, "die")] {
            let attributes = [("name", "web"), ("exitCode", "3")];
            let event = Event {
                kind: "container".into(),
                action: action.into(),
                actor: Actor {
                    id: "c0ffee".into(),
                    attributes: attributes.map(|(key, value)| (key.into(), value.into())).into(),
                },
                scope: "local".into(),
                time: 0,
                time_nano: 0,
                seq,
            };
            cx.check()?;
            if !on_event(event)? {
                break;
            }
        }
        Ok(())
    }
    fn info(&self, _: &Context) -> Result<serde_json::Value> {
        Ok(serde_json::json!({ "engine": "recording" }))
    }
    fn disk_usage(&self, _: &Context) -> Result<DiskUsage> {
        Ok(Self::used())
    }
    fn check_store(&self, _: &Context, repair: bool) -> Result<StoreCheck> {
        self.called(format!("check {repair}"));
        Ok(Self::store_check(repair))
    }
    fn plan_prune(&self, _: &Context, spec: &PruneSpec) -> Result<PrunePlan> {
        self.called(format!("plan {spec:?}"));
        Ok(Self::prune_plan())
    }
    fn prune(&self, _: &Context, plan: &PrunePlan) -> Result<PrunePlan> {
        self.called(format!("prune {} item", plan.items.len()));
        Ok(Self::pruned(plan))
    }
    fn create_network(&self, _: &Context, spec: &NetworkSpec) -> Result<NetworkInfo> {
        self.called(format!("create network {spec:?}"));
        Ok(Self::network_info(&spec.name))
    }
    fn network(&self, _: &Context, network: &str) -> Result<NetworkInfo> {
        Self::found_network(network)
    }
    fn networks(&self, _: &Context, filter: &NetworkFilter) -> Result<Vec<NetworkInfo>> {
        self.called(format!("networks {filter:?}"));
        Ok(vec![Self::network_info("shop")])
    }
    fn inspect_network(&self, _: &Context, network: &str) -> Result<serde_json::Value> {
        Ok(Self::inspected_network(network))
    }
    fn remove_network(&self, _: &Context, network: &str) -> Result<()> {
        self.called(format!("remove network {network}"));
        Ok(())
    }
    fn connect_network(&self, _: &Context, container: &str, attachment: &NetworkAttachment) -> Result<()> {
        self.called(format!("connect {container} {attachment:?}"));
        Ok(())
    }
    fn disconnect_network(&self, _: &Context, container: &str, network: &str) -> Result<()> {
        self.called(format!("disconnect {container} {network}"));
        Ok(())
    }
    fn keep_network(&self, _: &Context, network: &str) -> Result<()> {
        self.called(format!("keep network {network}"));
        Ok(())
    }
    fn create_volume(&self, _: &Context, spec: &VolumeSpec) -> Result<VolumeInfo> {
        self.called(format!("create volume {spec:?}"));
        Ok(Self::volume_info(spec.name.as_deref().unwrap_or("c0ffee")))
    }
    fn volume(&self, _: &Context, volume: &str) -> Result<VolumeInfo> {
        if volume == "missing" { Err(Error::not_found("no such volume")) } else { Ok(Self::volume_info(volume)) }
    }
    fn volumes(&self, _: &Context, filter: &VolumeFilter) -> Result<Vec<VolumeInfo>> {
        self.called(format!("volumes {filter:?}"));
        Ok(vec![Self::volume_info("data")])
    }
    fn inspect_volume(&self, _: &Context, volume: &str) -> Result<serde_json::Value> {
        Ok(serde_json::json!({ "Name": volume }))
    }
    fn volume_size(&self, _: &Context, _: &str) -> Result<u64> {
        Ok(98 << 20)
    }
    fn volume_users(&self, _: &Context, _: &str) -> Result<Vec<String>> {
        Ok(vec!["c0ffee".repeat(11)[..64].to_owned()])
    }
    fn remove_volume(&self, _: &Context, volume: &str) -> Result<()> {
        self.called(format!("remove volume {volume}"));
        if volume == "missing" { Err(Error::not_found("no such volume")) } else { Ok(()) }
    }
    fn export_volume(
        &self,
        _: &Context,
        volume: &str,
        spec: &ExportVolumeSpec,
        output: &mut dyn Write,
    ) -> Result<VolumeArchive> {
        self.exported(volume, spec, output)
    }
    fn import_volume(
        &self,
        _: &Context,
        volume: &str,
        spec: ImportVolumeSpec,
        input: &mut (dyn Read + Send),
    ) -> Result<VolumeArchive> {
        self.imported(volume, spec, input)
    }
    fn clone_volume(&self, _: &Context, volume: &str, name: &str) -> Result<VolumeInfo> {
        self.called(format!("clone volume {volume} {name}"));
        Ok(Self::volume_info(name))
    }
    fn hold(&self, _: &Context, container: &str) -> Result<Box<dyn Held>> {
        Ok(self.held(container))
    }
    fn keep_volume(&self, _: &Context, volume: &str) -> Result<()> {
        self.called(format!("keep volume {volume}"));
        Ok(())
    }
    fn recover(&self, _: &Context) -> Result<Vec<Recovered>> {
        self.called("recover");
        Ok(vec![])
    }
    fn end_scope(&self, _: &Context, scope: &str) -> Result<()> {
        self.called(format!("end scope {scope}"));
        Ok(())
    }
    fn keep(&self, _: &Context, container: &str) -> Result<()> {
        self.called(format!("keep {container}"));
        Ok(())
    }
}
