# SPDX-License-Identifier: GPL-2.0-or-later
"""Package databases: those of rpm and pacman are made by the real programs and compared with what they
themselves list; then databases that are damaged, hostile or endless."""

import os
import re
import struct
import subprocess
import time

import pytest

import images
import runner
import trees

SPEC = """Name: {name}
Version: {version}
Release: {release}
{epoch}Summary: a test
License: GPL-2.0-or-later
BuildArch: noarch
%description
A test.
%post
touch {mark}
%files
"""


def shown(facts):
    return [(p["name"], p["version"], p["architecture"]) for p in facts["packages"]["list"]]


@pytest.fixture(scope="session")
def rpms(shared):
    """Three packages made by rpmbuild; one has an epoch, each a scriptlet that would leave a mark."""
    top = shared / f"rpms-{os.getpid()}"
    top.mkdir(exist_ok=True)
    for name, version, release, epoch in (("hello", "1.2", "3", "Epoch: 4\n"), ("world", "2.0~rc1", "1.el9", ""),
                                          ("tiny", "1", "1", "")):
        spec = top / f"{name}.spec"
        spec.write_text(SPEC.format(name=name, version=version, release=release, epoch=epoch,
                                    mark=top / "script-ran"))
        images.tool("rpmbuild", "rpm", "-bb", "--quiet", "--define", f"_topdir {top}/build", spec)
    return top


@pytest.fixture
def rpmdb(rpms, tmp_path):
    """A database made by the real rpm, and what rpm lists of it."""
    folder = tmp_path / "rpmdb"

    def rpm(*args):
        return images.tool("rpm", "rpm", "--dbpath", folder, *args)
    rpm("--initdb")
    # --justdb: this host gets no files of them
    rpm("-i", "--force-debian", "--justdb", "--noscripts", "--nodeps", *sorted(rpms.glob("build/RPMS/noarch/*.rpm")))
    lines = rpm("-qa", "--qf", "%{NAME}|%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}|%{ARCH}\\n").decode()
    return folder, sorted(tuple(line.split("|")) for line in lines.splitlines())


def rpm_files(folder, place="/usr/lib/sysimage/rpm"):
    return {f"{place}/{path.name}": path.read_bytes() for path in folder.iterdir()}


EXPECTED = [("hello", "4:1.2-3", "noarch"), ("tiny", "1-1", "noarch"), ("world", "2.0~rc1-1.el9", "noarch")]


@pytest.mark.parametrize("place", ["/usr/lib/sysimage/rpm", "/var/lib/rpm"])
def test_rpm_sqlite(facts_of, rpmdb, rpms, place):
    folder, listed = rpmdb
    assert listed == EXPECTED
    facts = facts_of(rpm_files(folder, place))
    assert facts["packages"]["manager"] == "rpm" and facts["packages"]["count"] == 3
    assert sorted(shown(facts)) == listed
    assert facts["notes"] == []
    assert not (rpms / "script-ran").exists()


def test_rpm_behind_links(facts_of, rpmdb):
    """Fedora's /var/lib/rpm is a link; one that climbs out of the guest stays in it."""
    folder, listed = rpmdb
    facts = facts_of({**rpm_files(folder, "/opt/db"), "/var/lib/rpm": trees.Link("../../../../opt/db")})
    assert sorted(shown(facts)) == listed


def test_rpm_with_its_log(facts_of, rpms, rpmdb, tmp_path):
    """Packages that are still in sqlite's write-ahead log count."""
    folder, _ = rpmdb
    script = ("import shutil, sqlite3, sys\n"
              "db = sqlite3.connect(sys.argv[1] + '/rpmdb.sqlite')\n"
              "db.execute('PRAGMA wal_autocheckpoint=0')\n"
              "db.execute(\"DELETE FROM Packages WHERE hnum = (SELECT hnum FROM Name WHERE key = 'tiny')\")\n"
              "db.commit()\n"
              "shutil.copytree(sys.argv[1], sys.argv[2])\n")
    runner.run(["/usr/bin/python3", "-c", script, folder, tmp_path / "copy"], expect=0)
    assert (tmp_path / "copy/rpmdb.sqlite-wal").stat().st_size > 0
    facts = facts_of(rpm_files(tmp_path / "copy"))
    assert sorted(shown(facts)) == [EXPECTED[0], EXPECTED[2]]


