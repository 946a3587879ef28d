"""``python -m tests.long.fuzz_replay TARGET FILE``: one input again, as the fuzzer ran it; needs no fuzzer."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.long.fuzz_targets import TARGETS


def main(arguments: list[str]) -> int:
    """0 where the input does no harm; what it raises leaves as it is."""
    if len(arguments) != 2 or arguments[0] not in TARGETS:
        sys.stderr.write(f"{__doc__}\ntargets: {', '.join(TARGETS)}\n")
        return 2
    data = Path(arguments[1]).read_bytes()
    TARGETS[arguments[0]].run(data)
    sys.stdout.write(f"{arguments[0]}: {len(data)} bytes do no harm\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
