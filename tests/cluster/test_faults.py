# SPDX-License-Identifier: GPL-2.0-or-later
"""A project whose processes are killed at random moments: what kmln says of it stays true, what it is
told to end is gone, what it is told to start starts, and its disks keep what was written. KMLN_FAULTS
is the number of moments (else 200, or as many as a few minutes have), KMLN_SEED makes a run the same again, as
far as time lets it."""

import json
import os
import random
import signal
import subprocess
import time

import pytest

import alive
import images
import machines
import runner

pytestmark = pytest.mark.boot

# b moves to QEMU, where Debian's kernel does not start in 64 MB
UML = """host {name} {{
	platform uml
	memory {memory}M
	network eth0 {{ switch lan }}
}}
"""
QEMU = """host q {{
	platform {q}
	memory 128M
	network eth0 {{ switch lan }}
}}
"""
# seconds after which no other life begins, where nobody has said how many moments there are to be
ENOUGH = 120
# seconds in which a command of the project must end, whatever was killed
LIMIT = 90
SHUTDOWN = 10
# of what each command ends with while something of it is killed: nothing but its own words for it
STATUSES = {0, 1, 4, 5}


class Storm:
    """A project, and the moments at which something of it is killed."""

    def __init__(self, home, seed):
        self.home, self.rng = home, random.Random(seed)
        self.moments, self.counts, self.leaks = 0, {}, 0
        self.values = {"memory": 64, "q": "qemu", "uplink": "nat"}
        self.marks = {}  # host: words that are on its disk for certain
        self.file = self.write()
        self.notes = []

    def write(self):
        text = "global { project p }\nswitch lan {\n\tnet 10.9.0.0/24\n\tuplink nat\n}\n"
        text += UML.format(name="a", memory=self.values["memory"]) + UML.format(name="b", memory=128)
        return self.home.write(text + QEMU.format(**self.values))

    def kmln(self, *args, expect=STATUSES, timeout=LIMIT):
        return self.home.kmln(*args, expect=expect, timeout=timeout)

    # --- killing

    def victims(self, command):
        """What may be killed now, by its kind; `command` is the kmln that runs."""
        kinds = {}
        for process in alive.processes(self.home.path).values():
            kinds.setdefault(process.kind(), []).append(process.pid)
        kinds.pop(alive.OTHER, None)
        # the first process of a machine is what its keeper has started
        firsts = [pid for keeper in alive.keepers(self.home.path).values()
                  for pid in machines.descendants(keeper)]
        if firsts:
            kinds["first"] = firsts
        if command and command.poll() is None:
            kinds["kmln"] = [command.pid]
        return kinds

    def kill(self, command=None, only=None):
        kinds = self.victims(command)
        if only:
            kinds = {kind: pids for kind, pids in kinds.items() if kind in only}
        if not kinds:
            return
        kind = self.rng.choice(sorted(kinds))
        try:
            os.kill(self.rng.choice(sorted(kinds[kind])), signal.SIGKILL)
        except ProcessLookupError:
            return
        self.moments += 1
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.notes.append(f"killed a {kind}")

    def during(self, *args, kills, reach, only=None):
        """Runs kmln and kills at so many random moments of the first `reach` seconds."""
        self.notes.append(" ".join(map(str, args)))
        # a file, and no pipe: what kmln has started must not hold it open
        with open(self.home.folder / "during", "w+", encoding="utf-8", errors="replace") as words:
            child = subprocess.Popen([runner.BUILD / "kmln", *map(str, args)], stdin=subprocess.DEVNULL,
                                     stdout=words, stderr=words, start_new_session=True,
                                     env={**os.environ, "PATH": runner.PATH, **runner.sanitizer_env(),
                                          **{k: str(v) for k, v in self.home.env.items()}})
            begin = time.monotonic()
            for moment in sorted(self.rng.uniform(0, reach) for _ in range(kills)):
                try:
                    child.wait(max(begin + moment - time.monotonic(), 0.001))
                except subprocess.TimeoutExpired:
                    pass
                self.kill(child, only)
                if child.poll() is not None and child.returncode == -signal.SIGKILL:
                    break
            try:
                status = child.wait(LIMIT)
            except subprocess.TimeoutExpired:
                child.kill()
                words.seek(0)
                self.check(False, args, "does not end", words.read())
            words.seek(0)
            self.notes.append(f"-> {status}: {words.read()[-300:]}")
        self.check(status in {*STATUSES, -signal.SIGKILL}, status)

    def check(self, holds, *what):
        """With all that happened, where it does not hold."""
        __tracebackhide__ = True
        if not holds:
            pytest.fail("\n".join([*map(str, what), "--- what happened", *self.notes[-40:]]))

    # --- what must hold

    def truth(self):
        """What status says is what /proc says."""
        strays = alive.settled(self.home.path)
        self.check(not strays, strays)
        end = time.monotonic() + 15
        while True:
            before = alive.keepers(self.home.path)
            run = self.home.kmln("status", "-p", "p", "--format", "json", expect={0, 4}, timeout=20)
            after = alive.keepers(self.home.path)
            # one that has just lost its program is about to end
            wrong = self.compare(json.loads(run.out), after) if before == after else ["it changes"]
            if not wrong:
                break
            self.check(time.monotonic() < end, wrong, before, after, run.out)
            time.sleep(0.1)
        self.check(run.seconds < 8, run)

    def compare(self, said, held):
        wrong, seen = [], set()
        for node in said["nodes"]:
            name = f"{node['role']}-{node['name']}"
            seen.add(name)
            runs = node["state"] in ("starting", "ready", "stopping", "silent")
            if runs != (name in held):
                wrong.append((name, node["state"]))
            if node["state"] == "silent":
                wrong.append((name, "silent"))
            if runs and "pid" in node and node["pid"] not in machines.descendants(held.get(name, 0)):
                wrong.append((name, node["pid"], "is no process of its keeper"))
            if node["state"] == "failed" and not node["why"]:
                wrong.append((name, "failed without a reason"))
        return wrong + [(name, "is not told of") for name in set(held) - seen]

    def up(self, *hosts):
        run = self.home.kmln("up", "-q", "-y", "-f", self.file, *hosts, timeout=LIMIT)
        self.check(run.status == 0, run)
        said = json.loads(self.home.kmln("status", "-f", self.file, "--format", "json", expect={0, 4}).out)
        for node in said["nodes"]:
            if node["role"] != "host" or not hosts or node["name"] in hosts:
                self.check(node["ready"] and not node["loose"], said)
        self.notes.append("up")

    def down(self):
        begin = time.monotonic()
        run = self.home.kmln("down", "-p", "p", "--timeout", str(SHUTDOWN), expect={0, 4}, timeout=LIMIT)
        self.check(time.monotonic() - begin < SHUTDOWN + 30, run)
        left = alive.nothing_left(self.home.path)
        self.check(not left, left, run)
        self.notes.append("down")

    def mark(self, *hosts):
        """Something on each disk that must be there from now on."""
        for host in hosts:
            words = f"{self.rng.randrange(1 << 40):x}"
            self.home.kmln("exec", host, "-p", "p", "--", "sh", "-c",
                           f"echo {words} >>/root/marks && sync", expect=0, timeout=30)
            self.marks.setdefault(host, []).append(words)

    def marks_there(self, *hosts):
        for host in hosts:
            if host in self.marks:
                run = self.home.kmln("exec", host, "-p", "p", "--", "cat", "/root/marks", timeout=30)
                self.check(run.status == 0 and run.out.split() == self.marks[host], run, self.marks)

    def disks(self, *hosts):
        """Of a project that is down: each disk is whole, and holds what was written."""
        qemu_img = runner.need_program("qemu-img", "qemu-utils")
        for host in hosts:
            disk = self.home.disk(host)
            check = runner.run([qemu_img, "check", "-q", disk])
            # 3: space that nothing uses, after the one who used it was killed
            self.check(check.status in (0, 3), check)
            self.leaks += check.status == 3
            raw = self.home.folder / "flat.raw"
            runner.run([qemu_img, "convert", "-O", "raw", disk, raw], expect=0)
            images.clean(raw)
            marks = images.tool("debugfs", "e2fsprogs", "-R", "cat /root/marks", raw).decode().split()
            self.check(marks == self.marks.get(host, []), marks, self.marks)

    # --- moments

    def some(self):
        """One command, and what is killed meanwhile; what is true then."""
        pick = self.rng.random()
        kills = self.rng.choice((1, 2, 2, 3))
        if pick < 0.15:
            self.kill()
            for _ in range(kills - 1):
                time.sleep(self.rng.uniform(0, 0.3))
                self.kill()
        elif pick < 0.3:
            self.values["memory"] = 136 - self.values["memory"]
            self.write()
            self.during("up", "-y", "-f", self.file, *self.hosts, kills=kills, reach=2)
        elif pick < 0.4:
            self.during("down", "-p", "p", "--timeout", 3, kills=kills, reach=1.5)
        elif pick < 0.5:
            self.during("build", "-f", self.file, kills=1, reach=0.5)
        elif pick < 0.6:
            to = self.rng.choice(("uml", "qemu"))
            self.during("migrate", "b", "-p", "p", "--to", to, "--timeout", 20, kills=kills, reach=3)
        else:
            # something is missing always
            self.kill(only=(alive.KEEPER, alive.MACHINE, alive.SWITCH, alive.SERVER, "first"))
            self.during("up", "-y", "-f", self.file, *self.hosts, kills=kills, reach=2.5)
        self.truth()

    def life(self, hosts, moments):
        self.hosts = hosts
        self.up(*hosts)
        self.marks_there(*hosts)
        self.mark(*hosts)
        until = self.moments + moments
        while self.moments < until:
            self.some()
        if self.rng.random() < 0.5:
            self.down()
        self.up(*hosts)
        self.marks_there(*hosts)

    def end(self):
        self.down()
        self.disks(*self.marks)


