//! Whose ids own what is in a root: those of the machine's root, of a user's ranges, or of a user alone. With others its
//! files would belong to somebody else, so a root is used as it was made.

use super::database::Database;
use crate::error::{Error, Result};
use crate::privilege::{Ids, Privilege};
use rusqlite::OptionalExtension;
use std::path::Path;

/// Refuses a root that was made with other ids than this process has.
///
/// # Errors
/// `conflict`, with how to use it.
pub fn check(database: &Database, root: &Path) -> Result<()> {
    let query = "SELECT value FROM meta WHERE key = 'ids'";
    let made: Option<String> = database.read(|db| Ok(db.query_row(query, [], |row| row.get(0)).optional()?))?;
    // Those of earlier versions are the machine's root's.
    compare(made.as_deref().unwrap_or(name(Ids::All)), Privilege::current().ids(), root)
}

fn compare(made: &str, now: Ids, root: &Path) -> Result<()> {
    if made == name(now) {
        return Ok(());
    }
    let hint = match (made, now) {
        ("all", _) => "use it as root, or use another one: `--root DIR`",
        ("ranges", Ids::Single) => "`shanty doctor` says how to have ranges of ids; or use another one: `--root DIR`",
        ("single", Ids::Ranges) => "use it with `SHANTY_SINGLE_ID=1`, or use another one: `--root DIR`",
        _ => "use it as the user who made it, or use another one: `--root DIR`",
    };
    let of = |ids: &str| match ids {
        "all" => "by this machine's root",
        "ranges" => "by a user with ranges of ids",
        _ => "by a user with a single id",
    };
    let text = format!("the root `{}` was made {}, and is used {}", root.display(), of(made), of(name(now)));
    Err(Error::conflict(text).hint(hint))
}

/// As the database has it.
pub const fn name(ids: Ids) -> &'static str {
    match ids {
        Ids::All => "all",
        Ids::Ranges => "ranges",
        Ids::Single => "single",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_used_with_the_ids_that_it_was_made_with() {
        let all = [Ids::All, Ids::Ranges, Ids::Single];
        for made in all {
            for now in all {
                let result = compare(name(made), now, Path::new("/root"));
                assert_eq!(result.is_ok(), made == now, "{made:?} {now:?}");
                if let Err(error) = result {
                    assert!(error.hint_text().is_some_and(|hint| hint.contains("--root")), "{error:?}");
                }
            }
        }
    }
}
