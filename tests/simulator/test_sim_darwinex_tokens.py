from __future__ import annotations

import base64
import json
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.simulator.darwinex_client import (
    MAIN,
    START_S,
    basic,
    call,
    connected,
    knock,
    refresh,
    wall_ns,
)
from trioquotes.simulator.faults import FailRest
from trioquotes.simulator.venues.darwinex import DarwinexSimulator, Product, generated_names

OTHER = attrs.evolve(
    MAIN, name="other", consumer_key="key-2", refresh_token="other-refresh", access_token="other-access"
)
HALF_A_YEAR_S = 183 * 86_400
PRODUCTS = "/darwininfo/2.0/products"


def darwinex(**options: Any) -> DarwinexSimulator:
    return DarwinexSimulator(**{"accounts": [MAIN, OTHER], "wall_ns": wall_ns, **options})


@pytest.mark.parametrize(
    ("header", "code", "message"),
    [
        (None, 900902, "Missing Credentials"),
        ("Basic access-0", 900902, "Missing Credentials"),
        ("Bearer ", 900902, "Missing Credentials"),
        ("Bearer wrong", 900901, "Invalid Credentials"),
        ("Bearer refresh-0", 900901, "Invalid Credentials"),
    ],
)
async def test_a_handshake_without_a_good_token_is_a_fault(
    autojump_clock: trio.testing.MockClock, header: str | None, code: int, message: str
) -> None:
    with trio.fail_after(30):
        simulator = darwinex()
        status, body = await knock(simulator, {} if header is None else {"Authorization": header})
    assert status == 401
    fault = json.loads(body)["fault"]
    assert (fault["code"], fault["message"]) == (code, message)
    assert fault["description"]
    assert simulator.records.connects[0].outcome == "refused 401"


