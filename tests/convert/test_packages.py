# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel belongs to the guest's package manager: what a conversion leaves is what the guest's own
dpkg would have left, file by file, and where that is not so nothing is claimed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import guests
import images
import runner
from guesttree import Tree

FIRST = images.MIB
STATUS = "/var/lib/dpkg/status"
HOOKS = "/etc/kernel/postinst.d/kmln-guest", "/etc/kernel/postrm.d/kmln-guest"
# dpkg's and debconf's copies of what was before, and what each writes in an order of its own
UNORDERED = {"var/lib/dpkg/status", "var/cache/debconf/config.dat", "var/cache/debconf/templates.dat"}
OF_THE_TOOLS = {"var/lib/dpkg/status-old", "var/cache/debconf/config.dat-old", "var/log/dpkg.log",
                "var/cache/debconf/templates.dat-old", "etc/ld.so.cache", "var/cache/ldconfig/aux-cache"}
# what apt would have written, and what only a conversion brings
OF_KMLN = {"var/lib/kmln", "var/lib/kmln/conversion-1", "etc/fstab", "etc/inittab", "var/lib/apt/extended_states"}


@pytest.fixture
def tree(tmp_path):
    """tree(IMAGE, NAME, first=...): its files in a folder that is gone after the test."""
    made = []

    def make(image, name, first=0):
        made.append(Tree.of(image, tmp_path / name, first))
        return made[-1]
    yield make
    for one in made:
        one.remove()


@pytest.fixture
def converted(convert, kit_home, tree, tmp_path):
    """converted(IMAGE): the files of the converted guest, and the plan's text."""
    def call(image, *options, home=kit_home):
        out = tmp_path / "out.raw"
        plan = convert(image, "--dry-run", *options, home=home, expect=0).out
        convert(image, "-o", out, *options, home=home, expect=0)
        assert images.clean(out, FIRST)
        assert convert(out, "--dry-run", home=home, expect=0).out == "nothing to do\n"
        return tree(out, "converted", FIRST), plan
    return call


def clean_state(tree):
    """What the guest's own dpkg and apt think of it: nothing to complain of."""
    assert tree.guest("dpkg --audit") == ""
    assert tree.guest("dpkg --verify") == ""
    assert "E:" not in tree.guest("apt-get check")
    assert "0 to remove" in tree.guest("apt-get -s autoremove")


def states(tree):
    """{package: (status, version)}"""
    out = tree.guest("dpkg-query -W -f '${Package} ${db:Status-Abbrev} ${Version}\\n'")
    return {name: (state, version) for name, state, version in map(str.split, out.splitlines())}


def assert_as_by_dpkg(done, real, debs):
    """`real`, a guest before its conversion, is given the same packages by its own dpkg."""
    folder = real.folder / "debs"
    folder.mkdir()
    for deb in debs:
        shutil.copy(deb, folder)
    for name in ("kmln-guest", "kmln-initramfs"):
        done.package(name, folder / f"{name}.deb")
    # what its hook needs stands there first
    real.run("cp", "-a", f"{done.folder}/etc/kmln", f"{real.folder}/etc/kmln")
    real.run("mkdir", "-p", f"{real.folder}/boot/grub")
    real.write("/boot/grub/grub.cfg", "# Written by kmln\n")
    real.guest("cd /debs && dpkg -i $(ls *.deb | grep -v linux-image)")
    said = real.guest("cd /debs && dpkg -i linux-image*.deb")
    assert "kmln-guest: made /boot/initrd.img-" in said
    assert "kmln-guest: wrote /boot/grub/grub.cfg, 1 kernel" in said
    shutil.rmtree(folder)
    different = done.differs_from(real) - OF_THE_TOOLS - OF_KMLN
    # the order of two lists of files is not compared: the packages were made anew
    different -= {f"var/lib/dpkg/info/{name}.list" for name in ("kmln-guest", "kmln-initramfs")}
    assert different <= UNORDERED
    for path in UNORDERED:
        assert done.paragraphs(f"/{path}") == real.paragraphs(f"/{path}")


