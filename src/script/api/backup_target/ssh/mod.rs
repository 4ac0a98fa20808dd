//! Another host over ssh: the `ssh` program with the user's configuration, and a POSIX shell on the other side.

mod download;
mod session;
mod upload;

pub use download::Download;
pub use upload::Upload;

use super::TargetOptions;
use super::item::Item;
use crate::context::Context;
use crate::error::Result;
use session::run;
use url::Url;

/// Whom to call, and how.
#[derive(Clone, Debug)]
pub struct Host {
    /// `user@host`.
    destination: String,
    port: Option<u16>,
    arguments: Vec<String>,
}

impl Host {
    /// Of a URL; `None` when there is none, or it would be taken for an option.
    pub fn of(url: &Url, options: &TargetOptions) -> Option<Self> {
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
        let user = url.username();
        if host.is_empty() || host.starts_with('-') || user.starts_with('-') {
            return None;
        }
        let destination = if user.is_empty() { host.to_owned() } else { format!("{user}@{host}") };
        Some(Self { destination, port: url.port(), arguments: options.ssh_args.clone() })
    }
}

/// The path of a URL: `/~/x` is `x` below the home of the user, where a session begins.
pub fn path(of_url: &str) -> String {
    match of_url.strip_prefix("/~") {
        Some("" | "/") => ".".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/').to_owned(),
        _ if of_url.is_empty() => "/".to_owned(),
        _ => of_url.to_owned(),
    }
}

/// The files in a folder.
pub fn list(host: &Host, folder: &str, cx: &Context) -> Result<Vec<Item>> {
    // GNU and busybox have -c, the BSDs -f.
    let script = r#"cd -- "$1" || exit 1
for file in * .[!.]*; do
    if [ -f "$file" ]; then
        stat -L -c '%s %Y %n' -- "$file" 2>/dev/null || stat -L -f '%z %m %N' -- "$file"
    fi
done"#;
    let listed = run(host, script, &[folder], cx, &format!("cannot list `{folder}` on {}", host.destination))?;
    let item = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let size = words.next()?.parse().ok()?;
        let modified = words.next()?.parse().ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        Some(Item { name: words.next()?.to_owned(), size, modified })
    };
    let items = listed.lines().filter_map(item);
    Ok(items.filter(|item| !upload::is_unfinished(&item.name)).collect())
}

/// Removes a file; fine when there is none.
pub fn remove(host: &Host, path: &str, cx: &Context) -> Result<()> {
    let doing = format!("cannot remove `{path}` on {}", host.destination);
    run(host, r#"rm -f -- "$1""#, &[path], cx, &doing).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_paths_of_urls() {
        let host = |url: &str| Host::of(&url.parse().unwrap(), &TargetOptions::default());
        let backup = host("ssh://me@backup.example:2222/srv").unwrap();
        assert_eq!((backup.destination.as_str(), backup.port), ("me@backup.example", Some(2222)));
        assert_eq!(host("ssh://[2001:db8::1]/srv").unwrap().destination, "2001:db8::1");
        assert!(host("ssh://-oProxyCommand=x/srv").is_none() && host("ssh://-l@host/srv").is_none());
        for (of_url, expected) in
            [("/srv/a", "/srv/a"), ("/~/a/b", "a/b"), ("/~", "."), ("", "/"), ("/~other/a", "/~other/a")]
        {
            assert_eq!(path(of_url), expected, "{of_url}");
        }
    }
}
