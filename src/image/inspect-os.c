// SPDX-License-Identifier: GPL-2.0-or-later
/* Which distribution, which architecture, which host name: os-release, an ELF header,
 * /etc/hostname. */
#include "image/inspect.h"

#include <ctype.h>
#include <string.h>

#include "image/inspect-parts.h"

/* The value of KEY=value in a shell-like file, quotes and backslashes taken off; or NULL. */
static const char *shell_value(struct kmln_facts *facts, const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, key, n) == 0 && line[n] == '=') {
			char *value = kmln_pool_memdup(
				facts->pool, line + n + 1, (size_t)(end - line) - n - 1);
			char quote = *value == '"' || *value == '\'' ? *value : '\0', *to = value;

			for (const char *from = quote ? value + 1 : value; *from; from++) {
				if (quote && *from == quote)
					break;
				if (*from == '\\' && from[1] && quote != '\'')
					from++;
				*to++ = *from;
			}
			while (to > value && isspace((unsigned char)to[-1]))
				to--;
			*to = '\0';
			return value;
		}
		line = *end ? end + 1 : end;
	}
	return NULL;
}

struct elf_head {
	unsigned char bytes[20];
	size_t size;
};

static int keep_elf(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	struct elf_head *head = data;

	(void)err;
	head->size = size < sizeof(head->bytes) ? size : sizeof(head->bytes);
	memcpy(head->bytes, bytes, head->size);
	return 1;
}

static const char *elf_arch(const struct elf_head *head, struct kmln_pool *pool)
{
	static const struct {
		unsigned machine;
		const char *name;
	} machines[] = {{3, "i386"}, {8, "mips"}, {20, "ppc"}, {21, "ppc64"}, {22, "s390"},
		{40, "arm"}, {62, "x86-64"}, {183, "arm64"}, {243, "riscv"}, {258, "loongarch"}};
	unsigned machine;

	if (head->size < 20 || memcmp(head->bytes,
				       "\x7f"
				       "ELF",
				       4) != 0)
		return NULL;
	machine = head->bytes[5] == 2 ? (unsigned)head->bytes[18] << 8 | head->bytes[19]
				      : (unsigned)head->bytes[19] << 8 | head->bytes[18];
	for (size_t i = 0; i < KMLN_COUNT(machines); i++)
		if (machines[i].machine == machine)
			return machines[i].name;
	return kmln_pool_printf(pool, "ELF machine %u", machine);
}

static void find_arch(struct kmln_tree *tree, struct kmln_facts *facts)
{
	static const char *const programs[] = {
		"/sbin/init", "/bin/sh", "/bin/ls", "/bin/busybox", "/usr/bin/env"};

	for (size_t i = 0; !facts->arch && i < KMLN_COUNT(programs); i++) {
		KMLN_BUF struct kmln_buf real = {0};
		struct elf_head head = {.size = 0};
		struct kmln_error ignored;

		if (kmln_tree_resolve(tree, programs[i], &real, &ignored) == 0 &&
			kmln_tree_read(tree, real.data, keep_elf, &head, &ignored) == 0)
			facts->arch = elf_arch(&head, facts->pool);
	}
}

void kmln_parse_os_release(struct kmln_facts *facts, const char *path, const char *text)
{
	(void)path;
	facts->os_id = shell_value(facts, text, "ID");
	facts->os_like = shell_value(facts, text, "ID_LIKE");
	facts->os_version = shell_value(facts, text, "VERSION_ID");
	facts->os_codename = shell_value(facts, text, "VERSION_CODENAME");
	facts->os_name = shell_value(facts, text, "PRETTY_NAME");
}

/* Guests from before os-release: the first of these files that is there says what it is. */
static void find_old_os(struct kmln_tree *tree, struct kmln_facts *facts)
{
	static const struct {
		const char *path, *id, *like;
		const char *name; /* what stands before the version; NULL: the file's own words */
	} files[] = {
		{"/etc/fedora-release", "fedora", NULL, NULL},
		{"/etc/centos-release", "centos", "rhel fedora", NULL},
		{"/etc/redhat-release", "rhel", "fedora", NULL},
		{"/etc/SuSE-release", "suse", NULL, NULL},
		{"/etc/slackware-version", "slackware", NULL, NULL},
		{"/etc/gentoo-release", "gentoo", NULL, NULL},
		{"/etc/alpine-release", "alpine", NULL, "Alpine Linux "},
		{"/etc/arch-release", "arch", NULL, "Arch Linux "},
		{"/etc/debian_version", "debian", NULL, "Debian GNU/Linux "},
	};

	for (size_t i = 0; i < KMLN_COUNT(files); i++) {
		const char *text = kmln_inspect_text(tree, facts, files[i].path);
		char *line, *digits;

		if (!text)
			continue;
		line = kmln_trim(kmln_pool_memdup(facts->pool, text, strcspn(text, "\n")));
		digits = line + strcspn(line, "0123456789");
		facts->os_id = files[i].id;
		facts->os_like = files[i].like;
		if (*digits)
			facts->os_version =
				kmln_pool_memdup(facts->pool, digits, strcspn(digits, " \t()"));
		facts->os_name = kmln_trim(kmln_pool_printf(
			facts->pool, "%s%s", files[i].name ? files[i].name : "", line));
		return;
	}
}

/* Ubuntu and its like of that time */
static bool read_lsb(struct kmln_tree *tree, struct kmln_facts *facts)
{
	const char *text = kmln_inspect_text(tree, facts, "/etc/lsb-release");
	const char *id = text ? shell_value(facts, text, "DISTRIB_ID") : NULL;
	char *lower;

	if (!id || !*id)
		return false;
	lower = kmln_pool_strdup(facts->pool, id);
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	facts->os_id = lower;
	facts->os_like = kmln_eq(lower, "ubuntu") ? "debian" : NULL;
	facts->os_version = shell_value(facts, text, "DISTRIB_RELEASE");
	facts->os_codename = shell_value(facts, text, "DISTRIB_CODENAME");
	facts->os_name = shell_value(facts, text, "DISTRIB_DESCRIPTION");
	return true;
}

int kmln_inspect_os(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err)
{
	const char *text = kmln_inspect_text(tree, facts, "/etc/os-release");
	const char *hostname = kmln_inspect_text(tree, facts, "/etc/hostname");

	(void)err;
	if (!text)
		text = kmln_inspect_text(tree, facts, "/usr/lib/os-release");
	if (text)
		kmln_parse_os_release(facts, "/etc/os-release", text);
	else if (!read_lsb(tree, facts))
		find_old_os(tree, facts);
	if (hostname) {
		size_t n = strcspn(hostname, " \t\r\n");

		facts->hostname = n ? kmln_pool_memdup(facts->pool, hostname, n) : NULL;
	}
	find_arch(tree, facts);
	return 0;
}
