"""What makes the log longer than anybody reads."""

from runner.serve.app import MOST_PATH
from runner.serve.log_lines import MAX_VALUE
from runner.standin.script import CallerHangsUp, Complains, greets
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.service import Service
from tests.serve.bounds.table import beyond, waits_beyond


@waits_beyond("serve.log_folding.MOST_ALIKE", "serve.log_folding.WINDOW_S")
async def requests_that_nobody_signed(service: Service) -> None:
    event, many = "webhook path not found", 40

    def lines() -> int:
        return sum(line["event"] == event and "repeated" not in line for line in service.log)

    def told() -> int:
        held_back: list[int] = [line.get("repeated", 0) for line in service.log if line["event"] == event]
        return lines() + sum(held_back)

    lines_before, told_before = lines(), told()
    # All at once, so that they come within one window.
    post = b"POST /webhooks/elsewhere HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
    reader, _ = await service.connect(post * many)
    for _ in range(many):
        await reader.readuntil(b"HTTP/1.1 404 Not Found\r\n")
    await service.until(lambda: told() == told_before + many)
    assert lines() < lines_before + many


@waits_beyond("serve.log_folding.MOST_OF_A_CALL")
async def an_api_that_complains_without_end(service: Service) -> None:
    many = 4 * LOWERED["serve.log_folding.MOST_OF_A_CALL"]
    call = await service.play(greets(), *[Complains(code="made_up")] * many, CallerHangsUp())

    def told() -> list[int]:
        """How many complaints each line stands for."""
        lines = [line for line in service.log if line["event"] == "api error"]
        return [line.get("repeated", 1) for line in lines if line.get("call_id") == call.id]

    await service.until(lambda: sum(told()) == many)
    assert len(told()) < many


@beyond("serve.call_metrics.MOST_CODES")
async def an_api_that_makes_up_codes(service: Service) -> None:
    many = 2 * LOWERED["serve.call_metrics.MOST_CODES"]
    others = 'phone_agents_api_errors_total{code="other"}'
    before = await service.metric(others)
    codes = [Complains(code=f"made_up_{number}") for number in range(many)]
    await service.play(greets(), *codes, CallerHangsUp())
    await service.counted(others, before + many // 2)


@beyond("serve.app.MOST_PATH")
async def a_path_without_end(service: Service) -> None:
    path = "/long/" + "x" * 3_000
    async with service.http.post(f"{service.url}{path}", data=b"{}") as response:
        assert response.status == 404
    await service.logged("webhook path not found", path=path[:MOST_PATH])


@beyond("serve.log_lines.MAX_VALUE")
async def a_complaint_that_is_too_long(service: Service) -> None:
    call = await service.play(greets(), Complains(code="made_up", message="x" * 5000), CallerHangsUp())
    line = await service.logged("api error", call_id=call.id)
    assert line["detail"].startswith("xxx")
    assert (len(line["detail"]), line["detail"][-1]) == (MAX_VALUE, "…")
