//! Commands that are scripts: `shanty ps` is `scripts/ps.rhai`, shipped or the user's.

use std::path::{Path, PathBuf};

/// The commands that are part of Shanty.
const SHIPPED: [(&str, &str); 12] = [
    ("backup", include_str!("../../scripts/backup.rhai")),
    ("check-store", include_str!("../../scripts/check-store.rhai")),
    ("cleanup", include_str!("../../scripts/cleanup.rhai")),
    ("events", include_str!("../../scripts/events.rhai")),
    ("images", include_str!("../../scripts/images.rhai")),
    ("info", include_str!("../../scripts/info.rhai")),
    ("networks", include_str!("../../scripts/networks.rhai")),
    ("ps", include_str!("../../scripts/ps.rhai")),
    ("recover", include_str!("../../scripts/recover.rhai")),
    ("stats", include_str!("../../scripts/stats.rhai")),
    ("top", include_str!("../../scripts/top.rhai")),
    ("volumes", include_str!("../../scripts/volumes.rhai")),
];

/// A script to run, and where it is from.
pub struct Script {
    /// Its text.
    pub text: String,
    /// Its canonical path, or `<ps>` for a shipped one.
    pub source: String,
    /// Folder that relative paths start from.
    pub folder: PathBuf,
}

impl Script {
    /// Whether it is a command that is part of Shanty.
    pub fn is_shipped(&self) -> bool {
        SHIPPED.iter().any(|(name, _)| self.source == format!("<{name}>"))
    }

    /// The comment at the start of a shipped command: what `--help` prints. Other scripts have arguments of their own.
    pub fn help(&self) -> Option<String> {
        if !self.is_shipped() {
            return None;
        }
        let lines = self.text.lines().map_while(|line| line.strip_prefix("//"));
        Some(lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n"))
    }
}

/// The script of a command: the user's own, else the shipped one.
pub fn find(name: &str) -> Option<Script> {
    let here = || std::env::current_dir().unwrap_or_else(|_| "/".into());
    if let Some(file) = user_folder().map(|folder| folder.join(name).with_extension("rhai"))
        && let Ok(text) = std::fs::read_to_string(&file)
    {
        return Some(Script { text, source: file.to_string_lossy().into_owned(), folder: here() });
    }
    let (_, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name)?;
    Some(Script { text: (*text).to_owned(), source: format!("<{name}>"), folder: here() })
}

/// The names of all commands that are scripts.
pub fn names() -> Vec<String> {
    let own = user_folder().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let own = own.filter_map(|entry| {
        let path = entry.path();
        let is_script = path.extension().is_some_and(|extension| extension == "rhai");
        path.file_stem().filter(|_| is_script).map(|stem| stem.to_string_lossy().into_owned())
    });
    let mut names: Vec<String> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).chain(own).collect();
    names.sort();
    names.dedup();
    names
}

/// `$XDG_CONFIG_HOME/shanty/scripts`, or below `~/.config`.
fn user_folder() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let config = config.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".config")))?;
    Some(config.join("shanty/scripts"))
}

#[cfg(test)]
mod tests {
    use super::{SHIPPED, find};
    use crate::context::Context;
    use crate::error::Error;
    use crate::runner;
    use crate::script::{Host, Settings};

    #[test]
    fn shipped_scripts_parse() {
        let settings = Settings {
            args: vec![],
            folder: "/".into(),
            open_engine: Box::new(|| Err(Error::unsupported("nothing runs here"))),
            print: Box::new(|_| Ok(())),
            warn: Box::new(|_| {}),
            context: Context::background(),
        };
        let host = Host::new(settings, true);
        for (name, text) in SHIPPED {
            let report = runner::check(&host, text, name);
            assert!(report.is_none(), "{}", report.map(|report| report.draw(false)).unwrap_or_default());
            let help = find(name).and_then(|script| script.help()).unwrap_or_default();
            assert!(help.contains(&format!("`shanty {name}")), "{name} says how it is called: {help}");
        }
    }
}
