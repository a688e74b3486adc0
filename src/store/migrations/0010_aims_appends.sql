-- What the batch that is under way is aimed at, with the rows as they were seen (zstd); gone when its run is closed.
CREATE TABLE aims (
    run TEXT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,
    digest BLOB NOT NULL,
    data BLOB NOT NULL
);

-- Appends by the idempotency keys that their callers gave them; rows is a digest.
CREATE TABLE appends (
    spreadsheet TEXT NOT NULL,
    name TEXT NOT NULL,
    rows TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (spreadsheet, name)
);
CREATE INDEX appends_at ON appends (at);
