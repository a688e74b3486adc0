-- Ends of runs, rolled up by dataset: grain is 3600 or 86400 seconds, bucket the beginning of the hour or day.
CREATE TABLE run_rollups (
    grain BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    dataset TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (grain, bucket, dataset)
);

-- What is known of a dataset's health now.
CREATE TABLE dataset_health (
    dataset TEXT NOT NULL PRIMARY KEY,
    facts TEXT NOT NULL
);

-- Scores, at most one an hour for each dataset; the blank name is all of them together.
CREATE TABLE health_history (
    dataset TEXT NOT NULL,
    at BIGINT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (dataset, at)
);

-- What people are told of: once when it begins, now and then while it lasts, once when it ends.
CREATE TABLE incidents (
    id INTEGER NOT NULL PRIMARY KEY,
    dataset TEXT NOT NULL,
    kind TEXT NOT NULL,
    opened BIGINT NOT NULL,
    told BIGINT,
    closed BIGINT,
    detail TEXT NOT NULL
);
CREATE UNIQUE INDEX incidents_open ON incidents (dataset, kind) WHERE closed IS NULL;

-- Messages on their way, one for each incident, occasion and channel.
CREATE TABLE deliveries (
    id INTEGER NOT NULL PRIMARY KEY,
    incident BIGINT NOT NULL REFERENCES incidents (id),
    channel TEXT NOT NULL,
    body TEXT NOT NULL,
    made BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next BIGINT NOT NULL,
    delivered BIGINT,
    error TEXT
);
CREATE INDEX deliveries_open ON deliveries (next) WHERE delivered IS NULL;
