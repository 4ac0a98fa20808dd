//! `--mount` of `RUN`.

use super::directives::truth;
use super::nearest::nearest;
use crate::error::{Error, Result};
use crate::model::size;

/// What is mounted while a command runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// What kind it is.
    pub kind: MountKind,
    /// A stage or an image: where the source of a bind mount, or the first content of a cache is.
    pub from: Option<String>,
    /// Path in `from` or in the context.
    pub source: Option<String>,
    /// Where it is mounted.
    pub target: Option<String>,
    /// Nothing can be written. Unless it is said, bind mounts, secrets and ssh are.
    pub read_only: bool,
    /// Which cache, secret or agent.
    pub id: Option<String>,
    /// How builds use a cache at the same time.
    pub sharing: Option<Sharing>,
    /// It fails when the secret or the agent is not given.
    pub required: bool,
    /// Mode of a secret, a socket or a new cache.
    pub mode: Option<u32>,
    /// Owner of them.
    pub uid: Option<u32>,
    /// Group of them.
    pub gid: Option<u32>,
    /// Bytes of a tmpfs.
    pub size: Option<u64>,
    /// The environment variable that a secret is put in.
    pub env: Option<String>,
}

/// What kind of mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MountKind {
    /// Files of the context, a stage or an image.
    #[default]
    Bind,
    /// A folder that is there again in the next build.
    Cache,
    /// A folder in memory.
    Tmpfs,
    /// A file, or an environment variable, that no layer has.
    Secret,
    /// The socket of an ssh agent.
    Ssh,
}

/// How several builds use a cache at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// All of them write.
    Shared,
    /// Each has its own.
    Private,
    /// One after the other.
    Locked,
}

const KINDS: [(&str, MountKind); 5] = [
    ("bind", MountKind::Bind),
    ("cache", MountKind::Cache),
    ("tmpfs", MountKind::Tmpfs),
    ("secret", MountKind::Secret),
    ("ssh", MountKind::Ssh),
];
const SHARINGS: [(&str, Sharing); 3] =
    [("shared", Sharing::Shared), ("private", Sharing::Private), ("locked", Sharing::Locked)];
const KEYS: [&str; 18] = [
    "type",
    "from",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "readonly",
    "ro",
    "readwrite",
    "rw",
    "id",
    "sharing",
    "required",
    "mode",
    "uid",
    "gid",
    "size",
];

/// Reads the value of a `--mount`, without variables.
///
/// # Errors
/// `invalid` for unknown keys, and for what the type does not take.
pub fn parse(value: &str) -> Result<Mount> {
    read(value).map_err(|error| error.context(format!("`--mount={value}`")))
}

/// What can be said before the variables have values.
pub fn check(value: &str) -> Result<()> {
    if !value.contains('$') {
        return parse(value).map(|_| ());
    }
    let context = |error: Error| error.context(format!("`--mount={value}`"));
    for field in fields(value).map_err(context)? {
        // BuildKit knows which stages there are before it knows any values.
        if let Some((key, text)) = field.split_once('=')
            && key.eq_ignore_ascii_case("from")
            && text.contains('$')
        {
            return Err(context(
                Error::invalid("`from` takes no variables")
                    .hint("name a stage for it: `FROM $IMAGE AS name`, and use `from=name`"),
            ));
        }
    }
    Ok(())
}

fn read(value: &str) -> Result<Mount> {
    let mut mount = Mount::default();
    let mut read_only = None;
    let mut given = Vec::new();
    for field in fields(value)? {
        let (key, text) = match field.split_once('=') {
            Some((key, text)) => (key.to_ascii_lowercase(), Some(text.to_owned())),
            None => (field.to_ascii_lowercase(), None),
        };
        let needed = || {
            text.clone()
                .ok_or_else(|| Error::invalid(format!("`{field}` has no value")).hint(format!("write `{key}=VALUE`")))
        };
        let wrong = |text: &str| Error::invalid(format!("`{key}` cannot be `{text}`"));
        let switch = || match &text {
            None => Ok(true),
            Some(text) => truth(text).ok_or_else(|| wrong(text)),
        };
        let number = |radix| {
            let text = needed()?;
            u32::from_str_radix(&text, radix).map_err(|_| wrong(&text)).map(Some)
        };
        match key.as_str() {
            "type" => mount.kind = choice(&needed()?, &KINDS, &key)?,
            "from" => mount.from = Some(needed()?),
            "source" | "src" => mount.source = Some(needed()?),
            "target" | "dst" | "destination" => mount.target = Some(needed()?),
            "readonly" | "ro" => read_only = Some(switch()?),
            "readwrite" | "rw" => read_only = Some(!switch()?),
            "id" => mount.id = Some(needed()?),
            "sharing" => mount.sharing = Some(choice(&needed()?, &SHARINGS, &key)?),
            "required" => mount.required = switch()?,
            "mode" => mount.mode = number(8)?,
            "uid" => mount.uid = number(10)?,
            "gid" => mount.gid = number(10)?,
            "size" => mount.size = Some(size::parse(&needed()?)?),
            "env" => mount.env = Some(needed()?),
            _ => return Err(unknown(&key)),
        }
        given.push(key);
    }
    let kind = mount.kind;
    let is_file = matches!(kind, MountKind::Secret | MountKind::Ssh | MountKind::Cache);
    for key in &given {
        let fits = match key.as_str() {
            "mode" | "uid" | "gid" => is_file,
            "required" => matches!(kind, MountKind::Secret | MountKind::Ssh),
            "size" => kind == MountKind::Tmpfs,
            "sharing" => kind == MountKind::Cache,
            "env" => kind == MountKind::Secret,
            "from" => kind != MountKind::Secret,
            _ => true,
        };
        if !fits {
            return Err(Error::invalid(format!("`{key}` is not for mounts of this type")));
        }
    }
    if kind == MountKind::Secret {
        match (&mount.id, &mount.source) {
            (Some(_), Some(_)) => return Err(Error::invalid("a secret has an `id` or a `source`, not both")),
            (None, None) if mount.target.is_none() => {
                return Err(Error::invalid("it does not say which secret").hint("write `type=secret,id=NAME`"));
            }
            _ => {}
        }
    }
    mount.read_only = read_only.unwrap_or(!matches!(kind, MountKind::Cache | MountKind::Tmpfs));
    Ok(mount)
}

