// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of a domain of Xen as golden texts, and the platform that is all of them. */
#include "unit.h"

#include <string.h>

#include "platform/platform.h"

#define MIB (1u << 20)

/* The argument vector in one line, to be freed; NULL where the launch refused. */
static char *line_of(const struct kmln_launch *launch, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv argv = {0};
	struct kmln_buf line = {0};

	if (kmln_platform_xen.launch(launch, &argv, err) < 0)
		return NULL;
	for (size_t i = 0; i < argv.count; i++)
		kmln_buf_printf(&line, "%s%s", i ? " " : "", argv.items[i]);
	return line.data;
}

static void golden(const struct kmln_launch *launch, const char *expected)
{
	struct kmln_error err = {0};
	KMLN_FREE char *line = line_of(launch, &err);

	if (!line)
		fail_msg("%s", err.text);
	assert_string_equal(line, expected);
}

static void refused(const struct kmln_launch *launch, const char *word)
{
	struct kmln_error err = {0};
	KMLN_FREE char *line = line_of(launch, &err);

	assert_null(line);
	assert_int_equal(err.code, KMLN_EUSAGE);
	if (!strstr(err.text, word))
		fail_msg("'%s' is not in: %s", word, err.text);
}

static void test_xen_vectors(void **state)
{
	struct kmln_launch l = {
		.disk = "/g/disk.img", .memory = 512 * MIB, .run = "/", .kernel = "/g/kernel"};
	KMLN_STRV struct kmln_strv ending = {0};

	(void)state;
	refused(&l, "is given its kernel");
	l.name = "kmln-7";
	l.type = "pvh";
	golden(&l,
		"xl create -c /dev/null name=\"kmln-7\" type=\"pvh\" kernel=\"/g/kernel\" extra=\"\" "
		"memory=512 disk=[\"format=raw,vdev=xvda,access=rw,target=/g/disk.img\"] "
		"on_poweroff=\"destroy\" on_reboot=\"destroy\" on_crash=\"destroy\"");
	l.program = "/usr/sbin/xl";
	l.type = "pv";
	l.initramfs = "/g/initrd";
	l.read_only = true;
	l.cmdline = "root=/dev/xvda dyndbg=\"file a\\b\"";
	golden(&l,
		"/usr/sbin/xl create -c /dev/null name=\"kmln-7\" type=\"pv\" kernel=\"/g/kernel\" "
		"ramdisk=\"/g/initrd\" extra=\"root=/dev/xvda dyndbg=\\\"file a\\\\b\\\"\" "
		"memory=512 disk=[\"format=raw,vdev=xvda,access=ro,target=/g/disk.img\"] "
		"on_poweroff=\"destroy\" on_reboot=\"destroy\" on_crash=\"destroy\"");
	kmln_platform_xen.ending(&l, &ending);
	assert_int_equal(ending.count, 3);
	assert_string_equal(ending.items[1], "destroy");
	assert_string_equal(ending.items[2], "kmln-7");
	l.disks = (const char *const[]){"/g/data", "/g/swap", NULL};
	l.program = NULL;
	l.initramfs = l.cmdline = NULL;
	golden(&l,
		"xl create -c /dev/null name=\"kmln-7\" type=\"pv\" kernel=\"/g/kernel\" extra=\"\" "
		"memory=512 disk=[\"format=raw,vdev=xvda,access=ro,target=/g/disk.img\","
		"\"format=raw,vdev=xvdb,access=rw,target=/g/data\","
		"\"format=raw,vdev=xvdc,access=rw,target=/g/swap\"] "
		"on_poweroff=\"destroy\" on_reboot=\"destroy\" on_crash=\"destroy\"");
	l.disks = (const char *const[]){"{\"driver\":\"qcow2\"}", NULL};
	refused(&l, "raw images");
	l.disks = (const char *const[]){"/g/a", "/g/a", "/g/a", "/g/a", "/g/a", "/g/a", "/g/a",
		"/g/a", "/g/a", "/g/a", "/g/a", "/g/a", "/g/a", "/g/a", "/g/a", "/g/a", NULL};
	refused(&l, "15 of them");
	l.disks = NULL;
	l.disks_snapshot = true;
	refused(&l, "writes to them");
	l.disks_snapshot = false;
	l.snapshot = true;
	refused(&l, "writes to them");
	l.snapshot = false;
	l.boot_disk = "/g/boot";
	refused(&l, "no firmware");
	l.boot_disk = NULL;
	l.disk = "/g/a b";
	refused(&l, "path of the disk");
}

/* To plan for only: no machine is started on it, and no list has it. */
static void test_all(void **state)
{
	const struct kmln_platform *all = kmln_platform_find("all");

	(void)state;
	assert_ptr_equal(all, &kmln_platform_all);
	assert_null(all->launch);
	assert_null(all->probe);
	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++) {
		assert_ptr_not_equal(*p, all);
		if (!(*p)->needs_kernel)
			continue;
		/* what one of them needs, all need */
		for (const char *const *driver = (*p)->drivers; *driver; driver++) {
			size_t i = 0;

			while (all->drivers[i] && strcmp(all->drivers[i], *driver) != 0)
				i++;
			assert_non_null(all->drivers[i]);
		}
		assert_true(strcmp((*p)->console, all->console) == 0 ||
			    strcmp((*p)->console, all->second_console) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xen_vectors),
		cmocka_unit_test(test_all),
	};

	return cmocka_run_group_tests_name("xen", tests, NULL, NULL);
}
