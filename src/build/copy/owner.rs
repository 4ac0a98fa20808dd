//! `--chown`: numbers, or names of the image's own files.

use crate::build::canvas::Canvas;
use crate::error::{Error, Result};

/// User and group of `user`, `user:group`, `:group`.
pub fn ids(canvas: &Canvas, owner: &str) -> Result<(u32, u32)> {
    let (user, group) = owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group)));
    let (uid, own_group) = if user.is_empty() {
        (0, 0)
    } else if let Ok(uid) = user.parse() {
        (uid, uid)
    } else {
        let fields = entry(canvas, "/etc/passwd", user)?;
        (number(&fields, 2, user)?, number(&fields, 3, user)?)
    };
    let Some(group) = group.filter(|group| !group.is_empty()) else { return Ok((uid, own_group)) };
    let gid = match group.parse() {
        Ok(gid) => gid,
        Err(_) => number(&entry(canvas, "/etc/group", group)?, 2, group)?,
    };
    Ok((uid, gid))
}

fn entry(canvas: &Canvas, file: &str, name: &str) -> Result<Vec<String>> {
    let text = canvas.read(file)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    let line = line.ok_or_else(|| {
        Error::not_found(format!("the image's `{file}` has no `{name}`")).hint("write its number, such as `1000:1000`")
    })?;
    Ok(line.split(':').map(str::to_owned).collect())
}

fn number(fields: &[String], index: usize, name: &str) -> Result<u32> {
    let number = fields.get(index).and_then(|field| field.parse().ok());
    number.ok_or_else(|| Error::corrupt(format!("the image's entry of `{name}` has no number")))
}
