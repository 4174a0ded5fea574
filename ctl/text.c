/* text.c - escaping and measuring of text for terminals. */
#include "base.h"

#include "text.h"

#include <langinfo.h>
#include <locale.h>
#include <wchar.h>

void
text_init(void)
{
	if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

size_t
text_decode(const char *text, size_t len, uint32_t *character_r)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *at = (const uint8_t *)text;
	size_t need;
	uint32_t character;

	if (len == 0)
		return 0;
	need = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
	if (need == 0 || need > len)
		return 0;
	character = need == 1 ? at[0] : at[0] & (0x7fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (at[i] & 0x3f);
	}
	if (character < smallest[need] || character > 0x10ffff || (character >= 0xd800 && character < 0xe000))
		return 0;
	*character_r = character;
	return need;
}

size_t
text_valid_length(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len) {
		uint32_t character;
		size_t size = text_decode(text + at, len - at, &character);

		if (size == 0)
			break;
		at += size;
	}
	return at;
}

bool
text_is_unsafe(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x200e || character == 0x200f ||
	       (character >= 0x2028 && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069) ||
	       character == 0x061c || character == 0xfeff;
}

static char *
escape(const char *text, size_t len, bool keep_lines)
{
	char *copy = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&copy, &size);

	INVARIANT(out);
	for (size_t at = 0, step; at < len; at += step) {
		uint32_t character = (uint8_t)text[at];

		step = text_decode(text + at, len - at, &character);
		if (step == 0 || (step == 1 && text_is_unsafe(character))) {
			if (step && keep_lines && (character == '\n' || character == '\t'))
				fputc((int)character, out);
			else if (step && character == '\n')
				fputs("\\n", out);
			else
				fprintf(out, "\\x%02x", (unsigned)(uint8_t)text[at]);
			step = 1;
		} else if (text_is_unsafe(character)) {
			fprintf(out, "\\u{%04x}", (unsigned)character);
		} else {
			fwrite(text + at, 1, step, out);
		}
	}
	fclose(out);
	INVARIANT(copy);
	return copy;
}

char *
text_escape(const char *text, size_t len)
{
	return escape(text, len, false);
}

char *
text_escape_lines(const char *text, size_t len)
{
	return escape(text, len, true);
}

/* The columns of one character; what wcwidth() does not know takes one. */
static int
character_width(uint32_t character)
{
	int width = wcwidth((wchar_t)character);

	return width < 0 ? 1 : width;
}

/* How many bytes of text fit in width columns; *used_r columns. */
static size_t
fitting(const char *text, int width, int *used_r)
{
	size_t len = strlen(text), at = 0;

	*used_r = 0;
	while (at < len) {
		uint32_t character = '?';
		size_t size = text_decode(text + at, len - at, &character);
		int columns = character_width(character);

		if (*used_r + columns > width)
			break;
		*used_r += columns;
		at += size ? size : 1;
	}
	return at;
}

int
text_width(const char *text)
{
	int used;

	(void)fitting(text, INT32_MAX, &used);
	return used;
}

void
text_write_fitted(FILE *out, const char *text, int width)
{
	int used;
	size_t len;

	if (width <= 0) {
		fputs(text, out);
		return;
	}
	len = fitting(text, width, &used);
	if (text[len]) {
		len = fitting(text, width - 1, &used);
		fprintf(out, "%.*s…", (int)len, text);
		used++;
	} else {
		fputs(text, out);
	}
	fprintf(out, "%*s", MAX(width - used, 0), "");
}
