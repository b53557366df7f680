# SPDX-License-Identifier: GPL-2.0-or-later
"""What a project file means: inheritance, variables, counting, names and addresses."""

import hashlib
import ipaddress
import random

import pytest

import projects
import runner

EXAMPLES = sorted((runner.ROOT / "examples").glob("*.*ln"))


def write(tmp_path, body, name="x.kmln"):
    path = tmp_path / name
    path.write_text("global { project p }\n" + body)
    return path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples(kmln, path, tmp_path):
    """Valid; laid out, but for the one in MLN's style; and what they resolve to resolves to itself."""
    result = kmln("validate", "--portable", path, expect=0)
    assert "valid" in result.out and not result.err
    if path.suffix == ".kmln":
        kmln("fmt", "--check", path, expect=0)
    once = projects.text(path).out
    (tmp_path / "once.kmln").write_text(once)
    again = projects.text(tmp_path / "once.kmln")
    assert again.out == once and not again.err


def test_inheritance(tmp_path):
    hosts = projects.hosts(write(tmp_path, """
superclass top { memory 64M; swap 1G; users { ada one; bob two }; boot_order 5
	startup { echo top
		sleep 1
		sleep 1 } network eth0 { switch s; delay 5ms } network eth1 { switch s } packages { vim } }
superclass mid { superclass top; memory 96M; users { bob three } ; startup { echo mid } remove packages
	network eth0 { delay 9ms; loss 1% } }
switch s { net 10.0.0.0/24 }
host a { superclass mid; startup { echo own } network eth0 { address 10.0.0.9 } }
host b { superclass mid; remove swap; remove users ada; remove network eth1; remove startup "echo mid"
	network eth0 { remove delay } }
host c { superclass mid; replace startup { echo only } remove memory; remove users; memory 32M; hvm off }
"""))
    a, b, c = (hosts[name] for name in "abc")
    assert (a["memory"], a["swap"], a["boot_order"]) == ("96M", "1G", "5")
    assert a["users"] == ["ada one", "bob three"] and "packages" not in a
    assert a["startup"] == ["echo top", "sleep 1", "sleep 1", "echo mid", "echo own"]
    assert a["network eth0"]["delay"] == "9ms" and a["network eth0"]["loss"] == "1%"
    assert a["network eth0"]["address"] == "10.0.0.9/24"
    assert "swap" not in b and b["users"] == ["bob three"] and "network eth1" not in b
    assert b["startup"] == ["echo top", "sleep 1", "sleep 1"] and "delay" not in b["network eth0"]
    assert c["startup"] == ["echo only"] and c["memory"] == "32M" and "users" not in c


def test_variables(tmp_path):
    """Each looked up alone, as the host sees it; what the shell has stays the shell's."""
    path = tmp_path / "x.kmln"
    path.write_text(r"""
global { project p; $a = global; $b = "g $[a]"; $n = 0; $opts = -x -y }
superclass s { $a = class; owner $a; group "$[b]!"; boot_order $n
	startup { echo $a "$a" ${a} \$a $a$b$[c] $HOME $1 $$ '$[a]'
		run $opts `x` \; y \\; $[project]/$hostname }
	$c = $hostname }
host web-1 { superclass s; $a = own; root_passwd $6$a$b; ready console "\\$a\$ $[a] ok$"
	network eth0 { $a = net; bridge $a } }
host h2 { superclass s }
""")
    hosts = projects.hosts(path)
    web, other = hosts["web-1"], hosts["h2"]
    assert (web["owner"], web["group"], web["boot_order"]) == ("own", '"g own!"', "0")
    assert (other["owner"], other["group"]) == ("class", '"g class!"')
    assert web["network eth0"]["bridge"] == "net"
    assert web["root_passwd"] == "$6$a$b"
    assert web["startup"] == [r"""echo own "own" ${a} \$a owng ownweb-1 $HOME $1 $$ 'own'""",
                              r"run -x -y `x` ; y \\; p/web-1"]
    # written so that it is the same word again
    assert web["ready"] == r'console "\own$ own ok$"'


