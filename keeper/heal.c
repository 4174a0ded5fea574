/* heal.c - see heal.h. */
#include "heal.h"

static void
begin_window(struct heal *heal, int64_t now_us)
{
	if (heal->window_us && now_us - heal->window_us < HEAL_WINDOW_US)
		return;
	heal->window_us = now_us;
	heal->tries = 0;
	heal->given_up = false;
}

enum heal_step
heal_next(struct heal *heal, bool unwell, bool well, int64_t pause_us, int64_t now_us)
{
	if (well && heal->open) {
		heal->open = false;
		return HEAL_RECOVERED;
	}
	if (!unwell || now_us < heal->next_us)
		return HEAL_NOTHING;
	begin_window(heal, now_us);
	if (heal->tries >= HEAL_TRIES) {
		if (heal->given_up)
			return HEAL_NOTHING;
		heal->given_up = true;
		heal->open = false;
		return HEAL_GIVE_UP;
	}
	for (int i = 0; i < heal->tries && pause_us < HEAL_PAUSE_MOST_US; i++)
		pause_us *= 2;
	heal->next_us = now_us + MIN(pause_us, HEAL_PAUSE_MOST_US);
	heal->tries++;
	heal->open = true;
	return HEAL_TRY;
}
