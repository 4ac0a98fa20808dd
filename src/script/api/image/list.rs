//! `images()`.

use super::Image;
use crate::error::Result;
use crate::model::ImageFilter;
use crate::script::api::values::Labels;
use crate::script::binding::{Call, Options, api};

/// Options of `images`.
#[derive(Default, Options)]
pub struct ImagesOptions {
    /// Repository, `*` stands for anything.
    pub name: Option<String>,
    /// Labels that must be there: `"key"`, `"key=value"`, or several.
    #[option(alias = "labels")]
    pub label: Labels,
    /// Only those without (`true`) or with (`false`) a name.
    pub dangling: Option<bool>,
    /// Only those built before this image.
    pub before: Option<String>,
    /// Only those built after this image.
    #[option(alias = "after")]
    pub since: Option<String>,
    /// Also those without a name that others were made from.
    pub all: bool,
}

/// The images that are here, newest first.
///
/// # Example (engine)
/// for i in images(#{ dangling: true }) { i.remove() }
///
/// # Errors
/// `not_found` when `before` or `since` names no image.
#[api]
pub fn images(call: &Call, options: ImagesOptions) -> Result<Vec<Image>> {
    let (engine, cx) = (call.engine()?, call.context());
    let built = |reference: &Option<String>| match reference {
        // What does not say when it was built comes before all others.
        Some(reference) => engine.image(&cx, reference).map(|info| info.created.or(Some(jiff::Timestamp::UNIX_EPOCH))),
        None => Ok(None),
    };
    let (before, since) = (built(&options.before)?, built(&options.since)?);
    let filter = ImageFilter {
        name: options.name,
        labels: options.label.0,
        dangling: options.dangling,
        before,
        since,
        all: options.all,
    };
    Ok(engine.images(&cx, &filter)?.iter().map(Image::of).collect())
}

#[cfg(test)]
mod tests {
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn images_are_filtered_and_shown_as_a_table() {
        let engine = RecordingEngine::default();
        let printed = engine.eval(r#"print(images(#{ name: "no*", label: "a=b" }))"#).unwrap();
        assert!(
            printed.contains("node:18") && printed.contains("abababababab ") && printed.contains("98MiB"),
            "{printed}"
        );
        let calls = engine.with(|recording| recording.calls.remove(0));
        assert!(calls.contains(r#"name: Some("no*"), labels: [("a", "b")]"#), "{calls}");
        engine.eval(r#"images(#{ before: "node:18", all: true })"#).unwrap();
        let calls = engine.with(|recording| recording.calls.remove(0));
        assert!(calls.contains("before: Some(1970-01-01T00:00:00Z), since: None, all: true"), "{calls}");
        assert!(engine.eval(r#"images(#{ since: "missing" })"#).is_err());
    }

    #[test]
    fn an_image_is_pulled_named_and_removed() {
        let engine = RecordingEngine::default();
        let script = r#"
            let i = image("node:18").pull(#{ platform: "linux/arm64" }).tag("x:1");
            i.untag("y"); i.remove(#{ force: true });
            print([image("missing").exists(), image("missing").exists, i.exists(), i.exists, i.env.PATH, i.workdir]);
        "#;
        assert_eq!(engine.eval(script).unwrap(), r#"[false, false, true, true, "/bin", "/"]"#);
        let expected = ["pull node:18 for linux/arm64", "tag node:18 x:1", "untag x:1 y", "remove image x:1 true"];
        engine.with(|recording| assert_eq!(recording.calls, expected));
    }
}
