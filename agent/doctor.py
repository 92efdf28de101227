"""`agent doctor`: what this machine and this folder have, what they lack, how to mend it.

Owns the checks and how they are shown. Must not mend anything, and asks nothing of the network.
A check is a function in `CHECKS`; what it raises becomes a finding.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from agent import config_file, private
from agent.assembly import open_sandbox
from agent.config import Settings
from agent.errors import AgentError, ExitCode, InputError, ModelMissing
from agent.hardware import GIB, Hardware, detect
from agent.models.catalogue import Catalogue, models_folder
from agent.models.claude.access import KEY, find_access
from agent.models.opening import Backend, backend
from agent.models.server.address import parse_address
from agent.printer import DIM, GREEN, RED, RESET, YELLOW
from agent.project import Project, configure
from agent.secrets import KNOWN, Keys, user_keys
from agent.session import state_folder
from agent.work_tree import find_root
from tools import ripgrep
from tools.errors import ToolError
from tools.process import clean_environment, system_program
from tools.sandbox import Tier
from tools.testing.find_tests import find_command
from tools.text_filter import printable
from tools.workspace import Workspace

PYTHON = (3, 11)
LEAST_STATE = 200 << 20
"""Bytes of disk that sessions and their journals should have."""
LEAST_MODELS = 5 * GIB
"""Bytes of disk that a model's weights should have."""


class State(StrEnum):
    GOOD = "good"
    WEAK = "weak"
    """It works, and something is worth knowing."""
    BAD = "bad"
    """Something that is needed does not hold."""


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    state: State
    detail: str
    remedy: str = ""
    """The command that mends it."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at."""

    folder: Path
    """As the user named it."""
    root: Path
    state: Path
    user_file: Path
    settings: Settings
    keys: Keys
    project: Project


Check = Callable[[Patient], Iterable[Finding]]


def examine(folder: Path, as_json: bool) -> ExitCode:
    """Look at everything and show it.

    Raises:
        InputError: There is no such folder.
    """
    findings = tuple(examined(folder))
    if as_json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        colour = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        _show(findings, colour=colour and "NO_COLOR" not in os.environ)
    bad = any(finding.state is State.BAD for finding in findings)
    return ExitCode.FAILED if bad else ExitCode.VERIFIED


def examined(folder: Path) -> Iterator[Finding]:
    """What each check finds, as it is found.

    Raises:
        InputError: There is no such folder.
    """
    root = find_root(folder)
    state, user_file = state_folder(), config_file.user_file()
    keys = user_keys()
    try:
        project = Project(root, state)
    except InputError as error:
        yield Finding("trust", State.BAD, str(error))
        project = Project(root, root / "none")
    settings = Settings.model_validate({})
    try:
        settings = configure({}, os.environ, project.settings()).settings
    except AgentError as error:
        yield Finding("settings", State.BAD, str(error))  # it names the file and the key
    patient = Patient(folder, root, state, user_file, settings, keys, project)
    for check in CHECKS:
        try:
            yield from check(patient)
        except (AgentError, ToolError, OSError) as error:
            yield Finding(check.__name__, State.BAD, str(error))


def python(patient: Patient) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= PYTHON
    yield Finding("python", State.GOOD if good else State.BAD, f"{version}, {sys.executable}")


def git(patient: Patient) -> Iterator[Finding]:
    program = system_program("git", patient.root)
    version = _output(program, "--version").removeprefix("git version ") if program else ""
    if version:
        yield Finding("git", State.GOOD, version)
    else:
        yield Finding("git", State.BAD, "is not installed", _install("git"))


def search(patient: Patient) -> Iterator[Finding]:
    program = ripgrep.program()
    yield Finding("ripgrep", State.GOOD, f"{_output(program, '--version').split()[1]}, {program}")


def sandbox(patient: Patient) -> Iterator[Finding]:
    """Which sandbox commands run in, and why no stronger one."""
    found = open_sandbox(patient.root, patient.settings)
    state = State.GOOD if found.holds else State.BAD if found.tier is Tier.NONE else State.WEAK
    yield Finding("sandbox", state, f"{found.tier}: {found.promise}", found.weaker)


