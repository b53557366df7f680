// SPDX-License-Identifier: GPL-2.0-or-later
/* Which kernel a guest is to have on its new platform. */
#include "convert/convert.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "guest/fetch.h"

void kmln_choice_close(struct kmln_choice *choice)
{
	kmln_kit_close(&choice->kit);
}

/* "6.1" of "6.1.0-56-cloud-amd64". */
static size_t series_length(const char *release)
{
	size_t n = strspn(release, "0123456789");

	if (release[n] != '.')
		return n;
	return n + 1 + strspn(release + n + 1, "0123456789");
}

static bool same_series(const char *a, const char *b)
{
	size_t n = series_length(a);

	return n == series_length(b) && strncmp(a, b, n) == 0;
}

/* The kernel the guest ran as UML: by the modules in it, else the host's UML kernel. */
static const char *uml_release(const struct kmln_facts *facts, struct kmln_pool *pool)
{
	KMLN_TREE struct kmln_tree *tree = NULL;
	KMLN_STRV struct kmln_strv names = {0};
	struct kmln_error ignored;

	for (size_t i = 0; i < facts->kernel_count; i++)
		if (facts->kernels[i].uml)
			return facts->kernels[i].release;
	if (kmln_tree_folder("/usr/lib/uml/modules", &tree, &ignored) == 0 &&
		kmln_tree_names(tree, "/", &names, &ignored) == 0 && names.count)
		return kmln_pool_strdup(pool, names.items[names.count - 1]);
	return NULL;
}

static int take_kit(const struct kmln_kit_entry *entry, const char *why, struct kmln_choice *choice,
	struct kmln_error *err)
{
	int r = kmln_kit_open(entry, &choice->kit, err);

	if (r < 0)
		return r;
	choice->kernel = choice->kit.kernel;
	choice->why = why;
	return 0;
}

static const struct kmln_kit_entry *find_release(
	const struct kmln_kit_entry *entries, size_t count, const char *release)
{
	for (size_t i = 0; i < count; i++)
		if (kmln_eq(entries[i].release, release))
			return &entries[i];
	return NULL;
}

/* The first of this origin that suits, one of the wanted series before all others. */
static const struct kmln_kit_entry *best(
	const struct kmln_kit_entry *entries, size_t count, const char *origin, const char *series)
{
	const struct kmln_kit_entry *first = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!entries[i].suits || !kmln_eq(entries[i].origin, origin))
			continue;
		if (series && same_series(entries[i].release, series))
			return &entries[i];
		if (!first)
			first = &entries[i];
	}
	return first;
}

static bool is_path(const char *wanted)
{
	struct stat st;

	return strchr(wanted, '/') || kmln_ends(wanted, ".deb") || stat(wanted, &st) == 0;
}

static int take_wanted(const struct kmln_facts *facts, const struct kmln_platform *platform,
	const char *wanted, struct kmln_pool *pool, struct kmln_choice *choice,
	struct kmln_error *err)
{
	const char *release = wanted;
	const struct kmln_kit_entry *entry;
	struct kmln_kit_entry *entries;
	size_t count;
	int r = 0;

	if (is_path(wanted))
		r = kmln_kit_add(wanted, NULL, NULL, pool, &release, err);
	else
		for (size_t i = 0; i < facts->kernel_count; i++)
			if (kmln_eq(facts->kernels[i].release, wanted) &&
				kmln_kernel_suits(&facts->kernels[i], facts, platform)) {
				choice->kernel = &facts->kernels[i];
				choice->why = "the guest has it, and it was asked for";
				return 0;
			}
	if (r == 0)
		r = kmln_kits_list(pool, platform, facts, &entries, &count, err);
	if (r < 0)
		return r;
	entry = find_release(entries, count, release);
	if (!entry)
		return kmln_fail(err, ENOENT,
			"no kernel %s in the guest, the cache or the host; `kmln kernel list` shows those "
			"that are",
			wanted);
	r = take_kit(entry, "it was asked for", choice, err);
	if (r == 0 && !entry->suits) {
		KMLN_BUF struct kmln_buf why = {0};

		kmln_kernel_misfit(choice->kernel, facts, platform, &why);
		return kmln_fail(err, KMLN_EINVALID, "kernel %s lacks what %s needs: %s", release,
			platform->name, why.data);
	}
	return r;
}

int kmln_choose_kernel(const struct kmln_facts *facts, const struct kmln_platform *platform,
	const char *wanted, struct kmln_tree *tree, struct kmln_pool *pool,
	struct kmln_choice *choice, struct kmln_error *err)
{
	const struct kmln_kit_entry *entry;
	struct kmln_kit_entry *entries;
	struct kmln_kit_entry fetched;
	const char *series;
	size_t count;
	int r;

	*choice = (struct kmln_choice){0};
	if (wanted)
		return take_wanted(facts, platform, wanted, pool, choice, err);
	/* a kernel that kmln put in is the guest's own from then on */
	choice->kernel = kmln_guest_kernel(facts, platform);
	choice->why = "the guest has it";
	if (choice->kernel)
		return 0;
	series = uml_release(facts, pool);
	r = kmln_kits_list(pool, platform, facts, &entries, &count, err);
	if (r < 0)
		return r;
	entry = best(entries, count, "cache", series);
	if (entry)
		return take_kit(entry, "it is in the cache", choice, err);
	entry = best(entries, count, "host", series);
	if (entry)
		return take_kit(entry, "it is the host's own", choice, err);
	r = kmln_fetch_kernel(tree, facts, platform, pool, &fetched, err);
	return r < 0 ? r
		     : take_kit(&fetched, "fetched from the guest's own package sources", choice,
			       err);
}
