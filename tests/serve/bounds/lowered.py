"""The bounds that differ in these tests from those in life, by their names on the page about operating.

Nearly all are lower, so that nobody waits for them. But what has to come before a deadline has seconds for
it: the machine may be slow, and busy with all other rows.
"""

from typing import Any

FOREVER_S = 600.0
"""A deadline that is not to be what helps."""
LOWERED: dict[str, Any] = {
    "call.afterwards.capacity.MOST_AT_ONCE": 2,
    "call.afterwards.capacity.MOST_HELD": 8,
    "call.afterwards.capacity.MOST_PER_RECEIVER": 2,
    "call.afterwards.jobs.FIRST_WAIT_S": 0.3,
    "call.afterwards.jobs.LONGEST_S": 8.0,
    "call.afterwards.jobs.LONGEST_WAIT_S": 0.4,
    "serve.admin.access.MOST_BEHIND_PROXY": 20,
    "serve.admin.access.SESSION_S": 2.0,
    "serve.admin.app.BODY_S": 2.0,
    "serve.admin.calls.MOST_STREAMS": 3,
    "serve.admin.event_log.MOST_BYTES": 100_000,
    "serve.admin.event_log.MOST_ENTRIES": 50,
    "serve.admin.record_requests.DAY_PAGE": 1,
    "serve.admin.record_requests.MOST_IN_A_DAY": 2,
    "serve.admin.service.MOST_CONNECTIONS": 10,
    "serve.log_folding.MOST_OF_A_CALL": 30,
    "serve.log_folding.WINDOW_S": 5.0,
    "serve.timeouts.lease_s": 2.0,
    "serve.timeouts.poll_s": 0.5,
    "serve.timeouts.question_s": 2.0,
    "api.realtime.orders.REFER_REPLY_S": 1.0,
    "api.realtime.orders.REPLY_S": 3.0,
    "call.machine.sentence.LAST_WORDS_S": 1.0,
    "call.machine.call_ending.HANG_UP_AGAIN_S": 0.5,
    "call.machine.transfers.TRANSFER_S": 0.5,
    "call.machine.floor.PATIENCE_S": {"SENDING": 4.0},
    "call.machine.mcp.READY_S": 0.5,
    "call.machine.serving_agent.CONFIRMED_S": 0.5,
    "call.machine.silence.STALL_S": 4.0,
    "call.machine.speech.RATE_LIMIT_WAITS_S": [0.1, 0.2],
    "serve.call_metrics.MOST_CODES": 20,
    "serve.browser.admission.BODY_S": 2.0,
    "serve.browser.calls.ATTACHED_S": 0.5,
    "serve.browser.calls.SERVED_S": 0.5,
    "serve.rates.MOST_KEYS": 30,
    "serve.egress.KEEP_ALIVE_S": 0.3,
    "serve.egress.LOOKUPS": 4,
    "serve.names.FRESH_S": 0.2,
    "serve.names.HANGS_S": 0.5,
    "serve.names.MOST_HANGING": 2,
    "serve.names.PATIENCE_S": 0.3,
    "serve.names.STALE_S": 4.0,
    "serve.oauth.MOST_GRANTS": 2,
    "serve.sideband_socket.MAX_UNSENT_BYTES": 64 * 1024,
    "serve.tool_client.MOST_HOSTS": 3,
    "serve.timeouts.token_s": 2.0,
    "serve.api_client.LONGEST_WAIT_S": 0.1,
    "serve.once_by_id.MOST_REMEMBERED": 20,
    "serve.timeouts.attach_delays_s": [0.0, 0.05, 0.1, 0.1],
    "serve.timeouts.attach_s": 9.0,
    "serve.timeouts.body_s": 3.0,
    "serve.timeouts.decision_s": 10.0,
    "serve.timeouts.hangup_s": 4.0,
    "serve.timeouts.head_s": 3.0,
    "serve.timeouts.idle_s": 4.0,
    "serve.timeouts.redial_delays_s": [0.05, 0.1, 0.1],
    "serve.timeouts.retry_s": 0.02,
    # Some rows let a reader wait for as long as they take.
    "serve.timeouts.send_s": FOREVER_S,
    "serve.timeouts.sideband_close_s": 0.5,
    "serve.timeouts.sideband_open_s": 4.0,
    "serve.timeouts.sideband_ping_s": 5.0,
    "serve.timeouts.sideband_upgrade_s": 0.5,
    # However long a row takes: a sideband that is lost was never steady.
    "serve.timeouts.steady_s": FOREVER_S,
}
"""Deadlines that nobody waits for in a test, and numbers that would take minutes to reach."""
