/* SPDX-License-Identifier: MIT */
/* What the reasons for which connections end are called. */
#include "server/close_reason.h"

static const struct {
	const char *name, *text;
} reasons[] = {
	[CLOSE_NONE] = { "none", "?" },
	[CLOSE_BY_PEER] = { "by_client", "closed by the client" },
	[CLOSE_CONNECTION_LOST] = { "connection_lost", "connection lost" },
	[CLOSE_IDLE] = { "idle", "nothing heard for the idle timeout" },
	[CLOSE_NOT_JOINED] = { "not_joined", "no address request within 10 s" },
	[CLOSE_CROWDED_OUT] = { "crowded_out",
				"no address request yet, and others wait" },
	[CLOSE_PROTOCOL] = { "protocol", "not a message of the protocol" },
	[CLOSE_REFUSED] = { "refused", "refused" },
	[CLOSE_STALLED] = { "stalled", "takes no data" },
	[CLOSE_EVICTED] = { "evicted", "takes its data too slowly, and memory "
			    "is short" },
	[CLOSE_TAKEN_OVER] = { "taken_over", "its host has connected again" },
	[CLOSE_KICKED] = { "kicked", "closed by the operator" },
	[CLOSE_SHUTDOWN] = { "shutdown", "server shutting down" },
};

_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == CLOSE_N_REASONS,
	       "every close reason has a name");

const char *close_reason_name(enum close_reason reason)
{
	return reasons[reason].name;
}

const char *close_reason_text(enum close_reason reason)
{
	return reasons[reason].text;
}
