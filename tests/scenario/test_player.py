"""What a scenario may let happen, and that the call goes as a real one would."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from runner.api.port import SidebandAction, VoiceApi
from runner.api.realtime import api as realtime
from runner.config.load import load
from runner.scenario.player import Player
from tests.scenario.conftest import Diff, Play

PASS = {
    "who answers, and what the API is told": """
        expect:
          agent: desk
          vars: {clinic: Maple Dental}
          accept: {model: gpt-realtime-2.1, instructions: You are the desk of Maple Dental.}
          says: ["Hello, Maple Dental."]
          requests: []
          tells: []
          record: {caller: "+14155550100", called: "+18005550142", transport: sip}
    """,
    "a rejected caller": """
        call: {from: "+442079460123", to: "+18005550142"}
        expect: {rejected: 603, says: [], requests: []}
    """,
    "nobody's number": """
        call: {to: "+18005550199"}
        expect: {rejected: 404}
    """,
    "an agent that is busy, and the one who helps out": """
        live_calls: {desk: 2}
        replies: {lookup: timeout}
        expect: {agent: recepcion}
    """,
    "an agent that has had its calls of the day": """
        calls_today: {desk: 100}
        replies: {lookup: timeout}
        expect: {agent: recepcion}
    """,
    "a call that comes by another transport": """
        call: {transport: webrtc, sub: user-1}
        expect: {agent: mute, record: {transport: webrtc, caller: "web:user-1", called: null}}
    """,
    "a busy agent with one line free": """
        live_calls: {desk: 1}
        expect: {agent: desk}
    """,
    "the example answers where no reply is declared": """
        steps:
          - model_calls: {find_slots: {day: friday, count: 2}}
            expect:
              requests:
                - tool: find_slots
                  method: GET
                  host: api.maple.example
                  path: /v1/slots
                  query: {day: friday, count: 2, tag: [a, b]}
                  headers: {authorization: Bearer placeholder-TOKEN}
                  attempts: 1
              output: {find_slots: ["09:00", "10:00"]}
              says: []
              vars: {last: friday}
    """,
    "a reply without body and status is the example, later": """
        steps:
          - model_calls: {find_slots: {}}
            replies: {find_slots: {delay: 1500ms}}
            expect: {says: [Let me look.], tells: [], output: {find_slots: ["09:00", "10:00"]}}
    """,
    "sentences while a tool takes its time": """
        steps:
          - model_calls: {find_slots: {}}
            replies: {find_slots: {json: {slots: []}, delay: 4s}}
            expect:
              order: [{request: find_slots}, {says: Let me look.}, {tells: Say that it takes a while.},
                {output: find_slots}]
              output: {find_slots: []}
              record: {tools: [{took_s: 4}]}
    """,
    "a reply that is later than the timeout, and tried again": """
        steps:
          - model_calls: {find_slots: {}}
            replies: {find_slots: {delay: 6s}}
            expect:
              requests: [{attempts: 2}]
              output: {find_slots: {error: the endpoint did not answer in time,
                on_error: The calendar is down.}}
              record: {tools: [{took_s: 10.2, attempts: 2, status: error}]}
    """,
    "one reply for each attempt": """
        steps:
          - model_calls: {find_slots: {}}
            replies: {find_slots: [{status: 503, delay: 1s}, {json: {slots: [{start: "11:00"}]}}]}
            expect:
              requests: [{attempts: 2}]
              output: {find_slots: ["11:00"]}
              record: {tools: [{took_s: 1.2}]}
          - model_calls: {find_slots: {}}
            replies: {find_slots: [connection_refused, {cut_off: true, delay: 2s}]}
            expect:
              output: {find_slots: {error: the endpoint could not be reached}}
              record: {tools: [{}, {took_s: 2.2}]}
    """,
    "a status is told, and a body that is not JSON": """
        replies: {save: {status: 422, json: {error: no}}}
        steps:
          - model_calls: {save: {text: hello}}
            expect:
              output: {save: {error: "the endpoint answered 422*", status: 422, reply: {error: "no"}}}
          - model_calls: {save: {text: hello}}
            replies: {save: {text: Saved.}}
            expect: {output: {save: Saved.}}
          - model_calls: {save: {text: hello}}
            replies: {save: {text: "x", content_type: image/png}}
            expect: {output: {save: {error: "*image/png*"}}}
          - model_calls: {find_slots: {}}
            replies: {find_slots: {text: "<html>"}}
            expect: {output: {find_slots: {error: "the endpoint answered 200, but its reply is not JSON"}}}
    """,
    "bodies": """
        steps:
          - model_calls: {save: {text: 123, n: 1}}
            replies: {save: {status: 204, delay: 0s}}
            expect: {requests: [{method: POST, json: {text: "123", n: 1}, exact: true}],
              output: {save: {status: 204}}}
          - model_calls: {form: {text: a b}, note: {}}
            expect:
              requests: [{form: {text: a b}, exact: true}, {text: called by +14155550100, exact: true}]
    """,
    "arguments that do not fit are never sent": """
        steps:
          - model_calls: {save: "{no json"}
            expect: {requests: [], output: {save: {error: "the arguments are not JSON*"}}}
    """,
    "a tool of another agent's": """
        steps:
          - model_calls: {to_spanish: {}}
            expect: {agent: recepcion, handoffs: [recepcion], output: {to_spanish: {status: handed off}}}
          - model_calls: {save: {text: a}}
            expect: {handoffs: [], requests: [],
              output: {save: {error: 'there is no tool "save"; the tools are: none'}}}
    """,
    "a tool in the background is not waited for": """
        replies: {print_label: {json: {id: 7}, delay: 8s}}
        steps:
          - model_calls: {print_label: {}}
            expect: {requests: [{tool: print_label}], output: {print_label: {status: started}}, tells: []}
          - caller: What else?
          - silence: 7s
            expect: {tells: []}
          - silence: 1s
            expect: {tells: ['The result of print_label, which was started before: {"id":7}']}
    """,
    "a call that ends while a tool runs in the background": """
        replies: {print_label: {json: {id: 7}, delay: 8s}}
        steps:
          - model_calls: {print_label: {}}
          - caller_hangs_up: true
            expect: {ended: caller_hung_up, record: {tools: [{name: print_label, status: ok, took_s: 8}]}}
    """,
    "a transfer": """
        steps:
          - model_calls: {put_through: {destination: nurse}}
            expect:
              order: [{says: One moment.}, {transfer: "tel:+15185550172"}, {ended: transferred}]
              transfers: ["tel:+15185550172"]
              ended: transferred
              record: {tools: [{status: completed}]}
    """,
    "a transfer that the second destination takes": """
        steps:
          - model_calls: {put_through: {destination: nurse}}
            replies: {put_through: [not_completed, completed]}
            expect: {transfers: ["tel:+15185550172", "tel:+15185550171"], ended: transferred}
    """,
    "a transfer that nobody takes": """
        steps:
          - model_calls: {put_through: {destination: nurse}}
            replies: {put_through: not_completed}
            expect:
              transfers: ["tel:+15185550172", "tel:+15185550171"]
              output: {put_through: {error: the transfer was not completed,
                on_error: Say that nobody picked up.}}
              record: {tools: [{took_s: 30, status: not_completed}]}
    """,
    "the end, and its sentence": """
        steps:
          - model_calls: {end_call: {}}
            expect: {order: [{says: Goodbye!}, {ended: hangup}], says: [Goodbye!], ended: hangup}
    """,
    "keys are one entry": """
        steps:
          - keys: "12#"
            expect: {tells: [], record: {turns: [{role: agent}, {role: caller,
              text: (On the telephone I pressed 12.)}]}}
          - keys: "34"
            expect: {record: {turns: [{}, {}, {text: "*34*"}]}}
    """,
    "silence is asked about twice, then the call ends": """
        steps:
          - silence: 19s
            expect: {says: []}
          - silence: 1s
            expect: {says: [Are you still there?]}
          - silence: 40s
            expect: {says: [Are you still there?], ended: silence}
    """,
    "silence ends where the caller speaks": """
        steps:
          - silence: 15s
          - caller: I am thinking.
          - silence: 15s
            expect: {says: []}
    """,
    "the end of the longest call": "steps:\n"
    + "- caller: I am still here.\n- silence: 18s\n" * 29
    + "- caller: I am still here.\n- {silence: 17s, expect: {tells: []}}\n"
    + "- {silence: 1s, expect: {tells: [One minute is left.]}}\n"
    + "- caller: I am still here.\n- silence: 18s\n" * 3
    + """- {silence: 6s, expect: {tells: ["The call has to end now.*"], ended: max_duration}}
    """,
    "the cost, which ends the call": """
        steps:
          - caller: Hello?
            expect: {cost: 0, max_cost: 0}
          - model_says: Yes.
            usage: {audio_in: 1000, audio_out: 1000, text_in: 1000, text_cached: 500}
            expect: {cost: 0.0982, max_cost: 0.0982}
          - model_says: And much more.
            usage: {audio_out: 15000}
            expect: {ended: max_cost, not: {max_cost: 1}}
    """,
    "too many tool calls": """
        steps:
          - model_calls: {form: {}, note: {}}
          - model_calls: {form: {}, note: {}}
          - model_calls: {form: {}, note: {}}
            expect: {ended: max_tool_calls}
    """,
    "a model that fails once": """
        steps:
          - model_fails: server_error
            expect: {tells: ["Your last answer was cut short by a fault.*"], transfers: []}
          - model_says: Sorry.
          - model_fails: server_error
            expect: {transfers: []}
    """,
    "a model that fails twice in a row": """
        steps:
          - model_fails: server_error
          - model_fails: server_error
            expect: {transfers: ["tel:+15185550100"], ended: transferred}
    """,
    "a broken call that nobody takes": """
        replies: {if_broken: not_completed}
        steps:
          - model_fails: server_error
          - model_fails: server_error
            expect: {transfers: ["tel:+15185550100"], ended: model_failed}
    """,
    "a broken call after a transfer that nobody took": """
        replies: {if_broken: completed, put_through: not_completed}
        steps:
          - model_calls: {put_through: {destination: nurse}}
          - model_fails: server_error
          - model_fails: server_error
            expect: {transfers: ["*72", "*71", "*00"], ended: transferred}
    """,
    "a response that is cut off is not a failure, and no recovery": """
        call: {to: "+18005550144"}
        steps:
          - model_fails: server_error
          - model_says: It is 4111.
          - model_fails: server_error
          - model_fails: server_error
            expect: {ended: model_failed}
    """,
    "the model answers a caller by itself": """
        steps:
          - caller: Hello?
          - {silence: 19s, expect: {says: []}}
          - {silence: 1s, expect: {says: [Are you still there?]}}
    """,
    "the model is asked to answer where it does not by itself": """
        call: {to: "+18005550144"}
        steps:
          - caller: Hello, you idiot.
            expect: {says: []}
          - {silence: 25s, expect: {says: []}}
          - {silence: 1s, expect: {says: [Still there?]}}
    """,
    "what the agent may not say": """
        steps:
          - caller: What was the number?
          - model_says: It is 4111.
            expect: {says: [I can't read that out.]}
          - model_says: All right.
            expect: {says: []}
    """,
    "what the caller may not say": """
        steps:
          - caller: You idiot!
            expect: {says: [This call ends here.], ended: guardrail, record: {detail: guardrail "rude",
              ended_at: 1767614400}}
    """,
    "the model's farewell in its own words": """
        steps:
          - model_says: And much more.
            usage: {audio_out: 20000}
            expect: {tells: ["The call has to end now.*"], not: {ended: "*"}}
          - model_says: Goodbye then.
            expect: {ended: max_cost, record: {turns: [{}, {}, {role: agent, text: Goodbye then.}]}}
    """,
}


@pytest.mark.parametrize("case", PASS)
def test_a_call_goes_as_a_real_one_would(case: str, diff: Diff) -> None:
    assert diff(PASS[case]) == []


LOOKUPS = {
    "a lookup": """
        replies: {lookup: {json: {name: Ada}, delay: 1s}}
        expect:
          requests: [{tool: lookup, path: /callers/%2B14155550100, attempts: 1}]
          accept: {instructions: Eres la recepción. Llama Ada.}
          record: {lookup_s: 1, faults: []}
          says: []
        steps: [{caller: Hola., expect: {requests: []}}]
    """,
    "a lookup that is late": """
        replies: {lookup: {json: {name: Ada}, delay: 2500ms}}
        expect:
          accept: {instructions: Eres la recepción.}
          record: {lookup_s: 2, faults: ["the lookup gave its default: the endpoint did not answer in time"]}
    """,
    "a lookup that is tried as often as there is time": """
        replies: {lookup: {status: 503, delay: 400ms}}
        expect: {requests: [{tool: lookup, attempts: 2}], record: {lookup_s: 1.3, faults: ["*503*"]}}
    """,
    "a lookup that is tried again": """
        replies: {lookup: [{status: 503}, {json: {name: Ada}}]}
        expect: {requests: [{attempts: 2}], accept: {instructions: "*Ada."}, record: {lookup_s: 0.5}}
    """,
    "a lookup that cannot be asked": """
        replies: {lookup: connection_refused}
        expect: {record: {faults: ["the lookup gave its default: the endpoint could not be reached"]}}
    """,
}


@pytest.mark.parametrize("case", LOOKUPS)
def test_a_lookup_is_answered_within_its_time(case: str, diff: Diff) -> None:
    assert diff(LOOKUPS[case], "+18005550143") == []


def test_a_scenario_gives_the_same_each_time(play: Play) -> None:
    text = """
        steps:
          - model_calls: {find_slots: {}, form: {text: a}, note: {}}
            replies: {find_slots: [timeout, {delay: 2s}]}
            expect: ...
    """
    first, second = play(text), play(text)
    assert first.to_write == second.to_write
    assert first.uses == second.uses


def test_the_moment_is_the_scenarios_own(diff: Diff) -> None:
    assert diff("at: 2026-11-23T15:00:00-05:00\nexpect: {record: {created_at: 1795464000}}") == []
    assert diff("expect: {record: {created_at: 1767614400}}") == []


CANNOT = {
    "steps: [{model_calls: {save: {text: a}}, expect: {says: []}}]": (
        'POST https://api.maple.example/save is sent for "save", which has neither a reply nor an example'
    ),
    "steps: [{model_calls: {find_slots: {}}, replies: {find_slots: [timeout]}, expect: {says: []}}]": (
        'this is attempt 2 of "find_slots", which has replies for only 1'
    ),
    "steps: [{caller_hangs_up: true}, {caller: Hello?, expect: {says: []}}]": (
        'this step is never reached: the call has ended ("caller_hung_up")'
    ),
    "call: {to: '+18005550199'}\nsteps: [{caller: Hello?, expect: {says: []}}]": (
        "this step is never reached: the call is rejected with 404"
    ),
}


@pytest.mark.parametrize("text", CANNOT)
def test_what_can_never_be_fails_the_scenario(text: str, play: Play) -> None:
    (difference,) = play(text).differences
    assert difference.what == CANNOT[text]
    assert difference.lines == ()
    assert difference.place.line >= 2


def test_a_call_that_cannot_be_answered_is_rejected_with_the_reason(folder: Path, diff: Diff) -> None:
    (folder / "sums.yaml").write_text(SUMS)
    lines = diff(
        "call: {to: '+18005550146', headers: {X-Number: '0'}}\nexpect: {agent: sums}\nsteps: [{caller: Hi}]"
    )
    assert lines[:2] == ["agent", '- "sums"']
    assert lines[2].startswith("+ the call is rejected with 480: the template ")
    assert lines[3].startswith("this step is never reached: the call is rejected with 480: the template ")


SUMS = """\
agent: sums
routes: [{to: "+18005550146"}]
instructions: "{{ 12 // (call.headers['X-Number'] | default(1) | int) }}"
"""


def test_a_lookup_without_a_reply_fails_the_scenario(diff: Diff) -> None:
    assert diff("expect: {agent: recepcion}", "+18005550143") == [
        'GET https://crm.maple.example/callers/%2B14155550100 is sent for "lookup", '
        "which has neither a reply nor an example"
    ]


def misspelled(word: str) -> VoiceApi:
    """A port that writes events which the API does not take."""

    class Misspelled(realtime.conversation):
        def frames(self, action: SidebandAction, *, fence: int = 0) -> tuple[str, ...]:
            frames = super().frames(action, fence=fence)
            return tuple(frame.replace(f'"{word}":', f'"{word}s":') for frame in frames)

    names = {name: getattr(realtime, name) for name in realtime.__all__}
    return cast(VoiceApi, SimpleNamespace(**{**names, "conversation": Misspelled}))


REFUSED = [
    ("metadata", "model_says: Yes.", 1, "Unknown parameter: 'response.metadatas'."),
    ("metadata", "nothing_heard: 1s", 1, "Unknown parameter: 'response.metadatas'."),
    ("call_id", "model_calls: {note: {}}", 3, "Missing required parameter: 'item.call_id'."),
]


@pytest.mark.parametrize(("word", "step", "line", "violation"), REFUSED)
def test_what_the_voice_api_would_refuse_fails_the_scenario(
    folder: Path, word: str, step: str, line: int, violation: str
) -> None:
    (folder / "a.test.yaml").write_text(
        '- {name: a, call: {to: "+18005550142"}, expect: {agent: desk}, steps: [\n'
        f"  {{caller: Hello?}},\n  {{{step}}}]}}\n"
        if word == "call_id"
        else f'- {{name: a, call: {{to: "+18005550142"}}, expect: {{agent: desk}}, steps: [{{{step}}}]}}\n'
    )
    loaded = load(folder)
    assert loaded.configuration is not None
    result = Player(loaded.configuration, misspelled(word)).play(loaded.scenarios[0])
    first = result.differences[0]
    assert first.what == f"the voice API would refuse what it is sent: {violation}"
    assert first.place.line == line
