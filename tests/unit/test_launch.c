// SPDX-License-Identifier: GPL-2.0-or-later
/* Command lines of machines, as golden texts; and what no command line should carry. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "platform/platform.h"

#define MIB (1u << 20)
#define SANDBOX "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
#define QEMU(accel) \
	"qemu-system-x86_64 -machine pc -accel " accel \
	" -m 512 -nodefaults -no-user-config -no-reboot -display none -monitor none " \
	"-serial stdio " SANDBOX " -drive if=virtio,format=raw,file=/g/disk.img,file.locking=on"

/* The argument vector in one line, to be freed; NULL where the launch refused. */
static char *line_of(const char *platform, const struct kmln_launch *launch, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv argv = {0};
	struct kmln_buf line = {0};

	if (kmln_platform_find(platform)->launch(launch, &argv, err) < 0)
		return NULL;
	for (size_t i = 0; i < argv.count; i++)
		kmln_buf_printf(&line, "%s%s", i ? " " : "", argv.items[i]);
	return line.data;
}

static void golden(const char *platform, const struct kmln_launch *launch, const char *expected)
{
	struct kmln_error err = {0};
	KMLN_FREE char *line = line_of(platform, launch, &err);

	if (!line)
		fail_msg("%s: %s", platform, err.text);
	assert_string_equal(line, expected);
}

static void refused(const char *platform, const struct kmln_launch *launch, const char *word)
{
	struct kmln_error err = {0};
	KMLN_FREE char *line = line_of(platform, launch, &err);

	assert_null(line);
	assert_int_equal(err.code, KMLN_EUSAGE);
	if (!strstr(err.text, word))
		fail_msg("'%s' is not in: %s", word, err.text);
}

static void test_table(void **state)
{
	static const char *const names[] = {"kvm", "uml", "qemu", "xen", "container"};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(names); i++) {
		assert_string_equal(kmln_platforms[i]->name, names[i]);
		assert_ptr_equal(kmln_platform_find(names[i]), kmln_platforms[i]);
		assert_non_null(kmln_platforms[i]->probe);
		assert_int_equal(kmln_platforms[i]->launch != NULL, i < 4);
	}
	assert_null(kmln_platforms[KMLN_COUNT(names)]);
	assert_null(kmln_platform_find("vmware"));
	assert_null(kmln_platform_find(""));
}

static void test_uml_vectors(void **state)
{
	struct kmln_launch l = {.disk = "/g/disk.img", .memory = 256 * MIB, .run = "/g/run"};

	(void)state;
	golden("uml", &l,
		"linux.uml ubd0d=/g/disk.img root=/dev/ubda rw mem=256M ssl0=fd:0,fd:1 con=none "
		"ssl=none console=ttyS0 pty.legacy_count=0 noreboot umid=kmln uml_dir=/g/run");
	l.partition = 2;
	l.snapshot = true;
	l.memory = 100 * MIB + 1;
	golden("uml", &l,
		"linux.uml ubd0=/g/run/disk.cow,/g/disk.img root=/dev/ubda2 rw mem=101M "
		"ssl0=fd:0,fd:1 con=none ssl=none console=ttyS0 pty.legacy_count=0 noreboot umid=kmln "
		"uml_dir=/g/run");
	l.overlay = "/g/over";
	l.read_only = true;
	l.program = "/opt/linux.uml";
	l.initramfs = "/g/initrd";
	l.cmdline = " quiet  init=/bin/sh -- -c ";
	golden("uml", &l,
		"/opt/linux.uml ubd0=/g/over,/g/disk.img root=/dev/ubda2 rw mem=101M "
		"ssl0=fd:0,fd:1 con=none ssl=none console=ttyS0 pty.legacy_count=0 noreboot umid=kmln "
		"uml_dir=/g/run initrd=/g/initrd quiet init=/bin/sh -- -c");
	l = (struct kmln_launch){
		.disk = "/g/d", .memory = 64 * MIB, .run = "/r", .read_only = true};
	golden("uml", &l,
		"linux.uml ubd0rd=/g/d root=/dev/ubda ro mem=64M ssl0=fd:0,fd:1 con=none ssl=none "
		"console=ttyS0 pty.legacy_count=0 noreboot umid=kmln uml_dir=/r");
	l.channel = true;
	golden("uml", &l,
		"linux.uml ubd0rd=/g/d root=/dev/ubda ro mem=64M ssl0=fd:0,fd:1 ssl1=fd:4,fd:5 "
		"con=none ssl=none console=ttyS0 pty.legacy_count=0 noreboot umid=kmln uml_dir=/r");
}

