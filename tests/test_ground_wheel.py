"""What is built from the checkout works without the checkout."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parent.parent
# None of these may be imported to answer `tandem --help`: a count, not a time.
HEAVY = ("torch", "lerobot", "mujoco", "mink", "zarr", "gradio", "rerun", "numpy", "dearpygui",
         "pygame", "tyro", "rich", "zmq")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
                   cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """An environment that holds the wheel, and the dependencies of the one that runs the tests."""
    folder = tmp_path_factory.mktemp("isolated") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # A .pth inside a .pth is not followed, so the editable checkout stays out of reach.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def run_isolated(installed: Path, code: str, cwd: Path) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([installed / "bin" / "python", "-c", code], cwd=cwd, env=environment,
                          capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_wheel_holds_the_three_rooms_and_the_assets_and_no_top_level_datasets(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {
        "recorders", "policy", "studio"}
    assets = [path.relative_to(ROOT).as_posix() for path in (ROOT / "ui_assets").rglob("*")
              if path.is_file()]
    assert assets and {f"studio/{name}" for name in assets} <= set(names)


def test_an_installed_wheel_answers_help_without_importing_anything_heavy(installed, tmp_path):
    *help_text, origin, heavy = run_isolated(installed, (
        "import sys\nfrom studio import cli\nassert cli.main(['--help']) == 0\n"
        f"print(cli.__file__)\nprint([n for n in {HEAVY} if n in sys.modules])"), tmp_path)
    assert any(line.split()[:1] == ["record"] for line in help_text)
    assert Path(origin).is_relative_to(installed)
    assert heavy == "[]"


def test_an_installed_wheel_brings_the_tandem_command_and_the_image_codecs(installed, tmp_path):
    lines = run_isolated(installed, (
        "from importlib.metadata import distribution\n"
        "for point in distribution('tandem-studio').entry_points:\n"
        "    print(point.group, point.name, callable(point.load()))"), tmp_path)
    assert sorted(lines) == ["console_scripts tandem True",
                             "zarr.codecs imagecodecs_jpeg True",
                             "zarr.codecs imagecodecs_jpegxl True"]


def test_an_installed_wheel_lists_the_tasks_from_any_folder(installed, tmp_path):
    lines = run_isolated(installed, (
        "from studio import cli\nassert cli.main(['tasks', '--json']) == 0"), tmp_path)
    assert len(lines) == 1 and lines[0].startswith('{"tasks":')
