// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln-uplink's filter. The input is a run of frames, each behind a byte for its direction and two
 * for its length. What the filter lets through to libslirp must be whole and no fragment, and must
 * not lead to the host's loopback, but for answers of the one UDP port that is forwarded.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "uplink/filter.h"

static void check4(const uint8_t *packet, size_t size)
{
	size_t header = (size_t)(packet[0] & 15) * 4, total = (size_t)packet[2] << 8 | packet[3];
	bool answer;

	if (size < 20 || header < 20 || header > total || total > size)
		abort();
	if ((packet[6] & 0x3f) || packet[7])
		abort();
	answer = total >= header + 8 && packet[9] == 17 && packet[header] == 0 &&
		 packet[header + 1] == 99 && memcmp(packet + 12, "\x0a\x09\x00\x01", 4) == 0;
	if (packet[16] == 0 || packet[16] >= 224) {
		/* DHCP is asked of all */
		if (memcmp(packet + 16, "\xff\xff\xff\xff", 4) != 0 || packet[header + 3] != 67)
			abort();
	}
	if (packet[16] == 127 && (!answer || memcmp(packet + 16, "\x7f\x00\x00\x01", 4) != 0))
		abort();
}

static void check6(const uint8_t *packet, size_t size)
{
	static const uint8_t zeros[15];
	size_t total = ((size_t)packet[4] << 8 | packet[5]) + 40;

	if (size < 40 || total > size)
		abort();
	/* ::1 and the like; 64:ff9b::/96 alone begins with a zero */
	if (memcmp(packet + 24, zeros, 12) == 0 || memcmp(packet + 24, zeros, 10) == 0) {
		if (packet[6] != 17 || total < 48 || packet[40] != 0 || packet[41] != 99 ||
			memcmp(packet + 24, zeros, 15) != 0 || packet[39] != 1)
			abort();
	}
}

static void one_frame(struct kmln_filter *filter, bool out, const uint8_t *data, size_t size)
{
	/* of just its size, so that a sanitizer sees a step too far */
	KMLN_FREE uint8_t *frame = kmln_malloc(size ? size : 1);

	memcpy(frame, data, size);
	if (out) {
		kmln_filter_out(filter, frame, size, 1);
		return;
	}
	if (!kmln_filter_in(filter, frame, size, 2))
		return;
	if (size < 14 || size > KMLN_FRAME_MAX)
		abort();
	if (frame[12] == 0x08 && frame[13] == 0x00)
		check4(frame + 14, size - 14);
	else if (frame[12] == 0x86)
		check6(frame + 14, size - 14);
	else if (frame[12] != 0x08 || frame[13] != 0x06 || size < 42)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char words[][40] = {"kmln-uplink", "--switch=s", "--net4=10.9.0.0/24",
		"--gateway4=10.9.0.254", "--dns4=10.9.0.253", "--dhcp4=10.9.0.100",
		"--net6=fd00:9::/64", "--gateway6=fd00:9::fe", "--dns6=fd00:9::fd",
		"--forward=udp:1:10.9.0.1:99", "--forward=udp:1:[fd00:9::1]:99"};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	char *argv[KMLN_COUNT(words)];
	struct kmln_filter filter;
	struct kmln_uplink uplink;
	struct kmln_error err;

	for (size_t i = 0; i < KMLN_COUNT(words); i++)
		argv[i] = words[i];
	if (kmln_uplink_options(&uplink, pool, KMLN_COUNT(words), argv, &err) < 0)
		abort();
	kmln_filter_init(&filter, &uplink, pool);
	while (size >= 3) {
		size_t length = (size_t)data[1] << 8 | data[2];
		bool out = data[0] & 1;

		data += 3;
		size -= 3;
		length = length < size ? length : size;
		one_frame(&filter, out, data, length);
		data += length;
		size -= length;
	}
	return 0;
}
