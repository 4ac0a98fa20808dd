-- Volumes, and which containers have them.
CREATE TABLE volumes (
  name        TEXT PRIMARY KEY,            -- 64 hexadecimal digits where nobody gave one
  labels      TEXT NOT NULL,               -- JSON
  created     INTEGER NOT NULL,            -- UTC nanoseconds
  anonymous   INTEGER NOT NULL
) WITHOUT ROWID;

-- Written and deleted together with the container's row.
CREATE TABLE volume_users (
  volume      TEXT NOT NULL REFERENCES volumes (name),
  container   TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
  own         INTEGER NOT NULL,            -- made for this container: goes with it when that is asked for
  PRIMARY KEY (volume, container)
) WITHOUT ROWID;
CREATE INDEX volume_users_by_container ON volume_users (container);
