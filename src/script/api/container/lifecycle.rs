//! `container.start()`, `.stop()`, `.restart()` and `.kill()`.

use super::Container;
use crate::error::Result;
use crate::model::signal;
use crate::script::api::values::SignalName;
use crate::script::binding::{Call, Options, api};
use std::time::Duration;

/// Options of `stop` and `restart`.
#[derive(Default, Options)]
pub struct StopOptions {
    /// Kills it when it still runs after this time: its own `stop_timeout`, or 10 s.
    #[option(alias = "time")]
    pub timeout: Option<Duration>,
}

#[api]
impl Container {
    /// Starts it, and returns once its program has been executed; succeeds when it runs already. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").start();
    ///
    /// # Errors
    /// `not_found`, `conflict` when a port is taken, `exit` when the program cannot be executed.
    pub fn start(&self, call: &Call) -> Result<Container> {
        call.engine()?.start(&call.context(), self.reference())?;
        Ok(Self::new(self.reference()))
    }

    /// Asks it to end with its stop signal, and kills it when it does not; succeeds when it has ended already. Gives
    /// the container.
    ///
    /// # Example (engine)
    /// container("web").stop(#{ timeout: "3s" });
    ///
    /// # Errors
    /// `not_found`.
    pub fn stop(&self, call: &Call, options: StopOptions) -> Result<Container> {
        call.engine()?.stop(&call.context(), self.reference(), options.timeout)?;
        Ok(Self::new(self.reference()))
    }

    /// Stops it and starts it again; one that does not run is started. Gives the container. Its events are those of
    /// `stop` and `start`, and `restart` behind them.
    ///
    /// # Example (engine)
    /// container("web").restart();
    ///
    /// # Errors
    /// Those of `stop` and `start`.
    pub fn restart(&self, call: &Call, options: StopOptions) -> Result<Container> {
        call.engine()?.restart(&call.context(), self.reference(), options.timeout)?;
        Ok(Self::new(self.reference()))
    }

    /// Sends a signal to its first process, KILL without an argument: `"TERM"`, `"SIGHUP"`, `9`. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").kill("HUP");
    ///
    /// # Errors
    /// `not_found`, `conflict` when it does not run, `invalid` for an unknown signal.
    pub fn kill(&self, call: &Call, signal: Option<SignalName>) -> Result<Container> {
        let signal = signal.map_or_else(|| "KILL".to_owned(), |SignalName(name)| name);
        signal::number(&signal)?;
        call.engine()?.kill(&call.context(), self.reference(), &signal)?;
        Ok(Self::new(self.reference()))
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn each_verb_is_one_call_and_gives_the_container() {
        let engine = RecordingEngine::default();
        let script = r#"
            let c = container("web");
            c.start().stop(#{ timeout: 3 }).restart();
            c.kill().kill("SIGHUP").kill(9).pause().unpause().remove(#{ force: true });
            keep(c);
            container("missing").remove(#{ missing_ok: true });
        "#;
        engine.eval(script).unwrap();
        let expected = [
            "start web",
            "stop web Some(3s)",
            "restart web None",
            "kill web KILL",
            "kill web SIGHUP",
            "kill web 9",
            "pause web",
            "unpause web",
            "remove web true false",
            "keep web",
            "remove missing false false",
        ];
        engine.with(|recording| assert_eq!(recording.calls, expected));
        assert!(engine.eval(r#"container("web").kill("NOPE")"#).expect_err("no such signal").is(ErrorKind::Invalid));
        assert!(engine.eval(r#"container("missing").remove()"#).expect_err("gone").is(ErrorKind::NotFound));
    }
}
