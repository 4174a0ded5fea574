/* duration.c - the only place where agentctl asks what time it is. */
#include "base.h"

#include "duration.h"

#include <errno.h>
#include <sys/random.h>

static int64_t
read_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
duration_now_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t
duration_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

void
duration_sleep_ms(int64_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (ms > 0 && nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

void
duration_format(int64_t ms, char out[DURATION_TEXT_SIZE])
{
	long seconds = (long)(ms / 1000);

	if (ms < 1000)
		snprintf(out, DURATION_TEXT_SIZE, "%ld ms", (long)MAX(ms, 0));
	else if (seconds < 60)
		snprintf(out, DURATION_TEXT_SIZE, "%ld.%ld s", seconds, (long)(ms % 1000 / 100));
	else if (seconds < 3600)
		snprintf(out, DURATION_TEXT_SIZE, "%ld min %02ld s", seconds / 60, seconds % 60);
	else
		snprintf(out, DURATION_TEXT_SIZE, "%ld h %02ld min", seconds / 3600, seconds % 3600 / 60);
}

bool
duration_parse_time(const char *text, int64_t *wall_ms_r)
{
	struct tm parts = {0};
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
	int64_t ms = 0, digit = 100;

	if (!rest)
		return false;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, digit /= 10)
			ms += (*rest - '0') * digit;
	if (strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
		return false;
	*wall_ms_r = (int64_t)timegm(&parts) * 1000 + ms;
	return true;
}

void
duration_format_time(int64_t wall_ms, char out[DURATION_TEXT_SIZE])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm parts;
	size_t len;

	gmtime_r(&seconds, &parts);
	len = strftime(out, DURATION_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(out + len, DURATION_TEXT_SIZE - len, ".%03dZ", (int)(wall_ms % 1000));
}

int64_t
duration_jitter(int64_t ms)
{
	uint32_t chance = 0;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance))
		chance = (uint32_t)duration_now_ms() * 2654435761u;
	return ms / 2 + (int64_t)(chance % (uint32_t)(MAX(ms, 2) / 2 + 1));
}