def user_namespaces(patient: Patient) -> Iterator[Finding]:
    """What the sandbox is made of on Linux."""
    if sys.platform != "linux":
        return
    set_to = "sudo sysctl -w {}={}".format
    for name, forbids, remedy in (
        ("user.max_user_namespaces", "0", set_to("user.max_user_namespaces", 10_000)),
        ("kernel.unprivileged_userns_clone", "0", set_to("kernel.unprivileged_userns_clone", 1)),
        # Ubuntu lets only some programs have them, /usr/bin/bwrap among them.
        ("kernel.apparmor_restrict_unprivileged_userns", "1", _install("bubblewrap")),
    ):
        value = _content(Path("/proc/sys", *name.split(".")))
        if value == forbids and os.getuid() != 0:
            yield Finding("user namespaces", State.WEAK, f"{name} is {value}", remedy)
            return
    yield Finding("user namespaces", State.GOOD, "allowed")


def memory(patient: Patient) -> Iterator[Finding]:
    hardware = detect()
    free, total = hardware.available / GIB, hardware.memory / GIB
    yield Finding("memory", State.GOOD, f"{free:.1f} GiB free of {total:.1f}")
    yield _graphics(hardware)


def model(patient: Patient) -> Iterator[Finding]:
    """The model that a command without `--model` would use."""
    wanted = patient.settings.model
    match backend(wanted):
        case Backend.SCRIPTED:
            yield Finding("model", State.WEAK, f"{wanted}, a script")
        case Backend.CLAUDE:
            yield _claude(wanted, patient.keys)
        case Backend.SERVER:
            address = parse_address(wanted, os.environ)
            named = f"{address.model} of " if address.model else ""
            detail = f"{named}the server at {address}, which is not asked here"
            yield Finding("model", State.GOOD, detail)
        case Backend.LOCAL:
            yield from _local(patient)


def _claude(wanted: str, keys: Keys) -> Finding:
    try:
        access = find_access(os.environ, keys.value)
    except ModelMissing as error:
        return Finding("model", State.BAD, str(error).split(":")[0], f"agent keys set {KEY}")
    origin = "environment" if access.bearer else "the SDK's profile"
    origin = next((key.origin for key in keys.found if key.name == KEY), origin)
    return Finding("model", State.GOOD, f"{wanted} (key: {origin})")


def _local(patient: Patient) -> Iterator[Finding]:
    wanted = patient.settings.model
    catalogue = Catalogue.load()
    hosted = patient.keys.files() or any(os.environ.get(name) for name in KNOWN)
    lacking = State.WEAK if hosted else State.BAD
    if find_spec("llama_cpp") is None:
        detail = "local models need llama-cpp-python"
        yield Finding("engine", lacking, detail, "pip install 'parity-agent[local]'")
    entry = None if wanted else catalogue.default_for(detect())
    try:
        resolved = catalogue.resolve(entry.name if entry else wanted)
    except AgentError as error:
        name = entry.name if entry else ""
        remedy = f"agent models pull {name}" if name else "agent models list"
        yield Finding("model", lacking, str(error).split(";")[0], remedy)
        return
    detail = f"{resolved.spec.name}, {resolved.path}"
    yield Finding("model", State.GOOD, detail)


def keys(patient: Patient) -> Iterator[Finding]:
    """Names, origins and modes; the keyring is not asked."""
    found = []
    for name in patient.keys.names():
        try:
            key = patient.keys.find(name, keyring=False)
        except InputError as error:
            place = patient.keys.folder / name
            yield Finding("key", State.BAD, str(error).split(":")[0], f"chmod 600 {place}")
            continue
        if key is not None:
            found.append(f"{key.name} ({key.origin})")
    detail = ", ".join(found) or "none; only hosted models need one"
    yield Finding("keys", State.GOOD, detail)


def folders(patient: Patient) -> Iterator[Finding]:
    """The modes of what holds sessions and settings."""
    yield _private("state folder", patient.state)
    place = patient.user_file.parent
    if place.is_dir() and place.stat().st_mode & 0o022:
        detail = f"others may write {place}, and so your settings"
        yield Finding("config folder", State.BAD, detail, f"chmod 700 {place}")
    else:
        yield Finding("config folder", State.GOOD, f"{place}{_absent(place)}")
    if patient.keys.folder.exists():
        yield _private("keys folder", patient.keys.folder)


