# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's side of a conversion: images that machines have open, outputs that cannot be written,
programs that are missing, command lines that are wrong, and kmln killed."""

import os
import shutil
import signal
import stat
import subprocess
import time

import pytest

import faults
import guests
import images
import machines
import runner

FIRST = images.MIB
KMLN = runner.BUILD / "kmln"


# --- in use

@pytest.mark.boot
def test_in_use_by_uml(convert, box, tmp_path):
    runner.need_program("linux.uml", "user-mode-linux")
    log = tmp_path / "log"
    machines.with_rc(box, f"echo '{guests.READY}'\nsleep 1000\n")
    with images.uml(box, log):
        machines.wait_for(machines.ready(log), "the guest", 60)
        run = convert(box, "-o", tmp_path / "out.raw", expect=1)
        assert f"{box}: in use: a running machine (UML, QEMU) or another kmln has it open" in run.err
    assert not (tmp_path / "out.raw").exists()


def test_in_use_by_qemu(convert, box, tmp_path):
    with images.qemu(box):
        run = convert(box, "-o", tmp_path / "out.raw", expect=1)
        assert f"{box}: in use: a running machine (UML, QEMU) or another kmln has it open" in run.err
    assert not (tmp_path / "out.raw").exists()
    # one that only reads is no hindrance
    with images.qemu(box, ",snapshot=on"):
        convert(box, "-o", tmp_path / "out.raw", expect=0)


@pytest.mark.boot
def test_locked_while_converting(small_home, box, tmp_path):
    """As long as kmln reads the image, no machine can write to it; another kmln can read it."""
    uml = runner.need_program("linux.uml", "user-mode-linux")
    env = {**os.environ, "KMLN_HOME": os.fspath(small_home)}
    out = tmp_path / "out.raw"
    with subprocess.Popen([KMLN, "convert", box, "--to", "kvm", "-o", out], env=env,
                          stderr=subprocess.DEVNULL) as first:
        images.wait_for_lock(box)
        first.send_signal(signal.SIGSTOP)
        try:
            machine = runner.run([uml, "mem=64M", f"ubd0={box}", "root=/dev/ubda", "con0=null,fd:1",
                                  "con=none", "ssl=none"], timeout=30, env={"TMPDIR": tmp_path, "HOME": tmp_path})
            assert machine.status != 0 and f"Failed to lock '{box}'" in machine.out + machine.err
            machine = runner.run(images.qemu_argv(box), timeout=30)
            assert machine.status == 1 and "Failed to get \"write\" lock" in machine.err
            runner.run([KMLN, "convert", box, "--to", "kvm", "-o", tmp_path / "second.raw"],
                       env={"KMLN_HOME": small_home}, expect=0)
            assert first.poll() is None
        finally:
            first.send_signal(signal.SIGCONT)
        assert first.wait(60) == 0
    assert images.clean(out, FIRST)
    # and afterwards it is free
    with images.qemu(box):
        pass


# --- the output

def test_output_is_the_image(convert, box, tmp_path):
    before = images.fingerprint(box)
    os.link(box, tmp_path / "hard")
    os.symlink(box, tmp_path / "soft")
    for name in (box, tmp_path / "hard", tmp_path / "soft"):
        for force in ([], ["--force"]):
            run = convert(box, "-o", name, *force, expect=2)
            assert "would be written over itself" in run.err
    assert images.fingerprint(box)[0:2] == before[0:2]


def test_output_in_no_folder(convert, box, tmp_path):
    run = convert(box, "-o", tmp_path / "no/where/out.raw", expect=1)
    assert f"kmln: {tmp_path}/no/where/out.raw: No such file or directory\n" in run.err
    (tmp_path / "file").touch()
    run = convert(box, "-o", tmp_path / "file/out.raw", expect=1)
    assert "Not a directory" in run.err


def test_output_is_no_file(convert, box, tmp_path):
    (tmp_path / "folder/box.img").mkdir(parents=True)
    os.mkfifo(tmp_path / "fifo")
    os.symlink("nowhere", tmp_path / "link")
    for name in ("fifo", "link"):
        for force in ([], ["--force"]):
            run = convert(box, "-o", tmp_path / name, *force, expect=1)
            assert f"{tmp_path / name} is there already" in run.err
    # a folder takes the image under its own name, which is this one's
    assert "folder/box.img is there already" in convert(box, "-o", tmp_path / "folder", expect=1).err
    assert sorted(os.listdir(tmp_path)) == ["box.img", "fifo", "folder", "link"]


def test_odd_names(kmln, small_home, guest, tmp_path):
    """Names that mean something to a shell, to e2fsprogs or to an option parser."""
    for number, name in enumerate((b"a?offset=1048576", b"blank and 'quote", b"new\nline", b"\xff\xfe", b"-n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        image, out = os.fsencode(folder) + b"/" + name, os.fsencode(folder) + b"/out" + name
        shutil.copy(guest("busybox"), image)
        env = {"KMLN_HOME": small_home}
        kmln("inspect", "--", name, cwd=folder, expect=0)
        kmln("convert", "--to", "kvm", "-o", out, "--", name, cwd=folder, env=env, expect=0)
        assert os.path.getsize(out) == os.path.getsize(image) + FIRST
        assert sorted(os.listdir(os.fsencode(folder))) == sorted([name, b"out" + name])


@pytest.mark.parametrize("umask, mode", [(0, 0o644), (0o022, 0o644), (0o077, 0o600)])
def test_mode(small_home, box, tmp_path, umask, mode):
    """As the user's umask has it, and never writable for others."""
    runner.run(["sh", "-c", f'umask {umask:o}; exec "$@"', "sh", KMLN, "convert", box, "--to", "kvm", "-o",
                tmp_path / "out.raw"], env={"KMLN_HOME": small_home}, expect=0)
    assert stat.S_IMODE(os.stat(tmp_path / "out.raw").st_mode) == mode


