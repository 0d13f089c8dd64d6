/* What is in files: written, made longer or shorter, synced. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"

/* `offset` -1: where the descriptor stands. */
static ssize_t write_plainly(int fd, const struct iovec *parts, int count, off_t offset) {
    return offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

static ssize_t write_file(int fd, const struct iovec *parts, int count, off_t offset, const char *place) {
    struct stat file;
    ssize_t bytes = 0;
    for (int part = 0; part < count; part++) {
        bytes += (ssize_t)parts[part].iov_len;
    }
    if (fstat(fd, &file) != 0) { /* its size, now that it is our turn */
        return -1;
    }
    const bool is_at_end = (syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND) != 0;
    const off_t at = is_at_end ? file.st_size : offset >= 0 ? offset : syscall(SYS_lseek, fd, 0, SEEK_CUR);
    const off_t growth = bytes > 0 && at + bytes > file.st_size ? at + bytes - file.st_size : 0;
    if (growth > 0 && !box_take_room(growth)) {
        return -1;
    }
    box_note(WRITING, file.st_ino, at, place, parts, count);
    const ssize_t written = write_plainly(fd, parts, count, offset);
    if (written != bytes) {
        box_give_room(growth);
        box_note_result(written);
    }
    return written;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int count, off_t offset) {
    struct stat found;
    char path[PATH_MAX];
    const char *const place = box_place_of_open(fd, &found, path);
    if (place == NULL || !S_ISREG(found.st_mode)) {
        return write_plainly(fd, parts, count, offset);
    }
    if (count < 0 || count > PARTS_MAX) {
        errno = EINVAL;
        return -1;
    }
    pthread_mutex_lock(&box_turn);
    const ssize_t written = write_file(fd, parts, count, offset, place);
    pthread_mutex_unlock(&box_turn);
    return written;
}

ssize_t write(int fd, const void *data, size_t bytes) {
    const struct iovec part = {(void *)(uintptr_t)data, bytes};
    return write_parts(fd, &part, 1, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    return write_parts(fd, parts, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    if (offset < 0) {
        errno = EINVAL;
        return -1;
    }
    return write_parts(fd, parts, count, offset);
}

/* Python's way to pwritev. With flags it could not be written down. */
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    struct stat found;
    char path[PATH_MAX];
    if (flags == 0) {
        return offset == -1 ? writev(fd, parts, count) : pwritev(fd, parts, count, offset);
    }
    if (box_place_of_open(fd, &found, path) == NULL) {
        return syscall(SYS_pwritev2, fd, parts, count, offset, 0, flags);
    }
    errno = EOPNOTSUPP;
    return -1;
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
    const struct iovec part = {(void *)(uintptr_t)data, bytes};
    return pwritev(fd, &part, 1, offset);
}

/* `call` is SYS_ftruncate, or SYS_fallocate, which only ever makes a file longer. Returns 0 or -1. */
static int resize(int fd, long call, off_t first, off_t end) {
    struct stat file;
    char path[PATH_MAX];
    const char *const place = box_place_of_open(fd, &file, path);
    const bool is_ours = place != NULL && S_ISREG(file.st_mode);
    int result = -1;
    pthread_mutex_lock(&box_turn);
    if (!is_ours || fstat(fd, &file) == 0) {
        const off_t growth = is_ours ? end - file.st_size : 0;
        const bool is_change = is_ours && (call == SYS_fallocate ? growth > 0 : growth != 0);
        if (!is_change || growth <= 0 || box_take_room(growth)) {
            if (is_change) {
                box_note(RESIZING, file.st_ino, end, place, NULL, 0);
            }
            result = (int)(call == SYS_fallocate ? syscall(call, fd, 0, first, end - first) : syscall(call, fd, end));
            if (is_change && result != 0) {
                box_note_result(result);
            }
            if (is_change && (growth > 0) == (result != 0)) {
                box_give_room(labs(growth));
            }
        }
    }
    pthread_mutex_unlock(&box_turn);
    return result;
}

int ftruncate(int fd, off_t size) {
    return resize(fd, SYS_ftruncate, 0, size);
}

int truncate(const char *name, off_t size) {
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CLOEXEC);
    const int result = fd < 0 ? -1 : ftruncate(fd, size);
    const int error = errno;
    syscall(SYS_close, fd);
    errno = error;
    return result;
}

int fallocate(int fd, int mode, off_t first, off_t bytes) {
    struct stat file;
    char path[PATH_MAX];
    if (mode == 0) {
        return resize(fd, SYS_fallocate, first, first + bytes);
    }
    if (box_place_of_open(fd, &file, path) == NULL) {
        return (int)syscall(SYS_fallocate, fd, mode, first, bytes);
    }
    errno = EOPNOTSUPP;
    return -1;
}

int posix_fallocate(int fd, off_t first, off_t bytes) {
    const int before = errno;
    const int result = fallocate(fd, 0, first, bytes) == 0 ? 0 : errno;
    errno = before;
    return result;
}

static int sync_by(long call, int fd) {
    struct stat found;
    char path[PATH_MAX];
    const char *const place = box_place_of_open(fd, &found, path);
    if (place == NULL) {
        return (int)syscall(call, fd);
    }
    pthread_mutex_lock(&box_turn);
    const int result = (int)syscall(call, fd);
    if (result == 0) {
        box_note(S_ISDIR(found.st_mode) ? SYNCED_FOLDER : SYNCED, found.st_ino, 0, place, NULL, 0);
    }
    pthread_mutex_unlock(&box_turn);
    return result;
}

int fsync(int fd) {
    return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return sync_by(SYS_fdatasync, fd);
}

/* The kernel's own copying cannot be written down; whoever asks must be able to do without it. */
static bool is_on_disk(int fd) {
    struct stat found;
    char path[PATH_MAX];
    return box_place_of_open(fd, &found, path) != NULL;
}

ssize_t sendfile(int to, int from, off_t *offset, size_t bytes) {
    if (is_on_disk(to)) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_sendfile, to, from, offset, bytes);
}

ssize_t copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t bytes, unsigned flags) {
    if (is_on_disk(to)) {
        errno = EXDEV;
        return -1;
    }
    return syscall(SYS_copy_file_range, from, from_offset, to, to_offset, bytes, flags);
}

/* On a 64-bit machine these are the same calls. */
ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset) TWIN(pwrite);
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) TWIN(pwritev);
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags) TWIN(pwritev2);
int ftruncate64(int fd, off64_t size) TWIN(ftruncate);
int truncate64(const char *name, off64_t size) TWIN(truncate);
int fallocate64(int fd, int mode, off64_t first, off64_t bytes) TWIN(fallocate);
int posix_fallocate64(int fd, off64_t first, off64_t bytes) TWIN(posix_fallocate);
ssize_t sendfile64(int to, int from, off64_t *offset, size_t bytes) TWIN(sendfile);
