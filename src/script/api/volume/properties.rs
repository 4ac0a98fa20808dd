//! What a volume is: read when it is asked for.

use super::Volume;
use crate::error::{ErrorKind, Result};
use crate::script::api::shown;
use crate::script::binding::{Call, api};
use std::collections::BTreeMap;

#[api]
impl Volume {
    /// Its name: 64 hexadecimal digits where nobody gave it one.
    #[get(column)]
    pub fn name(&self) -> String {
        self.reference().to_owned()
    }

    /// Whether nobody gave it a name.
    #[get(column)]
    pub fn anonymous(&self, call: &Call) -> Result<bool> {
        Ok(self.info(call)?.anonymous)
    }

    /// Its labels.
    #[get]
    pub fn labels(&self, call: &Call) -> Result<BTreeMap<String, String>> {
        Ok(self.info(call)?.labels.clone())
    }

    /// When it was made.
    #[get(column)]
    pub fn created(&self, call: &Call) -> Result<jiff::Timestamp> {
        Ok(self.info(call)?.created)
    }

    /// Who keeps it: `local` is a folder of the engine's machine.
    #[get]
    pub fn driver(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.driver.clone())
    }

    /// The folder of the engine's machine that holds its files, for people: containers may change what is in it at any time.
    #[get]
    pub fn path(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.path.clone())
    }

    /// Bytes of its files. All of them are looked at.
    #[get(lazy, shown = shown::size)]
    pub fn size(&self, call: &Call) -> Result<u64> {
        call.engine()?.volume_size(&call.context(), self.reference())
    }

    /// Whether there is such a volume; `exists()` is the same.
    ///
    /// # Example (engine)
    /// if !volume("data").exists { create_volume("data") }
    #[get(lazy, callable)]
    pub fn exists(&self, call: &Call) -> Result<bool> {
        match self.info(call) {
            Ok(_) => Ok(true),
            Err(error) if error.is(ErrorKind::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn a_volume_prints_as_a_record_and_several_as_a_table() {
        let engine = RecordingEngine::default();
        let printed = engine.eval(r#"print(volume("data")); print(volumes()); print(volume("data").size)"#).unwrap();
        let lines: Vec<&str> = printed.lines().collect();
        assert!(lines[0].starts_with("Volume(name: data, anonymous: false"), "{printed}");
        assert!(lines[1].starts_with("NAME") && lines[2].starts_with("data"), "{printed}");
        assert_eq!(lines[3], "102760448");
        assert_eq!(engine.eval(r#"print(volume("missing").exists || volume("missing").exists())"#).unwrap(), "false");
    }
}
