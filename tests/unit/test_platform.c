// SPDX-License-Identifier: GPL-2.0-or-later
/* Platforms: the command lines really run (test_launch.c has them as texts), the KVM verdict with
 * devices that are none, and the pieces of the probes. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "platform/forked.h"
#include "platform/host.h"
#include "platform/kvm-probe.h"
#include "platform/look.h"
#include "platform/qemu.h"

#define MIB (1u << 20)

static void test_kvm_judge(void **state)
{
	double rate;

	(void)state;
	assert_int_equal(kmln_kvm_judge(20000, 2000000, &rate), KMLN_KVM_USABLE);
	assert_true(rate == 10e6);
	assert_int_equal(kmln_kvm_judge(20000, 2000001, &rate), KMLN_KVM_EMULATED);
	assert_int_equal(kmln_kvm_judge(20000, 11000000, &rate), KMLN_KVM_EMULATED);
	assert_int_equal(kmln_kvm_judge(20000, 5000, &rate), KMLN_KVM_USABLE);
	/* a clock that did not move */
	assert_int_equal(kmln_kvm_judge(20000, 0, &rate), KMLN_KVM_USABLE);
	assert_true(rate == 0);
}

static void ask(const char *device, enum kmln_kvm_state expected, const char *words)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_kvm_answer answer;
	struct kmln_error err = {0};
	const char *reason;

	assert_int_equal(kmln_kvm_ask(device, &answer, &err), 0);
	assert_int_equal(answer.state, expected);
	reason = kmln_kvm_reason(pool, device, &answer);
	if (!strstr(reason, words))
		fail_msg("'%s' is not in: %s", words, reason);
}

static void test_kvm_devices_that_are_none(void **state)
{
	KMLN_PRIVATE struct kmln_private dir = {0};
	struct kmln_error err = {0};

	(void)state;
	assert_int_equal(kmln_private_open(&dir, &err), 0);
	KMLN_FREE char *fifo = kmln_printf("%s/kvm", dir.path);
	KMLN_FREE char *nothing = kmln_printf("%s/nothing", dir.path);

	assert_int_equal(mkfifo(fifo, 0600), 0);
	ask("/dev/null", KMLN_KVM_BROKEN, "KVM_GET_API_VERSION: Inappropriate ioctl");
	ask(fifo, KMLN_KVM_BROKEN, "KVM_GET_API_VERSION");
	ask(nothing, KMLN_KVM_ABSENT, "No such file or directory");
	ask(dir.path, KMLN_KVM_ABSENT, "Is a directory");
}

static void hang(const void *arg, void *answer)
{
	(void)arg;
	(void)answer;
	for (;;)
		pause();
}

static void die(const void *arg, void *answer)
{
	(void)answer;
	raise(*(const int *)arg);
}

static void leave(const void *arg, void *answer)
{
	(void)arg;
	(void)answer;
	_exit(0);
}

static void twice(const void *arg, void *answer)
{
	*(int *)answer += 2 * *(const int *)arg;
}

static long ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

static void test_forked(void **state)
{
	int number = SIGKILL, answer = 7;
	struct kmln_error err = {0};
	struct timespec start;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(kmln_forked(hang, NULL, &answer, sizeof(answer), 100, &err), -ETIMEDOUT);
	/* the clocks are read in whole milliseconds, so a little early is in time */
	assert_true(ms_since(&start) >= 90 && ms_since(&start) < 20000);
	assert_int_equal(kmln_forked(die, &number, &answer, sizeof(answer), 9000, &err), -ECHILD);
	assert_non_null(strstr(err.text, "signal 9"));
	assert_int_equal(kmln_forked(leave, NULL, &answer, sizeof(answer), 9000, &err), -ECHILD);
	assert_int_equal(answer, 7);
	assert_int_equal(kmln_forked(twice, &number, &answer, sizeof(answer), 9000, &err), 0);
	assert_int_equal(answer, 2 * SIGKILL);
	assert_int_equal(kmln_forked(twice, &number, &answer, 100000, 9000, &err), -EINVAL);
}

