// SPDX-License-Identifier: GPL-2.0-or-later
/* Looking at what must change of a project that may run, and changing it; see renew.h. */
#include "cli/renew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/confirm.h"
#include "cluster/control.h"
#include "plan/print.h"
#include "text/json.h"

/* Milliseconds that nodes are given to say since when they run. */
#define ANSWER_LIMIT 2000

void kmln_renew_fini(struct kmln_renew *renew)
{
	kmln_building_fini(&renew->building);
}

/* ---- looking ---- */

static bool runs(const struct kmln_life *life, size_t place)
{
	return kmln_node_keeper(life->nodes[place].folder) != 0;
}

static void stop(struct kmln_renew *renew, size_t place, const char *why)
{
	const struct kmln_life *life = &renew->alive->life;

	if (renew->stops[place] || !runs(life, place))
		return;
	renew->stops[place] = why;
	renew->stop_count++;
	renew->hosts_stop = renew->hosts_stop || life->nodes[place].role == KMLN_ROLE_HOST;
}

/* Also what would hang on it; cables are not asked about. */
static void stop_with_hanging(struct kmln_renew *renew, size_t place, const char *why)
{
	const struct kmln_life *life = &renew->alive->life;
	KMLN_FREE bool *marks = kmln_malloc((life->count + 1) * sizeof(*marks));

	memset(marks, 0, (life->count + 1) * sizeof(*marks));
	stop(renew, place, why);
	kmln_life_hanging(life, place, marks);
	for (size_t i = 0; i < life->count; i++)
		if (marks[i])
			stop(renew, i,
				kmln_pool_printf(
					life->pool, "%s is started anew", life->nodes[place].node));
}

static size_t find(const struct kmln_life *life, const char *node)
{
	for (size_t i = 0; i < life->count; i++)
		if (kmln_eq(life->nodes[i].node, node))
			return i;
	return SIZE_MAX;
}

/* A change to what runs and is not meant waits for the next time. */
static bool is_meant(
	const struct kmln_renew *renew, const struct kmln_renew_wish *wish, size_t place)
{
	const struct kmln_life *life = &renew->alive->life;

	return !wish->name_count || place == SIZE_MAX || life->nodes[place].wanted ||
	       !runs(life, place);
}

static void take_changes(struct kmln_renew *renew, const struct kmln_renew_wish *wish)
{
	const struct kmln_life *life = &renew->alive->life;
	struct kmln_build_plan *plan = &renew->building.plan;
	KMLN_STRV struct kmln_strv nodes = plan->nodes;
	size_t kept = 0;

	plan->nodes = (struct kmln_strv){0};
	for (size_t i = 0; i < plan->host_count; i++) {
		const struct kmln_host_change *change = &plan->hosts[i];
		const size_t place =
			find(life, kmln_store_node(life->store, KMLN_ROLE_HOST, change->host));

		if (!is_meant(renew, wish, place))
			continue;
		if (place != SIZE_MAX)
			stop(renew, place, change->why);
		plan->hosts[kept++] = *change;
	}
	plan->host_count = kept;
	for (size_t i = 0; i < nodes.count; i++) {
		const size_t place = find(life, nodes.items[i]);

		if (!is_meant(renew, wish, place))
			continue;
		if (place != SIZE_MAX)
			stop_with_hanging(renew, place, "it is started in another way");
		kmln_strv_add(&plan->nodes, nodes.items[i]);
	}
}

static const struct kmln_life_view *view_of(
	const struct kmln_life_view *views, size_t count, const struct kmln_life_node *node)
{
	for (size_t i = 0; i < count; i++)
		if (views[i].node == node)
			return &views[i];
	return NULL;
}

/*
 * The card of a host that is older than its switch hangs on one that is gone. Nothing mends that
 * but starting the host anew.
 */
static int find_loose(struct kmln_renew *renew, struct kmln_error *err)
{
	struct kmln_life *life = &renew->alive->life;
	KMLN_FREE bool *wanted = kmln_malloc((life->count + 1) * sizeof(*wanted));
	struct kmln_life_view *views;
	size_t count;
	int r;

	for (size_t i = 0; i < life->count; i++) {
		wanted[i] = life->nodes[i].wanted;
		life->nodes[i].wanted = true;
	}
	r = kmln_life_look(life, ANSWER_LIMIT, &views, &count, err);
	for (size_t i = 0; r == 0 && i < life->count; i++) {
		const struct kmln_life_view *view = view_of(views, count, &life->nodes[i]);

		if (view && view->loose && (!renew->only_wanted || wanted[i]))
			stop(renew, i, view->loose);
	}
	kmln_life_views_free(views, count);
	for (size_t i = 0; i < life->count; i++)
		life->nodes[i].wanted = wanted[i];
	return r;
}

int kmln_renew_look(struct kmln_renew *renew, struct kmln_alive *alive,
	const struct kmln_renew_wish *wish, struct kmln_error *err)
{
	struct kmln_life *life = &alive->life;
	int r;

	*renew = (struct kmln_renew){
		.alive = alive,
		.only_wanted = wish->name_count > 0,
		.building = {.loaded = &alive->loaded,
			.platform = wish->platform,
			.unconfined = wish->unconfined,
			.replatform = wish->replatform,
			.moves = wish->moves,
			.move_count = wish->move_count},
	};
	renew->stops = kmln_pool_array(life->pool, life->count + 1, sizeof(*renew->stops));
	r = kmln_life_want(life, wish->names, wish->name_count, true, err);
	if (r == 0)
		r = kmln_building_look(&renew->building, !wish->dry_run, err);
	if (r < 0)
		return r;
	take_changes(renew, wish);
	for (size_t i = 0; !wish->name_count && i < life->count; i++)
		if (!life->nodes[i].known)
			stop_with_hanging(renew, i, "the project does not have it any more");
	return find_loose(renew, err);
}

