"""Each kind of expectation: what passes, and what is shown, whole, when it does not."""

import pytest

from tests.scenario.conftest import Diff, Play

SLOTS = """
steps:
  - model_calls: {find_slots: {day: friday}}
    replies: {find_slots: {delay: 2s, json: {day: friday, slots: [{start: "09:00"}]}}}
    expect: EXPECTED
"""
END = "steps: [{model_calls: {end_call: {}}, expect: EXPECTED}]"
START = "expect: EXPECTED"
NURSE = """
steps:
  - model_calls: {put_through: {destination: nurse}}
    expect: EXPECTED
"""
SPANISH = "steps: [{model_calls: {to_spanish: {}}, expect: EXPECTED}]"
SAVE = """
steps:
  - model_calls: {save: {text: hello, n: 1}}
    replies: {save: {json: {id: 7, tags: [a, b], by: null}}}
    expect: EXPECTED
"""
COST = "steps: [{model_says: Yes., usage: {audio_out: 1000}, expect: EXPECTED}]"
FAULT = "steps: [{model_fails: x, expect: EXPECTED}]"

HOLDS = [
    (START, "{agent: desk}"),
    (START, '{agent: desk, vars: {seen: 0, clinic: "Maple*"}}'),
    (START, "{not: {agent: recepcion, rejected: 404, vars: {clinic: Oak Dental}, ended: '*'}}"),
    (SLOTS, "{says: [Let me look.], requests: [{tool: find_slots}], output: {find_slots: ['09:00']}}"),
    (SLOTS, "{says: ['*look*'], order: [{request: find_slots}, {output: find_slots}]}"),
    (
        SLOTS,
        "{not: {says: [Goodbye!], requests: [{method: POST}], order: [{output: find_slots}, {says: '*'}]}}",
    ),
    (SLOTS, "{requests: [{query: {day: friday, tag: [a, b]}, exact: true}]}"),
    (SLOTS, "{requests: [{headers: {AUTHORIZATION: Bearer *, x-agent: desk}, attempts: 1}]}"),
    (END, "{ended: hangup, record: {ended: hangup, tools: [{name: end_call}]}}"),
    (END, "{ended: 'hang*', not: {ended: silence}}"),
    (SAVE, "{output: {save: {id: 7, tags: [a, b], by: null}}}"),
    (SAVE, "{output: {save: {id: '*', by: '*', tags: ['*', b]}}}"),
    (SLOTS.replace('start: "09:00"', 'start: "a\\n\\nb"'), "{output: {find_slots: ['a*b']}}"),
    (SAVE, "{requests: [{json: {text: hello}}], not: {output: {save: {id: 8}}}}"),
    (SAVE, "{requests: [{json: {n: 1, text: hello}, exact: true}]}"),
    (COST, "{cost: 0.064, max_cost: 0.064, not: {cost: 0.065, max_cost: 0.063}}"),
    (NURSE, "{transfers: ['tel:*'], not: {transfers: ['tel:+15185550171']}}"),
    (SPANISH, "{handoffs: [recepcion], not: {handoffs: [desk]}}"),
    (FAULT, "{tells: ['*cut short*'], not: {tells: [x]}}"),
]


@pytest.mark.parametrize(("scenario", "expected"), HOLDS)
def test_what_is_as_expected_passes(scenario: str, expected: str, diff: Diff) -> None:
    assert diff(scenario.replace("EXPECTED", expected)) == []


