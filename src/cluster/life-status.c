// SPDX-License-Identifier: GPL-2.0-or-later
/* What nodes say of themselves, and what is left of those that ended; see life.h. */
#include "cluster/life.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/control.h"
#include "cluster/life-private.h"
#include "base/file.h"

#define LAST_MAX (64u << 10) /* bytes of last.json */
/* Of a guest, which may say anything. */
#define CARDS_MAX 32
#define ADDRESSES_MAX 16

void kmln_life_status_fini(struct kmln_life_status *status)
{
	free(status->waits_for);
	free(status->agent);
	free(status->last_line);
	*status = (struct kmln_life_status){0};
}

static char *text_of(const struct kmln_json *object, const char *key)
{
	const char *text = kmln_json_get(object, key);

	return text && *text ? kmln_strdup(text) : NULL;
}

void kmln_life_status_take(struct kmln_life_status *status, const struct kmln_json *object)
{
	kmln_life_status_fini(status);
	status->ready = kmln_json_true(object, "ready");
	status->ending = kmln_eq(kmln_json_get(object, "state"), "ending");
	status->waits_for = text_of(object, "waits_for");
	status->agent = text_of(object, "agent");
	status->last_line = text_of(object, "last_line");
	status->pid = kmln_json_integer(object, "pid", 0);
	status->up_ms = kmln_json_integer(object, "up_ms", 0);
	status->memory = kmln_json_integer(object, "memory", 0);
	status->cpu_ms = kmln_json_integer(object, "cpu_ms", 0);
	status->restarts = kmln_json_integer(object, "restarts", 0);
}

bool kmln_life_end_read(struct kmln_pool *pool, const char *folder, struct kmln_life_end *end)
{
	KMLN_FREE char *path = kmln_printf("%s/last.json", folder);
	KMLN_FREE char *lock = kmln_printf("%s/lock", folder);
	KMLN_JSON struct kmln_json *object = NULL;
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error ignored;

	*end = (struct kmln_life_end){0};
	if (kmln_read_file(path, LAST_MAX, &text, &ignored) < 0 ||
		kmln_json_parse(text.data ? text.data : "", text.size, &object, &ignored) < 0) {
		/* one that ends by itself always leaves its last words */
		end->failed = access(lock, F_OK) == 0;
		end->why = end->failed ? "its keeper was killed" : NULL;
		return end->failed;
	}
	end->failed = kmln_eq(kmln_json_get(object, "state"), "failed");
	end->why = kmln_pool_strdup(pool, kmln_json_get(object, "why"));
	end->last_line = kmln_pool_strdup(pool, kmln_json_get(object, "last_line"));
	if (end->failed && !end->why)
		end->why = kmln_pool_printf(pool, "it ended with status %lld",
			(long long)kmln_json_integer(object, "status", 0));
	return true;
}

const char *kmln_life_state_name(enum kmln_life_state state)
{
	static const char *const names[] = {
		[KMLN_STATE_NOT_BUILT] = "not-built",
		[KMLN_STATE_STOPPED] = "stopped",
		[KMLN_STATE_STARTING] = "starting",
		[KMLN_STATE_READY] = "ready",
		[KMLN_STATE_STOPPING] = "stopping",
		[KMLN_STATE_FAILED] = "failed",
		[KMLN_STATE_SILENT] = "silent",
	};

	return names[state];
}

/* ---- asking all of them at once ---- */

/* A question to a node on its way. */
struct asked {
	struct kmln_life_view *view;
	struct kmln_control control;
	uint32_t status, addresses; /* streams; 0: not asked, or answered */
	bool guest; /* its guest has been asked */
};

static void asked_fini(struct asked *asked)
{
	kmln_control_close(&asked->control);
	asked->status = asked->addresses = 0;
}

static bool is_done(const struct asked *asked)
{
	return asked->control.fd < 0 || (!asked->status && !asked->addresses);
}

static void ask(struct asked *asked, const char *what, uint32_t *stream)
{
	struct kmln_json *request = kmln_json_object();
	struct kmln_error ignored;

	kmln_json_set(request, "do", kmln_json_text(what));
	if (kmln_eq(what, "call"))
		kmln_json_set(request, "execute", kmln_json_text("guest-network-get-interfaces"));
	if (kmln_control_ask(&asked->control, request, stream, &ignored) < 0 ||
		kmln_control_flush(&asked->control, &ignored) < 0)
		asked_fini(asked);
}

