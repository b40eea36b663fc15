"""An agent without a problem."""

AGENT = """\
agent: desk
model: gpt-realtime-2.1
instructions: You answer.
routes: [{to: "+18005550142"}]
"""
