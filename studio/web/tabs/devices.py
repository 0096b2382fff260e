"""The tab Devices: which robot, teleoperator and cameras the desk works with; their live values.

Knows fields and what is asked of the desk; what may be chosen is worked out in
`studio.views.device_choices`, and the desk refuses what cannot be, in its own words.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr
import msgspec

from studio.devices.interfaces import DeviceError
from studio.station.desk.link import DeskState, UseDevices
from studio.station.given_devices import camera_types
from studio.views import device_choices
from studio.views.device_choices import LEADER_ARM, Choice
from studio.views.station_file import choice_in, keep, left_out
from studio.web.parts import Parts, show_reply
from studio.web.widgets import ON_CHANGE, QUIET, place


class Given(NamedTuple):
    """What stands in the fields of the tab, in their order; options are JSON."""

    robot: str = ""
    robot_fields: str = ""
    cameras_line: str = ""
    cameras: Sequence[str] = ()
    teleop: str = ""
    leader_type: str = ""
    leader_fields: str = ""
    robot_options: str = ""
    teleop_options: str = ""


def build(parts: Parts, _picked: gr.State) -> None:
    """Put the tab together."""
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            robot = gr.Dropdown(list(device_choices.robots()), label="Robot",
                                allow_custom_value=True, elem_id="robot")
            robot_fields = gr.Textbox(label="Fields of the robot", visible=False,
                                      placeholder="port=/dev/ttyACM0 id=mine",
                                      elem_id="robot-fields")
            cameras_line = gr.Textbox(
                label="Cameras", visible=False, elem_id="robot-cameras",
                info=f"Types: {', '.join(camera_types())}",
                placeholder="front opencv index_or_path=0 width=640 height=480 fps=30; …")
            cameras = gr.CheckboxGroup(list(device_choices.cameras("sim")), label="Cameras",
                                       elem_id="cameras-used")
            teleop = gr.Dropdown(_operators("sim"), label="Teleoperator", elem_id="teleop")
            leader_type = gr.Dropdown(["", *device_choices.leader_types()], visible=False, value="",
                                      label="LeRobot type of the leader arm",
                                      allow_custom_value=True, elem_id="leader-type")
            leader_fields = gr.Textbox(label="Fields of the leader arm", visible=False,
                                       placeholder="port=/dev/ttyACM1 id=mine",
                                       elem_id="leader-fields")
            with gr.Accordion("More options…", open=False):
                robot_options = gr.Textbox(label="Options of the robot", info="As JSON",
                                           placeholder='{"image_size": [240, 320]}')
                teleop_options = gr.Textbox(label="Options of the teleoperator", info="As JSON",
                                            placeholder="{}")
            apply = gr.Button("Use these devices", variant="primary", elem_id="use-devices")
            with gr.Accordion("Station file…", open=False, elem_id="station"):
                file = gr.Textbox(label="A YAML file on the desk's machine", elem_id="station-file",
                                  placeholder="desk.yaml")
                with gr.Row():
                    read = gr.Button("Read it", elem_id="station-read")
                    write = gr.Button("Keep what is chosen in it", elem_id="station-keep")
            gr.Markdown("The desk starts its processes anew; the arm holds meanwhile, and is not "
                        "armed afterwards. What cannot be opened is refused, and what was used "
                        "before is back. Refused while an episode is open")
        with gr.Column(scale=3):
            live = place("devices", "card", js_on_load=ON_CHANGE)

    fields = [robot, robot_fields, cameras_line, cameras, teleop, leader_type, leader_fields,
              robot_options, teleop_options]

    def another(name: str, who: str) -> list[Any]:
        choice = device_choices.with_robot(Choice(robot="", teleop=who), name)
        updates = _updates(given_of(choice))
        return [*updates[:5], updates[7]]       # the options of the robot before are not its own

    def whose(who: str) -> list[Any]:
        return [gr.update(visible=who == LEADER_ARM)] * 2

    def use(*given: Any) -> None:
        try:
            request = request_of(Given(*given))
        except ValueError as mistake:
            gr.Warning(str(mistake))
            return
        show_reply(parts.feed.ask_desk(request), "The desk changes its devices")

    def from_file(path: str, *given: Any) -> list[Any]:
        try:
            return _updates(given_of(choice_in((path or "").strip())))
        except DeviceError as mistake:
            gr.Warning(str(mistake))
            return [gr.skip()] * len(given)

    def into_file(path: str, *given: Any) -> None:
        try:
            choice = choice_of(Given(*given))
            gr.Info(f"Kept in {keep((path or '').strip(), choice)}{left_out(choice)}")
        except (ValueError, DeviceError) as mistake:
            gr.Warning(str(mistake))

    robot.input(another, inputs=[robot, teleop], outputs=[*fields[:5], robot_options], **QUIET)
    teleop.input(whose, inputs=teleop, outputs=[leader_type, leader_fields], **QUIET)
    live.changed(lambda: _updates(shown(parts.feed.view.state)), outputs=fields, **QUIET)
    apply.click(use, inputs=fields, **QUIET)
    read.click(from_file, inputs=[file, *fields], outputs=fields, **QUIET)
    write.click(into_file, inputs=[file, *fields], **QUIET)


def shown(state: DeskState | None) -> Given:
    """What the desk uses, as the fields say it."""
    if state is None:
        return Given()
    return given_of(device_choices.choice_of(state), *device_choices.unsaid(state))


def given_of(choice: Choice, of_robot: dict[str, Any] | None = None,
             of_teleop: dict[str, Any] | None = None) -> Given:
    """A choice, and options that it has no words for, as the fields say them."""
    more, teleop_more = (of_robot or {}) | choice.more, (of_teleop or {}) | choice.teleop_more
    return Given(choice.robot, choice.robot_fields, choice.cameras_line, list(choice.cameras),
                 choice.teleop, choice.leader_type, choice.leader_fields, _json(more),
                 _json(teleop_more))


def choice_of(given: Given) -> Choice:
    """What the fields say.

    Raises:
        ValueError: something is missing, or is no JSON object; says which.
    """
    if not given.robot or not given.teleop:
        raise ValueError("Choose a robot and a teleoperator")
    known = device_choices.cameras(given.robot)
    choice = Choice(
        robot=given.robot, robot_fields=given.robot_fields or "", teleop=given.teleop,
        leader_type=given.leader_type or "", leader_fields=given.leader_fields or "",
        cameras=tuple(name for name in known if name in given.cameras),
        cameras_line=given.cameras_line or "", more=_object(given.robot_options, "robot"),
        teleop_more=_object(given.teleop_options, "teleoperator"))
    if choice.complaint:
        raise ValueError(choice.complaint)
    return choice


def request_of(given: Given) -> UseDevices:
    """What is asked of the desk.

    Raises:
        ValueError: as `choice_of`.
    """
    return device_choices.request_of(choice_of(given), {}, {})


def _updates(given: Given) -> list[Any]:
    """The fields as they shall look with these values."""
    real = bool(given.robot) and Choice(robot=given.robot).real
    leader, known = given.teleop == LEADER_ARM, list(device_choices.cameras(given.robot))
    return [given.robot, gr.update(value=given.robot_fields, visible=real),
            gr.update(value=given.cameras_line, visible=real),
            gr.update(value=given.cameras, choices=known, visible=not real),
            gr.update(value=given.teleop, choices=_operators(given.robot)),
            gr.update(value=given.leader_type, visible=leader),
            gr.update(value=given.leader_fields, visible=leader),
            given.robot_options, given.teleop_options]


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