def headers(folder):
    """The packages' headers as rpm stores them, by its own number."""
    script = ("import sqlite3, sys\nfor n, b in sqlite3.connect(sys.argv[1]).execute("
              "'SELECT hnum, blob FROM Packages'): print(n, b.hex())\n")
    out = runner.run(["/usr/bin/python3", "-c", script, folder / "rpmdb.sqlite"], expect=0).out
    return {int(number): bytes.fromhex(data) for number, data in map(str.split, out.splitlines())}


def ndb(blobs):
    """SUSE's Packages.db by its documented layout: Debian's rpm writes no such files. The headers in it
    are rpm's own."""
    slots, body, at = [], b"", 4096
    for number, blob in blobs.items():
        size = -(-(16 + len(blob) + 12) // 16) * 16
        slots.append(struct.pack("<4sIII", b"Slot", number, at // 16, size // 16))
        data = struct.pack("<4sIII", b"BlbS", number, 1, len(blob)) + blob
        body += data.ljust(size - 12, b"\0") + struct.pack("<II4s", 0, len(blob), b"BlbE")
        at += size
    slots += [struct.pack("<4sIII", b"Slot", 0, 0, 0)] * (254 - len(slots))
    return struct.pack("<4sIIII12x", b"RpmP", 0, 1, 1, max(blobs) + 1) + b"".join(slots) + body


def test_rpm_ndb(facts_of, rpmdb):
    folder, listed = rpmdb
    facts = facts_of({"/usr/lib/sysimage/rpm/Packages.db": ndb(headers(folder))})
    assert sorted(shown(facts)) == listed and facts["packages"]["manager"] == "rpm"
    assert facts["notes"] == []


def test_rpm_berkeley(facts_of, rpmdb, tmp_path):
    """Written by Berkeley DB itself, with rpm's own headers: this rpm reads such files, but writes none."""
    folder, listed = rpmdb
    blobs = headers(folder)
    (tmp_path / "blobs").mkdir()
    for number, blob in blobs.items():
        (tmp_path / "blobs" / str(number)).write_bytes(blob)
    script = ("use DB_File; tie my %h, 'DB_File', $ARGV[0], O_CREAT|O_RDWR, 0644, $DB_HASH or die;"
              "my $max = 0; for my $f (glob \"$ARGV[1]/*\") { open my $i, '<:raw', $f; local $/;"
              "my ($n) = $f =~ /(\\d+)$/; $h{pack 'V', $n} = <$i>; $max = $n if $n > $max }"
              "$h{pack 'V', 0} = pack 'V', $max; untie %h")
    if subprocess.run(["perl", "-MDB_File", "-e", "1"], capture_output=True).returncode:
        pytest.skip("no DB_File, of the package perl")
    images.tool("perl", "perl", "-e", script, tmp_path / "Packages", tmp_path / "blobs")
    facts = facts_of({"/var/lib/rpm/Packages": (tmp_path / "Packages").read_bytes()})
    assert sorted(shown(facts)) == listed
    assert facts["notes"] == []


DAMAGED = r"the rpm database (\S+) is damaged: not all packages could be read"


def test_rpm_damaged(facts_of, inspect, rpmdb, tmp_path):
    """Cut off, overwritten, of the wrong kind, or not a database at all: a note, and the rest is read."""
    folder, _ = rpmdb
    whole = (folder / "rpmdb.sqlite").read_bytes()
    wrecks = {"rpmdb.sqlite": [whole[:5000], whole[:len(whole) // 2], b"", b"\xff" * 70000,
                               whole[:4096] + os.urandom(len(whole) - 4096)],
              "Packages": [b"", b"\x61\x15\x06\x00" * 5000, os.urandom(100000)],
              "Packages.db": [b"RpmP", ndb(headers(folder))[:5000],
                              struct.pack("<4sIIII", b"RpmP", 0, 0, 0xffffffff, 0) + bytes(9000)]}
    number = 0
    for name, contents in wrecks.items():
        for content in contents:
            number += 1
            facts = inspect(trees.image(tmp_path, {f"/var/lib/rpm/{name}": content}, name=f"{number}.img"))
            assert facts["packages"]["manager"] == "rpm", (name, number)
            assert facts["packages"]["count"] <= 3
            assert facts["hostname"] == "small"
            note, = facts["notes"]
            assert re.fullmatch(DAMAGED, note)[1] == f"/var/lib/rpm/{name}"
            os.unlink(tmp_path / f"{number}.img")


def test_rpm_blob_with_every_byte_changed(facts_of, inspect, rpmdb, tmp_path):
    """Headers with one byte changed: whatever librpm makes of it, kmln ends well and in time."""
    folder, _ = rpmdb
    blobs = headers(folder)
    first = min(blobs)
    blob = bytearray(blobs[first])
    changed = {}
    for at in range(0, 400):
        copy = bytearray(blob)
        copy[at] ^= 0xff
        changed[at + 1] = bytes(copy)
    # 400 headers do not fit a page of slots
    for part in (range(1, 201), range(201, 401)):
        facts = inspect(trees.image(tmp_path, {"/var/lib/rpm/Packages.db": ndb({n: changed[n] for n in part})},
                                    name=f"part{part.start}.img"))
        assert facts["packages"]["manager"] == "rpm"


def test_rpm_leaves_nothing(kmln, facts_of, rpmdb, tmp_path):
    """No copy of the database stays on the host, and no configuration of the user or guest is read."""
    folder, listed = rpmdb
    facts_of(rpm_files(folder))
    home = tmp_path / "home"
    home.mkdir()
    (home / ".rpmmacros").write_text(f"%_dbpath /nonexistent\n%x %(touch {tmp_path}/ran)\n%_db_backend %x\n")
    for scratch in ("scratch", "100%d"):
        (tmp_path / scratch).mkdir()
        run = kmln("inspect", facts_of.image, expect=0, env={"TMPDIR": tmp_path / scratch, "HOME": home})
        assert re.search(rf"^packages +{len(listed)} \(rpm\)$", run.out, re.M), run.out
        assert not list((tmp_path / scratch).iterdir())
    assert not (tmp_path / "ran").exists()


# --- pacman and apk

def test_pacman(facts_of, tmp_path):
    """A package made by hand, installed by the real pacman into a root of its own."""
    package = tmp_path / "package"
    trees.fill(package, {"/.PKGINFO": "pkgname = demo\npkgbase = demo\npkgver = 1:2.3-4\npkgdesc = a test\n"
                                      "url = none\nbuilddate = 1\npackager = none\nsize = 5\narch = any\n",
                         "/usr/share/demo": "demo\n"})
    images.tool("tar", "tar", "-C", package, "-cf", tmp_path / "demo-1:2.3-4-any.pkg.tar", "--force-local",
                ".PKGINFO", "usr")
    root = tmp_path / "root"
    (root / "var/lib/pacman").mkdir(parents=True)
    (tmp_path / "pacman.conf").write_text("[options]\nSigLevel = Never\nLocalFileSigLevel = Never\n")
    options = ["--root", root, "--config", tmp_path / "pacman.conf", "--cachedir", tmp_path / "cache",
               "--logfile", tmp_path / "log", "--hookdir", tmp_path]
    if os.geteuid() != 0:
        pytest.skip("pacman installs as root only")
    images.tool("pacman", "pacman-package-manager", *options, "-U", "--noconfirm", "--noscriptlet",
                tmp_path / "demo-1:2.3-4-any.pkg.tar")
    listed = images.tool("pacman", "pacman-package-manager", *options, "-Q").decode()
    assert listed == "demo 1:2.3-4\n"
    files = {f"/{path.relative_to(root)}": path.read_bytes() for path in root.rglob("var/lib/pacman/**/*")
             if path.is_file()}
    assert "/var/lib/pacman/local/demo-1:2.3-4/desc" in files
    facts = facts_of(files)
    assert facts["packages"]["manager"] == "pacman"
    assert shown(facts) == [("demo", "1:2.3-4", "any")]


# As apk-tools 2.14 writes it (apk-tools is not in Debian 12): fields of one letter, a line each, a blank
# line behind each package; F, R, a and Z are its folders and files.
APK = """C:Q1/4JYiMPdvlwsFf2kqYZoXvkLS9A=
P:musl
V:1.2.4-r2
A:x86_64
S:383459
I:622592
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1ydcCZwtgZuDmJSvWfHVsTlXIHA0=

C:Q1AZ0wZT7bFvBzJOJqBZoHMzGZmWU=
P:busybox
V:1.36.1-r15
A:x86_64
F:bin
M:0:0:1777
R:busybox
a:0:0:755
"""


@pytest.mark.parametrize("place", ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"])
def test_apk(facts_of, place):
    facts = facts_of({place: APK, "/etc/apk/world": "busybox\n"})
    assert facts["packages"]["manager"] == "apk"
    assert shown(facts) == [("musl", "1.2.4-r2", "x86_64"), ("busybox", "1.36.1-r15", "x86_64")]


def test_which_counts(facts_of, rpmdb):
    """A Debian with the rpm program has an empty database of rpm, and the other way round."""
    folder, listed = rpmdb
    facts = facts_of({"/var/lib/dpkg/status": "", **rpm_files(folder)})
    assert facts["packages"]["manager"] == "rpm" and sorted(shown(facts)) == listed


def test_empty_database_counts(facts_of):
    assert facts_of({"/var/lib/dpkg/status": ""})["packages"] == {"manager": "dpkg", "count": 0, "list": []}


# --- endless and hostile

def fill_image(tmp_path, path, writer, size):
    """An image whose file is made outside first; `writer` writes it."""
    source = tmp_path / "big"
    with open(source, "wb") as file:
        writer(file)
    image = trees.image(tmp_path, {path: source}, size=size, name="big.img")
    os.unlink(source)
    return image


def status_500(file):
    """500 MB, 40 bytes a package."""
    block = b"".join(b"Package: p%06d\nVersion: 1\nStatus: x x\n\n" % n for n in range(25000))
    while file.tell() < 500 << 20:
        file.write(block)


def line_500(file):
    """One line of 500 MB."""
    file.write(b"Package: x")
    for _ in range(500):
        file.write(b"y" * (1 << 20))
    file.write(b"\nVersion: 1\n")


def hole_500(file):
    file.write(b"Package: first\nVersion: 1\n\n")
    file.truncate(500 << 20)


@pytest.mark.parametrize("writer, count, note", [
    (status_500, 40000, "more packages than can be listed: only the first 40000 are"),
    (line_500, 1, None),
    (hole_500, 1, None),
])
def test_endless_status(kmln, inspect, tmp_path, writer, count, note):
    """500 MB of dpkg's status: under 64 MB of memory, within seconds, and it says what was left out."""
    image = fill_image(tmp_path, "/var/lib/dpkg/status", writer, "700M")
    began = time.monotonic()
    facts = inspect(image)
    assert time.monotonic() - began < 20
    assert facts["packages"]["count"] == count
    assert facts["notes"] == ([note] if note else [])
    if note:
        assert note in kmln("inspect", image, expect=0).out
    images.within(64_000, "inspect", image, "--format", "json")


def test_endless_apk(inspect, tmp_path):
    image = fill_image(tmp_path, "/lib/apk/db/installed",
                       lambda file: file.write(b"P:x\nV:1\nA:all\n\n" * 2_000_000), "100M")
    assert inspect(image)["packages"]["count"] == 40000
    images.within(64_000, "inspect", image, "--format", "json")


def test_long_fields(inspect, tmp_path):
    """Fields of 500 bytes in each package: the bytes are bounded too."""
    field = "v" * 500
    image = fill_image(tmp_path, "/var/lib/dpkg/status", lambda file: file.write(
        f"Package: {field}\nVersion: {field}\nArchitecture: {field}\nStatus: {field}\n\n".encode() * 30000),
        "100M")
    facts = inspect(image)
    assert 1000 < facts["packages"]["count"] < 10000
    assert facts["notes"] == [f"more packages than can be listed: only the first "
                              f"{facts['packages']['count']} are"]
    images.within(64_000, "inspect", image)


def test_huge_rpm_database(inspect, tmp_path):
    """One that claims 600 MB is not copied."""
    image = fill_image(tmp_path, "/var/lib/rpm/rpmdb.sqlite", lambda file: file.truncate(600 << 20), "64M")
    facts = inspect(image)
    note, = facts["notes"]
    assert note == ("the rpm database cannot be read: /var/lib/rpm/rpmdb.sqlite: longer than 512 MiB")
    assert facts["packages"] == {"manager": "rpm", "count": 0, "list": []}


def test_odd_databases(facts_of):
    """Folders, links in a circle and links to nowhere in the place of databases."""
    facts = facts_of({"/var/lib/dpkg/status": trees.Link("status"), "/var/lib/rpm": trees.Link("rpm"),
                      "/usr/lib/sysimage/rpm/rpmdb.sqlite": None, "/lib/apk/db": trees.Link("/proc/self/fd"),
                      "/var/lib/pacman/local/x-1": trees.Link("x-1"),
                      "/var/lib/pacman/local/y-1/desc": "%NAME%\n", "/var/lib/pacman/local/z-1/desc":
                      "%NAME%\nz\n\n%VERSION%\n1-1\n"})
    assert facts["packages"]["manager"] == "pacman"
    assert [p["name"] for p in facts["packages"]["list"]] == ["z"]
