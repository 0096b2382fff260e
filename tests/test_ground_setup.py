"""A fresh clone sets itself up: what the two commands stand on is there, pinned and portable."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parent.parent
MAX_FILE_BYTES = 2 * 1024 * 1024


def pinned() -> dict[str, Version]:
    lines = (line.strip() for line in (ROOT / "requirements.lock").read_text().splitlines())
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(r.name): Version(str(r.specifier).removeprefix("=="))
            for r in requirements}


def declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [Requirement(text) for text in (*project["project"]["dependencies"],
                                           *project["dependency-groups"]["dev"],
                                           *project["build-system"]["requires"])]


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("requirement", declared(), ids=lambda r: r.name)
def test_the_lock_pins_every_declared_package_inside_its_range(requirement):
    assert pinned()[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_lock_names_no_index_and_no_folder_of_one_machine():
    options = [line for line in (ROOT / "requirements.lock").read_text().splitlines()
               if line.startswith("-") or "://" in line or "@" in line]
    assert options == []


def test_all_packages_that_the_studio_was_asked_to_use_are_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    assert {"gradio", "dearpygui", "torch", "lerobot", "pyspacemouse", "zarr", "rerun-sdk",
            "pyrealsense2"} <= names


@pytest.mark.parametrize("target", ["run", "test", "demo", "check", "bench", "torture"])
def test_make_knows_the_target_and_sets_up_first(target):
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    dry = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True,
                         check=True, env=alone)        # these tests may run under make themselves
    assert "bash .ci/setup" in dry.stdout.splitlines()[0]


def test_continuous_integration_runs_make_test():
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("script", ["run", "setup"])
def test_shell_scripts_parse_and_may_be_executed(script):
    path = ROOT / ".ci" / script
    subprocess.run(["bash", "-n", path], check=True)
    assert path.stat().st_mode & 0o111


def test_no_file_is_too_big_for_the_repository():
    assert [p for p in tracked_files() if p.stat().st_size > MAX_FILE_BYTES] == []


def test_no_file_names_a_package_registry_or_a_home_folder():
    # In pieces, so that this file does not find itself.
    words = ["pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs",
             "/" + "root/", "/" + "work/"]
    forbidden = re.compile("|".join(words).encode())
    assert [str(p.relative_to(ROOT)) for p in tracked_files()
            if forbidden.search(p.read_bytes())] == []
