# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln-node with a shell as its program: console, log, status, restart, its end in every way, and what
is left of it."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import machines
import nodes
import runner


@pytest.fixture
def node(tmp_path):
    node = nodes.Node(tmp_path)
    yield node
    node.close()
    assert not os.listdir(node.private)


ECHO = "echo hello; while read line; do echo got $line; [ $line = fail ] && exit 3; [ $line = stop ] && exit; done"


def say(node, line):
    control = node.control()
    stream = control.ask(do="console")
    control.put(nodes.DATA, stream, line.encode() + b"\n")
    return control


def test_status_console_and_log(node):
    node.shell(ECHO, "--type-ahead", "100")
    status = node.wait(lambda s: s["last_line"] == "hello")
    assert status["name"] == "host-a" and status["state"] == "running"
    assert status["ready"] and status["waits_for"] is None and status["agent"] is None
    assert status["restarts"] == 0 and status["transfer"] is None and status["up_ms"] >= 0
    assert Path(f"/proc/{status['pid']}/comm").read_text() == "sh\n"
    assert 100_000 < status["memory"] < 50_000_000 and status["cpu_ms"] >= 0

    first, second = node.control(), node.control()
    seen = [(c, c.ask(do="console", replay=3)) for c in (first, second)]
    first.put(nodes.DATA, seen[0][1], b"one\n")
    for control, stream in seen:
        assert control.read_until(stream, b"got one\n") == b"lo\ngot one\n"
    assert node.log.read_text() == "hello\ngot one\n"
    assert node.status()["last_line"] == "got one"
    assert (node.log.stat().st_mode & 0o777, node.run.stat().st_mode & 0o777) == (0o600, 0o700)
    say(node, "stop")
    assert node.ended() == {"name": "host-a", "state": "ended", "status": 0, "why": None,
                            "last_line": "got stop"}


def test_failure_is_told(node):
    node.shell(ECHO)
    say(node, "fail")
    last = node.ended()
    assert last["state"] == "failed" and last["status"] == 3
    assert "ended with status 3" in last["why"]


def test_watch(node):
    node.shell("read line; echo up; read line", "--ready", "console ^up$")
    control = node.control()
    stream = control.ask(do="watch")
    lines = [json.loads(control.next()[2]) for _ in range(2)]
    assert [line["ready"] for line in lines] == [False, False]
    assert lines[0]["waits_for"] == "console ^up$"
    say(node, "go")
    text = control.read_until(stream, b'"ready":true')
    assert json.loads(text.splitlines()[-1])["waits_for"] is None
    assert control.quiet(1.5)  # a node that is ready says nothing


@pytest.mark.parametrize("when, script", [
    ("words it. is+ready", "echo 'itx issready'; sleep 0.3; echo 'it. is+ready' >&2; read line"),
    ("console ^a.b$", "echo xab; sleep 0.3; echo axb; read line"),
])
def test_ready_by_words(node, when, script):
    node.shell(script, "--ready", when)
    assert not node.status()["ready"]
    node.wait(lambda s: s["ready"], 5)


def test_ready_by_socket(node, tmp_path):
    at = tmp_path / ("long" * 30)
    at.mkdir()
    node.shell("read line", "--ready", f"socket {at}/ctl")
    assert not node.status()["ready"]
    server = socket.socket(socket.AF_UNIX)
    folder = os.open(at, os.O_PATH)
    server.bind(f"/proc/self/fd/{folder}/ctl")
    time.sleep(0.1)
    assert not node.status()["ready"]  # a name alone is not enough
    server.listen()
    node.wait(lambda s: s["ready"], 5)
    os.close(folder)
    server.close()


