/* SPDX-License-Identifier: MIT */
/*
 * The test vectors of docs/protocol.md, read from that very file and decoded.
 * TOP names the directory above docs (default: the current one).
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "proto/ippkt.h"
#include "proto/msg.h"
#include "tests/unit/proto_test.h"

enum {
	MIN_VECTORS = 50,	/* fewer: parser or document is broken */
	MAX_VECTORS = 200,
	MAX_FIELDS = 24,
	LINE_SIZE = 256,
	BYTES_SIZE = 4096,
};

struct field {
	char key[32];
	char value[LINE_SIZE];
};

struct vector {
	int line;		/* in the document, for messages */
	struct field fields[MAX_FIELDS];
	size_t n_fields;
	uint8_t bytes[BYTES_SIZE];
	size_t len;
};

static struct vector vectors[MAX_VECTORS];
static size_t n_vectors;

/* What the decoders make of a vector, as the document writes it. */
struct reading {
	struct field fields[MAX_FIELDS];
	size_t n;
};

static void note(struct reading *r, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void note(struct reading *r, const char *key, const char *format, ...)
{
	struct field *field = &r->fields[r->n++];
	va_list arguments;

	ck_assert_uint_le(r->n, MAX_FIELDS);
	snprintf(field->key, sizeof(field->key), "%s", key);
	va_start(arguments, format);
	vsnprintf(field->value, sizeof(field->value), format, arguments);
	va_end(arguments);
}

static const char *find(const struct field *fields, size_t n, const char *key)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(fields[i].key, key) == 0)
			return fields[i].value;
	return NULL;
}

static const char *wanted(const struct vector *v, const char *key)
{
	return find(v->fields, v->n_fields, key);
}

/* ---- the document ---- */

static void add_repeat(struct vector *v, const char *text)
{
	char *end;
	size_t n = strtoul(text, &end, 10);
	int value = (int)strtoul(end, NULL, 16);

	ck_assert_uint_le(n, sizeof(v->bytes) - v->len);
	memset(v->bytes + v->len, value, n);
	v->len += n;
}

static void add_line(struct vector *v, const char *line)
{
	struct field *field = &v->fields[v->n_fields];
	const char *space = strchr(line, ' ');
	const char *value = space ? space + 1 : "";
	int key_len = space ? (int)(space - line) : (int)strlen(line);

	if (strncmp(line, "bytes ", 6) == 0) {
		v->len += from_hex(value, v->bytes + v->len,
				   sizeof(v->bytes) - v->len);
		return;
	}
	if (strncmp(line, "repeat ", 7) == 0) {
		add_repeat(v, value);
		return;
	}
	ck_assert_uint_lt(v->n_fields++, MAX_FIELDS);
	snprintf(field->key, sizeof(field->key), "%.*s", key_len, line);
	snprintf(field->value, sizeof(field->value), "%s", value);
}

static void read_document(void)
{
	const char *top = getenv("TOP");
	char path[1024], line[LINE_SIZE];
	struct vector *v = NULL;
	FILE *file;
	int number = 0;

	snprintf(path, sizeof(path), "%s/docs/protocol.md", top ? top : ".");
	file = fopen(path, "r");
	if (!file)
		ck_abort_msg("cannot read %s", path);
	n_vectors = 0;
	while (fgets(line, sizeof(line), file)) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "```vector") == 0) {
			ck_assert_uint_lt(n_vectors, MAX_VECTORS);
			v = &vectors[n_vectors++];
			memset(v, 0, sizeof(*v));
			v->line = number;
		} else if (strcmp(line, "```") == 0) {
			v = NULL;
		} else if (v) {
			add_line(v, line);
		}
	}
	fclose(file);
}

/* ---- what the decoders say ---- */

static const char *yes_no(bool value)
{
	return value ? "yes" : "no";
}

static void note_address(struct reading *r, const char *key, uint32_t address)
{
	note(r, key, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
	     address >> 8 & 255, address & 255);
}

/* Append to the value that was noted last; a prefix length under 0: none. */
static void append(struct reading *r, uint32_t address, int prefix_len)
{
	struct in_addr in = { .s_addr = htonl(address) };
	char *value = r->fields[r->n - 1].value;
	char text[INET_ADDRSTRLEN];
	size_t used = strlen(value);

	inet_ntop(AF_INET, &in, text, sizeof(text));
	used += (size_t)snprintf(value + used, LINE_SIZE - used, "%s%s",
				 used > 0 ? " " : "", text);
	if (prefix_len >= 0)
		snprintf(value + used, LINE_SIZE - used, "/%d", prefix_len);
}