DIFFERS = [
    (START, "{agent: recepcion}", ["agent", '- "recepcion"', '+ "desk"']),
    (START, "{rejected: 486}", ["rejected", "- 486", '+ the call is answered by "desk"']),
    (START, "{vars: {clinic: Oak Dental}}", ["vars.clinic", '- "Oak Dental"', '+ "Maple Dental"']),
    (START, "{vars: {owner: Ada}}", ["vars.owner", '- "Ada"', "+ nothing"]),
    (START, "{vars: {seen: '0'}}", ["vars.seen", '- "0"', "+ 0"]),
    (START, "{vars: {seen: false}}", ["vars.seen", "- false", "+ 0"]),
    (START, "{vars: {seen: null}}", ["vars.seen", "- null", "+ 0"]),
    (START, "{vars: {clinic: {a: 1}}}", ["vars.clinic", '- {"a": 1}', '+ "Maple Dental"']),
    (
        START,
        "{accept: {audio: {output: {voice: cedar}}}}",
        ["accept.audio.output", '- {"voice": "cedar"}', "+ nothing"],
    ),
    (START, "{accept: {model: gpt-realtime}}", ["accept.model", '- "gpt-realtime"', '+ "gpt-realtime-2.1"']),
    (START, "{ended: hangup}", ["ended", '- "hangup"', "+ the call goes on"]),
    (START, "{says: []}", ["says", "- none", '+ "Hello, Maple Dental."']),
    (
        START,
        "{says: ['Hello, *', What can I do?]}",
        ["says", '  "Hello, Maple Dental."', '- "What can I do?"'],
    ),
    (START, "{tells: [Be kind.]}", ["tells", '- "Be kind."', "+ none"]),
    (START, "{requests: [{method: GET}]}", ["requests", '- {"method": "GET"}', "+ none"]),
    (START, "{not: {agent: desk}}", ["not.agent", '+ "desk"']),
    (START, "{not: {vars: {seen: 0, clinic: x}}}", ["not.vars.seen", "+ 0"]),
    (START, "{not: {says: [Goodbye!, 'Hello*']}}", ["not.says[1]", '+ "Hello, Maple Dental."']),
    (
        SLOTS,
        "{requests: [{path: /v2/slots, query: {day: monday}}]}",
        [
            *("requests[0].path", '- "/v2/slots"', '+ "/v1/slots"'),
            *("requests[0].query.day", '- "monday"', '+ "friday"'),
        ],
    ),
    (
        SLOTS,
        "{requests: []}",
        ["requests", "- none", "+ GET api.maple.example/v1/slots?day=friday&tag=a&tag=b"],
    ),
    (
        SLOTS,
        "{requests: [{query: {day: friday}, exact: true}]}",
        ["requests[0].query.tag", "- nothing", '+ ["a", "b"]'],
    ),
    (
        SLOTS,
        "{requests: [{path: /v1/slots, exact: true}]}",
        ["requests[0].query", "- nothing", '+ {"day": "friday", "tag": ["a", "b"]}'],
    ),
    (
        SLOTS,
        "{requests: [{headers: {X-Plan: gold}}]}",
        ["requests[0].headers.X-Plan", '- "gold"', "+ nothing"],
    ),
    (
        SLOTS,
        "{requests: [{headers: {x-agent: front}}]}",
        ["requests[0].headers.x-agent", '- "front"', '+ "desk"'],
    ),
    (SLOTS, "{requests: [{attempts: 2}]}", ["requests[0].attempts", "- 2", "+ 1"]),
    (SLOTS, "{requests: [{json: {a: 1}}]}", ["requests[0].json", '- {"a": 1}', "+ no body"]),
    (
        SLOTS,
        "{order: [{output: find_slots}, {request: find_slots}]}",
        [
            *("order", '- {"request": "find_slots"}'),
            *('+ {"request": "find_slots"}', '+ {"says": "Let me look."}', '+ {"output": "find_slots"}'),
        ],
    ),
    (
        SLOTS,
        "{output: {find_slots: ['09:00', '10:00']}}",
        ["output.find_slots", '- ["09:00", "10:00"]', '+ ["09:00"]'],
    ),
    (SLOTS, "{output: {save: x}}", ["output.save", '- "x"', "+ nothing"]),
    (SLOTS, "{not: {output: {find_slots: ['*']}}}", ["not.output.find_slots", '+ ["09:00"]']),
    (
        SLOTS,
        "{not: {requests: [{method: POST}, {path: '/v1/*'}]}}",
        ["not.requests[1]", "+ GET api.maple.example/v1/slots?day=friday&tag=a&tag=b"],
    ),
    (
        SLOTS,
        "{not: {order: [{request: '*'}, {says: '*look*'}]}}",
        ["not.order", '+ [{"request": "*"}, {"says": "*look*"}]'],
    ),
    (SAVE, "{requests: [{json: {n: 2}}]}", ["requests[0].json.n", "- 2", "+ 1"]),
    (SAVE, "{requests: [{json: {n: 1}, exact: true}]}", ["requests[0].json.text", "- nothing", '+ "hello"']),
    (SAVE, "{requests: [{exact: true}]}", ["requests[0].json", "- nothing", '+ {"text": "hello", "n": 1}']),
    (
        SAVE,
        "{requests: [{text: hello}]}",
        ["requests[0].text", '- "hello"', '+ json: {"text": "hello", "n": 1}'],
    ),
    (
        SAVE,
        "{requests: [{form: {text: hello}}]}",
        ["requests[0].form", '- {"text": "hello"}', '+ json: {"text": "hello", "n": 1}'],
    ),
    (SAVE, "{output: {save: {tags: [a, c]}}}", ["output.save.tags[1]", '- "c"', '+ "b"']),
    (SAVE, "{output: {save: {by: ''}}}", ["output.save.by", '- ""', "+ null"]),
    (END, "{ended: silence}", ["ended", '- "silence"', '+ "hangup"']),
    (END, "{not: {ended: hang*}}", ["not.ended", '+ "hangup"']),
    (END, "{record: {tools: [{status: error}]}}", ["record.tools[0].status", '- "error"', '+ "ok"']),
    (
        END,
        "{order: [{ended: hangup}, {says: '*'}]}",
        ["order", '- {"says": "*"}', '+ {"says": "Goodbye!"}', '+ {"ended": "hangup"}'],
    ),
    (COST, "{cost: 0.1}", ["cost", "- 0.1", "+ 0.064"]),
    (COST, "{max_cost: 0.05}", ["max_cost", "- at most 0.05", "+ 0.064"]),
    (COST, "{not: {max_cost: 0.1}}", ["not.max_cost", "+ 0.064"]),
    (
        SAVE.replace("tags: [a, b]", f"tags: {'x' * 500}"),
        "{output: {save: {tags: x}}}",
        ["output.save.tags", '- "x"', f'+ "{"x" * 398}…'],
    ),
    (
        "steps: [{model_calls: {form: {text: ''}}, expect: EXPECTED}]",
        "{requests: [{form: {text: a}}]}",
        ["requests[0].form.text", '- "a"', '+ ""'],
    ),
    (
        "steps: [{model_calls: {put_through: {destination: night}}, expect: EXPECTED}]",
        "{ended: transferred}",
        [
            *("ended", '- "transferred"', "+ the call goes on"),
            '+ "put_through" is refused: "destination" is "night", it must be one of "nurse", "office"',
        ],
    ),
    (
        "steps: [{person: {transfer: night}, expect: EXPECTED}]",
        "{ended: transferred}",
        [
            *("ended", '- "transferred"', "+ the call goes on"),
            '+ the person\'s "transfer" is refused: no "transfer" now: "night" is not among the destinations',
        ],
    ),
    (
        "steps: [{model_calls: {save: {}}, expect: EXPECTED}]",
        "{requests: [{tool: save}], not: {ended: '*'}}",
        [
            "requests",
            '- {"tool": "save"}',
            "+ none",
            '+ "save" is refused: "text" is missing, it must be text',
        ],
    ),
    (NURSE, "{transfers: []}", ["transfers", "- none", '+ "tel:+15185550172"']),
    (SPANISH, "{handoffs: []}", ["handoffs", "- none", '+ "recepcion"']),
    (SPANISH, "{agent: desk}", ["agent", '- "desk"', '+ "recepcion"']),
    (
        "call: {to: '+18005550199'}\nexpect: EXPECTED",
        "{agent: desk}",
        ["agent", '- "desk"', "+ the call is rejected with 404"],
    ),
    ("call: {to: '+18005550199'}\nexpect: EXPECTED", "{rejected: 603}", ["rejected", "- 603", "+ 404"]),
    (
        "call: {to: '+18005550199'}\nexpect: EXPECTED",
        "{cost: 0}",
        ["cost", "- 0", "+ the call is rejected with 404"],
    ),
]


