//! `RUN --mount`: what a command sees beside the image, and what of it the result depends on.

use super::cache_mounts::{self, CacheInit, CacheMount};
use super::canvas::Canvas;
use super::copy::{self, Request, Selection};
use super::run::Command;
use super::run_step::StepMount;
use super::secrets::{self, SecretFolder};
use super::session::Session;
use super::ssh::{SshAgent, SshProxy};
use super::tree::Tree;
use super::worker::Work;
use super::{cache, layer};
use crate::context::Context;
use crate::dockerfile::mount::{Mount, MountKind, Sharing};
use crate::error::{Error, IoContext, Result};
use crate::model::Secret;
use serde_json::{Value, json};
use std::any::Any;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What will be mounted.
pub struct Plan {
    mounts: Vec<Planned>,
}

/// What is mounted.
pub struct Mounted {
    pub mounts: Vec<StepMount>,
    /// Variables that mounts bring.
    pub env: Vec<(String, String)>,
    /// Secrets that are given in variables.
    pub secret_env: Vec<(String, Secret)>,
    /// What has to be there while the command runs.
    pub held: Vec<Box<dyn Any>>,
}

/// One mount, with what the result depends on.
enum Planned {
    /// Files of a tree.
    Files { mount: Mount, tree: Tree, source: String, selection: Option<Selection>, key: Value },
    /// Any other: what is in it does not count.
    Other { mount: Mount },
}

/// Looks at the mounts of a command: what binds hold is part of its key.
pub fn plan(work: &Work<'_, '_>, command: &Command<'_>) -> Result<Plan> {
    let mut mounts = Vec::with_capacity(command.mounts.len());
    for mount in &command.mounts {
        mounts.push(match mount.kind {
            MountKind::Bind => files(work, command, mount)?,
            _ => Planned::Other { mount: mount.clone() },
        });
    }
    Ok(Plan { mounts })
}

fn files(work: &Work<'_, '_>, command: &Command<'_>, mount: &Mount) -> Result<Planned> {
    let tree = (command.sources)(mount.from.as_deref())?;
    let source = mount.source.clone().unwrap_or_else(|| "/".to_owned());
    let real = tree.resolve(source.as_bytes())?;
    if tree.entry(&real)?.is_none() {
        let of = mount.from.as_deref().map_or_else(|| "the context".to_owned(), |from| format!("`{from}`"));
        return Err(Error::not_found(format!("{of} has no `{source}` to mount")));
    }
    let (selection, content) = if let Some(chain) = tree.identity() {
        (None, json!([chain.to_string(), real.to_string()]))
    } else {
        let sources = [source.clone()];
        let request = request(&tree, &sources, work.session);
        let mut selection = copy::select(&request, work.cx)?;
        let digest = selection.digest(&request, &work.session.digests(&tree), work.cx)?;
        (Some(selection), json!(hex::encode(digest)))
    };
    Ok(Planned::Files { mount: mount.clone(), tree, source, selection, key: content })
}

/// What is bound of a context, as a copy into an empty image: owned by root, without what is ignored.
fn request<'r>(tree: &'r Tree, sources: &'r [String], session: &Session<'_>) -> Request<'r> {
    Request::plain(tree, sources, "/mount/", session.spec.epoch)
}

impl Plan {
    /// What the result depends on.
    pub fn key(&self) -> Vec<Value> {
        let one = |planned: &Planned| match planned {
            Planned::Files { mount, key, .. } => json!([described(mount), key]),
            Planned::Other { mount } => json!([described(mount)]),
        };
        self.mounts.iter().map(one).collect()
    }

    /// Makes them: `scratch` is a folder that is gone after the step.
    pub fn take(&self, session: &Session<'_>, cx: &Context, command: &Command<'_>, scratch: &Path) -> Result<Mounted> {
        let mut mounted = Mounted { mounts: Vec::new(), env: Vec::new(), secret_env: Vec::new(), held: Vec::new() };
        for (number, planned) in self.mounts.iter().enumerate() {
            match planned {
                Planned::Files { mount, tree, source, selection, key } => {
                    let source = Files { tree, source, selection: selection.as_ref(), key };
                    mounted.mounts.push(source.mount(
                        session,
                        cx,
                        mount,
                        &scratch.join(format!("changes-{number}")),
                    )?);
                }
                Planned::Other { mount } => other(session, cx, command, mount, &mut mounted)?,
            }
        }
        if let Some((name, content)) = &command.script {
            mounted.mounts.push(script(&scratch.join("pipes"), name, content)?);
        }
        Ok(mounted)
    }
}

