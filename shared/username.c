/*
 * username.c - see username.h. A name must look like what it is wherever it is shown: no blanks, no control characters,
 * nothing that is invisible or turns the direction of writing; and it must not look like an option of a command.
 */
#include "username.h"
#include "utf8.h"

static const struct {
	uint32_t first, last;
} unseen[] = {
    {0x00, 0x20},     {0x7f, 0xa0},     {0xad, 0xad},       {0x34f, 0x34f},      {0x61c, 0x61c},   {0x115f, 0x1160},
    {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180e},   {0x2000, 0x200f},    {0x2028, 0x202f}, {0x205f, 0x206f},
    {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},   {0xe000, 0xf8ff},    {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff0, 0xffff}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
};

/* Of well-formed UTF-8. */
static uint32_t
code_point(const char *at, size_t length)
{
	static const unsigned char first_bits[UTF8_MAX + 1] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t point = (unsigned char)at[0] & first_bits[length];

	for (size_t i = 1; i < length; i++)
		point = point << 6 | ((unsigned char)at[i] & 0x3f);
	return point;
}

static bool
is_seen(uint32_t point)
{
	for (size_t i = 0; i < ARRAY_LENGTH(unseen); i++)
		if (point >= unseen[i].first && point <= unseen[i].last)
			return false;
	return true;
}

const char *
username_fault(struct slice name)
{
	size_t length, count = 0;

	for (size_t i = 0; i < name.len; i += length, count++) {
		length = utf8_length(name.data + i, name.len - i);
		if (!length)
			return "a user name must be UTF-8";
		if (!is_seen(code_point(name.data + i, length)))
			return "a user name must not contain blanks, control characters or characters that cannot be seen";
	}
	if (count == 0 || count > USERNAME_LENGTH_MAX)
		return "a user name has 1 to 64 characters";
	if (name.data[0] == '-')
		return "a user name must not begin with -, which begins options";
	return NULL;
}
