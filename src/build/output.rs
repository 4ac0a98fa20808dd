//! The files of a result, in a folder or a tar of this machine.

use super::canvas::Canvas;
use super::copy::{self, Request};
use super::session::Session;
use crate::archive::restore_plain;
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::BuildOutput;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes all files that layers have, the topmost first.
pub fn write(session: &Session<'_>, layers: &[PathBuf], output: &BuildOutput, cx: &Context) -> Result<()> {
    let tree = session.layers(layers.to_vec(), None)?;
    let sources = [".".to_owned()];
    let request = Request::plain(&tree, &sources, "/", session.spec.epoch);
    let selection = copy::select(&request, cx)?;
    let mut canvas = Canvas::new(Vec::new());
    copy::place(&mut canvas, &request, &selection, cx)?;
    match output {
        BuildOutput::Tar(path) => tar(&canvas, path, cx),
        BuildOutput::Folder(path) => folder(&canvas, path, cx),
    }
}

fn tar(canvas: &Canvas, path: &Path, cx: &Context) -> Result<()> {
    let doing = || format!("cannot write `{}`", path.display());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // It gets its name when it is whole.
    let mut file = tempfile::Builder::new().prefix(".build-").tempfile_in(parent).doing(doing)?;
    let mut writer = BufWriter::with_capacity(1 << 18, file.as_file_mut());
    canvas.write(&mut writer, cx)?;
    writer.flush().doing(doing)?;
    drop(writer);
    let mode: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode).doing(doing)?;
    file.persist(path).map_err(|error| error.error).doing(doing).map(drop)
}

fn folder(canvas: &Canvas, path: &Path, cx: &Context) -> Result<()> {
    fs::create_dir_all(path).doing(|| format!("cannot make `{}`", path.display()))?;
    into_folder(canvas, path, cx)
}

/// Writes what is on a canvas into a folder.
pub fn into_folder(canvas: &Canvas, path: &Path, cx: &Context) -> Result<()> {
    let (reader, mut writer) = std::io::pipe().doing(|| "cannot make a pipe")?;
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || canvas.write(&mut writer, cx));
        let read = restore_plain(reader, path, cx);
        let written = writing.join().map_err(|_| Error::new(ErrorKind::Io, "the thread that wrote files ended"))?;
        // A pipe that nobody reads any more is not the first thing that went wrong.
        read.and(written)
    })
}
