# SPDX-License-Identifier: GPL-2.0-or-later
"""A project with running guests for the commands that reach into them: its folder is laid out as
docs/life.md says, and kmln-node keeps its busybox guests, in which kmln-agent runs."""

import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import guests
import nodes
import runner

INITTAB = ("::sysinit:/etc/rc\n::respawn:/usr/lib/kmln/kmln-agent\nttyS0::respawn:-/bin/sh\n"
           "::ctrlaltdel:/bin/reboot\n::shutdown:/bin/umount -a -r\n")


def with_agent(image, folder):
    """A busybox guest in which the agent runs."""
    inittab = folder / "inittab"
    inittab.write_text(INITTAB)
    commands = ["mkdir /usr/lib", "mkdir /usr/lib/kmln", "rm /etc/inittab",
                f"write {runner.BUILD}/src/agent/kmln-agent /usr/lib/kmln/kmln-agent",
                "sif /usr/lib/kmln/kmln-agent mode 0100755", f"write {inittab} /etc/inittab"]
    guests._debugfs(image, commands)
    return image


class Project:
    """A project below a folder of its own; what runs is ended by close()."""

    def __init__(self, kmln, folder, name="net"):
        self.kmln, self.name = kmln, name
        self.folder = Path(folder)
        self.data = self.folder / "data/projects" / name
        self.runtime = self.folder / "run" / name
        self.nodes, self.order = {}, []
        (self.data / "hosts").mkdir(parents=True)
        self.runtime.mkdir(parents=True)
        (self.data / "project.json").write_text('{"file": "project/net.kmln", "folder": "/"}\n')

    def add(self, host):
        """A host that does not run."""
        self.order.append(host)
        (self.data / "hosts" / host).mkdir()
        hosts = "".join(f'  <host name="{name}"/>\n' for name in self.order)
        (self.data / "resolved.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<!DOCTYPE project PUBLIC "-//KMLN//DTD Project 1.0//EN" "kmln-project.dtd">\n'
            f'<project format="1">\n  <global project="{self.name}"/>\n{hosts}</project>\n')

    def start(self, host, image, platform, *options, share=True):
        """Starts a machine on the image, with a transfer folder where the platform knows one."""
        if host not in self.order:
            self.add(host)
        node = nodes.Node(self.folder, f"host-{host}")
        node.run = self.runtime / "nodes" / node.name
        node.log = self.data / "logs" / f"{node.name}.log"
        spawn, serve = nodes.machine(self.kmln, image, platform, *options)
        channel = ["--channel", "serial" if platform == "uml" else "virtio"]
        if platform == "uml" and share:
            transfer = self.data / "hosts" / host / "transfer"
            transfer.mkdir(mode=0o700)
            at = spawn["argv"].index("--remount-ro")
            spawn["argv"][at:at] = ["--bind", transfer, "/kmln/transfer"]
            at = spawn["argv"].index("/kmln/run", spawn["argv"].index("_confine")) - 1
            spawn["argv"][at:at] = ["--write", "/kmln/transfer"]
            channel += ["--transfer", transfer]
        node.start(*channel, "--ready", "agent", spawn=spawn, serve=serve)
        self.nodes[host] = node
        return node

    def ready(self, *hosts, seconds=120):
        for host in hosts:
            self.nodes[host].wait(lambda status: status["ready"], seconds)

    def run(self, command, *args, **options):
        """kmln COMMAND -p PROJECT ARGS."""
        env = {"KMLN_HOME": self.folder, **options.pop("env", {})}
        return runner.run([runner.BUILD / "kmln", command, "-p", self.name, *args], env=env, **options)

    def popen(self, command, *args, **options):
        env = {**os.environ, "KMLN_HOME": str(self.folder), "PATH": runner.PATH}
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
            import fcntl
            import termios
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.child = project.popen(command, *args, stdin=theirs, stdout=theirs, stderr=theirs,
                                   preexec_fn=own)
        os.close(theirs)

    def resize(self, rows, columns):
        import fcntl
        import struct
        import termios
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
