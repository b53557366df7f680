# SPDX-License-Identifier: GPL-2.0-or-later
"""Converted guests as domains of a real Xen, which runs in QEMU's translator (tests/xenhost.py): from
the very configuration that kmln wrote, their disks files on a loop device. A guest has passed when it
says by itself what /sys/hypervisor/guest_type is."""

import json
import os
import re
import shlex

import pytest

import guests
import images
import runner
import xenhost

pytestmark = [pytest.mark.boot, pytest.mark.network]

SAYS = ('echo "kmln: Xen $(cat /sys/hypervisor/type) $(cat /sys/hypervisor/guest_type)" '
        '"$(sed -n "s,^\\(/dev/[^ ]*\\) / \\([^ ]*\\) .*,\\1 \\2,p" /proc/mounts)"')


def says(kind, device):
    return f"kmln: Xen xen {kind} {device} ext4"


@pytest.fixture
def host(tmp_path):
    """host(SCRIPT, ...): boots Xen; dom0 has the folder host.folder under the same path."""
    def call(script, **more):
        try:
            return xenhost.boot(call.folder, script, **more)
        except guests.Unavailable as error:
            runner.lacking(str(error), error.package)
    call.folder = tmp_path / "images"
    call.folder.mkdir()
    return call


@pytest.fixture
def to(kmln, kit_home):
    def call(platform, image, *options):
        return kmln("convert", image, "--to", platform, *options, env={"KMLN_HOME": kit_home},
                    timeout=120, expect=0)
    return call


@pytest.fixture(scope="session")
def kit_home(tmp_path_factory, guest):
    """A KMLN_HOME whose cache holds Debian's cloud kernel, and what a guest may lack for it."""
    home = tmp_path_factory.mktemp("xen-home")
    runner.run([runner.BUILD / "kmln", "kernel", "add",
                *(guest(name) for name in ("kernel", "linux-base", "kmod", "libkmod2"))],
               env={"KMLN_HOME": home}, expect=0, timeout=120)
    return home


@pytest.fixture
def box(guest, tmp_path):
    """A busybox guest that says on its console where it runs."""
    image = guests.copy(guest("busybox"), tmp_path / "box.img")
    rc = images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/rc", image).decode()
    return images.put(image, "/etc/rc", f"{rc}{SAYS}\n", 0o755)


@pytest.fixture
def debian(guest, tmp_path):
    """debian(INIT): one that does so too, without waiting for a network that is not there."""
    def get(init):
        image = guests.copy(guest(init), tmp_path / f"{init}.img")
        images.put(image, "/etc/network/interfaces", "auto lo\niface lo inet loopback\n")
        images.put(image, "/usr/local/bin/says", f"#!/bin/sh\n{SAYS} >/dev/hvc0\n", 0o755)
        if init == "systemd":
            images.put(image, "/etc/systemd/system/says.service",
                       "[Service]\nType=oneshot\nExecStart=/usr/local/bin/says\n")
            images.debugfs(image, "cd /etc/systemd/system/multi-user.target.wants",
                           "symlink says.service /etc/systemd/system/says.service")
        else:
            inittab = images.tool("debugfs", "e2fsprogs", "-R", "cat /etc/inittab", image).decode()
            images.put(image, "/etc/inittab", f"{inittab}says:2345:once:/usr/local/bin/says\n")
        return image
    return get


def domain(config, name, *markers):
    return "domain " + " ".join(shlex.quote(str(word)) for word in (config, name, *markers)) + "\n"


def passed(said, name, *markers):
    for marker in markers:
        found = re.search(rf"^dom0: {name} said (.*)$", said, re.M)
        assert found, said[-6000:]
        assert any(re.search(marker, line) for line in re.findall(rf"^dom0: {name} said (.*)$", said, re.M)), \
            said[-6000:]


def test_pv_and_pvh(to, host, box):
    """A bare filesystem as PV, a disk made for all platforms as PVH; and xl reads an awkward name as
    the one it is."""
    odd = host.folder / "a b<c>&'\"\\d,e.img"
    to("xen", box, "-o", host.folder / "bare.img", "--xen-type", "pv", "--size", "200M")
    to("all", box, "-o", host.folder / "disk.img", "--size", "200M")
    to("xen", box, "-o", odd, "--size", "200M")
    for name in (odd, f"{odd}.kernel", f"{odd}.initramfs"):
        os.unlink(name)
    said = host(domain(f"{host.folder}/bare.img.xl.cfg", "bare", guests.READY, says("PV", "/dev/xvda"))
                + domain(f"{host.folder}/disk.img.xl.cfg", "disk", guests.READY, says("PVH", "/dev/xvda1"))
                + f"echo 'dom0: json'; xl -N create {shlex.quote(f'{odd}.xl.cfg')}; echo 'dom0: end'\n",
                memory=512, timeout=400)
    passed(said, "bare", guests.READY, says("PV", "/dev/xvda"))
    passed(said, "disk", guests.READY, says("PVH", "/dev/xvda1"))
    text = said.split("dom0: json")[1].split("dom0: end")[0]
    parsed = json.loads(text[text.index("{"):text.rindex("}") + 1])
    assert parsed["c_info"]["name"] == "a-b-c-----d-e" and parsed["c_info"]["type"] == "pvh"
    assert parsed["b_info"]["kernel"] == f"{odd}.kernel" and parsed["b_info"]["ramdisk"] == f"{odd}.initramfs"
    assert parsed["b_info"]["cmdline"].endswith(" console=hvc0")
    disk = parsed["disks"][0]
    assert (disk["pdev_path"], disk["vdev"], disk["format"]) == (str(odd), "xvda", "raw")


