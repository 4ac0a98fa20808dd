-- Containers: configuration, ownership and the last folded state. Times are UTC nanoseconds.
CREATE TABLE containers (
  id          TEXT PRIMARY KEY,            -- 64 hexadecimal digits
  name        TEXT NOT NULL UNIQUE,
  image       TEXT NOT NULL,               -- reference as the user wrote it
  image_id    TEXT NOT NULL,               -- digest of the config; images in use are not removed
  spec        TEXT NOT NULL,               -- model::ContainerSpec as JSON
  plan        TEXT NOT NULL,               -- container::Plan as JSON: what the spec came to with this image
  created     INTEGER NOT NULL,
  status      TEXT NOT NULL,               -- model::Status; `running` stands until the end was folded in
  exit_code   INTEGER,
  oom_killed  INTEGER NOT NULL DEFAULT 0,
  restarts    INTEGER NOT NULL DEFAULT 0,
  started     INTEGER,
  finished    INTEGER
) WITHOUT ROWID;
CREATE INDEX containers_by_image ON containers (image_id);
CREATE INDEX containers_by_status ON containers (status) WHERE status NOT IN ('created', 'exited');

-- Scopes: which process owns one, so that the next command can end those of dead scripts.
CREATE TABLE scopes (
  id          TEXT PRIMARY KEY,
  boot_id     TEXT NOT NULL,
  pid         INTEGER NOT NULL,
  start_time  INTEGER NOT NULL             -- field 22 of /proc/PID/stat, so that a reused pid is no owner
) WITHOUT ROWID;

-- What scopes own: removed newest first at the scope's end.
CREATE TABLE scope_items (
  seq         INTEGER PRIMARY KEY,
  scope       TEXT NOT NULL,
  kind        TEXT NOT NULL,               -- container, image
  name        TEXT NOT NULL                -- container id, canonical image name
);
CREATE INDEX scope_items_by_scope ON scope_items (scope);
