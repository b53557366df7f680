// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network settings as their files say, without knowing which of the systems the guest really
 * starts: ifupdown, systemd-networkd, NetworkManager's keyfiles and ifcfg (netplan has its own
 * file); and which interfaces are known by their hardware address.
 */
#include <fnmatch.h>
#include <string.h>

#include "image/inspect-network.h"
#include "image/inspect-parts.h"
#include "image/inspect.h"

#define SOURCE_DEPTH 8

struct kmln_known_interface *kmln_interface_add(
	struct kmln_facts *facts, const char *name, const char *system, const char *file)
{
	struct kmln_known_interface *i = kmln_list_add(facts, &facts->interfaces,
		&facts->interface_count, sizeof(*i), "network interfaces");

	if (i)
		*i = (struct kmln_known_interface){.name = kmln_pool_strdup(facts->pool, name),
			.system = system,
			.file = kmln_pool_strdup(facts->pool, file)};
	return i;
}

void kmln_mac_name_add(
	struct kmln_facts *facts, const char *mac, const char *name, const char *file)
{
	const char *plain = kmln_mac(facts->pool, mac);
	struct kmln_mac_name *m =
		plain ? kmln_list_add(facts, &facts->mac_names, &facts->mac_name_count, sizeof(*m),
				"interfaces known by hardware address")
		      : NULL;

	if (m)
		*m = (struct kmln_mac_name){plain,
			name && *name ? kmln_pool_strdup(facts->pool, name) : NULL,
			kmln_pool_strdup(facts->pool, file)};
}

/* ---- ifupdown ---- */

/* A line that ends in a backslash goes on in the next one. */
static void join_lines(char *text)
{
	for (char *p = text; (p = strstr(p, "\\\n"));)
		memset(p, ' ', 2);
}

/* "iface NAME FAMILY METHOD", and "address" and "hwaddress" below it. */
void kmln_parse_ifupdown(struct kmln_facts *facts, const char *path, const char *text)
{
	KMLN_FREE char *copy = kmln_strdup(text);
	struct kmln_known_interface *current = NULL;
	char *rest = copy, *line;

	join_lines(copy);
	while (kmln_next_line(&rest, &line)) {
		const char *word = kmln_next_word(&line), *value = kmln_next_word(&line);

		if (kmln_eq(word, "iface") && value) {
			current = kmln_interface_add(facts, value, "ifupdown", path);
			kmln_next_word(&line);
			if (current)
				current->method =
					kmln_pool_strdup(facts->pool, kmln_next_word(&line));
		} else if (kmln_eq(word, "auto") || kmln_eq(word, "mapping") ||
			   (word && kmln_starts(word, "allow-"))) {
			current = NULL;
		} else if (kmln_eq(word, "address") && current) {
			current->address = kmln_pool_strdup(facts->pool, value);
		} else if (kmln_eq(word, "hwaddress") && current) {
			/* an "ether" may stand before it */
			if (kmln_eq(value, "ether"))
				value = kmln_next_word(&line);
			kmln_mac_name_add(facts, value, current->name, path);
		}
	}
}

static void follow(
	struct kmln_look *look, const char *path, struct kmln_strv *seen, unsigned depth);

/* "source PATTERN" with a pattern for names of files only, "source-directory FOLDER". */
static void follow_source(struct kmln_look *look, const char *kind, const char *pattern,
	struct kmln_strv *seen, unsigned depth)
{
	bool folder = kmln_eq(kind, "source-directory");
	KMLN_FREE char *full = kmln_printf("%s%s", *pattern == '/' ? "" : "/etc/network/", pattern);
	char *slash = strrchr(full, '/');
	KMLN_STRV struct kmln_strv names = {0};

	if (!folder)
		*slash = '\0';
	if (strpbrk(full, "*?[") || strstr(full, "//") || kmln_ends(full, "/")) {
		kmln_note_fact(
			look->facts, "/etc/network: \"%s %s\" is not followed", kind, pattern);
		return;
	}
	kmln_look_names(look, *full ? full : "/", &names);
	for (size_t i = 0; i < names.count; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", full, names.items[i]);

		if (folder || fnmatch(slash + 1, names.items[i], FNM_PERIOD) == 0)
			follow(look, path, seen, depth + 1);
	}
}

static void follow(struct kmln_look *look, const char *path, struct kmln_strv *seen, unsigned depth)
{
	KMLN_BUF struct kmln_buf text = {0};
	char *rest, *line;

	/* each file once: they may name each other */
	if (depth > SOURCE_DEPTH || seen->count > 1000 || kmln_strv_has(seen, path))
		return;
	kmln_strv_add(seen, path);
	if (!kmln_look_text(look, path, &text))
		return;
	kmln_parse_ifupdown(look->facts, path, text.data);
	rest = text.data;
	while (kmln_next_line(&rest, &line)) {
		const char *word = kmln_next_word(&line), *pattern = kmln_next_word(&line);

		if (pattern && (kmln_eq(word, "source") || kmln_eq(word, "source-directory")))
			follow_source(look, word, pattern, seen, depth);
	}
}

