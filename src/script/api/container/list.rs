//! `containers()`.

use super::Container;
use crate::error::{Error, Result};
use crate::model::{ContainerFilter, Status};
use crate::script::api::values::Labels;
use crate::script::binding::{Call, Options, api};

/// Options of `containers`.
#[derive(Default, Options)]
pub struct ContainersOptions {
    /// Also those that do not run.
    pub all: bool,
    /// Part of the name.
    pub name: Option<String>,
    /// Labels that must be there: `"key"`, `"key=value"`, or several.
    #[option(alias = "labels")]
    pub label: Labels,
    /// In this state: `"exited"`.
    pub status: Option<String>,
    /// Made from this image.
    #[option(alias = "ancestor")]
    pub image: Option<String>,
}

/// The containers that run, newest first; with `all: true` or a `status` also those that do not.
///
/// # Example (engine)
/// for c in containers(#{ all: true, label: "app=shop" }) { print(c.name) }
///
/// # Errors
/// `invalid` for an unknown status.
#[api]
pub fn containers(call: &Call, options: ContainersOptions) -> Result<Vec<Container>> {
    let filter = ContainerFilter {
        all: options.all || options.status.is_some(),
        name: options.name,
        labels: options.label.0,
        status: options.status.as_deref().map(status).transpose()?,
        image: options.image,
    };
    let found = call.engine()?.containers(&call.context(), &filter)?;
    Ok(found.into_iter().map(|info| Container::new(info.id)).collect())
}

fn status(name: &str) -> Result<Status> {
    Status::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Status::ALL.iter().map(|status| status.name()).collect();
        Error::invalid(format!("`{name}` is not a status")).hint(format!("it is one of {}", names.join(", ")))
    })
}
