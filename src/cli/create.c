// SPDX-License-Identifier: GPL-2.0-or-later
/* kmln create */
#include "cli/commands.h"

#include <stddef.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "convert/create.h"

#define DEFAULT_SIZE (1ull << 30)
#define KEY_MAX (64u << 10)

struct options {
	const char *out, *init, *password, *ssh_key, *hostname;
	uint64_t size;
	struct kmln_strv include, users;
	bool force;
};

static const char *const inits[] = {"systemd", "sysvinit", NULL};

static const struct kmln_opt opts[] = {
	{"output", 'o', KMLN_OPT_FILE, "IMAGE", "the image to make", offsetof(struct options, out),
		NULL},
	{"size", 0, KMLN_OPT_SIZE, "SIZE", "how big it is (default 1G); holes take no space",
		offsetof(struct options, size), NULL},
	{"init", 0, KMLN_OPT_CHOICE, "INIT", "systemd (default) or sysvinit",
		offsetof(struct options, init), inits},
	{"include", 0, KMLN_OPT_LIST, "PKG,...", "more packages; may be repeated",
		offsetof(struct options, include), NULL},
	{"root-password", 0, KMLN_OPT_TEXT, "PASSWORD", "root's password; stored as a hash",
		offsetof(struct options, password), NULL},
	{"user", 0, KMLN_OPT_LIST, "USER",
		"a user to add, NAME or NAME:HASH of a password; may be repeated",
		offsetof(struct options, users), NULL},
	{"ssh-key", 0, KMLN_OPT_FILE, "FILE",
		"a public key with which root may log in; brings openssh-server",
		offsetof(struct options, ssh_key), NULL},
	{"hostname", 0, KMLN_OPT_TEXT, "NAME", "its name (default debian)",
		offsetof(struct options, hostname), NULL},
	{"force", 'f', KMLN_OPT_FLAG, NULL, "replace IMAGE where it is there already",
		offsetof(struct options, force), NULL},
	KMLN_OPT_END,
};

/* "NAME" or "NAME:HASH" each; what is wrong with them the settings' check says. */
static struct kmln_set_user *read_users(struct kmln_pool *pool, const struct kmln_strv *words)
{
	struct kmln_set_user *users = kmln_pool_array(pool, words->count, sizeof(*users));

	for (size_t i = 0; i < words->count; i++) {
		char *rest = kmln_pool_strdup(pool, words->items[i]);

		users[i].name = strsep(&rest, ":");
		users[i].hash = rest;
	}
	return users;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	const struct options *o = values;
	KMLN_BUF struct kmln_buf key = {0};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_set_user *users = read_users(pool, &o->users);
	struct kmln_set_keys root_key = {.user = "root"};
	struct kmln_create job = {
		.system = argv[0],
		.out = o->out,
		.size = o->size ? o->size : DEFAULT_SIZE,
		.init = o->init ? o->init : "systemd",
		.include = &o->include,
		.settings = {.hostname = o->hostname,
			.root_password = o->password,
			.users = users,
			.user_count = o->users.count},
		.force = o->force,
	};
	int r;

	(void)argc;
	if (!o->out)
		return kmln_fail(err, KMLN_EUSAGE, "create: into which file? -o IMAGE");
	if (o->ssh_key) {
		r = kmln_read_file(o->ssh_key, KEY_MAX, &key, err);
		if (r < 0)
			return r;
		if (!key.size ||
			(!kmln_starts(key.data, "ssh-") && !kmln_starts(key.data, "ecdsa-") &&
				!kmln_starts(key.data, "sk-")))
			return kmln_fail(err, KMLN_EUSAGE,
				"--ssh-key: %s is not a public key (it begins with ssh-...)",
				o->ssh_key);
		root_key.text = key.data;
		job.settings.keys = &root_key;
		job.settings.key_count = 1;
	}
	r = kmln_create(&job, err);
	if (r == 0)
		kmln_note("%s is ready: kmln boot %s", o->out, o->out);
	return r;
}

static const char *const systems[] = {"debian:bookworm", "debian:trixie", "debian:sid", NULL};

const struct kmln_command kmln_command_create = {
	.name = "create",
	.args = "debian:SUITE",
	.summary = "Make a new Debian guest in a bare ext4 image",
	.details = "Needs no root where the host has user namespaces and subordinate ids.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.complete_words = systems,
	.run = run,
};
