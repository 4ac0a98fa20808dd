//! `image.save()` and `save([…])`.

use super::{Image, layout};
use crate::error::{Error, Result};
use crate::model::ArchiveFormat;
use crate::script::api::output_file::write_to;
use crate::script::api::values::{Images, absolute};
use crate::script::binding::{Call, FromScript, Options, Refusal, api};
use rhai::Dynamic;

/// Options of `save`.
#[derive(Default, Options)]
pub struct SaveOptions {
    /// `"docker"`: for every engine, the default. `"oci"`: an OCI image layout alone. `"layout"`: the same as a folder, which must
    /// be empty or missing.
    pub format: Format,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// A tar.
    Archive(ArchiveFormat),
    /// A folder.
    Layout,
}

impl Default for Format {
    fn default() -> Self {
        Self::Archive(ArchiveFormat::Docker)
    }
}

impl FromScript for Format {
    fn type_name() -> String {
        "\"docker\", \"oci\" or \"layout\"".to_owned()
    }

    fn accepts(value: &Dynamic) -> bool {
        value.is_string()
    }

    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        match value.to_string().as_str() {
            "docker" | "docker-archive" => Ok(Self::Archive(ArchiveFormat::Docker)),
            "oci" | "oci-archive" => Ok(Self::Archive(ArchiveFormat::Oci)),
            "layout" => Ok(Self::Layout),
            other => Err(Error::invalid(format!("`{other}` is no format of an archive"))
                .hint("it is one of `docker`, `oci`, `layout`")
                .into()),
        }
    }
}

#[api]
impl Image {
    /// Writes it into an archive on this machine, relative to the script; `"-"` is standard output. All layers are as they were
    /// pulled, so that who loads it has the same digests. The archive holds the name that it is meant by; an image that is
    /// meant by its id has none there. Gives the image.
    ///
    /// # Example (engine)
    /// image("node:18").save("node.tar");
    ///
    /// # Errors
    /// `not_found` when the image or the folder of the archive is missing, `io` when the disk is full; there is no archive then.
    pub fn save(&self, call: &Call, path: String, options: SaveOptions) -> Result<Image> {
        save_all(call, std::slice::from_ref(self), &path, &options)?;
        Ok(self.clone())
    }
}

/// Writes several images, strings or `Image`s, into one archive, what they have in common once; otherwise as `image.save`. Gives
/// the images.
///
/// # Example (engine)
/// save(["node:18", "redis:7"], "images.tar", #{ format: "oci" });
///
/// # Errors
/// Those of `image.save`.
#[api]
pub fn save(call: &Call, images: Images, path: String, options: SaveOptions) -> Result<Vec<Image>> {
    let Images(images) = images;
    if images.is_empty() {
        return Err(Error::invalid("there is no image to save"));
    }
    save_all(call, &images, &path, &options)?;
    Ok(images)
}

fn save_all(call: &Call, images: &[Image], path: &str, options: &SaveOptions) -> Result<()> {
    let (engine, cx) = (call.engine()?, call.context());
    let references: Vec<String> = images.iter().map(|image| image.reference().to_owned()).collect();
    match options.format {
        Format::Archive(format) => {
            write_to(call, path, "image.tar", |output| engine.save_images(&cx, &references, format, output))
        }
        Format::Layout => layout::write(&absolute(call.session().folder(), path), |output| {
            engine.save_images(&cx, &references, ArchiveFormat::Oci, output)
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn one_image_or_several_are_written_in_a_format() {
        let dir = tempfile::tempdir().unwrap();
        let engine = RecordingEngine::default();
        let script = r#"
            let i = image("a").save(PATH);
            save([i, "b"], PATH, #{ format: "oci" });
            save("c", PATH);
        "#;
        let path = dir.path().join("x.tar");
        engine.eval(&script.replace("PATH", &format!("`{}`", path.display()))).unwrap();
        let expected = [r#"save ["a"] Docker"#, r#"save ["a", "b"] Oci"#, r#"save ["c"] Docker"#];
        assert_eq!(engine.with(|recording| recording.calls.clone()), expected);
        for wrong in [r#"save([], "x")"#, r#"save("a", "x", #{ format: "zip" })"#, r#"image("a").save("/")"#] {
            assert!(engine.eval(wrong).expect_err(wrong).is(ErrorKind::Invalid), "{wrong}");
        }
    }
}
