"""How a command ends: the exit code and the one line for each kind of end."""

from __future__ import annotations

import pytest

from trioquotes.cli.exits import DOCTOR, ClosedOutput, judge, one_line, say
from trioquotes.errors import ConnectFailed, InternalError, SubscriptionRejected, UnknownVenue


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UnknownVenue("no such venue"), 2, "trioquotes: no such venue\n"),
        (ConnectFailed("nobody\nis there"), 1, f"trioquotes: nobody is there ({DOCTOR})\n"),
        (SubscriptionRejected("trades", "no"), 1, "trioquotes: trades: no\n"),
        (OSError(28, "No space left on device", "out.jsonl"), 1, "trioquotes: out.jsonl: No space left on device: make room there, or choose another place\n"),
        (OSError("odd"), 1, "trioquotes: odd\n"),
        (KeyboardInterrupt(), 130, ""),
        (ClosedOutput(), 0, ""),
        (ExceptionGroup("g", [ConnectFailed("gone")]), 1, f"trioquotes: gone ({DOCTOR})\n"),
        (ExceptionGroup("g", [ExceptionGroup("g", [ClosedOutput()]), ValueError()]), 0, ""),
        (BaseExceptionGroup("g", [ValueError(), KeyboardInterrupt()]), 130, ""),
    ],
)  # fmt: skip
def test_each_end_has_its_code_and_its_line(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    assert judge(error, debug=False) == code
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), InternalError("oops")])
def test_a_bug_asks_for_a_report_and_shows_its_traceback_on_request(
    capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    assert judge(error, debug=False) == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "please report" in line
    assert "--debug" in line
    assert judge(error, debug=True) == 1
    assert f"{type(error).__name__}: oops\n" in capsys.readouterr().err


def test_a_venues_words_cannot_steer_the_terminal() -> None:
    assert one_line("\x1b[2Jgone\r\n\tnow\x07 ä") == "[2Jgone now ä"


def test_without_standard_error_nothing_is_said_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    say("nobody hears it")
    assert capsys.readouterr().out == ""
