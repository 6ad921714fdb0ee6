/* SPDX-License-Identifier: MIT */
/* Who believes to hold which address; ledger.h has the theory of operation. */
#include "tests/scale/ledger.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint32_t LEAVING = 1U << 31;

struct ledger *ledger_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *map = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, sizeof(struct ledger)) == 0)
		map = mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
	close(fd);
	return map == MAP_FAILED ? NULL : map;
}

static _Atomic uint32_t *slot(struct ledger *ledger, uint32_t address)
{
	return &ledger->owner[address % LEDGER_ADDRESSES];
}

uint32_t ledger_claim(struct ledger *ledger, uint32_t address, uint32_t owner)
{
	uint32_t old = atomic_exchange(slot(ledger, address), owner);

	if ((old & LEAVING) != 0 || old == owner)
		return 0;
	return old;
}

static bool replace(struct ledger *ledger, uint32_t address, uint32_t from,
		    uint32_t to)
{
	return atomic_compare_exchange_strong(slot(ledger, address), &from, to);
}

void ledger_leave(struct ledger *ledger, uint32_t address, uint32_t owner)
{
	replace(ledger, address, owner, owner | LEAVING);
}

void ledger_stay(struct ledger *ledger, uint32_t address, uint32_t owner)
{
	replace(ledger, address, owner | LEAVING, owner);
}

void ledger_clear(struct ledger *ledger, uint32_t address, uint32_t owner)
{
	if (!replace(ledger, address, owner, 0))
		replace(ledger, address, owner | LEAVING, 0);
}

bool ledger_holds(struct ledger *ledger, uint32_t address, uint32_t owner)
{
	return (atomic_load(slot(ledger, address)) & ~LEAVING) == owner;
}

uint32_t ledger_count(struct ledger *ledger)
{
	uint32_t i, n = 0;

	for (i = 0; i < LEDGER_ADDRESSES; i++)
		if (atomic_load(&ledger->owner[i]) != 0)
			n++;
	return n;
}
