//! The image in the making: its config, its layers, and what they were made by.

use super::cache::{self, BuiltLayer};
use super::layer;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{self, CommittedLayer, MAX_CONFIG, NewImage};
use crate::model::{Descriptor, Digest, Platform, Reference};
use crate::store::{Content, Store};
use oci_spec::image::ImageConfiguration;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::path::PathBuf;

/// An image in the making.
pub struct State {
    /// The config as JSON, so that keys that we do not know stay in it.
    config: Value,
    /// The image that it begins with.
    parent: Option<Digest>,
    layers: Vec<BuiltLayer>,
    /// Whether a step has set `cmd`: a later `entrypoint` then leaves it.
    pub cmd_is_set: bool,
    /// What was made, not found, with its cache key and what the step is.
    pub fresh: Vec<(String, String, BuiltLayer)>,
}

impl State {
    /// Nothing yet, for this platform.
    pub fn scratch(platform: &Platform) -> Self {
        let mut config = json!({
            "architecture": platform.architecture,
            "os": platform.os,
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [] },
            "history": [],
        });
        if let Some(variant) = &platform.variant {
            config["variant"] = variant.as_str().into();
        }
        Self { config, parent: None, layers: Vec::new(), cmd_is_set: false, fresh: Vec::new() }
    }

    /// What an image of the store has.
    pub fn from_image(store: &Store, id: &Digest) -> Result<Self> {
        #[derive(Deserialize)]
        struct Manifest {
            layers: Vec<Descriptor>,
        }
        let info = image::info(store, id)?;
        let unreadable =
            |error: serde_json::Error| Error::corrupt(format!("image `{}` cannot be read: {error}", id.short()));
        let config: Value = serde_json::from_slice(&store.read_blob(id, MAX_CONFIG)?).map_err(unreadable)?;
        let manifest: Manifest =
            serde_json::from_slice(&store.read_blob(&info.digest, MAX_CONFIG)?).map_err(unreadable)?;
        let mut layers: Vec<BuiltLayer> = Vec::new();
        for (diff_id, blob) in info.layers.iter().zip(manifest.layers) {
            let chain_id = crate::store::chain_id(layers.last().map(|below| &below.layer.chain_id), diff_id);
            let layer = store.layer(&chain_id)?.ok_or_else(|| {
                Error::new(ErrorKind::Conflict, format!("image `{}` was removed meanwhile", id.short()))
            })?;
            layers.push(BuiltLayer { layer, blob });
        }
        let mut state = Self { config, parent: Some(id.clone()), layers, cmd_is_set: false, fresh: Vec::new() };
        // When it is made again is no input: the same steps give the same image.
        state.object().remove("created");
        Ok(state)
    }

    /// The config so far.
    pub fn config(&self) -> Result<ImageConfiguration> {
        serde_json::from_value(self.config.clone())
            .map_err(|error| Error::corrupt(format!("the image's config cannot be read: {error}")))
    }

    /// Its `config` object: how a container is run.
    pub fn run_config(&mut self) -> &mut Map<String, Value> {
        object_in(self.object(), "config")
    }

    /// Chain id of the topmost layer.
    pub fn chain(&self) -> Option<&Digest> {
        self.layers.last().map(|top| &top.layer.chain_id)
    }

    /// Folders of the layers, the topmost first.
    pub fn layer_folders(&self) -> Vec<PathBuf> {
        self.layers.iter().rev().map(|built| built.layer.folder().to_owned()).collect()
    }

    /// Puts a layer on top: what the key made before, or what `write` writes.
    pub fn add_layer(
        &mut self,
        content: &Content<'_>,
        key: String,
        text: &str,
        cx: &Context,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        let built = if let Some(built) = cache::look_up(content, &key, cx)? {
            built
        } else {
            let built = layer::from_tar(content, self.chain(), cx, write)?;
            self.fresh.push((key, text.to_owned(), built.clone()));
            built
        };
        self.push(built, text);
        Ok(())
    }

    /// Puts a layer on top that `write` writes; `written` is called as soon as nothing more is read.
    pub fn add_new_layer(
        &mut self,
        content: &Content<'_>,
        history: Value,
        cx: &Context,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
        written: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let built = layer::from_tar(content, self.chain(), cx, |output| {
            write(output)?;
            written()
        })?;
        self.push_layer(built);
        array_in(self.object(), "history").push(history);
        Ok(())
    }

    /// Says when it was made, and by whom.
    pub fn set_creation(&mut self, created: &str, author: Option<&str>) {
        self.object().insert("created".to_owned(), created.into());
        if let Some(author) = author {
            self.object().insert("author".to_owned(), author.into());
        }
    }

    /// Says what it is.
    pub fn set_comment(&mut self, comment: &str) {
        self.object().insert("comment".to_owned(), comment.into());
    }

    /// Adds a line for the builds of images that are made from this one.
    pub fn add_trigger(&mut self, line: String) {
        array_in(self.run_config(), "OnBuild").push(line.into());
    }

    /// Puts an archive on top as it is.
    pub fn add_archive(
        &mut self,
        content: &Content<'_>,
        source: impl Read + Send,
        history: Value,
        cx: &Context,
    ) -> Result<()> {
        let built = layer::from_archive(content, self.chain(), source, cx)?;
        self.push_layer(built);
        array_in(self.object(), "history").push(history);
        Ok(())
    }

    /// Writes a step down.
    pub fn note(&mut self, text: &str, empty_layer: bool) {
        let mut entry = json!({ "created_by": text });
        if empty_layer {
            entry["empty_layer"] = Value::Bool(true);
        }
        array_in(self.object(), "history").push(entry);
    }

    /// Stores config and manifest, and makes the image last. Gives its id.
    pub fn commit(&self, content: &Content<'_>, names: &[Reference]) -> Result<Digest> {
        let config_bytes = self.config.to_string().into_bytes();
        let config = content.put_blob(&config_bytes)?;
        let blobs: Vec<Descriptor> = self.layers.iter().map(|built| built.blob.clone()).collect();
        let manifest = content.put_blob(&image::write_manifest(&config, config_bytes.len() as u64, &blobs))?;
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|built| CommittedLayer { layer: built.layer.clone(), blob: built.blob.digest.clone() })
            .collect();
        let new = NewImage { manifest, config, layers: &layers, names, digests: &[] };
        image::commit_child(content, &new, self.parent.as_ref())
    }

    fn push(&mut self, built: BuiltLayer, text: &str) {
        self.push_layer(built);
        self.note(text, false);
    }

    fn push_layer(&mut self, built: BuiltLayer) {
        let diff_id = Value::from(built.layer.info.diff_id.to_string());
        array_in(object_in(self.object(), "rootfs"), "diff_ids").push(diff_id);
        self.layers.push(built);
    }

    fn object(&mut self) -> &mut Map<String, Value> {
        as_object(&mut self.config)
    }
}

fn object_in<'a>(object: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    as_object(object.entry(key).or_insert(Value::Null))
}

fn array_in<'a>(object: &'a mut Map<String, Value>, key: &str) -> &'a mut Vec<Value> {
    let value = object.entry(key).or_insert(Value::Null);
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    value.as_array_mut().expect("made an array above")
}

fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made an object above")
}