/// A mount without what it holds, nor whose secret it is.
fn described(mount: &Mount) -> Value {
    json!([
        format!("{:?}", mount.kind),
        mount.target,
        mount.read_only,
        mount.id,
        mount.mode,
        mount.uid,
        mount.gid,
        mount.size,
        mount.env,
        mount.from,
        mount.source,
    ])
}

fn target(mount: &Mount) -> PathBuf {
    PathBuf::from(mount.target.clone().unwrap_or_default())
}

/// Files of a tree that are bound.
struct Files<'p> {
    tree: &'p Tree,
    source: &'p str,
    selection: Option<&'p Selection>,
    key: &'p Value,
}

impl Files<'_> {
    fn mount(&self, session: &Session<'_>, cx: &Context, mount: &Mount, changes: &Path) -> Result<StepMount> {
        let (lower, below) = self.lower(session, cx)?;
        let target = target(mount);
        if mount.read_only {
            return Ok(StepMount::Overlay { lower, changes: None, below, target });
        }
        // What is written is thrown away.
        let folders = (changes.join("upper"), changes.join("work"));
        for folder in [&folders.0, &folders.1] {
            fs::create_dir_all(folder).doing(|| format!("cannot make `{}`", folder.display()))?;
        }
        Ok(StepMount::Overlay { lower, changes: Some(folders), below, target })
    }

    /// Layers, the topmost first, and the path in them.
    fn lower(&self, session: &Session<'_>, cx: &Context) -> Result<(Vec<PathBuf>, PathBuf)> {
        match (self.tree, self.selection) {
            (Tree::Layers(layers), None) => Ok((layers.layers().to_vec(), PathBuf::from(self.source))),
            (_, Some(selection)) => {
                let layers = self.layer(session, selection, cx)?;
                session.keep_mounted(&layers)?;
                let name = selection.sources.first().map(|source| source.name.clone()).unwrap_or_default();
                let below = Path::new("mount").join(OsStr::from_bytes(&name));
                Ok((layers, below))
            }
            (Tree::Folder(_), None) => Err(Error::invalid("what is bound was not looked at")),
        }
    }

    /// The layer that a copy of the selection makes, on nothing: made once for the same files.
    fn layer(&self, session: &Session<'_>, selection: &Selection, cx: &Context) -> Result<Vec<PathBuf>> {
        let key = cache::key(None, "bound", self.key.to_string().as_bytes());
        let mut found = session.cache.look_up(&key, None, cx)?;
        if found.is_none() {
            let _claim = session.content.claim(&key, &cx.cancel)?;
            // Somebody else has made it meanwhile.
            found = session.cache.look_up(&key, None, cx)?;
            if found.is_none() {
                found = Some(self.make_layer(session, selection, &key, cx)?);
            }
        }
        Ok(found.and_then(|made| made.layer).map(|built| built.layer.folder().to_owned()).into_iter().collect())
    }

    fn make_layer(&self, session: &Session<'_>, selection: &Selection, key: &str, cx: &Context) -> Result<cache::Made> {
        let layer = layer::from_tar(session.content, None, cx, |output| {
            let mut canvas = Canvas::new(Vec::new());
            let sources = [self.source.to_owned()];
            copy::place(&mut canvas, &request(self.tree, &sources, session), selection, cx)?;
            canvas.write(output, cx)
        })?;
        let made = cache::Made { layer, created: cache::now() };
        session.cache.remember(key, &format!("mount of {}", self.source), &made)?;
        Ok(made)
    }
}

fn other(
    session: &Session<'_>,
    cx: &Context,
    command: &Command<'_>,
    mount: &Mount,
    mounted: &mut Mounted,
) -> Result<()> {
    match mount.kind {
        MountKind::Tmpfs => mounted.mounts.push(StepMount::Tmpfs { target: target(mount), size: mount.size }),
        MountKind::Cache => {
            let cache = cache_mount(session, cx, command, mount)?;
            let read_only = mount.read_only;
            let source = cache.folder().to_owned();
            mounted.mounts.push(StepMount::Bind { source, target: target(mount), read_only });
            mounted.held.push(Box::new(cache));
        }
        MountKind::Secret => secret(session, mount, mounted)?,
        MountKind::Ssh => ssh(session, mount, mounted)?,
        MountKind::Bind => {}
    }
    Ok(())
}

