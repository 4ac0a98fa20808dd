//! Who builds: Debian's Docker with its classic builder, buildah, and Shanty. Each gives a folder with all images.

use crate::support::docker::Docker;
use crate::support::fixtures::{Missing, program};
use crate::support::shanty::Shanty;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Base images: name, and the fixture as the source that skopeo takes.
pub type Bases = [(&'static str, String)];

/// A member of an archive that is longer belongs to a base image, and is not read.
const LONGEST: u64 = 30 << 20;

/// Where the engines of others keep their images: in memory where there is much of it, since they write the larger base image
/// several times, and a disk takes longer to forget it than all builds take.
pub fn scratch() -> PathBuf {
    const ENOUGH: u64 = 4 << 30;
    let memory = Path::new("/dev/shm");
    let free =
        nix::sys::statvfs::statvfs(memory).map_or(0, |status| status.blocks_available() * status.fragment_size());
    let available = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes =
        available.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next()?.parse().ok());
    let is_enough = free.min(kilobytes.unwrap_or(0) * 1024) > ENOUGH;
    if is_enough { memory.to_owned() } else { "/var/tmp".into() }
}

/// An engine that builds.
pub trait Builder {
    /// Builds a folder as the image `NAME:1`. An error is what it said.
    fn build(&self, name: &str, context: &Path) -> Result<(), String>;
    /// Writes the images where [`super::image::Image::read`] finds them.
    fn save(&self, names: &[&str], folder: &Path);
}

fn said(output: &Output) -> Result<(), String> {
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[track_caller]
fn ok(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Docker with the builder that needs no BuildKit.
pub struct Classic(Docker);

impl Classic {
    pub fn start(bases: &Bases) -> Result<Self, Missing> {
        let docker = Docker::start_in(&scratch())?;
        for (name, source) in bases {
            let mut skopeo = Command::new(program("skopeo")?);
            let mut copy = skopeo
                .args(["copy", "--quiet", source, &format!("docker-archive:/dev/stdout:{name}")])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            ok(docker.command(&["load", "--quiet"]).stdin(copy.stdout.take().unwrap()));
            assert!(copy.wait().unwrap().success(), "{name}");
        }
        Ok(Self(docker))
    }
}

impl Builder for Classic {
    fn build(&self, name: &str, context: &Path) -> Result<(), String> {
        let mut command = self.0.command(&["build", "--quiet", "--tag", &format!("{name}:1")]);
        said(&command.arg(context).env("DOCKER_BUILDKIT", "0").output().unwrap())
    }

    fn save(&self, names: &[&str], folder: &Path) {
        let tags: Vec<String> = names.iter().map(|name| format!("{name}:1")).collect();
        unpack(self.0.command(&["save"]).args(&tags), folder);
    }
}

/// Buildah, with a store of its own.
pub struct Buildah {
    program: PathBuf,
    folder: TempDir,
}

impl Buildah {
    pub fn start(bases: &Bases) -> Result<Self, Missing> {
        let program = program("buildah")?;
        let buildah = Self { program, folder: TempDir::with_prefix_in("shanty-buildah-", scratch()).unwrap() };
        for (name, source) in bases {
            let at = |name: &str| buildah.folder.path().join(name).display().to_string();
            let target = format!("containers-storage:[overlay@{}+{}]docker.io/library/{name}", at("root"), at("run"));
            ok(Command::new(crate::support::fixtures::program("skopeo")?).args(["copy", "--quiet", source, &target]));
        }
        Ok(buildah)
    }

    fn command(&self, args: &[&str]) -> Command {
        let at = |name: &str| self.folder.path().join(name);
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(at("root")).arg("--runroot").arg(at("run"));
        command.args(["--storage-driver", "overlay"]).args(args);
        command
    }
}

impl Builder for Buildah {
    fn build(&self, name: &str, context: &Path) -> Result<(), String> {
        let options = ["build", "--quiet", "--layers", "--format", "docker", "--pull-never"];
        let mut command = self.command(&options);
        command.args(["--isolation", "chroot", "--network", "host", "--tag", &format!("{name}:1")]).arg(context);
        said(&command.output().unwrap())
    }

    fn save(&self, names: &[&str], folder: &Path) {
        for name in names {
            let target = format!("docker-archive:/dev/stdout:{name}:1");
            unpack(&mut self.command(&["push", "--quiet", &format!("{name}:1"), &target]), &folder.join(name));
        }
    }
}

impl Drop for Buildah {
    fn drop(&mut self) {
        // The store is an overlay that it may have mounted.
        drop(self.command(&["umount", "--all"]).output());
        let _ = nix::mount::umount(&self.folder.path().join("root/overlay"));
    }
}

/// Us.
pub struct Ours(Shanty);

impl Ours {
    pub fn start(bases: &Bases) -> Self {
        let shanty = Shanty::new();
        for (name, source) in bases {
            let folder = source.split(':').nth(1).unwrap();
            shanty.eval(&format!("load(`{folder}`)[0].tag(`{name}`)")).ok();
        }
        Self(shanty)
    }
}

impl Builder for Ours {
    fn build(&self, name: &str, context: &Path) -> Result<(), String> {
        let output = self.0.eval(&format!("build(`{}`, #{{ tag: `{name}:1` }})", context.display())).output();
        if output.code == 0 { Ok(()) } else { Err(output.stderr) }
    }

    fn save(&self, names: &[&str], folder: &Path) {
        let tags: Vec<String> = names.iter().map(|name| format!("`{name}:1`")).collect();
        unpack(&mut self.0.eval(&format!("save([{}], `-`)", tags.join(", "))).into_command(), folder);
    }
}

/// Writes what is short of the archive that a command prints.
#[track_caller]
fn unpack(command: &mut Command, folder: &Path) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut archive = tar::Archive::new(child.stdout.take().unwrap());
    std::fs::create_dir_all(folder).unwrap();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.size() < LONGEST {
            entry.unpack_in(folder).unwrap();
        }
    }
    said(&child.wait_with_output().unwrap()).unwrap();
}
