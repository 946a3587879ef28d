"""The project's chores as nox sessions; ``python -m nox -s tests`` is the one that everybody needs.

Sessions that run the package install the wheel that users get, built once per run of nox, so that a file
missing from it is noticed. Only interpreters that are on the machine are used; nothing downloads one.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = (
    ">=2026.10"  # finds interpreters by running them, so that a dead pyenv shim counts as missing
)

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
SUPPORTED = nox.project.python_versions(PROJECT)
MAIN = f"{sys.version_info[0]}.{sys.version_info[1]}"
SCRATCH = ROOT / ".nox" / "_scratch"

MEASURE = "TRIOQUOTES_MEASURE"
"""Environment variable: if set, ``tests`` measures coverage on one interpreter and ``coverage`` only judges it."""

PURE = ("*/trioquotes/_protocol/*", "*/trioquotes/venues/*", "*/trioquotes/books/*")
PURE_PERCENT = 98  # it decides about money and state and needs no I/O: no excuse for what no test reaches
REST_PERCENT = 90  # it meets sockets, terminals and files: some branches only fail on real machines

# pip rather than uv: it honours pip.conf, where many have their only index. `nox -db uv` works as well.
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["lint", "typing", "docs", "tests"]
nox.options.error_on_missing_interpreters = False  # nox's default differs where CI is set
nox.options.download_python = "never"
os.environ["UV_PYTHON_DOWNLOADS"] = "never"


def _show_pyenv() -> None:
    """Put what pyenv keeps on the path: its shims run only the versions that are active here."""
    kept = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    folders = [str(folder) for version in SUPPORTED for folder in sorted(kept.glob(f"{version}.*/bin"))]
    os.environ["PATH"] = os.pathsep.join([*folders, os.environ.get("PATH", "")])


_show_pyenv()


def _group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PROJECT, name))


@functools.cache
def _empty(name: str) -> Path:
    """A folder that is empty when this run of nox first asks for it."""
    folder = SCRATCH / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _each(session: nox.Session, *commands: tuple[str, ...], env: dict[str, str] | None = None) -> None:
    """Run every command, also after one that failed, so that one run tells all."""
    failed = []
    for command in commands:
        try:
            session.run(*command, env=env)
        except CommandFailed:
            failed.append(" ".join(command))
    if failed:
        session.error("; ".join(failed))


def _install(session: nox.Session, *requirements: str) -> None:
    """Install the wheel, its dependencies and the requirements; `nox -R` skips this, `nox -r` does not."""
    folder = _empty("wheel")
    if not any(folder.glob("*.whl")):
        if session.venv_backend == "uv":
            session.run("uv", "build", "--wheel", "--quiet", "--out-dir", str(folder), external=True)
        else:
            session.run(
                "python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), "."
            )
    (wheel,) = folder.glob("*.whl")
    session.install(*PROJECT["project"]["dependencies"], *requirements)
    session.install(
        "--force-reinstall", "--no-deps", str(wheel)
    )  # its version stays the same while its content changes


LIGHT = "not endurance and not thorough"


PURELY = [
    f"--ignore=tests/{folder}"
    for folder in ("books", "recording", "robustness", "simulator", "sweeps", "venues")
]
"""Without the tests of what is decided without tasks, sockets and files, or tried on two interpreters anyway."""


def _pytest(session: nox.Session, *, measured: bool = False) -> None:
    """Run the suite, or what the positional arguments say, against the installed wheel."""
    arguments = session.posargs or ["-n", str(min(os.cpu_count() or 1, 4))]
    # Not `python -m`: that puts the source tree before the wheel on the import path.
    pytest = shutil.which("pytest", path=session.bin) or "pytest"
    if measured:
        profile = ("--hypothesis-profile=measured", "-m", LIGHT)
        session.run(
            "coverage",
            "run",
            pytest,
            *profile,
            *arguments,
            env={"COVERAGE_FILE": str(_empty("coverage") / "data")},
        )
        if not session.posargs:
            session.run("pytest", "-m", "endurance and not thorough", *arguments)
    elif os.environ.get(MEASURE):
        # Its long tests ran once beside the measured run: they try the code, not the interpreter. Nor is what is alike on
        # every interpreter needed once more on one between the oldest and the newest.
        less = ["--hypothesis-profile=measured", *PURELY] if session.python in SUPPORTED[1:-2] else []
        session.run("pytest", *less, "-m", LIGHT, *arguments)
    else:
        session.run("pytest", "-m", "not thorough", *arguments)


PEERS = (
    ("copra",),
    ("--no-deps", "upbit-client"),
    ("duckdb>=1.2", "pytz"),
    ("pandas>=2.2",),
    ("polars>=1.20",),
)
"""Independent clients that try the simulators, of which neither imports after 3.11, and readers of what is exported; tests
skip those that cannot be had."""


def _install_peers(session: nox.Session) -> None:
    if session.python == "3.11":
        for peer in PEERS:
            session.run("python", "-m", "pip", "install", "--quiet", *peer, success_codes=[0, 1], silent=True)


@nox.session(python=SUPPORTED)
def tests(session: nox.Session) -> None:
    """The whole suite on every supported interpreter found; missing ones are skipped. Takes pytest's arguments."""
    _install(session, *_group("test"))
    _install_peers(session)
    _pytest(session, measured=bool(os.environ.get(MEASURE)) and session.python == MAIN)


