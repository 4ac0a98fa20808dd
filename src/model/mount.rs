//! What is mounted into a container: `data:/var/lib`, `./app:/app:ro`, a tmpfs.

use super::{Id, name, size};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// Where the data of a mount comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A file or folder of the host.
    Bind,
    /// A named volume, or an anonymous one when the source is empty.
    Volume,
    /// Memory.
    Tmpfs,
}

/// One mount of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountSpec {
    /// Bind, volume or tmpfs.
    pub kind: MountKind,
    /// Host path (absolute once the script's folder is known), volume name, or empty.
    pub source: String,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Not writable.
    #[serde(default)]
    pub read_only: bool,
    /// Create a missing bind source as a folder.
    #[serde(default)]
    pub create: bool,
    /// Do not fill a new volume from the image.
    #[serde(default)]
    pub nocopy: bool,
    /// What of a volume is mounted: a path inside it; `None`: all of it.
    #[serde(default)]
    pub subpath: Option<String>,
    /// A volume that was made for this container and goes with it: nobody gave it a name.
    #[serde(default)]
    pub anonymous: bool,
    /// Nobody but the image asked for it.
    #[serde(default)]
    pub from_image: bool,
    /// Bind propagation: `rprivate` (default), `private`, `rshared`, `shared`, `rslave`, `slave`.
    #[serde(default)]
    pub propagation: Option<String>,
    /// Show the owners in a bind as the container's user namespace has them.
    #[serde(default)]
    pub idmap: bool,
    /// Size limit of a tmpfs, bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// Mode of a tmpfs root, such as 0o1777.
    #[serde(default)]
    pub mode: Option<u32>,
    /// What else a tmpfs is mounted with, in order: `exec`, `uid=1000`, …
    #[serde(default)]
    pub options: Vec<String>,
}

/// Bind propagations (mount_namespaces(7)); `r` takes the mounts below along.
const PROPAGATIONS: [&str; 6] = ["rprivate", "private", "rshared", "shared", "rslave", "slave"];
/// Taken for Docker's sake: SELinux labels, and the caching of shared folders on other systems.
const IGNORED: [&str; 5] = ["z", "Z", "consistent", "cached", "delegated"];

/// What a tmpfs may be mounted with; it is `noexec`, `nosuid`, `nodev` unless the contrary is said.
const TMPFS_FLAGS: [&str; 12] = [
    "exec",
    "noexec",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "strictatime",
];
/// What takes a value.
const TMPFS_VALUES: [&str; 7] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];

impl MountSpec {
    /// A mount without any option; the target is checked.
    pub fn new(kind: MountKind, source: &str, target: &str) -> Result<Self> {
        let path = Path::new(target);
        if !path.is_absolute() || target.contains('\0') {
            return Err(Error::invalid(format!("`{target}` is not an absolute path"))
                .hint("give the path inside the container, such as `/data`"));
        }
        // The root itself cannot be mounted over; `/..` is the root, too.
        if !path.components().any(|part| matches!(part, Component::Normal(_))) {
            return Err(Error::invalid("the root `/` of a container cannot be mounted over"));
        }
        match kind {
            // An anonymous volume is named by an id.
            MountKind::Volume if !source.is_empty() && Id::parse(source).is_none() => name::check("volume", source)?,
            MountKind::Bind if source.is_empty() => {
                return Err(Error::invalid(format!("the bind at `{target}` has no source")));
            }
            _ => {}
        }
        Ok(Self {
            kind,
            source: source.to_owned(),
            target: path.to_owned(),
            read_only: false,
            create: false,
            nocopy: false,
            subpath: None,
            anonymous: false,
            from_image: false,
            propagation: None,
            idmap: false,
            size: None,
            mode: None,
            options: Vec::new(),
        })
    }

