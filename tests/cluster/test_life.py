# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of projects, with real machines: up, order, readiness, changes, moves, Ctrl-C, down; and what is
true and still works after any process of it was killed."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import machines
import nodes
import runner

pytestmark = pytest.mark.boot

HOSTS = """
switch lan { net 10.7.0.0/24 }
superclass s { memory 64M; platform uml; network eth0 { switch lan } }
"""


class Lab:
    """A project called p, of which nothing is left in the end."""

    def __init__(self, home):
        self.home, self.file = home, home.folder / "p.kmln"
        self.runtime = home.path / "run/p"

    def write(self, text):
        self.file.write_text("global { project p }\n" + text)

    def kmln(self, *args, expect=0, **options):
        return self.home.kmln(*args, expect=expect, cwd=self.home.folder, **options)

    def status(self, expect=(0, 4)):
        found = json.loads(self.kmln("status", "--format", "json", expect=expect).out)
        return {node["name"]: node for node in found["nodes"]}

    def states(self):
        return {name: node["state"] for name, node in self.status().items()}

    def pids(self):
        return {name: node.get("pid") for name, node in self.status().items()}

    def keeper(self, node):
        """The kmln-node of a node, as the kernel knows it."""
        with open(self.runtime / "nodes" / node / "lock", "rb+") as file:
            return nodes.runner_lock(file)

    def exec(self, host, *argv, expect=0):
        control = nodes.Control(self.runtime / "nodes" / f"host-{host}")
        try:
            answer, out, err = control.run(control.ask(do="exec", argv=list(argv)))
        finally:
            control.close()
        assert answer.get("return") == {"status": expect}, (answer, out, err)
        return out.decode()

    def processes(self):
        """All processes in whose command line this project's folders stand."""
        words, found = os.fsencode(self.home.path), []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if words in Path(f"/proc/{name}/cmdline").read_bytes():
                    found.append(int(name))
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def assert_nothing_left(self):
        assert not self.runtime.exists(), sorted(self.runtime.rglob("*"))
        machines.wait_for(lambda: not self.processes(), "no process left", 10)


@pytest.fixture
def lab(home):
    lab = Lab(home)
    yield lab
    lab.kmln("down", "-p", "p", "--now", expect=(0, 1, 4))
    lab.assert_nothing_left()


def test_mixed_project(lab):
    lab.write(HOSTS + """
host gw { superclass s; boot_order 10 }
host q { superclass s; platform qemu; memory 256M; after gw }
""")
    assert set(lab.states().values()) <= {"stopped", "not-built"}
    lab.kmln("status", expect=4)
    up = lab.kmln("up", timeout=200)
    assert up.err.index("host gw is ready") < up.err.index("host q is ready")
    status = lab.status(expect=0)
    assert {name: (n["state"], n.get("platform")) for name, n in status.items()} == \
        {"lan": ("ready", None), "gw": ("ready", "uml"), "q": ("ready", "qemu")}
    for name in ("gw", "q"):
        assert status[name]["agent"] == "kmln" and status[name]["memory"] > 1 << 20
        assert status[name]["platform_why"] == "the file says so"
        # the guest's own word
        address = status[name]["addresses"][0]
        assert address["interface"] == "eth0" and re.fullmatch(r"10\.7\.0\.\d+/24", address["address"])
    table = lab.kmln("status").out
    assert re.search(r"^gw +uml +ready .* 10\.7\.0\.\d+/24 +the file says so$", table, re.M), table
    lab.exec("gw", "ping", "-c", "1", "-w", "10", "q")
    lab.exec("q", "ping", "-c", "1", "-w", "10", "gw")
    # what runs as it should is not touched
    before = lab.pids()
    assert lab.kmln("up", "-n").out == ""
    assert "nothing to do: 2 hosts of p are ready" in lab.kmln("up").err
    assert lab.pids() == before
    # one changes: that one alone is started anew, and not without a word
    lab.write(lab.file.read_text().partition("\n")[2].replace("boot_order 10", "boot_order 10; memory 72M"))
    refused = lab.kmln("up", expect=2)
    assert "stop    host-gw" in refused.err and "--yes" in refused.err and lab.pids() == before
    plan = json.loads(lab.kmln("up", "-n", "--format", "json").out)
    assert [node["node"] for node in plan["stop"]] == ["host-gw"] == plan["start"]
    lab.kmln("up", "-y")
    after = lab.pids()
    assert after["gw"] != before["gw"] and after["q"] == before["q"] and after["lan"] == before["lan"]
    lab.exec("gw", "ping", "-c", "1", "-w", "10", "q")
    # stop and start of one
    down = lab.kmln("stop", "q")
    assert "host q is stopped\n" in down.err
    assert lab.states() == {"lan": "ready", "gw": "ready", "q": "stopped"}
    lab.kmln("start", "q", timeout=200)
    assert lab.states()["q"] == "ready"
    down = lab.kmln("down")
    assert down.err.index("host q is stopped") < down.err.index("host gw is stopped")
    lab.assert_nothing_left()
    assert set(lab.states().values()) == {"stopped"}


