"""The page that tells users how to test their programs: its code, run by pytest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.examples.plugged import REGISTERED

pytest_plugins = ("pytester",)

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "testing-your-program.md"


@pytest.mark.tcp
@pytest.mark.endurance
def test_every_test_on_the_page_passes(pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    text = "\n\n".join(blocks)
    pytester.makepyfile(test_page=text)
    told = pytester.runpytest_subprocess(
        "-p", REGISTERED, "-p", "no:cacheprovider", "--strict-markers", "-o", "trio_mode=true", "-W", "error"
    )  # fmt: skip
    told.assert_outcomes(passed=len(re.findall(r"^(?:async )?def test_", text, re.MULTILINE)))
