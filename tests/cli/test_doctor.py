# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln doctor on this host as it is, and on hosts that lack something: without a device, with one
that is none or is for others, without tools, without namespaces, without tracing."""

import json
import os
import platform
import re
import struct
from pathlib import Path

import pytest

import runner

MANUAL = runner.ROOT / "man/kmln-doctor.1.scd"
STATES = {"usable", "emulated", "no-permission", "absent", "broken"}
PLATFORMS = ["kvm", "uml", "qemu", "xen", "container"]


def answer(result):
    assert result.status == 0, result
    assert result.err == "", result
    return json.loads(result.out)


def inside(*bwrap, seccomp=None, user=None):
    """kmln doctor as JSON, in a sandbox that shows it another host."""
    runner.need_program("bwrap", "bubblewrap")
    kmln = user.kmln if user else runner.BUILD / "kmln"
    argv = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp",
            "--ro-bind", kmln, "/tmp/kmln", *bwrap]
    if seccomp:
        argv = ["sh", "-c", 'exec "$@" 9<' + str(seccomp), "sh", *argv, "--seccomp", "9"]
    # the leak checker traces the process, which a sandbox may forbid
    return answer(runner.run([*argv, "/tmp/kmln", "doctor", "--format", "json"], user=user,
                             env={"ASAN_OPTIONS": "detect_leaks=0"} if seccomp else None))


def tool_folder(folder, **scripts):
    """A folder for PATH with these shell scripts; `_` in a name stands for `.`."""
    folder.mkdir()
    for name, script in scripts.items():
        path = folder / name.replace("_", ".")
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
    return folder


def test_json(kmln):
    found = answer(kmln("doctor", "--format", "json"))
    assert list(found) == ["platforms", "host", "tools", "missing", "install"]
    assert list(found["platforms"]) == PLATFORMS
    for name, entry in found["platforms"].items():
        assert list(entry) == ["usable", "state", "reason", "starts", "findings"], name
        assert entry["state"] in STATES
        assert entry["usable"] == (entry["state"] == "usable")
        assert entry["reason"]
        assert entry["starts"] == (name in ("kvm", "uml", "qemu", "xen"))
    assert found["host"]["kernel"] == platform.release()
    assert found["host"]["root"] == (os.geteuid() == 0)
    for entry in found["tools"].values():
        assert list(entry) == ["path", "version", "package", "use"]
        assert entry["path"] is None or Path(entry["path"]).exists()
        assert entry["path"] or entry["version"] is None


def test_real_kvm(kmln):
    """The verdict agrees with what was measured, whichever it is on this host."""
    kvm = answer(kmln("doctor", "--format", "json"))["platforms"]["kvm"]
    rate = kvm["findings"]["instructions_per_second"]
    if not os.path.exists("/dev/kvm"):
        assert kvm["state"] == "absent"
    elif not os.access("/dev/kvm", os.R_OK | os.W_OK):
        assert kvm["state"] == "no-permission"
    elif kvm["state"] == "emulated":
        assert 0 < float(rate) < 10e6
        assert "slower than QEMU's own translator" in kvm["reason"]
    elif kvm["state"] == "usable":
        assert rate is None or float(rate) >= 10e6
    else:
        assert kvm["state"] == "broken" and rate is None


def test_real_tools(kmln):
    """What the tests stand on is seen, with the versions that the programs tell themselves."""
    runner.need_program("linux.uml", "user-mode-linux")
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    found = answer(kmln("doctor", "--format", "json"))
    uml, qemu = (found["platforms"][name]["findings"] for name in ("uml", "qemu"))
    told = runner.run(["linux.uml", "--version"], expect=0).out
    assert uml["version"] == told.strip()
    assert {"ubd", "ext4", "serial"} <= set(uml["built_in"].split())
    assert "tcg" in qemu["accelerators"].split()
    assert Path(qemu["bios"]).stat().st_size > 0
    told = runner.run(["e2fsck", "-V"], expect=0).err
    assert found["tools"]["e2fsck"]["version"] in told


def test_text(kmln):
    result = kmln("doctor", expect=0)
    assert result.err == ""
    lines = result.out.splitlines()
    found = answer(kmln("doctor", "--format", "json"))
    for name in PLATFORMS:
        rows = [line.split()[1] for line in lines if line.startswith(name + " ")]
        assert rows[0] == found["platforms"][name]["state"]
    for heading in ("PLATFORMS", "SANDBOX", "NETWORKS", "TOOLS"):
        assert heading in lines
    for name in found["tools"]:
        assert any(line.startswith(name + " ") for line in lines)
    assert all(len(line) < 80 for line in lines if not line.startswith("  apt install"))
    assert ("MISSING" in lines) == bool(found["missing"])
    assert bool(found["missing"]) == any(line == "  " + str(found["install"]) for line in lines)


def test_wrong_command_lines(kmln):
    assert "one argument too many" in kmln("doctor", "disk.img", expect=2).err
    assert "not one of text, json" in kmln("doctor", "--format", "xml", expect=2).err


def test_missing_tools(kmln, tmp_path):
    """Without a PATH what does not lie in /usr/sbin is missing, and its packages are named."""
    found = answer(kmln("doctor", "--format", "json", env={"PATH": str(tmp_path)}))
    for name in ("uml", "qemu"):
        assert found["platforms"][name]["state"] == "absent"
        assert "is not installed" in found["platforms"][name]["reason"]
    assert found["tools"]["qemu-img"]["path"] is None
    assert not found["host"]["bubblewrap"]["usable"]
    assert "bubblewrap" in found["host"]["bubblewrap"]["reason"]
    wanted = {m["package"]: m["uses"] for m in found["missing"]}
    assert {"user-mode-linux", "qemu-system-x86", "qemu-utils", "mmdebstrap", "bubblewrap",
            "grub-common", "apt"} <= set(wanted)
    assert "platform uml: binary" in wanted["user-mode-linux"]
    assert len(wanted) == len(found["missing"])
    assert found["install"] == "apt install " + " ".join(wanted)
    text = kmln("doctor", env={"PATH": str(tmp_path)}, expect=0).out
    assert re.search(r"^qemu-img +missing +converts disk formats \(package qemu-utils\)$", text, re.M)
    assert f"\n  {found['install']}\n" in text


def test_tool_that_hangs(kmln, tmp_path):
    folder = tool_folder(tmp_path / "bin", grub_mkimage="exec sleep 40")
    (folder / "grub.mkimage").rename(folder / "grub-mkimage")
    result = kmln("doctor", "--format", "json", timeout=30,
                  env={"PATH": f"{folder}:{runner.PATH}"})
    tool = answer(result)["tools"]["grub-mkimage"]
    assert tool["path"] == str(folder / "grub-mkimage")
    assert tool["version"] is None


def test_uml_without_its_disks(kmln, tmp_path):
    """A kernel that was configured otherwise is no platform, though the program is there."""
    folder = tool_folder(tmp_path / "bin", linux_uml=(
        'case $1 in --version) echo 9.8.7 ;; --showconfig) '
        'echo CONFIG_BLK_DEV_UBD=m; echo CONFIG_EXT4_FS=y; echo CONFIG_SSL=y ;; esac\n'))
    uml = answer(kmln("doctor", "--format", "json",
                      env={"PATH": f"{folder}:{runner.PATH}"}))["platforms"]["uml"]
    assert uml["state"] == "broken"
    assert uml["reason"].endswith("was built without ubd")
    assert uml["findings"]["version"] == "9.8.7"
    assert uml["findings"]["modules"] is None
    assert uml["findings"]["as_modules"] == "ubd"
    assert uml["findings"]["built_in"] == "ext4 serial"
    assert "hostfs" in uml["findings"]["off"].split()


def test_no_kvm_device():
    kvm = inside()["platforms"]["kvm"]
    assert kvm["state"] == "absent"
    assert kvm["reason"] == "/dev/kvm: No such file or directory"
    assert kvm["findings"] == {"device": None, "instructions_per_second": None}


def test_broken_kvm_device():
    kvm = inside("--dev-bind", "/dev/null", "/dev/kvm")["platforms"]["kvm"]
    assert kvm["state"] == "broken"
    assert "KVM_GET_API_VERSION" in kvm["reason"]
    assert kvm["findings"]["device"] == "/dev/kvm"


@pytest.mark.parametrize("mode, group, words", [
    ("600", "root", "not for this user (mode 0600, uid 0, group root)"),
    ("660", "disk", "/dev/kvm is for group disk (mode 0660): `adduser USER disk`"),
])
def test_kvm_for_others(ordinary_user, mode, group, words):
    """An ordinary user before a device node of a private /dev."""
    if os.geteuid() != 0:
        runner.lacking("only root can make device nodes")
    script = (f"set -e; mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; "
              f"mknod /dev/kvm c 10 232; chgrp {group} /dev/kvm; chmod {mode} /dev/kvm; "
              f"exec setpriv --reuid {ordinary_user.uid} --regid {ordinary_user.gid} "
              f"--clear-groups {ordinary_user.kmln} doctor --format json")
    made = runner.run(["unshare", "--mount", "true"])
    if made.status:
        runner.lacking(f"no private mounts here: {made.err}")
    kvm = answer(runner.run(["unshare", "--mount", "sh", "-c", script]))["platforms"]["kvm"]
    assert kvm["state"] == "no-permission"
    assert not kvm["usable"]
    assert words in kvm["reason"]


def test_ordinary_user(kmln, ordinary_user):
    found = answer(kmln("doctor", "--format", "json", user=ordinary_user))
    assert found["host"]["root"] is False
    if os.geteuid() == 0:
        # the tests gave this user a range
        assert found["host"]["subuid"]["count"] == 65536
        assert found["host"]["subgid"]["first"] >= 100000


def test_no_namespaces():
    found = inside("--unshare-user", "--disable-userns")
    assert found["host"]["namespaces"]["usable"] is False
    assert found["host"]["namespaces"]["reason"].startswith("unshare: ")
    assert found["host"]["bubblewrap"]["usable"] is False
    assert found["host"]["bubblewrap"]["reason"].startswith("bwrap: ")
    assert found["platforms"]["container"]["state"] == "no-permission"


def test_no_tracing(tmp_path):
    """Where ptrace is forbidden UML cannot work, though all of it is there."""
    runner.need_program("linux.uml", "user-mode-linux")
    ptrace, allow, refuse = 101, 0x7fff0000, 0x00050000 | 1  # EPERM
    rules = tmp_path / "rules"
    rules.write_bytes(b"".join(struct.pack("=HBBI", *instruction) for instruction in (
        (0x20, 0, 0, 0), (0x15, 0, 1, ptrace), (0x06, 0, 0, refuse), (0x06, 0, 0, allow))))
    uml = inside(seccomp=rules)["platforms"]["uml"]
    assert uml["state"] == "broken"
    assert "forbids tracing" in uml["reason"] and "not permitted" in uml["reason"]
    assert uml["findings"]["ptrace"] is None


def test_manual_knows_every_key(kmln):
    text = MANUAL.read_text()
    words = set(re.findall(r"\*([a-z0-9_]+)\*", text))

    def keys(value, named=True):
        """Keys of objects; names of platforms and tools are data."""
        if isinstance(value, dict):
            for key, inner in value.items():
                if named:
                    yield key
                yield from keys(inner, key not in ("platforms", "tools"))
        elif isinstance(value, list):
            for inner in value:
                yield from keys(inner)

    found = set(keys(answer(kmln("doctor", "--format", "json")))) | {"package", "uses"}
    assert found - words == set()
    for state in STATES:
        assert f"*{state}*" in text