def disk(patient: Patient) -> Iterator[Finding]:
    for name, place, least in (
        ("disk, sessions", patient.state, LEAST_STATE),
        ("disk, models", models_folder(), LEAST_MODELS),
    ):
        there = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
        free = shutil.disk_usage(there).free
        state = State.GOOD if free >= least else State.WEAK
        yield Finding(name, state, f"{free / GIB:.1f} GiB free, {place}")


def tests(patient: Patient) -> Iterator[Finding]:
    """How the tests of this folder would be run, and what of it is trusted."""
    workspace = Workspace(patient.root)
    listed = workspace.files()
    if patient.settings.test_command:
        yield Finding("tests", State.GOOD, patient.settings.test_command)
    elif (command := find_command(workspace.root, listed)) is not None:
        yield Finding("tests", State.GOOD, f"{command} ({command.origin})")
    else:
        detail = f"none found in {patient.root}"
        yield Finding("tests", State.WEAK, detail, "agent fix ISSUE --test-command COMMAND")
    patient.project.instructions(listed)
    lines = patient.project.notices(patient.folder)
    for line in lines:
        said, _, remedy = line.partition(" To see and trust: ")
        yield Finding("project", State.WEAK if remedy else State.GOOD, said, remedy)
    if not lines:
        yield Finding("project", State.GOOD, "nothing in it needs trust")


CHECKS: tuple[Check, ...] = (
    python,
    git,
    search,
    sandbox,
    user_namespaces,
    memory,
    model,
    keys,
    folders,
    disk,
    tests,
)
"""In the order in which they are shown."""


def _graphics(hardware: Hardware) -> Finding:
    if not hardware.gpus:
        return Finding("graphics", State.GOOD, "no card found; models run on the processor")
    cards = ", ".join(
        f"{gpu.name} {gpu.free / GIB:.1f} GiB free of {gpu.total / GIB:.1f}"
        for gpu in hardware.gpus
    )
    if hardware.offload:
        return Finding("graphics", State.GOOD, cards)
    detail = f"{cards}; llama.cpp was built without support for it"
    return Finding("graphics", State.WEAK, detail, "make install")


def _private(name: str, place: Path) -> Finding:
    if not place.exists():
        return Finding(name, State.GOOD, f"{place}{_absent(place)}")
    wrong = private.too_open(place, private.FOLDER_MODE)
    if wrong:
        return Finding(name, State.BAD, f"{place} {wrong}", f"chmod 700 {place}")
    return Finding(name, State.GOOD, f"{place}, mode 0700")


def _absent(place: Path) -> str:
    return "" if place.exists() else ", made when it is needed"


def _install(package: str) -> str:
    return f"brew install {package}" if sys.platform == "darwin" else f"sudo apt install {package}"


def _content(place: Path) -> str:
    try:
        return place.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _output(*argv: str) -> str:
    """What a program prints; nothing when it is not there or fails."""
    try:
        done = subprocess.run(
            argv,
            env=clean_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _show(findings: tuple[Finding, ...], *, colour: bool) -> None:
    looks = {State.GOOD: ("✓", GREEN), State.WEAK: ("!", YELLOW), State.BAD: ("✗", RED)}
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark, code = looks[finding.state]
        line = printable(finding.detail).replace("\n", " ")
        print(f"{_styled(mark, code, colour)} {finding.name:<{width}}  {line}")
        if finding.remedy:
            arrow = _styled("→", DIM, colour)
            print(f"  {'':<{width}}  {arrow} {printable(finding.remedy)}")
    bad = sum(finding.state is State.BAD for finding in findings)
    count = "1 thing that is needed does" if bad == 1 else f"{bad} things that are needed do"
    print(f"\n{f'{count} not hold.' if bad else 'All that is needed holds.'}")


def _styled(text: str, code: str, colour: bool) -> str:
    return f"{code}{text}{RESET}" if colour else text
