/* limit_script.h - limit.lua as text: what it takes and answers stands in its head. */
#ifndef AGENTD_LIMIT_SCRIPT_H
#define AGENTD_LIMIT_SCRIPT_H

extern const char limit_script_text[];

/* Words before those of the counters, words for each counter; numbers before those of the counters, for each counter.
 */
enum { LIMIT_SCRIPT_WORDS = 5, LIMIT_SCRIPT_COUNTER_WORDS = 6, LIMIT_SCRIPT_HEAD = 3, LIMIT_SCRIPT_ANSWERS = 5 };

#endif
