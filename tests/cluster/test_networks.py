# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of living clusters: UML and QEMU on one switch, hubs, routers, switches of somebody else's, the way
outside, cables that delay and lose, taps and bridges."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

import machines
import runner
import vde
# `lab` is a fixture, used by its name
from cluster.test_life import Lab, lab  # noqa: F401

pytestmark = pytest.mark.boot

UML = "superclass s { memory 64M; platform uml }\n"
QEMU = "superclass v { memory 192M; platform qemu }\n"


def ping(lab, host, to, *options):  # noqa: F811
    return lab.exec(host, "ping", "-c", "1", "-w", "20", *options, to)


def round_trip(lab, host, to):  # noqa: F811
    """The shortest of some, milliseconds."""
    out = lab.exec(host, "ping", "-c", "5", "-w", "60", "-A", to)
    return float(re.search(r"min/avg/max = ([\d.]+)/", out)[1])


def served(lab, host, port):  # noqa: F811
    """A server in a guest that says who it is to each that connects."""
    lab.exec(host, "sh", "-c", f"nc -ll -p {port} -e echo here is {host} </dev/null >/dev/null 2>&1 &")
    machines.wait_for(lambda: f":{port:04X} " in lab.exec(host, "sh", "-c", "cat /proc/net/tcp*"), "it listens")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def said(port, seconds=10):
    """What is said to whoever connects to this port of the host's loopback."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as sock:
        return sock.makefile("rb").read().decode()


class Inside:
    """kmln in a network namespace, on a project. `host`: whose `inside` leads there."""

    def __init__(self, lab, host):  # noqa: F811
        self.lab, self.host = lab, host

    def kmln(self, command, *args, expect=0, timeout=120):
        return runner.run([*self.host.inside, runner.BUILD / "kmln", command, "-f", self.lab.file, *args],
                          env=self.lab.home.env, expect=expect, timeout=timeout)


# --- switches

def test_two_platforms_and_two_families(lab):  # noqa: F811
    """UML and QEMU on one switch, by name, IPv4 and IPv6; the addresses are those of the file's net."""
    lab.write(f"switch lan {{ net 10.7.0.0/24; net fd00:7::/64 }}\n{UML}{QEMU}"
              "host u { superclass s; network eth0 { switch lan; address 10.7.0.5; address fd00:7::5 } }\n"
              "host q { superclass v; network eth0 { switch lan } }\n")
    lab.kmln("up", timeout=200)
    for host, other in ("uq", "qu"):
        ping(lab, host, other, "-4")
        ping(lab, host, other, "-6")
        status = lab.status()[host]["addresses"]
        assert {a["interface"] for a in status} == {"eth0"}
        # both are in the guest's list of names, and those are the ones that it has
        hosts = lab.exec(other, "grep", "-w", host, "/etc/hosts")
        own = [a["address"] for a in status if not a["address"].startswith("fe80")]
        assert sorted(line.split()[0] for line in hosts.splitlines()) == \
            sorted(a.partition("/")[0] for a in own)
        assert {a.partition("/")[2] for a in own} == {"24", "64"}
    assert {a["address"] for a in lab.status()["u"]["addresses"]} >= {"10.7.0.5/24", "fd00:7::5/64"}


