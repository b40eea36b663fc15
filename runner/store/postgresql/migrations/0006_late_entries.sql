-- What a runner could not write before another took its call, for the runner that has the call now.
CREATE TABLE late_entries (
    call_id text NOT NULL,
    first_seq integer NOT NULL,
    entries bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN late_entries.entries IS 'sealed as in the journal';
