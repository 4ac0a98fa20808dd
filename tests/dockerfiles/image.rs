//! An image as it can be compared: its config, which of its history made layers, and its files.

use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;

/// An image.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pub config: BTreeMap<String, Value>,
    /// For each instruction whether it made no layer.
    pub empty_layers: Vec<bool>,
    /// What each path is. Of an image that begins with one of `shared` layers: what came after them.
    pub files: BTreeMap<String, String>,
}

const FIELDS: [&str; 12] = [
    "Env",
    "Cmd",
    "Entrypoint",
    "WorkingDir",
    "User",
    "ExposedPorts",
    "Volumes",
    "Labels",
    "Healthcheck",
    "StopSignal",
    "Shell",
    "OnBuild",
];

impl Image {
    /// The image with this tag in an unpacked archive of `docker save`. `shared`: layers that are not looked into.
    pub fn read(folder: &Path, tag: &str, shared: &[String]) -> Self {
        let (config, layers) = docker(folder, tag);
        Self::of(folder, &config, &layers, shared)
    }

    /// The image with this tag in an OCI layout.
    pub fn of_layout(folder: &Path, tag: &str) -> Self {
        let (config, layers) = oci(folder, tag);
        Self::of(folder, &config, &layers, &[])
    }

    fn of(folder: &Path, config: &str, layers: &[String], shared: &[String]) -> Self {
        let document = json_file(&folder.join(config));
        let diff_ids = texts(&document["rootfs"]["diff_ids"]);
        assert_eq!(diff_ids.len(), layers.len(), "{config}");
        let known = diff_ids.iter().take_while(|id| shared.contains(id)).count();
        let mut files = BTreeMap::new();
        for layer in &layers[known..] {
            apply(&mut files, &folder.join(layer));
        }
        files.retain(|path, _| !is_of_engine(path));
        let empty = |entry: &Value| entry["empty_layer"] == json!(true);
        let history = document["history"].as_array().cloned().unwrap_or_default();
        Self { config: config_of(&document["config"]), empty_layers: history.iter().map(empty).collect(), files }
    }

    /// The digests of the layers of an image in an OCI layout.
    pub fn layers(folder: &Path, tag: &str) -> Vec<String> {
        texts(&json_file(&folder.join(oci(folder, tag).0))["rootfs"]["diff_ids"])
    }

    /// What `expected.json` says of it: without what the base image has.
    pub fn written(mut self, base: &Self) -> Value {
        self.files.retain(|path, fact| base.files.get(path) != Some(fact));
        json!({ "config": self.config, "empty_layers": self.empty_layers, "files": self.files })
    }

    /// Facts of one of two images that the other has not, a line each; history only with `with_history`.
    pub fn differences(&self, other: &Self, with_history: bool) -> Vec<String> {
        let mut found = Vec::new();
        if with_history && self.empty_layers != other.empty_layers {
            found.push(format!("history: {:?} {:?}", self.empty_layers, other.empty_layers));
        }
        compare("config", &self.config, &other.config, &mut found);
        compare("file", &self.files, &other.files, &mut found);
        found
    }
}

fn compare<V: PartialEq + std::fmt::Display>(
    what: &str,
    one: &BTreeMap<String, V>,
    other: &BTreeMap<String, V>,
    found: &mut Vec<String>,
) {
    let shown = |value: Option<&V>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
    let different = keys.filter(|key| one.get(*key) != other.get(*key));
    found.extend(different.map(|key| format!("{what} {key}: {} / {}", shown(one.get(key)), shown(other.get(key)))));
}

fn config_of(config: &Value) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for name in FIELDS {
        let mut value = config[name].clone();
        if let Some(labels) = value.as_object_mut() {
            labels.remove("io.buildah.version");
        }
        let is_nothing = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        if !is_nothing {
            fields.insert(name.to_owned(), sorted(value));
        }
    }
    fields
}

/// Maps have no order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(fields.into_iter().collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// What engines put into the places of what they mount.
fn is_of_engine(path: &str) -> bool {
    let places = [
        ".dockerenv",
        "etc/hosts",
        "etc/hostname",
        "etc/resolv.conf",
        "etc/mtab",
        "run/.containerenv",
        "run/secrets",
        "run",
    ];
    places.contains(&path) || ["dev", "proc", "sys"].iter().any(|top| path.split('/').next() == Some(top))
}