def test_two_at_once(small_home, box, tmp_path):
    """Of two that make the same OUT one wins, and the other says so."""
    argv = [KMLN, "convert", "-q", box, "--to", "kvm", "-o", tmp_path / "out.raw"]
    env = {**os.environ, "KMLN_HOME": os.fspath(small_home)}
    both = [subprocess.Popen(argv, env=env, stderr=subprocess.PIPE) for _ in range(2)]
    words = [child.communicate(timeout=60)[1] for child in both]
    assert sorted(child.returncode for child in both) == [0, 1], words
    assert b"out.raw" in b"".join(words) and (b"xist" in b"".join(words) or b"is there already" in b"".join(words))
    assert images.clean(tmp_path / "out.raw", FIRST)
    assert sorted(os.listdir(tmp_path)) == ["box.img", "out.raw"]


@pytest.mark.parametrize("args", [["inspect"], ["inspect", "--format", "json"],
                                  ["convert", "--to", "kvm", "--dry-run"]], ids=["text", "json", "plan"])
def test_nowhere_to_print(small_home, box, args):
    run = runner.run(["sh", "-c", 'exec "$@" >/dev/full', "sh", KMLN, *args, box],
                     env={"KMLN_HOME": small_home}, expect=1)
    assert run.err.splitlines()[-1].startswith("kmln: ") and "utput" in run.err


def test_no_inodes(convert, box_tree, tmp_path):
    image = tmp_path / "guest.img"
    images.tool("mke2fs", "e2fsprogs", "-q", "-t", "ext4", "-N", "320", "-d", box_tree, image, "64M")
    run = convert(image, "-o", tmp_path / "out.raw", expect=1)
    assert "inodes left, and" in run.err and "files are to be added" in run.err
    assert os.listdir(tmp_path) == ["guest.img"]


