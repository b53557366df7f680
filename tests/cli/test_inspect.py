# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln inspect: what it says of guests is what others say of them, hostile text stays text, and the image
stays as it is."""

import json
import os
import re
import subprocess

import pytest

import guests
import images
import machines
import runner

MANUAL = runner.ROOT / "man/kmln-inspect.1.scd"
KEYS = {
    "": ["image", "partition_table", "efi", "filesystems", "volumes", "root_problem", "os", "hostname", "init",
         "packages", "kernels", "boot_loader", "boot_loaders", "boot_entries", "fstab", "consoles",
         "network", "network_names", "crypttab", "swap", "services", "securetty", "machine_id", "selinux",
         "container_marks", "notes", "platforms"],
    "image": ["format", "size", "file_size", "allocated", "backing"],
    "partition_table": ["type", "disk_id", "boot_code", "partitions"],
    "partition_table.partitions": ["number", "start", "size", "type", "type_name", "uuid", "name",
                                   "active"],
    "efi": ["partition", "loader", "by_kmln", "problem"],
    "filesystems": ["partition", "type", "uuid", "label", "mount", "size", "free", "free_inodes", "state",
                    "features"],
    "volumes": ["partition", "type", "name", "uuid", "version", "level", "members", "problem"],
    "os": ["id", "id_like", "version", "codename", "name", "arch"],
    "init": ["type", "path"],
    "packages": ["manager", "count", "list"],
    "packages.list": ["name", "version", "architecture", "status"],
    "kernels": ["release", "image", "arch", "initramfs", "initramfs_by_kmln", "modules", "indexed",
                "compression", "uml", "drivers", "files", "bytes"],
    "boot_loader": ["type", "config", "by_kmln"],
    "boot_loaders": ["type", "config"],
    "boot_entries": ["type", "file", "title", "version", "kernel", "initramfs", "options"],
    "fstab": ["device", "mount", "type", "options", "line"],
    "consoles": ["tty", "source"],
    "network": ["name", "system", "file", "method", "address"],
    "network_names": ["mac", "name", "file"],
    "crypttab": ["name", "device", "key", "options", "line"],
    "swap": ["device", "source", "resume"],
    "services": ["manager", "default", "list"],
    "services.list": ["name", "by", "masked"],
    "selinux": ["mode", "policy"],
    "platforms": ["kvm", "uml", "qemu", "xen", "container"],
    "platforms.kvm": ["ready", "missing"],
}


@pytest.fixture
def box(guest, tmp_path):
    return guests.copy(guest("busybox"), tmp_path / "box.img")


def at(facts, path):
    """What KEYS' path leads to; of a list its first object."""
    for word in path.split(".") if path else []:
        facts = facts[word]
        facts = facts[0] if isinstance(facts, list) else facts
    return facts


def add_kernel(image, release):
    """The files of a kernel, as far as inspect looks at them."""
    bzimage = bytearray(4096)
    bzimage[0x202:0x206] = b"HdrS"
    bzimage[0x236] = 1
    images.put(image, f"/boot/vmlinuz-{release}", bytes(bzimage))
    images.put(image, f"/boot/initrd.img-{release}", b"not of kmln's making")
    images.debugfs(image, f"mkdir /lib/modules/{release}")
    images.put(image, f"/lib/modules/{release}/modules.dep",
               "kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko\n"
               "kernel/drivers/virtio/virtio.ko:\nkernel/drivers/virtio/virtio-pci.ko.xz:\n")
    images.put(image, f"/lib/modules/{release}/modules.builtin", "kernel/fs/ext4/ext4.ko\n")
    return image


