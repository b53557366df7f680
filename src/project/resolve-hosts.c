// SPDX-License-Identifier: GPL-2.0-or-later
/* What the words of a host mean together: its platform, whom it waits for, when it starts. */
#include <stdlib.h>
#include <string.h>

#include "project/resolving.h"
#include "project/types.h"

static const char *const wishes[] = {
	[KMLN_WISH_AUTO] = "auto",
	[KMLN_WISH_UML] = "uml",
	[KMLN_WISH_KVM] = "kvm",
	[KMLN_WISH_QEMU] = "qemu",
	[KMLN_WISH_XEN] = "xen",
	[KMLN_WISH_CONTAINER] = "container",
};

static void find_platform(struct kmln_resolving *resolving, struct kmln_host *host)
{
	for (unsigned i = 0; i < KMLN_COUNT(wishes); i++)
		if (kmln_eq(host->platform.text, wishes[i]))
			host->wish = (enum kmln_platform_wish)i;
	if (host->platform.from)
		return;
	if (host->xen.number && host->kvm.number && !kmln_value_told(&host->kvm)) {
		kmln_report_error(resolving->report, "conflict", host->kvm.from->at,
			"`%s` cannot be on Xen and on KVM", host->name.text);
		kmln_report_note(resolving->report, host->xen.from->at, "`xen` stands here");
	}
	if (host->xen.number)
		host->wish = KMLN_WISH_XEN;
	else if (host->kvm.number)
		host->wish = KMLN_WISH_KVM;
}

static void find_image(struct kmln_host *host)
{
	host->root = &host->image;
	if (!host->image.text && host->template_name.text) {
		host->root = &host->template_name;
		host->root_is_template = true;
	} else if (!host->image.text && host->filesystem.text) {
		host->root = &host->filesystem;
	} else if (!host->image.text) {
		host->image.text = KMLN_DEFAULT_IMAGE;
	}
	if (!host->cpus.from && host->vcpus.from)
		host->cpus = host->vcpus;
}

static void check_ready(struct kmln_resolving *resolving, struct kmln_host *host)
{
	const struct kmln_row *row = host->ready.count ? host->ready.items : NULL;
	const char *kind = row ? row->cells[KMLN_READY_KIND].text : "none";
	const struct kmln_value *what;
	bool needs = kmln_eq(kind, "port") || kmln_eq(kind, "console");
	uint64_t port;

	if (!row || !row->cells[0].from)
		return;
	what = &row->cells[row->count - 1];
	if (needs && row->count < 2 && !kmln_value_told(what))
		kmln_report_error(resolving->report, "missing-value", what->from->at,
			"`ready %s` needs %s", kind,
			kind[0] == 'p' ? "the number of a port" : "a regular expression");
	else if (!needs && row->count > 1 && !kmln_value_told(what))
		kmln_report_error(resolving->report, "too-many-words", what->from->at,
			"`ready %s` takes no value", kind);
	else if (kmln_eq(kind, "port") && row->count > 1 &&
		 (!kmln_parse_decimal(what->text, &port) || !port || port > 65535) &&
		 !kmln_value_told(what))
		kmln_report_error(resolving->report, "wrong-value", what->from->at,
			"`ready port` needs a number from 1 to 65535");
}

static void check_mounts(struct kmln_resolving *resolving, struct kmln_host *host)
{
	for (size_t i = 0; i < host->mounts.count; i++) {
		const struct kmln_row *row = &host->mounts.items[i];

		if (row->count > KMLN_MOUNT_TYPE &&
			kmln_eq(row->cells[KMLN_MOUNT_TYPE].text, "hostfs") &&
			host->wish != KMLN_WISH_UML && host->wish != KMLN_WISH_AUTO &&
			!kmln_value_told(&row->cells[KMLN_MOUNT_TYPE]))
			kmln_report_error(resolving->report, "conflict",
				row->cells[KMLN_MOUNT_TYPE].from->at,
				"only UML guests can mount `hostfs`, and `%s` is on %s",
				host->name.text, wishes[host->wish]);
	}
}

static void add_wait(
	struct kmln_resolving *resolving, struct kmln_host *host, struct kmln_host *other)
{
	struct kmln_host **slot;

