//! What scripts can call: one file per idea, thin over the engine.

mod assertions;
mod background;
mod backup_target;
mod build;
mod builder;
mod check_store;
mod container;
mod deadline;
mod events;
mod fs;
mod help;
mod host_command;
mod http;
mod image;
mod input_file;
mod json;
mod keep;
mod live_output;
mod log_line;
mod network;
mod output;
mod output_file;
mod parallel;
mod path;
mod process;
mod progress;
mod prune;
#[cfg(test)]
mod recorded_networks;
#[cfg(test)]
mod recorded_values;
#[cfg(test)]
mod recorded_volumes;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod recording_engine;
#[cfg(test)]
mod recording_eval;
mod registry;
mod repeat;
mod result;
mod run_options;
mod run_values;
mod scope;
mod shown;
mod system;
pub mod time;
mod values;
mod volume;
