// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stopping: from the last stage to the first. A node is asked to end; one that does not answer is
 * ended by the kernel, through its keeper.
 */
#include "cluster/life.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "cluster/life-private.h"

/* Milliseconds: until a keeper that lives answers; that it may take longer than its guest was
 * given; that it may take to go when it said it would. */
#define ANSWER_LIMIT 5000
#define GRACE 10000
#define GONE_LIMIT 5000
#define TICK 1000
#define GONE_TICK 20
#define AT_ONCE 300

enum phase { WAITING, ASKED, LEAVING, DONE };

struct flight {
	struct kmln_life_node *node;
	enum phase phase;
	struct kmln_control *control;
	uint32_t status, end; /* streams */
	int64_t since, left; /* when it was asked; when it said that it goes */
	bool heard;
	enum kmln_outcome how;
};

struct run {
	struct kmln_life *life;
	const struct kmln_life_stop *wish;
	struct flight *flights;
	size_t count;
	int64_t told;
	bool failed; /* something lives that should not */
};

int64_t kmln_life_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool kmln_life_interrupted(const struct kmln_life *life)
{
	struct pollfd fd = {life->signals, POLLIN, 0};

	return life->signals >= 0 && poll(&fd, 1, 0) > 0;
}

void kmln_life_settle(struct kmln_life *life, struct kmln_life_node *node,
	enum kmln_outcome outcome, const char *why)
{
	node->outcome = outcome;
	node->why = kmln_pool_strdup(life->pool, why);
	if (life->tell.settled)
		life->tell.settled(life->tell.data, node);
}

bool kmln_life_gone(const char *folder, unsigned limit_ms)
{
	const int64_t end = kmln_life_now() + limit_ms;

	while (kmln_node_keeper(folder) && kmln_life_now() < end)
		poll(NULL, 0, GONE_TICK);
	return !kmln_node_keeper(folder);
}

/* ---- one node ---- */

static void land(struct flight *f)
{
	if (f->control) {
		kmln_control_close(f->control);
		free(f->control);
		f->control = NULL;
	}
	f->phase = DONE;
}

static void gone(struct run *run, struct flight *f, enum kmln_outcome how)
{
	kmln_life_settle(run->life, f->node, how, NULL);
	land(f);
}

static void kill_it(struct run *run, struct flight *f)
{
	struct kmln_error err;

	if (kmln_node_kill(f->node->folder, &err) == 0) {
		gone(run, f, KMLN_OUTCOME_CUT);
		return;
	}
	run->failed = true;
	f->node->code = err.code;
	kmln_life_settle(run->life, f->node, KMLN_OUTCOME_FAILED, err.text);
	land(f);
}

static void leave(struct flight *f, enum kmln_outcome how)
{
	f->phase = LEAVING;
	f->how = how;
	f->left = kmln_life_now();
}

static void ask(struct run *run, struct flight *f)
{
	const bool shutdown = f->node->role == KMLN_ROLE_HOST && !run->wish->now;
	struct kmln_json *status = kmln_json_object(), *end = kmln_json_object();
	struct kmln_error err;
	int r;

	kmln_json_set(status, "do", kmln_json_text("status"));
	kmln_json_set(end, "do", kmln_json_text("end"));
	kmln_json_set(end, "how", kmln_json_text(shutdown ? "shutdown" : "cut"));
	kmln_json_set(end, "seconds", kmln_json_number(run->wish->timeout));
	f->since = kmln_life_now();
	f->control = kmln_malloc(sizeof(*f->control));
	r = kmln_control_open(f->control, f->node->folder, &err);
	if (r < 0) {
		kmln_json_free(&status);
		kmln_json_free(&end);
		kill_it(run, f);
		return;
	}
	f->phase = ASKED;
	r = kmln_control_ask(f->control, status, &f->status, &err);
	if (kmln_control_ask(f->control, end, &f->end, &err) < 0 || r < 0 ||
		kmln_control_flush(f->control, &err) < 0)
		leave(f, KMLN_OUTCOME_CUT);
}

