# SPDX-License-Identifier: GPL-2.0-or-later
"""A node and what calls itself an agent: the program's end of the line is this test's, so that it can
say what no agent of ours would. The real agents are tested in machines (test_machines.py)."""

import json
import os
import re
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import pytest

import machines
import nodes
import runner

# Gives its line to whoever connects, so that the test itself is the guest's end of it: descriptors 4
# and 5, or both ways 4 where it is a virtio port.
RELAY = """
import os, select, socket, sys
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen()
peer = server.accept()[0]
while True:
    ready = select.select([4, peer], [], [])[0]
    if 4 in ready:
        data = os.read(4, 65536)
        if not data: break
        peer.sendall(data)
    if peer in ready:
        data = peer.recv(65536)
        if not data: break
        while data: data = data[os.write(5, data):]
"""


class Line:
    """The guest's end of a line."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        machines.wait_for(lambda: Path(path).exists(), "the line")
        machines.wait_for(lambda: self.socket.connect_ex(str(path)) == 0, "the line")
        self.socket.settimeout(10)
        self.data, self.taken = b"", 0

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        while b"\n" not in self.data:
            self.data += self.socket.recv(65536)
        text, _, self.data = self.data.partition(b"\n")
        return json.loads(text.rpartition(b"\xff")[2])

    def hello(self):
        self.send(b'\xff{"event": "KMLN_HELLO", "data": {"version": 1, "boot": "x"}}\n')

    def frames_from_here(self, ready=True):
        """As kmln's agent begins: hello, asked, answered. Gives the window."""
        self.hello()
        asked = self.line()
        assert asked["execute"] == "kmln-frames"
        self.send(b"\xff" + json.dumps({"return": {"id": asked["arguments"]["id"]}}).encode() + b"\n")
        self.taken = 0
        if ready:
            self.booted()
        return asked["arguments"]["window"]

    def booted(self):
        """The node's own question: whether the guest's boot has ended."""
        stream, request = self.opened()
        assert request["do"] == "exec" and request["argv"][0] == "/bin/sh"
        self.send(nodes.frame(nodes.CLOSE, stream, b'{"return": {"status": 0}}'))

    def next(self, ack=True):
        frames, _ = nodes.take_frames(self.data)
        while not frames:
            self.data += self.socket.recv(65536)
            frames, _ = nodes.take_frames(self.data)
        kind, stream, data = frames[0]
        self.data = self.data[8 + len(data):]
        self.taken += 8 + len(data)
        if ack:
            self.send(nodes.frame(nodes.ACK, 0, nodes.number(self.taken)))
        return kind, stream, data

    def opened(self):
        kind, stream, data = self.next()
        assert kind == nodes.OPEN
        return stream, json.loads(data)

    def unread(self, seconds=0.3):
        """All that comes without an acknowledgement, until nothing does."""
        self.socket.settimeout(seconds)
        try:
            while True:
                self.data += self.socket.recv(65536)
        except TimeoutError:
            pass
        self.socket.settimeout(10)
        return len(self.data)


@pytest.fixture
def node(tmp_path):
    node = nodes.Node(tmp_path)
    node.start("--open", "--unconfined", "--channel", "serial", "--ready", "agent", spawn={
        "argv": [sys.executable, "-c", RELAY, str(tmp_path / "line")]})
    node.line = Line(tmp_path / "line")
    yield node
    node.line.socket.close()
    node.close()


def memory(node, which="VmRSS"):
    return int(re.search(which + r":\s+(\d+) kB", Path(f"/proc/{node.pid()}/status").read_text())[1])


def closed(control, stream):
    return control.run(stream, end=False)[0]


def test_nothing_is_sent_before_hello(node):
    assert node.line.unread(1.5) == 0
    assert node.call(do="exec", argv=["true"])["code"] == "ENOTCONN"
    assert not node.status()["ready"] and node.status()["agent"] is None
    assert node.line.frames_from_here() == 2048
    status = node.wait(lambda s: s["ready"], 5)
    assert status["agent"] == "kmln"