static void test_qemu_vectors(void **state)
{
	struct kmln_launch l = {.disk = "/g/disk.img", .memory = 512 * MIB, .run = "/g/run"};

	(void)state;
	golden("qemu", &l, QEMU("tcg -cpu max") " -device virtio-rng-pci");
	golden("kvm", &l, QEMU("kvm -cpu host") " -device virtio-rng-pci");
	l.read_only = true;
	golden("qemu", &l, QEMU("tcg -cpu max") ",readonly=on -device virtio-rng-pci");
	l.snapshot = true;
	golden("qemu", &l, QEMU("tcg -cpu max") ",snapshot=on -device virtio-rng-pci");
	l.kernel = "/g/vmlinuz";
	golden("kvm", &l,
		QEMU("kvm -cpu host") ",snapshot=on -device virtio-rng-pci -kernel /g/vmlinuz "
				      "-append root=/dev/vda rw console=ttyS0 panic=-1");
	l = (struct kmln_launch){.disk = "/g/disk.img",
		.partition = 1,
		.memory = 512 * MIB,
		.run = "/g/run",
		.read_only = true,
		.kernel = "/g/vmlinuz",
		.initramfs = "/g/initrd",
		.cmdline = "quiet init=/x"};
	golden("qemu", &l,
		QEMU("tcg -cpu max") ",readonly=on -device virtio-rng-pci -kernel /g/vmlinuz "
				     "-initrd /g/initrd -append root=/dev/vda1 ro console=ttyS0 "
				     "panic=-1 quiet init=/x");
	l = (struct kmln_launch){
		.disk = "/g/disk.img", .memory = 512 * MIB, .run = "/g/run", .channel = true};
	golden("kvm", &l,
		QEMU("kvm -cpu host") " -device virtio-rng-pci -chardev socket,id=agent,fd=4 -device "
				      "virtio-serial-pci -device virtserialport,chardev=agent,"
				      "name=org.qemu.guest_agent.0 -chardev socket,id=line,fd=5 "
				      "-serial chardev:line");
}

static void test_cards_and_disks(void **state)
{
	static const struct kmln_card cards[] = {
		{{2, 0, 0, 0, 0, 1}, KMLN_LINK_VDE, "/kmln/net/lan/sw"},
		{{2, 0, 0, 0, 0, 2}, KMLN_LINK_NONE, NULL},
		{{2, 0, 0, 0xaa, 0xbb, 3}, KMLN_LINK_TAP, "tap0"},
	};
	static const char *const disks[] = {"/g/swap", "/g/data", NULL};
	struct kmln_launch l = {
		.disk = "/g/disk.img",
		.memory = 512 * MIB,
		.run = "/r",
		.cards = cards,
		.card_count = KMLN_COUNT(cards),
		.disks = disks,
	};

	(void)state;
	golden("uml", &l,
		"linux.uml ubd0d=/g/disk.img ubd1d=/g/swap ubd2d=/g/data root=/dev/ubda rw "
		"mem=512M eth0=vde,/kmln/net/lan/sw,02:00:00:00:00:01 "
		"eth2=tuntap,tap0,02:00:00:aa:bb:03 ssl0=fd:0,fd:1 con=none ssl=none "
		"console=ttyS0 pty.legacy_count=0 noreboot umid=kmln uml_dir=/r");
	l.cpus = 2;
	refused("uml", &l, "one processor");
	golden("qemu", &l,
		"qemu-system-x86_64 -machine pc -accel tcg -cpu max -m 512 -smp 2 -nodefaults "
		"-no-user-config -no-reboot -display none -monitor none -serial stdio " SANDBOX
		" -drive if=virtio,format=raw,file=/g/disk.img,file.locking=on"
		" -drive if=virtio,format=raw,file=/g/swap,file.locking=on"
		" -drive if=virtio,format=raw,file=/g/data,file.locking=on"
		" -netdev vde,id=net0,sock=/kmln/net/lan/sw"
		" -device virtio-net-pci,netdev=net0,mac=02:00:00:00:00:01,romfile="
		" -netdev hubport,id=net1,hubid=1"
		" -device virtio-net-pci,netdev=net1,mac=02:00:00:00:00:02,romfile="
		" -netdev tap,id=net2,ifname=tap0,script=no,downscript=no"
		" -device virtio-net-pci,netdev=net2,mac=02:00:00:aa:bb:03,romfile="
		" -device virtio-rng-pci");
}

