// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a conversion of A would do: the steps say what is missing; where a kernel is at hand, so
 * that nothing must be fetched, the plan itself is made, as `convert --dry-run` makes it.
 */
#include "cli/compare.h"

#include <string.h>

#include "convert/convert.h"
#include "guest/kit.h"
#include "plan/print.h"

void kmln_prospect_fini(struct kmln_prospect *prospect)
{
	kmln_strv_fini(&prospect->missing);
	kmln_strv_fini(&prospect->add);
	kmln_strv_fini(&prospect->change);
	kmln_strv_fini(&prospect->leave);
	kmln_free_cleanup(&prospect->unknown);
}

static int find_missing(const struct kmln_facts *facts, const struct kmln_platform *platform,
	struct kmln_strv *missing, struct kmln_error *err)
{
	struct kmln_planning planning = {.facts = facts, .platform = platform, .missing = missing};

	return kmln_plan_guest(&planning, err);
}

bool kmln_is_ready(const struct kmln_facts *facts, const struct kmln_platform *platform)
{
	KMLN_STRV struct kmln_strv missing = {0};
	struct kmln_error ignored;

	return find_missing(facts, platform, &missing, &ignored) == 0 && !missing.count;
}

/* The first platform that B is ready for. A folder is at home nowhere, or in a container. */
static const struct kmln_platform *home_of(const struct kmln_facts *facts)
{
	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++)
		if (kmln_is_ready(facts, *p))
			return *p;
	return NULL;
}

/* Where the plan's edits go; the callback of a conversion has no place for it. */
static struct kmln_comparison *shown_to;

static void sort_edit(
	struct kmln_prospect *prospect, const struct kmln_edit *e, struct kmln_pool *pool)
{
	switch (e->kind) {
	case KMLN_EDIT_SHIFT:
		kmln_strv_printf(&prospect->add, "%s in front of the filesystem: %s",
			kmln_plan_bytes(pool, e->offset), e->why ? e->why : e->by);
		break;
	case KMLN_EDIT_EXTEND:
		kmln_strv_printf(&prospect->add, "%s behind the filesystem: %s",
			kmln_plan_bytes(pool, e->size), e->why ? e->why : e->by);
		break;
	case KMLN_EDIT_REMOVE:
		kmln_strv_printf(&prospect->change, "%s goes", e->path);
		break;
	case KMLN_EDIT_RESIZE:
		kmln_strv_printf(&prospect->change, "the filesystem's size: %s",
			kmln_plan_bytes(pool, e->size));
		break;
	case KMLN_EDIT_BYTES:
		kmln_strv_printf(&prospect->change, "%s at byte %llu: %s",
			kmln_plan_bytes(pool, e->size), (unsigned long long)e->offset,
			e->why ? e->why : e->by);
		break;
	default:
		kmln_strv_printf(e->replaces ? &prospect->change : &prospect->add, "%s%s%s",
			e->path, e->why ? ": " : "", e->why ? e->why : "");
		break;
	}
}

static int sort_edits(const struct kmln_edits *edits, struct kmln_error *err)
{
	struct kmln_comparison *c = shown_to;
	struct kmln_prospect *prospect = &c->prospect;
	uint64_t files = 0, bytes = 0, changed = 0;

	(void)err;
	for (size_t i = 0; i < edits->count; i++) {
		const struct kmln_edit *e = &edits->items[i];

		changed += e->replaces != NULL;
		if (e->from || (e->kind == KMLN_EDIT_MKDIR && kmln_eq(e->by, "kernel"))) {
			files++;
			bytes += e->size;
			continue;
		}
		sort_edit(prospect, e, c->pool);
	}
	if (files)
		kmln_strv_printf(&prospect->add, "kernel %s: %llu files and folders, %s",
			edits->kit ? edits->kit : "", (unsigned long long)files,
			kmln_plan_bytes(c->pool, bytes));
	kmln_strv_printf(&prospect->leave, "%llu of %llu files and folders",
		(unsigned long long)(c->a.layout.objects - changed),
		(unsigned long long)c->a.layout.objects);
	return 0;
}

/* A kernel that needs no fetching. */
static bool kernel_at_hand(const struct kmln_facts *facts, const struct kmln_platform *platform,
	struct kmln_pool *pool)
{
	struct kmln_kit_entry *entries = NULL;
	struct kmln_error ignored;
	size_t count = 0;

	if (kmln_guest_kernel(facts, platform))
		return true;
	if (kmln_kits_list(pool, platform, facts, &entries, &count, &ignored) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (entries[i].suits &&
			(kmln_eq(entries[i].origin, "cache") || kmln_eq(entries[i].origin, "host")))
			return true;
	return false;
}

/* Why no plan can be made, or NULL. */
static const char *obstacle(const struct kmln_comparison *c)
{
	const struct kmln_facts *facts = c->a.facts;

	if (!c->prospect.to->needs_loader)
		return "kmln converts for kvm only";
	if (kmln_source_is_folder(&c->a.source))
		return "a folder cannot be converted yet, only an image";
	if (!facts->root)
		return facts->root_problem;
	if (kmln_eq(facts->root->state, "needs-recovery"))
		return "the journal must be replayed first, and nothing is written here";
	if (!kernel_at_hand(facts, c->prospect.to, c->pool))
		return "no kernel for it is at hand; `kmln kernel add` brings one, and a conversion "
		       "would fetch it";
	return NULL;
}

static void add_left(struct kmln_prospect *prospect, const struct kmln_facts *facts)
{
	if (facts->package_manager)
		kmln_strv_printf(&prospect->leave, "%zu packages of %s", facts->package_count,
			facts->package_manager);
	if (facts->interface_count)
		kmln_strv_printf(
			&prospect->leave, "the network: %zu interfaces", facts->interface_count);
	if (facts->root && kmln_has_own_loader(facts))
		kmln_strv_printf(&prospect->leave, "its own boot loader, %s", facts->loader);
}

static int plan(struct kmln_comparison *c, struct kmln_error *err)
{
	const struct kmln_convert job = {
		.image = c->a.path,
		.format = "raw",
		.backing = c->backing,
		.to = c->prospect.to,
		.dry_run = true,
		.show = sort_edits,
	};
	const char *why = obstacle(c);
	struct kmln_error refused;
	int r;

	(void)err;
	if (why) {
		c->prospect.unknown = kmln_strdup(why);
		return 0;
	}
	shown_to = c;
	r = kmln_convert(&job, &refused);
	shown_to = NULL;
	/* a conversion that kmln refuses is an answer here */
	if (r < 0)
		c->prospect.unknown = kmln_strdup(refused.text);
	else
		add_left(&c->prospect, c->a.facts);
	return 0;
}

int kmln_prospect_make(struct kmln_comparison *c, const char *to, struct kmln_error *err)
{
	struct kmln_prospect *prospect = &c->prospect;
	int r;

	prospect->named = to != NULL;
	prospect->to = to ? kmln_platform_find(to) : home_of(c->b.facts);
	if (!prospect->to)
		return 0;
	r = find_missing(c->a.facts, prospect->to, &prospect->missing, err);
	if (r < 0 || !prospect->missing.count)
		return r;
	return plan(c, err);
}
