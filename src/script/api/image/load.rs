//! `load()`.

use super::{Image, layout};
use crate::error::Result;
use crate::model::Platform;
use crate::script::api::input_file;
use crate::script::api::values::absolute;
use crate::script::binding::{Call, Options, api};
use std::io::Read;

/// Options of `load`.
#[derive(Default, Options)]
pub struct LoadOptions {
    /// Platform to choose where the archive has several: `linux/arm64`; this machine's without it.
    pub platform: Option<String>,
}

/// Loads the images of an archive on this machine, relative to the script: what `save`, `docker save`, `podman save` and
/// `skopeo copy` write, compressed with gzip or zstd or not, and OCI image layouts, which are folders. `"-"` is standard input. Their names go from images that have
/// them now. Gives the images, in the order of the archive.
///
/// # Example (engine)
/// for i in load("images.tar") { print(i.tags) }
///
/// # Errors
/// `not_found` when there is no such file, `invalid` when it holds no images, `corrupt` when it is damaged: nothing is loaded then.
#[api]
pub fn load(call: &Call, path: String, options: LoadOptions) -> Result<Vec<Image>> {
    let platform: Option<Platform> = options.platform.map(|text| text.parse()).transpose()?;
    let folder = absolute(call.session().folder(), &path);
    let mut input: Box<dyn Read + Send> =
        if path != "-" && folder.is_dir() { Box::new(layout::read(&folder)?) } else { input_file::open(call, &path)? };
    let images = call.engine()?.load_images(&call.context(), &mut *input, platform.as_ref());
    let images = images.map_err(|error| error.context(format!("loading `{path}`")))?;
    Ok(images.iter().map(Image::of).collect())
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn an_archive_gives_images() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar");
        std::fs::write(&path, "an archive").unwrap();
        let engine = RecordingEngine::default();
        let script = format!(r#"print(load(`{}`, #{{ platform: "linux/arm64" }}).map(|i| i.tags))"#, path.display());
        assert_eq!(engine.eval(&script).unwrap(), r#"[["node:18"]]"#);
        assert_eq!(engine.with(|recording| recording.calls.clone()), ["load `an archive` for linux/arm64"]);
        assert!(engine.eval(r#"load("/missing")"#).unwrap_err().is(ErrorKind::NotFound));
        assert!(engine.eval(r#"load("/missing", #{ platform: "x" })"#).unwrap_err().is(ErrorKind::Invalid));
    }
}
