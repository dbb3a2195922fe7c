/** The checks, one function each, by the file they stand in. To add one: the function, and its line in checks.c. */
#ifndef COORD_DOCTOR_CHECKS_H
#define COORD_DOCTOR_CHECKS_H

#include "coordinator/doctor/doctor.h"

typedef void coord_look(coord_finding *f, const coord_doctor *d);

coord_look coord_look_cores, coord_look_binding, coord_look_threads, coord_look_numa, coord_look_governor, coord_look_load;                 /* cores.c */
coord_look coord_look_kernels;                                                                                                             /* arithmetic.c */
coord_look coord_look_mpi, coord_look_transport, coord_look_messages, coord_look_meeting, coord_look_progress, coord_look_waiting;         /* mpi.c */
coord_look coord_look_memory, coord_look_shared_memory, coord_look_swap, coord_look_huge_pages, coord_look_limits, coord_look_dataset;     /* memory.c */
coord_look coord_look_folder, coord_look_space, coord_look_durable, coord_look_locks, coord_look_seen;                                     /* files.c */
coord_look coord_look_clocks, coord_look_zeromq, coord_look_job, coord_look_program;                                                       /* around.c */
coord_look coord_look_user, coord_look_binary, coord_look_core_files, coord_look_telemetry, coord_look_readable, coord_look_ecc;           /* hardening.c */

#endif
