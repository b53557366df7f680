// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln ssh: OpenSSH to a guest through its agent: the guest needs an ssh server, but no network. */
#include "cli/ssh.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/commands.h"

/* Where kmln failed, as exec has it. */
#define OWN_FAILURE 125

static int become_ssh(const char *program, const struct kmln_strv *argv, struct kmln_error *err)
{
	execv(program, argv->items);
	return kmln_fail_sys(err, errno, "%s", program);
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct kmln_ssh_options *o = values;
	KMLN_REACH struct kmln_reach reach = {0};
	KMLN_CONTROL struct kmln_control control = KMLN_CONTROL_NONE;
	KMLN_STRV struct kmln_strv settings = {0}, words = {0};
	char *at = strchr(argv[0], '@');
	const char *user = o->user ? o->user : "root", *host, *own, *ssh;
	int r;

	if (at) {
		*at = '\0';
		user = argv[0];
	}
	r = kmln_reach_open(&reach, o->file, o->project, o->allow_include, err);
	if (r == 0)
		r = kmln_reach_host(&reach, at ? at + 1 : argv[0], &host, err);
	/* told here, where it can be told well */
	if (r == 0)
		r = kmln_reach_connect(&reach, host, &control, err);
	if (r == 0)
		r = kmln_own_path(reach.pool, &own, err);
	if (r < 0)
		return r;
	ssh = kmln_find_program(reach.pool, "ssh");
	if (!ssh)
		return kmln_fail(err, KMLN_ELACK, "ssh is not installed (package openssh-client)");
	kmln_ssh_settings(&reach.store, host, user, own, NULL, &settings);
	kmln_strv_add(&words, "ssh");
	for (size_t i = 0; i < settings.count; i++) {
		kmln_strv_add(&words, "-o");
		kmln_strv_add(&words, settings.items[i]);
	}
	kmln_strv_add(&words, kmln_ssh_name(reach.pool, host, reach.store.project));
	for (int i = 1; i < argc; i++)
		kmln_strv_add(&words, argv[i]);
	return become_ssh(ssh, &words, err);
}

const struct kmln_command kmln_command_ssh = {
	.name = "ssh",
	.args = "HOST [ARG...]",
	.summary = "Log in to a running host with OpenSSH",
	.details = "What stands behind HOST belongs to ssh: its options, and a command.",
	.opts = kmln_ssh_opts,
	.opts_size = sizeof(struct kmln_ssh_options),
	.min_args = 1,
	.max_args = -1,
	.rest_from = 1,
	.complete_hosts = true,
	.failed_status = OWN_FAILURE,
	.run = run,
};
