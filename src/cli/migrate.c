// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln migrate: hosts move to another platform of this host, with their disks as they are. All that
 * could forbid it is asked before anything is stopped.
 */
#include "cli/commands.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/renew.h"
#include "cluster/control.h"
#include "platform/platform.h"
#include "text/json.h"

struct options {
	struct kmln_which which;
	const char *to, *format;
	uint64_t timeout, jobs;
	bool all, dry_run, unconfined;
};

static const char *const platform_names[] = {"uml", "kvm", "qemu", NULL};

static const struct kmln_opt opts[] = {
	{"file", 'f', KMLN_OPT_FILE, "FILE",
		"the project file (default: the one here or above); only its name counts",
		offsetof(struct options, which.file), NULL},
	{"project", 'p', KMLN_OPT_TEXT, "PROJECT", "a project that was built here, by its name",
		offsetof(struct options, which.project), NULL},
	{"to", 0, KMLN_OPT_CHOICE, "PLATFORM", "where they move: uml, kvm, qemu",
		offsetof(struct options, to), platform_names},
	{"all", 0, KMLN_OPT_FLAG, NULL, "all hosts of the project", offsetof(struct options, all),
		NULL},
	{"jobs", 'j', KMLN_OPT_NUMBER, "N", "move N hosts at once (default 1)",
		offsetof(struct options, jobs), NULL},
	KMLN_OPT_READY(struct options),
	KMLN_OPT_SHOW_ONLY(struct options),
	KMLN_OPT_UNCONFINED(struct options),
	KMLN_OPT_FORMAT(struct options),
	KMLN_OPT_END,
};

/* A host that moves. */
struct mover {
	struct kmln_life_node *node;
	struct kmln_move there, back;
	bool ran;
};

struct moving {
	struct kmln_alive *alive;
	const struct options *options;
	struct mover *movers;
	size_t count;
	struct kmln_life_start start;
};

static int check_platform(struct moving *m, struct kmln_error *err)
{
	const struct kmln_platform *platform = kmln_platform_find(m->options->to);
	struct kmln_probe probe = {0};
	int r = platform->probe(m->alive->pool, &probe, err);

	if (r < 0)
		return r;
	return probe.usable ? 0
			    : kmln_fail(err, KMLN_ELACK, "no host can move to %s: %s",
				      platform->name, probe.reason);
}

static int choose(struct moving *m, struct kmln_life_node *node, struct kmln_error *err)
{
	struct kmln_pool *pool = m->alive->pool;
	struct kmln_built built;
	struct mover *mover;
	int r = kmln_built_read(&m->alive->store, node->name, &built, err);

	if (r < 0)
		return r;
	if (r == 0)
		return kmln_fail(
			err, KMLN_ENO, "host %s is not built; kmln up builds it", node->name);
	if (kmln_eq(built.platform, m->options->to)) {
		kmln_note("host %s: runs on %s already", node->name, built.platform);
		return 0;
	}
	mover = kmln_pool_append(pool, &m->movers, &m->count, sizeof(*mover));
	*mover = (struct mover){
		.node = node,
		.there = {node->name, m->options->to,
			kmln_pool_printf(pool, "moved here from %s", built.platform)},
		.back = {node->name, built.platform, built.why},
		.ran = kmln_node_keeper(node->folder) != 0,
	};
	return 0;
}

static int choose_all(struct moving *m, int argc, char **argv, struct kmln_error *err)
{
	struct kmln_life *life = &m->alive->life;
	int r = kmln_life_want(life, argv, (size_t)argc, false, err);

	for (size_t i = 0; r == 0 && i < life->count; i++)
		if (life->nodes[i].wanted && life->nodes[i].known &&
			life->nodes[i].role == KMLN_ROLE_HOST)
			r = choose(m, &life->nodes[i], err);
	return r;
}

/* What a platform change of some of the hosts comes to. */
static int look(struct moving *m, struct kmln_renew *renew, size_t from, size_t to, bool back,
	struct kmln_error *err)
{
	struct kmln_pool *pool = m->alive->pool;
	struct kmln_move *moves = kmln_pool_array(pool, to - from, sizeof(*moves));
	char **names = kmln_pool_array(pool, to - from, sizeof(*names));
	const struct kmln_renew_wish wish = {
		.moves = moves,
		.move_count = to - from,
		.dry_run = m->options->dry_run,
		.unconfined = m->options->unconfined,
		.names = names,
		.name_count = to - from,
	};

	for (size_t i = from; i < to; i++) {
		moves[i - from] = back ? m->movers[i].back : m->movers[i].there;
		names[i - from] = kmln_pool_strdup(pool, m->movers[i].node->name);
	}
	return kmln_renew_look(renew, m->alive, &wish, err);
}

static int build(struct moving *m, struct kmln_renew *renew, struct kmln_error *err)
{
	const struct kmln_life_stop stop = {.timeout = KMLN_SHUTDOWN_LIMIT};
	int r = kmln_renew_carry_out(renew, &stop, err);

	/* one that did not run is not started, and what it is plugged into neither */
	for (size_t i = 0; r == 0 && i < m->alive->life.count; i++)
		m->alive->life.nodes[i].wanted = false;
	return r;
}

