//! What the engine for unit tests does with networks.

use super::recording_engine::RecordingEngine;
use crate::error::{Error, Result};
use crate::model::NetworkInfo;

impl RecordingEngine {
    pub(super) fn network_info(name: &str) -> NetworkInfo {
        NetworkInfo {
            id: "beef".repeat(16),
            name: name.to_owned(),
            driver: "bridge".to_owned(),
            subnets: vec!["10.5.0.0/16".to_owned()],
            gateways: vec!["10.5.0.1".to_owned()],
            internal: false,
            ipv6: false,
            labels: [("app".to_owned(), "shop".to_owned())].into(),
            created: Some(jiff::Timestamp::UNIX_EPOCH),
            containers: vec!["web".to_owned()],
        }
    }

    pub(super) fn found_network(name: &str) -> Result<NetworkInfo> {
        if name == "missing" { Err(Error::not_found("no such network")) } else { Ok(Self::network_info(name)) }
    }

    pub(super) fn inspected_network(name: &str) -> serde_json::Value {
        serde_json::json!({ "Name": name, "IPAM": { "Config": [] } })
    }
}
