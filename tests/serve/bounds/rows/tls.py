"""Endpoints whose TLS is no good."""

from collections import Counter

from runner.standin.script import CallerHangsUp, CallerSays, CallsTool, ScriptedResponse, greets
from tests.certificates import Authority
from tests.serve.bounds.configuration import COMPUTES
from tests.serve.bounds.peers import (
    Peer,
    alerts,
    hangs_up,
    says_nothing,
    shows,
    speaks_plainly,
    talks_on,
)
from tests.serve.bounds.service import Service
from tests.serve.bounds.table import beyond, waits_beyond


async def outputs_of(service: Service, *peers: Peer) -> Counter[str]:
    """What the model gets when it asks all of these at once, the first of them at the address that this
    machine's certificates are for."""
    service.peers.at = {f"127.0.0.{number}": peer for number, peer in enumerate(peers, 1)}
    output = tuple(CallsTool(name=f"ask_tls_{number}", arguments={}) for number in range(1, len(peers) + 1))
    call = await service.play(
        greets(), CallerSays(text="All!"), ScriptedResponse(output=output), CallerHangsUp(), to=COMPUTES
    )
    return Counter(call.outputs().values())


@beyond()
async def peers_without_a_good_handshake(service: Service) -> None:
    good = service.authority.server()
    of_strangers = service.directory / "strangers"
    of_strangers.mkdir()
    bad = Authority(of_strangers).server()
    outputs = await outputs_of(
        service, shows(good), shows(good), shows(bad), alerts, hangs_up, speaks_plainly
    )
    # The second has the certificate of another address.
    assert outputs == {'{"ok":true}': 1, '{"error":"the endpoint could not be reached"}': 5}


@waits_beyond()
async def peers_that_hang_in_the_handshake(service: Service) -> None:
    late = '{"error":"the endpoint did not answer in time"}'
    assert await outputs_of(service, *[says_nothing] * 5, talks_on) == {late: 6}
