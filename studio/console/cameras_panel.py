"""Live cameras, side by side, as large as the room allows, with the way that the plan leads."""

import numpy as np

from recorders.images import decode
from recorders.streams import StreamSpec
from studio.console.problem_lines import ProblemLines
from studio.console.seen import Seen, Ui
from studio.console.toolkit import dpg
from studio.views.camera_words import caption, why_old
from studio.views.fitting import fitted
from studio.views.ghost import ghost, with_path
from studio.views.icons import icon

WINDOW = 9003
_CAPTION = 26
_GAP = 8
_LIVE, _OLD = (255, 255, 255, 255), (110, 110, 110, 255)


class _Camera:
    """One picture and its caption."""

    def __init__(self, spec: StreamSpec, parent: int | str, registry: int | str, ui: Ui) -> None:
        field = next(image for image in spec.images if image.name == "rgb")
        self.name, self.field = spec.name, field
        self.last: bytes | None = None
        self.texture = dpg.add_raw_texture(
            field.width, field.height, np.zeros(field.width * field.height * 3, np.float32),
            format=dpg.mvFormat_Float_rgb, parent=registry)
        with dpg.group(parent=parent) as self.group:
            self.caption = dpg.add_text(spec.name.capitalize())
            dpg.bind_item_font(self.caption, ui.fonts.small)
            self.image = dpg.add_image(self.texture, width=field.width, height=field.height)


class CamerasPanel:
    """See the head of this file."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._registry = dpg.add_texture_registry()
        self._cameras: list[_Camera] = []
        self._streams: tuple[StreamSpec, ...] = ()
        with dpg.window(tag=WINDOW, label=f"{icon('camera')}  Cameras", no_close=True,
                        no_scrollbar=True, no_scroll_with_mouse=True, min_size=(10, 10)
                        ) as self.window:
            self._problems = ProblemLines(ui)
            self._none = dpg.add_text("No camera yet")
            self._row = dpg.add_group(horizontal=True, horizontal_spacing=_GAP)

    def show(self, seen: Seen) -> None:
        """Draw the newest pictures."""
        self._rebuild(seen)
        shown = self._ui.shown
        shown.settings(self._none, show=not self._cameras)
        width, height = (int(side) for side in dpg.get_item_rect_size(self.window))
        self._problems.show(seen, width)
        if not self._cameras:
            return
        room = width - 24, height - 24 - _CAPTION - self._problems.height
        sizes = fitted(room, [(c.field.width, c.field.height) for c in self._cameras], _GAP)
        healths = {stream.name: stream for stream in seen.snapshot.streams} if seen.snapshot else {}
        for camera, size in zip(self._cameras, sizes, strict=True):
            shown.settings(camera.image, width=size[0], height=size[1])
            health = healths.get(camera.name)
            text, tone = caption(camera.name, health, silent=seen.silent,
                                 before=seen.dropped_before.get(camera.name, 0))
            shown.value(camera.caption, text)
            shown.theme(camera.caption, self._ui.themes.said[tone])
            old = why_old(health, silent=seen.silent)
            shown.settings(camera.image, tint_color=_OLD if old else _LIVE)
            picture = seen.pictures.get(camera.name)
            if picture is not None and picture != camera.last:
                camera.last = picture
                way = ghost(seen.snapshot.chunk if seen.snapshot else None,
                            seen.snapshot.tool_pose if seen.snapshot else (),
                            seen.cameras.get(camera.name), (camera.field.width,
                                                            camera.field.height))
                self._draw(camera, picture, way)

    def _draw(self, camera: _Camera, picture: bytes, way: np.ndarray) -> None:
        field = camera.field
        pixels = decode(picture, field.encoding, (field.height, field.width, 3))
        if len(way) > 1:
            pixels = with_path(pixels, way)
        self._ui.shown.array(camera.texture, (pixels.ravel() * np.float32(1 / 255)))

    def _rebuild(self, seen: Seen) -> None:
        if seen.streams == self._streams:
            return
        self._streams = seen.streams
        for camera in self._cameras:
            for item in (camera.group, camera.texture):
                dpg.delete_item(item)
            for item in (camera.image, camera.caption):
                self._ui.shown.forget(item)
        self._cameras = [_Camera(spec, self._row, self._registry, self._ui)
                         for spec in seen.streams
                         if any(image.name == "rgb" for image in spec.images)]
