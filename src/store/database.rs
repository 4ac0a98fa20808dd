//! The SQLite database of a root: how it is opened, changed, migrated, and kept from waiting for the disk.

use super::{made_with, reserve};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::Id;
use crate::privilege::Privilege;
use crate::sys::process;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One migration a version; `PRAGMA user_version` counts those that were applied.
const MIGRATIONS: [&[&str]; 6] = [
    &[
        include_str!("schema/meta.sql"),
        include_str!("schema/images.sql"),
        include_str!("schema/containers.sql"),
        include_str!("schema/networks.sql"),
    ],
    &[include_str!("schema/restart.sql")],
    &[include_str!("schema/catalogue.sql")],
    &[include_str!("schema/volumes.sql")],
    &[include_str!("schema/named_networks.sql")],
    &[include_str!("schema/build_cache.sql")],
];

/// How long to wait for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The write-ahead log is moved to the database above this size, in bytes: the first process after
/// a pause reads all of it, at about a millisecond a megabyte.
const LARGE_LOG: u64 = 1 << 20;

/// One connection, used by one thread at a time.
pub struct Database {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl Database {
    /// Opens a database; `None` when there is none, or it has no tables yet.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        reserve::keep_index(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| opening(error.into(), path))?;
        let version = configure(&connection).map_err(|error| opening(error, path))?;
        let newest = MIGRATIONS.len() as i64;
        if version == 0 {
            return Ok(None);
        }
        if version > newest {
            return Err(Error::unsupported(format!(
                "`{}` was written by a newer Shanty (format {version}, this one knows {newest})",
                path.display()
            ))
            .hint("use the newer `shanty`, or another root: `shanty --root DIR`"));
        }
        if version < newest {
            migrate(&connection)?;
        }
        reserve::keep_log(path);
        Ok(Some(Self { connection: Mutex::new(connection), path: path.to_owned() }))
    }

    /// Makes the database. The caller keeps other processes from doing the same.
    pub fn create(path: &Path) -> Result<Self> {
        if let Some(made_meanwhile) = Self::open(path)? {
            return Ok(made_meanwhile);
        }
        // Environments with secrets are in it: for us alone. SQLite gives its other files the same mode.
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
        drop(file.doing(|| format!("cannot make `{}`", path.display()))?);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| opening(error.into(), path))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        configure(&connection)?;
        migrate(&connection)?;
        reserve::keep_log(path);
        Ok(Self { connection: Mutex::new(connection), path: path.to_owned() })
    }

    /// The random id of the root.
    pub fn root_id(&self) -> Result<String> {
        self.read(|db| Ok(db.query_row("SELECT value FROM meta WHERE key = 'root_id'", [], |row| row.get(0))?))
    }

    /// The boot in which what should run was started last.
    pub fn boot_id(&self) -> Result<Option<String>> {
        let query = "SELECT value FROM meta WHERE key = 'boot_id'";
        self.read(|db| Ok(db.query_row(query, [], |row| row.get(0)).optional()?))
    }

    pub fn set_boot_id(&self, boot_id: &str) -> Result<()> {
        self.write(|tx| Ok(tx.execute("INSERT OR REPLACE INTO meta VALUES ('boot_id', ?1)", [boot_id]).map(drop)?))
    }

    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        read(&self.lock())
    }

    pub fn write<T>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        transact(&self.lock(), write)
    }

    /// `synchronous=FULL` makes the commit wait until the log is on the disk, and with it all that
    /// was committed before.
    pub fn write_durable<T>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let connection = self.lock();
        connection.pragma_update(None, "synchronous", "full")?;
        let result = transact(&connection, write);
        connection.pragma_update(None, "synchronous", "normal")?;
        result
    }

    pub fn log_is_large(&self) -> bool {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        std::fs::metadata(&log).is_ok_and(|metadata| metadata.len() >= LARGE_LOG)
    }

    pub fn checkpoint_if_large(&self) -> Result<()> {
        if !self.log_is_large() {
            return Ok(());
        }
        let connection = self.lock();
        // Somebody reads or writes now: the next one who calls this will find it quiet.
        connection.busy_timeout(Duration::ZERO)?;
        // On a full disk the log keeps its space, and is written from its beginning.
        let kind = if reserve::is_plenty(&self.path) { "TRUNCATE" } else { "RESTART" };
        let busy: rusqlite::Result<i64> =
            connection.query_row(&format!("PRAGMA wal_checkpoint({kind})"), [], |row| row.get(0));
        connection.busy_timeout(BUSY_TIMEOUT)?;
        if !matches!(busy, Ok(0)) {
            return Ok(());
        }
        reserve::keep_log(&self.path);
        // The first transaction in an empty log waits for its header to reach the disk: pay for that here.
        transact(&connection, |tx| {
            tx.execute("INSERT OR REPLACE INTO meta VALUES ('checkpointed', unixepoch())", [])?;
            Ok(())
        })
    }

    /// A panic of a thread that held the connection took its transaction back: nothing is half done.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Settings of a connection; gives `user_version`.
