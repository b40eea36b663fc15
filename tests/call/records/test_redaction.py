"""What is masked, and what is left alone: by its look, by its path, and in every part of a record."""

import json
import time
from dataclasses import replace
from typing import TypeAlias

import pytest

from runner.call.records.redaction import Redactor, values_at
from runner.model.agent import Recording, Sensitive
from runner.model.record import CallRecord, Deed, Handoff, ToolUse, Turn
from runner.model.values import Json, JsonObject
from tests.cpu import took_at_most

CARD, SSN, PHONE, EMAIL = Sensitive
Paths: TypeAlias = tuple[tuple[str, ...], ...]


def redactor(*kinds: Sensitive, country: str | None = None, arguments: Paths = ()) -> Redactor:
    return Redactor([Recording(kinds=frozenset(kinds), country=country, arguments=arguments)])


CARDS = [
    ("4111111111111111", "[payment_card]"),
    ("my card is 4111 1111 1111 1111, until 12/27", "my card is [payment_card], until 12/27"),
    ("4111-1111-1111-1111", "[payment_card]"),
    ("4111, 1111, 1111, 1111.", "[payment_card]."),
    ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[payment_card]"),
    ("3782 822463 10005", "[payment_card]"),
    ("4222222222222", "[payment_card]"),
    ("6304000000000000000", "[payment_card]"),
    ("٤١١١١١١١١١١١١١١١", "[payment_card]"),
    ("4111 1111 1111 1111 and 5500 0000 0000 0004", "[payment_card] and [payment_card]"),
    ("the number 1234 4111 1111 1111 1111", "the number 1234 [payment_card]"),
]
NO_CARDS = [
    "4111 1111 1111 1112",
    "order 204518, on 2026-11-27 at 10:30",
    "+1 415 555 0123",
    "411111111111",
    "41111111111111111111",
    "x4111 1111",
]
SSNS = [
    ("123-45-6789", "[ssn]"),
    ("it is 123 45 6789.", "it is [ssn]."),
    ("123456789", "[ssn]"),
    ("1-2-3, 4-5, 6-7-8-9", "[ssn]"),
    ("123 45, 6 7 8 9", "[ssn]"),
    ("123.45.6789 or 987-65-4321", "[ssn] or 987-65-4321"),
]
NO_SSNS = [
    "000-12-3456",
    "666-12-3456",
    "900-12-3456",
    "123-00-4567",
    "123-45-0000",
    "123-456-789",
    "12345 6789",
    "123 456789",
    "1234567890",
    "12345678",
    "100, 200, 300",
    "4 1 5 5 5 5 0 1 2 3",
]
PHONES = [
    ("call (415) 555-0123, please", None, "call [phone], please"),
    ("4155550123", None, "[phone]"),
    ("4 1 5, 5 5 5, 0 1 2 3", None, "[phone]"),
    ("+44 20 7946 0958 or +1 415 555 0123", None, "[phone] or [phone]"),
    ("0171 2345678", "DE", "[phone]"),
    ("612 345 678", "ES", "[phone]"),
]
NO_PHONES = [
    ("555-0123", None),
    ("on 2026-11-27 at 10:30", None),
    ("order 204518", None),
    ("612 345 678", None),
    ("4111 1111 1111 1111", None),
]
EMAILS = [
    ("write to ada.l+x@mail.shop.example.", "write to [email]."),
    ("<a@b.co>, c-d@e-f.example", "<[email]>, [email]"),
    ("jürgen@müller.example", "[email]"),
]
NO_EMAILS = ["ada at mail dot example", "a@b", "@home", "5 @ 3.50"]


@pytest.mark.parametrize(("text", "masked"), CARDS)
def test_a_payment_card_is_masked_however_it_is_written(text: str, masked: str) -> None:
    assert redactor(CARD).text(text) == masked


@pytest.mark.parametrize(("text", "masked"), SSNS)
def test_a_social_security_number_is_masked_as_the_us_write_it(text: str, masked: str) -> None:
    assert redactor(SSN).text(text) == masked


@pytest.mark.parametrize(("text", "country", "masked"), PHONES)
def test_a_telephone_number_is_masked_as_its_country_writes_it(
    text: str, country: str | None, masked: str
) -> None:
    assert redactor(PHONE, country=country).text(text) == masked


