//! The trait that scripts talk to. `native` implements it on this machine; others may follow.
//!
//! It is synchronous and object-safe, on `model` types. Paths, pids and namespaces of the host do
//! not appear in it. Whoever calls gives a [`Context`]: when to stop, where progress goes, which
//! scope owns what is made.

mod types;

pub use types::{
    BuildOutcome, BuildOutput, BuildPlan, BuildSource, BuildSpec, BuildStep, BuiltStep, CopyFrom, DockerfileSource,
    NoCache, PullOptions, PullPolicy, SecretSource,
};

pub use crate::model::{
    ArchiveFormat, CommitSpec, ContainerFilter, CopyOptions, Event, EventQuery, ExecIo, FileChange, ImageFilter,
    ImportSpec, LogLine, LogOptions, OutputSink, RunOutput, Stream, WriteOptions,
};

use crate::context::Context;
use crate::error::Result;
use crate::model::{
    ContainerInfo, ContainerSpec, ContainerStats, ContainerUpdate, DetachKeys, ExecSpec, ImageInfo, Platform,
    ProcessInfo, Recovered,
};
use crate::model::{Digest, DiskUsage, HistoryEntry, ImageRemoval, PrunePlan, PruneSpec, StoreCheck};
use crate::model::{ExportVolumeSpec, ImportVolumeSpec, VolumeArchive, VolumeFilter, VolumeInfo, VolumeSpec};
use crate::model::{NetworkAttachment, NetworkFilter, NetworkInfo, NetworkSpec};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A container that stands still. Dropped, it goes on.
pub trait Held: Send {
    /// Lets it go on; returns once it does.
    fn end(self: Box<Self>) -> Result<()>;
}

/// A container engine.
pub trait Engine: Send + Sync {
    // Images.

    /// Fetches an image from its registry, whether or not it is here already.
    fn pull(&self, cx: &Context, reference: &str, options: &PullOptions) -> Result<ImageInfo>;
    /// Sends an image to a registry: to the name `to`, else to its own. Gives the digest under which it is there.
    fn push(&self, cx: &Context, reference: &str, to: Option<&str>) -> Result<Digest>;
    /// An image of the store, by reference, id or prefix of one.
    fn image(&self, cx: &Context, reference: &str) -> Result<ImageInfo>;
    /// All images, newest first.
    fn images(&self, cx: &Context, filter: &ImageFilter) -> Result<Vec<ImageInfo>>;
    /// The whole config of an image, in the shape of `docker image inspect`.
    fn inspect_image(&self, cx: &Context, reference: &str) -> Result<serde_json::Value>;
    /// How an image came to be, the newest step first.
    fn image_history(&self, cx: &Context, reference: &str) -> Result<Vec<HistoryEntry>>;
    /// Gives an image another name.
    fn tag_image(&self, cx: &Context, reference: &str, new: &str) -> Result<ImageInfo>;
    /// Takes the name `name` away from the image that `reference` means; the image stays, even without a name.
    fn untag_image(&self, cx: &Context, reference: &str, name: &str) -> Result<ImageInfo>;
    /// Takes a name away; the image goes with its last name. `force` also takes an id with several names, and an image
    /// that containers use which do not run.
    fn remove_image(&self, cx: &Context, reference: &str, force: bool) -> Result<ImageRemoval>;
    /// Writes images, straight from the store, into an archive whose blobs are as they were pulled. Together with
    /// [`Self::load_images`] of another engine, over a pipe, it copies images without a registry.
    fn save_images(
        &self,
        cx: &Context,
        references: &[String],
        format: ArchiveFormat,
        output: &mut dyn Write,
    ) -> Result<()>;
    /// Loads all images of an archive, Docker's or the OCI's, as it streams in; after an error none of them. Where it has several
    /// platforms this one is chosen; `None`: this machine's.
    fn load_images(
        &self,
        cx: &Context,
        input: &mut (dyn Read + Send),
        platform: Option<&Platform>,
    ) -> Result<Vec<ImageInfo>>;
    /// Makes an image from the tar of a file system.
    fn import_image(&self, cx: &Context, input: &mut (dyn Read + Send), spec: &ImportSpec) -> Result<ImageInfo>;
    /// Builds an image from a Dockerfile, or from steps.
    fn build(&self, cx: &Context, spec: &BuildSpec) -> Result<BuildOutcome>;

