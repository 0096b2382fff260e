"""What a task looks at: the simulated scene in the task's own words.

Knows the names in the scene's model and nothing about goals. Reads the simulator's own truth, as a
detector should; the scripted operator may not use it and lives on recorded streams instead. MuJoCo
is not imported: the model and its data are handed in.
"""

from typing import Any, Protocol

import numpy as np

from studio.sim.instructions import COLOURS

CUBE_HALF_M = 0.022


class TaskWorld(Protocol):
    """The part of a simulated world that tasks need."""

    @property
    def model(self) -> Any:
        """A mujoco.MjModel."""
        ...

    @property
    def data(self) -> Any:
        """A mujoco.MjData."""
        ...


class SceneView:
    """Named quantities of a world, looked up once and read often.

    Args:
        world: holds `model` and `data` as MuJoCo objects.
    """

    def __init__(self, world: TaskWorld) -> None:
        self.model, self.data = world.model, world.data
        model = self.model
        self._tool = model.site("arm/tool").id
        self._bin = model.body("bin").id
        cubes = {colour: model.body(f"cube_{colour}") for colour in COLOURS}
        self._cubes = {colour: int(body.id) for colour, body in cubes.items()}
        self._cube_dofs = {colour: int(body.dofadr[0]) for colour, body in cubes.items()}
        self._button_qpos = model.joint("button_press").qposadr[0]
        self._drawer_qpos = model.joint("drawer_slide").qposadr[0]
        self._drawer_dof = model.joint("drawer_slide").dofadr[0]
        self._handle = model.site("drawer_handle").id
        self._cap = model.body(model.jnt_bodyid[model.joint("button_press").id]).id
        self._force_adr = model.sensor("button_force").adr[0]
        self._arm_bodies = frozenset(i for i in range(model.nbody)
                                     if model.body(i).name.startswith("arm/"))

    @property
    def tool_m(self) -> np.ndarray:
        """(3,) the point between the finger tips, in the world."""
        return self.data.site_xpos[self._tool]

    @property
    def button_m(self) -> np.ndarray:
        """(3,) the button's cap, in the world."""
        return self.data.xpos[self._cap]

    @property
    def button_depth_m(self) -> float:
        """How far the cap is pressed in."""
        return abs(float(self.data.qpos[self._button_qpos]))

    @property
    def button_force_n(self) -> float:
        """The force with which the button is pressed."""
        return float(self.data.sensordata[self._force_adr])

    @property
    def handle_m(self) -> np.ndarray:
        """(3,) the drawer's handle, in the world."""
        return self.data.site_xpos[self._handle]

    @property
    def drawer_opening_m(self) -> float:
        """How far the drawer is pulled out."""
        return abs(float(self.data.qpos[self._drawer_qpos]))

    @property
    def drawer_speed_m_s(self) -> float:
        """How fast the drawer slides, without its sign."""
        return abs(float(self.data.qvel[self._drawer_dof]))

    def cube_m(self, colour: str) -> np.ndarray:
        """(3,) a cube's centre, in the world."""
        return self.data.xpos[self._cubes[colour]]

    @property
    def places_m(self) -> dict[str, np.ndarray]:
        """(3,) of what words may refer to, by the names in `OBJECT_NAMES`."""
        return {"bin": self.bin_m, "button": self.button_m, "drawer_handle": self.handle_m,
                **{f"cube_{colour}": self.cube_m(colour) for colour in COLOURS}}

    @property
    def bin_m(self) -> np.ndarray:
        """(3,) the middle of the bin's foot, in the world."""
        return self.data.xpos[self._bin]

    def cube_in_bin_frame_m(self, colour: str) -> np.ndarray:
        """(3,) a cube's centre, in the bin's frame."""
        bin_from_world = self.data.xmat[self._bin].reshape(3, 3).T
        return bin_from_world @ (self.cube_m(colour) - self.bin_m)

    def cube_speed_m_s(self, colour: str) -> float:
        """Linear speed of a cube, with its rotation counted at its edge."""
        first = self._cube_dofs[colour]
        velocity = self.data.qvel[first:first + 6]
        return float(np.linalg.norm(velocity[:3]) + CUBE_HALF_M * np.linalg.norm(velocity[3:]))

    def cube_velocity_m_s(self, colour: str) -> np.ndarray:
        """(3,) of a cube's centre, in the world."""
        first = self._cube_dofs[colour]
        return self.data.qvel[first:first + 3]

    def arm_touches(self, colour: str) -> bool:
        """Whether any part of the arm is in contact with a cube."""
        cube = self._cubes[colour]
        pairs = self.model.geom_bodyid[self.data.contact.geom]      # (contacts, 2)
        return any((a == cube and b in self._arm_bodies) or (b == cube and a in self._arm_bodies)
                   for a, b in pairs)
