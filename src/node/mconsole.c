// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * UML's management console: a datagram socket in its folder. Whoever has taken over UML can put
 * anything there: no link is followed. Its answer would go to an address that its walls hide.
 */
#include "node/mconsole.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

/* As the kernel has it: arch/um/drivers/mconsole.h */
struct request {
	uint32_t magic, version, size;
	char words[512];
};

static int open_socket(const char *folder)
{
	KMLN_FREE char *path = kmln_printf("%s/kmln", folder);
	KMLN_FD int own = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int fd = own < 0 ? -1 : openat(own, "mconsole", O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode)))
		kmln_close_cleanup(&fd);
	return fd;
}

void kmln_mconsole_press(const char *folder)
{
	static const struct request request = {
		.magic = 0xcafebabe, .version = 2, .size = 4, .words = "cad"};
	KMLN_FD int there = open_socket(folder);
	KMLN_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (there < 0 || fd < 0)
		return;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", there);
	sendto(fd, &request, sizeof(request), MSG_DONTWAIT, (struct sockaddr *)&address,
		sizeof(address));
}
