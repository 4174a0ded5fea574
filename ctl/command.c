/* command.c - the list of command groups, and how a command is found in it. */
#include "base.h"

#include "command.h"

#include <limits.h>

const struct command_group command_groups[] = {
    {NULL, NULL, login_commands},
    {"session", "where you are logged in", session_commands},
    {NULL, NULL, system_commands},
    {"health", "how the server is, and what it healed by itself", health_commands},
    {NULL, NULL, doctor_commands},
    {NULL, NULL, top_commands},
    {"workflow", "start workflows, watch them, and change their course", workflow_commands},
    {"template", "keep graphs of tasks under a name", template_commands},
    {"schedule", "start workflows by the clock", schedule_commands},
    {"task", "see, make and steer single tasks; the dead ones too", task_commands},
    {"config", "see the settings, and change some while the server runs", config_commands},
    {"audit", "see who changed what, and whether that record is whole", audit_commands},
    {"alert", "be told when something is wrong", alert_commands},
    {"limit", "bound how many tasks run at once or start in a time", limit_commands},
    {"agent", "see the agents, what they do and how well", agent_commands},
    {"message", "send messages between agents and read them", message_commands},
    {"memory", "the memory that agents share", memory_commands},
    {"event", "what has happened, and what happens now", event_commands},
    {"user", "who may log in, with which role", user_commands},
    {NULL, NULL, password_commands},
    {"key", "API keys", key_commands},
    {"role", "what users and keys may do", role_commands},
    {"tenant", "keep tenants apart: make, bound and end them", tenant_commands},
    {NULL, NULL, work_commands},
    {NULL, NULL, api_commands},
    {NULL, NULL, completion_commands},
    {NULL, NULL, help_commands},
};
const int command_group_count = ARRAY_LENGTH(command_groups);

/* How many words of the list are the whole name; 0: it is not there. */
static int
match(const char *name, const struct option_words *words)
{
	for (int used = 0; used < words->count; used++) {
		size_t len = strcspn(name, " ");

		if (strlen(words->items[used]) != len || memcmp(words->items[used], name, len) != 0)
			return 0;
		if (!name[len])
			return used + 1;
		name += len + 1;
	}
	return 0;
}

const struct command *
command_find(const struct option_words *words, int *used_r)
{
	const struct command *found = NULL;

	*used_r = 0;
	for (int i = 0; i < command_group_count; i++)
		for (const struct command *command = command_groups[i].commands; command->name; command++) {
			int used = match(command->name, words);

			if (used > *used_r) {
				found = command;
				*used_r = used;
			}
		}
	return found;
}

const struct command *
command_named(const char *name)
{
	for (int i = 0; i < command_group_count; i++)
		for (const struct command *command = command_groups[i].commands; command->name; command++)
			if (strcmp(command->name, name) == 0)
				return command;
	return NULL;
}

const struct command_group *
command_group_named(const char *word)
{
	for (int i = 0; i < command_group_count; i++)
		if (command_groups[i].name && strcmp(command_groups[i].name, word) == 0)
			return &command_groups[i];
	return NULL;
}

int
command_least_args(const struct command *command, int *most_r)
{
	int least = 0;
	const char *at = command->args;

	*most_r = 0;
	while (at && *at) {
		size_t len = strcspn(at, " ");

		least += *at != '[';
		*most_r += *most_r < INT_MAX;
		if (len > 3 && memcmp(at + len - 3, "...", 3) == 0)
			*most_r = INT_MAX;
		at += len + (at[len] == ' ');
	}
	return least;
}

bool
command_takes(const struct command *command, enum option_id id)
{
	if (option_is_common(id))
		return true;
	for (const enum option_id *at = command->options; at && *at != OPTION_COUNT; at++)
		if (*at == id)
			return true;
	return false;
}
