"""Fills a root with many images: rows as Shanty writes them, and the files that listing, inspecting and removing touch."""

import hashlib
import json
import os
import sqlite3
import sys
import time


def digest(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def fill(root, images, layers):
    """The root has been used once, so that it has a database."""
    blobs = os.path.join(root, "blobs/sha256")
    database = sqlite3.connect(os.path.join(root, "shanty.db"), isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN IMMEDIATE")
    for image in range(images):
        diff_ids = [digest(f"layer {image} {layer}") for layer in range(layers)]
        run = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", f"BUILD={image}"],
               "Cmd": ["node", "server.js"], "WorkingDir": "/app", "Labels": {"team": f"team-{image % 7}"}}
        created = f"2026-01-{1 + image % 28:02}T{image % 24:02}:{image // 24 % 60:02}:00Z"
        config = {"architecture": "amd64", "os": "linux", "created": created, "config": run,
                  "rootfs": {"type": "layers", "diff_ids": diff_ids},
                  "history": [{"created": created, "created_by": f"RUN step {layer}"} for layer in range(layers)]}
        text = json.dumps(config)
        identity, manifest = digest(text), digest(f"manifest {image}")
        for name, content in [(identity, text), (manifest, "{}")]:
            with open(os.path.join(blobs, name[7:]), "w") as file:
                file.write(content)
        summary = {"created": created, "platform": {"os": "linux", "architecture": "amd64", "variant": None},
                   "labels": run["Labels"], "env": run["Env"], "cmd": run["Cmd"], "workdir": "/app", "layers": "".join(diff_id[7:] for diff_id in diff_ids)}
        now = time.time_ns()
        database.execute(
            "INSERT INTO images (id, manifest, size, created, added, summary, touched, tagged) VALUES (?,?,?,?,?,?,?,?)",
            (identity, manifest, layers << 20, now - image * 10**9, now, json.dumps(summary), now, now))
        name = f"docker.io/team/app-{image % 500}"
        database.execute("INSERT INTO image_names VALUES (?, ?)", (f"{name}:{image}", identity))
        database.execute("INSERT INTO image_digests VALUES (?, ?, ?)", (name, manifest, identity))
        chain = None
        for position, diff_id in enumerate(diff_ids):
            chain = diff_id if chain is None else digest(f"{chain} {diff_id}")
            blob = digest(f"blob {image} {position}")
            database.execute("INSERT INTO layers VALUES (?, ?, ?, ?)", (chain, diff_id, 1 << 20, 100))
            database.execute("INSERT INTO image_layers VALUES (?, ?, ?, ?)", (identity, position, chain, blob))
    database.execute("COMMIT")
    database.close()


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
