"""The tab Monitor: the live view, the cameras, what is being done, and how everything does.

Nothing here is clicked; desk.js fills the places. Knows the places.
"""

import gradio as gr

from studio.web.parts import Parts
from studio.web.widgets import html, place


def build(parts: Parts, _picked: gr.State) -> None:
    """Put the tab together."""
    with gr.Row():
        with gr.Column(scale=3, min_width=520):
            html('<div class="viewer" data-viewer><div class="empty">There is no live view: the '
                 "desk serves one while it works</div></div>", elem_id="viewer")
            place("gauges")
        with gr.Column(scale=1, min_width=280):
            place("cameras", "cameras")
            place("scene", "card")
