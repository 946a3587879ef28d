"""What is said to proxies until there is a tunnel, cut at every byte."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioquotes._protocol.proxying import Proxy, parse_proxy
from trioquotes._protocol.tunnels import HEAD_BYTES, Refused, tunnel

WEB = parse_proxy("http://proxy:3128")
KNOWN_WEB = parse_proxy("http://user:s3cret%20word@proxy:3128")
SOCKS = parse_proxy("socks5h://proxy:1080")
KNOWN_SOCKS = parse_proxy("socks5h://user:s3cret@proxy:1080")
HOST, PORT = "feed.example.com", 443
HELLO, HELLO_KNOWN = b"\x05\x01\x00", b"\x05\x02\x00\x02"
ASKED = b"\x05\x01\x00\x03\x10feed.example.com\x01\xbb"
MADE = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


def talk(proxy: Proxy, *said: bytes, host: str = HOST) -> list[bytes]:
    """What we say when the proxy says that; the tunnel is made at the end."""
    made = tunnel(proxy, host, PORT)
    ours = [made.begin()]
    for piece in said:
        assert not made.done
        ours.append(made.feed(piece))
    assert made.done
    return [piece for piece in ours if piece]


def refusal(proxy: Proxy, *said: bytes, host: str = HOST) -> Refused:
    made = tunnel(proxy, host, PORT)
    with pytest.raises(Refused) as caught:
        made.begin()
        for piece in said:
            made.feed(piece)
    assert not made.done
    return caught.value


def in_bytes(said: bytes) -> list[bytes]:
    return [said[place : place + 1] for place in range(len(said))]


# --- HTTP CONNECT


def test_request_asks_for_the_host_and_proves_who_we_are() -> None:
    made = b"HTTP/1.1 200 Connection established\r\n\r\n"
    assert talk(WEB, made) == [
        b"CONNECT feed.example.com:443 HTTP/1.1\r\nHost: feed.example.com:443\r\nUser-Agent: trioquotes\r\n\r\n"
    ]
    token = base64.b64encode(b"user:s3cret word")
    assert talk(KNOWN_WEB, made)[0].endswith(b"\r\nProxy-Authorization: Basic " + token + b"\r\n\r\n")
    assert talk(WEB, made, host="2001:db8::1")[0].startswith(
        b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2"
    )


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 204 \r\nVia: x\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_any_success_makes_the_tunnel_however_it_is_cut(said: bytes) -> None:
    talk(WEB, said)
    talk(WEB, *in_bytes(said))


@pytest.mark.parametrize(
    ("proxy", "head", "words", "lasting"),
    [
        (WEB, '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="a, b"',
         "wants a user and a password (407 Proxy Authentication Required): its URL is http://user:password@host", True),
        (KNOWN_WEB, "407 No\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic realm=x",
         "refuses the user and password in its URL (407 No)", True),
        (KNOWN_WEB, "407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM, Digest realm=x",
         "wants to be convinced by Negotiate, NTLM, Digest (407 No), and only Basic is known here", True),
        (KNOWN_WEB, "407", "refuses the user and password in its URL (407)", True),
        (WEB, "401 X", "wants a user and a password (401 X)", True),
        (WEB, "403 Forbidden", "does not permit a tunnel to feed.example.com:443 (403 Forbidden): have it allowed", True),
        (WEB, "502 Bad Gateway", "cannot reach feed.example.com:443 (502 Bad Gateway)", False),
        (WEB, "504 Gateway Timeout", "cannot reach feed.example.com:443 (504 Gateway Timeout)", False),
        (WEB, "503 Busy", "made no tunnel to feed.example.com:443 (503 Busy)", False),
        (WEB, "405 Method Not Allowed", "made no tunnel to feed.example.com:443 (405 Method Not Allowed)", False),
        (WEB, "301 Moved\r\nLocation: http://x/", "made no tunnel to feed.example.com:443 (301 Moved)", False),
    ],
)  # fmt: skip
def test_refusal_says_what_to_do(proxy: Proxy, head: str, words: str, lasting: bool) -> None:
    said = f"HTTP/1.1 {head}\r\nContent-Length: 99\r\n\r\n".encode()
    for pieces in ([said], in_bytes(said)):
        refused = refusal(proxy, *pieces)
        assert f"the proxy http://proxy:3128 {words}" in refused.reason
        assert (refused.lasting, refused.unreached) == (lasting, False)


def test_patience_that_a_proxy_asks_for_is_kept_and_nothing_else_of_its_headers() -> None:
    said = b"HTTP/1.1 503 X\r\nRetry-After: 7\r\nDate: now\r\nSet-Cookie: a\r\n\r\n"
    assert refusal(WEB, said).headers == {"retry-after": "7", "date": "now"}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([b""], "hung up without an answer"),
        ([b"HTTP/1.1 2", b""], "hung up in its answer"),
        ([b"SSH-2.0-x\r\n"], "does not speak HTTP"),
        ([b"HT", b"ML"], "does not speak HTTP"),
        ([b"\x05\xff"], "does not speak HTTP, but SOCKS5: its URL begins with socks5h://"),
        ([b"\x15\x03\x01\x00\x02"], "does not speak HTTP, but TLS: does its URL begin with https://?"),
        ([b"HTTP/1.1 garbage\r\n\r\n"], "is not HTTP"),
        ([b"HTTP/1.1 101 Switching\r\n\r\n"], "is not HTTP"),
        ([b"HTTP/1.1 200 OK\r\nX:" + b"x" * HEAD_BYTES], "says too much"),
        ([b"HTTP/1.1 100 X\r\n\r\n" * 1000] * 4, "says too much"),
        ([b"HTTP/1.1 200 OK\r\n\r\n\x16\x03"], "said more than that the tunnel is made"),
    ],
)
def test_what_is_no_answer_is_told_at_once(said: list[bytes], words: str) -> None:
    refused = refusal(WEB, *said)
    assert words in refused.reason
    assert "proxy http://proxy:3128" in refused.reason
    assert not refused.lasting
    assert len(refused.reason) < 250


@pytest.mark.parametrize("secret", ["hush-hush-user", "hush-hush-password"])
def test_what_a_proxy_repeats_of_our_secrets_is_not_passed_on(secret: str) -> None:
    proxy = parse_proxy("http://hush-hush-user:hush-hush-password@proxy:3128")
    token = proxy.basic
    for form in (secret, token, base64.b64encode(secret.encode()).decode()):
        for said in (f"407 {form}", f"502 you said {form}", f"{form}", "200 OK\r\n" + form):
            refused = refusal(proxy, f"HTTP/1.1 {said}\r\n\r\n".encode())
            assert form not in refused.reason + repr(refused) + str(refused.headers)


def test_a_proxy_moves_no_terminal() -> None:
    refused = refusal(WEB, b"HTTP/1.1 502 \x9b2J" + b"x" * 500 + b"\r\n\r\n")
    assert refused.reason.isprintable()
    assert len(refused.reason) < 200


# --- SOCKS5


def test_name_is_left_to_the_proxy() -> None:
    assert talk(SOCKS, b"\x05\x00", MADE) == [HELLO, ASKED]


def test_addresses_are_sent_as_such() -> None:
    assert talk(SOCKS, b"\x05\x00", MADE, host="10.1.2.3")[1] == b"\x05\x01\x00\x01\x0a\x01\x02\x03\x01\xbb"
    sixth = bytes.fromhex("20010db8000000000000000000000001")
    assert talk(SOCKS, b"\x05\x00", MADE, host="2001:db8::1")[1] == b"\x05\x01\x00\x04" + sixth + b"\x01\xbb"


def test_user_and_password_are_given_only_where_they_are_wanted() -> None:
    login = b"\x01\x04user\x06s3cret"
    assert talk(KNOWN_SOCKS, b"\x05\x02", b"\x01\x00", MADE) == [HELLO_KNOWN, login, ASKED]
    assert talk(KNOWN_SOCKS, b"\x05\x00", MADE) == [HELLO_KNOWN, ASKED]


@pytest.mark.parametrize(
    "made", [MADE, b"\x05\x00\x00\x03\x03abc\x00\x01", b"\x05\x00\x00\x04" + bytes(18), b"\x05\x00\x00\x03\x00\x00\x01"]
)  # fmt: skip
def test_every_kind_of_address_in_the_reply_is_read_however_it_is_cut(made: bytes) -> None:
    assert talk(KNOWN_SOCKS, *in_bytes(b"\x05\x02" + b"\x01\x00" + made))[-1] == ASKED
    talk(KNOWN_SOCKS, b"\x05\x00", made)


@pytest.mark.parametrize(
    ("proxy", "said", "words", "lasting", "unreached"),
    [
        (SOCKS, [b"\x05\xff"], "wants a user and a password: its URL is socks5h://user:password@host:port", True, False),
        (KNOWN_SOCKS, [b"\x05\xff"], "takes neither", True, False),
        (KNOWN_SOCKS, [b"\x05\x02", b"\x01\x01"], "refuses the user and password in its URL", True, False),
        (KNOWN_SOCKS, [b"\x05\x01"], "not offered (SOCKS5 method 1)", False, False),
        (SOCKS, [b"\x05\x02"], "not offered (SOCKS5 method 2)", False, False),
        (SOCKS, [b"\x05\x00", b"\x05\x01"], "cannot reach feed.example.com:443: a general failure", False, False),
        (SOCKS, [b"\x05\x00", b"\x05\x02\x00"], "does not permit a tunnel to feed.example.com:443", True, False),
        (SOCKS, [b"\x05\x00", b"\x05\x03"], "no network leads there", False, True),
        (SOCKS, [b"\x05\x00", b"\x05\x04"], "no route to the host", False, True),
        (SOCKS, [b"\x05\x00", b"\x05\x05"], "nothing listens there", False, True),
        (SOCKS, [b"\x05\x00", b"\x05\x06"], "its time to live ran out", False, True),
        (SOCKS, [b"\x05\x00", b"\x05\x07"], "knows no CONNECT", False, False),
        (SOCKS, [b"\x05\x00", b"\x05\x08"], "no addresses of that kind", False, True),
        (SOCKS, [b"\x05\x00", b"\x05\x63"], "SOCKS5 reply 99", False, False),
        (SOCKS, [b"\x05\x00", b"\x05\x00\x00\x09\x00"], "an address of kind 9", False, False),
        (SOCKS, [b"\x05\x00" + MADE + b"x"], "said more than that the tunnel is made", False, False),
        (SOCKS, [b""], "hung up without an answer: it may want a user and a password", False, False),
        (SOCKS, [b"\x05\x00", b""], "hung up without an answer", False, False),
        (KNOWN_SOCKS, [b""], "hung up without an answer", False, False),
        (KNOWN_SOCKS, [b"\x05\x02", b""], "hung up on the user and password in its URL", False, False),
        (SOCKS, [b"\x05", b""], "hung up in mid-sentence", False, False),
        (SOCKS, [b"HTTP/1.1 400 Bad Request\r\n"], "but HTTP: its URL begins with http://", False, False),
        (SOCKS, [b"\x00\x5b"], "does not speak SOCKS5", False, False),
        (KNOWN_SOCKS, [b"\x05\x02", b"\x05\x00"], "does not speak SOCKS5", False, False),
    ],
)  # fmt: skip
def test_socks_refusal_says_why(
    proxy: Proxy, said: list[bytes], words: str, lasting: bool, unreached: bool
) -> None:
    refused = refusal(proxy, *said)
    assert words in refused.reason
    assert "proxy socks5h://proxy:1080" in refused.reason
    assert (refused.lasting, refused.unreached) == (lasting, unreached)


def test_name_too_long_for_socks_is_refused_before_anything_is_sent() -> None:
    assert "longer than a name" in refusal(SOCKS, host=".".join(["a" * 60] * 5)).reason


@given(
    st.sampled_from([WEB, KNOWN_WEB, SOCKS, KNOWN_SOCKS]),
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(
                [b"HTTP/1.1 ", b"200 OK\r\n\r\n", b"407 X\r\n", b"\r\n", b"\x05\x00", b"\x05\x02", b"\x01\x00", MADE]
            ),
        ),
        max_size=8,
    ),
)  # fmt: skip
def test_whatever_a_proxy_says_there_is_a_tunnel_a_refusal_or_more_to_wait_for(
    proxy: Proxy, said: list[bytes]
) -> None:
    made = tunnel(proxy, HOST, PORT)
    made.begin()
    reason = "nothing is refused yet"
    for piece in said:
        try:
            made.feed(piece)
        except Refused as refused:
            reason = refused.reason
        if made.done or reason != "nothing is refused yet":
            break
    assert re.fullmatch(r"[\x20-\x7e]{10,300}", reason)
    assert "s3cret" not in reason
