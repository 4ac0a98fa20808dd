-- Images, their names, and the layers that they are made of. Digests are `sha256:` and 64 digits.
CREATE TABLE images (
  id          TEXT PRIMARY KEY,            -- digest of the config
  manifest    TEXT NOT NULL,               -- digest of the manifest
  size        INTEGER NOT NULL,            -- bytes of all its layers, unpacked
  created     INTEGER,                     -- as its config says, UTC nanoseconds
  added       INTEGER NOT NULL             -- when it came here, UTC nanoseconds
) WITHOUT ROWID;

CREATE TABLE image_names (
  name        TEXT PRIMARY KEY,            -- canonical reference with its tag
  image       TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX image_names_by_image ON image_names (image);

-- Under which digests a registry knows it: what can be pulled again.
CREATE TABLE image_digests (
  repository  TEXT NOT NULL,               -- canonical, without tag
  digest      TEXT NOT NULL,               -- of a manifest or an index
  image       TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  PRIMARY KEY (repository, digest, image)
) WITHOUT ROWID;
CREATE INDEX image_digests_by_image ON image_digests (image);

-- Unpacked layers that are durable. One in `layers/` without a row is garbage, or about to get its row.
CREATE TABLE layers (
  chain_id    TEXT PRIMARY KEY,
  diff_id     TEXT NOT NULL,
  size        INTEGER NOT NULL,            -- bytes of its files
  entries     INTEGER NOT NULL             -- members of its tar
) WITHOUT ROWID;

CREATE TABLE image_layers (
  image       TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  position    INTEGER NOT NULL,            -- 0 is the bottom
  chain_id    TEXT NOT NULL REFERENCES layers (chain_id),
  blob        TEXT NOT NULL,               -- digest of the layer as the manifest has it
  PRIMARY KEY (image, position)
) WITHOUT ROWID;
CREATE INDEX image_layers_by_layer ON image_layers (chain_id);

-- What a build step made before: same inputs, same layer.
CREATE TABLE build_cache (
  key         TEXT PRIMARY KEY,            -- SHA-256 of the parent's chain id and the step's inputs
  chain_id    TEXT NOT NULL REFERENCES layers (chain_id) ON DELETE CASCADE,
  blob        TEXT NOT NULL,
  blob_size   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX build_cache_by_layer ON build_cache (chain_id);
