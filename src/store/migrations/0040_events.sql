-- Datasets that are watched; settings and status are JSON, the status is what the worker last saw.
CREATE TABLE watches (
    dataset TEXT NOT NULL PRIMARY KEY,
    settings TEXT NOT NULL,
    running BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    status TEXT NOT NULL
);

-- The queue: for each row and member that has to be written one event. What is known of a dataset is its base and this.
CREATE TABLE events (
    number INTEGER NOT NULL PRIMARY KEY,
    dataset TEXT NOT NULL,
    member TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    key_values BLOB NOT NULL,
    kind TEXT NOT NULL,
    columns TEXT NOT NULL,
    work BLOB NOT NULL,
    coalesced BIGINT NOT NULL,
    detected BIGINT NOT NULL,
    due BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    fence BIGINT,
    story TEXT NOT NULL
);
CREATE UNIQUE INDEX events_key ON events (dataset, member, key_digest);
CREATE INDEX events_due ON events (dataset, due);

-- Events that were given up; a dropped one stays as long as its row waits unchanged, so that it is not told again.
CREATE TABLE dead_letters (
    number INTEGER NOT NULL PRIMARY KEY,
    dataset TEXT NOT NULL,
    member TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    key_values BLOB NOT NULL,
    kind TEXT NOT NULL,
    columns TEXT NOT NULL,
    work BLOB NOT NULL,
    coalesced BIGINT NOT NULL,
    detected BIGINT NOT NULL,
    died BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    dropped BIGINT NOT NULL,
    story TEXT NOT NULL
);
CREATE UNIQUE INDEX dead_letters_key ON dead_letters (dataset, member, key_digest);

-- Members that could not be reached, and when they are tried again.
CREATE TABLE breakers (
    dataset TEXT NOT NULL,
    member TEXT NOT NULL,
    failures BIGINT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (dataset, member)
);

-- Calls from outside that were taken in and not looked into yet: the keys they named, or none.
CREATE TABLE hook_calls (
    number INTEGER NOT NULL PRIMARY KEY,
    dataset TEXT NOT NULL,
    received BIGINT NOT NULL,
    keys TEXT NOT NULL
);
CREATE INDEX hook_calls_dataset ON hook_calls (dataset);

-- Signatures that were seen within the replay window.
CREATE TABLE hook_seen (
    dataset TEXT NOT NULL,
    digest BLOB NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (dataset, digest)
);

-- Notification channels at Drive, by the spreadsheet that they tell of.
CREATE TABLE channels (
    id TEXT NOT NULL PRIMARY KEY,
    dataset TEXT NOT NULL,
    spreadsheet TEXT NOT NULL,
    resource TEXT NOT NULL,
    token TEXT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX channels_dataset ON channels (dataset);
