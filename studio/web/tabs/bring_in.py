"""The tab Import: another program's dataset as a new store.

Builds the command that a person could type, and starts it; progress is shown by desk.js. Knows the
command's options; refuses to know formats.
"""

from pathlib import Path

import gradio as gr

from studio.web.parts import Parts
from studio.web.widgets import QUIET, jobs_place

LEROBOT, DAMAGED = "LeRobot dataset (version 3.0)", "LeRobot dataset that a crash left unfinished"
BUFFER, HDF5 = "UMI or diffusion_policy replay buffer (Zarr)", "robomimic or robosuite (HDF5)"
_OPTIONS = {LEROBOT: ("--lerobot",), DAMAGED: ("--damaged", "--lerobot"), BUFFER: ("--umi",),
            HDF5: ("--hdf5",)}


def build(parts: Parts, picked: gr.State) -> None:
    """Put the tab together."""
    with gr.Row():
        with gr.Column(scale=1, min_width=340):
            form = gr.Radio([*_OPTIONS], value=LEROBOT, label="Format", elem_id="their-format")
            source = gr.Textbox(label="Their folder or file", elem_id="their-data")
            to = gr.Textbox(label="New store", info="It must not exist yet", elem_id="new-store",
                            placeholder="beside the data")
            with gr.Column(visible=False) as unsaid:
                instruction = gr.Textbox(label="Instruction",
                                         info="What was asked for, if the data does not say")
                fps = gr.Number(0, label="Frames in a second", precision=0, minimum=0,
                                info="0: as the data or the format says")
            lossless = gr.Checkbox(False, label="Pictures exactly as they are (three times larger)")
            start = gr.Button("Import", variant="primary", elem_id="import")
        with gr.Column(scale=2):
            jobs_place(parts.jobs, "import-jobs")

    def begin(form: str, source: str, to: str, instruction: str, fps: float, lossless: bool
              ) -> None:
        source = source.strip()
        if not source:
            gr.Warning("Give the folder or file to import")
            return
        target = to.strip() or suggestion(source)
        parts.jobs.start(f"{source} into {target}", import_words(
            form, source, target, instruction, round(fps or 0), lossless=lossless))
        gr.Info("The import has begun; when it is done, open the store in Episodes")

    form.change(lambda form: gr.update(visible=form in (BUFFER, HDF5)), inputs=form,
                outputs=unsaid, **QUIET)
    start.click(begin, inputs=[form, source, to, instruction, fps, lossless], **QUIET)


def import_words(form: str, source: str, to: str, instruction: str = "", fps: int = 0, *,
                 lossless: bool = False) -> list[str]:
    """`tandem data import …`; what LeRobot's data says itself is not said again."""
    unsaid = form in (BUFFER, HDF5)
    return ["data", "import", *_OPTIONS[form], source, "--to", to,
            *(["--instruction", instruction.strip()] if unsaid and instruction.strip() else []),
            *(["--fps", str(fps)] if unsaid and fps else []),
            *(["--lossless"] if lossless else [])]


def suggestion(source: str) -> str:
    """A store beside the data."""
    path = Path(source).expanduser()
    return str(path.with_name(f"{path.name.split('.')[0]}-store"))
