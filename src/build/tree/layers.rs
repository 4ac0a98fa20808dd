//! Layers over each other as files to copy from.

use super::Entry;
use crate::archive::View;
use crate::archive::member::Path as Inside;
use crate::error::Result;
use crate::model::Digest;
use std::path::PathBuf;

/// Layers of an image or of a stage. Whoever makes it keeps them mounted.
pub struct LayersTree {
    chain: Option<Digest>,
    layers: Vec<PathBuf>,
    view: View,
}

impl LayersTree {
    /// Layers, the topmost first, and the chain id of the topmost.
    pub fn new(layers: Vec<PathBuf>, chain: Option<Digest>) -> Self {
        Self { chain, view: View::new(layers.clone()), layers }
    }

    /// The layers, the topmost first.
    pub fn layers(&self) -> &[PathBuf] {
        &self.layers
    }

    pub(super) fn chain(&self) -> Option<&Digest> {
        self.chain.as_ref()
    }

    pub(super) fn entry(&self, path: &Inside) -> Result<Option<Entry>> {
        Ok(self.view.look(path)?.map(|seen| Entry { host: seen.host, metadata: seen.metadata }))
    }

    pub(super) fn names(&self, path: &Inside) -> Result<Vec<Vec<u8>>> {
        Ok(self.view.names(path)?.into_iter().collect())
    }
}
