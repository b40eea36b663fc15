"""The boundary to voice APIs: their events in, neutral events out; actions in, their requests and events
out."""
