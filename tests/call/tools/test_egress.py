"""Which addresses tools may reach, as tables."""

from ipaddress import ip_address

import pytest

from runner.call.tools.egress import is_listed, kind_of, literal_address, refuse_address, refuse_host
from runner.model.settings import Egress

DENY = Egress()


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("8.8.8.8", None),
        ("93.184.216.34", None),
        ("172.15.255.255", None),
        ("172.32.0.0", None),
        ("100.63.255.255", None),
        ("100.128.0.0", None),
        ("223.255.255.255", None),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "reserved"),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("100.127.255.255", "carrier-grade NAT"),
        ("100.100.100.200", "metadata"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("168.63.129.16", "metadata"),
        ("169.254.0.1", "link-local"),
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.1", "reserved"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "reserved"),
        ("192.168.1.1", "private"),
        ("198.18.0.1", "benchmarking"),
        ("198.19.255.255", "benchmarking"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("2606:4700::1111", None),
        ("2a00:1450:4001::1", None),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fc00::1", "private"),
        ("fd12:3456::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("fd20:ce::254", "metadata"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("2001:2::1", "reserved"),
        ("100::1", "reserved"),
        ("4000::1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "metadata"),
        ("::ffff:8.8.8.8", None),
        ("::127.0.0.1", "reserved"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::a9fe:a9fe", "metadata"),
        ("64:ff9b::8.8.8.8", None),
        ("64:ff9b:1::8.8.8.8", "reserved"),
        ("2002:7f00:1::", "6to4"),
        ("2002:808:808::", "6to4"),
        ("2001:0:7f00:1::", "Teredo"),
    ],
)
def test_only_public_addresses_have_no_kind(address: str, kind: str | None) -> None:
    assert kind_of(ip_address(address)) == kind


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.0.0.1..", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("127.65535", "127.0.255.255"),
        ("0", "0.0.0.0"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.1", "127.0.0.1"),
        ("0x7f.0.0.0x1", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("\uff11\uff12\uff17.0.0.1", "127.0.0.1"),
        ("127\u30020\u30020\u30021", "127.0.0.1"),
        ("\u2460\u2461\u2466.1", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::ffff:127.0.0.1", "::ffff:7f00:1"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%25eth0", "fe80::1"),
        ("256.0.0.1", None),
        ("1.2.3.4.5", None),
        ("1.2.3.4.0", None),
        ("1.2.3.4.5.6", None),
        ("127.0.0.256", None),
        ("4294967296", None),
        ("08.8.8.8", None),
        ("\u0661\u0662\u0667.0.0.1", None),
        ("1::2::3", None),
        ("api.example.com", None),
        ("", None),
        (".", None),
    ],
)
def test_an_address_is_read_in_every_spelling_that_a_socket_understands(
    host: str, address: str | None
) -> None:
    found = literal_address(host)
    assert found == (ip_address(address) if address is not None else None)


@pytest.mark.parametrize(
    ("host", "refusal"),
    [
        ("api.example.com", None),
        ("1password.com", None),
        ("0xcafe.example", None),
        ("8.8.8.8", None),
        ("::ffff:8.8.8.8", None),
        ("127.1", '"127.1" is at 127.0.0.1, a loopback address; only hosts in egress.allow may be at one'),
        (
            "0.0.0.0",
            '"0.0.0.0" is at 0.0.0.0, an unspecified address; only hosts in egress.allow may be at one',
        ),
        ("::1", '"::1" is at ::1, a loopback address; only hosts in egress.allow may be at one'),
        ("1::2::3", '"1::2::3" is neither a host name nor an address'),
        ("example.256", '"example.256" is neither a host name nor an address'),
        ("\u0661\u0662\u0667.1", '"\u0661\u0662\u0667.1" is neither a host name nor an address'),
        ("999.1.1.\u0661", '"999.1.1.\u0661" is neither a host name nor an address'),
    ],
)
def test_a_host_that_is_an_address_is_decided_without_a_resolver(host: str, refusal: str | None) -> None:
    assert refuse_host(host, DENY) == refusal


def test_an_address_that_a_name_resolved_to_is_refused_with_its_kind() -> None:
    assert (
        refuse_address("crm.example.com", "10.0.0.5", DENY)
        == '"crm.example.com" is at 10.0.0.5, a private address; only hosts in egress.allow may be at one'
    )


def test_a_public_address_that_a_name_resolved_to_is_allowed() -> None:
    assert refuse_address("crm.example.com", "93.184.216.34", DENY) is None


def test_a_resolver_that_answers_nonsense_is_refused() -> None:
    refusal = refuse_address("crm.example.com", "nonsense", DENY)
    assert refusal is not None
    assert "malformed" in refusal


def test_a_listed_host_may_be_anywhere() -> None:
    egress = Egress(allow=("crm.example.com",))
    assert refuse_address("crm.example.com", "169.254.169.254", egress) is None
    assert refuse_address("www.example.com", "169.254.169.254", egress) is not None


def test_private_networks_open_every_address() -> None:
    egress = Egress(private_networks=True)
    assert refuse_address("crm.example.com", "10.0.0.5", egress) is None
    assert refuse_host("127.0.0.1", egress) is None


def test_an_address_is_listed_as_it_is_written() -> None:
    egress = Egress(allow=("127.0.0.1", "[::1]"))
    assert refuse_host("127.0.0.1", egress) is None
    assert refuse_host("::1", egress) is None
    assert refuse_host("127.0.0.2", egress) is not None


@pytest.mark.parametrize(
    ("host", "pattern", "listed"),
    [
        ("api.maple.example", "api.maple.example", True),
        ("API.Maple.Example", "api.maple.example", True),
        ("api.maple.example", "API.MAPLE.EXAMPLE", True),
        ("api.maple.example.", "api.maple.example", True),
        ("api.maple.example", "api.maple.example.", True),
        ("api.maple.example", "*.maple.example", True),
        ("a.b.maple.example", "*.maple.example", True),
        ("maple.example", "*.maple.example", False),
        ("evilmaple.example", "*.maple.example", False),
        ("api.maple.example.evil", "*.maple.example", False),
        ("api-maple.example", "api.maple.example", False),
        ("api7.example", "api*.example", True),
        ("anything", "*", True),
        ("api.maple.example", "api.[a-z]*.example", False),
        ("xn--bcher-kva.example", "bücher.example", True),
        ("bücher.example", "XN--BCHER-KVA.example", True),
        ("xn--strae-oqa.example", "*.example", True),
        ("xn--strae-oqa.example", "straße.example", True),
        ("strasse.example", "straße.example", False),
        ("xn--\ud800.example", "a.example", False),
    ],
)
def test_a_pattern_names_hosts_in_any_case_and_script(host: str, pattern: str, listed: bool) -> None:
    assert is_listed(host, (pattern,)) is listed


def test_any_of_several_patterns_lists_a_host_and_none_lists_nothing() -> None:
    assert is_listed("b.example", ("a.example", "b.example"))
    assert not is_listed("b.example", ())
