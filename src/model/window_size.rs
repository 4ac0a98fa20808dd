//! The size of a terminal.

use serde::{Deserialize, Serialize};

/// Rows and columns of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub columns: u16,
}

impl WindowSize {
    /// Of a terminal that nobody looks at: what programs expect of one.
    pub const USUAL: Self = Self { rows: 24, columns: 80 };
}
