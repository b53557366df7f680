// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Relations: "a (>= 1) | b, c". Nothing here knows what a package does; it only sees to it that
 * `apt-get check` finds no fault with what is put in.
 */
#include "guest/dpkg.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 500 /* packages in one choice */

/* ---- versions ---- */

/* Letters before all other signs, '~' before the end. */
static int order(int c)
{
	if (isdigit(c) || !c)
		return 0;
	if (isalpha(c))
		return c;
	return c == '~' ? -1 : c + 256;
}

/* One part, as Debian's policy has it: turns of text and of numbers. */
static int compare_part(const char *a, size_t a_size, const char *b, size_t b_size)
{
	const char *a_end = a + a_size, *b_end = b + b_size;
#define AT(p) ((p) < p##_end ? (unsigned char)*(p) : 0)

	while (a < a_end || b < b_end) {
		int first = 0;

		while ((a < a_end && !isdigit(AT(a))) || (b < b_end && !isdigit(AT(b)))) {
			if (order(AT(a)) != order(AT(b)))
				return order(AT(a)) - order(AT(b));
			a += a < a_end;
			b += b < b_end;
		}
		while (AT(a) == '0')
			a++;
		while (AT(b) == '0')
			b++;
		for (; isdigit(AT(a)) && isdigit(AT(b)); a++, b++)
			if (!first)
				first = AT(a) - AT(b);
		if (isdigit(AT(a)) || isdigit(AT(b)))
			return isdigit(AT(a)) ? 1 : -1;
		if (first)
			return first;
	}
#undef AT
	return 0;
}

int kmln_version_compare(const char *a, const char *b)
{
	const char *a_colon = strchr(a, ':'), *b_colon = strchr(b, ':');
	unsigned long a_epoch = a_colon ? strtoul(a, NULL, 10) : 0;
	unsigned long b_epoch = b_colon ? strtoul(b, NULL, 10) : 0;
	const char *a_dash, *b_dash;
	int r;

	if (a_epoch != b_epoch)
		return a_epoch > b_epoch ? 1 : -1;
	a = a_colon ? a_colon + 1 : a;
	b = b_colon ? b_colon + 1 : b;
	a_dash = strrchr(a, '-') ? strrchr(a, '-') : a + strlen(a);
	b_dash = strrchr(b, '-') ? strrchr(b, '-') : b + strlen(b);
	r = compare_part(a, (size_t)(a_dash - a), b, (size_t)(b_dash - b));
	if (r)
		return r;
	a_dash += *a_dash == '-';
	b_dash += *b_dash == '-';
	return compare_part(a_dash, strlen(a_dash), b_dash, strlen(b_dash));
}

/* ---- relations ---- */

struct relation {
	char name[256], op[4], version[256];
};

/* One "name[:arch] (op version)"; false where it is none. */
static bool parse(const char *text, size_t size, struct relation *relation)
{
	KMLN_FREE char *copy = kmln_printf("%.*s", (int)size, text);
	char *paren = strchr(copy, '('), *end;
	size_t length;

	*relation = (struct relation){0};
	if (paren) {
		*paren++ = '\0';
		paren += strspn(paren, " ");
		length = strspn(paren, "<>=");
		if (!length || length >= sizeof(relation->op))
			return false;
		memcpy(relation->op, paren, length);
		paren += length + strspn(paren + length, " ");
		length = strcspn(paren, " )");
		if (!length || length >= sizeof(relation->version))
			return false;
		memcpy(relation->version, paren, length);
	}
	end = copy + strspn(copy, " \t");
	length = strcspn(end, " :\t");
	if (!length || length >= sizeof(relation->name))
		return false;
	memcpy(relation->name, end, length);
	return true;
}

static bool version_fits(const struct relation *relation, const char *version)
{
	int r = kmln_version_compare(version, relation->version);

	switch (relation->op[0]) {
	case '\0':
		return true;
	case '<': /* "<" alone is an old way to say "<=" */
		return relation->op[1] == '<' ? r < 0 : r <= 0;
	case '>':
		return relation->op[1] == '>' ? r > 0 : r >= 0;
	default:
		return r == 0;
	}
}

/* Calls fn for each alternative of "a | b" in text[size], until it says true. */
typedef bool (*relation_fn)(void *data, const struct relation *relation);

