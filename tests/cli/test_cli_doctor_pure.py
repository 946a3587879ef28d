"""What ``doctor`` makes of what it saw, without a network: kinds and advice, the clock's bounds, lines and JSON."""

from __future__ import annotations

import errno
import json
import re
import socket
import ssl
import string
from email.utils import formatdate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trioquotes._protocol.effects import Failure
from trioquotes._runtime.endpoints import resolve_endpoint
from trioquotes.cli.doctor_advice import (
    ADVICE,
    advice,
    kind_of_connect,
    kind_of_handshake,
    kind_of_refusal,
    kind_of_resolve,
    kind_of_tls,
)
from trioquotes.cli.doctor_clock import (
    FAR_S,
    Offset,
    offset_by_date,
    offset_by_events,
    offset_by_time,
    read_time_ns,
)
from trioquotes.cli.doctor_plan import plan_for
from trioquotes.cli.doctor_report import (
    STEPS,
    Finding,
    Status,
    duration,
    json_text,
    lines_of,
    summary,
    verdict,
)
from trioquotes.errors import AuthenticationFailed, SessionError, SubscriptionRejected, UsageError
from trioquotes.topics import Trades
from trioquotes.venues import VENUES

NS = 1_000_000_000
T_NS = 1_700_000_000 * NS
FACTS = (
    "venue", "host", "port", "instrument", "timeout", "now", "openssl", "variables", "location", "retry_after",
)  # fmt: skip

# Advice.


def test_every_step_has_advice_and_every_word_in_braces_is_known() -> None:
    assert tuple(ADVICE) == STEPS
    for step, kinds in ADVICE.items():
        for kind, words in kinds.items():
            fields = {name for _, name, _, _ in string.Formatter().parse(words) if name is not None}
            assert fields <= set(FACTS), (step, kind)
            filled = advice(step, kind, dict.fromkeys(FACTS, "x"))
            assert filled[0].isupper()
            assert filled.endswith((".", "?"))
            assert "  " not in filled


def test_every_step_that_waits_may_be_late() -> None:
    assert [step for step in STEPS if "timeout" not in ADVICE[step]] == ["limits"]


def test_what_went_well_needs_no_advice() -> None:
    assert advice("resolve", "", {}) == ""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, ""), "no such host"),
        (socket.gaierror(socket.EAI_AGAIN, ""), "name server"),
        (socket.gaierror(socket.EAI_FAIL, ""), "name server"),
        (socket.gaierror(socket.EAI_MEMORY, ""), "other"),
        (OSError(errno.EMFILE, ""), "other"),
    ],
)
def test_names_that_are_not_found(error: OSError, kind: str) -> None:
    assert kind_of_resolve(error) == kind


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ETIMEDOUT, "timeout"),
        (errno.ENETUNREACH, "unreachable"),
        (errno.EPERM, "not permitted"),
        (errno.EMFILE, "exhausted"),
        (errno.ECONNRESET, "reset"),
        (errno.EINVAL, "other"),
    ],
)
def test_addresses_that_do_not_answer(number: int, kind: str) -> None:
    inner = OSError(number, "")
    outer = OSError("all attempts to connect failed")
    outer.__cause__ = ExceptionGroup("", [inner, OSError(errno.EINVAL, "")])
    assert kind_of_connect(outer) == kind
    assert kind in ADVICE["connect"]


def of_certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "")
    error.verify_code = code
    return error


def of_openssl(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (of_certificate(10), "expired"),
        (of_certificate(9), "not yet valid"),
        (of_certificate(18), "not trusted"),
        (of_certificate(20), "not trusted"),
        (of_certificate(62), "wrong host"),
        (of_certificate(23), "other"),
        (of_openssl("WRONG_VERSION_NUMBER"), "not tls"),
        (of_openssl("TLSV1_ALERT_PROTOCOL_VERSION"), "versions"),
        (of_openssl("SSLV3_ALERT_HANDSHAKE_FAILURE"), "versions"),
        (of_openssl("TLSV1_ALERT_INTERNAL_ERROR"), "other"),
        (ssl.SSLEOFError(8, ""), "lost"),
        (ConnectionResetError(), "lost"),
    ],
)
def test_tls_that_is_not_agreed_on(error: Exception, kind: str) -> None:
    outer = OSError()
    outer.__cause__ = error
    assert kind_of_tls(outer) == kind
    assert kind in ADVICE["tls"]