@pytest.mark.parametrize(("text", "masked"), EMAILS)
def test_an_address_of_electronic_mail_is_masked(text: str, masked: str) -> None:
    assert redactor(EMAIL).text(text) == masked


@pytest.mark.parametrize(
    ("kind", "text", "country"),
    [
        *((CARD, text, None) for text in NO_CARDS),
        *((SSN, text, None) for text in NO_SSNS),
        *((PHONE, *phone) for phone in NO_PHONES),
        *((EMAIL, text, None) for text in NO_EMAILS),
    ],
)
def test_what_only_looks_alike_is_left_alone(kind: Sensitive, text: str, country: str | None) -> None:
    assert redactor(kind, country=country).text(text) == text


@pytest.mark.parametrize(
    "digits", ["4111111111111111", "5500000000000004", "340000000000009", "30000000000004"]
)
def test_the_check_digit_of_a_card_is_checked(digits: str) -> None:
    others = [digits[:-1] + other for other in "0123456789" if other != digits[-1]]
    assert redactor(CARD).text(digits) == "[payment_card]"
    assert [redactor(CARD).text(other) for other in others] == others


def test_what_meets_is_masked_once_under_the_first_of_its_names() -> None:
    assert redactor(*Sensitive).text("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1") == "[payment_card]"
    assert redactor(*Sensitive).text("123-45-6789, a@b.example") == "[ssn], [email]"


def test_of_two_that_meet_all_of_both_is_masked() -> None:
    assert (
        Redactor([Recording(kinds=frozenset({EMAIL}))], ["ada.l"]).text("ada.l@mail.example!")
        == "[redacted]!"
    )


def test_masking_again_changes_nothing() -> None:
    texts = [*(text for text, _ in [*CARDS, *SSNS, *EMAILS]), *(text for text, *_ in PHONES)]
    once = redactor(*Sensitive).text(" ".join(texts))
    assert redactor(*Sensitive).text(once) == once


@pytest.mark.parametrize(
    "text", ["a" * 50_000, "a.@" * 20_000, "1" * 50_000, "word " * 20_000, "1 2 3 4 5 6 " * 200, "@" * 50_000]
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    redactor(*Sensitive).text(text)
    assert took_at_most(time.process_time() - began, 3.0)


def test_numbers_and_keys_of_data_are_masked_too() -> None:
    masked = redactor(CARD, EMAIL).data(
        {"card": 4111111111111111, "n": [1.5, True, None, 7], "a@b.example": {"c": ("a@b.example",)}}
    )
    assert masked == {
        "card": "[payment_card]",
        "n": [1.5, True, None, 7],
        "[email]": {"c": ["[email]"]},
    }


# Paths

GIVEN = {"ssn": "78-05", "who": {"name": "Ada", "ids": [{"ssn": 123456}, {"ssn": None}]}, "x": "78-05"}


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        (("ssn",), {**GIVEN, "ssn": "[redacted]", "x": "[redacted]"}),
        (
            ("who", "ids", "ssn"),
            {**GIVEN, "who": {"name": "Ada", "ids": [{"ssn": "[redacted]"}, {"ssn": None}]}},
        ),
        (("who",), {**GIVEN, "who": "[redacted]"}),
        (("who", "age"), GIVEN),
        (("ssn", "deeper"), GIVEN),
    ],
)
def test_a_path_masks_what_it_leads_to(path: tuple[str, ...], masked: JsonObject) -> None:
    assert redactor(arguments=(path,)).arguments(GIVEN) == masked


def test_arguments_that_were_never_read_are_masked_where_the_path_leads_or_as_a_whole() -> None:
    by_path = redactor(arguments=(("ssn",),))
    assert json.loads(by_path.arguments('{"ssn": "78-05", "day": "ü"}')) == {"ssn": "[redacted]", "day": "ü"}
    assert [by_path.arguments(text) for text in ('{"ssn": "78', '["78-05"]', "78-05", "")] == [
        "[redacted]",
        "[redacted]",
        "[redacted]",
        "",
    ]
    assert redactor(EMAIL).arguments('{"a": "a@b.example') == '{"a": "[email]'


def test_a_short_value_is_masked_in_its_place_only() -> None:
    by_path = redactor(arguments=(("pin",),))
    assert by_path.arguments({"pin": "12", "day": "12"}) == {"pin": "[redacted]", "day": "12"}


