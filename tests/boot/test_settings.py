# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of guests in guests that run, on one switch: what their startup lines find is written into
the guest, which then switches itself off. Their names, addresses, users, mounts; lines run in order, at
each start and each end."""

import hashlib
import json
import os
import subprocess

import pytest

import guests
import images
import machines
import runner

pytestmark = pytest.mark.boot

HOSTS = [{"address": f"10.1.0.{i}", "names": [f"n{i}"]} for i in (1, 2)]


def set_up(image, what):
    def tool(action):
        return runner.run([runner.BUILD / "tests/unit/settings-tool", action, image], expect=0,
                          stdin=json.dumps(what)).out
    assert tool("apply")
    assert tool("plan") == ""


def content(image, path):
    return runner.run([runner.need_program("debugfs", "e2fsprogs"), "-R", f"cat {path}", image]).out


@pytest.fixture
def switch(tmp_path):
    """The folder of a VDE switch that lives as long as the test."""
    program = runner.need_program("vde_switch", "vde2")
    place = tmp_path / "switch"
    # it ends with its input
    child = subprocess.Popen([program, "-s", place], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    machines.wait_for((place / "ctl").exists, "the switch")
    yield place
    child.stdin.close()
    child.wait(10)


def mac(number):
    return f"02:00:00:00:00:{number:02x}"


def card(number, name="lan0"):
    """Not what the kernel calls it: the name is to come from its address."""
    return {"name": name, "mac": mac(number), "addresses": [f"10.1.0.{number}/24"]}


def machine(image, switch, number):
    return images.uml(image, f"{image}.log", "quiet", f"umid=settings{os.getpid()}-{number}",
                      f"eth0=vde,{switch},{mac(number)}", memory="256M")


def until_off(image, switch, number, seconds):
    with machine(image, switch, number) as uml:
        try:
            uml.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail("it did not switch itself off: " + open(f"{image}.log", errors="replace").read()[-4000:])


def test_two_busybox_guests(guest, tmp_path, switch):
    """Each has its name, and its card the name that goes with its address; n1 finds n2 by its name."""
    n1, n2 = (guests.copy(guest("busybox"), tmp_path / f"n{number}.img") for number in (1, 2))
    common = {"hosts": HOSTS, "shutdown": ["echo ended >>/log"]}
    set_up(n2, {**common, "hostname": "n2", "interfaces": [card(2)],
                "startup": ["echo started: $(hostname) >/dev/console"]})
    set_up(n1, {**common, "hostname": "n1", "interfaces": [card(1)],
                "startup": ["echo name $(hostname) >/log", "ping -c 2 n2 >>/log 2>&1",
                            "cat /sys/class/net/lan0/address >>/log", "poweroff"]})
    with machine(n2, switch, 2):
        machines.wait_for(lambda: b"started: n2" in (tmp_path / "n2.img.log").read_bytes(), "n2", 60)
        until_off(n1, switch, 1, 60)
    lines = content(n1, "/log").splitlines()
    assert lines[0] == "name n1" and lines[-2:] == [mac(1), "ended"], lines
    assert "PING n2 (10.1.0.2)" in lines[1]
    assert any(line.startswith("2 packets transmitted, 2 packets received") for line in lines), lines


def test_swap_file(guest, tmp_path, switch):
    """The guest's kernel takes the file that was made for it."""
    image = guests.copy(guest("busybox"), tmp_path / "guest.img")
    set_up(image, {"swap_file": 4 << 20, "swaps": ["/kmln.swap"],
                   "startup": ["swapon -a 2>>/log; cat /proc/swaps >>/log", "poweroff"]})
    until_off(image, switch, 1, 60)
    lines = [line.split() for line in content(image, "/log").splitlines()]
    # a filesystem of small blocks may cost a page at the end of a piece
    assert any(line[:2] == ["/kmln.swap", "file"] and 4000 < int(line[2]) < 4096 for line in lines), lines