def test_shared_memory_counts_once(node, tmp_path):
    """UML's threads are processes of their own that share all of their memory."""
    program = tmp_path / "program.py"
    program.write_text("import ctypes, time\nblock = bytearray(b'x') * 60_000_000\n"
                       "CLONE_VM, CLONE_VFORK = 0x100, 0x4000\n"
                       "ctypes.CDLL(None).syscall(56, CLONE_VM | CLONE_VFORK | 17, 0, 0, 0, 0)\n"
                       "print('two', flush=True)\nwhile True:\n time.sleep(1)\n")
    node.shell(f"exec /usr/bin/python3 {program}")
    status = node.wait(lambda s: s["last_line"] == "two")
    assert 60e6 < status["memory"] < 100e6


def test_leaves_what_its_caller_has_open(node):
    """Who waits for the end of a pipe of theirs does not wait for the node's."""
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    node.shell(ECHO, pass_fds=[theirs])
    os.close(theirs)
    assert select.select([ours], [], [], 20)[0] and os.read(ours, 1) == b""
    os.close(ours)
    assert node.status()["state"] == "running"


def test_second_start_is_refused(node):
    node.shell(ECHO)
    pid = node.pid()
    result = node.shell(ECHO, expect=4)
    assert result.err == f"kmln-node: host-a runs already (process {pid})\n"
    assert node.pid() == pid and node.status()["state"] == "running"


def test_end_by_cut_and_by_signal(node):
    node.shell("trap '' TERM HUP INT; echo up; while :; do sleep 1; done")
    node.wait(lambda s: s["last_line"] == "up")
    processes = node.processes()
    assert node.call(do="end", how="cut") == {"return": {"how": "cut"}}
    assert not node.pid()  # the moment it is told
    assert not machines.left_over(processes)
    assert node.ended()["state"] == "stopped"
    assert sorted(os.listdir(node.run)) == ["last.json", "lock"]

    node.shell(ECHO)
    assert not (node.run / "last.json").exists()
    processes = node.processes()
    os.kill(node.pid(), signal.SIGTERM)
    assert node.ended()["state"] == "stopped"
    assert not machines.left_over(processes)


def test_shutdown_without_an_agent_is_a_cut_in_time(node):
    node.shell(ECHO, "--channel", "serial")
    begin = time.monotonic()
    assert node.call(do="end", how="shutdown", seconds=1) == {"return": {"how": "cut"}}
    assert 0.9 < time.monotonic() - begin < 15
    # a switch has no agent that could still come
    node.shell(ECHO)
    assert node.call(do="end", how="shutdown", seconds=1000, limit=20) == {"return": {"how": "cut"}}


def test_end_is_asked_well(node):
    node.shell(ECHO)
    for request in ({"how": "gently"}, {}, {"how": "shutdown", "seconds": -1}):
        assert node.call(do="end", **request)["code"] == "EINVAL"
    assert node.status()["state"] == "running"
    assert node.call(do="exec", argv=["true"])["code"] == "ENOTCONN"
    assert node.call()["code"] == "EINVAL"