/* ---- systemd-networkd, and its names for interfaces ---- */

struct unit {
	struct kmln_facts *facts;
	const char *name, *mac, *type, *dhcp, *address; /* in the facts' pool */
	const char *new_name;
};

static void keep(struct unit *unit, const char **slot, const char *value)
{
	if (!*slot && *value)
		*slot = kmln_pool_strdup(unit->facts->pool, value);
}

static void networkd_line(void *data, const char *section, const char *key, char *value)
{
	struct unit *unit = data;

	if (!key)
		return;
	if (kmln_eq(section, "Match") && kmln_eq(key, "Name"))
		keep(unit, &unit->name, value);
	else if (kmln_eq(section, "Match") && kmln_eq(key, "Type"))
		keep(unit, &unit->type, value);
	else if (kmln_eq(section, "Match") &&
		 (kmln_eq(key, "MACAddress") || kmln_eq(key, "PermanentMACAddress")))
		keep(unit, &unit->mac, value);
	else if (kmln_eq(section, "Network") && kmln_eq(key, "DHCP"))
		keep(unit, &unit->dhcp, value);
	else if ((kmln_eq(section, "Network") || kmln_eq(section, "Address")) &&
		 kmln_eq(key, "Address"))
		keep(unit, &unit->address, value);
	else if (kmln_eq(section, "Link") && kmln_eq(key, "Name"))
		keep(unit, &unit->new_name, value);
}

/* A match may name several addresses, blanks between. */
static void add_macs(struct kmln_facts *facts, const char *macs, const char *name, const char *path)
{
	KMLN_FREE char *copy = kmln_strdup(macs ? macs : "");
	char *rest = copy, *mac;

	while ((mac = kmln_next_word(&rest)))
		kmln_mac_name_add(facts, mac, name, path);
}

void kmln_parse_networkd(struct kmln_facts *facts, const char *path, const char *text)
{
	struct unit unit = {.facts = facts};
	struct kmln_known_interface *i;
	const char *name;

	kmln_ini(text, networkd_line, &unit);
	name = unit.name   ? unit.name
	       : unit.mac  ? kmln_pool_printf(facts->pool, "mac %s", unit.mac)
	       : unit.type ? kmln_pool_printf(facts->pool, "type %s", unit.type)
			   : "*";
	i = kmln_interface_add(facts, name, "systemd-networkd", path);
	if (!i)
		return;
	i->method = unit.dhcp && !kmln_eq(unit.dhcp, "no") && !kmln_eq(unit.dhcp, "false")
			    ? "dhcp"
			    : "static";
	i->address = unit.address;
	add_macs(facts, unit.mac, unit.name, path);
}

void kmln_parse_link(struct kmln_facts *facts, const char *path, const char *text)
{
	struct unit unit = {.facts = facts};

	kmln_ini(text, networkd_line, &unit);
	add_macs(facts, unit.mac, unit.new_name, path);
}

/* ---- ifcfg ---- */

struct ifcfg {
	struct kmln_facts *facts;
	const char *device, *method, *address, *prefix, *mac;
};

static void ifcfg_line(void *data, const char *section, const char *key, char *value)
{
	struct ifcfg *c = data;
	const struct {
		const char *name;
		const char **slot;
	} keys[] = {{"DEVICE", &c->device}, {"BOOTPROTO", &c->method}, {"IPADDR", &c->address},
		{"IPADDR0", &c->address}, {"PREFIX", &c->prefix}, {"PREFIXLEN", &c->prefix},
		{"HWADDR", &c->mac}, {"MACADDR", &c->mac}, {"LLADDR", &c->mac}};

	(void)section;
	for (size_t i = 0; i < KMLN_COUNT(keys); i++)
		if (kmln_eq(key, keys[i].name) && !*keys[i].slot && *value)
			*keys[i].slot = kmln_pool_strdup(c->facts->pool, value);
}

