//! The one test binary: a file a feature, `support` shared by all.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]

mod architecture;
mod build;
mod fixture_images;
mod layers;
mod network;
mod registry;
mod registry_faults;
mod runtime;
mod store;
mod support;