    // Registries, by host (`docker.io`, `127.0.0.1:5000`).

    /// Asks the registry whether it accepts the credentials, and keeps them for the user who calls.
    fn login(&self, cx: &Context, registry: &str, user: &str, password: &str) -> Result<()>;
    /// Forgets them. Whether there were any.
    fn logout(&self, cx: &Context, registry: &str) -> Result<bool>;
    /// The tags of a repository, in the registry's order.
    fn tags(&self, cx: &Context, registry: &str, repository: &str) -> Result<Vec<String>>;
    /// The repositories of a registry, in its order.
    fn repositories(&self, cx: &Context, registry: &str) -> Result<Vec<String>>;

    // Containers. `container` arguments are an id, a name, or a unique prefix of an id.

    /// Makes a container without starting it; gives its id.
    fn create(&self, cx: &Context, spec: &ContainerSpec, pull: PullPolicy) -> Result<String>;
    /// Makes and starts a container; returns its id once its program has been executed.
    fn run(&self, cx: &Context, spec: &ContainerSpec, pull: PullPolicy) -> Result<String>;
    /// Runs one command in a container of its own, waits for it and removes it.
    fn run_once(&self, cx: &Context, spec: &ContainerSpec, pull: PullPolicy, io: ExecIo<'_>) -> Result<RunOutput>;
    /// Starts a container; succeeds when it runs already.
    fn start(&self, cx: &Context, container: &str) -> Result<()>;
    /// Asks it to stop, and kills it after `timeout` (`None`: its own, or 10 s). Succeeds when it has stopped already.
    fn stop(&self, cx: &Context, container: &str, timeout: Option<Duration>) -> Result<()>;
    /// Stops it in the same way, and starts it.
    fn restart(&self, cx: &Context, container: &str, timeout: Option<Duration>) -> Result<()>;
    /// Sends a signal (`TERM`, `SIGTERM` or a number) to its first process.
    fn kill(&self, cx: &Context, container: &str, signal: &str) -> Result<()>;
    /// Freezes all its processes.
    fn pause(&self, cx: &Context, container: &str) -> Result<()>;
    /// Lets its frozen processes go on.
    fn unpause(&self, cx: &Context, container: &str) -> Result<()>;
    /// Freezes all its processes until the result is dropped, also by the death of this process.
    fn hold(&self, cx: &Context, container: &str) -> Result<Box<dyn Held>>;
    /// Changes its limits and its restart policy, also while it runs.
    fn update(&self, cx: &Context, container: &str, changes: &ContainerUpdate) -> Result<()>;
    /// Waits until it has ended; gives its exit code. The deadline is the context's.
    fn wait(&self, cx: &Context, container: &str) -> Result<i32>;
    /// Removes it; `force` kills a running one first, `volumes` takes its anonymous volumes along.
    fn remove(&self, cx: &Context, container: &str, force: bool, volumes: bool) -> Result<()>;
    /// What is known about it now.
    fn container(&self, cx: &Context, container: &str) -> Result<ContainerInfo>;
    /// Containers, newest first; without `filter.all` only those that are alive.
    fn containers(&self, cx: &Context, filter: &ContainerFilter) -> Result<Vec<ContainerInfo>>;
    /// Everything about it, in the shape of `docker inspect`.
    fn inspect_container(&self, cx: &Context, container: &str) -> Result<serde_json::Value>;
    /// Runs a command inside; waits for it unless `spec.detach`.
    fn exec(&self, cx: &Context, container: &str, spec: &ExecSpec, io: ExecIo<'_>) -> Result<RunOutput>;
    /// Runs a program inside at this process's terminal, or with its standard input and output where that is none. Gives
    /// the exit code; `None` when the keys were pressed, which ends it.
    fn shell(&self, cx: &Context, container: &str, spec: &ExecSpec, keys: &DetachKeys) -> Result<Option<i32>>;
    /// Runs a container of its own in the same way, and removes it.
    fn shell_once(
        &self,
        cx: &Context,
        spec: &ContainerSpec,
        pull: PullPolicy,
        keys: &DetachKeys,
    ) -> Result<Option<i32>>;
    /// Joins this process's terminal with the container's program. Gives its exit code; `None` when it goes on.
    fn attach(&self, cx: &Context, container: &str, keys: &DetachKeys) -> Result<Option<i32>>;
    /// Gives each line of its log to `on_line`, oldest first, until it returns `false` or, without
    /// `options.follow`, the end. Following ends when the container does.
    fn logs(
        &self,
        cx: &Context,
        container: &str,
        options: &LogOptions,
        on_line: &mut dyn FnMut(LogLine) -> Result<bool>,
    ) -> Result<()>;
    /// Gives what it uses after each interval, until `on_stats` returns `false` or the container ends.
    fn stats(
        &self,
        cx: &Context,
        container: &str,
        interval: Duration,
        on_stats: &mut dyn FnMut(ContainerStats) -> Result<bool>,
    ) -> Result<()>;
    /// Its processes, by pid.
    fn top(&self, cx: &Context, container: &str) -> Result<Vec<ProcessInfo>>;
    /// Gives it another name.
    fn rename(&self, cx: &Context, container: &str, name: &str) -> Result<()>;
    /// Whether a socket listens on this TCP port inside, and its published address, if any, accepts connections.
    fn port_open(&self, cx: &Context, container: &str, port: u16) -> Result<bool>;

    /// Copies files of the caller's machine (absolute paths, patterns) into it, by the rules of `docker cp`.
    fn copy_to(
        &self,
        cx: &Context,
        container: &str,
        sources: &[PathBuf],
        target: &str,
        options: &CopyOptions,
    ) -> Result<()>;
    /// Copies its files (patterns) to a place of the caller's machine, an absolute path, by the same rules.
    fn copy_from(
        &self,
        cx: &Context,
        container: &str,
        sources: &[String],
        target: &Path,
        options: &CopyOptions,
    ) -> Result<()>;
    /// The content of one of its files.
    fn read_file(&self, cx: &Context, container: &str, path: &str) -> Result<Vec<u8>>;
    /// Replaces the content of one of its files, or makes the file.
    fn write_file(
        &self,
        cx: &Context,
        container: &str,
        path: &str,
        content: &[u8],
        options: &WriteOptions,
    ) -> Result<()>;
    /// How its files differ from its image's, in the order of paths.
    fn diff(&self, cx: &Context, container: &str) -> Result<Vec<FileChange>>;
    /// Writes all its files as a tar.
    fn export(&self, cx: &Context, container: &str, output: &mut dyn Write) -> Result<()>;
    /// Makes an image of it.
    fn commit(&self, cx: &Context, container: &str, spec: &CommitSpec) -> Result<ImageInfo>;

    // Networks, by name, id, or a unique beginning of one.

    /// Makes a network.
    fn create_network(&self, cx: &Context, spec: &NetworkSpec) -> Result<NetworkInfo>;
    /// What is known about a network.
    fn network(&self, cx: &Context, network: &str) -> Result<NetworkInfo>;
    /// Networks: those that are always there first, then the oldest first.
    fn networks(&self, cx: &Context, filter: &NetworkFilter) -> Result<Vec<NetworkInfo>>;
    /// Everything about it, in the shape of `docker network inspect`.
    fn inspect_network(&self, cx: &Context, network: &str) -> Result<serde_json::Value>;
    /// Removes a network that no container has.
    fn remove_network(&self, cx: &Context, network: &str) -> Result<()>;
    /// Connects a container to the network that the attachment names, also while it runs.
    fn connect_network(&self, cx: &Context, container: &str, attachment: &NetworkAttachment) -> Result<()>;
    /// Disconnects it, also while it runs.
    fn disconnect_network(&self, cx: &Context, container: &str, network: &str) -> Result<()>;
    /// Takes a network out of its scope: it outlives the script.
    fn keep_network(&self, cx: &Context, network: &str) -> Result<()>;

    // Volumes, by name.

    /// Makes a volume; one of that name that is there already stays as it is.
    fn create_volume(&self, cx: &Context, spec: &VolumeSpec) -> Result<VolumeInfo>;
    /// What is known about a volume.
    fn volume(&self, cx: &Context, volume: &str) -> Result<VolumeInfo>;
    /// Volumes, by name.
    fn volumes(&self, cx: &Context, filter: &VolumeFilter) -> Result<Vec<VolumeInfo>>;
    /// Everything about it, in the shape of `docker volume inspect`.
    fn inspect_volume(&self, cx: &Context, volume: &str) -> Result<serde_json::Value>;
    /// Bytes of its files: looks at all of them.
    fn volume_size(&self, cx: &Context, volume: &str) -> Result<u64>;
    /// Ids of the containers that have it, running or not.
    fn volume_users(&self, cx: &Context, volume: &str) -> Result<Vec<String>>;
    /// Removes a volume that no container has.
    fn remove_volume(&self, cx: &Context, volume: &str) -> Result<()>;
    /// Writes its files as a tar whose end says what is in it. Together with [`Self::import_volume`] of another engine, over a
    /// pipe, it copies volumes between machines.
    fn export_volume(
        &self,
        cx: &Context,
        volume: &str,
        spec: &ExportVolumeSpec,
        output: &mut dyn Write,
    ) -> Result<VolumeArchive>;
    /// Replaces its files by those of a tar, compressed or not, once all of that was read and is what its end says; makes the
    /// volume when it is missing.
    fn import_volume(
        &self,
        cx: &Context,
        volume: &str,
        spec: ImportVolumeSpec,
        input: &mut (dyn Read + Send),
    ) -> Result<VolumeArchive>;
    /// Makes a new volume with its labels and files.
    fn clone_volume(&self, cx: &Context, volume: &str, name: &str) -> Result<VolumeInfo>;
    /// Takes a volume out of its scope: it outlives the script.
    fn keep_volume(&self, cx: &Context, volume: &str) -> Result<()>;

    // The engine.

    /// Gives each event that the query wants to `on_event`, in their order, until it returns `false`, or, without
    /// `query.follow`, the last one that there is.
    fn events(&self, cx: &Context, query: &EventQuery, on_event: &mut dyn FnMut(Event) -> Result<bool>) -> Result<()>;

    /// What it is and runs on: `engine`, `root`, `kernel`, `cgroup`, `storage`, and the numbers of `images` and
    /// `containers`. A map.
    fn info(&self, cx: &Context) -> Result<serde_json::Value>;

    /// What takes space: images, containers, volumes, the build cache.
    fn disk_usage(&self, cx: &Context) -> Result<DiskUsage>;
    /// What would go if that was cleaned up: nothing that a container uses, nor what another process has just pulled.
    fn plan_prune(&self, cx: &Context, spec: &PruneSpec) -> Result<PrunePlan>;
    /// Removes what is in the plan and nothing else. What has changed or is used since then stays, and is told.
    fn prune(&self, cx: &Context, plan: &PrunePlan) -> Result<PrunePlan>;
    /// Whether all that is stored is whole; `repair` mends what can be mended.
    fn check_store(&self, cx: &Context, repair: bool) -> Result<StoreCheck>;

    /// Starts what its restart policy asks for and does not run, after a reboot or a crash. What came of it.
    fn recover(&self, cx: &Context) -> Result<Vec<Recovered>>;
    /// Waits for clean-up that no caller has waited for. Called once, when nothing more will be asked of it.
    fn finish(&self) {}

    // Scopes.

    /// Removes what the scope still owns, newest first; all failures are reported in one error.
    fn end_scope(&self, cx: &Context, scope: &str) -> Result<()>;
    /// Takes a container out of its scope: it outlives the script.
    fn keep(&self, cx: &Context, container: &str) -> Result<()>;
}
