"""Forwarding: only what trusted proxies wrote is believed, and nothing a peer sends raises."""

import doctest
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import ConfigError
from penstock.http import forwarded as module
from penstock.http.forwarded import NOTHING, Forwarding, TrustedProxies, parse_element, read_forwarding
from penstock.http.headers import Headers

PROXIES = TrustedProxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])
PEER = "10.0.0.1"


def x_forwarded(peer: str | None = PEER, trusted: TrustedProxies = PROXIES, **fields: str) -> Forwarding:
    """Read `for_="..."`, `proto="..."` as X-Forwarded-For, X-Forwarded-Proto and so on."""
    pairs = [(f"X-Forwarded-{name.strip('_')}", value) for name, value in fields.items()]
    return read_forwarding(Headers.from_pairs(pairs), peer, trusted)


def forwarded(*lines: str, peer: str | None = PEER, trusted: TrustedProxies = PROXIES) -> Forwarding:
    headers = Headers.from_pairs([("Forwarded", line) for line in lines])
    return read_forwarding(headers, peer, trusted, family="forwarded")


def test_the_examples_run() -> None:
    assert doctest.testmod(module).failed == 0


class TestTrustedProxies:
    @pytest.mark.parametrize(
        ("sources", "address", "trusted"),
        [
            (["10.0.0.1"], "10.0.0.1", True),
            (["10.0.0.1"], "10.0.0.2", False),
            (["10.0.0.0/8"], "10.255.255.255", True),
            (["10.0.0.0/8"], "11.0.0.0", False),
            (["::1"], "::1", True),
            (["::1"], "0:0:0:0:0:0:0:1", True),
            (["fd00::/8"], "fd12::1", True),
            (["fd00::/8"], "fe80::1", False),
            (["fe80::/10"], "fe80::1%eth0", True),
            (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
            (["10.0.0.0/8"], "::ffff:11.0.0.1", False),
            (["::/0"], "10.0.0.1", False),
            (["0.0.0.0/0"], "10.0.0.1", True),
            (["0.0.0.0/0"], "::1", False),
            ([" 10.0.0.1 "], "10.0.0.1", True),
            ([], "10.0.0.1", False),
            (["unix"], "10.0.0.1", False),
            (["unix"], None, True),
            (["*"], None, True),
            (["*"], "192.0.2.1", True),
            (["*"], "whoever", True),
            (["0.0.0.0/0", "::/0"], None, False),
            (["0.0.0.0/0"], "whoever", False),
            (["0.0.0.0/0"], "", False),
            (["0.0.0.0/0"], "010.0.0.1", False),
            (["0.0.0.0/0"], "10.0.0.1\n", False),
        ],
    )
    def test_who_is_trusted(self, sources: list[str], address: str | None, trusted: bool) -> None:
        proxies = TrustedProxies(sources)

        assert proxies.trusts(address) is trusted
        assert proxies.trusts(address) is trusted  # remembered

    @pytest.mark.parametrize(
        "source",
        [
            "",
            "localhost",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0",
            "10.*",
            "::1::",
            "UNIX",
            "10.0.0.1:80",
            "[::1]",
        ],
    )
    def test_what_is_no_network_is_a_setting_gone_wrong(self, source: str) -> None:
        with pytest.raises(ConfigError, match="trusted proxy"):
            TrustedProxies([source])


class TestXForwarded:
    def test_a_stranger_is_not_believed(self) -> None:
        assert x_forwarded("192.0.2.1", for_="1.2.3.4", proto="https", host="evil") == NOTHING
        assert x_forwarded(None, for_="1.2.3.4") == NOTHING

    def test_a_unix_socket_may_be_trusted(self) -> None:
        assert x_forwarded(None, TrustedProxies(["unix"]), for_="1.2.3.4").client == ("1.2.3.4", 0)

    @pytest.mark.parametrize(
        ("chain", "client"),
        [
            ("1.2.3.4", ("1.2.3.4", 0)),
            ("1.2.3.4:4711", ("1.2.3.4", 4711)),
            ("2001:db8::1", ("2001:db8::1", 0)),
            ("2001:DB8:0:0::1", ("2001:db8::1", 0)),
            ("[2001:db8::1]", ("2001:db8::1", 0)),
            ("[2001:db8::1]:4711", ("2001:db8::1", 4711)),
            ("::ffff:1.2.3.4", ("1.2.3.4", 0)),
            (" 1.2.3.4 ", ("1.2.3.4", 0)),
            # what the client wrote stands on the left and is not read
            ("6.6.6.6, 1.2.3.4", ("1.2.3.4", 0)),
            ("127.0.0.1, 1.2.3.4", ("1.2.3.4", 0)),
            ('evil", 1.2.3.4', ("1.2.3.4", 0)),
            ("6.6.6.6, 1.2.3.4, 10.0.0.2", ("1.2.3.4", 0)),
            ("1.2.3.4,10.0.0.3 ,\t10.0.0.2", ("1.2.3.4", 0)),
            ("1.2.3.4, , 10.0.0.2,", ("1.2.3.4", 0)),
            ("1.2.3.4, ::ffff:10.0.0.2", ("1.2.3.4", 0)),
            # everybody trusted: the first is the client
            ("10.0.0.3, 10.0.0.2", ("10.0.0.3", 0)),
            # reading ends at what names nobody
            ("1.2.3.4, unknown", None),
            ("1.2.3.4, unknown, 10.0.0.2", ("10.0.0.2", 0)),
            ("1.2.3.4, _hidden, 10.0.0.2", ("10.0.0.2", 0)),
            ("1.2.3.4, rubbish, 10.0.0.2", ("10.0.0.2", 0)),
            ("1.2.3.4, 10.0.0.256", None),
            ("1.2.3.4, 010.0.0.1", None),
            ("1.2.3.4, 10.0.0.2:", None),
            ("1.2.3.4, 10.0.0.2:0", None),
            ("1.2.3.4, 10.0.0.2:65536", None),
            ("1.2.3.4, 10.0.0.2:+80", None),
            ("1.2.3.4, 10.0.0.2:8_0", None),
            ("1.2.3.4, ١٠.0.0.2", None),
            ("1.2.3.4, [10.0.0.2]", None),
            ("1.2.3.4, [fd00::1", None),
            ("1.2.3.4, fd00::1]", None),
            ("1.2.3.4, fd00::1%eth0", None),
            ("1.2.3.4, 167772162", None),
            ("1.2.3.4, 0x0a000002", None),
            ("1.2.3.4, 10.2", None),
            ('1.2.3.4, "10.0.0.2"', None),
            ("localhost", None),
            ("", None),
            (",", None),
        ],
    )
    def test_the_client(self, chain: str, client: tuple[str, int] | None) -> None:
        raw = f"X-Forwarded-For: {chain}\r\n".encode("latin-1", "replace")

        assert read_forwarding(Headers(raw), PEER, PROXIES).client == client

    def test_several_lines_are_one_list(self) -> None:
        headers = Headers.from_pairs([("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "10.0.0.2")])

        assert read_forwarding(headers, PEER, PROXIES).client == ("1.2.3.4", 0)

    def test_so_many_proxies_are_no_proxies(self) -> None:
        assert x_forwarded(for_="1.2.3.4" + ", 10.0.0.2" * 31).client == ("1.2.3.4", 0)
        assert x_forwarded(for_="1.2.3.4" + ", 10.0.0.2" * 32).client == ("10.0.0.2", 0)

    @pytest.mark.parametrize(
        ("value", "scheme"),
        [("https", "https"), ("HTTPS", "https"), ("http", "http"), ("wss", "https"), ("ws", "http")]
        + [(value, None) for value in ("", "ftp", "javascript", "https:", "https://", "on", "h\xedtps")],
    )
    def test_the_scheme(self, value: str, scheme: str | None) -> None:
        assert x_forwarded(proto=value).scheme == scheme

    @pytest.mark.parametrize(
        "host",
        [
            "example.org",
            "example.org:8443",
            "1.2.3.4",
            "[::1]",
            "[2001:db8::1]:443",
            "EXAMPLE.org",
            "a_b-c.d",
        ],
    )
    def test_a_host_is_kept_as_it_is(self, host: str) -> None:
        assert x_forwarded(host=host).host == host

    @pytest.mark.parametrize(
        "host",
        [
            "",
            "a b",
            "a/b",
            "user@a",
            "a:",
            "a:0",
            "a:65536",
            "a:x",
            "a:+1",
            "::1",
            "[::1",
            "[]",
            "[:::]",
            "[1.2.3.4]",
            "[fe80::1%25eth0]",
            "a\\b",
            "a?b",
            "a#b",
            "a<b",
            'a"b',
            "é",
            "a:80:80",
            "%41",
            "x" * 256,
        ],
    )
    def test_what_is_no_host_is_not_told(self, host: str) -> None:
        assert x_forwarded(host=host).host is None

    @pytest.mark.parametrize(("value", "port"), [("443", 443), ("1", 1), ("65535", 65535), ("00080", 80)])
    def test_the_port(self, value: str, port: int) -> None:
        assert x_forwarded(port=value).port == port

    @pytest.mark.parametrize("value", ["", "0", "65536", "-1", "+1", "1_0", "80x", "٨٠", "1" * 5000, "8 0"])
    def test_what_is_no_port_is_not_told(self, value: str) -> None:
        raw = f"X-Forwarded-Port: {value}\r\n".encode("latin-1", "replace")

        assert read_forwarding(Headers(raw), PEER, PROXIES).port is None

    @pytest.mark.parametrize(
        ("value", "prefix"),
        [
            ("/api", "/api"),
            ("/api/", "/api"),
            ("/a/b.c/~d", "/a/b.c/~d"),
            ("/", ""),
            ("/...", "/..."),
            ("/.well-known", "/.well-known"),
        ],
    )
    def test_the_prefix(self, value: str, prefix: str) -> None:
        assert x_forwarded(prefix=value).prefix == prefix

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "api",
            "//evil.example",
            "/a//b",
            "//",
            "/..",
            "/a/..",
            "/../a",
            "/./a",
            "/a/.",
            "/a/../",
            "/%2e%2e",
            "/a%2fb",
            "/a?b",
            "/a#b",
            "/a\\b",
            "/a b",
            "http://evil",
            "/é",
            "/<",
        ],
    )
    def test_what_could_lead_elsewhere_is_no_prefix(self, value: str) -> None:
        assert x_forwarded(prefix=value).prefix is None

    @pytest.mark.parametrize(
        ("chain", "value", "scheme"),
        [
            ("1.2.3.4", "https", "https"),
            ("1.2.3.4", "http, https", "https"),  # the client sent the first
            ("1.2.3.4, 10.0.0.2", "https, http", "https"),  # one said by each proxy: the outer one counts
            ("1.2.3.4, 10.0.0.2", "ftp, https, http", "https"),
            ("1.2.3.4, 10.0.0.2", "https", "https"),  # the inner proxy replaced the list
            ("1.2.3.4, 10.0.0.2", "rubbish, http", "http"),
            ("1.2.3.4, 10.0.0.2", "https, rubbish", None),
            ("unknown", "http, https", "https"),
            ("rubbish", "http, https", "https"),
        ],
    )
    def test_each_list_is_read_as_far_as_the_chain_is_trusted(
        self, chain: str, value: str, scheme: str | None
    ) -> None:
        assert x_forwarded(for_=chain, proto=value).scheme == scheme

    def test_all_at_once_remembered_or_too_long_to_be(self) -> None:
        told = {
            "for_": "1.2.3.4, 10.0.0.2",
            "proto": "https",
            "host": "example.org",
            "port": "443",
            "prefix": "/api",
        }
        expected = Forwarding(("1.2.3.4", 0), "https", "example.org", 443, "/api")

        assert x_forwarded(**told) == x_forwarded(**told) == expected
        assert x_forwarded(**told | {"for_": "9.9.9.9, " * 100 + told["for_"]}) == expected

    def test_the_other_family_is_not_looked_at(self) -> None:
        headers = Headers.from_pairs([("Forwarded", "for=1.2.3.4;proto=https")])

        assert read_forwarding(headers, PEER, PROXIES) == NOTHING


class TestForwarded:
    def test_a_stranger_is_not_believed(self) -> None:
        assert forwarded("for=1.2.3.4;proto=https", peer="192.0.2.1") == NOTHING

    def test_the_other_family_is_not_looked_at(self) -> None:
        headers = Headers.from_pairs([("X-Forwarded-For", "1.2.3.4")])

        assert read_forwarding(headers, PEER, PROXIES, family="forwarded") == NOTHING

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("for=1.2.3.4", Forwarding(("1.2.3.4", 0))),
            (
                "For=1.2.3.4;PROTO=HTTPS;Host=example.org;by=10.0.0.1",
                Forwarding(("1.2.3.4", 0), "https", "example.org"),
            ),
            ('for="1.2.3.4"', Forwarding(("1.2.3.4", 0))),
            ('for="1.2.3.4:4711"', Forwarding(("1.2.3.4", 4711))),
            ('for="[2001:db8:cafe::17]"', Forwarding(("2001:db8:cafe::17", 0))),
            ('for="[2001:db8:cafe::17]:4711"', Forwarding(("2001:db8:cafe::17", 4711))),
            ('for="1.2.3.4:_port"', Forwarding(("1.2.3.4", 0))),
            ('for=1.2.3.4;host="example.org:8443"', Forwarding(("1.2.3.4", 0), None, "example.org:8443")),
            ("for=1.2.3.4; proto=https", Forwarding(("1.2.3.4", 0), "https")),
            ("for=1.2.3.4;;proto=https;", Forwarding(("1.2.3.4", 0), "https")),
            ('for=1.2.3.4;ext="a,b;c=d"', Forwarding(("1.2.3.4", 0))),
            ('for=1.2.3.4;ext="a,for=6.6.6.6"', Forwarding(("1.2.3.4", 0))),
            ("for=6.6.6.6;proto=http, for=1.2.3.4;proto=https", Forwarding(("1.2.3.4", 0), "https")),
            ("for=1.2.3.4;proto=https, for=10.0.0.2;proto=http", Forwarding(("1.2.3.4", 0), "https")),
            ("for=1.2.3.4, for=10.0.0.2;proto=http;host=a", Forwarding(("1.2.3.4", 0), "http", "a")),
            ("for=10.0.0.3, for=10.0.0.2", Forwarding(("10.0.0.3", 0))),
            ("for=1.2.3.4,, for=10.0.0.2 ,", Forwarding(("1.2.3.4", 0))),
            # names nobody: reading ends, with what that proxy said
            ("for=1.2.3.4, for=unknown;proto=https", Forwarding(None, "https")),
            ("for=1.2.3.4, for=Unknown, for=10.0.0.2", Forwarding(("10.0.0.2", 0))),
            ("for=1.2.3.4, for=_SEVKISEK, for=10.0.0.2", Forwarding(("10.0.0.2", 0))),
            ('for=1.2.3.4, for="_gazonk:_port"', NOTHING),
            ("for=1.2.3.4, proto=https", Forwarding(None, "https")),
            # broken: reading ends, with nothing of that element
            ("for=1.2.3.4, for=10.0.0.2;proto", NOTHING),
            ("for=1.2.3.4, for=10.0.0.2 proto=http", NOTHING),
            ("for=1.2.3.4, for = 10.0.0.2", NOTHING),
            ("for=1.2.3.4, for=10.0.0.2;for=10.0.0.3", NOTHING),
            ("for=1.2.3.4, for=10.0.0.2;proto=gopher", NOTHING),
            (
                "for=1.2.3.4, for=10.0.0.2;proto=gopher, for=10.0.0.3;proto=http",
                Forwarding(("10.0.0.3", 0), "http"),
            ),
            ('for=1.2.3.4, for=10.0.0.2;host="a/b"', NOTHING),
            ("for=1.2.3.4, for=2001:db8::1", NOTHING),
            ("for=1.2.3.4, for=1.2.3.4:80", NOTHING),
            ('for=1.2.3.4, for="2001:db8::1"', NOTHING),
            ('for=1.2.3.4, for=""', NOTHING),
            ("for=1.2.3.4, for=", NOTHING),
            ('for=1.2.3.4, for="10.0.0.\\2"', NOTHING),
            ("for=1.2.3.4, rubbish", NOTHING),
            ("", NOTHING),
            (";", NOTHING),
            # an open quote on the left swallows nothing on the right
            ('for="6.6.6.6, for=1.2.3.4;proto=https', Forwarding(("1.2.3.4", 0), "https")),
            ('for=6.6.6.6;x=", for="1.2.3.4";proto="https"', Forwarding(("1.2.3.4", 0), "https")),
            ('for=6.6.6.6;x="\\", for="1.2.3.4"', Forwarding(("1.2.3.4", 0))),
            ('", for=1.2.3.4, for=10.0.0.2', Forwarding(("1.2.3.4", 0))),
        ],
    )
    def test_one_field(self, value: str, expected: Forwarding) -> None:
        assert forwarded(value) == expected

    def test_several_lines_are_one_list(self) -> None:
        assert forwarded('for="', "for=1.2.3.4;proto=https", "for=10.0.0.2") == Forwarding(
            ("1.2.3.4", 0), "https"
        )

    def test_so_many_elements_are_not_read(self) -> None:
        assert forwarded("for=1.2.3.4" + ", for=10.0.0.2" * 31).client == ("1.2.3.4", 0)
        assert forwarded("for=1.2.3.4" + ", for=10.0.0.2" * 32).client == ("10.0.0.2", 0)

    def test_so_many_parameters_are_not_read(self) -> None:
        assert parse_element(";".join(f"a{n}=1" for n in range(16))) is not None
        assert parse_element(";".join(f"a{n}=1" for n in range(17))) is None


