-- What waits for a person. A dispute about a cell has a line of its own; one about a whole row has a blank column.
-- The digest is the engine's: a decision is good for that state alone. `run` is the run that applies, or applied, it.
CREATE TABLE conflicts (
    id TEXT NOT NULL PRIMARY KEY,
    dataset TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    key_values BLOB NOT NULL,
    key_text TEXT NOT NULL,
    column_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    base_value TEXT,
    voices TEXT NOT NULL,
    reason TEXT NOT NULL,
    assignee TEXT,
    note TEXT,
    created BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    choice TEXT,
    decided BIGINT,
    decided_by TEXT,
    closed BIGINT,
    closed_by TEXT,
    run TEXT
);
CREATE INDEX conflicts_state ON conflicts (dataset, state, column_name, kind);
CREATE INDEX conflicts_key ON conflicts (dataset, key_digest);
CREATE INDEX conflicts_run ON conflicts (run);

-- The rows of a disputed key, once for all its cells: every member's, and what each last agreed on.
CREATE TABLE conflict_rows (
    dataset TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (dataset, key_digest)
);

-- When a pending value was first seen on a member; a blank column is the row itself.
CREATE TABLE cell_times (
    dataset TEXT NOT NULL,
    member TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    column_name TEXT NOT NULL,
    key_values BLOB NOT NULL,
    value_digest BLOB NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (dataset, member, key_digest, column_name)
);