static void take_status(struct asked *asked, const struct kmln_json *answer)
{
	struct kmln_life_view *view = asked->view;

	asked->status = 0;
	view->why = NULL;
	kmln_life_status_take(&view->status, answer);
	view->state = view->status.ending  ? KMLN_STATE_STOPPING
		      : view->status.ready ? KMLN_STATE_READY
					   : KMLN_STATE_STARTING;
	if (view->node->role == KMLN_ROLE_HOST && view->status.ready && view->status.agent &&
		!asked->guest) {
		asked->guest = true;
		ask(asked, "call", &asked->addresses);
	}
}

/* The guest's own words: a name and addresses of each card but the loopback. */
static void take_addresses(struct asked *asked, const struct kmln_json *cards)
{
	asked->addresses = 0;
	for (size_t i = 0; i < kmln_json_count(cards) && i < CARDS_MAX; i++) {
		const struct kmln_json *card = kmln_json_item(cards, i);
		const struct kmln_json *list = kmln_json_member(card, "ip-addresses");
		const char *name = kmln_json_get(card, "name");

		for (size_t k = 0; name && !kmln_eq(name, "lo") && k < kmln_json_count(list) &&
				   k < ADDRESSES_MAX;
			k++) {
			const struct kmln_json *item = kmln_json_item(list, k);
			const char *address = kmln_json_get(item, "ip-address");

			/* each card has one of these, which says nothing */
			if (address && !kmln_starts(address, "fe80:"))
				kmln_strv_printf(&asked->view->addresses, "%.15s %.45s/%lld", name,
					address, (long long)kmln_json_integer(item, "prefix", 0));
		}
	}
}

static void hear(struct asked *asked)
{
	struct kmln_error ignored;
	struct kmln_frame frame;
	int r = 1;

	while (r > 0 && !is_done(asked)) {
		KMLN_JSON struct kmln_json *answer = NULL;

		r = kmln_control_take(&asked->control, &frame, &ignored);
		if (r <= 0 || frame.type != KMLN_FRAME_CLOSE)
			continue;
		if (frame.stream == asked->addresses) {
			if (kmln_control_answer(&frame, &answer, &ignored) == 0)
				take_addresses(asked, answer);
			asked->addresses = 0;
		} else if (frame.stream == asked->status) {
			r = kmln_control_answer(&frame, &answer, &ignored);
			if (r == 0) {
				take_status(asked, answer);
				r = 1;
			}
		}
	}
	if (r < 0)
		asked_fini(asked);
}

static void wait_for_all(struct asked *asked, size_t count, int64_t deadline)
{
	KMLN_FREE struct pollfd *fds = kmln_malloc((count + 1) * sizeof(*fds));

	for (;;) {
		int64_t left = deadline - kmln_life_now();
		size_t open = 0;

		for (size_t i = 0; i < count; i++) {
			const struct kmln_control *control = &asked[i].control;
			short events = control->out.size ? POLLIN | POLLOUT : POLLIN;

			fds[i] = (struct pollfd){is_done(&asked[i]) ? -1 : control->fd, events, 0};
			open += fds[i].fd >= 0;
		}
		if (!open || left <= 0 || (poll(fds, count, (int)left) < 0 && errno != EINTR))
			return;
		for (size_t i = 0; i < count; i++) {
			struct kmln_error ignored;

			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			if (fds[i].revents & POLLOUT)
				kmln_control_flush(&asked[i].control, &ignored);
			hear(&asked[i]);
		}
	}
}

/* What is known without the node's word. */
static int look_at(struct kmln_life *life, struct kmln_life_view *view, struct kmln_error *err)
{
	const struct kmln_life_node *node = view->node;
	struct kmln_built built;
	struct kmln_life_end end;
	int r = 0;

	view->state = KMLN_STATE_STOPPED;
	if (node->role == KMLN_ROLE_HOST) {
		r = kmln_built_read(life->store, node->name, &built, err);
		if (r < 0)
			return r;
		if (r > 0) {
			view->platform = built.platform;
			view->platform_why = built.why;
		} else {
			view->state = KMLN_STATE_NOT_BUILT;
		}
	}
	if (kmln_node_keeper(node->folder)) {
		view->state = KMLN_STATE_SILENT;
		view->why = "its keeper does not answer";
	} else if (view->state != KMLN_STATE_NOT_BUILT &&
		   kmln_life_end_read(life->pool, node->folder, &end) && end.failed) {
		view->state = KMLN_STATE_FAILED;
		view->why = end.why;
	}
	return 0;
}

