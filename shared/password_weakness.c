/*
 * password_weakness.c - which new passwords are refused; declared in password.h. Pure.
 *
 * What is refused is what guessing programs try first: short passwords, the user name, sequences, and the common
 * passwords in their usual dress: capitals, digits for letters, digits and signs before or after, said twice. No rule
 * asks for kinds of characters: a long password of words is good. Letters outside ASCII are compared as they are. All
 * that is wrong is found, so that nobody is sent away twice.
 */
#include "password.h"

#include "crypto.h"
#include "utf8.h"

enum { USERNAME_MIN = 3, UNIT_MAX = 4, SEQUENCE_MIN = 6 };

#define ADVICE "for example four unrelated words"

/* Sorted, lower case; found by binary search. */
static const char *const common[] = {
    /* clang-format off */
	"123qwe", "1q2w3e4r", "1q2w3e4r5t", "1q2w3e4r5t6y", "1qaz2wsx", "1qaz2wsx3edc", "1qazxsw2", "a1b2c3d4",
	"aa123456", "abc123", "abcd1234", "access", "account", "admin", "adminadmin", "administrator", "agentd",
	"alexander", "amanda", "andrea", "andrew", "angel", "angels", "anthony", "apple", "april", "asdasd", "asdf",
	"asdfasdf", "asdfgh", "asdfghjkl", "asdfghjklqwertyuiop", "asdfghjklzxcvbnm", "ashley", "august", "austin",
	"autumn", "azerty", "azertyuiop", "babygirl", "bailey", "banana", "barcelona", "baseball", "basketball",
	"batman", "beautiful", "blessed", "brandon", "buster", "butterfly", "carlos", "changeit", "changeme",
	"changemenow", "changemeplease", "charlie", "cheese", "chelsea", "chester", "chicken", "chocolate", "computer",
	"cookie", "correcthorsebatterystaple", "corvette", "cowboys", "dallas", "daniel", "december", "default",
	"defaultpassword", "diamond", "dolphin", "donald", "dragon", "eagles", "elizabeth", "eminem", "everton",
	"facebook", "family", "february", "flower", "football", "forever", "freedom", "friday", "friend", "friends",
	"gandalf", "george", "ginger", "google", "guest", "guitar", "hammer", "hannah", "harley", "heaven", "hello",
	"hellohello", "helloworld", "hockey", "hunter", "iamtheadmin", "iloveme", "iloveu", "iloveyou",
	"iloveyouforever", "iloveyousomuch", "internet", "jackson", "january", "jasmine", "jasper", "jennifer",
	"jessica", "jesus", "jesuschrist", "jordan", "joshua", "july", "june", "justin", "killer", "kitten", "letmein",
	"letmeinnow", "letmeinplease", "liverpool", "login", "london", "lovely", "loveme", "lovers", "loveyou",
	"maggie", "manchester", "manchesterunited", "march", "marina", "master", "matrix", "matthew", "melissa",
	"mercedes", "merlin", "michael", "michelle", "minecraft", "monday", "monkey", "monster", "mustang", "mynameis",
	"mypassword", "mysecret", "mysecretpassword", "naruto", "nathan", "newpassword", "nicholas", "nicole", "ninja",
	"nopassword", "nothing", "november", "october", "oracle", "orange", "pass", "passpass", "passphrase", "passwd",
	"password", "passwort", "peanut", "pepper", "pokemon", "postgres", "princess", "purple", "q1w2e3r4",
	"q1w2e3r4t5", "q1w2e3r4t5y6", "qazwsx", "qazwsxedc", "qazwsxedcrfv", "qazwsxedcrfvtgb", "qwaszx", "qwe123",
	"qweasd", "qweasdzxc", "qweqwe", "qwert", "qwertasdfg", "qwertasdfgzxcvb", "qwerty", "qwertyqwerty",
	"qwertyuiop", "qwertyuiopas", "qwertyuiopasdf", "qwertyuiopasdfgh", "qwertyuiopasdfghjkl",
	"qwertyuiopasdfghjklzxcvbnm", "qwertz", "qwertzuiop", "rachel", "ranger", "robert", "rockyou", "root",
	"rootroot", "samantha", "sample", "samsung", "saturday", "secret", "secretpassword", "secure", "security",
	"september", "server", "service", "shadow", "silver", "snoopy", "soccer", "sophie", "spiderman", "spring",
	"startrek", "starwars", "stephanie", "summer", "sunday", "sunshine", "superman", "supersecret", "superuser",
	"sweetheart", "sysadmin", "system", "taylor", "temp", "temporary", "temppass", "tennis", "test", "tester",
	"testing", "testtest", "thepassword", "thisisapassword", "thisismypassword", "thisissecret", "thomas",
	"thunder", "thursday", "tigger", "tinkerbell", "toor", "trustno1", "trustnoone", "tuesday", "user", "username",
	"vanessa", "victoria", "wednesday", "welcome", "welcomehome", "whatever", "william", "winter", "xbox",
	"yankees", "yellow", "zaq12wsx", "zaq12wsxcde3", "zaqwsx", "zaqwsxcde", "zxcvbn", "zxcvbnm",
    /* clang-format on */
};

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c & 0x80);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The letter that c is written for; 1, ! and | stand for one. */
static char
undo_digit(char c, char one)
{
	static const char digits[] = "0345789@$+", letters[] = "oeastbgast";
	const char *found = c ? strchr(digits, c) : NULL;

	if (c == '1' || c == '!' || c == '|')
		return one;
	return found ? letters[found - digits] : c;
}

