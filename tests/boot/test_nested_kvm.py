# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM that works, wherever the tests run: a host inside QEMU's translator, whose processor has AMD's
virtualisation. In that host ordinary users run the kmln under test: one may use /dev/kvm, one may not.

All of it is one boot; the tests look at what came out. Nothing here waits for a fixed time, and what
costs most is left out: an exit of the inner machine for each letter of its kernel's messages."""

import json
import os
import re
import shutil
import tarfile

import pytest

import guests
import images
import kernels
import runner
from lock import locked

pytestmark = [pytest.mark.boot, pytest.mark.slow, pytest.mark.network]

MODULES = ("irqbypass", "kvm", "kvm-amd")
LIMIT = 1500  # seconds; 50 of a processor are needed

# Each command's output and status go to a file; all files go, as a tar, to the third disk.
START = r"""
results=/run/results
mkdir -m 755 $results
run()
{
	name=$1 user=$2
	shift 2
	read begin rest </proc/uptime
	echo "$begin $name" >/dev/console
	su $user -c "cd /tmp && $*" >$results/$name.out 2>$results/$name.err </dev/null
	echo $? >$results/$name.status
	read end rest </proc/uptime
	echo "$name $begin $end" >>$results/times
}
for library in /mnt/lib/*; do
	[ -e /usr/lib/x86_64-linux-gnu/${library##*/} ] || [ -e /lib/x86_64-linux-gnu/${library##*/} ] ||
		cp $library /usr/lib/x86_64-linux-gnu/
done
for module in irqbypass kvm kvm-amd; do
	insmod /mnt/$module.ko
done
ls -l /dev/kvm >$results/device
dmesg | grep -E 'kvm|SVM' >$results/modules
chown root:kvm /dev/kvm

chmod 600 /dev/kvm
run closed-doctor ada /mnt/kmln doctor --format json
run closed-boot ada /mnt/kmln boot --on kvm --snapshot --until x /mnt/inner.raw
chmod 660 /dev/kvm
run other-boot bob /mnt/kmln boot --on kvm --snapshot --until x /mnt/inner.raw
run version ada qemu-system-x86_64 --version
run doctor ada /mnt/kmln doctor --format json
run auto ada /mnt/kmln boot --dry-run --snapshot /mnt/inner.raw
run boot ada "/mnt/kmln boot --on kvm --snapshot -m 256M --timeout 1200 /mnt/inner.raw \
	--until '@READY@' --send 'dmesg | grep Hypervisor; cat /proc/cpuinfo; poweroff -f'"
tar -C $results -cf /dev/vdc .
"""


# What the guest's owner may add to kmln's configuration of GRUB: no menu, a quiet kernel.
CUSTOM = """set timeout=0
set default=1
menuentry quiet {
@LINES@}
"""


def _make_quiet(disk, folder):
    """Puts CUSTOM beside kmln's grub.cfg, its lines made from those."""
    partition, custom = f"{disk}?offset={images.MIB}", folder / "custom.cfg"
    config = images.tool("debugfs", "e2fsprogs", "-R", "cat /boot/grub/grub.cfg", partition).decode()
    lines = [line.replace(" console=tty0", " quiet mitigations=off") + "\n"
             for line in config.splitlines() if line.startswith(("\tlinux ", "\tinitrd "))]
    assert len(lines) == 2 and " quiet " in lines[0], config
    custom.write_text(CUSTOM.replace("@LINES@", "".join(lines)))
    images.debugfs(partition, f"write {custom} /boot/grub/custom.cfg")


def _payload(folder, inner):
    """The second disk: kmln and its libraries, the modules for KVM, the script, and the disk of the guest's guest."""
    tree = folder / "payload"
    tree.mkdir(mode=0o755)
    shutil.copy(runner.BUILD / "kmln", tree)
    # what kmln is linked with; the host takes what it has not
    (tree / "lib").mkdir()
    for line in images.tool("ldd", "libc-bin", tree / "kmln").decode().splitlines():
        if " => /" in line:
            shutil.copy(line.split()[2], tree / "lib")
    outer = kernels.kernel("linux-image-cloud-amd64")
    for name in MODULES:
        shutil.copy(next(outer.folder.rglob(f"{name}.ko")), tree)
    (tree / "start").write_text(START.replace("@READY@", guests.READY))
    inner.rename(tree / "inner.raw")
    (tree / "inner.raw").chmod(0o644)
    images.tool("mke2fs", "e2fsprogs", "-q", "-F", "-t", "ext4", "-d", tree, folder / "payload.img", "700M")
    return outer, folder / "payload.img"


