-- Instants are seconds since the epoch, as the runners' clocks say. Leases are timestamps: only the clock of
-- this database counts for them.
CREATE TABLE calls (
    id text PRIMARY KEY,
    agent text NOT NULL,
    caller text,
    called text,
    started_at double precision NOT NULL,
    ended_at double precision,
    ended text NOT NULL,
    cost_usd double precision,
    words text NOT NULL,
    record text NOT NULL,
    outcome text
);
CREATE INDEX calls_by_start ON calls (started_at, id);
CREATE INDEX calls_by_agent ON calls (agent, started_at);
CREATE INDEX calls_by_caller ON calls (caller, started_at);
CREATE INDEX calls_by_called ON calls (called, started_at);
COMMENT ON COLUMN calls.words IS 'what a search looks through: what was said and who, in lower case';

CREATE TABLE jobs (
    id text PRIMARY KEY,
    call_id text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    created_at double precision NOT NULL,
    due_at double precision,
    taken_until timestamptz NOT NULL DEFAULT '-infinity',
    fence integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    error text,
    work text NOT NULL
);
CREATE INDEX jobs_by_due ON jobs (state, due_at);
CREATE INDEX jobs_by_call ON jobs (call_id);
COMMENT ON COLUMN jobs.state IS 'open until it is done, and then gone; or parked';
COMMENT ON COLUMN jobs.fence IS 'counts how often the job was taken';
