// SPDX-License-Identifier: GPL-2.0-or-later
/* systemd-networkd and netplan. Of networkd's files the first that matches counts, so kmln's have
 * an early name; netplan's are merged, the last one wins.
 */
#include <string.h>

#include "guest/set.h"

#define WHY "its network"
#define HEAD "# written by kmln\n"

static void networkd_text(
	struct kmln_set *set, const struct kmln_set_interface *n, struct kmln_buf *text)
{
	kmln_buf_printf(text, HEAD "[Match]\nName=%s\n\n", n->name);
	if (n->manual || n->optional)
		kmln_buf_printf(text, "[Link]\n%s%s\n",
			n->manual ? "ActivationPolicy=manual\n" : "",
			n->optional || n->manual ? "RequiredForOnline=no\n" : "");
	kmln_buf_printf(text, "[Network]\nDHCP=%s\n%s", n->dhcp ? "yes" : "no",
		kmln_set_is_fixed_v6(n) ? "IPv6AcceptRA=no\n" : "");
	for (const char *const *a = n->addresses; a && *a; a++)
		kmln_buf_printf(text, "Address=%s\n", *a);
	if (n->gateway4)
		kmln_buf_printf(text, "Gateway=%s\n", n->gateway4);
	if (n->gateway6)
		kmln_buf_printf(text, "Gateway=%s\n", n->gateway6);
	for (const char *const *s = set->settings->nameservers; s && *s; s++)
		kmln_buf_printf(text, "DNS=%s\n", *s);
}

static bool is_networkd_enabled(const struct kmln_set *set)
{
	for (size_t i = 0; i < set->facts->service_count; i++)
		if (strcmp(set->facts->services[i].name, "systemd-networkd.service") == 0)
			return !set->facts->services[i].masked;
	return false;
}

int kmln_set_networkd(struct kmln_set *set, struct kmln_error *err)
{
	static const char wants[] =
		"/etc/systemd/system/multi-user.target.wants/systemd-networkd.service";
	const char *unit = kmln_set_there(set, "/usr/lib/systemd/system/systemd-networkd.service")
				   ? "/usr/lib/systemd/system/systemd-networkd.service"
				   : "/lib/systemd/system/systemd-networkd.service";
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->settings->interface_count; i++) {
		const struct kmln_set_interface *n = &set->settings->interfaces[i];
		KMLN_BUF struct kmln_buf text = {0};

		networkd_text(set, n, &text);
		r = kmln_set_own_text(set,
			kmln_pool_printf(
				set->pool, "/etc/systemd/network/05-kmln-%s.network", n->name),
			&text, 0644, WHY, err);
	}
	if (r < 0 || !kmln_set_there(set, unit) ||
		(is_networkd_enabled(set) && !kmln_set_before(set, "link", wants, NULL)))
		return r;
	return kmln_set_link(set, wants, unit, WHY, err);
}

/* ---- netplan: every text is an address or a name, and stands in quotes ---- */

static void add_list(struct kmln_buf *text, const char *head, const char *const *words)
{
	if (!words || !*words)
		return;
	kmln_buf_str(text, head);
	for (; *words; words++)
		kmln_buf_printf(text, "%s\"%s\"",
			*head && text->data[text->size - 1] == '[' ? "" : ", ", *words);
	kmln_buf_str(text, "]\n");
}

static void netplan_text(
	struct kmln_set *set, const struct kmln_set_interface *n, struct kmln_buf *text)
{
	kmln_buf_printf(text, "    \"%s\":\n", n->name);
	if (n->mac)
		kmln_buf_printf(text,
			"      match:\n        macaddress: \"%s\"\n      set-name: \"%s\"\n",
			n->mac, n->name);
	kmln_buf_printf(text, "      dhcp4: %s\n      dhcp6: %s\n", n->dhcp ? "true" : "false",
		n->dhcp ? "true" : "false");
	if (kmln_set_is_fixed_v6(n))
		kmln_buf_str(text, "      accept-ra: false\n");
	if (n->optional || n->manual)
		kmln_buf_str(text, "      optional: true\n");
	if (n->manual)
		kmln_buf_str(text, "      activation-mode: manual\n");
	add_list(text, "      addresses: [", n->addresses);
	if (n->gateway4 || n->gateway6)
		kmln_buf_str(text, "      routes:\n");
	if (n->gateway4)
		kmln_buf_printf(text, "        - {to: \"0.0.0.0/0\", via: \"%s\"}\n", n->gateway4);
	if (n->gateway6)
		kmln_buf_printf(text, "        - {to: \"::/0\", via: \"%s\"}\n", n->gateway6);
	if (set->settings->nameservers && set->settings->nameservers[0]) {
		kmln_buf_str(text, "      nameservers:\n");
		add_list(text, "        addresses: [", set->settings->nameservers);
	}
}

int kmln_set_netplan(struct kmln_set *set, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};
	const struct kmln_facts *facts = set->facts;

	kmln_buf_str(&text, HEAD "network:\n  version: 2\n  ethernets:\n");
	for (size_t i = 0; i < set->settings->interface_count; i++) {
		const struct kmln_set_interface *n = &set->settings->interfaces[i];

		netplan_text(set, n, &text);
		for (size_t k = 0; k < facts->interface_count; k++)
			if (strcmp(facts->interfaces[k].name, n->name) == 0 &&
				strcmp(facts->interfaces[k].system, "netplan") == 0 &&
				facts->interfaces[k].address &&
				!strstr(facts->interfaces[k].file, "90-kmln"))
				kmln_edits_note(set->edits,
					"%s keeps the addresses that %s gives it", n->name,
					facts->interfaces[k].file);
	}
	return kmln_set_own_text(set, "/etc/netplan/90-kmln.yaml", &text, 0600, WHY, err);
}