@pytest.mark.parametrize("init", ["systemd", "sysvinit"])
def test_as_by_dpkg(guest, converted, tree, init):
    """File by file what a real installation leaves, the initramfs and GRUB's text included."""
    done, plan = converted(guest(init))
    assert "note " not in plan
    assert_as_by_dpkg(done, tree(guest(init), "real"), [guest("kernel"), guest("linux-base")])
    clean_state(done)
    now = states(done)
    kernel = next(name for name in now if name.startswith("linux-image-"))
    for name in (kernel, "linux-base", "kmln-guest", "kmln-initramfs"):
        assert now[name][0] == "ii"
    auto = done.guest(f"apt-mark showauto {kernel} linux-base kmln-guest kmln-initramfs").split()
    assert auto == ["kmln-initramfs", "linux-base"]


def without_kmod(guest, tree, init, tmp_path):
    """A guest without what a small Debian lacks: kmod and its library."""
    bare = tree(guest(init), "bare")
    bare.guest("dpkg --purge --force-depends --force-remove-essential kmod libkmod2")
    bare.run("sh", "-c", 'rm -f "$1/dev/null"', "sh", bare.folder)
    return bare.image(tmp_path / "bare.img")


def test_lacks_kmod(guest, converted, tree, tmp_path):
    image = without_kmod(guest, tree, "systemd", tmp_path)
    done, plan = converted(image)
    assert "note " not in plan
    assert_as_by_dpkg(done, tree(image, "real"),
                      [guest(name) for name in ("kernel", "linux-base", "kmod", "libkmod2")])
    clean_state(done)
    assert states(done)["kmod"][0] == states(done)["libkmod2"][0] == "ii"
    assert done.guest("modprobe --version").startswith("kmod version")


def test_work_for_insserv(guest, converted, tree, tmp_path):
    """Where kmod's place in the boot order is for the guest to find out, nothing is claimed."""
    image = without_kmod(guest, tree, "sysvinit", tmp_path)
    done, plan = converted(image)
    assert re.search(r"^note +the guest's dpkg does not know the kernel that is put in: when kmod is "
                     "started at boot is for the guest's insserv to find out$", plan, re.M)
    now = states(done)
    assert not any(name.startswith("linux-") or name in ("kmod", "kmln-initramfs") for name in now)
    # the hook is there all the same: another kernel, installed later, finds it
    assert now["kmln-guest"][0] == "ii" and done.guest("dpkg --audit; dpkg -V kmln-guest") == ""


def test_state_can_be_unclean(guest, converted):
    """The checks above can fail."""
    done, _ = converted(guest("systemd"))
    text = done.read(STATUS)
    done.write(STATUS, re.sub(r"Package: linux-base\n(.+\n)+\n", "", text))
    assert "linux-base" in done.guest("apt-get check 2>&1", expect=(100,))
    done.write(STATUS, text.replace("Package: linux-base\nStatus: install ok installed",
                                    "Package: linux-base\nStatus: install ok unpacked"))
    assert "linux-base" in done.guest("dpkg --audit")
    done.write(STATUS, text)
    done.run("rm", f"{done.folder}/usr/bin/linux-version")
    assert "/usr/bin/linux-version" in done.guest("dpkg --verify", expect=(0, 1))


def repacked(deb, to, change):
    """The package with a change: change(FOLDER)."""
    base = Path(f"{to}.tree")
    images.tool("dpkg-deb", "dpkg", "-R", deb, base)
    change(base)
    images.tool("dpkg-deb", "dpkg", "--root-owner-group", "-Znone", "-b", base, to)
    shutil.rmtree(base)
    return to


def small_deb(small_kernel, guest, to, change=lambda base: None):
    """The kernel's package with a few of its modules only."""
    def shrink(base):
        keep = {path.name for path in small_kernel.rglob("*.ko*")}
        for path in base.rglob("*.ko*"):
            if path.name not in keep:
                path.unlink()
        shutil.rmtree(base / "usr/share/doc")
        sums = (base / "DEBIAN/md5sums").read_text().splitlines(True)
        (base / "DEBIAN/md5sums").write_text(
            "".join(line for line in sums if (base / line.split()[1]).exists()))
        change(base)
    return repacked(guest("kernel"), to, shrink)


