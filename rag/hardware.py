"""The machine this runs on: memory, processor, graphics cards, free disk. It only looks."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Processor features that change how fast a model runs: bf16 for OpenVINO (measured: 34 against
#: 18 texts a second on a core that has it), int8 dot products for quantised weights.
FEATURES = (
    "avx2", "avx512f", "avx512_bf16", "amx_bf16", "avx512_vnni", "avx_vnni",  # x86
    "bf16", "i8mm", "asimddp",  # ARM
)  # fmt: skip

#: Seconds granted to ``nvidia-smi``; a broken driver makes it hang.
GPU_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Gpu:
    name: str
    memory: int  # bytes


@dataclass(frozen=True, slots=True)
class Hardware:
    """Sizes in bytes. ``gpu_problem`` says why a graphics card could not be looked at."""

    ram_total: int
    ram_available: int
    cores: int
    cpu: str
    features: tuple[str, ...]
    gpus: tuple[Gpu, ...]
    disk_free: int
    gpu_problem: str = ""

    @property
    def gpu_memory(self) -> int:
        """Bytes of the largest card; Ollama splits a model over cards, which is slower."""
        return max((gpu.memory for gpu in self.gpus), default=0)


def inspect(folder: Path) -> Hardware:
    """Look at this machine; ``disk_free`` is that of the disk ``folder`` is or will be on."""
    memory = psutil.virtual_memory()
    limit = _container_limit(Path("/sys/fs/cgroup/memory.max"))
    gpus, problem = _gpus()
    cpu, features = _processor(Path("/proc/cpuinfo"))
    return Hardware(
        ram_total=min(memory.total, limit or memory.total),
        ram_available=min(memory.available, limit or memory.available),
        cores=_cores(),
        cpu=cpu,
        features=features,
        gpus=gpus,
        disk_free=_disk_free(folder),
        gpu_problem=problem,
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _container_limit(file: Path) -> int | None:
    """The memory a container may use: the kernel still shows it the whole machine's."""
    text = file.read_text("ascii").strip() if file.is_file() else "max"
    return int(text) if text.isdigit() else None


def _processor(cpuinfo: Path) -> tuple[str, tuple[str, ...]]:
    """Name and features; features stay empty where the system has no ``/proc/cpuinfo``."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    for line in cpuinfo.read_text("utf-8", "replace").splitlines() if cpuinfo.is_file() else ():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        elif key.strip() in ("flags", "Features"):
            flags.update(value.split())
    return name, tuple(f for f in FEATURES if f in flags)


def _gpus() -> tuple[tuple[Gpu, ...], str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), ""
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603 — a fixed command, found on PATH
            query, capture_output=True, text=True, timeout=GPU_TIMEOUT, check=True
        )
    except subprocess.TimeoutExpired:
        return (), f"nvidia-smi gave no answer within {GPU_TIMEOUT:.0f} s"
    except (OSError, subprocess.CalledProcessError) as error:
        return (), f"nvidia-smi failed: {error}"
    return parse_gpus(done.stdout), ""


def parse_gpus(listing: str) -> tuple[Gpu, ...]:
    """Cards from nvidia-smi's «name, MiB» lines; memory is 0 where it says «[N/A]»."""
    rows = [line.rpartition(",") for line in listing.splitlines() if "," in line]
    return tuple(
        Gpu(name.strip(), int(mib) * 2**20 if mib.strip().isdigit() else 0) for name, _, mib in rows
    )


def _disk_free(folder: Path) -> int:
    """Free bytes where ``folder`` is, or where its nearest existing parent is."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def address_space(process: int) -> int:
    """Bytes of address space that a process of ours has; 0 when it is gone."""
    try:
        return int(psutil.Process(process).memory_info().vms)
    except psutil.Error:
        return 0
