//! `image.containers()`.

use super::Image;
use crate::error::Result;
use crate::model::ContainerFilter;
use crate::script::api::container::Container;
use crate::script::binding::{Call, api};

#[api]
impl Image {
    /// The containers made from it, also those that do not run.
    ///
    /// # Example (engine)
    /// for c in image("node:18").containers() { print(c.name) }
    pub fn containers(&self, call: &Call) -> Result<Vec<Container>> {
        let filter =
            ContainerFilter { all: true, image: Some(self.reference().to_owned()), ..ContainerFilter::default() };
        let found = call.engine()?.containers(&call.context(), &filter)?;
        Ok(found.into_iter().map(|info| Container::new(info.id)).collect())
    }
}
