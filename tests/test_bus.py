"""The links between processes: order, counted losses, one answer to each request."""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.station.commands import Arm, Command, Reply, ResetScene, Stop
from studio.station.processes.bus import (
    CommandClient,
    CommandServer,
    Endpoints,
    LatestPublisher,
    LatestSubscriber,
    LosslessReceiver,
    LosslessSender,
    StationSilent,
    open_context,
    private_endpoints,
)
from studio.station.processes.wire import pack

pytestmark = pytest.mark.alone


class Keep(Protocol):
    def __call__[T](self, link: T) -> T: ...


PATIENCE_MS = 20_000    # ends a broken test; a passing one never waits for it


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    with open_context() as context:
        yield context


@pytest.fixture
def keep(context: zmq.Context) -> Keep:
    """Holds a link until the context closes its socket."""
    kept = []

    def keeping[T](link: T) -> T:
        kept.append(link)
        return link

    return keeping


@pytest.fixture
def links() -> Iterator[Endpoints]:
    with private_endpoints() as endpoints:
        yield endpoints


def directory_of(links: Endpoints) -> Path:
    return Path(links.record.removeprefix("ipc://")).parent


def test_sockets_lie_in_a_directory_that_only_this_user_may_enter(links: Endpoints) -> None:
    directory = directory_of(links)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert all(len(address) < 107 for address in
               (getattr(links, name) for name in Endpoints.__struct_fields__))


def test_the_directory_goes_when_the_station_ends() -> None:
    with private_endpoints() as links:
        directory = directory_of(links)
        assert directory.is_dir()
    assert not directory.exists()


def test_a_killed_stations_directory_is_swept_by_the_next(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp")
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)      # now a number that no process has
    left = Path(f"/tmp/tandem-{pid}-abandoned")
    left.mkdir()
    kept = Path(f"/tmp/tandem-{os.getpid()}-abandoned")
    kept.mkdir()
    try:
        with private_endpoints():
            assert not left.exists()
            assert kept.exists()
    finally:
        kept.rmdir()


def test_a_runtime_directory_with_a_long_name_is_not_used(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with private_endpoints() as links:
        assert str(long) not in links.record


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=4), max_size=60))
def test_lossless_messages_arrive_whole_and_in_order(messages: list[list[bytes]]) -> None:
    with private_endpoints() as links, open_context() as context:
        receiver = LosslessReceiver(context, links.record)
        sender = LosslessSender(context, links.record, capacity=100)
        assert all(sender.send(message) for message in messages)
        received = []
        while len(received) < len(messages) and receiver.wait(PATIENCE_MS):
            frames = receiver.receive()
            assert frames is not None
            received.append([bytes(frame) for frame in frames])
        assert received == messages
        assert sender.overflowed == 0
        sender.close()
        receiver.close()


