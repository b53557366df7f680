# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel kits: adding and listing them, and which kernel a guest gets: what was asked for, its own, the
cache's, the host's, the distribution's, and of several one of the series that it ran as UML."""

import json
import os
import re
import shutil
import subprocess

import pytest

import ext4reader
import guests
import images
import runner

FIRST = images.MIB
MANUAL = runner.ROOT / "man/kmln-kernel.1.scd"
KMLN = runner.BUILD / "kmln"
HIDE_KERNELS = ("for folder in /boot /lib/modules; do [ ! -d $folder ] || "
                "mount -t tmpfs none $folder; done")


def release_of(kernel):
    return next(kernel.glob("boot/vmlinuz-*")).name.removeprefix("vmlinuz-")


def as_release(kernel, folder, release, without=()):
    """A copy of the small kernel under another release, maybe without some modules."""
    shutil.copytree(kernel, folder, symlinks=True)
    old = release_of(folder)
    for path in list(folder.glob(f"boot/*-{old}")):
        path.rename(path.with_name(path.name.replace(old, release)))
    (folder / "lib/modules" / old).rename(folder / "lib/modules" / release)
    images.call_kernel(folder / f"boot/vmlinuz-{release}", old, release)
    for name in without:
        next((folder / "lib/modules").rglob(f"{name}.ko*")).unlink()
    return folder


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def add(kmln, home):
    def call(what, **options):
        return kmln("kernel", "add", what, env={"KMLN_HOME": home}, timeout=120, **options)
    return call


@pytest.fixture
def listed(kmln, home):
    """[(release, origin, kvm)] of the cache, in the order of the list."""
    def call():
        run = kmln("kernel", "list", "--format", "json", env={"KMLN_HOME": home}, expect=0)
        return [(k["release"], k["kvm"]) for k in json.loads(run.out)["kernels"] if k["origin"] == "cache"]
    return call


@pytest.fixture
def chosen(convert, home):
    """What convert says of the kernel: (release, why)."""
    def call(image, *options, **run):
        result = convert(image, "--dry-run", "--size", "200M", *options, home=home, expect=0, **run)
        return re.search(r"^kmln: kernel (\S+): (.*)$", result.err, re.M).groups()
    return call


# --- kits

def test_deb(kmln, kit_home, guest):
    """What a package becomes: complete, indexed, and with an initramfs of ours."""
    kit, = (kit_home / "cache/kernels").iterdir()
    release = kit.name
    packaged = images.tool("dpkg-deb", "dpkg", "-c", guest("kernel")).decode()
    modules = re.findall(r"\./lib/modules/\S+\.ko\S*$", packaged, re.M)
    assert len(modules) > 500
    there = {f"./lib/{path.relative_to(kit / 'usr/lib')}" for path in kit.rglob("*.ko*")}
    assert there == set(modules)
    dep = (kit / f"usr/lib/modules/{release}/modules.dep").read_text()
    assert len(dep.splitlines()) == len(modules)
    initramfs = (kit / f"boot/initrd.img-{release}").read_bytes()
    assert len(initramfs) < 3_000_000
    assert initramfs.startswith(b"070701") and initramfs[110:].startswith(b"kmln-initramfs\0")
    assert (kit / f"boot/vmlinuz-{release}").read_bytes()[0x202:0x206] == b"HdrS"
    # nobody else's files; and what dpkg is told of the package
    assert {path.name for path in kit.iterdir()} == {"boot", "lib", "usr", "packages"}
    assert {path.name for path in kit.glob("packages/kernel/control/*")} >= {"control", "md5sums", "postinst"}
    listed = (kit / "packages/kernel/list").read_text().splitlines()
    assert listed[0] == "/." and f"/boot/vmlinuz-{release}" in listed
    assert len(list(kit.glob("packages/deb/*.deb"))) == 3

    run = kmln("kernel", "list", env={"KMLN_HOME": kit_home}, expect=0)
    assert re.search(rf"^{re.escape(release)} +cache +[\d.]+ MB", run.out, re.M)
    entry = next(k for k in json.loads(kmln("kernel", "list", "--format", "json", expect=0,
                                            env={"KMLN_HOME": kit_home}).out)["kernels"]
                 if k["origin"] == "cache")
    assert list(entry) == ["release", "origin", "folder", "kvm", "bytes"]
    assert all(f"*{key}*" in MANUAL.read_text() for key in (*entry, "kernels"))
    assert entry["folder"] == os.fspath(kit) and entry["kvm"] is True
    assert entry["bytes"] > 50_000_000


