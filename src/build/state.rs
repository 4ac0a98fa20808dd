//! The image in the making: its config, its layers, and what they were made by.

use super::cache::{BuiltLayer, Made};
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
#[derive(Clone)]
pub struct State {
    /// The config as JSON, so that keys that we do not know stay in it.
    config: Value,
    /// The image that it begins with.
    parent: Option<Digest>,
    layers: Vec<BuiltLayer>,
    /// Whether a step has set `cmd`: a later `entrypoint` then leaves it.
    pub cmd_is_set: bool,
    /// Lines of the history that come from its base.
    inherited: usize,
    /// What each line of the history says beside what was done.
    comment: Option<&'static str>,
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
        Self { config, parent: None, layers: Vec::new(), cmd_is_set: false, inherited: 0, comment: None }
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
        let mut state =
            Self { config, parent: Some(id.clone()), layers, cmd_is_set: false, inherited: 0, comment: None };
        // When it is made again is no input: the same steps give the same image.
        state.object().remove("created");
        state.inherited = array_in(state.object(), "history").len();
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

    /// The same, to be read.
    pub fn raw_config(&self) -> &Value {
        self.config.get("config").unwrap_or(&Value::Null)
    }

    /// The value of an environment variable.
    pub fn variable(&self, name: &str) -> Option<String> {
        let lines = self.raw_config().get("Env")?.as_array()?;
        let mut pairs = lines.iter().filter_map(|line| line.as_str()?.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }

    /// What shell lines are given to.
    pub fn shell(&self) -> Vec<String> {
        let own = self.raw_config().get("Shell").and_then(|shell| serde_json::from_value(shell.clone()).ok());
        own.unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()])
    }

    /// Chain id of the topmost layer.
    pub fn chain(&self) -> Option<&Digest> {
        self.layers.last().map(|top| &top.layer.chain_id)
    }

    /// Folders of the layers, the topmost first.
    pub fn layer_folders(&self) -> Vec<PathBuf> {
        self.layers.iter().rev().map(|built| built.layer.folder().to_owned()).collect()
    }

    /// Says in every line of the history where it comes from.
    pub fn set_history_comment(&mut self, comment: &'static str) {
        self.comment = Some(comment);
    }

    /// Puts on top what a step came to, and writes the step down.
    pub fn push(&mut self, made: Made, created_by: &str) {
        let mut entry = json!({ "created_by": created_by });
        match made.layer {
            Some(layer) => self.push_layer(layer),
            None => entry["empty_layer"] = Value::Bool(true),
        }
        if self.comment.is_some() {
            entry["created"] = timestamp(made.created).into();
        }
        self.add_history(entry);
    }

    /// Writes a step down that has no part in the files.
    pub fn note(&mut self, created_by: &str) {
        self.add_history(json!({ "created_by": created_by, "empty_layer": true }));
    }

    fn add_history(&mut self, mut entry: Value) {
        if let Some(comment) = self.comment {
            entry["comment"] = comment.into();
        }
        array_in(self.object(), "history").push(entry);
    }

    /// Says when it was made: every new line of the history and the image. `None`: as BuildKit has it, a line without a layer is
    /// as old as the last one with one, so that an image that was found whole is the same again.
    pub fn set_times(&mut self, epoch: Option<i64>) {
        let inherited = self.inherited;
        let fixed = epoch.map(|seconds| timestamp(seconds.saturating_mul(1_000_000_000)));
        let history = array_in(self.object(), "history");
        let mut last =
            history[..inherited.min(history.len())].iter().rev().find_map(|entry| entry.get("created").cloned());
        let first_new = history.iter().skip(inherited).find_map(|entry| entry.get("created").cloned());
        last = first_new.or(last);
        for entry in history.iter_mut().skip(inherited) {
            if let Some(fixed) = &fixed {
                entry["created"] = fixed.as_str().into();
            } else if let Some(created) = entry.get("created") {
                last = Some(created.clone());
            } else if let Some(last) = &last {
                entry["created"] = last.clone();
            }
        }
        let created = fixed.map(Value::from).or_else(|| history.last().and_then(|entry| entry.get("created").cloned()));
        if let Some(created) = created {
            self.object().insert("created".to_owned(), created);
        }
    }

    /// Makes another image of it: a stage that begins with this one.
    pub fn as_base(&self) -> Self {
        Self { cmd_is_set: false, ..self.clone() }
    }

    /// Says who made it.
    pub fn set_author(&mut self, author: &str) {
        self.object().insert("author".to_owned(), author.into());
    }

    /// Takes the lines for builds of images that are made from this one.
    pub fn take_triggers(&mut self) -> Vec<String> {
        let triggers = self.run_config().remove("OnBuild").unwrap_or_default();
        serde_json::from_value(triggers).unwrap_or_default()
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
        let mut history = history;
        match built {
            Some(built) => self.push_layer(built),
            None => history["empty_layer"] = Value::Bool(true),
        }
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

    fn push_layer(&mut self, built: BuiltLayer) {
        let diff_id = Value::from(built.layer.info.diff_id.to_string());
        array_in(object_in(self.object(), "rootfs"), "diff_ids").push(diff_id);
        self.layers.push(built);
    }

    fn object(&mut self) -> &mut Map<String, Value> {
        as_object(&mut self.config)
    }
}

/// Nanoseconds since 1970 as text.
fn timestamp(nanoseconds: i64) -> String {
    jiff::Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default().to_string()
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
