#include <string.h>

#include "common/core/envelope.h"
#include "common/core/fault.h"
#include "common/data/h5.h"
#include "worker/ingest_parts.h"

/* The manifest, behind the cells. */
static fw_status write_manifest(const ingest *g, fw_error *err)
{
    if (g->reduce->rank != 0) return FW_OK;
    hid_t file = -1;
    FW_TRY(fw_h5_open_write(&file, g->temp, MPI_COMM_NULL, err));
    fw_status s = fw_h5_write_text(file, "manifest", g->manifest_text, err), closed = fw_h5_close(&file, s == FW_OK ? err : NULL);
    return s != FW_OK ? s : closed;
}

static fw_status seal(const ingest *g, fw_error *err)
{
    if (g->reduce->rank != 0) return FW_OK;
    fw_digest digest = fw_hash128(g->manifest_text, strlen(g->manifest_text), 0);
    return fw_envelope_seal(g->temp, FW_DATASET_KIND, FW_DATASET_VERSION, &digest, err);
}

/* What HDF5 wrote is read back, since it does not tell of every failed write. The cells went past it: every write and the flush to the disk told of
 * their success, and their checksums are of what was in memory, so that each reader checks what came back. */
static fw_status read_back(const ingest *g, fw_error *err)
{
    FW_AUTO(fw_dataset) *d = NULL;
    if (g->reduce->rank != 0) return FW_OK;
    return fw_dataset_open(&d, g->temp, err);
}

fw_status ingest_finish(ingest *g, fw_error *err)
{
    FW_TRY(ingest_agree(g, write_manifest(g, err), err));
    FW_TRY(ingest_agree(g, seal(g, err), err));
    fw_status s = read_back(g, err);
    if (s == FW_ERR_FORMAT) s = fw_wrap(err, FW_ERR_IO, "what was written does not read back (is the disk full?)");
    FW_TRY(ingest_agree(g, s, err));
    FW_TRY(ingest_agree(g, fw_fault("ingest.before_rename", err), err));
    return ingest_agree(g, g->reduce->rank == 0 ? fw_atomic_file_commit(g->file, err) : FW_OK, err);
}
