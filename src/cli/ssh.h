/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ssh is told to reach a guest: the same for `kmln ssh` and `kmln ssh-config`. */
#ifndef KMLN_CLI_SSH_H
#define KMLN_CLI_SSH_H

#include "cli/cli.h"
#include "cli/reach.h"

/* Both have the same options. */
struct kmln_ssh_options {
	const char *file, *project, *user;
	bool allow_include;
};
extern const struct kmln_opt kmln_ssh_opts[];

/* The name that ssh knows a host by: "gw.net". */
char *kmln_ssh_name(struct kmln_pool *pool, const char *host, const char *project);
/*
 * Appends its settings, "Name value" each, as ssh_config(5) has them. The proxy command is kmln
 * itself, as `program`; `home` is what KMLN_HOME was, or NULL.
 */
void kmln_ssh_settings(const struct kmln_store *store, const char *host, const char *user,
	const char *program, const char *home, struct kmln_strv *settings);
/* The path of the kmln that runs. */
int kmln_own_path(struct kmln_pool *pool, const char **path, struct kmln_error *err);

#endif
