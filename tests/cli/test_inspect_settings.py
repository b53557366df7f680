# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings in files: networks of every system, names by hardware address, swap, services, and what marks
a container; then files that go round in circles, bombs, and more settings than anybody has."""

import re
import time

import pytest

import images
import trees
from trees import Link

SYSTEMD = {"/usr/lib/systemd/systemd": trees.PROGRAM, "/sbin/init": Link("/usr/lib/systemd/systemd")}


def network(facts):
    return {(i["system"], i["name"]): (i["method"], i["address"]) for i in facts["network"]}


def names(facts):
    return {(n["mac"], n["name"], n["file"]) for n in facts["network_names"]}


# --- networks

def test_ifupdown(facts_of):
    facts = facts_of({
        "/etc/network/interfaces": "# comment\nsource /etc/network/interfaces.d/*.cfg\n"
                                   "source-directory more\nsource ../hidden\nsource /etc/n*/x\n"
                                   "auto lo\niface lo inet loopback\n"
                                   "iface eth0 inet static\n  address \\\n 10.0.0.2/24\n"
                                   "  hwaddress ether 52:54:00:AA:bb:01\niface eth0 inet6 auto\n",
        "/etc/network/interfaces.d/a.cfg": "iface eth1 inet dhcp\n  hwaddress 52:54:00:aa:bb:02\n",
        "/etc/network/interfaces.d/b.bak": "iface eth9 inet dhcp\n",
        "/etc/network/more/c": "iface eth2 inet manual\n",
        "/etc/hidden": "iface eth3 inet dhcp\n"})
    assert [(i["name"], i["method"], i["address"]) for i in facts["network"]] == [
        ("lo", "loopback", None), ("eth0", "static", "10.0.0.2/24"), ("eth0", "auto", None),
        ("eth1", "dhcp", None), ("eth2", "manual", None), ("eth3", "dhcp", None)]
    assert names(facts) == {("52:54:00:aa:bb:01", "eth0", "/etc/network/interfaces"),
                            ("52:54:00:aa:bb:02", "eth1", "/etc/network/interfaces.d/a.cfg")}
    assert facts["notes"] == ['/etc/network: "source /etc/n*/x" is not followed']


def test_ifupdown_without_source(facts_of):
    """A folder that nothing names is not read, neither by ifupdown nor here."""
    assert facts_of({"/etc/network/interfaces": "iface eth0 inet dhcp\n", "/etc/network/interfaces.d/x":
                     "iface eth1 inet dhcp\n"})["network"][1:] == []


def test_networkd(facts_of):
    facts = facts_of({
        "/etc/systemd/network/10-lan.network": "[Match]\nName = en*\n[Network]\nDHCP=yes\n[DHCPv4]\nDHCP=no\n",
        "/etc/systemd/network/20-wan.network": "# x\n[Match]\nMACAddress=52:54:00:00:00:01 52-54-00-00-00-02\n"
                                               "[Network]\nDNS=9.9.9.9\n[Address]\nAddress=\"192.0.2.1/24\"\n",
        "/etc/systemd/network/30-all.network": "[Network]\nDHCP=ipv4\n",
        "/etc/systemd/network/10-eth.link": "[Match]\nMACAddress=52:54:00:00:00:03\n[Link]\nName=lan0\n",
        "/etc/systemd/network/11-no.link": "[Match]\nDriver=e1000\n[Link]\nName=lan1\n",
        "/usr/lib/systemd/network/12-perm.link": "[Match]\nPermanentMACAddress=52:54:00:00:00:04\n[Link]\n"
                                                 "NamePolicy=keep\n"})
    assert network(facts) == {
        ("systemd-networkd", "en*"): ("dhcp", None), ("systemd-networkd", "*"): ("dhcp", None),
        ("systemd-networkd", "mac 52:54:00:00:00:01 52-54-00-00-00-02"): ("static", "192.0.2.1/24")}
    folder = "/etc/systemd/network"
    assert names(facts) == {
        ("52:54:00:00:00:01", None, f"{folder}/20-wan.network"),
        ("52:54:00:00:00:02", None, f"{folder}/20-wan.network"),
        ("52:54:00:00:00:03", "lan0", f"{folder}/10-eth.link"),
        ("52:54:00:00:00:04", None, "/usr/lib/systemd/network/12-perm.link")}


NETPLAN = """# written by cloud-init
network:
  version: 2
  renderer: networkd
  ethernets:
    lan:
      match:
        macaddress: "52:54:00:12:34:56"
      set-name: eth0
      dhcp4: true
      nameservers: {addresses: [192.0.2.53]}
    enp1s0: {dhcp4: no, addresses: [192.0.2.7/24, "2001:db8::7/64"]}
    others: {match: {name: "enx*"}, dhcp6: yes}
    known: {match: {macaddress: "52:54:00:12:34:57"}}
  bridges:
    br0:
      interfaces: [enp1s0]
      addresses:
        - 198.51.100.1/24:
            label: x
        - 198.51.100.2/24
