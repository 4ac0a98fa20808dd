//! Steps that bring files: `.copy()`, `.write()`, `.host_program()`, `.layer_from()`.

use super::{Builder, inside};
use crate::engine::BuildStep;
use crate::error::{Error, Result};
use crate::script::api::values::FileMode;
use crate::script::binding::{Bytes, Options, api};
use rhai::Dynamic;

/// Options of `copy`.
#[derive(Default, Options)]
pub struct CopyOptions {
    /// Another image or builder to copy from.
    pub from: Option<Dynamic>,
    /// `uid` or `uid:gid` of what is copied; root without it.
    #[option(alias = "chown")]
    pub owner: Option<String>,
    /// Mode of what is copied, as `0o755`; the source's without it.
    #[option(alias = "chmod")]
    pub mode: Option<FileMode>,
    /// What is left out.
    pub exclude: Option<Dynamic>,
}

/// Options of `write`.
#[derive(Default, Options)]
pub struct WriteOptions {
    /// Mode of the file; `0o644` without it.
    #[option(alias = "chmod")]
    pub mode: Option<FileMode>,
}

/// Options of `host_program`.
#[derive(Default, Options)]
pub struct HostProgramOptions {
    /// Path inside; else that of the host.
    pub to: Option<String>,
}

#[api]
impl Builder {
    /// Copies a file or folder of the host (relative to the script), `*` and `?` allowed. A target that ends with `/`
    /// is a folder.
    ///
    /// # Example
    /// let app = from("node:18").copy("./src", "/app/", #{ owner: "1000:1000" });
    ///
    /// # Errors
    /// `unsupported` for the options `from` and `exclude` in this version.
    pub fn copy(&self, source: String, target: String, options: CopyOptions) -> Result<Builder> {
        for (name, value) in [("from", &options.from), ("exclude", &options.exclude)] {
            if value.is_some() {
                return Err(Error::unsupported(format!("the option `{name}` cannot be used in this version"))
                    .hint(format!("leave `{name}` out")));
            }
        }
        if source.is_empty() {
            return Err(Error::invalid("the source of `copy` is empty"));
        }
        let mode = options.mode.map(|FileMode(mode)| mode);
        Ok(self.step(BuildStep::Copy { source, target: inside(&target)?, owner: options.owner, mode }))
    }

    /// Writes a file: text or a blob.
    ///
    /// # Example
    /// let tool = from("scratch").write("/run.sh", "#!/bin/sh\necho hi\n", #{ mode: 0o755 });
    pub fn write(&self, path: String, content: Bytes, options: WriteOptions) -> Result<Builder> {
        let Bytes(content) = content;
        let mode = options.mode.map(|FileMode(mode)| mode);
        Ok(self.step(BuildStep::Write { path: inside(&path)?, content, mode }))
    }

    /// Copies a program of this machine and the libraries that it loads: an image without a registry.
    ///
    /// # Example
    /// let shell = from("scratch").host_program("/bin/sh");
    pub fn host_program(&self, path: String, options: HostProgramOptions) -> Result<Builder> {
        if path.is_empty() {
            return Err(Error::invalid("the path of the program is empty").hint("write it as `/bin/sh` or `sh`"));
        }
        let to = options.to.as_deref().map(inside).transpose()?;
        Ok(self.step(BuildStep::HostProgram { path, to }))
    }

    /// Adds a tar of this machine (relative to the script) as a layer.
    ///
    /// # Example
    /// let base = from("scratch").layer_from("rootfs.tar.gz");
    pub fn layer_from(&self, tar: String) -> Result<Builder> {
        if tar.is_empty() {
            return Err(Error::invalid("the path of the tar is empty"));
        }
        Ok(self.step(BuildStep::LayerFromTar { path: tar }))
    }
}
