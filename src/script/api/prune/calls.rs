//! `prune_images()`, `prune_containers()`, `prune_networks()`, `prune_volumes()` and `prune()`.

use super::PrunePlan;
use crate::error::{Error, Result};
use crate::model::{ImagePruneSpec, PruneSpec, VolumePruneSpec};
use crate::script::api::values::Labels;
use crate::script::binding::{Call, FromScript, Options, Refusal, Size, api};
use rhai::Dynamic;
use std::sync::Arc;

/// What all of them take.
#[derive(Default, Options)]
pub struct PruneFilter {
    /// Only what was made before this time, or longer ago: `"24h"`, `"2026-01-31"`.
    #[option(alias = "until")]
    pub older_than: Option<jiff::Timestamp>,
    /// Only what has these labels: `"key"`, `"key=value"`, or several.
    #[option(alias = "labels")]
    pub label: Labels,
    /// Not what has these labels, all of them.
    #[option(alias = "label!")]
    pub not_label: Labels,
    /// Only says what would go: a plan for `prune(plan)`.
    #[option(alias = "dry-run")]
    pub dry_run: bool,
}

/// Which images.
#[derive(Default, Options)]
pub struct PruneWhich {
    /// Also images with a name, not only dangling ones.
    pub all: bool,
    /// Also images with a name, but for so many of each repository: the newest ones.
    pub keep: Option<usize>,
    /// Also images with a name, those first that were pulled or built longest ago, until all images together take no more
    /// than this on the disk.
    #[option(alias = "to", alias = "keep_storage")]
    pub down_to: Option<Size>,
}

/// Options of `prune_images`.
#[derive(Default, Options)]
pub struct PruneImagesOptions {
    /// Which of them.
    #[option(flatten)]
    pub which: PruneWhich,
    /// What all of them take.
    #[option(flatten)]
    pub filter: PruneFilter,
}

/// Options of `prune_volumes`.
#[derive(Default, Options)]
pub struct PruneVolumesOptions {
    /// Also volumes with a name.
    pub all: bool,
    /// What all of them take.
    #[option(flatten)]
    pub filter: PruneFilter,
}

/// What stays of images or of the build cache.
#[derive(Clone, Copy, Debug)]
pub enum Keep {
    /// So many images of each repository.
    Images(usize),
    /// So many bytes of the build cache.
    BuildCache(u64),
}

impl FromScript for Keep {
    fn type_name() -> String {
        "a number of images or a size".to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        Size::accepts(value)
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if value.is_string() {
            Size::from_script(value).map(|size| Self::BuildCache(size.0))
        } else {
            usize::from_script(value).map(Self::Images)
        }
    }
}

/// Options of `prune`.
#[derive(Default, Options)]
pub struct PruneOptions {
    /// Also images with a name, not only dangling ones.
    pub all: bool,
    /// A number: also images with a name, but for so many of each repository, the newest ones. A size such as `"10g"`: of the
    /// build cache so much stays, what was used last.
    pub keep: Option<Keep>,
    /// Also images with a name, those first that were pulled or built longest ago, until all images together take no more
    /// than this on the disk.
    #[option(alias = "to", alias = "keep_storage")]
    pub down_to: Option<Size>,
    /// What all of them take.
    #[option(flatten)]
    pub filter: PruneFilter,
    /// Also anonymous volumes that no container has.
    pub volumes: bool,
    /// Also what builds keep to be faster; for it, `older_than` means its last use.
    pub build_cache: bool,
}

impl PruneWhich {
    fn spec(&self) -> ImagePruneSpec {
        ImagePruneSpec { all: self.all, keep: self.keep, down_to: self.down_to.map(|size| size.0) }
    }
}

impl PruneOptions {
    fn which(&self) -> PruneWhich {
        let keep = match self.keep {
            Some(Keep::Images(count)) => Some(count),
            _ => None,
        };
        PruneWhich { all: self.all, keep, down_to: self.down_to }
    }
}

