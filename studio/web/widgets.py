"""Gradio's components as the web desk wants them: no style of their own, no entry in an API."""

from typing import Any

import gradio as gr

from studio.views.icons import icon
from studio.web.jobs import Jobs

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""For every event: nobody calls it from outside, and nothing flickers."""


ON_CHANGE = "element.addEventListener('desk-changed', () => trigger('changed', {}));"
"""For a place whose revision /live/status tells: its event `changed` comes with every other one."""


def html(value: str = "", **options: Any) -> gr.HTML:
    """A piece of HTML that looks as desk.css says."""
    return gr.HTML(value, apply_default_css=False, padding=False, **options)


def place(name: str, tag_class: str = "", **options: Any) -> gr.HTML:
    """Where desk.js puts the piece `name` of /live/status."""
    return html(f'<div class="{tag_class}" data-live="{name}"></div>', elem_id=name, **options)


_ON_JOBS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-cancel]');
  if (button) trigger('cancel', { number: button.dataset.cancel });
});
"""


def jobs_place(jobs: Jobs, name: str) -> None:
    """Where long work is listed, the newest first, each with a button that cancels it.

    Args:
        jobs: where it is done.
        name: of this list; several tabs have one.
    """
    shown = html('<div class="jobs" data-live="jobs"></div>', elem_id=name, js_on_load=_ON_JOBS)

    def end(event: gr.EventData) -> None:
        if jobs.cancel(int(event.number)):
            gr.Info("It is being cancelled", duration=4)

    shown.cancel(end, **QUIET)


def button(icon_name: str, words: str, name: str, **options: Any) -> gr.Button:
    """A button with an icon; without words it says them to screen readers by its class."""
    label = f"{icon(icon_name)}  {words}".rstrip()
    return gr.Button(label, elem_id=name, **{"min_width": 100, **options})
