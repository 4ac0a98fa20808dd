-- Containers: configuration, ownership and the last folded state. Times are UTC nanoseconds.
CREATE TABLE containers (
  id          TEXT PRIMARY KEY,            -- 64 hexadecimal digits
  name        TEXT NOT NULL UNIQUE,
  image       TEXT NOT NULL,               -- reference as the user wrote it
  image_id    TEXT NOT NULL,               -- digest of the config; images in use are not removed
  spec        TEXT NOT NULL,               -- model::ContainerSpec as JSON
  plan        TEXT NOT NULL DEFAULT '{}',  -- what was resolved at creation, as JSON
  scope       TEXT,                        -- the scope that owns it
  created     INTEGER NOT NULL,
  status      TEXT NOT NULL,               -- last folded state
  exit_code   INTEGER,
  oom_killed  INTEGER NOT NULL DEFAULT 0,
  restarts    INTEGER NOT NULL DEFAULT 0,
  started     INTEGER,
  finished    INTEGER
) WITHOUT ROWID;
CREATE INDEX containers_by_image ON containers (image_id);
CREATE INDEX containers_by_scope ON containers (scope) WHERE scope IS NOT NULL;

-- Scopes: which process owns one, so that the next command can end those of dead scripts.
CREATE TABLE scopes (
  id          TEXT PRIMARY KEY,
  boot_id     TEXT NOT NULL,
  pid         INTEGER NOT NULL,
  start_time  INTEGER NOT NULL             -- field 22 of /proc/PID/stat, so that a reused pid is no owner
) WITHOUT ROWID;
