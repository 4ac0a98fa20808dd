//! The circumstances that the current thread works under: `timeout`, `scope` and `parallel` nest them.

use crate::context::Context;
use std::cell::RefCell;

thread_local! {
    static STACK: RefCell<Vec<Context>> = const { RefCell::new(Vec::new()) };
}

/// The innermost context of this thread, if it runs a script.
pub fn current() -> Option<Context> {
    STACK.with_borrow(|stack| stack.last().cloned())
}

/// Looks at the innermost context without cloning it: this is on the path of every operation.
pub fn with_current<T>(look: impl FnOnce(Option<&Context>) -> T) -> T {
    STACK.with_borrow(|stack| look(stack.last()))
}

/// Makes `context` the innermost one of this thread until the guard is dropped.
pub fn enter(context: Context) -> Entered {
    STACK.with_borrow_mut(|stack| stack.push(context));
    Entered { on_this_thread: std::marker::PhantomData }
}

/// Leaves the context when it is dropped.
pub struct Entered {
    /// Not `Send`: it must be dropped where it was made.
    on_this_thread: std::marker::PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        STACK.with_borrow_mut(Vec::pop);
    }
}