def unregistered(convert, image, home, *options):
    """The plan's one note of why dpkg is not told."""
    plan = convert(image, "--dry-run", *options, home=home, expect=0).out
    assert "linux-base" not in re.sub(r"^note .*", "", plan, flags=re.M)
    words, = re.findall(r"^note +the guest's dpkg does not know the kernel that is put in: (.*)$", plan, re.M)
    return words


def test_unknown_scripts(kmln, convert, guest, small_kernel, tmp_path):
    """A package that does something unheard of when it is configured is not called installed."""
    def script(name):
        def change(base):
            with open(base / "DEBIAN" / name, "a", encoding="ascii") as file:
                file.write("echo more\n")
        return change
    for name, change, words in (
            ("more", script("postinst"), r"what the postinst of linux-image-\S+ \S+ does is not known to kmln"),
            ("trigger", lambda base: (base / "DEBIAN/triggers").write_text("interest /usr\n"),
             r"linux-image-\S+ \S+ has triggers that kmln does not know"),
            ("config", lambda base: (base / "DEBIAN/config").write_text("#!/bin/sh\necho\n") and
             (base / "DEBIAN/config").chmod(0o755), r"what the config of linux-image-\S+ .*")):
        home = tmp_path / name
        deb = small_deb(small_kernel, guest, tmp_path / f"{name}.deb", change)
        kmln("kernel", "add", deb, guest("linux-base"), env={"KMLN_HOME": home}, expect=0, timeout=120)
        assert re.fullmatch(words, unregistered(convert, guest("systemd"), home)), name


def test_relations(kmln, convert, guest, small_kernel, tmp_path):
    """What would break `apt-get check` is not put in: a need that is not met, a conflict, an old version."""
    def depends(text):
        def change(base):
            control = base / "DEBIAN/control"
            old = re.sub(r"^(Depends|Conflicts|Breaks): .*\n", "", control.read_text(), flags=re.M)
            control.write_text(f"{old.strip()}\n{text}\n")
        return change
    for name, text, words in (
            ("version", "Depends: kmod (>= 99)", r"linux-image-\S+ needs kmod \(>= 99\), which the guest lacks.*"),
            ("conflict", "Depends: kmod\nConflicts: libc6", r"linux-image-\S+ does not go with libc6"),
            ("breaks", "Breaks: linux-base\nDepends: linux-base",
             r"linux-image-\S+ does not go with linux-base"),
            ("choice", "Depends: no-such | linux-base (>= 1)", None)):
        home = tmp_path / name
        deb = small_deb(small_kernel, guest, tmp_path / f"{name}.deb", depends(text))
        kmln("kernel", "add", deb, guest("linux-base"), env={"KMLN_HOME": home}, expect=0, timeout=120)
        offline = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        plan = convert(guest("systemd"), "--dry-run", home=home, env=offline, expect=0).out
        note = re.findall(r"^note .*: (linux-image.*)$", plan, re.M)
        assert re.fullmatch(words, note[0]) if words else not note, (name, plan)


def test_in_the_way(convert, guest, kit_home, tmp_path):
    """Nothing of the guest is written over, and its dpkg's own rules are kept."""
    for name, path, content, words in (
            ("file", "/usr/bin/linux-version", "mine\n",
             "in the guest, /usr/bin/linux-version is in the way of linux-base"),
            ("diversion", "/var/lib/dpkg/diversions", "/usr/bin/linux-version\n/usr/bin/x\nlocal\n",
             "the guest's dpkg has a rule of its own for /usr/bin/linux-version")):
        image = guests.copy(guest("systemd"), tmp_path / f"{name}.img")
        images.put(image, path, content)
        assert unregistered(convert, image, kit_home) == words