static void hear(struct run *run, struct flight *f)
{
	struct kmln_error err;
	struct kmln_frame frame;
	int r = 1;

	while (r > 0 && f->phase == ASKED) {
		KMLN_JSON struct kmln_json *answer = NULL;

		r = kmln_control_take(f->control, &frame, &err);
		if (r <= 0 || frame.type != KMLN_FRAME_CLOSE)
			continue;
		f->heard = true;
		if (frame.stream != f->end)
			continue;
		if (kmln_control_answer(&frame, &answer, &err) < 0) {
			kmln_debug("%s: %s", f->node->node, err.text);
			kill_it(run, f);
			return;
		}
		leave(f, kmln_eq(kmln_json_get(answer, "how"), "shutdown") ? KMLN_OUTCOME_SHUT
									   : KMLN_OUTCOME_CUT);
	}
	if (f->phase == ASKED && r == 0)
		r = kmln_control_flush(f->control, &err);
	if (f->phase == ASKED && r < 0)
		leave(f, KMLN_OUTCOME_CUT);
}

static void check_time(struct run *run, struct flight *f)
{
	const int64_t now = kmln_life_now();

	if (f->phase == LEAVING && !kmln_node_keeper(f->node->folder))
		gone(run, f, f->how);
	else if (f->phase == LEAVING && now - f->left > GONE_LIMIT)
		kill_it(run, f);
	else if (f->phase == ASKED &&
		 ((!f->heard && now - f->since > ANSWER_LIMIT) ||
			 now - f->since > (int64_t)run->wish->timeout * 1000 + GRACE))
		kill_it(run, f);
}

/* ---- all of a stage ---- */

static size_t begin_some(struct run *run, bool *leaving)
{
	size_t active = 0;

	*leaving = false;
	for (size_t i = 0; i < run->count; i++) {
		active += run->flights[i].phase == ASKED || run->flights[i].phase == LEAVING;
		*leaving = *leaving || run->flights[i].phase == LEAVING;
	}
	for (size_t i = 0; i < run->count && active < AT_ONCE; i++) {
		if (run->flights[i].phase != WAITING)
			continue;
		ask(run, &run->flights[i]);
		active += run->flights[i].phase != DONE;
		*leaving = *leaving || run->flights[i].phase == LEAVING;
	}
	return active;
}

static void tell_waits(struct run *run)
{
	const struct kmln_life_tell *tell = &run->life->tell;
	const int64_t now = kmln_life_now();
	const struct flight *first = NULL;
	size_t left = 0;

	if (!tell->waits || now - run->told < TICK)
		return;
	run->told = now;
	for (size_t i = 0; i < run->count; i++) {
		if (run->flights[i].phase == DONE)
			continue;
		left++;
		if (!first && run->flights[i].phase != WAITING)
			first = &run->flights[i];
	}
	if (first)
		tell->waits(tell->data, first->node, (unsigned)((now - first->since) / 1000),
			"its end", NULL, left);
}

static int wait_once(struct run *run, bool leaving, struct kmln_error *err)
{
	KMLN_FREE struct pollfd *fds = kmln_malloc((run->count + 1) * sizeof(*fds));

	for (size_t i = 0; i < run->count; i++) {
		const struct flight *f = &run->flights[i];

		fds[i] = (struct pollfd){.fd = -1};
		if (f->phase == ASKED)
			fds[i] = (struct pollfd){f->control->fd,
				f->control->out.size ? POLLIN | POLLOUT : POLLIN, 0};
	}
	fds[run->count] = (struct pollfd){run->life->signals, POLLIN, 0};
	if (poll(fds, run->count + 1, leaving ? GONE_TICK : TICK) < 0 && errno != EINTR)
		return kmln_fail_sys(err, errno, "poll");
	if (kmln_life_interrupted(run->life))
		return kmln_fail(err, EINTR, "interrupted");
	for (size_t i = 0; i < run->count; i++) {
		if (fds[i].fd >= 0 && fds[i].revents)
			hear(run, &run->flights[i]);
		check_time(run, &run->flights[i]);
	}
	tell_waits(run);
	return 0;
}