def test_readiness_and_order(lab):
    """A console, a port, nothing at all; `after` and levels; one that never is ready holds up only those
    that wait for it."""
    lab.write(HOSTS + """
host a { superclass s; boot_order 1; ready console "kmln guest ready" }
host b { superclass s; boot_order 2; ready port 7; startup { nc -l -p 7 -e true & } }
host n { superclass s; boot_order 3; ready none }
host never { superclass s; boot_order 4; ready console "no such words" }
host waits { superclass s; after never; boot_order 5 }
host last { superclass s; boot_order 6 }
""")
    up = lab.kmln("up", "--timeout", "8", expect=4)
    said = re.findall(r"host (\w+) is ready", up.err)
    assert said == ["a", "b", "n", "last"], up
    assert "warning: host never: not ready after 8 seconds" in up.err
    # its console's words are shown
    assert re.search(r"  \| kmln guest ready", up.err), up
    assert "warning: host waits: it needs host never, which is not ready" in up.err
    assert "kmln: not ready: never; not started: waits" in up.err
    status = lab.status(expect=4)
    assert status["never"]["state"] == "starting" and "no such words" in status["never"]["why"]
    assert status["waits"]["state"] == "stopped"
    lab.kmln("status", "a", "last", expect=0)


def test_one_that_ends_or_cannot_start(lab):
    lab.write(HOSTS + """
host a { superclass s; startup { (sleep 1; halt -f) & }; ready console "no such words" }
host b { superclass s }
""")
    lab.kmln("build")
    up = lab.kmln("up", "--timeout", "60", expect=1)
    assert "warning: host a: it has ended" in up.err and "host b is ready" in up.err
    assert lab.status()["a"]["state"] in ("stopped", "failed")
    # a script that cannot start its node says why
    script = lab.home.project() / "start_99_a.sh"
    lab.kmln("stop", "b")
    script.write_text("#!/bin/sh\necho no luck >&2\nexit 5\n")
    assert "host a: no luck" in lab.kmln("start", "a", "b", expect=5).err
    assert lab.states()["b"] == "ready"


def test_one_that_says_nothing(lab):
    """In too little memory QEMU's guest ends without a word: those of an earlier start are not shown for it."""
    lab.write(HOSTS + "host a { superclass s }\n")
    lab.kmln("up")
    lab.kmln("stop", "a")
    assert "System halted" in lab.kmln("logs", "a").out
    lab.write(HOSTS + "host a { superclass s; platform qemu }\n")
    result = lab.kmln("up", expect=1)
    assert "its console said nothing: `memory` may be too little" in result.err and "halted" not in result.err