static bool each_of(const char *text, size_t size, char divider, relation_fn fn, void *data)
{
	const char *end = text + size;

	while (text < end) {
		const char *next = memchr(text, divider, (size_t)(end - text));
		size_t length = (size_t)((next ? next : end) - text);
		struct relation relation;

		if (parse(text, length, &relation) && fn(data, &relation))
			return true;
		text += length + (next != NULL);
	}
	return false;
}

/* What relations are about: a package that is there or comes. */
struct party {
	const char *name, *version, *provides;
};

struct provided {
	const struct relation *wanted;
};

static bool is_provided(void *data, const struct relation *offer)
{
	const struct relation *wanted = ((struct provided *)data)->wanted;

	if (strcmp(offer->name, wanted->name) != 0)
		return false;
	return !*wanted->op || (*offer->version && version_fits(wanted, offer->version));
}

static bool meets(const struct relation *relation, const struct party *party)
{
	struct provided provided = {relation};

	if (strcmp(relation->name, party->name) == 0 && version_fits(relation, party->version))
		return true;
	return each_of(party->provides, strlen(party->provides), ',', is_provided, &provided);
}

/* ---- choosing ---- */

struct choosing {
	const struct kmln_facts *facts;
	const struct kmln_pkgs *offered;
	struct kmln_pool *pool;
	struct kmln_pkg_choice *choice;
	const char *architecture;
};

static struct party party_of(const struct choosing *c, const struct kmln_pkg *pkg)
{
	return (struct party){
		pkg->name, pkg->version, kmln_control_field(c->pool, pkg->control, "Provides")};
}

static bool can_run(const struct choosing *c, const char *architecture)
{
	return kmln_eq(architecture, "all") || kmln_eq(architecture, c->architecture);
}

/* The installed packages of this architecture, one by one; false at the end. */
static bool next_installed(const struct choosing *c, size_t *at, struct party *party,
	const struct kmln_package **package)
{
	while (*at < c->facts->package_count) {
		const struct kmln_package *p = &c->facts->packages[(*at)++];

		if (!kmln_package_is_installed(p) || !can_run(c, p->architecture))
			continue;
		*party = (struct party){p->name, p->version, p->provides};
		*package = p;
		return true;
	}
	return false;
}

static bool is_met(void *data, const struct relation *relation)
{
	const struct choosing *c = data;
	const struct kmln_package *package;
	struct party party;

	for (size_t at = 0; next_installed(c, &at, &party, &package);)
		if (meets(relation, &party))
			return true;
	for (size_t i = 0; i < c->choice->count; i++) {
		party = party_of(c, c->choice->items[i]);
		if (meets(relation, &party))
			return true;
	}
	return false;
}

static void take(struct choosing *c, const struct kmln_pkg *pkg)
{
	*(const struct kmln_pkg **)kmln_pool_append(
		c->pool, &c->choice->items, &c->choice->count, sizeof(pkg)) = pkg;
}

/* The first package at hand that meets it is taken. */
static bool take_one(void *data, const struct relation *relation)
{
	struct choosing *c = data;

	for (size_t i = 0; i < c->offered->count; i++) {
		const struct kmln_pkg *pkg = &c->offered->items[i];
		struct party party = party_of(c, pkg);

		if (can_run(c, pkg->architecture) && meets(relation, &party) &&
			!kmln_facts_package(c->facts, pkg->name)) {
			take(c, pkg);
			return true;
		}
	}
	return false;
}

static bool first_name(void *data, const struct relation *relation)
{
	*(char **)data = kmln_strdup(relation->name);
	return true;
}

static const char *need(struct choosing *c, const struct kmln_pkg *pkg, const char *field)
{
	const char *relations = kmln_control_field(c->pool, pkg->control, field);

	while (*relations) {
		size_t length = strcspn(relations, ",");
		KMLN_FREE char *name = NULL;

		if (strspn(relations, " ") < length &&
			!each_of(relations, length, '|', is_met, c) &&
			!each_of(relations, length, '|', take_one, c)) {
			each_of(relations, length, '|', first_name, &name);
			*(const char **)kmln_pool_append(c->pool, &c->choice->lacking,
				&c->choice->lacking_count, sizeof(char *)) =
				kmln_pool_strdup(c->pool, name ? name : "");
			return kmln_pool_printf(c->pool, "%s needs %.*s, which the guest lacks",
				pkg->name, (int)length, relations + strspn(relations, " "));
		}
		relations += length + (relations[length] == ',');
	}
	return NULL;
}