static int run_stage(struct run *run, unsigned stage, struct kmln_error *err)
{
	struct kmln_life *life = run->life;
	bool leaving;
	int r = 0;

	run->count = 0;
	for (size_t i = 0; i < life->count; i++)
		if (life->nodes[i].wanted && life->nodes[i].stage == stage &&
			kmln_node_keeper(life->nodes[i].folder))
			run->flights[run->count++] = (struct flight){.node = &life->nodes[i]};
	run->told = kmln_life_now();
	while (r == 0 && begin_some(run, &leaving))
		r = wait_once(run, leaving, err);
	for (size_t i = 0; i < run->count; i++)
		land(&run->flights[i]);
	if (life->tell.waits)
		life->tell.waits(life->tell.data, NULL, 0, NULL, NULL, 0);
	return r;
}

/* ---- all ---- */

static bool any_runs(const struct kmln_life *life)
{
	for (size_t i = 0; i < life->count; i++)
		if (life->nodes[i].wanted && kmln_node_keeper(life->nodes[i].folder))
			return true;
	return false;
}

/* A line of the user's that fails does not keep machines running; it is told in the end. */
static void hook(struct run *run, enum kmln_hook which, struct kmln_error *first)
{
	struct kmln_error err;

	if (!run->wish->hooks || kmln_life_hook(run->life, which, &err) == 0)
		return;
	if (!first->code)
		*first = err;
}

int kmln_life_stop(
	struct kmln_life *life, const struct kmln_life_stop *wish, struct kmln_error *err)
{
	KMLN_FREE struct flight *flights = kmln_malloc((life->count + 1) * sizeof(*flights));
	struct run run = {.life = life, .wish = wish, .flights = flights};
	struct kmln_error hooks = {0};
	int r = 0;

	/* a node that was killed has left the devices that were made for it */
	if (!any_runs(life) && !(wish->hooks && kmln_life_hooked(life)))
		return kmln_taps_clear(life->store, err);
	hook(&run, KMLN_HOOK_BEFORE_PROJECT_STOP, &hooks);
	hook(&run, KMLN_HOOK_BEFORE_HOSTS_STOP, &hooks);
	for (unsigned stage = life->stages; r == 0 && hooks.code != EINTR && stage-- > 0;) {
		r = run_stage(&run, stage, err);
		if (r == 0 && stage == KMLN_STAGE_HOSTS)
			hook(&run, KMLN_HOOK_AFTER_HOSTS_STOP, &hooks);
	}
	if (r == 0 && hooks.code != EINTR)
		hook(&run, KMLN_HOOK_AFTER_PROJECT_STOP, &hooks);
	/* devices that were made for what has ended */
	if (r == 0)
		r = kmln_taps_clear(life->store, err);
	if (r == 0 && run.failed)
		r = kmln_fail(err, EBUSY, "not everything could be ended");
	if (r == 0 && hooks.code) {
		*err = hooks;
		r = -hooks.code;
	}
	return r;
}

int kmln_life_clear(struct kmln_life *life, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv nodes = {0};
	int r = kmln_store_nodes(life->store, &nodes, err);

	for (size_t i = 0; r == 0 && i < nodes.count; i++)
		if (kmln_node_keeper(kmln_store_node_folder(life->store, nodes.items[i])))
			r = kmln_fail(err, EBUSY, "%s still runs", nodes.items[i]);
	if (r == 0)
		r = kmln_taps_clear(life->store, err);
	return r < 0 ? r : kmln_remove_folder(life->store->runtime, err);
}
