//! What is asked for, and the token scopes that it needs.

/// A repository of a registry, and what is to be done with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) registry: String,
    /// Empty for the registry itself.
    pub(super) repository: String,
    pub(super) access: Access,
    /// May be without TLS, or have a certificate of nobody known: the configuration says so.
    pub(super) insecure: bool,
}

/// What a token has to allow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Access {
    /// Reading.
    Pull,
    /// Reading and writing.
    Push,
    /// Writing, with blobs of another repository of the registry.
    Mount(String),
    /// The list of repositories.
    Catalog,
}

impl Subject {
    /// The registry as a whole.
    pub(super) fn registry(registry: &str, access: Access) -> Self {
        Self { registry: registry.to_owned(), repository: String::new(), access, insecure: false }
    }

    /// The same repository for another purpose.
    pub(super) fn to(&self, access: Access) -> Self {
        Self { access, ..self.clone() }
    }

    /// What to ask the token server for: what the registry says, and what we are about to do, which a challenge to the
    /// first of several requests does not know.
    pub(super) fn scope(&self, challenged: Option<&str>) -> Option<String> {
        let repository = &self.repository;
        let ours = match &self.access {
            Access::Catalog => vec!["registry:catalog:*".to_owned()],
            _ if repository.is_empty() => Vec::new(),
            Access::Pull => match challenged {
                Some(_) => Vec::new(),
                None => vec![format!("repository:{repository}:pull")],
            },
            Access::Push => vec![format!("repository:{repository}:pull,push")],
            Access::Mount(from) => {
                vec![format!("repository:{repository}:pull,push"), format!("repository:{from}:pull")]
            }
        };
        let resource = |scope: &str| scope.rsplit_once(':').map_or(scope, |(resource, _)| resource).to_owned();
        let known: Vec<String> = ours.iter().map(|scope| resource(scope)).collect();
        let theirs = challenged.into_iter().flat_map(str::split_ascii_whitespace);
        let theirs = theirs.filter(|scope| !known.contains(&resource(scope))).map(str::to_owned);
        let all: Vec<String> = ours.iter().cloned().chain(theirs).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_say_what_is_about_to_be_done() {
        let scope = |access: Access, challenged| {
            let subject = Subject { registry: "r".into(), repository: "team/app".into(), access, insecure: false };
            subject.scope(challenged).unwrap_or_default()
        };
        assert_eq!(scope(Access::Pull, None), "repository:team/app:pull");
        assert_eq!(scope(Access::Pull, Some("repository:other:pull x")), "repository:other:pull x");
        assert_eq!(scope(Access::Push, Some("repository:team/app:pull")), "repository:team/app:pull,push");
        assert_eq!(scope(Access::Push, Some("aws")), "repository:team/app:pull,push aws");
        let both = "repository:team/app:pull,push repository:base:pull";
        assert_eq!(scope(Access::Mount("base".into()), Some("repository:base:pull")), both);
        assert_eq!(Subject::registry("r", Access::Pull).scope(None), None);
        assert_eq!(Subject::registry("r", Access::Catalog).scope(None).unwrap(), "registry:catalog:*");
    }
}
