/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What installing a package does beside laying down its files. No script of a package is run when
 * kmln puts it in, so a package may be called installed only where its scripts are known, by their
 * content, and what they would do is done by edits.
 */
#ifndef KMLN_GUEST_KNOWN_SCRIPTS_H
#define KMLN_GUEST_KNOWN_SCRIPTS_H

#include "guest/packages.h"

/* Bits. */
enum kmln_effect {
	KMLN_EFFECT_KERNEL = 1, /* modules are indexed, /vmlinuz and others are links to it */
	KMLN_EFFECT_TEMPLATES = 2, /* its questions are known to debconf */
	KMLN_EFFECT_ETC_MODULES =
		4, /* /etc/modules is made where it is missing, as until Debian 12 */
	KMLN_EFFECT_ETC_MODULES_13 = 8, /* the same, with Debian 13's words */
	KMLN_EFFECT_RC_KMOD = 16, /* /etc/init.d/kmod is run at boot */
};

/*
 * What a first installation of the package does (of bits above, 0: nothing) in *effects; or returns
 * why that is not known, in words for people.
 */
const char *kmln_known_effects(
	const struct kmln_pkg *pkg, struct kmln_pool *pool, unsigned *effects);
/* The text of /etc/modules for these effects; NULL where none makes it. */
const char *kmln_known_etc_modules(unsigned effects);

#endif
