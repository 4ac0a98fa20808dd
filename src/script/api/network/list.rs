//! `networks()`.

use super::Network;
use crate::error::Result;
use crate::model::NetworkFilter;
use crate::script::api::values::Labels;
use crate::script::binding::{Call, Options, api};

/// Options of `networks`.
#[derive(Default, Options)]
pub struct NetworksOptions {
    /// Part of the name, or the beginning of the id.
    pub name: Option<String>,
    /// Labels that must be there: `"key"`, `"key=value"`, or several.
    #[option(alias = "labels")]
    pub label: Labels,
    /// `bridge`, `host` or `null`.
    pub driver: Option<String>,
    /// Only those that no container has (`true`), or one has (`false`).
    pub dangling: Option<bool>,
}

/// The networks that are here: the three that always are, then those that were made, the oldest first.
///
/// # Example (engine)
/// for n in networks(#{ dangling: true, label: "app=shop" }) { print(n.name) }
#[api]
pub fn networks(call: &Call, options: NetworksOptions) -> Result<Vec<Network>> {
    let NetworksOptions { name, label, driver, dangling } = options;
    let filter = NetworkFilter { name, labels: label.0, driver, dangling };
    let found = call.engine()?.networks(&call.context(), &filter)?;
    Ok(found.into_iter().map(|info| Network::new(info.name)).collect())
}
