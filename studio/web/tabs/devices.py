"""The tab Devices: which robot, teleoperator and cameras the desk works with; their live values.

Knows fields and what is asked of the desk; what may be chosen is worked out in
`studio.views.device_choices`, and the desk refuses what cannot be, in its own words.
"""

from typing import Any

import gradio as gr
import msgspec

from studio.station.desk.link import DeskState, UseDevices
from studio.views import device_choices
from studio.views.device_choices import LEADER_ARM, Choice
from studio.web.parts import Parts, show_reply
from studio.web.widgets import ON_CHANGE, QUIET, place


def build(parts: Parts, _picked: gr.State) -> None:
    """Put the tab together."""
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            robot = gr.Dropdown(list(device_choices.robots()), label="Robot",
                                allow_custom_value=True, elem_id="robot")
            teleop = gr.Dropdown(_operators("sim"), label="Teleoperator", elem_id="teleop")
            leader_type = gr.Textbox(label="LeRobot type of the leader arm", visible=False,
                                     placeholder="so101_leader", elem_id="leader-type")
            leader_port = gr.Textbox(label="Port of the leader arm", visible=False,
                                     placeholder="/dev/ttyACM0", elem_id="leader-port")
            cameras = gr.CheckboxGroup(list(device_choices.cameras("sim")), label="Cameras",
                                       elem_id="cameras-used")
            with gr.Accordion("More options…", open=False):
                robot_options = gr.Textbox(label="Options of the robot", info="As JSON",
                                           placeholder='{"image_size": [240, 320]}')
                teleop_options = gr.Textbox(label="Options of the teleoperator", info="As JSON",
                                            placeholder="{}")
            apply = gr.Button("Use these devices", variant="primary", elem_id="use-devices")
            gr.Markdown("The desk starts its processes anew; the arm holds meanwhile, and is not "
                        "armed afterwards. What cannot be opened is refused, and what was used "
                        "before is back. Refused while an episode is open")
        with gr.Column(scale=3):
            live = place("devices", "card", js_on_load=ON_CHANGE)

    fields = [robot, teleop, leader_type, leader_port, cameras, robot_options, teleop_options]

    def now() -> list[Any]:
        state = parts.feed.view.state
        name, who, kind, port, looking, *options = shown(state)
        is_leader = who == LEADER_ARM
        return [name, gr.update(value=who, choices=_operators(name)),
                gr.update(value=kind, visible=is_leader), gr.update(value=port, visible=is_leader),
                gr.update(value=looking, choices=list(device_choices.cameras(name))), *options]

    def another(name: str, who: str) -> list[Any]:
        choice = device_choices.with_robot(Choice(robot="", teleop=who), name)
        return [gr.update(value=choice.teleop, choices=_operators(name)),
                gr.update(value=list(choice.cameras), choices=list(choice.cameras))]

    def whose(who: str) -> list[Any]:
        return [gr.update(visible=who == LEADER_ARM)] * 2

    def use(*given: Any) -> None:
        try:
            request = request_of(*given)
        except ValueError as mistake:
            gr.Warning(str(mistake))
            return
        show_reply(parts.feed.ask_desk(request), "The desk changes its devices")

    robot.input(another, inputs=[robot, teleop], outputs=[teleop, cameras], **QUIET)
    teleop.input(whose, inputs=teleop, outputs=[leader_type, leader_port], **QUIET)
    live.changed(now, outputs=fields, **QUIET)
    apply.click(use, inputs=fields, **QUIET)


def shown(state: DeskState | None) -> list[Any]:
    """Robot, teleoperator, a leader's type and port, cameras, and other options as JSON, as now."""
    if state is None:
        return ["", "", "", "", [], "", ""]
    choice = device_choices.choice_of(state)
    robot_options = {name: value for name, value in state.robot_options.items()
                     if name != "cameras"}
    return [choice.robot, choice.teleop, choice.leader_type, choice.leader_port,
            list(choice.cameras), _json(robot_options), _json(state.teleop_options)]


def request_of(robot: str, teleop: str, leader_type: str, leader_port: str, cameras: list[str],
               robot_options: str, teleop_options: str) -> UseDevices:
    """What is asked of the desk.

    Raises:
        ValueError: something is missing, or is no JSON object; says which.
    """
    if not robot or not teleop:
        raise ValueError("Choose a robot and a teleoperator")
    known = device_choices.cameras(robot)
    choice = Choice(robot=robot, teleop=teleop, leader_type=leader_type or "",
                    leader_port=leader_port or "",
                    cameras=tuple(name for name in known if name in cameras))
    if choice.complaint:
        raise ValueError(choice.complaint)
    return device_choices.request_of(
        choice, _object(robot_options, "robot"), _object(teleop_options, "teleoperator"))


def _operators(robot: str) -> list[tuple[str, str]]:
    return [(device_choices.operator_words(name)[0], name)
            for name in device_choices.operators(robot)]


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