ADDRESSES = st.ip_addresses().map(str)
NODES = st.tuples(ADDRESSES, st.integers(0, 65535))
STRANGERS = st.ip_addresses(v=4, network="198.51.100.0/24").map(str)
INSIDE = st.ip_addresses(v=4, network="10.0.0.0/8").map(str) | st.ip_addresses(v=6, network="fd00::/8").map(
    str
)


def rendered(address: str, port: int = 0) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}" if port else host


def plain(address: str) -> str:
    """Addresses as we tell them: IPv4 inside IPv6 is IPv4."""
    return str(module._parse_address(address))


@settings(deadline=None)
@given(NODES)
def test_a_node_survives_rendering(node: tuple[str, int]) -> None:
    everybody = TrustedProxies(["*"])
    expected = (plain(node[0]), node[1])

    assert x_forwarded(trusted=everybody, for_=rendered(*node)).client == expected
    assert forwarded(f'for="{rendered(*node)}"', trusted=everybody).client == expected


@settings(deadline=None)
@given(st.text('for=",; \\1234.:[]', max_size=40), STRANGERS, st.lists(INSIDE, max_size=5))
def test_what_a_client_wrote_never_hides_or_forges_its_address(
    evil: str, client: str, inside: list[str]
) -> None:
    chain = [client, *inside]
    element = [f'for="{rendered(node)}";proto=https' for node in chain]

    assert x_forwarded(for_=", ".join([evil, *chain])).client == (client, 0)
    assert forwarded(", ".join([evil, *element])) == Forwarding((client, 0), "https")


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["for_", "proto", "host", "port", "prefix"]),
        st.text(
            st.characters(
                min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f", exclude_categories=["Cc"]
            ),
            max_size=30,
        )
        | st.text("0123456789.:[]abcdf,/_ unkow", max_size=30),
    ),
    st.sampled_from([None, "10.0.0.1", "junk", ""]),
    st.sampled_from([PROXIES, TrustedProxies(["*"]), TrustedProxies([])]),
)
def test_noise_is_forwarding_of_sound_parts(fields, peer, trusted) -> None:
    told = x_forwarded(peer, trusted, **fields)

    check(told)


