/* credential.c - see credential.h. */
#include "base.h"

#include "command.h"
#include "credential.h"
#include "output.h"
#include "private_file.h"
#include "terminal.h"

enum { LINES_MAX = 2 };

void
credential_wipe(char *password)
{
	if (password)
		private_file_wipe(password, strlen(password));
}

/* Cuts text into lines; false: there are fewer. */
static bool
split(const char *text, char **lines_r, int count)
{
	for (int i = 0; i < count; i++) {
		size_t len = strcspn(text, "\r\n");

		if (!*text) {
			while (i > 0)
				credential_wipe(lines_r[--i]);
			return false;
		}
		lines_r[i] = mem_string(text);
		memset(lines_r[i] + len, 0, strlen(lines_r[i] + len));
		text += len;
		text += *text == '\r';
		text += *text == '\n';
	}
	return true;
}

bool
credential_lines(const char *path, const char *next, char **lines_r, int count)
{
	char *text = NULL, *why = NULL;
	size_t len = 0;
	bool there = private_file_read(path, false, &text, &len, &why) && text, good = false;

	if (!there)
		output_error(CTL_FAILED, "cannot read the password.", why ? why : "there is no such file", next);
	else if (memchr(text, '\0', len))
		output_error(CTL_FAILED, "cannot read the password.", "there is a zero byte in it", next);
	else if (!(good = split(text, lines_r, count)))
		output_error(CTL_FAILED, "cannot read the password.",
		             count > 1 ? "the first line must be the current password, the second the new one" : "it is empty",
		             next);
	if (text)
		private_file_wipe(text, len);
	free(why);
	return good;
}

static enum ctl_exit
no_terminal(const struct ctl *ctl)
{
	char *next = NULL;
	enum ctl_exit code;

	INVARIANT(asprintf(&next, "agentctl %s%s%s --password-file FILE", ctl->command->name, ctl->args.count ? " " : "",
	                   ctl->args.count ? ctl->args.items[0] : "") >= 0);
	code = output_error(CTL_USAGE, "cannot ask for the password.", "standard input is not a terminal", next);
	free(next);
	return code;
}

static enum ctl_exit
ask(const struct ctl *ctl, char **current_r, char **new_r)
{
	char *again;
	bool same;

	if (current_r && !(*current_r = terminal_ask("Current password: ", true)))
		return no_terminal(ctl);
	*new_r = terminal_ask("New password: ", true);
	again = *new_r ? terminal_ask("New password again: ", true) : NULL;
	same = again && strcmp(*new_r, again) == 0;
	credential_wipe(again);
	if (!*new_r)
		return no_terminal(ctl);
	return same ? CTL_DONE
	            : output_error(CTL_FAILED, "nothing was done.", "the two new passwords are not the same", NULL);
}

enum ctl_exit
credential_new(const struct ctl *ctl, char **current_r, char **new_r)
{
	const char *path = ctl_option(ctl, OPTION_PASSWORD_FILE);
	char *current = NULL, *new = NULL, *lines[LINES_MAX];
	enum ctl_exit code = CTL_DONE;

	if (!path) {
		code = ask(ctl, current_r ? &current : NULL, &new);
	} else if (!credential_lines(path, NULL, lines, current_r ? 2 : 1)) {
		return CTL_FAILED;
	} else {
		new = lines[current_r ? 1 : 0];
		current = current_r ? lines[0] : NULL;
	}
	if (code != CTL_DONE) {
		credential_wipe(current);
		credential_wipe(new);
		return code;
	}
	if (current_r)
		*current_r = current;
	*new_r = new;
	return CTL_DONE;
}
