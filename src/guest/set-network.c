// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The network, written for the system that the guest itself uses; and names of interfaces, which
 * follow their hardware address: a machine's kernel calls its first one eth0, vec0 or enX0.
 */
#include <string.h>

#include "guest/set.h"

#define WHY "names of its interfaces"
#define UDEV_RULES "/etc/udev/rules.d/70-kmln-net.rules"
#define NETWORKD "/systemd/systemd-networkd"

static const char *const looked_at[] = {"/etc/netplan", "/etc/network/interfaces",
	"/etc/sysconfig/network-scripts", "/usr/lib/systemd/network", "/lib/systemd/network",
	"/etc/NetworkManager/system-connections/x", "/etc/systemd/network/x", UDEV_RULES,
	"/usr/lib/systemd/system/systemd-networkd.service",
	"/lib/systemd/system/systemd-networkd.service", "/etc/netplan/90-kmln.yaml",
	"/etc/systemd/system/multi-user.target.wants/systemd-networkd.service"};

static const char *const programs[] = {
	"/usr/sbin/netplan", "/usr/lib" NETWORKD, "/lib" NETWORKD, NULL};

/* Files of which each interface has its own. */
static const char *const forms[] = {"/etc/systemd/network/05-kmln-%s.link",
	"/etc/systemd/network/05-kmln-%s.network",
	"/etc/NetworkManager/system-connections/kmln-%s.nmconnection",
	"/etc/sysconfig/network-scripts/ifcfg-%s"};

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	for (size_t i = 0; i < KMLN_COUNT(looked_at); i++)
		kmln_set_look(paths, looked_at[i]);
	for (size_t i = 0; i < set->settings->interface_count; i++)
		for (size_t f = 0; f < KMLN_COUNT(forms); f++) {
			const char *at = strstr(forms[f], "%s");
			const char *path =
				kmln_pool_printf(set->pool, "%.*s%s%s", (int)(at - forms[f]),
					forms[f], set->settings->interfaces[i].name, at + 2);

			kmln_set_look(paths, path);
			kmln_set_look(paths, kmln_set_copy_path(set->pool, path));
		}
}

static bool is_enabled(const struct kmln_facts *facts, const char *service)
{
	for (size_t i = 0; i < facts->service_count; i++)
		if (strcmp(facts->services[i].name, service) == 0 && !facts->services[i].masked)
			return true;
	return false;
}

static bool is_used(const struct kmln_facts *facts, const char *system)
{
	for (size_t i = 0; i < facts->interface_count; i++)
		if (strcmp(facts->interfaces[i].system, system) == 0 &&
			!strstr(facts->interfaces[i].file, "kmln"))
			return true;
	return false;
}

const char *kmln_settings_network(const struct kmln_facts *facts)
{
	const struct kmln_set set = {.facts = facts};

	/* netplan writes for the others, NetworkManager leaves ifupdown's interfaces alone */
	if (kmln_set_there(&set, "/usr/sbin/netplan") || is_used(facts, "netplan"))
		return "netplan";
	if (is_enabled(facts, "NetworkManager.service"))
		return "NetworkManager";
	/* where kmln itself has enabled it that is no other */
	if (is_enabled(facts, "systemd-networkd.service"))
		return "systemd-networkd";
	if (kmln_set_there(&set, "/etc/network/interfaces"))
		return "ifupdown";
	if (kmln_set_there(&set, "/etc/sysconfig/network-scripts"))
		return "ifcfg";
	if (is_used(facts, "NetworkManager"))
		return "NetworkManager";
	if (is_used(facts, "systemd-networkd") || kmln_set_there(&set, "/usr/lib" NETWORKD) ||
		kmln_set_there(&set, "/lib" NETWORKD))
		return "systemd-networkd";
	return "none";
}

const char *kmln_set_own_address(const struct kmln_set *set, bool v6)
{
	for (size_t i = 0; i < set->settings->interface_count; i++) {
		const char *const *a = set->settings->interfaces[i].addresses;
		unsigned bits;

		for (; a && *a; a++)
			if (kmln_set_is_v6(*a) == v6)
				return kmln_set_split(set->pool, *a, &bits);
	}
	return NULL;
}

bool kmln_set_is_fixed_v6(const struct kmln_set_interface *n)
{
	bool found = false;

	for (const char *const *a = n->addresses; a && *a; a++)
		found |= kmln_set_is_v6(*a);
	return found && !n->dhcp;
}

/* ---- names ---- */

static const char *lower(struct kmln_pool *pool, const char *mac)
{
	char *copy = kmln_pool_strdup(pool, mac);

	for (char *c = copy; *c; c++)
		if (*c >= 'A' && *c <= 'F')
			*c += 'a' - 'A';
	return copy;
}

static int pin_by_link(
	struct kmln_set *set, const struct kmln_set_interface *n, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};

	kmln_buf_printf(&text,
		"# written by kmln\n[Match]\nMACAddress=%s\nType=ether\n\n[Link]\nName=%s\n",
		lower(set->pool, n->mac), n->name);
	return kmln_set_own_text(set,
		kmln_pool_printf(set->pool, "/etc/systemd/network/05-kmln-%s.link", n->name), &text,
		0644, WHY, err);
}

static int pin_names(struct kmln_set *set, struct kmln_error *err)
{
	bool links = kmln_set_there(set, "/usr/lib/systemd/network") ||
		     kmln_set_there(set, "/lib/systemd/network") ||
		     kmln_set_there(set, "/etc/systemd/network");
	KMLN_BUF struct kmln_buf rules = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->settings->interface_count; i++) {
		const struct kmln_set_interface *n = &set->settings->interfaces[i];

		if (!n->mac)
			continue;
		if (links)
			r = pin_by_link(set, n, err);
		else if (set->facts->has_udev)
			kmln_buf_printf(&rules,
				"SUBSYSTEM==\"net\", ACTION==\"add\", ATTR{address}==\"%s\", "
				"ATTR{type}==\"1\", NAME=\"%s\"\n",
				lower(set->pool, n->mac), n->name);
	}
	if (r < 0 || !rules.size)
		return r;
	return kmln_set_own_text(set, UDEV_RULES, &rules, 0644, WHY, err);
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const char *system = kmln_settings_network(set->facts);
	bool any = set->settings->interface_count;
	/* its lines stand in a file of the guest, so they are looked for always */
	int r = kmln_set_ifupdown(set, any && strcmp(system, "ifupdown") == 0, err);

	if (r < 0 || !any)
		return r;
	if (strcmp(system, "netplan") == 0)
		return kmln_set_netplan(set, err);
	if (strcmp(system, "NetworkManager") == 0)
		r = kmln_set_keyfile(set, err);
	else if (strcmp(system, "systemd-networkd") == 0)
		r = kmln_set_networkd(set, err);
	else if (strcmp(system, "ifcfg") == 0)
		r = kmln_set_ifcfg(set, err);
	else if (strcmp(system, "none") == 0)
		kmln_set_net_script(set);
	return r < 0 ? r : pin_names(set, err);
}

const struct kmln_setting kmln_set_network = {
	.name = "network", .look = look, .plan = plan, .programs = programs};
