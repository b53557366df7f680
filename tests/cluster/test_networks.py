# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of living clusters: UML and QEMU on one switch, hubs, routers, switches of somebody else's, the way
outside, cables that delay and lose, taps and bridges."""

import contextlib
import json
import os
import re
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