def test_folder(add, listed, small_kernel, home, tmp_path):
    """Every kernel of a folder; one that is there already is replaced."""
    both = as_release(small_kernel, tmp_path / "both", "6.1.5-one")
    shutil.copytree(as_release(small_kernel, tmp_path / "second", "6.1.10-two"), both, dirs_exist_ok=True)
    run = add(both, expect=0)
    assert run.err == "kmln: kernel 6.1.10-two is in the cache\n"
    assert listed() == [("6.1.10-two", True), ("6.1.5-one", True)]
    (home / "cache/kernels/6.1.5-one/boot/old").touch()
    add(tmp_path / "both", expect=0)
    assert not (home / "cache/kernels/6.1.5-one/boot/old").exists()
    assert sorted(os.listdir(home / "cache/kernels")) == ["6.1.10-two", "6.1.5-one"]


def test_not_kernels(add, tmp_path, guest):
    (tmp_path / "text.deb").write_text("no package")
    (tmp_path / "empty").mkdir()
    whole = guest("kernel").read_bytes()
    (tmp_path / "cut.deb").write_bytes(whole[:len(whole) // 2])
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN/control").write_text("Package: hello\nVersion: 1\nArchitecture: all\n"
                                            "Maintainer: a <a@example.org>\nDescription: none\n")
    (package / "usr").mkdir()
    images.tool("dpkg-deb", "dpkg", "-b", package, tmp_path / "hello.deb")
    for name, status, words in (
            ("text.deb", 3, ""), ("cut.deb", 3, ""), ("hello.deb", 3, "no kernel with modules is in it"),
            ("empty", 3, "no kernel is in it"), ("nowhere.deb", 1, "No such file or directory")):
        run = add(tmp_path / name, expect=status)
        assert run.err.startswith(f"kmln: {tmp_path / name}: ") and words in run.err
    # nothing half is left in the cache
    cache = tmp_path / "home/cache/kernels"
    assert not cache.exists() or os.listdir(cache) == []


def test_no_depmod(small_kernel, home, tmp_path):
    runner.need_program("unshare", "util-linux")
    depmod = os.path.realpath(runner.need_program("depmod", "kmod"))
    (tmp_path / "none").touch()
    maybe = [] if os.geteuid() == 0 else ["--map-root-user"]
    run = runner.run(["unshare", "-m", *maybe, "sh", "-c", f'mount --bind {tmp_path}/none {depmod}; exec "$@"',
                      "sh", KMLN, "kernel", "add", small_kernel], env={"KMLN_HOME": home}, expect=5)
    assert "depmod is not installed (Debian package kmod)" in run.err
    assert os.listdir(home / "cache/kernels") == []


def test_killed_while_adding(add, listed, small_kernel, home):
    """A kit is there as a whole or not at all; what a kill leaves beside is no kit."""
    env = {**os.environ, "KMLN_HOME": os.fspath(home)}
    for delay in (0.02, 0.05, 0.1, 0.15):
        child = subprocess.Popen([KMLN, "kernel", "add", small_kernel], env=env, stderr=subprocess.DEVNULL,
                                 start_new_session=True)
        try:
            child.wait(delay)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            child.wait()
        for release, suits in listed():
            assert suits and (home / f"cache/kernels/{release}/boot/initrd.img-{release}").exists()
    # one is killed right in the middle
    child = subprocess.Popen([KMLN, "kernel", "add", small_kernel], env=env, stderr=subprocess.DEVNULL,
                             start_new_session=True)
    while not list((home / "cache/kernels").glob(".new-*")):
        assert child.poll() is None
    os.killpg(child.pid, 9)
    child.wait()
    assert list((home / "cache/kernels").glob(".new-*"))
    # the next one takes the left-overs away, and nothing that is still worked on
    two = [subprocess.Popen([KMLN, "kernel", "add", small_kernel], env=env, stderr=subprocess.DEVNULL)
           for _ in range(2)]
    assert [child.wait(60) for child in two] == [0, 0]
    assert listed() == [(release_of(small_kernel), True)]
    assert os.listdir(home / "cache/kernels") == [release_of(small_kernel)]


# --- the choice

def test_asked_for(convert, chosen, add, guest, small_kernel, home, tmp_path):
    """--kernel: a folder, a package, a release; and what is not to be had."""
    source = guest("busybox")
    other = as_release(small_kernel, tmp_path / "other", "5.10.0-other")
    assert chosen(source, "--kernel", other) == ("5.10.0-other", "it was asked for")
    add(small_kernel, expect=0)
    assert chosen(source, "--kernel", "5.10.0-other") == ("5.10.0-other", "it was asked for")
    assert chosen(source, "--kernel", release_of(small_kernel))[0] == release_of(small_kernel)
    run = convert(source, "--dry-run", "--kernel", "9.9.9", home=home, expect=1)
    assert run.err == "kmln: no kernel 9.9.9 in the guest, the cache or the host; `kmln kernel list` " \
        "shows those that are\n"
    run = convert(source, "--dry-run", "--kernel", tmp_path / "none.deb", home=home, expect=1)
    assert "No such file or directory" in run.err
    lacks = as_release(small_kernel, tmp_path / "lacks", "6.1.0-lacks", without=["virtio_blk"])
    run = convert(source, "--dry-run", "--kernel", lacks, home=home, expect=3)
    assert run.err == "kmln: kernel 6.1.0-lacks lacks what kvm needs: it has no driver virtio_blk\n"


def test_deb_asked_for(convert, guest, home, tmp_path):
    """A package on the command line, into an empty cache, and all of it into the guest."""
    out = tmp_path / "out.raw"
    deb = guest("kernel")
    convert(guest("busybox"), "-o", out, "--size", "300M", "--kernel", deb, home=home, expect=0)
    assert images.clean(out, FIRST)
    paths = [os.fsdecode(path) for path in ext4reader.read(out, FIRST)]
    packaged = images.tool("dpkg-deb", "dpkg", "-c", deb).decode()
    modules = re.findall(r"\./(lib/modules/\S+\.ko\S*)$", packaged, re.M)
    assert {f"/{module}" for module in modules} <= set(paths)


def test_home(kmln, convert, guest, small_kernel, tmp_path):
    """KMLN_HOME puts the cache under one folder; else XDG_CACHE_HOME, else ~/.cache."""
    for env, cache in (({"KMLN_HOME": tmp_path / "a"}, "a/cache/kernels"),
                       ({"KMLN_HOME": None, "XDG_CACHE_HOME": tmp_path / "b"}, "b/kmln/kernels"),
                       ({"KMLN_HOME": None, "XDG_CACHE_HOME": None, "HOME": tmp_path / "c"},
                        "c/.cache/kmln/kernels")):
        kmln("kernel", "add", small_kernel, env=env, expect=0)
        assert os.listdir(tmp_path / cache) == [release_of(small_kernel)]
        run = runner.run([KMLN, "convert", guest("busybox"), "--to", "kvm", "--dry-run"], env=env, expect=0)
        assert run.err == f"kmln: kernel {release_of(small_kernel)}: it is in the cache\n"


def test_own_kernel_first(convert, chosen, add, guest, small_kernel, tmp_path, home):
    """A kernel that suits and is in the guest is taken before any other."""
    out = tmp_path / "out.raw"
    convert(guest("busybox"), "-o", out, "--kernel", small_kernel, home=home, expect=0)
    add(as_release(small_kernel, tmp_path / "newer", "6.99.0-newer"), expect=0)
    release = release_of(small_kernel)
    run = convert(out, "--dry-run", home=home, expect=0)
    assert run.err == f"kmln: kernel {release}: the guest has it\n" and run.out == "nothing to do\n"
    run = convert(out, "--dry-run", "--kernel", release, home=home, expect=0)
    assert run.err == f"kmln: kernel {release}: the guest has it, and it was asked for\n"
    # another that is asked for comes beside it, and the loader starts that
    run = convert(out, "--dry-run", "--kernel", "6.99.0-newer", home=home)
    if run.status == 0:
        assert "+\tlinux /boot/vmlinuz-6.99.0-newer" in run.out
    else:
        assert "too small" in run.err


def test_own_kernel_with_a_foreign_initramfs(convert, guest, small_kernel, home, tmp_path):
    """A distribution's initramfs stays as it is; ours comes beside it, and is known again there."""
    first, image, out = tmp_path / "first.raw", tmp_path / "bare.img", tmp_path / "out.raw"
    release = release_of(small_kernel)
    convert(guest("busybox"), "-o", first, "--kernel", small_kernel, home=home, expect=0)
    images.tool("dd", "coreutils", f"if={first}", f"of={image}", "bs=1M", "skip=1", "conv=sparse")
    images.put(image, f"/boot/initrd.img-{release}", b"made by update-initramfs")
    images.debugfs(image, "rm /boot/grub/grub.cfg")
    run = convert(image, "-o", out, home=home, expect=0)
    assert f"kernel {release}: the guest has it" in run.err
    there = f"{out}?offset={FIRST}"
    assert images.tool("debugfs", "e2fsprogs", "-R", f"cat /boot/initrd.img-{release}", there) == \
        b"made by update-initramfs"
    config = images.tool("debugfs", "e2fsprogs", "-R", "cat /boot/grub/grub.cfg", there).decode()
    assert f"initrd /boot/kmln-initrd.img-{release}\n" in config
    assert convert(out, "--dry-run", home=home, expect=0).out == "nothing to do\n"


def test_series(chosen, add, guest, small_kernel, tmp_path):
    """The series that the guest's UML kernel has, else the newest; never one that lacks a driver."""
    for release in ("5.10.9-a", "6.1.50-b", "6.1.100-c", "6.12.3-d"):
        add(as_release(small_kernel, tmp_path / release, release), expect=0)
    add(as_release(small_kernel, tmp_path / "lacks", "6.1.200-lacks", without=["virtio_net"]), expect=0)
    guest_of = {}
    for series in ("5.10", "6.1", "6.6"):
        image = guest_of[series] = guests.copy(guest("busybox"), tmp_path / f"{series}.img")
        images.debugfs(image, f"mkdir /lib/modules/{series}.176")
        images.put(image, f"/lib/modules/{series}.176/modules.dep", "kernel/drivers/virtio/virtio_uml.ko:\n")
    assert chosen(guest_of["5.10"]) == ("5.10.9-a", "it is in the cache")
    assert chosen(guest_of["6.1"]) == ("6.1.100-c", "it is in the cache")
    assert chosen(guest_of["6.6"]) == ("6.12.3-d", "it is in the cache")


def test_hosts_kernel(convert, guest, small_kernel, home, tmp_path):
    """Without a kit the host's own kernel serves; the list shows it."""
    kernel = as_release(small_kernel, tmp_path / "host", "6.1.0-hosts")
    images.tool("depmod", "kmod", "-b", kernel, "6.1.0-hosts")
    maybe = [] if os.geteuid() == 0 else ["--map-root-user"]
    (tmp_path / "lib").mkdir()
    (kernel / "lib/modules").rename(tmp_path / "lib/modules")
    script = (f"mount --bind {kernel}/boot /boot && "
              f"mount -t overlay none -o lowerdir={tmp_path}/lib:/usr/lib /usr/lib || exit 77\n" 'exec "$@"')
    argv = ["unshare", "-m", *maybe, "sh", "-c", script, "sh", KMLN]
    run = runner.run([*argv, "convert", guest("busybox"), "--to", "kvm", "--dry-run"], env={"KMLN_HOME": home})
    if run.status == 77:
        pytest.skip("this host cannot lay one folder over another")
    assert run.status == 0 and run.err == "kmln: kernel 6.1.0-hosts: it is the host's own\n", run
    run = runner.run([*argv, "kernel", "list", "--format", "json"], env={"KMLN_HOME": home}, expect=0)
    assert ("6.1.0-hosts", "host", True) in [(k["release"], k["origin"], k["kvm"])
                                             for k in json.loads(run.out)["kernels"]]


@pytest.mark.network
def test_fetched(guest, home, tmp_path, ordinary_user):
    """From the guest's own archives with the guest's own keys, by an ordinary user, into the cache."""
    image = ordinary_user.give(guest("sysvinit"), "guest.img")
    argv = ["unshare", "-m", "--map-root-user", "sh", "-c", f'{HIDE_KERNELS}; exec "$@"', "sh",
            ordinary_user.kmln, "convert", image, "--to", "kvm", "--dry-run"]
    run = runner.run(argv, user=ordinary_user, timeout=300)
    assert run.status == 0, run
    assert "asking the guest's package archives for linux-image-cloud-amd64" in run.err
    release, why = re.search(r"^kmln: kernel (\S+): (.*)$", run.err, re.M).groups()
    assert release.endswith("-cloud-amd64") and why == "fetched from the guest's own package sources"
    assert f"/boot/initrd.img-{release}" in run.out
    # with what keeps it up to date, and what the guest lacks for it
    assert "package linux-image-cloud-amd64 " in run.out and "package linux-base " in run.out
    assert "note " not in run.out
    # whoever has these keys chose it, so it is kept for guests with the same sources and keys only
    kits = list((ordinary_user.home / "kmln/cache/fetched").iterdir())
    assert len(kits) == 1 and os.listdir(kits[0]) == [release]
    assert not (ordinary_user.home / "kmln/cache/kernels").exists()
    again = runner.run(argv, user=ordinary_user, expect=0, timeout=60)
    assert again.err == f"kmln: kernel {release}: {why}\n"
    images.put(image, "/etc/apt/sources.list", b"deb http://127.0.0.1:9/debian bookworm main\n", 0o644)
    other = runner.run(argv, user=ordinary_user, expect=5, timeout=60)
    assert "no kernel was to be had" in other.err
