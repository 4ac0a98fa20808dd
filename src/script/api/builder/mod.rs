//! `Builder`: an image in the making. Every step gives a new one; nothing runs until `.tag()` or `.build()`.

mod config;
mod files;
mod finish;
mod mounts;
mod run;

use crate::engine::{BuildPlan, BuildStep, CopyFrom};
use crate::error::{Error, Result};
use crate::model::Reference;
use crate::script::api::image::Image;
use crate::script::binding::{Call, Object, api};
use rhai::Dynamic;
use std::sync::Arc;

/// An image in the making: a base and steps. Every step gives a new builder.
#[derive(Clone, Object)]
pub struct Builder {
    plan: Arc<BuildPlan>,
}

/// A new image on top of another one, or `from("scratch")` for an empty one; nothing is executed until `.tag(ref)` or
/// `.build()`.
///
/// # Example
/// let tool = from("scratch").write("/etc/motd", "hello\n").env("LANG", "C.UTF-8");
///
/// # Errors
/// `invalid` when `reference` is not an image reference.
#[api]
pub fn from(call: &Call, reference: String) -> Result<Builder> {
    let is_id =
        reference.starts_with("sha256:") || reference.len() >= 12 && reference.bytes().all(|b| b.is_ascii_hexdigit());
    if reference != "scratch" && !is_id {
        reference.parse::<Reference>()?;
    }
    let plan = BuildPlan { from: reference, context: call.session().folder().to_owned(), ..BuildPlan::default() };
    Ok(Builder { plan: Arc::new(plan) })
}

#[api]
impl Builder {
    /// What it starts from.
    #[get(column)]
    pub fn base(&self) -> String {
        self.plan.from.clone()
    }

    /// How many steps it has.
    #[get(column)]
    pub fn steps(&self) -> usize {
        self.plan.steps.len()
    }
}

impl Builder {
    /// The same with one more step.
    fn step(&self, step: BuildStep) -> Self {
        let mut plan = BuildPlan::clone(&self.plan);
        plan.steps.push(step);
        Self { plan: Arc::new(plan) }
    }
}

/// An image or a builder as something to copy from.
fn origin(value: &Dynamic) -> Option<CopyFrom> {
    if let Some(builder) = value.read_lock::<Builder>() {
        return Some(CopyFrom::Plan(builder.plan.clone()));
    }
    value.read_lock::<Image>().map(|image| CopyFrom::Image(image.reference().to_owned()))
}

/// A path inside the image: absolute, or below the working directory where that makes sense.
fn inside(path: &str) -> Result<String> {
    if path.is_empty() || path.contains('\0') {
        return Err(Error::invalid(format!("`{path}` is not a path inside the image")).hint("give it as `/path`"));
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::engine::{BuildSource, BuildStep};
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;
    use std::path::Path;

    #[test]
    fn nothing_is_built_before_the_end_and_a_step_leaves_its_builder_alone() {
        let engine = RecordingEngine::default();
        let script = r#"
            let base = from("scratch").host_program("/bin/sh");
            let one = base.write("/a", "text", #{ mode: 0o755 }).env("K", "v").expose(80);
            let two = base.sh("x && y").label(#{ a: "b" }).cmd("sh -l");
            print([base.steps, one.steps, two.steps]);
        "#;
        assert_eq!(engine.eval(script).unwrap(), "[1, 4, 4]");
        assert!(engine.with(|recording| recording.builds.is_empty()));
        engine.eval(&format!("{script} print(two.tag(\"t:1\").tags);")).unwrap();
        let spec = engine.with(|recording| recording.builds.remove(0));
        let BuildSource::Steps(plan) = spec.source else { panic!("{spec:?}") };
        assert_eq!(
            (plan.from.as_str(), spec.tags, plan.context.as_path()),
            ("scratch", vec!["t:1".to_owned()], Path::new("/scripts"))
        );
        let argv = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            plan.steps,
            [
                BuildStep::HostProgram { path: "/bin/sh".into(), to: None },
                BuildStep::Run {
                    argv: argv(&["/bin/sh", "-c", "x && y"]),
                    mounts: Vec::new(),
                    stages: Vec::new(),
                    network: None,
                },
                BuildStep::Labels([("a".to_owned(), "b".to_owned())].into()),
                BuildStep::Cmd(argv(&["sh", "-l"])),
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_refused_before_anything_is_built() {
        for (script, kind) in [
            (r#"from("UPPER")"#, ErrorKind::Invalid),
            (r#"from("a").copy("x", "/x", #{ from: 5 })"#, ErrorKind::Invalid),
            (r#"from("a").copy(from("b"), "/x", #{ from: "c" })"#, ErrorKind::Invalid),
            (r#"from("a").copy(5, "/x")"#, ErrorKind::Invalid),
            (r#"from("a").run("x", #{ mounts: 5 })"#, ErrorKind::Invalid),
            (r#"from("a").user("a b")"#, ErrorKind::Invalid),
            (r#"from("a").stop_signal("X")"#, ErrorKind::Invalid),
            (r#"from("a").expose("x")"#, ErrorKind::Invalid),
            (r#"from("a").write("", "x")"#, ErrorKind::Invalid),
            (r#"from("a").env("=x")"#, ErrorKind::Invalid),
            (r#"from("a").tag("not a name")"#, ErrorKind::Invalid),
        ] {
            let error = RecordingEngine::default().eval(script).expect_err(script);
            assert!(error.is(kind), "{script}: {error:?}");
        }
    }
}
