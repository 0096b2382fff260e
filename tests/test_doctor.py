"""The doctor: sees what the kernel lists, says how to fix it, and never breaks."""

import json
from io import StringIO
from pathlib import Path

import pytest

from recorders.clock import ManualClock, SystemClock
from studio.commands import doctor
from studio.commands.checks.finding import Finding, Surroundings
from studio.commands.checks.graphics import attempt, check_display, check_rendering
from studio.commands.checks.hardware import check_realsense, check_serial, check_spacemouse
from studio.commands.checks.machine import check_disk, check_jitter, check_processor
from studio.commands.checks.software import judge_packages
from studio.commands.checks.sound import check_sound
from studio.commands.doctor import CHECKS, Doctor, run_doctor
from studio.commands.output import Screen
from studio.devices import probe

pytestmark = pytest.mark.alone


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    """A machine without any device."""
    return Surroundings(ManualClock(), tmp_path / "not" / "yet", root=tmp_path)


def kernel_lists(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_on_this_machine_every_area_is_looked_at_and_every_trouble_has_a_fix(tmp_path: Path):
    begun: list[str] = []
    findings = run_doctor(Surroundings(SystemClock(), tmp_path), begun.append)
    assert begun == list(CHECKS)
    assert {"python", "packages", "gymnasium environments", "rendering", "display", "sound",
            "hid library", "spacemouse", "gamepad", "realsense", "serial ports", "disk space",
            "disk speed", "disk commit", "processor", "punctuality",
            "network"} == {f.area for f in findings}
    assert all(f.what for f in findings)
    assert all(f.fix for f in findings if f.state != "ok")
    assert not [f for f in findings if "check broke" in f.what]


def test_json_is_one_object_and_progress_goes_elsewhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "CHECKS", {"disk": lambda around: [
        Finding("disk", "fail", "full", "free some space")]})
    out, err = StringIO(), StringIO()
    screen = Screen(json=True, out=out, err=err)
    answer = Doctor().run(screen)
    screen.answer(answer)
    assert json.loads(out.getvalue()) == {"ok": False, "findings": [
        {"area": "disk", "state": "fail", "what": "full", "fix": "free some space"}]}
    assert "disk" in err.getvalue()
    assert not answer.ok


def test_warnings_alone_leave_the_machine_fit_and_the_table_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(doctor, "CHECKS", {"pad": lambda around: [
        Finding("pad", "warn", "none is plugged in", "plug it in")]})
    out = StringIO()
    assert Doctor().run(Screen(json=False, out=out, err=StringIO())).ok
    assert "plug it in" in out.getvalue()


def test_a_check_that_breaks_is_a_line_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, around: Surroundings
):
    def broken(_: Surroundings) -> list[Finding]:
        raise RuntimeError("oh dear")

    monkeypatch.setattr(doctor, "CHECKS", {"first": broken, "second": check_disk})
    findings = run_doctor(around)
    assert "oh dear" in findings[0].what
    assert findings[1].area == "disk space"


def test_a_machine_without_devices_has_warnings_only(around: Surroundings):
    for check in (check_spacemouse, check_serial):
        [finding] = check(around)
        assert (finding.state, finding.what) == ("warn", "none is plugged in")


SPACEMOUSE = {
    "sys/class/hidraw/hidraw3/device/uevent":
        "DRIVER=hid-generic\nHID_ID=0003:0000256F:0000C635\nHID_NAME=SpaceMouse Compact\n",
    "sys/class/hidraw/hidraw0/device/uevent":
        "HID_ID=0003:0000046D:0000C077\nHID_NAME=an ordinary mouse\n",
    "sys/class/hidraw/hidraw1/device/uevent": "nothing useful\n",
}


def test_a_spacemouse_that_may_not_be_opened_gets_the_exact_udev_rules(around: Surroundings):
    kernel_lists(around.root, SPACEMOUSE)       # /dev/hidraw3 is not there: not to be opened
    [finding] = check_spacemouse(around)
    assert finding.what == "not allowed to open SpaceMouse Compact (/dev/hidraw3)"
    assert 'KERNELS=="*:256F:*"' in finding.fix
    assert probe.UDEV_FILE in finding.fix and "udevadm control --reload-rules" in finding.fix


def test_a_spacemouse_that_may_be_opened_is_well(around: Surroundings):
    kernel_lists(around.root, {**SPACEMOUSE, "dev/hidraw3": ""})
    assert check_spacemouse(around) == [
        Finding("spacemouse", "ok", "SpaceMouse Compact (/dev/hidraw3)")]


