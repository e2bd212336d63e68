-- Format 1 of the engine's database. Ids of jobs, runs and attempts come from one sequence and stay below 2^53.
-- Times are epoch milliseconds, 0 when not yet. States and results are those of the Jobs API.

CREATE TABLE engine (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  id        TEXT NOT NULL,              -- identity of this engine, a UUID
  created   INTEGER NOT NULL,
  next_id   INTEGER NOT NULL,           -- the sequence
  epoch     INTEGER NOT NULL            -- raised by every scheduler that takes over
);

-- Job settings as they were received, once each.
CREATE TABLE documents (
  digest    TEXT PRIMARY KEY,
  body      TEXT NOT NULL
);

CREATE TABLE jobs (
  id        INTEGER PRIMARY KEY,
  own       TEXT UNIQUE,                -- ownership id; NULL for a job of nobody
  lineage   TEXT,
  target    TEXT,
  key       TEXT,
  name      TEXT NOT NULL,
  digest    TEXT NOT NULL,              -- of the settings without null members: what a plan compares
  document  TEXT NOT NULL REFERENCES documents (digest),
  created   INTEGER NOT NULL,
  creator   TEXT NOT NULL
);
-- A plan reads nothing but this index.
CREATE INDEX jobs_by_owner ON jobs (lineage, target, id, own, digest);

-- Highest fence seen; a writer with a lower one was overtaken.
CREATE TABLE fences (
  lineage   TEXT NOT NULL,
  target    TEXT NOT NULL,
  fence     INTEGER NOT NULL,
  PRIMARY KEY (lineage, target)
) WITHOUT ROWID;

CREATE TABLE runs (
  id        INTEGER PRIMARY KEY,
  job_id    INTEGER NOT NULL,
  name      TEXT NOT NULL,
  document  TEXT NOT NULL REFERENCES documents (digest),
  request   TEXT NOT NULL,              -- JSON: job_parameters, only, queue
  token     TEXT UNIQUE,                -- idempotency token
  trigger   TEXT NOT NULL,
  creator   TEXT NOT NULL,
  state     TEXT NOT NULL,
  result    TEXT,
  code      TEXT,                       -- termination code
  message   TEXT NOT NULL DEFAULT '',
  requested INTEGER NOT NULL,
  started   INTEGER NOT NULL DEFAULT 0,
  ended     INTEGER NOT NULL DEFAULT 0,
  timeout_s INTEGER NOT NULL DEFAULT 0, -- follows the job while the run is active
  cancel    INTEGER NOT NULL DEFAULT 0, -- when its end was asked for
  parameters TEXT                       -- JSON: effective job parameters, once it runs
);
CREATE INDEX runs_open ON runs (job_id, state) WHERE ended = 0;
CREATE INDEX runs_by_time ON runs (max(requested, started, ended), id);
CREATE INDEX runs_by_job ON runs (job_id, max(requested, started, ended), id);

-- One row per attempt of a task; attempt 0 exists from the beginning of the run.
CREATE TABLE attempts (
  id        INTEGER PRIMARY KEY,
  run_id    INTEGER NOT NULL,
  task_key  TEXT NOT NULL,
  number    INTEGER NOT NULL,
  first_id  INTEGER NOT NULL,           -- id of attempt 0
  state     TEXT NOT NULL,
  result    TEXT,
  code      TEXT,
  message   TEXT NOT NULL DEFAULT '',
  started   INTEGER NOT NULL DEFAULT 0,
  executing INTEGER NOT NULL DEFAULT 0, -- when its process began; setup is what lies between
  ended     INTEGER NOT NULL DEFAULT 0,
  due       INTEGER NOT NULL DEFAULT 0, -- not before: end of a retry delay
  cancel    INTEGER NOT NULL DEFAULT 0,
  lost      INTEGER NOT NULL DEFAULT 0,
  launch    INTEGER NOT NULL DEFAULT 0, -- number of launches; `<id>-<launch>` names the log, which is the claim
  token     TEXT,
  worker    TEXT,
  boot      TEXT,                       -- boot of the launch: a claim proves nothing after another one
  exit_code INTEGER,
  signal    INTEGER,
  log_bytes INTEGER,
  error     TEXT,                       -- last line of a failure
  outcome   TEXT,                       -- of a condition task
  resolved  TEXT,                       -- JSON: the task with its references resolved
  vals      TEXT,                       -- JSON: task values
  output    TEXT,                       -- JSON: what the task type returns
  files     TEXT                        -- JSON: outputs, path, digest and bytes
);
CREATE INDEX attempts_by_run ON attempts (run_id, id);
CREATE INDEX attempts_to_cancel ON attempts (cancel) WHERE cancel > 0 AND ended = 0;

-- How far the record of each worker is folded into the rows above.
CREATE TABLE workers (
  id        TEXT PRIMARY KEY,
  folded    INTEGER NOT NULL
) WITHOUT ROWID;