    /// Docker's short form of a tmpfs: `/run` or `/run:size=64m,mode=1777,ro`. Those on by default may be named, too.
    pub fn parse_tmpfs(text: &str) -> Result<Self> {
        let (target, options) = text.split_once(':').unwrap_or((text, ""));
        let mut mount = Self::new(MountKind::Tmpfs, "", target)?;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=').unwrap_or((option, "")) {
                ("size", size) => mount.size = Some(size::parse(size)?),
                ("mode", mode) => mount.mode = Some(parse_mode(mode)?),
                ("ro", "") => mount.read_only = true,
                ("rw", "") => mount.read_only = false,
                (flag, "") if TMPFS_FLAGS.contains(&flag) => mount.options.push(flag.to_owned()),
                ("uid" | "gid", id) if id.parse::<u32>().is_ok() => mount.options.push(option.to_owned()),
                ("nr_inodes" | "nr_blocks", count) if is_count(count) => mount.options.push(option.to_owned()),
                ("mpol", policy) if !policy.is_empty() => mount.options.push(option.to_owned()),
                ("defaults" | "async", "") => {}
                (name, value) => {
                    let what = if value.is_empty() || !TMPFS_VALUES.contains(&name) {
                        "an option of a tmpfs"
                    } else {
                        "a value of it"
                    };
                    return Err(Error::invalid(format!("`{option}` is not {what}")).hint(format!(
                        "the options are `size=64m`, `mode=1777`, `uid=1000`, `gid=1000`, `nr_inodes=1k`, `ro` and {}",
                        TMPFS_FLAGS.map(|flag| format!("`{flag}`")).join(", ")
                    )));
                }
            }
        }
        Ok(mount)
    }

    /// Mounts only what is at this path inside the volume.
    pub fn with_subpath(mut self, subpath: &str) -> Result<Self> {
        if self.kind != MountKind::Volume || self.source.is_empty() {
            return Err(Error::invalid("`subpath` is for volumes with a name")
                .hint("name the volume: `#{ source: \"data\", target: \"/data\", subpath: \"dir\" }`"));
        }
        let path = Path::new(subpath);
        let is_inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if subpath.is_empty() || subpath.contains('\0') || !is_inside {
            return Err(Error::invalid(format!("`{subpath}` is not a path inside a volume"))
                .hint("write it as `dir/below`, without `/` before it and without `..`"));
        }
        self.subpath = Some(subpath.to_owned());
        Ok(self)
    }

    /// Sets the bind propagation, which must be one that the kernel has.
    pub fn with_propagation(mut self, propagation: &str) -> Result<Self> {
        if !PROPAGATIONS.contains(&propagation) {
            return Err(Error::invalid(format!("`{propagation}` is not a bind propagation"))
                .hint(format!("it is one of {}", PROPAGATIONS.join(", "))));
        }
        if self.kind != MountKind::Bind {
            return Err(Error::invalid(format!(
                "`{propagation}` is for binds, and `{}` is none",
                self.target.display()
            )));
        }
        self.propagation = Some(propagation.to_owned());
        Ok(self)
    }

    /// Sets options as they stand in the short form: `ro,nocopy`.
    pub fn with_options(self, options: &str) -> Result<Self> {
        let options: Vec<&str> = options.split(',').filter(|option| !option.is_empty()).collect();
        if options.contains(&"ro") && options.contains(&"rw") {
            return Err(Error::invalid("`ro` and `rw` exclude each other"));
        }
        options.into_iter().try_fold(self, Self::with_option)
    }

    fn with_option(mut self, option: &str) -> Result<Self> {
        match option {
            "ro" | "readonly" => self.read_only = true,
            "rw" => self.read_only = false,
            "nocopy" if self.kind == MountKind::Volume => self.nocopy = true,
            "nocopy" => return Err(Error::invalid("`nocopy` is for volumes, and this is a bind")),
            "idmap" if self.kind == MountKind::Bind => self.idmap = true,
            "idmap" => return Err(Error::invalid("`idmap` is for binds, and this is none")),
            option if IGNORED.contains(&option) => {}
            option if PROPAGATIONS.contains(&option) => return self.with_propagation(option),
            _ => {
                return Err(Error::invalid(format!("`{option}` is not an option of a mount"))
                    .hint("the options are `ro`, `rw`, `nocopy`, `idmap` and the propagations, such as `rshared`"));
            }
        }
        Ok(self)
    }
}

