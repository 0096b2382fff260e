"""The arm: seven joints and a parallel gripper, built of primitives.

A spherical shoulder, a hinge elbow and a spherical wrist, straight up when every joint is zero, so
that each body's frame is parallel to the base there and the whole kinematics are the lengths below.
This file knows the arm's shape, masses, motors and sensors; it knows no table and no task. Names
carry no prefix: `add_arm` attaches the arm under a name, so that a scene may have two.
"""

import math

import mujoco
import numpy as np

N_JOINTS = 7
SHOULDER_Z_M, UPPER_ARM_M, FOREARM_M = 0.30, 0.38, 0.36
FINGER_TRAVEL_M = 0.04                      # of each finger; the opening is twice as wide

# The elbow cannot stretch nor fold backwards, which keeps inverse kinematics on one branch.
LOWER_RAD = (-2.9, -1.9, -2.9, 0.08, -2.9, -1.6, -2.9)
UPPER_RAD = (2.9, 1.9, 2.9, 2.55, 2.9, 2.2, 2.9)
# Tool 0.45 m ahead, 0.25 m above the table, pointing down: the pitch angles add up to pi.
HOME_RAD = (0.0, 0.431, 0.0, 1.768, 0.0, math.pi - 0.431 - 1.768, 0.0)

# Gains: damping over stiffness is the time by which a joint follows its target, 18 to 25 ms.
_STIFFNESS = (9000, 9000, 6000, 6000, 2000, 2000, 1500)         # N·m/rad
_DAMPING = (200, 200, 120, 120, 36, 36, 28)                     # N·m·s/rad
_TORQUE_NM = (180, 180, 110, 110, 40, 40, 40)

_SHELL, _JOINT, _ACCENT, _RUBBER = "shell", "joint", "accent", "rubber"


def add_arm(spec: mujoco.MjSpec, name: str, *, world_from_base: np.ndarray) -> None:
    """Attach an arm to a scene.

    Args:
        spec: the scene; changed in place.
        name: prefix of everything in the arm: joint "arm/joint1", site "arm/tool".
        world_from_base: (7,) where it stands: x y z in m, then the quaternion w x y z.
    """
    frame = spec.worldbody.add_frame(pos=world_from_base[:3], quat=world_from_base[3:])
    spec.attach(_arm_spec(), prefix=f"{name}/", frame=frame)


def _arm_spec() -> mujoco.MjSpec:
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    for material, rgb, specular, shininess in (
        (_SHELL, (0.93, 0.93, 0.91), 0.5, 0.6),
        (_JOINT, (0.20, 0.22, 0.25), 0.4, 0.5),
        (_ACCENT, (0.96, 0.55, 0.20), 0.3, 0.4),
        (_RUBBER, (0.12, 0.13, 0.14), 0.1, 0.2),
    ):
        spec.add_material(name=material, rgba=(*rgb, 1.0), specular=specular, shininess=shininess)

    base = spec.worldbody.add_body(name="base")
    _cylinder(base, _JOINT, radius=0.085, low=0.0, high=0.022)
    _cylinder(base, _SHELL, radius=0.066, low=0.022, high=0.155)
    _cylinder(base, _ACCENT, radius=0.0675, low=0.022, high=0.030)

    link1 = _link(spec, base, 1, z_m=0.16, axis="z", mass_kg=3.5)
    _cylinder(link1, _JOINT, radius=0.062, low=-0.006, high=0.004)
    _cylinder(link1, _SHELL, radius=0.062, low=0.004, high=0.14)
    _housing(link1, z_m=0.14, radius=0.064, half_length=0.072)

    link2 = _link(spec, link1, 2, z_m=SHOULDER_Z_M - 0.16, axis="y", mass_kg=3.0)
    _cylinder(link2, _SHELL, radius=0.056, low=0.0, high=0.19)

    link3 = _link(spec, link2, 3, z_m=0.20, axis="z", mass_kg=2.2)
    _cylinder(link3, _JOINT, radius=0.054, low=-0.010, high=0.0)
    _cylinder(link3, _SHELL, radius=0.053, low=0.0, high=UPPER_ARM_M - 0.20)
    _housing(link3, z_m=UPPER_ARM_M - 0.20, radius=0.055, half_length=0.062)

    link4 = _link(spec, link3, 4, z_m=UPPER_ARM_M - 0.20, axis="y", mass_kg=1.8)
    _cylinder(link4, _SHELL, radius=0.047, low=0.0, high=0.175)

    link5 = _link(spec, link4, 5, z_m=0.185, axis="z", mass_kg=1.2)
    _cylinder(link5, _JOINT, radius=0.045, low=-0.010, high=0.0)
    _cylinder(link5, _SHELL, radius=0.044, low=0.0, high=FOREARM_M - 0.185, collides=True)
    _housing(link5, z_m=FOREARM_M - 0.185, radius=0.045, half_length=0.052)

    link6 = _link(spec, link5, 6, z_m=FOREARM_M - 0.185, axis="y", mass_kg=0.9)
    _cylinder(link6, _SHELL, radius=0.038, low=0.0, high=0.055, collides=True)

    link7 = _link(spec, link6, 7, z_m=0.06, axis="z", mass_kg=0.4)
    _cylinder(link7, _JOINT, radius=0.037, low=-0.006, high=0.0)
    _cylinder(link7, _ACCENT, radius=0.0375, low=0.0, high=0.004)
    _cylinder(link7, _JOINT, radius=0.036, low=0.004, high=0.026)
    _add_hand(spec, link7)
    _add_sensors(spec)
    return spec


