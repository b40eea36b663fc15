"""Steps in which something comes between: the caller, the network, the API; and calls of MCP servers."""

import pytest

from tests.scenario.conftest import Diff, Play

PASS = {
    "a sentence that the caller interrupts": """
        steps:
          - model_says: We have nine o'clock with Doctor Ray, or half past two with Doctor Okafor.
          - interrupts: {after: 800ms, caller: "No, on Monday."}
            expect:
              record: {turns: [{role: agent}, {role: agent}, {role: caller, text: "No, on Monday."}],
                ended_at: null}
          - model_says: On Monday, then.
            expect: {says: [], record: {turns: [{}, {}, {}, {text: "On Monday, then."}]}}
    """,
    "a greeting that the caller interrupts with a noise": """
        expect: {says: ["Hello, Maple Dental."]}
        steps:
          - interrupts: {after: 200ms}
            expect: {agent: desk, not: {ended: "*"}}
          - silence: 19s
            expect: {says: []}
          - silence: 1s
            expect: {says: [Are you still there?]}
    """,
    "a goodbye that the caller interrupts ends the call all the same": """
        steps:
          - model_calls: {end_call: {}}
            expect: {says: [Goodbye!], not: {ended: "*"}}
          - interrupts: {after: 100ms, caller: Bye!}
            expect: {ended: hangup, record: {ended_at: 1767614400.1}}
    """,
    "what is heard to its end, and then silence": """
        steps:
          - model_says: One two three.
            expect: {agent: desk}
          - silence: 19s
            expect: {says: []}
    """,
    "a tool whose output comes while the sideband is lost": """
        replies: {find_slots: {delay: 3s}}
        steps:
          - model_calls: {find_slots: {}}
            expect: {requests: [{tool: find_slots}], output: {}, says: []}
          - sideband_lost: 5s
            expect:
              order: [{output: find_slots}]
              output: {find_slots: ["09:00", "10:00"]}
              record: {tools: [{took_s: 3, status: ok}]}
          - model_says: At nine or at ten.
            expect: {record: {turns: [{}, {text: At nine or at ten.}]}}
    """,
    "a tool whose output comes after the sideband is there again": """
        replies: {find_slots: {delay: 3s}}
        steps:
          - model_calls: {find_slots: {}}
          - sideband_lost: 2s
            expect: {output: {find_slots: "*"}, record: {tools: [{took_s: 3}]}}
    """,
    "a sideband that is lost does not greet again": """
        steps:
          - sideband_lost: 3s
            expect: {says: [], tells: [], agent: desk}
    """,
    "a sideband that stays away ends the call": """
        steps:
          - sideband_lost: 12s
            expect: {ended: failed}
    """,
    "a caller who hangs up while the sideband is lost is found gone later": """
        steps:
          - sideband_lost: 11200ms
            expect: {not: {ended: "*"}}
          - caller_hangs_up: true
            expect: {ended: caller_hung_up}
    """,
    "a hand-off that the API refuses": """
        steps:
          - hands_off_refused: true
          - model_calls: {to_spanish: {}}
            expect:
              agent: desk
              handoffs: []
              output: {to_spanish: {error: "*"}}
          - model_calls: {to_spanish: {}}
            expect: {agent: recepcion, handoffs: [recepcion]}
    """,
    "a sentence while a tool runs does not end the step": """
        replies: {find_slots: {delay: 4s}}
        steps:
          - model_calls: {find_slots: {}}
            expect: {tells: [Say that it takes a while.], output: {find_slots: "*"}}
          - model_says: At nine.
    """,
    "a restart in which nothing is under way": """
        expect: {says: ["Hello, Maple Dental."]}
        steps:
          - restart: true
            expect: {says: [], tells: [], agent: desk, not: {ended: "*"}}
          - silence: 20s
            expect: {says: [Are you still there?]}
          - restart: true
          - silence: 20s
            expect: {says: [Are you still there?]}
          - model_calls: {find_slots: {day: friday}}
            expect: {requests: [{attempts: 1}], output: {find_slots: "*"}, vars: {last: friday}}
    """,
    "a restart while a request is under way that may be sent again": """
        steps:
          - model_calls: {find_slots: {}}
            replies: {find_slots: {delay: 4s}}
            expect: {requests: [{attempts: 1}], output: {}}
          - restart: true
            replies: {find_slots: {json: {day: monday, slots: []}}}
            expect: {requests: [{attempts: 1}], output: {find_slots: []}, vars: {last: monday}}
    """,
    "a restart while a request is under way that must not be sent again": """
        steps:
          - model_calls: {save: {text: Call me.}}
            replies: {save: {json: {}, delay: 4s}}
          - restart: true
            expect: {requests: [{tool: save, attempts: 1}], output: {save: {error: "*"}}}
    """,
    "the model speaks and calls in one response": """
        steps:
          - model_says: Thank you, and goodbye.
            model_calls: {end_call: {}}
            expect:
              ended: hangup
              says: [Goodbye!]
              record: {turns: [{}, {text: "Thank you, and goodbye."}, {text: Goodbye!}]}
    """,
    "one tool called three times, answered in turn": """
        steps:
          - model_calls: [{save: {text: a}}, {save: {text: b}}, {save: {text: c}}]
            replies: {save: [{json: {n: 1}, delay: 3s}, {json: {n: 2}}, {json: {n: 3}, delay: 1s}]}
            expect: {requests: [{tool: save}, {tool: save}, {tool: save}], output: {save: {n: 3}}}
          - model_calls: [{save: {text: a}}, {save: {text: b}}]
            replies: {save: [{json: {n: 4}, delay: 3s}, {json: {n: 5}}]}
            expect: {output: {save: {n: 5}}, order: [{output: save}, {output: save}]}
    """,
    "one tool called twice": """
        steps:
          - model_calls: [{find_slots: {day: friday}}, {find_slots: {day: monday}}]
            expect:
              requests: [{query: {day: friday}}, {query: {day: monday}}]
              record: {tools: [{name: find_slots}, {name: find_slots}]}
    """,
}


