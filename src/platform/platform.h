/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of virtualisation. A platform is one file here and one line in the table of platform.c:
 * plain data about what a guest sees and needs there, how to find out whether this host offers it,
 * and the command line that starts a machine. Making that command line is pure: it opens and starts
 * nothing; run/ does.
 */
#ifndef KMLN_PLATFORM_PLATFORM_H
#define KMLN_PLATFORM_PLATFORM_H

#include <stdint.h>

#include "base/mem.h"

/* One thing that was looked for on this host. Everything lives in the pool of the probe. */
struct kmln_finding {
	const char *key; /* for JSON, like "binary", "version", "modules" */
	const char *value; /* NULL: not there */
	const char *package; /* the Debian package that brings it, where it is not there; or NULL */
};

/* What this host can do on one platform. */
struct kmln_probe {
	bool usable;
	const char *state; /* one word: "usable", "emulated", "no-permission", "absent", "broken" */
	const char *reason; /* a sentence for people, always set */
	struct kmln_finding *findings;
	size_t count;
};

/* What a network card is plugged into. */
enum kmln_link {
	KMLN_LINK_NONE, /* nothing */
	KMLN_LINK_VDE, /* a VDE switch */
	KMLN_LINK_TAP, /* a network device of the host's, made before */
};

struct kmln_card {
	unsigned char mac[6];
	enum kmln_link link;
	const char *to; /* VDE: the switch's folder; TAP: the device's name */
};

/* What the QEMU Guest Agent is reached by. */
#define KMLN_AGENT_PORT "org.qemu.guest_agent.0"

/*
 * A machine to be started. Paths are those inside its sandbox, all made by kmln: absolute, and
 * without blanks, commas and colons, which a launch refuses (KMLN_EUSAGE).
 *
 * Who starts the machine sets TMPDIR in its environment: QEMU keeps what a snapshot throws away
 * there; UML keeps the guest's memory in a file there, which should be on a tmpfs. UML also needs
 * /dev/null to be there. Standard input and output are the guest's console.
 */
struct kmln_launch {
	const char *program; /* linux.uml or qemu-system-x86_64; NULL: by name, from PATH */
	const char *disk; /* the image, raw; with `nodes` only a name for it */
	const char
		*nodes; /* QEMU: its block nodes in JSON, where it is not raw; UML refuses these */
	bool built_in; /* UML: its program needs no initramfs for such a socket */
	bool served; /* UML: `disk` is a socket, on which a daemon speaks vhost-user-blk; needs an
		      * initramfs with virtio_blk */
	unsigned partition; /* of the root filesystem; 0: the image is a bare filesystem */
	bool read_only; /* the guest sees a disk that it cannot write; `snapshot` goes before */
	bool snapshot; /* the image is only read, and what the guest writes is thrown away */
	const char *overlay; /* UML: the copy-on-write file that keeps the writes of a snapshot; it
			      * is made, and must not be there yet. NULL: `run`/disk.cow */
	uint64_t memory; /* bytes, rounded up to whole MiB */
	unsigned cpus; /* 0: one. UML has one, and refuses more */
	/* Its network cards, in the order in which the guest finds them. */
	const struct kmln_card *cards;
	size_t card_count;
	/* Further disks behind the first, writable; NULL-ended, or NULL. Raw images; for QEMU also
	 * block nodes in JSON, which begin with a brace. */
	const char *const *disks;
	/* UML: further disks that are served to it, as `served` tells; it numbers these and the raw
	 * ones apart, and they too need that initramfs. NULL-ended, or NULL. */
	const char *const *sockets;
	bool disks_snapshot; /* the raw and JSON ones are only read, as with `snapshot` */
	uint32_t read_only_disks; /* of the raw ones: bit 0 stands for the first */
	/* QEMU: another disk, raw, that is only read and starts the machine; or NULL. */
	const char *boot_disk;
	/* QEMU: UEFI instead of a BIOS: its program, and the file of its variables, which it writes
	 * to; or both NULL. */
	const char *firmware, *variables;
	/* A kernel given from outside; NULL: UML has its own and refuses another, QEMU lets the
	 * disk's boot loader work. UML takes an initramfs alone, QEMU only with a kernel. */
	const char *kernel, *initramfs;
	/* More words for the kernel, divided by blanks, behind kmln's own (root=, rw or ro, console
	 * and the like; the last one of a kind counts); NULL: none. QEMU: only with a kernel. */
	const char *cmdline;
	/* Lines to an agent in the guest are the program's descriptors: 4 is UML's second serial
	 * line, or a port of virtio named KMLN_AGENT_PORT; 5 is QEMU's second serial line. */
	bool channel;
	const char *name; /* Xen: of the domain, one word of our own */
	const char *type; /* Xen: "pv" or "pvh" */
	const char *run; /* a private writable folder. UML's control socket is kmln/mconsole in it;
			  * a folder kmln left there by an earlier machine must be removed. */
};

struct kmln_platform {
	const char *name; /* "uml" */
	const char *summary; /* for lists */
	const char *console; /* the guest's console device without /dev/: "ttyS0" */
	const char *second_console; /* where a guest is for several platforms at once; or NULL */
	const char
		*disk; /* the first disk as the guest sees it, without /dev/: "ubda"; NULL: none */
	/*
	 * What the guest must bring itself. Drivers are module names with underscores: the guest's
	 * kernel must have each of them built in or as a module.
	 */
	bool needs_kernel; /* a kernel of its own, with `drivers` */
	bool needs_loader; /* a partition table and a boot loader */
	bool wants_bare; /* its root is best a filesystem that stands alone */
	/* Its kernel, or that of one of its kinds, is the host's: the guest has no modules for it.
	 */
	bool host_kernel;
	const char *const *drivers; /* NULL-ended, or NULL */
	/* How its kernel is started here: in each of these ways (boot/kernel.h); or NULL. */
	const char *const *entries;
	/* Machines are domains of Xen: its tools load a kernel that lies beside the image, or one
	 * that the configuration of the guest's boot loader names. */
	bool domains;

	/* What this host can do. Fails only where it cannot look at all. */
	int (*probe)(struct kmln_pool *pool, struct kmln_probe *probe, struct kmln_error *err);
	/* Appends the full argument vector. NULL: kmln cannot start machines there yet. */
	int (*launch)(
		const struct kmln_launch *launch, struct kmln_strv *argv, struct kmln_error *err);
	/* Where the machine is no process of this host: appends the command that takes it away. */
	void (*ending)(const struct kmln_launch *launch, struct kmln_strv *argv);
};

/* Sorted by preference, ends with NULL. */
extern const struct kmln_platform *const kmln_platforms[];
/*
 * No machine's platform, and not among them: what a guest needs that is to start on UML, KVM and
 * Xen (PV and PVH) alike. As all that differs is added and hardly anything replaced, it is a
 * platform like the others to plan for.
 */
extern const struct kmln_platform kmln_platform_all;
/* One of these by its name; NULL where there is no such platform. */
const struct kmln_platform *kmln_platform_find(const char *name);

extern const struct kmln_platform kmln_platform_kvm, kmln_platform_uml, kmln_platform_qemu,
	kmln_platform_xen, kmln_platform_container;

/* For the launches: refuses paths and sizes that no command line should carry. */
int kmln_launch_check(const struct kmln_launch *launch, struct kmln_error *err);
/* "02:00:00:00:00:01" */
#define KMLN_MAC_TEXT 18
void kmln_mac_text(char text[KMLN_MAC_TEXT], const unsigned char mac[6]);
/* The guest's memory in whole MiB. */
uint64_t kmln_launch_mib(const struct kmln_launch *launch);

#endif
