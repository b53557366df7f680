/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of this room that resolve a project share: the work in hand, a host's view of
 * variables, and filling a part of the model from a chain of blocks. For resolve.c and its helpers
 * alone.
 */
#ifndef KMLN_PROJECT_RESOLVING_H
#define KMLN_PROJECT_RESOLVING_H

#include "project/model.h"
#include "project/names.h"
#include "project/report.h"
#include "project/words.h"

/* Superclasses above a host. */
#define KMLN_CHAIN_MAX 32
/* Variables in the values of variables. */
#define KMLN_VARIABLES_DEEP 16
/* A small file can ask for endless work; each of these ends it with an error. */
#define KMLN_LOOKUPS_MAX 5000000u /* variables looked up, long ones counting more */
#define KMLN_EXPANDED_MAX 5000000u /* items taken over into hosts */

struct kmln_resolving {
	struct kmln_pool *pool;
	struct kmln_syntax *syntax;
	struct kmln_report *report;
	struct kmln_model *model;
	struct kmln_node *global; /* NULL: none */
	struct kmln_names hosts, series, switches, classes;
	struct kmln_names variables; /* of `global` */
	uint64_t lookups, expanded;
	struct kmln_buf scratch[KMLN_VARIABLES_DEEP]; /* values of variables in the making */
	bool exhausted; /* one of the limits was met, and reported */
};

/* Blocks that make one thing together: nearest first, a host and its superclasses. */
struct kmln_chain {
	struct kmln_node *blocks[KMLN_CHAIN_MAX + 1];
	size_t count;
};

/* Where variables are looked up: in these blocks, nearest first, then in `global`. */
struct kmln_view {
	struct kmln_resolving *resolving;
	const struct kmln_chain *inner, *outer; /* an interface's, its host's; or NULL */
	const char *hostname, *index; /* $hostname, $index; NULL: none */
	const struct kmln_node
		*open[KMLN_VARIABLES_DEEP]; /* variables whose values are being made */
	size_t depth;
	const struct kmln_word *word; /* the word whose value is wanted */
};

/*
 * The value of a word as this view has it, in the pool or the tree; never NULL. A variable that is
 * not there is reported once for each word.
 */
const char *kmln_view_value(struct kmln_view *view, struct kmln_word *word, bool lenient);

/* Counts work; false, after a report, where there is too much. */
bool kmln_resolving_expand(struct kmln_resolving *resolving, uint64_t items, struct kmln_place at);

/*
 * Fills the members of `target`, the model's struct for blocks of this kind, from the chain: what
 * keywords of the blocks say, then the defaults. Interfaces and groups of hosts are filled too.
 */
void kmln_gather(
	struct kmln_view *view, const struct kmln_chain *chain, enum kmln_block kind, void *target);

/* Appends a row of the words from `first` on; NULL where they are not as the columns want. */
struct kmln_row *kmln_gather_row(struct kmln_view *view, struct kmln_node *node, uint32_t first,
	const struct kmln_keyword *keyword, const struct kmln_column *columns, unsigned level,
	struct kmln_rows *rows);
/* The interfaces, and the groups, of a host. */
void kmln_gather_interfaces(
	struct kmln_view *view, const struct kmln_chain *chain, struct kmln_host *host);
void kmln_gather_groups(
	struct kmln_view *view, const struct kmln_chain *chain, struct kmln_host *host);
/*
 * Whether this node removes things of the keyword: `remove KEYWORD WHICH` or `replace`; *which is
 * NULL for all of them.
 */
bool kmln_gather_removes(struct kmln_view *view, const struct kmln_keyword *keyword,
	struct kmln_node *node, const char **which);
/* Reports a removal that removes nothing. */
void kmln_gather_nothing(
	struct kmln_view *view, struct kmln_node *node, const struct kmln_nearest *nearest);

/* The steps of resolving, in this order; each reports what it finds. */
void kmln_resolve_switches(struct kmln_resolving *resolving); /* what is made of their words */
void kmln_resolve_hosts(struct kmln_resolving *resolving); /* platforms, references, order */
void kmln_resolve_networks(struct kmln_resolving *resolving); /* addresses, MACs, forwards */

/*
 * Whether a mistake in the value's word has been reported; from now on it counts as reported. The
 * model has words const for those who use it; they are marked in the tree, which is ours.
 */
bool kmln_value_told(const struct kmln_value *value);
/* Where a value was written; where it was not, where `else_at` was. */
struct kmln_place kmln_value_place(
	const struct kmln_value *value, const struct kmln_value *else_at);

#endif
