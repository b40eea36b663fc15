"""Every deadline of the serving side, as one value."""

from dataclasses import dataclass

from runner.call.machine.connection import REDIAL_DELAYS_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long we wait for others, in seconds. Waits that the user declares (tools, drain) are not included.

    Each try of a request to the voice API is bounded by its port as well (`HttpRequest.timeout_s`).
    """

    head_s: float = 10.0
    """For a request's line and headers, from the connection or from the first byte after an answer."""
    idle_s: float = 620.0
    """For the next request on a connection. Longer than load balancers keep theirs (ten minutes at most by
    default), so that none sends a webhook into a connection that is being closed.
    """
    send_s: float = 20.0
    """For a client to read on, once it has not taken all of an answer."""
    shutdown_s: float = 1.0
    """For requests in flight when the server is closed; no call depends on them by then."""
    body_s: float = 5.0
    """For the body of a webhook to arrive."""
    decision_s: float = 8.0
    """For answering or rejecting a call, all tries together: the caller hears ringing meanwhile."""
    token_s: float = 10.0
    """For an OAuth token endpoint to answer."""
    hangup_s: float = 20.0
    """For a hang-up, all tries together: a call that stays up costs money and helps nobody."""
    retry_s: float = 0.1
    """Before the second try of a request to the voice API; doubles with each further one, up to a second."""
    attach_delays_s: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 1.9)
    """Before each attempt to open the sideband of a call just accepted, which the API may not know yet."""
    attach_s: float = 6.0
    """For all of these attempts together; a call without a sideband by then has failed."""
    redial_delays_s: tuple[float, ...] = REDIAL_DELAYS_S
    """Before each attempt to reopen a lost sideband."""
    steady_s: float = 5.0
    """A sideband that is lost sooner counts as a failed attempt."""
    sideband_open_s: float = 5.0
    """For one attempt, the WebSocket handshake included."""
    sideband_upgrade_s: float = 1.0
    """For the WebSocket handshake on a connection that has carried a request; then a new one is opened."""
    sideband_ping_s: float = 20.0
    """Between our own pings, and for each answer: the API pings as often."""
    sideband_close_s: float = 1.0
    """For the closing handshake."""
    save_s: float = 5.0
    """For the store to save a call's record."""
    question_s: float = 60.0
    """For a text model to answer about a call that is over."""
    runner_lease_s: float = 10.0
    """After this long without a heartbeat a runner's calls are taken over by another."""
    heartbeat_s: float = 2.0
    """Between two heartbeats of a runner."""
    lease_s: float = 120.0
    """For an attempt at a job after a call; then it counts as lost with its process."""
    poll_s: float = 60.0
    """Between two looks into the store for jobs after calls, when nothing announces any."""
    after_call_s: float = 10.0
    """At the end, for the jobs after calls that are due by then."""
    end_s: float = 25.0
    """For live calls to hang up and finish once the drain time is over; longer than `hangup_s`."""
    close_s: float = 10.0
    """For closing sockets, store and server at the very end."""