def _add_hand(spec: mujoco.MjSpec, flange: mujoco.MjsBody) -> None:
    """Turned by half a turn, so that with the tool pointing down its x points ahead."""
    hand = flange.add_body(name="hand", pos=(0, 0, 0.026), quat=(0, 0, 0, 1), gravcomp=1)
    hand.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(0.024, 0.062, 0.021), pos=(0, 0, 0.025),
                  mass=0.5, material=_JOINT, contype=0, conaffinity=1)
    for side in (-1, 1):
        hand.add_geom(type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=(0.024, 0.021, 0),
                      pos=(0, side * 0.062, 0.025), mass=0.05, material=_JOINT,
                      contype=0, conaffinity=1)
    hand.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(0.0245, 0.045, 0.003), pos=(0, 0, 0.02),
                  mass=0, material=_ACCENT, contype=0, conaffinity=0)
    # The wrist camera's body, in front of the palm; it looks at the finger tips.
    hand.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(0.026, 0.014, 0.009),
                  pos=(0.050, 0, -0.001), mass=0.04, material=_RUBBER, contype=0, conaffinity=0)
    # Far enough out that the palm stays below the picture's edge.
    tilt = math.radians(12)
    hand.add_camera(name="wrist", pos=(0.072, 0, 0.012), fovy=72,
                    quat=_camera_quat(view=(-math.sin(tilt), 0, math.cos(tilt)), up=(1, 0, 0)))
    hand.add_site(name="wrist_sensor", size=(0.005, 0.005, 0.005), rgba=(0, 0, 0, 0))
    hand.add_site(name="tool", pos=(0, 0, 0.100), size=(0.004, 0.004, 0.004), rgba=(0, 0, 0, 0))
    # Seen from the base, with the tool pointing down, "left" is the world's +y: the tool's -y.
    for finger_name, side in (("left", -1), ("right", 1)):
        finger = hand.add_body(name=f"finger_{finger_name}", pos=(0, 0, 0.046), gravcomp=1)
        finger.add_joint(name=f"finger_{finger_name}", type=mujoco.mjtJoint.mjJNT_SLIDE,
                         axis=(0, side, 0), range=(0, FINGER_TRAVEL_M), armature=0.1)
        finger.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=(0.010, 0.007, 0.021),
                        pos=(0, side * 0.016, 0.021), mass=0.02, material=_SHELL,
                        contype=0, conaffinity=1)
        finger.add_geom(name=f"pad_{finger_name}", type=mujoco.mjtGeom.mjGEOM_BOX,
                        size=(0.010, 0.006, 0.018), pos=(0, side * 0.006, 0.050), mass=0.015,
                        material=_RUBBER, contype=0, conaffinity=1, condim=4,
                        friction=(1.8, 0.05, 0.001))
        finger.add_site(name=f"pad_{finger_name}", type=mujoco.mjtGeom.mjGEOM_BOX,
                        size=(0.0115, 0.0075, 0.0195), pos=(0, side * 0.006, 0.050),
                        rgba=(0, 0, 0, 0))
    _add_motors(spec)


