//! What is mounted: `data:/var/lib`, `#{ source: "./app", target: "/app" }`, `#{ "./app": "/app:ro" }`.

use super::{FileMode, each, entries, items, script_value, text_or_refuse};
use crate::error::Error;
use crate::model::{MountKind, MountSpec};
use crate::script::api::volume::Volume;
use crate::script::binding::{FromScript, Options, Refusal, Size, options_from_map};
use rhai::Dynamic;

/// Volumes, binds and tmpfs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mounts(pub Vec<MountSpec>);

script_value!(
    Mounts,
    "array of \"data:/path\" or #{source, target}",
    |value| value.is_array() || value.is_map() || value.is_string(),
    read
);

/// The map form of one mount: the keys of Compose, `docker --mount` and docker-py.
#[derive(Default, Options)]
struct MountMap {
    /// `bind`, `volume` or `tmpfs`; told from the source when it is left out.
    #[option(name = "type", alias = "kind")]
    kind: Option<String>,
    /// Path of the host, or a volume: its name, or what `volume` and `create_volume` give.
    #[option(alias = "src", alias = "host", alias = "Source")]
    source: Option<Source>,
    /// Path inside the container.
    #[option(alias = "dst", alias = "destination", alias = "bind", alias = "Target")]
    target: String,
    /// Not writable.
    #[option(alias = "readonly", alias = "ro")]
    read_only: bool,
    /// `ro`, `rw`, `nocopy`, `idmap` and propagations as in the short form; of a tmpfs its file mode, such as `1777`.
    mode: Dynamic,
    /// Makes a missing folder of the host.
    #[option(alias = "create_host_path")]
    create: bool,
    /// Does not fill a new volume from the image.
    #[option(alias = "no_copy")]
    nocopy: bool,
    /// What of a volume is mounted: a path inside it.
    #[option(alias = "sub_path", alias = "volume-subpath", alias = "volume_subpath")]
    subpath: Option<String>,
    /// The same and `nocopy`, as Compose has them: `volume: #{ subpath: "dir" }`.
    volume: VolumeMap,
    /// How mounts below a bind spread: `rshared`, `rslave`, …
    propagation: Option<String>,
    /// Shows the owners in a bind as the container's user namespace has them.
    idmap: bool,
    /// Most bytes of a tmpfs.
    size: Option<Size>,
}

/// Compose's part of a mount that is for volumes.
#[derive(Default, Options)]
struct VolumeMap {
    /// Does not fill a new volume from the image.
    nocopy: bool,
    /// What of it is mounted.
    subpath: Option<String>,
}

/// A path of the host or a volume.
struct Source(String);

impl FromScript for Source {
    fn type_name() -> String {
        "string or Volume".to_owned()
    }

    fn accepts(value: &Dynamic) -> bool {
        value.is_string() || Volume::accepts(value)
    }

    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if value.is_string() {
            return Ok(Self(value.to_string()));
        }
        Volume::from_script(value).map(|volume| Self(volume.reference().to_owned()))
    }
}

fn read(value: Dynamic) -> Result<Mounts, Refusal> {
    if value.is_map() && !has_target(&value) {
        // Sources are the keys, as in docker-py.
        let one = |(source, target): (rhai::Identifier, Dynamic)| {
            let target = target.flatten();
            let mount = if target.is_map() {
                options_from_map(target)
                    .and_then(|map: MountMap| by_map(MountMap { source: Some(Source(source.to_string())), ..map }))
            } else {
                text_or_refuse(&target, "path or map").and_then(|target| Ok(format!("{source}:{target}").parse()?))
            };
            mount.map_err(|refusal| refusal.inside(&format!("mount `{source}`")))
        };
        return entries(value).into_iter().map(one).collect::<Result<_, _>>().map(Mounts);
    }
    each(items(value), |item| {
        if item.is_map() {
            by_map(options_from_map(item)?)
        } else {
            Ok(text_or_refuse(&item, "string or map")?.parse()?)
        }
    })
    .map(Mounts)
}

fn has_target(value: &Dynamic) -> bool {
    let targets = ["target", "dst", "destination", "Target"];
    value.read_lock::<rhai::Map>().is_some_and(|map| targets.iter().any(|target| map.contains_key(*target)))
}

fn by_map(map: MountMap) -> Result<MountSpec, Refusal> {
    let source = map.source.as_ref().map_or("", |source| source.0.as_str());
    let kind = match map.kind.as_deref() {
        Some("bind") => MountKind::Bind,
        Some("volume") => MountKind::Volume,
        Some("tmpfs") => MountKind::Tmpfs,
        Some(other) => {
            return Err(Error::invalid(format!("`{other}` is not a type of mount"))
                .hint("it is one of `bind`, `volume`, `tmpfs`")
                .into());
        }
        None if source.starts_with(['/', '.', '~']) => MountKind::Bind,
        None => MountKind::Volume,
    };
    if kind == MountKind::Tmpfs {
        if !source.is_empty() {
            return Err(Error::invalid("a tmpfs has no source").into());
        }
        let mut mount = MountSpec::new(kind, source, &map.target)?;
        mount.size = map.size.map(|Size(bytes)| bytes);
        mount.mode = FileMode::optional(map.mode)?;
        mount.read_only = map.read_only;
        return Ok(mount);
    }
    if map.size.is_some() {
        return Err(Error::invalid("`size` is for a tmpfs").hint("add `\"type\": \"tmpfs\"`").into());
    }
    let mut mount = MountSpec::new(kind, source, &map.target)?;
    if !map.mode.is_unit() {
        mount = mount.with_options(&text_or_refuse(&map.mode, "`ro` or `rw`")?)?;
    }
    mount.read_only |= map.read_only;
    if map.nocopy || map.volume.nocopy {
        mount = mount.with_options("nocopy")?;
    }
    if let Some(subpath) = map.subpath.or(map.volume.subpath) {
        mount = mount.with_subpath(&subpath)?;
    }
    if map.idmap {
        mount = mount.with_options("idmap")?;
    }
    if let Some(propagation) = map.propagation {
        mount = mount.with_propagation(&propagation)?;
    }
    mount.create = kind == MountKind::Bind && map.create;
    Ok(mount)
}

/// Mounts of memory: `/run`, `["/run:size=64m"]`, `#{ "/run": "size=64m" }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TmpfsMounts(pub Vec<MountSpec>);

script_value!(
    TmpfsMounts,
    "path, array of \"/run:size=64m\" or map",
    |value| value.is_array() || value.is_map() || value.is_string(),
    read_tmpfs
);

fn read_tmpfs(value: Dynamic) -> Result<TmpfsMounts, Refusal> {
    if value.is_map() {
        let one = |(target, options): (rhai::Identifier, Dynamic)| {
            let options = options.flatten();
            let options = if options.is_unit() { String::new() } else { text_or_refuse(&options, "string")? };
            Ok(MountSpec::parse_tmpfs(&format!("{target}:{options}"))?)
        };
        return entries(value).into_iter().map(one).collect::<Result<_, _>>().map(TmpfsMounts);
    }
    each(items(value), |item| Ok(MountSpec::parse_tmpfs(&text_or_refuse(&item, "string")?)?)).map(TmpfsMounts)
}