"""


def test_netplan(facts_of):
    facts = facts_of({"/etc/netplan/50-cloud-init.yaml": NETPLAN, "/etc/netplan/readme": "x: [",
                      "/etc/netplan/99-broken.yaml": "network: {ethernets: {late: {dhcp4: true}, [",
                      "/etc/netplan/98-scalar.yaml": "network\n"})
    assert network(facts) == {
        ("netplan", "eth0"): ("dhcp", None), ("netplan", "enp1s0"): ("static", "192.0.2.7/24"),
        ("netplan", "enx*"): ("dhcp", None), ("netplan", "mac 52:54:00:12:34:57"): (None, None),
        ("netplan", "br0"): ("static", "198.51.100.2/24"), ("netplan", "late"): ("dhcp", None)}
    assert names(facts) == {("52:54:00:12:34:56", "eth0", "/etc/netplan/50-cloud-init.yaml"),
                            ("52:54:00:12:34:57", None, "/etc/netplan/50-cloud-init.yaml")}
    assert facts["notes"] == ["/etc/netplan/99-broken.yaml is not YAML: not read to its end"]


def test_network_manager(facts_of):
    folder = "/etc/NetworkManager/system-connections"
    facts = facts_of({
        f"{folder}/lan.nmconnection": "[connection]\nid=lan\ntype=ethernet\ninterface-name=ens3\n"
                                      "[ethernet]\nmac-address=52:54:00:00:00:05\n[ipv4]\n"
                                      "address1=192.0.2.9/24,192.0.2.1\nmethod=manual\n",
        f"{folder}/home": "[connection]\nid=home\ntype=wifi\n[wifi-security]\npsk=secret word\n[ipv4]\n"
                          "method=auto\n",
        f"{folder}/empty": ""})
    assert network(facts) == {("NetworkManager", "ens3"): ("static", "192.0.2.9/24"),
                              ("NetworkManager", "type wifi"): ("dhcp", None)}
    assert names(facts) == {("52:54:00:00:00:05", "ens3", f"{folder}/lan.nmconnection")}
    assert "secret" not in str(facts)


def test_ifcfg(facts_of):
    red, suse = "/etc/sysconfig/network-scripts", "/etc/sysconfig/network"
    facts = facts_of({
        f"{red}/ifcfg-eth0": "DEVICE=\"eth0\"\nBOOTPROTO=none\nIPADDR=192.0.2.3\nPREFIX=24\n"
                             "HWADDR='52:54:00:00:00:06'\n# BOOTPROTO=dhcp\n",
        f"{red}/ifcfg-eth1": "BOOTPROTO=dhcp\n", f"{red}/ifcfg-eth1.bak": "BOOTPROTO=dhcp\n",
        f"{red}/ifup-eth": "#!/bin/sh\n",
        f"{suse}/ifcfg-br0": "STARTMODE='auto'\nBOOTPROTO='static'\nIPADDR='198.51.100.3/24'\n"
                             "LLADDR='52:54:00:00:00:07'\n",
        f"{suse}/config": "IPADDR=x\n"})
    assert network(facts) == {("ifcfg", "eth0"): ("static", "192.0.2.3/24"), ("ifcfg", "eth1"): ("dhcp", None),
                              ("ifcfg", "br0"): ("static", "198.51.100.3/24")}
    assert names(facts) == {("52:54:00:00:00:06", "eth0", f"{red}/ifcfg-eth0"),
                            ("52:54:00:00:00:07", "br0", f"{suse}/ifcfg-br0")}


def test_persistent_net(facts_of):
    path = "/etc/udev/rules.d/70-persistent-net.rules"
    facts = facts_of({path: (
        '# PCI device 0x1af4:0x1000 (virtio-pci)\n'
        'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="52:54:00:00:00:08", '
        'ATTR{dev_id}=="0x0", ATTR{type}=="1", KERNEL=="eth*", NAME="eth0"\n'
        '#SUBSYSTEM=="net", ATTR{address}=="52:54:00:00:00:09", NAME="eth1"\n'
        'SUBSYSTEM=="net", ATTR{address}=="52:54:00:00:00:0a", \\\n  NAME="eth2"\n'
        'SUBSYSTEM=="net", ATTR{address}=="not an address", NAME="eth3"\n')})
    assert names(facts) == {("52:54:00:00:00:08", "eth0", path), ("52:54:00:00:00:0a", "eth2", path)}


# --- systems and services

@pytest.mark.parametrize("files, expected", [
    ({"/etc/os-release": 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID=9.3\nPRETTY_NAME="Rocky 9"\n'},
     ("rocky", "rhel centos fedora", "9.3", "Rocky 9")),
    ({"/etc/os-release": Link("../usr/lib/os-release"), "/usr/lib/os-release": "ID=arch\n"},
     ("arch", None, None, None)),
    ({"/etc/lsb-release": 'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=10.04\nDISTRIB_DESCRIPTION="Ubuntu 10.04"\n'},
     ("ubuntu", "debian", "10.04", "Ubuntu 10.04")),
    ({"/etc/redhat-release": "CentOS release 5.11 (Final)\n", "/etc/centos-release":
      "CentOS release 5.11 (Final)\n"}, ("centos", "rhel fedora", "5.11", "CentOS release 5.11 (Final)")),
    ({"/etc/debian_version": "3.1\n"}, ("debian", None, "3.1", "Debian GNU/Linux 3.1")),
    ({"/etc/arch-release": ""}, ("arch", None, None, "Arch Linux")),
])
def test_system(facts_of, files, expected):
    os_ = facts_of(files)["os"]
    assert (os_["id"], os_["id_like"], os_["version"], os_["name"]) == expected


def services(facts):
    return [(s["name"], s["by"], s["masked"]) for s in facts["services"]["list"]]


def test_systemd_units(facts_of):
    folder = "/etc/systemd/system"
    facts = facts_of({
        **SYSTEMD, f"{folder}/multi-user.target.wants/ssh.service": Link("/lib/systemd/system/ssh.service"),
        f"{folder}/multi-user.target.requires/db.service": Link("nowhere"),
        f"{folder}/default.target": Link("/usr/lib/systemd/system/multi-user.target"),
        f"{folder}/tmp.mount": Link("/dev/null"), f"{folder}/own.service": "[Service]\n",
        f"{folder}/dbus-x.service": Link("/usr/lib/systemd/system/x.service")})
    assert facts["services"]["manager"] == "systemd"
    assert facts["services"]["default"] == "multi-user.target"
    assert services(facts) == [("db.service", "multi-user.target", False),
                               ("ssh.service", "multi-user.target", False), ("tmp.mount", None, True)]


def test_upstart(facts_of):
    facts = facts_of({
        "/sbin/init": trees.PROGRAM, "/sbin/initctl": trees.PROGRAM, "/etc/inittab": "id:3:initdefault:\n",
        "/etc/init/tty1.conf": "start on stopped rc\nrespawn\nexec /sbin/mingetty tty1\n",
        "/etc/init/manual.conf": "description \"x\"\nexec sleep 1\n",
        "/etc/init/ssh.conf": "start on runlevel [2345]\n"})
    assert facts["init"]["type"] == "upstart" and facts["services"]["manager"] == "upstart"
    assert services(facts) == [("ssh", "runlevel [2345]", False), ("tty1", "stopped rc", False)]
    assert facts["consoles"] == [{"tty": "tty1", "source": "/etc/init/tty1.conf"}]


def test_not_upstart(facts_of):
    """Debian's packages brought jobs for upstart to sysvinit guests as well."""
    facts = facts_of({"/sbin/init": trees.PROGRAM, "/etc/inittab": "id:3:initdefault:\n",
                      "/etc/init/ssh.conf": "start on x\n", "/etc/rc3.d/S02ssh": Link("../init.d/ssh"),
                      "/etc/rc3.d/K01apache": "", "/etc/rcS.d/S01mountall": "", "/etc/rc2.d/S03no": "",
                      "/etc/rc3.d/README": ""})
    assert facts["init"]["type"] == "sysvinit"
    assert (facts["services"]["manager"], facts["services"]["default"]) == ("sysvinit", "3")
    assert services(facts) == [("mountall", "rcS.d", False), ("ssh", "rc3.d", False)]


