// SPDX-License-Identifier: GPL-2.0-or-later
/* Which program is process 1, and where people can log in. */
#include "image/inspect.h"

#include <string.h>

#include "image/inspect-parts.h"

static int keep_two(void *data, const char *bytes, size_t size, struct kmln_error *err)
{
	(void)err;
	memcpy(data, bytes, size < 2 ? size : 2);
	return 1;
}

static bool is_script(struct kmln_tree *tree, const char *path)
{
	struct kmln_error ignored;
	char first[2] = {0};

	return kmln_tree_read(tree, path, keep_two, first, &ignored) == 0 && first[0] == '#' &&
	       first[1] == '!';
}

static bool exists(struct kmln_tree *tree, const char *path, struct kmln_stat *st)
{
	KMLN_BUF struct kmln_buf real = {0};
	struct kmln_error ignored;

	return kmln_tree_resolve(tree, path, &real, &ignored) == 0 &&
	       kmln_tree_stat(tree, real.data, st, &ignored) == 0;
}

/* Busybox may be a hard link under another name. */
static bool is_busybox(struct kmln_tree *tree, const struct kmln_stat *init)
{
	struct kmln_stat st;

	return (exists(tree, "/bin/busybox", &st) || exists(tree, "/usr/bin/busybox", &st)) &&
	       st.inode == init->inode;
}

/* Packages left jobs in /etc/init under sysvinit too, and upstart kept an inittab: its own program
 * tells. */
static bool is_upstart(struct kmln_tree *tree)
{
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_error ignored;
	struct kmln_stat st;

	if (!exists(tree, "/sbin/initctl", &st) || !S_ISREG(st.mode) ||
		kmln_tree_names(tree, "/etc/init", &names, &ignored) < 0)
		return false;
	for (size_t i = 0; i < names.count; i++)
		if (kmln_ends(names.items[i], ".conf"))
			return true;
	return false;
}

/* The places where kernels look, and our initramfs. */
static void find_init(struct kmln_tree *tree, struct kmln_facts *facts)
{
	static const char *const places[] = {"/sbin/init", "/etc/init", "/bin/init"};
	struct kmln_stat st, other;

	for (size_t i = 0; i < KMLN_COUNT(places) && !facts->init_path; i++) {
		KMLN_BUF struct kmln_buf real = {0};
		struct kmln_error ignored;

		if (kmln_tree_resolve(tree, places[i], &real, &ignored) < 0 ||
			kmln_tree_stat(tree, real.data, &st, &ignored) < 0 || !S_ISREG(st.mode))
			continue;
		facts->init_path = kmln_pool_strdup(facts->pool, real.data);
	}
	if (!facts->init_path)
		facts->init = KMLN_INIT_NONE;
	else if (kmln_ends(facts->init_path, "/systemd"))
		facts->init = KMLN_INIT_SYSTEMD;
	else if (kmln_ends(facts->init_path, "/busybox") || is_busybox(tree, &st))
		facts->init = KMLN_INIT_BUSYBOX;
	else if (kmln_ends(facts->init_path, "/openrc-init"))
		facts->init = KMLN_INIT_OPENRC;
	else if (is_script(tree, facts->init_path))
		facts->init = KMLN_INIT_SCRIPT;
	else if (is_upstart(tree))
		facts->init = KMLN_INIT_UPSTART;
	else if (exists(tree, "/etc/inittab", &other))
		facts->init = KMLN_INIT_SYSVINIT;
	else
		facts->init = KMLN_INIT_OTHER;
	facts->has_udev = exists(tree, "/lib/systemd/systemd-udevd", &other) ||
			  exists(tree, "/sbin/udevd", &other) ||
			  exists(tree, "/bin/udevadm", &other);
}

static void add_login(struct kmln_facts *facts, const char *tty, const char *source)
{
	struct kmln_login *l =
		kmln_list_add(facts, &facts->logins, &facts->login_count, sizeof(*l), "logins");

	if (!l)
		return;
	if (kmln_starts(tty, "/dev/"))
		tty += 5;
	*l = (struct kmln_login){
		kmln_pool_strdup(facts->pool, tty), kmln_pool_strdup(facts->pool, source)};
}

/*
 * sysvinit: id:levels:action:process, and the terminal is a word of the process. busybox: the id is
 * the terminal. Only lines whose process is some getty or login count.
 */
void kmln_parse_inittab(struct kmln_facts *facts, const char *path, const char *text)
{
	KMLN_FREE char *copy = kmln_strdup(text);
	char *rest = copy, *line;

	for (unsigned number = 1; kmln_next_line(&rest, &line); number++) {
		char *id = strsep(&line, ":"), *levels = strsep(&line, ":"),
		     *action = strsep(&line, ":");
		char *process = line;
		KMLN_FREE char *source = NULL;

		if (!process || id[0] == '#' || !levels || !action)
			continue;
		if (strcmp(action, "respawn") != 0 && strcmp(action, "askfirst") != 0)
			continue;
		source = kmln_printf("%s:%u", path, number);
		if (facts->init == KMLN_INIT_BUSYBOX) {
			add_login(facts, *id ? id : "console", source);
			continue;
		}
		if (!strstr(process, "getty") && !strstr(process, "login"))
			continue;
		for (char *word; (word = strsep(&process, " \t"));)
			if (kmln_starts(word, "tty") || kmln_starts(word, "hvc") ||
				kmln_starts(word, "/dev/") || kmln_eq(word, "console")) {
				add_login(facts, word, source);
				break;
			}
	}
}

static void read_systemd(struct kmln_tree *tree, struct kmln_facts *facts)
{
	static const char *const folders[] = {
		"/etc/systemd/system/getty.target.wants", "/lib/systemd/system/getty.target.wants"};

	for (size_t f = 0; f < KMLN_COUNT(folders); f++) {
		KMLN_STRV struct kmln_strv names = {0};
		struct kmln_error ignored;

		if (kmln_tree_names(tree, folders[f], &names, &ignored) < 0)
			continue;
		for (size_t i = 0; i < names.count; i++) {
			char *name = names.items[i], *at = strchr(name, '@'),
			     *dot = strrchr(name, '.');
			KMLN_FREE char *source = kmln_printf("%s/%s", folders[f], name);

			if (!at || !dot || dot < at || dot == at + 1)
				continue;
			*dot = '\0';
			add_login(facts, at + 1, source);
		}
	}
	add_login(facts, "ttyS0", "systemd, from console= on the kernel's command line");
}

int kmln_inspect_init(struct kmln_tree *tree, struct kmln_facts *facts, struct kmln_error *err)
{
	const struct kmln_known_file *tab = kmln_facts_file(facts, "/etc/inittab");

	(void)err;
	find_init(tree, facts);
	if (facts->init == KMLN_INIT_SYSTEMD)
		read_systemd(tree, facts);
	else if (tab->data)
		kmln_parse_inittab(facts, tab->path, tab->data);
	if (facts->init == KMLN_INIT_BUSYBOX && !facts->login_count)
		add_login(facts, "console", "busybox, without an inittab");
	return 0;
}