@settings(deadline=None)
@given(st.text('forbyhstp=",;\\ []:.0123_x/', max_size=60), st.booleans())
def test_noise_in_forwarded_is_forwarding_of_sound_parts(value: str, everybody: bool) -> None:
    trusted = TrustedProxies(["*"]) if everybody else PROXIES

    check(forwarded(value, trusted=trusted))
    parse_element(value)


def check(told: Forwarding) -> None:
    if told.client is not None:
        assert plain(told.client[0]) == told.client[0]
        assert 0 <= told.client[1] <= 65535
    assert told.scheme in (None, "http", "https")
    assert told.host is None or (told.host and told.host.isascii() and not set(told.host) & set(' /\\@?#,"'))
    assert told.port is None or 1 <= told.port <= 65535
    assert not told.prefix or (
        told.prefix.startswith("/") and "//" not in told.prefix and not told.prefix.endswith("/")
    )


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text("abcxyz-", min_size=1, max_size=5),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"\\'), max_size=8),
        max_size=8,
    ),
    st.sampled_from([";", "; ", " ;;"]),
)
def test_an_element_survives_rendering(pairs: dict[str, str], between: str) -> None:
    text = between.join(f'{name}="{value}"' for name, value in pairs.items())

    assert parse_element(text) == pairs


def test_noise_is_read_in_linear_time() -> None:
    everybody = TrustedProxies(["*"])
    noise = [
        "," * 30_000,
        '"' * 30_000,
        '",' * 15_000,
        "for=1.1.1.1," * 2_500,
        "a=b;" * 8_000,
        "for=" + "1" * 30_000,
        " " * 30_000,
        'a="' * 10_000,
        ";" * 30_000,
        "a=1" + " ;" * 15_000 + "x",
    ]

    start = time.process_time()
    for value in noise:
        forwarded(value, trusted=everybody)
        x_forwarded(trusted=everybody, for_=value, proto=value, host=value, port=value, prefix=value)

    assert time.process_time() - start < 1
