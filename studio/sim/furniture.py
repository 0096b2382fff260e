"""What stands on and around the table: shapes, colours, springs and masses.

Each function adds one thing to a specification and returns nothing. Lengths are in metres; the
table's top is z = 0, x points away from the arm, y to its left.
"""

import mujoco

_BOX, _CYLINDER = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER

CUBE_HALF_M = 0.022
CUBE_MASS_KG = 0.08
BIN_HALF_M = 0.075                  # outer; the walls are 3 mm
BIN_HEIGHT_M = 0.055
BUTTON_TRAVEL_M = 0.015
BUTTON_TOP_M = 0.052                # height of the cap's top at rest
BUTTON_STIFFNESS_N_PER_M = 750.0
BUTTON_PRELOAD_N = 1.5
DRAWER_TRAVEL_M = 0.15
CHEST_HALF_M = (0.088, 0.082)        # outer depth and width
CHEST_HEIGHT_M = 0.10


def add_room(spec: mujoco.MjSpec) -> None:
    """Table, floor, back wall, lights, and the fixed cameras."""
    visual = spec.visual
    visual.global_.offwidth, visual.global_.offheight = 1920, 1440
    visual.quality.offsamples = 0
    visual.quality.shadowsize = 2048
    # Drawing on a CPU costs by the vertex: boxes and cylinders need few (measured: 2.7 to 1.1 ms).
    visual.quality.numslices, visual.quality.numstacks, visual.quality.numquads = 24, 2, 2
    visual.headlight.ambient[:] = 0.38
    visual.headlight.diffuse[:] = 0.22
    visual.headlight.specular[:] = 0.05
    visual.map.znear, visual.map.zfar = 0.012, 12.0
    spec.stat.extent = 1.0
    spec.stat.center = (0.4, 0.0, 0.2)

    _material(spec, "wood", (0.80, 0.68, 0.53), specular=0.25, shininess=0.4)
    _material(spec, "mat", (0.33, 0.37, 0.42), specular=0.05)
    _material(spec, "floor", (0.46, 0.48, 0.50), specular=0.05)
    _material(spec, "wall", (0.80, 0.83, 0.85), specular=0.0)
    _material(spec, "steel", (0.35, 0.37, 0.40), specular=0.5, shininess=0.6)

    world = spec.worldbody
    # A spot: a directional light's shadows are too coarse at the table's far edge.
    world.add_light(name="key", type=mujoco.mjtLightType.mjLIGHT_SPOT, pos=(1.2, 0.9, 2.4),
                    dir=(-0.45, -0.40, -1.0), cutoff=60, exponent=1, diffuse=(0.57, 0.55, 0.52),
                    specular=(0.35, 0.35, 0.35), castshadow=True)
    world.add_light(name="fill", type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=(0.6, -1.4, 1.6),
                    dir=(-0.1, 0.8, -0.7), diffuse=(0.16, 0.18, 0.21), specular=(0.05, 0.05, 0.05),
                    castshadow=False)
    world.add_camera(name="front", pos=(1.06, 0.02, 0.62), fovy=48,
                     xyaxes=(0, 1, 0, -0.68, 0, 0.73))
    world.add_camera(name="overview", pos=(1.62, -1.08, 1.02), fovy=38,
                     xyaxes=(0.645, 0.764, 0, -0.33, 0.279, 0.902))

    top = world.add_geom(name="table", type=_BOX, size=(0.50, 0.56, 0.018),
                         pos=(0.34, 0, -0.018), material="wood")
    top.friction = (1.0, 0.005, 0.0001)
    for x in (-0.10, 0.78):
        for y in (-0.50, 0.50):
            world.add_geom(type=_BOX, size=(0.022, 0.022, 0.351), pos=(x, y, -0.387),
                           material="steel", contype=0, conaffinity=0)
    world.add_geom(type=_BOX, size=(0.25, 0.44, 0.0004), pos=(0.52, 0, 0.0), material="mat",
                   contype=0, conaffinity=0)
    world.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=(8, 8, 0.1),
                   pos=(0, 0, -0.74), material="floor")
    world.add_geom(type=_BOX, size=(0.02, 8, 2.5), pos=(-1.3, 0, 1.76), material="wall",
                   contype=0, conaffinity=0)


