// What each device of the stand-in driver is told to do. Settings come from the variable
// SWEEP_EMULATE_SETTINGS and from the file that SWEEP_EMULATE_CONTROL names, whose settings
// count when both have one. The file is read again whenever it changes; it may be missing. Change
// it by renaming another file to it, so that each change is seen. A setting is DEVICE NAME VALUE.
// Settings end with a semicolon or a line:
//
//   0 memory 1000000         device 0 has so many bytes of memory, at most SWEEP_EMULATE_MEMORY
//   0 taken 500000           another process holds so many bytes of it; 0 gives them back
//   0 refuse 3               one call that allocates, after 3 that do, finds no memory
//   1 fail 719               device 1 returns this CUresult from now on, for ever
//   1 fail 700 after 50      the same from the end of 50 launches of this process on
//   1 hang 50                after 50 launches no kernel ends; other devices work on. Without the setting
//                            they end
//   1 name A100              what the device calls itself
//   1 capability 80          compute capability
#include "driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int sticky[MAX_DEVICES];
static setting settings[MAX_DEVICES];
static uint64_t launches[MAX_DEVICES], allocations[MAX_DEVICES];
static struct stat seen; // the file, as it was last read
static int ready;

static uint64_t number(const char *name, uint64_t otherwise) {
	const char *s = getenv(name);
	return s && *s ? strtoull(s, 0, 10) : otherwise;
}

static void apply(char *text) {
	char *rest, *after;
	for (char *one = strtok_r(text, ";\n", &rest); one; one = strtok_r(0, ";\n", &rest)) {
		int device, at = 0;
		char name[16];
		if (sscanf(one, "%d %15s %n", &device, name, &at) < 2 || !at || device < 0 || device >= MAX_DEVICES) {
			if (one[strspn(one, " \t")]) fprintf(stderr, "stand-in driver: setting %s: want DEVICE NAME VALUE\n", one);
			continue;
		}
		setting *s = &settings[device];
		uint64_t value = strtoull(one + at, &after, 10), launch = 0;
		sscanf(after, " after %lu", &launch);
		if (!strcmp(name, "memory")) s->memory = value < capacity ? value & ~(uint64_t)255 : capacity;
		else if (!strcmp(name, "taken")) s->taken = value;
		else if (!strcmp(name, "refuse")) s->has_refuse = 1, s->refuse_after = value, allocations[device] = 0;
		else if (!strcmp(name, "fail")) s->fail = (int)value, s->fail_after = launch;
		else if (!strcmp(name, "hang")) s->has_hang = 1, s->hang_after = value;
		else if (!strcmp(name, "capability")) s->capability = (int)value;
		else if (!strcmp(name, "name")) snprintf(s->name, sizeof s->name, "%s", one + at);
		else fprintf(stderr, "stand-in driver: setting %s is unknown\n", name);
	}
}

static void read_settings(const char *path) {
	for (int i = 0; i < MAX_DEVICES; i++) {
		settings[i] = (setting){.memory = capacity, .capability = (int)number("SWEEP_EMULATE_CAPABILITY", 90)};
		snprintf(settings[i].name, sizeof settings[i].name, "emulated on the CPU");
	}
	const char *fixed = getenv("SWEEP_EMULATE_SETTINGS");
	if (fixed) {
		char *copy = strdup(fixed);
		apply(copy);
		free(copy);
	}
	FILE *f = path ? fopen(path, "r") : 0;
	if (!f) return;
	char text[4096];
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	apply(text);
}

setting *settings_of(int device) {
	static char none[sizeof seen];
	const char *path = getenv("SWEEP_EMULATE_CONTROL");
	struct stat now;
	memset(&now, 0, sizeof now);
	if (path && stat(path, &now)) memcpy(&now, none, sizeof now);
	now.st_atim = (struct timespec){0};
	if (!ready || memcmp(&now, &seen, sizeof now)) read_settings(path);
	ready = 1;
	seen = now;
	return &settings[device];
}

int refused(void) {
	setting *s = settings_of(current->device);
	return s->has_refuse && allocations[current->device]++ == s->refuse_after;
}

int launched(int device) {
	uint64_t n = launches[device]++;
	for (;;) {
		setting *s = settings_of(device);
		if (s->fail && n >= s->fail_after) sticky[device] = s->fail;
		if (sticky[device]) return sticky[device];
		if (!s->has_hang || n < s->hang_after) return OK;
		relax();
	}
}
