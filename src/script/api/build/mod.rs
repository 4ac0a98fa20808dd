//! `build()`: an image from a Dockerfile; and what it shares with builders.

mod call;
mod options;
mod outcome;
mod values;

pub use options::BuildOptions;
pub use outcome::image_of;