static int start(struct moving *m, size_t from, size_t to, struct kmln_error *err)
{
	struct kmln_life *life = &m->alive->life;
	size_t count = 0;

	for (size_t i = from; i < to; i++) {
		if (!m->movers[i].ran)
			continue;
		count++;
		for (size_t k = 0; k < life->count; k++)
			life->nodes[k].wanted =
				life->nodes[k].wanted || &life->nodes[k] == m->movers[i].node;
		for (size_t n = 0; n < m->movers[i].node->need_count; n++) {
			struct kmln_life_node *need = &life->nodes[m->movers[i].node->needs[n]];

			need->wanted = need->wanted || need->role != KMLN_ROLE_HOST;
		}
	}
	return count ? kmln_alive_start(m->alive, &m->start, err) : 0;
}

/*
 * A host whose machine never ran there is put back to where it was, and started there; one that ran
 * has written on its disk, and stays for its user to look at.
 */
static int take_back(struct moving *m, size_t from, size_t to, struct kmln_error *err)
{
	int r = -err->code;

	for (size_t i = from; i < to; i++) {
		struct mover *mover = &m->movers[i];
		KMLN_RENEW struct kmln_renew renew = {0};
		struct kmln_error again;

		if (!mover->ran || mover->node->outcome == KMLN_OUTCOME_READY)
			continue;
		if (mover->node->ran || mover->node->outcome == KMLN_OUTCOME_LATE) {
			kmln_note("host %s: kmln migrate %s -p %s --to %s takes it back",
				mover->node->name, mover->node->name, m->alive->store.project,
				mover->back.platform);
			continue;
		}
		if (look(m, &renew, i, i + 1, true, &again) < 0 || build(m, &renew, &again) < 0 ||
			start(m, i, i + 1, &again) < 0)
			kmln_warn("host %s: it cannot be put back to %s: %s", mover->node->name,
				mover->back.platform, again.text);
		else
			kmln_note("host %s: it never ran there, and runs on %s again",
				mover->node->name, mover->back.platform);
	}
	return r;
}

static int move_some(struct moving *m, size_t from, size_t to, struct kmln_error *err)
{
	KMLN_RENEW struct kmln_renew renew = {0};
	int r = look(m, &renew, from, to, false, err);

	if (r == 0)
		r = build(m, &renew, err);
	if (r == 0 && start(m, from, to, err) < 0)
		r = take_back(m, from, to, err);
	for (size_t i = from; r == 0 && i < to; i++)
		kmln_note("host %s: moved from %s to %s", m->movers[i].node->name,
			m->movers[i].back.platform, m->movers[i].there.platform);
	return r;
}

static int show(struct moving *m, struct kmln_error *err)
{
	KMLN_RENEW struct kmln_renew renew = {0};
	KMLN_BUF struct kmln_buf text = {0};
	int r = m->count ? look(m, &renew, 0, m->count, false, err) : 0;

	if (r < 0 || !m->count)
		return r;
	if (kmln_eq(m->options->format, "json"))
		return kmln_json_print_free(kmln_renew_json(&renew), stdout, err);
	kmln_renew_text(&renew, "migrate", &text);
	fwrite(text.data, 1, text.size, stdout);
	return 0;
}

static int run(const void *values, int argc, char **argv, struct kmln_error *err)
{
	KMLN_ALIVE struct kmln_alive alive = KMLN_ALIVE_NONE;
	const struct options *o = values;
	struct moving m = {.alive = &alive, .options = o};
	const size_t at_once = o->jobs ? (o->jobs < 1000 ? (size_t)o->jobs : 1000) : 1;
	int r;

	if (!o->to)
		return kmln_fail(err, KMLN_EUSAGE, "--to says where: uml, kvm or qemu");
	if (!argc != o->all)
		return kmln_fail(err, KMLN_EUSAGE, "which hosts? their names, or --all");
	r = kmln_seconds(o->timeout, KMLN_READY_LIMIT, &m.start.timeout, err);
	if (r == 0)
		r = kmln_alive_open(&alive, &o->which, KMLN_ALIVE_BUILT, err);
	if (r == 0 && !o->dry_run)
		r = kmln_alive_lock(&alive, err);
	if (r == 0)
		r = check_platform(&m, err);
	if (r == 0)
		r = choose_all(&m, argc, argv, err);
	if (r == 0 && o->dry_run)
		return show(&m, err);
	for (size_t i = 0; r == 0 && i < m.count; i += at_once)
		r = move_some(&m, i, i + at_once < m.count ? i + at_once : m.count, err);
	return r;
}

const struct kmln_command kmln_command_migrate = {
	.name = "migrate",
	.args = "HOST...|--all",
	.summary = "Move hosts to another platform of this host",
	.details = "Each is shut down, and started there with the same disk. That it can run\n"
		   "there is made sure of before it is stopped.",
	.opts = opts,
	.opts_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
};
