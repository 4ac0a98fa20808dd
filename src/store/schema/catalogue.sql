-- What lists show of an image without reading its config, how images descend from each other, and what goes with one.
ALTER TABLE images ADD COLUMN summary TEXT;     -- image::Summary as JSON; NULL in a row of an older version until it is read
ALTER TABLE images ADD COLUMN parent TEXT;      -- id of the image that it was built on or committed from
ALTER TABLE images ADD COLUMN touched INTEGER;  -- when it was pulled, built or named last, UTC nanoseconds
ALTER TABLE images ADD COLUMN touched_by TEXT;  -- by which process: boot id, pid and start time
ALTER TABLE images ADD COLUMN tagged INTEGER;   -- when it got a name last, UTC nanoseconds
CREATE INDEX images_by_parent ON images (parent) WHERE parent IS NOT NULL;
CREATE INDEX images_by_manifest ON images (manifest);
CREATE INDEX image_layers_by_blob ON image_layers (blob);

ALTER TABLE build_cache ADD COLUMN step TEXT;        -- what made it: `run make`
ALTER TABLE build_cache ADD COLUMN created INTEGER;  -- UTC nanoseconds
ALTER TABLE build_cache ADD COLUMN used INTEGER;     -- when a build found it last, UTC nanoseconds
ALTER TABLE build_cache ADD COLUMN uses INTEGER NOT NULL DEFAULT 0;
CREATE INDEX build_cache_by_blob ON build_cache (blob);

-- Layers of images that were removed by force while stopped containers need them.
CREATE TABLE held_layers (
  image       TEXT NOT NULL,               -- as in `containers.image_id`
  chain_id    TEXT NOT NULL REFERENCES layers (chain_id),
  PRIMARY KEY (image, chain_id)
) WITHOUT ROWID;
CREATE INDEX held_layers_by_layer ON held_layers (chain_id);

-- Files that rows let go of: deleted as soon as nobody adds content. One that got a row again meanwhile stays.
CREATE TABLE garbage (
  kind        TEXT NOT NULL,               -- blob, layer
  digest      TEXT NOT NULL,
  PRIMARY KEY (kind, digest)
) WITHOUT ROWID;
