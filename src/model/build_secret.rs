//! Where a secret of a build comes from.

use std::fmt;
use std::path::PathBuf;

/// The source of a secret. It is read when a step asks for it, and kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file of this machine.
    File(PathBuf),
    /// A variable of this process's environment.
    Env(String),
    /// The value itself.
    Value(Vec<u8>),
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
            Self::Env(name) => formatter.debug_tuple("Env").field(name).finish(),
            Self::Value(_) => formatter.write_str("Value(secret)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_shown() {
        assert_eq!(format!("{:?}", SecretSource::Value(b"hunter2".to_vec())), "Value(secret)");
        assert_eq!(format!("{:?}", SecretSource::Env("TOKEN".into())), "Env(\"TOKEN\")");
    }
}
