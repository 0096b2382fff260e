"""The rooms know each other in one direction only, and nothing heavy is imported by the way."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("recorders", "policy", "studio")


class Import(NamedTuple):
    importer: str           # "studio.devices.gamepad"
    imported: str           # "pygame", "recorders.streams.Batch"
    when_imported: bool     # at module level: it costs whoever imports the importer
    line: int


class _Walker(ast.NodeVisitor):
    """Collects imports; those inside functions and under TYPE_CHECKING cost nothing at import."""

    def __init__(self, importer: str) -> None:
        self.importer, self.depth, self.found = importer, 0, []

    def _add(self, name: str, line: int) -> None:
        self.found.append(Import(self.importer, name, self.depth == 0, line))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.level == 0, f"{self.importer}:{node.lineno} imports relatively"
        for alias in node.names:
            self._add(f"{node.module}.{alias.name}", node.lineno)

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.dump(node.test):
            self.generic_visit(node)

    def _inside(self, node: ast.AST) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _inside


def imports_of(module: str, source: str) -> list[Import]:
    walker = _Walker(module)
    walker.visit(ast.parse(source))
    return walker.found


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def our_imports() -> Iterator[Import]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield from imports_of(module_name(path), path.read_text())


def is_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def violations(imports: list[Import], of: tuple[str, ...], never: tuple[str, ...]) -> list[str]:
    return [f"{i.importer}:{i.line} imports {i.imported}" for i in imports
            if is_in(i.importer, of) and is_in(i.imported, never)]


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    found = list(our_imports())
    assert len(found) > 50      # the walk itself works
    return found


SCREENS = ("studio.console", "studio.web")
DOOR = ("studio.cli", "studio.commands")


@pytest.mark.parametrize(("of", "never"), [
    (("recorders",), ("policy", "studio")),
    (("policy",), ("studio",)),
    (("studio.station",), ("studio.views", *SCREENS, *DOOR)),
    (("studio.devices",), ("studio.views", *SCREENS, *DOOR, "studio.station")),
    (("studio.sim",), ("studio.views", *SCREENS, *DOOR, "studio.station")),
    (("studio.views",), (*SCREENS, *DOOR)),
    (("studio.web",), ("studio.console", *DOOR)),
    (("studio.console",), ("studio.web", *DOOR)),
], ids=lambda packages: "+".join(packages))
def test_a_room_never_imports_one_that_stands_above_it(imports, of, never):
    assert violations(imports, of, never) == []


SHARED = ("actions", "errors", "interfaces", "rotations", "statistics", "text", "words")
LAYERS = (SHARED, ("backbones", "monitoring"), ("data",), ("network",), ("runs",),
          ("training", "driving"), ("versions",), ("peers",), ("foreign",))


def in_policy(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"policy.{name}" for name in names)


@pytest.mark.parametrize("floor", range(len(LAYERS)), ids=["+".join(layer) for layer in LAYERS])
def test_a_layer_of_policy_never_imports_one_that_stands_above_it(imports, floor):
    above = sum(LAYERS[floor + 1:], ())
    assert violations(imports, in_policy(LAYERS[floor]), in_policy(above)) == []


def test_training_and_driving_know_nothing_of_each_other(imports):
    assert violations(imports, ("policy.driving",), ("policy.training",)) == []
    assert violations(imports, ("policy.training",), ("policy.driving",)) == []


def test_every_file_of_policy_stands_on_a_layer():
    names = {path.stem for path in (ROOT / "policy").iterdir()
             if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert names - {"__init__"} == set(sum(LAYERS, ()))


@pytest.mark.parametrize(("package", "only_in"), [
    ("dearpygui", "studio.console"),
    ("gradio", "studio.web"),
])
def test_a_screen_toolkit_is_imported_only_by_its_own_room(imports, package, only_in):
    assert [i for i in imports
            if is_in(i.imported, (package,)) and not is_in(i.importer, (only_in,))] == []


DRIVERS = ("pyspacemouse", "easyhid", "hid", "hidapi", "pygame", "pyrealsense2", "serial",
           "scservo_sdk", "lerobot")


PLUGIN = ("studio.lerobot_plugin",)         # LeRobot imports it; it stands on LeRobot's own classes


def test_a_driver_is_imported_only_inside_the_function_that_connects_it(imports):
    assert [i for i in imports if i.when_imported and is_in(i.imported, DRIVERS)
            and not is_in(i.importer, PLUGIN)] == []


def test_nothing_of_ours_imports_what_is_there_for_lerobot(imports):
    assert [i for i in imports if is_in(i.imported, PLUGIN) and not is_in(i.importer, PLUGIN)] == []


def test_recorders_never_import_torch(imports):
    assert violations(imports, ("recorders",), ("torch", "lerobot.policies")) == []


def test_nothing_is_pickled(imports):
    assert violations(imports, ROOMS, ("pickle", "cloudpickle", "dill", "shelve", "marshal")) == []
    through_torch = [path.name for room in ROOMS for path in (ROOT / room).rglob("*.py")
                     if re.search(r"\btorch\.(load|save)\(", path.read_text())]
    assert through_torch == []


HEAVY = ("torch", "lerobot", "transformers", "dearpygui", "gradio", "pygame", "pyspacemouse",
         "pyrealsense2", "datasets")


@pytest.mark.parametrize("module", ["studio.station.loop.control_loop", "recorders.store",
                                    "recorders.episode_reader", "studio.sim.tasks"])
def test_importing_the_real_time_core_brings_neither_torch_nor_a_screen_nor_lerobot(module):
    probe = (f"import sys, {module}\n"
             f"print(*sorted(n for n in {HEAVY} if n in sys.modules))")
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    assert done.stdout.split() == []


def test_no_python_lives_under_datasets():
    """It would shadow Hugging Face's package of that name, on which lerobot stands."""
    assert [*(ROOT / "datasets").rglob("*.py"), *(ROOT / "datasets").rglob("*.pyi")] == []


def test_the_walk_sees_imports_in_functions_and_skips_those_for_types_only():
    found = imports_of("recorders.example", "\n".join([
        "from typing import TYPE_CHECKING",
        "import policy.network.config",
        "if TYPE_CHECKING:",
        "    import studio.station",
        "def connect():",
        "    from pygame import joystick",
    ]))
    assert violations(found, ("recorders",), ("policy", "studio")) == [
        "recorders.example:2 imports policy.network.config"]
    assert [(i.imported, i.when_imported) for i in found[-1:]] == [("pygame.joystick", False)]
