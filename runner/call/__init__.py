"""One call, decided: pure functions and state machines over values. No I/O, clock or environment.

In the order in which a call meets them:

- `addresses`: who calls whom, read from SIP headers
- `browser`: what a browser's call brings along: its offer and its token
- `routes`: which agent answers, by a table that matches by index
- `examples`: calls that are made up, to show what routes do
- `machine`: the call from its ring to its end: who takes it, who has the floor, what is watched
- `tools`: a tool call's arguments, request and reply
- `schemas`: whether a value fits its JSON Schema
- `templates`: what all of the above say in the user's words
- `view`: what people who watch the call see of it
- `records`: what is written down
- `afterwards`: the jobs after a call: its outcome and its deliveries
"""
