//! What the tests share: a `shanty` of their own, fixture images, waiting for conditions.
//!
//! A test reads like what a user does:
//!
//! ```ignore
//! let layout = require!(fixture("busybox"));
//! let shanty = Shanty::new();
//! shanty.eval("print(1)").prints("1\n");
//! shanty.eval("container(`nobody`).start()").fails_with("not_found");
//! assert_eq!(shanty.json("containers()"), json!([]));
//! ```

pub mod busybox;
pub mod call;
pub mod caller;
pub mod deadly;
pub mod docker;
pub mod elsewhere;
pub mod fixtures;
pub mod hostile_tars;
pub mod leaks;
pub mod netns;
pub mod registry;
pub mod shanty;
pub mod steps;
pub mod terminal;
pub mod wait;

pub use crate::require;
pub use fixtures::{fixture_image, note_skip, program};
pub use leaks::{leaks, sweep};
pub use netns::Netns;
pub use shanty::Shanty;
pub use wait::{wait_for, wait_until};
