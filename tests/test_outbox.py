"""The queue in front of a lossless sender."""

from studio.station.processes.bus import (
    LosslessReceiver,
    LosslessSender,
    open_context,
    private_endpoints,
)
from studio.station.recording.outbox import Outbox


def received(receiver: LosslessReceiver) -> list[bytes]:
    messages = []
    while receiver.wait(300):
        while (frames := receiver.receive()) is not None:
            messages.append(b"".join(bytes(frame) for frame in frames))
    return messages


def test_everything_that_was_taken_arrives_in_order_also_what_waited_at_the_end():
    with private_endpoints() as links, open_context() as context:
        receiver = LosslessReceiver(context, links.record)
        outbox = Outbox(LosslessSender(context, links.record, capacity=1000), 1000)
        assert all(outbox.send([b"%d " % n, b"rows"]) for n in range(500))
        outbox.close()
        assert received(receiver) == [b"%d rows" % n for n in range(500)]
        receiver.close()


def test_a_full_outbox_refuses_and_what_it_took_still_arrives():
    with private_endpoints() as links, open_context() as context:
        outbox = Outbox(LosslessSender(context, links.record, capacity=2, bind=False), 5)
        taken = [n for n in range(100) if outbox.send([b"%d" % n])]   # nobody listens yet
        assert taken[:5] == [0, 1, 2, 3, 4] and len(taken) < 100
        receiver = LosslessReceiver(context, links.record)
        arrived = received(receiver)
        outbox.close()
        assert arrived == [b"%d" % n for n in taken]
        receiver.close()