def test_half_known(convert, guest, kit_home, tmp_path):
    """A package of which dpkg has kept a paragraph is dpkg's to install again."""
    image = guests.copy(guest("systemd"), tmp_path / "half.img")
    text = images.tool("debugfs", "e2fsprogs", "-R", f"cat {STATUS}", image)
    images.put(image, STATUS, text + b"Package: linux-base\nStatus: deinstall ok config-files\n"
               b"Version: 4\nArchitecture: all\n\n")
    assert "linux-base" in unregistered(convert, image, kit_home)


def test_kernel_of_a_folder(convert, guest, small_home, small_kernel):
    """What comes out of no package is nobody's, and the plan says so; a guest without dpkg hears nothing."""
    assert unregistered(convert, guest("systemd"), small_home) == "it does not come out of a Debian package"
    assert "note " not in convert(guest("busybox"), "--dry-run", expect=0).out


def test_ends_of_texts(convert, guest, tmp_path):
    """A status file that does not end as dpkg's own does, in a guest that is hardly more than that."""
    start = b"Package: dpkg\nStatus: install ok installed\nVersion: 1.21\nArchitecture: amd64"
    for name, end in (("none", b""), ("one", b"\n"), ("two", b"\n\n"), ("many", b"\n\n\n\n")):
        image, out = guests.copy(guest("busybox"), tmp_path / f"{name}.img"), tmp_path / f"{name}.raw"
        images.debugfs(image, "mkdir /var/lib/dpkg", "mkdir /var/lib/dpkg/info")
        images.put(image, STATUS, start + end)
        convert(image, "-o", out, expect=0)
        new = images.tool("debugfs", "e2fsprogs", "-R", f"cat {STATUS}", f"{out}?offset={FIRST}")
        assert new.startswith(start + end + b"\n" * max(0, 2 - len(end)) + b"Package: kmln-guest\n")
        assert new.endswith(b"\n\n") and new.count(b"Package:") == 2
        # apt and debconf are not there
        assert images.tool("debugfs", "e2fsprogs", "-R", "ls /var/lib/apt", f"{out}?offset={FIRST}") == b""
        assert convert(out, "--dry-run", expect=0).out == "nothing to do\n"


def test_hook(guest, converted, small_kernel):
    """kmln-guest in the guest: kernels come and go, words of the administrator stay, and nothing that is
    not kmln's is touched."""
    done, _ = converted(guest("systemd"))
    program = "/usr/lib/kmln/kmln-guest"
    release = re.search(r"vmlinuz-(\S+)", done.read("/boot/grub/grub.cfg"))[1]
    newer = "6.99.0-1-cloud-amd64"
    done.guest(f"cp -a /lib/modules/{release} /lib/modules/{newer}; cp /boot/vmlinuz-{release} /boot/vmlinuz-{newer}")
    images.call_kernel(Path(f"{done.folder}/boot/vmlinuz-{newer}"), release, newer)
    done.guest("sed -i 's/^append=/&panic=9/' /etc/kmln/boot.conf")
    before = done.read("/boot/grub/grub.cfg")
    assert f"made /boot/initrd.img-{newer}" in done.guest(f"{HOOKS[0]} {newer} /boot/vmlinuz-{newer}")
    text = done.read("/boot/grub/grub.cfg")
    assert re.findall(r"menuentry 'Linux (.*)'", text) == [newer, release]
    assert text.count(" panic=9\n") == 2 and text.splitlines()[:6] == before.splitlines()[:6]
    assert done.run("cmp", f"{done.folder}/boot/initrd.img-{newer}",
                    f"{done.folder}/boot/initrd.img-{release}") == ""
    # an upgrade calls both hooks, and a removal one
    done.guest(f"DEB_MAINT_PARAMS='upgrade 2' {HOOKS[1]} {newer} /boot/vmlinuz-{newer}")
    done.guest(f"DEB_MAINT_PARAMS='abort-upgrade' {HOOKS[0]} {newer} /boot/vmlinuz-{newer}")
    assert done.read("/boot/grub/grub.cfg") == text
    done.guest(f"rm -r /boot/vmlinuz-{newer} /lib/modules/{newer}; DEB_MAINT_PARAMS=remove {HOOKS[1]} {newer} x")
    assert re.findall(r"menuentry 'Linux (.*)'", done.read("/boot/grub/grub.cfg")) == [release]
    assert newer not in done.guest("ls /boot")
    # the last kernel: what is there stays, and it is said
    done.guest(f"mv /boot/vmlinuz-{release} /k")
    assert "no kernel here has" in done.guest(f"{program} update", expect=(1,))
    assert release in done.read("/boot/grub/grub.cfg")
    done.guest(f"mv /k /boot/vmlinuz-{release}")
    # compressed modules are unpacked by the guest's own programs
    whole = done.run("md5sum", f"{done.folder}/boot/initrd.img-{release}").split()[0]
    modules = f"{done.folder}/lib/modules/{release}"
    done.run("sh", "-c", f'find "{modules}" -name "*.ko" | xargs xz -q --check=crc32 && depmod -b {done.folder} {release}')
    assert "made" in done.guest(f"{program} installed {release}")
    assert done.run("md5sum", f"{done.folder}/boot/initrd.img-{release}").split()[0] == whole
    # another tool makes the initramfs; another GRUB configuration is somebody's own
    done.write("/usr/sbin/update-initramfs", "#!/bin/sh\n", 0o755)
    assert "made" not in done.guest(f"{program} installed {release}")
    done.write("/boot/grub/grub.cfg", "# mine\n")
    assert "is not kmln's" in done.guest(f"{program} update")
    assert done.read("/boot/grub/grub.cfg") == "# mine\n"
    for words in ("", "installed", "installed ../x", "removed a/b", "update x", "sing"):
        assert "usage:" in done.guest(f"{program} {words}", expect=(2,))