def test_digits_that_a_path_led_to_are_masked_however_they_are_said() -> None:
    by_path = redactor(arguments=(("account",),))
    by_path.arguments({"account": "20451877"})
    assert by_path.text("So that is 2 0 4 5, 18-77. Or 204518771?") == "So that is [redacted]. Or 204518771?"


@pytest.mark.parametrize(
    ("reply", "values"),
    [
        ({"patient": {"ssn": "078-05-1120", "age": 7}}, {"078-05-1120"}),
        ({"patient": [{"ssn": 78051120}, {"ssn": None}, {}]}, {"78051120"}),
        ({"patient": {"ssn": {"a": "mild", "b": [123, True]}}}, {"mild", "123"}),
        # Too short to tell anything where else they stand.
        ({"patient": {"ssn": {"a": "yes", "b": [12, 1.5]}}}, set()),
        ({"patient": "078-05-1120"}, set()),
        (None, set()),
    ],
)
def test_result_paths_find_what_the_record_may_not_hold(reply: Json, values: set[str]) -> None:
    assert values_at(reply, (("patient", "ssn"),)) == values
    assert values_at(reply, ()) == set()


# Records


def a_record(**fields: Json) -> CallRecord:
    given: dict[str, Json] = {
        "turns": (
            Turn(role="agent", text="Which e-mail?", at=1.0),
            Turn(role="caller", text="ada@mail.example, account 20451877.", at=2.0),
            Turn(role="caller", text=None, at=3.0),
        ),
        "tools": (
            ToolUse(
                name="find",
                call_id="c1",
                arguments={"account": "20451877", "email": "ada@mail.example"},
                started_at=3.0,
                took_s=1.0,
                status="error",
                error='"account" is "20451877", it must be a number',
            ),
        ),
        "handoffs": (Handoff(agent="b", because="20451877", at=4.0),),
        "faults": ("the template failed on ada@mail.example",),
        "detail": "20451877",
        **fields,
    }
    return CallRecord(
        id="rtc_1",
        agent="desk",
        route=None,
        why="the route matches +14155550100",
        caller="+14155550100",
        called="+18005551212",
        transport="sip",
        created_at=0.0,
        **given,
    )


def test_every_part_of_a_record_is_masked_and_its_parties_stay() -> None:
    masked = redactor(*Sensitive, arguments=(("account",),)).record(a_record())
    assert [turn.text for turn in masked.turns] == ["Which e-mail?", "[email], account [redacted].", None]
    assert masked.tools[0].arguments == {"account": "[redacted]", "email": "[email]"}
    assert masked.tools[0].error == '"account" is "[redacted]", it must be a number'
    assert masked.handoffs[0].because == "[redacted]"
    assert masked.faults == ("the template failed on [email]",)
    assert masked.detail == "[redacted]"
    assert (masked.caller, masked.called) == ("+14155550100", "+18005551212")
    assert "+14155550100" in masked.why


def test_a_value_that_a_later_tool_call_gave_away_is_masked_in_an_earlier_one() -> None:
    use = a_record().tools[0]
    earlier = replace(use, call_id="c0", arguments={"note": "account 20451877"})
    masked = redactor(arguments=(("account",),)).record(a_record(tools=(earlier, use)))
    assert masked.tools[0].arguments == {"note": "account [redacted]"}


def test_values_known_from_replies_are_masked() -> None:
    masked = Redactor([Recording()], ["ada@mail.example"]).record(a_record())
    assert masked.turns[1].text == "[redacted], account 20451877."


@pytest.mark.parametrize(
    ("key", "said", "kept"),
    [
        ("739", "My code is 7 3 9.", "My code is [redacted]."),
        ("739", "Take the 7390.", "Take the 7390."),
        ("7", "Seven, 7", "Seven, [redacted]"),
        ("12*3#", "You pressed 12*3#.", "You pressed [redacted]."),
    ],
)
def test_what_is_known_to_be_private_is_masked_however_short(key: str, said: str, kept: str) -> None:
    record = a_record(turns=(Turn(role="agent", text=said, at=1.0),))
    masked = Redactor([Recording()], [key]).record(record)
    assert masked.turns[0].text == kept


