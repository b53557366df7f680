# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln-agent in real guests: User-Mode Linux with the second serial line, whose window is 2 KiB, and
QEMU's translator with a virtio port and with a serial line."""

import hashlib
import random
import subprocess
import time

import pytest

import agentclient
import guests
import images
import runner
from agentclient import Failed, with_agent

pytestmark = pytest.mark.boot

MIB = 1 << 20


def settle(agent, argv, wanted, seconds=20):
    """Until the command prints this."""
    end = time.monotonic() + seconds
    while (seen := agent.run(argv).out.decode().strip()) != wanted:
        assert time.monotonic() < end, f"{argv}: {seen!r}, not {wanted!r}"


def check_programs(agent):
    both = agent.run(["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in\0\xff\n")
    assert (both.status, both.out, both.err) == (3, b"in\0\xff\n", b"err\n")
    killed = agent.run(["sh", "-c", "kill -9 $$"])
    assert (killed.status, killed.signal) == (None, 9)
    user = agent.run(["sh", "-c", "id -u; id -g; echo $HOME; pwd; echo $X"], user="ada", env=["X=y z"], cwd="/tmp")
    assert user.out.split(b"\n") == [b"1000", b"1000", b"/home/ada", b"/tmp", b"y z", b""]
    for words, code in (({"argv": ["no-such-program"]}, "ENOENT"), ({"argv": ["true"], "user": "nobody-here"}, "ENOENT"),
                        ({"argv": []}, "EINVAL"), ({"argv": ["true"], "cwd": "/none"}, "ENOENT"),
                        ({"argv": ["true"], "env": ["="]}, "EINVAL")):
        with pytest.raises(Failed) as failed:
            agent.run(words.pop("argv"), **words)
        assert failed.value.code == code, words
    # what a program leaves running holds its output open, and is not waited for
    start = time.monotonic()
    assert agent.run(["sh", "-c", "sleep 60 & echo $!"]).status == 0
    assert time.monotonic() - start < 20


def check_terminal(agent):
    stream = agent.open("exec", argv=["sh", "-c", "stty size; read x; stty size; echo $TERM; exit 7"], pty=True,
                        rows=33, columns=99, term="vt220")
    agent.pump(lambda: b"33 99\r\n" in stream.out, 20, "its size")
    stream.control(rows=50, columns=132)
    stream.send(b"\n")
    assert stream.result() == {"status": 7} and b"50 132\r\nvt220\r\n" in stream.out
    stream = agent.open("exec", argv=["sh", "-c", "echo ready; sleep 60"], pty=True)
    agent.pump(lambda: b"ready" in stream.out, 20, "its words")
    stream.send(b"\x03")
    assert stream.result() in ({"status": 130}, {"signal": 2})
    stream = agent.open("exec", argv=["sleep", "60"])
    stream.control(signal=15)
    assert stream.result() == {"signal": 15}


def check_files(agent, size=MIB + 77):
    content = random.Random(1).randbytes(size)
    assert agent.put_file("/root/file", content, mode=0o640, uid=1000, gid=1000, size=len(content))["size"] == len(content)
    assert agent.run(["stat", "-c", "%a %u %g", "/root/file"]).out == b"640 1000 1000\n"
    assert agent.run(["sha256sum", "/root/file"]).out.split()[0].decode() == hashlib.sha256(content).hexdigest()
    got, answer = agent.get("/root/file")
    assert got == content and answer == {"mode": 0o640, "size": len(content)}
    # complete or not there: too short; abandoned in the middle
    with pytest.raises(Failed) as failed:
        agent.put_file("/root/file", b"short", size=6)
    assert failed.value.code == "EIO"
    stream = agent.open("put", path="/root/file", mode=0o644)
    stream.send(b"x" * 40000)
    agent.pump(lambda: not stream.waiting and not agent.out, 20, "the first half")
    settle(agent, ["sh", "-c", "ls /root/file.* | wc -l"], "1")
    stream.abandon()
    settle(agent, ["sh", "-c", "ls /root/file.* 2>/dev/null | wc -l"], "0")
    assert agent.run(["sha256sum", "/root/file"]).out.split()[0].decode() == hashlib.sha256(content).hexdigest()
    # halves of a time before the power was cut, by workers with the numbers that come next
    agent.run(["sh", "-c", "i=1; while [ $i -le 40 ]; do echo old >/root/cut.kmln-$(($$ + i)); i=$((i + 1)); done"])
    agent.put_file("/root/cut", b"new")
    assert agent.get("/root/cut")[0] == b"new"
    assert agent.run(["sh", "-c", "ls /root/cut.* | wc -l; rm /root/cut.*"]).out.strip() == b"39"
    agent.put_file("/root/empty", b"")
    assert agent.get("/root/empty")[0] == b""
    for do, words, code in (("get", {"path": "/none"}, "ENOENT"), ("get", {"path": "/etc"}, "EISDIR"),
                            ("get", {"path": "/dev/null"}, "EINVAL"), ("get", {"path": "x"}, "EINVAL"),
                            ("put", {"path": "/none/x"}, "ENOENT"), ("list", {"path": "/none"}, "ENOENT"),
                            ("put", {"path": "/etc"}, "EISDIR"), ("fly", {}, "ENOTSUP")):
        with pytest.raises(Failed) as failed:
            agent.open(do, **words).result()
        assert failed.value.code == code, (do, words)


def check_list(agent):
    agent.run(["sh", "-c", "cd /root; mkdir -p l/sub; echo x >l/sub/f; ln -s f l/sub/link; mkfifo l/p; "
                           "touch \"$(printf 'l/b\\377')\"; chmod 750 l"])
    agent.put_file("/root/l/new", b"", kind="folder", mode=0o700)
    agent.put_file("/root/l/way", b"", kind="link", target="../x")
    lines = {line.get("path", line.get("bytes")): line for line in agent.list("/root/l")}
    assert list(lines)[0] == "" and lines[""]["kind"] == "folder" and lines[""]["mode"] == 0o750
    assert list(lines).index("sub") < list(lines).index("sub/f")
    assert lines["sub/f"]["size"] == 2 and lines["sub/f"]["kind"] == "file"
    assert (lines["sub/link"]["kind"], lines["sub/link"]["target"]) == ("link", "f")
    assert lines["p"]["kind"] == "other" and lines[b"b\xff".hex()]["kind"] == "file"
    assert lines["new"]["mode"] == 0o700 and lines["way"]["target"] == "../x"
    name = b"/root/l/b\xff".hex()
    stream = agent.open("put", bytes=name)
    stream.send(b"odd")
    stream.end()
    stream.result()
    stream = agent.open("get", bytes=name)
    stream.result()
    assert stream.out == b"odd"


def check_streams(agent):
    """Many at once, one of which nobody reads and one that reads nothing: they hold nobody up."""
    flood = agent.open("exec", hold=True, argv=["sh", "-c", "cat /dev/zero"])
    deaf = agent.open("exec", argv=["sleep", "1000"])
    deaf.send(bytes(200000))
    streams = [agent.open("exec", argv=["sh", "-c", f"cat; echo {i}"]) for i in range(20)]
    for stream in streams:
        stream.send(b"x" * 3000)
        stream.end()
    for i, stream in enumerate(streams):
        assert stream.result(120) == {"status": 0}
        assert stream.out == b"x" * 3000 + b"%d\n" % i
    agent.pump(lambda: len(flood.out) == agentclient.CREDIT, 30, "all that there was credit for")
    flood.give(1000)
    agent.pump(lambda: len(flood.out) == agentclient.CREDIT + 1000, 30, "as much as was given")
    # abandoned: nothing of them is left, not even what does not listen
    stubborn = agent.open("exec", argv=["sh", "-c", "trap '' TERM HUP; echo on; while :; do sleep 31; done"])
    agent.pump(lambda: b"on" in stubborn.out, 20, "its word")
    for stream in (flood, deaf, stubborn):
        stream.abandon()
    settle(agent, ["sh", "-c", "ps | grep -c '[s]leep 1000\\|[z]ero\\|[s]leep 31'"], "0")


def check_connect(agent):
    server = agent.open("exec", argv=["sh", "-c", "ip link set lo up; nc -l -p 4000 -e /bin/cat"])
    end = time.monotonic() + 20
    while not agent.call("kmln-port", port=4000):
        assert time.monotonic() < end, "it does not listen"
    assert agent.call("kmln-port", port=4001) is False
    stream = agent.open("connect", port=4000)
    stream.send(b"there and back")
    stream.end()
    assert stream.result() == {} and stream.out == b"there and back" and stream.ended
    server.result()
    with pytest.raises(Failed) as failed:
        agent.open("connect", port=4001).result()
    assert failed.value.code == "ECONNREFUSED"


def check_address(agent):
    mac = agent.run(["cat", "/sys/class/net/eth0/address"]).out.decode().strip()
    agent.call("kmln-address", mac=mac, addresses=["10.7.0.2/24", "fd07::2/64"], gateways=["10.7.0.1"])
    agent.call("kmln-address", mac=mac, addresses=["10.8.0.2/24"], gateways=["10.8.0.1"])
    card = next(i for i in agent.call("guest-network-get-interfaces") if i["name"] == "eth0")
    assert card["hardware-address"] == mac
    given = [(a["ip-address"], a["prefix"]) for a in card["ip-addresses"] if not a["ip-address"].startswith("fe80")]
    assert given == [("10.8.0.2", 24)]
    assert b"default via 10.8.0.1 dev eth0" in agent.run(["ip", "route"]).out
    with pytest.raises(Failed) as failed:
        agent.call("kmln-address", mac="02:99:99:99:99:99", addresses=[])
    assert failed.value.code == "ENODEV"


def check_plain(agent):
    """As any client of the QEMU Guest Agent protocol speaks."""
    agent.sync()
    assert agent.line("guest-ping") == {}
    names = {c["name"] for c in agent.line("guest-info")["supported_commands"]}
    assert {"guest-exec", "guest-shutdown", "kmln-frames"} <= names
    with pytest.raises(Failed) as failed:
        agent.line("guest-fly")
    assert failed.value.code == "CommandNotFound"
    assert agent.line("guest-get-osinfo")["id"] == "kmln-test"
    assert agent.line("guest-get-host-name") == {"host-name": "box"}
    assert agent.line("guest-get-time") > 10 ** 18
    handle = agent.line("guest-file-open", path="/root/qga", mode="w+")
    assert agent.line("guest-file-write", handle=handle, **{"buf-b64": "aGVsbG8K"})["count"] == 6
    agent.line("guest-file-flush", handle=handle)
    assert agent.line("guest-file-seek", handle=handle, offset=1, whence="set")["position"] == 1
    read = agent.line("guest-file-read", handle=handle, count=100)
    assert agentclient.text(read["buf-b64"]) == b"ello\n" and read["count"] == 5
    assert agent.line("guest-file-read", handle=handle)["eof"] is True
    agent.line("guest-file-close", handle=handle)
    with pytest.raises(Failed):
        agent.line("guest-file-close", handle=handle)
    pid = agent.line("guest-exec", path="sh", arg=["-c", "cat; echo no >&2; exit 4"],
                     **{"input-data": "eWVz", "capture-output": True})["pid"]
    while not (status := agent.line("guest-exec-status", pid=pid))["exited"]:
        time.sleep(0.05)
    assert (status["exitcode"], agentclient.text(status["out-data"]), agentclient.text(status["err-data"])) == \
        (4, b"yes", b"no\n")
    with pytest.raises(Failed):
        agent.line("guest-exec-status", pid=pid)
    with pytest.raises(Failed):
        agent.line("guest-exec", path="/no/such/program") and None
        agent.line("guest-exec-status", pid=0)


def check_rubbish(agent):
    """Not even what is no frame ends it: it says hello, and all that ran is gone."""
    stream = agent.open("exec", argv=["sleep", "1001"])
    agent.pump(lambda: not agent.out, 20, "the request")
    settle(agent, ["sh", "-c", "ps | grep -c '[s]leep 1001'"], "1")
    agent.lines()
    del stream
    agent.out += b"\0\1\2rubbish\n{\xff{{\n"
    agent.hello(30)
    agent.frames(agent.window)
    settle(agent, ["sh", "-c", "ps | grep -c '[s]leep 1001'"], "0")
    # a frame that never gets whole
    agent.put(agentclient.DATA, 5, b"half")
    agent.out = agent.out[:-2]
    agent.pump(lambda: not agent.out, 20, "half a frame")
    agent.lines()
    agent.hello(40)
    agent.frames(agent.window)


def check_restart(agent):
    before = agent.run(["sh", "-c", "pidof kmln-agent"]).out.split()
    agent.open("exec", argv=["sh", "-c", f"kill -9 {before[-1].decode()}"])
    agent.pump(lambda: not agent.out, 20, "the request")
    agent.lines()
    hello = agent.hello(30)
    assert hello["version"] == 1
    agent.frames(agent.window)
    assert agent.run(["true"]).status == 0


def check_all(machine, size=MIB + 77):
    agent = machine.agent
    agent.hello(120)
    check_plain(agent)
    agent.frames(machine.window)
    check_files(agent, size)
    for check in (check_programs, check_terminal, check_list, check_streams, check_connect, check_rubbish,
                  check_restart):
        check(agent)


def walls(place, *more):
    """A machine behind these sees nothing of the host but its own folder, and ends with them: UML begins a
    session of its own, which no signal to a group finds."""
    return [runner.need_program("bwrap", "bubblewrap"), "--unshare-pid", "--die-with-parent",
            "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev",
            "--bind", place, place, *more]


def test_uml(box, tmp_path):
    with agentclient.uml(box, tmp_path / "log", behind=walls(tmp_path)) as machine:
        check_all(machine)
        # hostfs is there, but nobody gave this machine a transfer folder
        with pytest.raises(Failed) as failed:
            machine.agent.get("/etc/passwd", share="x")
        assert failed.value.code == "ENOTSUP"
        machine.agent.call("guest-shutdown")
        assert machine.wait() == 0
    assert images.clean(box)


@pytest.mark.network
def test_qemu_virtio(box_with_driver, cloud, tmp_path):
    """It loads the driver by itself."""
    with agentclient.qemu(box_with_driver, tmp_path / "log", cloud.image, cloud.initramfs(tmp_path / "initramfs"),
                          "-nic", "user,model=virtio-net-pci,restrict=on") as machine:
        check_all(machine)
        check_address(machine.agent)
        with pytest.raises(Failed) as failed:
            machine.agent.get("/etc/passwd", share="x")
        assert failed.value.code == "ENOTSUP"
        machine.agent.call("guest-shutdown")
        assert machine.wait() == 0
    assert images.clean(box_with_driver)


@pytest.mark.network
@pytest.mark.slow
def test_qemu_serial(box, cloud, tmp_path):
    """A guest that lacks the driver."""
    with agentclient.qemu(box, tmp_path / "log", cloud.image, cloud.initramfs(tmp_path / "initramfs"),
                          line="serial") as machine:
        check_all(machine, 100_000)
        machine.agent.lines()
        machine.agent.out += b"rubbish\n"
        machine.agent.hello()
        # the last word of a plain client is not answered
        machine.agent.line("guest-shutdown", answered=False)
        assert machine.wait() == 0


def test_transfer_folder(box, tmp_path):
    """The folder of the host that the machine's walls hold: whole files both ways, and no way out."""
    folder = tmp_path / "transfer"
    folder.mkdir()
    content = random.Random(2).randbytes(3 * MIB)
    (folder / "in").write_bytes(content)
    (folder / "out").symlink_to("/etc/passwd")
    with agentclient.uml(box, tmp_path / "log", behind=walls(tmp_path, "--bind", folder, "/kmln/transfer")) as machine:
        agent = machine.ready()
        assert agent.open("put", path="/root/in", mode=0o600, share="in").result() == {"size": len(content)}
        assert agent.run(["sha256sum", "/root/in"]).out.split()[0].decode() == hashlib.sha256(content).hexdigest()
        assert agent.open("get", path="/root/in", share="back").result() == {"mode": 0o600, "size": len(content)}
        assert (folder / "back").read_bytes() == content
        assert b"hostfs" not in agent.run(["cat", "/proc/mounts"]).out
        for name in ("../in", "out", "", ".", "/etc/passwd"):
            with pytest.raises(Failed):
                agent.open("get", path="/root/in", share=name).result()


@pytest.mark.parametrize("init", ("systemd", pytest.param("sysvinit", marks=pytest.mark.slow)))
def test_shutdown_while_booting(init, guest, tmp_path):
    image = with_agent(guests.copy(guest(init), tmp_path / "guest.img"))
    with agentclient.uml(image, tmp_path / "log", memory="256M") as machine:
        agent = machine.ready(240)
        if init == "systemd":
            assert agent.run(["systemctl", "is-system-running"]).out in (b"initializing\n", b"starting\n")
        agent.call("guest-shutdown")
        try:
            status = machine.wait(80)
        except subprocess.TimeoutExpired:
            pytest.fail("it is still on: " + machine.words()[-4000:])
        assert status == 0
    assert images.clean(image)


@pytest.mark.slow
def test_debian(guest, tmp_path):
    """A service of systemd: it is started again, a login shell works, and the end is quick."""
    # the guest's own lines for eth0 ask for DHCP, which nobody answers here
    image = with_agent(guests.copy(guest("systemd"), tmp_path / "guest.img"),
                       interfaces=[{"name": "eth0", "manual": True}])
    with agentclient.uml(image, tmp_path / "log", memory="256M") as machine:
        agent = machine.ready(240)
        agent.window = machine.window
        end = time.monotonic() + 120
        while agent.run(["systemctl", "is-system-running"]).out.strip() in (b"initializing", b"starting"):
            assert time.monotonic() < end
            time.sleep(0.5)
        assert agent.run(["systemctl", "is-enabled", "serial-getty@ttyS1"]).out == b"masked\n"
        check_terminal(agent)
        check_files(agent)
        agent.open("exec", argv=["sh", "-c", "kill -9 $(systemctl show -p MainPID --value kmln-agent)"])
        agent.pump(lambda: not agent.out, 20, "the request")
        agent.lines()
        agent.hello(30)
        agent.frames(machine.window)
        agent.call("guest-shutdown")
        assert machine.wait(80) == 0
    assert images.clean(image)