fn configure(connection: &Connection) -> Result<i64> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Moving the log into the database waits for the disk. It would happen when the last process
    // closes it, or after a thousand pages: both can be while a container starts.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection
        .execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")?;
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Brings the tables to the newest version, in one transaction that keeps every other process out.
fn migrate(connection: &Connection) -> Result<()> {
    connection.pragma_update(None, "synchronous", "full")?;
    let tx = Transaction::new_unchecked(connection, TransactionBehavior::Exclusive)?;
    let version: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(version as usize) {
        for file in *migration {
            tx.execute_batch(file)?;
        }
        tx.pragma_update(None, "user_version", index as i64 + 1)?;
    }
    tx.execute("INSERT OR IGNORE INTO meta VALUES ('root_id', ?1)", [Id::random()?.as_str()])?;
    if version == 0 {
        // There is nothing yet that another boot could have left.
        tx.execute("INSERT INTO meta VALUES ('boot_id', ?1)", [process::boot_id()?])?;
        tx.execute("INSERT INTO meta VALUES ('swept', unixepoch())", [])?;
        tx.execute("INSERT INTO meta VALUES ('ids', ?1)", [made_with::name(Privilege::current().ids())])?;
    }
    tx.commit()?;
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(())
}

fn transact<T>(connection: &Connection, write: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
    let tx = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let value = write(&tx)?;
    tx.commit()?;
    Ok(value)
}

fn opening(error: Error, path: &Path) -> Error {
    let error = error.context(format!("cannot open `{}`", path.display()));
    if error.is(ErrorKind::Corrupt) {
        return error.hint(format!("move `{}` away; images have to be pulled again", path.display()));
    }
    error
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
                Error::new(ErrorKind::Busy, "the database is held by another process").hint("try again")
            }
            Some(Code::DiskFull) => no_space(),
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                Error::corrupt(format!("the database is damaged: {text}"))
            }
            Some(Code::PermissionDenied | Code::ReadOnly) => {
                Error::new(ErrorKind::Denied, format!("the database cannot be written: {text}"))
            }
            Some(Code::ConstraintViolation) => Error::conflict(format!("the database refused it: {text}")),
            _ => Error::new(ErrorKind::Io, format!("the database failed: {text}")),
        }
    }
}

/// The same words and hint as when a file cannot be written.
fn no_space() -> Error {
    let full: std::io::Result<()> = Err(std::io::Error::from_raw_os_error(libc::ENOSPC));
    full.doing(|| "cannot write to the database").expect_err("made from an error")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> (tempfile::TempDir, Database) {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::create(&dir.path().join("shanty.db")).unwrap();
        (dir, database)
    }

    #[test]
    fn a_failed_write_changes_nothing() {
        let (_dir, database) = fresh();
        let failed: Result<()> = database.write(|tx| {
            tx.execute("INSERT INTO meta VALUES ('x', '1')", [])?;
            Err(Error::invalid("no"))
        });
        assert!(failed.is_err());
        let rows: i64 = database
            .read(|db| Ok(db.query_row("SELECT count(*) FROM meta WHERE key = 'x'", [], |row| row.get(0))?))
            .unwrap();
        assert_eq!(rows, 0);
    }

    #[test]
    fn a_newer_database_is_refused_with_a_hint() {
        let (dir, database) = fresh();
        database.write(|tx| Ok(tx.pragma_update(None, "user_version", 99)?)).unwrap();
        let error = Database::open(&dir.path().join("shanty.db")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.hint_text().unwrap().contains("--root"), "{error:?}");
    }

    #[test]
    fn a_damaged_database_is_corrupt() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shanty.db");
        std::fs::write(&path, vec![7u8; 8192]).unwrap();
        assert_eq!(Database::open(&path).err().unwrap().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_database_held_for_too_long_is_busy() {
        let (dir, database) = fresh();
        let other = Database::open(&dir.path().join("shanty.db")).unwrap().unwrap();
        database
            .write(|_| {
                let connection = other.lock();
                connection.busy_timeout(Duration::ZERO)?;
                let error = transact(&connection, |_| Ok(())).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Busy);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn the_log_is_moved_once_it_is_large() {
        let (dir, database) = fresh();
        let log = dir.path().join("shanty.db-wal");
        let fill = "x".repeat(LARGE_LOG as usize);
        database.write(|tx| Ok(tx.execute("INSERT INTO meta VALUES ('fill', ?1)", [&fill])?)).unwrap();
        assert!(std::fs::metadata(&log).unwrap().len() > LARGE_LOG);
        database.checkpoint_if_large().unwrap();
        assert!(std::fs::metadata(&log).unwrap().len() < LARGE_LOG / 4);
    }
}
