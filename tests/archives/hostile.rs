//! Archives that attack: each is refused with one clear error, writes nothing outside, and leaves nothing in the store.

use super::{at, left_over, stored};
use crate::support::busybox::with_busybox;
use crate::support::hostile_tars::{Tar, hostile_layers};
use crate::support::registry::{FaultyRegistry, Image};
use crate::support::require;
use crate::support::shanty::Shanty;
use serde_json::{Value, json};
use sha2::Digest as _;
use std::collections::BTreeMap;

fn hex(bytes: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(bytes))
}

/// The path of a blob in a layout.
fn blob(bytes: &[u8]) -> String {
    format!("blobs/sha256/{}", hex(bytes))
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{}", hex(bytes)), "size": bytes.len() })
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An honest image of one layer, and what it says of itself.
struct Parts {
    layer: Vec<u8>,
    config: Vec<u8>,
    manifest: Value,
}

fn parts() -> Parts {
    of_layer(Tar::default().file("f", "x").end())
}

fn of_layer(layer: Vec<u8>) -> Parts {
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer))] },
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config), "layers": [descriptor(LAYER, &layer)],
    });
    Parts { layer, config, manifest }
}

impl Parts {
    /// As Docker writes it; `change` makes what `manifest.json` says something else.
    fn docker(&self, change: impl FnOnce(&mut Value)) -> Tar {
        let mut entry = json!({ "Config": "c.json", "RepoTags": ["x:1"], "Layers": ["a/layer.tar"] });
        change(&mut entry);
        self.files().file("manifest.json", &json!([entry]).to_string())
    }

    /// The files without what says what they are.
    fn files(&self) -> Tar {
        Tar::default().add(b'0', "a/layer.tar", "", &self.layer).add(b'0', "c.json", "", &self.config)
    }

    /// As a layout; `change` makes what the manifest says something else.
    fn layout(&self, change: impl FnOnce(&mut Value)) -> Tar {
        let mut manifest = self.manifest.clone();
        change(&mut manifest);
        let manifest = manifest.to_string().into_bytes();
        self.blobs()
            .add(b'0', &blob(&manifest), "", &manifest)
            .file("index.json", &index(&[descriptor(MANIFEST, &manifest)]))
    }

    fn blobs(&self) -> Tar {
        Tar::default().add(b'0', &blob(&self.layer), "", &self.layer).add(b'0', &blob(&self.config), "", &self.config)
    }
}

fn index(manifests: &[Value]) -> String {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string()
}

/// Indexes that lead to each other, `depth` deep.
fn nested(depth: usize) -> Tar {
    let parts = parts();
    let manifest = parts.manifest.to_string().into_bytes();
    let mut tar = parts.blobs().add(b'0', &blob(&manifest), "", &manifest);
    let mut entry = descriptor(MANIFEST, &manifest);
    for _ in 0..depth {
        let bytes = index(&[entry]).into_bytes();
        tar = tar.add(b'0', &blob(&bytes), "", &bytes);
        entry = descriptor(INDEX, &bytes);
    }
    tar.file("index.json", &index(&[entry]))
}

