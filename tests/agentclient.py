# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of kmln-agent's line (docs/life.md), written from the document alone: lines of the QEMU Guest
Agent protocol, then frames; and machines whose agent's line it holds.

    with agentclient.uml(image, log) as machine:        # or qemu(...)
        agent = machine.agent
        agent.hello()
        agent.line("guest-ping")                         # a plain QGA request
        agent.frames()
        result = agent.run(["sh", "-c", "cat"], stdin=b"x")   # .status .out .err
"""

import base64
import contextlib
import itertools
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import runner

MARK, HEAD, PIECE, CREDIT = 0x4b, 8, 16384, 65536
OPEN, DATA, ERROR_DATA, END, CREDIT_MORE, CONTROL, CLOSE, ACK = range(1, 9)
# what User-Mode Linux's serial line bears, and what the others do
SERIAL_WINDOW, WINDOW = 2048, 1 << 18


class Failed(Exception):
    """The agent's answer is an error."""

    def __init__(self, answer):
        super().__init__(answer)
        self.code = answer.get("code") or answer["error"].get("class")


class Stream:
    """One thing that is opened. `out` and `err` grow by themselves while the client is pumped."""

    def __init__(self, client, number, hold):
        self.client, self.number, self.hold = client, number, hold
        self.out, self.err, self.ended, self.answer = bytearray(), bytearray(), False, None
        self.credit, self.waiting, self.end_waits = CREDIT, bytearray(), False
        self.owed = 0

    def send(self, data):
        self.waiting += data
        self._pass()

    def end(self):
        self.end_waits = True
        self._pass()

    def control(self, **words):
        self.client.put(CONTROL, self.number, json.dumps(words).encode())

    def abandon(self):
        self.client.put(CLOSE, self.number)
        del self.client.streams[self.number]

    def give(self, size):
        self.client.put(CREDIT_MORE, self.number, struct.pack("<I", size))

    def result(self, timeout=60):
        """The `return` of its end."""
        self.client.pump(lambda: self.answer is not None, timeout, f"the end of stream {self.number}")
        if "error" in self.answer:
            raise Failed(self.answer)
        return self.answer["return"]

    def _pass(self):
        # not more than needed is queued, so that streams take turns
        while self.waiting and self.credit and len(self.client.out) < CREDIT:
            n = min(len(self.waiting), self.credit, PIECE)
            self.client.put(DATA, self.number, self.waiting[:n])
            del self.waiting[:n]
            self.credit -= n
        if self.end_waits and not self.waiting:
            self.end_waits = False
            self.client.put(END, self.number)

    def take(self, kind, payload):
        if kind in (DATA, ERROR_DATA):
            (self.out if kind == DATA else self.err).extend(payload)
            self.owed += len(payload)
            if not self.hold and self.owed >= CREDIT // 2:
                self.give(self.owed)
                self.owed = 0
        elif kind == END:
            self.ended = True
        elif kind == CREDIT_MORE:
            self.credit += struct.unpack("<I", payload)[0]
        elif kind == CLOSE:
            self.answer = json.loads(payload)
            del self.client.streams[self.number]


class Result:
    def __init__(self, stream, answer):
        self.out, self.err = bytes(stream.out), bytes(stream.err)
        self.status, self.signal = answer.get("status"), answer.get("signal")

    def __repr__(self):
        return f"status {self.status} signal {self.signal}\n{self.out}\n{self.err}"


