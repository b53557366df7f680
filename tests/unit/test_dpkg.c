// SPDX-License-Identifier: GPL-2.0-or-later
/* MD5, dpkg's paragraphs, debconf's records, what is chosen, and GRUB's text. */
#include "unit.h"

#include <string.h>
#include <sys/stat.h>

#include "base/md5.h"
#include "boot/grub-config.h"
#include "guest/debconf.h"
#include "guest/dpkg.h"
#include "guest/known-scripts.h"

static void test_md5(void **state)
{
	/* RFC 1321, and lengths around a block */
	static const struct {
		const char *text, *sum;
	} sums[] = {
		{"", "d41d8cd98f00b204e9800998ecf8427e"},
		{"a", "0cc175b9c0f1b6a831c399e269772661"},
		{"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{"1234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0",
			"57edf4a22be3c955ac49da2e2107b67a"},
		{"0123456789012345678901234567890123456789012345678901234",
			"6e7a4fc92eb1c3f6e652425bcc8d44b5"},
		{"01234567890123456789012345678901234567890123456789012345",
			"8af270b2847610e742b0791b53648c09"},
		{"0123456789012345678901234567890123456789012345678901234567890123",
			"7f7bfd348709deeaace19e3f535f8c54"},
	};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(sums); i++) {
		char text[KMLN_MD5_TEXT];

		kmln_md5(sums[i].text, strlen(sums[i].text), text);
		assert_string_equal(text, sums[i].sum);
	}
}

static struct kmln_pkg package(struct kmln_pool *pool, const char *control)
{
	struct kmln_pkg pkg = {.control = control};
	struct kmln_error err = {0};

	assert_ok(kmln_pkg_fill(&pkg, pool, &err), err);
	return pkg;
}

static void test_paragraph(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_deb_file member = {
		.path = "conffiles", .mode = S_IFREG | 0644, .data = "/etc/a\n/etc/gone\n"};
	struct kmln_deb_file file = {
		.path = "/etc/a", .mode = S_IFREG | 0644, .data = "a", .size = 1};
	struct kmln_pkg pkg = package(pool,
		"Package: x\nHomepage: there\nDescription: short\n long\n .\n more\nStatus: hold\n"
		"Version: 1\nDepends: a,\n b\nArchitecture: all\nMaintainer: m\n");
	KMLN_BUF struct kmln_buf out = {0};

	(void)state;
	pkg.members = &member;
	pkg.files = &file;
	pkg.member_count = pkg.file_count = 1;
	kmln_dpkg_paragraph(&pkg, &out);
	assert_string_equal(out.data,
		"Package: x\nStatus: install ok installed\nMaintainer: m\nArchitecture: all\n"
		"Version: 1\nDepends: a,\n b\nConffiles:\n /etc/a "
		"0cc175b9c0f1b6a831c399e269772661\nDescription: short\n long\n .\n more\n"
		"Homepage: there\n\n");
}

static void test_debconf(void **state)
{
	KMLN_BUF struct kmln_buf questions = {0}, templates = {0};

	(void)state;
	kmln_debconf_records(
		"\nTemplate: p/q\nType: string\nDefault:  d \nDescription: What?\n One\n"
		" line.\n .\n Two.\n  kept as\n  it is\n last\nDescription-de.UTF-8: Was?\n"
		"\n\nno template\n\nTemplate: p/t\nType: title\nDescription: T",
		"p", &questions, &templates);
	assert_string_equal(questions.data, "Name: p/q\nTemplate: p/q\nOwners: p\n\n"
					    "Name: p/t\nTemplate: p/t\nOwners: p\n\n");
	assert_string_equal(templates.data,
		"Name: p/q\nDefault:  d\nDescription: What?\nDescription-de.utf-8: Was?\n"
		"Extended_description: One line.\\n\\nTwo.\\n kept as\\n it is\\nlast\n"
		"Type: string\nOwners: p/q\n\n"
		"Name: p/t\nDescription: T\nType: title\nOwners: p/t\n\n");
}

#define INSTALLED "install ok installed"

