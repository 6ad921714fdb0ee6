/* SPDX-License-Identifier: MIT */
/* One client of a crowd; peer.h has the theory of operation. */
#include "tests/scale/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/scale/crowd.h"

enum {
	OFFERED_FLAGS = MSG_FLAG_OPTIONS,
	REST_MAX = 2048,	/* no message of ours is longer */
	BEFORE_MS = 5000,	/* for queued packets to an earlier address */
};

static uint64_t tell_reconnect(struct peer *p, enum reconnect_event event)
{
	struct reconnect_input input = {
		.event = event,
		.address = p->address,
		.server_capable = p->session.server_capable,
		.random = crowd_random(p->crowd, UINT32_MAX),
		.now_ms = p->crowd->now_ms,
	};

	return reconnect_next(&p->reconnect, &input);
}

void peer_init(struct peer *p, struct crowd *crowd, uint32_t number,
	       uint32_t fixed_address)
{
	memset(p, 0, sizeof(*p));
	p->crowd = crowd;
	p->number = number;
	p->id = (crowd->process << 20) + number + 1;
	p->fd = -1;
	p->retry_ms = UINT64_MAX;
	p->turn_ms = UINT64_MAX;
	p->base = crowd_random(crowd, 100) < crowd->base_percent;
	p->narrow = crowd_random(crowd, 100) < crowd->narrow_percent;
	reconnect_init(&p->reconnect, fixed_address, 1, 0);
}

/* --- the connection --- */

static void watch(struct peer *p, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = p };

	if (p->events == events)
		return;
	epoll_ctl(p->crowd->epoll, p->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		  p->fd, &event);
	p->events = events;
}

static void watch_as_needed(struct peer *p)
{
	uint32_t events = EPOLLRDHUP;

	if (!p->deaf)
		events |= EPOLLIN;
	if (p->out_len > 0 || p->state == PEER_CONNECTING)
		events |= EPOLLOUT;
	watch(p, events);
}

/* Back to nothing; what the ledger says of it is cleared first. */
static void disconnect(struct peer *p)
{
	struct crowd *crowd = p->crowd;

	if (p->address != 0)
		ledger_clear(crowd->ledger, p->address, p->id);
	if (p->state == PEER_JOINED)
		crowd->n_joined--;
	else if (p->state != PEER_DOWN)
		crowd->n_joining--;
	if (p->fd >= 0)
		close(p->fd);
	free(p->out);
	free(p->rest);
	p->out = NULL;
	p->rest = NULL;
	p->out_len = 0;
	p->out_sent = 0;
	p->rest_len = 0;
	p->fd = -1;
	p->events = 0;
	p->state = PEER_DOWN;
	p->asked = ASKED_NOTHING;
	p->address = 0;
	p->n_before = 0;
	p->deaf = false;
	p->suspicion = SUSPICION_NONE;
	p->mute = false;
	p->retry_ms = UINT64_MAX;
}

static void note_loss(struct peer *p)
{
	if (p->lost_ms != 0 || p->state != PEER_JOINED)
		return;
	p->lost_ms = p->crowd->now_ms;
	p->before_loss = p->address;
	p->is_back = false;
}

/* The connection ended, by no wish of ours. */
static void gone(struct peer *p, enum reconnect_event event)
{
	struct crowd *crowd = p->crowd;
	uint64_t wait_ms = tell_reconnect(p, event);

	note_loss(p);
	if (event == RECONNECT_LOST)
		crowd->tally.lost++;
	else
		crowd->tally.refused++;
	disconnect(p);
	p->retry_ms = crowd->now_ms + wait_ms;
	if (crowd->role->gone)
		crowd->role->gone(p, event);
	crowd_schedule(p);
}

/* Spread over local addresses, as clients of the field are. */
static void bind_source(struct peer *p)
{
	const struct crowd *crowd = p->crowd;
	struct sockaddr_in source = { .sin_family = AF_INET };
	int one = 1, narrow = 1;	/* the kernel makes it its least */

	source.sin_addr.s_addr = htonl(0x7f010001U + (crowd->process << 8) +
				       p->number % crowd->sources);
	setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
		   sizeof(one));
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (p->narrow)
		setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &narrow,
			   sizeof(narrow));
	if (bind(p->fd, (struct sockaddr *)&source, sizeof(source)) < 0)
		perror("crowd: bind");
}