def test_a_short_private_key_is_masked_in_arguments() -> None:
    use = replace(a_record().tools[0], arguments={"cvv": "739", "n": 739, "other": "7391"})
    masked = Redactor([Recording()], ["739"]).record(a_record(tools=(use,)))
    assert masked.tools[0].arguments == {"cvv": "[redacted]", "n": "[redacted]", "other": "7391"}


def test_a_redactor_that_has_learned_a_record_masks_what_stands_elsewhere() -> None:
    redactor_ = redactor(arguments=(("account",),))
    redactor_.learn(a_record().tools)
    assert redactor_.text("account 20451877") == "account [redacted]"


def test_without_a_transcript_turns_keep_who_and_when() -> None:
    kept = Redactor([Recording(transcript=False)]).record(a_record())
    assert kept.turns == (
        Turn(role="agent", text=None, at=1.0),
        Turn(role="caller", text=None, at=2.0),
        Turn(role="caller", text=None, at=3.0),
    )
    assert kept.tools == a_record().tools


def test_a_call_is_kept_as_strictly_as_the_strictest_of_its_agents_wants() -> None:
    loose, strict = Recording(), Recording(transcript=False, kinds=frozenset({EMAIL}))
    for recordings in ([loose, strict], [strict, loose]):
        kept = Redactor(recordings).record(a_record())
        assert [turn.text for turn in kept.turns] == [None, None, None]
        assert kept.faults == ("the template failed on [email]",)


def test_nothing_declared_changes_nothing() -> None:
    record = a_record()
    assert Redactor([Recording(), Recording()]).record(record) is record


def test_names_are_masked_and_the_parties_of_the_call_stay() -> None:
    call = {"from": {"number": "+14155550100"}, "headers": {"x-mail": "a@b.example", "x-plan": "gold"}}
    names = {"call": call, "vars": {"a": "a@b.example"}, "lookup": ["a@b.example"], "agent": "desk"}
    assert redactor(*Sensitive).names(names) == {
        "call": {"from": {"number": "+14155550100"}, "headers": {"x-mail": "[email]", "x-plan": "gold"}},
        "vars": {"a": "[email]"},
        "lookup": ["[email]"],
        "agent": "desk",
    }


EMPTY = CallRecord(
    id="rtc_1", agent="a", route=None, why="", caller=None, called=None, transport="sip", created_at=1.0
)
DEED = Deed(
    id="deed_1",
    by="shift-lead",
    what="say",
    given={"say": "Is it 4111 1111 1111 1111?", "when": "pause"},
    at=1.0,
    result="failed",
    detail="4111111111111111",
)


def test_what_people_say_and_set_is_masked_as_what_is_said() -> None:
    record = replace(
        EMPTY, deeds=(DEED, replace(DEED, what="vars", given={"set": {"card": 4111111111111111}}))
    )
    masked = redactor(CARD).record(record)
    assert [deed.given for deed in masked.deeds] == [
        {"say": "Is it [payment_card]?", "when": "pause"},
        {"set": {"card": "[payment_card]"}},
    ]
    assert [deed.detail for deed in masked.deeds] == ["[payment_card]", "[payment_card]"]


def test_without_a_transcript_neither_words_of_people_nor_replies_are_kept() -> None:
    use = ToolUse(
        name="t", call_id="c", arguments={}, started_at=1.0, took_s=None, status="ok", reply={"name": "Ada"}
    )
    masked = Redactor([Recording(transcript=False)]).record(replace(EMPTY, deeds=(DEED,), tools=(use,)))
    assert [deed.given for deed in masked.deeds] == [{"say": "[redacted]", "when": "pause"}]
    assert [tool.reply for tool in masked.tools] == [None]


def test_what_a_tool_has_brought_is_masked_at_its_paths_and_by_its_look() -> None:
    use = ToolUse(
        name="t",
        call_id="c",
        arguments={},
        started_at=1.0,
        took_s=None,
        status="ok",
        reply={"pin": "12", "card": "4111 1111 1111 1111"},
    )
    redact = Redactor([Recording(kinds=frozenset({CARD}), results=(("pin",),))])
    masked = redact.record(replace(EMPTY, tools=(use,)))
    assert [tool.reply for tool in masked.tools] == [{"pin": "[redacted]", "card": "[payment_card]"}]
