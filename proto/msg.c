/* SPDX-License-Identifier: MIT */
/*
 * Control messages, between bytes and structs.
 *
 * Theory of operation: the fields of an IPv4 header that the base protocol
 * leaves free tell a capable peer from a base one.  Both readers here are
 * total: msg_read_request() gives a meaning to any 20 bytes, and
 * msg_read_reply() takes any bytes and either fills the whole struct or leaves
 * it alone.  Options are type, length, value; the length counts the value.
 */
#include "proto/msg.h"

#include "proto/wire.h"

enum {
	IDENTIFICATION_CAPABLE = 0x5356,	/* "SV", in a request */
	IDENTIFICATION_REPLY = 0x7653,		/* "vS", in the reply to it */
	MIN_MTU = 68,		/* what any IPv4 link must carry: RFC 791 */
	ROUTE_LEN = 5,		/* prefix length and network */
	ADDRESS_LEN = 4,
};

/* Option types on the wire. */
enum option_type {
	OPTION_PREFIX_LEN = 1,
	OPTION_SERVER = 2,
	OPTION_MTU = 3,
	OPTION_KEEPALIVE = 4,
	OPTION_IDLE_TIMEOUT = 5,
	OPTION_ROUTES = 6,
	OPTION_DNS = 7,
	OPTION_SEARCH = 8,
	OPTION_TOKEN = 9,
	OPTION_ERROR = 10,
	OPTION_RETRY = 11,
	OPTION_WITHDRAWN = 12,
};

/* Where the next option goes; full once something did not fit. */
struct writer {
	uint8_t *out;
	size_t len, size;
	bool full;
};

static void write_control(uint8_t out[FRAME_CONTROL_LEN], uint32_t source,
			  uint32_t destination)
{
	/* To the byte what clients in the field send. */
	static const uint8_t start[12] = {
		0x45, 0x14, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0
	};

	__builtin_memcpy(out, start, sizeof(start));
	store_be32(out + 12, source);
	store_be32(out + 16, destination);
}

void msg_write_request(uint8_t out[FRAME_CONTROL_LEN], uint32_t wanted,
		       uint16_t flags)
{
	write_control(out, wanted, 0);
	if (flags == 0)
		return;
	store_be16(out + 4, IDENTIFICATION_CAPABLE);
	out[9] = MSG_VERSION;
	store_be16(out + 10, flags);
}

void msg_read_request(const uint8_t in[FRAME_CONTROL_LEN],
		      struct msg_request *request)
{
	const uint16_t flags = load_be16(in + 10);

	request->wanted = load_be32(in + 12);
	request->capable = load_be16(in + 4) == IDENTIFICATION_CAPABLE &&
			   in[9] >= 1 && (flags & MSG_FLAG_OPTIONS) != 0;
	request->version = request->capable ? in[9] : 0;
	request->flags = request->capable ? flags : 0;
}

void msg_write_reply(uint8_t out[FRAME_CONTROL_LEN],
		     const uint8_t request[FRAME_CONTROL_LEN],
		     uint32_t address)
{
	__builtin_memmove(out, request, FRAME_CONTROL_LEN);
	store_be32(out + 12, 0);
	store_be32(out + 16, address);
}

/* Room for the value of an option, or NULL: it does not fit. */
static uint8_t *put_option(struct writer *w, enum option_type type, size_t len)
{
	uint8_t *value;

	if (len > UINT8_MAX || w->size - w->len < 2 + len) {
		w->full = true;
		return NULL;
	}
	value = w->out + w->len + 2;
	value[-2] = (uint8_t)type;
	value[-1] = (uint8_t)len;
	w->len += 2 + len;
	return value;
}

static void put_u8(struct writer *w, enum option_type type, uint8_t number)
{
	uint8_t *value = put_option(w, type, 1);

	if (value)
		*value = number;
}

static void put_u16(struct writer *w, enum option_type type, uint16_t number)
{
	uint8_t *value = put_option(w, type, 2);

	if (value)
		store_be16(value, number);
}

static void put_u32(struct writer *w, enum option_type type, uint32_t number)
{
	uint8_t *value = put_option(w, type, 4);

	if (value)
		store_be32(value, number);
}

static void put_bytes(struct writer *w, enum option_type type,
		      const void *bytes, size_t len)
{
	uint8_t *value = put_option(w, type, len);

	if (value)
		__builtin_memcpy(value, bytes, len);
}

/* Length of a text in a buffer of MSG_MAX_TEXT + 1 bytes. */
static size_t text_len(const char *text)
{
	size_t len = 0;

	while (len < MSG_MAX_TEXT && text[len] != '\0')
		len++;
	return len;
}

static void put_routes(struct writer *w, const struct msg_options *options)
{
	uint8_t *value;
	unsigned int i;

	if (options->n_routes == 0)
		return;
	value = put_option(w, OPTION_ROUTES,
			   (size_t)options->n_routes * ROUTE_LEN);
	for (i = 0; value && i < options->n_routes; i++, value += ROUTE_LEN) {
		value[0] = options->routes[i].prefix_len;
		store_be32(value + 1, options->routes[i].network);
	}
}