def _run_host(guest, folder):
    """Boots the host; its results end up in folder/results.tar."""
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    env = {"KMLN_HOME": folder / "home"}
    inner = folder / "inner.raw"
    kmln = runner.BUILD / "kmln"
    runner.run([kmln, "kernel", "add", guest("kernel")], env=env, expect=0)
    runner.run([kmln, "convert", guest("busybox"), "--to", "kvm", "-o", inner, "--size", "200M"],
               env=env, expect=0)
    _make_quiet(inner, folder)
    outer, payload = _payload(folder, inner)
    host = guest("kvm-host")
    initramfs = outer.initramfs(folder / "initramfs")
    with open(folder / "results.tar", "wb") as file:
        file.truncate(16 << 20)
    drives = [option for path, more in ((host, ",snapshot=on"), (payload, ",readonly=on"),
                                        (folder / "results.tar", ""))
              for option in ("-drive", f"if=virtio,format=raw,file={path}{more}")]
    runner.run(["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max,+svm", "-m", "1536",
                "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", *drives, "-device",
                "virtio-rng-pci", "-kernel", outer.image, "-initrd", initramfs, "-append",
                "root=/dev/vda rw console=ttyS0 panic=-1 quiet mitigations=off"],
               timeout=LIMIT, expect=0, env={"TMPDIR": folder})


@pytest.fixture(scope="session")
def inside(shared, guest):
    """{file name: text} of what the host in the guest wrote."""
    place = shared / "nested-kvm"
    with locked(shared / "nested-kvm.lock"):
        if not (place / "done.tar").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            _run_host(guest, place)
            (place / "results.tar").rename(place / "done.tar")
            (place / "payload.img").unlink()
    with tarfile.open(place / "done.tar") as tar:
        return {os.path.basename(entry.name): tar.extractfile(entry).read().decode(errors="replace")
                for entry in tar if entry.isfile()}


def test_usable(inside):
    """The real kvm-amd: the measuring machine runs, and fast enough."""
    assert "SVM: kvm: Nested Paging enabled" in inside["modules"]
    assert inside["doctor.status"] == "0\n", inside["doctor.err"]
    found = json.loads(inside["doctor.out"])
    kvm = found["platforms"]["kvm"]
    assert (kvm["usable"], kvm["state"], kvm["starts"]) == (True, "usable", True), kvm
    assert kvm["findings"]["device"] == "/dev/kvm"
    rate = kvm["findings"]["instructions_per_second"]
    assert float(rate) >= 10e6
    assert f"{float(rate) / 1e6:.0f} million instructions a second" in kvm["reason"]
    assert not found["host"]["root"]


def test_closed(inside):
    """A device with mode 0600, for somebody else."""
    assert " root " in inside["device"] and "crw-------" in inside["device"]
    kvm = json.loads(inside["closed-doctor.out"])["platforms"]["kvm"]
    assert (kvm["usable"], kvm["state"]) == (False, "no-permission"), kvm
    assert kvm["reason"] == "/dev/kvm is not for this user (mode 0600, uid 0, group kvm)"
    assert inside["closed-boot.status"] == "5\n", inside["closed-boot.err"]
    assert kvm["reason"] in inside["closed-boot.err"]


def test_group(inside):
    """A device with mode 0660, for a group that the user is not in."""
    assert inside["other-boot.status"] == "5\n", inside["other-boot.err"]
    assert ("/dev/kvm is for group kvm (mode 0660): `adduser USER kvm` as root lets a user in"
            in inside["other-boot.err"])


def test_auto_takes_it(inside):
    """Where KVM is usable, it is what kmln chooses, and the machine is behind its walls."""
    assert inside["auto.status"] == "0\n", inside["auto.err"]
    assert "on kvm (the fastest)" in inside["auto.err"]
    assert "-accel kvm" in inside["auto.out"] and "bwrap" in inside["auto.out"]


def test_boot(inside):
    """The converted guest, by GRUB from its own disk, to its shell and to its end."""
    console = inside["boot.out"]
    assert inside["boot.status"] == "0\n", console[-3000:] + inside["boot.err"]
    assert "Booting `quiet'" in console, "GRUB"
    assert guests.READY in console
    assert "Hypervisor detected: KVM" in console
    assert re.search(r"^model name\s*: QEMU TCG CPU", console, re.M), "the host's processor, handed on"
    assert "reboot: Power down" in console
