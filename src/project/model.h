/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cluster, resolved: superclasses merged, variables replaced, counted hosts made one by one,
 * names, MAC addresses and addresses given out. What plans, pictures and launches are made from.
 * Everything is in file order and in one pool, with the tree that it came from; each value knows
 * its word there, and so its place.
 *
 * A model is made by kmln_project_resolve() and complete even where mistakes were found, so that
 * all of them are; whoever uses it for more asks the report first.
 */
#ifndef KMLN_PROJECT_MODEL_H
#define KMLN_PROJECT_MODEL_H

#include "project/names.h"
#include "project/syntax.h"

/* A value of one keyword. Zeroed: not given, and no default. */
struct kmln_value {
	const char *text; /* variables replaced; NULL: none */
	uint64_t
		number; /* of numbers, sizes, times ... in the unit of their type; a flag: 1 or 0 */
	const struct kmln_word *from; /* NULL: a default, or derived */
};

/* One line of a list (users, files, startup, after, forward ...): a value for each column. */
struct kmln_row {
	struct kmln_value *cells;
	unsigned short count; /* those given; columns beyond them are absent */
	unsigned short
		level; /* where it was written: 0 in the host itself, 1 in its superclass ... */
};

struct kmln_rows {
	struct kmln_row *items;
	size_t count;
};

/* Columns of rows. */
enum { KMLN_USER_NAME, KMLN_USER_HASH, KMLN_USER_HOME, KMLN_USER_ID };
enum { KMLN_FILE_SOURCE, KMLN_FILE_TARGET, KMLN_FILE_MODE };
enum { KMLN_MOUNT_SOURCE, KMLN_MOUNT_POINT, KMLN_MOUNT_TYPE, KMLN_MOUNT_OPTIONS };
/* Whether a line of `mount` is the guest's own matter, and names no file of this host. */
bool kmln_mount_is_guests(const struct kmln_row *row);
enum { KMLN_READY_KIND, KMLN_READY_WHAT };
enum { KMLN_KEY_USER, KMLN_KEY_KEYS };

enum kmln_family { KMLN_IPV4, KMLN_IPV6, KMLN_FAMILIES };

/* An address or a net, in network byte order; IPv4 in the first 4 bytes. */
struct kmln_ip {
	unsigned char bytes[16];
	unsigned char family; /* enum kmln_family */
	unsigned char bits; /* of the net; 32 or 128: a lone address */
	bool given; /* false: there is none */
};
#define KMLN_IP_TEXT 50
/* "10.0.0.1", or with `bits` "10.0.0.1/24". */
void kmln_ip_text(char text[KMLN_IP_TEXT], const struct kmln_ip *ip, bool bits);
/* Of an address with or without "/bits"; false: the text is none. */
bool kmln_ip_parse(const char *text, struct kmln_ip *ip);
bool kmln_ip_equal(const struct kmln_ip *a, const struct kmln_ip *b); /* the bits aside */
/* The net of an address: all bits of the host 0. */
struct kmln_ip kmln_ip_net(const struct kmln_ip *ip);
/* Whether the address is in the net of the second one. */
bool kmln_ip_inside(const struct kmln_ip *ip, const struct kmln_ip *net);
/* Counts on; false where it goes over the last address there is. */
bool kmln_ip_count(struct kmln_ip *ip, uint64_t number);

struct kmln_impairment {
	struct kmln_value delay; /* microseconds, each way */
	struct kmln_value loss; /* millionths of the packets, each way */
	struct kmln_value rate; /* bits a second, each way */
};

struct kmln_switch {
	struct kmln_value name;
	const struct kmln_node *node; /* its block */
	struct kmln_value hub, type, tap, socket, bridge, owner, group, sudo, xen, service_host;
	struct kmln_value uplink; /* "nat", "none" */
	struct kmln_rows nets; /* as written: one column */
	struct kmln_rows hosts;
	struct kmln_impairment impairment;

	/* Made of these: */
	bool is_hub, is_external; /* external: somebody else starts and stops it */
	struct kmln_ip net[KMLN_FAMILIES]; /* given: false where there is none */
	/* With an uplink: its own addresses in the net, which no host gets. */
	struct kmln_ip gateway[KMLN_FAMILIES], dns[KMLN_FAMILIES];
	const char *bridge_name; /* of the Linux bridge, at most 15 characters */
	size_t ports; /* interfaces attached */
};

enum kmln_addressing {
	KMLN_ADDRESS_NONE, /* the interface has no address */
	KMLN_ADDRESS_DHCP,
	KMLN_ADDRESS_STATIC, /* `ip`: written, counted, or given out */
};

struct kmln_interface {
	struct kmln_value name;
	struct kmln_value switch_name, netmask, broadcast, mac_text;
	struct kmln_value tun_iface, tun_address, slirp, bridge, manual, automatic;
	struct kmln_rows addresses, gateways, forwards; /* as written: one column */
	struct kmln_impairment impairment; /* its own, else its switch's */

