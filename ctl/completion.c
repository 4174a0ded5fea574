/*
 * completion.c - agentctl completion: scripts for bash, zsh and fish, made from the command table.
 *
 * Each script strips the options from the words typed so far; what is left names a prefix of commands (then the next
 * words are offered) or a command (then its options are).
 */
#include "base.h"

#include "command.h"
#include "output.h"

struct dialect {
	void (*word)(const char *word, const char *doc);
	void (*option)(enum option_id id);
	/* Before and after the words or options that may follow `words`. */
	void (*begin)(const char *words);
	void (*end)(void);
};

/* A text in single quotes, for a shell; in zsh's lists a colon ends the word. */
static void
print_quoted(const char *text, bool is_word)
{
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (*text == ':' && is_word)
			fputs("\\:", stdout);
		else
			putchar(*text);
}

/* The words of value, if it is a choice ("skip|queue|cancel"). */
static bool
is_choice(const char *value)
{
	return value && strchr(value, '|') && strcspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(value);
}

static bool
is_file(const char *value)
{
	return value && (strstr(value, "FILE") || strstr(value, "PATH"));
}

static void
print_choices(const char *value)
{
	for (; *value; value++)
		putchar(*value == '|' ? ' ' : *value);
}

/* "-o|--output": every way to write an option that takes a value, where want is true of it. */
static void
print_patterns(bool (*want)(const char *value), const char *between)
{
	bool first = true;

	for (enum option_id i = 0; i < OPTION_COUNT; i++) {
		const struct option_spec *spec = &option_specs[i];

		if (!spec->value || (want && !want(spec->value)))
			continue;
		if (spec->letter)
			printf("%s-%c", first ? "" : between, spec->letter), first = false;
		printf("%s--%s", first ? "" : between, spec->name);
		first = false;
	}
}

/* Each word that may follow the prefix (NULL: at the beginning), once. */
static void
each_next_word(const char *prefix, void (*word)(const char *, const char *))
{
	size_t len = prefix ? strlen(prefix) : 0;
	char last[64] = "";

	for (int i = 0; i < command_group_count; i++)
		for (const struct command *command = command_groups[i].commands; command->name; command++) {
			const char *rest = command->name + (prefix ? len + 1 : 0);
			char next[64];

			if (prefix && (strncmp(command->name, prefix, len) != 0 || command->name[len] != ' '))
				continue;
			snprintf(next, sizeof(next), "%.*s", (int)strcspn(rest, " "), rest);
			if (strcmp(next, last) == 0)
				continue;
			snprintf(last, sizeof(last), "%s", next);
			word(next, rest[strlen(next)] ? (prefix ? "more commands" : command_groups[i].doc) : command->doc);
		}
}

/* Calls for every proper prefix of a command of several words: "task", "task dead". They come in blocks. */
static void
each_prefix(const struct dialect *dialect)
{
	char last[64] = "";

	for (int i = 0; i < command_group_count; i++)
		for (const struct command *command = command_groups[i].commands; command->name; command++)
			for (const char *space = strchr(command->name, ' '); space; space = strchr(space + 1, ' ')) {
				char prefix[64];

				snprintf(prefix, sizeof(prefix), "%.*s", (int)(space - command->name), command->name);
				/* A longer prefix comes after its own beginning, which is not to come again after it. */
				if (strncmp(last, prefix, strlen(prefix)) == 0)
					continue;
				snprintf(last, sizeof(last), "%s", prefix);
				dialect->begin(prefix);
				each_next_word(prefix, dialect->word);
				dialect->end();
			}
}

static void
each_command(const struct dialect *dialect)
{
	for (int i = 0; i < command_group_count; i++)
		for (const struct command *command = command_groups[i].commands; command->name; command++) {
			dialect->begin(command->name);
			for (enum option_id id = 0; id < OPTION_COUNT; id++)
				if (command_takes(command, id))
					dialect->option(id);
			dialect->end();
		}
}

static void
bash_word(const char *word, const char *doc UNUSED)
{
	printf(" %s", word);
}

static void
bash_option(enum option_id id)
{
	printf(" --%s", option_specs[id].name);
}

static void
bash_begin_words(const char *words)
{
	printf("\t'%s') next='", words);
}