def test_counting(tmp_path):
    hosts = projects.hosts(write(tmp_path, """
switch s { net 10.0.0.0/16; net fd00::/64; uplink nat }
host n { count 3; forward 2200:22; network eth0 { switch s; address 10.0.0.255; address fd00::1:ffff
	mac 02:00:00:00:00:ff } startup { echo $index $hostname } }
host rack-$[index]-x { count 2; after n }
host last { after n2 rack-1-x }
"""))
    assert list(hosts) == ["n1", "n2", "n3", "rack-1-x", "rack-2-x", "last"]
    assert [hosts[f"n{i}"]["network eth0"]["address"] for i in (1, 2, 3)] == [
        "10.0.0.255/16 fd00::1:ffff/64", "10.0.1.0/16 fd00::2:0/64", "10.0.1.1/16 fd00::2:1/64"]
    assert [hosts[f"n{i}"]["network eth0"]["forward"] for i in (1, 2, 3)] == ["2200:22", "2201:22", "2202:22"]
    assert hosts["n2"]["network eth0"]["mac"] == "02:00:00:00:01:00"
    assert hosts["n3"]["startup"] == ["echo 3 n3"]
    assert hosts["rack-1-x"]["after"] == "n1 n2 n3" and hosts["last"]["after"] == "n2 rack-1-x"


def test_autoenum(tmp_path):
    path = tmp_path / "x.mln"
    path.write_text("""
global { project p
	autoenum { superclass c; numhosts 10; hostprefix n; address auto; net 10.0.0.0; addresses_begin 250
		service_hosts { one; two 3; rest all } autouser $1$x$y }
	autoenum3 { superclass c; numhosts 2; hostprefix m } }
superclass c { network eth0 { switch s; netmask 255.255.0.0 } network eth1 { switch s; address dhcp } }
switch s { }
""")
    hosts = projects.hosts(path)
    assert list(hosts) == [f"n{i:02}" for i in range(1, 11)] + ["m1", "m2"]
    assert [hosts[f"n{i:02}"]["network eth0"]["address"] for i in (1, 6, 7)] == \
        ["10.0.0.250/16", "10.0.0.255/16", "10.0.1.0/16"]
    assert [host.get("service_host") for host in hosts.values()] == \
        ["one"] + ["two"] * 3 + ["rest"] * 6 + [None, None]
    assert hosts["n03"]["users"] == ["n03 $1$x$y"] and "users" not in hosts["m1"]
    assert hosts["n03"]["network eth1"]["address"] == "dhcp"


def test_derived_addresses(tmp_path):
    """In the net, no two alike, no one's else; and hardware addresses that are ours to give."""
    path = write(tmp_path, """
switch s { net 10.7.0.0/23; net fd00:7::/64; uplink nat }
host w { network eth0 { switch s; address 10.7.0.1 } }
host n { count 200; network eth0 { switch s } network eth1 { switch s } }
""")
    found = projects.addresses(path)
    net4, net6 = ipaddress.ip_network("10.7.0.0/23"), ipaddress.ip_network("fd00:7::/64")
    v4 = [ipaddress.ip_interface(a.split()[0]) for a, _ in found.values()]
    v6 = [ipaddress.ip_interface(a.split()[1]) for (host, _), (a, _) in found.items() if host != "w"]
    macs = [mac for _, mac in found.values()]
    assert len(found) == 401
    for addresses, net in ((v4, net4), (v6, net6)):
        assert len({a.ip for a in addresses}) == len(addresses)
        assert all(a.network == net and a.ip not in (net[0], net[-1]) for a in addresses)
    assert not {str(a.ip) for a in v4} & {"10.7.1.254", "10.7.1.253"}
    assert len(set(macs)) == len(macs) and all(projects.mac_ok(mac) for mac in macs)


