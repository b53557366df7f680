// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of pictures, which are the same in all of them. */
#include "project/graph.h"

const char *kmln_graph_platform(const struct kmln_host *host)
{
	static const char *const names[] = {
		[KMLN_WISH_AUTO] = "auto",
		[KMLN_WISH_UML] = "UML",
		[KMLN_WISH_KVM] = "KVM",
		[KMLN_WISH_QEMU] = "QEMU",
		[KMLN_WISH_XEN] = "Xen",
		[KMLN_WISH_CONTAINER] = "container",
	};

	return names[host->wish];
}

/* Text behind a comma where something stands before it. */
static void add(struct kmln_buf *list, const char *before, const char *text)
{
	if (text)
		kmln_buf_printf(list, "%s%s%s", list->size ? ", " : "", before, text);
}

static char *finish(struct kmln_pool *pool, const struct kmln_buf *list)
{
	return kmln_pool_memdup(pool, list->data ? list->data : "", list->size);
}

char *kmln_graph_addresses(struct kmln_pool *pool, const struct kmln_interface *interface)
{
	KMLN_BUF struct kmln_buf list = {0};
	char text[KMLN_IP_TEXT];

	if (interface->addressing == KMLN_ADDRESS_DHCP)
		add(&list, "", "dhcp");
	for (int f = 0; f < KMLN_FAMILIES; f++)
		if (interface->ip[f].given) {
			kmln_ip_text(text, &interface->ip[f], false);
			add(&list, "", text);
		}
	return finish(pool, &list);
}

char *kmln_graph_elsewhere(struct kmln_pool *pool, const struct kmln_interface *interface)
{
	KMLN_BUF struct kmln_buf list = {0};

	if (!interface->on)
		add(&list, "", interface->switch_name.text);
	add(&list, "tap ", interface->tun_iface.text);
	add(&list, "bridge ", interface->bridge.text);
	if (interface->slirp.from)
		add(&list, "", "slirp");
	return finish(pool, &list);
}

static void impair(struct kmln_buf *list, const char *word, const struct kmln_value *value,
	const struct kmln_value *known)
{
	if (value->text && !(known && known->text && known->number == value->number))
		add(list, word, value->text);
}

char *kmln_graph_impairment(struct kmln_pool *pool, const struct kmln_impairment *impairment,
	const struct kmln_impairment *known)
{
	KMLN_BUF struct kmln_buf list = {0};

	impair(&list, "delay ", &impairment->delay, known ? &known->delay : NULL);
	impair(&list, "loss ", &impairment->loss, known ? &known->loss : NULL);
	impair(&list, "rate ", &impairment->rate, known ? &known->rate : NULL);
	return finish(pool, &list);
}

char *kmln_graph_switch(struct kmln_pool *pool, const struct kmln_switch *s)
{
	KMLN_BUF struct kmln_buf list = {0};
	char text[KMLN_IP_TEXT];

	for (int f = 0; f < KMLN_FAMILIES; f++)
		if (s->net[f].given) {
			kmln_ip_text(text, &s->net[f], true);
			add(&list, "", text);
		}
	if (s->is_hub)
		add(&list, "", "hub");
	if (kmln_eq(s->uplink.text, "nat"))
		add(&list, "uplink ", s->uplink.text);
	add(&list, "tap ", s->tap.text);
	if (s->bridge.from)
		add(&list, "bridge ", s->bridge.text);
	add(&list, "socket ", s->socket.text);
	return finish(pool, &list);
}

char *kmln_graph_size(struct kmln_pool *pool, const struct kmln_model *model)
{
	return kmln_pool_printf(pool, "%zu switch%s, %zu host%s", model->switch_count,
		model->switch_count == 1 ? "" : "es", model->host_count,
		model->host_count == 1 ? "" : "s");
}
