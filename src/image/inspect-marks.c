// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Small files that decide how a guest behaves when it is moved: securetty, machine-id, SELinux, and
 * what only the root filesystem of a container has.
 */
#include <ctype.h>
#include <string.h>

#include "image/inspect-parts.h"
#include "image/inspect.h"

static void add_word(struct kmln_facts *facts, const char ***list, size_t *count, const char *word,
	const char *what)
{
	const char **slot = kmln_list_add(facts, list, count, sizeof(*slot), what);

	if (slot)
		*slot = kmln_pool_strdup(facts->pool, word);
}

void kmln_parse_securetty(struct kmln_facts *facts, const char *path, const char *text)
{
	KMLN_FREE char *copy = kmln_strdup(text);
	char *rest = copy, *line;

	(void)path;
	facts->has_securetty = true;
	while (kmln_next_line(&rest, &line)) {
		const char *tty = kmln_next_word(&line);

		if (tty && *tty != '#')
			add_word(facts, &facts->securetty, &facts->securetty_count, tty,
				"lines in /etc/securetty");
	}
}

/* As systemd takes it: 32 hexadecimal digits, nothing, or the word that asks for a first boot. */
void kmln_parse_machine_id(struct kmln_facts *facts, const char *path, const char *text)
{
	size_t n = strcspn(text, "\n"), digits = 0;

	(void)path;
	while (digits < n && isxdigit((unsigned char)text[digits]))
		digits++;
	facts->machine_id = n == 0					    ? "empty"
			    : n == 32 && digits == n			    ? "set"
			    : n == 13 && kmln_starts(text, "uninitialized") ? "uninitialized"
									    : "invalid";
}

static void selinux_line(void *data, const char *section, const char *key, char *value)
{
	struct kmln_facts *facts = data;

	(void)section;
	if (kmln_eq(key, "SELINUX"))
		facts->selinux = kmln_pool_strdup(facts->pool, value);
	else if (kmln_eq(key, "SELINUXTYPE"))
		facts->selinux_policy = kmln_pool_strdup(facts->pool, value);
}

void kmln_parse_selinux(struct kmln_facts *facts, const char *path, const char *text)
{
	(void)path;
	kmln_ini(text, selinux_line, facts);
}

static void find_container_marks(struct kmln_look *look)
{
	static const struct {
		const char *path, *words;
	} marks[] = {
		{"/.dockerenv", "made by Docker"},
		{"/.dockerinit", "made by Docker"},
		{"/run/.containerenv", "made by Podman"},
		{"/run/systemd/container", "was run by a container manager"},
		{"/run/host/container-manager", "was run by a container manager"},
		{"/.singularity.d", "made by Singularity"},
		{"/dev/.lxc", "made by LXC"},
		{"/dev/.lxc-boot-id", "made by LXC"},
		{"/etc/systemd/system-generators/lxc", "the generator of LXC images"},
		{"/etc/systemd/system/getty.target.wants/container-getty@1.service",
			"a login of containers"},
		{"/etc/systemd/system/getty.target.wants/console-getty.service",
			"a login of containers"},
		{"/etc/systemd/system/console-getty.service.d", "a login of containers"},
		{"/usr/sbin/policy-rc.d", "keeps services from being started"},
		{"/etc/apt/apt.conf.d/docker-clean", "apt as in Docker images"},
		{"/etc/dpkg/dpkg.cfg.d/docker-apt-speedup", "dpkg as in Docker images"},
		{"/etc/dpkg/dpkg.cfg.d/excludes", "dpkg leaves documentation out"},
	};
	struct kmln_facts *facts = look->facts;
	struct kmln_error ignored;
	struct kmln_stat st;

	for (size_t i = 0; i < KMLN_COUNT(marks); i++) {
		KMLN_FREE char *text = kmln_printf("%s: %s", marks[i].path, marks[i].words);

		/* a link that leads nowhere is a mark as well */
		if (kmln_tree_stat(look->tree, marks[i].path, &st, &ignored) == 0)
			add_word(facts, &facts->container_marks, &facts->container_mark_count, text,
				"marks");
	}
	if (kmln_tree_stat(look->tree, "/", &st, &ignored) == 0 && st.uid >= 65536) {
		KMLN_FREE char *text =
			kmln_printf("/: belongs to user %u: shifted for a container", st.uid);

		add_word(facts, &facts->container_marks, &facts->container_mark_count, text,
			"marks");
	}
}

void kmln_inspect_marks(struct kmln_look *look)
{
	const char *securetty = kmln_facts_file(look->facts, "/etc/securetty")->data;

	if (securetty)
		kmln_parse_securetty(look->facts, "/etc/securetty", securetty);
	look->facts->machine_id = "missing";
	if (kmln_look_type(look, "/etc/machine-id")) {
		look->facts->machine_id = "invalid";
		kmln_look_parse(look, "/etc/machine-id", kmln_parse_machine_id);
	}
	kmln_look_parse(look, "/etc/selinux/config", kmln_parse_selinux);
	find_container_marks(look);
}
