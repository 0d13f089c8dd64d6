/* A home's box, as an LD_PRELOAD library: its disk can be cut off from power, its disk can be full, its clock can jump.
 *
 * What a program does to files below JIAHU_BOX_DISK (an absolute path without links) is written down in the file JIAHU_BOX_LOG, if that is
 * named, by a plain write() each: the kernel holds it whatever becomes of the program. Writes and changes of size are written down before
 * they happen, a failure after it; names and syncs once they have happened. So what a killed program was just doing may only count as
 * "perhaps". JIAHU_BOX_CONTROL is a file of `struct control`, which may change at any time.
 *
 * Seen are the calls in data.c, names.c and clock.c. Not seen: stores through a shared mapping (SQLite's -shm), hard links, and what the C
 * library writes within itself (stdio). Time is shifted where it is read; a call that waits for an absolute time of day is not shifted.
 * No table of open files is kept: /proc says what a descriptor is, however the program came by it.
 */
#ifndef HOME_BOX_H
#define HOME_BOX_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

_Static_assert(sizeof(off_t) == 8 && sizeof(long) == 8, "the calls to the kernel are those of a 64-bit machine");

/* Native byte order; simulators/home_box/__init__.py writes it. */
enum room { ROOM_FREE = 0, ROOM_NONE = 1, ROOM_LEFT = 2 };
struct control {
    _Atomic int64_t clock_ahead_ns;
    _Atomic int64_t uptime_ahead_ns;
    _Atomic int64_t left_bytes; /* with ROOM_LEFT: by so much all files together may still grow */
    _Atomic int32_t room;
};

/* One record: this head, the path below the disk, the data, the mark again. simulators/home_box/operations.py reads it. */
enum kind { CREATED = 1, WRITING = 2, RESIZING = 3, SYNCED = 4, SYNCED_FOLDER = 5, RENAMED = 6, REMOVED = 7, CREATED_FOLDER = 8, RESULT = 9 };
struct head {
    uint64_t mark;
    uint64_t inode;
    int64_t offset; /* WRITING: of the data, RESIZING: the new size, RESULT: what the thread's last WRITING or RESIZING returned */
    uint64_t data_bytes;
    uint32_t kind;
    uint32_t thread;
    uint64_t path_bytes;
};
#define MARK 0x9d1cf0a7b3586e42u
#define TWIN(name) __attribute__((alias(#name)))
enum { PARTS_MAX = 1000, NS_PER_S = 1000000000, BROKEN_BOX = 120 };

/* NULL until the box is made: calls before that go to the kernel as they are. */
extern struct control *box_control;
/* Held around what is written down: the order of the log is the order of what happened. */
extern pthread_mutex_t box_turn;

/* Where an open file or folder lies below the disk; a file without a name has the path "". NULL when it is none of the disk's. */
const char *box_place_of_open(int fd, struct stat *found, char path[static PATH_MAX]);
/* Where a name lies or would lie, whether or not it exists; NULL as above. */
const char *box_place_of_name(int folder, const char *name, char path[static PATH_MAX]);

void box_note(enum kind kind, uint64_t inode, off_t offset, const char *path, const struct iovec *parts, int count);
/* What the thread's last WRITING or RESIZING came to, where that was not all of it. Keeps errno. */
void box_note_result(long result);

/* May files grow by so many bytes, or one more file be made (0 bytes)? Takes the room, or sets errno. */
bool box_take_room(off_t bytes);
void box_give_room(off_t bytes);

#endif