def test_joysticks_are_told_from_keyboards(tmp_path: Path):
    kernel_lists(tmp_path, {
        "proc/bus/input/devices":
            'I: Bus=0003\nN: Name="a keyboard"\nH: Handlers=sysrq kbd event0 leds\n\n'
            'I: Bus=0003\nN: Name="Xbox pad"\nH: Handlers=event7 js0\nB: EV=20000b\n',
        "dev/input/event7": "",
    })
    assert probe.gamepads(tmp_path) == [probe.Found("Xbox pad", "/dev/input/event7", True)]


def test_serial_ports_are_named_after_their_adapter(tmp_path: Path):
    kernel_lists(tmp_path, {"dev/ttyACM0": "", "dev/ttyUSB1": ""})
    (tmp_path / "dev/serial/by-id").mkdir(parents=True)
    (tmp_path / "dev/serial/by-id/usb-1a86_USB_Single_Serial").symlink_to("../../ttyACM0")
    assert [(f.name, f.node) for f in probe.serial_ports(tmp_path)] == [
        ("usb-1a86_USB_Single_Serial", "/dev/ttyACM0"), ("serial port", "/dev/ttyUSB1")]


def test_a_camera_on_a_slow_port_is_told_from_one_on_a_fast_port(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
):
    def camera(speed: str) -> dict[str, str]:
        folder = "sys/bus/usb/devices/2-1"
        return {f"{folder}/idVendor": "8086\n",
                f"{folder}/busnum": "2\n", f"{folder}/devnum": "7\n",
                f"{folder}/product": "Intel(R) RealSense(TM) Depth Camera 435\n",
                f"{folder}/speed": f"{speed}\n", "dev/bus/usb/002/007": ""}

    monkeypatch.setattr("studio.commands.checks.hardware.attempt", lambda code: "")
    kernel_lists(around.root, camera("480"))
    [slow] = check_realsense(around)
    assert slow.state == "warn" and "480 Mbit/s" in slow.what and "USB 3" in slow.fix
    kernel_lists(around.root, camera("5000"))
    [fast] = check_realsense(around)
    assert fast.state == "ok" and "/dev/bus/usb/002/007" in fast.what


@pytest.mark.parametrize(("required", "state", "word"), [
    (["pytest>=1"], "ok", "all 1"),
    (["pytest>=1", "no-such-package-here>=2"], "fail", "no-such-package-here is missing"),
    (["pytest>=999"], "fail", "not >=999"),
    (['no-such-package-here; python_version < "3"'], "ok", "all 0"),
])
def test_packages_are_compared_with_what_is_declared(required, state, word):
    [finding] = judge_packages(required)
    assert finding.state == state
    assert word in finding.what


def test_graphics_that_end_the_process_are_a_reason_and_not_the_end():
    assert attempt("import os; os.abort()") == "ended by signal 6"
    assert attempt("raise SystemExit('no GL here')") == "no GL here"
    assert attempt("pass") == ""


def test_a_way_of_drawing_that_does_not_work_says_what_to_install(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    monkeypatch.delenv("DISPLAY", raising=False)
    [finding] = check_rendering(around)
    assert finding.state == "fail"
    assert "apt install" in finding.fix


def test_a_display_that_is_not_there_is_a_warning_with_a_way_out(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "xvfb-run" in check_display(around)[0].fix
    monkeypatch.setenv("DISPLAY", ":987")
    [finding] = check_display(around)
    assert finding.state == "warn"
    assert "no window can be opened" in finding.what


@pytest.mark.parametrize(("driver", "state", "words"), [
    ("dummy", "ok", "opens"), ("no-such-driver", "warn", "no-such-driver' not available")])
def test_a_machine_that_cannot_be_heard_is_a_warning(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, driver: str, state: str, words: str
):
    monkeypatch.setenv("SDL_AUDIODRIVER", driver)
    [finding] = check_sound(around)
    assert (finding.area, finding.state) == ("sound", state)
    assert words in finding.what


def test_the_disk_is_measured_where_recordings_will_go_and_left_clean(around: Surroundings):
    areas = [finding.area for finding in check_disk(around)]
    assert areas == ["disk space", "disk speed", "disk commit"]
    assert list(around.root.iterdir()) == []


class LateClock(ManualClock):
    """A machine that is late by 5 ms every time."""

    def wait_until(self, deadline_ns: int) -> None:
        super().wait_until(deadline_ns + 5_000_000)


def test_a_late_loop_is_a_warning_with_its_figures(around: Surroundings):
    assert check_jitter(around)[0].state == "ok"
    [late] = check_jitter(Surroundings(LateClock(), around.store_folder))
    assert late.state == "warn"
    assert "5.00 ms at p99" in late.what


def test_a_saving_governor_is_named(around: Surroundings):
    kernel_lists(around.root, {
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n"})
    [finding] = check_processor(around)
    assert "powersave" in finding.what
    assert "performance" in finding.fix