def test_every_key(inspect, box, tmp_path):
    """A guest with something of everything has all keys of the manual, and no others."""
    add_kernel(box, "6.1.0-99-amd64")
    images.debugfs(box, "mkdir /var/lib/dpkg", "mkdir /etc/network", "mkdir /boot/grub")
    images.put(box, "/var/lib/dpkg/status",
               "Package: hello\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.10-3\n"
               "Description: says hello\n Package: not-one\n .\n Version: neither\n\n"
               "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1:1~rc1\n")
    images.put(box, "/etc/network/interfaces",
               "auto eth0\niface eth0 inet static\n\taddress 10.0.0.2/24\n"
               "\thwaddress ether 52:54:00:12:34:56\n")
    images.put(box, "/boot/grub/grub.cfg", "menuentry x {\n}\n")
    images.debugfs(box, "mkdir /boot/loader", "mkdir /boot/loader/entries", "mkdir /etc/selinux",
                   "mkdir /etc/runlevels", "mkdir /etc/runlevels/default",
                   "symlink /etc/runlevels/default/sshd /etc/init.d/sshd")
    images.put(box, "/boot/loader/entries/x.conf", "title x\nlinux /vmlinuz\n")
    images.put(box, "/etc/crypttab", "vault /dev/vdb\n")
    images.put(box, "/etc/fstab", "/swapfile none swap sw 0 0\n")
    images.put(box, "/etc/selinux/config", "SELINUX=permissive\nSELINUXTYPE=targeted\n")
    luks = tmp_path / "luks"
    with open(luks, "wb") as file:
        file.truncate(24 << 20)
    images.tool("cryptsetup", "cryptsetup-bin", "luksFormat", "-q", "--pbkdf", "pbkdf2",
                "--pbkdf-force-iterations", "1000", luks, "-", stdin=b"secret")
    esp = tmp_path / "esp"
    images.tool("mkfs.fat", "dosfstools", "-C", esp, "1024")
    disk = images.disk(tmp_path / "disk.raw", 160 << 20,
                       "label: gpt\nstart=2048, size=131072, name=root\nstart=139264, size=49152\n"
                       "start=190464, size=2048, type=U\n",
                       [(2048, box), (139264, luks), (190464, esp)])
    facts = inspect(disk)
    manual = MANUAL.read_text()
    for path, keys in KEYS.items():
        assert list(at(facts, path)) == keys, path
        for key in keys:
            assert re.search(rf"\*{key}\*", manual), f"the manual does not know {path}.{key}"
    documented = set(re.findall(r"\*([a-z_]+)\*", manual.split("# JSON")[1].split("# EXIT")[0]))
    assert documented == {key for keys in KEYS.values() for key in keys}

    assert facts["packages"] == {"manager": "dpkg", "count": 2, "list": [
        {"name": "hello", "version": "2.10-3", "architecture": "amd64", "status": "install ok installed"},
        {"name": "gone", "version": "1:1~rc1", "architecture": "all",
         "status": "deinstall ok config-files"}]}
    kernel = facts["kernels"][0]
    assert kernel["drivers"] == ["virtio_pci", "virtio_blk", "ext4"]
    assert kernel["image"] == "/boot/vmlinuz-6.1.0-99-amd64" and kernel["arch"] == "x86-64"
    assert kernel["modules"] == "/lib/modules/6.1.0-99-amd64" and kernel["indexed"] and not kernel["uml"]
    assert kernel["initramfs"] == "/boot/initrd.img-6.1.0-99-amd64" and not kernel["initramfs_by_kmln"]
    assert kernel["bytes"] > 4096
    # there is a configuration, but no loader in the boot sector: kmln may write one
    assert facts["boot_loader"]["type"] == "grub"
    assert facts["network"] == [{"name": "eth0", "system": "ifupdown", "file": "/etc/network/interfaces",
                                 "method": "static", "address": "10.0.0.2/24"}]


