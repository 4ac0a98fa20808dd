//! `container.rename()`.

use super::Container;
use crate::error::Result;
use crate::script::binding::{Call, api};

#[api]
impl Container {
    /// Gives it another name, also while it runs; its host name stays. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").rename("old-web");
    ///
    /// # Errors
    /// `conflict` when the name is taken, `invalid` when it can be no name, `not_found`.
    pub fn rename(&self, call: &Call, name: String) -> Result<Container> {
        let (engine, cx) = (call.engine()?, call.context());
        // By its id: a handle that was made by the old name would stand for nothing.
        let id = self.info(call)?.id.clone();
        engine.rename(&cx, &id, &name)?;
        Ok(Self::new(id))
    }
}

#[cfg(test)]
mod tests {
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn renaming_gives_a_handle_by_id() {
        let engine = RecordingEngine::default();
        engine.eval(r#"container("web").rename("old").start()"#).unwrap();
        let id = "c0ffee".repeat(11)[..64].to_owned();
        let calls = engine.with(|recording| recording.calls.clone());
        assert_eq!(calls, [format!("rename {id} old"), format!("start {id}")]);
    }
}
