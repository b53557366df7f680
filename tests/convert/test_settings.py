# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of guests as edits (src/guest/set-*.c), driven by tests/unit/settings-tool.c: what is planned
for each kind of guest, that the second plan is empty, that what is no longer asked for is taken back,
and that no value leaves its line."""

import copy
import difflib
import json
import os
import re
import stat
import subprocess
import time
from pathlib import Path

import pytest

import ext4reader
import guests
import guesttree
import images
import runner
import trees

GOLDEN = runner.ROOT / "tests/convert/golden/settings"
MAC = "02:00:00:00:00:01"

# yescrypt of "pw"
HASH = "$y$j9T$0123456789abcdef$Z3ZyDzsqIyg0Lh0y4fIhc5ac6HHIFQDfwqzcFxZM4yB"

ALL = {
    "hostname": "n1",
    "hosts": [{"address": "10.1.0.1", "names": ["n1", "n1.lab"]},
              {"address": "fd00::2", "names": ["n2"]}],
    "nameservers": ["10.1.0.53"],
    "root_password": "secret",
    "users": [{"name": "eve", "hash": HASH}, {"name": "bob", "home": "/srv/bob", "uid": 1500},
              {"name": "cat", "password": "meow"}],
    "groups": [{"name": "lab", "members": ["eve", "bob"]}, {"name": "root", "members": ["eve"]}],
    "keys": [{"user": "eve", "text": "ssh-ed25519 AAAA eve@x\n"},
             {"user": "root", "text": "ssh-rsa BBBB one\nssh-rsa CCCC two"}],
    "interfaces": [{"name": "eth0", "mac": MAC, "addresses": ["10.1.0.1/24", "fd00::1/64"],
                    "gateway4": "10.1.0.254", "gateway6": "fd00::fe"},
                   {"name": "eth1", "dhcp": True, "optional": True}, {"name": "eth2", "manual": True}],
    "files": [{"path": "/etc/motd", "data": "hello\n", "mode": 0o644},
              {"path": "/opt/x/bin", "data": "a\0b", "mode": 0o4755, "uid": 3, "gid": 4}],
    "mounts": [{"device": "LABEL=da ta", "point": "/srv/data", "type": "ext4", "options": "noatime,nofail"}],
    "swaps": ["/dev/vdb"],
    "modules": ["tun"],
    "startup": ["echo one > /one", "echo \"two $HOME\" '$1' >> /one"],
    "shutdown": ["echo bye > /bye; sync"],
    "empty_machine_id": True,
    "new_host_keys": True,
    "agent": True,
}

PASSWD = {"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "/etc/group": "root:x:0:\n",
          "/etc/shadow": "root:*:19000:0:99999:7:::\n"}
SYSTEMD = {**PASSWD, "/usr/lib/systemd/systemd": trees.PROGRAM,
           "/sbin/init": trees.Link("/usr/lib/systemd/systemd"),
           "/etc/systemd/system/multi-user.target.wants": None,
           "/etc/resolv.conf": trees.Link("../run/systemd/resolve/stub-resolv.conf"), "/root": None}
WANTS = "/etc/systemd/system/multi-user.target.wants/"
# what tells one network system from the other
SMALL = {
    "netplan": {**SYSTEMD, "/usr/sbin/netplan": "#!/bin/sh\n",
                "/etc/netplan/50-cloud.yaml": "network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n"},
    "networkd": {**SYSTEMD, "/usr/lib/systemd/systemd-networkd": trees.PROGRAM,
                 "/usr/lib/systemd/system/systemd-networkd.service": "[Unit]\n",
                 "/etc/systemd/network/10-lan.network": "[Match]\nName=eth0\n\n[Network]\nDHCP=yes\n"},
    "networkmanager": {**SYSTEMD, "/usr/lib/systemd/network": None, WANTS + "NetworkManager.service":
                       trees.Link("/usr/lib/systemd/system/NetworkManager.service")},
    # an old one, whose udev has rules for names
    "ifcfg": {**SYSTEMD, "/bin/udevadm": "", "/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=old\n",
              "/etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\nBOOTPROTO=dhcp\nONBOOT=yes\n",
              "/etc/resolv.conf": "nameserver 192.0.2.1\n"},
    "openrc": {**PASSWD, "/sbin/init": trees.Link("openrc-init"), "/sbin/openrc-init": trees.PROGRAM,
               "/etc/init.d/local": "", "/root": None,
               "/etc/runlevels/default": None, "/etc/inittab": "::sysinit:/sbin/openrc sysinit\n",
               "/etc/conf.d/hostname": '# its name\nhostname="old"\n',
               "/etc/network/interfaces": "auto lo eth0\niface lo inet loopback\n"
                                          "iface eth0 inet dhcp\n\thostname old\n\niface eth9 inet dhcp\n"},
}
BIG = ("busybox", "systemd", "sysvinit")


def settings(action, guest, what, expect=0):
    return runner.run([runner.BUILD / "tests/unit/settings-tool", action, guest],
                      stdin=json.dumps(what), expect=expect)


def golden(name, text):
    # another compiler makes another agent
    text = re.sub(r"(/kmln-agent 0755 0:0), [0-9.]+ kB", r"\1, SIZE", text)
    path = GOLDEN / name
    if os.environ.get("KMLN_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), "".join(difflib.unified_diff(
        path.read_text().splitlines(True), text.splitlines(True)))


@pytest.fixture(params=(*BIG, *SMALL))
def image(request, guest, tmp_path):
    """An image that may be changed; its name says of which kind."""
    if request.param in SMALL:
        return trees.image(tmp_path, SMALL[request.param], name=f"{request.param}.img")
    return guests.copy(guest(request.param), tmp_path / f"{request.param}.img")


def content(image, path):
    done = subprocess.run(["debugfs", "-R", f"cat {path}", image], capture_output=True, check=True,
                          env={**os.environ, "PATH": runner.PATH})
    return done.stdout.decode()


def test_plan_apply_and_back(image):
    """The plan, as golden text; the next one is empty; without settings all is as it was, but for homes,
    folders and what a guest makes anew."""
    before = ext4reader.read(image)
    planned = settings("plan", image, ALL)
    golden(f"{image.stem}.txt", planned.out)
    assert not ext4reader.changed(before, ext4reader.read(image))
    assert settings("apply", image, ALL).out == planned.out
    images.clean(image)
    assert settings("plan", image, ALL).out == "", "the second plan must be empty"

    objects = ext4reader.read(image)
    assert objects[b"/opt/x/bin"].mode & 0o7777 == 0o4755
    assert (objects[b"/opt/x/bin"].uid, objects[b"/opt/x/bin"].gid) == (3, 4)
    eve = objects[b"/home/eve"]
    assert eve.mode & 0o7777 == 0o700 and eve.uid >= 1000 and eve.gid >= 1000
    for path, mode in ((b"/home/eve/.ssh", 0o700), (b"/home/eve/.ssh/authorized_keys", 0o600)):
        assert (objects[path].mode & 0o7777, objects[path].uid, objects[path].gid) == (mode, eve.uid, eve.gid)

    settings("apply", image, {})
    images.clean(image)
    assert settings("plan", image, {}).out == ""
    left = ext4reader.changed(before, ext4reader.read(image))
    made_anew = {b"/etc/machine-id", b"/var/lib/dbus/machine-id"}
    assert not left.removed - made_anew
    homes = (b"/home/eve", b"/home/cat", b"/srv/bob")
    for path in left.added:
        assert path.startswith(homes) or objects[path].type == "folder", path
    for path, fields in left.changed.items():
        assert path in made_anew or not set(fields) - {"mtime", "links", "size"}, (path, fields)
        if "size" in fields and path not in made_anew:
            assert before[path].type == "folder"


@pytest.mark.parametrize("name", ("systemd", "networkd", "ifcfg", "openrc"))
def test_folder(name, guest, tmp_path):
    """The same edits on the other kind of tree."""
    if os.geteuid() != 0:
        runner.lacking("owners in a folder need root")
    if name in SMALL:
        image = trees.image(tmp_path, SMALL[name])
        folder = tmp_path / "small.img.tree"
        for at in [folder, *folder.rglob("*")]:
            os.chown(at, 0, 0, follow_symlinks=False)
    else:
        image = guest(name)
        folder = guesttree.Tree.of(image, tmp_path / "folder").folder
    planned = settings("apply", folder, ALL).out
    # the salt of a hash knows the filesystem's UUID; hashes are not shown
    assert planned == settings("plan", image, ALL).out
    assert settings("plan", folder, ALL).out == ""
    assert stat.S_IMODE((folder / "opt/x/bin").stat().st_mode) == 0o4755
    settings("apply", folder, {})
    assert settings("plan", folder, {}).out == ""
    assert not (folder / "etc/kmln/settings").exists() and not (folder / "opt/x/bin").exists()


def test_changes_replace_only_ours(image):
    """Another address, user, line: kmln's own lines change and nothing else."""
    settings("apply", image, ALL)
    other = copy.deepcopy(ALL)
    other["hosts"][0]["address"] = "10.1.0.7"
    other["interfaces"][0]["addresses"] = ["10.1.0.7/16"]
    other["startup"] = ["echo three > /one"]
    other["users"][0]["name"] = "eva"
    other["groups"] = [{"name": "lab", "members": ["eva"]}]
    other["keys"][0]["user"] = "eva"
    out = settings("apply", image, other).out
    changed = [line.strip() for line in out.splitlines() if line.startswith("        ")]
    gone = [line[1:] for line in changed if line.startswith("-")]
    assert gone and all(any(word in line for word in (
        "10.1.0.1", "255.255.255.0", "PREFIX=24", "eve", "/one", "fd00::1", "fd00::fe", "IPV6", "ipv6", "IPv6", "accept-ra", "accept_ra",
        "netmask 64",
        "gateway", "inet6", "to: \"0.0.0.0", "addresses: [", "method=manual", "kmln")) for line in gone), gone
    assert settings("plan", image, other).out == ""
    passwd = content(image, "/etc/passwd")
    assert "eve:" not in passwd and "eva:" in passwd and "bob:x:1500" in passwd.replace("bob:!", "bob:x")
    assert "eve" not in content(image, "/etc/group")
    assert "10.1.0.1\t" not in content(image, "/etc/hosts") and "10.1.0.7\tn1" in content(image, "/etc/hosts")


