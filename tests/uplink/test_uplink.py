# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln-uplink on real switches: what guests reach and what they do not, the forwards, and how it ends.
The host is a network namespace; guests are UML machines, or frames that no guest's kernel would send."""

import contextlib
import os
import random
import resource
import select
import signal
import struct
import subprocess
import threading
import time

import pytest

import guests
import machines
import runner
import vde

NET4 = ["--net4", "10.9.0.0/24", "--gateway4", "10.9.0.254", "--dns4", "10.9.0.253"]
NET6 = ["--net6", "fd00:9::/64", "--gateway6", "fd00:9::fe", "--dns6", "fd00:9::fd"]
GATEWAY6 = b"\x52\x56\x00\x00\x00\xfe"
DNS6 = b"\x52\x56\x00\x00\x00\xfd"
OUTSIDE4, OUTSIDE6 = vde.Host.ADDRESS4, vde.Host.ADDRESS6


@pytest.fixture
def host(tmp_path):
    host = vde.Host(tmp_path)
    yield host
    host.close()


@pytest.fixture
def switch(tmp_path):
    with vde.switch(tmp_path / "switch") as process:
        process.folder = tmp_path / "switch"
        yield process


def start(host, folder, *options):
    """A kmln-uplink that has said that it is ready."""
    process = host.start([runner.BUILD / "kmln-uplink", "--switch", folder, *options],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env={**os.environ, **runner.sanitizer_env()})
    assert select.select([process.stdout], [], [], 20)[0], "kmln-uplink says nothing"
    assert process.stdout.readline() == b"ready\n", process.stderr.read().decode()
    return process


def stop(process, status=0, words=""):
    """It ends by itself, with this status and these words alone."""
    assert process.wait(10) == status
    errors = process.stderr.read().decode()
    assert (words in errors and errors.count("\n") == 1) if words else not errors, errors


@contextlib.contextmanager
def port(folder, **options):
    port = vde.Port(folder, **options)
    try:
        yield port
    finally:
        port.close()


def connects(port, source, target, number, seconds=2, to=None, sport=4000):
    """Whether a SYN from a guest is answered by a SYN."""
    to = {"to": to} if to else {}
    port.packet(vde.tcp(source, sport, target, number, vde.SYN), **to)
    return port.receive(lambda frame: vde.is_tcp(frame, vde.SYN | vde.ACK, number), seconds) is not None


def question(name, kind=1):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", 77, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


# --- a real guest

