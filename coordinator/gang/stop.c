#include "coordinator/gang/stop.h"

#include <signal.h>

static volatile sig_atomic_t wanted, forced;

static void on_signal(int number)
{
    if (wanted == 0) wanted = number;
    else if (number == SIGINT || number == SIGTERM) forced = 1;
}

void coord_stop_install(void)
{
    static const int numbers[] = {SIGUSR1, SIGTERM, SIGINT, SIGHUP};
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
        sigemptyset(&action.sa_mask);
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue;
        sigaction(numbers[i], &action, NULL);
    }
}

int coord_stop_wanted(void) { return wanted; }

bool coord_stop_forced(void) { return forced != 0; }

double coord_stop_patience(void) { return wanted == SIGUSR1 ? COORD_STOP_LATER_S : COORD_STOP_SOON_S; }