fn cache_mount(session: &Session<'_>, cx: &Context, command: &Command<'_>, mount: &Mount) -> Result<CacheMount> {
    let id = mount.id.clone().or_else(|| mount.target.clone()).unwrap_or_default();
    let sharing = match mount.sharing {
        None | Some(Sharing::Shared) => cache_mounts::Sharing::Shared,
        Some(Sharing::Private) => cache_mounts::Sharing::Private,
        Some(Sharing::Locked) => cache_mounts::Sharing::Locked,
    };
    let fill = |folder: &Path| {
        let tree = (command.sources)(mount.from.as_deref())?;
        let sources = [mount.source.clone().unwrap_or_else(|| "/".to_owned())];
        let request = Request { target: "/", ..request(&tree, &sources, session) };
        let selection = copy::select(&request, cx)?;
        let mut canvas = Canvas::new(Vec::new());
        copy::place(&mut canvas, &request, &selection, cx)?;
        super::output::into_folder(&canvas, folder, cx)
    };
    let seed: Option<&cache_mounts::Seed<'_>> = if mount.from.is_some() { Some(&fill) } else { None };
    let init =
        CacheInit { uid: mount.uid.unwrap_or(0), gid: mount.gid.unwrap_or(0), mode: mount.mode.unwrap_or(0o755), seed };
    cache_mounts::take(session.store(), cx, &id, sharing, &init)
}

/// A secret as a file, or in a variable. One that is not given is nothing, unless it has to be.
fn secret(session: &Session<'_>, mount: &Mount, mounted: &mut Mounted) -> Result<()> {
    let from_target = || mount.target.as_deref().and_then(|target| target.rsplit('/').next()).map(str::to_owned);
    let id = mount.id.clone().or_else(|| mount.source.clone()).or_else(from_target).or_else(|| mount.env.clone());
    let id = id.ok_or_else(|| Error::invalid("a secret has no id").hint("name it: `type=secret,id=NAME`"))?;
    let Some(source) = session.spec.secrets.get(&id) else {
        if mount.required {
            return Err(Error::not_found(format!("the secret `{id}` is not given"))
                .hint(format!("give it: `secrets: #{{ {id}: \"./file\" }}`")));
        }
        return Ok(());
    };
    let value = secrets::read(source).map_err(|error| error.context(format!("the secret `{id}`")))?;
    if let Some(name) = &mount.env {
        let text = String::from_utf8(value.clone())
            .map_err(|_| Error::invalid(format!("the secret `{id}` is no text, which a variable has to be")))?;
        mounted.secret_env.push((name.clone(), Secret::new(text)));
        if mount.target.is_none() {
            return Ok(());
        }
    }
    let folder = SecretFolder::make(session.store())?;
    let source = folder.write(&value, mount.mode.unwrap_or(0o400), mount.uid.unwrap_or(0), mount.gid.unwrap_or(0))?;
    let target = mount.target.clone().unwrap_or_else(|| format!("/run/secrets/{id}"));
    mounted.mounts.push(StepMount::Bind { source, target: target.into(), read_only: true });
    mounted.held.push(Box::new(folder));
    Ok(())
}

/// The socket of an agent.
fn ssh(session: &Session<'_>, mount: &Mount, mounted: &mut Mounted) -> Result<()> {
    let id = mount.id.clone().unwrap_or_else(|| "default".to_owned());
    let Some(socket) = session.spec.ssh.get(&id) else {
        if mount.required {
            return Err(
                Error::not_found(format!("the ssh agent `{id}` is not given")).hint("give it: `ssh: \"default\"`")
            );
        }
        return Ok(());
    };
    let folder = SecretFolder::make(session.store())?;
    let agent = SshAgent::new(socket)?;
    let (uid, gid) = (mount.uid.unwrap_or(0), mount.gid.unwrap_or(0));
    let proxy = SshProxy::start(&folder, &agent, mount.mode.unwrap_or(0o600), uid, gid)?;
    let number = mounted.env.iter().filter(|(name, _)| name == AGENT).count();
    let target = mount.target.clone().unwrap_or_else(|| format!("/run/buildkit/ssh_agent.{number}"));
    // The first one is that of programs.
    if number == 0 {
        mounted.env.push((AGENT.to_owned(), target.clone()));
    }
    let source = proxy.path().to_owned();
    mounted.mounts.push(StepMount::Bind { source, target: target.into(), read_only: false });
    mounted.held.push(Box::new(proxy));
    mounted.held.push(Box::new(folder));
    Ok(())
}

/// Where programs look for their agent.
const AGENT: &str = "SSH_AUTH_SOCK";

/// A script that brings its own interpreter, where BuildKit has it.
fn script(folder: &Path, name: &str, content: &[u8]) -> Result<StepMount> {
    let doing = || "cannot write a script";
    fs::DirBuilder::new().mode(0o755).create(folder).doing(doing)?;
    let file = folder.join(name);
    fs::write(&file, content).doing(doing)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).doing(doing)?;
    Ok(StepMount::Bind { source: folder.to_owned(), target: "/dev/pipes".into(), read_only: true })
}