def derived(what, host, interface, number):
    """The first 64 bits of the SHA-256 of names and a number."""
    names = b"".join(word.encode() + b"\0" for word in (what, "p", host, interface))
    return int.from_bytes(hashlib.sha256(names + number.to_bytes(4, "big")).digest()[:8], "big")


def test_derived_values_are_the_hash(tmp_path):
    """The very values, computed here once more: other versions and machines must have the same."""
    path = write(tmp_path, """
switch s { net 10.0.0.0/16; net fd00::/64 }
host a { network eth0 { switch s } network eth1 { switch s } }
host b { network eth0 { switch s } }
""")
    for (host, interface), (addresses, mac) in projects.addresses(path).items():
        v4 = ipaddress.ip_address("10.0.0.0") + 1 + derived("address", host, interface, 0) % (2**16 - 2)
        v6 = ipaddress.ip_address("fd00::") + 1 + derived("address", host, interface, 1) % (2**63 - 2)
        assert addresses == f"{v4}/16 {v6}/64"
        first = derived("mac", host, interface, 0).to_bytes(8, "big")[:6]
        assert mac == bytes([first[0] & 0xfc | 2, *first[1:]]).hex(":")


def test_stable_when_hosts_are_added(tmp_path):
    """Behind the others hosts never change anything; anywhere else only a host that is led to the
    same address could, and in nets of usual size these do not."""
    names = [f"host{i}" for i in range(40)]

    def lay(order, net):
        body = f"switch s {{ net {net}; net fd00::/64 }}\n"
        body += "".join(f"host {name} {{ network eth0 {{ switch s }} }}\n" for name in order)
        return {host: both for (host, _), both in projects.addresses(write(tmp_path, body)).items()}

    for net in ("10.0.0.0/16", "10.0.0.0/26"):
        before = lay(names, net)
        assert lay(names, net) == before
        after = lay(names + [f"new{i}" for i in range(20)], net)
        assert {name: after[name] for name in names} == before
        # a count that grows at the end
    wide = lay(names, "10.0.0.0/16")
    rng = random.Random(5)
    for _ in range(5):
        order = names + [f"more{rng.randrange(1000)}"]
        rng.shuffle(order)
        after = lay(order, "10.0.0.0/16")
        assert {name: after[name] for name in names} == wide


def test_counts_that_grow(tmp_path):
    def lay(count):
        return projects.addresses(write(tmp_path, f"""
switch s {{ net 10.0.0.0/16 }}
host n {{ count {count}; network eth0 {{ switch s }} }}
host last {{ network eth0 {{ switch s }} }}
"""))
    small, big = lay(4), lay(12)
    assert {key: big[key] for key in small} == small and len(big) == len(small) + 8


def test_impairment_and_gateways(tmp_path):
    hosts = projects.hosts(write(tmp_path, """
switch s { net 10.0.0.0/24; uplink nat; delay 5ms; loss 1% }
superclass c { network eth0 { switch s; gateway 10.0.0.1 } }
host gw { superclass c; network eth0 { address 10.0.0.1; rate 1Mbit; delay 9ms } }
host a { superclass c }
host b { network eth0 { switch s } network eth1 { switch s } }
switch six { net 10.6.0.0/24; net fd00::/64; uplink nat }
host c { network eth0 { switch six; gateway fd00::9 } }
"""))
    assert hosts["c"]["network eth0"]["gateway"] == "10.6.0.254 fd00::9"
    assert "gateway" not in hosts["gw"]["network eth0"] or hosts["gw"]["network eth0"]["gateway"] == "10.0.0.254"
    assert hosts["a"]["network eth0"]["gateway"] == "10.0.0.1"
    assert hosts["b"]["network eth0"]["gateway"] == "10.0.0.254" and "gateway" not in hosts["b"]["network eth1"]
    gw = hosts["gw"]["network eth0"]
    assert (gw["delay"], gw["loss"], gw["rate"]) == ("9ms", "1%", "1Mbit")