def test_others_lines_stay(tmp_path):
    """What was there before, and what people wrote since, also into files that kmln changed."""
    image = trees.image(tmp_path, {**SMALL["openrc"], "/etc/hosts": "127.0.0.1 localhost\n192.0.2.7 printer",
                                   "/etc/fstab": "LABEL=root / ext4 defaults 0 1"})
    before = content(image, "/etc/hosts")
    settings("apply", image, ALL)
    hosts = content(image, "/etc/hosts")
    assert hosts.endswith(before) and hosts.startswith("# kmln begins: hosts\n10.1.0.1\tn1 n1.lab\n")
    interfaces = content(image, "/etc/network/interfaces")
    assert "#kmln auto lo eth0\n" in interfaces and "\nauto lo\n" in interfaces
    assert "#kmln \thostname old\n" in interfaces and "\niface eth9 inet dhcp\n" in interfaces
    images.put(image, "/etc/hosts", (hosts + "\n192.0.2.8 mine\n").encode())
    images.put(image, "/etc/motd", b"mine\n")
    images.put(image, "/etc/local.d/kmln.start", b"mine\n", 0o755)
    back = settings("apply", image, {})
    assert content(image, "/etc/hosts") == before + "\n192.0.2.8 mine\n"
    assert content(image, "/etc/motd") == "mine\n" and content(image, "/etc/local.d/kmln.start") == "mine\n"
    assert back.out.count("stays: it was changed since") == 2
    assert content(image, "/etc/network/interfaces") == SMALL["openrc"]["/etc/network/interfaces"]


