"""Out to diffusion_policy and UMI, read with the zarr and the codecs that they pin.

Their zarr is older than anything beside LeRobot may be, so each gets a throw-away environment of
its own with the Python and the packages that its conda_environment.yaml pins; where that cannot be
made, the row says so. The codec is imagecodecs' of that time behind the signature of UMI's class.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from row import Row, episodes_of, one_by_one, recorded, timed

from recorders.exchange.replay_buffer import Kind, export_replay_buffer
from recorders.exchange.replay_buffer_import import import_replay_buffer
from recorders.store import DemoStore

PYTHON = "3.9"
PINNED: dict[Kind, tuple[str, ...]] = {
    "diffusion_policy": ("zarr==2.12.0", "numcodecs==0.10.2", "numpy==1.23.3",
                         "imagecodecs==2022.9.26", "setuptools<70"),
    "umi": ("zarr==2.16.1", "numcodecs==0.11.0", "numpy==1.24.4", "imagecodecs==2023.9.18",
            "setuptools<70")}
_CODEC = """
import numcodecs
from imagecodecs.numcodecs import Jpegxl

class JpegXl(Jpegxl):
    codec_id = "imagecodecs_jpegxl"
    # UMI's own signature (diffusion_policy/codecs/imagecodecs_numcodecs.py): no other setting fits.
    def __init__(self, level=None, effort=None, distance=None, lossless=None, decodingspeed=None,
                 photometric=None, planar=None, usecontainer=None, index=None,
                 keeporientation=None, numthreads=None):
        super().__init__(numthreads=numthreads)

numcodecs.register_codec(JpegXl)
"""
_READ = """
import sys, zarr, numpy, numcodecs
path = sys.argv[1]
store = zarr.ZipStore(path, mode="r") if path.endswith(".zip") else zarr.DirectoryStore(path)
root = zarr.group(store)
ends = root["meta/episode_ends"][:]
frames = 0
for key, value in root["data"].items():
    assert value.shape[0] == ends[-1], key
    if value.ndim == 4:
        for k in (0, int(ends[-1]) - 1):
            picture = value[k]
            assert picture.dtype == numpy.uint8 and picture.std() > 1, key
        frames += value.shape[0]
    else:
        assert numpy.isfinite(value[:]).all(), key
print(len(ends), int(ends[-1]), frames, *sorted(root["data"].keys()),
      "by zarr", zarr.__version__, "numcodecs", numcodecs.__version__)
"""


def run(work: Path) -> list[Row]:
    """Export both, read both with what they pin, and import both."""
    return one_by_one(partial(_out_and_in, work, "diffusion_policy", "buffer.zarr"),
                      partial(_out_and_in, work, "umi", "umi.zarr.zip"))


def _out_and_in(work: Path, kind: Kind, name: str) -> list[Row]:
    store, to = recorded(work), work / name
    with timed() as writing, DemoStore.open(store) as opened:
        done = export_replay_buffer(opened, episodes_of(store), to, kind)
    said = _read(kind, _environment(work / f"pinned-{kind}", PINNED[kind]), to)
    with timed() as reading:
        back = import_replay_buffer(to, work / f"from-{kind}", 30)
    pictures = done.frames * len(done.cameras)
    return [Row(path=f"store → {kind} → its pinned {PINNED[kind][0]}", rows=done.frames,
                frames=pictures, seconds=writing.seconds,
                ok=said.split()[:3] == [str(done.episodes), str(done.frames), str(pictures)],
                check=f"episodes, frames, pictures, keys: {said}"),
            Row(path=f"{kind} → store", rows=back.frames, frames=pictures, seconds=reading.seconds,
                ok=(back.episodes, back.frames) == (done.episodes, done.frames),
                check="as many episodes and frames")]


def _environment(folder: Path, packages: tuple[str, ...]) -> Path | None:
    uv, python = Path(sys.executable).with_name("uv"), folder / "bin/python"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for one in (*sorted(pyenv.glob(f"versions/{PYTHON}.*/bin/python")), PYTHON):
        made = [subprocess.run([uv, *words], capture_output=True, timeout=200).returncode == 0
                for words in (["venv", "--quiet", "--no-python-downloads", "--clear", "--python",
                               str(one), str(folder)],
                              ["pip", "install", "--quiet", "--python", str(python), *packages])]
        if all(made):
            return python
    return None


def _read(kind: Kind, python: Path | None, path: Path) -> str:
    if python is None:
        return f"not read: no Python {PYTHON} with {' '.join(PINNED[kind])}"
    code = _CODEC + _READ if kind == "umi" else _READ       # diffusion_policy's pictures need none
    done = subprocess.run([python, "-c", code, str(path)], capture_output=True, text=True,
                          timeout=100)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]
