/* utf8.c - see utf8.h. The ranges of the second byte carry all the special cases (Unicode, table 3-7). */
#include "utf8.h"

static bool
is_continuation(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

size_t
utf8_length(const char *at, size_t left)
{
	const unsigned char *bytes = (const unsigned char *)at;
	unsigned char low = 0x80, high = 0xBF;
	size_t length;

	if (left == 0)
		return 0;
	if (bytes[0] < 0x80)
		return 1;
	if (bytes[0] < 0xC2 || bytes[0] > 0xF4)
		return 0;
	length = bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
	if (bytes[0] == 0xE0)
		low = 0xA0;
	else if (bytes[0] == 0xED)
		high = 0x9F;
	else if (bytes[0] == 0xF0)
		low = 0x90;
	else if (bytes[0] == 0xF4)
		high = 0x8F;
	if (left < length || bytes[1] < low || bytes[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (!is_continuation(bytes[i]))
			return 0;
	return length;
}

size_t
utf8_encode(uint32_t code_point, char out[UTF8_MAX])
{
	static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
	size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;

	INVARIANT(code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF));
	for (size_t i = length - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code_point & 0x3F));
		code_point >>= 6;
	}
	out[0] = (char)(lead[length] | code_point);
	return length;
}
