cdef extern from *:
    """
    #ifdef __linux__
    #include <errno.h>
    #include <poll.h>
    #include <signal.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <sys/stat.h>
    #include <unistd.h>

    static struct {
        volatile sig_atomic_t came;
        int out, reading, writing, is_socket;
        struct stat out_is, pipe_is;
        long process;
        void (*dump)(int);
    } eyewall;

    static int eyewall_same(int descriptor, const struct stat *was) {
        struct stat is;
        return fstat(descriptor, &is) == 0 && is.st_dev == was->st_dev && is.st_ino == was->st_ino;
    }

    static size_t eyewall_put(char *to, size_t at, const char *text) {
        size_t length = strlen(text);
        memcpy(to + at, text, length);
        return at + length;
    }

    static size_t eyewall_put_number(char *to, size_t at, long number) {
        char digits[24];
        size_t first = sizeof digits - 1;
        digits[first] = 0;
        do {
            digits[--first] = (char)('0' + number % 10);
            number /= 10;
        } while (number > 0 && first > 0);
        return eyewall_put(to, at, digits + first);
    }

    static void eyewall_cry(int number) {
        /* As much as a pipe takes in one go, so that the lines of several processes do not mix. */
        static char text[4096];
        int kept = errno, came = ++eyewall.came;
        struct pollfd room = {eyewall.out, POLLOUT, 0};
        size_t size = 0;
        ssize_t dumped;
        if (came < 2 || (came & (came - 1)) != 0
            || !eyewall_same(eyewall.out, &eyewall.out_is) || !eyewall_same(eyewall.writing, &eyewall.pipe_is)
            || poll(&room, 1, 0) != 1 || room.revents != POLLOUT) {
            errno = kept;
            return;
        }
        size = eyewall_put(text, size, "eyewall: no thread of process ");
        size = eyewall_put_number(text, size, eyewall.process);
        size = eyewall_put(text, size, " could run Python for ");
        /* One comes each second. */
        size = eyewall_put_number(text, size, came);
        size = eyewall_put(text, size, " s: a call keeps the interpreter, and the loop is blocked. Its thread:\\n");
        eyewall.dump(number);
        dumped = read(eyewall.reading, text + size, sizeof text - size - 1);
        if (dumped > 0)
            size += (size_t)dumped;
        if (text[size - 1] != '\\n')
            text[size++] = '\\n';
        if (eyewall.is_socket)
            dumped = send(eyewall.out, text, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        else
            dumped = write(eyewall.out, text, size);
        /* What is too long for one go: nobody wants it in the next one. */
        while (read(eyewall.reading, text, sizeof text) > 0) {}
        errno = kept;
    }

    static int eyewall_cry_at(int number, int out, int reading, int writing) {
        struct sigaction ours, theirs;
        if (sigaction(number, NULL, &theirs) != 0 || (theirs.sa_flags & SA_SIGINFO) != 0
            || theirs.sa_handler == SIG_DFL || theirs.sa_handler == SIG_IGN
            || fstat(out, &eyewall.out_is) != 0 || fstat(writing, &eyewall.pipe_is) != 0)
            return 0;
        eyewall.out = out;
        eyewall.reading = reading;
        eyewall.writing = writing;
        eyewall.is_socket = S_ISSOCK(eyewall.out_is.st_mode);
        eyewall.process = (long)getpid();
        eyewall.dump = theirs.sa_handler;
        eyewall.came = 0;
        memset(&ours, 0, sizeof ours);
        ours.sa_handler = eyewall_cry;
        ours.sa_flags = SA_RESTART | SA_ONSTACK;
        sigfillset(&ours.sa_mask);
        return sigaction(number, &ours, NULL) == 0;
    }

    static int eyewall_calm(void) {
        eyewall.came = 0;
        return 1;
    }
    #else
    static int eyewall_cry_at(int number, int out, int reading, int writing) { return 0; }
    static int eyewall_calm(void) { return 0; }
    #endif
    """
    cpdef int cry_at "eyewall_cry_at" (int number, int out, int reading, int writing)
    cpdef int calm "eyewall_calm" ()
