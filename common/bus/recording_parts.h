/** What the writer and the reader of a recording share. Private to common/bus. */
#ifndef FW_BUS_RECORDING_PARTS_H
#define FW_BUS_RECORDING_PARTS_H

#define FW_RECORDING_END "bus/end"      /* the topic of the last record */

#endif