/// A number that the kernel reads with a suffix.
fn is_count(text: &str) -> bool {
    let digits = text.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A file mode in octal digits, such as `755` or `1777`.
pub fn parse_mode(text: &str) -> Result<u32> {
    let mode = u32::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8).ok().filter(|mode| *mode <= 0o7777);
    mode.ok_or_else(|| {
        Error::invalid(format!("`{text}` is not a file mode")).hint("write it in octal, as `755` or `1777`")
    })
}

/// Docker's short form `[SOURCE:]TARGET[:OPTIONS]`. A source that starts with `/`, `.` or `~` is a path of the
/// host, which is made when it is missing; another one names a volume; none is an anonymous volume.
impl FromStr for MountSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        read(text).map_err(|error| {
            let hinted = error.hint_text().is_some();
            let error = error.context(format!("mount `{text}`"));
            if hinted {
                error
            } else {
                error.hint("write it as `volume:/path`, `./folder:/path` or `./folder:/path:ro`")
            }
        })
    }
}

fn read(text: &str) -> Result<MountSpec> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => ("", target, ""),
        // `/path:ro` would be a bind to a relative target otherwise.
        [target, options] if target.starts_with('/') && !options.starts_with('/') => ("", target, options),
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => return Err(Error::invalid("there are too many colons")),
    };
    if source.is_empty() && parts.len() > 2 || source.is_empty() && text.starts_with(':') {
        return Err(Error::invalid("the source is empty"));
    }
    let is_path = source.starts_with(['/', '.', '~']);
    if !is_path && source.contains('/') {
        return Err(Error::invalid(format!("`{source}` is not a volume name"))
            .hint(format!("write a folder of the host as `./{source}`")));
    }
    let kind = if is_path { MountKind::Bind } else { MountKind::Volume };
    MountSpec::new(kind, source, target)?.with_options(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String> {
        let mount: MountSpec = text.parse()?;
        let flags = [
            (mount.read_only, "ro"),
            (mount.create, "create"),
            (mount.nocopy, "nocopy"),
            (mount.propagation.is_some(), mount.propagation.as_deref().unwrap_or_default()),
        ];
        let flags: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
        Ok(format!("{:?} {} {} {}", mount.kind, mount.source, mount.target.display(), flags.join(",")))
    }

    #[test]
    fn mounts_are_read_as_docker_reads_them() {
        for (text, expected) in [
            ("data:/var/lib", "Volume data /var/lib "),
            ("data:/var/lib:ro", "Volume data /var/lib ro"),
            ("data:/var/lib:nocopy,ro", "Volume data /var/lib ro,nocopy"),
            ("/anonymous", "Volume  /anonymous "),
            ("/anonymous:ro", "Volume  /anonymous ro"),
            ("./app:/app", "Bind ./app /app "),
            (".:/app:rw", "Bind . /app "),
            ("~/x:/x", "Bind ~/x /x "),
            ("/a:/b:ro,z", "Bind /a /b ro"),
            ("/a:/b:rshared", "Bind /a /b rshared"),
        ] {
            assert_eq!(shown(text).ok().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_tmpfs_has_a_size_and_a_mode() {
        let mount = MountSpec::parse_tmpfs("/run:size=64m,mode=1777,ro,noexec").unwrap();
        assert_eq!((mount.size, mount.mode, mount.read_only), (Some(64 << 20), Some(0o1777), true));
        assert!(MountSpec::parse_tmpfs("/run").is_ok());
        for text in ["run", "", "/run:size=x", "/run:mode=999", "/run:execute", "/run:ro=1", "/run:mode=77777"] {
            assert!(MountSpec::parse_tmpfs(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_mount_is_refused() {
        for text in [
            "",
            ":",
            ":/x",
            "::",
            "data:",
            "data:relative",
            "relative",
            "a/b:/x",
            "d:/x",
            "/a:/",
            "/a:/..",
            "/a:/b:bogus",
            "/a:/b:ro,rw",
            "/a:/b:nocopy",
            "data:/x:rshared",
            "/a:/b:ro:x",
            "data:/x\0",
        ] {
            assert!(shown(text).is_err(), "{text:?}");
        }
        let error = "app/src:/src".parse::<MountSpec>().expect_err("a folder without `./`");
        assert_eq!(error.hint_text(), Some("write a folder of the host as `./app/src`"));
    }
}
