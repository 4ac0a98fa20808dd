//! A container's row in the database.

use super::plan::Plan;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ContainerInfo, ContainerSpec, Id, IdMaps, NetworkAttachment, Status};
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// What the database knows about a container.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: Id,
    /// Its name, unique in the root.
    pub name: String,
    /// Image reference as the user wrote it.
    pub image: String,
    /// Digest of the image's config.
    pub image_id: String,
    /// What the user asked for.
    pub spec: ContainerSpec,
    /// What that came to with this image.
    pub plan: Plan,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// The last folded state.
    pub state: FoldedState,
}

/// The part of a row that changes while the container lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedState {
    /// `running` stands until somebody saw the end and folded it in.
    pub status: Status,
    /// Exit code of the last run.
    pub exit_code: Option<i32>,
    /// Whether the last run ended for lack of memory.
    pub oom_killed: bool,
    /// How often its restart policy started it again.
    pub restarts: u32,
    /// When it was started last.
    pub started: Option<jiff::Timestamp>,
    /// When it ended last.
    pub finished: Option<jiff::Timestamp>,
}

impl FoldedState {
    /// Of a container that was never started.
    pub const fn created() -> Self {
        Self { status: Status::Created, exit_code: None, oom_killed: false, restarts: 0, started: None, finished: None }
    }
}

const COLUMNS: &str =
    "id, name, image, image_id, spec, plan, created, status, exit_code, oom_killed, restarts, started, finished";

/// Inserts a new row; a name that is taken is a `conflict`.
pub fn insert(conn: &Connection, row: &Row) -> Result<()> {
    let inserted = conn
        .prepare_cached(
            "INSERT INTO containers (id, name, image, image_id, spec, plan, created, status, started)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (name) DO NOTHING",
        )?
        .execute(params![
            row.id.as_str(),
            row.name,
            row.image,
            row.image_id,
            to_json(&row.spec)?,
            to_json(&row.plan)?,
            nanoseconds(row.created),
            row.state.status.name(),
            row.state.started.map(nanoseconds),
        ])?;
    if inserted == 0 {
        return Err(name_is_taken(&row.name, "take another name, or use `replace: true`"));
    }
    Ok(())
}

/// The row with this id.
pub fn get(conn: &Connection, id: &str) -> Result<Option<Row>> {
    one(conn, "id = ?1", id)
}

/// The row with this name.
pub fn by_name(conn: &Connection, name: &str) -> Result<Option<Row>> {
    one(conn, "name = ?1", name)
}

/// Rows whose id starts with these hexadecimal digits; two are enough to know that it is ambiguous.
pub fn by_prefix(conn: &Connection, prefix: &str) -> Result<Vec<Row>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM containers WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2"))?;
    collect(statement.query(params![prefix])?)
}

/// A row of a list.
pub enum Listed {
    /// Of a container that may be alive.
    MaybeAlive(Box<Row>),
    /// Of one that is not: what is shown of it. The rest of the row is not read, which a thousand of them notice.
    Ended(Box<ContainerInfo>),
}

/// All rows, newest first.
pub fn all(conn: &Connection) -> Result<Vec<Listed>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM containers ORDER BY created DESC"))?;
    let mut rows = statement.query([])?;
    let mut result = Vec::new();
    while let Some(row) = rows.next()? {
        result.push(match row.get_ref(7)?.as_str().ok() {
            Some("created" | "exited") => Listed::Ended(Box::new(read_shown(row)?)),
            _ => Listed::MaybeAlive(Box::new(read(row)?)),
        });
    }
    Ok(result)
}

/// The ids that containers keep as long as they are there.
pub fn kept_ids(conn: &Connection) -> Result<Vec<IdMaps>> {
    let mut statement = conn.prepare(
        "SELECT json_extract(plan, '$.mapped.maps') FROM containers
         WHERE json_extract(plan, '$.mapped.maps') IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    let mut kept = Vec::new();
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        kept.push(
            serde_json::from_str(&text).map_err(|error| Error::corrupt(format!("the ids of a container: {error}")))?,
        );
    }
    Ok(kept)
}

/// Whether there is a row with this id.
pub fn exists(conn: &Connection, id: &Id) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM containers WHERE id = ?1")?.exists(params![id.as_str()])?)
}

/// Rows that may be alive, newest first.
pub fn maybe_alive(conn: &Connection) -> Result<Vec<Row>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM containers WHERE status NOT IN ('created', 'exited') ORDER BY created DESC"
    ))?;
    collect(statement.query([])?)
}

/// Rows that a sweep looks at: those that may be alive, and those that should have gone at their end.
pub fn to_sweep(conn: &Connection) -> Result<Vec<Row>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM containers WHERE status NOT IN ('created', 'exited')
         OR (status = 'exited' AND CASE WHEN instr(spec, '\"remove\":true') THEN json_extract(spec, '$.remove') END)"
    ))?;
    collect(statement.query([])?)
}

/// Rows whose containers are to be started again after a crash or a reboot.
pub fn with_restart_policy(conn: &Connection) -> Result<Vec<Row>> {
    // As the index has it.
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM containers WHERE json_extract(spec, '$.restart') <> 'no' ORDER BY created"
    ))?;
    collect(statement.query([])?)
}

/// All names, for suggestions.
pub fn names(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT name FROM containers")?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(names)
}

