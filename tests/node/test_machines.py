# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln-node with real machines: UML and QEMU behind bwrap, kmln's agent and the real qemu-ga, a disk that
is served, and every process of it killed."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import guests
import images
import machines
import nodes
import runner

pytestmark = pytest.mark.boot

AGENT = runner.BUILD / "src/agent/kmln-agent"


@pytest.fixture
def node(tmp_path):
    node = nodes.Node(tmp_path)
    yield node
    node.close()
    machines.wait_for(lambda: not os.listdir(node.private), "the end of its folder", 10)


def with_files(image, files):
    """Puts programs into a guest's image: {path there: file}."""
    made, commands = set(), []
    for inside, file in files.items():
        for folder in reversed(Path(inside).parents):
            if str(folder) != "/" and folder not in made:
                made.add(folder)
                commands.append(f"mkdir {folder}")
        commands += [f"write {file} {inside}", f"sif {inside} mode 0100755"]
    subprocess.run([runner.need_program("debugfs", "e2fsprogs"), "-w", "-f", "-", image],
                   input="\n".join(commands).encode(), check=True, capture_output=True)


def with_agent(guest, path):
    """A busybox guest whose init starts kmln's agent."""
    image = machines.with_rc(guests.copy(guest("busybox"), path),
                             "mkdir -p /sys\nmount -t sysfs sys /sys\n/kmln-agent &\n")
    with_files(image, {"/kmln-agent": AGENT})
    return image


def uml(kmln, image, *options):
    return nodes.machine(kmln, image, "uml", "-m", "64M", *options)


def start(node, spawn, serve=None, *options):
    node.start("--ready", "agent", *options, spawn=spawn, serve=serve)
    return node.wait(lambda s: s["ready"], 120)


SERIAL = ("--channel", "serial", "--type-ahead", "1024")


def test_uml(node, kmln, guest, tmp_path):
    image = with_agent(guest, tmp_path / "guest.img")
    spawn, _ = uml(kmln, image)
    status = start(node, spawn, None, *SERIAL)
    assert status["agent"] == "kmln" and 20e6 < status["memory"] < 200e6 and status["cpu_ms"] > 50

    # both channels at once, all bytes
    answer, out, errors = node.exec("/bin/sh", "-c", "cat; echo bad >&2; exit 3", data=bytes(range(256)) * 400)
    assert (answer, out, errors) == ({"return": {"status": 3}}, bytes(range(256)) * 400, b"bad\n")
    control = node.control()
    stream = control.ask(do="console")
    control.put(nodes.DATA, stream, b"echo so$((40+2))\n")
    control.read_until(stream, b"so42\r\n")
    control.close()

    # the guest starts itself again
    pid = status["pid"]
    assert node.exec("/bin/reboot", "-f")[0]["code"] == "ENOTCONN"
    status = node.wait(lambda s: s["restarts"] == 1 and s["ready"], 60)
    assert status["pid"] != pid

    # it floods its console meanwhile
    control = node.control()
    control.ask(do="exec", argv=["/bin/sh", "-c", "yes > /dev/ttyS0"])
    time.sleep(2)
    begin = time.monotonic()
    assert node.exec("/bin/echo", "still here")[1] == b"still here\n"
    assert time.monotonic() - begin < 20
    control.close()

    processes = node.processes()
    assert len(processes) > 5
    answer = node.call(do="end", how="shutdown", seconds=30)
    assert answer == {"return": {"how": "shutdown"}}
    assert node.ended()["state"] == "stopped" and not machines.left_over(processes)


