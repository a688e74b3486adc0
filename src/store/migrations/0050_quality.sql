-- What measurements of the data found, at most one an hour for each dataset: shares by their names, and rows or cells that differ.
CREATE TABLE quality_history (
    dataset TEXT NOT NULL,
    at BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (dataset, at)
);