impl PruneFilter {
    fn spec(self) -> PruneSpec {
        PruneSpec {
            older_than: self.older_than,
            labels: self.label.0,
            not_labels: self.not_label.0,
            ..PruneSpec::default()
        }
    }
}

/// Removes dangling images (without a name) that no container uses and nothing was made from; with `all`, `keep` or `down_to`
/// also those with a name. What another process that runs has pulled or built within the hour stays. Gives what went.
///
/// # Example (engine)
/// print(prune_images(#{ keep: 2, older_than: "24h", dry_run: true }));
/// prune_images(#{ down_to: "10g", label: "ci" });
///
/// # Errors
/// `invalid` for a size or time that is none.
#[api]
pub fn prune_images(call: &Call, options: PruneImagesOptions) -> Result<PrunePlan> {
    let dry_run = options.filter.dry_run;
    let spec = PruneSpec { images: Some(options.which.spec()), ..options.filter.spec() };
    clean_up(call, &spec, dry_run)
}

/// Removes containers that do not run, but for those of a scope of another script that runs. Gives what went.
///
/// # Example (engine)
/// print(prune_containers(#{ older_than: "1h", dry_run: true }));
///
/// # Errors
/// `invalid` for a time that is none.
#[api]
pub fn prune_containers(call: &Call, options: PruneFilter) -> Result<PrunePlan> {
    let dry_run = options.dry_run;
    clean_up(call, &PruneSpec { containers: true, ..options.spec() }, dry_run)
}

/// Removes networks that no container is in, running or not. Those of a scope of another script that runs are that script's to
/// remove. Gives what went.
///
/// # Example (engine)
/// print(prune_networks(#{ label: "ci", dry_run: true }));
///
/// # Errors
/// `invalid` for a time that is none.
#[api]
pub fn prune_networks(call: &Call, options: PruneFilter) -> Result<PrunePlan> {
    let dry_run = options.dry_run;
    clean_up(call, &PruneSpec { networks: true, ..options.spec() }, dry_run)
}

/// Removes anonymous volumes that no container has, running or not; with `all` also those with a name. Those of a scope of
/// another script that runs stay. Gives what went.
///
/// # Example (engine)
/// print(prune_volumes(#{ all: true, label: "ci", dry_run: true }));
///
/// # Errors
/// `invalid` for a time that is none.
#[api]
pub fn prune_volumes(call: &Call, options: PruneVolumesOptions) -> Result<PrunePlan> {
    let dry_run = options.filter.dry_run;
    let volumes = Some(VolumePruneSpec { all: options.all });
    clean_up(call, &PruneSpec { volumes, ..options.filter.spec() }, dry_run)
}

/// Removes containers that do not run, networks that no container is in then, images as `prune_images` does, and, if they are
/// asked for, anonymous volumes that no container has then, and the build cache with its cache mounts. Or carries out a plan, that and nothing else: what is used or has changed since then stays. Gives what went, and what stayed.
///
/// # Example (engine)
/// let plan = prune(#{ all: true, dry_run: true });
/// print(plan);
/// for stays in prune(plan).skipped { print(`${stays.id} ${stays.reason}`) }
///
/// # Errors
/// `invalid` for a plan that was carried out already, and for a size to `keep` without `build_cache`.
#[api]
pub fn prune(call: &Call, plan: Option<PrunePlan>, options: PruneOptions) -> Result<PrunePlan> {
    if let Some(plan) = plan {
        if options.filter.dry_run {
            return Err(Error::invalid("a plan is what `dry_run` gives").hint("print it, or leave `dry_run` out"));
        }
        return carry_out(call, &plan);
    }
    let (dry_run, which) = (options.filter.dry_run, options.which());
    if matches!(options.keep, Some(Keep::BuildCache(_))) && !options.build_cache {
        return Err(Error::invalid("`keep` is a size, which is for the build cache")
            .hint("add `build_cache: true`, or use `down_to` for images"));
    }
    let spec = PruneSpec {
        containers: true,
        networks: true,
        images: Some(which.spec()),
        build_cache: options.build_cache,
        build_cache_keep: match options.keep {
            Some(Keep::BuildCache(bytes)) => Some(bytes),
            _ => None,
        },
        volumes: options.volumes.then(VolumePruneSpec::default),
        ..options.filter.spec()
    };
    clean_up(call, &spec, dry_run)
}

