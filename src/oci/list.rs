//! `list`: which containers there are.

use super::arguments::{Format, List};
use super::container::{self, Container, Record, Status};
use super::{print, print_json, state};
use crate::error::Result;
use std::path::Path;

/// Writes them to standard output.
pub fn run(root: &Path, list: &List) -> Result<()> {
    let status = |container: Container| container.status().ok().map(|status| (container, status));
    let containers: Vec<(Container, Status)> = container::all(root).into_iter().filter_map(status).collect();
    if list.quiet {
        return containers.iter().try_for_each(|(container, _)| print(&container.record.id));
    }
    if list.format == Format::Json {
        let states: Vec<_> = containers.iter().map(|(container, status)| state::full(container, *status)).collect();
        return print_json(&states);
    }
    let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned)];
    for (container, status) in &containers {
        let Record { id, bundle, created, owner, process, .. } = &container.record;
        let pid = process.as_ref().filter(|_| *status != Status::Stopped).map_or(0, |process| process.pid);
        let bundle = bundle.display().to_string();
        rows.push([id.clone(), pid.to_string(), status.name().to_owned(), bundle, created.clone(), owner.clone()]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0) + 3;
    let widths: Vec<usize> = (0..6).map(width).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        print(cells.concat().trim_end())?;
    }
    Ok(())
}
