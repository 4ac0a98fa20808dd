//! `container.read()`, `.read_bytes()` and `.write()`.

use super::Container;
use super::copy::owner;
use crate::engine;
use crate::error::{Error, Result};
use crate::script::api::values::FileMode;
use crate::script::binding::{Bytes, Call, Options, api};
use rhai::Dynamic;

/// Options of `write`.
#[derive(Default, Options)]
pub struct WriteOptions {
    /// Whose the file is: `"user"`, `"user:group"`, `1000`, `"1000:1000"`; names are the container's. It stays without
    /// it; of a new file, root.
    #[option(alias = "chown")]
    pub owner: Option<Dynamic>,
    /// Its mode, as `0o644`. It stays without it; of a new file, `0o644`.
    #[option(alias = "chmod")]
    pub mode: Option<FileMode>,
    /// At the end of the file, instead of in place of what it holds.
    pub append: bool,
}

#[api]
impl Container {
    /// The text of a file in the container, running or not, up to 64 MiB.
    ///
    /// # Example (engine)
    /// print(container("web").read("/etc/os-release"));
    ///
    /// # Errors
    /// `not_found`, `invalid` when it is not UTF-8, no regular file, or too large.
    pub fn read(&self, call: &Call, path: String) -> Result<String> {
        let bytes = call.engine()?.read_file(&call.context(), self.reference(), &path)?;
        String::from_utf8(bytes)
            .map_err(|_| Error::invalid(format!("`{path}` is not UTF-8 text")).hint("use `read_bytes`"))
    }

    /// The bytes of a file in the container, running or not, up to 64 MiB, as a blob.
    ///
    /// # Example (engine)
    /// print(container("web").read_bytes("/favicon.ico").len());
    ///
    /// # Errors
    /// `not_found`, `invalid` when it is no regular file, or too large.
    pub fn read_bytes(&self, call: &Call, path: String) -> Result<Bytes> {
        call.engine()?.read_file(&call.context(), self.reference(), &path).map(Bytes)
    }

    /// Writes text or a blob into a file in the container, running or not, in place of what it held; readers see the old
    /// content or the new. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").write("/etc/app.conf", "debug = true\n", #{ owner: "app", mode: 0o600 });
    ///
    /// # Errors
    /// `not_found` when its folder is missing, `invalid` when there is something else than a regular file.
    pub fn write(&self, call: &Call, path: String, content: Bytes, options: WriteOptions) -> Result<Container> {
        if path.is_empty() || path.contains('\0') {
            return Err(Error::invalid(format!("`{path}` is not a path")));
        }
        let options = engine::WriteOptions {
            owner: owner(options.owner)?,
            mode: options.mode.map(|FileMode(mode)| mode),
            append: options.append,
        };
        call.engine()?.write_file(&call.context(), self.reference(), &path, &content.0, &options)?;
        Ok(Self::new(self.reference()))
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn text_and_bytes_are_read_and_written() {
        let engine = RecordingEngine::default();
        let script = r#"
            let c = container("web");
            print(c.read("/a"));
            print(c.read_bytes("/binary").len());
            c.write("/x", "text", #{ append: true }).write("/y", c.read_bytes("/a"), #{ mode: 0o600, owner: "a:b" });
        "#;
        assert_eq!(engine.eval(script).unwrap(), "content of /a\n2");
        assert_eq!(
            engine.with(|recording| recording.calls.clone()),
            [
                "write text to web:/x WriteOptions { owner: None, mode: None, append: true }",
                "write content of /a to web:/y WriteOptions { owner: Some(\"a:b\"), mode: Some(384), append: false }",
            ]
        );
        let error = engine.eval(r#"container("web").read("/binary")"#).unwrap_err();
        assert!(error.is(ErrorKind::Invalid) && error.hint_text().is_some_and(|hint| hint.contains("read_bytes")));
    }
}