def test_passwords(tmp_path):
    image = trees.image(tmp_path, {**SMALL["ifcfg"],
                                   "/etc/passwd": PASSWD["/etc/passwd"] + "old:x:1000:100::/srv/old:/bin/sh\n+::::::\n",
                                   "/etc/shadow": PASSWD["/etc/shadow"] + "old:$6$x$y:19000:0:99999:7:::\n",
                                   "/etc/gshadow": "root:*::\n"})
    what = {"root_password": "secret", "users": [{"name": "old", "hash": HASH}, {"name": "cat"}]}
    settings("apply", image, what)
    lines = dict(line.split(":", 1) for line in content(image, "/etc/shadow").splitlines())
    root = lines["root"].split(":")[0]
    check = ("import crypt,sys; sys.exit(crypt.crypt(sys.argv[1], sys.argv[2]) != sys.argv[2])")
    runner.run(["/usr/bin/python3", "-W", "ignore", "-c", check, "secret", root], expect=0)
    runner.run(["/usr/bin/python3", "-W", "ignore", "-c", check, "Secret", root], expect=1)
    assert lines["root"].endswith(":19000:0:99999:7:::"), "the other fields stay"
    assert lines["old"] == HASH + ":19000:0:99999:7:::" and lines["cat"] == "!::0:99999:7:::"
    passwd = content(image, "/etc/passwd")
    assert passwd.endswith("cat:x:1001:1001::/home/cat:/bin/sh\n+::::::\n"), "NIS stays last; 1000 is taken"
    assert "cat:!::" in content(image, "/etc/gshadow") and "cat:x:1001:" in content(image, "/etc/group")
    # the same password again: nothing; another: another hash
    assert settings("plan", image, what).out == ""
    assert settings("plan", image, {**what, "root_password": "other"}).out != ""
    # no salt that another guest or user has
    assert root.rsplit("$", 1)[0] != settings("apply", image, {"users": [{"name": "cat", "password": "secret"}]}) \
        and root not in content(image, "/etc/shadow")
    assert "root:*:" in content(image, "/etc/shadow") and "old:$6$x$y:" in content(image, "/etc/shadow")


