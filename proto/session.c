/* SPDX-License-Identifier: MIT */
/*
 * The client's state machine: join, keepalive, and what may reach the tunnel
 * interface in which state.
 *
 * Theory of operation: session_start() queues the request and waits for the
 * reply; the first reply with an address joins.  From then on the session
 * watches two times.  After keepalive_ms in which nothing was sent it probes
 * with a keepalive, and repeats it each SESSION_PROBE_MS until something comes
 * back, whatever it is.  SESSION_PROBES without an answer mean that the peer
 * or the path is gone.  A probe whose predecessor has not left yet is counted
 * but not queued twice: a socket that takes nothing is no sign of life.
 *
 * The times are taken from the calls, never from due times, so a machine that
 * was suspended sends one probe when it wakes and not a burst.
 */
#include "proto/session.h"

static void close_session(struct session *s)
{
	s->state = SESSION_CLOSED;
	s->out_len = 0;
}

/* The user's word, else the server's, else the default; 0 is no word. */
static void set_keepalive(struct session *s, const struct msg_options *options)
{
	uint32_t seconds = s->config.keepalive_s;

	if (seconds == 0 && options->has_keepalive)
		seconds = options->keepalive_s;
	if (seconds == 0)
		seconds = SESSION_KEEPALIVE_S;
	s->keepalive_ms = (uint64_t)seconds * 1000;
}

void session_init(struct session *s, const struct session_config *config)
{
	const struct session_config copy = *config;

	__builtin_memset(s, 0, sizeof(*s));
	s->config = copy;
	s->state = SESSION_IDLE;
}

void session_start(struct session *s, uint64_t now_ms)
{
	const struct session_config config = s->config;

	session_init(s, &config);
	s->state = SESSION_JOINING;
	s->rules.from_server = true;
	s->rules.capable = (config.flags & MSG_FLAG_OPTIONS) != 0;
	s->rules.max_packet = FRAME_MAX_PACKET;
	set_keepalive(s, &s->options);
	s->join_deadline_ms = now_ms + SESSION_JOIN_MS;
	s->sent_ms = now_ms;
	s->received_ms = now_ms;
	msg_write_request(s->out, config.wanted, config.flags);
	s->out_len = FRAME_CONTROL_LEN;
}

static enum session_event handle_assigned(struct session *s,
					  const struct msg_reply *reply,
					  struct session_item *item)
{
	s->address = reply->address;
	s->options = reply->options;
	s->server_capable = reply->capable;
	s->flags = reply->flags & s->config.flags;
	s->state = SESSION_JOINED;
	s->rules.joined = true;
	s->rules.segments = (s->flags & MSG_FLAG_SEGMENTS) != 0;
	set_keepalive(s, &s->options);
	item->options = &s->options;
	return SESSION_ASSIGNED;
}

static void merge_lists(struct msg_options *in_force,
			const struct msg_options *pushed)
{
	if (pushed->n_routes > 0 || pushed->no_routes) {
		in_force->n_routes = pushed->n_routes;
		__builtin_memcpy(in_force->routes, pushed->routes,
				 sizeof(in_force->routes));
	}
	if (pushed->n_dns > 0 || pushed->no_dns) {
		in_force->n_dns = pushed->n_dns;
		__builtin_memcpy(in_force->dns, pushed->dns,
				 sizeof(in_force->dns));
	}
	if (pushed->search[0] != '\0' || pushed->no_search)
		__builtin_memcpy(in_force->search, pushed->search,
				 sizeof(in_force->search));
	if (pushed->token_len > 0) {
		in_force->token_len = pushed->token_len;
		__builtin_memcpy(in_force->token, pushed->token,
				 sizeof(in_force->token));
	}
}

/* What is in force once pushed came: type by type, it replaces or withdraws.
 * Errors and retry times are news and not in force. */
static void merge_options(struct msg_options *in_force,
			  const struct msg_options *pushed)
{
	if (pushed->has_prefix_len) {
		in_force->has_prefix_len = true;
		in_force->prefix_len = pushed->prefix_len;
	}
	if (pushed->has_server) {
		in_force->has_server = true;
		in_force->server = pushed->server;
	}
	if (pushed->has_mtu) {
		in_force->has_mtu = true;
		in_force->mtu = pushed->mtu;
	}
	if (pushed->has_keepalive) {
		in_force->has_keepalive = true;
		in_force->keepalive_s = pushed->keepalive_s;
	}
	if (pushed->has_idle_timeout) {
		in_force->has_idle_timeout = true;
		in_force->idle_timeout_s = pushed->idle_timeout_s;
	}
	merge_lists(in_force, pushed);
}

