//! Scripts on the engine for unit tests.

use super::recording_engine::RecordingEngine;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::script::binding::explain;
use crate::script::{Host, Settings};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

impl RecordingEngine {
    /// Runs a script; gives what it printed.
    pub fn eval(&self, script: &str) -> Result<String> {
        let engine = self.clone();
        let printed = Arc::new(Mutex::new(Vec::new()));
        let lines = printed.clone();
        let settings = Settings {
            args: vec![],
            folder: PathBuf::from("/scripts"),
            open_engine: Box::new(move || Ok(Arc::new(engine.clone()))),
            print: Box::new(move |line| {
                lines.lock().unwrap().push(line.to_owned());
                Ok(())
            }),
            warn: Box::new(|_| {}),
            context: Context::background(),
        };
        let result = Host::on_large_stack(|| {
            let host = Host::new(settings, true);
            let mut scope = rhai::Scope::new();
            let ast = host.compile(script, "test", &scope).map_err(|error| Error::invalid(error.to_string()))?;
            host.run(&ast, &mut scope).map(drop).map_err(|thrown| explain(&thrown))
        });
        result.unwrap()?;
        let printed = printed.lock().unwrap().join("\n");
        Ok(printed)
    }
}
