"""The tab Export: episodes as a LeRobot dataset, or as files for the Rerun viewer.

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
from studio.web.widgets import QUIET, place

SUCCESSES, EVERYTHING, PICKED = "All successes", "All episodes", "Those selected in Episodes"
LEROBOT, RERUN = "LeRobot dataset (version 3.0)", "Rerun files (.rrd)"
_ON_JOBS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-cancel]');
  if (button) trigger('cancel', { number: button.dataset.cancel });
});
"""


def build(parts: Parts, picked: gr.State) -> None:
    """Put the tab together."""
    with gr.Row():
        with gr.Column(scale=1, min_width=340):
            form = gr.Radio([LEROBOT, RERUN], value=LEROBOT, label="Format", elem_id="format")
            which = gr.Radio([SUCCESSES, EVERYTHING, PICKED], value=SUCCESSES, label="Episodes",
                             elem_id="which")
            with gr.Column() as lerobot:
                to = gr.Textbox(label="Folder", info="It must not exist yet", elem_id="to",
                                placeholder=_suggestion(parts.config.store))
                with gr.Row():
                    fps = gr.Number(30, label="Frames in a second", precision=0, minimum=1)
                    size = gr.Textbox(label="Picture size", placeholder="as recorded",
                                      info="HEIGHTxWIDTH")
                sharp = gr.Checkbox(False, label="Sharp videos (larger)")
            start = gr.Button("Export", variant="primary", elem_id="export")
        with gr.Column(scale=2):
            jobs = place("jobs", "jobs", js_on_load=_ON_JOBS)

    def begin(form: str, which: str, to: str, fps: float, size: str, sharp: bool,
              picked: Sequence[str]) -> None:
        library = parts.library()
        rows = chosen(library.shelf().rows, which, picked or ())
        folder = to.strip() or _suggestion(library.path)
        if not rows:
            gr.Warning("There is no such episode: choose others")
            return
        words = (rerun_words(library.path, rows) if form == RERUN else
                 lerobot_words(library.path, rows, folder, round(fps or 30), size, sharp))
        parts.jobs.start(f"{counted(len(rows), 'episode')} as "
                         + ("Rerun files" if form == RERUN else folder), words, len(rows))
        gr.Info("The export has begun; it goes on when this page is closed")

    def end(event: gr.EventData) -> None:
        if parts.jobs.cancel(int(event.number)):
            gr.Info("The export is being cancelled", duration=4)

    form.change(lambda form: gr.update(visible=form == LEROBOT), inputs=form, outputs=lerobot,
                **QUIET)
    start.click(begin, inputs=[form, which, to, fps, size, sharp, picked],
                **QUIET)
    jobs.cancel(end, **QUIET)


def chosen(rows: Sequence[EpisodeRow], which: str, picked: Sequence[str]) -> list[str]:
    """Ids of the episodes that are meant; never those in the trash."""
    wanted: dict[str, Any] = {
        SUCCESSES: lambda row: row.label == "success", EVERYTHING: lambda row: True,
        PICKED: lambda row: row.episode in set(picked)}
    return [row.episode for row in rows if not row.trashed and wanted[which](row)]


def lerobot_words(store: str, episodes: Sequence[str], to: str, fps: int, size: str,
                  sharp: bool) -> list[str]:
    """`tandem data export …`."""
    return ["data", "export", store, *episodes, "--to", to, "--fps", str(fps),
            *(["--size", size.strip()] if size and size.strip() else []),
            *(["--sharp"] if sharp else [])]


def rerun_words(store: str, episodes: Sequence[str]) -> list[str]:
    """`tandem data rrd …`."""
    return ["data", "rrd", store, *episodes]


def _suggestion(store: str) -> str:
    path = Path(store) if store else Path("exports")
    return str(path.with_name(f"{path.name}-lerobot"))
