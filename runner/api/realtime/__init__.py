"""OpenAI's Realtime API: everything that is particular to it, and nothing else.

`api` is the port. Behind it: webhooks (`ringing`), the session object (`session`), requests
(`orders`), the sideband's events in and out (`reading`, `writing`, `conversation`), prices and shutdowns of
models (`prices`, `shutdowns`), and the text model (`text_model`).
"""
