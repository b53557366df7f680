// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest without any system for its network: lines of kmln's boot script. Every word in them is a
 * checked name or address, so none needs a quote.
 */
#include <string.h>

#include "guest/set.h"

#define IPV6_CONF "echo 0 >/proc/sys/net/ipv6/conf/%s/"

static bool has_ipv6(const struct kmln_set_interface *n)
{
	bool found = n->gateway6;

	for (const char *const *a = n->addresses; a && *a; a++)
		found = found || strchr(*a, ':');
	return found && !n->manual;
}

static void add_interface(
	struct kmln_set *set, const struct kmln_set_interface *n, struct kmln_buf *out)
{
	if (n->mac)
		kmln_buf_printf(out, "name %s %s\n", n->mac, n->name);
	if (n->manual)
		return;
	/* no two hosts have one address: it is there at once, not when a second has passed in which
	 * all that connects takes another one */
	if (has_ipv6(n))
		kmln_buf_printf(out, IPV6_CONF "accept_dad\n", n->name);
	if (kmln_set_is_fixed_v6(n))
		kmln_buf_printf(out, IPV6_CONF "accept_ra\n", n->name);
	kmln_buf_printf(out, "ip link set dev %s up\n", n->name);
	for (const char *const *a = n->addresses; a && *a; a++)
		kmln_buf_printf(out, "ip addr add %s dev %s\n", *a, n->name);
	if (n->gateway4)
		kmln_buf_printf(out, "ip route add default via %s dev %s\n", n->gateway4, n->name);
	if (n->gateway6)
		kmln_buf_printf(
			out, "ip -6 route add default via %s dev %s\n", n->gateway6, n->name);
	if (n->dhcp)
		kmln_buf_printf(out, "udhcpc -b -i %s || dhclient %s\n", n->name, n->name);
	(void)set;
}

void kmln_set_net_script(struct kmln_set *set)
{
	/* the interface with this address gets this name */
	kmln_buf_str(&set->boot, "name() {\n"
				 "\tfor at in /sys/class/net/*; do\n"
				 "\t\tread -r mac <$at/address || continue\n"
				 "\t\t[ \"$mac\" = \"$1\" ] || continue\n"
				 "\t\t[ \"${at##*/}\" = \"$2\" ] && return\n"
				 "\t\tip link set dev \"${at##*/}\" down\n"
				 "\t\tip link set dev \"${at##*/}\" name \"$2\"\n"
				 "\tdone\n"
				 "}\n"
				 "ip link set dev lo up\n");
	/* a module of some kernels; ip(8) does not make them load it */
	for (size_t i = 0; i < set->settings->interface_count; i++)
		if (has_ipv6(&set->settings->interfaces[i])) {
			kmln_buf_str(&set->boot, "modprobe -q ipv6 2>/dev/null\n");
			break;
		}
	for (size_t i = 0; i < set->settings->interface_count; i++)
		add_interface(set, &set->settings->interfaces[i], &set->boot);
}
