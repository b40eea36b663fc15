CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    ended TEXT NOT NULL,
    cost_usd REAL,
    record TEXT NOT NULL,
    outcome TEXT
);
CREATE INDEX calls_by_start ON calls (started_at);
CREATE INDEX calls_by_agent ON calls (agent, started_at);
CREATE TABLE after_call (
    id TEXT PRIMARY KEY,
    call_id TEXT NOT NULL REFERENCES calls (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    due_at REAL,
    attempts INTEGER NOT NULL,
    error TEXT,
    work TEXT NOT NULL
);
CREATE INDEX after_call_by_due ON after_call (state, due_at);
