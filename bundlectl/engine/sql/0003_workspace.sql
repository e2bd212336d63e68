-- Format 3: files that clients keep here by name, and who may do what with jobs and folders.

-- Names only: the content of a file lies in the folder `objects`, under its digest.
CREATE TABLE workspace (
  id        INTEGER PRIMARY KEY,        -- object id, of the sequence
  path      TEXT NOT NULL UNIQUE,       -- absolute, without the alias /Workspace
  parent    TEXT NOT NULL,
  kind      TEXT NOT NULL,              -- DIRECTORY, FILE or NOTEBOOK
  language  TEXT,                       -- of a notebook
  ending    TEXT NOT NULL DEFAULT '',   -- of a notebook: what its name has lost
  sha256    TEXT,                       -- 64 hex digits; NULL for a folder
  size      INTEGER NOT NULL DEFAULT 0,
  created   INTEGER NOT NULL,
  modified  INTEGER NOT NULL
);
CREATE INDEX workspace_by_parent ON workspace (parent, path);
CREATE INDEX workspace_by_content ON workspace (sha256) WHERE sha256 IS NOT NULL;

-- Permissions as they were set; a job without a row belongs to its creator.
CREATE TABLE access (
  object    TEXT PRIMARY KEY,           -- jobs/<id>, directories/<id>
  entries   TEXT NOT NULL               -- JSON: access_control_list of the request
) WITHOUT ROWID;