def test_router_between_a_hub_and_a_switch(lab):  # noqa: F811
    """What examples/router.kmln is: hosts of two nets reach each other through a third. One of the two is a
    hub: a host on it sees what is between others."""
    lab.write(f"switch left {{ hub; net 10.1.0.0/24 }}\nswitch right {{ net 10.2.0.0/24 }}\n{UML}"
              """
host gw { superclass s; boot_order 10
	network eth0 { switch left; address 10.1.0.254 }
	network eth1 { switch right; address 10.2.0.254 }
	startup { echo 1 > /proc/sys/net/ipv4/ip_forward } }
superclass l { superclass s; after gw; network eth0 { switch left; gateway 10.1.0.254 } }
host web { superclass l }
host third { superclass l }
host client { superclass s; after gw; network eth0 { switch right; gateway 10.2.0.254 } }
""")
    lab.kmln("up", timeout=200)
    served(lab, "web", 80)
    assert lab.exec("client", "nc", "-w", "10", "web", "80") == "here is web\n"
    assert "ttl=63" in ping(lab, "web", "client")
    # frames that pass by: those of a switch would not
    count = "cat /sys/class/net/eth0/statistics/rx_packets"
    lab.exec("third", "ip", "link", "set", "eth0", "promisc", "on")
    before = int(lab.exec("third", "sh", "-c", count))
    lab.exec("web", "ping", "-c", "20", "-A", "-w", "20", "gw")
    assert int(lab.exec("third", "sh", "-c", count)) - before >= 40


def test_a_switch_of_somebody_elses(lab, tmp_path):  # noqa: F811
    folder = tmp_path / "theirs"
    lab.write(f"switch lan {{ socket {folder}; net 10.7.0.0/24 }}\n{UML}{QEMU}"
              "host a { superclass s; network eth0 { switch lan } }\n"
              "host q { superclass v; network eth0 { switch lan } }\n")
    with vde.switch(folder) as switch:
        lab.kmln("up", timeout=200)
        assert set(lab.states()) == {"a", "q"}
        ping(lab, "a", "q")
        lab.kmln("down")
        lab.assert_nothing_left()
        assert switch.poll() is None and (folder / "ctl").exists()


# --- the way outside

OUTSIDE = "switch lan { net 10.7.0.0/24; uplink nat }\n" + UML


def test_forwards(lab):  # noqa: F811
    """A port of the host's loopback leads to a guest; the host's own servers are not there for guests."""
    port = free_port()
    lab.write(OUTSIDE + f"host a {{ superclass s; network eth0 {{ switch lan; forward {port}:80 }} }}")
    lab.kmln("up")
    served(lab, "a", 80)
    machines.wait_for(lambda: said(port) == "here is a\n", "the forward answers", 20)
    gateway = re.search(r"via ([\d.]+)", lab.exec("a", "ip", "route", "show", "default"))[1]
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        own = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", own)):
            server.accept()[0].close()
        # that it is refused, or never answered, and nobody came
        lab.exec("a", "sh", "-c", f"nc -w 3 {gateway} {own} </dev/null && echo came || true")
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.fixture
def host(tmp_path):
    """A host in whose network there is more than loopback, and nothing of the machine that runs the tests."""
    host = vde.Host(tmp_path)
    yield host
    host.close()


def test_the_outside(lab, host):  # noqa: F811
    """A guest reaches servers that are no part of the cluster, in both families and by name, from the moment
    it is ready; and is told of what refuses it. A guest on a switch without an uplink reaches none."""
    services = host.serve("tcp", host.ADDRESS4, "7000", "outside by 4", "tcp", host.ADDRESS6, "7000", "outside by 6",
                          "dns", "127.0.0.1", "somewhere.test", host.ADDRESS4)
    lab.write("switch lan { net 10.7.0.0/24; net fd00:7::/64; uplink nat }\nswitch shut { net 10.8.0.0/24 }\n" + UML +
              "host a { superclass s; network eth0 { switch lan } }\n"
              "host b { superclass s; network eth0 { switch shut; gateway 10.8.0.254 } }\n")
    Inside(lab, host).kmln("up")

    def ask(guest, address, port=7000, expect=0):
        return lab.exec(guest, "sh", "-c", f"nc -w 10 {address} {port} </dev/null", expect=expect)

    assert ask("a", host.ADDRESS6) == "outside by 6"
    assert ask("a", host.ADDRESS4) == ask("a", "somewhere.test") == "outside by 4"
    assert ask("a", host.ADDRESS4, 7001, expect=1) == ""
    assert ask("b", host.ADDRESS4, expect=1) == ""
    reached = host.reached(services)
    assert reached.count(f"tcp {host.ADDRESS4} 7000") == 2 and reached.count(f"tcp {host.ADDRESS6} 7000") == 1


