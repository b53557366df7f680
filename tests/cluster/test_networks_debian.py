# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of Debian guests that live: whichever of its systems sets a guest's network does so, and says so
itself; all of them come to the same."""

import os
import re

import pytest

import guests
import images
import machines
# fixtures, used by their names
from cluster.test_life import lab  # noqa: F401
from cluster.test_networks import Inside, host  # noqa: F401

pytestmark = [pytest.mark.boot, pytest.mark.slow]

SERVER = """
use Socket;
socket(S, AF_INET6, SOCK_STREAM, 0) and bind(S, pack_sockaddr_in6(80, Socket::IN6ADDR_ANY)) and listen(S, 9) or die $!;
exit if fork;
close STDIN; close STDOUT; close STDERR;
while (accept(C, S)) { print C "here is $ARGV[0]\\n"; close C }
"""
ADDRESSES = {"i": ("10.7.0.5", "fd00:7::5"), "n": ("10.7.0.6", "fd00:7::6")}


@pytest.fixture
def debians(guest, home):
    """Images of Debian 12, one with ifupdown, the other with systemd-networkd in its place. The portable
    copies of them are big, and therefore the test's own."""
    os.unlink(home.path / "cache/prepared")
    os.mkdir(home.path / "cache/prepared")
    found = {name: guests.copy(guest("systemd"), home.folder / f"{name}.img") for name in ("ifupdown", "networkd")}
    wants = "/etc/systemd/system/{}.wants/{}"
    images.debugfs(found["networkd"], "rm " + wants.format("multi-user.target", "networking.service"),
                   "rm " + wants.format("network-online.target", "networking.service"),
                   "rm /lib/udev/rules.d/80-ifupdown.rules", "rm /etc/network/interfaces",
                   *(f"rm /usr/sbin/{name}" for name in ("ifup", "ifdown", "ifquery")),
                   "symlink " + wants.format("multi-user.target", "systemd-networkd.service") +
                   " /lib/systemd/system/systemd-networkd.service")
    for image in found.values():
        guests.patient(image)
    return found


@pytest.mark.parametrize("platform", ("uml", "qemu"))
def test_ifupdown_and_networkd(platform, debians, lab, host):  # noqa: F811
    lab.write("switch lan { net 10.7.0.0/24; net fd00:7::/64; uplink nat }\n"
              f"superclass s {{ memory 256M; platform {platform} }}\n" +
              "".join(f"host {name} {{ superclass s; image {image}\n"
                      "	network eth0 { switch lan; address %s; address %s } }\n" % ADDRESSES[name]
                      for name, image in (("i", debians["ifupdown"]), ("n", debians["networkd"]))))
    services = host.serve("tcp", host.ADDRESS4, "7000", "from outside", "tcp", host.ADDRESS6, "7000", "from outside")
    Inside(lab, host).kmln("up", timeout=1200)

    def run(name, *argv, expect=0):
        return lab.kmln("exec", "-p", "p", name, "--", *argv, expect=expect, timeout=300).out

    def says(name, address, port=80):
        """What a server says to a guest; a shell is all that it has for that."""
        return run(name, "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port} && cat <&3")

    # the system that each has, by its own word
    services_are = ("sh", "-c", "systemctl is-active networking systemd-networkd || true")
    assert run("i", *services_are) == "active\ninactive\n"
    assert run("n", *services_are) == "inactive\nactive\n"
    assert "eth0=eth0\n" in run("i", "ifquery", "--state")
    assert re.findall("^address: (.*)", run("i", "ifquery", "eth0"), re.M) == list(ADDRESSES["i"])
    machines.wait_for(lambda: re.search(r"eth0 +ether +routable +configured", run("n", "networkctl", "list")),
                      "networkd has done it", 60)
    assert "/etc/systemd/network/05-kmln-eth0.network\n" in run("n", "networkctl", "status", "eth0")
    for name, (v4, v6) in ADDRESSES.items():
        # none but these, although the uplink advertises its net
        found = run(name, "ip", "-o", "address", "show", "dev", "eth0", "scope", "global")
        assert sorted(re.findall(r"inet6? (\S+)", found)) == [f"{v4}/24", f"{v6}/64"], found
        assert run(name, "cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra") == "0\n"
        assert run(name, "systemctl", "list-units", "--failed", "--no-legend") == ""
        run(name, "perl", "-e", SERVER, name)
    for name, other in ("in", "ni"):
        for address in (other, *ADDRESSES[other]):
            assert says(name, address) == f"here is {other}\n"
        for address in (host.ADDRESS4, host.ADDRESS6):
            assert says(name, address, 7000) == "from outside"
    assert sorted(host.reached(services)) == sorted([f"tcp {host.ADDRESS4} 7000", f"tcp {host.ADDRESS6} 7000"] * 2)
