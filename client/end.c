/* SPDX-License-Identifier: MIT */
/* How a connection ended, for people and for reconnect.c. */
#include "client/end.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/facts.h"
#include "common/log.h"

void end_set(struct end *end, enum reconnect_event event, const char *format,
	     ...)
{
	va_list arguments;

	end->event = event;
	va_start(arguments, format);
	vsnprintf(end->why, sizeof(end->why), format, arguments);
	va_end(arguments);
}

static bool is_about_address(uint16_t error)
{
	return error == MSG_ERROR_ADDRESS_TAKEN ||
	       error == MSG_ERROR_ADDRESS_NOT_ALLOWED;
}

void end_refused(struct end *end, const struct session *session)
{
	const struct msg_options *reason = &session->pushed;
	const char *text = reason->error_text[0] != '\0' ?
			   reason->error_text : msg_error_text(reason->error);
	char address[FACTS_ADDRESS_LEN];

	if (is_about_address(reason->error) && session->config.wanted != 0) {
		facts_address_text(session->config.wanted, address);
		end_set(end, RECONNECT_ADDRESS_REFUSED,
			"the server refused address %s: %s", address, text);
		return;
	}
	/* It sends everybody away: nothing is wrong with us. */
	if (reason->error == MSG_ERROR_RESTARTING) {
		end_set(end, RECONNECT_REFUSED, "%s", text);
		return;
	}
	end_set(end, is_about_address(reason->error) ?
		RECONNECT_ADDRESS_REFUSED : RECONNECT_REFUSED,
		"the server %s us: %s",
		session->address != 0 ? "disconnected" : "refused", text);
}

void end_closed(struct end *end, const struct session *session)
{
	if (session->state != SESSION_JOINING)
		end_set(end, RECONNECT_LOST, "the server closed the "
			"connection");
	else if (session->config.wanted != 0)
		end_set(end, RECONNECT_NO_REPLY, "address already in use (the "
			"server closed without a reply)");
	else
		end_set(end, RECONNECT_NO_REPLY, "the server closed without a "
			"reply");
}

/* Whether the reply was still missing when the time was over. */
void end_timed_out(struct end *end, const struct session *session)
{
	end_set(end, RECONNECT_LOST, session->address == 0 ?
		"the server did not answer the address request" :
		"the server does not answer");
}

void end_log(const struct end *end, uint64_t wait_ms,
	     const struct reconnect *before, const struct reconnect *now,
	     const char *server)
{
	const char *given_up = before->wanted != 0 && now->wanted == 0 ?
			       ", for any address" : "";

	if (wait_ms > 0 && now->n_servers > 1)
		log_warning("%s; next try in %" PRIu64 ".%" PRIu64 " s, at "
			    "%s%s", end->why, wait_ms / 1000,
			    wait_ms % 1000 / 100, server, given_up);
	else if (wait_ms > 0)
		log_warning("%s; next try in %" PRIu64 ".%" PRIu64 " s",
			    end->why, wait_ms / 1000, wait_ms % 1000 / 100);
	else if (now->server != before->server)
		log_warning("%s; trying %s%s", end->why, server, given_up);
	else
		log_warning("%s; asking for another address", end->why);
}
