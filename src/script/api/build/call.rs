//! `build(context, #{ … })`.

use super::options::{BuildOptions, ContextOptions};
use super::outcome::image_of;
use crate::engine::{BuildSource, BuildSpec, DockerfileSource};
use crate::error::{Error, Result};
use crate::script::api::image::Image;
use crate::script::api::values::absolute;
use crate::script::binding::{Call, Options, api};

/// Options of `build`.
#[derive(Default, Options)]
pub struct DockerfileOptions {
    /// The Dockerfile, relative to the script; that of the context without it.
    #[option(alias = "dockerfile")]
    pub file: Option<String>,
    /// The Dockerfile itself, as text.
    #[option(alias = "dockerfile_inline")]
    pub text: Option<String>,
    /// Stage to build; the last one without it.
    pub target: Option<String>,
    /// What `ARG`s are, and what names in `FROM` and `--from` mean.
    #[option(flatten)]
    pub context: ContextOptions,
    /// What all builds take.
    #[option(flatten)]
    pub build: BuildOptions,
}

/// Builds an image from the Dockerfile of a folder (relative to the script), of a git repository (`https://host/app.git#branch:folder`) or of
/// a tar from the network. What the cache has is not done again; stages that need nothing of each other are built at the same time. Its
/// `.log` and `.steps` tell what was done.
///
/// # Example (engine)
/// let app = build(".", #{ tag: "myapp:1.0", args: #{ VERSION: "1.0" } });
/// build("web", #{ file: "web/dev.Dockerfile", target: "test", output: "report" });
///
/// # Errors
/// `invalid` for what is wrong in the file, with its line; `not_found` for a source or a base that is not there; `exit` when a command
/// ends with another code than 0, with the end of its output. There is no image then, and tags mean what they did.
#[api]
pub fn build(call: &Call, context: String, options: DockerfileOptions) -> Result<Image> {
    let folder = call.session().folder();
    let is_address = crate::script::api::build::values::is_address(&context);
    if context.is_empty() {
        return Err(Error::invalid("the build context is empty").hint("give its folder: `build(\".\")`"));
    }
    let context = if is_address { context } else { absolute(folder, &context).display().to_string() };
    let file = options.file.map(|file| if is_address { file } else { absolute(folder, &file).display().to_string() });
    if file.is_some() && options.text.is_some() {
        return Err(Error::invalid("`file` and `text` exclude each other"));
    }
    let ContextOptions { args, contexts } = options.context;
    let source = DockerfileSource {
        context,
        file,
        text: options.text,
        target: options.target,
        args: args.into_map(),
        contexts: contexts.into_map(folder),
    };
    let spec = options.build.into_spec(call, BuildSource::Dockerfile(source))?;
    image_of(call, &spec)
}

/// As a specification: the epoch is also that of the arguments.
pub(super) fn epoch_of(spec: &BuildSpec) -> Option<&str> {
    match &spec.source {
        BuildSource::Dockerfile(source) => source.args.get("SOURCE_DATE_EPOCH").map(String::as_str),
        BuildSource::Steps(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::{BuildOutput, BuildSource, NoCache, SecretSource};
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn options_come_to_a_specification() {
        let engine = RecordingEngine::default();
        let script = r#"
            let app = build("app", #{
                tag: ["a:1", "a:2"], file: "app/x.Dockerfile", target: "web", args: #{ N: 1, S: "x" }, labels: #{ l: "v" },
                platform: "linux/arm64", secrets: ["id=npm,src=/n", "id=t,env=T"], ssh: "default=/agent", contexts: #{ b: "docker-image://x", c: "c" },
                no_cache: ["web"], pull: true, network: "none", extra_hosts: ["h:1.2.3.4"], output: "out", cache_from: "r/c",
                cache_to: ["type=registry,ref=r/d"], allow: "network.host",
            });
            print(app.tags);
        "#;
        engine.eval(script).unwrap();
        let spec = engine.with(|recording| recording.builds.remove(0));
        let BuildSource::Dockerfile(source) = &spec.source else { panic!("{spec:?}") };
        assert_eq!(
            (source.context.as_str(), source.file.as_deref()),
            ("/scripts/app", Some("/scripts/app/x.Dockerfile"))
        );
        assert_eq!(source.args["N"], "1");
        assert_eq!(source.contexts["b"], "docker-image://x");
        assert_eq!(source.contexts["c"], "/scripts/c");
        assert_eq!(spec.secrets["npm"], SecretSource::File("/n".into()));
        assert_eq!(spec.secrets["t"], SecretSource::Env("T".into()));
        assert_eq!(spec.ssh["default"], std::path::Path::new("/agent"));
        assert_eq!(spec.no_cache, NoCache::Stages(vec!["web".into()]));
        assert_eq!(spec.output, Some(BuildOutput::Folder("/scripts/out".into())));
        assert_eq!((&spec.cache_from[..], &spec.cache_to[..]), (&["r/c".to_owned()][..], &["r/d".to_owned()][..]));
        assert!(spec.pull && spec.network.as_deref() == Some("none") && spec.allow == ["network.host"]);
    }

    #[test]
    fn what_is_wrong_is_refused_before_anything_is_built() {
        for script in [
            r#"build("")"#,
            r#"build(".", #{ tag: "NOT A NAME" })"#,
            r#"build(".", #{ platform: "x" })"#,
            r#"build(".", #{ secrets: ["src=/n"] })"#,
            r#"build(".", #{ secrets: #{ a: #{ file: "x", env: "Y" } } })"#,
            r#"build(".", #{ cache_to: "type=s3,bucket=x" })"#,
            r#"build(".", #{ output: "type=oci,dest=x" })"#,
            r#"build(".", #{ file: "a", text: "FROM b" })"#,
            r#"build(".", #{ targett: "a" })"#,
            r#"build(".", #{ allow: "everything" })"#,
        ] {
            let error = RecordingEngine::default().eval(script).expect_err(script);
            assert!(error.is(ErrorKind::Invalid) || error.is(ErrorKind::Unsupported), "{script}: {error:?}");
        }
    }
}