def test_hooks(lab):
    def lines(text):
        return text.replace("LOG", str(lab.home.folder / "log"))
    lab.file.write_text(lines("""global { project p
 beforeProjectStart { echo bps $KMLN_PROJECT $(pwd) >> LOG }
 beforeHostsStart { echo bhs >> LOG }
 afterHostsStart { echo ahs >> LOG }
 afterProjectStart { for i in 1 2; do
 echo aps$i >> LOG
 done }
 beforeProjectStop { echo bpx >> LOG }
 beforeHostsStop { echo bhx >> LOG; false; echo never >> LOG }
 afterHostsStop { echo ahx >> LOG }
 afterProjectStop { echo apx >> LOG }
}""") + HOSTS + "host a { superclass s }")
    log = lab.home.folder / "log"
    lab.kmln("up")
    lab.kmln("up")
    assert log.read_text().split("\n") == \
        [f"bps p {lab.home.folder}", "bhs", "ahs", "aps1", "aps2", ""]
    log.unlink()
    # one that fails does not keep anything running
    down = lab.kmln("down", expect=1)
    assert "kmln: beforeHostsStop: a line of it failed" in down.err
    assert log.read_text().split() == ["bpx", "bhx", "ahx", "apx"]
    lab.assert_nothing_left()
    # at the start it ends it
    lab.file.write_text(lab.file.read_text().replace("echo bhs >>", "false; echo bhs >>"))
    assert "beforeHostsStart: a line of it failed" in lab.kmln("up", expect=1).err
    assert lab.states() == {"lan": "ready", "a": "stopped"}


def from_a_terminal():
    """A shell ignores Ctrl-C for what it runs in the background, and so for these tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted(lab):
    lab.write(HOSTS + 'host a { superclass s }\nhost b { superclass s; ready console "no such words"; after a }')
    env = {**os.environ, **{k: str(v) for k, v in lab.home.env.items()}}
    up = subprocess.Popen([runner.BUILD / "kmln", "up"], cwd=lab.home.folder, env=env,
                          stderr=subprocess.PIPE, start_new_session=True,
                          preexec_fn=from_a_terminal)
    machines.wait_for(lambda: lab.runtime.exists() and lab.states().get("b") == "starting", "b starts", 60)
    before = lab.pids()
    # another command is refused meanwhile, by the process that holds the project
    assert f"process {up.pid}" in lab.kmln("down", expect=1).err
    os.killpg(up.pid, signal.SIGINT)
    words = up.communicate(timeout=10)[1].decode()
    assert up.returncode == -signal.SIGINT
    assert "interrupted; these go on running: a, b" in words
    assert lab.pids() == before


def test_moves(lab):
    lab.write(HOSTS.replace("64M", "256M") + "host a { superclass s }\nhost b { superclass s }")
    lab.kmln("up")
    lab.exec("a", "sh", "-c", "echo kept > /root/file && sync")
    other = lab.pids()["b"]
    plan = lab.kmln("migrate", "a", "--to", "qemu", "-n").out
    assert "stop    host-a" in plan and "start   host-a" in plan
    assert "--to" in lab.kmln("migrate", "a", expect=2).err
    start = time.monotonic()
    lab.kmln("migrate", "a", "--to", "qemu", timeout=200)
    print(f"moved to QEMU in {time.monotonic() - start:.1f} s")
    status = lab.status(expect=0)
    assert (status["a"]["platform"], status["a"]["platform_why"]) == ("qemu", "moved here from uml")
    assert status["b"]["pid"] == other
    assert lab.exec("a", "cat", "/root/file") == "kept\n"
    lab.exec("a", "ping", "-c", "1", "-w", "10", "b")
    # a decision of the user's, which stays
    assert lab.kmln("up", "-n").out == ""
    assert "runs on qemu already" in lab.kmln("migrate", "a", "--to", "qemu").err
    lab.kmln("migrate", "a", "--to", "uml")
    assert lab.status(expect=0)["a"]["platform"] == "uml"
    assert lab.exec("a", "cat", "/root/file") == "kept\n"
    # by the file
    lab.file.write_text(lab.file.read_text().replace("host a {", "host a { platform qemu;"))
    lab.kmln("up", "-y", timeout=200)
    assert lab.status(expect=0)["a"]["platform"] == "qemu"
    assert lab.exec("a", "cat", "/root/file") == "kept\n"


def test_a_move_that_cannot_be(lab):
    lab.write(HOSTS + "host a { superclass s; platform qemu; memory 256M; cpus 2 }")
    lab.kmln("build")
    before = json.loads((lab.home.project() / "hosts/a/built.json").read_text())
    assert lab.kmln("migrate", "a", "--to", "uml", expect=(2, 5)).err
    assert json.loads((lab.home.project() / "hosts/a/built.json").read_text()) == before


@pytest.fixture
def pair(lab):
    lab.write(HOSTS + "host a { superclass s }\nhost b { superclass s }")
    lab.kmln("up")
    return lab


KILLED = {
    "keeper": lambda lab: lab.keeper("host-a"),
    "machine": lambda lab: lab.pids()["a"],
    "switch": lambda lab: lab.pids()["lan"],
    "switch's keeper": lambda lab: lab.keeper("switch-lan"),
}


@pytest.mark.parametrize("what", KILLED)
def test_killed(pair, what):
    """Whatever is killed: status is true, up mends it, down leaves nothing."""
    # what is synced is on the host's disk: the guest knows that its own is to be flushed
    assert pair.exec("a", "cat", "/sys/block/vda/queue/write_cache") == "write back\n"
    pair.exec("a", "sh", "-c", "echo kept > /root/file && sync")
    victim = "lan" if "switch" in what else "a"
    before = pair.pids()
    os.kill(KILLED[what](pair), signal.SIGKILL)
    machines.wait_for(lambda: pair.states()[victim] in ("failed", "stopped"), "status tells", 10)
    status = pair.status(expect=4)
    assert status["b"]["state"] == "ready" and status["b"]["pid"] == before["b"]
    assert bool(status["b"]["loose"]) == (victim == "lan")
    pair.kmln("up", "-y")
    assert set(pair.states().values()) == {"ready"}
    assert pair.exec("a", "cat", "/root/file") == "kept\n"
    pair.exec("a", "ping", "-c", "1", "-w", "10", "b")
    if victim == "a":
        assert pair.pids()["b"] == before["b"]
    os.kill(KILLED[what](pair), signal.SIGKILL)
    pair.kmln("down")
    pair.assert_nothing_left()


def test_down_without_project_or_answers(pair):
    """With a file of mistakes, without any, without the project's folder; with a keeper that hangs."""
    os.kill(pair.keeper("host-a"), signal.SIGSTOP)
    assert pair.status(expect=4)["a"]["state"] == "silent"
    pair.file.write_text("global { project p }\nhost a {\n")
    start = time.monotonic()
    pair.kmln("stop", "a")
    assert time.monotonic() - start < 20
    assert pair.status(expect=4)["b"]["state"] == "ready"
    (pair.home.project() / "project/p.kmln").write_text("nonsense {")
    pair.file.unlink()
    pair.kmln("down", "-p", "p")
    pair.assert_nothing_left()