def test_openrc(facts_of):
    facts = facts_of({"/bin/busybox": trees.PROGRAM, "/sbin/init": Link("/bin/busybox"),
                      "/etc/runlevels/default/sshd": Link("/etc/init.d/sshd"),
                      "/etc/runlevels/boot/networking": Link("/etc/init.d/networking"),
                      "/etc/runlevels/nonetwork": None})
    assert facts["init"]["type"] == "busybox" and facts["services"]["manager"] == "openrc"
    assert services(facts) == [("networking", "boot", False), ("sshd", "default", False)]


# --- storage, and small files

def test_swap_and_crypttab(facts_of):
    facts = facts_of({
        "/etc/fstab": "/dev/ubda / ext4 defaults 0 1\nUUID=1-2 none swap sw 0 0\n/swap\\040file none swap sw\n",
        "/etc/crypttab": "# name device key\nvault UUID=3-4 none luks,discard\nplain /dev/vdc\nbroken\n",
        "/etc/initramfs-tools/conf.d/resume": "RESUME=UUID=1-2\n",
        "/etc/initramfs-tools/conf.d/x": "RESUME=none\n",
        "/etc/default/grub": 'GRUB_CMDLINE_LINUX="quiet resume=/dev/sda2 resume_offset=7"\n# resume=/dev/x\n'})
    assert facts["swap"] == [
        {"device": "UUID=1-2", "source": "/etc/fstab:2", "resume": False},
        {"device": "/swap file", "source": "/etc/fstab:3", "resume": False},
        {"device": "UUID=1-2", "source": "/etc/initramfs-tools/conf.d/resume", "resume": True},
        {"device": "/dev/sda2", "source": "/etc/default/grub", "resume": True}]
    assert facts["crypttab"] == [
        {"name": "vault", "device": "UUID=3-4", "key": "none", "options": "luks,discard", "line": 2},
        {"name": "plain", "device": "/dev/vdc", "key": None, "options": None, "line": 3}]


