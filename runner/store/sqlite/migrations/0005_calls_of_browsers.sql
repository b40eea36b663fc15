-- What the voice API calls a browser's call, whose own id is made of its token. No webhook id was ever written.
ALTER TABLE live_calls RENAME COLUMN webhook_id TO api_call_id;
