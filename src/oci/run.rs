//! `run`: create, start, and wait for the end.

use super::arguments::{Options, Run};
use super::create::{self, Created};
use super::delete;
use super::foreground::Foreground;
use super::log::Log;
use super::start;
use crate::error::Result;

/// Gives the exit code of the program, or 0 when it is not waited for.
pub fn run(options: &Options, run: &Run, log: &Log) -> Result<u8> {
    let foreground = if run.detach { None } else { Some(Foreground::new()?) };
    let Created { container, init, master } = create::make(options, &run.create, !run.detach, log)?;
    if let Err(error) = start::start(&container) {
        delete::take_away(&container, log);
        return Err(error);
    }
    let Some(foreground) = foreground else { return Ok(0) };
    let code = foreground.wait(&init, master);
    if !run.keep {
        delete::take_away(&container, log);
    }
    code
}
