//! `create_volume()`.

use super::Volume;
use crate::error::Result;
use crate::model::VolumeSpec;
use crate::script::api::values::Labels;
use crate::script::binding::{Call, Options, api};

/// Options of `create_volume`.
#[derive(Default, Options)]
pub struct CreateVolumeOptions {
    /// Its labels: `"key=value"`, several, or a map.
    #[option(alias = "label")]
    pub labels: Labels,
}

/// Makes a volume, an anonymous one without a name. One of that name that is there already is given as it is, with the labels
/// that it has. `run` and `create` make those that they name, too. Made inside a scope, it goes with that.
///
/// # Example (engine)
/// let data = create_volume("data", #{ labels: #{ app: "shop" } });
/// image("redis:7").run(#{ volumes: [data.name + ":/data"] });
/// create_volume();
///
/// # Errors
/// `invalid` for a name that is none.
#[api]
pub fn create_volume(call: &Call, name: Option<String>, options: CreateVolumeOptions) -> Result<Volume> {
    let spec = VolumeSpec { name, labels: options.labels.0.into_iter().collect() };
    let info = call.engine()?.create_volume(&call.context(), &spec)?;
    Ok(Volume::new(info.name))
}

#[cfg(test)]
mod tests {
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn volumes_are_made_with_and_without_a_name() {
        let engine = RecordingEngine::default();
        let script = r#"
            print(create_volume("data", #{ labels: #{ a: "b" } }).name);
            print(create_volume(#{ labels: "c" }).name);
            keep(create_volume());
        "#;
        assert_eq!(engine.eval(script).unwrap(), "data\nc0ffee");
        let calls = engine.with(|recording| recording.calls.clone());
        assert!(calls[0].contains(r#"name: Some("data"), labels: {"a": "b"}"#), "{calls:?}");
        assert!(calls[1].contains(r#"name: None, labels: {"c": ""}"#), "{calls:?}");
        assert_eq!(calls[3], "keep volume c0ffee");
    }
}