def test_swap_partition_without_a_line(inspect, tmp_path):
    swap = tmp_path / "swap"
    with open(swap, "wb") as file:
        file.truncate(8 << 20)
    images.tool("mkswap", "util-linux", "-q", swap)
    disk = images.disk(tmp_path / "disk.raw", 64 << 20, "label: gpt\nstart=2048, size=16384\nstart=20480, size=65536\n",
                       [(2048, swap), (20480, trees.image(tmp_path, {}))])
    assert inspect(disk)["swap"] == [{"device": "partition 1", "source":
                                      "a swap area that /etc/fstab does not name by UUID or label",
                                      "resume": False}]


@pytest.mark.parametrize("content, state", [
    ("0123456789abcdef0123456789ABCDEF\n", "set"), ("", "empty"), ("\n", "empty"),
    ("uninitialized\n", "uninitialized"), (None, "invalid"), ("0123\n", "invalid"),
    ("0123456789abcdef0123456789abcdeg\n", "invalid"), ("\0" * 32, "invalid"), (Link("/nowhere"), "missing"),
])
def test_machine_id(facts_of, content, state):
    assert facts_of({"/etc/machine-id": content})["machine_id"] == state


def test_small_files(facts_of):
    facts = facts_of({"/etc/securetty": "# x\nconsole\n\n tty1 \n", "/etc/selinux/config":
                      "# This file\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"})
    assert facts["securetty"] == ["console", "tty1"]
    assert facts["selinux"] == {"mode": "enforcing", "policy": "targeted"}
    assert facts["machine_id"] == "missing" and facts["container_marks"] == []
    assert facts["notes"] == []


def test_nothing_there(facts_of):
    facts = facts_of({"/etc/securetty": ""})
    assert facts["securetty"] == [] and facts["selinux"] is None
    assert facts["services"] == {"manager": None, "default": None, "list": []}


def test_container_marks(facts_of, inspect):
    wants = "/etc/systemd/system/getty.target.wants"
    facts = facts_of({"/.dockerenv": "", "/run/.containerenv": "", "/usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
                      f"{wants}/container-getty@1.service": Link("/nowhere")})
    assert [mark.split(":")[0] for mark in facts["container_marks"]] == [
        "/.dockerenv", "/run/.containerenv", f"{wants}/container-getty@1.service", "/usr/sbin/policy-rc.d"]
    images.debugfs(facts_of.image, "sif / uid 100000")
    assert inspect(facts_of.image)["container_marks"][-1] == \
        "/: belongs to user 100000: shifted for a container"


# --- for people