static void note_lists(struct reading *r, const struct msg_options *o)
{
	char *value;
	size_t i;

	if (o->n_routes > 0)
		note(r, "routes", "%s", "");
	for (i = 0; i < o->n_routes; i++)
		append(r, o->routes[i].network, o->routes[i].prefix_len);
	if (o->n_dns > 0)
		note(r, "dns", "%s", "");
	for (i = 0; i < o->n_dns; i++)
		append(r, o->dns[i], -1);
	if (o->token_len == 0)
		return;
	note(r, "token", "%s", "");
	value = r->fields[r->n - 1].value;
	for (i = 0; i < o->token_len; i++)
		snprintf(value + 2 * i, 3, "%02x", o->token[i]);
}

static void note_withdrawn(struct reading *r, const struct msg_options *o)
{
	char text[LINE_SIZE];

	snprintf(text, sizeof(text), "%s%s%s", o->no_routes ? " routes" : "",
		 o->no_dns ? " dns" : "", o->no_search ? " search" : "");
	if (text[0] != '\0')
		note(r, "withdrawn", "%s", text + 1);
}

static void note_options(struct reading *r, const struct msg_options *o)
{
	if (o->has_prefix_len)
		note(r, "prefix_length", "%u", o->prefix_len);
	if (o->has_server)
		note_address(r, "server", o->server);
	if (o->has_mtu)
		note(r, "mtu", "%u", o->mtu);
	if (o->has_keepalive)
		note(r, "keepalive", "%u", o->keepalive_s);
	if (o->has_idle_timeout)
		note(r, "idle_timeout", "%u", o->idle_timeout_s);
	if (o->has_retry)
		note(r, "retry", "%u", o->retry_ms);
	if (o->search[0] != '\0')
		note(r, "search", "%s", o->search);
	if (o->has_error) {
		note(r, "error_code", "%u", o->error);
		note(r, "error_text", "%s", o->error_text);
	}
	note_lists(r, o);
	note_withdrawn(r, o);
}

static void note_reply(struct reading *r, const struct frame_rules *rules,
		       const uint8_t *bytes, uint32_t len)
{
	struct msg_reply reply;

	if (!msg_read_reply(bytes, len, &reply)) {
		note(r, "malformed", "yes");
		return;
	}
	note_address(r, "address", reply.address);
	note(r, "capable", "%s", yes_no(reply.capable && rules->capable));
	note(r, "version", "%u", reply.version);
	note(r, "flags", "0x%04x", reply.flags);
	note_options(r, &reply.options);
}

static void note_request(struct reading *r, const uint8_t *bytes)
{
	struct msg_request request;

	msg_read_request(bytes, &request);
	note_address(r, "wanted", request.wanted);
	note(r, "capable", "%s", yes_no(request.capable));
	note(r, "version", "%u", request.version);
	note(r, "flags", "0x%04x", request.flags);
}

static struct frame_rules read_rules(const struct vector *v)
{
	const char *from = wanted(v, "from"), *state = wanted(v, "state");
	const char *limit = wanted(v, "limit");
	struct frame_rules rules = { .max_packet = FRAME_MAX_PACKET };

	if (!from || !state)
		ck_abort_msg("line %d: no from or no state", v->line);
	rules.from_server = strcmp(from, "server") == 0;
	rules.joined = strstr(state, "joined") != NULL;
	rules.capable = strstr(state, "capable") != NULL;
	rules.segments = strstr(state, "segments") != NULL;
	if (limit)
		rules.max_packet = (uint32_t)strtoul(limit, NULL, 10);
	return rules;
}

