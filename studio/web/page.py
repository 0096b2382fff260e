"""The page: what is always visible, and the tabs below it.

A further tab is a module with `build(parts, picked)` and one line in `TABS`. Knows the order of
things on the screen; what they do is said in tabs/.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import gradio as gr

from studio.station.commands import Stop
from studio.views.icons import icon
from studio.web.parts import Parts, show_reply
from studio.web.tabs import bring_in, devices, episodes, export, monitor, rollout, train
from studio.web.widgets import QUIET, button, html, place

TABS: tuple[tuple[str, str, Callable[[Parts, gr.State], None]], ...] = (
    ("Monitor", "monitor", monitor.build),
    ("Rollout", "bot", rollout.build),
    ("Episodes", "list-video", episodes.build),
    ("Train", "dumbbell", train.build),
    ("Devices", "gamepad-2", devices.build),
    ("Export", "package", export.build),
    ("Import", "inbox", bring_in.build),
)
STILL_THERE_S = 30.0        # between two looks at whether a page is still open
HEAD = ('<link rel="stylesheet" href="/look/style.css">'
        '<link rel="stylesheet" href="/look/web/desk.css">'
        '<script defer src="/look/web/desk.js"></script>')


def page(parts: Parts) -> gr.Blocks:
    """The whole page, for Gradio to serve."""
    with gr.Blocks(title="Tandem Studio", analytics_enabled=False, fill_width=True) as blocks:
        with gr.Row(elem_id="top", equal_height=True):
            place("banner")
            stop = button("octagon-x", "Request stop", "stop", variant="stop")
            html(f'<button type="button" data-theme title="Light or dark" aria-label="Light or '
                 f'dark"><span class="glyph">{icon("moon")}</span></button>', elem_id="theme")
        place("problems")
        picked = gr.State(())       # ids of the episodes that are selected; several tabs use them
        with gr.Tabs(elem_id="tabs"):
            for title, icon_name, build in TABS:
                with gr.Tab(f"{icon(icon_name)}  {title}", elem_id=f"tab-{title.lower()}"):
                    build(parts, picked)
        html('<div class="foot">The stop button here asks the station for its software stop, '
             "over the network. It is no safety device: stand beside the emergency stop</div>",
             elem_id="foot")

        def request_stop() -> None:
            show_reply(parts.feed.ask(Stop("somebody at the web desk requested a stop")),
                       "The station has stopped the arm")

        stop.click(request_stop, queue=False, **QUIET)
        blocks.load(keep_listening, concurrency_limit=None, **QUIET)
    return blocks


async def keep_listening() -> AsyncIterator[None]:
    """Never done, so that a page's one stream of answers stays open as long as the page.

    Gradio 6.31 closes that stream when nothing is asked and opens it again with the next event. An
    event that comes between the two never hears its answer, and its button is dead from then on.
    """
    while True:
        yield
        await asyncio.sleep(STILL_THERE_S)
