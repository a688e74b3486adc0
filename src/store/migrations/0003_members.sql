-- A dataset may be a hub with spokes: each spoke has a base of its own, named by the dataset and the spoke.
ALTER TABLE intended_base ADD COLUMN spoke TEXT NOT NULL DEFAULT '';

-- Which versions of which bases a run made is said by base_versions.
ALTER TABLE runs DROP COLUMN base_version;
