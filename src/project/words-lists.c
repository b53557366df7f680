// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of hosts and superclasses that open a block, and those that kmln refuses. */
#include "project/model.h"
#include "project/words-tables.h"

#define LIST(member) \
	.in = KMLN_IN_MACHINE, .offset = offsetof(struct kmln_host, member), \
	.shape = KMLN_SHAPE_ROWS, .opens = KMLN_BLOCK_ROWS
#define LINES(member) \
	.in = KMLN_IN_MACHINE, .offset = offsetof(struct kmln_host, member), \
	.shape = KMLN_SHAPE_LINES, .opens = KMLN_BLOCK_LINES, .merge = KMLN_MERGE_APPEND
#define KEYED .merge = KMLN_MERGE_KEYED
#define NEW .standing = KMLN_STANDING_NEW

/* Each of these may be an item or a block, with whatever inside. */
#define REFUSED(word, places, reason) \
	{word, .in = places, .shape = KMLN_SHAPE_VALUE, .merge = KMLN_MERGE_OWN, \
		.standing = KMLN_STANDING_REFUSED, .why = reason, \
		.columns = KMLN_COLUMNS({.name = "text", \
			.type = KMLN_TYPE_SECRET, \
			.optional = true, \
			.rest = true}), \
		.help = "A word of another platform or extension of MLN."}, \
	{ \
		word, .in = places, .shape = KMLN_SHAPE_BLOCK, .opens = KMLN_BLOCK_KINDS, \
		      .merge = KMLN_MERGE_OWN, .standing = KMLN_STANDING_REFUSED, .why = reason, \
		      .help = "A block of another platform or extension of MLN." \
	}
#define ANYWHERE (KMLN_IN(FILE) | KMLN_IN(GLOBAL) | KMLN_IN(SWITCH) | KMLN_IN_MACHINE)
#define SERVICE "let `packages`, `files` and `startup` set the service up"

#define KVM(word) \
	{ \
		word, .in = KMLN_IN(KVM), .shape = KMLN_SHAPE_VALUE, .merge = KMLN_MERGE_OWN, \
		      .standing = KMLN_STANDING_IDLE, \
		      .columns = KMLN_COLUMNS( \
			      {.name = "text", .type = KMLN_TYPE_TEXT, .optional = true}), \
		      .help = "A setting of MLN's KVM extension.", \
		      .why = "kmln finds partitions itself, and its machines have a console and " \
			     "no screen" \
	}

const struct kmln_keyword kmln_words_lists[] = {
	{"network", .in = KMLN_IN_MACHINE, .shape = KMLN_SHAPE_BLOCK, .named = true,
		.name_type = KMLN_TYPE_DEVICE, .opens = KMLN_BLOCK_NETWORK, KEYED,
		.help = "A network interface."},
	{"users", LIST(users), .row = "user", KEYED, .key = KMLN_USER_NAME,
		.columns = KMLN_COLUMNS({.name = "name", .type = KMLN_TYPE_USER},
			{.name = "hash", .type = KMLN_TYPE_SECRET, .optional = true},
			{.name = "home", .type = KMLN_TYPE_GUEST_PATH, .optional = true},
			{.name = "uid",
				.type = KMLN_TYPE_NUMBER,
				.optional = true,
				.most = 4294967294}),
		.help = "Users of the guest: the name, the hash of the password, home and number."},
	{"groups", .in = KMLN_IN_MACHINE, .shape = KMLN_SHAPE_BLOCK, .opens = KMLN_BLOCK_GROUPS,
		KEYED, .help = "Groups of the guest, each a block of its members."},
	{"files", LIST(files), .row = "file", KEYED, .key = KMLN_FILE_TARGET,
		.columns = KMLN_COLUMNS({.name = "source", .type = KMLN_TYPE_INSIDE},
			{.name = "target", .type = KMLN_TYPE_GUEST_PATH},
			{.name = "mode", .type = KMLN_TYPE_MODE, .optional = true}),
		.help = "Files and folders of the project's folder, copied into the guest."},
	{"mount", LIST(mounts), .row = "device", KEYED, .key = KMLN_MOUNT_POINT,
		.columns = KMLN_COLUMNS({.name = "source", .type = KMLN_TYPE_PATH},
			{.name = "point", .type = KMLN_TYPE_GUEST_PATH},
			{.name = "type", .type = KMLN_TYPE_PROGRAM},
			{.name = "options", .type = KMLN_TYPE_TEXT, .optional = true}),
		.help = "What the guest mounts: raw images of this host, which become disks, or its own devices and servers."},
	{"modules", LIST(modules), .row = "module", KEYED, .columns = KMLN_ONE("module", PROGRAM),
		.help = "Kernel modules that are loaded when the guest boots."},
	{"packages", LIST(packages), .row = "package", NEW, KEYED,
		.columns = KMLN_ONE("package", PROGRAM),
		.help = "Packages that the guest installs itself when it starts."},
	{"sshkey", LIST(ssh_keys), .row = "key", .merge = KMLN_MERGE_APPEND,
		.columns = KMLN_COLUMNS({.name = "user", .type = KMLN_TYPE_USER},
			{.name = "key", .type = KMLN_TYPE_TEXT, .rest = true}),
		.help = "Keys that users may log in with: the user, then a line of authorized_keys."},
	{"startup", LINES(startup), .help = "Shell lines that the guest runs when it boots."},
	{"shutdown", LINES(shutdown),
		.help = "Shell lines that the guest runs when it halts or reboots."},
	{"xen_extra", LINES(xen_extra), .standing = KMLN_STANDING_IDLE,
		.help = "Lines for Xen's configuration.",
		.why = "kmln writes the whole configuration itself"},
	{"kvm", .in = KMLN_IN_MACHINE, .shape = KMLN_SHAPE_BLOCK, .opens = KMLN_BLOCK_KVM,
		.offset = offsetof(struct kmln_host, kvm),
		.help = "MLN's word for `platform kvm`."},
	KVM("mount_partition"),
	KVM("display"),
	KVM("display_port"),

	REFUSED("ec2", ANYWHERE, "kmln runs machines on hosts of one's own"),
	REFUSED("openstack", ANYWHERE, "kmln runs machines on hosts of one's own"),
	REFUSED("vmware", KMLN_IN(FILE) | KMLN_IN(GLOBAL) | KMLN_IN_MACHINE,
		"kmln runs UML, KVM, QEMU, Xen and containers"),
	REFUSED("windows", ANYWHERE, "kmln runs Linux guests"),
	REFUSED("iscsi", ANYWHERE, "kmln keeps disks in files, copy-on-write over one image"),
	REFUSED("iscsi_target", ANYWHERE,
		"kmln keeps disks in files, copy-on-write over one image"),
	REFUSED("puppet", ANYWHERE, SERVICE),
	REFUSED("apache", ANYWHERE, SERVICE),
	REFUSED("postfix", ANYWHERE, SERVICE),
	REFUSED("fedora", ANYWHERE, SERVICE),
	REFUSED("extra", ANYWHERE, SERVICE),
	REFUSED("vncplugin", ANYWHERE, "kmln's machines have a console and no screen"),
	REFUSED("virtual_site", KMLN_IN(FILE), "MLN gave it up long ago"),
	{.name = NULL},
};
