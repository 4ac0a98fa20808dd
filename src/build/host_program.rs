//! A program of this machine and all that it loads, at the paths where it has them.

use super::canvas::{Canvas, Source, file_size};
use super::elf::Elf;
use super::libraries::{Libraries, expand_origin};
use crate::archive::member::Path as Inside;
use crate::error::{Error, IoContext, Result};
use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Copies a program, by path or by name, with its dynamic loader and libraries, or, for a script, with its
/// interpreter. Nothing of it is executed. `to` is the path of the program itself in the image; `None`: the host's.
///
/// # Errors
/// `not_found` when the program or a library is missing; `invalid` when it is no program.
pub fn copy(canvas: &mut Canvas, program: &str, to: Option<&str>, context: &Path) -> Result<()> {
    let libraries = Libraries::of_this_machine()?;
    let mut files = BTreeSet::new();
    let path = find_program(program, context)?;
    collect(&libraries, &path, &mut files, SCRIPT_DEPTH)?;
    if let Some(to) = to {
        files.remove(&path);
        let inside = canvas.resolve(to.as_bytes(), true)?;
        add_program(canvas, inside, &path)?;
    }
    files.iter().try_for_each(|file| place(canvas, file))
}

/// Interpreters may be scripts themselves, up to this depth (execve(2): recursion is limited to four).
const SCRIPT_DEPTH: usize = 4;
/// The first line of a script is read up to here (execve(2), since Linux 5.1).
const SCRIPT_LINE: u64 = 255;
/// Where programs are when `PATH` is not set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn find_program(program: &str, context: &Path) -> Result<PathBuf> {
    if program.contains('/') {
        let path = context.join(program);
        if !path.exists() {
            return Err(Error::not_found(format!("there is no program `{}` on this machine", path.display())));
        }
        return std::path::absolute(&path).doing(|| format!("cannot find `{program}`"));
    }
    let path = std::env::var("PATH").unwrap_or_else(|_| DEFAULT_PATH.into());
    let mut found =
        path.split(':').filter(|folder| folder.starts_with('/')).map(|folder| Path::new(folder).join(program));
    found.find(|path| is_executable(path)).ok_or_else(|| {
        Error::not_found(format!("there is no program `{program}` on this machine"))
            .hint(format!("give its path: `host_program(\"/path/to/{program}\")`"))
    })
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The paths, as they are looked up, of everything that has to be there for a program to run.
fn collect(libraries: &Libraries, program: &Path, files: &mut BTreeSet<PathBuf>, depth: usize) -> Result<()> {
    let doing = || format!("cannot read `{}`", program.display());
    let bytes = fs::read(program).doing(doing)?;
    files.insert(program.to_owned());
    if let Some(elf) = Elf::parse(&bytes).map_err(|error| error.context(format!("`{}`", program.display())))? {
        return collect_libraries(libraries, program, elf, files);
    }
    let mut interpreters = script_interpreters(program)?;
    if interpreters.is_empty() || depth == 0 {
        return Err(Error::invalid(format!(
            "`{}` is no program: neither ELF nor a script with `#!`",
            program.display()
        )));
    }
    interpreters.retain(|interpreter| !files.contains(interpreter));
    for interpreter in interpreters {
        collect(libraries, &interpreter, files, depth - 1)?;
    }
    Ok(())
}

/// What `#!` names; for `env`, also the program that it looks up.
fn script_interpreters(program: &Path) -> Result<Vec<PathBuf>> {
    let mut line = Vec::new();
    let file = File::open(program).doing(|| format!("cannot read `{}`", program.display()))?;
    file.take(SCRIPT_LINE).read_to_end(&mut line).doing(|| format!("cannot read `{}`", program.display()))?;
    let line = String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let Some(command) = line.strip_prefix("#!") else { return Ok(Vec::new()) };
    let mut words = command.split_whitespace();
    let Some(interpreter) = words.next() else { return Ok(Vec::new()) };
    let mut found = vec![find_program(interpreter, Path::new("/"))?];
    if Path::new(interpreter).file_name() == Some(OsStr::new("env")) {
        let mut rest = words.filter(|word| !word.starts_with('-') && !word.contains('='));
        if let Some(name) = rest.next() {
            found.push(find_program(name, Path::new("/"))?);
        }
    }
    Ok(found)
}

