"""The sandbox's promises, one by one, with real commands that try to break them.

As root each is tried as an ordinary user too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.sandboxed import CANARY, ORDINARY, ROOT, Place, listeners
from tools.base import Toolbox
from tools.errors import ToolError
from tools.process import Finished, execute
from tools.sandbox import NoSandbox, Tier, detect
from tools.sandboxing.policy import make_policy
from tools.sandboxing.scan import Scan
from tools.sandboxing.seatbelt import Seatbelt
from tools.shell import Run

BUBBLEWRAP = detect(Path(__file__).parent, tiers=[Tier.BUBBLEWRAP]).tier is Tier.BUBBLEWRAP
LANDLOCK = detect(Path(__file__).parent, tiers=[Tier.LANDLOCK]).tier is Tier.LANDLOCK
needs_bubblewrap = pytest.mark.skipif(not BUBBLEWRAP, reason="needs a working bubblewrap")
needs_landlock = pytest.mark.skipif(not LANDLOCK, reason="needs a kernel with Landlock")
USERS = [0, ORDINARY] if os.getuid() == 0 else [0]
TIERS = [
    pytest.param(Tier.BUBBLEWRAP, marks=needs_bubblewrap),
    pytest.param(Tier.LANDLOCK, marks=needs_landlock),
]


def git(root: Path, *argv: str) -> str:
    author = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ("git", "-c", "safe.directory=*", *author, *argv),
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def own(user: int, *folders: Path) -> None:
    """Give folders and all they hold to a user."""
    for folder in folders if user else ():
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)


@pytest.fixture(params=USERS, ids=lambda user: "ordinary" if user else "me")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    # Not pytest's folder, which it closes to others whenever another session begins.
    with tempfile.TemporaryDirectory(prefix="parity-place-") as folder:
        Path(folder).chmod(0o711)
        yield furnish(Path(folder).resolve(), request.param)


def furnish(ground: Path, user: int) -> Place:
    home, root = ground / "home", ground / "home" / "work" / "project"
    for folder in (home / ".ssh", home / ".config", root / "src"):
        folder.mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text(CANARY)
    (home / ".config" / "token").write_text(CANARY)
    (home / "notes.txt").write_text(CANARY)
    (root / "src" / "app.py").write_text("value = 1\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "as found")
    own(user, home)
    return Place(home, root, user)


# Files


@pytest.mark.parametrize("tier", TIERS)
def test_the_workspace_can_be_written_and_nothing_else(place: Place, tier: Tier) -> None:
    outside = place.home / "work" / "other"
    script = (
        "echo new > src/new.py && echo changed > src/app.py && cat src/new.py; "
        f"echo x > {place.home}/notes.txt; echo x > {outside}; mkdir {place.home}/made; "
        "echo x > /etc/parity-test; echo x > /usr/parity-test; rm -rf /var/log/parity-test"
    )
    done = place.run(script, tier=tier)
    assert done.output.startswith("new\n")
    assert (place.root / "src" / "app.py").read_text() == "changed\n"
    assert (place.home / "notes.txt").read_text() == CANARY
    assert not outside.exists()
    assert not (place.home / "made").exists()
    assert not Path("/etc/parity-test").exists()
    assert not Path("/usr/parity-test").exists()


@pytest.mark.parametrize("tier", TIERS)
def test_the_home_and_its_keys_are_not_there(place: Place, tier: Tier) -> None:
    script = f"cat {place.home}/.ssh/* {place.home}/.config/* {place.home}/notes.txt ~/notes.txt"
    assert CANARY not in place.run(script, tier=tier).output
    assert place.run(script, tier=tier, readable=[place.home]).output.count(CANARY) >= 3


@pytest.mark.parametrize("tier", TIERS)
def test_what_others_left_in_tmp_is_not_there(place: Place, tier: Tier) -> None:
    theirs = place.home.parent / "secret.txt"
    theirs.write_text(CANARY)
    own(place.user, theirs)
    done = place.run(
        f"cat {theirs}; cat /tmp/../{theirs}; echo x > $TMPDIR/x && echo made", tier=tier
    )
    assert CANARY not in done.output
    assert "made" in done.output


@pytest.mark.parametrize("tier", TIERS)
def test_our_own_state_is_not_there_though_the_workspace_holds_it(place: Place, tier: Tier) -> None:
    outside, inside = place.home.parent / "state", place.root / ".state"
    for folder in (outside, inside):
        folder.mkdir()
        (folder / "record.jsonl").write_text(CANARY)
    own(place.user, outside, inside)
    script = f"cat {outside}/* {inside}/*; echo x > {outside}/record.jsonl"
    done = place.run(script, tier=tier, hidden=[outside, inside])
    if tier is Tier.BUBBLEWRAP:  # Landlock's rule for the workspace holds for all beneath it
        assert CANARY not in done.output
    assert (outside / "record.jsonl").read_text() == CANARY


@needs_bubblewrap
def test_git_and_our_settings_are_read_only(place: Place) -> None:
    (place.root / ".agent").mkdir()
    (place.root / ".agent" / "config.toml").write_text("model = 'x'\n")
    own(place.user, place.root / ".agent")
    done = place.run(
        "echo x >> .git/config; mkdir -p .git/hooks; echo x > .git/hooks/post-checkout; "
        "rm -rf .git; mv .git other; "
        "echo x > .agent/config.toml; echo x > .agent/new; rm -rf .agent; mv .agent a; "
        "cat .agent/config.toml; git log --format=%s"
    )
    assert done.output.endswith("model = 'x'\nas found\n")
    assert "hooks" not in git(place.root, "config", "--list")
    assert not (place.root / ".git" / "hooks" / "post-checkout").exists()
    assert (place.root / ".agent" / "config.toml").read_text() == "model = 'x'\n"
    assert sorted(path.name for path in place.root.iterdir()) == [".agent", ".git", "src"]


@needs_bubblewrap
def test_what_is_not_there_cannot_be_made_and_leaves_nothing(place: Place) -> None:
    bare = place.home / "bare"
    bare.mkdir()
    own(place.user, bare)
    plain = Place(place.home, bare, place.user)
    done = plain.run(
        "mkdir -p .agent .git/hooks; echo x > .agent/config.toml; rmdir .agent .git; "
        "mv .git g; mv .agent a; echo x > .git/config; ln -s / .git; git init; echo done"
    )
    assert done.output.endswith("done\n")
    assert list(bare.iterdir()) == []


@needs_bubblewrap
def test_a_worktree_keeps_its_git_file_and_both_of_its_folders(place: Place) -> None:
    tree = place.home / "trees" / "second"
    tree.parent.mkdir()
    git(place.root, "worktree", "add", "-q", str(tree))
    own(place.user, place.root, tree.parent)
    main = place.root / ".git"
    before = sorted(str(path) for path in main.rglob("*"))
    done = Place(place.home, tree, place.user).run(
        f"git log --format=%s; echo x > .git; rm -f .git; echo x > {main}/config; "
        f"echo x > {main}/hooks/x; echo x > {main}/worktrees/second/config.worktree; "
        f"cat {place.root}/src/app.py"
    )
    assert done.output.startswith("as found\n")
    assert "value" not in done.output
    assert (tree / ".git").read_text().startswith("gitdir: ")
    assert sorted(str(path) for path in main.rglob("*")) == before
    assert git(tree, "status", "--porcelain") == ""


@needs_bubblewrap
def test_a_git_file_made_by_a_stranger_shows_no_other_repository(place: Place) -> None:
    theirs = place.home / "secret-project"
    theirs.mkdir()
    (theirs / "key.txt").write_text(CANARY)
    git(theirs, "init", "-q")
    git(theirs, "add", "-A")
    git(theirs, "commit", "-qm", CANARY)
    trap = place.home / "trap"
    trap.mkdir()
    (trap / ".git").write_text(f"gitdir: {theirs}/.git\n")
    own(place.user, theirs, trap)
    done = Place(place.home, trap, place.user).run(f"git log; cat {theirs}/.git/HEAD")
    assert CANARY not in done.output
    assert "refs" not in done.output


@needs_bubblewrap
def test_a_linked_git_folder_is_put_back(place: Place) -> None:
    (place.root / ".git").rename(place.root / "kept.git")
    (place.root / ".git").symlink_to("kept.git")
    done = place.run("git log --format=%s; echo x > .git/config")
    assert done.output.startswith("as found\n")
    broken = place.run("rm .git; mkdir .git; echo '[core]' > .git/config")
    assert "put back" in broken.error
    assert os.readlink(place.root / ".git") == "kept.git"
    assert git(place.root, "log", "--format=%s") == "as found\n"


@needs_bubblewrap
@pytest.mark.parametrize("there", [True, False])
def test_settings_behind_a_link_are_protected_where_they_are(place: Place, there: bool) -> None:
    (place.root / ".agent").symlink_to("settings")
    if there:
        (place.root / "settings").mkdir()
        own(place.user, place.root / "settings")
    place.run("mkdir settings; echo x > settings/config.toml; echo x > .agent/config.toml")
    assert not (place.root / "settings" / "config.toml").exists()
    assert (place.root / "settings").exists() == there


@needs_bubblewrap
def test_virtual_environments_are_read_only_and_none_is_made(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = place.root / "environments" / "active"
    for folder in (place.root / ".venv", active):
        (folder / "bin").mkdir(parents=True)
        (folder / "pyvenv.cfg").write_text("")
        (folder / "bin" / "git").write_text("as found")
    own(place.user, place.root)
    monkeypatch.setenv("VIRTUAL_ENV", str(active))
    before = sorted(place.root.rglob("*"))
    place.run(
        f"for folder in .venv {active}; do echo x > $folder/bin/git; rm -rf $folder; "
        "mkdir -p $folder/lib; echo 'import x' > $folder/lib/x.pth; mv $folder other; done"
    )
    assert sorted(place.root.rglob("*")) == before
    assert {path.read_text() for path in place.root.rglob("bin/git")} == {"as found"}
    # One may be made, and it may be that something else goes by the name.
    assert "made" in place.run("mkdir venv && echo x > venv/x && echo made").output
    assert "more" in place.run("echo x > venv/y && echo more").output


@needs_bubblewrap
def test_a_linked_environment_is_put_back(place: Place) -> None:
    kept = place.home / "environment"
    (kept / "bin").mkdir(parents=True)
    (kept / "pyvenv.cfg").write_text("")
    (place.root / ".venv").symlink_to(kept)
    own(place.user, place.home)
    broken = place.run("rm .venv; mkdir -p .venv/bin; echo x > .venv/bin/git")
    assert "put back" in broken.error
    assert os.readlink(place.root / ".venv") == str(kept)


@needs_bubblewrap
def test_nested_repositories_are_read_only_too(place: Place) -> None:
    nested = place.root / "vendor" / "library"
    nested.mkdir(parents=True)
    git(nested, "init", "-q")
    own(place.user, nested.parent)
    place.run("echo evil >> vendor/library/.git/config; rm -rf vendor/library/.git")
    assert "evil" not in (nested / ".git" / "config").read_text()


@needs_bubblewrap
@pytest.mark.parametrize("name", [".env", "src/.env.local", "server.key", "id_rsa"])
def test_secrets_of_the_workspace_are_masked(place: Place, name: str) -> None:
    secret = place.root / name
    secret.write_text(CANARY)
    own(place.user, secret)
    script = f"cat {name}; cp {name} copy; cat copy; mv {name} moved; cat moved; echo x > {name}"
    assert CANARY not in place.run(script).output
    assert secret.read_text() == CANARY
    assert CANARY in place.run(f"cat {name}", readable=[secret]).output


@needs_bubblewrap
def test_a_secret_made_later_is_masked_and_a_tracked_key_is_not(place: Place) -> None:
    sandbox = detect(place.root)
    run = Toolbox.of([Run(place.root, sandbox)])
    (place.root / "tests.pem").write_text("a key for tests")
    git(place.root, "add", "-A")
    assert "for tests" in run.call("run", {"argv": "cat tests.pem"}, threading.Event()).output
    (place.root / "src" / ".env").write_text(CANARY)
    (place.root / "linked").mkdir()
    (place.root / "linked" / ".env").symlink_to("../src/app.py")
    for name in ("src/.env", "linked/.env", "src/app.py"):
        shown = run.call("run", {"argv": ["cat", name]}, threading.Event())
        assert not shown.ok, name


def test_a_file_that_came_in_the_same_instant_is_found(tmp_path: Path) -> None:
    scan = Scan(tmp_path)
    then = tmp_path.stat().st_mtime_ns
    assert scan.look().secrets == ()
    (tmp_path / ".env").write_text("")
    os.utime(tmp_path, ns=(then, then))  # as where clocks are coarse
    assert scan.look().secrets == (tmp_path / ".env",)


@needs_bubblewrap
def test_the_users_own_folders_can_be_shown(place: Place) -> None:
    data = place.home / "data"
    data.mkdir()
    (data / "table.csv").write_text("1,2\n")
    own(place.user, data)
    script = f"cat {data}/table.csv; echo x > {data}/table.csv"
    assert "1,2" not in place.run(script).output
    assert "1,2" in place.run(script, readable=[data]).output
    assert (data / "table.csv").read_text() == "1,2\n"


@needs_bubblewrap
def test_system_secrets_are_masked_and_the_kernel_is_left_alone(place: Place) -> None:
    done = place.run(
        # Opened to be written, and left as it is if that works.
        "wc -c < /etc/shadow; (: >> /proc/sys/kernel/core_pattern) && echo 1; mknod d b 8 0"
    )
    assert not (place.root / "d").exists()
    assert not any(line.strip().isdigit() and int(line) for line in done.output.splitlines())


# Network


@pytest.mark.parametrize("tier", TIERS)
def test_nothing_reaches_the_network(place: Place, tier: Tier) -> None:
    with listeners() as (tcp, udp):
        argv = [
            *("bash", "-c"),
            f"echo {CANARY} > /dev/tcp/127.0.0.1/{tcp.getsockname()[1]}; "
            f"echo {CANARY} > /dev/udp/127.0.0.1/{udp.getsockname()[1]}; exit 0",
        ]
        place.run("", argv=argv, tier=tier)
        with pytest.raises(TimeoutError):
            tcp.accept()
        with pytest.raises(TimeoutError):
            udp.recv(100)
        place.run("", argv=argv, tier=tier, network=True)
        tcp.accept()[0].close()
        assert udp.recv(100).decode().strip() == CANARY


@needs_bubblewrap
def test_a_server_and_its_client_find_each_other(place: Place) -> None:
    code = (
        "import socket\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    with socket.create_connection(server.getsockname()): print('met')\n"
    )
    if place.user and not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("needs a Python that everyone may run")
    python = "/usr/bin/python3" if place.user else sys.executable
    assert place.run("", argv=[python, "-c", code]).output == "met\n"


# Environment and processes


@pytest.mark.parametrize("tier", TIERS)
def test_no_secret_of_the_environment_is_found(place: Place, tier: Tier) -> None:
    script = "env; cat /proc/1/environ /proc/$PPID/environ /proc/[0-9]*/environ"
    assert CANARY not in place.run(script, tier=tier, apart=True).output


@needs_bubblewrap
def test_other_processes_are_neither_seen_nor_reached(place: Place) -> None:
    sleeper = subprocess.Popen(["sleep", "60"], user=place.user or None)
    try:
        done = place.run(f"ls /proc; kill -9 {sleeper.pid}")
        assert str(sleeper.pid) not in done.output.split()
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


@needs_landlock
def test_landlock_keeps_signals_in(place: Place) -> None:
    sleeper = subprocess.Popen(["sleep", "60"], user=place.user or None)
    try:
        place.run(f"kill -9 {sleeper.pid}", tier=Tier.LANDLOCK)
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


@needs_bubblewrap
def test_no_further_namespace_and_no_capability(place: Place) -> None:
    done = place.run("unshare -Ur id; unshare -U true || echo none; grep CapEff /proc/self/status")
    assert "none\n" in done.output
    assert "CapEff:\t0000000000000000\n" in done.output


@needs_bubblewrap
def test_nothing_outlives_its_command(place: Place) -> None:
    beat = "(setsid sh -c 'while :; do date +%N > beat; sleep 0.05; done' &) ; sleep 0.3"
    assert place.run(beat).code == 0
    before = (place.root / "beat").read_text()
    time.sleep(0.4)
    assert (place.root / "beat").read_text() == before


@needs_bubblewrap
def test_nothing_outlives_us_and_what_we_leave_is_swept_up(place: Place) -> None:
    root = place.home / "no-repository"
    root.mkdir()
    code = (
        "import sys, threading\nfrom pathlib import Path\n"
        "from tools.process import execute\nfrom tools.sandbox import detect\n"
        "root = Path(sys.argv[1])\n"
        "beat = 'while :; do date +%N > beat; sleep 0.05; done'\n"
        "execute(['setsid', '-w', 'sh', '-c', beat], root, timeout=60, cancel=threading.Event(),"
        " sandbox=detect(root))\n"
    )
    us = subprocess.Popen([sys.executable, "-c", code, str(root)], cwd=ROOT)
    beat = root / "beat"
    for _ in range(200):
        if beat.exists():
            break
        time.sleep(0.05)
    us.kill()
    us.wait()
    time.sleep(0.2)
    before = beat.read_text()
    time.sleep(0.3)
    assert beat.read_text() == before
    # Empty folders are nothing to git, and the next command takes them away.
    assert sorted(path.name for path in root.iterdir()) == [".agent", ".git", "beat"]
    execute(["true"], root, timeout=20, cancel=threading.Event(), sandbox=detect(root))
    assert [path.name for path in root.iterdir()] == ["beat"]


@needs_bubblewrap
def test_two_commands_at_once_share_what_stands_in_for_the_absent(tmp_path: Path) -> None:
    sandbox = detect(tmp_path)
    ended: list[Finished] = []

    def run(script: str) -> None:
        argv = ["sh", "-c", script]
        ended.append(execute(argv, tmp_path, timeout=30, cancel=threading.Event(), sandbox=sandbox))

    slow = "sleep 0.8; mkdir -p .agent; echo x > .agent/config.toml; echo x > .git/config"
    threads = [threading.Thread(target=run, args=(script,)) for script in (slow, "true", "true")]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert len(ended) == 3
    assert list(tmp_path.iterdir()) == []


# What running a program comes to


def finish(root: Path, script: str, **options: object) -> Finished:
    timeout = options.pop("timeout", 30.0)
    assert isinstance(timeout, float)
    return execute(
        ["sh", "-c", script],
        root,
        timeout=timeout,
        cancel=threading.Event(),
        sandbox=detect(root),
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 3", 3),
        ("exit 129", 129),
        ("exit 130", 130),
        ("exit 255", 255),
        ("kill -SEGV $$", -signal.SIGSEGV),
        ("kill -KILL $$", -signal.SIGKILL),
        ("kill -TERM $$", -signal.SIGTERM),
    ],
)
def test_exit_codes_and_signals_are_the_programs_own(
    tmp_path: Path, tier: Tier, script: str, code: int
) -> None:
    done = execute(
        ["sh", "-c", script],
        tmp_path,
        timeout=30,
        cancel=threading.Event(),
        sandbox=detect(tmp_path, tiers=[tier]),
    )
    assert done.code == code


@pytest.mark.parametrize("tier", TIERS)
def test_what_cannot_be_started_is_named(tmp_path: Path, tier: Tier) -> None:
    sandbox = detect(tmp_path, tiers=[tier])
    (tmp_path / "data.txt").write_text("x")

    def start(*argv: str) -> None:
        execute(argv, tmp_path, timeout=20, cancel=threading.Event(), sandbox=sandbox)

    for program in ("no-such-thing", "./absent"):
        with pytest.raises(ToolError, match=f"no program named '{program}'"):
            start(program)
    with pytest.raises(ToolError, match=r"'\./data\.txt' could not be started: Permission denied"):
        start("./data.txt")
    with pytest.raises(ToolError, match="could not be started"):
        start("echo", "a\0b")


@needs_bubblewrap
def test_a_program_that_is_hidden_is_told_from_one_that_fails(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = tmp_path_factory.mktemp("elsewhere") / "tool"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o755)
    with pytest.raises(ToolError, match="sandbox could not start the program: execvp"):
        execute(
            [str(program)],
            tmp_path,
            timeout=20,
            cancel=threading.Event(),
            sandbox=detect(tmp_path),
        )


@needs_bubblewrap
def test_a_timeout_interrupts_first_and_kills_then(tmp_path: Path) -> None:
    script = "trap 'echo interrupted; exit 5' INT; while :; do sleep 0.1; done"
    done = finish(tmp_path, script, timeout=1.0, first=signal.SIGINT)
    assert done.timed_out
    assert done.output == "interrupted\n"
    begun = time.monotonic()
    stubborn = finish(tmp_path, "trap '' INT TERM; sleep 60; sleep 60", timeout=1.0)
    assert stubborn.timed_out
    assert time.monotonic() - begun < 5
    assert list(tmp_path.iterdir()) == []


@needs_bubblewrap
def test_cancel_ends_it_at_once(tmp_path: Path) -> None:
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    begun = time.monotonic()
    done = execute(
        ["sh", "-c", "trap '' TERM; while :; do :; done"],
        tmp_path,
        timeout=60,
        cancel=cancel,
        sandbox=detect(tmp_path),
    )
    assert done.cancelled
    assert time.monotonic() - begun < 4
    assert list(tmp_path.iterdir()) == []


@needs_bubblewrap
def test_a_flood_is_cut(tmp_path: Path) -> None:
    done = finish(tmp_path, "yes", timeout=0.5)
    assert done.timed_out
    assert "bytes left out" in done.output
    assert len(done.output) < 17_000


@needs_bubblewrap
def test_a_folder_is_shared_with_one_command(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shared = tmp_path_factory.mktemp("shared")
    (shared / "given").write_text("given\n")
    script = f"cat {shared}/given; echo made > {shared}/made"
    assert finish(tmp_path, script, writable=(shared,)).output == "given\n"
    assert (shared / "made").read_text() == "made\n"
    assert finish(tmp_path, f"ls {shared}").code != 0


@needs_bubblewrap
def test_run_opens_the_network_for_one_command(tmp_path: Path) -> None:
    tools = Toolbox.of([Run(tmp_path, detect(tmp_path))])
    with listeners() as (tcp, _):
        argv = ["bash", "-c", f"echo > /dev/tcp/127.0.0.1/{tcp.getsockname()[1]}"]
        assert not tools.call("run", {"argv": argv}, threading.Event()).ok
        assert tools.call("run", {"argv": argv, "network": True}, threading.Event()).ok
        assert not tools.call("run", {"argv": argv}, threading.Event()).ok


# Which places, and which tier


@needs_bubblewrap
@pytest.mark.parametrize("python", [sys.executable, "python3"])
def test_the_interpreter_in_use_works(tmp_path: Path, python: str) -> None:
    code = "import json, os, sysconfig; print(len(os.listdir(sysconfig.get_path('purelib'))) > 0)"
    done = execute(
        [python, "-c", code],
        tmp_path,
        timeout=30,
        cancel=threading.Event(),
        sandbox=detect(tmp_path),
    )
    assert done.output == "True\n"


def test_tools_of_the_home_are_shown_and_nothing_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    root = tmp_path / "project"
    for name in (
        *("project", ".pyenv/shims", ".cargo/bin", ".rustup", ".local/bin", ".config/x/bin"),
        *("node-22/bin", "node-22/lib", ".ssh/bin", ".ssh/lib", "bin", "lib"),
    ):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".cargo" / "credentials.toml").write_text("")
    names = (".pyenv/shims", ".local/bin", ".config/x/bin", "node-22/bin", ".ssh/bin", "bin")
    path = os.pathsep.join(str(tmp_path / name) for name in names)
    policy = make_policy(root, environ={"PATH": path})
    shown = {str(p.relative_to(tmp_path)) for p in policy.readable if p.is_relative_to(tmp_path)}
    assert shown == {
        *(".pyenv", ".cargo/bin", ".rustup", ".local/bin", ".config/x/bin", "node-22"),
        *(".ssh/bin", "bin"),  # on the user's own PATH; what is around them stays hidden
    }


def test_an_environment_cannot_point_at_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    root, trap = tmp_path / "project", tmp_path / "project" / ".venv"
    (trap / "bin").mkdir(parents=True)
    (trap / "pyvenv.cfg").write_text("")
    (tmp_path / "vault" / "bin").mkdir(parents=True)
    (tmp_path / "vault" / "bin" / "python").write_text("")
    (trap / "bin" / "python").symlink_to(tmp_path / "vault" / "bin" / "python")
    (root / "venv").symlink_to(tmp_path)
    (tmp_path / "pyvenv.cfg").write_text("")
    policy = make_policy(root, environ={"PATH": ""})
    assert not [path for path in policy.readable if path.is_relative_to(tmp_path)]


@needs_bubblewrap
def test_a_workspace_that_is_the_home_hides_its_keys(place: Place) -> None:
    home = Place(place.home, place.home, place.user)
    done = home.run("cat notes.txt .ssh/* .config/*; echo x > made && echo written; ls -A .ssh")
    assert done.output.count(CANARY) == 1
    assert "written" in done.output
    assert (place.home / ".ssh" / "id_ed25519").read_text() == CANARY


def test_no_sandbox_holds_the_whole_file_system() -> None:
    found = detect(Path("/"))
    assert found.tier is Tier.NONE
    assert "work in a folder of it" in found.weaker


@needs_bubblewrap
def test_the_strongest_is_taken_and_a_weaker_one_says_why(tmp_path: Path) -> None:
    best = detect(tmp_path)
    assert (best.tier, best.holds, best.weaker) == (Tier.BUBBLEWRAP, True, "")
    none = detect(tmp_path, tiers=[])
    assert (none.tier, none.holds) == (Tier.NONE, False)
    assert "bubblewrap is switched off" in none.weaker


def test_the_profile_for_macos_writes_deeper_rules_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place.home))
    (place.root / ".env").write_text(CANARY)
    data = place.home / "data"
    data.mkdir()
    sandbox = Seatbelt(make_policy(place.root, readable=[data]))
    with sandbox.launch(["true"], place.root, {}) as launch:
        profile = launch.argv[2]
        assert launch.argv[3:] == ("--", "true")
        assert Path(launch.env["TMPDIR"]).is_dir()
    assert not Path(launch.env["TMPDIR"]).exists()
    rules = (
        f'(deny file-read-data (subpath "{place.home}"))',
        f'(allow file-read* (subpath "{data}"))',
        f'(allow file-write* (subpath "{place.root}"))',
        f'(deny file-write* (subpath "{place.root}/.agent"))',
        "(deny network*)",
    )
    found = [profile.index(rule) for rule in rules]
    assert found == sorted(found)
    assert f'(deny file-read* (subpath "{place.root}/.env"))' in profile


@needs_landlock
def test_landlock_says_what_it_leaves_open_and_does(place: Place) -> None:
    (place.root / ".env").write_text(CANARY)
    own(place.user, place.root)
    done = place.run("cat .env; echo '# x' >> .git/config", tier=Tier.LANDLOCK)
    assert CANARY in done.output
    assert "# x" in (place.root / ".git" / "config").read_text()
    assert "bubblewrap" in done.weaker
    promise = detect(place.root, tiers=[Tier.LANDLOCK]).promise
    assert ".git, .agent, .venv and .env in the work tree are open" in promise
    assert "outlive" in promise


def test_without_a_sandbox_programs_run_as_they_are(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    root.mkdir()
    done = execute(
        ["sh", "-c", f"echo x > {outside}"],
        root,
        timeout=20,
        cancel=threading.Event(),
        sandbox=NoSandbox(),
    )
    assert done.code == 0
    assert outside.exists()