@pytest.mark.boot
def test_a_guest_reaches_the_outside_and_not_the_loopback(host, switch, guest, tmp_path):
    services = host.serve("tcp", OUTSIDE4, "7000", "from-outside", "tcp", "127.0.0.1", "7001", "secret",
                          "dns", "127.0.0.1", "somewhere.test", OUTSIDE4)
    start(host, switch.folder, *NET4, "--forward", "tcp:2201:10.9.0.1:22")
    machine = vde.Guest(tmp_path, guests.copy(guest("busybox"), tmp_path / "guest.img"), switch.folder)
    try:
        machine.run("ifconfig lo 127.0.0.1; ifconfig eth0 10.9.0.1 netmask 255.255.255.0 up", expect=0)
        machine.run("route add default gw 10.9.0.254", expect=0)
        machine.run("echo nameserver 10.9.0.253 > /etc/resolv.conf", expect=0)

        # (a) the outside; (d) by name
        assert "from-outside" in machine.run(f"nc -w 5 {OUTSIDE4} 7000 </dev/null", expect=0)[1]
        assert OUTSIDE4 in machine.run("nslookup somewhere.test")[1]
        assert "from-outside" in machine.run("nc -w 5 somewhere.test 7000 </dev/null", expect=0)[1]
        assert OUTSIDE4 not in machine.run("nslookup elsewhere.test")[1]
        machine.run("ping -c 1 -W 3 10.9.0.254", expect=0)

        # (b) a server on the host's loopback, by whatever address
        assert host.ask("tcp", "127.0.0.1", 7001) == "secret"
        machine.run("ip route add 127.0.0.2/32 via 10.9.0.254 dev eth0")
        for address in ("10.9.0.254", "10.9.0.253", "10.9.0.255", OUTSIDE4, "127.0.0.2", "0.0.0.0"):
            status, text = machine.run(f"nc -w 2 {address} 7001 </dev/null")
            assert status != 0 and "secret" not in text, address
        # and to the guest too the loopback's packets may seem to be for the wire
        machine.run("ifconfig lo down; ip addr del 127.0.0.1/8 dev lo; ip route flush table local 2>&1; "
                    "ip route add local 10.9.0.1 dev eth0 table local; "
                    "ip route add 127.0.0.1/32 via 10.9.0.254 dev eth0 src 10.9.0.1")
        assert "secret" not in machine.run("nc -w 2 127.0.0.1 7001 </dev/null")[1]

        # (c) from the host into the guest, on 127.0.0.1 alone
        machine.run("(nc -ll -p 22 -e /bin/hostname &)", expect=0)
        machines.wait_for(lambda: host.ask("tcp", "127.0.0.1", 2201) == "box\n", "the forward")
        assert host.listeners(2201) == {"0100007F"}
        assert host.ask("tcp", OUTSIDE4, 2201) is None
        assert host.ask("tcp", "::1", 2201) is None
    finally:
        machine.close()
    reached = host.reached(services)
    assert reached.count("tcp 127.0.0.1 7001") == 1
    assert reached.count(f"tcp {OUTSIDE4} 7000") == 2


# --- frames of our own

def test_the_loopback_is_closed_to_any_frame(host, switch):
    targets4 = ("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.9.0.254", "10.9.0.253", "10.9.0.77",
                "10.9.0.255", "10.9.0.0", "255.255.255.255")
    targets6 = ("::1", "::", "::ffff:127.0.0.1", "::127.0.0.1", "fd00:9::fe", "fd00:9::fd", "fd00:9::77",
                "fd00:9::", "fe80::2", "fe80::1", "ff02::1")
    services = host.serve("tcp", "127.0.0.1", "7001", "x", "tcp", "::1", "7001", "x",
                          "udp", "127.0.0.1", "7002", "x", "udp", "::1", "7002", "x",
                          # what listens everywhere is reached at the host's own addresses alone
                          "tcp", "::", "7003", "x",
                          # a name server is no way to the other services of where it runs
                          "dns", "127.0.0.1", "name.test", OUTSIDE4, "dns", "::1", "name.test", OUTSIDE4)
    start(host, switch.folder, *NET4, *NET6, "--forward", "udp:2202:10.9.0.1:99")
    with port(switch.folder) as guest:
        assert connects(guest, "10.9.0.1", OUTSIDE4, 7003)
        for sport, target in enumerate(targets4, 100):
            for number in (7001, 7003):
                assert not connects(guest, "10.9.0.1", target, number, 0.2, sport=sport), target
            for sport in (sport, 99):  # 99 is the forward's
                guest.packet(vde.udp("10.9.0.1", sport, target, 7002, b"?"))
        for sport, target in enumerate(targets6, 200):
            for to in (GATEWAY6, DNS6):
                for number in (7001, 7003):
                    assert not connects(guest, "fd00:9::1", target, number, 0.1, to, sport), target
                guest.packet(vde.udp("fd00:9::1", sport, target, 7002, b"?"), to)
        # in two pieces, the first of which shows no port
        whole = vde.udp("10.9.0.1", 300, "10.9.0.253", 7002, b"?" * 32)
        guest.packet(vde.ip("10.9.0.1", "10.9.0.253", 17, whole[20:28], fragment=0x2000))
        guest.packet(vde.ip("10.9.0.1", "10.9.0.253", 17, whole[28:], fragment=1))
        assert guest.receive(vde.is_udp, 0.5) is None
        # it lives, and IPv6 leads outside too
        assert connects(guest, "fd00:9::1", OUTSIDE6, 7003, to=GATEWAY6)
    # a connection that no process has accepted yet would show here as well
    assert host.ask("tcp", "127.0.0.1", 7001) == "x"
    reached = sorted(set(host.reached(services)))
    assert reached == ["tcp 127.0.0.1 7001", "tcp :: 7003"]


