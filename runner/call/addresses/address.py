"""Reads one party of a call from a header's value: SIP address, telephone number, withheld or not.

Never raises: what cannot be read is None, and the raw text is kept.
"""

import re

from runner.call.addresses.number import Number, read_number
from runner.call.addresses.sip_address import SipAddress, parse_address
from runner.model.call import Address

_WITHHELD_USERS = frozenset(
    {
        "anonymous",
        "restricted",
        "unavailable",
        "unknown",
        "private",
        "withheld",
        # Twilio spells RESTRICTED, BLOCKED, UNKNOWN, ANONYMOUS and UNAVAILABLE on the keypad.
        "+7378742833",
        "+2562533",
        "+8656696",
        "+266696687",
        "+86282452253",
    }
)
_GLOBAL_CONTEXT = re.compile(r"\+[0-9.\-()]+")


def read_address(text: str, default_country: str | None = None) -> Address:
    """The address that a header value holds."""
    parsed = parse_address(text)
    withheld = _is_withheld(parsed)
    number = None if withheld else _number(parsed, default_country)
    return Address(
        uri=parsed.uri,
        user=parsed.user,
        host=parsed.host,
        display_name=parsed.display_name,
        number=number.e164 if number else None,
        country=number.region if number else None,
        anonymous=withheld,
    )


def is_readable(address: Address) -> bool:
    """Whether anything but the raw text is known."""
    return not (address.user is None and address.host is None and address.number is None)


def _is_withheld(parsed: SipAddress) -> bool:
    """RFC 3323, 4.1.1.3: `sip:anonymous@anonymous.invalid`; RFC 2606: nobody is reachable at `.invalid`."""
    user = (parsed.user or "").lower()
    if user in _WITHHELD_USERS or (parsed.host or "").endswith(".invalid"):
        return True
    return not user and (parsed.display_name or "").lower() == "anonymous"


def _number(parsed: SipAddress, default_country: str | None) -> Number | None:
    if parsed.user is None:
        # A header chosen by the user may hold nothing but a number, with spaces that no address has.
        return read_number(parsed.uri, default_country)
    context = parsed.uri_parameters.get("phone-context", "")
    if _GLOBAL_CONTEXT.fullmatch(context) and not parsed.user.startswith("+"):
        # RFC 3966, 5.1.5: a local number together with the prefix that makes it global.
        return read_number(context + parsed.user)
    return read_number(parsed.user, default_country)