/* UTF-8: every byte but the continuations begins a character. */
static size_t
count_characters(struct slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += (text.data[i] & 0xc0) != 0x80;
	return count;
}

/* The length of the shortest start that, repeated, makes the whole text (the last time perhaps not to its end). */
static size_t
period(struct slice text)
{
	size_t length = 1;

	while (length < text.len && memcmp(text.data, text.data + length, text.len - length) != 0)
		length++;
	return length;
}

static int
compare_common(const void *key, const void *row)
{
	const struct slice *word = key;
	const char *text = *(const char *const *)row;
	int order = strncmp(word->data, text, word->len);

	return order ? order : text[word->len] ? -1 : 0;
}

static bool
is_common_word(struct slice word)
{
	return word.len && bsearch(&word, common, ARRAY_LENGTH(common), sizeof(common[0]), compare_common);
}

/* word, or what it repeats, as it is and with digits read as letters. */
static bool
is_common_written(struct slice word)
{
	char text[PASSWORD_LENGTH_MAX];
	struct slice unit = {text, period(word)};
	bool found = false;

	if (word.len % unit.len)
		unit.len = word.len;
	for (const char *one = "1il"; *one && word.len && !found; one++) {
		for (size_t i = 0; i < unit.len; i++)
			text[i] = *one == '1' ? word.data[i] : undo_digit(word.data[i], *one);
		found = is_common_word(unit);
	}
	crypto_wipe(text, sizeof(text));
	return found;
}

/* text is in lower case. Tried: all of it, without what follows its last letter, and without what precedes its first.
 */
static bool
is_common(struct slice text)
{
	struct slice core = text;

	if (is_common_written(core))
		return true;
	while (core.len && !is_letter(core.data[core.len - 1]))
		core.len--;
	if (is_common_written(core))
		return true;
	while (core.len && !is_letter(core.data[0]))
		core = (struct slice){core.data + 1, core.len - 1};
	return is_common_written(core);
}

/* The same or beside it in the alphabet, where 9 is beside 0 and z beside a. */
static bool
is_neighbour(char a, char b)
{
	int distance = abs(b - a);

	return distance <= 1 || (is_digit(a) && is_digit(b) && distance == 9) ||
	       (is_letter(a) && is_letter(b) && distance == 25);
}

