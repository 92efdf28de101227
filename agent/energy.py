"""The energy that this machine spends on a local model, measured where it can be.

Owns the meters: graphics cards (NVML), processors (Linux's powercap files), declared watts. Must
not know models' requests or what energy costs. A meter tells what its parts draw while it runs,
idle draw included; of the rest of the machine only declared watts can tell.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from agent.models.base import Device

POWERCAP = Path("/sys/class/powercap")
SAMPLE_SECONDS = 0.1
"""Between two looks at a card's power, where it does not count its energy itself."""


class Meter(Protocol):
    """Measures from `start` to `stop`; may be started again."""

    @property
    def source(self) -> str:
        """What is measured: `cards`, `processor`, `declared`."""
        ...

    def start(self) -> None: ...

    def stop(self) -> float | None:
        """Joules since the start; None if a device stopped telling."""
        ...


def open_meter(
    device: Device,
    watts: float | None,
    powercap: Path = POWERCAP,
    environ: Mapping[str, str] = os.environ,
) -> Meter | None:
    """The best meter for what does the model's work.

    Cards and, beside them, the processors where the system lets their counters be read (Linux
    keeps them for root by default); else the declared watts; else None.

    Args:
        device: What does the work.
        watts: What the user says that the machine draws meanwhile.
        powercap: The folder of the processors' counters.
        environ: As `os.environ`; `CUDA_VISIBLE_DEVICES` says which cards are meant.
    """
    if device is Device.ELSEWHERE:
        return None
    on_cards = cards(environ.get("CUDA_VISIBLE_DEVICES")) if device is Device.CARDS else ()
    meters = [*on_cards, *processors(powercap)]
    # Processors alone are no measure of what a card does.
    if on_cards or (meters and device is Device.PROCESSOR):
        return Sum(meters)
    return Declared(watts) if watts is not None else None


class Counter:
    """A device that counts its energy."""

    def __init__(self, source: str, joules: Callable[[], float | None], overflow: float) -> None:
        """`overflow`: joules at which the counter begins anew, seen once between two readings."""
        self.source = source
        self._joules = joules
        self._overflow = overflow
        self._begin: float | None = None

    def start(self) -> None:
        self._begin = self._joules()

    def stop(self) -> float | None:
        end = self._joules()
        if self._begin is None or end is None:
            return None
        return end - self._begin if end >= self._begin else end - self._begin + self._overflow


class Sampled:
    """A device that only tells its power: looked at by a thread, integrated by trapezoids."""

    def __init__(
        self, source: str, watts: Callable[[], float | None], every: float = SAMPLE_SECONDS
    ) -> None:
        self.source = source
        self._watts = watts
        self._every = every
        self._samples: list[tuple[float, float]] = []
        self._enough = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._samples = []
        self._enough.clear()
        self._thread = threading.Thread(target=self._sample, daemon=True, name="power")
        self._thread.start()

    def stop(self) -> float | None:
        if self._thread is None:
            return None
        self._enough.set()
        self._thread.join()
        return integral(self._samples)

    def _sample(self) -> None:
        while True:
            last = self._enough.is_set()
            watts = self._watts()
            if watts is None:
                self._samples = []
                return
            self._samples.append((time.monotonic(), watts))
            if last:
                return
            self._enough.wait(self._every)


class Declared:
    """What the user says that the machine draws."""

    source = "declared"

    def __init__(self, watts: float) -> None:
        self._watts = watts
        self._begin = 0.0

    def start(self) -> None:
        self._begin = time.monotonic()

    def stop(self) -> float:
        return self._watts * (time.monotonic() - self._begin)


class Sum:
    """Several meters at once."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self.source = " + ".join(dict.fromkeys(meter.source for meter in meters))
        self._meters = meters

    def start(self) -> None:
        for meter in self._meters:
            meter.start()

    def stop(self) -> float | None:
        told = [meter.stop() for meter in self._meters]
        known = [joules for joules in told if joules is not None]
        return sum(known) if len(known) == len(told) else None


def integral(samples: Sequence[tuple[float, float]]) -> float | None:
    """Joules by the trapezoidal rule over (seconds, watts); None for fewer than two samples."""
    if len(samples) < 2:
        return None
    return sum((t1 - t0) * (w0 + w1) / 2 for (t0, w0), (t1, w1) in pairwise(samples))


def processors(powercap: Path) -> list[Counter]:
    """Counters of the processor packages and their memory; none where any cannot be read.

    `psys` holds the packages a second time, and so do zones of other drivers.
    """
    found = []
    for zone in sorted(powercap.glob("intel-rapl:*")):  # AMD's processors too
        if not _text(zone / "name").startswith(("package", "dram")):
            continue
        joules, overflow = _joules(zone / "energy_uj"), _joules(zone / "max_energy_range_uj")
        if joules() is None:
            return []
        found.append(Counter("processor", joules, overflow() or 0.0))
    return found


def _joules(path: Path) -> Callable[[], float | None]:
    def read() -> float | None:
        text = _text(path)
        return int(text) / 1e6 if text.isdigit() else None

    return read


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def cards(visible: str | None) -> list[Meter]:
    """A meter for each NVIDIA card that may be used; none if any of them tells nothing.

    Args:
        visible: As `CUDA_VISIBLE_DEVICES`; None: all.
    """
    try:
        # loads the driver's library; only needed to measure a local model
        import pynvml as nvml  # type: ignore[import-untyped]
    except ImportError:
        return []
    try:
        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        uuids = [str(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]
    except nvml.NVMLError:
        return []

    def asked(question: Callable[[object], int], card: object) -> Callable[[], float | None]:
        def read() -> float | None:
            try:
                return question(card) / 1e3
            except nvml.NVMLError:
                return None

        return read

    found: list[Meter] = []
    for index in chosen(visible, uuids):
        joules = asked(nvml.nvmlDeviceGetTotalEnergyConsumption, handles[index])
        watts = asked(nvml.nvmlDeviceGetPowerUsage, handles[index])
        if joules() is not None:
            found.append(Counter("cards", joules, overflow=0.0))
        elif watts() is not None:
            found.append(Sampled("cards", watts))
        else:
            return []
    return found


def chosen(visible: str | None, uuids: Sequence[str]) -> list[int]:
    """The cards that `CUDA_VISIBLE_DEVICES` leaves, by their places; one unknown ends the list."""
    if visible is None:
        return list(range(len(uuids)))
    places: list[int] = []
    for name in (part.strip() for part in visible.split(",")):
        if name.isdigit() and int(name) < len(uuids):
            places.append(int(name))
            continue
        named = [place for place, uuid in enumerate(uuids) if uuid.startswith(name) and name]
        if len(named) != 1:
            break
        places += named
    return places