void peer_connect(struct peer *p)
{
	const struct sockaddr_in *server = &p->crowd->server;

	p->retry_ms = UINT64_MAX;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0) {
		perror("crowd: socket");
		gone(p, RECONNECT_LOST);
		return;
	}
	bind_source(p);
	p->state = PEER_CONNECTING;
	p->crowd->n_joining++;
	p->crowd->tally.connects++;
	if (connect(p->fd, (const struct sockaddr *)server,
		    sizeof(*server)) < 0 && errno != EINPROGRESS) {
		gone(p, RECONNECT_LOST);
		return;
	}
	watch_as_needed(p);
	crowd_schedule(p);
}

void peer_close(struct peer *p, bool reset)
{
	struct linger linger = { .l_onoff = 1 };

	if (reset && p->fd >= 0)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &linger,
			   sizeof(linger));
	disconnect(p);
	crowd_schedule(p);
}

void peer_set_deaf(struct peer *p, bool deaf)
{
	p->deaf = deaf;
	if (p->state != PEER_DOWN)
		watch_as_needed(p);
}

/* --- sending --- */

/* Bytes that the socket took; an error shows at the next receive. */
static size_t send_some(const struct peer *p, const uint8_t *data, size_t len)
{
	ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

static void keep_rest(struct peer *p, const uint8_t *data, size_t len)
{
	p->out = malloc(len);
	if (!p->out)
		abort();
	memcpy(p->out, data, len);
	p->out_len = len;
	p->out_sent = 0;
}

static void send_out(struct peer *p)
{
	p->out_sent += send_some(p, p->out + p->out_sent,
				 p->out_len - p->out_sent);
	if (p->out_sent < p->out_len)
		return;
	free(p->out);
	p->out = NULL;
	p->out_len = 0;
}

bool peer_can_send(const struct peer *p)
{
	return p->fd >= 0 && p->state != PEER_CONNECTING && !p->mute &&
	       p->out_len == 0;
}

bool peer_send(struct peer *p, const uint8_t *data, size_t len)
{
	size_t sent;

	if (!peer_can_send(p))
		return false;
	session_sent(&p->session, p->crowd->now_ms);
	sent = send_some(p, data, len);
	if (sent < len) {
		keep_rest(p, data + sent, len - sent);
		watch_as_needed(p);
	}
	return true;
}

/* An answer to an older request would prove nothing. */
static void inquire(struct peer *p)
{
	if (p->suspicion == SUSPICION_TO_ASK && peer_ask(p, ASKED_AGAIN, 0))
		p->suspicion = SUSPICION_ASKED;
}

/* All that waits, in order: what was begun, then the session's own. */
static void flush(struct peer *p)
{
	const uint8_t *control;
	size_t len;

	if (p->out_len > 0)
		send_out(p);
	control = session_output(&p->session, &len);
	if (len > 0 && peer_send(p, control, len))
		session_output_done(&p->session, p->crowd->now_ms);
	inquire(p);
	if (p->state != PEER_DOWN)
		watch_as_needed(p);
}

void peer_stamp(struct peer *p, uint8_t *out, size_t len, uint32_t destination)
{
	const struct stamp stamp = {
		.source = p->address,
		.destination = destination,
		.stream = p->stream,
		.sequence = ++p->sequence,
	};

	stamp_write(out, len, &stamp);
	p->crowd->tally.sent_packets++;
	p->crowd->tally.sent_bytes += len;
}

bool peer_ask(struct peer *p, enum peer_asked what, uint32_t address)
{
	uint8_t request[FRAME_CONTROL_LEN];

	if (p->state != PEER_JOINED || p->asked != ASKED_NOTHING ||
	    !peer_can_send(p))
		return false;
	if (what == ASKED_MOVE)
		ledger_leave(p->crowd->ledger, p->address, p->id);
	msg_write_request(request, address, p->session.config.flags);
	p->asked = what;
	p->asked_address = address;
	return peer_send(p, request, sizeof(request));
}

/* --- receiving --- */

/*
 * The claim met another one.  If that one's connection still gets the same
 * answer, there are two owners; if the server has ended it, all is well.
 */
static void suspect(struct crowd *crowd, uint32_t owner)
{
	uint32_t process = owner >> 20, number = (owner & 0xfffff) - 1;
	struct peer *other = &crowd->peers[number];

	crowd->tally.conflicts++;
	if (process != crowd->process || number >= crowd->n)
		return;
	other->suspicion = SUSPICION_TO_ASK;
	inquire(other);
}

static void take_address(struct peer *p, uint32_t address)
{
	struct crowd *crowd = p->crowd;
	uint32_t owner, i;

	if (p->address != 0) {
		ledger_clear(crowd->ledger, p->address, p->id);
		i = p->n_before++ % PEER_BEFORE;
		p->before[i].address = p->address;
		p->before[i].until_ms = crowd->now_ms + BEFORE_MS;
	}
	p->address = address;
	p->stream = ++crowd->next_stream;
	p->sequence = 0;
	crowd->tally.assignments++;
	owner = ledger_claim(crowd->ledger, address, p->id);
	if (owner != 0)
		suspect(crowd, owner);
}

/* The first reply of a connection. */
static void on_joined(struct peer *p)
{
	struct crowd *crowd = p->crowd;
	uint32_t wanted = p->session.config.wanted;

	p->state = PEER_JOINED;
	crowd->n_joining--;
	crowd->n_joined++;
	if (wanted != 0 && wanted != p->session.address)
		crowd->tally.wrong_address++;
	take_address(p, p->session.address);
	tell_reconnect(p, RECONNECT_JOINED);
	if (p->lost_ms != 0 && !p->is_back) {
		p->is_back = true;
		p->joined_ms = crowd->now_ms;
	}
	if (crowd->role->joined)
		crowd->role->joined(p);
}

/* The reply to a request of a joined peer. */
static void on_answered(struct peer *p)
{
	struct crowd *crowd = p->crowd;
	uint32_t address = p->session.address;
	enum peer_asked asked = p->asked;

	p->asked = ASKED_NOTHING;
	if (asked == ASKED_MOVE && address == p->asked_address &&
	    address != p->address) {
		take_address(p, address);
		if (crowd->role->joined)
			crowd->role->joined(p);
		return;
	}
	if (address != p->address ||
	    (asked == ASKED_MOVE && address != p->asked_address))
		crowd->tally.wrong_address++;
	ledger_stay(crowd->ledger, p->address, p->id);
	if (p->suspicion == SUSPICION_ASKED) {
		p->suspicion = SUSPICION_NONE;
		if (!ledger_holds(crowd->ledger, p->address, p->id))
			crowd->tally.duplicates++;
	}
	inquire(p);
	if (crowd->role->confirmed)
		crowd->role->confirmed(p);
}

static bool is_mine(const struct peer *p, uint32_t destination)
{
	uint32_t i;

	if (destination == p->address)
		return true;
	for (i = 0; i < p->n_before && i < PEER_BEFORE; i++)
		if (destination == p->before[i].address &&
		    p->crowd->now_ms < p->before[i].until_ms)
			return true;
	return false;
}

static void on_packet(struct peer *p, const struct packet *packet)
{
	struct tally *tally = &p->crowd->tally;
	struct stamp stamp;

	if (packet->data[9] == 1) {	/* ICMP: the hub's own */
		tally->icmp++;
		return;
	}
	if (!p->memory)
		p->memory = calloc(1, sizeof(*p->memory));
	if (!p->memory)
		abort();
	switch (stamp_check(p->memory, packet->data, packet->len, &stamp)) {
	case STAMP_GOOD:
		if (!is_mine(p, stamp.destination))
			tally->misrouted++;
		tally->good_packets++;
		tally->good_bytes += packet->len;
		break;
	case STAMP_FOREIGN:
		tally->foreign++;
		break;
	case STAMP_CORRUPT:
		tally->corrupt++;
		break;
	case STAMP_DISORDER:
		tally->disorder++;
		break;
	}
}

static void on_refused(struct peer *p)
{
	uint16_t error = p->session.pushed.error;

	gone(p, error == MSG_ERROR_ADDRESS_TAKEN ||
	     error == MSG_ERROR_ADDRESS_NOT_ALLOWED ?
	     RECONNECT_ADDRESS_REFUSED : RECONNECT_REFUSED);
}

/* False: the connection is gone. */
static bool handle(struct peer *p, enum session_event event,
		   const struct session_item *item)
{
	struct tally *tally = &p->crowd->tally;

	switch (event) {
	case SESSION_NONE:
	case SESSION_SKIPPED:
	case SESSION_OPTIONS:
		break;
	case SESSION_PACKET:
		on_packet(p, &item->packet);
		break;
	case SESSION_ALIVE:
		tally->keepalives++;
		break;
	case SESSION_ASSIGNED:
		if (p->state == PEER_JOINED)
			on_answered(p);
		else
			on_joined(p);
		break;
	case SESSION_REFUSED:
		on_refused(p);
		break;
	case SESSION_BROKEN:
		tally->broken++;
		gone(p, RECONNECT_LOST);
		break;
	case SESSION_TIMED_OUT:
		tally->timed_out++;
		gone(p, RECONNECT_LOST);
		break;
	}
	return p->fd >= 0;
}

static void keep_start(struct peer *p, const uint8_t *data, size_t len)
{
	if (len > REST_MAX) {
		p->crowd->tally.broken++;
		gone(p, RECONNECT_LOST);
		return;
	}
	if (len > 0 && !p->rest) {
		p->rest = malloc(REST_MAX);
		if (!p->rest)
			abort();
	}
	if (len > 0)
		memcpy(p->rest, data, len);
	p->rest_len = len;
}

static void decode(struct peer *p, uint8_t *buf, size_t len)
{
	int fd = p->fd;
	struct session_item item;
	enum session_event event;
	size_t consumed;

	do {
		event = session_receive(&p->session, buf, len,
					p->crowd->now_ms, &consumed, &item);
		buf += consumed;
		len -= consumed;
		/* A role may have closed it, or have a new one by now. */
		if (!handle(p, event, &item) || p->fd != fd ||
		    p->state == PEER_CONNECTING)
			return;
	} while (event != SESSION_NONE);
	keep_start(p, buf, len);
}

static void receive(struct peer *p)
{
	uint8_t *buf = p->crowd->buffer;
	ssize_t n;

	n = recv(p->fd, buf + p->rest_len, CROWD_BUFFER - p->rest_len,
		 MSG_DONTWAIT);
	if (n > 0) {
		if (p->rest_len > 0)
			memcpy(buf, p->rest, p->rest_len);
		decode(p, buf, p->rest_len + (size_t)n);
	} else if (n == 0) {
		gone(p, p->state == PEER_JOINING ||
		     p->asked == ASKED_MOVE ? RECONNECT_NO_REPLY :
		     RECONNECT_LOST);
	} else if (errno != EAGAIN && errno != EINTR) {
		gone(p, RECONNECT_LOST);
	}
}

static void on_connected(struct peer *p)
{
	const struct session_config config = {
		.wanted = p->reconnect.wanted,
		.flags = p->base ? 0 : OFFERED_FLAGS,
		.keepalive_s = (uint16_t)p->crowd->keepalive_s,
	};
	socklen_t len = sizeof(int);
	int error = 0;

	getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		gone(p, RECONNECT_LOST);
		return;
	}
	p->state = PEER_JOINING;
	session_init(&p->session, &config);
	session_start(&p->session, p->crowd->now_ms);
	flush(p);
}