def test_clones(tmp_path):
    """What copies must not share; links of the guest stay."""
    image = trees.image(tmp_path, {**SMALL["networkd"], "/etc/machine-id": "0" * 32 + "\n",
                                   "/var/lib/dbus/machine-id": "0" * 32 + "\n",
                                   "/usr/bin/ssh-keygen": trees.PROGRAM,
                                   "/etc/ssh/ssh_host_rsa_key": "secret", "/etc/ssh/ssh_host_rsa_key.pub": "x",
                                   "/etc/ssh/sshd_config": "# mine\n"})
    settings("apply", image, {"empty_machine_id": True, "new_host_keys": True})
    objects = ext4reader.read(image)
    assert objects[b"/etc/machine-id"].size == 0 and b"/var/lib/dbus/machine-id" not in objects
    assert [path for path in objects if path.startswith(b"/etc/ssh/")] == [b"/etc/ssh/sshd_config"]
    assert "/usr/bin/ssh-keygen -A\n" in content(image, "/etc/kmln/boot.sh")
    assert b"/etc/systemd/system/multi-user.target.wants/kmln-boot.service" in objects


def test_logins_on_the_agents_line(tmp_path):
    """They are silenced, and speak again when it goes; the line that starts it is of the guest's kind."""
    lines = "ttyS0::respawn:/sbin/getty -L ttyS0\nttyS1::respawn:/sbin/getty -L ttyS1 115200 vt100\n"
    for begin, start in (("::sysinit:/sbin/openrc sysinit\n", "::respawn:"),
                         ("id:3:initdefault:\n", "kmln:12345:respawn:")):
        (tmp_path / start).mkdir()
        image = trees.image(tmp_path / start, {**SMALL["openrc"], "/etc/inittab": begin + lines})
        settings("apply", image, {"agent": True})
        assert content(image, "/etc/inittab") == begin + lines.replace("ttyS1::", "#kmln ttyS1::") + \
            f"# kmln begins: agent\n{start}/usr/lib/kmln/kmln-agent\n# kmln ends: agent\n"
        assert settings("plan", image, {"agent": True}).out == ""
        settings("apply", image, {})
        assert content(image, "/etc/inittab") == begin + lines
        assert b"/usr/lib/kmln/kmln-agent" not in ext4reader.read(image)