static void decode(const struct vector *v, struct reading *r)
{
	static const char *const kinds[] = {
		[FRAME_MORE] = "more", [FRAME_REQUEST] = "request",
		[FRAME_REPLY] = "reply", [FRAME_KEEPALIVE] = "keepalive",
		[FRAME_IPV4] = "ipv4", [FRAME_IPV6] = "ipv6",
		[FRAME_BAD] = "bad",
	};
	const struct frame_rules rules = read_rules(v);
	const uint8_t *data;
	struct frame frame;

	frame_next(&rules, v->bytes, v->len, &frame);
	note(r, "kind", "%s", kinds[frame.kind]);
	if (frame.kind == FRAME_BAD)
		note(r, "error", "%s", frame_error_name(frame.error));
	else
		note(r, "length", "%u", frame.len);
	if (frame.kind == FRAME_REQUEST)
		note_request(r, v->bytes);
	if (frame.kind == FRAME_REPLY)
		note_reply(r, &rules, v->bytes, frame.len);
	if (frame.kind != FRAME_IPV4)
		return;
	data = v->bytes + frame.packet_offset;
	note(r, "packet_offset", "%u", frame.packet_offset);
	note(r, "segment_size", "%u", frame.segment_size);
	note(r, "checksum_partial", "%s", yes_no(frame.checksum_partial));
	note_address(r, "source", ippkt_source(data));
	note_address(r, "destination", ippkt_destination(data));
}

static bool is_input(const char *key)
{
	return strcmp(key, "name") == 0 || strcmp(key, "from") == 0 ||
	       strcmp(key, "state") == 0 || strcmp(key, "limit") == 0;
}

static void check_vector(const struct vector *v)
{
	struct reading reading = { .n = 0 };
	const char *name = wanted(v, "name"), *value;
	size_t i;

	if (!name || !wanted(v, "kind"))
		ck_abort_msg("line %d: no name or no kind", v->line);
	decode(v, &reading);
	for (i = 0; i < v->n_fields; i++) {
		if (is_input(v->fields[i].key))
			continue;
		value = find(reading.fields, reading.n, v->fields[i].key);
		if (!value || strcmp(value, v->fields[i].value) != 0)
			ck_abort_msg("line %d, %s: %s is %s, not %s", v->line,
				     name, v->fields[i].key,
				     value ? value : "missing",
				     v->fields[i].value);
	}
}

START_TEST(vectors_document_has_as_many_as_expected)
{
	read_document();
	ck_assert_uint_ge(n_vectors, MIN_VECTORS);
}
END_TEST

START_TEST(vectors_all_decode_as_documented)
{
	size_t i;

	read_document();
	for (i = 0; i < n_vectors; i++)
		check_vector(&vectors[i]);
}
END_TEST

/* Less of the bytes must ask for more, whatever the whole is. */
START_TEST(vectors_cut_short_ask_for_more)
{
	struct frame_rules rules;
	struct frame whole, part;
	const struct vector *v;
	size_t i, len;

	read_document();
	for (i = 0; i < n_vectors; i++) {
		v = &vectors[i];
		rules = read_rules(v);
		if (frame_next(&rules, v->bytes, v->len, &whole) == FRAME_BAD)
			continue;
		for (len = 0; len < whole.len && len < v->len; len++)
			if (frame_next(&rules, v->bytes, len, &part) !=
			    FRAME_MORE || part.len <= len ||
			    part.len > whole.len)
				ck_abort_msg("line %d: %zu bytes of it",
					     v->line, len);
	}
}
END_TEST

static uint32_t header_sum(const uint8_t *packet)
{
	uint32_t sum = 0, i;

	for (i = 0; i < ippkt_header_len(packet); i += 2)
		sum += load_be16(packet + i);
	return (sum & 0xffff) + (sum >> 16);
}

/* Complete IPv4 packets of the document are right down to the checksum. */
START_TEST(vectors_packets_have_good_header_checksums)
{
	struct frame_rules rules;
	struct frame frame;
	const uint8_t *data;
	size_t i;

	read_document();
	for (i = 0; i < n_vectors; i++) {
		rules = read_rules(&vectors[i]);
		if (frame_next(&rules, vectors[i].bytes, vectors[i].len,
			       &frame) != FRAME_IPV4)
			continue;
		data = vectors[i].bytes + frame.packet_offset;
		if (header_sum(data) != 0xffff)
			ck_abort_msg("line %d", vectors[i].line);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vectors");
	TCase *tcase = tcase_create("vectors");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, vectors_document_has_as_many_as_expected);
	tcase_add_test(tcase, vectors_all_decode_as_documented);
	tcase_add_test(tcase, vectors_cut_short_ask_for_more);
	tcase_add_test(tcase, vectors_packets_have_good_header_checksums);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
