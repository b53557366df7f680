// SPDX-License-Identifier: GPL-2.0-or-later
/* The settings that ssh needs; see ssh.h. */
#include "cli/ssh.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cli/project.h"

const struct kmln_opt kmln_ssh_opts[] = {
	KMLN_OPT_CLUSTER(struct kmln_ssh_options),
	{"login", 'l', KMLN_OPT_TEXT, "USER", "log in as this user (default: root)",
		offsetof(struct kmln_ssh_options, user), NULL},
	KMLN_OPT_END,
};

char *kmln_ssh_name(struct kmln_pool *pool, const char *host, const char *project)
{
	return kmln_pool_printf(pool, "%s.%s", host, project);
}

/* A word for the shell that runs the proxy command, and for ssh, which replaces %X in it. */
static void add_word(struct kmln_buf *line, const char *word)
{
	kmln_buf_str(line, " '");
	for (const char *c = word; *c; c++)
		if (*c == '\'')
			kmln_buf_str(line, "'\\''");
		else
			kmln_buf_printf(line, "%s%c", *c == '%' ? "%" : "", *c);
	kmln_buf_str(line, "'");
}

/* A path for ssh_config(5): in quotes, since it may have blanks; %X would be replaced. */
static void add_path(struct kmln_buf *line, const char *path)
{
	kmln_buf_str(line, "\"");
	for (const char *c = path; *c; c++) {
		if (*c == '"' || *c == '\\')
			kmln_buf_str(line, "\\");
		kmln_buf_printf(line, "%s%c", *c == '%' ? "%" : "", *c);
	}
	kmln_buf_str(line, "\"");
}

void kmln_ssh_settings(const struct kmln_store *store, const char *host, const char *user,
	const char *program, const char *home, struct kmln_strv *settings)
{
	KMLN_BUF struct kmln_buf proxy = {0}, known = {0};
	KMLN_FREE char *path = kmln_printf("%s/known_hosts", store->folder);

	/* ssh puts exec in front of it by itself */
	kmln_buf_str(&proxy, "ProxyCommand");
	if (home) {
		KMLN_FREE char *set = kmln_printf("KMLN_HOME=%s", home);

		kmln_buf_str(&proxy, " env");
		add_word(&proxy, set);
	}
	add_word(&proxy, program);
	kmln_buf_printf(&proxy, " _connect -p %s %s 22", store->project, host);
	kmln_buf_str(&known, "UserKnownHostsFile ");
	add_path(&known, path);
	kmln_strv_add(settings, proxy.data);
	kmln_strv_printf(settings, "HostKeyAlias %s.%s", host, store->project);
	kmln_strv_add(settings, known.data);
	kmln_strv_add(settings, "GlobalKnownHostsFile /dev/null");
	/* a guest's key is its disk's: it is new once, and never changes after that */
	kmln_strv_add(settings, "StrictHostKeyChecking accept-new");
	kmln_strv_add(settings, "HashKnownHosts no");
	kmln_strv_add(settings, "CheckHostIP no");
	kmln_strv_printf(settings, "User %s", user);
}

int kmln_own_path(struct kmln_pool *pool, const char **path, struct kmln_error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", target, sizeof(target) - 1);

	if (n < 0)
		return kmln_fail_sys(err, errno, "/proc/self/exe");
	*path = kmln_pool_memdup(pool, target, (size_t)n);
	return 0;
}