def test_streams_pass_both_ways(node):
    node.line.frames_from_here()
    node.wait(lambda s: s["ready"], 5)
    control = node.control()
    stream = control.ask(do="exec", argv=["cat"], more={"deep": [1, 2]})
    number, request = node.line.opened()
    assert request == {"do": "exec", "argv": ["cat"], "more": {"deep": [1, 2]}}
    control.put(nodes.DATA, stream, b"in")
    control.put(nodes.CONTROL, stream, b'{"signal": 15}')
    control.put(nodes.END, stream)
    assert [node.line.next() for _ in range(3)] == [
        (nodes.DATA, number, b"in"), (nodes.CONTROL, number, b'{"signal": 15}'), (nodes.END, number, b"")]
    for kind, data in ((nodes.DATA, b"out"), (nodes.ERROR_DATA, b"err"), (nodes.END, b"")):
        node.line.send(nodes.frame(kind, number, data))
        assert control.next() == (kind, stream, data)
    node.line.send(nodes.frame(nodes.CLOSE, number, b'{"return": {"status": 7}}'))
    assert control.next() == (nodes.CLOSE, stream, b'{"return": {"status": 7}}')


def test_window_and_turns(node):
    """No more than 2 KiB are on the way, and a stream that has much to say does not hold up another."""
    node.line.frames_from_here()
    node.wait(lambda s: s["ready"], 5)
    control = node.control()
    big = control.ask(do="put", path="/big")
    first, _ = node.line.opened()
    for _ in range(4):
        control.put(nodes.DATA, big, os.urandom(16384))
    small = control.ask(do="exec", argv=["date"])
    assert node.line.unread() == 2048
    seen = 0
    while True:
        kind, stream, data = node.line.next()
        if stream != first:
            break
        seen += len(data)
    assert kind == nodes.OPEN and seen < 4096 and small == 2
    rest = 0
    while seen + rest < 65536:
        kind, stream, data = node.line.next()
        assert (kind, stream) == (nodes.DATA, first)
        rest += len(data)


def test_credit_is_end_to_end(node):
    node.line.frames_from_here()
    node.wait(lambda s: s["ready"], 5)
    control = node.control()
    stream = control.ask(do="put", path="/x")
    number, _ = node.line.opened()
    # nobody gives more than the agent did
    for _ in range(4):
        control.put(nodes.DATA, stream, b"x" * 16384)
    taken = 0
    while taken < 65536:
        taken += len(node.line.next()[2])
    assert control.quiet()
    node.line.send(nodes.frame(nodes.CREDIT, number, nodes.number(20000)))
    assert control.next() == (nodes.CREDIT, stream, nodes.number(20000))
    # and the other way: the owner's credit reaches the agent
    for _ in range(4):
        node.line.send(nodes.frame(nodes.DATA, number, b"y" * 16384))
    got = 0
    while got < 65536:
        got += len(control.next()[2])
    control.put(nodes.CREDIT, stream, nodes.number(30000))
    assert node.line.next() == (nodes.CREDIT, number, nodes.number(30000))


def test_an_agent_that_is_lost(node):
    node.line.frames_from_here()
    control = node.control()
    node.wait(lambda s: s["ready"], 5)
    streams = [control.ask(do="exec", argv=[str(i)]) for i in range(3)]
    for _ in streams:
        node.line.opened()
    node.line.frames_from_here()  # it has started again
    ends = {stream: (kind, json.loads(data)["code"]) for kind, stream, data in
            (control.next() for _ in streams)}
    assert ends == dict.fromkeys(streams, (nodes.CLOSE, "ENOTCONN"))
    node.wait(lambda s: s["ready"], 5)
    again = control.ask(do="exec", argv=["again"])
    number, request = node.line.opened()
    assert request["argv"] == ["again"]
    # a peer that goes away, and one that wants no more
    control.put(nodes.CLOSE, again)
    assert node.line.next() == (nodes.CLOSE, number, b"")
    other = node.control()
    other.ask(do="exec", argv=["other"])
    number, _ = node.line.opened()
    other.close()
    assert node.line.next() == (nodes.CLOSE, number, b"")