@pytest.mark.network
def test_fetched(guest, kmln, convert, tmp_path):
    """What the guest lacks comes from its own archives, once for all guests with the same keys."""
    home = tmp_path / "home"
    kmln("kernel", "add", guest("kernel"), env={"KMLN_HOME": home}, expect=0, timeout=120)
    run = convert(guest("systemd"), "--dry-run", home=home, expect=0, timeout=300)
    assert "fetching what the guest lacks for this kernel: linux-base" in run.err
    assert "note " not in run.out and "package linux-base" in run.out
    folder, = (home / "cache/fetched").iterdir()
    assert [path.name.split("_")[0] for path in (folder / ".packages").iterdir()] == ["linux-base"]
    again = convert(guest("systemd"), "--dry-run", home=home, expect=0,
                    env={"http_proxy": "http://127.0.0.1:9"})
    assert "fetching" not in again.err and again.out == run.out
    # where there is no network the guest is converted all the same
    shutil.rmtree(home / "cache/fetched")
    alone = convert(guest("systemd"), "--dry-run", home=home, expect=0, env={"http_proxy": "http://127.0.0.1:9"})
    assert re.search(r"^note .*needs linux-base .*, and it cannot be fetched", alone.out, re.M)


def test_versions():
    """kmln orders versions as dpkg does."""
    some = ["1", "1.0", "1.0-1", "1.0-1~deb12u1", "1:0.1", "0:1.0-1", "1.0~rc1", "1.0~~", "1.0+b1", "1.0.1",
            "6.1.192-2", "6.1.176-1", "30+20221128-1", "34.2-2", "4.12.1~deb12u1", "4.3~", "1.a", "1.0-0",
            "1.01", "1.1", "0", "0.120+deb8u2", "1.0-1-2"]
    pairs = [(a, b) for a in some for b in some]
    out = images.tool(runner.BUILD / "tests/boot/kit", None, "versions", stdin="".join(f"{a} {b}\n" for a, b in pairs).encode()).decode()
    for (a, b), mine in zip(pairs, out.split(), strict=True):
        for word in ("lt", "eq", "gt"):
            real = subprocess.run(["dpkg", "--compare-versions", a, word, b], check=False,
                                  stderr=subprocess.DEVNULL).returncode == 0
            assert real == (mine == word), (a, b, mine)
