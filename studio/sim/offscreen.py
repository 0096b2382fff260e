"""Pictures of a MuJoCo scene without a window: colour and depth out of one pass.

Knows OpenGL's off-screen back ends and how a depth buffer becomes metres. Refuses to know streams
and threads, but must be made, used and closed within one thread: a GL context belongs to it.

MuJoCo's own `Renderer` draws the scene a second time for depth; reading both buffers after one
pass halves the cost, which on a CPU is most of what the simulator spends.
"""

import copy
import ctypes
import ctypes.util
import importlib
import os

import mujoco
import numpy as np

from studio.devices.interfaces import DeviceError

_NO_GL = ("the simulated cameras found neither EGL nor OSMesa: install libegl1 and "
          "libgl1-mesa-dri (or libosmesa6), or start without cameras")


def choose_backend() -> str:
    """Which off-screen back end to use: MUJOCO_GL if it names one, else EGL, else OSMesa.

    EGL is asked for devices without PyOpenGL, because PyOpenGL binds itself to one back end per
    process on its first import.

    Raises:
        DeviceError: if neither works here.
    """
    wanted = os.environ.get("MUJOCO_GL", "").lower()
    if wanted in ("egl", "osmesa"):
        return wanted
    bound = os.environ.get("PYOPENGL_PLATFORM", "").lower()
    if bound != "osmesa" and _egl_devices() > 0:
        return "egl"
    if bound != "egl" and ctypes.util.find_library("OSMesa"):
        return "osmesa"
    raise DeviceError(_NO_GL)


class OffscreenView:
    """Draws one scene at one size.

    Args:
        model: copied, because size and quality are settings of the model.
        height, width: of the pictures.
        shadows: soft light with shadows and smooth edges: pretty, and eight times as dear.

    Raises:
        DeviceError: if OpenGL does not work here.
    """

    def __init__(self, model: mujoco.MjModel, *, height: int, width: int,
                 shadows: bool = False) -> None:
        backend = choose_backend()
        self._model = copy.copy(model)
        self._model.vis.global_.offheight, self._model.vis.global_.offwidth = height, width
        quality = self._model.vis.quality
        quality.offsamples = 4 if shadows else 0
        if shadows:
            quality.numslices, quality.numstacks, quality.numquads = 48, 6, 8
        try:
            self._gl = importlib.import_module(f"mujoco.{backend}").GLContext(width, height)
            self._gl.make_current()
        except (ImportError, RuntimeError, AttributeError, OSError) as error:
            raise DeviceError(f"{_NO_GL} ({backend}: {error})") from error
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._scene = mujoco.MjvScene(self._model, maxgeom=500)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION,
                     mujoco.mjtRndFlag.mjRND_SKYBOX):
            self._scene.flags[flag] = shadows
        self._option, self._perturb = mujoco.MjvOption(), mujoco.MjvPerturb()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        extent = self._model.stat.extent
        self._near_m = float(self._model.vis.map.znear * extent)
        self._far_m = float(self._model.vis.map.zfar * extent)

    def render(self, data: mujoco.MjData, camera: int, *,
               depth: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw what a fixed camera sees.

        Args:
            data: with poses of bodies and cameras up to date.
            camera: its number in the model.
            depth: whether to read the depth as well.

        Returns:
            Colour (H, W, 3) u1, and depth (H, W) f4 in metres along the optical axis (0 where
            nothing is) or None.
        """
        self._camera.fixedcamid = camera
        mujoco.mjv_updateScene(self._model, data, self._option, self._perturb, self._camera,
                               mujoco.mjtCatBit.mjCAT_ALL.value, self._scene)
        height, width = self._rect.height, self._rect.width
        rgb = np.empty((height, width, 3), np.uint8)
        buffer = np.empty((height, width), np.float32) if depth else None
        mujoco.mjr_render(self._rect, self._scene, self._context)
        mujoco.mjr_readPixels(rgb, buffer, self._rect, self._context)
        # OpenGL's first line is the lowest.
        rgb = np.ascontiguousarray(rgb[::-1])
        return rgb, None if buffer is None else self._metres(buffer[::-1])

    def close(self) -> None:
        """Give the GL context back; in the thread that made it."""
        self._context.free()
        self._gl.free()

    def _metres(self, reversed_z: np.ndarray) -> np.ndarray:
        """Undo the perspective: the buffer holds 1 at the near plane and 0 at the far one."""
        near, far = self._near_m, self._far_m
        metres = near * far / (near + reversed_z.astype(np.float64) * (far - near))
        return np.where(reversed_z > 0, metres, 0.0).astype(np.float32)


def _egl_devices() -> int:
    library = ctypes.util.find_library("EGL")
    if not library:
        return 0
    try:
        egl = ctypes.CDLL(library)
    except OSError:
        return 0
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    if not address:
        return 0
    query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p,
                             ctypes.POINTER(ctypes.c_int))(address)
    count = ctypes.c_int(0)
    return count.value if query(0, None, ctypes.byref(count)) else 0