def test_output_folder_closed(kmln, guest, ordinary_user):
    image = ordinary_user.give(guest("busybox"), "guest.img")
    run = kmln("convert", image, "--to", "kvm", "-o", "/usr/out.raw", user=ordinary_user,
               env={"KMLN_HOME": ordinary_user.home})
    # without a kernel it may not come that far
    assert run.status in (1, 5) and not os.path.exists("/usr/out.raw")


def in_namespace(script, *argv, home=None, **options):
    """Runs kmln with these arguments after a shell script, as root of a mount namespace."""
    runner.need_program("unshare", "util-linux")
    maybe = [] if os.geteuid() == 0 else ["--map-root-user"]
    return runner.run(["unshare", "-m", *maybe, "sh", "-c", f'set -e\n{script}\nexec "$@"', "sh", KMLN, *argv],
                      env={"KMLN_HOME": home}, timeout=120, **options)


@pytest.mark.parametrize("megabytes", [1, 6, 12, 16])
def test_disk_full(small_home, box, tmp_path, megabytes):
    """At whatever point the disk is full, it is said, and the room is given back."""
    full = tmp_path / "full"
    full.mkdir()
    script = f"mount -t tmpfs -o size={megabytes}M none {full}\n" \
        '"$@" && exit 0; status=$?; ls -A ' f"{full}; df --output=used {full} | tail -n 1; exit $status"
    run = in_namespace(script, "convert", box, "--to", "kvm", "-o", full / "out.raw", home=small_home,
                       expect=1)
    assert "No space left on device" in run.err, run
    assert run.err.splitlines()[-1].startswith(f"kmln: {full}/out.raw: ")
    assert run.out.split() == ["0"]


def test_file_size_limit(small_home, box, tmp_path):
    run = in_namespace("trap '' XFSZ; ulimit -f 10000", "convert", box, "--to", "kvm", "-o",
                       tmp_path / "out.raw", home=small_home, expect=1)
    assert "File too large" in run.err
    assert os.listdir(tmp_path) == ["box.img"]


# --- the host lacks something

HIDE_KERNELS = ("for folder in /boot /lib/modules; do [ ! -d $folder ] || "
                "mount -t tmpfs none $folder; done")


def test_no_kernel(box, tmp_path):
    """No kit, no kernel of the host, and a guest that knows no archive."""
    run = in_namespace(HIDE_KERNELS, "convert", box, "--to", "kvm", "-o", tmp_path / "out.raw",
                       home=tmp_path / "home", expect=5)
    assert "no kernel is in the guest, the cache or the host" in run.err and "--kernel" in run.err
    images.debugfs(box, "mkdir /var/lib/dpkg", "mkdir /etc/apt")
    images.put(box, "/var/lib/dpkg/status", "Package: x\nVersion: 1\n")
    for sources in ("", "deb file:/etc x main\n"):
        images.put(box, "/etc/apt/sources.list", sources)
        run = in_namespace(HIDE_KERNELS, "convert", box, "--to", "kvm", "-o", tmp_path / "out.raw",
                           home=tmp_path / "home", expect=5)
        assert "no kernel was to be had from the guest's package archives (give one by --kernel, or " \
            "for all guests by `kmln kernel add FILE.deb`): " \
            "the guest names no package archive that can be reached" in run.err
    assert not (tmp_path / "out.raw").exists()


@pytest.mark.parametrize("program, package, options", [
    ("grub-mkimage", "grub-common", []), ("e2fsck", "e2fsprogs", []),
    ("resize2fs", "e2fsprogs", ["--size", "128M"])])
def test_tool_missing(small_home, box, tmp_path, program, package, options):
    """What is in no folder of programs, kmln's own places included."""
    full = runner.need_program(program, package)
    (tmp_path / "no program").touch()
    run = in_namespace(f"mount --bind '{tmp_path}/no program' {os.path.realpath(full)}", "convert", box,
                       "--to", "kvm", "-o", tmp_path / "out.raw", *options, home=small_home, expect=5)
    assert run.err.endswith(f"{program} is not installed (Debian package {package})\n")
    assert sorted(os.listdir(tmp_path)) == ["box.img", "no program"]