@pytest.mark.parametrize(("scenario", "expected", "lines"), DIFFERS)
def test_what_is_not_as_expected_is_told(scenario: str, expected: str, lines: list[str], diff: Diff) -> None:
    assert diff(scenario.replace("EXPECTED", expected)) == lines


def test_a_difference_stands_at_the_value_that_differs(play: Play) -> None:
    played = play("expect: {agent: desk, vars: {clinic: Maple*, seen: 1}, not: {says: [x, 'Hello*']}}")
    columns = [(difference.place.line, difference.place.column) for difference in played.differences]
    assert columns == [(3, 54), (3, 74)]


def test_what_has_happened_counts_once_and_until_the_next_expectation(diff: Diff) -> None:
    text = """
        steps:
          - model_calls: {form: {}}
          - model_calls: {note: {}}
            expect: {requests: [{tool: form}, {tool: note}], says: []}
          - model_calls: {form: {}}
            expect: {requests: [{tool: form}]}
    """
    assert diff(text) == []


def test_the_last_output_of_a_tool_counts(diff: Diff) -> None:
    text = """
        steps:
          - model_calls: {save: {text: a}}
            replies: {save: {json: {id: 1}}}
          - model_calls: {save: {text: a}}
            replies: {save: {json: {id: 2}}}
            expect: {output: {save: {id: 2}}}
    """
    assert diff(text) == []