@given(
    st.sampled_from(["connect", "tls", "handshake"]),
    st.none() | st.integers(100, 599),
    st.booleans(),
)
def test_every_refused_handshake_has_advice(stage: str, status: int | None, late: bool) -> None:
    failure = Failure(stage, "", status)  # type: ignore[arg-type]  # one of its stages
    assert kind_of_handshake(failure, late=late) in ADVICE["handshake"]


def test_a_handshake_that_was_never_answered_is_told_from_one_that_was_no_http() -> None:
    assert kind_of_handshake(Failure("handshake", ""), late=True) == "timeout"
    assert kind_of_handshake(Failure("handshake", ""), late=False) == "no websocket"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SubscriptionRejected(Trades("A"), "no"), "refused"),
        (AuthenticationFailed("no"), "authentication"),
        (SessionError("no"), "lost"),
    ],
)
def test_refused_subscriptions(error: Exception, kind: str) -> None:
    assert kind_of_refusal(error) == kind  # type: ignore[arg-type]  # one of ours
    assert kind in ADVICE["subscribe"]


# The clock.


@given(
    st.integers(-100 * NS, 100 * NS), st.integers(0, 3 * NS), st.integers(0, 3 * NS), st.integers(0, 10**12)
)
def test_the_true_offset_is_within_the_bounds(offset: int, there: int, back: int, at: int) -> None:
    """Our clock is ahead by the offset; the request takes ``there``, its answer ``back``."""
    venue_ns = T_NS + at
    sent_ns, received_ns = venue_ns - there + offset, venue_ns + back + offset
    exact = offset_by_time(venue_ns, sent_ns, received_ns)
    headers = {"date": formatdate(venue_ns // NS, usegmt=True)}
    rough = offset_by_date(headers, sent_ns, received_ns)
    events = offset_by_events([(venue_ns, received_ns), (None, received_ns), (venue_ns, None)])
    truth_s = offset / NS
    for bounds in (exact, rough, exact & rough, rough & events, events):
        assert bounds.low_s is None or bounds.low_s <= truth_s + 1e-6
        assert bounds.high_s is None or bounds.high_s >= truth_s - 1e-6
    assert exact.low_s is not None
    assert exact.high_s is not None
    assert exact.high_s - exact.low_s == pytest.approx((there + back) / NS, abs=1e-6)
    if exact.kind == "ahead":
        assert truth_s > FAR_S - 1e-6
    if exact.kind == "behind":
        assert truth_s < -FAR_S + 1e-6


def test_bounds_that_exclude_each_other_leave_the_first() -> None:
    assert Offset(5.0, 6.0) & Offset(high_s=1.0) == Offset(5.0, 6.0)
    assert Offset(5.0, 6.0) & Offset(high_s=5.5) == Offset(5.0, 5.5)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"date": "soon"},
        {"date": "Wed, 31 Feb 2026 00:00:00 GMT"},
        {"date": formatdate(1_700_000_000, usegmt=True), "age": "7"},
    ],
)
def test_a_date_that_says_nothing_bounds_nothing(headers: dict[str, str]) -> None:
    assert offset_by_date(headers, T_NS, T_NS) == Offset()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"a":{"t":"1700000000000"}}', T_NS),
        (b'{"a":{"t":1700000000000.5}}', T_NS + 500_000),
        (b'{"a":{"t":null}}', None),
        (b'{"a":[]}', None),
        (b'{"a":{"t":"soon"}}', None),
        (b'{"a":{"t":1e999999999}}', None),
        (b"[" * 100_000, None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_the_time_is_read_from_the_answer_where_it_says_it(body: bytes, found: int | None) -> None:
    assert read_time_ns(body, ("a", "t"), 1_000_000) == found


@given(st.none() | st.floats(-100, 100), st.none() | st.floats(-100, 100))
def test_every_offset_can_be_said(low_s: float | None, high_s: float | None) -> None:
    assume(low_s is None or high_s is None or low_s <= high_s)
    said = Offset(low_s, high_s).said
    assert said.startswith(("this clock ", "the venue does not say"))
    assert "-" not in said, "a side is said in words"


@pytest.mark.parametrize(
    ("offset", "kind"),
    [
        (Offset(), "unknown"),
        (Offset(high_s=0.5), ""),
        (Offset(high_s=1364.0), "unknown"),
        (Offset(high_s=-1.5), "behind"),
        (Offset(low_s=-0.5), ""),
        (Offset(low_s=-5.0), "unknown"),
        (Offset(low_s=1.5), "ahead"),
        (Offset(-0.9, 0.9), ""),
        (Offset(-4.0, 4.0), ""),
    ],
)
def test_only_what_is_certain_is_complained_of(offset: Offset, kind: str) -> None:
    assert offset.kind == kind


@pytest.mark.parametrize(
    ("offset", "said"),
    [
        (Offset(-0.02, 0.05), "this clock and the venue's agree as far as can be told, to 50 ms"),
        (Offset(1.2, 2.2), "this clock is 1.70 s ahead of the venue's, give or take 500 ms"),
        (Offset(-3.0, -1.0), "this clock is 2.00 s behind the venue's, give or take 1.00 s"),
        (
            Offset(high_s=-2.0),
            "this clock is at least 2.00 s behind the venue's; by how much more is unknown",
        ),
    ],
)
def test_an_offset_says_its_uncertainty(offset: Offset, said: str) -> None:
    assert offset.said == said


# The report.

FINDING = st.builds(
    Finding,
    step=st.sampled_from(STEPS),
    status=st.sampled_from(["ok", "warning", "failed", "none", "skipped", "stopped"]),
    said=st.text(max_size=200),
    took_s=st.none() | st.floats(0, 1000),
    advice=st.text(max_size=200),
)


@given(FINDING, st.integers(20, 200))
def test_a_step_is_one_line_that_no_terminal_obeys_and_what_to_do_stands_below(
    finding: Finding, width: int
) -> None:
    whole = lines_of(finding, None)
    assert whole.count("\n") == 1 + bool(finding.advice)
    assert all(char.isprintable() or char == "\n" for char in whole)
    first, *others = lines_of(finding, width).splitlines()
    assert len(first) <= max(width, 9 + len("round trip  ") + 8)
    assert all(line.startswith("  ") and len(line) <= width for line in others)
    words = "".join(re.sub(r"[^\S]+", "", line) for line in [first, *others])
    assert words == re.sub(r"\s+", "", whole), "nothing is left out"
    coloured = lines_of(finding, width, coloured=True)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == lines_of(finding, width)


@pytest.mark.parametrize(
    ("statuses", "code", "last"),
    [
        (["ok", "none"], 0, "all is well; 1.50 s"),
        (["ok", "warning"], 1, "it works, but look at connect; 1.50 s"),
        (["warning", "failed", "skipped"], 1, "connect failed after 1.50 s"),
        (["ok", "stopped", "skipped"], 1, "stopped after 1.50 s"),
    ],
)
def test_the_exit_code_is_0_only_when_all_went_well(statuses: list[Status], code: int, last: str) -> None:
    findings = [Finding(step, status) for step, status in zip(STEPS, statuses, strict=False)]
    assert verdict(findings) == code
    assert summary(findings, 1.5) == last


@given(st.lists(FINDING, max_size=3), st.integers(0, 143))
def test_json_can_be_read_back(findings: list[Finding], code: int) -> None:
    found = json.loads(json_text({"venue": "toy"}, findings, code))
    assert found["ok"] == (code == 0)
    assert [step["status"] for step in found["steps"]] == [finding.status for finding in findings]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0.0 ms"), (0.0004, "0.4 ms"), (0.084, "84 ms"), (0.9996, "1.00 s"), (1.234, "1.23 s"), (12.4, "12 s")],
)  # fmt: skip
def test_durations_are_short(seconds: float, said: str) -> None:
    assert duration(seconds) == said


# The plan.


@pytest.mark.parametrize("name", VENUES)
def test_every_venue_and_endpoint_has_something_to_ask(name: str) -> None:
    venue = VENUES[name]
    for called in (None, *venue.endpoints):
        endpoint = resolve_endpoint(venue, called)
        plan = plan_for(venue, called, endpoint, None)
        assert type(plan.topic) in venue.unified
        assert plan.topic.subject
        assert plan.beat is None or type(plan.beat) in venue.topics.values()
        assert plan.time_url is not None
        assert plan.time_url.startswith("https://")


def test_a_venue_that_nobody_knows_is_said() -> None:
    class Stranger:
        name = "stranger"

    venue = VENUES["coinbase"]
    with pytest.raises(UsageError, match="nothing is known of what to ask this venue"):
        plan_for(Stranger(), None, resolve_endpoint(venue, None), None)  # type: ignore[arg-type]  # a stranger