static void test_choose(void **state)
{
	static struct kmln_package there[] = {
		{"dpkg", "1.21", "amd64", INSTALLED, "", "", ""},
		{"mail", "2", "all", INSTALLED, "mta (= 3), smtp", "", ""},
		{"grudge", "1", "amd64", INSTALLED, "", "hated", "old-thing (<< 5)"},
		{"foreign", "1", "i386", INSTALLED, "", "", ""},
		{"gone", "1", "amd64", "deinstall ok config-files", "", "", ""},
	};
	static const struct kmln_facts facts = {
		.packages = there, .package_count = KMLN_COUNT(there)};
	/* what a package says, beside its name, and how many come in with it; 0: it is refused */
	static const struct {
		const char *fields;
		size_t count;
	} cases[] = {
		{"", 1},
		{"Depends: mail\n", 1},
		{"Depends: mail (>= 2), mail (<< 3)\n", 1},
		{"Depends: mail (> 2)\n", 1}, /* an old way to say >= */
		{"Depends: mail (>> 2)\n", 0},
		{"Depends: mta (>= 3)\n", 1},
		{"Depends: mta (>= 4)\n", 0},
		{"Depends: smtp\n", 1},
		{"Depends: smtp (>= 1)\n", 0},
		{"Depends: mail:any\n", 1},
		{"Depends: foreign\n", 0},
		{"Depends: gone\n", 0},
		{"Depends: nothing | mail\n", 1},
		{"Depends: nothing\n", 0},
		{"Depends: chain\n", 3},
		{"Pre-Depends: chain\n", 3},
		{"Depends: mail,\n chain\n", 3},
		{"Depends: tool\n", 2},
		{"Depends: loop\n", 2},
		{"Depends: broken\n", 0},
		{"Conflicts: mail\n", 0},
		{"Conflicts: mta (<< 3)\n", 1},
		{"Breaks: mail (<< 3)\n", 0},
		{"Conflicts: root-x, x\n", 1}, /* itself */
		{"Provides: hated\n", 0},
		{"Conflicts: chain\nDepends: chain\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(cases); i++) {
		KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
#define ALL "Version: 1\nArchitecture: all\n"
		struct kmln_pkg items[] = {
			package(pool,
				kmln_pool_printf(pool, "Package: root\n" ALL "Provides: root-x\n%s",
					kmln_starts(cases[i].fields, "Provides")
						? ""
						: cases[i].fields)),
			package(pool, "Package: chain\n" ALL "Depends: link\n"),
			package(pool, "Package: link\n" ALL),
			package(pool, "Package: real-tool\n" ALL "Provides: tool\n"),
			package(pool, "Package: loop\n" ALL "Depends: root\n"),
			package(pool, "Package: broken\n" ALL "Depends: nothing\n"),
			package(pool, "Package: old-thing\nVersion: 4\nArchitecture: all\n"),
			package(pool, "Package: gone\n" ALL),
		};
		struct kmln_pkgs offered = {items, KMLN_COUNT(items)};
		struct kmln_pkg_choice choice = {0};
		const char *problem;

		if (kmln_starts(cases[i].fields, "Provides"))
			items[0] = package(pool, kmln_pool_printf(pool, "Package: root\n" ALL "%s",
							 cases[i].fields));
		problem = kmln_dpkg_choose(&facts, &offered, &items[0], pool, &choice);
		if (choice.count != cases[i].count || !problem != (cases[i].count > 0))
			fail_msg("%s: %zu chosen, %s", cases[i].fields, choice.count,
				problem ? problem : "no problem");
		/* what an installed package breaks, and what is half there */
		assert_non_null(kmln_dpkg_choose(&facts, &offered, &items[6], pool, &choice));
		assert_non_null(kmln_dpkg_choose(&facts, &offered, &items[7], pool, &choice));
		assert_int_equal(choice.count, cases[i].count);
	}
	assert_true(kmln_relation_names("a, b (>= 1) | c", "c"));
	assert_false(kmln_relation_names("ab, b (>= 1)", "a"));
}

static void test_known_scripts(void **state)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_deb_file members[] = {
		{.path = "postinst", .data = "#!/bin/sh\n", .size = 10},
		{.path = "triggers", .data = "# x\nactivate-noawait ldconfig\n", .size = 30},
	};
	struct kmln_pkg pkg = package(pool, "Package: x\n" ALL);
	unsigned effects;

	(void)state;
	pkg.members = members;
	assert_null(kmln_known_effects(&pkg, pool, &effects));
	pkg.member_count = 1;
	assert_non_null(kmln_known_effects(&pkg, pool, &effects));
	pkg.members = members + 1;
	assert_null(kmln_known_effects(&pkg, pool, &effects));
	assert_int_equal(effects, 0);
	members[1].data = "interest /usr/lib\n";
	assert_non_null(kmln_known_effects(&pkg, pool, &effects));
	members[1].path = "templates";
	assert_non_null(kmln_known_effects(&pkg, pool, &effects));
	/* a kernel whose scripts do nothing is none that is known */
	pkg.member_count = 0;
	pkg.release = "6.1.0-1-amd64";
	assert_non_null(kmln_known_effects(&pkg, pool, &effects));
}

