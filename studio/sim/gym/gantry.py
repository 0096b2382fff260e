"""An environment's hand as a gantry: slides that a tool hangs from.

With it kinematics, clutch, safety and policies in tool space work on an environment as on any arm.
Knows geometry and names; knows no environment.
"""

import mujoco

from recorders.streams import StreamSpec
from studio.devices.interfaces import RobotInfo
from studio.sim.gym.world import Slides

GRIPPER = "gripper"
TOOL = "tool"
MARGIN_M = 0.02     # the station keeps this far from a joint's limit; the environment has its own
_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
POINTING_DOWN = (0.0, 1.0, 0.0, 0.0)       # tool x ahead, z down
# In m/s, m/s², m/s³: a little faster than the station lets any tool move.
_MAX_VELOCITY, _MAX_ACCELERATION, _MAX_JERK = 0.6, 6.0, 120.0
_GRIPPER_MOTION = (4.0, 60.0, 2000.0)       # as the simulated arm's


def gantry_xml(slides: Slides) -> str:
    """MJCF of the slides, the hand and a floor."""
    spec = mujoco.MjSpec()
    spec.modelname = "gantry"
    spec.compiler.degree = False
    world = spec.worldbody
    world.add_light(pos=(0.4, 0.0, 2.0), dir=(0.0, 0.0, -1.0))
    world.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_BOX, size=(0.35, 0.5, 0.005),
                   pos=(0.45, 0.0, -0.005), rgba=(0.75, 0.73, 0.7, 1.0))
    body = world
    for name, lower, upper in zip(slides.names, slides.lower, slides.upper, strict=True):
        body = body.add_body(name=f"carriage_{name}")
        fixed = [0.0 if axis in slides.names else at
                 for axis, at in zip("xyz", slides.home, strict=True)]
        if name == slides.names[0]:
            body.pos = fixed
        body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=_AXES[name],
                       range=(lower - MARGIN_M, upper + MARGIN_M),
                       limited=mujoco.mjtLimited.mjLIMITED_TRUE)
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(0.004, 0.0, 0.0),
                      rgba=(0.5, 0.5, 0.55, 1.0))
    body.add_geom(name="hand", type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=(0.012, 0.03, 0.0),
                  pos=(0.0, 0.0, 0.03), rgba=(0.2, 0.4, 0.75, 1.0))
    body.add_site(name=TOOL, quat=POINTING_DOWN, size=(0.006, 0.0, 0.0))
    spec.compile()
    return spec.to_xml()


def gantry_info(name: str, slides: Slides, streams: tuple[StreamSpec, ...]) -> RobotInfo:
    """What the station is told about a robot that is such a gantry.

    Its "joint positions" are metres; the gripper comes last, also where there is none to see.
    """
    count = len(slides.names)
    motion = zip((_MAX_VELOCITY, _MAX_ACCELERATION, _MAX_JERK), _GRIPPER_MOTION, strict=True)
    velocity, acceleration, jerk = ((*[slide] * count, gripper) for slide, gripper in motion)
    home = (at for axis, at in zip("xyz", slides.home, strict=True) if axis in slides.names)
    return RobotInfo(
        name=name, joint_names=(*slides.names, GRIPPER),
        lower=(*(low - MARGIN_M for low in slides.lower), 0.0),
        upper=(*(high + MARGIN_M for high in slides.upper), 1.0),
        max_velocity=velocity, max_acceleration=acceleration, max_jerk=jerk, home=(*home, 1.0),
        model_xml=gantry_xml(slides), tool_site=TOOL, arm_joints=slides.names, streams=streams)
