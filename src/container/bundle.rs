//! The OCI bundle of a container and the launch message of its monitor.

use super::isolation::{self, Sharing};
use super::oci_runtime;
use super::row::Row;
use super::{etc, folder, input, monitor, propagation, volumes};
use crate::error::{Error, IoContext, Result};
use crate::model::{IdMaps, MountKind, MountSpec, SeccompProfile, UsernsSpec, signal};
use crate::runtime::launch::{Launch, MountedVolume, PROTOCOL_VERSION, RootfsPlan, StdioPlan};
use crate::runtime::spec::{self, Devices, Options, Seccomp};
use crate::runtime::{bundle, userns};
use crate::store::Store;
use oci_spec::runtime::{Mount, Spec};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Writes the bundle and what is mounted from it, as the row says; gives what its monitor is to be sent. `layers` are those
/// that it is made of.
pub fn write(store: &Store, row: &Row, layers: Vec<PathBuf>, stdio: StdioPlan) -> Result<Launch> {
    let container_dir = store.container_dir(row.id.as_str());
    let (upper, work) = match &row.plan.changes {
        Some(changes) => changes.clone(),
        None => (container_dir.join(folder::UPPER), container_dir.join(folder::WORK)),
    };
    let rootfs = RootfsPlan {
        layers,
        upper,
        work,
        merged: container_dir.join(folder::MERGED),
        // Who keeps the changes makes something else of them.
        volatile: row.plan.changes.is_some(),
        read_only: row.spec.read_only,
    };
    // In memory: it is written anew at each start, and files on a disk cost more than all the rest of it.
    let run_dir = monitor::run_dir(store, &row.id);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&run_dir)
        .doing(|| format!("cannot make `{}`", run_dir.display()))?;
    let sharing = isolation::sharing(store, row)?;
    match &sharing.network_of {
        Some((files, _)) => etc::copy(files, &run_dir)?,
        None => etc::write(&run_dir, row)?,
    }
    let (id_maps, lock) = isolation::id_maps(store, row)?;
    if let Some(maps) = &id_maps {
        etc::give(&run_dir, userns::root_of(maps))?;
    }
    bundle::write(&run_dir, &runtime_spec(store, &run_dir, row, &rootfs.merged, sharing, id_maps)?)?;
    drop(lock);
    Ok(Launch {
        version: PROTOCOL_VERSION,
        id: row.id.clone(),
        name: row.name.clone(),
        image: row.image.clone(),
        labels: row.plan.labels.clone(),
        volumes: row.spec.mounts.iter().filter(|mount| mount.kind == MountKind::Volume).map(mounted).collect(),
        root_id8: store.root_id8().to_owned(),
        root: store.root().to_owned(),
        bundle_dir: Some(run_dir.clone()),
        run_dir,
        container_dir,
        rootfs,
        network: row.plan.network.clone(),
        secret_env: Vec::new(),
        // Somebody keeps the changes.
        tells_made: row.plan.changes.is_some(),
        stdio,
        log: row.spec.log,
        input: input::path(store, &row.id, &row.spec),
        runtime: row.spec.runtime.as_deref().map(oci_runtime::find).transpose()?.flatten(),
        restart: row.spec.restart.clone(),
        is_restart: false,
        health: row.plan.health.clone(),
        memory_is_limited: row.spec.limits.has_memory_limit(),
        // Whoever holds the other ends of its output waits for it.
        die_with_caller: row.spec.scope.is_some() || stdio.is_callers(),
        remove: row.spec.remove && !stdio.is_callers(),
        stop_signal: signal::number(&row.plan.stop_signal)?,
        stop_timeout: row.plan.stop_timeout,
    })
}

