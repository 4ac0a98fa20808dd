//! `container.commit()`: an image of a container.

use super::Container;
use crate::engine::CommitSpec;
use crate::error::Result;
use crate::model::Reference;
use crate::script::api::image::Image;
use crate::script::api::values::OneOrMany;
use crate::script::binding::{Call, Options, api};

/// Options of `commit`.
#[derive(Options)]
pub struct CommitOptions {
    /// Who made it.
    pub author: Option<String>,
    /// Why, for its history.
    #[option(alias = "comment")]
    pub message: Option<String>,
    /// How containers of it run, as lines of a Dockerfile: `"CMD [\"node\", \"app.js\"]"`, `"ENV DEBUG=1"`. Takes `CMD
    /// ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR`.
    #[option(alias = "change")]
    pub changes: OneOrMany,
    /// A running container stands still while its files are read; `true` without it.
    pub pause: bool,
}

impl Default for CommitOptions {
    fn default() -> Self {
        Self { author: None, message: None, changes: OneOrMany::default(), pause: true }
    }
}

#[api]
impl Container {
    /// Makes an image of it, running or not: its image, one more layer with its changes, and what it runs with. Without a
    /// name the image has its id only. What is mounted in it is left out.
    ///
    /// # Example (engine)
    /// let image = container("web").commit("web:patched", #{ message: "patched", changes: ["ENV DEBUG=1"] });
    ///
    /// # Errors
    /// `not_found`, `invalid` for a wrong name or change.
    pub fn commit(&self, call: &Call, reference: Option<String>, options: CommitOptions) -> Result<Image> {
        if let Some(reference) = &reference {
            reference.parse::<Reference>()?;
        }
        let OneOrMany(changes) = options.changes;
        let spec = CommitSpec {
            reference: reference.clone(),
            author: options.author,
            message: options.message,
            changes,
            pause: options.pause,
        };
        let info = call.engine()?.commit(&call.context(), self.reference(), &spec)?;
        Ok(Image::new(reference.unwrap_or_else(|| info.id.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn options_become_a_spec() {
        let engine = RecordingEngine::default();
        engine
            .eval(r#"let c = container("web"); c.commit(); c.commit("a:1", #{ author: "me", message: "m", changes: "USER a", pause: false })"#)
            .unwrap();
        assert_eq!(
            engine.with(|recording| recording.calls.clone()),
            [
                "commit web CommitSpec { reference: None, author: None, message: None, changes: [], pause: true }",
                "commit web CommitSpec { reference: Some(\"a:1\"), author: Some(\"me\"), message: Some(\"m\"), changes: [\"USER a\"], pause: false }",
            ]
        );
        assert!(engine.eval(r#"container("web").commit("NOT A NAME")"#).unwrap_err().is(ErrorKind::Invalid));
    }
}
