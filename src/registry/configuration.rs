//! `registries.conf`, version 2, of containers-registries.conf(5): mirrors, blocked registries and those without TLS.

use super::subject::{Access, Subject};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::Reference;
use serde::Deserialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const SYSTEM: &str = "/etc/containers/registries.conf";
const FILE_OF_USER: &str = ".config/containers/registries.conf";

/// What an administrator or user has said about registries.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    rules: Vec<Rule>,
}

/// About all names that start so.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Rule {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default, rename = "mirror")]
    mirrors: Vec<Mirror>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default, rename = "pull-from-mirror")]
    serves: Option<PullFrom>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum PullFrom {
    All,
    DigestOnly,
    TagOnly,
}

impl Configuration {
    /// `$CONTAINERS_REGISTRIES_CONF`, else `~/.config/containers/registries.conf`, else
    /// `/etc/containers/registries.conf`; then what the folders `registries.conf.d` beside the latter two add.
    ///
    /// # Errors
    /// `invalid` for a file that cannot be understood, the old version 1 among them.
    pub fn of_the_environment() -> Result<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let own = variable("HOME").map(|home| home.join(FILE_OF_USER));
        let mut configuration = Self::default();
        if let Some(path) = variable("CONTAINERS_REGISTRIES_CONF") {
            let text = fs::read_to_string(&path).doing(|| format!("cannot read `{}`", path.display()))?;
            configuration.add(&path, &text)?;
        } else {
            let own = own.clone().filter(|own| own.exists());
            configuration.add_file(&own.unwrap_or_else(|| SYSTEM.into()))?;
        }
        for file in [Some(PathBuf::from(SYSTEM)), own].into_iter().flatten() {
            configuration.add_folder(&file.with_extension("conf.d"))?;
        }
        Ok(configuration)
    }

    /// What a single file says; `path` is its name in errors.
    ///
    /// # Errors
    /// As [`Configuration::of_the_environment`].
    pub fn of_text(path: &Path, text: &str) -> Result<Self> {
        let mut configuration = Self::default();
        configuration.add(path, text)?;
        Ok(configuration)
    }

    /// Registry and repository of all places that an image is asked for at, one after the other.
    ///
    /// # Errors
    /// `denied` when the registry is blocked, `invalid` when the configuration leads nowhere.
    pub fn places(&self, reference: &Reference) -> Result<Vec<(String, String)>> {
        let sources = self.sources(reference)?;
        Ok(sources.into_iter().map(|source| (source.registry, source.repository)).collect())
    }

    fn add_folder(&mut self, folder: &Path) -> Result<()> {
        let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
        files.sort();
        files.iter().try_for_each(|path| self.add_file(path))
    }

    fn add_file(&mut self, path: &Path) -> Result<()> {
        match fs::read_to_string(path) {
            Ok(text) => self.add(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).doing(|| format!("cannot read `{}`", path.display())),
        }
    }

    /// What a file says; about the same prefix the later one counts.
    fn add(&mut self, path: &Path, text: &str) -> Result<()> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct File {
            #[serde(default, rename = "registry")]
            rules: Vec<Rule>,
            #[serde(default)]
            unqualified_search_registries: Vec<String>,
            aliases: Option<toml::Table>,
            registries: Option<toml::Value>,
        }
        let bad = |why: String| Error::invalid(format!("cannot use `{}`: {why}", path.display()));
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
            bad(format!("line {line}: {}", error.message()))
        })?;
        if file.registries.is_some() {
            return Err(bad("it is in version 1 of the format, which has been replaced".into())
                .hint("write it with `[[registry]]` tables: containers-registries.conf(5)"));
        }
        if !file.unqualified_search_registries.is_empty() || file.aliases.is_some() {
            let path = path.display();
            tracing::info!(%path, "names without a registry mean docker.io; search registries and aliases are not used");
        }
        for mut rule in file.rules {
            rule.check().map_err(bad)?;
            self.rules.retain(|other| other.prefix != rule.prefix);
            self.rules.push(rule);
        }
        Ok(())
    }

    /// Where to pull from, one after the other: the mirrors, and the registry itself last.
    pub(super) fn sources(&self, reference: &Reference) -> Result<Vec<Subject>> {
        let name = reference.name();
        let Some((rule, len)) = self.rule(&name) else { return Ok(vec![self.origin(reference)?]) };
        rule.check_allowed(&name)?;
        let by_digest = reference.digest().is_some();
        let rest = &name[len..];
        let mut sources = Vec::new();
        for mirror in rule.mirrors.iter().filter(|mirror| mirror.serves(by_digest, rule.mirror_by_digest_only)) {
            sources.push(subject(&format!("{}{rest}", mirror.location), mirror.insecure)?);
        }
        let origin = if rule.location.is_empty() { name.clone() } else { format!("{}{rest}", rule.location) };
        sources.push(subject(&origin, rule.insecure)?);
        Ok(sources)
    }

    /// The registry itself, under the name that people write: what is pushed goes there.
    pub(super) fn origin(&self, reference: &Reference) -> Result<Subject> {
        let name = reference.name();
        let rule = self.rule(&name).map(|(rule, _)| rule);
        rule.map_or(Ok(()), |rule| rule.check_allowed(&name))?;
        Ok(Subject {
            registry: reference.registry().to_owned(),
            repository: reference.repository().to_owned(),
            access: Access::Pull,
            insecure: rule.is_some_and(|rule| rule.insecure),
        })
    }

    /// A registry as a whole.
    pub(super) fn registry(&self, registry: &str, access: Access) -> Result<Subject> {
        let rule = self.rule(registry).map(|(rule, _)| rule);
        rule.map_or(Ok(()), |rule| rule.check_allowed(registry))?;
        let insecure = rule.is_some_and(|rule| rule.insecure);
        Ok(Subject { insecure, ..Subject::registry(registry, access) })
    }

    /// The rule with the longest prefix, and how much of the name that is.
    fn rule(&self, name: &str) -> Option<(&Rule, usize)> {
        let fitting = self.rules.iter().filter_map(|rule| Some((rule, rule.fits(name)?)));
        fitting.max_by_key(|(rule, _)| rule.prefix.len())
    }
}