static void test_further_disks(void **state)
{
	static const char *const disks[] = {"/g/data", NULL};
	static const char *const json[] = {"{\"driver\":\"qcow2\",\"a\":1}", "/g/data", NULL};
	static const char *const sockets[] = {"/g/served/disk1", NULL};
	static const char *const bad[] = {"/g/a,b", NULL};
	struct kmln_launch l = {
		.disk = "/g/disk.img",
		.memory = 512 * MIB,
		.run = "/r",
		.disks = disks,
		.disks_snapshot = true,
	};

	(void)state;
	golden("uml", &l,
		"linux.uml ubd0d=/g/disk.img ubd1=/r/disk1.cow,/g/data root=/dev/ubda rw "
		"mem=512M ssl0=fd:0,fd:1 con=none ssl=none console=ttyS0 pty.legacy_count=0 "
		"noreboot umid=kmln uml_dir=/r");
	l.sockets = sockets;
	refused("uml", &l, "needs an initramfs");
	l.initramfs = "/g/initrd";
	l.disks_snapshot = false;
	golden("uml", &l,
		"linux.uml ubd0d=/g/disk.img ubd1d=/g/data virtio_uml.device=/g/served/disk1:2 "
		"root=/dev/ubda rw mem=512M ssl0=fd:0,fd:1 con=none ssl=none console=ttyS0 "
		"pty.legacy_count=0 noreboot umid=kmln uml_dir=/r initrd=/g/initrd");
	l.disks = json;
	refused("uml", &l, "raw images only");
	l.initramfs = NULL;
	golden("qemu", &l,
		"qemu-system-x86_64 -machine pc -accel tcg -cpu max -m 512 -nodefaults "
		"-no-user-config -no-reboot -display none -monitor none -serial stdio " SANDBOX
		" -drive if=virtio,format=raw,file=/g/disk.img,file.locking=on"
		" -drive if=virtio,file=json:{\"driver\":\"qcow2\",,\"a\":1}"
		" -drive if=virtio,format=raw,file=/g/data,file.locking=on"
		" -device virtio-rng-pci");
	l.disks = bad;
	refused("qemu", &l, "further disk");
	l.disks = NULL;
	l.sockets = bad;
	refused("uml", &l, "further disk");
}

static void test_bad_cards(void **state)
{
	static const struct {
		struct kmln_card card;
		const char *word;
	} bad[] = {
		{{{1}, KMLN_LINK_NONE, NULL}, "one of many"},
		{{{2}, KMLN_LINK_VDE, NULL}, "no folder"},
		{{{2}, KMLN_LINK_VDE, "/a,b"}, "switch"},
		{{{2}, KMLN_LINK_VDE, "relative"}, "switch"},
		{{{2}, KMLN_LINK_TAP, NULL}, "no name"},
		{{{2}, KMLN_LINK_TAP, ""}, "no name"},
		{{{2}, KMLN_LINK_TAP, "tap0,script=/x"}, "no name"},
		{{{2}, KMLN_LINK_TAP, "../tap0"}, "no name"},
		{{{2}, KMLN_LINK_TAP, "a-name-of-16-chr"}, "no name"},
	};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(bad); i++) {
		struct kmln_launch l = {.disk = "/g/d",
			.memory = 64 * MIB,
			.run = "/r",
			.cards = &bad[i].card,
			.card_count = 1};

		refused("uml", &l, bad[i].word);
		refused("qemu", &l, bad[i].word);
	}
}

static void test_refusals(void **state)
{
	static const char *const both[] = {"uml", "qemu", "kvm"};
	const struct kmln_launch good = {.disk = "/d", .memory = 64 * MIB, .run = "/r"};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(both); i++) {
		struct kmln_launch l = good;

		l.disk = "/g/a,b";
		refused(both[i], &l, "path of the disk");
		l.disk = "g/disk";
		refused(both[i], &l, "not absolute");
		l.disk = "/g/a b";
		refused(both[i], &l, "path of the disk");
		l.disk = NULL;
		refused(both[i], &l, "needs a disk");
		l = good;
		l.memory = 1 * MIB;
		refused(both[i], &l, "no memory size");
		l.memory = UINT64_MAX;
		refused(both[i], &l, "no memory size");
		l = good;
		l.run = "/g/r:x";
		refused(both[i], &l, "run folder");
		l = good;
		l.initramfs = "/g/\x01";
		l.kernel = both[i][0] == 'u' ? NULL : "/k";
		refused(both[i], &l, "initramfs");
	}
	refused("uml",
		&(struct kmln_launch){
			.disk = "/d", .memory = 64 * MIB, .run = "/r", .kernel = "/g/k"},
		"its own kernel");
	refused("qemu",
		&(struct kmln_launch){
			.disk = "/d", .memory = 64 * MIB, .run = "/r", .cmdline = "quiet"},
		"together with a kernel");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_uml_vectors),
		cmocka_unit_test(test_qemu_vectors),
		cmocka_unit_test(test_cards_and_disks),
		cmocka_unit_test(test_further_disks),
		cmocka_unit_test(test_bad_cards),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests_name("launch", tests, NULL, NULL);
}
