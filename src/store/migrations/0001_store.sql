-- Times are microseconds since 1970-01-01T00:00:00Z. Rows and keys are the engine's canonical bytes; what is compressed
-- is zstd, with the BLAKE3 digest of the compressed bytes beside it.

CREATE TABLE datasets (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    definition TEXT NOT NULL,
    updated BIGINT NOT NULL
);

-- What both sides last agreed on: the pointer, the versions, and the segments they share.
CREATE TABLE base_heads (
    dataset TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

CREATE TABLE base_versions (
    dataset TEXT NOT NULL,
    version BIGINT NOT NULL,
    run TEXT NOT NULL,
    created BIGINT NOT NULL,
    columns TEXT NOT NULL,
    delta_digest BLOB NOT NULL,
    delta BLOB NOT NULL,
    PRIMARY KEY (dataset, version)
);

CREATE TABLE base_segments (
    id INTEGER NOT NULL PRIMARY KEY,
    entries BIGINT NOT NULL,
    last_key BLOB NOT NULL,
    digest BLOB NOT NULL,
    data BLOB NOT NULL
);

CREATE TABLE base_parts (
    dataset TEXT NOT NULL,
    version BIGINT NOT NULL,
    position BIGINT NOT NULL,
    segment BIGINT NOT NULL REFERENCES base_segments (id),
    PRIMARY KEY (dataset, version, position),
    FOREIGN KEY (dataset, version) REFERENCES base_versions (dataset, version)
);
CREATE INDEX base_parts_segment ON base_parts (segment);

CREATE TABLE plans (
    id TEXT NOT NULL PRIMARY KEY,
    dataset TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    definition TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX plans_dataset ON plans (dataset);

-- A fence outlives its lease: the row stays when the lease is released, so that no number is given twice.
CREATE TABLE leases (
    dataset TEXT NOT NULL PRIMARY KEY,
    holder TEXT,
    fence BIGINT NOT NULL,
    until BIGINT NOT NULL
);

-- The journal: what a run was about to do, and what came of it.
CREATE TABLE runs (
    number INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    dataset TEXT NOT NULL,
    plan TEXT NOT NULL,
    kind TEXT NOT NULL,
    undoes TEXT,
    undone_by TEXT,
    state TEXT NOT NULL,
    caller TEXT NOT NULL,
    started BIGINT NOT NULL,
    finished BIGINT,
    fence BIGINT NOT NULL,
    base_version BIGINT,
    columns TEXT NOT NULL,
    sensitive TEXT NOT NULL,
    counts TEXT NOT NULL,
    error TEXT
);
CREATE INDEX runs_dataset ON runs (dataset, number);
CREATE INDEX runs_open ON runs (dataset, number) WHERE state = 'applying';

CREATE TABLE batches (
    run BIGINT NOT NULL REFERENCES runs (number),
    seq BIGINT NOT NULL,
    side TEXT NOT NULL,
    state TEXT NOT NULL,
    note TEXT,
    place TEXT NOT NULL,
    PRIMARY KEY (run, seq)
);

CREATE TABLE actions (
    run BIGINT NOT NULL,
    number BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    cells TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    key_values BLOB NOT NULL,
    before_image BLOB,
    after_image BLOB,
    PRIMARY KEY (run, number),
    FOREIGN KEY (run, seq) REFERENCES batches (run, seq)
);
CREATE INDEX actions_life ON actions (key_digest, run, number);

-- The moves of base that an open run intends; gone when it is closed.
CREATE TABLE intended_base (
    run BIGINT NOT NULL REFERENCES runs (number),
    position BIGINT NOT NULL,
    digest BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run, position)
);

CREATE TABLE tombstones (
    dataset TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    run TEXT NOT NULL,
    at BIGINT NOT NULL,
    columns TEXT NOT NULL,
    key_values BLOB NOT NULL,
    image BLOB,
    PRIMARY KEY (dataset, key_digest)
);

-- Append-only and chained: hash covers the line before it. The last three columns are not in the chain themselves but
-- through payload_digest, so that they can be erased.
CREATE TABLE audit (
    seq INTEGER NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    caller TEXT NOT NULL,
    run TEXT NOT NULL,
    dataset TEXT NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    columns TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    before_digest BLOB,
    after_digest BLOB,
    payload_digest BLOB NOT NULL,
    hash BLOB NOT NULL,
    key_index BLOB,
    salt BLOB,
    payload TEXT
);
CREATE INDEX audit_key ON audit (key_index);

CREATE TABLE audit_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    hash BLOB NOT NULL
);

CREATE TABLE quota_calls (
    id INTEGER NOT NULL PRIMARY KEY,
    bucket TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX quota_calls_bucket ON quota_calls (bucket, at);

CREATE TABLE quota_closed (
    bucket TEXT NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);
