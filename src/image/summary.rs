//! What lists show of an image's config, kept in its row: reading ten thousand configs would take seconds.

use super::config::{MAX_CONFIG, parse_config};
use crate::error::{Error, Result};
use crate::model::{Digest, Platform};
use crate::store::Store;
use crate::store::rusqlite::{Connection, params};
use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The part of a config that [`crate::model::ImageInfo`] has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// When it was made.
    pub created: Option<jiff::Timestamp>,
    /// What it runs on.
    pub platform: Platform,
    /// Labels of the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `NAME=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// What is executed, after the entrypoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// What is executed first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Working directory; empty: `/`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workdir: String,
    /// As the image writes it; empty: root.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Such as `80/tcp`, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Of the uncompressed layers, the bottom one first.
    #[serde(with = "joined")]
    pub layers: Vec<Digest>,
}

/// Digests as the digits of all of them in one string: a list of ten thousand images is read in half the time.
mod joined {
    use super::Digest;
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;
    use std::fmt;

    const DIGITS: usize = 64;

    pub fn serialize<S: Serializer>(digests: &[Digest], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digests.iter().map(Digest::hex).collect::<String>())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Digest>, D::Error> {
        struct Joined;
        impl Visitor<'_> for Joined {
            type Value = Vec<Digest>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("digits of digests")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Vec<Digest>, E> {
                let parts = text.as_bytes().chunks(DIGITS).map(Digest::from_hex);
                parts.collect::<Option<_>>().ok_or_else(|| E::custom("these are no digests"))
            }
        }
        deserializer.deserialize_str(Joined)
    }
}

impl Summary {
    /// That of a config.
    pub fn of(config: &ImageConfiguration) -> Result<Self> {
        let run = config.config().clone().unwrap_or_default();
        Ok(Self {
            created: config.created().as_ref().and_then(|text| text.parse().ok()),
            platform: Platform {
                os: config.os().to_string(),
                architecture: config.architecture().to_string(),
                variant: config.variant().clone(),
            },
            labels: run.labels().clone().unwrap_or_default().into_iter().collect(),
            env: run.env().clone().unwrap_or_default(),
            cmd: run.cmd().clone().unwrap_or_default(),
            entrypoint: run.entrypoint().clone().unwrap_or_default(),
            workdir: run.working_dir().clone().unwrap_or_default(),
            user: run.user().clone().unwrap_or_default(),
            ports: sorted(run.exposed_ports().clone().unwrap_or_default()),
            layers: config.rootfs().diff_ids().iter().map(|diff_id| diff_id.parse()).collect::<Result<_>>()?,
        })
    }

    /// As it is kept.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::invalid(format!("the image cannot be described: {error}")))
    }

    /// From a row; `None` where there is none that can be read.
    pub fn from_json(text: Option<&str>) -> Option<Self> {
        text.and_then(|text| serde_json::from_str(text).ok())
    }

    /// Reads the config of an image that an older version stored, and keeps what it says.
    pub fn read(store: &Store, id: &Digest) -> Result<Self> {
        let summary = Self::of(&parse_config(&store.read_blob(id, MAX_CONFIG)?)?)?;
        let json = summary.to_json()?;
        store.write(|tx| {
            tx.execute("UPDATE images SET summary = ?2 WHERE id = ?1", params![id.to_string(), json])?;
            Ok(())
        })?;
        Ok(summary)
    }
}

/// Notes that this process has just pulled, built or named an image: others then leave it alone.
pub fn touch(db: &Connection, id: &str, named: bool) -> Result<()> {
    let now = jiff::Timestamp::now().as_nanosecond() as i64;
    let owner = crate::sys::process::ProcessIdentity::current()?;
    let owner = format!("{} {} {}", owner.boot_id, owner.pid, owner.start_time);
    db.prepare_cached(
        "UPDATE images SET touched = ?2, touched_by = ?3, tagged = CASE WHEN ?4 THEN ?2 ELSE tagged END WHERE id = ?1",
    )?
    .execute(params![id, now, owner, named])?;
    Ok(())
}

/// oci-spec reads them from a JSON object, whose order it loses.
fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}
