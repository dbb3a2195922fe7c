#!/bin/sh
# Set-up, build, and the main job on the call-centre example, watched live by a monitor. Ends with a short summary.
#   sh deploy/demo.sh [RANKS]        ranks: 2 unless told
# Everything it makes stands in build/demo; a second run starts afresh there.
set -eu
cd "$(dirname "$0")/.."
ranks=${1:-2}
here=$PWD
bin=$here/build/release/bin
demo=$here/build/demo
log=$demo/log
export OMPI_MCA_rmaps_base_oversubscribe=1
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

step() { printf '\n== %s\n' "$*"; }
fail() {
    printf '\ndemo: %s failed; its log:\n' "$1" >&2
    tail -n 40 "$log/$1" >&2
    exit 1
}
# run NAME COMMAND...: stdout is shown and kept, stderr is kept; the log is shown when it fails
run() {
    name=$1
    shift
    printf '$ %s\n' "$*" | sed "s|$bin/||g; s|$demo/||g"
    "$@" >"$log/$name" 2>"$log/$name.err" || { cat "$log/$name.err" >>"$log/$name"; fail "$name"; }
}

step "set-up and build"
sh deploy/setup.sh
rm -rf "$demo"
mkdir -p "$log"
run configure cmake --preset release
run build cmake --build --preset release --target flywheel flywheel-monitor

step "an example project: a call centre that routes each caller to an agent with the right skill"
run init "$bin/flywheel" init --example callcenter "$demo/callcenter"
cd "$demo/callcenter"
run check "$bin/flywheel" check callcenter.yaml
cat "$log/check"

step "tables -> dataset.h5, on $ranks ranks"
run ingest mpirun -n "$ranks" "$bin/flywheel" ingest callcenter.yaml
cat "$log/ingest"

step "training, on $ranks ranks"
run train mpirun -n "$ranks" "$bin/flywheel" train callcenter.yaml -o "$demo/run"
cat "$log/train"

step "the same training on one rank: the same bits"
run train1 "$bin/flywheel" train callcenter.yaml -o "$demo/run1"
run diff "$bin/flywheel" diff "$demo/run" "$demo/run1"
cat "$log/diff"

step "proof on unseen calls: the gates of the project file"
run evaluate mpirun -n "$ranks" "$bin/flywheel" evaluate callcenter.yaml "$demo/run"
sed -n '/^Gates/,$p' "$log/evaluate"

step "scoring every call, with a monitor listening"
bus=tcp://127.0.0.1:$((20000 + $$ % 20000))
"$bin/flywheel-monitor" --connect "$bus" --window 10000 --until-end >"$log/monitor" 2>"$log/monitor.err" &
monitor=$!
trap 'kill $monitor 2>/dev/null || true' EXIT
run score mpirun -n "$ranks" "$bin/flywheel" score "$demo/run" calls.csv -o "$demo/predictions.csv" --bus "$bus" --wait-subscribers 1
wait "$monitor" || fail monitor
trap - EXIT
cat "$log/monitor"

step "summary"
value() { sed -n "s/^  $1  *\([0-9.]*\)  .*/\1/p; s/.*  $1  *\([0-9.]*\)  .*/\1/p" "$log/evaluate" | head -n 1; }
best=$(sed -n 's/.*accuracy \(0\.[0-9]*\) and macro F1.*/\1/p' callcenter.yaml)
lines=$(($(wc -l <"$demo/predictions.csv") - 1))
cat <<EOF
The model sends $(value accuracy) of unseen calls to the right skill (macro F1 $(value macro_f1)); the best that is possible on these calls is $best.
It was trained on $ranks ranks and on one: the same bits. All gates are passed.
$lines calls were scored; the monitor saw every prediction: $(tail -n 1 "$log/monitor")

  model card    build/demo/run/report.html
  predictions   build/demo/predictions.csv
  project file  build/demo/callcenter/callcenter.yaml
EOF
