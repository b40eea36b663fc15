"""The scheduler: virtual time, pauses, conditions, and who goes first."""

from collections.abc import Iterator

from runner.standin.flows import Flow, Flows, VirtualTime


def counting(name: str, *pauses: float) -> Flow[str]:
    for number, pause in enumerate(pauses):
        yield pause
        yield f"{name}{number}"


def drained(flows: Flows[str]) -> Iterator[tuple[float, str]]:
    while True:
        if (happened := flows.step()) is not None:
            yield flows.now_s, happened
        elif (delay_s := flows.delay_s()) is not None:
            flows.pass_time(delay_s)
        else:
            return


def test_pauses_add_up_without_the_rounding_of_fractions() -> None:
    flows: Flows[str] = Flows()
    flows.start(counting("a", 0.1, 0.1, 0.1))
    flows.start(counting("b", 0.3))
    assert list(drained(flows)) == [(0.1, "a0"), (0.2, "a1"), (0.3, "a2"), (0.3, "b0")]


def test_time_passes_no_further_than_to_the_next_thing() -> None:
    flows: Flows[str] = Flows()
    flows.start(counting("a", 2.0))
    assert flows.step() is None
    flows.pass_time(5.0)
    assert flows.now_s == 2.0


def test_two_schedulers_share_one_time() -> None:
    time = VirtualTime()
    one: Flows[str] = Flows(time)
    other: Flows[str] = Flows(time)
    other.start(counting("b", 1.0))
    one.start(counting("a", 3.0))
    assert (one.step(), other.step()) == (None, None)
    one.pass_time(1.5)
    assert (other.step(), other.now_s, one.delay_s()) == ("b0", 1.5, 1.5)


def test_a_condition_is_waited_for_and_an_owner_is_stopped() -> None:
    flows: Flows[str] = Flows()
    gate: list[bool] = []

    def waiting() -> Flow[str]:
        yield lambda: bool(gate)
        yield "through"

    flows.start(waiting())
    flows.start(counting("x", 0.0), owner="x")
    flows.stop("x")
    assert (flows.step(), flows.due_s()) == (None, None)
    gate.append(True)
    assert flows.settle() == ["through"]


def test_a_flow_can_go_before_those_that_run() -> None:
    flows: Flows[str] = Flows()
    flows.start(counting("a", 0.0, 0.0))
    assert flows.step() == "a0"
    flows.start(counting("b", 0.0), first=True)
    assert flows.settle() == ["b0", "a1"]