fn clean_up(call: &Call, spec: &PruneSpec, dry_run: bool) -> Result<PrunePlan> {
    let plan = PrunePlan(Arc::new(call.engine()?.plan_prune(&call.context(), spec)?));
    if dry_run { Ok(plan) } else { carry_out(call, &plan) }
}

fn carry_out(call: &Call, plan: &PrunePlan) -> Result<PrunePlan> {
    call.engine()?.prune(&call.context(), &plan.0).map(|done| PrunePlan(Arc::new(done)))
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn a_plan_prints_as_a_table_and_is_carried_out_as_it_is() {
        let engine = RecordingEngine::default();
        let script = r#"
            let plan = prune(#{ all: true, build_cache: true, "until": "2026-01-31T00:00:00Z", "label!": "keep", dry_run: true });
            print(plan); print(plan.items[0].size);
            print(prune(plan));
        "#;
        let printed = engine.eval(script).unwrap();
        let lines: Vec<&str> = printed.lines().collect();
        assert!(
            lines[0].starts_with("KIND") && lines[1].contains("abababababab") && lines[1].contains("98MiB"),
            "{printed}"
        );
        assert_eq!(
            lines[2..],
            ["would free 98MiB", "102760448", "image `node:18` stays: container `web` uses it", "freed 0B"]
        );
        engine.with(|recording| {
            let plan = &recording.calls[0];
            for part in [
                "containers: true",
                "all: true",
                "build_cache: true",
                "2026-01-31T00:00:00Z",
                r#"not_labels: [("keep", "")]"#,
            ] {
                assert!(plan.contains(part), "{plan}");
            }
            assert_eq!(recording.calls[1..], ["prune 1 item"]);
        });
    }

    #[test]
    fn what_is_kept_is_a_number_of_images_or_a_size_of_the_build_cache() {
        let engine = RecordingEngine::default();
        let code = r#"prune(#{ keep: 2, dry_run: true }); prune(#{ build_cache: true, keep: "10g", dry_run: true })"#;
        engine.eval(code).unwrap();
        engine.with(|recording| {
            for (call, parts) in [
                (0, ["keep: Some(2)", "build_cache_keep: None"]),
                (1, ["keep: None", "build_cache_keep: Some(10737418240)"]),
            ] {
                assert!(parts.iter().all(|part| recording.calls[call].contains(part)), "{:?}", recording.calls);
            }
        });
        for code in [r#"prune(#{ keep: "10g" })"#, r#"prune(#{ build_cache: true, keep: "much" })"#] {
            assert!(engine.eval(code).expect_err(code).is(ErrorKind::Invalid));
        }
    }

    #[test]
    fn images_and_containers_are_pruned_alone() {
        let engine = RecordingEngine::default();
        engine.eval(r#"prune_images(#{ keep: 2, to: "10g", dry_run: true }); prune_containers(#{ label: "a=b", dry_run: true })"#).unwrap();
        engine.with(|recording| {
            assert!(recording.calls[0].contains("containers: false"), "{:?}", recording.calls);
            assert!(recording.calls[0].contains("keep: Some(2), down_to: Some(10737418240)"), "{:?}", recording.calls);
            assert!(recording.calls[1].contains("images: None") && recording.calls[1].contains(r#"("a", "b")"#));
            assert_eq!(recording.calls.len(), 2, "a dry run removes nothing");
        });
        assert!(engine.eval("prune_images(#{ keeep: 2 })").expect_err("no such option").is(ErrorKind::Invalid));
    }
}