def test_text(kmln, guest):
    """All of the text, but what the image takes on this host."""
    source = guest("busybox")
    before = images.fingerprint(source)
    run = kmln("inspect", source, expect=0)
    assert run.err == ""
    assert images.fingerprint(source) == before
    text = re.sub(r"\([\d.]+ [kM]B on the host\)", "(N on the host)", run.out)
    text = re.sub(r"[\d.]+ MB free", "N MB free", text)
    golden = runner.ROOT / "tests/cli/golden/inspect-busybox.txt"
    if os.environ.get("KMLN_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("init", ["systemd", "sysvinit"])
def test_debian(inspect, guest, tmp_path, init):
    source = guest(init)
    before = images.fingerprint(source)
    facts = inspect(source)
    assert images.fingerprint(source) == before
    assert facts["os"] == {"id": "debian", "id_like": None, "version": "12", "codename": "bookworm",
                           "name": "Debian GNU/Linux 12 (bookworm)", "arch": "x86-64"}
    assert facts["hostname"] == f"old-{init}"
    assert facts["init"] == {"systemd": {"type": "systemd", "path": "/usr/lib/systemd/systemd"},
                             "sysvinit": {"type": "sysvinit", "path": "/usr/sbin/init"}}[init]
    assert facts["image"]["format"] == "raw" and facts["image"]["size"] == os.path.getsize(source)
    assert facts["image"]["allocated"] == os.stat(source).st_blocks * 512
    filesystem, = facts["filesystems"]
    sb = images.superblock(source)
    assert filesystem["uuid"] == sb["Filesystem UUID"] and filesystem["label"] == "root"
    assert filesystem["free"] == int(sb["Free blocks"]) * int(sb["Block size"])
    assert filesystem["free_inodes"] == int(sb["Free inodes"])
    assert set(filesystem["features"]) == set(sb["Filesystem features"].split())
    assert (filesystem["state"], filesystem["mount"], filesystem["partition"]) == ("clean", "/", 0)
    assert facts["fstab"] == [{"device": "/dev/ubda", "mount": "/", "type": "ext4", "options": "defaults",
                               "line": 1}]
    assert [(i["name"], i["method"]) for i in facts["network"]] == [("lo", "loopback"), ("eth0", "dhcp")]
    assert "tty1" in [login["tty"] for login in facts["consoles"]]
    assert facts["platforms"]["uml"]["ready"] == (init == "systemd")
    assert not facts["platforms"]["kvm"]["ready"]

    # the packages are what dpkg itself reads
    (tmp_path / "dump").mkdir()
    images.tool("debugfs", "e2fsprogs", "-R", f"rdump /var/lib/dpkg {tmp_path}/dump", source)
    shown = images.tool("dpkg-query", "dpkg", f"--admindir={tmp_path}/dump/dpkg", "-W", "-f",
                        "${Package}|${Version}|${Architecture}|${Status}\\n").decode().splitlines()
    packages = ["|".join(package.values()) for package in facts["packages"]["list"]]
    assert sorted(packages) == sorted(shown)
    assert facts["packages"]["count"] == len(shown) > 100


def partitions_agree(facts, disk):
    """kmln and sfdisk read the same table."""
    table = images.table(disk)
    assert facts["partition_table"]["disk_id"].lower() == table["id"].lower()
    ours = facts["partition_table"]["partitions"]
    assert len(ours) == len(table["partitions"])
    for mine, theirs in zip(ours, table["partitions"]):
        assert mine["start"] == theirs["start"] * 512 and mine["size"] == theirs["size"] * 512
        assert mine["type"].lower() == theirs["type"].lower()
        assert theirs["node"].endswith(f"{mine['number']}")
        assert mine["name"] == theirs.get("name")
        if "uuid" in theirs:
            assert mine["uuid"].lower() == theirs["uuid"].lower()


@pytest.fixture
def parts(guest, tmp_path):
    """A swap area, and an ext4 filesystem for /home."""
    swap, home = tmp_path / "swap", tmp_path / "home"
    with open(swap, "wb") as file:
        file.truncate(8 << 20)
    images.tool("mkswap", "util-linux", "-q", "-L", "swap", swap)
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-L", "home", home, "16M")
    return swap, home


def check_parts(facts, table):
    assert facts["partition_table"]["type"] == table
    assert [(f["partition"], f["type"], f["label"], f["mount"]) for f in facts["filesystems"]] == [
        (1, "swap", "swap", "none"), (2, "ext4", "home", "/home"), (3, "ext4", "root", "/")]
    assert facts["filesystems"][1]["size"] == 16 << 20
    assert facts["hostname"] == "box"
    assert facts["root_problem"] is None


def test_mbr(inspect, box, parts, tmp_path):
    swap, home = parts
    images.put(box, "/etc/fstab", "LABEL=swap none swap sw 0 0\nLABEL=home /home ext4 defaults 0 2\n"
               "LABEL=root / ext4 errors=remount-ro 0 1\n")
    disk = images.disk(tmp_path / "disk.raw", 128 << 20,
                       "label: dos\nlabel-id: 0x12345678\nstart=2048, size=16384, type=82\n"
                       "start=32768, size=32768, type=83\nstart=98304, size=131072, type=83, bootable\n",
                       [(2048, swap), (32768, home), (98304, box)])
    before = images.fingerprint(disk)
    facts = inspect(disk)
    assert images.fingerprint(disk) == before
    check_parts(facts, "mbr")
    partitions_agree(facts, disk)
    assert [p["active"] for p in facts["partition_table"]["partitions"]] == [False, False, True]
    assert [p["type_name"] for p in facts["partition_table"]["partitions"]] == [
        "Linux swap / Solaris", "Linux", "Linux"]
    assert facts["partition_table"]["boot_code"] is None


def test_gpt(inspect, box, parts, tmp_path):
    swap, home = parts
    disk = tmp_path / "disk.raw"
    images.disk(disk, 128 << 20,
                "label: gpt\nstart=2048, size=16384, type=S, name=\"the swap\"\n"
                "start=32768, size=32768, type=L, name=heim\n"
                "start=98304, size=131072, type=L, name=größe\n",
                [(2048, swap), (32768, home)])
    partuuid = images.table(disk)["partitions"][1]["uuid"]
    images.put(box, "/etc/fstab", f"LABEL=swap none swap sw 0 0\nPARTUUID={partuuid.lower()} /home ext4 "
               "defaults 0 2\nLABEL=root / ext4 errors=remount-ro 0 1\n")
    subprocess.run(["dd", f"if={box}", f"of={disk}", "bs=512", "seek=98304", "conv=sparse,notrunc",
                    "status=none"], check=True)
    facts = inspect(disk)
    check_parts(facts, "gpt")
    partitions_agree(facts, disk)


def test_logical_partitions(inspect, box, tmp_path):
    disk = images.disk(tmp_path / "disk.raw", 128 << 20,
                       "label: dos\nstart=2048, size=4096, type=83\nstart=8192, type=5\n"
                       "start=10240, size=4096, type=83\nstart=98304, size=131072, type=83\n",
                       [(98304, box)])
    facts = inspect(disk)
    assert [p["number"] for p in facts["partition_table"]["partitions"]] == [1, 5, 6]
    assert [(f["partition"], f["mount"]) for f in facts["filesystems"]] == [(6, "/")]


def test_states(inspect, box):
    """As the superblock says: it is not changed by the look."""
    assert inspect(box)["filesystems"][0]["state"] == "clean"
    for state, word in ((0, "not-clean"), (3, "errors"), (2, "errors"), (1, "clean")):
        images.debugfs(box, f"ssv state {state}")
        assert inspect(box)["filesystems"][0]["state"] == word
        assert {0: "not clean", 1: "clean", 2: "not clean with errors", 3: "clean with errors"}[state] == \
            images.superblock(box)["Filesystem state"]


@pytest.mark.boot
def test_needs_recovery(kmln, inspect, box, tmp_path):
    """While a UML runs on it, with a warning; and after it was killed."""
    machines.with_rc(box, f"mount -o remount,rw /\ntouch /new\nsync\necho '{guests.READY}'\nsleep 1000\n")
    with images.uml(box, tmp_path / "log"):
        machines.wait_for(machines.ready(tmp_path / "log"), "the guest", 60)
        run = kmln("inspect", box, expect=0)
        assert f"{box} is in use: what is shown may be out of date" in run.err
    before = images.fingerprint(box)
    assert inspect(box)["filesystems"][0]["state"] == "needs-recovery"
    assert images.fingerprint(box) == before


@pytest.mark.parametrize("commands, files, expected, consoles", [
    ([], {}, ("busybox", "/bin/busybox"), ["console"]),
    (["rm /etc/inittab"], {}, ("busybox", "/bin/busybox"), ["console"]),
    ([], {"/etc/inittab": "tty2::askfirst:-/bin/sh\nttyS0::respawn:/bin/login\n"},
     ("busybox", "/bin/busybox"), ["tty2", "ttyS0"]),
    (["rm /sbin/init", "ln /bin/busybox /sbin/init"], {}, ("busybox", "/sbin/init"), ["console"]),
    (["rm /sbin/init"], {"/sbin/init": "#!/bin/sh\n"}, ("script", "/sbin/init"), []),
    (["rm /sbin/init"], {}, ("busybox", "/bin/busybox"), ["console"]),
    (["rm /sbin/init", "rm /bin/init"], {}, ("none", None), []),
    (["rm /sbin/init", "symlink /sbin/init /nowhere", "rm /bin/init"], {}, ("none", None), []),
    (["rm /sbin/init", "symlink /sbin/init init", "rm /bin/init"], {}, ("none", None), []),
    (["rm /sbin/init"], {"/sbin/init": b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00"},
     ("sysvinit", "/sbin/init"), []),
    (["rm /sbin/init", "rm /etc/inittab"], {"/sbin/init": b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00"},
     ("other", "/sbin/init"), []),
    (["rm /sbin/init", "mkdir /lib/systemd", "symlink /sbin/init ../../lib/systemd/systemd"],
     {"/lib/systemd/systemd": b"\x7fELF"}, ("systemd", "/lib/systemd/systemd"), ["ttyS0"]),
    (["rm /sbin/init", "symlink /sbin/init openrc-init"], {"/sbin/openrc-init": b"\x7fELF"},
     ("openrc", "/sbin/openrc-init"), []),
    (["rm /sbin/init"], {"/etc/init": "#!/bin/sh\n"}, ("script", "/etc/init"), []),
    # no kernel and no initramfs of a disk looks there
    (["rm /sbin/init", "rm /bin/init"], {"/init": "#!/bin/sh\n"}, ("none", None), []),
])
def test_inits(inspect, box, commands, files, expected, consoles):
    images.debugfs(box, *commands)
    for path, content in files.items():
        images.put(box, path, content, 0o755)
    facts = inspect(box)
    assert (facts["init"]["type"], facts["init"]["path"]) == expected
    assert [login["tty"] for login in facts["consoles"]] == consoles
    assert ("an init program" in facts["platforms"]["kvm"]["missing"]) == (expected[0] == "none")


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202eevil"


def test_hostile_text(kmln, inspect, box):
    """No byte of a guest steers the terminal, and JSON stays JSON with what is no UTF-8."""
    raw = HOSTILE.encode() + b"\xff\xfe"
    images.debugfs(box, "mkdir /etc/network", "mkdir /var/lib/dpkg")
    images.put(box, "/etc/hostname", raw)
    images.put(box, "/etc/os-release", b'ID="%s"\nPRETTY_NAME="%s"\n' % (raw, raw))
    images.put(box, "/etc/fstab", b"%s /%s ext4\n/dev/\\033[0m\\012x / ext4\n" % (raw, raw))
    images.put(box, "/etc/inittab", b"%s::respawn:/bin/sh\n" % raw.replace(b";", b""))
    images.put(box, "/etc/network/interfaces", b"iface %s inet %s\n" % (raw, raw))
    images.put(box, "/var/lib/dpkg/status", b"Package: %s\nVersion: %s\n" % (raw, raw))
    images.tool("tune2fs", "e2fsprogs", "-L", "\x1b[31mlabel", box)
    for args in (["inspect", box], ["convert", box, "--to", "kvm", "--dry-run"]):
        run = kmln(*args)
        for line in (run.out + run.err).split("\n"):
            assert all(c == "\t" or c.isprintable() for c in line), repr(line)
    text = kmln("inspect", box, expect=0).out
    assert "\\x1b]0;owned\\x07" in text and "\\xff\\xfe" in text
    facts = inspect(box)
    assert facts["hostname"] == HOSTILE + "\\xff\\xfe"
    assert facts["os"]["name"] == HOSTILE + "\\xff\\xfe"
    assert facts["fstab"][1]["device"] == "/dev/\x1b[0m\nx"
    assert facts["filesystems"][0]["label"] == "\x1b[31mlabel"
    assert facts["packages"]["list"][0]["name"] == HOSTILE + "\\xff\\xfe"


def test_odd_files(inspect, box):
    """What is not understood is not in the facts, and nothing fails for it."""
    images.debugfs(box, "rm /etc/hostname", "mkdir /etc/hostname", "rm /etc/fstab",
                   "symlink /etc/fstab fstab", "rm /etc/inittab", "mkdir /var/lib/dpkg",
                   "mkdir /var/lib/dpkg/status", "mkdir /boot/vmlinuz-6.1.0",
                   "symlink /boot/vmlinuz-6.2.0 /etc/passwd", "rm /etc/os-release", "mkdir /etc/network",
                   "symlink /etc/network/interfaces ../../../../../etc/network/interfaces",
                   "mknod /lib/modules/6.1.0 p")
    images.put(box, "/boot/vmlinuz-", "no release")
    images.put(box, "/boot/vmlinuz-..", "no release either")
    images.put(box, "/etc/os-release", b"\0\0\0\nID=\nID\n=x\nPRETTY_NAME='a\nVERSION_ID=\"1\\")
    facts = inspect(box)
    assert facts["hostname"] is None and facts["fstab"] == []
    assert facts["packages"] == {"manager": None, "count": 0, "list": []}
    assert facts["network"] == []
    assert all(kernel["image"] is None for kernel in facts["kernels"])


def test_shared(inspect, guest, tmp_path):
    """An image that others only read is not in use."""
    image = guests.copy(guest("busybox"), tmp_path / "box.img")
    with images.qemu(image, ",snapshot=on"):
        assert inspect(image)["hostname"] == "box"


@pytest.mark.parametrize("init", ["systemd", "sysvinit"])
def test_memory(guest, init):
    """20 MB at most, whatever the image's size."""
    images.within(20_000, "inspect", guest(init), "--format", "json")


def test_ordinary_user(kmln, guest, ordinary_user):
    image = ordinary_user.give(guest("sysvinit"))
    image.chmod(0o400)
    facts = json.loads(kmln("inspect", image, "--format", "json", user=ordinary_user, expect=0).out)
    assert facts["hostname"] == "old-sysvinit"


def test_gpt_of_impossible_length(kmln, tmp_path):
    """The header asks for 2^58 bytes of entries; libfdisk would try to have them."""
    disk = tmp_path / "disk"
    disk.write_bytes((runner.ROOT / "tests/fuzz/corpus/partitions/gpt-huge-table").read_bytes())
    os.truncate(disk, 64 << 20)
    run = kmln("inspect", disk, expect=3)
    assert "the GPT is damaged: its table would be 724249387 times 724249387 bytes long" in run.err
    # the one at the end counts as well
    moved = disk.read_bytes()
    disk.write_bytes(moved[:512] + bytes(512) + moved[1024:-512] + moved[512:1024])
    run = kmln("inspect", disk, expect=3)
    assert "its table would be" in run.err
