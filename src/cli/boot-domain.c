// SPDX-License-Identifier: GPL-2.0-or-later
/* A domain's command and what takes it away; see boot-domain.h. */
#include "cli/boot-domain.h"

#include <stdlib.h>
#include <unistd.h>

#include "convert/direct.h"
#include "run/sandbox.h"

static int make_real(struct kmln_pool *pool, const char **path, struct kmln_error *err)
{
	KMLN_FREE char *real = *path ? realpath(*path, NULL) : NULL;

	if (*path && !real)
		return kmln_fail_sys(err, errno, "%s", *path);
	*path = kmln_pool_strdup(pool, real);
	return 0;
}

int kmln_plan_domain(const struct kmln_platform *platform, struct kmln_launch *launch,
	struct kmln_actions *actions, struct kmln_spawn *spawn, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv program = {0}, ending = {0};
	int r = make_real(actions->pool, &launch->kernel, err);

	if (r == 0)
		r = make_real(actions->pool, &launch->initramfs, err);
	if (r == 0)
		r = kmln_direct_xen_type(launch->kernel, &launch->type, err);
	if (r < 0)
		return r;
	/* a name that no other domain has: in the end it says which one is taken away */
	launch->name = kmln_pool_printf(actions->pool, "kmln-%d", getpid());
	launch->run = "/";
	r = platform->launch(launch, &program, err);
	if (r < 0)
		return r;
	platform->ending(launch, &ending);
	kmln_sandbox_none(&program, &ending,
		"walls: Xen's own; its tools run as they are, and take from the guest no more than its "
		"kernel",
		actions, spawn);
	return 0;
}
