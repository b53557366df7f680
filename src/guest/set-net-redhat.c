// SPDX-License-Identifier: GPL-2.0-or-later
/* NetworkManager's keyfiles, and the ifcfg files of Red Hat's older network scripts. */
#include <string.h>

#include "guest/set.h"

#define WHY "its network"
#define HEAD "# written by kmln\n"

/* ---- NetworkManager ---- */

static void add_family(
	struct kmln_set *set, const struct kmln_set_interface *n, bool v6, struct kmln_buf *text)
{
	const char *gateway = v6 ? n->gateway6 : n->gateway4;
	KMLN_BUF struct kmln_buf lines = {0};
	unsigned count = 0;
	bool servers = false;

	for (const char *const *a = n->addresses; a && *a; a++)
		if (kmln_set_is_v6(*a) == v6)
			kmln_buf_printf(&lines, "address%u=%s\n", ++count, *a);
	kmln_buf_printf(text, "\n[%s]\nmethod=%s\n%s", v6 ? "ipv6" : "ipv4",
		n->dhcp ? "auto"
		: count ? "manual"
		: v6	? "link-local"
			: "disabled",
		count ? lines.data : "");
	if (gateway)
		kmln_buf_printf(text, "gateway=%s\n", gateway);
	if (!n->dhcp && !count)
		return;
	for (const char *const *s = set->settings->nameservers; s && *s; s++)
		if (kmln_set_is_v6(*s) == v6) {
			kmln_buf_printf(text, "%s%s;", servers ? "" : "dns=", *s);
			servers = true;
		}
	if (servers)
		kmln_buf_str(text, "\n");
}

int kmln_set_keyfile(struct kmln_set *set, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->settings->interface_count; i++) {
		const struct kmln_set_interface *n = &set->settings->interfaces[i];
		const char *id = kmln_pool_printf(set->pool, "kmln-%s", n->name);
		const char *sum = kmln_set_sum(set->pool, id, strlen(id));
		KMLN_BUF struct kmln_buf text = {0};

		/* it wins over what the guest has for the same interface */
		kmln_buf_printf(&text,
			HEAD
			"[connection]\nid=%s\nuuid=%.8s-%.4s-4%.3s-8%.3s-%.12s\ntype=ethernet\n"
			"interface-name=%s\nautoconnect=%s\nautoconnect-priority=100\n",
			id, sum, sum + 8, sum + 12, sum + 15, sum + 18, n->name,
			n->manual ? "false" : "true");
		add_family(set, n, false, &text);
		add_family(set, n, true, &text);
		/* NetworkManager passes over a keyfile that others may read */
		r = kmln_set_own_text(set,
			kmln_pool_printf(set->pool,
				"/etc/NetworkManager/system-connections/%s.nmconnection", id),
			&text, 0600, WHY, err);
	}
	return r;
}

/* ---- ifcfg ---- */

static void add_v4(struct kmln_set *set, const struct kmln_set_interface *n, struct kmln_buf *text)
{
	unsigned count = 0, bits;

	for (const char *const *a = n->addresses; a && *a; a++) {
		const char *address = kmln_set_split(set->pool, *a, &bits);

		if (kmln_set_is_v6(address))
			continue;
		if (count)
			kmln_buf_printf(
				text, "IPADDR%u=%s\nPREFIX%u=%u\n", count, address, count, bits);
		else
			kmln_buf_printf(text, "IPADDR=%s\nPREFIX=%u\n", address, bits);
		count++;
	}
	if (n->gateway4)
		kmln_buf_printf(text, "GATEWAY=%s\n", n->gateway4);
}

static void add_v6(const struct kmln_set_interface *n, struct kmln_buf *text)
{
	unsigned count = 0;

	for (const char *const *a = n->addresses; a && *a; a++) {
		if (!kmln_set_is_v6(*a))
			continue;
		if (count == 0)
			kmln_buf_printf(text, "IPV6INIT=yes\nIPV6ADDR=%s\n", *a);
		else
			kmln_buf_printf(
				text, "%s%s", count == 1 ? "IPV6ADDR_SECONDARIES=\"" : " ", *a);
		count++;
	}
	if (count > 1)
		kmln_buf_str(text, "\"\n");
	if (kmln_set_is_fixed_v6(n))
		kmln_buf_str(text, "IPV6_AUTOCONF=no\n");
	if (n->gateway6)
		kmln_buf_printf(text, "IPV6_DEFAULTGW=%s\n", n->gateway6);
}

int kmln_set_ifcfg(struct kmln_set *set, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->settings->interface_count; i++) {
		const struct kmln_set_interface *n = &set->settings->interfaces[i];
		KMLN_BUF struct kmln_buf text = {0};
		unsigned servers = 0;

		kmln_buf_printf(&text, HEAD "DEVICE=%s\nTYPE=Ethernet\nONBOOT=%s\nBOOTPROTO=%s\n",
			n->name, n->manual ? "no" : "yes", n->dhcp ? "dhcp" : "none");
		if (n->mac)
			kmln_buf_printf(&text, "HWADDR=%s\n", n->mac);
		add_v4(set, n, &text);
		add_v6(n, &text);
		for (const char *const *s = set->settings->nameservers; s && *s; s++)
			kmln_buf_printf(&text, "DNS%u=%s\n", ++servers, *s);
		r = kmln_set_own_text(set,
			kmln_pool_printf(
				set->pool, "/etc/sysconfig/network-scripts/ifcfg-%s", n->name),
			&text, 0644, WHY, err);
	}
	return r;
}
