-- Format 2: iterations of for_each tasks, runs that tasks start, one-time runs, repairs, tokens of deleted runs.

ALTER TABLE jobs ADD COLUMN run_as TEXT;                                -- JSON: kept when a reset leaves it out

ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'JOB_RUN';       -- run_type: JOB_RUN or SUBMIT_RUN
ALTER TABLE runs ADD COLUMN parent INTEGER;                             -- attempt of the run_job task that started it
ALTER TABLE runs ADD COLUMN ancestors TEXT NOT NULL DEFAULT '[]';       -- JSON: ids of the jobs above it, outermost first
ALTER TABLE runs ADD COLUMN repair INTEGER NOT NULL DEFAULT 0;          -- the latest repair, 0 without one
ALTER TABLE runs ADD COLUMN resumed INTEGER NOT NULL DEFAULT 0;         -- when the latest repair began to run
ALTER TABLE runs ADD COLUMN spent INTEGER NOT NULL DEFAULT 0;           -- milliseconds that it ran before that

ALTER TABLE attempts ADD COLUMN parent INTEGER;                         -- of an iteration: the attempt of its for_each task
ALTER TABLE attempts ADD COLUMN iteration INTEGER;                      -- its index in the inputs
ALTER TABLE attempts ADD COLUMN inputs TEXT;                            -- of a for_each task: the resolved array, JSON
ALTER TABLE attempts ADD COLUMN since INTEGER;                          -- iterations from this attempt of it on count
ALTER TABLE attempts ADD COLUMN child INTEGER;                          -- of a run_job task: the run that it started
ALTER TABLE attempts ADD COLUMN repair INTEGER NOT NULL DEFAULT 0;      -- the repair that it belongs to, 0 for none
CREATE INDEX attempts_by_parent ON attempts (parent, iteration) WHERE parent IS NOT NULL;

-- Every phase of a run that was repaired: the original one (id of the run), then each repair. The state of the latest
-- phase is that of the run; here it is written down when the next one begins.
CREATE TABLE repairs (
  id        INTEGER PRIMARY KEY,
  run_id    INTEGER NOT NULL,
  document  TEXT NOT NULL REFERENCES documents (digest),
  request   TEXT NOT NULL,              -- JSON: what was asked for
  started   INTEGER NOT NULL DEFAULT 0,
  ended     INTEGER NOT NULL DEFAULT 0,
  state     TEXT,
  result    TEXT,
  code      TEXT,
  message   TEXT NOT NULL DEFAULT ''
);
CREATE INDEX repairs_by_run ON repairs (run_id, id);

-- Idempotency tokens of runs that were deleted: they start nothing again.
CREATE TABLE spent_tokens (
  token     TEXT PRIMARY KEY,
  deleted   INTEGER NOT NULL
) WITHOUT ROWID;