def test_addresses_are_those_of_the_file(lab, host):  # noqa: F811
    """An uplink advertises its net; a guest whose address is given takes no other one from it, nor a route."""
    lab.write("switch lan { net fd00:7::/64; uplink nat }\n" + UML +
              "host a { superclass s; network eth0 { switch lan; address fd00:7::5 } }\n")
    Inside(lab, host).kmln("up")

    def addresses():
        return re.findall("^fd00(.*) eth0$", lab.exec("a", "cat", "/proc/net/if_inet6"), re.M)

    ping(lab, "a", "fd00:7::ffff")
    given = addresses()
    assert len(given) == 1 and given[0].startswith("0007" + 23 * "0" + "5 ")
    assert "fe80::2" not in lab.exec("a", "ip", "-6", "route")
    # it would, if its kernel listened
    lab.exec("a", "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra; ip link set eth0 down; "
             "ip link set eth0 up")
    machines.wait_for(lambda: set(addresses()) - set(given), "what is advertised", 20)


def test_forwards_to_ipv6_alone(lab, host):  # noqa: F811
    """Of a guest that has no IPv4 address; the host's loopback leads there, and no other address of its."""
    lab.write("switch lan { net fd00:7::/64; uplink nat }\n" + UML +
              "host a { superclass s; network eth0 { switch lan; forward 2201:80; forward 2202:99/udp } }\n")
    Inside(lab, host).kmln("up")
    served(lab, "a", 80)
    machines.wait_for(lambda: host.ask("tcp", "::1", 2201) == "here is a\n", "the forward answers", 20)
    loopback = "00000000000000000000000001000000"
    assert host.listeners(2201) == host.listeners(2202) == {loopback}
    assert host.ask("tcp", host.ADDRESS6, 2201) is None


def test_a_forwarded_port_in_use(lab):  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        lab.write(OUTSIDE + "superclass n { superclass s; network eth0 { switch lan } }\nhost b { superclass n }\n"
                  f"host a {{ superclass n; network eth0 {{ forward {port}:80 }} }}\n")
        up = lab.kmln("up", expect=1)
        assert re.search(rf"uplink lan: .*\b{port}\b.*[Aa]ddress already in use", up.err), up
        # nothing else waits for the way outside
        states = lab.states()
        assert states["a"] == states["b"] == "ready"
        ping(lab, "a", "b")
    lab.kmln("up")
    served(lab, "a", 80)
    machines.wait_for(lambda: said(port) == "here is a\n", "the forward answers", 20)


# --- cables

def test_impaired_cables(lab):  # noqa: F811
    """Delay, rate and loss of a link; a change of them does not touch the machine."""
    text = (f"switch lan {{ net 10.7.0.0/24 }}\n{UML}"
            "host a {{ superclass s; network eth0 {{ switch lan; {} }} }}\n"
            "host b {{ superclass s; network eth0 {{ switch lan }} }}\n")
    text = text.replace("{ net", "{{ net").replace("24 }", "24 }}") \
        .replace(UML, UML.replace("{", "{{").replace("}", "}}"))
    lab.write(text.format("delay 60ms"))
    lab.kmln("up")
    assert 120 <= round_trip(lab, "a", "b") < 220
    before = lab.pids()
    lab.write(text.format("delay 150ms; loss 0.01%"))
    up = lab.kmln("up", "-y")
    assert re.findall(r"^kmln: (\w+) +(\S+)", up.err, re.M)[:3] == \
        [(word, "wire-a.eth0") for word in ("stop", "build", "start")] and "host-" not in up.err, up
    assert 300 <= round_trip(lab, "a", "b") < 450
    after = lab.pids()
    assert {name for name in before if before[name] != after[name]} == {"a.eth0"}
    # bytes at a time: 64 kbit/s are 8 a millisecond
    lab.write(text.format("rate 64kbit"))
    lab.kmln("up", "-y")
    start = time.monotonic()
    lab.exec("b", "sh", "-c", "nc -l -p 9 >/tmp/got </dev/null & sleep 1; true")
    lab.exec("a", "sh", "-c", "dd if=/dev/zero bs=1000 count=24 2>/dev/null | nc -w 20 b 9")
    machines.wait_for(lambda: lab.exec("b", "stat", "-c", "%s", "/tmp/got") == "24000\n", "all came", 30)
    assert time.monotonic() - start > 3
    # all is lost
    lab.write(text.format("loss 100%"))
    lab.kmln("up", "-y")
    lab.exec("a", "ping", "-c", "2", "-w", "3", "10.7.0.1", expect=1)
    lab.exec("a", "ping", "-c", "2", "-w", "3", "b", expect=1)
    lab.write(text.format(""))
    lab.kmln("up", "-y")
    ping(lab, "a", "b")
    assert set(lab.states()) == {"lan", "a", "b"}


