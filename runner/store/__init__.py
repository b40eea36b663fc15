"""Where records and jobs are kept: one Protocol, an engine for each kind of database behind it."""
