-- Facts about the root itself: `root_id`, `checkpointed`.
CREATE TABLE meta (
  key         TEXT PRIMARY KEY,
  value       TEXT NOT NULL
) WITHOUT ROWID;
