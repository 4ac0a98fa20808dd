//! The one test binary: a file a feature, `support` shared by all.
#![allow(missing_docs, clippy::unwrap_used, clippy::pedantic)]

mod architecture;
mod build;
mod cli;
mod crashes;
mod documentation;
mod events;
mod examples;
mod fixture_images;
mod hardening;
mod health;
mod hostile;
mod isolation;
mod layers;
mod lifecycle;
mod monitor;
mod network;
mod observe;
mod other_runtimes;
mod pause;
mod published;
mod pull;
mod registry;
mod registry_faults;
mod repl;
mod resources;
mod restart;
mod runtime;
mod script_cancel;
mod script_errors;
mod script_flow;
mod script_http;
mod script_modules;
mod store;
mod support;
mod update;
