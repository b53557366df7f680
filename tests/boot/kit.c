// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest room for tests in Python:
 * kit unpack DEB FOLDER: unpacks a package and prints its name, version and architecture;
 * kit initramfs TREE MODULES OUT: builds the initramfs for /MODULES in the folder TREE;
 * kit versions: says lt, eq or gt for each line "A B" of standard input, as dpkg orders versions.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "guest/archive.h"
#include "guest/dpkg.h"
#include "guest/initramfs.h"

static int unpack(const char *path, const char *folder, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_deb deb;
	int r = kmln_deb_read(path, pool, &deb, err);

	if (r == 0)
		r = kmln_deb_unpack(path, folder, NULL, NULL, err);
	if (r == 0)
		printf("%s %s %s\n", deb.package, deb.version, deb.architecture);
	return r;
}

static int initramfs(const char *root, const char *modules, const char *to, struct kmln_error *err)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_BUF struct kmln_buf out = {0};
	int r = kmln_tree_folder(root, &tree, err);

	if (r == 0)
		r = kmln_initramfs_build(tree, modules, &out, err);
	if (r == 0)
		r = kmln_replace_file(to, out.data, out.size, 0644, err);
	return r;
}

static int versions(void)
{
	char a[256], b[256];

	while (scanf("%255s %255s", a, b) == 2) {
		int r = kmln_version_compare(a, b);

		puts(r < 0 ? "lt" : r > 0 ? "gt" : "eq");
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct kmln_error err = {0};
	int r;

	if (argc == 4 && strcmp(argv[1], "unpack") == 0)
		r = unpack(argv[2], argv[3], &err);
	else if (argc == 5 && strcmp(argv[1], "initramfs") == 0)
		r = initramfs(argv[2], argv[3], argv[4], &err);
	else if (argc == 2 && strcmp(argv[1], "versions") == 0)
		r = versions();
	else
		r = kmln_fail(&err, KMLN_EUSAGE,
			"kit unpack DEB FOLDER | initramfs TREE MODULES OUT | versions");
	if (r < 0)
		fprintf(stderr, "kit: %s\n", err.text);
	return kmln_exit_status(&err);
}