/* A reply of a capable server without an address. */
static enum session_event handle_pushed(struct session *s,
					const struct msg_reply *reply,
					struct session_item *item)
{
	s->pushed = reply->options;
	item->options = &s->pushed;
	if (s->state == SESSION_JOINING || s->pushed.has_error) {
		close_session(s);
		return SESSION_REFUSED;
	}
	merge_options(&s->options, &s->pushed);
	set_keepalive(s, &s->options);
	return SESSION_OPTIONS;
}

static enum session_event handle_reply(struct session *s, const uint8_t *buf,
				       size_t len, struct session_item *item)
{
	struct msg_reply reply;

	if (!msg_read_reply(buf, len, &reply)) {
		close_session(s);
		item->error = FRAME_BAD_OPTIONS;
		return SESSION_BROKEN;
	}
	/* A base client's own bytes may look like a capable reply. */
	if (!s->rules.capable && reply.capable) {
		reply.capable = false;
		reply.flags = 0;
		__builtin_memset(&reply.options, 0, sizeof(reply.options));
	}
	if (reply.address != 0)
		return handle_assigned(s, &reply, item);
	if (reply.capable)
		return handle_pushed(s, &reply, item);
	return SESSION_SKIPPED;
}

static enum session_event handle_packet(const struct session *s, uint8_t *buf,
					const struct frame *frame,
					struct session_item *item)
{
	if (s->state != SESSION_JOINED)
		return SESSION_SKIPPED;
	if (frame->kind == FRAME_IPV6 && (s->flags & MSG_FLAG_IPV6) == 0)
		return SESSION_SKIPPED;
	item->packet.data = buf + frame->packet_offset;
	item->packet.len = frame->len - frame->packet_offset;
	item->packet.segment_size = frame->segment_size;
	item->packet.checksum_partial = frame->checksum_partial;
	return SESSION_PACKET;
}

enum session_event session_receive(struct session *s, uint8_t *buf, size_t len,
				   uint64_t now_ms, size_t *consumed,
				   struct session_item *item)
{
	enum session_event event;
	struct frame frame;

	*consumed = 0;
	__builtin_memset(item, 0, sizeof(*item));
	if (len == 0 || s->state == SESSION_IDLE || s->state == SESSION_CLOSED)
		return SESSION_NONE;
	/* Part of a message is a sign of life too: it may be a long one. */
	s->received_ms = now_ms;
	s->n_probes = 0;

	switch (frame_next(&s->rules, buf, len, &frame)) {
	case FRAME_MORE:
		return SESSION_NONE;
	case FRAME_IPV4:
	case FRAME_IPV6:
		*consumed = frame.len;
		return handle_packet(s, buf, &frame, item);
	case FRAME_REPLY:
		event = handle_reply(s, buf, frame.len, item);
		*consumed = event == SESSION_BROKEN ? 0 : frame.len;
		return event;
	case FRAME_KEEPALIVE:
		*consumed = frame.len;
		return s->state == SESSION_JOINED ? SESSION_ALIVE :
						    SESSION_SKIPPED;
	case FRAME_REQUEST:
	case FRAME_BAD:
		break;
	}
	close_session(s);
	item->error = frame.error;
	return SESSION_BROKEN;
}

static void queue_keepalive(struct session *s)
{
	if (s->out_len > 0)
		return;		/* what has not left yet does as well */
	msg_write_keepalive(s->out);
	s->out_len = FRAME_CONTROL_LEN;
}

enum session_event session_tick(struct session *s, uint64_t now_ms)
{
	if (now_ms < session_next_tick(s))
		return SESSION_NONE;
	if (s->state == SESSION_JOINING || s->n_probes >= SESSION_PROBES) {
		close_session(s);
		return SESSION_TIMED_OUT;
	}
	queue_keepalive(s);
	s->n_probes++;
	s->probe_ms = now_ms;
	return SESSION_NONE;
}

uint64_t session_next_tick(const struct session *s)
{
	switch (s->state) {
	case SESSION_JOINING:
		return s->join_deadline_ms;
	case SESSION_JOINED:
		if (s->n_probes > 0)
			return s->probe_ms + SESSION_PROBE_MS;
		return s->sent_ms + s->keepalive_ms;
	case SESSION_IDLE:
	case SESSION_CLOSED:
		break;
	}
	return UINT64_MAX;
}

const uint8_t *session_output(const struct session *s, size_t *len)
{
	*len = s->out_len;
	return s->out;
}

void session_output_done(struct session *s, uint64_t now_ms)
{
	s->out_len = 0;
	s->sent_ms = now_ms;
}
