/** The wish to end: SIGUSR1, SIGTERM, SIGINT or SIGHUP to the coordinator. Once a process. */
#ifndef COORD_GANG_STOP_H
#define COORD_GANG_STOP_H

#include <stdbool.h>

#define COORD_STOP_SOON_S  10.0      /* after SIGTERM, SIGINT, SIGHUP the gang has so long for its checkpoint */
#define COORD_STOP_LATER_S 60.0      /* after SIGUSR1 */

/** From here on these signals end no process: they are remembered. One that is ignored (nohup) stays so. */
void   coord_stop_install(void);
int    coord_stop_wanted(void);      /* the first signal's number, or 0 */
bool   coord_stop_forced(void);      /* a SIGINT or SIGTERM came after it */
double coord_stop_patience(void);    /* seconds that the gang is given, by the first signal */

#endif
