// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding a project that lives, and ending the waiting for it; see life.h. */
#include "cli/life.h"

#include <limits.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/build.h"
#include "cluster/control.h"

void kmln_alive_fini(struct kmln_alive *alive)
{
	kmln_alive_release(alive, 0);
	kmln_close_cleanup(&alive->lock);
	kmln_loaded_fini(&alive->loaded);
	alive->pool = kmln_pool_free(alive->pool);
}

/* What the project file of the command line calls its project, whatever else is wrong with it; the
 * file is in alive->loaded then. */
static int find_name(struct kmln_alive *alive, const struct kmln_which *which, const char **name,
	struct kmln_error *err)
{
	struct kmln_loaded *loaded = &alive->loaded;
	int r;

	*name = which->project;
	if (which->project && which->file)
		return kmln_fail(err, KMLN_EUSAGE,
			"-p %s names a project, and -f %s its file: one of them", which->project,
			which->file);
	if (which->project)
		return 0;
	r = kmln_project_load_named(loaded, which->file, true, err);
	if (r == 0)
		*name = kmln_pool_strdup(alive->pool, loaded->model->project);
	return r;
}

/* The project as it was built; its mistakes are not shown: it had none then. */
static int load_built(struct kmln_alive *alive, struct kmln_error *err)
{
	struct kmln_loaded *loaded = &alive->loaded;
	struct kmln_origin origin;
	int r = kmln_origin_read(&alive->store, &origin, err);

	if (r == 0)
		return kmln_fail(err, KMLN_ENO, "project %s is not built; kmln up builds it",
			alive->store.project);
	if (r > 0)
		r = kmln_project_load(loaded, origin.file, NULL, false, false, err);
	if (r < 0)
		return r;
	loaded->folder = origin.folder;
	loaded->store = alive->store;
	return kmln_report_result(&loaded->report, origin.file, err);
}

static void set_up(struct kmln_alive *alive, const struct kmln_model *model)
{
	const char *place = alive->loaded.folder;

	if (place && !*place)
		place = ".";
	alive->life = (struct kmln_life){
		.pool = alive->pool,
		.store = &alive->store,
		.model = model,
		.place = place && access(place, X_OK) == 0 ? place : alive->store.folder,
		.signals = -1,
	};
	kmln_life_tell_user(&alive->life);
	kmln_life_order(&alive->life);
}

int kmln_alive_use(struct kmln_alive *alive, struct kmln_error *err)
{
	int r;

	alive->pool = kmln_pool_new();
	r = kmln_store_init(&alive->store, alive->pool, alive->loaded.model->project, err);
	if (r == 0)
		set_up(alive, alive->loaded.model);
	return r;
}

int kmln_alive_open(struct kmln_alive *alive, const struct kmln_which *which,
	enum kmln_alive_how how, struct kmln_error *err)
{
	const char *name;
	struct kmln_error why;
	int r;

	alive->pool = kmln_pool_new();
	r = find_name(alive, which, &name, err);
	if (r == 0)
		r = kmln_store_init(&alive->store, alive->pool, name, err);
	if (r == 0 && !which->project)
		r = kmln_project_own(&alive->store, &alive->loaded, err);
	if (r < 0)
		return r;
	r = -KMLN_ENO;
	if (how == KMLN_ALIVE_SEEN && alive->loaded.model)
		r = kmln_report_result(&alive->loaded.report, alive->loaded.path, &why);
	if (r < 0) {
		kmln_loaded_fini(&alive->loaded);
		alive->loaded = (struct kmln_loaded){0};
		r = load_built(alive, &why);
	}
	if (r < 0 && how == KMLN_ALIVE_BUILT) {
		*err = why;
		return r;
	}
	set_up(alive, r < 0 ? NULL : alive->loaded.model);
	return kmln_life_add_found(&alive->life, err);
}

int kmln_alive_lock(struct kmln_alive *alive, struct kmln_error *err)
{
	return kmln_store_lock(alive->life.store, KMLN_LOCK_SECONDS, &alive->lock, err);
}

/* ---- Ctrl-C ---- */

int kmln_alive_catch(struct kmln_alive *alive, struct kmln_error *err)
{
	sigset_t caught;

	sigemptyset(&caught);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGHUP);
	sigprocmask(SIG_BLOCK, &caught, &alive->mask);
	alive->catching = true;
	alive->life.signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
	return alive->life.signals < 0 ? kmln_fail_sys(err, errno, "signalfd") : 0;
}

static void say_what_runs(const struct kmln_life *life)
{
	KMLN_BUF struct kmln_buf names = {0};
	size_t count = 0;

	for (size_t i = 0; i < life->count; i++) {
		const struct kmln_life_node *node = &life->nodes[i];

		if (node->role != KMLN_ROLE_HOST || !kmln_node_keeper(node->folder))
			continue;
		count++;
		if (count <= 8)
			kmln_buf_printf(&names, "%s%s", count > 1 ? ", " : "", node->name);
	}
	if (count > 8)
		kmln_buf_printf(&names, " and %zu more", count - 8);
	if (count)
		fprintf(stderr,
			"kmln: interrupted; these go on running: %s (kmln down -p %s ends them)\n",
			names.data, life->store->project);
	else
		fprintf(stderr, "kmln: interrupted; no host runs\n");
}

void kmln_alive_release(struct kmln_alive *alive, int result)
{
	if (!alive->catching)
		return;
	if (result == -EINTR)
		say_what_runs(&alive->life);
	kmln_close_cleanup(&alive->life.signals);
	alive->catching = false;
	/* a signal that came was never taken: it ends us here, as whoever sent it wants to see */
	sigprocmask(SIG_SETMASK, &alive->mask, NULL);
}

int kmln_alive_start(
	struct kmln_alive *alive, const struct kmln_life_start *wish, struct kmln_error *err)
{
	int r = kmln_alive_catch(alive, err);

	if (r == 0)
		r = kmln_life_start(&alive->life, wish, err);
	kmln_alive_release(alive, r);
	return r;
}

int kmln_alive_stop(
	struct kmln_alive *alive, const struct kmln_life_stop *wish, struct kmln_error *err)
{
	int r = kmln_alive_catch(alive, err);

	if (r == 0)
		r = kmln_life_stop(&alive->life, wish, err);
	kmln_alive_release(alive, r);
	return r;
}

int kmln_seconds(uint64_t given, unsigned otherwise, unsigned *seconds, struct kmln_error *err)
{
	*seconds = given ? (unsigned)given : otherwise;
	return given > INT_MAX / 1000 ? kmln_fail(err, KMLN_EUSAGE,
						"--timeout: more than %d seconds", INT_MAX / 1000)
				      : 0;
}