BROKEN = {
    "garbage": lambda n: os.urandom(50000).replace(b"\x4b", b"x"),
    "a size beyond all": lambda n: b"\x4b\x02\xff\xff" + struct.pack("<I", n),
    "a type beyond all": lambda n: nodes.frame(77, n),
    "more than its credit": lambda n: 5 * nodes.frame(nodes.DATA, n, b"z" * 16384),
    "acknowledged before it was sent": lambda n: nodes.frame(nodes.ACK, 0, nodes.number(1 << 20)),
    "asking instead of answering": lambda n: nodes.frame(nodes.OPEN, n, b"{}"),
    "more credit than there is": lambda n: 2 * nodes.frame(nodes.CREDIT, n, nodes.number(0xffffffff)),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_hostile_agent(node, how):
    node.line.frames_from_here()
    node.wait(lambda s: s["ready"], 5)
    control = node.control()
    stream = control.ask(do="exec", argv=["x"])
    number, _ = node.line.opened()
    node.line.send(BROKEN[how](number))
    # nothing is read before, and so no more credit given
    node.wait(lambda s: s["agent"] is None, 10)
    assert closed(control, stream)["code"] == "ENOTCONN"
    # it believes in frames: it is asked once more
    asked = node.line.line()
    assert asked["execute"] == "kmln-frames"
    node.line.send(b"\xff" + json.dumps({"return": {"id": asked["arguments"]["id"]}}).encode() + b"\n")
    node.wait(lambda s: s["agent"] == "kmln", 5)
    assert runner.fits(memory(node), 3 * 1024)


def test_frames_of_streams_that_do_not_exist(node):
    node.line.frames_from_here()
    node.wait(lambda s: s["ready"], 5)
    control = node.control()
    stream = control.ask(do="exec", argv=["x"])
    number, _ = node.line.opened()
    for other in (0, number + 1, 0xffffffff):
        for kind in (nodes.DATA, nodes.ERROR_DATA, nodes.END, nodes.CREDIT, nodes.CLOSE):
            node.line.send(100 * nodes.frame(kind, other, b"1234"))
    node.line.send(nodes.frame(nodes.DATA, number, b"fine"))
    assert control.next() == (nodes.DATA, stream, b"fine")


def test_a_frame_that_is_never_whole(node):
    node.line.frames_from_here()
    node.wait(lambda s: s["ready"], 5)
    begin = time.monotonic()
    node.line.send(b"\x4b\x02\x00\x10")
    node.wait(lambda s: not s["ready"], 30)
    assert 8 < time.monotonic() - begin < 25


def test_floods(node):
    """Text without end, and hello without end: memory is bounded, and others are answered."""
    stop = threading.Event()

    def flood(data):
        node.line.socket.settimeout(0.2)
        while not stop.is_set():
            try:
                node.line.socket.send(data)
            except TimeoutError:
                pass

    for data in (b"x" * 65536, b'\xff{"event": "KMLN_HELLO"}\n' * 1000, b'\xff{"return": ' + b"[" * 3000 + b"\n"):
        thread = threading.Thread(target=flood, args=(data,))
        thread.start()
        worst = 0
        for _ in range(10):
            begin = time.monotonic()
            assert node.status()["state"] == "running"
            worst = max(worst, time.monotonic() - begin)
            time.sleep(0.1)
        stop.set()
        thread.join()
        stop.clear()
        assert worst < 2 and runner.fits(memory(node), 3 * 1024)


def test_an_answer_of_a_million_values(tmp_path):
    """A guest that calls itself qemu-ga may send long lines, but not what takes a hundred times as much here."""
    node = nodes.Node(tmp_path)
    node.start("--open", "--unconfined", "--channel", "virtio", "--ready", "none", spawn={
        "argv": [sys.executable, "-c", RELAY.replace("write(5", "write(4"), str(tmp_path / "line")]})
    line = Line(tmp_path / "line")
    try:
        line.send(b"\xff" + json.dumps({"return": line.line()["arguments"]["id"]}).encode() + b"\n")
        line.send(json.dumps({"error": {"class": "CommandNotFound"}, "id": line.line()["id"]}).encode() + b"\n")
        node.wait(lambda s: s["agent"] == "qemu-ga", 5)
        control = node.control()
        stream = control.ask(do="call", execute="guest-info")
        asked = line.line()["id"]
        line.send(b'{"return": [' + b"{}," * 1300000 + b'0], "id": %d}\n' % asked)
        assert closed(control, stream)["code"] == "EMSGSIZE"
        assert runner.fits(memory(node, "VmHWM"), 24 * 1024)
        stream = control.ask(do="call", execute="guest-ping")
        line.send(b'{"return": {}, "id": %d}\n' % line.line()["id"])
        assert closed(control, stream) == {"return": {}}
    finally:
        line.socket.close()
        node.close()


def test_an_agent_that_reads_nothing(node):
    """What is queued for it is bounded, and its streams can be given up."""
    node.line.frames_from_here()
    node.wait(lambda s: s["ready"], 5)
    control = node.control()
    streams = [control.ask(do="put", path=str(i)) for i in range(20)]
    for stream in streams:
        for _ in range(4):
            control.put(nodes.DATA, stream, b"x" * 16384)
    assert node.line.unread() == 2048
    assert runner.fits(memory(node), 8 * 1024)
    begin = time.monotonic()
    control.close()
    assert node.status()["state"] == "running" and time.monotonic() - begin < 2
    # one more that is sent than is allowed, and the peer is gone
    control = node.control()
    stream = control.ask(do="put", path="x")
    for _ in range(5):
        control.put(nodes.DATA, stream, b"x" * 16384)
    with pytest.raises((EOFError, ConnectionResetError)):
        control.next()


def test_small_pieces_do_not_grow(node):
    """A reader that takes nothing: what an agent sends in single bytes takes no more than its credit."""
    node.line.frames_from_here()
    node.wait(lambda s: s["ready"], 5)
    control = node.control()
    control.ask(do="exec", argv=["x"])
    number, _ = node.line.opened()
    before = memory(node)
    node.line.send(65536 * nodes.frame(nodes.DATA, number, b"a") + 100000 * nodes.frame(nodes.DATA, number))
    node.line.send(nodes.frame(nodes.CREDIT, number, nodes.number(1)) * 5000)
    node.status()
    assert runner.fits(memory(node) - before, 1024)
    got = b""
    while len(got) < 65536:
        kind, _, data = control.next()
        got += data if kind == nodes.DATA else b""
    assert got == b"a" * 65536


def test_shutdown_by_the_agent(node):
    node.line.frames_from_here()
    node.wait(lambda s: s["ready"], 5)
    control = node.control()
    stream = control.ask(do="end", how="shutdown", seconds=30)
    _, request = node.line.opened()
    assert request == {"do": "call", "execute": "guest-shutdown", "arguments": {"mode": "powerdown"}}
    assert node.status()["state"] == "ending"
    node.line.socket.close()  # the program ends
    assert closed(control, stream) == {"return": {"how": "shutdown"}}
    assert node.ended()["state"] == "stopped"


def test_shutdown_before_it_answers(node):
    """One that is still starting is asked once it answers."""
    control = node.control()
    stream = control.ask(do="end", how="shutdown", seconds=30)
    node.wait(lambda s: s["state"] == "ending", 5)
    node.line.frames_from_here(ready=False)
    _, request = node.line.opened()
    assert request["execute"] == "guest-shutdown"
    node.line.socket.close()
    assert closed(control, stream) == {"return": {"how": "shutdown"}}
