//! How values look: a handle as a short record, an array of handles as a table, anything as JSON.

use super::{Call, FunctionDoc, Kind, Span, Time, TypeDoc, types};
use crate::error::Result;
use rhai::{Array, Dynamic, Map};
use serde_json::Value;
use std::collections::VecDeque;

/// A value as `print` shows it.
pub fn display(value: &Dynamic, call: &Call<'_>) -> String {
    if value.is_string() {
        return value.clone().into_string().unwrap_or_default();
    }
    if let Some(items) = value.read_lock::<Array>()
        && let Some(doc) = items.first().and_then(type_of)
        && !properties(doc, true).is_empty()
        && items.iter().all(|item| type_of(item).is_some_and(|other| std::ptr::eq(other, doc)))
    {
        return table(&items, None, call);
    }
    match type_of(value).and_then(|doc| (doc.text)(value, call)) {
        Some(text) => text,
        None => nested(value, call),
    }
}

/// An object on one line: `Container(name: web, status: running)`.
pub fn record(value: &Dynamic, call: &Call<'_>) -> String {
    if let Some(time) = value.read_lock::<Time>() {
        return time.to_string();
    }
    if let Some(span) = value.read_lock::<Span>() {
        return span.to_string();
    }
    let Some(doc) = type_of(value) else { return value.to_string() };
    let columns = properties(doc, true);
    if columns.is_empty() {
        return doc.name.to_owned();
    }
    match columns
        .iter()
        .map(|column| Ok((column.name, column_cell(column, &read(value, column, call)?, call))))
        .collect::<Result<Vec<_>>>()
    {
        Ok(fields) => {
            let fields: Vec<_> = fields.into_iter().filter(|(_, text)| !text.is_empty()).collect();
            let fields: Vec<_> = fields.into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
            format!("{}({})", doc.name, fields.join(", "))
        }
        // What is gone can still be printed.
        Err(error) => format!("{}({})", doc.name, error.message()),
    }
}

/// Rows of objects or maps as a table. Objects show their columns, maps their keys; or those that are named.
pub fn table(rows: &[Dynamic], columns: Option<Vec<String>>, call: &Call<'_>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let all = columns.is_none();
    let mut names = columns.unwrap_or_default();
    let mut lines: Vec<Vec<(String, String)>> = Vec::new();
    for row in rows {
        let fields = fields(row, call);
        for (name, _) in &fields {
            if all && !names.contains(name) {
                names.push(name.clone());
            }
        }
        lines.push(fields);
    }
    table.set_header(names.iter().map(|name| name.to_uppercase().replace('_', " ")));
    for line in lines {
        let text = |name: &String| line.iter().find(|(key, _)| key == name).map_or("", |(_, text)| text).to_owned();
        table.add_row(names.iter().map(text));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn fields(row: &Dynamic, call: &Call<'_>) -> Vec<(String, String)> {
    if let Some(doc) = type_of(row) {
        let row = (doc.snapshot)(row, call).unwrap_or_else(|_| row.clone());
        let columns = properties(doc, true);
        let text = |column: &'static FunctionDoc| match read(&row, column, call) {
            Ok(value) => column_cell(column, &value, call),
            Err(error) => error.kind().to_string(),
        };
        return columns.into_iter().map(|column| (column.name.to_owned(), text(column))).collect();
    }
    match row.read_lock::<Map>() {
        Some(map) => map.iter().map(|(key, value)| (key.to_string(), cell(value, call))).collect(),
        None => vec![("value".to_owned(), cell(row, call))],
    }
}

/// The value of a property inside a table or a record.
fn column_cell(column: &FunctionDoc, value: &Dynamic, call: &Call<'_>) -> String {
    match column.shown {
        Some(shown) if !value.is_unit() => shown(value),
        _ => cell(value, call),
    }
}

/// A value inside a table or a record.
fn cell(value: &Dynamic, call: &Call<'_>) -> String {
    if value.is_unit() {
        return String::new();
    }
    match value.read_lock::<Array>() {
        Some(items) => items.iter().map(|item| cell(item, call)).collect::<Vec<_>>().join(", "),
        None => display(value, call),
    }
}

/// A value as it looks inside another one: strings are quoted.
fn nested(value: &Dynamic, call: &Call<'_>) -> String {
    if let Some(items) = value.read_lock::<Array>() {
        let items: Vec<_> = items.iter().map(|item| nested(item, call)).collect();
        return format!("[{}]", items.join(", "));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let fields: Vec<_> = map.iter().map(|(key, value)| format!("{key}: {}", nested(value, call))).collect();
        return format!("#{{{}}}", fields.join(", "));
    }
    if value.is_unit() {
        return "()".to_owned();
    }
    if value.is_string() {
        return format!("{:?}", value.clone().into_string().unwrap_or_default());
    }
    if type_of(value).is_some() { record(value, call) } else { value.to_string() }
}

/// Any value as JSON: objects become the map of their properties, blobs text, functions their name.
pub fn to_json(value: &Dynamic, call: &Call<'_>) -> Result<Value> {
    let value = value.flatten_clone();
    if let Some(doc) = type_of(&value) {
        return object_to_json(&value, doc, call);
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(|item| to_json(item, call)).collect::<Result<_>>().map(Value::Array);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let fields = map.iter().map(|(key, value)| Ok((key.to_string(), to_json(value, call)?)));
        return fields.collect::<Result<_>>().map(Value::Object);
    }
    if let Some(bytes) = value.read_lock::<rhai::Blob>() {
        return Ok(String::from_utf8_lossy(&bytes).into());
    }
    Ok(match value.type_name() {
        "()" => Value::Null,
        "bool" => value.as_bool().unwrap_or_default().into(),
        "i64" => value.as_int().unwrap_or_default().into(),
        // Not a number and infinity have no JSON form.
        "f64" => value.as_float().unwrap_or_default().into(),
        _ => value.to_string().into(),
    })
}

fn object_to_json(value: &Dynamic, doc: &'static TypeDoc, call: &Call<'_>) -> Result<Value> {
    if let Some(time) = value.read_lock::<Time>() {
        return Ok(time.0.to_string().into());
    }
    if let Some(span) = value.read_lock::<Span>() {
        return Ok(span.0.as_secs_f64().into());
    }
    let value = (doc.snapshot)(value, call)?;
    let fields = properties(doc, false).into_iter().map(|property| {
        let field = read(&value, property, call)?;
        Ok((property.name.to_owned(), to_json(&field, call)?))
    });
    fields.collect::<Result<_>>().map(Value::Object)
}

fn type_of(value: &Dynamic) -> Option<&'static TypeDoc> {
    if value.is_locked() {
        return None; // Rhai panics on asking for the type of a value in use
    }
    let id = value.type_id();
    types().iter().copied().find(|doc| (doc.type_id)() == id)
}

/// The properties of a type in the order they were written: the columns, or all that are not costly.
fn properties(doc: &TypeDoc, only_columns: bool) -> Vec<&'static FunctionDoc> {
    let wanted = |function: &&FunctionDoc| match function.kind {
        Kind::Property { column, lazy, .. } => {
            if only_columns {
                column
            } else {
                !lazy
            }
        }
        _ => false,
    };
    let mut properties: Vec<_> = doc.members().filter(wanted).collect();
    properties.sort_by_key(|property| property.order);
    properties
}

fn read(value: &Dynamic, property: &'static FunctionDoc, call: &Call<'_>) -> Result<Dynamic> {
    let mut value = value.clone();
    (property.body)(call, &mut value, super::Arguments::new(property, VecDeque::new()))
}
