-- What the last run saw of a member, as far as its base does not say it (zstd); gone when the next run begins to write.
CREATE TABLE seen (
    dataset TEXT NOT NULL,
    member TEXT NOT NULL,
    at BIGINT NOT NULL,
    about TEXT NOT NULL,
    digest BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (dataset, member)
);