def test_text(kmln, facts_of):
    """A line a fact; long lists say how many there are more."""
    wants = "/etc/systemd/system/multi-user.target.wants"
    facts_of({**SYSTEMD, **{f"{wants}/s{n:02}.service": Link("/x") for n in range(20)},
              "/etc/systemd/system/ctrl.service": Link("/dev/null"),
              "/etc/netplan/x.yaml": "network: {ethernets: {a: {match: {macaddress: '52:54:00:00:00:01'}}}}\n",
              "/etc/crypttab": "v /dev/x\n", "/etc/fstab": "/swap none swap sw\n",
              "/etc/securetty": "".join(f"tty{n}\n" for n in range(12)),
              "/etc/selinux/config": "SELINUX=disabled\n", "/.dockerenv": ""})
    text = kmln("inspect", facts_of.image, expect=0).out
    shown = ", ".join(f"s{n:02}.service" for n in range(8))
    for line in (f"services     20 (systemd): {shown} and 12 more", "masked       ctrl.service",
                 "network      mac 52:54:00:00:00:01 by netplan",
                 "by address   52:54:00:00:00:01 is matched: /etc/netplan/x.yaml", "crypttab     v from /dev/x",
                 "swap         /swap: /etc/fstab:1", "securetty    tty0, tty1, tty2, tty3, tty4, tty5, tty6, tty7 "
                 "and 4 more", "SELinux      disabled", "container    /.dockerenv: made by Docker"):
        assert f"\n{line}\n" in text, text


# --- hostile

def test_circles(facts_of):
    began = time.monotonic()
    facts = facts_of({
        "/etc/network/interfaces": "source interfaces\nsource /etc/network/x/*\n" * 500 + "iface a inet dhcp\n",
        **{f"/etc/network/x/{n}": "source /etc/network/x/*\nsource /etc/network/interfaces\n" * 50
           for n in range(60)},
        "/etc/netplan": Link("netplan"), "/etc/crypttab": Link("/etc/crypttab2"),
        "/etc/crypttab2": Link("crypttab"), "/etc/runlevels/a": Link("b"), "/etc/runlevels/b": Link("a"),
        "/etc/systemd/network/x.link": Link("../../../../../../../../etc/passwd"),
        "/etc/selinux": Link("/../../proc/self/root/etc/selinux")})
    assert time.monotonic() - began < 10
    assert [i["name"] for i in facts["network"]] == ["a"]
    assert facts["selinux"] is None


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(20))


@pytest.mark.parametrize("text, note", [
    (BOMB, "aliases (*) in it are not followed"),
    ("network: " + "[" * 100000, "is nested too deep: not read to its end"),
    ("network: {ethernets: " + "{a: " * 60000, "is nested too deep: not read to its end"),
    ("? " * 100000, "is nested too deep: not read to its end"),
    ("&a " * 50000, "is not YAML: not read to its end"),
    ("network: {ethernets: {*x : {dhcp4: true}, *y}}", "aliases (*) in it are not followed"),
    ("x: " + "y" * 300000, "is longer than 256 kiB: not read"),
    ("\ufeff%YAML 9.9\n---\n\x01", "is not YAML: not read to its end"),
], ids=["bomb", "flow", "maps", "keys", "anchors", "aliases", "long", "control"])
def test_yaml_bombs(inspect, facts_of, text, note):
    began = time.monotonic()
    facts = facts_of({"/etc/netplan/x.yaml": text})
    assert time.monotonic() - began < 10
    assert [re.sub(r"^/etc/netplan/x.yaml:? ", "", n) for n in facts["notes"]] == [note]
    images.within(64_000, "inspect", facts_of.image)


def test_more_than_a_limit(facts_of):
    """2,000 of each, and a note; all of it within 64 MB."""
    many = 20000
    facts = facts_of({
        **SYSTEMD, "/etc/network/interfaces": "".join(f"iface e{n} inet dhcp\n" for n in range(many // 2)),
        "/etc/fstab": "".join(f"/dev/a{n} /m{n} ext4\n" for n in range(many)),
        "/etc/crypttab": "a b\n" * many, "/etc/securetty": "tty\n" * many,
        "/etc/udev/rules.d/x.rules": 'ATTR{address}=="52:54:00:00:00:01" NAME="x"\n' * 5000})
    for name in ("network", "fstab", "crypttab", "securetty", "network_names"):
        assert len(facts[name]) == 2000
    assert len(facts["notes"]) == 5 and all("more than 2000" in note for note in facts["notes"])
    images.within(64_000, "inspect", facts_of.image, "--format", "json")


def test_too_much_to_read(facts_of):
    """100 files of 200 kB: reading ends, and says so."""
    facts = facts_of({f"/etc/systemd/network/{n:03}.network": "[Match]\nName=x\n" + "#\n" * 100000
                      for n in range(100)}, size="64M")
    assert 20 < len(facts["network"]) < 60
    assert facts["notes"] == ["more than 8 MiB of settings: the rest was not read"]
