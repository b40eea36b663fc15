"""One call, decided: pure functions and state machines over values. No I/O, clock or environment.

In the order in which a call meets them:

- `addresses`: who calls whom, read from SIP headers
- `routes`: which agent answers, by a table that matches by index
- `examples`: calls that are made up, to show what routes do
- `reception`: the webhook, admission, capacity and the lookup, before the call is answered
- `session`: the machine of the live call, who has the floor, what is watched, how it ends
- `tools`: a tool call's arguments, request and reply
- `templates`: what all of the above say in the user's words
- `records`: what is written down
- `afterwards`: the jobs after a call: its outcome and its deliveries
"""
