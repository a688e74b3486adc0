-- What all servers of a store have in common: the key they sign with.
CREATE TABLE shared (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);
