//! Telling a person how far it is: `progress`, `log`.

use crate::context::ProgressItem;
use crate::error::Result;
use crate::script::binding::{Call, Object, api, display};
use rhai::Dynamic;
use std::sync::{Arc, Mutex, PoisonError};

/// Something in progress, shown on a terminal until `.done()`.
#[derive(Clone, Object)]
#[object(name = "Progress")]
pub struct Shown(Arc<Mutex<Option<Box<dyn ProgressItem>>>>);

/// Shows on the terminal that something takes long; `total` in bytes, where known.
///
/// # Example
/// let p = progress("copying");
/// p.phase("the second half");
/// p.done();
#[api]
pub fn progress(call: &Call, title: String, total: Option<u64>) -> Shown {
    Shown(Arc::new(Mutex::new(Some(call.context().progress.start(&title, total)))))
}

#[api]
impl Shown {
    /// So many more bytes are done.
    pub fn advance(&self, bytes: u64) {
        if let Some(item) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            item.advance(bytes);
        }
    }

    /// What is being done now.
    pub fn phase(&self, text: String) {
        if let Some(item) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            item.phase(&text);
        }
    }

    /// It is done: takes it off the terminal.
    pub fn done(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Writes a value with the time to standard error.
///
/// # Example
/// log("starting");
#[api]
pub fn log(call: &Call, value: Dynamic) {
    let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
    call.session().warn(&format!("{time} {}", display(&value, call)));
}