@pytest.mark.parametrize("unconfined", [False, True])
def test_uml_killed(node, kmln, guest, tmp_path, unconfined):
    image = with_agent(guest, tmp_path / "guest.img")
    spawn, _ = uml(kmln, image, *(["--unconfined"] if unconfined else []))
    options = ["--unconfined", "--folder-link", f"disk0={image}"] if unconfined else []
    start(node, spawn, None, *SERIAL, *options)
    processes = node.processes()
    os.kill(node.pid(), signal.SIGKILL)
    assert not machines.left_over(processes)
    machines.wait_for(lambda: not os.listdir(node.private), "the end of its folder", 10)

    # and the other way: the machine is killed, and the node says so
    status = start(node, spawn, None, *SERIAL, *options)
    processes = node.processes()
    os.kill(status["pid"], signal.SIGKILL)
    last = node.ended()
    assert (last["state"], last["status"]) == ("failed", 137)
    assert not machines.left_over(processes)


def test_panic_is_no_restart(node, kmln, guest, tmp_path):
    image = with_agent(guest, tmp_path / "guest.img")
    spawn, _ = uml(kmln, image)
    start(node, spawn, None, *SERIAL)
    node.exec("/bin/sh", "-c", "echo c > /proc/sysrq-trigger")
    last = node.ended(60)
    assert last["state"] == "failed" and "the guest's kernel gave up: Kernel panic" in last["why"]


