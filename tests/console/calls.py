"""Calls as the admin API tells of them."""

import random
from typing import Any

JsonObject = dict[str, Any]
WORDS = (
    "I would like to move my appointment to Friday afternoon.",
    "Your order 204 518 left the roastery this morning.",
    "Could you say that again, please?",
    "Of course. Which day would suit you best?",
    "Let me look that up for you.",
)


def row(n: int, now: float, **changes: Any) -> JsonObject:
    """A line of the list of live calls."""
    luck = random.Random(n)
    speaking = luck.choice(["caller", "agent", "nobody", "nobody"])
    began = now - luck.uniform(5, 540)
    return {
        "id": f"rtc_{n:04}",
        "agent": luck.choice(["front-desk", "order-line", "after-hours", "recepcion"]),
        "caller": f"+1415555{n:04}",
        "called": "+18005550177",
        "transport": "sip",
        "created_at": began - 0.4,
        "accepted_at": began,
        "phase": "transferring" if n % 29 == 7 else "talking",
        "speaking": speaking,
        "tools_running": 1 if speaking == "nobody" and n % 3 == 0 else 0,
        "led_by": "pager" if n % 31 == 3 else None,
        "trouble": "find_order failed: 503 from orders.northside.example" if n % 17 == 4 else None,
        "cost_usd": round(luck.uniform(0.01, 1.6), 3),
        "max_cost_usd": 2.0,
        "max_duration_s": 900,
        "last_words": luck.choice(WORDS),
        "runner": f"host-{n % 3}-a1",
        **changes,
    }


def turn(n: int, role: str, text: str | None, at: float, **changes: Any) -> JsonObject:
    return {
        "id": f"item_{n}",
        "after": f"item_{n - 1}" if n else None,
        "role": role,
        "text": text,
        "at": at,
        "heard_ms": None,
        "waited_s": 0.8 if role == "agent" else None,
        "is_whole": True,
        **changes,
    }


def tool(n: int, name: str, at: float, **changes: Any) -> JsonObject:
    took = changes.get("took_s", 0.6)
    return {
        "call_id": f"call_{n}",
        "name": name,
        "arguments": {"order_number": "204518"},
        "started_at": at,
        "took_s": took,
        "status": "ok",
        "http_status": 200,
        "attempts": [{"at": at, "took_s": took, "http_status": 200, "error": None}],
        "error": None,
        "reply": {"order": "204518", "state": "on its way", "carrier": "Northern Post", "eta": "2026-11-27"},
        "turn": None,
        **changes,
    }


def deed(n: int, what: str, given: JsonObject, at: float, result: str = "done", **changes: Any) -> JsonObject:
    return {
        "id": f"deed-{n}",
        "by": "shift-lead",
        "what": what,
        "given": given,
        "at": at,
        "result": result,
        "detail": "",
        "settled_at": None if result == "waiting" else at + 1.2,
        **changes,
    }


def _span(who: str, start: float, end: float | None, interrupted: bool = False) -> JsonObject:
    return {"who": who, "from": start, "to": end, "interrupted": interrupted}


