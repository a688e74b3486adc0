-- Several members of a run can be under way, each with one batch: what a batch is aimed at goes when it is settled.
ALTER TABLE aims RENAME TO old_aims;
CREATE TABLE aims (
    run TEXT NOT NULL,
    seq BIGINT NOT NULL,
    digest BLOB NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run, seq)
);
INSERT INTO aims (run, seq, digest, data) SELECT run, seq, digest, data FROM old_aims;
DROP TABLE old_aims;

-- Why a write of a batch that was applied was left out of it.
ALTER TABLE actions ADD COLUMN left_out TEXT;

-- The moves of a base that was moved while another spoke of the run is still to be settled.
ALTER TABLE intended_base ADD COLUMN moved BIGINT NOT NULL DEFAULT 0;

-- The run that brought the row back: taking that run back brings the tombstone back.
ALTER TABLE tombstones ADD COLUMN revived_by TEXT;
