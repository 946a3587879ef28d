"""URLs of proxies, and which one the environment names for a host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioquotes._protocol.proxying import (
    NO_PROXIES,
    Proxy,
    ProxyEnvironment,
    Traffic,
    is_loopback,
    parse_proxy,
)
from trioquotes.credentials import Secret
from trioquotes.errors import UsageError

HOST = "feed.example.com"
PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://proxy:3128", Proxy("http", "proxy", 3128)),
        ("proxy:3128", Proxy("http", "proxy", 3128)),
        ("proxy", Proxy("http", "proxy", 1080)),
        (" HTTPS://Proxy/ ", Proxy("https", "proxy", 443)),
        ("socks5://10.0.0.1", Proxy("socks5", "10.0.0.1", 1080)),
        ("SOCKS5H://[::1]:9050/", Proxy("socks5h", "::1", 9050)),
        ("http://ü.example:1", Proxy("http", "xn--tda.example", 1)),
        ("http://u:p@proxy:1", Proxy("http", "proxy", 1, Secret("u"), Secret("p"))),
        ("u@proxy:1", Proxy("http", "proxy", 1, Secret("u"))),
        ("socks5h://u%40x:p%3A%2F%ff@proxy".replace("%ff", "%C3%BC"),
         Proxy("socks5h", "proxy", 1080, Secret("u@x"), Secret("p:/ü"))),
        ("http://@proxy:1", Proxy("http", "proxy", 1)),
    ],
)  # fmt: skip
def test_url_of_a_proxy_is_taken_apart(text: str, proxy: Proxy) -> None:
    assert parse_proxy(text) == proxy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://",
        "http://u:s3cret@",
        "http://u:s3cret@proxy:0",
        "http://u:s3cret@proxy:99999",
        "http://u:s3cret@proxy:1/path",
        "http://u:s3cret@proxy:1?query",
        "http://u:s3cret@proxy:1#fragment",
        "http://u:s3cret/x@proxy:1",
        "http://u:s3cret @proxy:1",
        "http://u:s3cret\n@proxy:1",
        "http://u:s3cret%ff@proxy:1",
        "http://u%3Av:s3cret@proxy:1",
        "http://u:s3cret%0a@proxy:1",
        "http://u:s3cret@[proxy:1",
        "http://u:s3cret@" + "a" * 64,
        "socks5://:s3cret@proxy:1",
        "socks5h://u:s3cret" + "x" * 256 + "@proxy:1",
        "u:s3cret://x@proxy:1",
    ],
)
def test_what_is_no_proxy_is_refused_and_no_password_shown(text: str) -> None:
    with pytest.raises(UsageError, match="HTTPS_PROXY") as caught:
        parse_proxy(text, "HTTPS_PROXY")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["socks", "socks4", "socks4a", "quic", "ftp"])
def test_another_kind_of_proxy_is_refused_with_those_that_there_are(scheme: str) -> None:
    with pytest.raises(UsageError, match=f"no proxy {scheme}://, only http://.*socks5h://"):
        parse_proxy(f"{scheme}://proxy:1")


@given(st.text(), st.sampled_from(["", "http://", "https://u:p@", "socks5h://u:p@h"]))
def test_any_text_is_a_proxy_or_refused(text: str, prefix: str) -> None:
    try:
        proxy = parse_proxy(prefix + text)
    except UsageError:
        return
    assert proxy.host.isascii()
    assert proxy.host
    assert 0 < proxy.port < 65536


@given(st.text(min_size=4), st.text(min_size=4))
def test_neither_user_nor_password_is_shown(user: str, password: str) -> None:
    shown = Proxy("http", "h", 1, Secret("<" + user + ">"), Secret("<" + password + ">"))
    for text in (repr(shown), str(shown)):
        assert "<" + user + ">" not in text
        assert "<" + password + ">" not in text
    assert str(shown) == "http://h:1"


def test_name_of_a_proxy_at_an_ipv6_address_has_brackets() -> None:
    assert str(Proxy("socks5", "::1", 1080)) == "socks5://[::1]:1080"


@pytest.mark.parametrize(
    ("traffic", "environ", "chosen"),
    [
        ("wss", {"wss_proxy": "a:1", "WSS_PROXY": "b:1", "https_proxy": "c:1"}, "a"),
        ("wss", {"WSS_PROXY": "b:1", "https_proxy": "c:1"}, "b"),
        ("wss", {"https_proxy": "c:1", "HTTPS_PROXY": "d:1"}, "c"),
        ("wss", {"HTTPS_PROXY": "d:1", "all_proxy": "e:1"}, "d"),
        ("wss", {"all_proxy": "e:1", "ALL_PROXY": "f:1"}, "e"),
        ("wss", {"ALL_PROXY": "f:1"}, "f"),
        ("wss", {"http_proxy": "g:1"}, None),
        ("wss", {"https_proxy": "", "HTTPS_PROXY": "d:1"}, "d"),
        ("https", {"wss_proxy": "a:1", "HTTPS_PROXY": "d:1"}, "d"),
        ("https", {"wss_proxy": "a:1"}, None),
        ("ws", {"ws_proxy": "a:1", "http_proxy": "g:1"}, "a"),
        ("ws", {"http_proxy": "g:1", "ALL_PROXY": "f:1"}, "g"),
        ("ws", {"HTTP_PROXY": "h:1"}, None),
        ("http", {"HTTP_PROXY": "h:1", "HTTPS_PROXY": "d:1"}, None),
        ("http", {"http_proxy": "g:1"}, "g"),
        ("wss", {}, None),
    ],
)
def test_variables_are_taken_in_curls_order(
    traffic: Traffic, environ: dict[str, str], chosen: str | None
) -> None:
    proxy = ProxyEnvironment.of(environ).proxy_for(traffic, HOST)
    assert (None if proxy is None else proxy.host) == chosen


# What curl 7.88 did with these, but for brackets and for networks of IPv6, which it does not take.
@pytest.mark.parametrize(
    ("listed", "host", "direct"),
    [
        ("*", HOST, True),
        ("x,*", HOST, False),
        (HOST, HOST, True),
        ("example.com", HOST, True),
        ("com", HOST, True),
        (".example.com", HOST, True),
        (".example.com", "example.com", True),
        ("..example.com", HOST, False),
        ("xample.com", HOST, False),
        ("*.example.com", HOST, False),
        ("EXAMPLE.COM.", HOST, True),
        ("example.com", "Feed.Example.Com.", True),
        ("x,example.com", HOST, True),
        ("x example.com", HOST, True),
        (" x ,, example.com ", HOST, True),
        ("x;example.com", HOST, False),
        ("example.com:443", HOST, False),
        (".", HOST, False),
        ("", HOST, False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3/", "10.1.2.3", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.9.9.9/8", "10.1.2.3", True),
        ("10.0.0.0/33", "10.1.2.3", False),
        ("11.0.0.0/8", "10.1.2.3", False),
        ("10.", "10.1.2.3", False),
        ("2.3", "10.1.2.3", False),
        ("10.1.2.3:443", "10.1.2.3", False),
        ("10.0.0.0/8", HOST, False),
        ("2001:db8::1", "2001:db8:0::1", True),
        ("[2001:db8::1]", "2001:db8::1", True),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db9::/32", "2001:db8::1", False),
    ],
)
def test_exceptions_are_read_as_curl_reads_them(listed: str, host: str, direct: bool) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        proxies = ProxyEnvironment.of({"ALL_PROXY": PROXY, name: listed})
        assert (proxies.proxy_for("wss", host) is None) == direct


def test_exceptions_in_lower_case_go_first_unless_empty() -> None:
    both = {"ALL_PROXY": PROXY, "no_proxy": "x", "NO_PROXY": HOST}
    assert ProxyEnvironment.of(both).proxy_for("wss", HOST) is not None
    assert ProxyEnvironment.of({**both, "no_proxy": ""}).proxy_for("wss", HOST) is None


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_never_reached_through_a_proxy_of_the_environment(host: str) -> None:
    assert is_loopback(host)
    assert ProxyEnvironment.of({"ALL_PROXY": PROXY, "http_proxy": PROXY}).proxy_for("ws", host) is None


@pytest.mark.parametrize("host", ["localhost.example.com", "10.0.0.1", "0.0.0.0", "::", HOST])  # noqa: S104  # not bound
def test_no_other_host_is_this_machine(host: str) -> None:
    assert not is_loopback(host)


def test_a_given_proxy_is_for_every_host_and_no_proxies_are_for_none() -> None:
    proxy = parse_proxy(PROXY)
    assert proxy.proxy_for("ws", "127.0.0.1") is proxy
    assert NO_PROXIES.proxy_for("wss", HOST) is None


def test_a_bad_variable_is_named_only_when_it_is_needed() -> None:
    proxies = ProxyEnvironment.of(
        {"HTTPS_PROXY": "socks4://u:s3cret@x", "NO_PROXY": "example.com", "PATH": "/s3cret"}
    )
    assert proxies.proxy_for("wss", HOST) is None
    assert proxies.proxy_for("ws", "elsewhere.org") is None
    with pytest.raises(UsageError, match="HTTPS_PROXY: no proxy socks4://") as caught:
        proxies.proxy_for("wss", "elsewhere.org")
    assert "s3cret" not in str(caught.value) + repr(proxies)


@given(st.text(), st.text(min_size=1))
def test_any_list_of_exceptions_can_be_read(listed: str, host: str) -> None:
    ProxyEnvironment.of({"ALL_PROXY": PROXY, "no_proxy": listed}).proxy_for("wss", host)
