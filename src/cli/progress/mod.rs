//! Progress for a person: drawn on a terminal, or as lines where there is none. Always on standard error.

mod bars;
mod output_lines;
mod plain;
mod steps;

pub use bars::Bars;
pub use plain::Plain;
