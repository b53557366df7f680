// SPDX-License-Identifier: GPL-2.0-or-later
/* The real qemu-ga; see qga.h. */
#include "node/qga.h"

#include "node/agent.h"

void kmln_qga_open(struct kmln_lane *lane, const char *request, size_t size)
{
	(void)request;
	(void)size;
	kmln_lane_refuse(lane, ENOTSUP, "qemu-ga cannot do this");
}

void kmln_qga_send(struct kmln_lane *lane, enum kmln_frame_type type, const void *data, size_t size)
{
	(void)lane, (void)type, (void)data, (void)size;
}

void kmln_qga_more(struct kmln_lane *lane)
{
	(void)lane;
}

void kmln_qga_forget(struct kmln_lane *lane)
{
	(void)lane;
}

void kmln_qga_heard(struct kmln_agent *agent, const struct kmln_json *answer)
{
	(void)agent, (void)answer;
}

void kmln_qga_work(struct kmln_agent *agent)
{
	(void)agent;
}