def test_kmln_killed_while_it_starts(lab):
    lab.write(HOSTS + "host a { superclass s; boot_order 1 }\nhost b { superclass s }")
    lab.kmln("build")
    env = {**os.environ, **{k: str(v) for k, v in lab.home.env.items()}}
    for moment in (0.05, 0.3, 0.8):
        up = subprocess.Popen([runner.BUILD / "kmln", "up", "-q"], cwd=lab.home.folder, env=env)
        time.sleep(moment)
        up.kill()
        up.wait()
        lab.kmln("up", "-y")
        assert set(lab.states().values()) == {"ready"}
        lab.kmln("down")
        lab.assert_nothing_left()


def test_not_yet(lab):
    lab.write(HOSTS + "host x { superclass s; platform xen }")
    assert "cannot be started yet" in lab.kmln("up", expect=5).err


def test_watch(pair):
    env = {**os.environ, **{k: str(v) for k, v in pair.home.env.items()}}
    out = pair.home.folder / "out"
    with open(out, "wb") as file:
        watch = subprocess.Popen([runner.BUILD / "kmln", "status", "--watch", "b"], stdout=file,
                                 cwd=pair.home.folder, env=env, preexec_fn=from_a_terminal)
    machines.wait_for(lambda: "host b: ready\n" in out.read_text(), "it is shown", 10)
    pair.kmln("stop", "b")
    machines.wait_for(lambda: out.read_text().endswith("host b: stopped\n"), "its end is shown", 10)
    watch.send_signal(signal.SIGINT)
    assert watch.wait(5) == -signal.SIGINT
