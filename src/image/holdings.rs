//! All images with the layers and blobs that they share, in memory: what goes when some of them go.

use super::info::familiar;
use crate::error::Result;
use crate::model::{Digest, Reference};
use crate::store::Store;
use crate::store::rusqlite::Connection;
use std::collections::HashMap;

/// The images of a store, as they were at one moment.
pub struct Holdings {
    pub images: Vec<Held>,
    layers: Parts,
    blobs: Parts,
}

/// An image.
pub struct Held {
    pub id: Digest,
    /// Canonical names, in order.
    pub tags: Vec<String>,
    /// `repository@digest`, canonical, in order.
    pub digests: Vec<String>,
    pub size: u64,
    /// When it was built, or else came here.
    pub created: jiff::Timestamp,
    /// When it was pulled, built or named last, nanoseconds.
    pub touched: i64,
    pub touched_by: Option<String>,
    pub summary: Option<String>,
    pub parent: Option<usize>,
    /// Images here that were made from it, without those that were taken.
    pub children: usize,
    /// Ids of containers made from it.
    pub containers: Vec<String>,
    pub gone: bool,
    layers: Vec<usize>,
    blobs: Vec<usize>,
}

/// Layers or blobs, and how many have each.
#[derive(Clone, Default)]
struct Parts {
    by_digest: HashMap<String, usize>,
    /// As rows have it: of the files of a layer.
    bytes: Vec<u64>,
    /// What it takes on the disk.
    kept: Vec<u64>,
    users: Vec<u32>,
    /// The build cache has it too: it does not go with the last image.
    cached: Vec<bool>,
}

impl Parts {
    fn index(&mut self, digest: &str) -> usize {
        if let Some(index) = self.by_digest.get(digest) {
            return *index;
        }
        let index = self.bytes.len();
        self.by_digest.insert(digest.to_owned(), index);
        self.bytes.push(0);
        self.kept.push(0);
        self.users.push(0);
        self.cached.push(false);
        index
    }

    fn used(&self) -> u64 {
        self.kept.iter().zip(&self.users).filter(|(_, users)| **users > 0).map(|(bytes, _)| bytes).sum()
    }

    /// One less has it; bytes that go with the last one.
    fn let_go(&mut self, index: usize) -> u64 {
        self.users[index] -= 1;
        if self.users[index] == 0 && !self.cached[index] { self.kept[index] } else { 0 }
    }
}

impl Held {
    /// Names as people read them, digests without a name behind them.
    pub fn names(&self) -> Vec<String> {
        self.tags.iter().chain(&self.digests).map(|name| familiar(name)).collect()
    }

    /// Repositories that have it.
    pub fn repositories(&self) -> Vec<String> {
        let of = |name: &String| match name.split_once('@') {
            Some((repository, _)) => repository.to_owned(),
            None => name.parse::<Reference>().map_or_else(|_| name.clone(), |name| name.name()),
        };
        let mut repositories: Vec<_> = self.tags.iter().chain(&self.digests).map(of).collect();
        repositories.dedup();
        repositories
    }

    /// What changes when somebody names, pulls or builds it again.
    pub fn mark(&self) -> String {
        mark(self.touched, self.tags.iter().chain(&self.digests))
    }
}

/// See [`Held::mark`].
pub fn mark<'a>(touched: i64, names: impl Iterator<Item = &'a String>) -> String {
    names.fold(touched.to_string(), |mark, name| mark + " " + name.as_str())
}

impl Holdings {
    pub fn read(store: &Store) -> Result<Self> {
        let mut holdings = store.read(|db| {
            let transaction = db.unchecked_transaction()?;
            let holdings = Self::of(db)?;
            transaction.finish()?;
            Ok(holdings)
        })?;
        let blobs = &mut holdings.blobs;
        for (digest, index) in &blobs.by_digest {
            blobs.kept[*index] = store.blob_size(&digest.parse()?).unwrap_or(0);
        }
        let layers = &mut holdings.layers;
        for (chain, index) in &layers.by_digest {
            layers.kept[*index] = store.layer_bytes(&chain.parse()?, layers.bytes[*index]);
        }
        Ok(holdings)
    }