	/* the last ones are the likely repetitions; doing one twice does no harm */
	if (host->wait_count && host->waits_for[host->wait_count - 1] == other)
		return;
	slot = kmln_pool_append(
		resolving->pool, &host->waits_for, &host->wait_count, sizeof(*slot));
	*slot = other;
}

static void no_host(struct kmln_resolving *resolving, const struct kmln_value *value)
{
	const struct kmln_model *model = resolving->model;
	struct kmln_nearest nearest = {.word = value->text};

	if (kmln_value_told(value))
		return;
	kmln_report_error(resolving->report, "no-host", value->from->at, "there is no host `%s`",
		value->text);
	/* looking for one among all takes its time: not for a flood of mistakes */
	for (size_t i = 0; resolving->report->errors < 50 && i < model->host_count; i++) {
		kmln_nearest_offer(&nearest, model->hosts[i]->name.text);
		if (model->hosts[i]->series)
			kmln_nearest_offer(&nearest, model->hosts[i]->series);
	}
	kmln_report_suggest(resolving->report, nearest.name);
}

static void waits_for_itself(struct kmln_resolving *resolving, const struct kmln_host *host,
	const struct kmln_value *value)
{
	if (!kmln_value_told(value))
		kmln_report_error(resolving->report, "cycle", value->from->at,
			"`%s` waits for itself", host->name.text);
}

/* All hosts of one count. */
static void wait_for_series(
	struct kmln_resolving *resolving, struct kmln_host *host, const struct kmln_value *value)
{
	const struct kmln_model *model = resolving->model;

	if (kmln_eq(host->series, value->text)) {
		waits_for_itself(resolving, host, value);
		return;
	}
	if (!kmln_resolving_expand(resolving, model->host_count / 4, value->from->at))
		return;
	for (size_t i = 0; i < model->host_count; i++)
		if (kmln_eq(model->hosts[i]->series, value->text) &&
			kmln_resolving_expand(resolving, 1, value->from->at))
			add_wait(resolving, host, model->hosts[i]);
}

static void find_waits(struct kmln_resolving *resolving, struct kmln_host *host)
{
	const struct kmln_row *row = host->after.count ? host->after.items : NULL;

	for (unsigned i = 0; row && i < row->count; i++) {
		const struct kmln_value *value = &row->cells[i];
		struct kmln_host *other =
			kmln_names_find(&resolving->hosts, value->text, strlen(value->text));

		if (other && kmln_eq(other->name.text, value->text)) {
			if (other == host)
				waits_for_itself(resolving, host, value);
			else
				add_wait(resolving, host, other);
			if (other->boot_order.number > host->boot_order.number &&
				!kmln_value_told(value))
				kmln_report_error(resolving->report, "conflict", value->from->at,
					"`%s` waits for `%s`, yet its boot_order %llu is before %llu",
					host->name.text, other->name.text,
					(unsigned long long)host->boot_order.number,
					(unsigned long long)other->boot_order.number);
		} else if (kmln_names_find(&resolving->series, value->text, strlen(value->text))) {
			wait_for_series(resolving, host, value);
		} else {
			no_host(resolving, value);
		}
	}
}

/* The state of sorting hosts so that each comes behind those it waits for. */
struct sorting {
	struct kmln_host **order; /* sorted so far */
	size_t count;
	size_t *missing; /* for each host: those it waits for that are not sorted yet */
	size_t *first, *next; /* who waits for a host: lists of edges */
	struct kmln_host **waiting; /* the host of an edge */
};

static void sort_from(struct kmln_model *model, struct sorting *s)
{
	for (size_t i = 0; i < model->host_count; i++)
		if (!s->missing[i])
			s->order[s->count++] = model->hosts[i];
	for (size_t done = 0; done < s->count; done++)
		for (size_t e = s->first[s->order[done]->number]; e; e = s->next[e])
			if (!--s->missing[s->waiting[e]->number])
				s->order[s->count++] = s->waiting[e];
}

/* Of the hosts that could not be sorted: those that wait for each other in a circle, told once
 * each. */
