//! Git repositories, by the program `git` of this machine.

use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::privilege;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A repository as a source names it: `https://host/team/app.git#v1.2:docs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Where it is.
    pub address: String,
    /// Branch, tag or commit; `None`: what the server has as its head.
    pub reference: Option<String>,
    /// Folder in it.
    pub subfolder: Option<String>,
}

/// Whether a source is a git repository: by its scheme, or because its path ends with `.git`.
pub fn is_repository(source: &str) -> bool {
    let address = source.split('#').next().unwrap_or_default();
    if address.starts_with("git://") || address.starts_with("ssh://") {
        return true;
    }
    if super::is_http(address) {
        return address
            .split('?')
            .next()
            .is_some_and(|path| Path::new(path.trim_end_matches('/')).extension().is_some_and(|end| end == "git"));
    }
    // As scp has it: `git@host:team/app.git`.
    address.split_once('@').is_some_and(|(user, rest)| {
        !user.is_empty() && !user.contains('/') && rest.split_once(':').is_some_and(|(host, _)| !host.contains('/'))
    })
}

impl Repository {
    /// Reads it.
    pub fn parse(source: &str) -> Result<Self> {
        let (address, fragment) = source.split_once('#').unwrap_or((source, ""));
        let (reference, subfolder) = fragment.split_once(':').unwrap_or((fragment, ""));
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        if address.starts_with('-') || reference.starts_with('-') {
            return Err(Error::invalid(format!("`{source}` is not a git repository")));
        }
        Ok(Self { address: address.to_owned(), reference: given(reference), subfolder: given(subfolder) })
    }
}

/// Checks a repository out below a folder, and gives the place. Only what is needed is fetched.
///
/// # Errors
/// `unsupported` without `git`; `corrupt` when the commit is not `checksum`.
pub fn fetch(
    repository: &Repository,
    folder: &Path,
    keep_git: bool,
    checksum: Option<&str>,
    cx: &Context,
) -> Result<PathBuf> {
    let checkout = folder.join("checkout");
    std::fs::create_dir(&checkout).doing(|| format!("cannot make `{}`", checkout.display()))?;
    let reference = repository.reference.as_deref().unwrap_or("HEAD");
    let git = |arguments: &[&str]| run(&checkout, arguments, repository, cx);
    git(&["-c", "init.defaultBranch=main", "init", "-q"])?;
    git(&["remote", "add", "origin", &repository.address])?;
    if git(&["fetch", "-q", "--depth", "1", "origin", reference]).is_err() {
        // A server need not give a commit by its short name, nor alone.
        git(&["fetch", "-q", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"])?;
        let names = [reference.to_owned(), format!("refs/remotes/origin/{reference}")];
        let found = names.iter().find(|name| git(&["checkout", "-q", "--detach", name]).is_ok());
        if found.is_none() {
            let error =
                Error::not_found(format!("`{}` has no branch, tag or commit `{reference}`", repository.address));
            return Err(error);
        }
    } else {
        git(&["checkout", "-q", "--detach", "FETCH_HEAD"])?;
    }
    if let Some(expected) = checksum {
        let commit = git(&["rev-parse", "HEAD"])?;
        let commit = commit.trim();
        if expected.len() < 7 || !commit.starts_with(expected) {
            return Err(Error::corrupt(format!("`{}` is at commit `{commit}`, not `{expected}`", repository.address)));
        }
    }
    if checkout.join(".gitmodules").exists() {
        git(&["submodule", "-q", "update", "--init", "--recursive", "--depth", "1"])?;
    }
    if !keep_git {
        std::fs::remove_dir_all(checkout.join(".git")).doing(|| "cannot remove the folder `.git`")?;
    }
    Ok(checkout)
}

fn run(checkout: &Path, arguments: &[&str], repository: &Repository, cx: &Context) -> Result<String> {
    let mut command = privilege::program("git");
    command
        // A repository of the network does not reach files of this machine, nor run its own programs.
        .args(["-c", "protocol.file.allow=never", "-c", "protocol.ext.allow=never", "-c", "core.hooksPath=/dev/null"])
        .args(arguments)
        .current_dir(checkout)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CEILING_DIRECTORIES", checkout)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::unsupported("a git repository cannot be fetched: there is no program `git`")
                .hint("install it: `apt-get install git`")
        }
        _ => Error::new(ErrorKind::Io, format!("cannot run `git`: {error}")),
    })?;
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    let ended = crate::sys::pidfd::open(pid.as_raw()).doing(|| "cannot watch `git`")?;
    let output = std::thread::scope(|scope| {
        let waiting = scope.spawn(move || child.wait_with_output());
        if let Err(error) = cx.cancel.wait_readable(Some(ended.as_fd()), None) {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            return Err(error);
        }
        let output = waiting.join().map_err(|_| Error::new(ErrorKind::Io, "the thread that read `git` ended"))?;
        output.doing(|| "cannot read what `git` writes")
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim().to_owned();
    Err(Error::new(ErrorKind::Network, format!("cannot fetch `{}`: {said}", repository.address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_told_from_files() {
        for (source, expected) in [
            ("https://host/team/app.git", true),
            ("https://host/team/app.git#v1", true),
            ("https://host/team/app.git#v1:docs", true),
            ("git://host/app", true),
            ("ssh://git@host/app", true),
            ("git@host:team/app", true),
            ("https://host/app.tar.gz", false),
            ("app.git", false),
            ("dir/a@b:c", false),
            ("./git@host:x", false),
        ] {
            assert_eq!(is_repository(source), expected, "{source}");
        }
        let repository = Repository::parse("https://host/app.git#main:docs/x").unwrap();
        assert_eq!(
            (repository.address.as_str(), repository.reference.as_deref(), repository.subfolder.as_deref()),
            ("https://host/app.git", Some("main"), Some("docs/x"))
        );
        assert!(Repository::parse("--upload-pack=x").is_err());
        assert!(Repository::parse("git@host:x#--exec").is_err());
    }
}
