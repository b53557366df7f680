// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What kmln-node hears from a hostile guest: hello, lines, frames, answers of a qemu-ga; between
 * them its owner opens lanes, sends, takes back. The input is a list of steps: one byte says what
 * happens, two how many bytes belong to it. Whatever comes, no lane gets more than it gave credit
 * for, none is closed twice, and what is kept is bounded.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/node.h"

#define OWNERS 8
#define MOST (8u << 20)
/* What the guest would have to read to answer; the same for each question. */
#define ID 7

void kmln_node_report(struct kmln_node *node, const struct kmln_error *err)
{
	(void)node;
	(void)err;
}

struct owner {
	struct kmln_lane *lane;
	uint64_t credit, allowed; /* what it takes; what it may send */
	bool open;
};

struct scene {
	struct kmln_node node;
	struct kmln_node_options options;
	int guest[KMLN_CHANNELS]; /* the other ends */
	struct owner owners[OWNERS];
};

static void got(void *data, const struct kmln_frame *frame)
{
	struct owner *owner = data;

	if (!owner->open)
		abort();
	if (frame->type == KMLN_FRAME_CREDIT_MORE)
		owner->allowed += kmln_frame_number(frame);
	else if (frame->size > owner->credit || (frame->size && !frame->data))
		abort();
	else
		owner->credit -= frame->size;
}

static void closed(void *data, const char *answer, size_t size)
{
	struct owner *owner = data;

	if (!owner->open || answer[size])
		abort();
	owner->open = false;
	owner->lane = NULL;
}

static const struct kmln_lane_ops ops = {.got = got, .closed = closed};

/* The questions are random; this guest knows them. */
static void foresee(struct scene *scene)
{
	for (unsigned i = 0; i < scene->node.agent.count; i++) {
		struct kmln_line *line = &scene->node.agent.lines[i];

		line->id = line->id ? ID : 0;
		if (line->text.size > MOST || line->out.size > MOST || line->in.bytes.size > MOST)
			abort();
	}
}

static void work(struct scene *scene)
{
	char waste[4096];

	kmln_agent_work(&scene->node.agent);
	foresee(scene);
	for (int i = 0; i < KMLN_CHANNELS; i++)
		while (scene->guest[i] >= 0 &&
			recv(scene->guest[i], waste, sizeof(waste), MSG_DONTWAIT) > 0)
			;
	kmln_agent_work(&scene->node.agent);
	foresee(scene);
}

static void say(struct scene *scene, unsigned which, const uint8_t *bytes, size_t size)
{
	struct kmln_line *line = &scene->node.agent.lines[which % scene->node.agent.count];
	const int fd = scene->guest[which % scene->node.agent.count];

	while (size && line->fd >= 0) {
		ssize_t n = send(fd, bytes, size < 4096 ? size : 4096, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n <= 0)
			abort();
		bytes += n;
		size -= (size_t)n;
		kmln_line_read(line);
		foresee(scene);
	}
}

static void open_lane(struct scene *scene, struct owner *owner, const uint8_t *bytes, size_t size)
{
	if (owner->open || size > KMLN_FRAME_MAX)
		return;
	*owner = (struct owner){
		.open = true, .credit = KMLN_FRAME_CREDIT, .allowed = KMLN_FRAME_CREDIT};
	kmln_agent_open(&scene->node.agent, &owner->lane, (const char *)bytes, size, &ops, owner);
}

static void send_some(struct owner *owner, const uint8_t *bytes, size_t size)
{
	if (!owner->lane || size > owner->allowed || size > KMLN_FRAME_MAX)
		return;
	owner->allowed -= size;
	kmln_lane_send(owner->lane, KMLN_FRAME_DATA, bytes, size);
}

static void step(struct scene *scene, uint8_t what, const uint8_t *bytes, size_t size)
{
	struct owner *owner = &scene->owners[what / 8 % OWNERS];

	switch (what % 8) {
	case 0:
	case 1:
		say(scene, what % 8, bytes, size);
		break;
	case 2:
		open_lane(scene, owner, bytes, size);
		break;
	case 3:
		send_some(owner, bytes, size);
		break;
	case 4:
		if (owner->lane)
			kmln_lane_send(owner->lane, KMLN_FRAME_END, NULL, 0);
		break;
	case 5:
		if (owner->lane) {
			owner->credit += size;
			kmln_lane_credit(owner->lane, (uint32_t)size);
		}
		break;
	case 6:
		owner->open = false;
		if (owner->lane)
			kmln_lane_abort(owner->lane);
		owner->lane = NULL;
		break;
	default:
		scene->node.now += (int64_t)size;
		break;
	}
	work(scene);
}

static void begin(struct scene *scene, enum kmln_node_channel channel)
{
	int ends[KMLN_CHANNELS] = {-1, -1};

	scene->options.channel = channel;
	scene->node.options = &scene->options;
	scene->node.agent.node = &scene->node;
	scene->node.now = 1000;
	for (int i = 0; i < KMLN_CHANNELS; i++) {
		int pair[2];

		scene->guest[i] = -1;
		if (i && channel != KMLN_CHANNEL_VIRTIO)
			continue;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
			abort();
		ends[i] = pair[0];
		scene->guest[i] = pair[1];
	}
	kmln_agent_attach(&scene->node.agent, channel, ends);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scene *scene = kmln_malloc(sizeof(*scene));

	if (!size) {
		free(scene);
		return 0;
	}
	memset(scene, 0, sizeof(*scene));
	begin(scene, *data % 2 ? KMLN_CHANNEL_VIRTIO : KMLN_CHANNEL_SERIAL);
	for (data++, size--; size >= 3;) {
		const uint8_t what = data[0];
		size_t n = data[1] | (size_t)data[2] << 8;

		data += 3;
		size -= 3;
		if (what % 8 != 5 && what % 8 != 7 && n > size)
			n = size;
		step(scene, what, data, n);
		if (what % 8 == 4 || what % 8 == 5 || what % 8 >= 6)
			continue;
		data += n;
		size -= n;
	}
	kmln_agent_detach(&scene->node.agent);
	for (size_t i = 0; i < OWNERS; i++)
		if (scene->owners[i].open)
			abort();
	for (int i = 0; i < KMLN_CHANNELS; i++)
		if (scene->guest[i] >= 0)
			close(scene->guest[i]);
	free(scene);
	return 0;
}