/// What the archive is, its bytes, the error's kind, and what its message says.
type Case = (&'static str, Vec<u8>, &'static str, &'static str);

fn archives() -> Vec<Case> {
    let good = parts();
    let plain = |change: &dyn Fn(&mut Value)| good.docker(change).end();
    let layers = |names: Value| plain(&|entry| entry["Layers"] = names.clone());
    let layout = |change: &dyn Fn(&mut Value)| good.layout(change).end();
    let same = |_: &mut Value| {};
    let megabytes = "x".repeat(5 << 20);
    let mut links = Tar::default();
    for number in 0..20_001 {
        links = links.link(&number.to_string(), "x");
    }
    let mut cut = plain(&same);
    cut.truncate(1500);
    let mut huge = Tar::default();
    huge.raw(b'0', b"manifest.json", b"", b"[]", 0o77_777_777_777);
    let mut wrong_size = Tar::default();
    wrong_size.raw(b'0', b"a/layer.tar", b"", &good.layer, 7);
    let wrong_layer = of_layer(b"no tar".repeat(100));
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let mut cut_gzip = gzip(&plain(&same));
    cut_gzip.truncate(cut_gzip.len() - 20);
    vec![
        // Names.
        ("a member outside", Tar::default().file("../x", "x").end(), "corrupt", "leads outside"),
        ("a member with `..` inside", good.files().file("a/../../x", "x").end(), "corrupt", "leads outside"),
        (
            "a name of 64 KiB",
            Tar::default().pax(&[("path", &"n".repeat(65536))]).file("x", "x").end(),
            "corrupt",
            "longer",
        ),
        (
            "a GNU long name of 1 GiB",
            {
                let mut tar = Tar::default();
                tar.raw(b'L', b"x", b"", b"x", 1 << 30);
                tar.end()
            },
            "corrupt",
            "1 MiB",
        ),
        (
            "two PAX headers",
            Tar::default().pax(&[("size", "1")]).pax(&[("size", "2")]).file("x", "x").end(),
            "corrupt",
            "contradict",
        ),
        (
            "a PAX size beyond the end",
            good.files().pax(&[("size", "99999")]).file("x", "x").end(),
            "corrupt",
            "ends in the middle",
        ),
        ("a sparse file", good.files().add(b'S', "x", "", b"").end(), "unsupported", "sparse"),
        // What `manifest.json` names.
        ("a layer outside", layers(json!(["../../etc/passwd"])), "corrupt", "outside"),
        ("a layer of the host", layers(json!(["/etc/passwd"])), "corrupt", "no file `/etc/passwd`"),
        ("a config outside", plain(&|entry| entry["Config"] = json!("../../etc/passwd")), "corrupt", "outside"),
        ("a config of the host", plain(&|entry| entry["Config"] = json!("/etc/passwd")), "corrupt", "no file"),
        ("a layer that is not there", layers(json!(["b/layer.tar"])), "corrupt", "no file"),
        ("a layer listed 10,000 times", layers(json!(vec!["a/layer.tar"; 10_000])), "corrupt", "more than 500"),
        ("a layer too many", layers(json!(["a/layer.tar", "a/layer.tar"])), "corrupt", "2 layers"),
        ("no layer", layers(json!([])), "corrupt", "0 layers"),
        ("a layer that is the config", layers(json!(["c.json"])), "corrupt", "archive"),
        ("a name outside", plain(&|entry| entry["RepoTags"] = json!(["../../x:1"])), "corrupt", "names an image"),
        (
            "a name with a digest",
            plain(&|entry| entry["RepoTags"] = json!([format!("x@sha256:{}", "0".repeat(64))])),
            "corrupt",
            "names an image",
        ),
        (
            "2,000 images",
            good.files()
                .file(
                    "manifest.json",
                    &json!(vec![json!({ "Config": "c.json", "Layers": ["a/layer.tar"] }); 2000]).to_string(),
                )
                .end(),
            "corrupt",
            "more than 1024",
        ),
        ("a broken `manifest.json`", good.files().file("manifest.json", "{").end(), "corrupt", "cannot be read"),
        ("a `manifest.json` of 5 MiB", good.files().file("manifest.json", &megabytes).end(), "corrupt", "bytes"),
        ("a `manifest.json` of 8 GiB", huge.end(), "corrupt", "bytes"),
        (
            "a config of 5 MiB",
            good.docker(|entry| entry["Config"] = json!("big.json")).file("big.json", &megabytes).end(),
            "corrupt",
            "bytes",
        ),
        (
            "a config that is none",
            good.docker(|entry| entry["Config"] = json!("n.json")).file("n.json", "[1]").end(),
            "corrupt",
            "config",
        ),
        // Links and other things.
        (
            "a layer that is a link out",
            good.docker(|entry| entry["Layers"] = json!(["l"])).link("l", "../../etc/passwd").end(),
            "corrupt",
            "outside",
        ),
        (
            "a layer that is an absolute link",
            good.docker(|entry| entry["Layers"] = json!(["l"])).link("l", "/etc/passwd").end(),
            "corrupt",
            "outside",
        ),
        (
            "a layer that is a hard link out",
            good.docker(|entry| entry["Layers"] = json!(["l"])).hard("l", "../etc/passwd").end(),
            "corrupt",
            "outside",
        ),
        (
            "a layer that is a hard link to the host",
            good.docker(|entry| entry["Layers"] = json!(["l"])).hard("l", "/etc/passwd").end(),
            "corrupt",
            "no file",
        ),
        (
            "links in a circle",
            good.docker(|entry| entry["Layers"] = json!(["l"])).link("l", "m").link("m", "l").end(),
            "corrupt",
            "too many links",
        ),
        (
            "a link, and a file through it",
            good.docker(|entry| entry["Layers"] = json!(["l/x"])).link("l", "/tmp").file("l/x", "x").end(),
            "corrupt",
            "outside",
        ),
        (
            "a layer that is a device",
            good.docker(|entry| entry["Layers"] = json!(["d"])).add(b'4', "d", "", b"").end(),
            "corrupt",
            "neither",
        ),
        ("20,001 links", links.end(), "corrupt", "more than 20000"),
        // Twice, cut and damaged.
        ("a layer twice", good.docker(same).file("a/layer.tar", "other").end(), "corrupt", "twice"),
        ("a `manifest.json` twice", good.docker(same).file("manifest.json", "[]").end(), "corrupt", "twice"),
        ("a layer of another size than it says", wrong_size.end(), "corrupt", "damaged"),
        ("an archive that is cut", cut, "corrupt", "ends"),
        ("a compressed archive that is cut", cut_gzip, "corrupt", "archive"),
        ("bzip2", b"BZh91AY&SY".to_vec(), "unsupported", "bzip2"),
        ("xz", b"\xfd7zXZ\0garbage".to_vec(), "unsupported", "xz"),
        ("no archive", b"<html>not found</html>".repeat(50), "corrupt", "damaged"),
        ("nothing", Vec::new(), "invalid", "holds no images"),
        (
            "the tar of a file system",
            Tar::default().folder("etc").file("etc/passwd", "x").end(),
            "invalid",
            "holds no images",
        ),
        ("an archive of old", Tar::default().file("repositories", "{}").end(), "unsupported", "before 1.10"),
        // Layouts.
        ("a blob with another digest", Tar::default().file(&blob(b"one"), "other").end(), "corrupt", "its digest is"),
        (
            "a manifest that is not there",
            good.blobs().file("index.json", &index(&[descriptor(MANIFEST, b"x")])).end(),
            "corrupt",
            "no file",
        ),
        (
            "a layer that is not there",
            layout(&|manifest| manifest["layers"][0] = descriptor(LAYER, b"x")),
            "corrupt",
            "no file",
        ),
        (
            "a layer of another size",
            layout(&|manifest| manifest["layers"][0]["size"] = json!(3)),
            "corrupt",
            "bytes, not 3",
        ),
        (
            "a layer listed 10,000 times in a manifest",
            layout(&|manifest| manifest["layers"] = json!(vec![manifest["layers"][0].clone(); 10_000])),
            "corrupt",
            "more than 500",
        ),
        (
            "a digest that is a path",
            layout(&|manifest| manifest["layers"][0]["digest"] = json!("sha256:../../../etc/passwd")),
            "corrupt",
            "broken",
        ),
        (
            "a layer that is foreign",
            layout(&|manifest| manifest["layers"][0]["mediaType"] = json!(foreign)),
            "unsupported",
            "cannot be unpacked",
        ),
        (
            "a config that is no image's",
            layout(&|manifest| manifest["config"]["mediaType"] = json!("application/x")),
            "unsupported",
            "no container image",
        ),
        (
            "a manifest that is an index as well",
            layout(&|manifest| manifest["manifests"] = json!([])),
            "corrupt",
            "both",
        ),
        ("indexes of indexes of indexes", nested(12).end(), "corrupt", "ever more indexes"),
        (
            "2,000 manifests",
            good.blobs().file("index.json", &index(&vec![descriptor(MANIFEST, b"x"); 2000])).end(),
            "corrupt",
            "more than 1024",
        ),
        ("a broken index", good.blobs().file("index.json", "[]").end(), "corrupt", "index"),
        (
            "a layout of the future",
            good.layout(same).file("oci-layout", r#"{"imageLayoutVersion":"9.0.0"}"#).end(),
            "unsupported",
            "9.0.0",
        ),
        // Layers.
        ("a layer that is no tar", wrong_layer.docker(same).end(), "corrupt", "layer"),
        (
            "a layer that is not the config's",
            {
                let mut other = parts();
                other.layer = Tar::default().file("g", "y").end();
                other.docker(same).end()
            },
            "corrupt",
            "diff id",
        ),
    ]
}

/// Loads each file in one script. Gives the kind and message of each error.
fn try_all(shanty: &Shanty, call: &str, count: usize) -> Vec<(String, String)> {
    let script = format!(
        r#"let seen = []; for i in 0..{count} {{ try {{ {call}; seen.push(["loaded", ""]) }} catch (e) {{ seen.push([e.kind, e.message]) }} }} seen"#
    );
    serde_json::from_value(shanty.json(&script)).unwrap()
}

#[test]
fn archives_that_attack_are_refused_and_leave_nothing() {
    let shanty = Shanty::new();
    let cases = archives();
    for (number, (_, bytes, _, _)) in cases.iter().enumerate() {
        shanty.write(&format!("{number}.tar"), "");
        std::fs::write(at(&shanty, &format!("{number}.tar")), bytes).unwrap();
    }
    let work = names_of(&shanty.work());
    let outside = names_of(shanty.root().parent().unwrap());
    let mut wrong = Vec::new();
    for ((what, _, kind, words), (found, message)) in
        cases.iter().zip(try_all(&shanty, "load(`${i}.tar`)", cases.len()))
    {
        if found != *kind || !message.contains(words) {
            wrong.push(format!("{what}: {found}, {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((names_of(&shanty.work()), names_of(shanty.root().parent().unwrap())), (work, outside));
    assert_nothing_of_it(&shanty);
}

#[test]
fn layers_that_attack_are_refused_however_they_come() {
    let (shanty, registry) = (Shanty::new(), FaultyRegistry::start());
    let cases = hostile_layers();
    for (number, (_, layer)) in cases.iter().enumerate() {
        let parts = of_layer(layer.clone());
        for (kind, bytes) in
            [("docker", parts.docker(|_| {}).end()), ("oci", parts.layout(|_| {}).end()), ("rootfs", layer.clone())]
        {
            std::fs::write(at(&shanty, &format!("{kind}-{number}.tar")), bytes).unwrap();
        }
        registry.put(&format!("x:{number}"), &Image::new(std::slice::from_ref(layer)));
    }
    let outside = names_of(shanty.root().parent().unwrap());
    let pull = format!("image(`{}/x:${{i}}`).pull()", registry.host());
    for call in ["load(`docker-${i}.tar`)", "load(`oci-${i}.tar`)", "image_from_tar(`rootfs-${i}.tar`)", &pull] {
        for ((what, _), (kind, message)) in cases.iter().zip(try_all(&shanty, call, cases.len())) {
            // What the engine cannot tell from an archive that is compressed in a damaged way.
            assert_eq!(kind, "corrupt", "{call}: {what}: {message}");
        }
        assert_eq!(names_of(shanty.root().parent().unwrap()), outside, "{call}");
        if call != pull {
            assert_nothing_of_it(&shanty);
        }
    }
    // Blobs of a pull that are as their digests say are kept for the next try, until the next sweep.
    assert_eq!((left_over(&shanty), shanty.json("images().len()")), (Vec::new(), json!(0)));
}

fn names_of(folder: &std::path::Path) -> BTreeMap<String, u64> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().display().to_string(), entry.metadata().unwrap().len())).collect()
}

fn assert_nothing_of_it(shanty: &Shanty) {
    assert_eq!(shanty.json("images().len()"), 0);
    assert_eq!((left_over(shanty), stored(shanty)), (Vec::<String>::new(), Vec::<String>::new()));
}

#[test]
fn what_only_looks_hostile_is_loaded() {
    let good = parts();
    let everything = good
        .docker(|entry| entry["Layers"] = json!(["./l"]))
        .add(b'0', "a/layer.tar", "", &good.layer)
        .link("l", "b/../a/layer.tar")
        .file("a/VERSION", "1.0")
        .folder("a");
    let absolute = good.docker(|entry| entry["Layers"] = json!(["/a/layer.tar"]));
    let shanty = Shanty::new();
    for (number, tar) in [everything, absolute, nested(4), good.layout(|_| {})].into_iter().enumerate() {
        std::fs::write(at(&shanty, &format!("{number}.tar")), tar.end()).unwrap();
        let id = shanty
            .json(&format!("let i = load(`{number}.tar`)[0]; let id = i.id; image(id).remove(#{{ force: true }}); id"));
        assert_eq!(id, json!(format!("sha256:{}", hex(&good.config))), "{number}");
    }
}

#[test]
fn of_an_archive_whose_second_image_is_damaged_nothing_stays() {
    let shanty = require!(with_busybox());
    let before = stored(&shanty);
    let (one, two) =
        (of_layer(Tar::default().file("one", "1").end()), of_layer(Tar::default().file("../two", "2").end()));
    let entries = json!([
        { "Config": "c.json", "RepoTags": ["busybox:1", "one:1"], "Layers": ["a/layer.tar"] },
        { "Config": "d.json", "RepoTags": ["two:1"], "Layers": ["b/layer.tar"] },
    ]);
    let tar = one.files().add(b'0', "b/layer.tar", "", &two.layer).add(b'0', "d.json", "", &two.config);
    std::fs::write(at(&shanty, "x.tar"), tar.file("manifest.json", &entries.to_string()).end()).unwrap();
    let tags = shanty.json("images().map(|i| [i.id, i.tags])");
    let failed = shanty.eval("load(`x.tar`)").fails_with("corrupt");
    assert!(failed.stderr.contains("two:1"), "{failed}");
    assert_eq!(shanty.json("images().map(|i| [i.id, i.tags])"), tags);
    assert_eq!((left_over(&shanty), stored(&shanty)), (Vec::new(), before));
}