fn docker(folder: &Path, tag: &str) -> (String, Vec<String>) {
    let manifest = json_file(&folder.join("manifest.json"));
    let is_it = |entry: &&Value| texts(&entry["RepoTags"]).iter().any(|name| name.ends_with(tag));
    let entry = manifest.as_array().unwrap().iter().find(is_it).unwrap_or_else(|| panic!("{tag}: {manifest}"));
    (entry["Config"].as_str().unwrap().to_owned(), texts(&entry["Layers"]))
}

fn oci(folder: &Path, tag: &str) -> (String, Vec<String>) {
    let blob = |descriptor: &Value| format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"));
    let index = json_file(&folder.join("index.json"));
    let name = "org.opencontainers.image.ref.name";
    let is_it = |entry: &&Value| entry["annotations"][name] == *tag;
    let entry = index["manifests"].as_array().unwrap().iter().find(is_it).unwrap_or_else(|| panic!("{tag}: {index}"));
    let manifest = json_file(&folder.join(blob(entry)));
    (blob(&manifest["config"]), manifest["layers"].as_array().unwrap().iter().map(blob).collect())
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Puts a layer over the files.
fn apply(files: &mut BTreeMap<String, String>, layer: &Path) {
    let mut file = File::open(layer).unwrap();
    let mut magic = [0; 2];
    file.read_exact(&mut magic).unwrap();
    file.rewind().unwrap();
    let reader: Box<dyn Read> = if magic == [0x1f, 0x8b] { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    let mut archive = tar::Archive::new(reader);
    let mut above = BTreeMap::new();
    let mut gone = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let path = path.trim_start_matches("./").trim_matches('/').to_owned();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let in_folder = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        if name == ".wh..wh..opq" {
            gone.push(in_folder(""));
        } else if let Some(name) = name.strip_prefix(".wh.") {
            gone.push(in_folder(name));
        } else if !path.is_empty() && path != "." {
            let fact = fact(&mut entry, &above, files);
            above.insert(path, fact);
        }
    }
    let is_gone = |path: &str| {
        gone.iter().any(|gone| {
            path == gone
                || path.strip_prefix(gone.as_str()).is_some_and(|rest| gone.ends_with('/') || rest.starts_with('/'))
        })
    };
    files.retain(|path, _| !is_gone(path));
    // A file in the place of a folder hides what was in it.
    let no_folders: Vec<String> =
        above.iter().filter(|(_, fact)| !fact.starts_with("folder")).map(|(path, _)| format!("{path}/")).collect();
    files.retain(|path, _| !no_folders.iter().any(|hidden| path.starts_with(hidden)));
    files.extend(above);
}

fn fact(
    entry: &mut tar::Entry<'_, impl Read>,
    above: &BTreeMap<String, String>,
    below: &BTreeMap<String, String>,
) -> String {
    let capability = entry.pax_extensions().unwrap().into_iter().flatten().map(Result::unwrap).find_map(|record| {
        (record.key() == Ok("SCHILY.xattr.security.capability")).then(|| hex::encode(record.value_bytes()))
    });
    let header = entry.header().clone();
    let link = entry.link_name().unwrap().map(|link| link.display().to_string()).unwrap_or_default();
    let owner = format!("{}:{}", header.uid().unwrap(), header.gid().unwrap());
    let mode = header.mode().unwrap() & 0o7777;
    let kind = header.entry_type();
    let what = if kind.is_dir() {
        format!("folder {mode:o} {owner}")
    } else if kind.is_symlink() {
        format!("link {owner} {link}")
    } else if kind.is_hard_link() {
        let link = link.trim_start_matches("./").trim_start_matches('/');
        return above.get(link).or_else(|| below.get(link)).cloned().unwrap_or_else(|| format!("hard link {link}"));
    } else {
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let text = std::str::from_utf8(&content).ok().filter(|text| text.len() <= 200);
        let digest = || hex::encode(&<sha2::Sha256 as sha2::Digest>::digest(&content)[..8]);
        let shown = text.map_or_else(digest, |text| format!("{text:?}"));
        format!("{kind:?} {mode:o} {owner} {shown}")
    };
    capability.map_or(what.clone(), |capability| format!("{what} capability {capability}"))
}
