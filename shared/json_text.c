/*
 * json_text.c - see json_text.h. One pass without recursion: a bit a level says whether an object or an array is open.
 *
 * Each scan_ function starts at the first byte of what it is named for and leaves the position behind it, or, when it
 * fails, where the error was noticed.
 */
#include "json_text.h"

#include "json_read.h"
#include "utf8.h"

#include <limits.h>

struct scan {
	const char *at;
	const char *end;
	const char *nul; /* the first \u0000 */
	const char *reason;
	uint64_t objects; /* one bit a level: an object, else an array */
	int depth;
	int tokens;
	bool escapes; /* a backslash was seen in some string */
};

enum { END_OF_TEXT = -1 };

static bool
fail(struct scan *scan, const char *reason)
{
	scan->reason = reason;
	return false;
}

/* Skips space and returns the next byte without taking it. */
static int
peek(struct scan *scan)
{
	while (scan->at < scan->end && json_text_is_space(*scan->at))
		scan->at++;
	return scan->at < scan->end ? (unsigned char)*scan->at : END_OF_TEXT;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of the \uXXXX at at, or -1 when there is none. */
static int
code_unit(const char *at, const char *end)
{
	int unit = 0;

	if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static bool
is_surrogate(int unit, int first)
{
	return unit >= first && unit < first + 0x400;
}

static bool
scan_unicode_escape(struct scan *scan)
{
	int unit = code_unit(scan->at, scan->end);

	if (unit < 0)
		return fail(scan, "\\u must be followed by four hexadecimal digits.");
	if (unit == 0 && !scan->nul)
		scan->nul = scan->at;
	if (is_surrogate(unit, 0xDC00))
		return fail(scan, "A low surrogate (\\uDC00 to \\uDFFF) must come directly after a high one.");
	scan->at += 6;
	if (is_surrogate(unit, 0xD800)) {
		if (!is_surrogate(code_unit(scan->at, scan->end), 0xDC00))
			return fail(scan, "A high surrogate (\\uD800 to \\uDBFF) must be followed by a low one.");
		scan->at += 6;
	}
	return true;
}

static bool
scan_escape(struct scan *scan)
{
	scan->escapes = true;
	if (scan->end - scan->at < 2)
		return fail(scan, "The text ends inside a string.");
	switch (scan->at[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		scan->at += 2;
		return true;
	case 'u':
		return scan_unicode_escape(scan);
	default:
		return fail(scan, "A backslash in a string must be followed by one of \" \\ / b f n r t u.");
	}
}

static bool
is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

static bool
scan_string(struct scan *scan)
{
	scan->tokens++;
	scan->at++;
	for (;;) {
		const char *at = scan->at;

		while (at < scan->end && is_plain((unsigned char)*at))
			at++;
		scan->at = at;
		if (at == scan->end)
			return fail(scan, "The text ends inside a string.");
		if (*at == '"') {
			scan->at++;
			return true;
		}
		if (*at == '\\') {
			if (!scan_escape(scan))
				return false;
		} else if ((unsigned char)*at < 0x20) {
			return fail(scan, "A control character in a string must be escaped.");
		} else {
			size_t length = utf8_length(at, (size_t)(scan->end - at));

			if (length == 0)
				return fail(scan, "The string is not valid UTF-8.");
			scan->at += length;
		}
	}
}

/* Takes the digits that come next. False: there is none. */
static bool
scan_digits(struct scan *scan)
{
	const char *start = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return scan->at > start;
}

static bool
scan_number(struct scan *scan)
{
	const char *digits;

	scan->tokens++;
	if (*scan->at == '-')
		scan->at++;
	digits = scan->at;
	if (!scan_digits(scan))
		return fail(scan, "A minus sign must be followed by a digit.");
	if (*digits == '0' && scan->at - digits > 1) {
		scan->at = digits;
		return fail(scan, "A number must not have leading zeros.");
	}
	if (scan->at < scan->end && *scan->at == '.') {
		scan->at++;
		if (!scan_digits(scan))
			return fail(scan, "A decimal point must be followed by a digit.");
	}
	if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E')) {
		scan->at++;
		if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
			scan->at++;
		if (!scan_digits(scan))
			return fail(scan, "An exponent must have at least one digit.");
	}
	return true;
}

static bool
scan_word(struct scan *scan, const char *word)
{
	size_t length = strlen(word);

	scan->tokens++;
	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
		return fail(scan, "The only words allowed outside a string are true, false and null.");
	scan->at += length;
	return true;
}

static bool
scan_key(struct scan *scan)
{
	int next = peek(scan);

	if (next == END_OF_TEXT)
		return fail(scan, "The text ends where a key is expected.");
	if (next != '"')
		return fail(scan, "A key must be a string in double quotes.");
	if (!scan_string(scan))
		return false;
	if (peek(scan) != ':')
		return fail(scan, "A key must be followed by a colon.");
	scan->at++;
	return true;
}

static bool
scan_open(struct scan *scan, bool is_object, bool *more_r)
{
	uint64_t level;

	if (scan->depth == JSON_DEPTH_MAX)
		return fail(scan, "Arrays and objects must not be nested deeper than 64 levels.");
	scan->tokens++;
	scan->at++;
	if (peek(scan) == (is_object ? '}' : ']')) {
		scan->at++;
		*more_r = false;
		return true;
	}
	level = (uint64_t)1 << scan->depth++;
	scan->objects = is_object ? scan->objects | level : scan->objects & ~level;
	*more_r = true;
	return !is_object || scan_key(scan);
}

/* Takes one value, or the opening of an array or object that has more in it, up to where that next value starts. */
static bool
scan_value(struct scan *scan, bool *more_r)
{
	int next = peek(scan);

	*more_r = false;
	switch (next) {
	case '{':
	case '[':
		return scan_open(scan, next == '{', more_r);
	case '"':
		return scan_string(scan);
	case 't':
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	case END_OF_TEXT:
		return fail(scan, scan->tokens ? "The text ends where a value is expected." : "The text is empty.");
	default:
		if (next == '-' || (next >= '0' && next <= '9'))
			return scan_number(scan);
		return fail(scan, "A value must be an object, an array, a string, a number, true, false or null.");
	}
}

static bool
scan_comma(struct scan *scan, bool in_object)
{
	scan->at++;
	if (peek(scan) == (in_object ? '}' : ']'))
		return fail(scan, in_object ? "A comma must be followed by another key."
		                            : "A comma must be followed by another value.");
	return !in_object || scan_key(scan);
}

/* Takes what follows a value: closing brackets, then a comma with the next key (more) or the end of the text. */
static bool
scan_after_value(struct scan *scan, bool *more_r)
{
	*more_r = false;
	while (scan->depth > 0) {
		bool in_object = scan->objects >> (scan->depth - 1) & 1;
		int next = peek(scan);

		if (next == ',') {
			*more_r = true;
			return scan_comma(scan, in_object);
		}
		if (next == END_OF_TEXT)
			return fail(scan, in_object ? "The text ends inside an object." : "The text ends inside an array.");
		if (next != (in_object ? '}' : ']'))
			return fail(scan, in_object ? "A member of an object must be followed by a comma or a closing brace."
			                            : "An element of an array must be followed by a comma or a closing bracket.");
		scan->at++;
		scan->depth--;
	}
	if (peek(scan) != END_OF_TEXT)
		return fail(scan, "Nothing may follow the value.");
	return true;
}

static bool
scan_text(struct scan *scan)
{
	bool more = true;

	if (scan->end - scan->at > INT_MAX)
		return fail(scan, "The text is longer than 2147483647 bytes.");
	if (scan->end - scan->at >= 3 && memcmp(scan->at, "\xEF\xBB\xBF", 3) == 0)
		return fail(scan, "The text must not start with a byte order mark.");
	while (more) {
		if (!scan_value(scan, &more))
			return false;
		if (!more && !scan_after_value(scan, &more))
			return false;
		if (scan->tokens > JSON_TOKENS_MAX)
			return fail(scan, "The text has more than 100000 keys and values.");
	}
	return true;
}

bool
json_text_scan(struct slice text, struct json_text *found_r)
{
	struct slice given = text.data ? text : SLICE("");
	struct scan scan = {.at = given.data, .end = given.data + given.len};
	bool valid = scan_text(&scan);

	*found_r =
	    (struct json_text){scan.tokens, scan.escapes, scan.nul ? (size_t)(scan.nul - given.data) : JSON_TEXT_NO_NUL,
	                       scan.reason, (size_t)(scan.at - given.data)};
	return valid;
}

/* Writes the character that the escape at *at stands for and moves behind it; the strict pass has checked it. */
static size_t
decode_escape(const char **at, const char *end, char out[UTF8_MAX])
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	uint32_t code_point;
	const char *letter;

	if ((*at)[1] != 'u') {
		letter = strchr(from, (*at)[1]);
		out[0] = letter ? to[letter - from] : (*at)[1];
		*at += 2;
		return 1;
	}
	code_point = (uint32_t)code_unit(*at, end);
	*at += 6;
	if (is_surrogate((int)code_point, 0xD800)) {
		code_point = 0x10000 + ((code_point - 0xD800) << 10) + ((uint32_t)code_unit(*at, end) - 0xDC00);
		*at += 6;
	}
	return utf8_encode(code_point, out);
}

size_t
json_text_unescape(struct slice text, char *out)
{
	const char *at = text.data, *end = text.data + text.len;
	size_t length = 0;

	while (at < end) {
		char character[UTF8_MAX];
		size_t size;

		if (*at != '\\') {
			out[length++] = *at++;
			continue;
		}
		size = decode_escape(&at, end, character);
		memcpy(out + length, character, size);
		length += size;
	}
	return length;
}
