-- Numbers have columns of their own, `words` is what a search looks through: what was said and who, in lower case.
ALTER TABLE calls ADD COLUMN caller TEXT;
ALTER TABLE calls ADD COLUMN called TEXT;
ALTER TABLE calls ADD COLUMN words TEXT NOT NULL DEFAULT '';
UPDATE calls
SET caller = json_extract(record, '$.caller'), called = json_extract(record, '$.called'), words = lower(record)
WHERE json_valid(record);
CREATE INDEX calls_by_caller ON calls (caller, started_at);
CREATE INDEX calls_by_called ON calls (called, started_at);

-- A job is `open` until it is done, and then gone, or `parked`. Nobody else takes it before `taken_until`;
-- `fence` counts how often it was taken.
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    call_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    due_at REAL,
    taken_until REAL NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    work TEXT NOT NULL
) STRICT;
INSERT INTO jobs (id, call_id, kind, state, created_at, due_at, attempts, error, work)
SELECT id, call_id, kind, iif(state = 'queued', 'open', 'parked'), created_at, due_at, attempts, error, work
FROM after_call;
DROP TABLE after_call;
CREATE INDEX jobs_by_due ON jobs (state, due_at);
CREATE INDEX jobs_by_call ON jobs (call_id);
