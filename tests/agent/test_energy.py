"""Energy: integration over samples, counters that overflow, a folder of powercap counters."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agent.energy import (
    Counter,
    Declared,
    Sampled,
    Sum,
    cards,
    chosen,
    integral,
    open_meter,
    processors,
)
from agent.models.base import Device

UUIDS = ["GPU-aa11", "GPU-ab22", "GPU-cc33"]


def zone(folder: Path, number: str, name: str, microjoules: int, most: int = 10_000_000) -> Path:
    made = folder / f"intel-rapl:{number}"
    made.mkdir(parents=True)
    (made / "name").write_text(f"{name}\n")
    (made / "energy_uj").write_text(f"{microjoules}\n")
    (made / "max_energy_range_uj").write_text(f"{most}\n")
    return made / "energy_uj"


@pytest.mark.parametrize(
    ("samples", "joules"),
    [
        ([(0.0, 100.0), (2.0, 100.0)], 200.0),
        ([(0.0, 0.0), (1.0, 100.0), (3.0, 300.0)], 50.0 + 400.0),  # a ramp is exact
        ([(5.0, 80.0), (5.5, 120.0), (7.0, 40.0)], 50.0 + 120.0),  # uneven steps
        ([(0.0, 100.0)], None),
        ([], None),
    ],
)
def test_integral(samples: list[tuple[float, float]], joules: float | None) -> None:
    assert integral(samples) == (None if joules is None else pytest.approx(joules))


def test_a_sampled_device_is_integrated_while_it_runs() -> None:
    meter = Sampled("cards", lambda: 250.0, every=0.01)
    for _ in range(2):  # it may be started again
        began = time.monotonic()
        meter.start()
        time.sleep(0.1)
        joules = meter.stop()
        longest = time.monotonic() - began
        assert joules is not None
        assert 250 * 0.1 * 0.9 <= joules <= 250 * longest


def test_a_sampled_device_is_looked_at_twice_however_short_the_step() -> None:
    meter = Sampled("cards", lambda: 250.0, every=60.0)
    meter.start()
    joules = meter.stop()
    assert joules is not None
    assert 0 <= joules < 250


def test_a_device_that_stops_telling_makes_the_step_unknown() -> None:
    told = iter([250.0, None])
    meter = Sampled("cards", lambda: next(told), every=0.01)
    meter.start()
    time.sleep(0.05)
    assert meter.stop() is None
    total = Sum([Counter("processor", lambda: 5.0, 0.0), meter])
    assert total.stop() is None


def test_a_counter_may_begin_anew() -> None:
    readings = iter([10.0, 12.5, 98.0, 3.0])
    meter = Counter("processor", lambda: next(readings), overflow=100.0)
    meter.start()
    assert meter.stop() == pytest.approx(2.5)
    meter.start()
    assert meter.stop() == pytest.approx(5.0)


def test_packages_and_memory_are_counted_once(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", 1_000_000)
    core = zone(tmp_path, "0:0", "core", 400_000)
    dram = zone(tmp_path, "0:1", "dram", 9_000_000)
    psys = zone(tmp_path, "1", "psys", 5_000_000)
    (tmp_path / "intel-rapl").mkdir()
    (tmp_path / "intel-rapl-mmio:0").symlink_to(package.parent)
    meter = open_meter(Device.PROCESSOR, None, tmp_path)
    assert meter is not None
    assert meter.source == "processor"
    meter.start()
    package.write_text("4000000\n")  # 3 J
    core.write_text("3000000\n")
    dram.write_text("500000\n")  # 9 J, then 10 J and anew: 1.5 J
    psys.write_text("9000000\n")
    assert meter.stop() == pytest.approx(4.5)


def test_counters_of_two_packages_of_which_one_is_closed(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 1_000_000)
    zone(tmp_path, "1", "package-1", 1_000_000).write_text("")
    assert processors(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_counters_that_are_kept_for_root(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 1_000_000).chmod(0)
    assert open_meter(Device.PROCESSOR, None, tmp_path) is None


def test_declared_watts_are_for_what_cannot_be_measured(tmp_path: Path) -> None:
    meter = open_meter(Device.PROCESSOR, 65.0, tmp_path)
    assert isinstance(meter, Declared)
    began = time.monotonic()
    meter.start()
    time.sleep(0.05)
    assert 65 * 0.05 <= meter.stop() <= 65 * (time.monotonic() - began)
    zone(tmp_path, "0", "package-0", 1_000_000)
    measured = open_meter(Device.PROCESSOR, 65.0, tmp_path)
    assert measured is not None
    assert measured.source == "processor"


def test_a_card_that_cannot_be_measured_is_not_told_by_the_processor(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 1_000_000)
    hidden = {"CUDA_VISIBLE_DEVICES": ""}
    assert open_meter(Device.CARDS, None, tmp_path, hidden) is None
    assert isinstance(open_meter(Device.CARDS, 350.0, tmp_path, hidden), Declared)


def test_what_runs_elsewhere_has_no_meter(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 1_000_000)
    assert open_meter(Device.ELSEWHERE, 65.0, tmp_path) is None


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="there is a driver")
def test_without_a_driver_there_are_no_cards() -> None:
    assert cards(None) == []


@pytest.mark.skipif(not Path("/proc/driver/nvidia").exists(), reason="needs an NVIDIA driver")
def test_a_real_card_draws_something() -> None:
    pytest.importorskip("pynvml")
    for meter in cards(None):
        meter.start()
        time.sleep(1.0)
        joules = meter.stop()
        assert joules is not None
        assert 1 < joules < 2000


@pytest.mark.parametrize(
    ("visible", "places"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("2,0", [2, 0]),
        (" 1 ", [1]),
        ("GPU-ab22", [1]),
        ("GPU-c", [2]),
        ("GPU-a", []),  # two begin so
        ("0,-1,2", [0]),
        ("0,7,1", [0]),
        ("MIG-1234", []),
    ],
)
def test_which_cards_are_meant(visible: str | None, places: list[int]) -> None:
    assert chosen(visible, UUIDS) == places