HOSTILE = [
    {"hostname": "a\nroot"}, {"hostname": "../x"}, {"hostname": "a b"}, {"hostname": "x" * 64},
    {"hosts": [{"address": "10.0.0.1\n1.2.3.4", "names": ["a"]}]},
    {"hosts": [{"address": "10.0.0.1", "names": ["a\n1.2.3.4 b"]}]},
    {"hosts": [{"address": "10.0.0.1", "names": ["a # b"]}]},
    {"nameservers": ["1.2.3.4\noptions x"]}, {"nameservers": ["localhost"]},
    {"root_password": ""}, {"root_password": "a\nb"}, {"root_hash": "x:0:0:"}, {"root_hash": "x\ny"},
    {"users": [{"name": "a:b"}]}, {"users": [{"name": "a\nb"}]}, {"users": [{"name": ""}]},
    {"users": [{"name": "-a"}]}, {"users": [{"name": "../a"}]}, {"users": [{"name": "a" * 33}]},
    {"users": [{"name": "a", "hash": "x:y"}]}, {"users": [{"name": "a", "home": "/a:b"}]},
    {"users": [{"name": "a", "home": "/a/../../b"}]}, {"users": [{"name": "a", "home": "a"}]},
    {"users": [{"name": "a", "home": "/a\nb"}]}, {"users": [{"name": "a"}, {"name": "a"}]},
    {"groups": [{"name": "a", "members": ["b,root"]}]}, {"groups": [{"name": "a:b"}]},
    {"keys": [{"user": "root", "text": "# kmln ends: keys\nssh-rsa X"}]},
    {"keys": [{"user": "../x", "text": "ssh-rsa X"}]}, {"keys": [{"user": "root", "text": "ssh\x1b[1m"}]},
    {"interfaces": [{"name": "eth0\n"}]}, {"interfaces": [{"name": "../../x"}]}, {"interfaces": [{"name": "lo"}]},
    {"interfaces": [{"name": "eth0$(id)"}]}, {"interfaces": [{"name": "e" * 16}]},
    {"interfaces": [{"name": "eth0", "mac": "02:00:00:00:00:0g"}]}, {"interfaces": [{"name": "eth0", "mac": "02"}]},
    {"interfaces": [{"name": "eth0", "addresses": ["10.0.0.1"]}]},
    {"interfaces": [{"name": "eth0", "addresses": ["10.0.0.1/33"]}]},
    {"interfaces": [{"name": "eth0", "addresses": ["10.0.0.1/24; id"]}]},
    {"interfaces": [{"name": "eth0", "gateway4": "fd00::1"}]}, {"interfaces": [{"name": "eth0", "gateway6": "x"}]},
    {"interfaces": [{"name": "eth0"}, {"name": "eth0"}]},
    {"files": [{"path": "/a/../etc/x", "data": ""}]}, {"files": [{"path": "x", "data": ""}]},
    {"files": [{"path": "/", "data": ""}]}, {"files": [{"path": "/a\tb", "data": ""}]},
    {"files": [{"path": "/etc/kmln/settings", "data": ""}]}, {"files": [{"path": "/a", "data": "", "mode": 0o10000}]},
    {"mounts": [{"device": "/dev/x\n/dev/y", "point": "/a"}]}, {"mounts": [{"device": "", "point": "/a"}]},
    {"mounts": [{"device": "x", "point": "a"}]}, {"mounts": [{"device": "x", "point": "/"}]},
    {"swaps": ["/dev/x\n"]}, {"modules": ["a b"]}, {"modules": ["-r"]}, {"modules": ["a;b"]},
    {"startup": ["a\nb"]}, {"shutdown": ["a\rb"]},
]


@pytest.mark.parametrize("what", HOSTILE, ids=lambda what: next(iter(what)))
def test_hostile_values(what, tmp_path):
    image = trees.image(tmp_path, SMALL["ifcfg"])
    before = images.fingerprint(image)
    run = settings("apply", image, what, expect=2)
    assert run.err and not run.out
    assert images.fingerprint(image) == before


def test_quoted_values(tmp_path):
    """What may stand in a value stays a value."""
    image = trees.image(tmp_path, SMALL["ifcfg"])
    settings("apply", image, {"mounts": [{"device": "#//srv/a b\\c", "point": "/mnt/a b", "type": "cifs"}],
                              "startup": ["# kmln ends: x", "cat <<'E' \"`id`\""]})
    assert content(image, "/etc/fstab").splitlines()[1] == r"\043//srv/a\040b\134c /mnt/a\040b cifs defaults 0 0"
    assert content(image, "/etc/kmln/startup.sh").splitlines()[1:] == ["# kmln ends: x", "cat <<'E' \"`id`\""]