impl Rule {
    /// Fills in what may be left out.
    fn check(&mut self) -> Result<(), String> {
        self.location = clean(&self.location)?;
        self.prefix = clean(&self.prefix)?;
        if self.prefix.is_empty() {
            self.prefix.clone_from(&self.location);
        }
        if self.prefix.is_empty() {
            return Err("a `[[registry]]` has neither `prefix` nor `location`".into());
        }
        let wildcard = self.prefix.starts_with("*.");
        if self.prefix.contains('*') && (!wildcard || self.prefix[2..].contains(['*', '/'])) {
            return Err(format!("`{}` is no prefix: only `*.example.com` stands for several", self.prefix));
        }
        if self.location.is_empty() && !wildcard {
            self.location.clone_from(&self.prefix);
        }
        for mirror in &mut self.mirrors {
            mirror.location = clean(&mirror.location)?;
            if mirror.location.is_empty() {
                return Err(format!("a mirror of `{}` has no `location`", self.prefix));
            }
            if self.mirror_by_digest_only && mirror.serves.is_some() {
                return Err(format!("`{}` has both `mirror-by-digest-only` and `pull-from-mirror`", self.prefix));
            }
        }
        Ok(())
    }

    /// How much of the name it covers, if it does.
    fn fits(&self, name: &str) -> Option<usize> {
        if let Some(domain) = self.prefix.strip_prefix('*') {
            let host = name.split('/').next().unwrap_or(name);
            let bare = host.split(':').next().unwrap_or(host);
            // `*.example.com:5000` means the port, too.
            let len = if domain.contains(':') { host.len() } else { bare.len() };
            return (host[..len].ends_with(domain) && len > domain.len()).then_some(len);
        }
        let rest = name.strip_prefix(&self.prefix)?;
        (rest.is_empty() || rest.starts_with(['/', ':'])).then_some(self.prefix.len())
    }

    fn check_allowed(&self, name: &str) -> Result<()> {
        if !self.blocked {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Denied, format!("`{name}` is blocked by the configuration of registries"))
            .hint(format!("see `{}` in `registries.conf`", self.prefix)))
    }
}

impl Mirror {
    fn serves(&self, by_digest: bool, by_digest_only: bool) -> bool {
        match self.serves {
            None => by_digest || !by_digest_only,
            Some(PullFrom::All) => true,
            Some(PullFrom::DigestOnly) => by_digest,
            Some(PullFrom::TagOnly) => !by_digest,
        }
    }
}

