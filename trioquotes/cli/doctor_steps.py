"""A check-up: one step after the other, each bounded, each told as soon as it is known."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import trio

from trioquotes._protocol.verdict import retry_after_s
from trioquotes._runtime.connector import Connector
from trioquotes.cli.doctor_advice import advice
from trioquotes.cli.doctor_ground import Ground, Outcome
from trioquotes.cli.doctor_report import STEPS, Finding, Status, duration
from trioquotes.cli.doctor_session import Conversation, Patient
from trioquotes.cli.keys import variables
from trioquotes.errors import SessionError

__all__ = ["Checkup"]

GRACE_S: Final = 0.5
"""What a step of the session gets on top of its time, so that what bounds itself says in its own words that it is late."""


class Checkup:
    """Looks at one venue.

    Args:
        patient: what is looked at.
        connector: makes lines and fetches.
        tell: is given every finding at once.

    Attributes:
        findings: of the steps that were taken, in their order.
    """

    def __init__(self, patient: Patient, connector: Connector, tell: Callable[[Finding], None]) -> None:
        self.findings: list[Finding] = []
        self._patient = patient
        self._tell = tell
        self._talk = Conversation(patient, connector)
        self._began_s = trio.current_time()

    @property
    def step(self) -> str:
        """The step that is being taken; empty when all were."""
        return STEPS[len(self.findings)] if len(self.findings) < len(STEPS) else ""

    @property
    def going_s(self) -> float:
        """For how long it has been going on."""
        return trio.current_time() - self._began_s

    async def run(self) -> None:
        """Take every step; after one that failed the others are skipped."""
        patient = self._patient
        ground = Ground(patient.address, patient.way, patient.context, patient.timeout_s)
        try:
            sound = (
                await self._take(ground.resolve)
                and await self._take(ground.connect)
                and await self._take(ground.tls)
            )
        finally:
            await ground.close()  # noqa: ASYNC102  # it shields itself
        if sound:
            await self._converse()
        self.leave("skipped")

    def leave(self, status: Status) -> None:
        """The steps that were not taken are told as such: the first with this status, the others as skipped."""
        while self.step:
            took_s = self.going_s if status == "stopped" else None
            self._add(Finding(self.step, status, took_s=took_s))
            status = "skipped"

    async def _take(self, work: Callable[[], Awaitable[Outcome]], grace_s: float = 0.0) -> bool:
        """Take one step; returns whether to go on."""
        step, self._began_s = self.step, trio.current_time()
        timeout_s = self._patient.timeout_s
        with trio.move_on_after(timeout_s + grace_s):
            outcome = await work()
            return self._found(step, outcome)
        return self._found(step, Outcome.failed("timeout", f"nothing came within {timeout_s:g} s"))

    def _found(self, step: str, outcome: Outcome) -> bool:
        words = advice(step, outcome.kind, self._words())
        took_s = self.going_s if outcome.took_s is None else outcome.took_s
        if outcome.status == "none":
            self._add(Finding(step, "none", outcome.said, facts=outcome.facts))
        else:
            self._add(Finding(step, outcome.status, outcome.said, took_s, outcome.kind, words, outcome.facts))
        return outcome.status != "failed"

    def _add(self, finding: Finding) -> None:
        self.findings.append(finding)
        self._tell(finding)

    def _words(self) -> Mapping[str, str]:
        """What stands in the braces of an advice."""
        patient, failure = self._patient, self._talk.failure
        headers = {} if failure is None else failure.headers
        after_s = retry_after_s(headers)
        return {
            "venue": patient.venue.name,
            "host": patient.address.host,
            "port": str(patient.address.port),
            "instrument": patient.plan.topic.subject,
            "timeout": f"{patient.timeout_s:g} s",
            "now": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            "openssl": ssl.OPENSSL_VERSION,
            "variables": variables(patient.venue.name),
            "location": headers.get("location", "nowhere"),
            "retry_after": "a minute" if not after_s else duration(after_s),
        }

    async def _converse(self) -> None:
        """The steps that a session takes; it ends when they are done, or when one failed."""
        talk = self._talk
        try:
            async with talk.session() as stream, trio.open_nursery() as nursery:
                nursery.start_soon(talk.subscribe, stream, name="doctor/subscribe")
                for work in talk.steps(stream):
                    if not await self._take(work, GRACE_S):
                        break
                nursery.cancel_scope.cancel()
        except* SessionError as group:
            # What the session died of may have been found before: then the step said it better.
            if self.step and self.findings[-1].status != "failed":
                self._found(self.step, talk.died(self.step, group.exceptions[0]))
