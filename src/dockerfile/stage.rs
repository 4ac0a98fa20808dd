//! A stage: `FROM` and what follows it.

use super::flags::Flags;
use super::instruction::{Instruction, Span};
use super::lines::Line;
use super::words::fields;
use crate::error::{Error, Result};

/// A stage of a Dockerfile.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// What it is called after `AS`, in lower case.
    pub name: Option<String>,
    /// What it begins with.
    pub from: From,
    /// Where its `FROM` is.
    pub span: Span,
    /// Its `FROM` on one line.
    pub source: String,
    /// `FROM`, `AS` and the name as they are written.
    pub written: Written,
    /// The comments right above.
    pub comments: Vec<String>,
    /// What follows the `FROM`.
    pub instructions: Vec<Instruction>,
}

/// What a stage begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// An image, an earlier stage, or `scratch`; with its variables.
    pub image: String,
    /// `--platform`, with its variables.
    pub platform: Option<String>,
}

/// The words of a `FROM` in the case that they have in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `FROM`.
    pub from: String,
    /// `AS` and the name.
    pub name: Option<(String, String)>,
}

/// Reads a `FROM`.
pub fn read(line: &Line) -> Result<Stage> {
    let (mut flags, rest) = Flags::split(&line.arguments);
    let platform = flags.text("platform")?;
    flags.finish("FROM", &["platform"])?;
    let words = fields(&rest);
    let (image, name) = match &words[..] {
        [image] => (image, None),
        [image, word, name] if word.eq_ignore_ascii_case("as") => (image, Some((word.clone(), name.clone()))),
        [] => return Err(Error::invalid("FROM needs an image").hint("write `FROM IMAGE` or `FROM IMAGE AS NAME`")),
        _ => {
            return Err(Error::invalid("FROM takes an image, or an image, `AS` and a name")
                .hint("write `FROM IMAGE` or `FROM IMAGE AS NAME`"));
        }
    };
    if let Some((_, name)) = &name
        && !is_name(&name.to_lowercase())
    {
        return Err(Error::invalid(format!("`{name}` cannot be the name of a stage"))
            .hint("begin it with a letter; digits, `-`, `_` and `.` may follow"));
    }
    Ok(Stage {
        name: name.as_ref().map(|(_, name)| name.to_lowercase()),
        from: From { image: image.clone(), platform },
        span: line.span,
        source: line.source(),
        written: Written { from: line.keyword.clone(), name },
        comments: line.comments.clone(),
        instructions: Vec::new(),
    })
}

fn is_name(name: &str) -> bool {
    name.starts_with(|char: char| char.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte))
}