def test_names(host, switch):
    host.serve("dns", "127.0.0.1", "name.test", OUTSIDE4, "dns", "::1", "name.test", OUTSIDE4)
    start(host, switch.folder, *NET4, *NET6)
    with port(switch.folder) as guest:
        guest.packet(vde.udp("10.9.0.1", 500, "10.9.0.253", 53, question("name.test")))
        answer = guest.receive(lambda frame: vde.is_udp(frame, "10.9.0.253", 53), 10)
        assert answer and answer.endswith(vde.packed(OUTSIDE4))
        guest.packet(vde.udp("fd00:9::1", 500, "fd00:9::fd", 53, question("name.test")), DNS6)
        answer = guest.receive(lambda frame: vde.is_udp(frame, "fd00:9::fd", 53), 10)
        assert answer and answer.endswith(vde.packed(OUTSIDE4))


@pytest.mark.parametrize("family", ["4", "6"])
def test_udp_forward(host, switch, family):
    own, gateway, loopback, there = {
        "4": ("10.9.0.1", "10.9.0.254", "127.0.0.1", "10.9.0.1"),
        "6": ("fd00:9::1", "fd00:9::fe", "::1", "[fd00:9::1]")}[family]
    head = 34 if family == "4" else 54
    start(host, switch.folder, *NET4, *NET6, "--forward", f"udp:2202:{there}:99")
    listeners = {"4": {"0100007F"}, "6": {"00000000000000000000000001000000"}}[family]
    assert host.listeners(2202) == listeners
    with port(switch.folder) as guest:
        for turn in range(3):
            answers = []
            thread = threading.Thread(
                target=lambda: answers.append(host.ask("udp", loopback, 2202, f"turn {turn}", 10)))
            thread.start()
            frame = guest.receive(vde.is_udp, 10)
            assert frame and frame.endswith(b"turn %d" % turn)
            assert vde.is_udp(frame, gateway)
            back = struct.unpack("!H", frame[head:head + 2])[0]
            # another port of the host's is no answer, nor is one from elsewhere
            for sport, dport in ((99, back ^ 1), (98, back)):
                guest.packet(vde.udp(own, sport, gateway, dport, b"wrong"), frame[6:12])
            guest.packet(vde.udp(own, 99, gateway, back, b"right %d" % turn), frame[6:12])
            thread.join(20)
            assert answers == [f"right {turn}"]


def test_router_advertisement(host, switch):
    start(host, switch.folder, *NET6)
    with port(switch.folder) as guest:
        guest.packet(vde.icmp6("fe80::1", "ff02::2", 133, bytes(4), hops=255), b"\x33\x33\0\0\0\2")
        frame = guest.receive(lambda frame: frame[12:14] == b"\x86\xdd" and frame[20] == 58
                              and frame[54] == 134, 10)
        assert frame
        # the option that names the prefix: 64 bits, on this link and for addresses
        at = frame.index(b"\x03\x04\x40", 70)
        assert frame[at + 3] & 0xc0 == 0xc0
        assert frame[at + 16:at + 32] == vde.packed("fd00:9::")
        # IPv4 was not asked for
        guest.packet(vde.ip("10.9.0.1", "10.9.0.254", 1, b"\x08\0" + vde.checksum(b"\x08\0" + bytes(6))
                            .to_bytes(2, "big") + bytes(4)))
        assert guest.receive(lambda frame: frame[12:14] == b"\x08\x00", 0.5) is None


