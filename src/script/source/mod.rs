//! The texts of scripts and modules: lexed again for spans, and kept to draw errors on.

mod catch;
mod lexer;

pub use catch::CAUGHT;
pub use lexer::{Lexeme, lex};

use rhai::{Engine, Position};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Every text that was compiled, by its source name: a path, `<eval>`, `<stdin>`, `std/…`.
#[derive(Clone, Default)]
pub struct Sources(Arc<RwLock<HashMap<String, Arc<Source>>>>);

/// One text.
pub struct Source {
    /// As its author wrote it.
    pub text: String,
    insertions: Vec<catch::Insertion>,
}

impl Source {
    /// Where a position of the compiled text is in the author's.
    pub fn original(&self, position: Position) -> Position {
        catch::original(position, &self.insertions)
    }
}

impl Sources {
    /// Keeps a text; gives what is to be compiled, which differs by the calls in `catch` blocks.
    pub fn add(&self, engine: &Engine, name: &str, text: &str) -> String {
        let (compiled, insertions) = catch::name_errors(engine, text);
        let source = Source { text: text.to_owned(), insertions };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::new(source));
        compiled
    }

    /// The text of this name.
    pub fn get(&self, name: &str) -> Option<Arc<Source>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}
