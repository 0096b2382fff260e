"""The tab Export: episodes for LeRobot, diffusion_policy or UMI, or as files for the Rerun viewer.

Builds the command that a person could type, and starts it; progress is shown by desk.js. Knows the
commands' options; refuses to know formats.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from studio.views.episode_rows import EpisodeRow
from studio.views.words import counted
from studio.web.parts import Parts
from studio.web.widgets import QUIET, jobs_place

SUCCESSES, EVERYTHING, PICKED = "All successes", "All episodes", "Those selected in Episodes"
LEROBOT, RERUN = "LeRobot dataset (version 3.0)", "Rerun files (.rrd)"
DIFFUSION_POLICY, UMI = "diffusion_policy replay buffer (Zarr)", "UMI replay buffer (.zarr.zip)"
# Option of `tandem data export`, and how a suggested name ends.
_FORMS = {LEROBOT: ("--lerobot", "-lerobot"), DIFFUSION_POLICY: ("--diffusion-policy", ".zarr"),
          UMI: ("--umi", ".zarr.zip")}


def build(parts: Parts, picked: gr.State) -> None:
    """Put the tab together."""
    with gr.Row():
        with gr.Column(scale=1, min_width=340):
            form = gr.Radio([*_FORMS, RERUN], value=LEROBOT, label="Format", elem_id="format")
            which = gr.Radio([SUCCESSES, EVERYTHING, PICKED], value=SUCCESSES, label="Episodes",
                             elem_id="which")
            with gr.Column() as places:
                to = gr.Textbox(label="Folder or file", info="It must not exist yet", elem_id="to",
                                placeholder=suggestion(parts.config.store, LEROBOT))
                with gr.Row():
                    fps = gr.Number(30, label="Frames in a second", precision=0, minimum=1)
                    size = gr.Textbox(label="Picture size", placeholder="as recorded",
                                      info="HEIGHTxWIDTH")
            with gr.Column() as lerobot:
                sharp = gr.Checkbox(False, label="Sharp videos (larger)")
                depth = gr.Checkbox(False, label="Depth, too (large)")
            start = gr.Button("Export", variant="primary", elem_id="export")
        with gr.Column(scale=2):
            jobs_place(parts.jobs, "jobs")

    def begin(form: str, which: str, to: str, fps: float, size: str, sharp: bool, depth: bool,
              picked: Sequence[str]) -> None:
        library = parts.library()
        rows = chosen(library.shelf().rows, which, picked or ())
        target = to.strip() or suggestion(library.path, form)
        if not rows:
            gr.Warning("There is no such episode: choose others")
            return
        words = (rerun_words(library.path, rows) if form == RERUN else export_words(
            library.path, rows, target, round(fps or 30), size, form,
            sharp=sharp, depth=depth))
        parts.jobs.start(f"{counted(len(rows), 'episode')} as "
                         + ("Rerun files" if form == RERUN else target), words, len(rows))
        gr.Info("The export has begun; it goes on when this page is closed")

    def show(form: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return (gr.update(visible=form != RERUN), gr.update(visible=form == LEROBOT),
                gr.update(placeholder=suggestion(parts.library().path, form)))

    form.change(show, inputs=form, outputs=[places, lerobot, to], **QUIET)
    start.click(begin, inputs=[form, which, to, fps, size, sharp, depth, picked], **QUIET)


def chosen(rows: Sequence[EpisodeRow], which: str, picked: Sequence[str]) -> list[str]:
    """Ids of the episodes that are meant; never those in the trash."""
    wanted: dict[str, Any] = {
        SUCCESSES: lambda row: row.label == "success", EVERYTHING: lambda row: True,
        PICKED: lambda row: row.episode in set(picked)}
    return [row.episode for row in rows if not row.trashed and wanted[which](row)]


def export_words(store: str, episodes: Sequence[str], to: str, fps: int, size: str,
                 form: str = LEROBOT, *, sharp: bool = False, depth: bool = False) -> list[str]:
    """`tandem data export …`; what is LeRobot's alone is left out elsewhere."""
    lerobot = form == LEROBOT
    return ["data", "export", store, *episodes, _FORMS[form][0], to, "--fps", str(fps),
            *(["--size", size.strip()] if size and size.strip() else []),
            *(["--sharp"] if sharp and lerobot else []),
            *(["--depth"] if depth and lerobot else [])]


def rerun_words(store: str, episodes: Sequence[str]) -> list[str]:
    """`tandem data rrd …`."""
    return ["data", "rrd", store, *episodes]


def suggestion(store: str, form: str) -> str:
    """A name beside the store."""
    path = Path(store) if store else Path("exports")
    return str(path.with_name(f"{path.name}{_FORMS.get(form, _FORMS[LEROBOT])[1]}"))
