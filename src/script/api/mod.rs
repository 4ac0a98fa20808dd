//! What scripts can call: one file per idea, thin over the engine.

mod builder;
mod container;
mod help;
mod image;
mod live_output;
mod log_line;
mod output;
#[cfg(test)]
mod recording_engine;
mod result;
mod run_options;
mod shown;
mod system;
mod time;
mod values;