def test_killed_leaves_nothing(node):
    node.shell("sleep 1000 & setsid sleep 1001 & echo up; wait")
    node.wait(lambda s: s["last_line"] == "up")
    processes = node.processes()
    away = [pid for pid in processes if Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001001\0"]
    assert len(processes) >= 5 and away
    os.kill(node.pid(), signal.SIGKILL)
    # what has left its process group is beyond reach without a PID namespace, which tests/node/
    # test_machines.py has
    assert set(machines.left_over(processes, 2)) <= set(away)
    for pid in away:
        os.kill(pid, signal.SIGKILL)
    machines.wait_for(lambda: not os.listdir(node.private), "the end of its folder", 5)
    assert not node.pid() and (node.run / "control").exists()
    assert not (node.run / "last.json").exists()
    # what it left hinders no other
    node.shell(ECHO)
    node.wait(lambda s: s["last_line"] == "hello")


def test_a_pid_that_is_another_process_now(node):
    node.run.mkdir(parents=True)
    (node.run / "lock").write_text(f"{os.getpid()}\n")
    (node.run / "pid").write_text(f"{os.getpid()}\n")
    (node.run / "control").write_text("not a socket")
    node.shell(ECHO)
    assert node.pid() not in (0, os.getpid())


def test_restart(node):
    node.shell(ECHO, "--restart", "on-failure")
    first = node.status()["pid"]
    say(node, "fail")
    node.wait(lambda s: s["restarts"] == 0 and s["state"] == "starting")
    begin = time.monotonic()
    status = node.wait(lambda s: s["restarts"] == 1 and s["state"] == "running", 10)
    assert time.monotonic() - begin > 0.8 and status["pid"] != first
    say(node, "stop")
    assert node.ended()["state"] == "ended"

    node.shell(ECHO, "--restart", "always")
    say(node, "stop")
    node.wait(lambda s: s["state"] == "starting")
    # between two starts
    assert node.call(do="end", how="cut") == {"return": {"how": "cut"}}
    assert node.ended()["state"] == "stopped"


def test_start_that_fails(node):
    result = node.start("--open", "--restart", "always", expect=1,
                        spawn={"argv": ["/nonexistent/program"]})
    assert re.fullmatch(r"kmln-node: .*/nonexistent/program: No such file or directory\n", result.err)
    assert node.ended()["state"] == "failed"
    result = node.start(expect=5, spawn={"argv": ["/bin/sh", "-c", "echo no such wall >&2; exit 1"]})
    assert "cannot be confined" in result.err and "no such wall" in result.err
    assert not node.pid()


def test_fresh_folders(node, tmp_path):
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "stale").write_text("")
    node.shell("echo up; read line", "--fresh", folder)
    assert not list(folder.iterdir())
    node.call(do="end", how="cut")
    assert not folder.exists()


def test_long_path(tmp_path):
    node = nodes.Node(tmp_path)
    node.run = tmp_path / "/".join(["folder" * 10] * 5)
    assert len(str(node.run)) > 300
    node.shell(ECHO)
    assert node.status()["state"] == "running"
    assert node.call(do="end", how="cut") == {"return": {"how": "cut"}}


def test_flood_of_the_console(node):
    node.shell("echo up; read line; yes 0123456789012345678901234567890123456789", "--restart", "no")
    slow = node.control()
    stream = slow.ask(do="console", replay=100)
    slow.read_until(stream, b"up\n")
    slow.put(nodes.DATA, stream, b"go\n")
    machines.wait_for(lambda: Path(f"{node.log}.1").exists(), "the older half", 60)
    time.sleep(1)
    halves = [path.stat().st_size for path in node.log.parent.iterdir()]
    assert max(halves) <= 4 << 20 and Path(f"{node.log}.1").stat().st_size > 4_100_000
    begin = time.monotonic()
    node.status()
    assert time.monotonic() - begin < 2
    resident = int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{node.pid()}/status").read_text())[1])
    assert runner.fits(resident, 3 * 1024)
    # a reader that took nothing got what its credit was, and goes on with what is new
    got = 0
    while not slow.quiet():
        kind, _, data = slow.next()
        got += len(data) if kind == nodes.DATA else 0
    assert nodes.CREDIT_AT_FIRST - 4 <= got <= nodes.CREDIT_AT_FIRST
    slow.put(nodes.CREDIT, stream, nodes.number(10))
    kind, _, data = slow.next()
    while kind != nodes.DATA:
        kind, _, data = slow.next()
    assert len(data) == 10