def add_cube(spec: mujoco.MjSpec, name: str, *, xy_m: tuple[float, float],
             rgb: tuple[float, float, float]) -> None:
    """A cube that can be picked up."""
    body = spec.worldbody.add_body(name=name, pos=(*xy_m, CUBE_HALF_M))
    body.add_freejoint(name=name)
    _material(spec, name, rgb, specular=0.3, shininess=0.5)
    body.add_geom(name=name, type=_BOX, size=(CUBE_HALF_M,) * 3, mass=CUBE_MASS_KG,
                  material=name, condim=4, friction=(1.0, 0.02, 0.001))


def add_bin(spec: mujoco.MjSpec, name: str, *, xy_m: tuple[float, float]) -> None:
    """An open box to put things into; its origin is the middle of its foot."""
    body = spec.worldbody.add_body(name=name, pos=(*xy_m, 0), mocap=True)
    _material(spec, name, (0.90, 0.88, 0.83), specular=0.2, shininess=0.3)
    _material(spec, f"{name}_floor", (0.62, 0.60, 0.56), specular=0.1)
    inner = BIN_HALF_M - 0.003
    _box(body, (inner, inner, 0.002), (0, 0, 0.002), f"{name}_floor")
    _walls(body, BIN_HALF_M, BIN_HALF_M, 0.0, BIN_HEIGHT_M, 0.003, name)


def add_button(spec: mujoco.MjSpec, name: str, *, xy_m: tuple[float, float]) -> None:
    """A spring-loaded push button with a force reading; its origin is the middle of its foot.

    The body `<name>_cap` has its origin at the middle of the cap's top; joint `<name>_press` goes
    from 0 (up) to -BUTTON_TRAVEL_M (down).
    """
    body = spec.worldbody.add_body(name=name, pos=(*xy_m, 0), mocap=True)
    _material(spec, name, (0.24, 0.26, 0.29), specular=0.4, shininess=0.5)
    _material(spec, f"{name}_ring", (0.93, 0.93, 0.91), specular=0.5, shininess=0.6)
    _material(spec, f"{name}_cap", (0.98, 0.74, 0.16), specular=0.5, shininess=0.6)
    body.add_geom(type=_CYLINDER, size=(0.050, 0.011, 0), pos=(0, 0, 0.011), material=name)
    body.add_geom(type=_CYLINDER, size=(0.036, 0.003, 0), pos=(0, 0, 0.025),
                  material=f"{name}_ring", contype=0, conaffinity=0)
    cap = body.add_body(name=f"{name}_cap", pos=(0, 0, BUTTON_TOP_M), gravcomp=1)
    cap.add_joint(name=f"{name}_press", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=(0, 0, 1),
                  range=(-BUTTON_TRAVEL_M, 0), damping=6, stiffness=BUTTON_STIFFNESS_N_PER_M,
                  solref_limit=(0.005, 1), springref=BUTTON_PRELOAD_N / BUTTON_STIFFNESS_N_PER_M)
    cap.add_geom(name=f"{name}_cap", type=_CYLINDER, size=(0.028, 0.014, 0), pos=(0, 0, -0.014),
                 mass=0.04, material=f"{name}_cap")
    cap.add_site(name=f"{name}_cap", type=_CYLINDER, size=(0.0295, 0.0155, 0), pos=(0, 0, -0.014),
                 rgba=(0, 0, 0, 0))
    spec.add_sensor(name=f"{name}_force", type=mujoco.mjtSensor.mjSENS_TOUCH,
                    objtype=mujoco.mjtObj.mjOBJ_SITE, objname=f"{name}_cap")
    # A cap inside its own base would touch it for ever: MuJoCo filters parent and child only when
    # the parent moves.
    spec.add_exclude(bodyname1=name, bodyname2=f"{name}_cap")