class Client:
    def __init__(self, line):
        self.sock = line
        line.setblocking(False)
        self.got, self.out, self.streams = bytearray(), bytearray(), {}
        self.numbers = itertools.count(1)
        self.in_frames, self.window, self.sent, self.acked, self.taken = False, None, 0, 0, 0
        self.hellos = []

    # --- bytes

    def _room(self):
        return len(self.out) if not self.in_frames or not self.window else \
            min(len(self.out), self.window - (self.sent - self.acked))

    def pump(self, condition, timeout, what):
        end = time.monotonic() + timeout
        while not condition():
            left = end - time.monotonic()
            assert left > 0, f"{what}: not within {timeout} s; last heard: {bytes(self.got[-200:])}"
            room = self._room()
            readable, writable, _ = select.select([self.sock], [self.sock] if room else [], [], left)
            if writable:
                n = self.sock.send(self.out[:room])
                del self.out[:n]
                if self.in_frames:
                    self.sent += n
            if readable:
                data = self.sock.recv(1 << 18)
                assert data, f"{what}: the line ended"
                self.got += data
                if self.in_frames:
                    self._take_frames()
            for stream in list(self.streams.values()):
                stream._pass()

    def put(self, kind, stream, payload=b""):
        self.out += struct.pack("<BBHI", MARK, kind, len(payload), stream) + payload

    # --- lines

    def _lines(self):
        """Whole lines that came; what stands before 0xFF is rubbish."""
        while (at := self.got.find(b"\n")) >= 0:
            line = bytes(self.got[:at]).rpartition(b"\xff")[2]
            del self.got[:at + 1]
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def _line(self, wanted, timeout, what):
        found = []

        def look():
            for line in self._lines():
                if line.get("event") == "KMLN_HELLO":
                    self.hellos.append(line["data"])
                if wanted(line):
                    found.append(line)
                    return True
            return False
        self.pump(look, timeout, what)
        return found[0]

    def hello(self, timeout=60):
        """Waits for one; everything before it is forgotten."""
        return self._line(lambda line: line.get("event") == "KMLN_HELLO", timeout, "hello")["data"]

    def line(self, execute, timeout=30, answered=True, **arguments):
        """A plain request of the QEMU Guest Agent protocol."""
        self.out += json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n"
        if not answered:
            self.pump(lambda: not self.out, timeout, execute)
            return None
        answer = self._line(lambda line: "return" in line or "error" in line, timeout, execute)
        if "error" in answer:
            raise Failed(answer)
        return answer["return"]

    def sync(self, timeout=60):
        """guest-sync-delimited, as every client of that protocol begins."""
        number = random.getrandbits(31)
        self.out += b"\xff" + json.dumps({"execute": "guest-sync-delimited",
                                          "arguments": {"id": number}}).encode() + b"\n"
        self._line(lambda line: line.get("return") == number, timeout, "sync")

    def frames(self, window=WINDOW, timeout=30):
        number = random.getrandbits(31)
        self.in_frames = False
        request = {"execute": "kmln-frames", "arguments": {"id": number, "window": window}}
        self.out += b"\xff" + json.dumps(request).encode() + b"\n"
        self._line(lambda line: line.get("return") == {"id": number}, timeout, "frames")
        self.in_frames, self.window, self.sent, self.acked = True, window, 0, 0
        self.streams = {}
        self._take_frames()

    def lines(self):
        """Back to lines: after the agent started anew."""
        self.in_frames, self.streams = False, {}
        self.out.clear()

    # --- frames

    def _take_frames(self):
        while len(self.got) >= HEAD:
            mark, kind, size, number = struct.unpack_from("<BBHI", self.got)
            if mark != MARK:
                raise Failed({"error": "no frame", "code": "EPROTO"})
            if len(self.got) < HEAD + size:
                return
            payload = bytes(self.got[HEAD:HEAD + size])
            del self.got[:HEAD + size]
            if kind == ACK:
                assert number == 0
                acked = struct.unpack("<I", payload)[0]
                assert self.acked <= acked <= self.sent, (self.acked, acked, self.sent)
                self.acked = acked
            elif number in self.streams:
                self.streams[number].take(kind, payload)

    def open(self, do, hold=False, **words):
        """hold: no credit is given but by Stream.give()."""
        number = next(self.numbers)
        stream = self.streams[number] = Stream(self, number, hold)
        self.put(OPEN, number, json.dumps({"do": do, **words}).encode())
        return stream

    def run(self, argv, stdin=b"", timeout=60, **words):
        stream = self.open("exec", argv=argv, **words)
        stream.send(stdin)
        stream.end()
        return Result(stream, stream.result(timeout))

    def get(self, path, timeout=60, **words):
        stream = self.open("get", path=path, **words)
        answer = stream.result(timeout)
        return bytes(stream.out), answer

    def put_file(self, path, content, timeout=60, **words):
        stream = self.open("put", path=path, **words)
        stream.send(content)
        stream.end()
        return stream.result(timeout)

    def list(self, path, timeout=60):
        stream = self.open("list", path=path)
        stream.result(timeout)
        return [json.loads(line) for line in stream.out.decode().splitlines()]

    def call(self, execute, timeout=30, **arguments):
        return self.open("call", execute=execute, arguments=arguments).result(timeout)


def text(encoded):
    return base64.b64decode(encoded or "")


# --- machines

def with_agent(image, **settings):
    """Brings the agent into a guest as kmln does, with other settings (tests/unit/settings-tool.c)."""
    tool = runner.BUILD / "tests/unit/settings-tool"
    runner.run([tool, "apply", image], stdin=json.dumps({"agent": True, **settings}), expect=0)
    return image


class Machine:
    def __init__(self, child, agent, window, log):
        self.child, self.agent, self.window, self.log = child, agent, window, Path(log)

    def ready(self, timeout=120):
        """Its agent, in frames."""
        self.agent.hello(timeout)
        self.agent.frames(self.window)
        return self.agent

    def wait(self, timeout=60):
        """It ends by itself: its status."""
        return self.child.wait(timeout)

    def words(self):
        return self.log.read_text(errors="replace")


@contextlib.contextmanager
def _machine(argv, log, inherited, make, window):
    folder = Path(log).parent
    with open(log, "wb") as out:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 start_new_session=True, pass_fds=[s.fileno() for s in inherited],
                                 env={**os.environ, "TMPDIR": os.fspath(folder), "HOME": os.fspath(folder)})
    try:
        for end in inherited:
            end.close()
        yield Machine(child, make(), window, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def uml(image, log, *words, memory="64M", behind=()):
    """User-Mode Linux on an image; the agent's line is its second serial line. `behind`: a command that
    runs it."""
    program = runner.need_program("linux.uml", "user-mode-linux")
    ours, theirs = socket.socketpair()
    number = theirs.fileno()
    argv = [*behind, program, f"mem={memory}", f"ubd0={image}", "root=/dev/ubda", "rw", "con0=null,fd:1", "con=none",
            "ssl=none", f"ssl1=fd:{number},fd:{number}", *words]
    return _machine(list(map(os.fspath, argv)), log, [theirs], lambda: Client(ours), SERIAL_WINDOW)


def qemu(image, log, kernel, initramfs, *options, line="virtio", append="", memory="256"):
    """QEMU's translator on the same image; the agent's line is a virtio port, or the second serial line."""
    program = runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    ours, theirs = socket.socketpair()
    argv = [program, "-accel", "tcg", "-machine", "pc", "-m", memory, "-nodefaults", "-display", "none",
            "-no-reboot", "-serial", "stdio", "-kernel", kernel, "-initrd", initramfs,
            "-append", f"console=ttyS0 root=/dev/vda rw panic=-1 {append}",
            "-drive", f"file={image},format=raw,if=virtio",
            "-chardev", f"socket,id=agent,fd={theirs.fileno()}",
            *(["-device", "virtio-serial-pci", "-device",
               "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
              if line == "virtio" else ["-serial", "chardev:agent"]), *options]
    return _machine(list(map(os.fspath, argv)), log, [theirs], lambda: Client(ours), WINDOW)
