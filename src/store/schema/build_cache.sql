-- What a build step made before: same inputs, same layer. A row keeps its layer and its blob.
DROP TABLE build_cache;
CREATE TABLE build_cache (
  key         TEXT PRIMARY KEY,            -- SHA-256 of what is below and of the step's inputs
  chain_id    TEXT,                        -- the layer; NULL: the step changed nothing
  diff_id     TEXT,
  blob        TEXT,
  blob_size   INTEGER NOT NULL DEFAULT 0,
  media_type  TEXT,
  size        INTEGER NOT NULL DEFAULT 0,  -- bytes of the layer's files
  entries     INTEGER NOT NULL DEFAULT 0,  -- members of its tar
  step        TEXT NOT NULL,               -- what made it: `run make`
  created     INTEGER NOT NULL,            -- UTC nanoseconds
  used        INTEGER NOT NULL,            -- when a build found it last, UTC nanoseconds
  uses        INTEGER NOT NULL DEFAULT 0,
  boot_id     TEXT                         -- valid during this boot only: nobody made sure that its files are on the disk
) WITHOUT ROWID;
CREATE INDEX build_cache_by_layer ON build_cache (chain_id);
CREATE INDEX build_cache_by_blob ON build_cache (blob);
