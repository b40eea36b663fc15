-- Who answers a job: a receiver that hangs must not delay the jobs of others. What was written before shares one.
ALTER TABLE jobs ADD COLUMN receiver TEXT NOT NULL DEFAULT '';
DROP INDEX jobs_by_due;
CREATE INDEX jobs_by_receiver ON jobs (state, receiver, due_at);