def live_call(now: float, **changes: Any) -> JsonObject:
    """A call of two and a half minutes, in which much has happened."""
    t = now - 153
    failed = [
        {"at": t + 38.6, "took_s": 5.0, "http_status": None, "error": "no reply within 5 s"},
        {"at": t + 44.3, "took_s": 2.4, "http_status": 503, "error": "503 from orders.northside.example"},
    ]
    return {
        "id": "rtc_u0_9b2e41",
        "agent": "order-line",
        "caller": "+14155550100",
        "called": "+18005550177",
        "transport": "sip",
        "created_at": t - 0.4,
        "accepted_at": t,
        "attached_at": t + 0.3,
        "ended_at": None,
        "ended": "",
        "detail": "",
        "phase": "talking",
        "speaking": "caller",
        "tools_running": 0,
        "led_by": None,
        "trouble": None,
        "cost_usd": 0.412,
        "max_cost_usd": 2.0,
        "max_duration_s": 900.0,
        "last_words": "And when does it arrive?",
        "runner": "host-1-a1",
        "route": "agents/order-line.yaml:6:5",
        "why": "the dialled number +1 800 555 0177 is the one of this route",
        "lookup_s": None,
        "faults": [],
        "model": "gpt-realtime",
        "served_by": "gpt-realtime-2026-08-28",
        "called_found_in": "Diversion",
        "turns": [
            turn(
                0,
                "agent",
                "Northside Coffee, order line. What's your order number? You can also type it.",
                t + 1.1,
                waited_s=None,
            ),
            turn(1, "caller", "Hi. It should be 204518, I think.", t + 8.4),
            turn(
                2,
                "agent",
                "Thank you. I have it: two bags of the Ridge and paper filters.",
                t + 16.6,
                waited_s=5.1,
            ),
            turn(3, "caller", "Yes. The filters are the wrong size, though. Can I send them back?", t + 24.2),
            turn(
                4,
                "agent",
                "You can. Shall I start a return for the paper filters, because they are the wrong item?",
                t + 32.0,
                waited_s=1.2,
                heard_ms=3900,
            ),
            turn(5, "caller", "Yes, please do.", t + 37.0),
            turn(
                6,
                "agent",
                "I am sorry, returns cannot be started right now. Would you like us to call you back?",
                t + 51.9,
                waited_s=10.2,
            ),
            turn(7, "caller", "Hm. I would rather have it settled now.", t + 62.8),
            turn(8, "agent", "One moment please, a colleague is looking into it.", t + 76.0, waited_s=4.4),
            turn(9, "caller", "All right.", t + 83.4),
            turn(
                10,
                "agent",
                "Your return is started. The label is in your inbox, and you can bring the parcel to any "
                "post office until the eleventh of December.",
                t + 101.0,
                waited_s=1.0,
            ),
            turn(
                11,
                "caller",
                "Great. Will I get the right ones then, or do I have to order them again?",
                t + 119.0,
            ),
            turn(
                12,
                "agent",
                "The right size is on its way already; you need not order again.",
                t + 131.5,
                waited_s=0.9,
            ),
            turn(13, "caller", "And when does it arrive?", t + 148.0),
        ],
        "tools": [
            tool(0, "find_order", t + 11.6, took_s=4.1, turn="item_1"),
            tool(
                1,
                "start_return",
                t + 38.6,
                arguments={"order_number": "204518", "items": ["Paper filters"], "reason": "wrong item"},
                took_s=8.1,
                status="error",
                http_status=503,
                attempts=failed,
                error="503 from orders.northside.example",
                reply="Returns cannot be started right now. Offer a call back.",
                turn="item_5",
            ),
            tool(
                2,
                "start_return",
                t + 94.0,
                took_s=1.3,
                reply={"return_id": "R-1180", "send_by": "2026-12-11"},
                turn="item_9",
            ),
        ],
        "handoffs": [],
        "spans": [
            _span("agent", t + 1.1, t + 6.2),
            _span("caller", t + 8.4, t + 11.4),
            _span("agent", t + 16.6, t + 22.8),
            _span("caller", t + 24.2, t + 30.8),
            _span("agent", t + 32.0, t + 36.4, True),
            _span("caller", t + 36.5, t + 38.4),
            _span("agent", t + 51.9, t + 58.8),
            _span("caller", t + 62.8, t + 66.4),
            _span("agent", t + 76.0, t + 80.0),
            _span("caller", t + 83.4, t + 84.8),
            _span("agent", t + 101.0, t + 111.6),
            _span("caller", t + 119.0, t + 125.0),
            _span("agent", t + 131.5, t + 139.0),
            _span("caller", t + 148.0, None),
        ],
        "deeds": [
            deed(
                0,
                "say",
                {"say": "One moment please, a colleague is looking into it.", "when": "pause"},
                t + 70.0,
                "heard",
                settled_at=t + 80.0,
            ),
            deed(
                1,
                "tell",
                {"tell": "The orders service is back. Start the return again.", "speak": True},
                t + 91.0,
            ),
            deed(2, "note", {"text": "Orders service was down for a minute."}, t + 113.0),
        ],
        "floor": {
            "at": now,
            "phase": "talking",
            "caller": True,
            "agent": False,
            "tools": 0,
            "led_by": None,
            "is_attached": True,
            "trouble": None,
        },
        "limits": {
            "max_duration_s": 900.0,
            "cost_usd": 0.412,
            "max_cost_usd": 2.0,
            "tool_calls": 3,
            "max_tool_calls": 40,
            "lead_until": None,
        },
        "vars": {"shop": "Northside Coffee", "order_status": "on its way"},
        "choices": {
            "transfer_to": ["returns", "+14155550199"],
            "handoff": ["after-hours", "front-desk"],
            "vars": ["order_status"],
        },
        "shows_words": True,
        **changes,
    }