@nox.session
def coverage(session: nox.Session) -> None:
    """Branch coverage of the suite on this interpreter, with a gate for the pure core and one for the rest."""
    data = SCRATCH / "coverage" / "data"
    if os.environ.get(MEASURE) and any(data.parent.glob("data*")):
        session.install(*(need for need in _group("test") if need.startswith("coverage")))
    else:
        _install(session, *_group("test"))
        _pytest(session, measured=True)
    env = {"COVERAGE_FILE": str(data)}
    session.run("coverage", "combine", env=env)
    pure = ",".join(PURE)
    _each(
        session,
        ("coverage", "report", f"--include={pure}", f"--fail-under={PURE_PERCENT}"),
        ("coverage", "report", f"--omit={pure}", f"--fail-under={REST_PERCENT}"),
        env=env,
    )


TRIO_RULES = ("ASYNC102", "ASYNC103", "ASYNC104", "ASYNC111")
"""What ruff lacks: awaits in ``finally`` that are not shielded, ``Cancelled`` swallowed, tasks that outlive theirs."""


def _where_trio_is() -> list[str]:
    """The modules that can await; the plugin takes seconds a file, and the others hold nothing for it."""
    modules = sorted((ROOT / "trioquotes").rglob("*.py"))
    return [str(module) for module in modules if "import trio\n" in module.read_text()]


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff's rules and format, and the rules about trio that ruff lacks."""
    session.install(*_group("lint"))
    _each(
        session,
        ("ruff", "check", *session.posargs),
        ("ruff", "format", "--check"),
        ("flake8", "--isolated", f"--select={','.join(TRIO_RULES)}", *_where_trio_is()),
    )


@nox.session
def typing(session: nox.Session) -> None:
    """Types: mypy on package, tests and examples, pyright on the package and on what its users may write."""
    session.install(*PROJECT["project"]["dependencies"], *_group("typing"))
    _each(session, ("mypy", *session.posargs), ("pyright",))
    bot = ROOT / "examples" / "trading_bot"
    programs = [*sorted((ROOT / "examples").glob("*.py")), bot / "trading_bot", bot / "tests"]
    session.run("mypy", *map(str, programs), env={"MYPYPATH": f"{ROOT}{os.pathsep}{bot}"})


