"""Cameras in Rerun: pictures, where they were taken from, and how they project.

JPEG pictures are passed on as the bytes that the capture thread made: nothing is encoded or decoded
here. What the viewer cannot decode itself (depth, lossless pictures) is decoded, at a lower rate.
Knows one camera's stream; knows no plots and no robot.
"""

import numpy as np
import rerun as rr

from recorders import images
from recorders.rerun_entities import CAMERA_INTRINSICS, CAMERA_POSE, Camera
from recorders.rerun_times import Thinner, Timelines
from recorders.streams import Batch

POSE_HZ = 30.0              # as fast as a screen shows it
DECODED_PICTURE_HZ = 5.0    # 0.6 MB each: more would fill a viewer's memory in minutes
FRUSTUM_M = 0.10            # how far in front of the camera its picture is drawn


class CameraLog:
    """Logs one picture field of one camera.

    Args:
        recording: where to.
        timelines: shared with the rest of the episode.
        camera: what is logged.
    """

    def __init__(self, recording: rr.RecordingStream, timelines: Timelines,
                 camera: Camera) -> None:
        self._recording, self._timelines, self._camera = recording, timelines, camera
        self._poses, self._decoded = Thinner(POSE_HZ), Thinner(DECODED_PICTURE_HZ)
        self._intrinsics: np.ndarray | None = None

    def log(self, batch: Batch) -> None:
        """Log the camera's rows and pictures."""
        if self._camera.posed:
            self._log_poses(batch.rows)
        if self._camera.intrinsic:
            self._log_pinhole(batch.rows[CAMERA_INTRINSICS][-1])
        if self._camera.image.encoding == "jpeg":
            self._log_encoded(batch)
        else:
            self._log_decoded(batch)

    def _log_poses(self, rows: np.ndarray) -> None:
        shown = self._poses.shown(rows["t_mono_ns"])
        if len(shown):
            poses = rows[CAMERA_POSE][shown]                                          # (M, 7)
            self._recording.send_columns(
                self._camera.entity, self._timelines.columns(rows["t_mono_ns"][shown]),
                rr.Transform3D.columns(translation=poses[:, :3],
                                       quaternion=np.roll(poses[:, 3:], -1, axis=1)))

    def _log_pinhole(self, intrinsics: np.ndarray) -> None:
        """Once, and again when somebody turns the lens. `intrinsics`: (4,) fx, fy, cx, cy."""
        if self._intrinsics is not None and np.array_equal(self._intrinsics, intrinsics):
            return
        self._intrinsics = intrinsics.copy()
        image = self._camera.image
        self._recording.log(self._camera.entity, rr.Pinhole(
            focal_length=intrinsics[:2], principal_point=intrinsics[2:],
            width=image.width, height=image.height, image_plane_distance=FRUSTUM_M), static=True)

    def _log_encoded(self, batch: Batch) -> None:
        name = self._camera.image.name
        self._recording.send_columns(
            self._camera.picture_entity, self._timelines.columns(batch.rows["t_mono_ns"]),
            rr.EncodedImage.columns(blob=[bytes(pictures[name]) for pictures in batch.images],
                                    media_type=["image/jpeg"] * len(batch.rows)))

    def _log_decoded(self, batch: Batch) -> None:
        image, stamps = self._camera.image, batch.rows["t_mono_ns"]
        size = (image.height, image.width)
        for row in self._decoded.shown(stamps):
            data, times = batch.images[row][image.name], self._timelines.at(int(stamps[row]))
            if image.encoding == "zstd":
                shown = rr.DepthImage(images.decode(data, "zstd", size),
                                      meter=1 / metres_per_count(image.unit))
            else:
                shown = rr.Image(images.decode(data, image.encoding, (*size, 3)))
            columns = shown.as_component_batches()
            self._recording.send_columns(self._camera.picture_entity, times, [
                batch.partition([len(batch.as_arrow_array())]) for batch in columns])


def metres_per_count(unit: str) -> float:
    """The number in a depth picture's unit: 0.001 for "0.001 m"; millimetres if none is there."""
    number, _, rest = unit.partition(" ")
    try:
        return float(number) if rest == "m" else 0.001
    except ValueError:
        return 0.001
