//! The values of options of builds in their several forms.

use crate::engine::{BuildOutput, NoCache, SecretSource};
use crate::error::{Error, Result};
use crate::script::api::image::Image;
use crate::script::api::values::{absolute, each, entries, host_value, items, script_value, text, text_or_refuse};
use crate::script::binding::Refusal;
use rhai::Dynamic;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Whether a context is fetched from elsewhere.
pub fn is_address(text: &str) -> bool {
    ["http://", "https://", "git://", "ssh://", "git@"].iter().any(|start| text.starts_with(start))
}

/// Values of `ARG`.
#[derive(Clone, Debug, Default)]
pub struct BuildArgs(Vec<(String, String)>);

script_value!(
    BuildArgs,
    "map or [\"NAME=value\"]",
    |value| value.is_map() || value.is_array() || value.is_string(),
    args
);

fn args(value: Dynamic) -> Result<BuildArgs, Refusal> {
    let of_environment = |name: &str| host_value(name).map(|value| (name.to_owned(), value));
    if value.is_map() {
        let one = |(name, value): (rhai::Identifier, Dynamic)| {
            let value = value.flatten();
            match text(&value) {
                Some(text) => Ok(Some((name.to_string(), text))),
                None if value.is_unit() => Ok(of_environment(&name)),
                None => Err(Refusal::wrong_type("string", &value).inside(&format!("argument `{name}`"))),
            }
        };
        let all: Vec<_> = entries(value).into_iter().map(one).collect::<Result<_, _>>()?;
        return Ok(BuildArgs(all.into_iter().flatten().collect()));
    }
    let all = each(items(value), |item| {
        let line = text_or_refuse(&item, "`NAME=value`")?;
        Ok(match line.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => of_environment(&line),
        })
    })?;
    Ok(BuildArgs(all.into_iter().flatten().collect()))
}

impl BuildArgs {
    /// By name.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0.into_iter().collect()
    }
}

/// What names mean.
#[derive(Clone, Debug, Default)]
pub struct Contexts(Vec<(String, String)>);

script_value!(Contexts, "map of names", |value| value.is_map(), contexts);

fn contexts(value: Dynamic) -> Result<Contexts, Refusal> {
    let one = |(name, value): (rhai::Identifier, Dynamic)| {
        let value = value.flatten();
        let image = value.read_lock::<Image>().map(|image| format!("docker-image://{}", image.reference()));
        let value = match image {
            Some(image) => image,
            None => text_or_refuse(&value, "a folder, an image or an address")
                .map_err(|refusal| refusal.inside(&format!("context `{name}`")))?,
        };
        Ok((name.to_string(), value))
    };
    entries(value).into_iter().map(one).collect::<Result<_, _>>().map(Contexts)
}

impl Contexts {
    /// By name, folders absolute.
    pub fn into_map(self, folder: &Path) -> BTreeMap<String, String> {
        let place = |value: String| {
            if value.starts_with("docker-image://") || is_address(&value) {
                value
            } else {
                absolute(folder, &value).display().to_string()
            }
        };
        self.0.into_iter().map(|(name, value)| (name, place(value))).collect()
    }
}

/// Secrets by id.
#[derive(Clone, Default)]
pub struct Secrets(Vec<(String, SecretSource)>);

script_value!(
    Secrets,
    "map or [\"id=name,src=path\"]",
    |value| value.is_map() || value.is_array() || value.is_string(),
    secrets
);

fn secrets(value: Dynamic) -> Result<Secrets, Refusal> {
    if value.is_map() {
        let one = |(id, value): (rhai::Identifier, Dynamic)| {
            let source = secret(value.flatten()).map_err(|refusal| refusal.inside(&format!("secret `{id}`")))?;
            Ok((id.to_string(), source))
        };
        return entries(value).into_iter().map(one).collect::<Result<_, _>>().map(Secrets);
    }
    each(items(value), |item| Ok(parse_secret(&text_or_refuse(&item, "`id=name,src=path`")?)?)).map(Secrets)
}