@nox.session
def docs(session: nox.Session) -> None:
    """The site in docs/_build/html, with every warning an error, and its examples run."""
    _install(session, *_group("docs"))
    strictly = ("sphinx-build", "--fail-on-warning", "--nitpicky", "--quiet")
    _each(session, *((*strictly, "-b", name, "docs", f"docs/_build/{name}") for name in ("html", "doctest")))


@nox.session
def demo(session: nox.Session) -> None:
    """The demo: sessions to local simulators of the venues. Takes its arguments, ``--seconds 20`` by default."""
    _install(session)
    session.run("trioquotes", "demo", *(session.posargs or ["--seconds", "20"]))


@nox.session
def pictures(session: nox.Session) -> None:
    """The pictures of demo and watch, docs/*.svg, from a run with a fixed seed. Takes another folder."""
    _install(session)
    session.run("python", "docs/pictures.py", *session.posargs)


@nox.session
def books(session: nox.Session) -> None:
    """Every venue's books against naive models, 50,000 generated plays a family or as many as the argument says."""
    _install(session, *_group("test"))
    cases = session.posargs[0] if session.posargs else "50000"
    session.run(
        "pytest", "tests/venues", "-k", "book_property", "--timeout=0", "-n", str(os.cpu_count() or 1),
        env={"TRIOQUOTES_BOOK_CASES": cases},
    )  # fmt: skip


@nox.session
def thorough(session: nox.Session) -> None:
    """What is too long for every change: busier hours of every book, and sweeps that leave out no step."""
    _install(session, *_group("test"))
    session.run("pytest", "-m", "thorough", "--timeout=0", "-n", str(os.cpu_count() or 1), *session.posargs)