@pytest.mark.parametrize("case", PASS)
def test_a_call_goes_on_as_a_real_one_would(case: str, diff: Diff) -> None:
    assert diff(PASS[case]) == []


GHOST = """
    call: {to: "+18005550145"}
    expect: {agent: ghost, says: [], not: {ended: "*"}}
    steps:
      - nothing_heard: 29s
        expect: {not: {ended: "*"}}
      - nothing_heard: 1s
        expect: {ended: ghost, record: {turns: []}}
"""


def test_a_call_in_which_nothing_is_heard_ends_as_declared(diff: Diff) -> None:
    assert diff(GHOST) == []


RECOVERED = """
    call: {to: "+18005550145"}
    expect: {agent: ghost, says: []}
    steps:
      - nothing_heard: 5s
        expect: {says: []}
      - silence: 6s
        expect: {says: [], not: {ended: "*"}}
      - caller: Hello?
      - model_says: Here I am.
        expect: {record: {turns: [{text: null}, {text: Here I am.}]}, not: {ended: "*"}}
"""


def test_what_the_api_did_not_take_is_never_said(diff: Diff) -> None:
    assert diff(RECOVERED) == []


MCP = {
    "a server that answers while the sideband is lost": """
        steps:
          - model_calls: {catalogue.search: {}}
            replies: {catalogue.search: {delay: 3s}}
          - sideband_lost: 5s
            expect: {record: {tools: [{name: catalogue.search, status: unfinished}]}}
    """,
    "the tool of a server": """
        steps:
          - model_calls: {catalogue.search: {query: mild}}
            expect:
              requests: []
              output: {}
              record: {tools: [{name: catalogue.search, status: ok}]}
          - model_says: We have two.
    """,
    "a server that takes its time": """
        steps:
          - model_calls: {catalogue.search: {}}
            replies: {catalogue.search: {delay: 4s, text: two}}
            expect: {record: {tools: [{name: catalogue.search, took_s: 4}]}}
    """,
    "a server that fails": """
        steps:
          - model_calls: {catalogue.search: {}}
            replies: {catalogue.search: {status: 502}}
            expect: {record: {tools: [{name: catalogue.search, status: error}]}}
    """,
    "a tool that is approved": """
        steps:
          - model_calls: {orders.look_up: {}}
            expect: {record: {tools: [{name: orders.look_up, status: ok}]}}
    """,
    "a tool that nobody approves": """
        steps:
          - model_calls: {orders.cancel: {}}
            expect: {record: {tools: []}}
    """,
}


@pytest.mark.parametrize("case", MCP)
def test_the_api_asks_mcp_servers_by_itself(case: str, diff: Diff) -> None:
    assert diff(MCP[case], "+18005550145") == []


CANNOT = [
    (
        "steps: [{interrupts: {after: 1s}}, {caller: a, expect: {agent: desk}}]",
        "the agent has finished speaking after 0.9s, so nothing is interrupted",
    ),
    (
        "steps: [{caller: Hello?}, {interrupts: {after: 1s}, expect: {agent: desk}}]",
        "the agent is not saying anything that could be interrupted",
    ),
]


@pytest.mark.parametrize(("text", "what"), CANNOT)
def test_an_interruption_of_nothing_fails_the_scenario(text: str, what: str, play: Play) -> None:
    (difference,) = play(text).differences
    assert difference.what == what
