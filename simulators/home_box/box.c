/* What the box is made of: where a call goes, the log, the room. The manual is box.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"

static const char *disk;
static size_t disk_chars;
static const char *log_path;
struct control *box_control;
pthread_mutex_t box_turn = PTHREAD_MUTEX_INITIALIZER;

/* Better no program at all than one that runs outside the box unnoticed. */
_Noreturn static void stop(const char *what) {
    fprintf(stderr, "home box: %s: %s\n", what, strerror(errno));
    _exit(BROKEN_BOX);
}

/* A program may write over its environment: PostgreSQL shows its state there. */
static const char *kept(const char *text) {
    char *const copy = text == NULL ? NULL : strdup(text);
    if (text != NULL && copy == NULL) {
        stop("memory");
    }
    return copy;
}

__attribute__((constructor)) static void start(void) {
    const char *const control_path = getenv("JIAHU_BOX_CONTROL");
    const char *const disk_path = getenv("JIAHU_BOX_DISK");
    if (control_path == NULL || disk_path == NULL) {
        stop("JIAHU_BOX_CONTROL and JIAHU_BOX_DISK must be set");
    }
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, control_path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        stop(control_path);
    }
    void *const mapped = mmap(NULL, sizeof *box_control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        stop(control_path);
    }
    syscall(SYS_close, fd);
    box_control = mapped;
    log_path = kept(getenv("JIAHU_BOX_LOG"));
    disk = kept(disk_path);
    disk_chars = strlen(disk);
}

/* -- where a call goes ----------------------------------------------------------------------------------------------------------------- */

/* The part of an absolute path below the disk, "" for the disk itself, NULL when it lies elsewhere. */
static const char *below(const char *path) {
    if (disk == NULL || strncmp(path, disk, disk_chars) != 0 || (path[disk_chars] != '/' && path[disk_chars] != '\0')) {
        return NULL;
    }
    return path[disk_chars] == '/' ? path + disk_chars + 1 : path + disk_chars;
}

static bool read_link_of(int fd, char path[static PATH_MAX]) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const long chars = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (chars < 0) {
        return false;
    }
    path[chars] = '\0';
    return true;
}

const char *box_place_of_open(int fd, struct stat *found, char path[static PATH_MAX]) {
    if (disk == NULL || fstat(fd, found) != 0 || !(S_ISREG(found->st_mode) || S_ISDIR(found->st_mode)) || !read_link_of(fd, path)) {
        return NULL;
    }
    const char *const place = below(path);
    return place != NULL && found->st_nlink == 0 ? "" : place;
}

const char *box_place_of_name(int folder, const char *name, char path[static PATH_MAX]) {
    char parent[PATH_MAX];
    const size_t chars = strlen(name);
    if (disk == NULL || chars == 0 || chars >= PATH_MAX) {
        return NULL;
    }
    const char *const slash = strrchr(name, '/');
    const char *const last = slash == NULL ? name : slash + 1;
    snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : (int)(last - name), slash == NULL ? "." : name);
    const int fd = (int)syscall(SYS_openat, folder, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    const bool is_known = read_link_of(fd, path);
    syscall(SYS_close, fd);
    const size_t parent_chars = is_known ? strlen(path) : 0;
    if (!is_known || parent_chars + 1 + strlen(last) >= PATH_MAX) {
        return NULL;
    }
    path[parent_chars] = '/';
    strcpy(path + parent_chars + 1, last);
    return below(path);
}

/* -- the log --------------------------------------------------------------------------------------------------------------------------- */

void box_note(enum kind kind, uint64_t inode, off_t offset, const char *path, const struct iovec *parts, int count) {
    if (log_path == NULL) {
        return;
    }
    const int error = errno;
    const uint64_t mark = MARK;
    struct head head = {mark, inode, offset, 0, kind, (uint32_t)syscall(SYS_gettid), strlen(path)};
    struct iovec whole[PARTS_MAX + 3] = {{&head, sizeof head}, {(void *)(uintptr_t)path, head.path_bytes}};
    for (int part = 0; part < count; part++) {
        whole[part + 2] = parts[part];
        head.data_bytes += parts[part].iov_len;
    }
    whole[count + 2] = (struct iovec){(void *)(uintptr_t)&mark, sizeof mark};
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    const long written = fd < 0 ? -1 : syscall(SYS_writev, fd, whole, count + 3);
    if (written != (long)(sizeof head + head.path_bytes + head.data_bytes + sizeof mark)) {
        stop(log_path);
    }
    syscall(SYS_close, fd);
    errno = error;
}

void box_note_result(long result) {
    box_note(RESULT, 0, result, "", NULL, 0);
}

/* -- the room -------------------------------------------------------------------------------------------------------------------------- */

bool box_take_room(off_t bytes) {
    const int room = atomic_load(&box_control->room);
    bool is_there = room != ROOM_NONE;
    if (room == ROOM_LEFT && atomic_fetch_sub(&box_control->left_bytes, bytes) - bytes < 0) {
        atomic_fetch_add(&box_control->left_bytes, bytes);
        is_there = false;
    }
    errno = is_there ? errno : ENOSPC;
    return is_there;
}

void box_give_room(off_t bytes) {
    if (atomic_load(&box_control->room) == ROOM_LEFT && bytes > 0) {
        atomic_fetch_add(&box_control->left_bytes, bytes);
    }
}