# --- devices of the host's

# what a test does in a network namespace of its own; /sys is that namespace's, too
INSIDE = "mount -t sysfs sys /sys && ip link set lo up && exec \"$@\""


class Namespace:
    """A network namespace, with root in it, that lives as long as this does."""

    def __init__(self):
        self.keeper = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", INSIDE, "sh", "sh", "-c", "echo up && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PATH": runner.PATH})
        if self.keeper.stdout.readline() != b"up\n":
            words = self.keeper.stderr.read().decode().strip()
            self.close()
            runner.lacking(f"no network namespace of our own: {words}")
        self.inside = ["nsenter", "-n", "-m", "-t", str(self.keeper.pid), "--"]

    def run(self, *argv, **options):
        return runner.run([*self.inside, *argv], **options)

    def devices(self):
        links = json.loads(self.run("ip", "-j", "link", expect=0).out)
        return {link["ifname"]: link.get("master") for link in links}

    def close(self):
        vde.end(self.keeper)
        for stream in (self.keeper.stdin, self.keeper.stdout, self.keeper.stderr):
            stream.close()


@pytest.fixture
def namespace():
    if os.geteuid() != 0:
        pytest.skip("taps are made by root")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("no /dev/net/tun")
    runner.need_program("ip", "iproute2")
    namespace = Namespace()
    yield namespace
    namespace.close()


TAPS = UML + QEMU + """
switch lan { net 10.6.0.0/24; tap tapsw }
host a { superclass s
	network eth0 { address 10.9.0.2; netmask 255.255.255.0; tun_iface tapa; tun_address 10.9.0.254 }
	network eth1 { address 10.8.0.2; netmask 255.255.255.0; bridge br9 } }
host b { superclass v
	network eth0 { address 10.8.0.3; netmask 255.255.255.0; bridge br9 }
	network eth1 { switch lan; address 10.6.0.5 } }
"""


def test_taps_and_bridges(lab, namespace):  # noqa: F811
    """By root: the start scripts make the devices, and who stops the machines takes them away."""
    inside = Inside(lab, namespace)
    for words in ("link add br9 type bridge", "address add 10.8.0.254/24 dev br9", "link set br9 up"):
        namespace.run("ip", *words.split(), expect=0)
    before = namespace.devices()
    lab.write(TAPS)
    try:
        inside.kmln("up", timeout=200)
        devices = namespace.devices()
        made = set(devices) - set(before)
        bridged = {name for name in made if devices[name] == "br9"}
        assert made - bridged == {"tapa", "tapsw"} and len(bridged) == 2
        namespace.run("ip", "address", "add", "10.6.0.254/24", "dev", "tapsw", expect=0)
        for host, address in (("a", "10.9.0.254"), ("a", "10.8.0.254"), ("a", "b"), ("b", "10.8.0.254"),
                              ("b", "10.6.0.254")):
            ping(lab, host, address)
        # one alone: only its own go
        inside.kmln("stop", "a")
        assert set(before) | {"tapsw"} < set(namespace.devices()) < set(devices)
        inside.kmln("start", "a")
        ping(lab, "a", "10.9.0.254")
        inside.kmln("down")
        assert namespace.devices() == before
    finally:
        inside.kmln("down", "--now", expect=(0, 1, 4))