def served(node, kmln, tmp_path, image):
    """UML on an overlay that a daemon serves; its initramfs and socket are where they stay."""
    overlay = tmp_path / "overlay.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, overlay], check=True)
    home = tmp_path / "own"
    home.mkdir()
    process = subprocess.Popen([runner.BUILD / "kmln", "boot", "--on", "uml", "--allow-backing", "-m", "64M",
                                "--until", "never", "--timeout", "60", overlay],
                               env={**os.environ, "TMPDIR": str(home), "KMLN_HOME": str(home / "home")},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        machines.wait_for(lambda: list(home.glob("kmln.*/served/disk")), "kmln boot")
        initramfs = shutil.copy(next(home.glob("kmln.*/initramfs")), tmp_path / "initramfs")
    finally:
        process.terminate()
        process.wait(30)
    spawn, serve = uml(kmln, overlay, "--allow-backing")
    folder = tmp_path / "served"
    for command in (spawn, serve):
        command["argv"] = [str(folder) if re.search(r"/kmln\.\w+/served$", word)
                           else initramfs if re.search(r"/kmln\.\w+/initramfs$", word) else word
                           for word in command["argv"]]
    return overlay, spawn, serve, ["--fresh", str(folder)]


def named(processes, name):
    return [pid for pid in processes if Path(f"/proc/{pid}/comm").read_text().startswith(name)]


def check(overlay):
    return subprocess.run(["qemu-img", "check", "-q", overlay], check=False).returncode


def test_served_disk(node, kmln, guest, tmp_path):
    image = with_agent(guest, tmp_path / "guest.img")
    overlay, spawn, serve, fresh = served(node, kmln, tmp_path, image)
    start(node, spawn, serve, *SERIAL, *fresh)
    assert check(overlay) != 0  # it is in use
    assert node.exec("/bin/sh", "-c", "echo kept > /kept; sync")[0] == {"return": {"status": 0}}
    # a restart keeps the daemon
    daemon = named(node.processes(), "qemu-storage")
    node.exec("/bin/reboot", "-f")
    node.wait(lambda s: s["restarts"] == 1 and s["ready"], 60)
    assert named(node.processes(), "qemu-storage") == daemon
    assert node.exec("/bin/cat", "/kept")[1] == b"kept\n"
    assert node.call(do="end", how="shutdown", seconds=30) == {"return": {"how": "shutdown"}}
    assert check(overlay) == 0

    # the machine is killed: the daemon finishes
    status = start(node, spawn, serve, *SERIAL, *fresh)
    os.kill(status["pid"], signal.SIGKILL)
    assert node.ended(30)["state"] == "failed"
    assert check(overlay) == 0

    # the daemon is killed: the machine never gets its disk back, and is ended
    start(node, spawn, serve, *SERIAL, *fresh)
    processes = node.processes()
    for pid in named(processes, "qemu-storage"):
        os.kill(pid, signal.SIGKILL)
    last = node.ended(30)
    assert last["state"] == "failed" and "the machine has lost its disk" in last["why"]
    assert not machines.left_over(processes)
    assert check(overlay) == 0

    # the node is killed
    start(node, spawn, serve, *SERIAL, *fresh)
    processes = node.processes()
    os.kill(node.pid(), signal.SIGKILL)
    assert not machines.left_over(processes)
    assert check(overlay) == 0
    start(node, spawn, serve, *SERIAL, *fresh)
    assert node.exec("/bin/cat", "/kept")[1] == b"kept\n"


def test_a_daemon_that_does_not_start(node, kmln, guest, tmp_path):
    image = with_agent(guest, tmp_path / "guest.img")
    overlay, spawn, serve, fresh = served(node, kmln, tmp_path, image)
    overlay.write_bytes(b"no qcow2 any more")
    result = node.start("--ready", "agent", *SERIAL, *fresh, spawn=spawn, serve=serve, expect=(1, 3))
    assert "QEMU cannot serve it" in result.err
    assert not node.pid() and node.ended()["state"] == "failed"


def qemu(kmln, guest, tmp_path, image, *modules):
    kernel, initramfs = machines.qemu_kernel(guest("kernel"), tmp_path, *modules)
    return nodes.machine(kmln, image, "qemu", "-m", "256M", "--kernel", kernel, "--initramfs", initramfs)[0]


@pytest.mark.parametrize("port", [True, False])
def test_qemu(node, kmln, guest, tmp_path, port):
    """By the virtio port, and by the serial line where the guest has no driver for that."""
    image = with_agent(guest, tmp_path / "guest.img")
    spawn = qemu(kmln, guest, tmp_path, image, *(["virtio_console"] if port else []))
    assert start(node, spawn, None, "--channel", "virtio")["agent"] == "kmln"
    data = os.urandom(200_000 if port else 4000)
    answer, out, _ = node.exec("/bin/cat", data=data, limit=120)
    assert answer == {"return": {"status": 0}} and out == data
    assert node.exec("/bin/sh", "-c", "exit 9")[0] == {"return": {"status": 9}}
    assert node.call(do="end", how="shutdown", seconds=60) == {"return": {"how": "shutdown"}}
    last = node.ended()
    assert last["state"] == "stopped" and last["status"] == 0


def libraries(program):
    words = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    if "not found" in words:
        runner.lacking(f"qemu-ga finds no library: {words}", "libglib2.0-0")
    return re.findall(r"(/\S+) \(0x", words)


def test_real_qemu_ga(node, kmln, guest, tmp_path):
    try:
        deb = guests.package("qemu-guest-agent")
    except guests.Unavailable as lack:
        runner.lacking(str(lack), lack.package)
    subprocess.run(["dpkg-deb", "-x", deb, tmp_path / "ga"], check=True)
    program = tmp_path / "ga/usr/sbin/qemu-ga"
    image = machines.with_rc(
        guests.copy(guest("busybox"), tmp_path / "guest.img"),
        "mkdir -p /sys /run /var/run\nmount -t sysfs sys /sys\nmount -t devtmpfs dev /dev\n"
        "(while :; do /qemu-ga -m virtio-serial -p $(ls /dev/vport*p1) -t /run; sleep 1; done) &\n")
    shutdown = tmp_path / "shutdown"
    shutdown.write_text("#!/bin/sh\nexec poweroff -f\n")
    with_files(image, {"/qemu-ga": program, "/sbin/shutdown": shutdown, **{path: path for path in libraries(program)}})
    spawn = qemu(kmln, guest, tmp_path, image, "virtio_console")
    status = start(node, spawn, None, "--channel", "virtio")
    assert status["agent"] == "qemu-ga"

    answer, out, errors = node.exec("/bin/sh", "-c", "echo out; echo err >&2; echo $A; exit 5", env=["A=b c"])
    assert (answer, out, errors) == ({"return": {"status": 5}}, b"out\nb c\n", b"err\n")
    assert node.exec("/bin/sh", "-c", "kill -9 $$")[0] == {"return": {"signal": 9}}
    assert node.exec("/bin/sh", "-c", "yes | head -c 200000")[1] == b"y\n" * 100_000
    assert "error" in node.exec("/nonexistent")[0]
    assert node.exec("/bin/cat", data=b"input")[0]["code"] == "ENOTSUP"
    assert node.exec("/bin/cat", pty=True)[0]["code"] == "ENOTSUP"

    data = os.urandom(150_000)
    control = node.control()
    stream = control.ask(do="put", path="/file", mode=0o751)
    assert control.run(stream, data)[0] == {"return": {"size": len(data)}}
    assert node.exec("/bin/sh", "-c", "stat -c %a /file; ls / | grep -c kmln-")[1] == b"751\n0\n"
    stream = control.ask(do="get", path="/file")
    answer, out, _ = control.run(stream, end=False)
    assert out == data and answer["return"]["size"] == len(data)
    assert "error" in control.run(control.ask(do="get", path="/nothing"), end=False)[0]
    assert "error" in control.run(control.ask(do="put", path="/no/folder", mode=0o600), b"x")[0]
    # two at once take turns
    both = [control.ask(do="exec", argv=["/bin/sh", "-c", f"sleep 1; echo {i}"]) for i in range(2)]
    begin = time.monotonic()
    ends = 0
    while ends < len(both):
        ends += control.next()[0] == nodes.CLOSE
    assert time.monotonic() - begin < 10
    # what is given up leaves nothing: no program, no half of a file
    control = node.control()
    stream = control.ask(do="put", path="/half", mode=0o600)
    control.put(nodes.DATA, stream, b"x" * 1000)
    control.ask(do="exec", argv=["/bin/sleep", "1007"])
    seen = ["/bin/sh", "-c", "ls / | grep -c half.kmln; ps | grep -c '[s]leep 1007'"]
    machines.wait_for(lambda: node.exec(*seen)[1] == b"1\n1\n", "both")
    control.close()
    machines.wait_for(lambda: node.exec(*seen)[1] == b"0\n0\n", "the end of both")
    for request in ({"do": "list", "path": "/"}, {"do": "connect", "port": 22}):
        assert node.call(**request)["code"] == "ENOTSUP"
    assert "supported_commands" in node.call(do="call", execute="guest-info")["return"]
    assert node.call(do="call", execute="kmln-port", arguments={"port": 7})["return"] is False
    assert node.exec("/bin/sh", "-c", "(nc -l -p 7 >/dev/null 2>&1 &) ; sleep 1")[0] == {"return": {"status": 0}}
    assert node.call(do="call", execute="kmln-port", arguments={"port": 7})["return"] is True
    assert node.call(do="end", how="shutdown", seconds=40) == {"return": {"how": "shutdown"}}


def test_uml_without_an_agent_hears_the_keys(node, kmln, guest, tmp_path):
    """Its init ends it in order: long before the time that it is given, and its disk is clean."""
    image = machines.with_rc(guests.copy(guest("busybox"), tmp_path / "guest.img"), "echo in $((6*7)) order\n")
    spawn, _ = uml(kmln, image)
    left = tmp_path / "transfer"
    (left / "folder").mkdir(parents=True)
    (left / "folder/file").touch()
    node.start("--ready", "console in 42 order", "--restart", "always", "--transfer", left, *SERIAL, spawn=spawn)
    assert not list(left.iterdir())
    node.wait(lambda s: s["ready"], 60)
    processes = node.processes()
    assert node.call(do="end", how="shutdown", seconds=300, limit=120) == {"return": {"how": "shutdown"}}
    assert node.ended()["state"] == "stopped" and not machines.left_over(processes)
    assert images.clean(image)
