"""Energy of what is computed: by a meter where one can be read, and by a model from what is counted.

Meters: RAPL, which Linux shows as powercap (https://docs.kernel.org/power/powercap/powercap.html), of a
processor with its caches; NVML, of a graphics processor. The model: M. Horowitz, Computing's energy problem
(and what we can do about it), ISSCC 2014, 10-14, whose numbers are of 45 nm at 0.9 V.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secateur.explaining.multiplying import Work

POWERCAP = Path("/sys/class/powercap")
_LONG_ENOUGH = 0.5
"""Seconds that a reading lasts; RAPL counts about a thousand times a second."""

PICOJOULES_A_MAC = 3.7 + 0.9
"""A float32 product and a sum."""
PICOJOULES_A_BYTE = 100 / 8
"""Of a cache of 1 MB, which holds all that one window of these networks moves; 100 pJ for 64 bits."""
MODEL = (
    f"{PICOJOULES_A_MAC:g} pJ a multiply-accumulate (float32 product 3.7, sum 0.9) and "
    f"{PICOJOULES_A_BYTE:g} pJ a byte moved (a 1 MB cache, 100 pJ for 64 bits), of 45 nm at 0.9 V: "
    "M. Horowitz, Computing's energy problem, ISSCC 2014"
)


def modelled(work: Work) -> float:
    """Joules by the model: an order of magnitude, for today's processors are made of other things."""
    return 1e-12 * (PICOJOULES_A_MAC * work.macs + PICOJOULES_A_BYTE * work.bytes_moved)


@dataclass(frozen=True)
class Meter:
    """`read`: joules since some moment; `wraps_at`: where the count begins anew, in joules, or None."""

    name: str
    read: Callable[[], float]
    wraps_at: float | None = None

    def over(self, work: Callable[[], object]) -> tuple[float, float]:
        """Joules and seconds of `work`."""
        before, began = self.read(), time.perf_counter()
        work()
        joules, seconds = self.read() - before, time.perf_counter() - began
        if joules < 0 and self.wraps_at is not None:
            joules += self.wraps_at
        return joules, seconds


@dataclass(frozen=True)
class Reading:
    """Joules of a call by one meter: `busy` as counted, `idle` of the same time in which nothing was done."""

    meter: str
    busy: float
    idle: float


def meters(powercap: Path = POWERCAP) -> list[Meter]:
    """Every meter that can be read here."""
    return [*_rapl(powercap), *_nvml()]


def energy_of(
    work: Callable[[], object], readable: Sequence[Meter], long_enough: float = _LONG_ENOUGH
) -> list[Reading]:
    """Joules of one call of `work` by each meter: of as many calls as take half a second."""
    readings = []
    for meter in readable:
        rested, seconds = meter.over(lambda: time.sleep(long_enough))
        calls = 0

        def repeated() -> None:
            nonlocal calls
            until = time.perf_counter() + long_enough
            while time.perf_counter() < until:
                work()
                calls += 1

        busy, lasted = meter.over(repeated)
        idle = rested / seconds * lasted
        readings.append(Reading(meter.name, busy / calls, idle / calls))
    return readings


def _rapl(powercap: Path) -> list[Meter]:
    """A meter for each package of the processor; dram and core are parts of them."""
    readable = []
    for zone in sorted(powercap.glob("*-rapl:*")):
        if zone.name.count(":") != 1:
            continue
        try:
            name = (zone / "name").read_text().strip()
            most = int((zone / "max_energy_range_uj").read_text()) * 1e-6
            meter = Meter(f"RAPL {name}", _microjoules(zone / "energy_uj"), most)
            meter.read()
        except (OSError, ValueError):
            continue  # since 2020 Linux shows it to root alone
        readable.append(meter)
    return readable


def _microjoules(path: Path) -> Callable[[], float]:
    return lambda: int(path.read_text()) * 1e-6


def _nvml() -> list[Meter]:
    """A meter for each graphics processor, where NVIDIA's package and driver are there."""
    try:
        import pynvml
    except ImportError:
        return []
    readable = []
    try:
        pynvml.nvmlInit()
        for index in range(pynvml.nvmlDeviceGetCount()):
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            meter = Meter(
                f"NVML {pynvml.nvmlDeviceGetName(device)}, on which nothing of this runs",
                _millijoules(pynvml, device),
            )
            meter.read()
            readable.append(meter)
    except pynvml.NVMLError:
        pass
    return readable


def _millijoules(nvml: Any, device: Any) -> Callable[[], float]:
    return lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(device) * 1e-3
