"""What made a recording: packages with their versions, the commit of a checkout, and the policy.

Written into every episode. Knows installed packages and git; keeps no path of the machine.
"""

from importlib.metadata import version
from pathlib import PurePath

from policy.training.provenance import mark_code

PACKAGES = ("tandem-studio", "mujoco", "zarr", "numpy")


def title_of(policy: str) -> str:
    """A policy by its run, or its run and checkpoint; an address stays what it is."""
    folder = PurePath(policy)
    checkpoint = folder.parent.name == "checkpoints"
    return f"{folder.parent.parent.name}/{folder.name}" if checkpoint else folder.name


def made_with() -> dict[str, str]:
    """Name to version; with the commit where this runs from a checkout, which asks git."""
    code = mark_code()
    commit = {"commit": code.commit + ("+" if code.changed else "")} if code.commit else {}
    return {name: version(name) for name in PACKAGES} | commit
