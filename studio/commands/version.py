"""`tandem version`: the versions that a bug report needs, read without importing anything big."""

import platform
from dataclasses import dataclass
from importlib import metadata

from studio.commands.output import Answer, Screen

# What decides how a recording looks and behaves.
_PACKAGES = ("tandem-studio", "lerobot", "mujoco", "numpy", "rerun-sdk", "torch", "zarr")


@dataclass(frozen=True, kw_only=True)
class Version:
    """Print the versions of Tandem Studio, of Python and of what it stands on."""

    json: bool = False
    """Print one JSON object instead of lines."""

    def run(self, screen: Screen) -> Answer:
        """Print the versions."""
        versions = {name: _version_of(name) for name in _PACKAGES}
        versions["python"] = platform.python_version()
        for name, version in versions.items():
            screen.print(f"{name} {version}")
        return Answer({"versions": versions})


def _version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"
