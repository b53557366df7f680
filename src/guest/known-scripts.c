// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of known scripts. To add a package: read its preinst and postinst, write down what they
 * do on a fresh system, see that step-packages.c does it, and add the sums that
 *	dpkg-deb -I FILE.deb postinst | sha512sum | cut -c1-32
 * shows (of a kernel's scripts with its release replaced by @RELEASE@).
 */
#include "guest/known-scripts.h"

#include <string.h>

#include "base/sum.h"

#define SUM_LENGTH 32

static const struct {
	const char *name; /* of the package; "linux-image-*": a kernel */
	const char *script, *sum;
	unsigned effects;
} known[] = {
	/*
	 * Kernels. preinst: a mark for postinst, which takes it away; hooks. postinst: depmod,
	 * linux-update-symlinks, hooks in /etc/kernel (since Debian 13 by linux-run-hooks).
	 */
	{"linux-image-*", "preinst", "c5e841e73ec9e6c47ac370e9f6621cea", 0},
	{"linux-image-*", "postinst", "e9088e05dff270632a69d35e6b838f85", KMLN_EFFECT_KERNEL},
	{"linux-image-*", "preinst", "34c91385a7af3893773cb2af0ebcd30c", 0},
	{"linux-image-*", "postinst", "3560dd9f1cb9f1a1869790b5c7eb79f7", KMLN_EFFECT_KERNEL},
	/* Debian 11; 12 and 13: debconf reads its questions, and that is all. */
	{"linux-base", "postinst", "be3e4ce2bd75148f0f68ccf9c93ce913", KMLN_EFFECT_TEMPLATES},
	{"linux-base", "postinst", "600e97ffabda1aecd23f3c22910b70c3", KMLN_EFFECT_TEMPLATES},
	/* Debian 12. preinst: only for one that was there before. */
	{"kmod", "preinst", "f743591fbf7b01b3040e8a75ab0a84ff", 0},
	{"kmod", "postinst", "1e2c474cecfb1c25e0823b79fefeda6e",
		KMLN_EFFECT_ETC_MODULES | KMLN_EFFECT_RC_KMOD},
	/* Debian 13: no script in /etc/init.d any more; both only take away what an older one left.
	 */
	{"kmod", "preinst", "ecf8d2bc786295e44b4851d7da7f0fa2", 0},
	{"kmod", "postinst", "31b94484dc42ea046ecca745abae8ca8", KMLN_EFFECT_ETC_MODULES_13},
};

/* Control files that are only kept, or run later. */
static const char *const plain[] = {"md5sums", "conffiles", "prerm", "postrm", "shlibs", "symbols",
	"templates", "triggers", NULL};

/*
 * Triggers that may be pulled in vain: without its line in ld.so's cache a library in the usual
 * folders is found all the same, and an initramfs of the distribution's is made with the next
 * kernel.
 */
static const char *const triggers[] = {"ldconfig", "update-initramfs", NULL};

static bool in(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (kmln_eq(*list, word))
			return true;
	return false;
}

/* The script's sum, with the kernel's release taken out of it. */
static char *sum_of(
	const struct kmln_pkg *pkg, const struct kmln_deb_file *script, struct kmln_pool *pool)
{
	KMLN_BUF struct kmln_buf text = {0};
	size_t length = pkg->release ? strlen(pkg->release) : 0;
	const char *from = script->data, *at;

	while (length && (at = strstr(from, pkg->release))) {
		kmln_buf_add(&text, from, (size_t)(at - from));
		kmln_buf_str(&text, "@RELEASE@");
		from = at + length;
	}
	kmln_buf_add(&text, from, script->size - (size_t)(from - script->data));
	return kmln_sum(pool, text.data, text.size);
}

static bool is_known(const struct kmln_pkg *pkg, const struct kmln_deb_file *script,
	struct kmln_pool *pool, unsigned *effects)
{
	const char *sum = sum_of(pkg, script, pool);
	const char *name = pkg->release ? "linux-image-*" : pkg->name;

	for (size_t i = 0; i < KMLN_COUNT(known); i++)
		if (kmln_eq(known[i].name, name) && kmln_eq(known[i].script, script->path) &&
			strncmp(known[i].sum, sum, SUM_LENGTH) == 0) {
			*effects |= known[i].effects;
			return true;
		}
	return false;
}

static bool triggers_are_known(const struct kmln_deb_file *file, struct kmln_pool *pool)
{
	char *rest = kmln_pool_strdup(pool, file->data);

	for (char *line; (line = strsep(&rest, "\n"));) {
		char *word = strsep(&line, " ");

		if (!*word || *word == '#')
			continue;
		if (!kmln_starts(word, "activate") || !line || !in(triggers, line))
			return false;
	}
	return true;
}

const char *kmln_known_effects(
	const struct kmln_pkg *pkg, struct kmln_pool *pool, unsigned *effects)
{
	*effects = 0;
	for (size_t i = 0; i < pkg->member_count; i++) {
		const struct kmln_deb_file *m = &pkg->members[i];

		if (kmln_eq(m->path, "triggers") && !triggers_are_known(m, pool))
			return kmln_pool_printf(pool, "%s %s has triggers that kmln does not know",
				pkg->name, pkg->version);
		if (!in(plain, m->path) && !is_known(pkg, m, pool, effects))
			return kmln_pool_printf(pool,
				"what the %s of %s %s does is not known to kmln", m->path,
				pkg->name, pkg->version);
	}
	if (kmln_pkg_member(pkg, "templates") && !(*effects & KMLN_EFFECT_TEMPLATES))
		return kmln_pool_printf(pool, "%s %s asks questions", pkg->name, pkg->version);
	if (pkg->release && !(*effects & KMLN_EFFECT_KERNEL))
		return kmln_pool_printf(pool, "%s %s has no postinst", pkg->name, pkg->version);
	return NULL;
}

const char *kmln_known_etc_modules(unsigned effects)
{
	if (effects & KMLN_EFFECT_ETC_MODULES)
		return "# /etc/modules: kernel modules to load at boot time.\n"
		       "#\n"
		       "# This file contains the names of kernel modules that should be loaded\n"
		       "# at boot time, one per line. Lines beginning with \"#\" are ignored.\n"
		       "# Parameters can be specified after the module name.\n"
		       "\n";
	if (effects & KMLN_EFFECT_ETC_MODULES_13)
		return "# /etc/modules is obsolete and has been replaced by /etc/modules-load.d/.\n"
		       "# Please see modules-load.d(5) and modprobe.d(5) for details.\n"
		       "#\n"
		       "# Updating this file still works, but it is undocumented and unsupported.\n";
	return NULL;
}