def test_what_does_not_fit_is_refused_and_counted_and_what_was_taken_arrives(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    sender = keep(LosslessSender(context, links.record, capacity=5))
    taken = [number for number in range(12) if sender.send([bytes([number])])]
    assert taken == [0, 1, 2, 3, 4]
    assert sender.overflowed == 7
    receiver = keep(LosslessReceiver(context, links.record))      # the recorder comes up late
    for number in taken:
        assert receiver.wait(PATIENCE_MS)
        assert receiver.receive() == [memoryview(bytes([number]))]
    assert receiver.receive() is None


def test_a_blocking_sender_waits_once_for_a_dead_reader_and_then_refuses(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    sender = keep(LosslessSender(context, links.record, capacity=1, block=True, patience_s=0.02,
                                  linger_s=0))
    assert sender.send([b"kept"])
    assert not sender.send([b"waits in vain"])
    assert not sender.send([b"does not wait"])
    assert sender.overflowed == 2


def test_a_blocking_sender_loses_nothing_against_a_slow_reader(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    receiver = keep(LosslessReceiver(context, links.record, capacity=1))
    sender = keep(LosslessSender(context, links.record, capacity=1, block=True, linger_s=0))
    big = bytes(300_000)        # more than a socket's buffer: what is in flight stays small
    received = 0
    for number in range(20):
        assert sender.send([number.to_bytes(2, "little"), big])
        if number >= 2:         # stay behind, so that the sender meets a full pipe
            assert receiver.wait(PATIENCE_MS)
            frames = receiver.receive()
            assert frames is not None and int.from_bytes(frames[0], "little") == received
            received += 1
    assert sender.overflowed == 0


def test_the_reader_hears_that_the_sender_ended_and_still_gets_its_last_words(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    receiver = keep(LosslessReceiver(context, links.record))
    with open_context() as other:
        sender = keep(LosslessSender(other, links.record, capacity=10))
        sender.send([b"last words"])
        assert receiver.wait(PATIENCE_MS)
        assert not receiver.sender_gone()
    until_true(receiver.sender_gone)
    assert receiver.receive() == [memoryview(b"last words")]


def test_a_binding_sender_refuses_while_nobody_listens(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    host = keep(LosslessSender(context, links.robot, capacity=10, bind=True))
    assert not host.send([b"for nobody"])
    assert host.overflowed == 1


def test_a_subscriber_gets_the_newest_and_counts_what_it_missed(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    publisher = keep(LatestPublisher(context, links.watch))
    subscriber = keep(LatestSubscriber(context, links.watch, "snapshot"))
    greet(publisher, subscriber)
    for number in range(10):
        publisher.publish("snapshot", [bytes([number])])
    publisher.publish("snapshots", [b"another topic"])
    seen, newest = 0, None
    while newest != b"\x09":
        assert subscriber.wait(PATIENCE_MS)
        for message in subscriber.newest() or ():
            newest, seen = bytes(message), seen + 1
    assert subscriber.dropped == 10 - seen
    assert subscriber.newest() is None


def test_a_subscriber_that_falls_behind_counts_what_the_link_dropped(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    publisher = keep(LatestPublisher(context, links.watch, capacity=2))
    subscriber = keep(LatestSubscriber(context, links.watch, "batches", capacity=2))
    greet(publisher, subscriber)
    big = bytes(400_000)
    for number in range(40):
        publisher.publish("batches", [bytes([number]), big])
    seen = []
    while subscriber.wait(200):
        seen += [message[0][0] for message in subscriber.drain()]
    assert seen == sorted(set(seen))
    publisher.publish("batches", [bytes([40]), b""])
    assert subscriber.wait(PATIENCE_MS)
    seen += [message[0][0] for message in subscriber.drain()]
    assert subscriber.dropped == 41 - len(seen) > 0


def test_a_restarted_publisher_is_no_loss(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    subscriber = keep(LatestSubscriber(context, links.watch, "snapshot"))
    for _ in range(2):
        with open_context() as other:
            publisher = keep(LatestPublisher(other, links.watch))
            greet(publisher, subscriber)
    assert subscriber.dropped == 0


def test_each_command_is_answered_once_with_its_own_reply(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    server = keep(CommandServer[Command, Reply](context, links.command))
    asked = [keep(context.socket(zmq.DEALER)) for _ in range(2)]
    for number, socket in enumerate(asked):
        socket.connect(links.command)
        socket.send_multipart([bytes([number]), pack(ResetScene(task="push-button", seed=number))])
    answered = 0
    while answered < 2:
        assert server.wait(PATIENCE_MS)
        for command, answer in server.poll():
            assert isinstance(command, ResetScene)
            answer(Reply(True, value=f"seed {command.seed}"))
            answered += 1
    for number, socket in enumerate(asked):
        assert socket.poll(PATIENCE_MS)
        assert socket.recv_multipart() == [bytes([number]), pack(Reply(True, "", f"seed {number}"))]


def test_a_client_hears_the_reply(context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    server = keep(CommandServer[Command, Reply](context, links.command))

    def serve() -> None:
        while server.wait(PATIENCE_MS):
            for command, answer in server.poll():
                answer(Reply(isinstance(command, Arm), type(command).__name__))
                if isinstance(command, Stop):
                    return

    thread = threading.Thread(target=serve, name="server")
    thread.start()
    client = keep(CommandClient[Command, Reply](context, links.command))
    assert client.call(Arm(), PATIENCE_MS / 1000) == Reply(True, "Arm")
    assert client.call(Stop(), PATIENCE_MS / 1000) == Reply(False, "Stop")
    thread.join()


@pytest.mark.parametrize(("name", "heard"), [
    ("", ""), ("desktop-4711", "desktop-4711"), ("x" * 500, "x" * 60)])
def test_a_server_hears_who_asks_if_they_say_so(
        context: zmq.Context, keep: Keep, links: Endpoints, name: str, heard: str) -> None:
    server = keep(CommandServer[Command, Reply](context, links.command))
    who: list[str] = []

    def serve() -> None:
        assert server.wait(PATIENCE_MS)
        for _, answer in server.poll():
            who.append(server.asked_by)
            answer(Reply(True))

    thread = threading.Thread(target=serve, name="server")
    thread.start()
    client = keep(CommandClient[Command, Reply](context, links.command, name=name))
    assert client.call(Arm(), PATIENCE_MS / 1000).accepted
    thread.join()
    assert who == [heard]


def test_rubbish_is_refused_with_a_reason_and_never_reaches_the_station(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    server = keep(CommandServer[Command, Reply](context, links.command))
    socket = keep(context.socket(zmq.DEALER))
    socket.connect(links.command)
    socket.send_multipart([b"1", b"\xc1rubbish"])
    socket.send_multipart([b"no number"])
    assert server.wait(PATIENCE_MS)
    until_true(lambda: list(server.poll()) == [] and bool(socket.poll(10)))
    assert b"unreadable message" in socket.recv_multipart()[1]


def test_a_silent_station_is_said_so_and_the_command_is_not_kept_for_later(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    client = keep(CommandClient[Command, Reply](context, links.command))
    with pytest.raises(StationSilent, match="did not answer Arm"):
        client.call(Arm(), timeout_s=0.01)
    server = keep(CommandServer[Command, Reply](context, links.command))
    assert not server.wait(100)     # an Arm that nobody waits for any more must never arrive


def test_a_server_that_dies_over_a_command_is_noticed_at_once(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    client = keep(CommandClient[Command, Reply](context, links.command))

    def die() -> None:
        with open_context() as other:
            server = CommandServer[Command, Reply](other, links.command)
            assert server.wait(PATIENCE_MS)
            server.close()

    thread = threading.Thread(target=die, name="server")
    thread.start()
    with pytest.raises(StationSilent, match="it ended over this"):
        client.call(Arm(), timeout_s=3600.0)
    thread.join()


def test_a_server_that_goes_between_looking_and_asking_is_silent_and_no_crash(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    client = keep(CommandClient[Command, Reply](context, links.command))

    class JustBefore:
        """The socket as it was a moment ago, when a server was there."""

        def __init__(self, socket: zmq.Socket) -> None:
            self._socket = socket

        def poll(self, *_: int) -> int:
            return zmq.POLLOUT

        def __getattr__(self, name: str) -> object:
            return getattr(self._socket, name)

    client._socket = JustBefore(client._socket)
    with pytest.raises(StationSilent, match="it has ended"):
        client.call(Arm(), timeout_s=0.2)


def test_a_late_answer_is_not_taken_for_the_next_calls(
        context: zmq.Context, keep: Keep, links: Endpoints) -> None:
    server = keep(CommandServer[Command, Reply](context, links.command))
    client = keep(CommandClient[Command, Reply](context, links.command))
    with pytest.raises(StationSilent, match="it is busy"):
        client.call(Arm(), timeout_s=0.2)   # connected, but nobody serves
    assert server.wait(PATIENCE_MS)
    ((_, answer_late),) = server.poll()
    answer_late(Reply(True, "late"))
    with pytest.raises(StationSilent):
        client.call(Stop(), timeout_s=0.2)


def until_true(condition: Callable[[], bool]) -> None:
    """Look again until a condition holds; bounded by the test's time-out."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as pause:
        while not condition():
            pause.poll(5)


def greet(publisher: LatestPublisher, subscriber: LatestSubscriber) -> None:
    """Publish until the subscription has reached the publisher, and start counting afresh."""
    heard = False
    while not heard:
        publisher.publish("snapshot", [b"hello"])
        publisher.publish("batches", [b"\0hello"])
        heard = subscriber.wait(20)
    while subscriber.wait(20):
        list(subscriber.drain())
    subscriber.dropped = 0
