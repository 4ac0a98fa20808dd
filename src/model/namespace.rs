//! Whose namespace a container is in: `host`, `private`, `container:web`.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Whose namespace it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamespaceMode {
    /// One of its own.
    #[default]
    Private,
    /// The host's.
    Host,
    /// One of its own, which others may join (IPC).
    Shareable,
    /// One of its own, without `/dev/shm` (IPC).
    None,
    /// That of another container, by name or id.
    Container(String),
}

impl NamespaceMode {
    /// Of processes: `host`, `private` or `container:NAME`.
    pub fn pid(text: &str) -> Result<Self> {
        Self::parse("pid", text, &[("host", Self::Host), ("private", Self::Private), ("", Self::Private)])
    }

    /// Of System V IPC, message queues and `/dev/shm`.
    pub fn ipc(text: &str) -> Result<Self> {
        let modes = [
            ("host", Self::Host),
            ("private", Self::Private),
            ("", Self::Private),
            ("shareable", Self::Shareable),
            ("none", Self::None),
        ];
        Self::parse("ipc", text, &modes)
    }

    fn parse(option: &str, text: &str, modes: &[(&str, Self)]) -> Result<Self> {
        if let Some((_, mode)) = modes.iter().find(|(name, _)| *name == text) {
            return Ok(mode.clone());
        }
        if let Some(name) = text.strip_prefix("container:").filter(|name| !name.is_empty()) {
            return Ok(Self::Container(name.to_owned()));
        }
        let names: Vec<String> =
            modes.iter().filter(|(name, _)| !name.is_empty()).map(|(name, _)| format!("`{name}`")).collect();
        Err(Error::invalid(format!("`{text}` is not a mode of `{option}`"))
            .hint(format!("it is one of {} and `container:NAME`", names.join(", "))))
    }

    /// The other container, if it is one's.
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::Container(name) => Some(name),
            _ => None,
        }
    }

    /// As it is written.
    pub fn text(&self) -> String {
        match self {
            Self::Private => "private".into(),
            Self::Host => "host".into(),
            Self::Shareable => "shareable".into(),
            Self::None => "none".into(),
            Self::Container(name) => format!("container:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_dockers_and_others_are_refused_with_the_list() {
        for text in ["host", "private", "container:web"] {
            assert_eq!(NamespaceMode::pid(text).unwrap().text(), text);
        }
        for text in ["host", "private", "shareable", "none", "container:web"] {
            assert_eq!(NamespaceMode::ipc(text).unwrap().text(), text);
        }
        for error in [NamespaceMode::pid("shareable"), NamespaceMode::pid("container:"), NamespaceMode::ipc("hosts")] {
            let error = error.unwrap_err();
            assert!(error.hint_text().is_some_and(|hint| hint.contains("`container:NAME`")), "{error:?}");
        }
    }
}