@nox.session
def bench_books(session: nox.Session) -> None:
    """Our order book beside others, about a minute. Takes the benchmark's arguments, such as ``--seconds 300``."""
    _install(session, *_group("bench"))
    session.run("python", "benchmarks/books.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The fastest way to get messages, side by side; the table goes into docs/. Takes ``--quick``, ``--check``, ``--help``."""
    session.install(*PROJECT["project"]["dependencies"])
    if "--check" in session.posargs:  # beside the plain stack, which is there
        session.run("python", "-m", "benchmarks.feeds", *session.posargs)
        return
    pip = ("python", "-m", "pip")
    for need in _group("bench-feeds"):  # one at a time: who cannot be had is named by the benchmark
        session.run(*pip, "install", "--quiet", need, success_codes=[0, 1])
    home = _empty("cryptofeed")  # it wants an aiohttp that is years old
    session.run("python", "-m", "venv", "--without-pip", str(home))
    python = str(home / ("Scripts" if os.name == "nt" else "bin") / "python")
    needs = _group("bench-cryptofeed")
    session.run(*pip, "--python", python, "install", "--quiet", *needs, success_codes=[0, 1])
    session.run(
        "python", "-m", "benchmarks.feeds", "--home", f"cryptofeed={python}", *(session.posargs or ["--write"])
    )  # fmt: skip


@nox.session
def bench_scaling(session: nox.Session) -> None:
    """Cost a message against instruments, channels and sessions; the table goes into docs/. Takes ``--quick``, ``--help``."""
    session.install(*PROJECT["project"]["dependencies"])
    session.run("python", "-m", "benchmarks.scaling", *(session.posargs or ["--write"]))


@nox.session
def simulate(session: nox.Session) -> None:
    """Every promise against sessions that things go wrong with. Takes ``--seeds 20000 --venue upbit`` and the like."""
    session.install(*PROJECT["project"]["dependencies"], *_group("test"))
    session.run("python", "-m", "tests.simulation", *(session.posargs or ["--seeds", "200"]))


PYTHON2 = "TRIOQUOTES_PYTHON2"
"""Environment variable: a Python 2.7, CPython or PyPy, for the Autobahn suite; without it one is looked for."""


def _python2(session: nox.Session) -> str | None:
    """A Python 2.7 that runs: the given one, or one on the path or kept by pyenv."""
    if given := os.environ.get(PYTHON2):
        if not _runs_as_2_7(given):
            session.error(f"{PYTHON2} names {given}, which is no Python 2.7 that runs")
        return given
    kept = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    known = (shutil.which(name) for name in ("python2.7", "pypy2.7", "pypy", "python2"))
    found = [*filter(None, known), *map(str, sorted(kept.glob("*2.7*/bin/python")))]
    return next(filter(_runs_as_2_7, found), None)


def _runs_as_2_7(python: str) -> bool:
    """Whether it does: pyenv's shims look like an interpreter and may be none."""
    ask = (python, "-c", "import sys; sys.exit(sys.version_info[:2] != (2, 7))")
    try:
        return not subprocess.run(ask, capture_output=True, check=False).returncode  # noqa: S603  # the user's own
    except OSError:
        return False


@nox.session
def conformance(session: nox.Session) -> None:
    """The Autobahn suite's client cases against every transport, compression included. Takes ``--cases 1-5 --transport tap``."""
    python2 = _python2(session)
    if python2 is None:
        needs = f"the Autobahn suite needs a Python 2.7 and none is here; {PYTHON2} may name one"
        session.skip(f"NOTHING WAS TESTED: {needs}")
    # The last virtualenv that makes environments for 2.7, with the last pip that runs there.
    session.install(*PROJECT["project"]["dependencies"], "virtualenv<20.22")
    suite = _empty("autobahn")
    session.run("virtualenv", "--quiet", "--no-periodic-update", "--python", python2, str(suite))
    python = str(suite / ("Scripts" if os.name == "nt" else "bin") / "python")
    pip = (python, "-m", "pip", "install", "--quiet", "--no-deps")
    session.run(*pip, "-r", "tests/conformance/suite.txt", external=True, silent=True)
    # Compiled, and four times as fast with large messages; where it cannot be built the suite does without.
    session.run(*pip, "wsaccel==0.6.2", external=True, silent=True, success_codes=[0, 1])
    where = ("--python2", python, "--reports", str(_empty("conformance")))
    session.run("python", "-m", "tests.conformance", *where, *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Half an hour of real sessions over TLS to all venues, with faults. Takes ``--minutes N --seed N --json FILE``."""
    session.install(*PROJECT["project"]["dependencies"], *_group("test"))
    session.run("python", "-m", "tests.long.soak", "--faults", *session.posargs)


@nox.session
def crashes(session: nox.Session) -> None:
    """Recorders of an hour of each venue, killed at random moments, and what they leave. Takes ``--kills N --seed N``."""
    session.install(*PROJECT["project"]["dependencies"], *_group("test"))
    session.run("python", "-m", "tests.recording.crashes", *session.posargs)


@nox.session
def load(session: nox.Session) -> None:
    """Heartbeats in time for ten minutes while every core is busy. Takes ``--minutes N --spinners N --json FILE``."""
    session.install(*PROJECT["project"]["dependencies"], *_group("test"))
    session.run("python", "-m", "tests.long.load", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Coverage-guided fuzzing of all that bytes from outside reach. Takes ``--minutes N --venue NAME --target NAME``."""
    session.install(*PROJECT["project"]["dependencies"], *_group("test"))
    # Where there is no wheel of it the program says so, and fails: a session that fuzzed nothing must not look green.
    fetch = ("python", "-m", "pip", "install", "--quiet", "--only-binary=:all:", "atheris>=3.0")
    session.run(*fetch, success_codes=[0, 1])
    session.run("python", "-m", "tests.long.fuzz", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Break every promise on purpose, in a copy, and see the simulation notice. Takes ``--seeds 200 --only "a gap"``."""
    session.install(*PROJECT["project"]["dependencies"], *_group("test"))
    session.run("python", "-m", "tests.simulation.mutants", *session.posargs)
