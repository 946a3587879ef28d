"""``trioquotes doctor``: why a venue cannot be reached, or that it can."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import trio
from cyclopts import Parameter

from trioquotes._protocol.effects import Options
from trioquotes._runtime.endpoints import DEFAULT, resolve_endpoint
from trioquotes._runtime.network import parse_url
from trioquotes._runtime.proxies import SOCKETS, Ways, make_route
from trioquotes._runtime.tls import default_context
from trioquotes._runtime.transport import TapConnector
from trioquotes.cli.doctor_plan import plan_for
from trioquotes.cli.doctor_report import STEPS, Finding, duration, json_text, lines_of, summary, verdict
from trioquotes.cli.doctor_session import Patient
from trioquotes.cli.doctor_steps import Checkup
from trioquotes.cli.exits import ClosedOutput
from trioquotes.cli.keys import from_environment
from trioquotes.cli.numbers import number, positive
from trioquotes.cli.output import Output
from trioquotes.cli.statusline import StatusLine
from trioquotes.cli.stopping import run, stoppable
from trioquotes.cli.streaming import trusting
from trioquotes.cli.words import chosen, proxy_of, refusals, venue_of

__all__ = ["doctor", "examine", "patient_for"]


def doctor(
    venue: str,
    /,
    *,
    endpoint: Annotated[str | None, Parameter(metavar="NAME|URL", show_default=False)] = None,
    instrument: Annotated[str | None, Parameter(metavar="I", show_default=False)] = None,
    timeout: Annotated[float, Parameter(metavar="S", converter=number)] = 10.0,
    ca: Annotated[Path | None, Parameter(metavar="FILE", show_default=False)] = None,
    proxy: Annotated[
        str | None, Parameter(metavar="URL|none", show_default=False, converter=proxy_of)
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", show_default=False)] = False,
) -> int:
    """Check step by step whether a venue can be streamed from here, and say what to do where not.

    Args:
        venue: Name of the venue; `trioquotes venues` lists them.
        endpoint: A name of the venue's (sandbox), or the ws:// or wss:// URL of a server that stands in for it.
        instrument: What to subscribe; a busy one of the venue's unless given.
        timeout: Seconds for each step.
        ca: A PEM file with a certificate authority to trust as well (that of `simulate --tls`).
        proxy: The proxy for every connection, http://, https://, socks5:// or socks5h://, with user:password@ where it
            wants them; none for no proxy. Without it HTTPS_PROXY, ALL_PROXY and NO_PROXY say.
        as_json: Print one JSON object at the end.

    Returns:
        The exit code.
    """
    patient = patient_for(
        venue, endpoint=endpoint, instrument=instrument, timeout_s=timeout, ca=ca, proxy=chosen(proxy)
    )
    return run(partial(examine, patient, machine=as_json))


def patient_for(
    venue: str,
    *,
    endpoint: str | None,
    instrument: str | None,
    timeout_s: float,
    ca: Path | None,
    proxy: str | Literal[False] | None = None,
) -> Patient:
    """What the words of the command line mean, checked before anything is started.

    Raises:
        UsageError: they mean nothing.
    """
    found = venue_of(venue)
    positive("--timeout", timeout_s)
    with refusals(found, endpoint):
        resolved = resolve_endpoint(found, endpoint)
    credentials = from_environment(found.name)
    plan = plan_for(found, endpoint, resolved, instrument)
    with refusals(found, endpoint):
        found.serve(plan.topic, Options(endpoint=resolved, has_credentials=credentials is not None))
    given = None if ca is None else trusting(ca)
    address = parse_url(resolved.public, SOCKETS)
    route = make_route(proxy, None, None)
    return Patient(
        venue=found,
        endpoint=endpoint,
        url=resolved.public,
        address=address,
        route=route,
        way=Ways().through(route).to(address, SOCKETS, given, carries=credentials is not None),
        plan=plan,
        credentials=credentials,
        context=given or default_context(),
        given_context=given,
        timeout_s=timeout_s,
    )


async def examine(patient: Patient, *, machine: bool) -> int:
    """Make the check-up and print what it finds, until it is done or somebody stops it.

    Args:
        patient: what is looked at.
        machine: whether one JSON object is printed at the end, instead of lines.

    Returns:
        The exit code.
    """
    heading = {
        "venue": patient.venue.name,
        "endpoint": patient.endpoint or DEFAULT,
        "url": patient.url,
        "topic": str(patient.plan.topic),
    }
    output, started_s = Output(), trio.current_time()
    width = shutil.get_terminal_size().columns if output.is_terminal else None
    coloured = output.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def tell(finding: Finding) -> None:
        if not machine:
            with status.aside():
                output.write(lines_of(finding, width, coloured=coloured))

    def progress() -> str:
        return f"{checkup.step}, {duration(checkup.going_s)} of {patient.timeout_s:g} s at most"

    checkup = Checkup(patient, TapConnector().through(patient.route), tell)
    status = StatusLine(progress, output)
    if not machine:
        output.write(f"{heading['venue']} at {heading['url']}, {heading['topic']}\n")
    async with stoppable(None, output) as stop:
        with stop.ending():
            async with trio.open_nursery() as nursery:
                if status.is_on:
                    nursery.start_soon(status.run, name="status line")
                await checkup.run()
                nursery.cancel_scope.cancel()
    if stop.unread:
        raise ClosedOutput
    if stop.requested and len(checkup.findings) < len(STEPS):
        checkup.leave("stopped")
        code = stop.exit_code
    else:
        code = verdict(checkup.findings)
    last = (
        json_text(heading, checkup.findings, code)
        if machine
        else summary(checkup.findings, trio.current_time() - started_s)
    )
    output.write(f"{last}\n")
    return code
