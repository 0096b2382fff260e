"""The tab Devices: which robot, teleoperator and cameras the desk works with; their live values.

Knows names and what is asked of the desk; the desk refuses what cannot be, in its own words.
"""

from typing import Any

import gradio as gr
import msgspec

from studio.sim.scene import CAMERA_NAMES
from studio.station.desk_link import DeskState, UseDevices
from studio.station.robots import operator_names, robot_names
from studio.web.parts import Parts, show_reply
from studio.web.widgets import QUIET, place

_ON_DEVICES = "element.addEventListener('desk-changed', () => trigger('changed', {}));"


def build(parts: Parts, _picked: gr.State) -> None:
    """Put the tab together."""
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            robot = gr.Dropdown(robot_names(), label="Robot", allow_custom_value=True,
                                elem_id="robot")
            teleop = gr.Dropdown(operator_names(), label="Teleoperator", allow_custom_value=True,
                                 elem_id="teleop")
            cameras = gr.CheckboxGroup(list(CAMERA_NAMES), label="Cameras of the simulator",
                                       elem_id="cameras-used")
            with gr.Accordion("More options…", open=False):
                robot_options = gr.Textbox(label="Options of the robot", info="As JSON",
                                           placeholder='{"image_size": [240, 320]}')
                teleop_options = gr.Textbox(label="Options of the teleoperator", info="As JSON",
                                            placeholder="{}")
            apply = gr.Button("Use these devices", variant="primary", elem_id="use-devices")
            gr.Markdown("The desk starts its processes anew; the arm holds meanwhile, and is not "
                        "armed afterwards. Refused while an episode is open")
        with gr.Column(scale=3):
            live = place("devices", "card", js_on_load=_ON_DEVICES)

    fields = [robot, teleop, cameras, robot_options, teleop_options]

    def now() -> list[Any]:
        return shown(parts.feed.view.state)

    def use(*given: Any) -> None:
        try:
            request = request_of(*given)
        except ValueError as mistake:
            gr.Warning(str(mistake))
            return
        show_reply(parts.feed.ask_desk(request), "The desk changes its devices")

    live.changed(now, outputs=fields, **QUIET)
    apply.click(use, inputs=fields, **QUIET)


def shown(state: DeskState | None) -> list[Any]:
    """Robot, teleoperator, cameras, and both options as JSON, as the desk has them now."""
    if state is None:
        return ["", "", [], "", ""]
    options = dict(state.robot_options)
    cameras = list(options.pop("cameras", ("front", "wrist")))
    return [state.robot, state.teleop, cameras, _json(options), _json(state.teleop_options)]


def request_of(robot: str, teleop: str, cameras: list[str], robot_options: str,
               teleop_options: str) -> UseDevices:
    """What is asked of the desk.

    Raises:
        ValueError: something is missing, or is no JSON object; says which.
    """
    if not robot or not teleop:
        raise ValueError("Choose a robot and a teleoperator")
    options = _object(robot_options, "robot")
    if robot == "sim" and cameras:
        options["cameras"] = list(cameras)
    return UseDevices(robot=robot, robot_options=options, teleop=teleop,
                      teleop_options=_object(teleop_options, "teleoperator"))


def _object(text: str, whose: str) -> dict[str, Any]:
    if not (text or "").strip():
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ValueError(f'The options of the {whose} are no JSON object such as '
                         f'{{"depth": false}}: {error}') from error


def _json(options: dict[str, Any]) -> str:
    return msgspec.json.encode(options).decode() if options else ""
