"""A stand-in for the voice API, for tests, benchmarks and `phone-agents simulate`.

It speaks the API's side of calls (accept, reject, refer, hangup and the sideband), plays scripted callers
and models, is strict about what it gets, and misbehaves on request. In a test:

    async with StandIn() as api:                        # base_url: http://127.0.0.1:PORT/v1
        call = api.place_call(
            greets(),                                   # says what the greeting's response.create asks for
            CallerSays(text="Anything on Friday?"),     # when nobody speaks and nothing is due
            calls("find_slots", {"day": "2026-11-27"}),
            says("At nine with Dr. Ray."),              # after the tool's output and a response.create
            CallerHangsUp(),
        )
        ...                                             # accept call.id at api.base_url with api.api_key
        await api.until_over(call)
        assert call.violations == []
        assert call.outputs() == {...}

Steps happen one after the other: a `ScriptedResponse` (`greets`, `says`, `calls`) waits until the model is
asked or the API's turn detection makes a response; the caller's steps wait for their `When`. A response for
which the script has none next is made up: the model says what it was told to say. `call.play(...)` and
`api.wake(call)` add steps later; `api.until(condition)` waits for what can be observed (`call.received`,
`call.sent`, `call.requests`, `call.state`). What goes wrong on every call is in `runner.standin.faults`; what
goes wrong at one point of a call is in the script: `Drops`, `Complains`, `Sends`, `Expires` and the `ending`
of a response. Signed webhooks: `runner.standin.webhook`.

`runner.standin.server` alone has sockets; everything else is plain values and virtual time.
"""