def test_taps_of_keepers_that_were_killed(lab, namespace):  # noqa: F811
    """What is started again has its device again, and whoever stops what was killed takes the device away."""
    inside = Inside(lab, namespace)
    before = namespace.devices()
    lab.write(UML + "switch lan { net 10.6.0.0/24; tap tapsw }\n"
              "host a { superclass s; network eth0 { address 10.9.0.2; netmask 255.255.255.0; tun_iface tapa; "
              "tun_address 10.9.0.254 } }\nhost b { superclass s; network eth0 { switch lan; address 10.6.0.5 } }\n")

    def kill(*names):
        for name in names:
            os.kill(lab.keeper(name), signal.SIGKILL)
        machines.wait_for(lambda: not any(map(lab.keeper, names)), "they are gone")
    try:
        inside.kmln("up")
        for _ in range(2):
            kill("host-a", "switch-lan")
            inside.kmln("up", "-y")
            assert set(namespace.devices()) - set(before) == {"tapa", "tapsw"}
            ping(lab, "a", "10.9.0.254")
            namespace.run("ip", "address", "replace", "10.6.0.254/24", "dev", "tapsw", expect=0)
            ping(lab, "b", "10.6.0.254")
        # the other's device stays
        kill("host-a")
        inside.kmln("stop", "a")
        assert set(namespace.devices()) - set(before) == {"tapsw"}
        inside.kmln("start", "a")
        ping(lab, "a", "10.9.0.254")
        kill("host-a", "host-b", "switch-lan")
        inside.kmln("down", expect=(0, 4))
        assert namespace.devices() == before
    finally:
        inside.kmln("down", "--now", expect=(0, 1, 4))


def test_a_tap_that_cannot_be_finished(lab, namespace):  # noqa: F811
    """Its bridge is not there: nothing of it is left, and it is made once there is one."""
    inside = Inside(lab, namespace)
    before = namespace.devices()
    lab.write(UML + "host a { superclass s; network eth0 { address 10.8.0.2; netmask 255.255.255.0; bridge br9 } }\n")
    try:
        refused = inside.kmln("up", expect=5)
        assert "cannot be made" in refused.err
        assert namespace.devices() == before
        for words in ("link add br9 type bridge", "address add 10.8.0.254/24 dev br9", "link set br9 up"):
            namespace.run("ip", *words.split(), expect=0)
        inside.kmln("up")
        ping(lab, "a", "10.8.0.254")
    finally:
        inside.kmln("down", "--now", expect=(0, 1, 4))


def test_taps_need_root(lab):  # noqa: F811
    """Who may make none is told so; what needs none runs."""
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("no /dev/net/tun")
    runner.need_program("ip", "iproute2")
    lab.write(UML + "host a { superclass s; network eth0 { address 10.9.0.2; netmask 255.255.255.0; "
              "tun_iface kmlntesttap; tun_address 10.9.0.254 } }\nhost b { superclass s }\n")
    # for root: all of its powers but the one that this takes
    less = ["setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin", "--"] if os.geteuid() == 0 else []
    up = runner.run([*less, runner.BUILD / "kmln", "up", "-f", lab.file], env=lab.home.env, expect=5, timeout=120)
    assert re.search("host a: .*the network device kmlntesttap cannot be made, which needs root", up.err), up
    assert lab.states() == {"a": "stopped", "b": "ready"}
    assert not (lab.runtime / "taps/kmlntesttap").exists()