/// Stores a new state.
pub fn set_state(conn: &Connection, id: &Id, state: &FoldedState) -> Result<()> {
    conn.prepare_cached(
        "UPDATE containers SET status = ?2, exit_code = ?3, oom_killed = ?4, restarts = ?5, started = ?6, finished = ?7
         WHERE id = ?1",
    )?
    .execute(params![
        id.as_str(),
        state.status.name(),
        state.exit_code,
        state.oom_killed,
        state.restarts,
        state.started.map(nanoseconds),
        state.finished.map(nanoseconds),
    ])?;
    Ok(())
}

/// Stores a new name; one that is taken is a `conflict`.
pub fn set_name(conn: &Connection, id: &Id, name: &str) -> Result<()> {
    if by_name(conn, name)?.is_some() {
        return Err(name_is_taken(name, "take another name"));
    }
    conn.prepare_cached("UPDATE containers SET name = ?2 WHERE id = ?1")?.execute(params![id.as_str(), name])?;
    Ok(())
}

fn name_is_taken(name: &str, or: &str) -> Error {
    Error::conflict(format!("the name `{name}` is taken by another container"))
        .hint(format!("remove it with `container(\"{name}\").remove(#{{ force: true }})`, {or}"))
}

/// Stores a new spec.
pub fn set_spec(conn: &Connection, id: &Id, spec: &ContainerSpec) -> Result<()> {
    conn.prepare_cached("UPDATE containers SET spec = ?2 WHERE id = ?1")?
        .execute(params![id.as_str(), to_json(spec)?])?;
    Ok(())
}

/// Stores a new plan.
pub fn set_plan(conn: &Connection, id: &Id, plan: &Plan) -> Result<()> {
    conn.prepare_cached("UPDATE containers SET plan = ?2 WHERE id = ?1")?
        .execute(params![id.as_str(), to_json(plan)?])?;
    Ok(())
}

/// Deletes a row; `false` when it was gone already.
pub fn delete(conn: &Connection, id: &Id) -> Result<bool> {
    Ok(conn.prepare_cached("DELETE FROM containers WHERE id = ?1")?.execute(params![id.as_str()])? > 0)
}

fn one(conn: &Connection, condition: &str, value: &str) -> Result<Option<Row>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM containers WHERE {condition}"))?;
    let row = statement.query_row(params![value], |row| Ok(read(row))).optional()?;
    row.transpose()
}

fn collect(mut rows: rusqlite::Rows<'_>) -> Result<Vec<Row>> {
    let mut result = Vec::new();
    while let Some(row) = rows.next()? {
        result.push(read(row)?);
    }
    Ok(result)
}

fn read(row: &SqlRow<'_>) -> Result<Row> {
    let id: String = row.get(0)?;
    let damaged = |what: &str| Error::corrupt(format!("the row of container `{id}` has a bad {what}"));
    let status: String = row.get(7)?;
    Ok(Row {
        name: row.get(1)?,
        image: row.get(2)?,
        image_id: row.get(3)?,
        spec: from_json(&row.get::<_, String>(4)?).map_err(|_| damaged("spec"))?,
        plan: from_json(&row.get::<_, String>(5)?).map_err(|_| damaged("plan"))?,
        created: timestamp(row.get(6)?),
        state: FoldedState {
            status: Status::from_name(&status).ok_or_else(|| damaged("status"))?,
            exit_code: row.get(8)?,
            oom_killed: row.get(9)?,
            restarts: row.get(10)?,
            started: row.get::<_, Option<i64>>(11)?.map(timestamp),
            finished: row.get::<_, Option<i64>>(12)?.map(timestamp),
        },
        id: Id::parse(&id).ok_or_else(|| damaged("id"))?,
    })
}

fn read_shown(row: &SqlRow<'_>) -> Result<ContainerInfo> {
    /// The part of a plan that is shown.
    #[derive(Deserialize)]
    struct Shown {
        argv: Vec<String>,
        labels: BTreeMap<String, String>,
        #[serde(default)]
        health: Option<IgnoredAny>,
    }
    /// The part of a spec that is.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Asked {
        networks: Vec<NetworkAttachment>,
    }
    let id: String = row.get(0)?;
    let damaged = |what: &str| Error::corrupt(format!("the row of container `{id}` has a bad {what}"));
    let asked = row.get_ref(4)?.as_str().ok().and_then(|text| serde_json::from_str(text).ok());
    let Asked { networks } = asked.unwrap_or_default();
    let plan: Shown = row
        .get_ref(5)?
        .as_str()
        .ok()
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| damaged("plan"))?;
    let status = row.get_ref(7)?.as_str().ok().and_then(Status::from_name).ok_or_else(|| damaged("status"))?;
    Ok(ContainerInfo {
        name: row.get(1)?,
        image: row.get(2)?,
        image_id: row.get(3)?,
        status,
        exit_code: row.get(8)?,
        pid: None,
        ip: None,
        networks: super::info::networks(&networks, None),
        ports: Vec::new(),
        labels: plan.labels,
        command: plan.argv,
        oom_killed: row.get(9)?,
        restarts: row.get(10)?,
        created: timestamp(row.get(6)?),
        started: row.get::<_, Option<i64>>(11)?.map(timestamp),
        finished: row.get::<_, Option<i64>>(12)?.map(timestamp),
        health: super::info::health_of_ended(plan.health.is_some(), status).map(|health| health.to_string()),
        id,
    })
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::new(ErrorKind::Io, format!("cannot write as JSON: {error}")))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}

/// The database's form of a time: UTC nanoseconds, good until the year 2262.
fn nanoseconds(time: jiff::Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

fn timestamp(nanoseconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
