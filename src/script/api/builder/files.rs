//! Steps that bring files: `.copy()`, `.write()`, `.host_program()`, `.layer_from()`.

use super::{Builder, inside, origin};
use crate::engine::{BuildStep, CopyFrom};
use crate::error::{Error, Result};
use crate::script::api::values::{FileMode, OneOrMany};
use crate::script::binding::{Bytes, Options, api};
use rhai::Dynamic;

/// Options of `copy`.
#[derive(Default, Options)]
pub struct CopyOptions {
    /// An image or a builder to copy from, or the name of an image.
    pub from: Option<Dynamic>,
    /// `uid` or `uid:gid` of what is copied; root without it.
    #[option(alias = "chown")]
    pub owner: Option<String>,
    /// Mode of what is copied, as `0o755`; the source's without it.
    #[option(alias = "chmod")]
    pub mode: Option<FileMode>,
    /// Patterns of what is left out, as in a `.dockerignore`, relative to the source; one or several.
    pub exclude: OneOrMany,
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
    /// Copies files and folders: of the host (relative to the script), or with `from` of another image or builder. `*` and `?` are allowed;
    /// of a folder what is in it is copied. A target that ends with `/` is a folder. An image or a builder as the source is all of it.
    ///
    /// # Example
    /// let app = from("node:18").copy("./src", "/app/", #{ owner: "1000:1000", exclude: ["*.log"] });
    /// let tools = from("debian").run(["make", "-C", "/src"]);
    /// let small = from("scratch").copy("/src/app", "/app", #{ from: tools });
    ///
    /// # Errors
    /// When it is built: `not_found` for a source that is not there.
    pub fn copy(&self, source: Dynamic, target: String, options: CopyOptions) -> Result<Builder> {
        let (source, from) = match (origin(&source), options.from) {
            (Some(whole), None) => ("/".to_owned(), whole),
            (Some(_), Some(_)) => {
                return Err(Error::invalid("an image or a builder is the source already: `from` does not go with it"));
            }
            (None, from) => {
                let from = match from {
                    None => CopyFrom::Host,
                    Some(from) => origin(&from).map_or_else(|| named(&from), Ok)?,
                };
                if !source.is_string() {
                    return Err(Error::invalid(format!(
                        "copy: the source is a path, an image or a builder, not {}",
                        source.type_name()
                    )));
                }
                (source.to_string(), from)
            }
        };
        if source.is_empty() {
            return Err(Error::invalid("the source of `copy` is empty"));
        }
        let mode = options.mode.map(|FileMode(mode)| mode);
        let exclude = options.exclude.0;
        Ok(self.step(BuildStep::Copy { source, from, target: inside(&target)?, owner: options.owner, mode, exclude }))
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

/// An image by its name.
fn named(from: &Dynamic) -> Result<CopyFrom> {
    let name = from.clone().into_string().map_err(|kind| {
        Error::invalid(format!("copy: option `from` is an image, a builder or the name of an image, not {kind}"))
    })?;
    name.parse::<crate::model::Reference>()?;
    Ok(CopyFrom::Image(name))
}