fn choice<T: Copy>(text: &str, choices: &[(&str, T)], key: &str) -> Result<T> {
    let lower = text.to_ascii_lowercase();
    choices.iter().find(|(name, _)| *name == lower).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Error::invalid(format!("`{key}` cannot be `{text}`")).hint(format!("it is one of {}", names.join(", ")))
    })
}

fn unknown(key: &str) -> Error {
    let error = Error::invalid(format!("a mount has no `{key}`"));
    match nearest(key, KEYS) {
        Some(known) => error.hint(format!("did you mean `{known}`?")),
        None => error,
    }
}

/// Fields between commas; one that begins with a quote may hold some (Go's `encoding/csv`).
fn fields(value: &str) -> Result<Vec<String>> {
    let wrong = || Error::invalid("a quote is out of place").hint("put a whole field into quotes: `\"source=a,b\"`");
    let mut fields = Vec::new();
    let mut chars = value.chars().peekable();
    loop {
        let mut field = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next().ok_or_else(wrong)? {
                    '"' if chars.next_if_eq(&'"').is_some() => field.push('"'),
                    '"' => break,
                    char => field.push(char),
                }
            }
        } else {
            while let Some(char) = chars.next_if(|char| *char != ',') {
                if char == '"' {
                    return Err(wrong());
                }
                field.push(char);
            }
        }
        fields.push(field);
        match chars.next() {
            Some(',') => {}
            None => return Ok(fields),
            Some(_) => return Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read() {
        let cache =
            parse("type=cache,target=/c,id=x,sharing=locked,uid=1000,gid=10,mode=0755,from=base,src=/a").unwrap();
        assert_eq!(
            cache,
            Mount {
                kind: MountKind::Cache,
                from: Some("base".into()),
                source: Some("/a".into()),
                target: Some("/c".into()),
                id: Some("x".into()),
                sharing: Some(Sharing::Locked),
                mode: Some(0o755),
                uid: Some(1000),
                gid: Some(10),
                ..Mount::default()
            }
        );
        for (value, kind, read_only) in [
            ("target=/x", MountKind::Bind, true),
            ("dst=/x,rw", MountKind::Bind, false),
            ("TYPE=bind,destination=/x,readwrite=true", MountKind::Bind, false),
            ("type=bind,target=/x,ro=false", MountKind::Bind, false),
            ("type=tmpfs,target=/x,size=10m", MountKind::Tmpfs, false),
            ("type=cache,target=/x,readonly", MountKind::Cache, true),
            ("type=secret,id=x,required,env=TOKEN", MountKind::Secret, true),
            ("type=ssh", MountKind::Ssh, true),
        ] {
            let mount = parse(value).unwrap();
            assert_eq!((mount.kind, mount.read_only), (kind, read_only), "{value}");
        }
        assert_eq!(parse("\"source=a,b\",\"target=/\"\"q\"").unwrap().source.as_deref(), Some("a,b"));
    }

    #[test]
    fn wrong_mounts_are_refused() {
        for value in [
            "type=what,target=/x",
            "target",
            "tagret=/x",
            "type=bind,target=/x,mode=0755",
            "type=bind,target=/x,required",
            "type=cache,target=/x,size=1m",
            "type=tmpfs,target=/x,sharing=locked",
            "type=cache,target=/x,sharing=all",
            "type=cache,target=/x,mode=9",
            "type=cache,target=/x,uid=-1",
            "type=secret",
            "type=secret,id=a,source=b",
            "type=secret,id=a,from=b",
            "type=bind,env=X",
            "target=/x,ro=maybe",
            "target=\"/x\"",
            "\"target=/x",
        ] {
            assert!(parse(value).is_err(), "{value}");
        }
        assert_eq!(parse("tagret=/x").unwrap_err().hint_text(), Some("did you mean `target`?"));
        assert!(check("type=cache,target=$HOME").is_ok() && check("type=$T").is_ok());
        assert!(check("type=bind,from=$STAGE").is_err() && check("target=/x,nope=1").is_err());
    }
}
