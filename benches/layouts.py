"""Images made for measuring: one of 1 GB in twelve layers, one of 60,000 small files; with the bytes of a real system."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from concurrent.futures import ProcessPoolExecutor

OCI = "application/vnd.oci.image."
LAYERS, LAYER_BYTES = 12, 85 << 20
SMALL_FILES = 60_000


def make(folder, fixtures):
    """Writes both as OCI layouts; gives their names and what skopeo calls them."""
    source = biggest_layer(f"{fixtures}/node")
    parts = [(source, number * (LAYER_BYTES // 3), number) for number in range(LAYERS)]
    with ProcessPoolExecutor(2) as pool:
        big = list(pool.map(large_files, parts))
    many = [small_files(source)]
    return {"1 GB in 12 layers": layout(f"{folder}/big", big), "60,000 small files": layout(f"{folder}/many", many)}


def biggest_layer(image):
    blobs = f"{image}/blobs/sha256"
    return max((f"{blobs}/{name}" for name in os.listdir(blobs)), key=os.path.getsize)


def content(source):
    with gzip.open(source) as file:
        return file.read()


def large_files(part):
    """A layer of files of 1 KB to 4 MB."""
    source, start, number = part
    data = content(source)
    data = (data + data)[start % len(data) :][:LAYER_BYTES]
    layer = Layer()
    layer.folder(f"layer{number}")
    at, index, sizes = 0, 0, [1 << 10, 9 << 10, 70 << 10, 500 << 10, 4 << 20]
    while at < len(data):
        size = sizes[index % len(sizes)]
        layer.file(f"layer{number}/file{index}", data[at : at + size])
        at, index = at + size, index + 1
    return layer.packed()


def small_files(source):
    """A layer of files of 0 to 6 KB in 600 folders, as `node_modules` is."""
    data = content(source)
    layer, at = Layer(), 0
    for folder in range(SMALL_FILES // 100):
        layer.folder(f"modules/package{folder}")
        for number in range(100):
            size = (folder * 7919 + number * 104729) % 6000
            layer.file(f"modules/package{folder}/file{number}.js", data[at : at + size])
            at = (at + size) % (len(data) - 6000)
    return layer.packed()


class Layer:
    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.PAX_FORMAT)

    def folder(self, name):
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, 1_700_000_000
        self.tar.addfile(entry)

    def file(self, name, data):
        entry = tarfile.TarInfo(name)
        entry.mode, entry.mtime, entry.size = 0o644, 1_700_000_000, len(data)
        self.tar.addfile(entry, io.BytesIO(data))

    def packed(self):
        """Its diff id, and its bytes as a registry would have them."""
        self.tar.close()
        data = self.buffer.getvalue()
        return digest(data), gzip.compress(data, compresslevel=6, mtime=0)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layout(folder, layers):
    os.makedirs(f"{folder}/blobs/sha256")

    def blob(data, media_type):
        with open(f"{folder}/blobs/sha256/{digest(data)[7:]}", "wb") as file:
            file.write(data)
        return {"mediaType": OCI + media_type, "digest": digest(data), "size": len(data)}

    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": {"Cmd": ["/none"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id for diff_id, _ in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI + "manifest.v1+json",
        "config": blob(json.dumps(config).encode(), "config.v1+json"),
        "layers": [blob(data, "layer.v1.tar+gzip") for _, data in layers],
    }
    index = {"schemaVersion": 2, "manifests": [blob(json.dumps(manifest).encode(), "manifest.v1+json")]}
    for name, value in [("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})]:
        with open(f"{folder}/{name}", "w") as file:
            json.dump(value, file)
    return f"oci:{folder}"