def discover(guest):
    """The address that DHCP offers, or None."""
    words = struct.pack("!BBBBIHH", 1, 1, 6, 0, 7, 0, 0x8000) + bytes(16) + guest.mac + bytes(202) + \
        b"\x63\x82\x53\x63\x35\x01\x01\xff"
    guest.packet(vde.udp("0.0.0.0", 68, "255.255.255.255", 67, words), b"\xff" * 6)
    frame = guest.receive(lambda frame: vde.is_udp(frame, sport=67), 1)
    return frame and ".".join(map(str, frame[58:62]))


def test_dhcp_only_where_it_is_wanted(host, switch):
    process = start(host, switch.folder, *NET4)
    with port(switch.folder) as guest:
        assert discover(guest) is None
        process.stdin.close()
        stop(process)
        start(host, switch.folder, *NET4, "--dhcp4", "10.9.0.100")
        assert discover(guest) == "10.9.0.100"


def test_frames_for_others_are_not_carried(host, tmp_path):
    """A hub gives all frames to all."""
    services = host.serve("tcp", OUTSIDE4, "7000", "x")
    with vde.switch(tmp_path / "hub", "-x"):
        start(host, tmp_path / "hub", *NET4)
        with port(tmp_path / "hub") as guest:
            for to in (b"\x02\0\0\0\0\x02", b"\xff" * 6):
                guest.packet(vde.tcp("10.9.0.1", 10, OUTSIDE4, 7000, vde.SYN), to)
            assert guest.receive(lambda frame: vde.is_tcp(frame, vde.SYN, 7000), 0.5) is None
            assert connects(guest, "10.9.0.1", OUTSIDE4, 7000, sport=11)
    assert len(host.reached(services)) <= 1


def test_two_at_once(host, tmp_path):
    host.serve("tcp", OUTSIDE4, "7000", "x")
    with vde.switch(tmp_path / "one"), vde.switch(tmp_path / "two"):
        for number, name in enumerate(("one", "two")):
            start(host, tmp_path / name, *NET4, "--forward", f"udp:{3000 + number}:10.9.0.1:99")
        with port(tmp_path / "one") as one, port(tmp_path / "two", mac="02:00:00:00:00:02") as two:
            assert connects(one, "10.9.0.1", OUTSIDE4, 7000)
            assert connects(two, "10.9.0.1", OUTSIDE4, 7000)
            for number, (mine, other) in enumerate(((one, two), (two, one))):
                assert host.ask("udp", "127.0.0.1", 3000 + number, f"to {number}", 0.3) is None
                words = f"to {number}".encode()
                assert mine.receive(lambda frame: frame.endswith(words), 5)
                assert other.receive(lambda frame: frame.endswith(words), 0.2) is None


# --- its life

def alone(switch):
    """The switch, which needs a moment to see it, is rid of all else."""
    machines.wait_for(lambda: os.listdir(switch.folder) == ["ctl"], "an empty switch", 5)


def test_ends_with_its_input_or_by_a_signal(host, switch):
    process = start(host, switch.folder, *NET4)
    process.stdin.write(b"words that are not for it\n")
    process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.stdin.close()
    stop(process)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process = start(host, switch.folder, *NET4)
        process.send_signal(number)
        stop(process)
    alone(switch)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ends_with_the_switch(host, switch, number):
    process = start(host, switch.folder, *NET4, *NET6)
    switch.send_signal(number)
    stop(process, 1, "kmln-uplink: the switch has gone\n")


def test_killed_it_leaves_nothing(host, switch):
    options = [*NET4, "--forward", "tcp:2201:10.9.0.1:22", "--forward", "udp:2201:10.9.0.1:22"]
    process = start(host, switch.folder, *options)
    below = machines.descendants(process.pid)
    assert host.listeners(2201)
    process.kill()
    process.wait()
    assert not machines.left_over(below)
    alone(switch)
    assert not host.listeners(2201)
    # and the next one takes its place at once
    start(host, switch.folder, *options)
    assert host.listeners(2201)


