/* Names: made, renamed, removed; and files emptied while they are opened. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"

static int open_file(int folder, const char *name, int flags, mode_t mode, const char *place) {
    struct stat file;
    const bool is_new = fstatat(folder, name, &file, 0) != 0 && (flags & O_CREAT) != 0;
    if (is_new && !box_take_room(0)) {
        return -1;
    }
    const bool is_emptied = !is_new && (flags & O_TRUNC) != 0 && S_ISREG(file.st_mode) && file.st_size > 0;
    if (is_emptied) {
        box_note(RESIZING, file.st_ino, 0, place, NULL, 0);
    }
    const int fd = (int)syscall(SYS_openat, folder, name, flags, mode);
    if (is_emptied && fd < 0) {
        box_note_result(fd);
    } else if (is_emptied) {
        box_give_room(file.st_size);
    } else if (is_new && fd >= 0 && fstat(fd, &file) == 0) {
        box_note(CREATED, file.st_ino, 0, place, NULL, 0);
    }
    return fd;
}

static int open_at(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    const char *const place = (flags & (O_CREAT | O_TRUNC)) != 0 ? box_place_of_name(folder, name, path) : NULL;
    if (place == NULL) {
        return (int)syscall(SYS_openat, folder, name, flags, mode);
    }
    pthread_mutex_lock(&box_turn);
    const int fd = open_file(folder, name, flags, mode, place);
    pthread_mutex_unlock(&box_turn);
    return fd;
}

static mode_t mode_of(int flags, va_list rest) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

int open(const char *name, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_at(AT_FDCWD, name, flags, mode);
}

int openat(int folder, const char *name, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return open_at(folder, name, flags, mode);
}

int creat(const char *name, mode_t mode) {
    return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int unlinkat(int folder, const char *name, int flags) {
    struct stat file;
    char path[PATH_MAX];
    const char *const place = box_place_of_name(folder, name, path);
    if (place == NULL) {
        return (int)syscall(SYS_unlinkat, folder, name, flags);
    }
    pthread_mutex_lock(&box_turn);
    const bool frees = fstatat(folder, name, &file, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(file.st_mode) && file.st_nlink == 1;
    const int result = (int)syscall(SYS_unlinkat, folder, name, flags);
    if (result == 0) {
        box_note(REMOVED, file.st_ino, 0, place, NULL, 0);
        box_give_room(frees ? file.st_size : 0);
    }
    pthread_mutex_unlock(&box_turn);
    return result;
}

int unlink(const char *name) {
    return unlinkat(AT_FDCWD, name, 0);
}

int rmdir(const char *name) {
    return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

int renameat(int old_folder, const char *old_name, int folder, const char *name) {
    struct stat covered;
    char old_path[PATH_MAX];
    char path[PATH_MAX];
    const char *const old_place = box_place_of_name(old_folder, old_name, old_path);
    const char *const place = box_place_of_name(folder, name, path);
    if (old_place == NULL && place == NULL) {
        return (int)syscall(SYS_renameat2, old_folder, old_name, folder, name, 0);
    }
    if (old_place == NULL || place == NULL) { /* the disk is a file system of its own */
        errno = EXDEV;
        return -1;
    }
    pthread_mutex_lock(&box_turn);
    const bool frees = fstatat(folder, name, &covered, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(covered.st_mode) && covered.st_nlink == 1;
    const int result = (int)syscall(SYS_renameat2, old_folder, old_name, folder, name, 0);
    if (result == 0) {
        const struct iovec part = {(void *)(uintptr_t)place, strlen(place)};
        box_note(RENAMED, 0, 0, old_place, &part, 1);
        box_give_room(frees ? covered.st_size : 0);
    }
    pthread_mutex_unlock(&box_turn);
    return result;
}

int rename(const char *old_name, const char *name) {
    return renameat(AT_FDCWD, old_name, AT_FDCWD, name);
}

int mkdirat(int folder, const char *name, mode_t mode) {
    char path[PATH_MAX];
    const char *const place = box_place_of_name(folder, name, path);
    if (place == NULL) {
        return (int)syscall(SYS_mkdirat, folder, name, mode);
    }
    pthread_mutex_lock(&box_turn);
    const int result = box_take_room(0) ? (int)syscall(SYS_mkdirat, folder, name, mode) : -1;
    if (result == 0) {
        box_note(CREATED_FOLDER, 0, 0, place, NULL, 0);
    }
    pthread_mutex_unlock(&box_turn);
    return result;
}

int mkdir(const char *name, mode_t mode) {
    return mkdirat(AT_FDCWD, name, mode);
}

/* On a 64-bit machine these are the same calls. */
int open64(const char *name, int flags, ...) TWIN(open);
int openat64(int folder, const char *name, int flags, ...) TWIN(openat);
int creat64(const char *name, mode_t mode) TWIN(creat);