async def test_the_scheme_may_be_written_in_any_case(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = darwinex()
        with trio.move_on_after(1):
            await knock(simulator, {"Authorization": "bearer access-0"})
    assert simulator.records.connects[0].outcome == "open"


async def test_there_is_one_path(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        status, body = await knock(darwinex(), {"Authorization": "Bearer access-0"}, "/quotewebsocket/2.0.0")
    assert (status, json.loads(body)["fault"]["code"]) == (404, 404)


async def test_the_long_lived_token_lives_for_half_a_year_and_is_checked_at_the_handshake_only(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(2 * HALF_A_YEAR_S):
        simulator = darwinex(heartbeat_s=86_400.0)
        async with connected(simulator) as client:
            await trio.sleep(HALF_A_YEAR_S - 1)
            async with connected(simulator):
                pass
            await trio.sleep(1)
            status, body = await knock(simulator, {"Authorization": "Bearer access-0"})
            await client.say({"op": "ping", "msg": "old line"})
            assert (await client.hear_answer())["msg"] == "old line"
    assert (status, json.loads(body)["fault"]["description"]) == (401, "The access token has expired")


async def test_a_refresh_gives_new_tokens_and_kills_the_one_that_was_used(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30_000):
        simulator = darwinex()
        status, first = await refresh(simulator, "refresh-0")
        assert status == 200
        assert list(first) == [
            "access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type",
        ]  # fmt: skip
        assert (first["expires_in"], first["scope"], first["token_type"]) == (3600, "openid", "Bearer")
        claims = json.loads(base64.urlsafe_b64decode(first["id_token"].split(".")[1] + "=="))
        assert (claims["sub"], claims["exp"]) == ("main", START_S + 3600)
        dead = await refresh(simulator, "refresh-0")
        _, second = await refresh(simulator, first["refresh_token"])
        assert len({first["access_token"], second["access_token"], second["refresh_token"]}) == 3
        for token in ("access-0", first["access_token"], second["access_token"]):
            async with connected(simulator, token) as client:
                assert (await client.subscribe("DWC.4.20"))["status"] == "OK"
        await trio.sleep(3600)
        assert (await knock(simulator, {"Authorization": f"Bearer {second['access_token']}"}))[0] == 401
        status, third = await refresh(simulator, second["refresh_token"])
        async with connected(simulator, third["access_token"]):
            pass
    assert (dead[0], dead[1]["error"]) == (400, "invalid_grant")
    assert dead[1]["error_description"]


async def test_a_refresh_may_end_the_access_token_before_it(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = darwinex(refresh_revokes=True)
        _, first = await refresh(simulator, "refresh-0")
        async with connected(simulator, first["access_token"]) as client:
            _, second = await refresh(simulator, first["refresh_token"])
            await client.say({"op": "ping", "msg": "still here"})
            assert (await client.hear())["op"] == "pong"
        assert (await knock(simulator, {"Authorization": f"Bearer {first['access_token']}"}))[0] == 401
        async with connected(simulator, second["access_token"]):
            pass
        async with connected(simulator):  # the long-lived one is of another application
            pass


async def test_revoked_tokens_open_nothing(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = darwinex()
        simulator.tokens.revoke("access-0")
        simulator.tokens.revoke("refresh-0")
        assert (await knock(simulator, {"Authorization": "Bearer access-0"}))[0] == 401
        assert (await refresh(simulator, "refresh-0"))[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "authorization",
    ["", basic(secret="wrong"), basic(key="unknown"), "Basic !!", "Basic /w==", "Bearer access-0", "Basic " + "a2V5"],
)  # fmt: skip
async def test_tokens_are_given_to_known_applications_only(
    autojump_clock: trio.testing.MockClock, authorization: str
) -> None:
    with trio.fail_after(30):
        simulator = darwinex()
        status, body = await refresh(simulator, "refresh-0", authorization)
        assert (status, body["fault"]["message"]) == (401, "Invalid Credentials")
        assert (await refresh(simulator, "refresh-0"))[0] == 200  # the refused try did not use it up


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ("", "invalid_request"),
        ("refresh_token=refresh-0", "invalid_request"),
        ("grant_type=refresh_token", "invalid_request"),
        ("grant_type=password&username=a&password=b&scope=openid", "unsupported_grant_type"),
        ("grant_type=refresh_token&refresh_token=unknown", "invalid_grant"),
        ("grant_type=refresh_token&refresh_token=other-refresh", "invalid_grant"),
    ],
)
async def test_a_wrong_form_is_an_oauth_error(
    autojump_clock: trio.testing.MockClock, form: str, error: str
) -> None:
    with trio.fail_after(30):
        simulator = darwinex()
        status, body = await call(simulator, "POST", "/token", authorization=basic(), body=form)
        assert (await refresh(simulator, "refresh-0"))[0] == 200
    assert (status, body["error"]) == (400, error)


async def test_too_many_calls_are_throttled_by_client(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(300):
        simulator = darwinex()
        token = "refresh-0"
        for _ in range(50):
            _, body = await refresh(simulator, token)
            token = body["refresh_token"]
        status, throttled = await refresh(simulator, token)
        other, _ = await refresh(simulator, "other-refresh", basic(key="key-2"))
        await trio.sleep(60)
        again, _ = await refresh(simulator, token)
    assert (status, throttled["fault"]["message"]) == (429, "Message throttled out")
    assert (other, again) == (200, 200)
    assert len(simulator.records.breached("calls")) == 1


async def test_a_failing_token_endpoint_uses_no_token_up(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = darwinex(faults=[FailRest(nth=1, status=502)])
        assert (await refresh(simulator, "refresh-0"))[0] == 502
        assert (await refresh(simulator, "refresh-0"))[0] == 200


async def test_products_are_listed_by_pages_in_the_recorded_layout(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        simulator = darwinex(products=[*generated_names(5), Product("OLD.4.1", status="INACTIVE")])
        pages = []
        for n in range(4):
            target = f"{PRODUCTS}?status=ACTIVE&page={n}&per_page=2"
            pages.append(await call(simulator, "GET", target, authorization="Bearer access-0"))
        _, everything = await call(simulator, "GET", PRODUCTS, authorization="Bearer access-0")
    assert [status for status, _ in pages] == [200] * 4
    bodies = [body for _, body in pages]
    names = [row["productName"] for body in bodies for row in body["content"]]
    assert names == sorted(generated_names(5))
    assert [(b["first"], b["last"], b["empty"], b["numberOfElements"]) for b in bodies] == [
        (True, False, False, 2), (False, False, False, 2), (False, True, False, 1), (False, True, True, 0),
    ]  # fmt: skip
    assert {(b["totalPages"], b["totalElements"], b["size"]) for b in bodies} == {(3, 5, 2)}
    assert [(b["number"], b["pageable"]["offset"]) for b in bodies] == [(0, 0), (1, 2), (2, 4), (3, 6)]
    assert list(bodies[0]) == [
        "content", "pageable", "last", "totalPages", "totalElements", "size", "number", "sort",
        "numberOfElements", "first", "empty",
    ]  # fmt: skip
    assert list(bodies[0]["content"][0]) == [
        "productName", "shortName", "status", "migrationDate", "validationDate", "resetDate", "currency",
    ]  # fmt: skip
    assert everything["totalElements"] == 6
    assert {row["status"] for row in everything["content"]} == {"ACTIVE", "INACTIVE"}


@pytest.mark.parametrize(
    ("method", "target", "authorization", "status"),
    [
        ("GET", PRODUCTS, "", 401),
        ("GET", PRODUCTS, basic(), 401),
        ("POST", PRODUCTS, "Bearer access-0", 405),
        ("GET", "/token", basic(), 405),
        ("GET", "/nowhere", "Bearer access-0", 404),
        ("GET", f"{PRODUCTS}?page=-1", "Bearer access-0", 400),
        ("GET", f"{PRODUCTS}?per_page=0", "Bearer access-0", 400),
        ("GET", f"{PRODUCTS}?per_page=00", "Bearer access-0", 400),
        ("GET", f"{PRODUCTS}?per_page=1e3", "Bearer access-0", 400),
        ("GET", f"{PRODUCTS}?page=" + "9" * 5000, "Bearer access-0", 400),
    ],
)
async def test_what_cannot_be_answered_is_said(
    autojump_clock: trio.testing.MockClock, method: str, target: str, authorization: str, status: int
) -> None:
    with trio.fail_after(30):
        got, body = await call(darwinex(), method, target, authorization=authorization)
    assert got == status
    assert set(body) == ({"status"} if status == 400 else {"fault"})


def test_an_account_shows_no_secret() -> None:
    for secret in (MAIN.consumer_secret, MAIN.refresh_token, MAIN.access_token):
        assert secret not in repr(MAIN)