static void put_dns(struct writer *w, const struct msg_options *options)
{
	uint8_t *value;
	unsigned int i;

	if (options->n_dns == 0)
		return;
	value = put_option(w, OPTION_DNS, (size_t)options->n_dns * ADDRESS_LEN);
	for (i = 0; value && i < options->n_dns; i++, value += ADDRESS_LEN)
		store_be32(value, options->dns[i]);
}

static void put_withdrawn(struct writer *w, const struct msg_options *options)
{
	uint8_t types[3];
	size_t n = 0;

	if (options->no_routes)
		types[n++] = OPTION_ROUTES;
	if (options->no_dns)
		types[n++] = OPTION_DNS;
	if (options->no_search)
		types[n++] = OPTION_SEARCH;
	if (n > 0)
		put_bytes(w, OPTION_WITHDRAWN, types, n);
}

static void put_error(struct writer *w, const struct msg_options *options)
{
	const size_t len = text_len(options->error_text);
	uint8_t *value = put_option(w, OPTION_ERROR, 2 + len);

	if (!value)
		return;
	store_be16(value, options->error);
	__builtin_memcpy(value + 2, options->error_text, len);
}

static void put_options(struct writer *w, const struct msg_options *options)
{
	if (options->has_prefix_len)
		put_u8(w, OPTION_PREFIX_LEN, options->prefix_len);
	if (options->has_server)
		put_u32(w, OPTION_SERVER, options->server);
	if (options->has_mtu)
		put_u16(w, OPTION_MTU, options->mtu);
	if (options->has_keepalive)
		put_u16(w, OPTION_KEEPALIVE, options->keepalive_s);
	if (options->has_idle_timeout)
		put_u16(w, OPTION_IDLE_TIMEOUT, options->idle_timeout_s);
	put_routes(w, options);
	put_dns(w, options);
	if (options->search[0] != '\0')
		put_bytes(w, OPTION_SEARCH, options->search,
			  text_len(options->search));
	if (options->token_len > 0)
		put_bytes(w, OPTION_TOKEN, options->token, options->token_len);
	if (options->has_error)
		put_error(w, options);
	if (options->has_retry)
		put_u32(w, OPTION_RETRY, options->retry_ms);
	put_withdrawn(w, options);
}

size_t msg_write_capable_reply(uint8_t *out, size_t size,
			       const uint8_t request[FRAME_CONTROL_LEN],
			       uint32_t address, uint16_t flags,
			       const struct msg_options *options)
{
	struct writer w = { .out = out, .len = FRAME_CONTROL_LEN };

	w.size = size < FRAME_MAX_REPLY ? size : FRAME_MAX_REPLY;
	if (w.size < FRAME_CONTROL_LEN)
		return 0;
	msg_write_reply(out, request, address);
	store_be16(out + 4, IDENTIFICATION_REPLY);
	if (out[9] > MSG_VERSION)
		out[9] = MSG_VERSION;
	store_be16(out + 10, flags);
	put_options(&w, options);
	if (w.full)
		return 0;
	store_be16(out + 2, (uint16_t)w.len);
	return w.len;
}

static bool is_printable(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f;
}

static uint32_t prefix_mask(uint8_t prefix_len)
{
	return prefix_len == 0 ? 0 : UINT32_MAX << (32 - prefix_len);
}

static bool read_prefix_len(const uint8_t *value, size_t len,
			    struct msg_options *o)
{
	if (len != 1 || value[0] < 1 || value[0] > 32)
		return false;
	o->has_prefix_len = true;
	o->prefix_len = value[0];
	return true;
}

static bool read_u16(const uint8_t *value, size_t len, bool *has,
		     uint16_t *number)
{
	if (len != 2)
		return false;
	*has = true;
	*number = load_be16(value);
	return true;
}

static bool read_u32(const uint8_t *value, size_t len, bool *has,
		     uint32_t *number)
{
	if (len != 4)
		return false;
	*has = true;
	*number = load_be32(value);
	return true;
}

static bool read_routes(const uint8_t *value, size_t len,
			struct msg_options *o)
{
	const uint8_t *end = value + len;
	struct msg_route *route;

	if (len == 0 || len % ROUTE_LEN != 0)
		return false;
	for (; value < end; value += ROUTE_LEN) {
		if (value[0] > 32)
			return false;
		if (o->n_routes == MSG_MAX_ROUTES)
			continue;
		route = &o->routes[o->n_routes++];
		route->prefix_len = value[0];
		/* Host bits say nothing, and a kernel would refuse them. */
		route->network = load_be32(value + 1) & prefix_mask(value[0]);
	}
	return true;
}

static bool read_dns(const uint8_t *value, size_t len, struct msg_options *o)
{
	const uint8_t *end = value + len;

	if (len == 0 || len % ADDRESS_LEN != 0)
		return false;
	for (; value < end && o->n_dns < MSG_MAX_DNS; value += ADDRESS_LEN)
		o->dns[o->n_dns++] = load_be32(value);
	return true;
}

static bool read_search(const uint8_t *value, size_t len,
			struct msg_options *o)
{
	size_t i;