@pytest.mark.parametrize("files, what, words", [
    ({"/etc/hosts": trees.Link("/nowhere/hosts")}, {"hosts": [{"address": "1.2.3.4", "names": ["a"]}]}, "leads nowhere"),
    ({"/etc/hosts": trees.Link("hosts")}, {"hosts": [{"address": "1.2.3.4", "names": ["a"]}]}, "leads nowhere"),
    ({"/etc/hosts": None}, {"hosts": [{"address": "1.2.3.4", "names": ["a"]}]}, "not a regular file"),
    ({"/etc/hosts": b"a\0b"}, {"hosts": [{"address": "1.2.3.4", "names": ["a"]}]}, "NUL"),
    ({"/etc/kmln": "a file"}, {"startup": ["id"]}, "not a folder"),
    ({"/srv": "a file"}, {"mounts": [{"device": "x", "point": "/srv/a/b"}]}, "not a folder"),
    ({"/etc/passwd": "root:x:0:0:root:relative:/bin/sh\n"}, {"keys": [{"user": "root", "text": "ssh-rsa X"}]}, "home"),
    ({"/etc/passwd": "root:x:0:0\n"}, {"keys": [{"user": "root", "text": "ssh-rsa X"}]}, "home"),
    ({"/etc/passwd": "", "/etc/shadow": ""}, {"root_password": "x"}, "no user root"),
    ({}, {"groups": [{"name": "g", "members": ["nobody"]}]}, "no user nobody"),
    ({}, {"users": [{"name": "a", "uid": 0}]}, "a user 0 already"),
    ({"/sbin/init": "#!/bin/sh\n"}, {"startup": ["id"]}, "no place"),
    ({WANTS + "kmln-startup.service": "mine"}, {"startup": ["id"]}, "not kmln's"),
])
def test_odd_guests(files, what, words, tmp_path):
    """A guest that cannot have a setting: status 3, the cause, and nothing written."""
    image = trees.image(tmp_path, {**SMALL["ifcfg"], **files})
    before = images.fingerprint(image)
    run = settings("apply", image, what, expect=3)
    assert words in run.err and images.fingerprint(image) == before


def test_links_stay_inside(tmp_path):
    """A guest whose links lead out of it: what is written goes into the guest."""
    image = trees.image(tmp_path, {**SMALL["networkd"], "/etc/hosts": trees.Link("/../../../../../srv/hosts"),
                                   "/srv": None, "/home": trees.Link("../../srv")})
    settings("apply", image, {"hosts": [{"address": "1.2.3.4", "names": ["a"]}], "users": [{"name": "eve"}]})
    assert "1.2.3.4\ta\n" in content(image, "/srv/hosts")
    assert b"/srv/eve" in ext4reader.read(image)
    assert not Path("/srv/hosts").exists() and not Path("/srv/eve").exists()


def test_list_of_a_hostile_guest(tmp_path):
    """The list in the guest can be anything: it makes no plan fail, and none write outside what it names."""
    lines = ["own", "own\t", "own\trelative\tx", "own\t/../../etc/passwd\tx", "own\t/etc/hosts\tx", "kept\t/etc/hosts",
             "link\t/etc/hosts\t../x", "line\t/etc/hosts\tx", "line\t/etc/hostname\tsmall\tb\\012c", "user\troot",
             "user\tnone\t", "group\troot", "password\troot\t*\ta:b", "member\troot\tx", "text\t/etc",
             "keys\t/etc/hosts", "x" * 5000, "\\777\t\\000", "own\t/etc\tx", "own\t/\tx"]
    image = trees.image(tmp_path, {**SMALL["ifcfg"], "/etc/hosts": "mine\n",
                                   "/etc/kmln/settings": "\n".join(lines * 3)})
    settings("apply", image, {"startup": ["id"]})
    assert settings("plan", image, {"startup": ["id"]}).out == ""
    images.clean(image)
    assert content(image, "/etc/hosts") == "mine\n"
    assert content(image, "/etc/passwd") == PASSWD["/etc/passwd"]
    assert content(image, "/etc/shadow") == PASSWD["/etc/shadow"]


