# SPDX-License-Identifier: GPL-2.0-or-later
"""A project with running guests for the commands that reach into them: built by kmln, its machines
started by the scripts in its folder, ended through those who keep them."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import nodes
import runner


class Project:
    """A project of a KMLN_HOME; what runs is ended by close()."""

    def __init__(self, home, name="net"):
        self.home, self.name = home, name
        self.data, self.runtime = home / "data/projects" / name, home / "run" / name
        self.nodes = {}

    def start(self, host):
        node = nodes.Node(self.home, f"host-{host}")
        node.run = self.runtime / "nodes" / node.name
        node.log = self.data / "logs" / f"{node.name}.log"
        self.nodes[host] = node
        runner.run(["sh", self.data / f"start_99_{host}.sh"], env={"KMLN_HOME": self.home}, expect=0)

    def ready(self, *hosts, seconds=240):
        for host in hosts:
            self.nodes[host].wait(lambda status: status["ready"], seconds)

    def run(self, command, *args, **options):
        """kmln COMMAND -p PROJECT ARGS."""
        env = {"KMLN_HOME": self.home, **options.pop("env", {})}
        return runner.run([runner.BUILD / "kmln", command, "-p", self.name, *args], env=env, **options)

    def popen(self, command, *args, **options):
        env = {**os.environ, "KMLN_HOME": str(self.home), "PATH": runner.PATH}
        return subprocess.Popen([runner.BUILD / "kmln", command, "-p", self.name, *args], env=env, **options)

    def terminal(self, command, *args, rows=24, columns=80):
        return Terminal(self, command, args, rows, columns)

    def close(self):
        for node in self.nodes.values():
            node.close()


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, project, command, args, rows, columns):
        self.screen = b""
        self.ours, theirs = pty.openpty()
        self.resize(rows, columns)

        def own():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.child = project.popen(command, *args, stdin=theirs, stdout=theirs, stderr=theirs,
                                   preexec_fn=own)
        os.close(theirs)

    def resize(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, data):
        os.write(self.ours, data)

    def until(self, words, seconds=20):
        """Reads until the words are on the screen; what was read before them is forgotten."""
        end = time.monotonic() + seconds
        while words not in self.screen:
            left = end - time.monotonic()
            assert left > 0, f"no {words} in {self.screen[-2000:]}"
            if select.select([self.ours], [], [], left)[0]:
                try:
                    self.screen += os.read(self.ours, 65536)
                except OSError:  # the other end is closed
                    assert words in self.screen, f"no {words} in {self.screen[-2000:]}"
        before, _, self.screen = self.screen.partition(words)
        return before

    def end(self, seconds=20):
        """Its exit status."""
        end = time.monotonic() + seconds
        while self.child.poll() is None:
            assert time.monotonic() < end, self.screen[-2000:]
            if select.select([self.ours], [], [], 0.05)[0]:
                try:
                    self.screen += os.read(self.ours, 65536)
                except OSError:
                    pass
        return self.child.returncode

    def close(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL)
            self.child.wait()
        os.close(self.ours)