def add_chest(spec: mujoco.MjSpec, name: str, *, xy_m: tuple[float, float]) -> None:
    """A chest with one drawer that opens towards the arm; its origin is the middle of its foot.

    Joint `drawer_slide` goes from 0 (closed) to DRAWER_TRAVEL_M (open), site `drawer_handle` is
    the middle of the handle: a fin, to be taken from above with the fingers closing along y.
    """
    depth, width = CHEST_HALF_M
    body = spec.worldbody.add_body(name=name, pos=(*xy_m, 0), mocap=True)
    _material(spec, name, (0.50, 0.35, 0.25), specular=0.2, shininess=0.3)
    _material(spec, "drawer", (0.88, 0.82, 0.72), specular=0.2, shininess=0.3)
    _material(spec, "drawer_handle", (0.78, 0.80, 0.82), specular=0.5, shininess=0.6)
    half_height = CHEST_HEIGHT_M / 2
    # The lid overhangs: coplanar faces would flicker.
    _box(body, (depth + 0.002, width + 0.003, 0.004), (0.001, 0, CHEST_HEIGHT_M - 0.004), name)
    _box(body, (depth - 0.008, width - 0.008, 0.003), (0, 0, 0.003), name)
    wall = half_height - 0.004
    for side in (-1, 1):
        _box(body, (depth, 0.004, wall), (0, side * (width - 0.004), wall), name)
    _box(body, (0.004, width - 0.008, wall), (depth - 0.005, 0, wall), name)

    drawer = body.add_body(name="drawer", pos=(0, 0, half_height), gravcomp=1)
    drawer.add_joint(name="drawer_slide", type=mujoco.mjtJoint.mjJNT_SLIDE,
                     axis=(-1, 0, 0), range=(0, DRAWER_TRAVEL_M), damping=6, frictionloss=1.0)
    _box(drawer, (depth - 0.010, width - 0.012, 0.002), (-0.002, 0, -0.040), "drawer", mass=0.15)
    _walls(drawer, depth - 0.010, width - 0.012, -0.040, 0.020, 0.003, "drawer", mass=0.05)
    # The front stands a little before the chest and hides its edges.
    _box(drawer, (0.005, width - 0.002, half_height - 0.005), (-depth - 0.003, 0, 0), "drawer",
         mass=0.10)
    drawer.add_geom(name="drawer_handle", type=_BOX, size=(0.020, 0.006, 0.015),
                    pos=(-depth - 0.027, 0, 0.022), mass=0.03, material="drawer_handle",
                    condim=4, friction=(1.2, 0.02, 0.001))
    drawer.add_site(name="drawer_handle", pos=(-depth - 0.029, 0, 0.022), size=(0.004,) * 3,
                    rgba=(0, 0, 0, 0))
    spec.add_exclude(bodyname1=name, bodyname2="drawer")


def _material(spec: mujoco.MjSpec, name: str, rgb: tuple[float, float, float], *,
              specular: float, shininess: float = 0.3) -> None:
    spec.add_material(name=name, rgba=(*rgb, 1.0), specular=specular, shininess=shininess)


def _box(body: mujoco.MjsBody, half: tuple[float, float, float],
         pos: tuple[float, float, float], material: str, *, mass: float = 0.0) -> None:
    geom = body.add_geom(type=_BOX, size=half, pos=pos, material=material)
    if mass:
        geom.mass = mass


def _walls(body: mujoco.MjsBody, half_x: float, half_y: float, low_z: float, high_z: float,
           thickness: float, material: str, *, mass: float = 0.0) -> None:
    """Four walls around a rectangle, between two heights."""
    t, mid, half = thickness / 2, (low_z + high_z) / 2, (high_z - low_z) / 2
    for side in (-1, 1):
        _box(body, (t, half_y, half), (side * (half_x - t), 0, mid), material, mass=mass)
        _box(body, (half_x, t, half), (0, side * (half_y - t), mid), material, mass=mass)
