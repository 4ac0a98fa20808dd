//! Something that happened, before it has a time and a number.

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub(super) kind: &'static str,
    pub(super) action: String,
    pub(super) id: String,
    pub(super) attributes: Vec<(String, String)>,
}

impl Occurrence {
    /// Something that happened to a container; its labels are attributes, as in Docker.
    pub fn container<'a>(
        action: impl Into<String>,
        id: &str,
        name: &str,
        image: &str,
        labels: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Self {
        let labels = labels.into_iter().map(|(key, value)| (key.clone(), value.clone()));
        let occurrence = Self { attributes: labels.collect(), ..Self::of("container", action, id) };
        occurrence.with("image", image).with("name", name)
    }

    /// Something that happened to an image: for a pull its reference, else its id, stands for it.
    pub fn image(action: impl Into<String>, id: &str, name: &str) -> Self {
        Self::of("image", action, id).with("name", name)
    }

    /// Something that happened to a network.
    pub fn network(action: impl Into<String>, id: &str, name: &str, driver: &str) -> Self {
        Self::of("network", action, id).with("name", name).with("type", driver)
    }

    /// Something that happened to a volume.
    pub fn volume(action: impl Into<String>, name: &str) -> Self {
        Self::of("volume", action, name).with("driver", "local")
    }

    /// Things of this kind that nobody needed were removed, and so many bytes with them.
    pub fn prune(kind: &'static str, reclaimed: u64) -> Self {
        Self::of(kind, "prune", "").with("reclaimed", reclaimed)
    }

    fn of(kind: &'static str, action: impl Into<String>, id: &str) -> Self {
        Self { kind, action: action.into(), id: id.to_owned(), attributes: Vec::new() }
    }

    /// Adds what belongs to the action, such as `exitCode`. It wins over a label of that name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.attributes.retain(|(known, _)| known != name);
        self.attributes.push((name.to_owned(), value.to_string()));
        self
    }
}
