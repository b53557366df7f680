/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cluster on this host: what its model leaves open is decided (each host's platform, the folders,
 * the programs), and what it stands on is known (its images). Looking is done once, here; the plans
 * (plan.h) are pure.
 */
#ifndef KMLN_CLUSTER_CLUSTER_H
#define KMLN_CLUSTER_CLUSTER_H

#include "image/facts.h"
#include "plan/edits.h"
#include "platform/platform.h"
#include "project/model.h"
#include "run/sandbox.h"

/* An image that hosts share. They do not run on it, but on overlays over a portable copy. */
struct kmln_base {
	const char *path; /* absolute, without links */
	const char *prepared; /* that copy, a raw disk in kmln's cache, made once */
	const char *kernel; /* the kit that is put into it; NULL: chosen */
	bool missing; /* it is to be made; what is known of it is foreseen */
	struct kmln_edits edits; /* that make it of the image; none where it is there */
	struct kmln_facts *facts; /* of the copy */
	uint64_t size; /* of the copy, bytes */
	const char *uml_words; /* what UML's kernel is told because of it; "" */
};

/* A host where it lives. */
struct kmln_placed {
	const struct kmln_host *host;
	const struct kmln_built *built; /* what it was built from; NULL: it is not, or all is new */
	bool outdated; /* its image has changed since its disk was made on a copy of it */
	const struct kmln_platform *platform;
	const char *why; /* that platform, for people */
	const struct kmln_base *base;
	uint64_t size; /* of its disk, bytes */
	uint64_t memory; /* bytes */
	unsigned cpus;
	const struct kmln_further *disks; /* that it mounts; further.h */
	size_t disk_count;
	const char *kernel, *ramdisk; /* files that it is started by; NULL: kmln's choice */
};

/* Full paths; NULL: it is not installed, and not needed. */
struct kmln_programs {
	const char *uml, *qemu, *storage, *vde_switch, *wirefilter, *uplink;
};

struct kmln_cluster {
	struct kmln_pool *pool; /* borrowed */
	const struct kmln_model *model; /* without mistakes */
	const char *folder; /* of the project: what outlives its machines */
	const char *runtime; /* sockets, and the machines' own folders */
	const char *uml_initramfs; /* in kmln's cache: lets UML start from a disk that is served */
	const char *resolver; /* this host's list of name servers; NULL: it has none */
	struct kmln_programs programs;
	struct kmln_sandbox walls; /* without shares: each process gets a copy */
	struct kmln_placed *hosts; /* in the model's order, model->host_count */
	struct kmln_base **bases;
	size_t base_count;
};
#define KMLN_CLUSTER KMLN_CLEANUP(kmln_cluster_fini)
void kmln_cluster_fini(struct kmln_cluster *cluster);

struct kmln_shared; /* host-settings.h */
struct kmln_store; /* store.h */
struct kmln_built;

/* A host that is to run elsewhere, whatever was decided. */
struct kmln_move {
	const char *host, *platform;
	const char *why; /* for people */
};

struct kmln_cluster_wish {
	const char *platform; /* for hosts that leave it open (`platform auto`); NULL: decided here
			       */
	const char *folder; /* of the project file, where relative paths of images begin */
	bool unconfined;
	/*
	 * Where the project may have been built: what was decided then stays, and hosts stay on the
	 * copies of images that they were built on, whatever has become of the images. NULL: all is
	 * looked at as if for the first time.
	 */
	const struct kmln_store *store;
	const struct kmln_move *moves;
	size_t move_count;
	bool replatform; /* platforms are decided anew */
	bool replace; /* disks may be made anew, on images as they are now */
};

/* What a host wishes for its platform, as the file has it: "auto", "uml" ... */
const char *kmln_wish_name(enum kmln_platform_wish wish);

/*
 * Looks at images and host. KMLN_ELACK where a host's platform or a program that is needed is not
 * here, KMLN_EINVALID for an image that cannot be used; nothing is made or started.
 */
int kmln_cluster_look(struct kmln_cluster *cluster, const struct kmln_model *model,
	const struct kmln_cluster_wish *wish, struct kmln_shared *shared, struct kmln_pool *pool,
	struct kmln_error *err);

#endif
