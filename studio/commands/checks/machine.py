"""The machine: disk, processor, punctuality, network."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from recorders.clock import NS_PER_S, Clock
from studio.commands.checks.finding import Finding, Surroundings

_MIB = 1 << 20
_GB = 1_000_000_000
_WRITE_MIB = 64
_SLOW_MB_S = 50.0           # two cameras as JPEG and 100 Hz rows need about 8 MB/s
_SYNCS = 20
_SLOW_SYNC_MS = 100.0       # a commit waits for a few of these
_LOW_GB, _FULL_GB = 10.0, 1.0
_LOOP_HZ, _LOOP_TICKS = 100, 100
_LATE_P99_MS = 3.0          # what the control loop promises on an idle machine
_FEWEST_CORES = 2


def check_disk(around: Surroundings) -> list[Finding]:
    """Room, speed and commit time where recordings will go."""
    folder = _nearest_existing(around.store_folder)
    free_gb = shutil.disk_usage(folder).free / _GB
    if free_gb < _FULL_GB:
        return [Finding("disk space", "fail", f"{free_gb:.1f} GB free at {folder}",
                        "free some space, or record elsewhere with --to")]
    space = Finding("disk space", "ok", f"{free_gb:.0f} GB free at {folder}")
    if free_gb < _LOW_GB:
        space = Finding("disk space", "warn", f"{free_gb:.1f} GB free at {folder}",
                        "free some space: an hour of two cameras takes about 25 GB")
    try:
        with tempfile.TemporaryDirectory(prefix=".tandem-doctor-", dir=folder) as scratch:
            return [space, _write_speed(around.clock, Path(scratch)),
                    _sync_time(around.clock, Path(scratch))]
    except OSError as error:
        return [space, Finding("disk speed", "fail", f"cannot write at {folder}: {error.strerror}",
                               "make the folder writable, or record elsewhere with --to")]


def _nearest_existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _write_speed(clock: Clock, scratch: Path) -> Finding:
    block = np.random.default_rng(0).bytes(_MIB)    # a disk that compresses shall not shine
    began_ns = clock.now_ns()
    with (scratch / "speed").open("wb", buffering=0) as file:
        for _ in range(_WRITE_MIB):
            file.write(block)
        os.fsync(file.fileno())
    took_s = max((clock.now_ns() - began_ns) / NS_PER_S, 1e-9)
    speed_mb_s = _WRITE_MIB * _MIB / 1e6 / took_s
    what = f"writes {speed_mb_s:.0f} MB/s"
    if speed_mb_s < _SLOW_MB_S:
        return Finding("disk speed", "warn", what, "record to a local SSD with --to")
    return Finding("disk speed", "ok", what)


def _sync_time(clock: Clock, scratch: Path) -> Finding:
    took_ms = []
    with (scratch / "sync").open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            began_ns = clock.now_ns()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            took_ms.append((clock.now_ns() - began_ns) / 1e6)
    median_ms, worst_ms = float(np.median(took_ms)), max(took_ms)
    what = f"fsync takes {median_ms:.1f} ms, at worst {worst_ms:.0f} ms of {_SYNCS}"
    if worst_ms > _SLOW_SYNC_MS:
        return Finding("disk commit", "warn", what,
                       "record to a local SSD with --to, and end what else writes to this disk")
    return Finding("disk commit", "ok", what)


def check_jitter(around: Surroundings) -> list[Finding]:
    """How punctual an empty 100 Hz loop is for one second."""
    clock, period_ns = around.clock, NS_PER_S // _LOOP_HZ
    began_ns, late_ms = clock.now_ns(), []
    for tick in range(1, _LOOP_TICKS + 1):
        due_ns = began_ns + tick * period_ns
        clock.wait_until(due_ns)
        late_ms.append((clock.now_ns() - due_ns) / 1e6)
    p50, p99 = np.percentile(late_ms, [50, 99])
    what = (f"an empty {_LOOP_HZ} Hz loop is late by {p50:.2f} ms at p50, {p99:.2f} ms at p99, "
            f"{max(late_ms):.2f} ms at most")
    if p99 > _LATE_P99_MS:
        return [Finding("punctuality", "warn", what, "end other programs, set the governor to "
                        "performance, and do not train on this machine while driving a real arm")]
    return [Finding("punctuality", "ok", what)]


def check_processor(around: Surroundings) -> list[Finding]:
    """Cores and how they are clocked."""
    cores = len(os.sched_getaffinity(0))
    governors = {path.read_text().strip() for path in around.root.glob(
        "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")}
    what = f"{cores} cores, governor {'/'.join(sorted(governors)) or 'not visible'}"
    if cores < _FEWEST_CORES:
        return [Finding("processor", "warn", what, "use a machine with two cores or more")]
    if governors - {"performance", "schedutil", "ondemand"}:
        return [Finding("processor", "warn", what, "sudo cpupower frequency-set -g performance")]
    return [Finding("processor", "ok", what)]


def check_network(_: Surroundings) -> list[Finding]:
    """A note: nothing listens to other machines unless asked to."""
    return [Finding("network", "ok", "processes talk over private sockets; web pages are bound to "
                    "127.0.0.1 (from elsewhere: ssh -L)")]
