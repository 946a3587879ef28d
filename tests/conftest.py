"""What all tests share: patient hypothesis settings, and the folder of recorded sessions."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

# Helpers are imported as `tests.runtime.fakes`; last, so that the package itself is the installed one.
sys.path.append(str(Path(__file__).parent.parent))

CAPTURES = "TRIOQUOTES_CAPTURES"

# Wall-clock limits would judge the machine, not the code. Everything else stays as hypothesis sets it, also on CI.
settings.register_profile(
    "patient", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# What measures coverage is slow, and more examples reach no more branches; the other interpreters make them all.
settings.register_profile("measured", parent=settings.get_profile("patient"), max_examples=20)
settings.load_profile("patient")


def pytest_report_header() -> str:
    """Say whether the recorded sessions take part."""
    folder = os.environ.get(CAPTURES)
    return f"captures: {folder or f'none ({CAPTURES} is not set); tests that need them are skipped'}"
