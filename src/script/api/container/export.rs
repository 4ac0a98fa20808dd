//! `container.export_tar()`: all its files as a tar.

use super::Container;
use crate::error::Result;
use crate::script::api::output_file::write_to;
use crate::script::binding::{Call, api};

#[api]
impl Container {
    /// Writes all its files, those of the image and its changes as one tree, into a tar on this machine, relative to the
    /// script; `"-"` is standard output. What is mounted in it is left out. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").export_tar("web.tar");
    ///
    /// # Errors
    /// `not_found` when the container or the folder of the tar is missing.
    pub fn export_tar(&self, call: &Call, path: String) -> Result<Container> {
        let engine = call.engine()?;
        write_to(call, &path, "web.tar", |output| engine.export(&call.context(), self.reference(), output))?;
        Ok(Self::new(self.reference()))
    }
}

#[cfg(test)]
mod tests {
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn a_tar_is_there_once_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar");
        let engine = RecordingEngine::default();
        let export =
            |container: &str| engine.eval(&format!("container(`{container}`).export_tar(`{}`)", path.display()));
        assert!(export("missing").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        export("web").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"tar");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
