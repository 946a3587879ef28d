"""The command ``trioquotes``: one module per command, loaded when it is used.

Exit codes: 0 done, 1 a session error said in one line, 2 wrong usage, 129 after SIGHUP, 130 after Ctrl-C, 143
after SIGTERM.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

import attrs
from cyclopts import App, CycloptsError, Parameter

from trioquotes.cli.exits import DONE, USAGE, ClosedOutput, judge, say
from trioquotes.cli.output import Page, closed_output, open_missing, writing
from trioquotes.cli.words import misuse

__all__ = ["load", "main"]


@attrs.frozen
class _Command:
    """What the list of commands and a command's own help say, without loading its module.

    Attributes:
        line: what it does.
        usage: its words.
        examples: whole command lines.
        note: what else to know.
    """

    line: str
    usage: str
    examples: tuple[str, ...]
    note: str

    @property
    def epilogue(self) -> str:
        """What stands below the options."""
        lines = "".join(f"\n  trioquotes {example}" for example in self.examples)
        return f"Examples:{lines}\n\n{self.note}\n\n--debug shows a traceback where otherwise one line says what went wrong."


COMMANDS = {
    "demo": _Command(
        "Watch simulated venues stream through real sessions.",
        "[--seconds S] [--plain]",
        ("demo", "demo --seconds 20", "demo --plain | tee demo.txt"),
        "A line is dropped on purpose now and then, so that the recovery can be seen: the notices say what may have"
        " been missed, and a book shows nothing until it is right again.",
    ),
    "stream": _Command(
        "Print live events of a venue, one JSON object per line.",
        "VENUE TOPIC INSTRUMENT... [OPTIONS]",
        (
            "stream coinbase trades BTC-USD",
            "stream coinbase books BTC-USD ETH-USD --seconds 60 > books.jsonl",
            "stream coinbase matches BTC-USD --native --count 10",
            "stream coinbase quotes BTC/USD --endpoint ws://127.0.0.1:8765",
        ),
        "Prices and sizes are texts with every digit of the venue's. Credentials are read from the environment, under"
        " the venue's name: COINBASE_API_KEY, COINBASE_API_SECRET and COINBASE_API_PASSPHRASE.",
    ),
    "record": _Command(
        "Record a live session into a folder.",
        "VENUE TOPIC INSTRUMENT... -o DIR [OPTIONS]",
        (
            "record coinbase books BTC-USD ETH-USD -o btc",
            "record upbit trades KRW-BTC -o krw --seconds 3600",
        ),
        "Every frame both ways is written down, with its times, and so is why a line was lost; secrets never are. Ctrl-C"
        " ends it cleanly; whatever else ends it costs at most the last second. `replay` plays it again.",
    ),
    "replay": _Command(
        "Print the events of a recording, one JSON object per line.",
        "DIR [TOPIC INSTRUMENT...] [OPTIONS]",
        (
            "replay btc",
            "replay btc --speed max > books.jsonl",
            "replay btc quotes BTC-USD --speed 10",
        ),
        "Events, notices and all times are those of the recorded session; nothing is connected. A topic other than the"
        " recorded ones can be asked for where its data are there.",
    ),
    "export": _Command(
        "Write a recording as Parquet, CSV or JSON lines, a table for each type of event.",
        "DIR -o OUT [OPTIONS]",
        (
            "export btc -o ticks",
            "export btc -o ticks --format csv --topic trades",
            'export btc -o ticks --topic "quotes BTC-USD" --overwrite',
        ),
        "A table is a folder, OUT/trade/venue=coinbase/instrument=BTC-USD/day=2026-11-22, that DuckDB, pandas and polars"
        " read as a whole. What may be missing is in the table notice. Parquet needs: pip install trioquotes[parquet]",
    ),
    "simulate": _Command(
        "Serve a simulated venue, or play a capture, until Ctrl-C.",
        "VENUE [OPTIONS]",
        (
            "simulate coinbase --port 8765",
            "simulate coinbase --tls --seed 7 --rate 100",
            "simulate coinbase --capture session.jsonl --speed max",
        ),
        "The first line on standard output is: listening on ws://HOST:PORT",
    ),
    "watch": _Command(
        "Watch instruments live, on the whole terminal.",
        "VENUE INSTRUMENT... [OPTIONS]",
        (
            "watch coinbase BTC-USD",
            "watch upbit KRW-BTC KRW-ETH",
            "watch coinbase BTC-USD --endpoint ws://127.0.0.1:8765",
        ),
        "Keys: q quits, p pauses, tab or 1 to 9 shows another instrument, v another view, ? tells all of them. A book"
        " that is not right shows no levels but says so. Where there is no terminal, `stream` prints lines.",
    ),
    "decode": _Command(
        "Decode a file of captured frames without a network.",
        "VENUE FILE [--native] [--books] [--independent]",
        (
            "decode coinbase capture.jsonl",
            "decode coinbase capture.jsonl --books",
            "decode coinbase - --native < capture.jsonl",
        ),
        "The ledger is the last line on standard error, one JSON object: elements = delivered + folded + all ignored"
        " + malformed.",
    ),
    "doctor": _Command(
        "Check step by step whether a venue can be streamed from here.",
        "VENUE [OPTIONS]",
        (
            "doctor coinbase",
            "doctor upbit --endpoint sg --timeout 5",
            "doctor coinbase --endpoint ws://127.0.0.1:8765",
            "doctor edgex --json | jq .ok",
        ),
        "It resolves, connects to every address, agrees on TLS, makes the WebSocket handshake, subscribes, and looks at"
        " the first data, the heartbeat, the clock, the round trip and what may still be asked; then it leaves. The exit"
        " code is 0 only when all went well; after a step that failed the others are skipped.",
    ),
    "venues": _Command(
        "Show what is supported: topics, channels, endpoints, limits.",
        "[VENUE] [--json]",
        ("venues", "venues coinbase", "venues --json"),
        "A topic works the same at every venue; a channel is the venue's own, for `stream --native`.",
    ),
}

SILENT = frozenset({"export", "record", "simulate"})
"""Commands that have work to do even where nobody reads what they print."""

HELP = """Typed market data and private account events over WebSocket.