	if (len == 0 || len > MSG_MAX_TEXT)
		return false;
	for (i = 0; i < len; i++)
		if (!is_printable(value[i]) || value[i] == ' ')
			return false;
	__builtin_memcpy(o->search, value, len);
	o->search[len] = '\0';
	return true;
}

static bool read_token(const uint8_t *value, size_t len,
		       struct msg_options *o)
{
	if (len == 0 || len > MSG_MAX_TOKEN)
		return false;
	o->token_len = len;
	__builtin_memcpy(o->token, value, len);
	return true;
}

static bool read_error(const uint8_t *value, size_t len,
		       struct msg_options *o)
{
	size_t i;

	if (len < 2 || len - 2 > MSG_MAX_TEXT)
		return false;
	o->has_error = true;
	o->error = load_be16(value);
	value += 2;
	len -= 2;
	/* It goes to logs and terminals: no control sequences. */
	for (i = 0; i < len; i++)
		o->error_text[i] = is_printable(value[i]) ? (char)value[i] :
							    '?';
	o->error_text[len] = '\0';
	return true;
}

/* Types that cannot be withdrawn, or of a later version, say nothing. */
static bool read_withdrawn(const uint8_t *value, size_t len,
			   struct msg_options *o)
{
	const uint8_t *end = value + len;

	if (len == 0)
		return false;
	for (; value < end; value++) {
		o->no_routes |= *value == OPTION_ROUTES;
		o->no_dns |= *value == OPTION_DNS;
		o->no_search |= *value == OPTION_SEARCH;
	}
	return true;
}

static bool read_option(unsigned int type, const uint8_t *value, size_t len,
			struct msg_options *o)
{
	switch (type) {
	case OPTION_PREFIX_LEN:
		return read_prefix_len(value, len, o);
	case OPTION_SERVER:
		return read_u32(value, len, &o->has_server, &o->server);
	case OPTION_MTU:
		return read_u16(value, len, &o->has_mtu, &o->mtu) &&
		       o->mtu >= MIN_MTU;
	case OPTION_KEEPALIVE:
		return read_u16(value, len, &o->has_keepalive,
				&o->keepalive_s);
	case OPTION_IDLE_TIMEOUT:
		return read_u16(value, len, &o->has_idle_timeout,
				&o->idle_timeout_s);
	case OPTION_ROUTES:
		return read_routes(value, len, o);
	case OPTION_DNS:
		return read_dns(value, len, o);
	case OPTION_SEARCH:
		return read_search(value, len, o);
	case OPTION_TOKEN:
		return read_token(value, len, o);
	case OPTION_ERROR:
		return read_error(value, len, o);
	case OPTION_RETRY:
		return read_u32(value, len, &o->has_retry, &o->retry_ms);
	case OPTION_WITHDRAWN:
		return read_withdrawn(value, len, o);
	default:
		return true;	/* of a later version */
	}
}

static bool read_options(const uint8_t *in, size_t len,
			 struct msg_options *options)
{
	const uint8_t *end = in + len;
	size_t value_len;

	while (in < end) {
		if (end - in < 2)
			return false;
		value_len = in[1];
		if ((size_t)(end - in) < 2 + value_len)
			return false;
		if (!read_option(in[0], in + 2, value_len, options))
			return false;
		in += 2 + value_len;
	}
	/* In whatever order they came: what is there is not withdrawn. */
	options->no_routes &= options->n_routes == 0;
	options->no_dns &= options->n_dns == 0;
	options->no_search &= options->search[0] == '\0';
	return true;
}

bool msg_read_reply(const uint8_t *in, size_t len, struct msg_reply *reply)
{
	struct msg_reply read = { 0 };

	if (len < FRAME_CONTROL_LEN)
		return false;
	read.address = load_be32(in + 16);
	/* A base server echoes whatever identification a base client chose;
	 * only a capable one sets the total length too. */
	read.capable = load_be16(in + 4) == IDENTIFICATION_REPLY &&
		       load_be16(in + 2) == len;
	if (read.capable) {
		read.version = in[9];
		read.flags = load_be16(in + 10);
		if (!read_options(in + FRAME_CONTROL_LEN,
				  len - FRAME_CONTROL_LEN, &read.options))
			return false;
	}
	*reply = read;
	return true;
}

void msg_write_keepalive(uint8_t out[FRAME_CONTROL_LEN])
{
	write_control(out, UINT32_MAX, UINT32_MAX);
}

const char *msg_error_text(uint16_t error)
{
	static const char *const texts[MSG_N_ERRORS] = {
		[MSG_ERROR_NONE] = "no reason given",
		[MSG_ERROR_ADDRESS_TAKEN] = "the address is in use",
		[MSG_ERROR_ADDRESS_NOT_ALLOWED] =
			"the address is not to be had in this network",
		[MSG_ERROR_POOL_EMPTY] = "no address is free",
		[MSG_ERROR_SERVER_FULL] = "the server is full",
		[MSG_ERROR_RESTARTING] = "the server is restarting",
	};

	if (error >= MSG_N_ERRORS)
		return "the server refused";
	return texts[error];
}