/* ---- showing ---- */

static bool will_start(const struct kmln_renew *renew, size_t place)
{
	const struct kmln_life *life = &renew->alive->life;
	const struct kmln_life_node *node = &life->nodes[place];

	if (!node->known)
		return false;
	return renew->stops[place] || (node->wanted && !runs(life, place));
}

void kmln_renew_text(const struct kmln_renew *renew, const char *by, struct kmln_buf *out)
{
	const struct kmln_life *life = &renew->alive->life;
	const struct kmln_build_plan *plan = &renew->building.plan;

	for (size_t i = life->count; i-- > 0;)
		if (renew->stops[i])
			kmln_plan_line(out, "stop", life->nodes[i].node, by, renew->stops[i]);
	for (size_t i = 0; i < plan->host_count; i++)
		if (plan->hosts[i].change != KMLN_CHANGE_GONE)
			kmln_plan_line(out, "build",
				kmln_store_node(life->store, KMLN_ROLE_HOST, plan->hosts[i].host),
				by, plan->hosts[i].why);
	for (size_t i = 0; i < plan->nodes.count; i++)
		kmln_plan_line(out, "build", plan->nodes.items[i], by, NULL);
	for (size_t i = 0; i < life->count; i++)
		if (will_start(renew, i))
			kmln_plan_line(out, "start", life->nodes[i].node, by, NULL);
}

struct kmln_json *kmln_renew_json(const struct kmln_renew *renew)
{
	const struct kmln_life *life = &renew->alive->life;
	const struct kmln_build_plan *plan = &renew->building.plan;
	struct kmln_json *root = kmln_json_object(), *list, *item;

	kmln_json_set(root, "project", kmln_json_text(life->store->project));
	list = kmln_json_set(root, "stop", kmln_json_array());
	for (size_t i = life->count; i-- > 0;)
		if (renew->stops[i]) {
			item = kmln_json_add(list, kmln_json_object());
			kmln_json_set(item, "node", kmln_json_text(life->nodes[i].node));
			kmln_json_set(item, "why", kmln_json_text(renew->stops[i]));
		}
	list = kmln_json_set(root, "build", kmln_json_array());
	for (size_t i = 0; i < plan->host_count; i++) {
		item = kmln_json_add(list, kmln_json_object());
		kmln_json_set(item, "node",
			kmln_json_text(
				kmln_store_node(life->store, KMLN_ROLE_HOST, plan->hosts[i].host)));
		kmln_json_set(
			item, "change", kmln_json_text(kmln_change_name(plan->hosts[i].change)));
		kmln_json_set(item, "why", kmln_json_text(plan->hosts[i].why));
	}
	for (size_t i = 0; i < plan->nodes.count; i++) {
		item = kmln_json_add(list, kmln_json_object());
		kmln_json_set(item, "node", kmln_json_text(plan->nodes.items[i]));
		kmln_json_set(item, "change", kmln_json_text("start"));
		kmln_json_set(item, "why", kmln_json_text(NULL));
	}
	list = kmln_json_set(root, "start", kmln_json_array());
	for (size_t i = 0; i < life->count; i++)
		if (will_start(renew, i))
			kmln_json_add(list, kmln_json_text(life->nodes[i].node));
	return root;
}

int kmln_renew_ask(const struct kmln_renew *renew, const char *by, bool yes, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};

	for (size_t i = 0; i < renew->building.plan.host_count; i++)
		if (renew->building.plan.hosts[i].change == KMLN_CHANGE_IMAGE)
			return kmln_fail(err, EEXIST,
				"host %s: %s; `kmln build --replace` makes its disk anew",
				renew->building.plan.hosts[i].host,
				renew->building.plan.hosts[i].why);
	if (!renew->hosts_stop || yes)
		return 0;
	kmln_renew_text(renew, by, &text);
	fwrite(text.data, 1, text.size, stderr);
	return kmln_confirm("Hosts that run will be stopped. Go on?", err);
}

/* ---- doing ---- */

int kmln_renew_carry_out(
	struct kmln_renew *renew, const struct kmln_life_stop *wish, struct kmln_error *err)
{
	struct kmln_life *life = &renew->alive->life;
	KMLN_FREE bool *wanted = kmln_malloc((life->count + 1) * sizeof(*wanted));
	int r = 0;

	for (size_t i = 0; i < life->count; i++) {
		wanted[i] = life->nodes[i].wanted;
		life->nodes[i].wanted = renew->stops[i] != NULL;
	}
	if (renew->stop_count)
		r = kmln_alive_stop(renew->alive, wish, err);
	if (r == 0)
		r = kmln_building_carry_out(&renew->building, err);
	for (size_t i = 0; i < life->count; i++) {
		life->nodes[i].wanted = (wanted[i] || renew->stops[i]) && life->nodes[i].known;
		life->nodes[i].outcome = KMLN_OUTCOME_NONE;
	}
	return r;
}
