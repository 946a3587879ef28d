"""A failed case is called one, and nothing that was not played looks like a pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.report import Case, chosen, parse_selection, read_report, table


@pytest.mark.parametrize(
    ("behavior", "close", "may_miss", "failed"),
    [
        ("OK", "OK", False, False),
        ("NON-STRICT", "OK", False, False),
        ("INFORMATIONAL", "INFORMATIONAL", False, False),
        ("FAILED", "OK", False, True),
        ("OK", "FAILED", False, True),
        ("OK", "UNCLEAN", False, True),
        ("OK", "WRONG CODE", False, True),
        ("OK", "a word of tomorrow", False, True),
        ("UNIMPLEMENTED", "OK", True, False),
        ("UNIMPLEMENTED", "OK", False, True),
        ("UNIMPLEMENTED", "FAILED", True, True),
        ("FAILED", "OK", True, True),
    ],
)
def test_case_passes_only_if_behaviour_and_close_do(
    behavior: str, close: str, may_miss: bool, failed: bool
) -> None:
    case = Case("12.1.1", behavior, close, "", may_miss=may_miss)
    assert case.failed is failed
    assert case.column == ("FAILED" if failed else behavior)


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        ("1-5", {"1.1.1", "2.10", "5.20"}),
        ("9.1", {"9.1.6"}),
        ("9.1,10", {"9.1.6", "10.1.1"}),
        ("2.10", {"2.10"}),
        ("6.9-6.22", {"6.9.1", "6.22.34"}),
        ("6.22.1 - 9", {"6.22.34", "9.1.6"}),
    ],
)
def test_selection_means_numbers_and_not_their_letters(selection: str, meant: set[str]) -> None:
    names = ["1.1.1", "2.10", "2.1", "5.20", "6.9.1", "6.22.34", "9.1.6", "10.1.1", "12.1.1"]
    ranges = parse_selection(selection)
    found = {name for name in names if chosen(name, ranges)}
    assert found == meant | ({"2.1"} if selection == "1-5" else set())


@pytest.mark.parametrize("wrong", ["", "all", "1-", "1..", "1-2-3"])
def test_what_is_no_selection_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="neither a section"):
        parse_selection(wrong)


def write_report(folder: Path, agent: str, verdicts: dict[str, tuple[str, str]]) -> None:
    index = {}
    for name, (behavior, close) in verdicts.items():
        index[name] = {"behavior": behavior, "behaviorClose": close, "reportfile": f"{name}.json"}
        (folder / f"{name}.json").write_text(json.dumps({"result": "It is so.", "resultClose": "It ended."}))
    (folder / "index.json").write_text(json.dumps({agent: index}))


def test_report_is_read_for_the_agent_and_what_is_not_in_it_failed(tmp_path: Path) -> None:
    verdicts = {"1.1.1": ("OK", "OK"), "5.6": ("FAILED", "OK"), "12.1.1": ("UNIMPLEMENTED", "OK")}
    write_report(tmp_path, "us", verdicts)
    cases = read_report(tmp_path, "us", ["1.1.1", "5.6", "9.1.1", "12.1.1"], frozenset({"12"}))
    assert [case.name for case in cases if case.failed] == ["5.6", "9.1.1"]
    assert all(case.failed for case in read_report(tmp_path, "them", ["1.1.1"]))
    text = table(cases)
    assert "FAILED 5.6: behaviour FAILED, close OK; It is so. It ended." in text
    assert "FAILED 9.1.1: behaviour MISSING" in text
    (total,) = [line.split() for line in text.splitlines() if line.startswith("all")]
    assert total == ["all", "1", "1", "2", "4"]  # fine, unimplemented, failed, all
