//! `container.copy_to()` and `.copy_from()`.

use super::Container;
use crate::engine;
use crate::error::{Error, Result};
use crate::script::api::values::{FileMode, OneOrMany, absolute};
use crate::script::binding::{Call, Options, api};
use rhai::Dynamic;

/// Options of `copy_to` and `copy_from`.
#[derive(Default, Options)]
pub struct CopyOptions {
    /// Whose the copies are: `"user"`, `"user:group"`, `1000`, `"1000:1000"`; names are those of the side that is
    /// copied to. As they were without it.
    #[option(alias = "chown")]
    pub owner: Option<Dynamic>,
    /// Mode of files, as `0o644`; as they were without it.
    #[option(alias = "chmod")]
    pub mode: Option<FileMode>,
    /// Where the source is a link, copy what it leads to.
    #[option(alias = "follow_link")]
    pub follow_links: bool,
}

impl CopyOptions {
    fn into_model(self) -> Result<engine::CopyOptions> {
        Ok(engine::CopyOptions {
            owner: owner(self.owner)?,
            mode: self.mode.map(|FileMode(mode)| mode),
            follow_links: self.follow_links,
        })
    }
}

#[api]
impl Container {
    /// Copies files and folders of this machine, relative to the script, into the container, running or not; `*`, `?`
    /// and `[…]` are allowed. Owner, mode and times are kept. Gives the container.
    ///
    /// The rules are those of `docker cp`: into a folder that is there, else under the name given; `"folder/."` is what is
    /// in the folder. A file gets its name when it is whole.
    ///
    /// # Example (engine)
    /// container("web").copy_to("./site/.", "/var/www", #{ owner: "www-data" });
    ///
    /// # Errors
    /// `not_found` when the source, or the folder to copy into, is missing, `conflict` when a folder would replace a file or
    /// a file a folder.
    pub fn copy_to(&self, call: &Call, source: OneOrMany, target: String, options: CopyOptions) -> Result<Container> {
        let OneOrMany(sources) = source;
        check("copy_to", sources.iter().chain([&target]))?;
        let folder = call.session().folder();
        // The end of the path says what is meant, and is lost in a path that is made absolute.
        let sources: Vec<_> = sources.iter().map(|path| host_path(folder, path)).collect();
        call.engine()?.copy_to(&call.context(), self.reference(), &sources, &target, &options.into_model()?)?;
        Ok(Self::new(self.reference()))
    }

    /// Copies files and folders out of the container, running or not, to a place of this machine, relative to the script;
    /// `*`, `?` and `[…]` are allowed. Owner, mode and times are kept. Gives the container.
    ///
    /// The rules are those of `docker cp`, as for `copy_to`. Links are copied as links: nothing is written outside of the
    /// target, whatever the container does.
    ///
    /// # Example (engine)
    /// container("web").copy_from("/var/log/*.log", "./logs/");
    ///
    /// # Errors
    /// Those of `copy_to`.
    pub fn copy_from(&self, call: &Call, source: OneOrMany, target: String, options: CopyOptions) -> Result<Container> {
        let OneOrMany(sources) = source;
        check("copy_from", sources.iter().chain([&target]))?;
        let target = host_path(call.session().folder(), &target);
        call.engine()?.copy_from(&call.context(), self.reference(), &sources, &target, &options.into_model()?)?;
        Ok(Self::new(self.reference()))
    }
}

fn check<'a>(function: &str, mut paths: impl Iterator<Item = &'a String>) -> Result<()> {
    match paths.find(|path| path.is_empty() || path.contains('\0')) {
        Some(path) => Err(Error::invalid(format!("{function}: `{path}` is not a path"))),
        None => Ok(()),
    }
}

/// A path of this machine; what it ends with (`/`, `/.`) stays.
fn host_path(folder: &std::path::Path, path: &str) -> std::path::PathBuf {
    let absolute = absolute(folder, path);
    let end = match path {
        _ if path.ends_with("/.") || path == "." => "/.",
        _ if path.ends_with('/') => "/",
        _ => "",
    };
    let mut text = absolute.into_os_string();
    text.push(end);
    text.into()
}

/// `"user:group"` or a number.
pub fn owner(owner: Option<Dynamic>) -> Result<Option<String>> {
    match owner {
        Some(owner) if owner.is_string() || owner.is_int() => Ok(Some(owner.to_string())),
        Some(_) => Err(Error::invalid("`owner` takes `\"user\"`, `\"user:group\"` or a number")),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;
    use std::path::Path;

    #[test]
    fn paths_of_this_machine_are_relative_to_the_script_and_keep_their_end() {
        for (path, expected) in [
            ("a", "/scripts/a"),
            ("./a/", "/scripts/a/"),
            ("a/.", "/scripts/a/."),
            (".", "/scripts/."),
            ("/a/./b", "/a/b"),
            ("../a", "/scripts/../a"),
        ] {
            assert_eq!(host_path(Path::new("/scripts"), path).as_os_str(), expected, "{path}");
        }
    }

    #[test]
    fn options_become_the_engine_s() {
        let engine = RecordingEngine::default();
        engine
            .eval(
                r#"container("web").copy_to(["a", "b/"], "/x", #{ owner: 1000, mode: 0o600 }).copy_from("/x/*", "out/", #{ chown: "a:b" })"#,
            )
            .unwrap();
        assert_eq!(
            engine.with(|recording| recording.calls.clone()),
            [
                r#"copy ["/scripts/a", "/scripts/b/"] to web:/x CopyOptions { owner: Some("1000"), mode: Some(384), follow_links: false }"#,
                r#"copy web:["/x/*"] to /scripts/out/ CopyOptions { owner: Some("a:b"), mode: None, follow_links: false }"#,
            ]
        );
        for script in [r#"copy_to("", "/x")"#, r#"copy_to("a", "/x", #{ owner: [] })"#, r#"copy_from("/x", "")"#] {
            let error = engine.eval(&format!("container(`web`).{script}")).expect_err(script);
            assert!(error.is(ErrorKind::Invalid), "{script}: {error:?}");
        }
    }
}
