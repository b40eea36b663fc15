-- A runner that is about to end takes no calls of others while somebody stays.
ALTER TABLE runners ADD COLUMN is_leaving boolean NOT NULL DEFAULT false;
