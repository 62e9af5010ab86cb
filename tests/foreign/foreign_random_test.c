// SPDX-License-Identifier: Apache-2.0
// Bodies of every format, damaged at random: the fuzzer's target sees that nothing is read beyond
// the body, nothing of what is refused stays, and each sample has its series. Under the sanitizers.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS 60000
#define ROOM 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern uint64_t fuzz_taken;

static uint32_t random_below(uint32_t bound)
{
	static uint64_t state = 42;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)((state >> 33) % bound);
}

#define SEED(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

// The first byte is the format.
static const struct {
	const char *data;
	size_t size;
} seeds[] = {
	SEED("\0\x0a\x28\x0a\x0e\x0a\x08__name__\x12\x02up\x0a\x08\x0a\x03job\x12\x01x"
	     "\x12\x0c\x09\0\0\0\0\0\0\xf0\x3f\x10\xe8\x07"),
	SEED("\0\x0a\x2b\x0a\x0d\x0a\x08__name__"
	     "\x12\x01h\x22\x1a\x08\x03\x19\0\0\0\0\0\0\xf0\x3f\x20\x02"
	     "\x5a\x04\x08\x02\x10\x02\x62\x02\x02\x04\x78\xe8\x07"),
	SEED("\1\x22\0\x22\x08__name__\x22\x02up\x22\x04help\x2a\x18\x0a\x02\x01\x02"
	     "\x12\x0c\x09\0\0\0\0\0\0\xf0\x3f\x10\xe8\x07\x2a\x04\x08\x01\x18\x03"),
	SEED("\2\x0a\x30\x0a\x0d\x0a\x0b\x0a\x04host\x12\x03\x0a\x01x\x12\x1f\x12\x1d\x0a\x01m\x3a"
	     "\x18"
	     "\x0a\x12\x19\0\0\0\0\0\0\0\x10\x21\0\0\0\0\0\0\xf0\x3f\x10\x02\x18\x01"),
	SEED("\3{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"a\",\"value\":"
	     "{\"arrayValue\":{\"values\":[{\"intValue\":\"-1\"},{\"doubleValue\":0.1}]}}}]},"
	     "\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\\u00e9\",\"exponentialHistogram\":"
	     "{\"dataPoints\":[{\"timeUnixNano\":\"1000000\",\"count\":3,\"scale\":-1,\"positive\":"
	     "{\"offset\":2,\"bucketCounts\":[1,\"2\"]}}]}}]}]}]}"),
};

static size_t damage(uint8_t *data, size_t size)
{
	size_t at = random_below((uint32_t)size);

	switch (random_below(4)) {
	case 0:
		data[at] = (uint8_t)random_below(256);
		return size;
	case 1:
		data[at] ^= (uint8_t)(1 << random_below(8));
		return size;
	case 2:
		memmove(data + at, data + at + 1, size - at - 1);
		return size - 1;
	default:
		if (size == ROOM)
			return at ? at : 1;
		memmove(data + at + 1, data + at, size - at);
		data[at] = data[random_below((uint32_t)size)];
		return size + 1;
	}
}

int main(void)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint8_t data[ROOM];
		size_t which = round % (sizeof(seeds) / sizeof(seeds[0]));
		size_t size = seeds[which].size;
		memcpy(data, seeds[which].data, size);
		uint32_t times = round < sizeof(seeds) / sizeof(seeds[0]) ? 0 : random_below(4);
		for (; times && size > 1; times--)
			size = damage(data, size);
		uint64_t before = fuzz_taken;
		LLVMFuzzerTestOneInput(data, size);
		if (round < sizeof(seeds) / sizeof(seeds[0]) && fuzz_taken == before)
			return fprintf(stderr, "seed %u is not taken\n", round), 1;
	}
	printf("%u bodies, %llu taken\n", ROUNDS, (unsigned long long)fuzz_taken);
	return 0;
}