/// Breadth first, as the loader does it.
fn collect_libraries(libraries: &Libraries, program: &Path, elf: Elf, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    if let Some(loader) = &elf.interpreter {
        files.insert(PathBuf::from(loader));
    }
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut todo = VecDeque::from([(program.to_owned(), elf, Vec::new())]);
    while let Some((path, elf, inherited)) = todo.pop_front() {
        for name in &elf.needed {
            if !seen.insert(name.clone()) {
                continue;
            }
            let found = libraries.find(name, &elf, &path, &inherited)?;
            let bytes = fs::read(&found).doing(|| format!("cannot read `{}`", found.display()))?;
            let library =
                Elf::parse(&bytes)?.ok_or_else(|| Error::invalid(format!("`{}` is no library", found.display())))?;
            files.insert(found.clone());
            let mut passed_on = expand_origin(&elf.rpath, &path);
            passed_on.extend(inherited.iter().cloned());
            todo.push_back((found, library, passed_on));
        }
    }
    Ok(())
}

/// Puts a file of the host into the image so that its path leads to it there too: the links on the way, where
/// the image has nothing in their place, and the file behind them.
fn place(canvas: &mut Canvas, host: &Path) -> Result<()> {
    let (links, real) = resolve_on_host(host)?;
    for (link, target) in links {
        let inside = canvas.resolve(link.as_os_str().as_bytes(), false)?;
        if link == host || canvas.kind(&inside)?.is_none() {
            canvas.add_symlink(inside, target.into_os_string().as_bytes().to_vec())?;
        }
    }
    let inside = canvas.resolve(real.as_os_str().as_bytes(), true)?;
    add_program(canvas, inside.clone(), &real)?;
    let reached = canvas.resolve(host.as_os_str().as_bytes(), true)?;
    if reached != inside {
        add_program(canvas, reached, &real)?;
    }
    Ok(())
}

fn add_program(canvas: &mut Canvas, path: Inside, real: &Path) -> Result<()> {
    let mode = fs::metadata(real).doing(|| format!("cannot read `{}`", real.display()))?.permissions().mode();
    // Set-id bits of the host's programs mean nothing good in an image.
    canvas.add_file(path, mode & 0o777, file_size(real)?, Source::File(real.to_owned()))
}

/// The links that a path of the host leads through, by the real paths where they are, and its end.
fn resolve_on_host(path: &Path) -> Result<(Vec<(PathBuf, PathBuf)>, PathBuf)> {
    let mut links = Vec::new();
    let mut real = PathBuf::from("/");
    let mut todo: VecDeque<PathBuf> = path.components().map(|component| PathBuf::from(component.as_os_str())).collect();
    while let Some(next) = todo.pop_front() {
        match next.components().next() {
            None | Some(Component::CurDir) => continue,
            Some(Component::RootDir | Component::Prefix(_)) => {
                real = PathBuf::from("/");
                continue;
            }
            Some(Component::ParentDir) => {
                real.pop();
                continue;
            }
            Some(Component::Normal(name)) => real.push(name),
        }
        let doing = || format!("cannot find `{}`", path.display());
        if real.symlink_metadata().doing(doing)?.is_symlink() {
            let target = fs::read_link(&real).doing(doing)?;
            for component in target.components().rev() {
                todo.push_front(PathBuf::from(component.as_os_str()));
            }
            links.push((real.clone(), target));
            real.pop();
            if links.len() > 40 {
                return Err(Error::invalid(format!("`{}` leads through too many links", path.display())));
            }
        }
    }
    Ok((links, real))
}
