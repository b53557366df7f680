/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A port of a VDE switch. Once joined, nothing of it lies in any folder. */
#ifndef KMLN_UPLINK_JOIN_H
#define KMLN_UPLINK_JOIN_H

#include <sys/types.h>

#include "base/mem.h"

struct vdeconn;

struct kmln_join {
	struct vdeconn *conn; /* NULL: none */
	int data; /* readable: frames wait */
	int control; /* readable: the switch has gone */
};

int kmln_join_open(struct kmln_join *join, const char *folder, struct kmln_error *err);
/* The size of a frame, of which more than `room` bytes are lost; 0: none waits. */
size_t kmln_join_receive(struct kmln_join *join, void *frame, size_t room);
/* Sends a frame. A switch that does not take it within a moment loses it, as a wire would. */
void kmln_join_send(struct kmln_join *join, const void *frame, size_t size);
void kmln_join_cleanup(struct kmln_join *join);
#define KMLN_JOIN KMLN_CLEANUP(kmln_join_cleanup)

#endif