static void
bash_end_words(void)
{
	puts("' ;;");
}

static void
bash_begin_options(const char *words)
{
	printf("\t\t'%s') next='", words);
}

static void
bash_end_options(void)
{
	puts("'; break ;;");
}

static void
print_bash(void)
{
	static const struct dialect words = {bash_word, bash_option, bash_begin_words, bash_end_words};
	static const struct dialect options = {bash_word, bash_option, bash_begin_options, bash_end_options};

	fputs("# Completion of agentctl for bash: source <(agentctl completion bash)\n_agentctl()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} typed=() next='' i n\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tcase ${COMP_WORDS[i]} in\n\t\t",
	      stdout);
	print_patterns(NULL, "|");
	fputs(") ((i++)) ;;\n\t\t-*) ;;\n\t\t*) typed+=(\"${COMP_WORDS[i]}\") ;;\n\t\tesac\n\tdone\n"
	      "\tcase ${COMP_WORDS[COMP_CWORD - 1]} in\n\t",
	      stdout);
	print_patterns(is_file, "|");
	puts(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;");
	for (enum option_id i = 0; i < OPTION_COUNT; i++)
		if (is_choice(option_specs[i].value)) {
			printf(option_specs[i].letter ? "\t-%c|" : "\t", option_specs[i].letter);
			printf("--%s) COMPREPLY=($(compgen -W '", option_specs[i].name);
			print_choices(option_specs[i].value);
			puts("' -- \"$cur\")); return ;;");
		}
	fputs("\t", stdout);
	print_patterns(NULL, "|");
	fputs(") return ;;\n\tesac\n\tif [[ $cur == -* ]]; then\n"
	      "\t\tfor ((n = ${#typed[@]}; n > 0; n--)); do\n\t\tcase \"${typed[*]:0:n}\" in\n",
	      stdout);
	each_command(&options);
	fputs("\t\tesac\n\t\tdone\n\telse\n\tcase \"${typed[*]}\" in\n\t'') next='", stdout);
	each_next_word(NULL, bash_word);
	puts("' ;;");
	each_prefix(&words);
	puts("\t'completion') next='bash zsh fish' ;;\n\tesac\n\tfi\n"
	     "\tCOMPREPLY=($(compgen -W \"$next\" -- \"$cur\"))\n}\ncomplete -o default -F _agentctl agentctl");
}

static void
zsh_word(const char *word, const char *doc)
{
	printf(" '%s:", word);
	print_quoted(doc, false);
	putchar('\'');
}

static void
zsh_option(enum option_id id)
{
	printf(" '--%s:", option_specs[id].name);
	print_quoted(option_specs[id].doc, false);
	putchar('\'');
}

static void
zsh_begin_words(const char *words)
{
	printf("\t('%s') next=(", words);
}

static void
zsh_end_words(void)
{
	puts(") ;;");
}

static void
zsh_begin_options(const char *words)
{
	printf("\t\t('%s') next=(", words);
}

static void
zsh_end_options(void)
{
	puts("); break ;;");
}

static void
print_zsh(void)
{
	static const struct dialect words = {zsh_word, zsh_option, zsh_begin_words, zsh_end_words};
	static const struct dialect options = {zsh_word, zsh_option, zsh_begin_options, zsh_end_options};

	fputs("#compdef agentctl\n# Completion of agentctl for zsh: source <(agentctl completion zsh)\n_agentctl()\n{\n"
	      "\tlocal -a typed next\n\tlocal i n\n\tfor ((i = 2; i < CURRENT; i++)); do\n\t\tcase ${words[i]} in\n\t\t(",
	      stdout);
	print_patterns(NULL, "|");
	fputs(") ((i++)) ;;\n\t\t(-*) ;;\n\t\t(*) typed+=(\"${words[i]}\") ;;\n\t\tesac\n\tdone\n"
	      "\tcase ${words[CURRENT - 1]} in\n\t(",
	      stdout);
	print_patterns(is_file, "|");
	puts(") _files; return ;;");
	for (enum option_id i = 0; i < OPTION_COUNT; i++)
		if (is_choice(option_specs[i].value)) {
			printf(option_specs[i].letter ? "\t(-%c|" : "\t(", option_specs[i].letter);
			printf("--%s) compadd -- ", option_specs[i].name);
			print_choices(option_specs[i].value);
			puts("; return ;;");
		}
	fputs("\t(", stdout);
	print_patterns(NULL, "|");
	fputs(") return ;;\n\tesac\n\tif [[ $PREFIX == -* ]]; then\n"
	      "\t\tfor ((n = ${#typed}; n > 0; n--)); do\n\t\tcase \"${(j: :)typed[1,n]}\" in\n",
	      stdout);
	each_command(&options);
	fputs("\t\tesac\n\t\tdone\n\telse\n\tcase \"${(j: :)typed}\" in\n\t('') next=(", stdout);
	each_next_word(NULL, zsh_word);
	puts(") ;;");
	each_prefix(&words);
	puts("\t('completion') next=(bash zsh fish) ;;\n\tesac\n\tfi\n\t_describe agentctl next || _files\n}\n"
	     "if [[ ${funcstack[1]} == _agentctl ]]; then _agentctl \"$@\"; else compdef _agentctl agentctl; fi");
}

/* What the words typed so far are, for the conditions of the lines that follow. */
static const char *fish_typed;

static void
fish_word(const char *word, const char *doc)
{
	printf("complete -c agentctl -f -n '__agentctl_at \"%s\"' -a %s -d '", fish_typed, word);
	print_quoted(doc, false);
	puts("'");
}

static void
fish_option(enum option_id id)
{
	const struct option_spec *spec = &option_specs[id];

	printf("complete -c agentctl -n '__agentctl_in \"%s\"' -l %s", fish_typed, spec->name);
	if (spec->letter)
		printf(" -s %c", spec->letter);
	if (spec->value)
		fputs(is_file(spec->value) ? " -r" : " -x", stdout);
	if (is_choice(spec->value)) {
		fputs(" -a '", stdout);
		print_choices(spec->value);
		putchar('\'');
	}
	fputs(" -d '", stdout);
	print_quoted(spec->doc, false);
	puts("'");
}

static void
fish_begin(const char *words)
{
	fish_typed = words;
}

static void
fish_end(void)
{
	fish_typed = "";
}

static void
print_fish(void)
{
	static const struct dialect dialect = {fish_word, fish_option, fish_begin, fish_end};

	fputs("# Completion of agentctl for fish: agentctl completion fish | source\n"
	      "function __agentctl_typed\n\tset -l typed\n\tset -l skip 0\n\tfor word in (commandline -opc)[2..-1]\n"
	      "\t\tif test $skip = 1\n\t\t\tset skip 0\n\t\t\tcontinue\n\t\tend\n\t\tswitch $word\n\t\t\tcase ",
	      stdout);
	print_patterns(NULL, " ");
	puts("\n\t\t\t\tset skip 1\n\t\t\tcase '-*'\n\t\t\tcase '*'\n\t\t\t\tset -a typed $word\n\t\tend\n\tend\n"
	     "\techo \"$typed\"\nend\n"
	     "function __agentctl_at\n\ttest (__agentctl_typed) = \"$argv[1]\"\nend\n"
	     "function __agentctl_in\n\tstring match -q -- \"$argv[1] *\" (__agentctl_typed)\" \"\nend");
	fish_typed = "";
	each_next_word(NULL, fish_word);
	each_prefix(&dialect);
	each_command(&dialect);
	puts("complete -c agentctl -f -n '__agentctl_at \"completion\"' -a 'bash zsh fish'");
}

static enum ctl_exit
print_completion(struct ctl *ctl)
{
	const char *shell = ctl->args.items[0];

	if (strcmp(shell, "bash") == 0)
		print_bash();
	else if (strcmp(shell, "zsh") == 0)
		print_zsh();
	else if (strcmp(shell, "fish") == 0)
		print_fish();
	else
		return output_error(CTL_USAGE, "wrong usage.", "the shell must be bash, zsh or fish",
		                    "agentctl completion bash");
	return CTL_DONE;
}

const struct command completion_commands[] = {
    {"completion", "SHELL", "print the completion for bash, zsh or fish", NULL, print_completion, .offline = true,
     .more = "bash: source <(agentctl completion bash)       zsh: source <(agentctl completion zsh)\n"
             "fish: agentctl completion fish | source"},
    {0},
};
