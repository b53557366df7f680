/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kmln-uplink gives up before it looks at the first frame. */
#ifndef KMLN_UPLINK_WALLS_H
#define KMLN_UPLINK_WALLS_H

#include "base/error.h"

/* Open descriptors, each connection of a guest being one: it costs up to 256 KiB of memory. */
#define KMLN_UPLINK_DESCRIPTORS 1024

/*
 * After this no file can be opened but the list of name servers, none be written, no program be
 * started. The switch has been joined before, forwards listen.
 */
int kmln_uplink_walls(struct kmln_error *err);

#endif
