//! What scripts can call: one file per idea, thin over the engine.

mod help;
mod output;
mod time;