fn runtime_spec(
    store: &Store,
    files: &Path,
    row: &Row,
    root: &Path,
    sharing: Sharing,
    id_maps: Option<IdMaps>,
) -> Result<Spec> {
    let (plan, spec) = (&row.plan, &row.spec);
    // The very files of the other container, so that changes are seen in both.
    let (files, hostname) = match sharing.network_of {
        Some((files, hostname)) => (files, hostname),
        None => (files.to_owned(), plan.hostname.clone()),
    };
    let mut devices = if spec.privileged { Devices::all_of_host()? } else { Devices::default() };
    devices.add(Devices::of_host(&spec.devices)?);
    spec::build(&Options {
        args: plan.argv.clone(),
        env: plan.env.clone(),
        cwd: PathBuf::from(&plan.workdir),
        user: plan.user.clone(),
        groups: spec.group_add.clone(),
        hostname,
        domainname: spec.domainname.clone(),
        root: root.to_owned(),
        read_only: spec.read_only,
        tty: spec.tty,
        capabilities: isolation::capabilities(spec)?,
        seccomp: seccomp(spec.seccomp.as_deref())?,
        no_new_privileges: spec.no_new_privileges,
        privileged: spec.privileged,
        mounts: mounts(store, &files, row)?,
        shm_size: spec.shm_size.unwrap_or(spec::DEFAULT_SHM_SIZE),
        limits: spec.limits.clone(),
        ulimits: spec.ulimits.clone(),
        oom_score_adj: isolation::oom_score_adj(spec),
        sysctls: spec.sysctls.clone(),
        network: sharing.network,
        pid: sharing.pid,
        ipc: sharing.ipc,
        shm: sharing.shm,
        devices,
        id_maps,
        init: spec.init,
    })
}

fn seccomp(profile: Option<&str>) -> Result<Seccomp> {
    match profile {
        None | Some("default" | "builtin") => Ok(Seccomp::Default),
        Some("unconfined") => Ok(Seccomp::Unconfined),
        Some(text) => SeccompProfile::parse("seccomp", text).map(|profile| Seccomp::Profile(Box::new(profile))),
    }
}

/// The files under `/etc` and what was asked for, which may replace them.
fn mounts(store: &Store, files: &Path, row: &Row) -> Result<Vec<Mount>> {
    let asked = row.spec.mounts.iter().map(|spec| mount(store, row, spec)).collect::<Result<Vec<_>>>()?;
    let targets = row.spec.mounts.iter().map(|mount| &mount.target);
    let targets: Vec<_> = targets.chain(row.plan.mounts.iter().map(Mount::destination)).collect();
    let is_asked_for = |target: &str| targets.iter().any(|asked| asked.as_path() == Path::new(target));
    let own = etc::FILES.iter().filter(|(_, target)| !is_asked_for(target));
    let own = own.map(|(name, target)| spec::bind(&files.join(name), Path::new(target), false, None));
    Ok(own.chain(asked).chain(row.plan.mounts.iter().cloned()).collect())
}

fn mounted(mount: &MountSpec) -> MountedVolume {
    MountedVolume { name: mount.source.clone(), target: mount.target.clone(), read_only: mount.read_only }
}

fn mount(store: &Store, row: &Row, spec: &MountSpec) -> Result<Mount> {
    match spec.kind {
        MountKind::Tmpfs => Ok(spec::tmpfs(&spec.target, spec.size, spec.mode, spec.read_only, &spec.options)),
        MountKind::Bind => {
            let source = Path::new(&spec.source);
            if spec.create {
                std::fs::create_dir_all(source).doing(|| format!("cannot make `{}`", source.display()))?;
            } else if !source.exists() {
                return Err(Error::not_found(format!("there is no `{}` to mount", source.display()))
                    .hint("check the path, or let it be made: `#{ source: …, target: …, create: true }`"));
            }
            if let Some(wanted) = spec.propagation.as_deref() {
                propagation::check(source, wanted)?;
            }
            let mount = spec::bind(source, &spec.target, spec.read_only, spec.propagation.as_deref());
            Ok(if spec.idmap { spec::with_mapped_ids(mount) } else { mount })
        }
        MountKind::Volume => {
            let data = volumes::source(store, spec)?;
            let mut mount = spec::bind(&data, &spec.target, spec.read_only, None);
            if let Some(below) = &spec.subpath {
                mount = spec::with_subpath(mount, below);
            }
            // Its files keep the ids that they have, as layers do: every container sees the same owners.
            let is_mapped =
                !matches!(row.spec.userns, UsernsSpec::Host | UsernsSpec::KeepId) && row.plan.mapped.is_none();
            Ok(if is_mapped { spec::with_mapped_ids(mount) } else { mount })
        }
    }
}
