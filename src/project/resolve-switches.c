// SPDX-License-Identifier: GPL-2.0-or-later
/* What the words of a switch mean together: its nets, its uplink, its bridge. */
#include <string.h>

#include "project/derive.h"
#include "project/resolving.h"

static const char *const family_names[] = {"IPv4", "IPv6"};

/* The net of a switch, `second` where it has one of the family already. */
static void add_net(
	struct kmln_resolving *resolving, struct kmln_switch *s, const struct kmln_value *value)
{
	struct kmln_ip net;
	uint64_t hosts;

	if (!kmln_ip_parse(value->text, &net))
		return;
	kmln_derive_address(&net, 0, &hosts);
	if (s->net[net.family].given && !kmln_value_told(value)) {
		kmln_report_error(resolving->report, "duplicate", value->from->at,
			"`%s` has an %s net already", s->name.text, family_names[net.family]);
	} else if (!hosts && !kmln_value_told(value)) {
		kmln_report_error(resolving->report, "too-small", value->from->at,
			"the net `%s` has no address for hosts", value->text);
	} else {
		s->net[net.family] = net;
	}
}

/* The uplink's own addresses: the last two that a host could have, of a big net those of 64 Ki. */
static void add_uplink(struct kmln_switch *s)
{
	for (unsigned f = 0; f < KMLN_FAMILIES; f++) {
		uint64_t count;

		if (!s->net[f].given)
			continue;
		kmln_derive_address(&s->net[f], 0, &count);
		if (f == KMLN_IPV6 && count > 0xffff)
			count = 0xffff;
		s->gateway[f] = kmln_derive_address(&s->net[f], count - 1, &(uint64_t){0});
		s->dns[f] = kmln_derive_address(&s->net[f], count - 2, &(uint64_t){0});
	}
}

static void resolve_switch(struct kmln_resolving *resolving, struct kmln_switch *s)
{
	s->is_hub = s->hub.number || kmln_eq(s->type.text, "hub");
	s->is_external = s->socket.text;
	for (size_t i = 0; i < s->nets.count; i++)
		add_net(resolving, s, s->nets.items[i].cells);
	s->bridge_name = s->bridge.text ? s->bridge.text
					: kmln_derive_bridge(resolving->pool, s->name.text,
						  resolving->model->project);
	if (!kmln_eq(s->uplink.text, "nat"))
		return;
	if (!s->net[KMLN_IPV4].given && !s->net[KMLN_IPV6].given) {
		if (!s->nets.count && !kmln_value_told(&s->uplink))
			kmln_report_error(resolving->report, "missing-value",
				kmln_value_place(&s->uplink, &s->name),
				"`uplink nat` needs a `net` on the switch");
		return;
	}
	add_uplink(s);
}

void kmln_resolve_switches(struct kmln_resolving *resolving)
{
	const struct kmln_model *model = resolving->model;
	struct kmln_names bridges = {.pool = resolving->pool};

	for (size_t i = 0; i < model->switch_count; i++) {
		struct kmln_switch *s = model->switches[i], *other;

		resolve_switch(resolving, s);
		other = kmln_names_add(&bridges, s->bridge_name, strlen(s->bridge_name), s);
		if (other && !kmln_value_told(&s->bridge)) {
			kmln_report_error(resolving->report, "duplicate",
				kmln_value_place(&s->bridge, &s->name),
				"the bridge `%s` belongs to the switch `%s`", s->bridge_name,
				other->name.text);
			kmln_report_note(resolving->report,
				kmln_value_place(&other->bridge, &other->name), "it stands here");
		}
		for (size_t j = 0; j < i && model->switch_count <= 1000; j++)
			for (unsigned f = 0; f < KMLN_FAMILIES; f++) {
				const struct kmln_ip *a = &s->net[f],
						     *b = &model->switches[j]->net[f];

				if (kmln_ip_inside(a, b) || kmln_ip_inside(b, a))
					kmln_report_warning(resolving->report, "overlap",
						kmln_value_place(
							&s->nets.items[0].cells[0], &s->name),
						"the nets of `%s` and `%s` overlap", s->name.text,
						model->switches[j]->name.text);
			}
	}
}