def fails(host, status, words, *argv, **options):
    done = subprocess.run([*host.inside, runner.BUILD / "kmln-uplink", *map(str, argv)],
                          capture_output=True, text=True, timeout=20,
                          **{"stdin": subprocess.DEVNULL, **options})
    assert done.returncode == status, done
    assert words in done.stderr and done.stderr.startswith("kmln-uplink: "), done
    assert done.stderr.count("\n") == 1 and not done.stdout


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_port_in_use_is_named(host, switch, kind):
    host.serve(kind, "127.0.0.1", "2201", "x", kind, "::1", "2202", "x")
    command = ["--switch", switch.folder, *NET4, *NET6]
    fails(host, 1, f"--forward {kind}:2201:10.9.0.1:22: {kind.upper()} port 2201 of 127.0.0.1: "
          "Address already in use", *command, "--forward", f"{kind}:2202:10.9.0.1:23",
          "--forward", f"{kind}:2201:10.9.0.1:22")
    fails(host, 1, f"{kind.upper()} port 2202 of ::1: Address already in use", *command,
          "--forward", f"{kind}:2202:[fd00:9::1]:22")
    alone(switch)


def test_what_is_no_switch(host, tmp_path):
    fails(host, 1, "No such file or directory", "--switch", tmp_path / "none", *NET4)
    fails(host, 1, "ctl: No such file or directory", "--switch", tmp_path, *NET4)
    (tmp_path / "file").touch()
    fails(host, 1, "ctl: Not a directory", "--switch", tmp_path / "file", *NET4)
    (tmp_path / "ctl").touch()
    fails(host, 1, "cannot join switch", "--switch", tmp_path, *NET4)
    (tmp_path / "odd[1]").mkdir()
    (tmp_path / "odd[1]/ctl").touch()
    fails(host, 1, "'[' in its name", "--switch", tmp_path / "odd[1]", *NET4)
    fails(host, 2, "no option --port", "--port", "1")


def test_streams(host, switch):
    command = ["--switch", switch.folder, *NET4]
    # nothing to wait for: it begins, and ends
    done = subprocess.run([*host.inside, runner.BUILD / "kmln-uplink", *command], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"ready\n", b"")
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([*host.inside, runner.BUILD / "kmln-uplink", *command], stdout=full,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=20)
        assert done.returncode == 1 and b"No space left" in done.stderr
    done = subprocess.run([*host.inside, "sh", "-c", '"$0" "$@" <&-', runner.BUILD / "kmln-uplink",
                           *command], capture_output=True, timeout=20)
    assert done.returncode == 1 and b"standard input: Bad file descriptor" in done.stderr
    help_text = runner.run([runner.BUILD / "kmln-uplink", "--help"], expect=0)
    assert help_text.out.startswith("Usage: kmln-uplink --switch FOLDER") and not help_text.err


