/** Status codes, the error sentence, and the few macros that go with them.
 *  Zero is ok, negative is failure, positive is "not yet". Outputs are written only on success. */
#ifndef FW_CORE_STATUS_H
#define FW_CORE_STATUS_H

#define FW_STATUS_LIST(X)                                                   \
    X(FW_OK, 0, "ok")                                                       \
    X(FW_END, 1, "nothing more to read")                                    \
    X(FW_ERR_ARG, -1, "wrong argument")                                     \
    X(FW_ERR_NOMEM, -2, "out of memory")                                    \
    X(FW_ERR_IO, -3, "input or output failed")                              \
    X(FW_ERR_CONFIG, -4, "the project file or the command line is wrong")   \
    X(FW_ERR_DATA, -5, "the data breaks its contract")                      \
    X(FW_ERR_FORMAT, -6, "a file is damaged or is not what it should be")   \
    X(FW_ERR_VERSION, -7, "a file is of a format version unknown here")     \
    X(FW_ERR_NUMERIC, -8, "a number is not finite")                         \
    X(FW_ERR_CHECK, -9, "a check said no")                                  \
    X(FW_ERR_LOST, -10, "a rank was lost")                                  \
    X(FW_ERR_STOPPED, -11, "stopped on purpose")                            \
    X(FW_ERR_TIMEOUT, -12, "a deadline passed")                             \
    X(FW_ERR_MPI, -13, "MPI failed")                                        \
    X(FW_ERR_BUS, -14, "ZeroMQ failed")                                     \
    X(FW_ERR_NOTFOUND, -15, "not found")                                    \
    X(FW_ERR_INTERNAL, -16, "internal error")

typedef enum fw_status {
#define X(name, value, text) name = value,
    FW_STATUS_LIST(X)
#undef X
} fw_status;

/** The sentence a human needs: what, where, why, what to do. Longer text is cut, never overrun. */
typedef struct fw_error {
    fw_status status;
    char      text[2048];
} fw_error;

const char *fw_status_name(fw_status s);      /* "FW_ERR_IO" */
const char *fw_status_text(fw_status s);      /* "input or output failed" */

/** The program's exit code for a status: 0, 1, 2, 3, 4, 5 or 75 (the table in README.md). */
int fw_status_exit_code(fw_status s);

/** Fills err (which may be NULL) and returns s. */
fw_status fw_fail(fw_error *err, fw_status s, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** The same with ": <strerror(errno)>" at the end. Keeps errno. */
fw_status fw_fail_errno(fw_error *err, fw_status s, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Puts "<context>: " in front of what err already says and returns s, the status of the call that failed.
 *  s == FW_OK stands for err->status (FW_ERR_INTERNAL when err is NULL). */
fw_status fw_wrap(fw_error *err, fw_status s, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define FW_TRY(call)                                     \
    do {                                                 \
        fw_status fw_try_status_ = (call);               \
        if (fw_try_status_ < 0) return fw_try_status_;   \
    } while (0)

/** A pointer that is destroyed when it leaves its scope: FW_AUTO(fw_dict) *d = NULL; */
#define FW_AUTO(type) __attribute__((cleanup(type##_destroy))) type

#endif