/* A keeper that is on its way out, or that was gone before it could be asked, runs no longer. */
static int settle(struct kmln_life *life, struct kmln_life_view *view, struct kmln_error *err)
{
	if (view->state == KMLN_STATE_SILENT && !kmln_node_keeper(view->node->folder))
		return look_at(life, view, err);
	if (view->state == KMLN_STATE_STARTING && view->status.waits_for)
		view->why = kmln_pool_strdup(life->pool, view->status.waits_for);
	return 0;
}

/* Started at about the same time is not before. */
#define SAME_TIME 500

static bool lives(const struct kmln_life_view *view)
{
	return view->state != KMLN_STATE_NOT_BUILT && view->state != KMLN_STATE_STOPPED &&
	       view->state != KMLN_STATE_FAILED;
}

static const char *hanging_on(struct kmln_life *life, const struct kmln_life_view *view,
	const struct kmln_life_view *other)
{
	const enum kmln_role role = other->node->role;

	if (role != KMLN_ROLE_SWITCH && role != KMLN_ROLE_END)
		return NULL;
	if (!lives(other))
		return kmln_pool_printf(
			life->pool, "it is plugged into nothing: %s has ended", other->node->node);
	if (other->status.up_ms && view->status.up_ms > other->status.up_ms + SAME_TIME)
		return kmln_pool_printf(life->pool,
			"it is plugged into nothing: %s was started after it", other->node->node);
	return NULL;
}

/* Who is older than the switch it is plugged into is plugged into one that is gone. */
static void find_loose(struct kmln_life *life, struct kmln_life_view *views, size_t count)
{
	struct kmln_life_view **by_node =
		kmln_pool_array(life->pool, life->count + 1, sizeof(*by_node));

	for (size_t n = 0; n < count; n++)
		by_node[views[n].node - life->nodes] = &views[n];
	for (size_t n = 0; n < count; n++) {
		const struct kmln_life_node *node = views[n].node;

		for (size_t i = 0; lives(&views[n]) && i < node->need_count; i++)
			if (!views[n].loose && by_node[node->needs[i]])
				views[n].loose =
					hanging_on(life, &views[n], by_node[node->needs[i]]);
	}
}

int kmln_life_look(struct kmln_life *life, unsigned limit_ms, struct kmln_life_view **views,
	size_t *count, struct kmln_error *err)
{
	KMLN_FREE struct asked *asked = NULL;
	const int64_t deadline = kmln_life_now() + limit_ms;
	int r = 0;

	*count = 0;
	for (size_t i = 0; i < life->count; i++)
		*count += life->nodes[i].wanted;
	*views = kmln_malloc((*count + 1) * sizeof(**views));
	asked = kmln_malloc((*count + 1) * sizeof(*asked));
	for (size_t i = 0, n = 0; i < life->count; i++)
		if (life->nodes[i].wanted) {
			(*views)[n] = (struct kmln_life_view){.node = &life->nodes[i]};
			asked[n] = (struct asked){&(*views)[n], KMLN_CONTROL_NONE, 0, 0, false};
			n++;
		}
	for (size_t n = 0; r == 0 && n < *count; n++) {
		struct kmln_error ignored;

		r = look_at(life, asked[n].view, err);
		if (r == 0 && asked[n].view->state == KMLN_STATE_SILENT &&
			kmln_control_open(
				&asked[n].control, asked[n].view->node->folder, &ignored) == 0)
			ask(&asked[n], "status", &asked[n].status);
	}
	if (r == 0)
		wait_for_all(asked, *count, deadline);
	for (size_t n = 0; n < *count; n++) {
		asked_fini(&asked[n]);
		if (r == 0)
			r = settle(life, asked[n].view, err);
	}
	if (r == 0)
		find_loose(life, *views, *count);
	return r;
}

void kmln_life_views_free(struct kmln_life_view *views, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		kmln_life_status_fini(&views[i].status);
		kmln_strv_fini(&views[i].addresses);
	}
	free(views);
}