/* Those of Red Hat and of SUSE; editors and package managers leave copies beside them. */
void kmln_parse_ifcfg(struct kmln_facts *facts, const char *path, const char *text)
{
	static const char *const copies[] = {"~", ".bak", ".orig", ".old", ".rpmsave", ".rpmnew"};
	const char *base = strrchr(path, '/');
	struct ifcfg c = {.facts = facts};
	struct kmln_known_interface *i;

	base = base ? base + 1 : path;
	if (!kmln_starts(base, "ifcfg-"))
		return;
	for (size_t n = 0; n < KMLN_COUNT(copies); n++)
		if (kmln_ends(base, copies[n]))
			return;
	kmln_ini(text, ifcfg_line, &c);
	i = kmln_interface_add(facts, c.device ? c.device : base + 6, "ifcfg", path);
	if (!i)
		return;
	i->method = c.method && !kmln_eq(c.method, "none") ? c.method
		    : c.address				   ? "static"
							   : c.method;
	i->address = c.address && c.prefix && !strchr(c.address, '/')
			     ? kmln_pool_printf(facts->pool, "%s/%s", c.address, c.prefix)
			     : c.address;
	kmln_mac_name_add(facts, c.mac, i->name, path);
}

/* ---- NetworkManager ---- */

struct keyfile {
	struct kmln_facts *facts;
	const char *name, *type, *mac, *method, *address;
};

static void keyfile_line(void *data, const char *section, const char *key, char *value)
{
	struct keyfile *k = data;
	const struct {
		const char *section, *name;
		const char **slot;
	} keys[] = {{"connection", "interface-name", &k->name}, {"connection", "type", &k->type},
		{"ethernet", "mac-address", &k->mac}, {"802-3-ethernet", "mac-address", &k->mac},
		{"wifi", "mac-address", &k->mac}, {"ipv4", "method", &k->method},
		{"ipv4", "address1", &k->address}, {"ipv4", "addresses", &k->address}};

	for (size_t i = 0; i < KMLN_COUNT(keys); i++) {
		if (!kmln_eq(key, keys[i].name) || !kmln_eq(section, keys[i].section) ||
			*keys[i].slot || !*value)
			continue;
		/* the gateway stands behind a comma */
		if (keys[i].slot == &k->address)
			value[strcspn(value, ",;")] = '\0';
		*keys[i].slot = kmln_pool_strdup(k->facts->pool, value);
	}
}

void kmln_parse_keyfile(struct kmln_facts *facts, const char *path, const char *text)
{
	struct keyfile k = {.facts = facts};
	struct kmln_known_interface *i;
	const char *name;

	kmln_ini(text, keyfile_line, &k);
	if (!k.type)
		return;
	name = k.name  ? k.name
	       : k.mac ? kmln_pool_printf(facts->pool, "mac %s", k.mac)
		       : kmln_pool_printf(facts->pool, "type %s", k.type);
	i = kmln_interface_add(facts, name, "NetworkManager", path);
	if (!i)
		return;
	i->method = kmln_eq(k.method, "auto")	  ? "dhcp"
		    : kmln_eq(k.method, "manual") ? "static"
						  : k.method;
	i->address = k.address;
	kmln_mac_name_add(facts, k.mac, k.name, path);
}

/* ---- udev ---- */

/* The value between the quotes behind `key`; NULL where the line has none. Changes the line. */
static char *quoted(char *line, const char *key)
{
	char *at = strstr(line, key), *end;

	if (!at)
		return NULL;
	at += strlen(key);
	end = strchr(at, '"');
	return end ? strndup(at, (size_t)(end - at)) : NULL;
}

/* ATTR{address}=="52:54:00:12:34:56", ... NAME="eth0" */
void kmln_parse_udev_net(struct kmln_facts *facts, const char *path, const char *text)
{
	KMLN_FREE char *copy = kmln_strdup(text);
	char *rest = copy, *line;

	join_lines(copy);
	while (kmln_next_line(&rest, &line)) {
		KMLN_FREE char *mac = NULL, *name = NULL;

		if (*kmln_trim(line) == '#')
			continue;
		mac = quoted(line, "{address}==\"");
		name = quoted(line, "NAME=\"");
		if (mac && name)
			kmln_mac_name_add(facts, mac, name, path);
	}
}

void kmln_inspect_network(struct kmln_look *look)
{
	KMLN_STRV struct kmln_strv seen = {0};

	follow(look, "/etc/network/interfaces", &seen, 0);
	kmln_look_folder(look, "/etc/systemd/network", ".network", kmln_parse_networkd);
	kmln_look_folder(look, "/etc/netplan", ".yaml", kmln_parse_netplan);
	kmln_look_folder(look, "/etc/NetworkManager/system-connections", "", kmln_parse_keyfile);
	kmln_look_folder(look, "/etc/sysconfig/network-scripts", "", kmln_parse_ifcfg);
	kmln_look_folder(look, "/etc/sysconfig/network", "", kmln_parse_ifcfg);
	kmln_look_folder(look, "/etc/udev/rules.d", ".rules", kmln_parse_udev_net);
	kmln_look_folder(look, "/etc/systemd/network", ".link", kmln_parse_link);
	kmln_look_folder(look, "/usr/lib/systemd/network", ".link", kmln_parse_link);
}
