"""A simulated venue repeats what it was sent where a script says so."""

from __future__ import annotations

from trioquotes.simulator.faults import FailRest, faults_from_json, faults_to_json, repeating


def test_a_text_repeats_headers_and_body_of_the_request() -> None:
    headers = {"authorization": "Bearer x", "x-key": "{sent body}"}
    text = "no {sent authorization} {sent x-key}, {sent body}{sent nothing}; {sent} {other}"
    assert repeating(text, headers, b"a=b\xff") == "no Bearer x {sent body}, a=b\xff; {sent} {other}"


def test_such_a_script_is_the_same_after_json() -> None:
    script = (FailRest(status=400, body="{sent body}", headers=(("X-Echo", "{sent authorization}"),)),)
    assert faults_from_json(faults_to_json(script)) == script