	bool counted; /* the address is this host's already, and not that of the first */

	/* Made of these: */
	struct kmln_switch *on; /* NULL: on none of the project's */
	bool wants; /* addresses are to be given out, of the families that are not written */
	enum kmln_addressing addressing;
	struct kmln_ip ip[KMLN_FAMILIES]; /* with the bits of its net */
	bool given_out[KMLN_FAMILIES]; /* derived from the names, not written */
	struct kmln_ip gateway[KMLN_FAMILIES];
	unsigned char mac[6];
	bool at_boot; /* brought up when the guest boots */
};

struct kmln_group {
	struct kmln_value name;
	struct kmln_rows members;
};

enum kmln_platform_wish {
	KMLN_WISH_AUTO,
	KMLN_WISH_UML,
	KMLN_WISH_KVM,
	KMLN_WISH_QEMU,
	KMLN_WISH_XEN,
	KMLN_WISH_CONTAINER,
};

struct kmln_host {
	struct kmln_value name; /* of a counted host the whole: "node7" */
	const struct kmln_node *node; /* its block; of hosts made by autoenum that block */
	unsigned index; /* of a counted host: 1, 2 ...; 0: not counted */
	const char *series; /* of a counted host: the name that stands for all of them; NULL */
	struct kmln_value superclass, count;

	struct kmln_value platform, xen, hvm, kvm, image, template_name, kernel, ramdisk,
		filesystem, cow_filesystem;
	struct kmln_value memory, cpus, vcpus, size, free_space, swap, internalswap;
	struct kmln_value boot_order, term, color, nice, owner, group, sudo, nameserver,
		root_passwd, family, devfs, service_host, hosts_file, work;
	struct kmln_value vncdisplay, vncpasswd, vnckeymap, lvm, lvm_vg, lvm_snapshot, filepath,
		location, locking, lock_dir, lock_timeout, modules_dir, dyndns, vtun, copy_modules;
	struct kmln_rows after, ready, forwards, roles;
	struct kmln_rows users, files, mounts, modules, startup, shutdown, packages, ssh_keys,
		xen_extra;
	struct kmln_group *groups;
	size_t group_count;
	struct kmln_interface *interfaces;
	size_t interface_count;

	/* Made of these: */
	size_t number; /* its place in the model's list */
	enum kmln_platform_wish wish;
	const struct kmln_value *root; /* the root image: `image`, `template` or `filesystem` */
	bool root_is_template;
	struct kmln_host **waits_for; /* `after`, each host once */
	size_t wait_count;
	unsigned level; /* hosts of one level start together: 0 first; boot_order, then `after` */
};

/* A forward of a host's: 127.0.0.1:PORT of the machine that runs the cluster leads to it. */
struct kmln_forward {
	struct kmln_host *host;
	struct kmln_interface *interface; /* on a switch with an uplink */
	unsigned short from, to;
	bool udp;
	const struct kmln_word *at;
};

/* The root image of hosts that name none. */
#define KMLN_DEFAULT_IMAGE "default"

enum kmln_hook {
	KMLN_HOOK_BEFORE_PROJECT_START,
	KMLN_HOOK_BEFORE_HOSTS_START,
	KMLN_HOOK_AFTER_HOSTS_START,
	KMLN_HOOK_AFTER_PROJECT_START,
	KMLN_HOOK_BEFORE_PROJECT_STOP,
	KMLN_HOOK_BEFORE_HOSTS_STOP,
	KMLN_HOOK_AFTER_HOSTS_STOP,
	KMLN_HOOK_AFTER_PROJECT_STOP,
	KMLN_HOOKS
};

struct kmln_global {
	struct kmln_value project, project_password, hosts_file;
	struct kmln_rows hooks[KMLN_HOOKS];
};

struct kmln_model {
	struct kmln_pool *pool; /* borrowed */
	const struct kmln_syntax *syntax;
	struct kmln_global global;
	const char *project; /* its name; "" where it is missing */
	struct kmln_switch **switches;
	size_t switch_count;
	struct kmln_host **hosts;
	size_t host_count;
	struct kmln_forward *forwards;
	size_t forward_count;
	struct kmln_names host_names, switch_names; /* for the functions below */
};

/* NULL: there is none of this name, letters compared as names are: a and A are one. */
struct kmln_host *kmln_model_host(const struct kmln_model *model, const char *name);
struct kmln_switch *kmln_model_switch(const struct kmln_model *model, const char *name);

/*
 * The model as a tree again: no superclass, variable or count in it, each derived address and MAC
 * written out. Read again it gives the same model. The words borrow from the model.
 */
struct kmln_syntax *kmln_model_syntax(const struct kmln_model *model, struct kmln_pool *pool);

#endif
