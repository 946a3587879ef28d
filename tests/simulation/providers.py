"""Credentials that come late, expire and are renewed: what a program gives a session in place of fixed ones."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import trio

import trioquotes as tq
from tests.simulation.live import Stage
from tests.simulation.place import CANARY
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.simulator.venues.darwinex import DarwinexSimulator

__all__ = ["Keys", "Tokens", "provider_for"]


class Keys:
    """The same key every time, after a while."""

    def __init__(self, stage: Stage) -> None:
        self._key = stage.place.key
        self._chance = stage.world.chance("provider")

    async def __call__(self) -> tq.Credentials:
        """The key."""
        await trio.sleep(self._chance.choice([0.0, 0.0, 0.5, 5.0]))
        return self._key


class Tokens:
    """A token that is good for some seconds; another one is fetched where the venue refused it."""

    def __init__(self, stage: Stage, simulator: DarwinexSimulator) -> None:
        self._simulator = simulator
        self._chance = stage.world.chance("provider")
        self._access = tq.BearerToken(f"a{CANARY}")
        self._refresh = f"r{CANARY}"
        self._until_ns = 2**63
        self._account = stage.place.client["accounts"][0]

    async def __call__(self) -> tq.Credentials:
        """The token at hand, or another one where its time is up."""
        await trio.sleep(self._chance.choice([0.0, 0.5]))
        if self._simulator.now_ns() >= self._until_ns:
            self._renew()
        return self._access

    def refused(self, credentials: tq.Credentials) -> None:
        """Exchange the refresh token; the venue does that at once, as nobody is in between."""
        if credentials == self._access:
            self._renew()

    def _renew(self) -> None:
        simulator = self._simulator
        body = urlencode({"grant_type": "refresh_token", "refresh_token": self._refresh}).encode()
        request = HttpRequest("POST", "/token", {}, b"", body)
        answer = json.loads(simulator.tokens.exchange(self._account, request, simulator.now_ns()).body)
        self._access, self._refresh = tq.BearerToken(answer["access_token"]), answer["refresh_token"]
        self._until_ns = simulator.now_ns() + (answer["expires_in"] - 1) * 10**9


def provider_for(stage: Stage) -> Keys | Tokens:
    """The venue's way."""
    simulator = stage.served.simulator
    if isinstance(simulator, DarwinexSimulator):
        simulator.tokens.revoke(f"a{CANARY}")
        return Tokens(stage, simulator)
    return Keys(stage)