void peer_io(struct peer *p, uint32_t events)
{
	if (p->fd < 0)
		return;
	if (p->state == PEER_CONNECTING)
		on_connected(p);
	else if ((events & EPOLLOUT) != 0)
		flush(p);
	if (p->fd >= 0 && p->state != PEER_CONNECTING && p->deaf &&
	    (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0)
		peer_set_deaf(p, false);
	if (p->fd >= 0 && p->state != PEER_CONNECTING && !p->deaf &&
	    (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0)
		receive(p);
	crowd_schedule(p);
}

/* --- time --- */

void peer_tick(struct peer *p)
{
	struct crowd *crowd = p->crowd;
	struct session_item none = { .options = NULL };

	if (p->state == PEER_DOWN && crowd->now_ms >= p->retry_ms)
		peer_connect(p);
	if (p->state == PEER_JOINING || p->state == PEER_JOINED) {
		if (!handle(p, session_tick(&p->session, crowd->now_ms),
			    &none))
			return;
		flush(p);
	}
	if (crowd->now_ms >= p->turn_ms && crowd->role->turn) {
		p->turn_ms = UINT64_MAX;
		crowd->role->turn(p);
	}
	crowd_schedule(p);
}

uint64_t peer_due_ms(const struct peer *p)
{
	uint64_t due = p->turn_ms, session;

	if (p->state == PEER_DOWN)
		return p->retry_ms < due ? p->retry_ms : due;
	if (p->state == PEER_CONNECTING)
		return due;
	session = session_next_tick(&p->session);
	return session < due ? session : due;
}
