-- Who answers a job: a receiver that hangs must not delay the jobs of others. What was written before, and what a
-- runner of the version before writes meanwhile, shares one.
ALTER TABLE jobs ADD COLUMN receiver text NOT NULL DEFAULT '';
DROP INDEX jobs_by_due;
CREATE INDEX jobs_by_receiver ON jobs (state, receiver, due_at);
COMMENT ON COLUMN jobs.receiver IS 'host and port of the endpoint, or the text model';