static void test_grub_config(void **state)
{
	static const char *const all[] = {"virtio_blk", "ext4", NULL}, *const few[] = {
									       "ext4", NULL};
	static const struct kmln_kernel kernels[] = {
		{.release = "6.9",
			.image = "/boot/vmlinuz-6.9",
			.initramfs = "/boot/a",
			.arch = "x86-64",
			.indexed = true,
			.drivers = all},
		{.release = "6.10",
			.image = "/boot/vmlinuz-6.10",
			.initramfs = "/boot/b",
			.arch = "x86-64",
			.indexed = true,
			.drivers = all},
		{.release = "6.11",
			.image = "/boot/vmlinuz-6.11",
			.arch = "x86-64",
			.indexed = true,
			.drivers = all}, /* no initramfs */
		{.release = "6.12",
			.image = "/boot/vmlinuz-6.12",
			.initramfs = "/boot/d",
			.arch = "x86-64",
			.indexed = true,
			.drivers = few},
		{.release = "6.13",
			.image = "/boot/vmlinuz-6.13",
			.initramfs = "/boot/e",
			.arch = "i386",
			.indexed = true,
			.drivers = all},
		{.release = "6.14",
			.initramfs = "/boot/f",
			.arch = "x86-64",
			.indexed = true,
			.drivers = all},
	};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_BUF struct kmln_buf text = {0}, settings = {0}, again = {0};
	struct kmln_boot_config config = {
		"uuid", "/b", "x86-64", "virtio_blk ext4", "", "root=x ro", "own words"};

	(void)state;
	assert_int_equal(kmln_grub_config_write(&config, kernels, KMLN_COUNT(kernels), &text), 2);
	assert_true(kmln_starts(text.data, KMLN_GRUB_MARK));
	assert_non_null(strstr(text.data,
		"--set=root uuid\nmenuentry 'Linux 6.10' {\n\tlinux /b/vmlinuz-6.10 root=x ro own words\n"
		"\tinitrd /b/b\n}\nmenuentry 'Linux 6.9' {\n"));
	/* through its file and back */
	kmln_boot_config_write(&config, &settings);
	assert_true(kmln_boot_config_read(settings.data, pool, &config));
	kmln_grub_config_write(&config, kernels, KMLN_COUNT(kernels), &again);
	assert_string_equal(text.data, again.data);
	config.kernel = "6.9";
	again.size = 0;
	kmln_grub_config_write(&config, kernels, KMLN_COUNT(kernels), &again);
	assert_non_null(strstr(again.data, "--set=root uuid\nmenuentry 'Linux 6.9' {\n"));
	assert_false(kmln_boot_config_read("filesystem=x\nboot=/boot\n", pool, &config));
	assert_false(kmln_boot_config_read("", pool, &config));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_md5),
		cmocka_unit_test(test_paragraph),
		cmocka_unit_test(test_debconf),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_known_scripts),
		cmocka_unit_test(test_grub_config),
	};

	return cmocka_run_group_tests_name("dpkg", tests, NULL, NULL);
}