@pytest.mark.slow
def test_a_failure_is_seen(to, host, box):
    """A guest that never says it, and a kernel that Xen cannot start, do not pass."""
    to("xen", box, "-o", host.folder / "one.img", "--size", "200M")
    config = (host.folder / "one.img.xl.cfg").read_text()
    program = runner.need_program("linux.uml", "user-mode-linux")
    (host.folder / "two.xl.cfg").write_text(re.sub('kernel = ".*"', f'kernel = "{host.folder}/uml"', config)
                                            .replace('name = "one"', 'name = "two"'))
    with open(program, "rb") as file:
        (host.folder / "uml").write_bytes(file.read())
    said = host("LIMIT=20\n" + domain(f"{host.folder}/one.img.xl.cfg", "one", "never said")
                + domain(f"{host.folder}/two.xl.cfg", "two", guests.READY), memory=512)
    assert "dom0: one never said never said" in said and "dom0: one said" not in said
    assert "dom0: two was not created" in said


@pytest.mark.slow
@pytest.mark.parametrize("init, platform", [("systemd", "all")])
def test_debian(kmln, to, host, debian, init, platform):
    """From one image, up to a login on hvc0 as PV, and as PVH, which takes the translator much longer,
    up to the words of a service of its own; made for all platforms it comes up on UML as well."""
    image, out = debian(init), host.folder / "guest.img"
    to(platform, image, "-o", out)
    device = "/dev/xvda1" if platform == "all" else "/dev/xvda"
    pvh = host.folder / "guest.img.xl.cfg"
    (host.folder / "pv.xl.cfg").write_text(pvh.read_text().replace('type = "pvh"', 'type = "pv"')
                                           .replace('name = "guest"', 'name = "pv"'))
    said = host("LIMIT=400\n" + domain(host.folder / "pv.xl.cfg", "pv", says("PV", device), "login: ")
                + domain(pvh, "guest", says("PVH", device)), memory=512, timeout=1200)
    passed(said, "pv", says("PV", device))
    passed(said, "guest", says("PVH", device))
    if platform == "all":
        kmln("boot", "--on", "uml", "--snapshot", out, "--until", "login: $", "--timeout", "400", timeout=450,
             expect=0)


@pytest.mark.slow
def test_kmln_boot_on_xen(to, host, box):
    """kmln itself in dom0: a domain for a script, what it refuses, and nothing is left of it, also after
    kill -9."""
    program = runner.BUILD / "kmln"
    if b"__asan_init" in program.read_bytes():
        pytest.skip("the sanitizers' memory is more than dom0 has")
    files = [("usr/bin/kmln", program)]
    for name, path in xenhost.libraries([program]).items():
        folder = "lib64" if name.startswith("ld-linux") else "lib/x86_64-linux-gnu"
        files.append((f"{folder}/{name}", path))
    to("xen", box, "-o", host.folder / "guest.img", "--size", "200M")
    second = host.folder / "second.img"
    second.write_bytes(b"the second disk\n".ljust(512, b".") + bytes(65024))
    guest = host.folder / "guest.img"
    boot = f"kmln boot --on xen {guest} --timeout 150"
    said = host(f"""
{boot} --disk {second} --until '{guests.READY}' --until '^kmln: Xen xen PVH' --send 'head -c 15 /dev/xvdb' \
    --until '^the second disk' --send poweroff </dev/null
echo "dom0: status $?"
# a file of dom0's, but no kernel
kmln boot --on xen --kernel /payload/run {guest} --until x </dev/null
echo "dom0: no kernel $?"
kmln boot --on xen --snapshot {guest} --until x </dev/null
echo "dom0: snapshot $?"
{boot} --until '{guests.READY}' </dev/null >/dev/null
echo "dom0: stopped $?"
# (the folder of the images has another name)
echo "dom0: $(xl list | grep -c kmln-) left, $(ls -d /tmp/kmln.* 2>/dev/null | wc -l)"
{boot} --until 'never said' </dev/null >/dev/null &
pid=$!
until xl list | grep -q 'kmln-.* [1-9]'; do sleep 0.5; done
sleep 2
kill -9 $pid
# the domain goes first, then what was made for it
for i in $(seq 60); do ls -d /tmp/kmln.* >/dev/null 2>&1 && sleep 0.5; done
echo "dom0: $(xl list | grep -c kmln-) left after kill, $(ls -d /tmp/kmln.* 2>/dev/null | wc -l)"
rm /usr/sbin/xl
kmln boot --on xen {guest} --until x </dev/null
echo "dom0: no xl $?"
""", memory=512, extra=files, timeout=500)
    for line in ("status 0", "no kernel 3", "snapshot 2", "stopped 0", "0 left, 0", "0 left after kill, 0",
                 "no xl 5"):
        assert f"dom0: {line}\n" in said, said[-8000:]
    assert "xl is not installed (Debian package xen-utils-common)" in said
