-- Who is there. A runner whose lease is over may not write, and others may take its calls; the first to do so
-- ends its lease for good (`seen_at` is -infinity) and counts `epoch` up, so that what it still sends is refused.
CREATE TABLE runners (
    id text PRIMARY KEY,
    epoch integer NOT NULL,
    seen_at timestamptz NOT NULL,
    asserted_at timestamptz NOT NULL,
    lease_s double precision NOT NULL,
    address text,
    version text NOT NULL,
    configuration text NOT NULL
);
COMMENT ON COLUMN runners.asserted_at IS 'since when the lease has been held without a break';

CREATE TABLE live_calls (
    id text PRIMARY KEY,
    runner text,
    fence integer NOT NULL,
    agent text NOT NULL,
    state text NOT NULL,
    configuration text NOT NULL,
    began_at double precision NOT NULL
);
CREATE INDEX live_calls_by_runner ON live_calls (runner);
CREATE INDEX live_calls_by_agent ON live_calls (agent);
COMMENT ON COLUMN live_calls.runner IS 'who serves it; null when it was handed over and nobody has it yet';
COMMENT ON COLUMN live_calls.fence IS 'counted up whenever another runner takes the call';

CREATE TABLE journal (
    call_id text NOT NULL,
    first_seq integer NOT NULL,
    entries bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (call_id, first_seq)
);
COMMENT ON COLUMN journal.entries IS 'sealed: a database gives away no word of a live call';

CREATE TABLE configurations (
    hash text PRIMARY KEY,
    texts text NOT NULL
);