def raging(home, seed, moments, lives, enough=float("inf")):
    """So many moments, in lives of some each; `lives` are their hosts. After `enough` seconds no other
    begins."""
    print(f"seed {seed}")
    storm = Storm(home, seed)
    begin = time.monotonic()
    # the first build is killed too
    for _ in range(3):
        storm.during("build", "-f", storm.file, kills=1, reach=0.4)
    storm.kmln("build", "-f", storm.file, expect=0)
    number = 0
    try:
        while storm.moments < moments and time.monotonic() - begin < enough:
            hosts = lives[number % len(lives)]
            storm.life(hosts, min(12, moments - storm.moments))
            number += 1
            if number % 4 == 0:
                storm.end()
        storm.end()
    finally:
        print(f"{storm.moments} moments in {time.monotonic() - begin:.0f} s: {storm.counts}; {number} lives; "
              f"{storm.leaks} disks with space that is lost")
        home.kmln("down", "-p", "p", "--now")
    return storm


def seed():
    return int(os.environ.get("KMLN_SEED") or random.randrange(1 << 32))


def test_killed_at_some_moments(home):
    raging(home, seed(), 6, [("a", "b")])


@pytest.mark.slow
def test_killed_at_random_moments(home):
    wish = os.environ.get("KMLN_FAULTS")
    storm = raging(home, seed(), int(wish or 200), [("a", "b"), ("a", "b"), ("a", "b", "q")],
                   float("inf") if wish else ENOUGH)
    assert storm.moments >= 20