`trioquotes COMMAND --help` says more. Every command takes --debug: a traceback where otherwise one line says what \
went wrong. Exit codes: 0 done, 1 a session error, 2 wrong usage, 130 Ctrl-C."""


def load() -> None:
    """Load the command that the program was started for: what takes a moment is done while nothing can be half done."""
    name = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    if name in COMMANDS:
        import_module(f"trioquotes.cli.{name}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; every end but a good one leaves by ``SystemExit``.

    Args:
        argv: the words after the program's name; ``None`` takes those it was started with.

    Raises:
        SystemExit: with the exit code, where that is not 0.
    """
    is_program = argv is None
    words = list(sys.argv[1:] if is_program else argv or ())
    words, debug = _without_debug(words)
    try:
        code = _run(words)
    except (KeyboardInterrupt, Exception, BaseExceptionGroup) as error:  # noqa: BLE001  # said in one line, and in the exit code
        code = judge(error, debug=debug)
    if is_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(
            signal.SIGINT, signal.SIG_DFL
        )  # one more Ctrl-C ends what is left to do, without a traceback
    if code:
        sys.exit(code)


def _run(words: list[str]) -> int:
    if open_missing() and not SILENT & set(words[:1]):  # nobody reads
        raise ClosedOutput
    app = _app()
    try:
        with closed_output():
            code = app(words, console=Page(highlight=False))
            with writing():
                sys.stdout.flush()
    except CycloptsError as error:
        usages = {name: command.usage for name, command in COMMANDS.items()}
        say(f"trioquotes: {misuse(error, usages)} (--help shows what there is)")
        return USAGE
    return DONE if code is None else int(code)


def _app() -> App:
    app = App(
        name="trioquotes",
        help=HELP,
        version=lambda: version("trioquotes"),
        help_format="plaintext",
        default_parameter=Parameter(negative=()),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    for name, command in COMMANDS.items():
        app.command(
            f"trioquotes.cli.{name}:{name}",
            name=name,
            help=command.line,
            usage=f"Usage: trioquotes {name} {command.usage}",
            help_epilogue=command.epilogue,
        )
    return app


def _without_debug(words: list[str]) -> tuple[list[str], bool]:
    """The words without ``--debug``, wherever it stood before ``--``, and whether it was there."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"]
    return kept + words[end:], len(kept) < end
