/** What this process uses, as the kernel counts it. */
#ifndef MONITOR_WEB_PROCESS_H
#define MONITOR_WEB_PROCESS_H

typedef struct monitor_process { double cpu_s, resident_bytes, open_fds, max_fds; } monitor_process;      /* NaN: not known */
monitor_process monitor_process_now(void);

#endif