/// A path, or a map with `file`, `env` or `value`.
fn secret(value: Dynamic) -> Result<SecretSource, Refusal> {
    if value.is_string() {
        return Ok(SecretSource::File(value.to_string().into()));
    }
    let mut entries = entries(value.clone());
    let mut take = |names: &[&str]| names.iter().find_map(|name| entries.remove(*name));
    let (file, env, content) = (take(&["file", "src", "source"]), take(&["env"]), take(&["value"]));
    let wrong = || Refusal::wrong_type("a path, or a map with one of `file`, `env`, `value`", &value);
    let source = match (file, env, content) {
        (Some(file), None, None) => SecretSource::File(text_or_refuse(&file, "string")?.into()),
        (None, Some(env), None) => SecretSource::Env(text_or_refuse(&env, "string")?),
        (None, None, Some(content)) => match content.clone().try_cast::<rhai::Blob>() {
            Some(bytes) => SecretSource::Value(bytes),
            None => SecretSource::Value(text_or_refuse(&content, "string")?.into_bytes()),
        },
        _ => return Err(wrong()),
    };
    if entries.is_empty() { Ok(source) } else { Err(wrong()) }
}

/// Docker's short form: `id=npm,src=./token`, `id=npm,env=NPM_TOKEN`, `id=NPM_TOKEN`.
fn parse_secret(text: &str) -> Result<(String, SecretSource)> {
    let refused = |why: &str| {
        Error::invalid(format!("the secret `{text}` {why}"))
            .hint("write it as `id=npm,src=./token` or `id=npm,env=NPM_TOKEN`")
    };
    let (mut id, mut source) = (None, None);
    for part in text.split(',') {
        match part.split_once('=').ok_or_else(|| refused("has a part without `=`"))? {
            ("id", value) => id = Some(value.to_owned()),
            ("src" | "source", value) => source = Some(SecretSource::File(value.into())),
            ("env", value) => source = Some(SecretSource::Env(value.to_owned())),
            ("type", "file" | "env") => {}
            (key, _) => return Err(refused(&format!("has the unknown key `{key}`"))),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| refused("has no id"))?;
    let source = source.unwrap_or_else(|| SecretSource::Env(id.clone()));
    Ok((id, source))
}

impl Secrets {
    /// By id, paths absolute.
    pub fn into_sources(self, folder: &Path) -> BTreeMap<String, SecretSource> {
        let place = |source| match source {
            SecretSource::File(path) => SecretSource::File(absolute(folder, &path.to_string_lossy())),
            other => other,
        };
        self.0.into_iter().map(|(id, source)| (id, place(source))).collect()
    }
}

/// Sockets of agents by id.
#[derive(Clone, Debug, Default)]
pub struct Ssh(Vec<(String, Option<String>)>);

script_value!(
    Ssh,
    "bool, string, array or map",
    |value| value.is_bool() || value.is_string() || value.is_array() || value.is_map(),
    ssh
);

fn ssh(value: Dynamic) -> Result<Ssh, Refusal> {
    if let Ok(on) = value.as_bool() {
        return Ok(Ssh(on.then(|| ("default".to_owned(), None)).into_iter().collect()));
    }
    if value.is_map() {
        let one = |(id, value): (rhai::Identifier, Dynamic)| {
            Ok((id.to_string(), Some(text_or_refuse(&value.flatten(), "path of a socket")?)))
        };
        return entries(value).into_iter().map(one).collect::<Result<_, _>>().map(Ssh);
    }
    each(items(value), |item| {
        let text = text_or_refuse(&item, "`default` or `id=/path/of/socket`")?;
        Ok(match text.split_once('=') {
            Some((id, path)) => (id.to_owned(), Some(path.to_owned())),
            None => (text, None),
        })
    })
    .map(Ssh)
}

impl Ssh {
    /// By id; without a path that of the environment.
    pub fn into_sockets(self, folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
        let one = |(id, path): (String, Option<String>)| {
            let path = path.or_else(|| host_value("SSH_AUTH_SOCK").filter(|path| !path.is_empty()));
            let path = path.ok_or_else(|| {
                Error::invalid("there is no ssh agent: `SSH_AUTH_SOCK` is not set").hint(
                    "start one: `eval $(ssh-agent) && ssh-add`, or give its socket: `ssh: \"default=/path/of/socket\"`",
                )
            })?;
            Ok((id, absolute(folder, &path)))
        };
        self.0.into_iter().map(one).collect()
    }
}

/// What is done anew.
#[derive(Clone, Debug, Default)]
pub struct NoCacheOption(pub NoCache);

script_value!(
    NoCacheOption,
    "bool or names of stages",
    |value| value.is_bool() || value.is_string() || value.is_array(),
    no_cache
);

fn no_cache(value: Dynamic) -> Result<NoCacheOption, Refusal> {
    if let Ok(on) = value.as_bool() {
        return Ok(NoCacheOption(if on { NoCache::All } else { NoCache::Never }));
    }
    let stages = each(items(value), |item| text_or_refuse(&item, "name of a stage"))?;
    Ok(NoCacheOption(NoCache::Stages(stages)))
}

/// Where files go.
#[derive(Clone, Debug)]
pub struct OutputOption(String);

script_value!(OutputOption, "path", |value| value.is_string() || value.is_map(), output);

fn output(value: Dynamic) -> Result<OutputOption, Refusal> {
    if !value.is_map() {
        return text_or_refuse(&value, "path").map(OutputOption);
    }
    let one = |(key, value): (rhai::Identifier, Dynamic)| Ok(format!("{key}={}", text_or_refuse(&value, "string")?));
    let parts = entries(value).into_iter().map(one).collect::<Result<Vec<_>, Refusal>>()?;
    Ok(OutputOption(parts.join(",")))
}

impl OutputOption {
    /// A path that ends with `.tar` is a tar, any other a folder; or Docker's `type=local,dest=out`.
    pub fn into_output(self, folder: &Path) -> Result<BuildOutput> {
        let Self(text) = self;
        let (mut kind, mut target) = (None, None);
        if text.contains("dest=") || text.starts_with("type=") {
            for part in text.split(',') {
                match part.split_once('=') {
                    Some(("type", value)) => kind = Some(value.to_owned()),
                    Some(("dest", value)) => target = Some(value.to_owned()),
                    _ => return Err(Error::invalid(format!("`{part}` is no part of an output"))),
                }
            }
        } else {
            target = Some(text.clone());
        }
        let target = target.filter(|target| !target.is_empty());
        let target = target
            .ok_or_else(|| Error::invalid(format!("the output `{text}` has no path")).hint("`output: \"out\"`"))?;
        let is_tar = Path::new(&target).extension().is_some_and(|end| end.eq_ignore_ascii_case("tar"));
        let path = absolute(folder, &target);
        match kind.as_deref() {
            None if is_tar => Ok(BuildOutput::Tar(path)),
            Some("tar") => Ok(BuildOutput::Tar(path)),
            None | Some("local") => Ok(BuildOutput::Folder(path)),
            Some(other) => Err(Error::unsupported(format!("an output of the type `{other}` cannot be made"))
                .hint("it is `local` or `tar`; an image goes to a registry with `.push()` and into an archive with `.save(path)`")),
        }
    }
}

/// References of caches.
#[derive(Clone, Debug, Default)]
pub struct CacheReferences(pub Vec<String>);

script_value!(
    CacheReferences,
    "reference or array of them",
    |value| value.is_string() || value.is_array(),
    cache_references
);

fn cache_references(value: Dynamic) -> Result<CacheReferences, Refusal> {
    each(items(value), |item| Ok(parse_cache(&text_or_refuse(&item, "reference")?)?)).map(CacheReferences)
}

/// A reference, or Docker's `type=registry,ref=REF`.
fn parse_cache(text: &str) -> Result<String> {
    let mut reference = None;
    if text.contains('=') {
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("type", "registry") | ("mode", "min" | "max")) => {}
                Some(("ref", value)) => reference = Some(value.to_owned()),
                Some(("type", other)) => {
                    return Err(Error::unsupported(format!("a cache of the type `{other}` cannot be used"))
                        .hint("use one in a registry: `\"registry:5000/app:cache\"`"));
                }
                _ => {
                    return Err(
                        Error::invalid(format!("`{part}` is no part of a cache")).hint("`type=registry,ref=NAME`")
                    );
                }
            }
        }
    } else {
        reference = Some(text.to_owned());
    }
    let reference = reference.ok_or_else(|| Error::invalid(format!("the cache `{text}` has no `ref`")))?;
    reference.parse::<crate::model::Reference>()?;
    Ok(reference)
}