fn clean(location: &str) -> Result<String, String> {
    if location.contains("://") {
        return Err(format!("`{location}` starts with a scheme: write `host:port/path`"));
    }
    Ok(location.trim_end_matches('/').to_owned())
}

fn subject(name: &str, insecure: bool) -> Result<Subject> {
    let bad = || Error::invalid(format!("the configuration of registries leads to `{name}`, which is no repository"));
    let (registry, repository) = name.split_once('/').ok_or_else(bad)?;
    // Only what is a name of its own: it becomes part of a URL.
    if repository.contains([':', '@']) || name.parse::<Reference>().is_err() {
        return Err(bad());
    }
    let (registry, repository) = (registry.to_owned(), repository.to_owned());
    Ok(Subject { registry, repository, access: Access::Pull, insecure })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Configuration> {
        Configuration::of_text(Path::new("registries.conf"), text)
    }

    fn sources(text: &str, reference: &str) -> Vec<String> {
        let sources = read(text).unwrap().sources(&reference.parse().unwrap()).unwrap();
        let shown = |source: &Subject| {
            format!("{}/{}{}", source.registry, source.repository, if source.insecure { "!" } else { "" })
        };
        sources.iter().map(shown).collect()
    }

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn mirrors_come_first_and_names_are_rewritten() {
        let text = r#"
            unqualified-search-registries = ["quay.io"]
            [[registry]]
            location = "docker.io"
            [[registry.mirror]]
            location = "mirror.example:5000/hub/"
            insecure = true
            [[registry.mirror]]
            location = "digests.example"
            pull-from-mirror = "digest-only"
            [[registry]]
            prefix = "old.example/team"
            location = "new.example/people"
            insecure = true
            [[registry]]
            prefix = "*.cloud.example"
            [[registry.mirror]]
            location = "cache.example"
        "#;
        assert_eq!(sources(text, "node:18"), ["mirror.example:5000/hub/library/node!", "docker.io/library/node"]);
        assert_eq!(
            sources(text, &format!("node@sha256:{HEX}")),
            ["mirror.example:5000/hub/library/node!", "digests.example/library/node", "docker.io/library/node"]
        );
        assert_eq!(sources(text, "old.example/team/app"), ["new.example/people/app!"]);
        assert_eq!(sources(text, "old.example/teams/app"), ["old.example/teams/app"]);
        assert_eq!(sources(text, "a.b.cloud.example/x"), ["cache.example/x", "a.b.cloud.example/x"]);
        assert_eq!(sources(text, "cloud.example/x"), ["cloud.example/x"]);
    }

    #[test]
    fn the_longest_prefix_and_the_last_file_count() {
        let mut configuration =
            read("[[registry]]\nlocation = 'a.example'\nblocked = true\n[[registry]]\nlocation = 'a.example/free'")
                .unwrap();
        let blocked = |configuration: &Configuration, name: &str| {
            configuration.sources(&name.parse().unwrap()).err().is_some_and(|error| error.is(ErrorKind::Denied))
        };
        assert!(blocked(&configuration, "a.example/app") && !blocked(&configuration, "a.example/free/app"));
        configuration.add(Path::new("later"), "[[registry]]\nlocation = 'a.example'").unwrap();
        assert!(!blocked(&configuration, "a.example/app"));
    }

    #[test]
    fn a_place_that_is_no_name_is_refused_when_it_is_used() {
        for location in ["/x", "a b", "x.example/..", "x.example/y:t", "x.example/y@sha256:1", "x.example/Y", "x"] {
            let text = format!("[[registry]]\nprefix = 'docker.io/library/node'\nlocation = '{location}'");
            let error = read(&text).unwrap().places(&"node".parse().unwrap()).expect_err(location);
            assert!(error.is(ErrorKind::Invalid) && error.message().contains(location), "{error:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (text, words) in [
            ("[registries.search]\nregistries = ['docker.io']", "version 1"),
            ("\n\n[[registry]]\ninsecure = 3", "line 4"),
            ("[[registry]]\ninsecure = true", "neither"),
            ("[[registry]]\nlocation = 'https://a.example'", "scheme"),
            ("[[registry]]\nprefix = 'a.*.example'", "*.example.com"),
            (
                "[[registry]]\nlocation = 'a'\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'b'\npull-from-mirror = 'all'",
                "both",
            ),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.message().contains(words) && error.is(ErrorKind::Invalid), "{error:?}");
        }
    }
}
