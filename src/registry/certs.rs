//! Certificates for one registry, where Docker and Podman keep them: `certs.d/HOST:PORT/{*.crt,*.cert,*.key}`.

use crate::error::{Error, IoContext, Result};
use reqwest::{Certificate, Identity};
use std::fs;
use std::path::PathBuf;

/// Folders of the machine, the first one that has the registry counts.
const FOLDERS: [&str; 2] = ["/etc/containers/certs.d", "/etc/docker/certs.d"];
const FOLDER_OF_USER: &str = ".config/containers/certs.d";

/// What a registry's folder holds.
#[derive(Default)]
pub(super) struct Certs {
    pub(super) authorities: Vec<Certificate>,
    pub(super) identity: Option<Identity>,
}

impl Certs {
    /// Those for a host and port; `None` without a folder for them.
    pub(super) fn of(authority: &str) -> Result<Option<Self>> {
        // Docker Hub's API does not live under the name that people know.
        let names = [authority, "docker.io"];
        let names = if authority == "registry-1.docker.io" { &names[..] } else { &names[..1] };
        let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(FOLDER_OF_USER));
        let folders = home.into_iter().chain(FOLDERS.map(PathBuf::from));
        for folder in folders.flat_map(|folder| names.iter().map(move |name| folder.join(name))) {
            if folder.is_dir() {
                return Self::read(&folder).map(Some);
            }
        }
        Ok(None)
    }

    fn read(folder: &PathBuf) -> Result<Self> {
        let doing = || format!("cannot read certificates in `{}`", folder.display());
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).doing(doing)? {
            paths.push(entry.doing(doing)?.path());
        }
        paths.sort();
        let mut certs = Self::default();
        for path in paths {
            let bad = |what: &str| Error::invalid(format!("`{}` is no {what}", path.display()));
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => {
                    let pem = fs::read(&path).doing(doing)?;
                    let bundle = Certificate::from_pem_bundle(&pem).map_err(|_| bad("certificate"))?;
                    if bundle.is_empty() {
                        return Err(bad("certificate"));
                    }
                    certs.authorities.extend(bundle);
                }
                Some("cert") => {
                    let key = path.with_extension("key");
                    if !key.exists() {
                        return Err(Error::invalid(format!("`{}` lacks its key", path.display())).hint(format!(
                            "put it into `{}`; an authority's certificate ends in `.crt`",
                            key.display()
                        )));
                    }
                    let mut pem = fs::read(&path).doing(doing)?;
                    pem.push(b'\n');
                    pem.extend(fs::read(&key).doing(doing)?);
                    certs.identity = Some(Identity::from_pem(&pem).map_err(|_| bad("certificate with a key"))?);
                }
                _ => {}
            }
        }
        Ok(certs)
    }
}