def test_further_disk(guest, tmp_path, switch):
    """A disk behind the root, as a cluster's machine has it (ubd1, only read), by the name of its filesystem."""
    image, data = guests.copy(guest("busybox"), tmp_path / "guest.img"), tmp_path / "data.img"
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/word").write_text("carried over\n")
    with open(data, "wb") as file:
        file.truncate(4 << 20)
    runner.run([runner.need_program("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-d", tmp_path / "tree", "-L", "kmlndata", data],
               expect=0)
    before = data.read_bytes()
    set_up(image, {"mounts": [{"device": "LABEL=kmlndata", "point": "/srv/d", "type": "ext4", "options": "ro"}],
                   "startup": ["mount -a 2>>/log; cat /srv/d/word >>/log; touch /srv/d/x || echo only read >>/log", "poweroff"]})
    with images.uml(image, f"{image}.log", "quiet", f"umid=further{os.getpid()}", f"ubd1rd={data}", memory="256M") as uml:
        uml.wait(60)
    assert content(image, "/log").splitlines()[-2:] == ["carried over", "only read"]
    assert data.read_bytes() == before


def repository(folder, image):
    """A repository of one package, which has one program, inside the guest."""
    tree = folder / "hello"
    (tree / "DEBIAN").mkdir(parents=True)
    control = "Package: kmln-hello\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: x\n"
    (tree / "DEBIAN/control").write_text(control)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/kmln-hello").write_text("#!/bin/sh\necho hello from a package\n")
    (tree / "usr/bin/kmln-hello").chmod(0o755)
    deb = folder / "hello.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, deb], check=True, capture_output=True)
    (folder / "Packages").write_text(
        f"{control}Filename: ./hello.deb\nSize: {deb.stat().st_size}\n"
        f"SHA256: {hashlib.sha256(deb.read_bytes()).hexdigest()}\n")
    (folder / "kmln.list").write_text("deb [trusted=yes] file:/srv/repo ./\n")
    commands = ("mkdir /srv/repo\n" + "".join(f"write {folder}/{name} /srv/repo/{name}\n" for name in ("hello.deb", "Packages"))
                + f"rm /etc/apt/sources.list\nwrite {folder}/kmln.list /etc/apt/sources.list.d/kmln.list\n")
    subprocess.run(["debugfs", "-w", "-f", "-", image], input=commands.encode(), check=True, capture_output=True)


@pytest.mark.slow
def test_packages(guest, tmp_path, switch):
    """apt installs what is asked for from a repository in the guest, once."""
    image = guests.copy(guest("systemd"), tmp_path / "guest.img")
    (tmp_path / "repo").mkdir()
    repository(tmp_path / "repo", image)
    set_up(image, {"interfaces": [card(1, "eth0")], "packages": ["kmln-hello"], "startup": ["kmln-hello >>/log 2>&1", "poweroff"]})
    for _ in range(2):
        until_off(image, switch, 1, 240)
    assert content(image, "/log").splitlines() == ["hello from a package"] * 2
    log = content(image, "/var/log/kmln-packages.log")
    assert log.count(": kmln-hello\n") == 1 and log.count(": done\n") == 1, log


@pytest.mark.slow
def test_debian(guest, tmp_path, switch):
    image = guests.copy(guest("systemd"), tmp_path / "guest.img")
    hash_of = "$h = (getpwnam(shift))[1]; print crypt(shift, $h) eq $h ? \"same\\n\" : \"other\\n\""
    set_up(image, {
        "hostname": "n1", "hosts": HOSTS, "root_password": "secret",
        # the guest's own lines for eth0 ask for DHCP, which nobody answers here
        "interfaces": [card(1, "eth0")], "users": [{"name": "eve", "password": "pw", "uid": 1234}],
        "groups": [{"name": "lab", "members": ["eve"]}],
        "keys": [{"user": "eve", "text": "ssh-ed25519 AAAA eve@x"}], "empty_machine_id": True,
        "mounts": [{"device": "tmpfs", "point": "/srv/da ta", "type": "tmpfs", "options": "size=1M"}],
        "startup": ["exec >>/log 2>&1", "echo start $(id -un)", "echo name $(hostname) $(getent hosts n2)",
                    "ip -4 -br addr show dev eth0", "su eve -c 'echo user $(id -un) $(id -u) $(id -Gn) ~'",
                    "ls -ld ~eve/.ssh ~eve/.ssh/authorized_keys", f"perl -e '{hash_of}' eve pw",
                    f"perl -e '{hash_of}' root secret", f"perl -e '{hash_of}' root Secret",
                    "findmnt -no SOURCE,TARGET '/srv/da ta'", "echo id $(cat /etc/machine-id | wc -c)", "poweroff"],
        "shutdown": ["echo end >>/log"]})
    for _ in range(2):
        until_off(image, switch, 1, 240)
    lines = [" ".join(line.split()) for line in content(image, "/log").splitlines()]
    assert len(lines) % 2 == 0
    first, second = lines[:len(lines) // 2], lines[len(lines) // 2:]
    assert first[0] == "start root" and first[-1] == "end", lines
    assert first[1] == "name n1 10.1.0.2 n2"
    assert first[2].startswith("eth0 U") and "10.1.0.1/24" in first[2]
    assert first[3] == "user eve 1234 eve lab /home/eve"
    assert first[4].startswith("drwx------ 2 eve eve") and first[5].startswith("-rw------- 1 eve eve")
    assert first[6:9] == ["same", "same", "other"]
    assert first[9] in ("tmpfs /srv/da ta", r"tmpfs /srv/da\x20ta")
    assert first[10] == "id 33"
    assert second == first