def record(now: float, **changes: Any) -> JsonObject:
    """The same call, over."""
    call = live_call(now)
    for key in (
        "phase",
        "speaking",
        "tools_running",
        "led_by",
        "trouble",
        "max_cost_usd",
        "max_duration_s",
        "last_words",
        "floor",
        "limits",
        "vars",
        "choices",
        "shows_words",
        "runner",
    ):
        del call[key]
    for part in call["turns"]:
        del part["id"], part["after"]
    call["spans"][-1]["to"] = now
    return {**call, "ended_at": now, "ended": "caller_hung_up", **changes}


def day(start: float) -> JsonObject:
    """A day of some thousand calls."""
    luck = random.Random(7)
    hours: list[JsonObject] = []
    for n in range(24):
        calls = (
            max(0, int(190 * (1 - ((n - 13) / 9) ** 2) + luck.uniform(-12, 12)))
            if 5 <= n <= 21
            else luck.randrange(4)
        )
        p50 = round(luck.uniform(0.62, 0.85) + (1.4 if n == 14 else 0), 2)
        times = {"count": calls * 6, "p50": p50, "p90": round(p50 * 2.1, 2), "p99": round(p50 * 3.4, 2)}
        none = {"count": 0, "p50": None, "p90": None, "p99": None}
        hours.append(
            {
                "from": start + 3600 * n,
                "calls": calls,
                "cost_usd": round(calls * 0.31, 2),
                "response_s": times if calls else none,
            }
        )
    calls = sum(hour["calls"] for hour in hours)
    return {
        "from": start,
        "to": start + 86400,
        "calls": calls,
        "priced": calls,
        "cost_usd": round(calls * 0.31, 2),
        "response_s": {"count": calls * 6, "p50": 0.74, "p90": 1.62, "p99": 3.4},
        "hours": hours,
        "ended": {
            "caller_hung_up": int(calls * 0.71),
            "hangup": int(calls * 0.18),
            "transferred": int(calls * 0.08),
            "silence": 12,
            "max_duration": 3,
            "failed": 2,
        },
        "agents": {
            "front-desk": int(calls * 0.5),
            "order-line": int(calls * 0.31),
            "recepcion": int(calls * 0.12),
            "after-hours": int(calls * 0.07),
        },
        "tools": {
            "find_order": {
                "calls": 610,
                "failed": 9,
                "took_s": {"count": 601, "p50": 0.4, "p90": 1.1, "p99": 4.2},
            },
            "start_return": {
                "calls": 122,
                "failed": 31,
                "took_s": {"count": 91, "p50": 0.9, "p90": 3.8, "p99": 8.0},
            },
            "book_appointment": {
                "calls": 340,
                "failed": 0,
                "took_s": {"count": 340, "p50": 0.3, "p90": 0.5, "p99": 0.9},
            },
        },
        "is_whole": True,
    }
