// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one home of libvdeplug. Frames go through its data descriptor directly, since vde_send()
 * waits for as long as the switch likes.
 */
#include "uplink/join.h"

#include <fcntl.h>
#include <libvdeplug.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A full socket of a busy switch is emptied within this time; TCP then hardly ever loses a frame.
 */
#define SEND_MS 10

int kmln_join_open(struct kmln_join *join, const char *folder, struct kmln_error *err)
{
	char *whole = realpath(folder, NULL);
	KMLN_FREE char *path = whole;
	KMLN_FREE char *control = NULL, *url = NULL;
	char words[] = "kmln-uplink";
	int flags;

	*join = (struct kmln_join){.data = -1, .control = -1};
	if (!path)
		return kmln_fail_sys(err, errno, "switch %s", folder);
	control = kmln_printf("%s/ctl", path);
	if (access(control, R_OK | W_OK) < 0)
		return kmln_fail_sys(err, errno, "switch %s: %s", folder, control);
	/* libvdeplug reads [PORT] and {TEXT} out of what it is given */
	for (const char *c = path; *c; c++)
		if (*c == '[' || *c == '{')
			return kmln_fail(err, EINVAL,
				"switch %s: libvdeplug cannot open a folder with '%c' in its name",
				folder, *c);
	url = kmln_printf("vde://%s", path);
	join->conn = vde_open(url, words, NULL);
	if (!join->conn)
		return kmln_fail_sys(err, errno ? errno : EIO, "cannot join switch %s", folder);
	join->data = vde_datafd(join->conn);
	join->control = vde_ctlfd(join->conn);
	flags = fcntl(join->data, F_GETFL);
	if (flags < 0 || fcntl(join->data, F_SETFL, flags | O_NONBLOCK) < 0)
		return kmln_fail_sys(err, errno, "switch %s", folder);
	return 0;
}

size_t kmln_join_receive(struct kmln_join *join, void *frame, size_t room)
{
	ssize_t size = recv(join->data, frame, room, MSG_DONTWAIT | MSG_TRUNC);

	return size > 0 ? (size_t)size : 0;
}

void kmln_join_send(struct kmln_join *join, const void *frame, size_t size)
{
	struct pollfd room = {.fd = join->data, .events = POLLOUT};

	for (int tries = 0; tries < 2; tries++) {
		if (send(join->data, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
			(errno != EAGAIN && errno != ENOBUFS))
			return;
		if (poll(&room, 1, SEND_MS) <= 0)
			return;
	}
}

void kmln_join_cleanup(struct kmln_join *join)
{
	if (join->conn)
		vde_close(join->conn);
	join->conn = NULL;
}