static bool hits(void *data, const struct relation *relation)
{
	return meets(relation, data);
}

/* True where the field of one package stands against the other. */
static bool against(const char *relations, struct party *other)
{
	return each_of(relations, strlen(relations), ',', hits, other);
}

static const char *check_against(const struct choosing *c, const struct kmln_pkg *pkg)
{
	const char *conflicts = kmln_control_field(c->pool, pkg->control, "Conflicts");
	const char *breaks = kmln_control_field(c->pool, pkg->control, "Breaks");
	struct party own = party_of(c, pkg), other;
	const struct kmln_package *package;
	const char *enemy = NULL;

	for (size_t at = 0; !enemy && next_installed(c, &at, &other, &package);)
		if (against(conflicts, &other) || against(breaks, &other) ||
			against(package->conflicts, &own) || against(package->breaks, &own))
			enemy = package->name;
	for (size_t i = 0; !enemy && i < c->choice->count; i++) {
		other = party_of(c, c->choice->items[i]);
		if (c->choice->items[i] != pkg &&
			(against(conflicts, &other) || against(breaks, &other)))
			enemy = other.name;
	}
	return enemy ? kmln_pool_printf(c->pool, "%s does not go with %s", pkg->name, enemy) : NULL;
}

static const char *check_package(const struct choosing *c, const struct kmln_pkg *pkg)
{
	const struct kmln_package *there = kmln_facts_package(c->facts, pkg->name);

	if (!can_run(c, pkg->architecture))
		return kmln_pool_printf(c->pool,
			"%s is for %s, and the guest's packages are for %s", pkg->name,
			pkg->architecture, c->architecture);
	if (there)
		return kmln_pool_printf(c->pool, "dpkg knows %s already (%s)", pkg->name,
			there->status ? there->status : "");
	return NULL;
}

static const char *choose(struct choosing *c, const struct kmln_pkg *root)
{
	size_t from = c->choice->count;
	const char *problem = NULL;

	take(c, root);
	for (size_t i = from; !problem && i < c->choice->count; i++) {
		problem = i > ROUNDS_MAX ? "it needs too many packages"
					 : check_package(c, c->choice->items[i]);
		if (!problem)
			problem = need(c, c->choice->items[i], "Pre-Depends");
		if (!problem)
			problem = need(c, c->choice->items[i], "Depends");
	}
	for (size_t i = from; !problem && i < c->choice->count; i++)
		problem = check_against(c, c->choice->items[i]);
	if (problem)
		c->choice->count = from;
	return problem;
}

const char *kmln_dpkg_choose(const struct kmln_facts *facts, const struct kmln_pkgs *offered,
	const struct kmln_pkg *root, struct kmln_pool *pool, struct kmln_pkg_choice *choice)
{
	struct choosing c = {facts, offered, pool, choice, kmln_dpkg_architecture(facts)};

	if (!c.architecture)
		return "the guest's dpkg is not installed as a package, so its architecture is not "
		       "known";
	if (kmln_choice_has(choice, root->name))
		return NULL;
	return choose(&c, root);
}

bool kmln_choice_has(const struct kmln_pkg_choice *choice, const char *name)
{
	for (size_t i = 0; i < choice->count; i++)
		if (kmln_eq(choice->items[i]->name, name))
			return true;
	return false;
}

static bool has_name(void *data, const struct relation *relation)
{
	return kmln_eq(relation->name, data);
}

bool kmln_relation_names(const char *relations, const char *name)
{
	for (const char *p = relations; *p;) {
		size_t length = strcspn(p, ",");

		if (each_of(p, length, '|', has_name, (void *)name))
			return true;
		p += length + (p[length] == ',');
	}
	return false;
}

const char *kmln_dpkg_architecture(const struct kmln_facts *facts)
{
	const struct kmln_package *dpkg = kmln_facts_package(facts, "dpkg");

	return dpkg && kmln_package_is_installed(dpkg) && *dpkg->architecture ? dpkg->architecture
									      : NULL;
}