def cpu(pid):
    """Seconds of processor time, and how often it slept."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    return ((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
            int(status["voluntary_ctxt_switches"]), status)


def test_idle_it_sleeps_behind_its_walls(host, switch):
    process = start(host, switch.folder, *NET4, *NET6, "--forward", "tcp:2201:10.9.0.1:22")
    time.sleep(0.5)
    seconds, sleeps, status = cpu(process.pid)
    time.sleep(2)
    later, more_sleeps, _ = cpu(process.pid)
    assert later - seconds <= 0.05
    # router advertisements, now and then
    assert more_sleeps - sleeps <= 5
    assert status["NoNewPrivs"].strip() == "1"
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    assert soft == hard == 1024


def test_a_guest_that_takes_all_descriptors(host, switch):
    """More connections than there are descriptors: it neither ends nor spins, and is there again when
    the guest lets go."""
    host.serve("keep", OUTSIDE4, "7000", "tcp", OUTSIDE4, "7001", "x")
    process = start(host, switch.folder, *NET4, "--forward", "tcp:2201:10.9.0.1:22")
    with port(switch.folder) as guest:
        for sport in range(10000, 11300):
            guest.packet(vde.tcp("10.9.0.1", sport, OUTSIDE4, 7000, vde.SYN))
            frame = guest.receive(lambda frame: vde.is_tcp(frame, vde.ACK, 7000), 0.02)
            if frame:
                ack = struct.unpack("!I", frame[38:42])[0] + 1
                guest.packet(vde.tcp("10.9.0.1", sport, OUTSIDE4, 7000, vde.ACK, 1001, ack))
        assert len(os.listdir(f"/proc/{process.pid}/fd")) > 1000
        # one more, which cannot be accepted, knocks at the forward
        asked = threading.Thread(target=lambda: host.ask("tcp", "127.0.0.1", 2201, timeout=3))
        asked.start()
        # it goes to sleep between its turns: whoever spins never does by himself
        before = cpu(process.pid)[1]
        time.sleep(2)
        assert cpu(process.pid)[1] > before
        asked.join()
        assert process.poll() is None
        for sport in range(10000, 11300):
            guest.packet(vde.tcp("10.9.0.1", sport, OUTSIDE4, 7000, vde.RST, 1001))
            guest.receive(lambda frame: False, 0)
        machines.wait_for(lambda: connects(guest, "10.9.0.1", OUTSIDE4, 7001, 0.5,
                                           sport=random.randrange(20000, 60000)), "a new connection", 20)


def test_hostile_frames(host, switch):
    """Frames that are cut, stretched and changed at random, by a fixed seed: it lives on."""
    host.serve("tcp", OUTSIDE4, "7000", "x")
    process = start(host, switch.folder, *NET4, *NET6, "--dhcp4", "10.9.0.100",
                    "--forward", "udp:2202:10.9.0.1:99")
    chance = random.Random(6)
    ethernet4 = b"\x52\x55\x0a\x09\x00\xfe\x02\0\0\0\0\1\x08\0"
    ethernet6 = GATEWAY6 + b"\x02\0\0\0\0\1\x86\xdd"
    seeds = [
        ethernet4 + vde.tcp("10.9.0.1", 1, OUTSIDE4, 7000, vde.SYN, data=bytes(40)),
        ethernet4 + vde.udp("10.9.0.1", 2, "10.9.0.253", 53, question("name.test")),
        ethernet4 + vde.ip("10.9.0.1", "10.9.0.254", 1, b"\x08\0\xf7\xff" + bytes(4)),
        ethernet4 + vde.udp("10.9.0.1", 99, "10.9.0.254", 67, bytes(300)),
        ethernet6 + vde.tcp("fd00:9::1", 1, OUTSIDE6, 7000, vde.SYN),
        ethernet6 + vde.icmp6("fd00:9::1", "fd00:9::fe", 135, bytes(4) + vde.packed("fd00:9::fe") +
                              b"\x01\x01\x02\0\0\0\0\1", hops=255),
        ethernet6 + vde.icmp6("fe80::1", "ff02::2", 133, bytes(4), hops=255),
        b"\xff" * 6 + b"\x02\0\0\0\0\1\x08\x06\0\1\x08\0\6\4\0\1\x02\0\0\0\0\1" +
        vde.packed("10.9.0.1") + bytes(6) + vde.packed("10.9.0.254"),
    ]
    with port(switch.folder) as guest:
        for _ in range(8000):
            frame = bytearray(chance.choice(seeds))
            for _ in range(chance.randrange(1, 4)):
                at = min(int(chance.expovariate(1 / 25)) + 12, len(frame) - 1)
                frame[at] = chance.randrange(256)
            if chance.random() < 0.3:
                frame = frame[:chance.randrange(1, len(frame))]
            elif chance.random() < 0.2:
                frame += chance.randbytes(chance.randrange(3000))
            guest.send(bytes(frame))
            guest.receive(lambda frame: False, 0)
        assert process.poll() is None
        machines.wait_for(lambda: connects(guest, "10.9.0.1", OUTSIDE4, 7000, 0.5,
                                           sport=chance.randrange(20000, 60000)), "a connection")
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        rss = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    assert rss < 300_000, f"{rss} kB"
    process.stdin.close()
    stop(process)
