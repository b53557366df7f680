/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps: what a guest needs on a platform, one small thing a file. A step looks at facts and says
 * what is missing; where edits are wanted too, it adds those that bring it. It opens nothing and
 * reads nothing else, so the same facts give the same plan, and facts of a converted image give
 * none.
 *
 * A new need is one file here and one line in steps.c. If a step must know something, inspect
 * learns it.
 */
#ifndef KMLN_GUEST_STEP_H
#define KMLN_GUEST_STEP_H

#include "image/facts.h"
#include "image/fat.h"
#include "plan/edits.h"
#include "platform/platform.h"

struct kmln_pkg;

/* How a machine shall start the converted guest. */
enum kmln_boot_form {
	KMLN_BOOT_BIOS, /* GRUB in the first sectors, or in a GPT's BIOS boot partition */
	KMLN_BOOT_UEFI, /* GRUB in the EFI system partition; a new disk starts by a BIOS as well */
	KMLN_BOOT_DISK, /* GRUB and the kernel on a small disk beside it */
	KMLN_BOOT_DIRECT, /* kernel and initramfs as files beside it: no loader at all */
	KMLN_BOOT_FORMS
};
/* Their names, in this order, NULL-ended: "bios" ... */
extern const char *const kmln_boot_forms[];

/* What a conversion brings along, prepared before planning. */
struct kmln_goal {
	enum kmln_boot_form form;
	uint64_t size; /* bytes the root filesystem shall have, in whole blocks; 0: as it is */
	/* The kernel to be booted: one of facts->kernels, or of a kit whose files are to be put in.
	 */
	const struct kmln_kernel *kernel;
	bool from_kit;
	const char *initramfs; /* our initramfs for it, or NULL: its own serves */
	size_t initramfs_size;
	const char *initramfs_sum;
	/* Packages to be made known to the guest's dpkg, the kernel's among them; see dpkg.h. */
	const struct kmln_pkg *const *packages;
	size_t package_count;
	const char *unregistered; /* why the kernel of the kit is not among them; NULL: it is */
	const char *grub_boot; /* GRUB's boot.img, 512 bytes */
	const char *grub_core; /* GRUB's core.img, for a BIOS */
	size_t grub_core_size;
	struct kmln_pieces esp; /* uefi: what is to be written into the EFI system partition */
	const char *esp_sum; /* of the loader that is then in it */
	/* Lines of fstab for disks that are not part of the image are marked: the guest starts
	 * without them. */
	bool nofail;
	/* Filesystems of the disk that become folders of the root, the outer before the inner. */
	const struct kmln_filesystem *const *merged;
	size_t merged_count;
	/* In place: what stands on the disk around the root filesystem, and not zeros. */
	struct kmln_pieces around;
	bool around_too_big; /* it is more than a record holds, and not here */
	bool in_place;
	bool record; /* keep a record of the changes in the guest, for undoing them */
};

struct kmln_record_item;

struct kmln_planning {
	const struct kmln_facts *facts; /* with a root filesystem */
	const struct kmln_platform *platform;
	const struct kmln_goal *goal; /* NULL: only say what is missing */
	struct kmln_edits *edits; /* NULL likewise */
	struct kmln_strv *missing; /* short phrases */
};

struct kmln_step {
	const char *name;
	const char *summary;
	int (*plan)(struct kmln_planning *planning, struct kmln_error *err);
	/*
	 * True where plan(), on this guest or on one that it was before, could have made the edit
	 * that a record tells of. The record comes from the guest: what no step vouches for is not
	 * taken back, see undo.h. NULL: the step writes nothing.
	 */
	bool (*could_write)(const struct kmln_facts *facts, const struct kmln_record_item *item);
};

extern const struct kmln_step *const kmln_steps[]; /* in the order of their edits; ends with NULL */

/*
 * KMLN_EINVALID for a guest that no machine of kmln's can run, whatever is brought along: without a
 * root filesystem or an init, or for another architecture.
 */
int kmln_check_guest(const struct kmln_facts *facts, struct kmln_error *err);
/*
 * Runs all steps. With edits NULL it fills `missing` only, and cannot fail for a guest's sake;
 * facts without a root filesystem say just that.
 */
int kmln_plan_guest(struct kmln_planning *planning, struct kmln_error *err);

/* ---- for the steps ---- */

void kmln_missing(struct kmln_planning *planning, const char *fmt, ...) KMLN_PRINTF(2, 3);

/*
 * Makes `path` (one that inspect knows) a file with this content: adds nothing where it has it
 * already. A link is followed inside the guest; one that leads nowhere is KMLN_EINVALID. `shared`:
 * others change the file too, and only the lines that become different are kmln's.
 */
int kmln_want_file(struct kmln_planning *planning, const char *step, const char *why,
	const char *path, const char *data, size_t size, uint32_t mode, bool shared,
	struct kmln_error *err);
/*
 * The real path of a folder that inspect knows, in the edits' pool; adds its making where it is not
 * there.
 */
int kmln_want_folder(struct kmln_planning *planning, const char *step, const char *path,
	const char **real, struct kmln_error *err);

/* True where kmln-guest is in the guest after the plan. */
bool kmln_brings_guest_program(const struct kmln_planning *planning);
/*
 * True where our initramfs of the goal is to be in the guest: unless kmln-guest, in the guest,
 * leaves the making of it to the distribution's own program, and that has made one.
 */
bool kmln_wants_initramfs(const struct kmln_planning *planning);
/* True where the guest boots by a loader that is not kmln's: nothing of it is touched then. */
bool kmln_has_own_loader(const struct kmln_facts *facts);
/* True where the machine starts a loader on the guest's own disk; false for disk and direct. */
bool kmln_wants_loader(const struct kmln_planning *planning);
/* True where that loader is the guest's own, and stays. */
bool kmln_keeps_loader(const struct kmln_planning *planning);
/* True for a kernel that can start this guest on this platform. */
bool kmln_kernel_suits(const struct kmln_kernel *kernel, const struct kmln_facts *facts,
	const struct kmln_platform *platform);
/* The first (newest) kernel of the guest that suits, or NULL. */
const struct kmln_kernel *kmln_guest_kernel(
	const struct kmln_facts *facts, const struct kmln_platform *platform);
/* The line that starts a kernel for this guest, after "linux IMAGE": root=, ro, console= ... */
char *kmln_kernel_words(struct kmln_pool *pool, const struct kmln_facts *facts);

#endif
