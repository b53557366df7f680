# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln-node for tests: nodes started by hand-made command lines, what they are asked on their control
sockets, and machines out of the commands that kmln itself shows."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import machines
import runner

MARK, HEAD = 0x4b, struct.Struct("<BBHI")
OPEN, DATA, ERROR_DATA, END, CREDIT, CONTROL, CLOSE, ACK = range(1, 9)
CREDIT_AT_FIRST = 65536


def frame(kind, stream, data=b""):
    return HEAD.pack(MARK, kind, len(data), stream) + data


def number(value):
    return struct.pack("<I", value & 0xffffffff)


def take_frames(data):
    """The whole frames in front of data, and the rest."""
    frames = []
    while len(data) >= HEAD.size:
        mark, kind, size, stream = HEAD.unpack_from(data)
        assert mark == MARK, data[:40]
        if len(data) < HEAD.size + size:
            break
        frames.append((kind, stream, data[HEAD.size:HEAD.size + size]))
        data = data[HEAD.size + size:]
    return frames, data


class Control:
    """A connection to a node's control socket."""

    def __init__(self, folder):
        self.socket = socket.socket(socket.AF_UNIX)
        at = os.open(folder, os.O_PATH)
        try:
            self.socket.connect(f"/proc/self/fd/{at}/control")
        finally:
            os.close(at)
        self.data, self.frames, self.last = b"", [], 0

    def put(self, kind, stream, data=b""):
        self.socket.sendall(frame(kind, stream, data))

    def ask(self, **request):
        self.last += 1
        self.put(OPEN, self.last, json.dumps(request).encode())
        return self.last

    def next(self, seconds=20):
        """The next frame: (kind, stream, data)."""
        end = time.monotonic() + seconds
        while not self.frames:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.socket], [], [], left)[0], "no frame"
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise EOFError
            self.frames, self.data = take_frames(self.data + piece)
        return self.frames.pop(0)

    def quiet(self, seconds=0.3):
        """True where no frame comes."""
        return not self.frames and not select.select([self.socket], [], [], seconds)[0]

    def run(self, stream, data=b"", end=True, seconds=60):
        """Sends data as credit allows, and gives credit back, until CLOSE: (answer, DATA, ERROR_DATA)."""
        got = {DATA: b"", ERROR_DATA: b""}
        allowed = CREDIT_AT_FIRST
        while True:
            while data and allowed:
                piece = data[:min(16384, allowed)]
                self.put(DATA, stream, piece)
                data, allowed = data[len(piece):], allowed - len(piece)
            if not data and end:
                self.put(END, stream)
                end = False
            kind, of, content = self.next(seconds)
            if of != stream:
                continue
            if kind in got:
                got[kind] += content
                self.put(CREDIT, stream, number(len(content)))
            elif kind == CREDIT:
                allowed += struct.unpack("<I", content)[0]
            elif kind == CLOSE:
                return json.loads(content), got[DATA], got[ERROR_DATA]

    def read_until(self, stream, words, seconds=20):
        """DATA of a stream until the words are in it."""
        text, end = b"", time.monotonic() + seconds
        while words not in text:
            try:
                kind, of, content = self.next(max(end - time.monotonic(), 0.01))
            except AssertionError:
                raise AssertionError(f"no {words} in {text[-4000:]}") from None
            if of == stream and kind == DATA:
                text += content
                self.put(CREDIT, stream, number(len(content)))
        return text

    def close(self):
        self.socket.close()


def program(argv, *, env=("PATH=/usr/sbin:/usr/bin:/sbin:/bin",)):
    """A program as kmln-node wants it."""
    return [str(len(argv) + len(env)), *env, *map(str, argv)]


class Node:
    """A node below a folder; it is ended with the test."""

    def __init__(self, folder, name="host-a"):
        self.folder, self.name = Path(folder), name
        self.run, self.log = self.folder / "nodes" / name, self.folder / "logs" / f"{name}.log"
        self.private = self.folder / "private"
        self.private.mkdir(exist_ok=True)

    def start(self, *options, spawn, serve=None, expect=0, timeout=60, pass_fds=()):
        served = ["--serve", *program(**serve)] if serve else []
        return runner.run([runner.BUILD / "kmln-node", "--name", self.name, "--run", self.run, "--log",
                           self.log, *options, *served, "--spawn", *program(**spawn)],
                          expect=expect, timeout=timeout, pass_fds=pass_fds, env={"TMPDIR": self.private})

    def shell(self, script, *options, expect=0, pass_fds=()):
        """A shell as the program: nothing stands in front of it."""
        return self.start("--open", "--unconfined", *options, expect=expect, pass_fds=pass_fds,
                          spawn={"argv": ["/bin/sh", "-c", script]})

    def pid(self):
        """Of the process that keeps it, as the kernel says; 0: none."""
        try:
            with open(self.run / "lock", "rb+") as file:
                held = runner_lock(file)
        except FileNotFoundError:
            return 0
        return held

    def control(self):
        return Control(self.run)

    def call(self, limit=60, **request):
        control = self.control()
        try:
            return control.run(control.ask(**request), end=False, seconds=limit)[0]
        finally:
            control.close()

    def status(self):
        return self.call(do="status")["return"]

    def wait(self, condition, seconds=60):
        """Until the condition holds for its status, which is given."""
        end = time.monotonic() + seconds
        while not condition(status := self.status()):
            assert time.monotonic() < end, status
            time.sleep(0.05)
        return status

    def processes(self):
        """{pid: start time} of the node's processes, its keeper's included."""
        pid = self.pid()
        return {pid: machines.start_time(pid), **machines.descendants(pid)}

    def ended(self, seconds=20):
        """Waits until it has ended; gives last.json."""
        machines.wait_for(lambda: not self.pid(), "its end", seconds)
        return json.loads((self.run / "last.json").read_text())

    def exec(self, *argv, data=b"", limit=60, **more):
        control = self.control()
        try:
            return control.run(control.ask(do="exec", argv=argv, **more), data, seconds=limit)
        finally:
            control.close()

    def close(self):
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
            machines.wait_for(lambda: not self.pid(), "the end of a node")


def runner_lock(file):
    """Who holds the lock of this file: a pid, or 0."""
    import fcntl
    question = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, question))
    return 0 if kind == fcntl.F_UNLCK else pid


def machine(kmln, image, platform, *options, channels=True):
    """The program of a machine as kmln itself would start it, with lines to an agent; and what serves
    its disk, or None."""
    shown = json.loads(kmln("boot", "--on", platform, "--dry-run", "--format", "json", *options, image,
                            expect=0).out)
    found = {}
    for action in shown["actions"]:
        if action["action"] in ("spawn", "serve"):
            found[action["action"]] = {"argv": action["argv"], "env": tuple(action["env"])}
    spawn = found["spawn"]["argv"]
    if channels:
        at = spawn.index("_confine") + 1
        spawn[at:at] = ["--channels", "2"]
        if platform == "uml":
            at = spawn.index("con=none")
            spawn[at:at] = ["ssl1=fd:4,fd:5"]
        else:
            at = spawn.index("virtio-rng-pci") + 1
            spawn[at:at] = ["-chardev", "socket,id=agent,fd=4", "-device", "virtio-serial-pci", "-device",
                            "virtserialport,chardev=agent,name=org.qemu.guest_agent.0", "-chardev",
                            "socket,id=line,fd=5", "-serial", "chardev:line"]
    return found["spawn"], found.get("serve")