static void test_child_limit(void **state)
{
	const char *const argv[] = {"sleep", "60", NULL}, *const fast[] = {"echo", "here", NULL};
	struct kmln_child child = {.argv = argv, .limit_ms = 150};
	KMLN_BUF struct kmln_buf out = {0};
	struct kmln_error err = {0};
	struct timespec start;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(kmln_child_run(&child, NULL, NULL, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "sleep did not end within 150 ms");
	assert_true(ms_since(&start) >= 140 && ms_since(&start) < 20000);
	child.argv = fast;
	child.limit_ms = 20000;
	assert_int_equal(kmln_child_run(&child, &out, NULL, &err), 0);
	assert_string_equal(out.data, "here\n");
}

static void version(const char *text, const char *expected)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *got = kmln_look_version(pool, text);

	if (expected)
		assert_string_equal(got, expected);
	else
		assert_null(got);
}

static void test_versions(void **state)
{
	(void)state;
	version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\n", "7.2.22");
	version("e2fsck 1.47.0 (5-Feb-2023)\n", "1.47.0");
	version("grub-mkimage (GRUB) 2.06-13+deb12u2", "2.06-13+deb12u2");
	version("VDE (2.3.2), and more", "2.3.2");
	version("6.1.176\n", "6.1.176");
	version("no version here e2", NULL);
	version("", NULL);
	version(NULL, NULL);
}

static void test_accelerators(void **state)
{
	(void)state;
	assert_true(kmln_qemu_has_accel("tcg kvm", "kvm"));
	assert_true(kmln_qemu_has_accel("tcg kvm", "tcg"));
	assert_false(kmln_qemu_has_accel("tcg kvmx", "kvm"));
	assert_false(kmln_qemu_has_accel("xkvm", "kvm"));
	assert_false(kmln_qemu_has_accel("", "kvm"));
	assert_false(kmln_qemu_has_accel(NULL, "kvm"));
}

static void subid(const char *text, bool found, uint64_t first, uint64_t count)
{
	uint64_t f = 99, c = 99;

	assert_int_equal(kmln_subid_find(text, "ann", 1000, &f, &c), found);
	assert_int_equal(f, first);
	assert_int_equal(c, count);
}

static void test_subids(void **state)
{
	(void)state;
	subid("bob:1:2\nann:100000:65536\n", true, 100000, 65536);
	subid("anna:5:6\nan:5:6\nann:7:8", true, 7, 8);
	subid("1000:300:400\n", true, 300, 400);
	subid("ann:x:3\nann:4:\nann:\nann\nann:1:2:3\nann:8:9\n", true, 8, 9);
	subid("ann:5:0\n", false, 0, 0);
	subid("ann:4294967295:1\n", false, 0, 0);
	subid("ann:18446744073709551615:2\n", false, 0, 0);
	subid("", false, 0, 0);
	subid(NULL, false, 0, 0);
}

/*
 * A boot sector: says "HELLO ", writes itself to the second sector, says W or F (failed), and
 * restarts the machine.
 */
