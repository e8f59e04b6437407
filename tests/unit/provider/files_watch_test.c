/* subscriptions/listen: what is acknowledged, what is told and when it stops; the bounds. */
#include "kit.h"

#define LISTEN(id, filter) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{" filter "}," META "}}"
#define CANCEL(id) "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":" id "}}"

/* Nothing comes within the time of two rounds of looks. */
static bool quiet(unsigned worker)
{
	int64_t until;

	kit_turn(0);
	until = kit_loop.now_ms + 1100;
	while (kit_loop.now_ms < until && kit_in_n[worker] == 0)
		kit_turn(100);
	if (kit_in_n[worker] > 0)
		diag("came: %.*s", (int)kit_in_n[worker], kit_in[worker]);
	return kit_in_n[worker] == 0;
}

static void telling(void)
{
	kit_say(0, LISTEN("\"L\"", "\"toolsListChanged\":true,\"resourceSubscriptions\":[\"files://docs/a%2Etxt\",\"files://docs/later\",\"files://docs/../x\","
		"\"other://x\",\"files://docs/.hidden\",\"files://docs/out\"]"));
	ok(has(kit_next(0), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{"
		"\"resourceSubscriptions\":[\"files://docs/a%2Etxt\",\"files://docs/later\",\"files://docs/out\"]},\"_meta\":{"
		"\"io.modelcontextprotocol/subscriptionId\":\"L\"}}}"), "acknowledged: what is watched, and nothing else");
	kit_say(1, LISTEN("3", "\"resourceSubscriptions\":[\"files://docs/a.txt\"]"));
	ok(has(kit_next(1), "subscriptionId\":3}"), "a listen on another link");
	kit_say(0, LISTEN("\"L\"", ""));
	ok(has(kit_next(0), "-32600"), "its id is in use");
	ok(quiet(0), "nothing has changed");

	put("a.txt", "longer than before");
	ok(has(kit_next(0), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"files://docs/a%2Etxt\",\"_meta\":{"
		"\"io.modelcontextprotocol/subscriptionId\":\"L\"}}}"), "a change, with the URI as it was written");
	ok(has(kit_next(1), "\"uri\":\"files://docs/a.txt\"") && has(kit_line, "subscriptionId\":3}"), "and on the other link");
	put("later", "x");
	ok(has(kit_next(0), "\"uri\":\"files://docs/later\""), "a creation");
	put("tmp", "y");
	if (rename(at("tmp"), at("later")) != 0)
		die("rename");
	ok(has(kit_next(0), "\"uri\":\"files://docs/later\""), "a replacement of the same size");
	unlink(at("later"));
	ok(has(kit_next(0), "\"uri\":\"files://docs/later\""), "a removal");
	make_dir("later");
	if (symlink("/etc/passwd", at("out")) != 0)
		die("symlink");
	ok(quiet(0), "a directory or a link is still no resource");
	kit_say(0, CANCEL("\"L\""));
	put("a.txt", "changed again, and longer");
	ok(has(kit_next(1), "files://docs/a.txt") && quiet(0), "after a cancel nothing more is said");
	kit_connect(1);
	kit_turn(0);
	is_int(kit_turn(0), -1, "without listens nothing is looked at");
}

static void bounds(void)
{
	static char text[1 << 16];
	size_t n;
	bool right = true;

	kit_say(0, LISTEN("1", ""));
	ok(has(kit_next(0), "\"notifications\":{},"), "an empty filter is acknowledged as empty");
	kit_say(0, LISTEN("2", "\"resourceSubscriptions\":\"files://docs/a\""));
	ok(has(kit_next(0), "\"id\":2,\"error\":{\"code\":-32602"), "no array");
	n = (size_t)sprintf(text, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscriptions/listen\",\"params\":{" META ",\"notifications\":{"
		"\"resourceSubscriptions\":[\"files://docs/a\"");
	for (unsigned i = 0; i < 64; i++)
		n += (size_t)sprintf(text + n, ",\"files://docs/%u\"", i);
	strcpy(text + n, "]}}}");
	kit_say(0, text);
	ok(has(kit_next(0), "\"id\":2,\"error\":{\"code\":-32602"), "65 URIs");
	n = (size_t)sprintf(text, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscriptions/listen\",\"params\":{" META ",\"notifications\":{"
		"\"resourceSubscriptions\":[\"files://docs/a\"");
	for (unsigned i = 0; i < 60; i++)
		n += (size_t)sprintf(text + n, ",\"files://docs/%0150u/%0150u\"", i, i);
	strcpy(text + n, "]}}}");
	kit_say(0, text);
	ok(has(kit_next(0), "\"id\":2,\"error\":{\"code\":-32602") && has(kit_line, "16384"), "URIs that are too long together");
	for (unsigned i = 2; i <= 64; i++) {
		sprintf(text, LISTEN("%u", "\"resourceSubscriptions\":[\"files://docs/a.txt\"]"), i);
		kit_say(0, text);
		right = right && strstr(kit_next(0), "acknowledged");
	}
	ok(right, "64 listens");
	kit_say(0, LISTEN("65", ""));
	ok(has(kit_next(0), "\"id\":65,\"error\":{\"code\":-32603"), "and no 65th");
	put("a.txt", "the last change of all of them");
	for (unsigned i = 2; i <= 64; i++)
		right = right && strstr(kit_next(0), "resources/updated");
	ok(right && quiet(0), "each is told once");
	kit_say(0, CANCEL("65") "\n" CANCEL("64") "\n" LISTEN("66", ""));
	ok(has(kit_next(0), "acknowledged"), "room for one again");
	kit_connect(0);
	kit_turn(0);
	is_int(kit_turn(0), -1, "a link's end ends its listens");
}

int main(void)
{
	kit_tree();
	put("a.txt", "x");
	kit_start(kit_defaults());
	telling();
	bounds();
	kit_clear();
	return done_testing();
}
