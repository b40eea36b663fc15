"""What an address as a text says: of which kind of network it is, and whose attempts it stands for."""

import pytest

from runner.serve.addresses import counted_as, is_loopback, is_private


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.7", False),
        ("calls.maple.example", False),
        ("", False),
        (None, False),
    ],
)
def test_only_this_machine_reaches_a_loopback(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("10.0.0.7", True), ("127.0.0.1", True), ("fd00::7", True), ("8.8.8.8", False), ("proxy", False)],
)
def test_ones_own_proxy_has_an_address_of_a_private_network(host: str, expected: bool) -> None:
    assert is_private(host) is expected


@pytest.mark.parametrize(
    ("host", "other", "same"),
    [
        ("8.8.8.8", "8.8.4.4", False),
        ("2001:db8:1:2::7", "2001:db8:1:2:ffff::8", True),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
        ("::ffff:8.8.8.8", "::ffff:8.8.4.4", False),
        ("unknown", "hidden", False),
    ],
)
def test_a_customers_network_counts_as_one_and_addresses_of_ipv4_each_by_itself(
    host: str, other: str, same: bool
) -> None:
    assert (counted_as(host) == counted_as(other)) is same
