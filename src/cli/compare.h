/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kmln compare: two guests side by side, and what a conversion of the first would do. */
#ifndef KMLN_CLI_COMPARE_H
#define KMLN_CLI_COMPARE_H

#include "image/differences.h"
#include "platform/platform.h"
#include "tree/layout.h"

/* One of the two. */
struct kmln_compared {
	const char *path; /* as named */
	struct kmln_source source;
	const struct kmln_facts *facts;
	struct kmln_layout layout; /* empty where there is no root filesystem */
};

/* What would make A fit a platform. Texts for people. */
struct kmln_prospect {
	const struct kmln_platform *to; /* NULL: B is ready on no platform, and none was named */
	bool named; /* by the user, not found by looking at B */
	struct kmln_strv missing; /* what A lacks there; empty: it is ready */
	struct kmln_strv add, change, leave; /* what a conversion would do */
	char *unknown; /* why `add` and `change` are not known, or NULL */
};

struct kmln_comparison {
	struct kmln_pool *pool;
	struct kmln_compared a, b;
	bool backing; /* files that the images name may be opened */
	struct kmln_package_change *packages;
	size_t package_count;
	struct kmln_prospect prospect;
};

/* compare-plan.c: fills the prospect; `to` is the name of a platform, or NULL to look at B. */
int kmln_prospect_make(struct kmln_comparison *c, const char *to, struct kmln_error *err);
void kmln_prospect_fini(struct kmln_prospect *prospect);
/* True where the guest of these facts is ready on the platform. */
bool kmln_is_ready(const struct kmln_facts *facts, const struct kmln_platform *platform);

/* compare-show.c */
void kmln_comparison_text(const struct kmln_comparison *c);
int kmln_comparison_json(const struct kmln_comparison *c, struct kmln_error *err);

#endif
