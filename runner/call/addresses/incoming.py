"""Reads an incoming call from its SIP headers: who calls, and which number was dialled. Never raises."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

from runner.call.addresses.address import is_readable, read_address
from runner.call.addresses.sip_address import parse_address, split_entries, unfold
from runner.model.call import Address, Headers, IncomingCall, Ringing, SipOrigin, WebRtcOrigin
from runner.model.route import RoutingSettings

_Values: TypeAlias = Mapping[str, list[str]]

_COMPACT_NAMES = {"f": "from", "t": "to"}
"""RFC 3261, 7.3.3."""

_CALLED_AFTER_TO = (
    "Diversion",
    "P-Called-Party-ID",
    "X-Telnyx-Called-Number",
    "X-Original-To",
    "History-Info",
)

_SINGLE = frozenset({"from", "to"})
"""Headers that hold one address: a comma in them belongs to a display name without its quotes."""

_MOST_ENTRIES = 70
"""Max-Forwards allows no more hops (RFC 3261, 8.1.1.6), so the request was not diverted more often."""

_WITHHOLDING = frozenset({"id", "user"})
"""RFC 3325, 9.3: the identity stays within the network; RFC 3323, 4.2: the network is to hide the user."""

_WITHHELD = Address(
    uri="sip:anonymous@anonymous.invalid", user="anonymous", host="anonymous.invalid", anonymous=True
)
"""How a privacy service writes a caller (RFC 3323, 4.1.1.3)."""


def incoming_call(ringing: Ringing, routing: RoutingSettings) -> IncomingCall:
    """The call that rings, with its addresses read.

    The caller is `From`, or `P-Asserted-Identity` when there is no `From` that can be read. A caller who
    withholds the number, in `From` or with `Privacy`, stays withheld even where a header carries it
    (RFC 3325, 7); those headers are among `headers` for those who need them.

    The called address is the first that can be read, is not withheld and is not the voice API's own of: the
    headers that `routing.called_number` names, `To`, `Diversion`, and the headers that carriers use instead.
    Where none is, it is `To` as it came.
    """
    if isinstance(ringing.origin, WebRtcOrigin):
        return _from_browser(ringing, ringing.origin)
    clean = _storable(ringing.origin.headers)
    values = _by_name(clean)
    called, found_in = _called(values, routing)
    return IncomingCall(
        id=ringing.call_id,
        caller=_caller(values, routing.default_country),
        called=called,
        called_found_in=found_in,
        # The same headers are kept once.
        origin=ringing.origin if clean is ringing.origin.headers else SipOrigin(headers=clean),
        created_at=ringing.created_at,
    )


def _from_browser(ringing: Ringing, origin: WebRtcOrigin) -> IncomingCall:
    """There are no numbers: the caller is the token's subject, the called party the requested agent."""
    return IncomingCall(
        id=ringing.call_id,
        caller=_on_the_web(origin.subject),
        called=_on_the_web(origin.agent),
        called_found_in="",
        origin=origin,
        created_at=ringing.created_at,
    )


def _on_the_web(name: str | None) -> Address:
    return Address(uri=f"web:{name}", user=name) if name else Address(uri="")


def _called(values: _Values, routing: RoutingSettings) -> tuple[Address, str]:
    for name in (*routing.called_number, "To", *_CALLED_AFTER_TO):
        for address in _addresses(values, name, routing.default_country):
            # A project's id contains digits, so this is checked before the number.
            if is_readable(address) and not _is_project(address, routing) and not address.anonymous:
                return address, name
    as_it_came = next(_addresses(values, "To", routing.default_country), None)
    return (as_it_came, "To") if as_it_came else (Address(uri=""), "")


def _is_project(address: Address, routing: RoutingSettings) -> bool:
    prefix = routing.project_prefix
    return prefix is not None and (address.user or "").lower().startswith(prefix)


def _caller(values: _Values, default_country: str | None) -> Address:
    if _asks_for_privacy(values):
        return _WITHHELD
    addresses = list(_addresses(values, "From", default_country))
    asserted = _addresses(values, "P-Asserted-Identity", default_country)
    readable = next((address for address in (*addresses, *asserted) if is_readable(address)), None)
    return readable or (addresses[0] if addresses else Address(uri=""))


def _addresses(values: _Values, name: str, default_country: str | None) -> Iterator[Address]:
    """The addresses in all headers of this name, the one that counts most first.

    `Diversion` puts the latest diversion on top (RFC 5806, 2.3); `History-Info` appends it (RFC 7044, 10.3).
    """
    key = name.lower()
    header_values = values.get(key, [])
    entries = (
        iter(header_values) if key in _SINGLE else _entries(header_values, is_reversed=key == "history-info")
    )
    for entry in islice(entries, _MOST_ENTRIES):
        yield read_address(entry, default_country)


def _entries(header_values: Sequence[str], *, is_reversed: bool = False) -> Iterator[str]:
    """The entries of headers that may hold several, split no further than they are read."""
    direction = reversed if is_reversed else iter
    for value in direction(header_values):
        yield from direction(split_entries(unfold(value)))


def _asks_for_privacy(values: _Values) -> bool:
    """Whether the caller withholds the number by a header of its own, whatever `From` says.

    `Remote-Party-ID` is the draft from before RFC 3325, which some carriers still send.
    """
    privacy = {word.strip().lower() for value in values.get("privacy", []) for word in value.split(";")}
    if privacy & _WITHHOLDING:
        return True
    parties = islice(_entries(values.get("remote-party-id", [])), _MOST_ENTRIES)
    return any(
        parameters.get("privacy", "").lower() in ("full", "uri")
        and parameters.get("party", "calling").lower() == "calling"
        for entry in parties
        if (parameters := parse_address(entry).parameters)
    )


def _by_name(headers: Headers) -> _Values:
    """The values of all headers, by name in lower case."""
    values: dict[str, list[str]] = {}
    for key, value in headers:
        name = key.lower()
        values.setdefault(_COMPACT_NAMES.get(name, name), []).append(value)
    return values


def _storable(headers: Headers) -> Headers:
    """The headers without lone surrogates: JSON can carry them, but nothing that is stored or sent on can."""
    try:
        "".join([text for header in headers for text in header]).encode()
    except UnicodeEncodeError:
        return tuple((_without_surrogates(name), _without_surrogates(value)) for name, value in headers)
    return headers


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