def test_peers_that_say_rubbish(node):
    node.shell(ECHO, "--type-ahead", "10")
    rubbish = [b"GET / HTTP/1.0\r\n\r\n", b"\0" * 100, nodes.frame(99, 1), b"\x4b\x01\xff\xff\0\0\0\0",
               nodes.frame(nodes.OPEN, 0, b"{}"),
               # more than it was allowed
               nodes.frame(nodes.OPEN, 1, b'{"do": "console"}') + 6 * nodes.frame(nodes.DATA, 1, b"x" * 16384),
               # one stream twice
               2 * nodes.frame(nodes.OPEN, 1, b'{"do": "watch"}')]
    for data in rubbish:
        control = node.control()
        control.socket.sendall(data)
        with pytest.raises((EOFError, ConnectionResetError)):
            while True:
                control.next()
        control.close()
    control = node.control()
    for text in (b"", b"{", b"[1]", b"\xff", b"{" * 16384):
        control.put(nodes.OPEN, 7, text)
        answer = json.loads(control.next()[2])
        assert answer["code"] == "EINVAL", text
    many = [node.control() for _ in range(100)]
    for other in many:
        other.close()
    assert node.status()["state"] == "running"


def test_small_and_asleep(node):
    node.shell(ECHO)
    node.wait(lambda s: s["last_line"] == "hello")
    def look():
        text = Path(f"/proc/{node.pid()}/status").read_text()
        return [int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", text)], text
    time.sleep(0.5)
    before, text = look()
    assert runner.fits(int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]), 3 * 1024)
    time.sleep(2)
    assert look()[0] == before  # it does not even wake up


def test_another_user_is_not_heard(node, ordinary_user):
    if os.geteuid() != 0:
        runner.lacking("two users are needed")
    node.shell(ECHO)
    for folder in (node.run, *node.run.parents):
        if folder.exists() and folder != Path("/"):
            os.chmod(folder, folder.stat().st_mode | 0o055)
    os.chmod(node.run / "control", 0o777)
    script = ("import socket; s = socket.socket(socket.AF_UNIX); s.connect(%r); s.settimeout(5)\n"
              "try: s.sendall(%r); print(s.recv(100))\n"
              "except (BrokenPipeError, ConnectionResetError): print(b'')")
    asking = script % (str(node.run / "control"), nodes.frame(nodes.OPEN, 1, b'{"do": "status"}'))
    got = runner.run(["/usr/bin/python3", "-c", asking], user=ordinary_user, expect=0)
    assert got.out == "b''\n"
    assert node.status()["state"] == "running"


@pytest.mark.parametrize("arguments, words", [
    (["--name", "a"], "are needed"),
    (["--name", "a/b", "--run", "/x", "--log", "/x", "--spawn", "1", "/bin/true"], "absolute"),
    (["--spawn", "3", "/bin/true"], "only 1 words"),
    (["--spawn", "0"], "number of words"),
    (["--spawn", "1", "true"], "no absolute path"),
    (["--spawn", "1", "A=b"], "no absolute path"),
    (["--ready", "port 0"], "no such"),
    (["--ready", "console ("], "regular expression"),
    (["--channel", "tin"], "no such"),
    (["--folder-link", "a/b=c"], "NAME=TARGET"),
    (["--whatever", "x"], "no option"),
    (["--name"], "needs a value"),
    (["--name", "a", "--run", "/x", "--log", "/x", "--ready", "agent", "--spawn", "1", "/bin/true"],
     "needs a --channel"),
])
def test_wrong_command_lines(arguments, words):
    result = runner.run([runner.BUILD / "kmln-node", *arguments], expect=2)
    assert words in result.err and result.err.count("\n") == 1


def test_help():
    result = runner.run([runner.BUILD / "kmln-node", "--help"], expect=0)
    assert "--restart" in result.out and not result.err
    # what belongs to the program is not its own
    result = runner.run([runner.BUILD / "kmln-node", "--spawn", "2", "/bin/true", "--help"], expect=2)
    assert "are needed" in result.err


def test_foreground(node):
    process = subprocess.Popen([runner.BUILD / "kmln-node", "--name", "x", "--run", node.run, "--log", node.log,
                                "--open", "--foreground", "--spawn", "3", "/bin/sh", "-c", "echo up; exit 5"],
                               env={**os.environ, "TMPDIR": str(node.private)}, stderr=subprocess.PIPE)
    assert process.wait(20) == 1
    assert b"ended with status 5" in process.stderr.read()
    process.stderr.close()