def test_long_texts(tmp_path):
    """Texts made to take long: each is gone through a bounded number of times."""
    mib = 1 << 20
    files = {"/etc/passwd": PASSWD["/etc/passwd"] + "".join(f"a:x:{n}:1\n" for n in range(1000, 59000)),
             "/etc/group": "a:x:0:\n" * (mib // 7), "/etc/hosts": "# kmln begins: hosts\n" * (mib // 21),
             "/etc/fstab": "# kmln begins: mounts\n# kmln ends: mounts\n" * (mib // 42),
             "/etc/network/interfaces": "#kmln auto eth0\n" * (mib // 16),
             "/etc/kmln/settings": "".join(f"own\t/x/{n}\ty\n" for n in range(mib // 14))}
    image = trees.image(tmp_path, {**PASSWD, "/sbin/init": trees.PROGRAM, **files})
    start = time.monotonic()
    run = settings("plan", image, {**ALL, "startup": [], "shutdown": [], "modules": [], "keys": []}, expect={0, 3})
    assert time.monotonic() - start < 20, run.err


def blocks(image, path):
    """The numbers of the blocks in which a file lies; 0 is a hole."""
    shown = subprocess.run(["debugfs", "-R", f"blocks {path}", image], capture_output=True, check=True,
                           env={**os.environ, "PATH": runner.PATH}).stdout
    return [int(word) for word in shown.split()]


@pytest.mark.parametrize("image", ["busybox"], indirect=True)
def test_swap_file(image, tmp_path):
    """A file without holes that util-linux takes for swap space; another size makes it anew."""
    before = ext4reader.read(image)
    what = {"swap_file": 4 << 20, "swaps": ["/kmln.swap"]}
    assert "put     /kmln.swap 0600 0:0, 4194.3 kB  # swap: to swap on" in settings("apply", image, what).out
    assert settings("plan", image, what).out == ""
    assert "\n/kmln.swap none swap sw 0 0\n" in content(image, "/etc/fstab")
    for size in (4, 8):
        what["swap_file"] = size << 20
        settings("apply", image, what)
        assert settings("plan", image, what).out == ""
        assert images.clean(image)
        numbers = blocks(image, "/kmln.swap")
        assert len(numbers) * 4096 >= size << 20 and 0 not in numbers
        swap = tmp_path / "swap"
        subprocess.run(["debugfs", "-R", f"dump /kmln.swap {swap}", image], capture_output=True, check=True)
        assert swap.stat().st_size == size << 20
        label = runner.run([runner.need_program("swaplabel", "util-linux"), "-L", "checked", swap])
        assert label.status == 0, label
    settings("apply", image, {})
    left = ext4reader.changed(before, ext4reader.read(image))
    assert left.added == {b"/etc/kmln"} and not left.removed and set(left.changed) == {b"/etc/fstab", b"/etc"}


def test_swap_file_refused(tmp_path):
    """One that is too small, and the place of another file."""
    image = trees.image(tmp_path, {**PASSWD, "/kmln.swap": "mine"}, name="a.img")
    assert "at least 40960 bytes" in settings("plan", image, {"swap_file": 4096}, expect=2).err
    assert "/kmln.swap is there already" in settings("plan", image, {"swap_file": 1 << 20}, expect=3).err


@pytest.mark.parametrize("image", ["busybox", "systemd"], indirect=True)
def test_packages(image):
    """A script of its own, which the startup script runs first; without the setting both go."""
    what = {"packages": ["hello", "libfoo1:i386"], "startup": ["date"]}
    told = "packages: the guest has no package manager" in settings("apply", image, what).out
    assert told == (image.stem == "busybox")
    assert settings("plan", image, what).out == ""
    script = content(image, "/etc/kmln/packages.sh")
    assert "\nwant='hello libfoo1:i386'\n" in script
    assert subprocess.run(["sh", "-n"], input=script.encode(), check=False).returncode == 0
    assert content(image, "/etc/kmln/startup.sh") == "# written by kmln\n/bin/sh /etc/kmln/packages.sh\ndate\n"
    settings("apply", image, {})
    assert content(image, "/etc/kmln/packages.sh") == ""


@pytest.mark.parametrize("name", ["-y", "a b", "a;b", "$(x)", "../x", "a'b", ""])
def test_package_names(name, tmp_path):
    image = trees.image(tmp_path, SMALL["openrc"], name="a.img")
    assert "is no name of a package" in settings("plan", image, {"packages": [name]}, expect=2).err