def test_grub_images_missing(small_home, box, tmp_path):
    run = in_namespace("mount -t tmpfs none /usr/lib/grub/i386-pc", "convert", box, "--to", "kvm", "-o",
                       tmp_path / "out.raw", home=small_home, expect=5)
    assert "Debian package grub-pc-bin" in run.err


# --- killed

def stray(folder, out):
    """What lies in the folder beside the image and the output."""
    return [name for name in os.listdir(folder) if name not in ("box.img", out.name)]


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["new", "force"])
def test_killed(small_home, box, tmp_path, force):
    """kill -9 at moments all over a conversion: no half OUT under its name, no second file, the source
    as it was and free again. An OUT that is to be replaced is the old one or the new one."""
    out = tmp_path / "out.raw"
    argv = [KMLN, "convert", "-q", box, "--to", "kvm", "-o", out, *force]
    env = {**os.environ, "KMLN_HOME": os.fspath(small_home), "PATH": runner.PATH, **runner.sanitizer_env()}
    before = images.fingerprint(box)
    start = time.monotonic()
    subprocess.run(argv, env=env, check=True)
    length = time.monotonic() - start
    ended = set()
    for step in range(16):
        out.unlink(missing_ok=True)
        if force:
            out.write_text("old")
        child = subprocess.Popen(argv, env=env, start_new_session=True)
        time.sleep(length * step / 14)
        os.killpg(child.pid, signal.SIGKILL)
        ended.add(child.wait())
        assert stray(tmp_path, out) == []
        if out.exists() and out.stat().st_size != 3:
            # the times of what was put in differ from run to run, so the disk is looked at
            assert images.clean(out, FIRST)
            assert os.path.getsize(out) == os.path.getsize(box) + FIRST
        elif force:
            assert out.read_text() == "old"
        assert images.fingerprint(box) == before
    assert -signal.SIGKILL in ended and ended <= {-signal.SIGKILL, 0}
    # what a killed kmln had locked is free
    with images.qemu(box):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ended(small_home, box, tmp_path, number):
    """Told to end, it leaves nothing either."""
    assert faults.killed_at([KMLN, "convert", "-q", box, "--to", "kvm", "-o", tmp_path / "out.raw"], "pwrite64",
                            20, {"KMLN_HOME": small_home}, number_of_signal=number)
    assert os.listdir(tmp_path) == ["box.img"]


# --- the command line

@pytest.mark.parametrize("args, words", [
    (["convert"], "convert: needs IMAGE"),
    (["convert", "IMAGE"], "for which platform? --to kvm"),
    (["convert", "IMAGE", "--to", "kvm"], "into which file? -o OUT; or --in-place, or --dry-run"),
    (["convert", "IMAGE", "--to", "vmware", "-n"], "vmware"),
    (["convert", "IMAGE", "--to", "container", "-n"], "container"),
    (["convert", "IMAGE", "--to", "kvm", "-o"], "output"),
    (["convert", "IMAGE", "--to", "kvm", "-n", "--size", "big"], "'big' is not a size"),
    (["convert", "IMAGE", "--to", "kvm", "-n", "--size", "99999999999T"], "size"),
    (["convert", "IMAGE", "--to", "kvm", "--nosuch"], "nosuch"),
    (["inspect"], "inspect: needs IMAGE"),
    (["inspect", "IMAGE", "IMAGE"], "one argument too many"),
    (["inspect", "IMAGE", "--format", "xml"], "xml"),
    (["kernel"], "kernel: needs"), (["kernel", "remove"], "list or add, not 'remove'"),
    (["kernel", "add"], "which .deb file or folder?"), (["kernel", "list", "x"], "takes no argument")])
def test_command_line(kmln, box, args, words):
    run = kmln(*[box if arg == "IMAGE" else arg for arg in args], expect=2)
    assert words in run.err and run.out == ""