static void report_circles(struct kmln_resolving *resolving, struct sorting *s)
{
	struct kmln_model *model = resolving->model;
	size_t *seen = kmln_pool_array(resolving->pool, model->host_count, sizeof(*seen));

	for (size_t i = 0; i < model->host_count; i++) {
		struct kmln_host *host = model->hosts[i], *start;
		KMLN_BUF struct kmln_buf names = {0};
		size_t length = 0;

		if (!s->missing[i] || seen[i])
			continue;
		/* each that is left waits for one that is left: this walk ends in a circle */
		while (!seen[host->number]) {
			seen[host->number] = i + 1;
			for (size_t w = 0; w < host->wait_count; w++)
				if (s->missing[host->waits_for[w]->number]) {
					host = host->waits_for[w];
					break;
				}
		}
		if (seen[host->number] != i + 1)
			continue; /* a way into a circle that has been told */
		start = host;
		do {
			kmln_buf_printf(&names, "%s%s", length ? " -> " : "", host->name.text);
			for (size_t w = 0; w < host->wait_count; w++)
				if (s->missing[host->waits_for[w]->number]) {
					host = host->waits_for[w];
					break;
				}
		} while (host != start && ++length < 8);
		kmln_report_error(resolving->report, "cycle",
			kmln_value_place(
				start->after.count ? start->after.items[0].cells : &start->name,
				&start->name),
			"hosts wait for each other in a circle: %s -> %s", names.data,
			host == start ? start->name.text : "...");
	}
}

static int by_order(const void *left, const void *right)
{
	const struct kmln_host *a = *(struct kmln_host *const *)left,
			       *b = *(struct kmln_host *const *)right;

	if (a->boot_order.number != b->boot_order.number)
		return a->boot_order.number < b->boot_order.number ? -1 : 1;
	return a->level < b->level ? -1 : 1; /* their place in the sorted order, so far */
}

/* Levels: hosts of a smaller boot_order before those of a greater, each behind whom it waits for.
 */
static void set_levels(struct sorting *s)
{
	unsigned base = 0, next = 0;

	for (size_t i = 0; i < s->count; i++)
		s->order[i]->level = (unsigned)i;
	if (s->count)
		qsort(s->order, s->count, sizeof(struct kmln_host *), by_order);
	for (size_t i = 0; i < s->count; i++) {
		struct kmln_host *host = s->order[i];

		if (i && host->boot_order.number != s->order[i - 1]->boot_order.number)
			base = next;
		host->level = base;
		for (size_t w = 0; w < host->wait_count; w++)
			if (host->waits_for[w]->boot_order.number == host->boot_order.number &&
				host->waits_for[w]->level >= host->level)
				host->level = host->waits_for[w]->level + 1;
		if (host->level >= next)
			next = host->level + 1;
	}
}

static void find_order(struct kmln_resolving *resolving)
{
	struct kmln_model *model = resolving->model;
	struct kmln_pool *pool = resolving->pool;
	size_t edges = 1, e = 1;
	struct sorting s = {0};

	for (size_t i = 0; i < model->host_count; i++) {
		model->hosts[i]->number = i;
		edges += model->hosts[i]->wait_count;
	}
	s.order = kmln_pool_array(pool, model->host_count, sizeof(struct kmln_host *));
	s.missing = kmln_pool_array(pool, model->host_count, sizeof(*s.missing));
	s.first = kmln_pool_array(pool, model->host_count, sizeof(*s.first));
	s.next = kmln_pool_array(pool, edges, sizeof(*s.next));
	s.waiting = kmln_pool_array(pool, edges, sizeof(struct kmln_host *));
	for (size_t i = 0; i < model->host_count; i++) {
		struct kmln_host *host = model->hosts[i];

		s.missing[i] = host->wait_count;
		for (size_t w = 0; w < host->wait_count; w++, e++) {
			size_t other = host->waits_for[w]->number;

			s.waiting[e] = host;
			s.next[e] = s.first[other];
			s.first[other] = e;
		}
	}
	sort_from(model, &s);
	if (s.count < model->host_count)
		report_circles(resolving, &s);
	set_levels(&s);
}

void kmln_resolve_hosts(struct kmln_resolving *resolving)
{
	struct kmln_model *model = resolving->model;

	for (size_t i = 0; i < model->host_count; i++) {
		struct kmln_host *host = model->hosts[i];

		find_platform(resolving, host);
		find_image(host);
		check_ready(resolving, host);
		check_mounts(resolving, host);
		find_waits(resolving, host);
	}
	find_order(resolving);
}