static const unsigned char boot_sector[512] = {
	0x31,
	0xc0, /* xor ax, ax */
	0x8e,
	0xd8, /* mov ds, ax */
	0xbe,
	0x3d,
	0x7c, /* mov si, text */
	0xba,
	0xf8,
	0x03, /* mov dx, the serial port */
	0xac, /* again: lodsb */
	0x84,
	0xc0, /* test al, al */
	0x74,
	0x03, /* jz done */
	0xee, /* out dx, al */
	0xeb,
	0xf8, /* jmp again */
	0xb8,
	0x00,
	0x43, /* done: mov ax, extended write */
	0xb2,
	0x80, /* mov dl, the first disk */
	0xbe,
	0x2d,
	0x7c, /* mov si, packet */
	0xcd,
	0x13, /* int 13h */
	0xb0,
	'W', /* mov al, 'W' */
	0x73,
	0x02, /* jnc written */
	0xb0,
	'F', /* mov al, 'F' */
	0xba,
	0xf8,
	0x03, /* written: mov dx, the serial port */
	0xee, /* out dx, al */
	0xb0,
	0xfe,
	0xe6,
	0x64, /* the keyboard controller's reset */
	0xf4,
	0xeb,
	0xfd, /* hlt, for ever */
	16,
	0,
	1,
	0,
	0x00,
	0x7c,
	0,
	0,
	1,
	0,
	0,
	0,
	0,
	0,
	0,
	0, /* packet: one sector to LBA 1 */
	'H',
	'E',
	'L',
	'L',
	'O',
	' ',
	0, /* text */
	[510] = 0x55,
	[511] = 0xaa,
};

/* Runs the machine to its end; its console is added to `out`. Skips where the program is missing.
 */
static void run_machine(
	const char *platform, const struct kmln_launch *launch, struct kmln_buf *out)
{
	KMLN_STRV struct kmln_strv argv = {0};
	KMLN_FREE char *tmp = kmln_printf("TMPDIR=%s", launch->run);
	const char *const env[] = {tmp, NULL};
	struct kmln_child child = {.env = env, .limit_ms = 100000};
	struct kmln_error err = {0};
	int status;

	assert_int_equal(kmln_platform_find(platform)->launch(launch, &argv, &err), 0);
	child.argv = (const char *const *)argv.items;
	status = kmln_child_run(&child, out, NULL, &err);
	if (status == -KMLN_ELACK) {
		print_message("%s\n", err.text);
		skip();
	}
	if (status != 0)
		fail_msg("%s: status %d: %s%s", platform, status, status < 0 ? err.text : "",
			out->data ? out->data : "");
}

/* Boots the sector, expects these words, and tells whether the second sector was written. */
static bool boot_qemu(struct kmln_launch launch, const char *words)
{
	KMLN_PRIVATE struct kmln_private dir = {0};
	/* SeaBIOS does not boot from a disk of less than a cylinder */
	static const unsigned char zeros[MIB - 512];
	KMLN_BUF struct kmln_buf out = {0}, image = {0};
	struct kmln_error err = {0};

	assert_int_equal(kmln_private_open(&dir, &err), 0);
	KMLN_FREE char *disk = kmln_printf("%s/disk", dir.path);

	kmln_buf_add(&image, boot_sector, sizeof(boot_sector));
	kmln_buf_add(&image, zeros, sizeof(zeros));
	assert_int_equal(kmln_replace_file(disk, image.data, image.size, 0600, &err), 0);
	launch.disk = disk;
	launch.run = dir.path;
	launch.memory = 64 * MIB;
	run_machine("qemu", &launch, &out);
	assert_string_equal(out.data, words);
	kmln_buf_fini(&image);
	assert_int_equal(kmln_read_file(disk, 2 * MIB, &image, &err), 0);
	return memcmp(image.data + 512, boot_sector, 512) == 0;
}

static void test_qemu_boots(void **state)
{
	(void)state;
	assert_true(boot_qemu((struct kmln_launch){0}, "HELLO W"));
	assert_false(boot_qemu((struct kmln_launch){.snapshot = true}, "HELLO W"));
	assert_false(boot_qemu((struct kmln_launch){.read_only = true}, "HELLO F"));
}