    fn of(db: &Connection) -> Result<Self> {
        let mut holdings = Self { images: Vec::new(), layers: Parts::default(), blobs: Parts::default() };
        let mut tags = grouped(db, "SELECT image, name FROM image_names ORDER BY name")?;
        let digests = "SELECT image, repository || '@' || digest FROM image_digests ORDER BY repository, digest";
        let mut digests = grouped(db, digests)?;
        let mut containers = grouped(db, "SELECT image_id, id FROM containers ORDER BY created")?;
        let mut statement = db.prepare(
            "SELECT id, manifest, size, ifnull(created, added), ifnull(touched, added), touched_by, summary, parent
             FROM images",
        )?;
        let (mut by_id, mut parents) = (HashMap::new(), Vec::new());
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id: String = row.get(0)?;
            by_id.insert(id.clone(), holdings.images.len());
            parents.push(row.get::<_, Option<String>>(7)?);
            let blobs = vec![holdings.blobs.index(&id), holdings.blobs.index(row.get_ref(1)?.as_str().unwrap_or(""))];
            holdings.images.push(Held {
                tags: tags.remove(&id).unwrap_or_default(),
                digests: digests.remove(&id).unwrap_or_default(),
                containers: containers.remove(&id).unwrap_or_default(),
                id: id.parse()?,
                size: row.get::<_, i64>(2)? as u64,
                created: jiff::Timestamp::from_nanosecond(row.get::<_, i64>(3)?.into()).unwrap_or_default(),
                touched: row.get(4)?,
                touched_by: row.get(5)?,
                summary: row.get(6)?,
                parent: None,
                children: 0,
                gone: false,
                layers: Vec::new(),
                blobs,
            });
        }
        for (index, parent) in parents.into_iter().enumerate() {
            let parent = parent.and_then(|parent| by_id.get(&parent).copied());
            holdings.images[index].parent = parent;
            if let Some(parent) = parent {
                holdings.images[parent].children += 1;
            }
        }
        holdings.read_parts(db, &by_id)?;
        Ok(holdings)
    }

    fn read_parts(&mut self, db: &Connection, by_id: &HashMap<String, usize>) -> Result<()> {
        let mut statement = db.prepare("SELECT chain_id, size FROM layers")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let index = self.layers.index(row.get_ref(0)?.as_str().unwrap_or(""));
            self.layers.bytes[index] = row.get::<_, i64>(1)? as u64;
        }
        let mut statement = db.prepare("SELECT image, chain_id, blob FROM image_layers")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Some(image) = by_id.get(row.get_ref(0)?.as_str().unwrap_or("")) else { continue };
            let image = &mut self.images[*image];
            image.layers.push(self.layers.index(row.get_ref(1)?.as_str().unwrap_or("")));
            image.blobs.push(self.blobs.index(row.get_ref(2)?.as_str().unwrap_or("")));
        }
        for image in &mut self.images {
            image.blobs.sort_unstable();
            image.blobs.dedup();
            image.layers.iter().for_each(|layer| self.layers.users[*layer] += 1);
            image.blobs.iter().for_each(|blob| self.blobs.users[*blob] += 1);
        }
        let mut statement = db.prepare("SELECT chain_id FROM held_layers")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let index = self.layers.index(row.get_ref(0)?.as_str().unwrap_or(""));
            self.layers.users[index] += 1;
        }
        let mut statement = db.prepare("SELECT chain_id, blob FROM build_cache WHERE chain_id IS NOT NULL")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let layer = self.layers.index(row.get_ref(0)?.as_str().unwrap_or(""));
            let blob = self.blobs.index(row.get_ref(1)?.as_str().unwrap_or(""));
            self.layers.cached[layer] = true;
            self.blobs.cached[blob] = true;
        }
        Ok(())
    }

    /// Takes an image out; gives the bytes that go with it.
    pub fn take(&mut self, index: usize) -> u64 {
        let image = &mut self.images[index];
        image.gone = true;
        let (layers, blobs) = (std::mem::take(&mut image.layers), std::mem::take(&mut image.blobs));
        if let Some(parent) = image.parent {
            self.images[parent].children -= 1;
        }
        let mut freed: u64 = blobs.into_iter().map(|blob| self.blobs.let_go(blob)).sum();
        for layer in layers {
            freed += self.layers.let_go(layer);
        }
        freed
    }

    /// Bytes of the layers of all images as they are kept, each counted once.
    pub fn layer_bytes(&self) -> u64 {
        self.layers.used()
    }

    /// Bytes of their blobs.
    pub fn blob_bytes(&self) -> u64 {
        self.blobs.used()
    }

    /// Bytes of the layers of an image that others have too.
    pub fn shared(&self, image: &Held) -> u64 {
        let shared = image.layers.iter().filter(|layer| self.layers.users[**layer] > 1);
        shared.map(|layer| self.layers.bytes[*layer]).sum()
    }
}

fn grouped(db: &Connection, sql: &str) -> Result<HashMap<String, Vec<String>>> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut groups: HashMap<String, Vec<String>> = HashMap::new();
    while let Some(row) = rows.next()? {
        groups.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(groups)
}
