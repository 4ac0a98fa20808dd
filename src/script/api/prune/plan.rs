//! `PrunePlan`: what is to go, or went.

use crate::model;
use crate::script::api::shown;
use crate::script::binding::{Call, IntoScript, Object, Time, api, table};
use rhai::Dynamic;
use serde_json::{Value, json};
use std::sync::Arc;

/// What is to be cleaned up, or, after that, what was: printed as a table, and carried out by `prune(plan)`.
#[derive(Clone, Object)]
#[object(text = Self::text)]
pub struct PrunePlan(pub Arc<model::PrunePlan>);

/// A thing of a plan.
#[derive(Clone, Object)]
pub struct PruneItem(model::PruneItem);

#[api]
impl PruneItem {
    /// `container`, `network`, `volume`, `image`, `build_cache`, or `mapped_layer`: a copy of a layer for a user namespace.
    #[get(column)]
    pub fn kind(&self) -> String {
        self.0.kind.name().to_owned()
    }

    /// Its id; of a step of a build its key, of a volume its name.
    #[get(column, shown = shown::id)]
    pub fn id(&self) -> String {
        self.0.id.clone()
    }

    /// Its names; of a step of a build what it did.
    #[get(column, shown = shown::names)]
    pub fn names(&self) -> Vec<String> {
        self.0.names.clone()
    }

    /// When it was made.
    #[get(column)]
    pub fn created(&self) -> Option<jiff::Timestamp> {
        self.0.created
    }

    /// Bytes that go with it, when those before it have gone.
    #[get(column, shown = shown::size)]
    pub fn size(&self) -> u64 {
        self.0.bytes
    }
}

#[api]
impl PrunePlan {
    /// What goes, or went, in this order: `kind`, `id`, `names`, `created`, `size`.
    #[get]
    pub fn items(&self) -> Vec<PruneItem> {
        self.0.items.iter().cloned().map(PruneItem).collect()
    }

    /// Bytes of the files that go, or went.
    #[get(column, shown = shown::size)]
    pub fn freed(&self) -> u64 {
        self.0.freed
    }

    /// Names that images lose, or lost.
    #[get]
    pub fn untagged(&self) -> Vec<String> {
        self.0.untagged.clone()
    }

    /// Ids of what goes, or went; once it is done, behind the id of an image the chain ids of its layers that went with it.
    #[get]
    pub fn deleted(&self) -> Vec<String> {
        self.0.deleted.clone()
    }

    /// What stays although it was asked for: a map each with `kind`, `id`, `names`, `reason`.
    #[get]
    pub fn skipped(&self) -> Value {
        let map = |skip: &model::PruneSkip| json!({ "kind": skip.kind.name(), "id": skip.id, "names": skip.names, "reason": skip.reason });
        self.0.skipped.iter().map(map).collect()
    }

    /// Whether it was carried out.
    #[get(column)]
    pub fn done(&self) -> bool {
        self.0.done
    }
}

impl PrunePlan {
    fn text(&self, call: &Call) -> String {
        let mut lines = Vec::new();
        if !self.0.items.is_empty() {
            let rows: Vec<Dynamic> = self.items().into_iter().map(Dynamic::from).collect();
            lines.push(table(&rows, None, call));
        }
        for skip in &self.0.skipped {
            let name =
                skip.names.first().map_or(model::short_id(skip.id.trim_start_matches("sha256:")), String::as_str);
            lines.push(format!("{} `{name}` stays: {}", skip.kind.name(), skip.reason));
        }
        let freed = model::size::format(self.0.freed);
        lines.push(if self.0.done { format!("freed {freed}") } else { format!("would free {freed}") });
        lines.join("\n")
    }
}

/// Times of JSON as times.
pub(super) fn with_times(value: Value) -> crate::error::Result<Dynamic> {
    Ok(match value {
        Value::Object(fields) => {
            let convert = |(key, value): (String, Value)| {
                let time = value.as_str().filter(|_| ["created", "used"].contains(&key.as_str()));
                let time = time.and_then(|text| text.parse().ok()).map(|time| Dynamic::from(Time(time)));
                Ok((key.into(), time.map_or_else(|| with_times(value.clone()), Ok)?))
            };
            fields.into_iter().map(convert).collect::<crate::error::Result<rhai::Map>>()?.into()
        }
        Value::Array(items) => items.into_iter().map(with_times).collect::<crate::error::Result<rhai::Array>>()?.into(),
        other => other.into_script()?,
    })
}