/* Makes DIR/disk: ext4 with the guest's one program. */
static void make_uml_disk(const char *dir, const char *disk)
{
	KMLN_FREE char *sbin = kmln_printf("%s/root/sbin", dir);
	KMLN_FREE char *dev = kmln_printf("%s/root/dev", dir);
	KMLN_FREE char *init = kmln_printf("%s/init", sbin);
	KMLN_FREE char *root = kmln_printf("%s/root", dir);
	const char *const argv[] = {"mke2fs", "-q", "-t", "ext4", "-d", root, disk, "16M", NULL};
	struct kmln_child child = {.argv = argv, .package = "e2fsprogs"};
	KMLN_BUF struct kmln_buf program = {0};
	struct kmln_error err = {0};

	assert_int_equal(kmln_make_folders(sbin, &err), 0);
	assert_int_equal(kmln_make_folders(dev, &err), 0);
	assert_int_equal(kmln_read_file(GUEST_INIT, 64 * MIB, &program, &err), 0);
	assert_int_equal(kmln_replace_file(init, program.data, program.size, 0755, &err), 0);
	assert_int_equal(kmln_child_must(&child, NULL, &err), 0);
}

/* Boots it in UML, expects this word, and tells whether the guest's file is on the disk. */
static bool boot_uml(struct kmln_launch launch, const char *word, bool *cow)
{
	KMLN_PRIVATE struct kmln_private dir = {0};
	KMLN_BUF struct kmln_buf out = {0}, listing = {0};
	struct kmln_error err = {0};

	assert_int_equal(kmln_private_open(&dir, &err), 0);
	KMLN_FREE char *disk = kmln_printf("%s/disk", dir.path);
	KMLN_FREE char *over = kmln_printf("%s/disk.cow", dir.path);
	const char *const argv[] = {"debugfs", "-R", "ls -p /", disk, NULL};
	struct kmln_child child = {.argv = argv, .package = "e2fsprogs"};

	make_uml_disk(dir.path, disk);
	launch.disk = disk;
	launch.run = dir.path;
	launch.memory = 64 * MIB;
	launch.cmdline = "quiet";
	run_machine("uml", &launch, &out);
	if (!strstr(out.data, word))
		fail_msg("'%s' is not in: %s", word, out.data);
	assert_int_equal(kmln_child_must(&child, &listing, &err), 0);
	assert_non_null(strstr(listing.data, "/sbin/"));
	*cow = access(over, F_OK) == 0;
	return strstr(listing.data, "/mark/");
}

static void test_uml_boots(void **state)
{
	bool cow;

	(void)state;
	assert_true(boot_uml((struct kmln_launch){0}, "guest: written", &cow));
	assert_false(cow);
	assert_false(boot_uml((struct kmln_launch){.snapshot = true}, "guest: written", &cow));
	assert_true(cow);
	assert_false(boot_uml((struct kmln_launch){.read_only = true}, "guest: refused", &cow));
	assert_false(cow);
}

static void test_host(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_error err = {0};
	char before[64] = "", after[64] = "";
	struct kmln_host host;

	(void)state;
	assert_true(readlink("/proc/self/ns/user", before, sizeof(before)) > 0);
	assert_int_equal(kmln_host_look(pool, &host, &err), 0);
	assert_true(host.kernel && host.machine && host.tool_count > 10);
	assert_int_equal(host.namespaces, host.namespaces_why == NULL);
	assert_int_equal(host.bwrap, host.bwrap_why == NULL);
	assert_null(kmln_host_tool(&host, "no-such-tool"));
	for (size_t i = 0; i < host.tool_count; i++) {
		assert_true(host.tools[i].package && host.tools[i].use);
		assert_ptr_equal(kmln_host_tool(&host, host.tools[i].name), &host.tools[i]);
	}
	/* trying namespaces has changed nothing for this process */
	assert_true(readlink("/proc/self/ns/user", after, sizeof(after)) > 0);
	assert_string_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kvm_judge),
		cmocka_unit_test(test_kvm_devices_that_are_none),
		cmocka_unit_test(test_forked),
		cmocka_unit_test(test_child_limit),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_accelerators),
		cmocka_unit_test(test_subids),
		cmocka_unit_test(test_qemu_boots),
		cmocka_unit_test(test_uml_boots),
		cmocka_unit_test(test_host),
	};

	return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
