//! `image_from_tar()`.

use super::Image;
use crate::error::Result;
use crate::model::{ImportSpec, Reference};
use crate::script::api::http;
use crate::script::api::input_file;
use crate::script::api::values::OneOrMany;
use crate::script::binding::{Call, Options, api};

/// Options of `image_from_tar`.
#[derive(Default, Options)]
pub struct ImportOptions {
    /// Name of the image; without it it has its id only.
    pub tag: Option<String>,
    /// How containers of it run, as lines of a Dockerfile: `"CMD [\"node\", \"app.js\"]"`, `"ENV DEBUG=1"`. Takes `CMD
    /// ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR`.
    #[option(alias = "change")]
    pub changes: OneOrMany,
    /// What its history says; where the tar came from without it.
    #[option(alias = "comment")]
    pub message: Option<String>,
    /// What it runs on: `linux/arm64`; this machine's without it.
    pub platform: Option<String>,
}

/// Makes an image of one layer from the tar of a file system, compressed with gzip or zstd or not: a file on this machine,
/// relative to the script, an `http://` or `https://` URL, or `"-"`, which is standard input.
///
/// # Example (engine)
/// let image = image_from_tar("rootfs.tar.gz", #{ tag: "base:1", changes: ["CMD [\"sh\"]"] });
///
/// # Errors
/// `not_found` when there is no such file, `invalid` for a wrong name or change, `corrupt` when the tar is damaged, `unsupported`
/// when it is compressed in another way, `network`.
#[api]
pub fn image_from_tar(call: &Call, source: String, options: ImportOptions) -> Result<Image> {
    if let Some(tag) = &options.tag {
        tag.parse::<Reference>()?;
    }
    let OneOrMany(changes) = options.changes;
    let from_network = ["http://", "https://"].iter().any(|scheme| source.starts_with(scheme));
    let spec = ImportSpec {
        reference: options.tag.clone(),
        changes,
        message: options.message,
        platform: options.platform.map(|text| text.parse()).transpose()?,
        // As `docker import` has it, which gives a file to the engine as its standard input.
        source: if from_network { source.clone() } else { "-".to_owned() },
    };
    let mut input = if from_network { http::stream(call, &source)? } else { input_file::open(call, &source)? };
    let info = call.engine()?.import_image(&call.context(), &mut *input, &spec);
    let info = info.map_err(|error| error.context(format!("reading `{source}`")))?;
    Ok(Image::new(options.tag.unwrap_or_else(|| info.id.to_string())))
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn options_become_a_spec() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar");
        std::fs::write(&path, "a tar").unwrap();
        let engine = RecordingEngine::default();
        let path = path.display();
        engine
            .eval(&format!(
                r#"image_from_tar(`{path}`); image_from_tar(`{path}`, #{{ tag: "a:1", changes: "USER a", message: "m", platform: "linux/arm64" }})"#
            ))
            .unwrap();
        assert_eq!(
            engine.with(|recording| recording.calls.clone()),
            [
                "import `a tar` ImportSpec { reference: None, changes: [], message: None, platform: None, source: \"-\" }",
                "import `a tar` ImportSpec { reference: Some(\"a:1\"), changes: [\"USER a\"], message: Some(\"m\"), platform: \
                 Some(Platform { os: \"linux\", architecture: \"arm64\", variant: None }), source: \"-\" }",
            ]
        );
        assert!(engine.eval(r#"image_from_tar("x", #{ tag: "NOT A NAME" })"#).unwrap_err().is(ErrorKind::Invalid));
        assert!(engine.eval(r#"image_from_tar("/missing")"#).unwrap_err().is(ErrorKind::NotFound));
    }
}