/* abcdefghijkl, 987654321098, 111222333444 and, with one jump, abcdef123456. */
static bool
is_sequence(struct slice text)
{
	int jumps = 0;

	for (size_t i = 1; i < text.len; i++)
		jumps += !is_neighbour(text.data[i - 1], text.data[i]);
	return jumps <= 1;
}

static bool
contains(struct slice text, struct slice name)
{
	for (size_t start = 0; start + name.len <= text.len; start++) {
		size_t i = 0;

		while (i < name.len && text.data[start + i] == lower(name.data[i]))
			i++;
		if (i == name.len)
			return true;
	}
	return false;
}

/* UTF-8 without control characters: what can be typed anywhere, and sent as JSON. */
static bool
is_typed_text(struct slice text)
{
	size_t length;

	for (size_t i = 0; i < text.len; i += length) {
		length = utf8_length(text.data + i, text.len - i);
		if (!length || (unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			return false;
	}
	return true;
}

/* text is in lower case and may be changed. */
static unsigned
faults_of(char *text, size_t len, struct slice username)
{
	struct slice all = {text, len}, dense = {text, 0};
	size_t unit = period(all);
	unsigned faults = 0;

	if (username.len >= USERNAME_MIN && contains(all, username))
		faults |= 1u << PASSWORD_HAS_NAME;
	if (unit <= UNIT_MAX && unit < len)
		faults |= 1u << PASSWORD_REPEATS;
	else if (len >= SEQUENCE_MIN && is_sequence(all))
		faults |= 1u << PASSWORD_SEQUENCE;
	/* Separators hide nothing: "pass-word" is "password". */
	for (size_t i = 0; i < len; i++)
		if (!strchr(" -_.", text[i]))
			text[dense.len++] = text[i];
	if (is_common(dense))
		faults |= 1u << PASSWORD_COMMON;
	return faults;
}

unsigned
password_faults(struct slice password, struct slice username)
{
	char text[PASSWORD_LENGTH_MAX];
	unsigned faults = 0;

	if (!is_typed_text(password))
		faults |= 1u << PASSWORD_NOT_TEXT;
	if (count_characters(password) < PASSWORD_LENGTH_MIN)
		faults |= 1u << PASSWORD_SHORT;
	if (password.len > sizeof(text))
		return faults | 1u << PASSWORD_LONG;
	for (size_t i = 0; i < password.len; i++)
		text[i] = lower(password.data[i]);
	faults |= faults_of(text, password.len, username);
	crypto_wipe(text, sizeof(text));
	return faults;
}

static const struct {
	const char *code;
	const char *text;
} sayings[PASSWORD_FAULT_COUNT] = {
    [PASSWORD_NOT_TEXT] = {"not_text",
                           "The password has control characters in it or is not UTF-8; use what can be typed, " ADVICE
                           "."},
    [PASSWORD_SHORT] = {"too_short", "The password is shorter than 12 characters; use at least 12, " ADVICE "."},
    [PASSWORD_LONG] = {"too_long", "The password is longer than 256 bytes; use a shorter one, " ADVICE "."},
    [PASSWORD_HAS_NAME] = {"has_name", "The password contains the user name; use one that does not, " ADVICE "."},
    [PASSWORD_REPEATS] = {"repeats", "The password repeats a few characters; use one with more variety, " ADVICE "."},
    [PASSWORD_SEQUENCE] = {"sequence",
                           "The password is a plain sequence of characters; use one that is not, " ADVICE "."},
    [PASSWORD_COMMON] = {"common",
                         "The password is a common one, perhaps with digits or signs added; use a rarer one, " ADVICE
                         "."},
};

const char *
password_fault_code(enum password_fault fault)
{
	return sayings[fault].code;
}

const char *
password_fault_text(enum password_fault fault)
{
	return sayings[fault].text;
}
