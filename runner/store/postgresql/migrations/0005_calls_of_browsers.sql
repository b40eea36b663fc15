ALTER TABLE live_calls ADD COLUMN api_call_id text;
CREATE INDEX live_calls_by_api_call ON live_calls (api_call_id);
COMMENT ON COLUMN live_calls.api_call_id IS 'what the voice API calls a browser''s call; null: it is the id itself';
ALTER TABLE runners ADD COLUMN page_address text;
COMMENT ON COLUMN runners.page_address IS 'where other runners pass on what a page asks about its call';