def _add_motors(spec: mujoco.MjSpec) -> None:
    for i in range(N_JOINTS):
        motor = spec.add_actuator(name=f"joint{i + 1}", target=f"joint{i + 1}",
                                  trntype=mujoco.mjtTrn.mjTRN_JOINT,
                                  forcerange=(-_TORQUE_NM[i], _TORQUE_NM[i]))
        motor.set_to_position(kp=_STIFFNESS[i], kv=_DAMPING[i])
    equality = spec.add_equality(type=mujoco.mjtEq.mjEQ_JOINT, name1="finger_left",
                                 name2="finger_right", objtype=mujoco.mjtObj.mjOBJ_JOINT)
    equality.data[:5] = (0, 1, 0, 0, 0)         # one screw drives both fingers
    tendon = spec.add_tendon(name="fingers")
    for finger_name in ("left", "right"):
        tendon.wrap_joint(f"finger_{finger_name}", 0.5)
    gripper = spec.add_actuator(name="gripper", target="fingers",
                                trntype=mujoco.mjtTrn.mjTRN_TENDON,
                                ctrlrange=(0, FINGER_TRAVEL_M), forcerange=(-30, 30))
    gripper.set_to_position(kp=2000, kv=60)     # closes on a cube with about 15 N a finger


def _add_sensors(spec: mujoco.MjSpec) -> None:
    site, body = mujoco.mjtObj.mjOBJ_SITE, mujoco.mjtObj.mjOBJ_BODY
    for name, kind, obj, obj_name in (
        ("wrist_force", mujoco.mjtSensor.mjSENS_FORCE, site, "wrist_sensor"),
        ("wrist_torque", mujoco.mjtSensor.mjSENS_TORQUE, site, "wrist_sensor"),
        ("wrist_pose", mujoco.mjtSensor.mjSENS_FRAMEQUAT, site, "wrist_sensor"),
        ("wrist_position", mujoco.mjtSensor.mjSENS_FRAMEPOS, site, "wrist_sensor"),
        ("hand_com", mujoco.mjtSensor.mjSENS_SUBTREECOM, body, "hand"),
        ("touch_left", mujoco.mjtSensor.mjSENS_TOUCH, site, "pad_left"),
        ("touch_right", mujoco.mjtSensor.mjSENS_TOUCH, site, "pad_right"),
    ):
        spec.add_sensor(name=name, type=kind, objtype=obj, objname=obj_name)


def _link(spec: mujoco.MjSpec, parent: mujoco.MjsBody, number: int, *, z_m: float, axis: str,
          mass_kg: float) -> mujoco.MjsBody:
    body = parent.add_body(name=f"link{number}", pos=(0, 0, z_m), gravcomp=1)
    body.add_joint(name=f"joint{number}", axis=(0, 1, 0) if axis == "y" else (0, 0, 1),
                   range=(LOWER_RAD[number - 1], UPPER_RAD[number - 1]), armature=0.1, damping=1)
    # Shells are decoration; a slender solid inside carries the mass.
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=(0, 0, 0, 0, 0, 0.08),
                  size=(0.03, 0, 0), mass=mass_kg, contype=0, conaffinity=0, rgba=(0, 0, 0, 0),
                  group=4)
    return body


def _cylinder(body: mujoco.MjsBody, material: str, *, radius: float, low: float, high: float,
              collides: bool = False) -> None:
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_CYLINDER, fromto=(0, 0, low, 0, 0, high),
                  size=(radius, 0, 0), mass=0, material=material, contype=0,
                  conaffinity=int(collides))


def _housing(body: mujoco.MjsBody, *, z_m: float, radius: float, half_length: float) -> None:
    """The drum of a hinge: a shell across the arm with dark, ringed ends."""
    for material, r, half in ((_SHELL, radius, half_length),
                              (_ACCENT, radius * 0.86, half_length + 0.003),
                              (_JOINT, radius * 0.78, half_length + 0.006)):
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_CYLINDER, fromto=(0, -half, z_m, 0, half, z_m),
                      size=(r, 0, 0), mass=0, material=material, contype=0, conaffinity=0)


def _camera_quat(*, view: tuple[float, float, float], up: tuple[float, float, float]) -> np.ndarray:
    """The orientation of a camera (looking along its -z, y up) from two directions."""
    back = -np.asarray(view) / np.linalg.norm(view)
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, np.column_stack([right, np.cross(back, right), back]).ravel())
    return quat
