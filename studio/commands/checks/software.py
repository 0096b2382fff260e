"""Python and the packages that the studio stands on."""

import sys
from collections.abc import Iterable
from importlib import metadata

from studio.commands.checks.finding import Finding, Surroundings

_OURS = "tandem-studio"
_REINSTALL = "run `make setup` in the checkout, or install tandem-studio again"


def check_python(_: Surroundings) -> list[Finding]:
    """The one Python version that everything was pinned for."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] == (3, 12):
        return [Finding("python", "ok", f"Python {version}")]
    return [Finding("python", "fail", f"Python {version}, but 3.12 is needed",
                    "install Python 3.12 and run `make setup`")]


def check_packages(_: Surroundings) -> list[Finding]:
    """Every package that tandem-studio declares, at a version that it allows."""
    try:
        required = metadata.requires(_OURS) or []
    except metadata.PackageNotFoundError:
        return [Finding("packages", "fail", f"{_OURS} itself is not installed", _REINSTALL)]
    return judge_packages(required)


def check_environments(_: Surroundings) -> list[Finding]:
    """What `--robot gym:…` needs."""
    from studio.sim.gym.catalog import INSTALL, packages

    found = packages()
    missing = [name for name, version in found.items() if not version]
    if missing:
        return [Finding("gymnasium environments", "warn",
                        f"{' and '.join(missing)} not installed: no --robot gym:… of theirs",
                        INSTALL)]
    return [Finding("gymnasium environments", "ok", "for --robot gym:…: " + ", ".join(
        f"{name} {version}" for name, version in found.items()))]


def judge_packages(required: Iterable[str]) -> list[Finding]:
    """Compare requirement strings with what is installed."""
    from packaging.requirements import Requirement

    wrong, count = [], 0
    for text in required:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate():
            continue
        count += 1
        try:
            installed = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f"{requirement.name} is {installed}, not {requirement.specifier}")
    if wrong:
        return [Finding("packages", "fail", "; ".join(wrong), _REINSTALL)]
    return [Finding("packages", "ok", f"all {count} packages as required")]
