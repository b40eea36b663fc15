"""Checks the form of addresses that a call can be transferred to. Whether anybody answers there is
unknown."""

import re

_TEL = re.compile(r"tel:\+[1-9][0-9]{6,14}(;[!-~]+)?")
_SIP = re.compile(
    r"(?i)sips?:([^@\s<>\"]+@)?(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]{1,5})?([;?][!-?A-~]*)?"
)


def is_target(address: str) -> bool:
    """Whether this is a `tel:` with an E.164 number (RFC 3966) or a `sip:` address (RFC 3261, 19.1).

    It holds at most one `@`, so that a value rendered before the host cannot bring another host.
    """
    return bool(_TEL.fullmatch(address) or _SIP.fullmatch(address))


def e164_target(address: str) -> str | None:
    """The `tel:` address that a number with spaces, with hyphens or without a scheme stands for, or None."""
    digits = re.sub(r"[\s().-]", "", address.removeprefix("tel:"))
    target = f"tel:{digits}"
    return target if _TEL.fullmatch(target) else None
